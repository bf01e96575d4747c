/** Constants of a TFLite file: elements by type, decoded when they are asked for. */
import type { SourceLoc } from '../../base/diagnostic.js';
import { elementCountOf } from '../../ir/facts.js';
import type { ConstantData } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { TfliteQuantization, TfliteTensor } from './model.js';
import { malformed } from './problems.js';
import type { TensorType } from './schema.js';
import { densePositions } from './sparse.js';

export interface Constant {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly quantization: TfliteQuantization | undefined;
  /** float16 as float32, int4 and bool as bytes, int64 as doubles. The array may be a view of the file. */
  elements(): ConstantData | Float64Array;
}

const BITS: Partial<Record<TensorType, number>> = {
  float32: 32,
  float16: 16,
  int32: 32,
  int64: 64,
  uint8: 8,
  int8: 8,
  bool: 8,
  int16: 16,
  int4: 4,
};

/** @throws SpillwayError SW2104 if the bytes are not the shape's */
export function constantOf(tensor: TfliteTensor, bytes: Uint8Array, loc: SourceLoc): Constant {
  const { name, type, shape, quantization } = tensor;
  const bits = BITS[type];
  if (bits === undefined) unsupported(`the constant '${name}' is ${type}`);
  const dense = elementCountOf(shape);
  const positions = tensor.sparsity === undefined ? undefined : densePositions(name, shape, tensor.sparsity, loc);
  const count = positions?.length ?? dense;
  const expected = Math.ceil((count * bits) / 8);
  if (bytes.length !== expected) {
    const message = `constant '${name}' ${type} [${shape.join(', ')}] has ${bytes.length} B of data, not ${expected} B`;
    malformed('SW2104', loc, message);
  }
  const stored = () => decode(type, bytes, count);
  const elements = positions === undefined ? stored : () => spread(stored(), positions, dense);
  return remembered({ name, type, shape, quantization, elements });
}

/** What is not stored is 0. */
function spread(stored: ConstantData | Float64Array, positions: Uint32Array, count: number): typeof stored {
  const out = new (stored.constructor as new (length: number) => typeof stored)(count);
  for (const [i, position] of positions.entries()) out[position] = stored[i] ?? 0;
  return out;
}

/** The same constant with its elements computed once. */
export function remembered(constant: Constant): Constant {
  let elements: ConstantData | Float64Array | undefined;
  return { ...constant, elements: () => (elements ??= constant.elements()) };
}

function decode(type: TensorType, bytes: Uint8Array, count: number): ConstantData | Float64Array {
  switch (type) {
    case 'int8':
      return new Int8Array(bytes.buffer, bytes.byteOffset, count);
    case 'uint8':
    case 'bool':
      return bytes;
    case 'int4':
      // Two to a byte, the first in the low half.
      return Int8Array.from({ length: count }, (_, i) => ((bytes[i >> 1] ?? 0) << (i % 2 === 0 ? 28 : 24)) >> 28);
    case 'int16':
      return new Int16Array(aligned(bytes));
    case 'int32':
      return new Int32Array(aligned(bytes));
    case 'float32':
      return new Float32Array(aligned(bytes));
    case 'float16':
      return floatsOf(new Uint16Array(aligned(bytes)));
    case 'int64':
      return Float64Array.from(new BigInt64Array(aligned(bytes)), Number);
    default:
      throw new Error(`constants of ${type} are not decoded`);
  }
}

/** A copy: the file's vectors need not lie at a multiple of the element size in memory. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}

/** Of every half; a network has many more weights than there are halves. */
let everyHalf: Float32Array | undefined;

function floatsOf(halves: Uint16Array): Float32Array {
  everyHalf ??= new Float32Array(1 << 16).map((_, bits) => halfToFloat(bits));
  const table = everyHalf;
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i += 1) out[i] = table[halves[i] as number] as number;
  return out;
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Elements of an integer constant, such as a shape or axes. */
export function integersOf(constant: Constant): number[] {
  const data = constant.elements();
  if (data instanceof Float32Array) return unsupported(`'${constant.name}' must be of integers, not ${constant.type}`);
  return Array.from(data as Iterable<number>);
}

/** Real values in float32: floats as they are, quantised ones by their scales. */
export function realsOf(constant: Constant): Float32Array {
  const data = constant.elements();
  if (data instanceof Float32Array) return data;
  const { quantization, shape, name, type } = constant;
  if (quantization === undefined) return unsupported(`'${name}' is ${type} without quantisation, not float32`);
  const { scales, zeroPoints, axis } = quantization;
  const inner = elementCountOf(shape.slice(axis + 1));
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i += 1) {
    const channel = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    out[i] = (scales[channel] ?? 1) * ((data[i] as number) - (zeroPoints[channel] ?? 0));
  }
  return out;
}
