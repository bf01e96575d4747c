/**
 * The .npy format of NumPy, version 1.0 (readers of 2.0 and 3.0 too): int8, uint8, int16, int32, float32, C order, little
 * endian.
 */
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';

export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

export function writeNpy(array: NpyArray): Uint8Array {
  const { shape, data } = array;
  const descr = descrOf(data);
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data begins at a multiple of 64, and the header ends with a line feed.
  const headerBytes = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const file = new Uint8Array(10 + headerBytes + data.byteLength);
  file.set(MAGIC);
  file.set([1, 0, headerBytes & 255, headerBytes >> 8], 6);
  file.set(new TextEncoder().encode(`${text.padEnd(headerBytes - 1)}\n`), 10);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + headerBytes);
  return file;
}

function descrOf(data: NpyArray['data']): string {
  if (data instanceof Int8Array) return '|i1';
  if (data instanceof Uint8Array) return '|u1';
  if (data instanceof Int16Array) return '<i2';
  return data instanceof Int32Array ? '<i4' : '<f4';
}

/**
 * @param name of the file, for diagnostics
 * @throws SpillwayError SW5001
 */
export function readNpy(bytes: Uint8Array, name: string): NpyArray {
  if (bytes.length < 12 || MAGIC.some((byte, index) => bytes[index] !== byte)) refuse(name, 'not a .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) refuse(name, `version ${major} of the .npy format is not known`);
  const start = major === 1 ? 10 : 12;
  const headerBytes = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + headerBytes > bytes.length) refuse(name, 'truncated inside its header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + headerBytes));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const shapeText = /'shape':\s*\(([0-9,\s]*)\)/.exec(header)?.[1];
  if (descr === undefined || shapeText === undefined) refuse(name, 'the header does not give type and shape');
  if (!/'fortran_order':\s*False/.test(header)) {
    refuse(name, 'the array is in Fortran order', 'save it with numpy.save(file, numpy.ascontiguousarray(array))');
  }
  const shape = shapeText
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const elements = shape.reduce((a, b) => a * b, 1);
  // A copy, because the data of a file need not be aligned; not slice(), which is a view where bytes is a Buffer.
  const data = Uint8Array.from(bytes.subarray(start + headerBytes));
  const elementBytes = ELEMENT_BYTES[descr];
  if (elementBytes === undefined) {
    refuse(
      name,
      `elements of type '${descr}' are not supported`,
      'save the array as int8, uint8, int16, int32 or float32',
    );
  }
  if (data.length !== elements * elementBytes) {
    refuse(name, `has ${data.length} B of data; shape ${shape.join('x')} takes ${elements * elementBytes} B`);
  }
  return { shape, data: typed(descr, data.buffer) };
}

const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  '|i1': 1,
  '<i1': 1,
  i1: 1,
  '|u1': 1,
  u1: 1,
  '<i2': 2,
  '<i4': 4,
  '<f4': 4,
};

function typed(descr: string, buffer: ArrayBuffer): NpyArray['data'] {
  if (descr === '<f4') return new Float32Array(buffer);
  if (descr === '<i4') return new Int32Array(buffer);
  if (descr === '<i2') return new Int16Array(buffer);
  return descr === '|u1' || descr === 'u1' ? new Uint8Array(buffer) : new Int8Array(buffer);
}

function refuse(name: string, message: string, hint?: string): never {
  const diagnostic: Diagnostic = { code: 'SW5001', blame: 'input', message, loc: { file: name } };
  throw new SpillwayError([hint === undefined ? diagnostic : { ...diagnostic, hint }]);
}
