import type { SourceLoc } from '../../base/diagnostic.js';
import { readExternalData } from './external-data.js';
import { malformed } from './problems.js';
import type { QuantizedConst } from './quantization.js';
import type { Int64, TensorMessage } from './schema.js';

/** Element types of constants; 64-bit integers live in doubles (shapes and indices stay exact below 2^53). */
export type OnnxDType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool';

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/**
 * A tensor known at import, in the model's own axis order. Shape and type are known at once; the elements are computed
 * when asked for, so that a model is refused before its weights are touched. The elements of a `Cast` to a wider type may
 * still be in the narrow array: the values are the same.
 */
export interface Const {
  readonly dtype: OnnxDType;
  readonly dims: readonly number[];
  readonly elementCount: number;
  /** Set when all elements have this value. */
  readonly splat?: number;
  /** The type that all elements fit, when a Cast has widened them and the array is still the narrow one. */
  readonly narrow?: OnnxDType;
  /** Set when the elements are those of an int8 constant times one scale for each of `scales.elementCount` equal runs. */
  readonly scaled?: { readonly base: Const; readonly scales: Const };
  /** Set for the result of DequantizeLinear. */
  readonly quantized?: QuantizedConst;
  elements(): NumericArray;
}

/** 512 MiB of float32: hardly a weight tensor of a network comes near, a hostile shape does. */
export const MAX_CONSTANT_ELEMENTS = 2 ** 27;
/** Runtimes stop at 8 or so. */
export const MAX_RANK = 64;

const DTYPE_OF_CODE: ReadonlyMap<number, OnnxDType> = new Map([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
  [4, 'uint16'],
  [5, 'int16'],
  [6, 'int32'],
  [7, 'int64'],
  [9, 'bool'],
  [10, 'float16'],
  [11, 'float64'],
  [12, 'uint32'],
  [13, 'uint64'],
]);

const BYTES_OF_DTYPE: Readonly<Record<OnnxDType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** Undefined for strings, complex numbers, bfloat16 and the eight- and four-bit floats. */
export function dtypeOfCode(code: number): OnnxDType | undefined {
  return DTYPE_OF_CODE.get(code);
}

export function toInteger(value: Int64): number {
  return typeof value === 'number' ? value : value.toNumber();
}

export function elementCountOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function allocate(dtype: OnnxDType, elementCount: number): NumericArray {
  switch (dtype) {
    case 'float32':
    case 'float16':
      return new Float32Array(elementCount);
    case 'int8':
      return new Int8Array(elementCount);
    case 'uint8':
    case 'bool':
      return new Uint8Array(elementCount);
    case 'int16':
      return new Int16Array(elementCount);
    case 'uint16':
      return new Uint16Array(elementCount);
    case 'int32':
      return new Int32Array(elementCount);
    case 'uint32':
      return new Uint32Array(elementCount);
    case 'float64':
    case 'int64':
    case 'uint64':
      return new Float64Array(elementCount);
  }
}

export function isIntegral(dtype: OnnxDType): boolean {
  return dtype !== 'float32' && dtype !== 'float64' && dtype !== 'float16';
}

/** A constant whose elements are computed each time they are asked for; see `remembered`. */
export function lazyConst(dtype: OnnxDType, dims: readonly number[], elements: () => NumericArray): Const {
  const elementCount = elementCountOf(dims);
  // Dimensions beside a zero may be as large as they like: nobody shall loop over them.
  return { dtype, dims, elementCount, elements: elementCount === 0 ? () => allocate(dtype, 0) : elements };
}

/** The same constant, computed at most once. Not the default: weights are read once, and keeping every step costs memory. */
export function remembered(constant: Const): Const {
  let known: NumericArray | undefined;
  const elements = (): NumericArray => {
    known ??= constant.elements();
    return known;
  };
  return { ...constant, elements };
}

export function splatConst(dtype: OnnxDType, dims: readonly number[], value: number): Const {
  const elementCount = elementCountOf(dims);
  const elements = (): NumericArray => {
    const array = allocate(dtype, elementCount);
    if (value !== 0) array.fill(value);
    return array;
  };
  return { dtype, dims, elementCount, splat: value, elements };
}

export function constOf(dtype: OnnxDType, dims: readonly number[], values: readonly number[]): Const {
  const array = allocate(dtype, values.length);
  array.set(values);
  return lazyConst(dtype, dims, () => array);
}

const DIMS_SHOWN = 12;

export function shapeText(dims: readonly number[]): string {
  return dims.length <= DIMS_SHOWN
    ? `[${dims.join(', ')}]`
    : `[${dims.slice(0, DIMS_SHOWN).join(', ')}, ... ${dims.length} in all]`;
}

