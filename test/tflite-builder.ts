/** Writes small TFLite files: what the importer and LiteRT are tried on. Numbers are those of the schema. */
import { Builder } from 'flatbuffers';

const TYPE_CODES = {
  float32: 0,
  float16: 1,
  int32: 2,
  uint8: 3,
  int64: 4,
  bool: 6,
  complex64: 8,
  resource: 13,
  int16: 7,
  int8: 9,
} as const;
export type FileType = keyof typeof TYPE_CODES;

export interface FileTensor {
  readonly name: string;
  readonly type: FileType;
  readonly shape: readonly number[];
  readonly scales?: readonly number[];
  readonly zeroPoints?: readonly number[];
  readonly axis?: number;
  readonly data?: ArrayBufferView;
  readonly isVariable?: boolean;
  readonly signature?: readonly number[];
  /** The data are those of the positions that the levels list. */
  readonly sparsity?: FileSparsity;
}

export interface FileSparsity {
  readonly order: readonly number[];
  readonly blockMap: readonly number[];
  readonly levels: readonly (FileLevel | number)[]; // a number is the extent of a complete level
}

export interface FileLevel {
  readonly segments: readonly number[];
  readonly indices: readonly number[];
  readonly width: 8 | 16 | 32; // bits of an index
}

/** Fields of an options table by their number. A fractional or f-marked value is a float, an array a vector of int32. */
export type OptionValue =
  | { readonly i8: number }
  | { readonly i32: number }
  | { readonly f32: number }
  | { readonly text: string }
  | { readonly i32s: readonly number[] };

export interface FileOperator {
  readonly code: number; // BuiltinOperator
  readonly custom?: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly optionsType?: number; // member of the union BuiltinOptions
  readonly options?: Readonly<Record<number, OptionValue>>;
  readonly version?: number;
  readonly intermediates?: readonly number[];
  readonly customOptions?: Uint8Array;
}

