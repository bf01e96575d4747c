/** Data of model inputs and outputs: seeded, given by the user, and as the outside sees them. */
import { assertNever } from '../base/assert-never.js';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import type { ManifestPort, PortDType } from '../commands/manifest.js';

export type PortData = Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array;
export type GivenData = PortData;

export const ELEMENT_BYTES: Readonly<Record<PortDType, number>> = { int8: 1, uint8: 1, int16: 2, int32: 4, float32: 4 };

/** The bytes as elements of a type. */
export function typedData(dtype: PortDType, buffer: ArrayBuffer): PortData {
  switch (dtype) {
    case 'int8':
      return new Int8Array(buffer);
    case 'uint8':
      return new Uint8Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'float32':
      return new Float32Array(buffer);
    default:
      return assertNever(dtype);
  }
}

/** From a draw of 32 bits to an element. */
const DRAWN: Readonly<Record<PortDType, (bits: number) => number>> = {
  int8: (bits) => (bits >>> 24) - 128,
  uint8: (bits) => bits >>> 24,
  int16: (bits) => (bits >>> 16) - 32768,
  int32: (bits) => bits >>> 24,
  float32: (bits) => bits / 2 ** 31 - 1,
};

/**
 * docs/numerics.md, "Seeded inputs", in storage order. Frame f of a batch is drawn as the input with index
 * f * (number of inputs) + index would be, so that frames differ.
 */
export function seededFrame(port: ManifestPort, seed: number, index: number): PortData {
  const elements = port.shape.reduce((a, b) => a * b, 1);
  let state = (Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const data = typedData(port.dtype, new ArrayBuffer(elements * ELEMENT_BYTES[port.dtype]));
  const drawn = DRAWN[port.dtype];
  for (let i = 0; i < elements; i++) data[i] = drawn(next());
  return data;
}

/** Shape that the outside sees: of one frame. */
export function outsideShape(port: ManifestPort): readonly number[] {
  return port.outsideShape ?? port.outsideAxes?.map((axis) => port.shape[axis] ?? 1) ?? port.shape;
}

/** For each element in outside order, its index in storage order. */
function storageIndexes(port: ManifestPort): Uint32Array {
  const axes = port.outsideAxes ?? port.shape.map((_, axis) => axis);
  const strides = port.shape.map((_, axis) => port.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  let indexes: number[] = [0];
  for (const axis of axes) {
    const [extent, stride] = [port.shape[axis] ?? 1, strides[axis] ?? 1];
    const longer = new Array<number>(indexes.length * extent);
    let at = 0;
    for (const index of indexes) for (let i = 0; i < extent; i++) longer[at++] = index + i * stride;
    indexes = longer;
  }
  return Uint32Array.from(indexes);
}

/** One frame, from storage order to the order that the outside sees. */
export function toOutside(port: ManifestPort, storage: PortData): PortData {
  if (port.outsideAxes === undefined) return storage;
  const outside = storage.slice();
  storageIndexes(port).forEach((from, to) => {
    outside[to] = storage[from] ?? 0;
  });
  return outside;
}

/**
 * Frames in storage order from data in outside order: one frame, used for every frame of the batch, or all frames.
 * Real values for a quantised input are quantised: x / scale rounded, halves away from zero, + zero point, in the type's range.
 *
 * @throws SpillwayError SW5002 when number or type of the elements do not fit
 */
export function givenFrames(port: ManifestPort, data: GivenData, batch: number): PortData[] {
  const elements = port.shape.reduce((a, b) => a * b, 1);
  if (data.length !== elements && data.length !== elements * batch) {
    const shape = outsideShape(port).join('x');
    const frames = batch === 1 ? '' : ` for one frame, ${elements * batch} for all ${batch}`;
    throw unfit(port, `has ${data.length} elements; the input is ${shape}, ${elements} elements${frames}`);
  }
  const typed = convert(port, data);
  return Array.from({ length: batch }, (_, frame) => {
    const start = data.length === elements ? 0 : frame * elements;
    const outside = typed.subarray(start, start + elements);
    if (port.outsideAxes === undefined) return outside;
    const storage = outside.slice();
    storageIndexes(port).forEach((to, from) => {
      storage[to] = outside[from] ?? 0;
    });
    return storage;
  });
}

function convert(port: ManifestPort, data: GivenData): PortData {
  const given = dtypeOf(data);
  if (port.dtype === given) return data;
  const range = STORED_RANGE[port.dtype];
  if (given === 'float32' && port.quant !== undefined && range !== undefined) {
    const { scale, zeroPoint } = port.quant;
    const quantised = typedData(port.dtype, new ArrayBuffer(data.length * ELEMENT_BYTES[port.dtype]));
    data.forEach((x, i) => {
      const steps = Math.sign(x) * Math.floor(Math.abs(x) / scale + 0.5);
      quantised[i] = Math.min(range.hi, Math.max(range.lo, steps + zeroPoint));
    });
    return quantised;
  }
  throw unfit(port, `is ${given}; the input is ${port.dtype}`);
}

const STORED_RANGE: Readonly<Partial<Record<PortDType, { readonly lo: number; readonly hi: number }>>> = {
  int8: { lo: -128, hi: 127 },
  uint8: { lo: 0, hi: 255 },
  int16: { lo: -32768, hi: 32767 },
};

function dtypeOf(data: PortData): PortDType {
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int16Array) return 'int16';
  return data instanceof Int32Array ? 'int32' : 'float32';
}

function unfit(port: ManifestPort, message: string): SpillwayError {
  const diagnostic: Diagnostic = {
    code: 'SW5002',
    blame: 'input',
    message: `the data for input '${port.name}' ${message}`,
    loc: { file: 'simulate', node: port.name },
  };
  return new SpillwayError([diagnostic]);
}