/** @throws SpillwayError SW2004 for negative dimensions, SW2010 for more elements or dimensions than we accept */
export function checkConstantDims(dims: readonly number[], what: string, loc: SourceLoc): void {
  if (dims.length > MAX_RANK) {
    malformed('SW2010', loc, `${what} has ${dims.length} dimensions; at most ${MAX_RANK} are accepted`);
  }
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      malformed('SW2004', loc, `${what} has the impossible shape ${shapeText(dims)}`);
    }
  }
  const elementCount = elementCountOf(dims);
  if (elementCount > MAX_CONSTANT_ELEMENTS) {
    malformed(
      'SW2010',
      loc,
      `${what} of shape ${shapeText(dims)} has ${elementCount} elements; at most ${MAX_CONSTANT_ELEMENTS} are accepted`,
    );
  }
}

/**
 * Reads a tensor of the file. Checks sizes now and leaves the elements where they are until they are asked for.
 * @returns undefined if the element type is not supported
 * @throws SpillwayError SW2004 when data and shape disagree, SW2009 for external data that is not there
 */
export function constOfTensor(tensor: TensorMessage, what: string, loc: SourceLoc, baseDir: string): Const | undefined {
  const dtype = dtypeOfCode(tensor.dataType ?? 0);
  if (dtype === undefined) return undefined;
  const dims = (tensor.dims ?? []).map(toInteger);
  checkConstantDims(dims, what, loc);
  const elementCount = elementCountOf(dims);
  const wantBytes = elementCount * BYTES_OF_DTYPE[dtype];
  if (tensor.dataLocation === 1) {
    const read = readExternalData(tensor.externalData ?? [], wantBytes, what, loc, baseDir);
    return lazyConst(dtype, dims, () => arrayOfBytes(dtype, read(), elementCount));
  }
  const raw = tensor.rawData ?? new Uint8Array(0);
  if (raw.length > 0) {
    if (raw.length !== wantBytes) {
      malformed(
        'SW2004',
        loc,
        `${what} of shape ${shapeText(dims)} (${dtype}) needs ${wantBytes} B and has ${raw.length} B`,
      );
    }
    return lazyConst(dtype, dims, () => arrayOfBytes(dtype, raw, elementCount));
  }
  const values = typedValues(tensor, dtype);
  if (values.length !== elementCount) {
    malformed(
      'SW2004',
      loc,
      `${what} of shape ${shapeText(dims)} needs ${elementCount} elements and has ${values.length}`,
    );
  }
  return lazyConst(dtype, dims, () => arrayOfValues(dtype, values));
}

/** The field of the message that holds elements of this type when they are not in raw_data. */
function typedValues(tensor: TensorMessage, dtype: OnnxDType): readonly Int64[] {
  switch (dtype) {
    case 'float32':
      return tensor.floatData ?? [];
    case 'float64':
      return tensor.doubleData ?? [];
    case 'int64':
      return tensor.int64Data ?? [];
    case 'uint64':
    case 'uint32':
      return tensor.uint64Data ?? [];
    case 'float16':
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'bool':
      return tensor.int32Data ?? [];
  }
}

function arrayOfValues(dtype: OnnxDType, values: readonly Int64[]): NumericArray {
  const array = allocate(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = toInteger(values[i] ?? 0);
    array[i] = dtype === 'float16' ? halfToNumber(value) : value;
  }
  return array;
}

/** Little endian, as the format says; a view of the file's bytes where alignment allows. */
function arrayOfBytes(dtype: OnnxDType, bytes: Uint8Array, elementCount: number): NumericArray {
  const width = BYTES_OF_DTYPE[dtype];
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes); // copies; Buffer.slice would not
  const { buffer, byteOffset } = aligned;
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, elementCount);
    case 'float64':
      return new Float64Array(buffer, byteOffset, elementCount);
    case 'int8':
      return new Int8Array(buffer, byteOffset, elementCount);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, elementCount);
    case 'int16':
      return new Int16Array(buffer, byteOffset, elementCount);
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, elementCount);
    case 'int32':
      return new Int32Array(buffer, byteOffset, elementCount);
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, elementCount);
    case 'float16':
      return numbersOf(new Uint16Array(buffer, byteOffset, elementCount));
    case 'int64':
      return Float64Array.from(new BigInt64Array(buffer, byteOffset, elementCount), Number);
    case 'uint64':
      return Float64Array.from(new BigUint64Array(buffer, byteOffset, elementCount), Number);
  }
}

function numbersOf(halves: Uint16Array): Float32Array {
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < numbers.length; i += 1) numbers[i] = halfToNumber(halves[i] as number);
  return numbers;
}

/** IEEE 754 half precision: sign 1, exponent 5 (bias 15), fraction 10 bits. */
function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