export interface FileGraph {
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** The first graph is the model. */
export interface FileModel extends FileGraph {
  readonly called?: readonly FileGraph[];
}

const MODEL_FIELDS = 8;

export function writeTflite(model: FileModel): Uint8Array {
  const b = new Builder(1024);
  const all = [model, ...(model.called ?? [])];
  const data = all.flatMap(({ tensors }) => tensors.map((tensor) => tensor.data));
  const buffers = [undefined, ...data.filter((d) => d !== undefined)].map((bytes) => writeBuffer(b, bytes));
  let nextBuffer = 1;
  const kinds = new Map(all.flatMap(({ operators }) => operators.map((op) => [kindOf(op), op] as const)));
  const codes = [...kinds.values()].map((op) => writeCode(b, op));
  const places = [...kinds.keys()];
  const written = all.map((graph) => {
    const tensors = graph.tensors.map((tensor) => writeTensor(b, tensor, tensor.data === undefined ? 0 : nextBuffer++));
    const operators = graph.operators.map((op) => writeOperator(b, op, places.indexOf(kindOf(op))));
    const parts = [offsets(b, tensors), int32s(b, graph.inputs), int32s(b, graph.outputs), offsets(b, operators)];
    b.startObject(5);
    for (const [field, part] of parts.entries()) b.addFieldOffset(field, part, 0);
    return b.endObject();
  });
  const graphs = offsets(b, written);
  const [codeVector, bufferVector] = [offsets(b, codes), offsets(b, buffers)];
  const description = b.createString('written by a test');
  b.startObject(MODEL_FIELDS);
  b.addFieldInt32(0, 3, 0);
  b.addFieldOffset(1, codeVector, 0);
  b.addFieldOffset(2, graphs, 0);
  b.addFieldOffset(3, description, 0);
  b.addFieldOffset(4, bufferVector, 0);
  b.finish(b.endObject(), 'TFL3');
  return b.asUint8Array().slice();
}

const kindOf = ({ code, custom, version }: FileOperator): string => `${code} ${custom ?? ''} ${version ?? 1}`;

function offsets(b: Builder, items: readonly number[]): number {
  b.startVector(4, items.length, 4);
  for (const item of items.toReversed()) b.addOffset(item);
  return b.endVector();
}

function int32s(b: Builder, values: readonly number[]): number {
  b.startVector(4, values.length, 4);
  for (const value of values.toReversed()) b.addInt32(value);
  return b.endVector();
}

function byteVector(b: Builder, bytes: Uint8Array): number {
  b.startVector(1, bytes.length, 16);
  for (const byte of bytes.toReversed()) b.addInt8(byte);
  return b.endVector();
}

function writeBuffer(b: Builder, data: ArrayBufferView | undefined): number {
  const bytes = data === undefined ? undefined : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const vector = bytes === undefined ? 0 : byteVector(b, bytes);
  b.startObject(3);
  if (vector !== 0) b.addFieldOffset(0, vector, 0);
  return b.endObject();
}

function writeQuantization(b: Builder, { scales, zeroPoints, axis }: FileTensor): number {
  if (scales === undefined) return 0;
  b.startVector(4, scales.length, 4);
  for (const scale of scales.toReversed()) b.addFloat32(scale);
  const scaleVector = b.endVector();
  const zeros = zeroPoints ?? scales.map(() => 0);
  b.startVector(8, zeros.length, 8);
  for (const zero of zeros.toReversed()) b.addInt64(BigInt(zero));
  const zeroVector = b.endVector();
  b.startObject(7);
  b.addFieldOffset(2, scaleVector, 0);
  b.addFieldOffset(3, zeroVector, 0);
  b.addFieldInt32(6, axis ?? 0, 0);
  return b.endObject();
}

function writeSparsity(b: Builder, sparsity: FileSparsity | undefined): number {
  if (sparsity === undefined) return 0;
  const levels = sparsity.levels.map((level) => {
    const isListed = typeof level !== 'number';
    const lists = isListed ? [level.segments, level.indices].map((list) => writeIndices(b, list, level.width)) : [];
    const union = isListed ? { 8: 3, 16: 2, 32: 1 }[level.width] : 0;
    b.startObject(6);
    b.addFieldInt8(0, isListed ? 1 : 0, 0);
    b.addFieldInt32(1, isListed ? 0 : level, 0);
    for (const [i, list] of lists.entries()) {
      b.addFieldInt8(2 + 2 * i, union, 0);
      b.addFieldOffset(3 + 2 * i, list, 0);
    }
    return b.endObject();
  });
  const parts = [int32s(b, sparsity.order), int32s(b, sparsity.blockMap), offsets(b, levels)];
  b.startObject(3);
  for (const [field, part] of parts.entries()) b.addFieldOffset(field, part, 0);
  return b.endObject();
}

function writeIndices(b: Builder, values: readonly number[], width: 8 | 16 | 32): number {
  b.startVector(width / 8, values.length, 4);
  for (const value of values.toReversed()) {
    if (width === 8) b.addInt8(value);
    else if (width === 16) b.addInt16(value);
    else b.addInt32(value);
  }
  const vector = b.endVector();
  b.startObject(1);
  b.addFieldOffset(0, vector, 0);
  return b.endObject();
}

function writeTensor(b: Builder, tensor: FileTensor, buffer: number): number {
  const name = b.createString(tensor.name);
  const shape = int32s(b, tensor.shape);
  const quantization = writeQuantization(b, tensor);
  const sparsity = writeSparsity(b, tensor.sparsity);
  const signature = tensor.signature === undefined ? 0 : int32s(b, tensor.signature);
  b.startObject(10);
  b.addFieldOffset(0, shape, 0);
  b.addFieldInt8(1, TYPE_CODES[tensor.type], 0);
  b.addFieldInt32(2, buffer, 0);
  b.addFieldOffset(3, name, 0);
  if (quantization !== 0) b.addFieldOffset(4, quantization, 0);
  if (sparsity !== 0) b.addFieldOffset(6, sparsity, 0);
  if (signature !== 0) b.addFieldOffset(7, signature, 0);
  b.addFieldInt8(5, tensor.isVariable === true ? 1 : 0, 0);
  return b.endObject();
}

function writeCode(b: Builder, { code, custom, version }: FileOperator): number {
  const name = custom === undefined ? 0 : b.createString(custom);
  b.startObject(4);
  b.addFieldInt8(0, Math.min(code, 127), 0);
  if (name !== 0) b.addFieldOffset(1, name, 0);
  b.addFieldInt32(2, version ?? 1, 1);
  b.addFieldInt32(3, code, 0);
  return b.endObject();
}

function writeOperator(b: Builder, op: FileOperator, codeIndex: number): number {
  const inputs = int32s(b, op.inputs);
  const outputs = int32s(b, op.outputs);
  const intermediates = op.intermediates === undefined ? 0 : int32s(b, op.intermediates);
  const custom = op.customOptions === undefined ? 0 : byteVector(b, op.customOptions);
  const options = op.optionsType === undefined ? 0 : writeOptions(b, op.options ?? {});
  b.startObject(13);
  b.addFieldInt32(0, codeIndex, 0);
  b.addFieldOffset(1, inputs, 0);
  b.addFieldOffset(2, outputs, 0);
  if (op.optionsType !== undefined) {
    b.addFieldInt8(3, op.optionsType, 0);
    b.addFieldOffset(4, options, 0);
  }
  if (custom !== 0) b.addFieldOffset(5, custom, 0);
  if (intermediates !== 0) b.addFieldOffset(8, intermediates, 0);
  return b.endObject();
}

function writeOptions(b: Builder, options: Readonly<Record<number, OptionValue>>): number {
  const entries = Object.entries(options).map(([field, value]) => [Number(field), value] as const);
  const vectors = new Map(
    entries.flatMap(([field, v]) => {
      if ('text' in v) return [[field, b.createString(v.text)] as const];
      return 'i32s' in v ? [[field, int32s(b, v.i32s)] as const] : [];
    }),
  );
  b.startObject(Math.max(1, ...entries.map(([field]) => field + 1)));
  for (const [field, value] of entries) {
    if ('i8' in value)
      b.addFieldInt8(field, value.i8, Number.NaN); // written even where it is what the schema has for absent ones
    else if ('i32' in value) b.addFieldInt32(field, value.i32, 0);
    else if ('f32' in value) b.addFieldFloat32(field, value.f32, 0);
    else b.addFieldOffset(field, vectors.get(field) ?? 0, 0);
  }
  return b.endObject();
}
