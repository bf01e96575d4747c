/** The parts of models of one operator: tensors with reproducible contents, options, and the model around an operator. */
import type { FileModel, FileOperator, FileTensor, OptionValue } from './tflite-builder.js';

export interface OperatorCase {
  readonly name: string;
  readonly model: FileModel;
}

let seed = 1;
/** Reproducible numbers in [0, 1). */
export function random(): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >>> 8) / 2 ** 23;
}

export const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const floats = (shape: readonly number[], size = 1): Float32Array =>
  Float32Array.from({ length: count(shape) }, () => (random() * 2 - 1) * size);
export const bytes = (shape: readonly number[]): Int8Array =>
  Int8Array.from({ length: count(shape) }, () => Math.floor(random() * 255) - 127);
export const ubytes = (shape: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: count(shape) }, () => Math.floor(random() * 256));
export const ints = (...values: number[]): Int32Array => Int32Array.from(values);

export type Kind = 'int8' | 'uint8' | 'float32';

/** An activation; quantised ones with a scale and zero point of their own. */
export function act(name: string, type: Kind, shape: readonly number[], scale = 0.05, zero = 3): FileTensor {
  if (type === 'float32') return { name, type, shape };
  return { name, type, shape, scales: [scale], zeroPoints: [type === 'uint8' ? zero + 128 : zero] };
}

/** An int8 tensor with a zero point of 0 where none is given. */
export const quantised = (name: string, shape: number[], scale: number, zero = 0): FileTensor =>
  act(name, 'int8', shape, scale, zero);

export function constant(name: string, type: Kind, shape: readonly number[], scale = 0.03, zero = -4): FileTensor {
  if (type === 'float32') return { name, type, shape, data: floats(shape) };
  if (type === 'int8') return { ...act(name, type, shape, scale, zero), data: bytes(shape) };
  return { ...act(name, type, shape, scale, zero), data: ubytes(shape) };
}

export const int32 = (name: string, shape: readonly number[], ...values: number[]): FileTensor => ({
  name,
  type: 'int32',
  shape,
  data: ints(...values),
});

export type Options = Readonly<Record<number, OptionValue>>;

export interface Spec {
  readonly code: number;
  readonly optionsType?: number;
  readonly options?: Options;
  readonly version?: number;
  readonly custom?: string;
}

/** One operator of all the operands; those without data are inputs. */
export function one(
  name: string,
  spec: Spec,
  operands: readonly FileTensor[],
  results: readonly FileTensor[],
): OperatorCase {
  const tensors = [...operands, ...results];
  const outputs = results.map((_, i) => operands.length + i);
  const operator: FileOperator = { ...spec, inputs: operands.map((_, i) => i), outputs };
  const inputs = operands.flatMap((operand, i) => (operand.data === undefined ? [i] : []));
  return { name, model: { tensors, operators: [operator], inputs, outputs } };
}

export const i8 = (value: number): OptionValue => ({ i8: value });
export const i32 = (value: number): OptionValue => ({ i32: value });
export const f32 = (value: number): OptionValue => ({ f32: value });

export const KINDS: readonly Kind[] = ['int8', 'uint8', 'float32'];
export const QUANTISED: readonly Kind[] = ['int8', 'uint8'];
