import { unsupported } from '../import-problems.js';
import { floatAttribute, floatsAttribute, intAttribute, intsAttribute, normaliseAxis } from './attributes.js';
import {
  allocate,
  type Const,
  checkConstantDims,
  constOf,
  constOfTensor,
  dtypeOfCode,
  elementCountOf,
  isIntegral,
  lazyConst,
  type NumericArray,
  type OnnxDType,
  shapeText,
  splatConst,
} from './constant.js';
import {
  CONSTANT_BINARY,
  CONSTANT_UNARY,
  foldBinary,
  foldExpand,
  foldUnary,
  foldWhere,
  gather,
} from './fold-elementwise.js';
import { foldCumulativeSum, foldEyeLike, foldMatMul, foldNonZero } from './fold-sums.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';
import { dequantizeConst, quantizeConst } from './quantization.js';
import {
  flattenedDims,
  integerList,
  integerListOrAttribute,
  permutation,
  reshapedDims,
  sliceRanges,
  splitSizes,
  squeezedDims,
  typeAttribute,
  unsqueezedDims,
} from './shape-arguments.js';

type Operands = readonly (Const | undefined)[];
type Folder = (node: OnnxNode, operands: Operands, baseDir: string) => readonly Const[];

function required(node: OnnxNode, operands: Operands, position: number): Const {
  const operand = operands[position];
  if (operand === undefined) malformed('SW2007', node.loc, `${node.operator} lacks operand ${position}`);
  return operand;
}

/** Same elements, another shape. */
function withDims(input: Const, dims: readonly number[]): Const {
  const { quantized: _, ...rest } = input; // its axes are those of the old shape
  return { ...rest, dims };
}

const identity: Folder = (node, operands) => [required(node, operands, 0)];

const MOVEMENT: Readonly<Record<string, Folder>> = {
  Identity: identity,
  Dropout: (node, operands) => {
    const input = required(node, operands, 0);
    if ((operands[2]?.elements()[0] ?? 0) !== 0 && operands[1]?.elements()[0] !== 0) unsupported('training_mode');
    return [input, splatConst('bool', input.dims, 1)];
  },
  Reshape: (node, operands) => {
    const input = required(node, operands, 0);
    const shape = integerListOrAttribute(node, operands[1], 'shape') ?? [];
    return [withDims(input, reshapedDims(node, input.dims, shape))];
  },
  Squeeze: (node, operands) => {
    const input = required(node, operands, 0);
    return [withDims(input, squeezedDims(node, input.dims, integerListOrAttribute(node, operands[1], 'axes')))];
  },
  Unsqueeze: (node, operands) => {
    const input = required(node, operands, 0);
    return [withDims(input, unsqueezedDims(node, input.dims, integerListOrAttribute(node, operands[1], 'axes')))];
  },
  Flatten: (node, operands) => {
    const input = required(node, operands, 0);
    return [withDims(input, flattenedDims(node, input.dims))];
  },
  Transpose: (node, operands) => [foldTranspose(required(node, operands, 0), node)],
  Slice: (node, operands) => [foldSlice(node, operands)],
  Split: foldSplit,
  Concat: foldConcat,
  Gather: foldGather,
  Tile: foldTile,
  Expand: (node, operands) => {
    const shape = integerList(node, required(node, operands, 1), 'shape') ?? [];
    checkConstantDims(shape, 'the result of Expand', node.loc);
    return [foldExpand(node, required(node, operands, 0), shape)];
  },
};

const MAKERS: Readonly<Record<string, Folder>> = {
  Constant: foldConstant,
  ConstantOfShape: (node, operands, baseDir) => {
    const dims = integerList(node, required(node, operands, 0), 'shape') ?? [];
    checkConstantDims(dims, 'the result of ConstantOfShape', node.loc);
    const value = tensorAttribute(node, 'value', baseDir);
    if (value !== undefined && value.elementCount !== 1)
      malformed('SW2007', node.loc, 'ConstantOfShape needs one value');
    return [splatConst(value?.dtype ?? 'float32', dims, value?.elements()[0] ?? 0)];
  },
  Shape: (node, operands) => [shapeConst(node, required(node, operands, 0).dims)],
  Size: (node, operands) => [constOf('int64', [], [required(node, operands, 0).elementCount])],
  Cast: (node, operands) => [foldCast(node, required(node, operands, 0))],
  DequantizeLinear: (node, operands) => [
    dequantizeConst(node, required(node, operands, 0), required(node, operands, 1), operands[2]),
  ],
  QuantizeLinear: (node, operands) => [
    quantizeConst(node, required(node, operands, 0), required(node, operands, 1), operands[2]),
  ],
  Range: foldRange,
  Where: (node, operands) => [
    foldWhere(node, required(node, operands, 0), required(node, operands, 1), required(node, operands, 2)),
  ],
  Clip: (node, operands) => {
    const limit = (position: number, name: string, fallback: number): number =>
      operands[position]?.elements()[0] ?? floatAttribute(node, name, fallback);
    const [low, high] = [limit(1, 'min', Number.NEGATIVE_INFINITY), limit(2, 'max', Number.POSITIVE_INFINITY)];
    return [foldUnary(required(node, operands, 0), (x) => Math.min(Math.max(x, low), high))];
  },
  CumSum: foldCumulativeSum,
  NonZero: foldNonZero,
  EyeLike: foldEyeLike,
  MatMul: foldMatMul,
  ReduceL1: (node, operands) => [foldReduce(node, operands, (a, b) => a + Math.abs(b), 0)],
  ReduceSumSquare: (node, operands) => [foldReduce(node, operands, (a, b) => a + b * b, 0)],
  ReduceL2: (node, operands) => [
    foldUnary(
      foldReduce(node, operands, (a, b) => a + b * b, 0),
      Math.sqrt,
    ),
  ],
  ReduceMean: (node, operands) => {
    const sum = foldReduce(node, operands, (a, b) => a + b, 0);
    const count = required(node, operands, 0).elementCount / Math.max(sum.elementCount, 1);
    return [foldUnary(sum, (x) => x / count)];
  },
  ReduceProd: (node, operands) => [foldReduce(node, operands, (a, b) => a * b, 1)],
  ReduceSum: (node, operands) => [foldReduce(node, operands, (a, b) => a + b, 0)],
  ReduceMax: (node, operands) => [foldReduce(node, operands, Math.max, Number.NEGATIVE_INFINITY)],
  ReduceMin: (node, operands) => [foldReduce(node, operands, Math.min, Number.POSITIVE_INFINITY)],
};

const FOLDERS: ReadonlyMap<string, Folder> = new Map([
  ...Object.entries(MOVEMENT),
  ...Object.entries(MAKERS),
  ...Object.keys(CONSTANT_UNARY).map((name): [string, Folder] => [
    name,
    (node, operands) => [foldUnary(required(node, operands, 0), CONSTANT_UNARY[name] ?? ((x) => x))],
  ]),
  ...Object.keys(CONSTANT_BINARY).map((name): [string, Folder] => [
    name,
    (node, operands) => {
      const result = foldBinary(node, required(node, operands, 0), required(node, operands, 1));
      checkConstantDims(result.dims, `the result of ${name}`, node.loc);
      return [result];
    },
  ]),
]);

export function canFold(operator: string): boolean {
  return FOLDERS.has(operator);
}

/**
 * Evaluates a node whose operands are all constants. Shapes now, elements when they are asked for.
 * @throws SpillwayError when shapes contradict, UnsupportedForm for forms that are not supported
 */
export function foldNode(node: OnnxNode, operands: Operands, baseDir: string): readonly Const[] {
  const folder = FOLDERS.get(node.operator);
  if (folder === undefined) throw new Error(`no constant form of ${node.operator}`);
  return folder(node, operands, baseDir);
}

/** Shape, of a constant or of an activation whose dimensions are known. */
export function shapeConst(node: OnnxNode, dims: readonly number[]): Const {
  const clampAxis = (axis: number): number => Math.min(Math.max(axis < 0 ? axis + dims.length : axis, 0), dims.length);
  const part = dims.slice(clampAxis(intAttribute(node, 'start', 0)), clampAxis(intAttribute(node, 'end', dims.length)));
  return constOf('int64', [part.length], part);
}

function tensorAttribute(node: OnnxNode, name: string, baseDir: string): Const | undefined {
  const tensor = node.attributes.get(name)?.t;
  if (tensor === undefined || tensor === null) return undefined;
  const value = constOfTensor(tensor, `attribute '${name}'`, node.loc, baseDir);
  if (value === undefined) unsupported(`element type ${tensor.dataType ?? 0} of attribute '${name}'`);
  return value;
}

function foldConstant(node: OnnxNode, _operands: Operands, baseDir: string): Const[] {
  const value = tensorAttribute(node, 'value', baseDir);
  if (value !== undefined) return [value];
  const ints = intsAttribute(node, 'value_ints');
  if (ints !== undefined) return [constOf('int64', [ints.length], ints)];
  const floats = floatsAttribute(node, 'value_floats');
  if (floats !== undefined) return [constOf('float32', [floats.length], floats)];
  if (node.attributes.has('value_int')) return [constOf('int64', [], [intAttribute(node, 'value_int', 0)])];
  if (node.attributes.has('value_float')) return [constOf('float32', [], [floatAttribute(node, 'value_float', 0)])];
  return unsupported('a value that is neither numbers nor a tensor of them');
}

/** Widening keeps the array: reading an int8 as a float32 gives the same number, and 62 M of them stay small. */
function foldCast(node: OnnxNode, input: Const): Const {
  const code = typeAttribute(node, 'to');
  const dtype = dtypeOfCode(code);
  if (dtype === undefined) return unsupported(`element type ${code}`);
  if (input.splat !== undefined) return splatConst(dtype, input.dims, castNumber(input.splat, dtype));
  const keepsValues =
    dtype === input.dtype || (dtype === 'float32' && (input.dtype === 'int8' || input.dtype === 'uint8'));
  if (keepsValues) return dtype === input.dtype ? input : { ...input, dtype, narrow: input.dtype };
  return lazyConst(dtype, input.dims, () => {
    const source = input.elements();
    const result = allocate(dtype, input.elementCount);
    if (!isIntegral(dtype) && dtype !== 'float16') result.set(source);
    else for (let i = 0; i < source.length; i++) result[i] = castNumber(source[i] ?? 0, dtype);
    return result;
  });
}

function castNumber(value: number, dtype: OnnxDType): number {
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  return isIntegral(dtype) ? Math.trunc(value) : value;
}

function rowMajorSteps(dims: readonly number[]): number[] {
  const steps = new Array<number>(dims.length).fill(1);
  for (let i = dims.length - 2; i >= 0; i--) steps[i] = (steps[i + 1] ?? 1) * (dims[i + 1] ?? 1);
  return steps;
}

function foldTranspose(input: Const, node: OnnxNode): Const {
  const perm = permutation(node, input.dims.length);
  const dims = perm.map((axis) => input.dims[axis] ?? 1);
  if (input.splat !== undefined) return splatConst(input.dtype, dims, input.splat);
  const steps = rowMajorSteps(input.dims);
  return lazyConst(input.dtype, dims, () =>
    gather(
      input,
      dims,
      perm.map((axis) => steps[axis] ?? 1),
      0,
    ),
  );
}

function foldSlice(node: OnnxNode, operands: Operands): Const {
  const input = required(node, operands, 0);
  const dims = [...input.dims];
  const steps = rowMajorSteps(input.dims);
  let start = 0;
  for (const range of sliceRanges(node, input.dims, operands)) {
    start += range.start * (steps[range.axis] ?? 1);
    steps[range.axis] = (steps[range.axis] ?? 1) * range.step;
    dims[range.axis] = range.size;
  }
  return stridedPart(input, dims, steps, start);
}

/** A box of a constant; a view of the same memory when it is one contiguous run. */
function stridedPart(input: Const, dims: readonly number[], steps: readonly number[], start: number): Const {
  if (input.splat !== undefined) return splatConst(input.dtype, dims, input.splat);
  const dense = rowMajorSteps(dims);
  const contiguous = dims.every((dim, axis) => dim === 1 || dense[axis] === steps[axis]);
  return lazyConst(input.dtype, dims, () =>
    contiguous ? input.elements().subarray(start, start + elementCountOf(dims)) : gather(input, dims, steps, start),
  );
}

function foldSplit(node: OnnxNode, operands: Operands): Const[] {
  const input = required(node, operands, 0);
  const axis = normaliseAxis(node, intAttribute(node, 'axis', 0), input.dims.length);
  const steps = rowMajorSteps(input.dims);
  let start = 0;
  return splitSizes(node, input.dims[axis] ?? 0, operands[1]).map((size) => {
    const dims = input.dims.map((dim, i) => (i === axis ? size : dim));
    const part = stridedPart(input, dims, steps, start * (steps[axis] ?? 1));
    start += size;
    return part;
  });
}

function foldConcat(node: OnnxNode, operands: Operands): Const[] {
  const first = required(node, operands, 0);
  const parts = operands.map((_, i) => required(node, operands, i));
  const axis = normaliseAxis(node, intAttribute(node, 'axis', 0), first.dims.length);
  for (const part of parts) {
    const fits =
      part.dims.length === first.dims.length && part.dims.every((dim, i) => i === axis || dim === first.dims[i]);
    if (!fits)
      malformed(
        'SW2007',
        node.loc,
        `Concat of ${shapeText(first.dims)} and ${shapeText(part.dims)} along axis ${axis}`,
      );
  }
  const dims = first.dims.map((dim, i) =>
    i === axis ? parts.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0) : dim,
  );
  checkConstantDims(dims, 'the result of Concat', node.loc);
  const outer = elementCountOf(dims.slice(0, axis));
  return [
    lazyConst(first.dtype, dims, () => {
      const result = allocate(first.dtype, elementCountOf(dims));
      const pieces = parts.map((part) => ({ from: part.elements(), run: part.elementCount / Math.max(outer, 1) }));
      let offset = 0;
      for (let i = 0; i < outer; i++) {
        for (const { from, run } of pieces) {
          result.set(from.subarray(i * run, (i + 1) * run), offset);
          offset += run;
        }
      }
      return result;
    }),
  ];
}

function foldGather(node: OnnxNode, operands: Operands): Const[] {
  const input = required(node, operands, 0);
  const indices = required(node, operands, 1);
  const axis = normaliseAxis(node, intAttribute(node, 'axis', 0), input.dims.length);
  const dim = input.dims[axis] ?? 0;
  const positions = (integerList(node, indices, 'indices') ?? []).map((i) => (i < 0 ? i + dim : i));
  if (positions.some((i) => i < 0 || i >= dim))
    malformed('SW2007', node.loc, `Gather outside the ${dim} element(s) of axis ${axis}`);
  const dims = [...input.dims.slice(0, axis), ...indices.dims, ...input.dims.slice(axis + 1)];
  checkConstantDims(dims, 'the result of Gather', node.loc);
  const run = elementCountOf(input.dims.slice(axis + 1));
  const outer = elementCountOf(input.dims.slice(0, axis));
  return [
    lazyConst(input.dtype, dims, () => {
      const from = input.elements();
      const result = allocate(input.dtype, elementCountOf(dims));
      let offset = 0;
      for (let i = 0; i < outer; i++) {
        for (const position of positions) {
          const start = (i * dim + position) * run;
          result.set(from.subarray(start, start + run), offset);
          offset += run;
        }
      }
      return result;
    }),
  ];
}

function foldTile(node: OnnxNode, operands: Operands): Const[] {
  const input = required(node, operands, 0);
  const repeats = integerList(node, required(node, operands, 1), 'repeats') ?? [];
  if (repeats.length !== input.dims.length) malformed('SW2007', node.loc, 'Tile needs one repeat per axis');
  const dims = input.dims.map((dim, i) => dim * (repeats[i] ?? 1));
  checkConstantDims(dims, 'the result of Tile', node.loc);
  if (input.splat !== undefined) return [splatConst(input.dtype, dims, input.splat)];
  return [lazyConst(input.dtype, dims, () => tile(input, repeats))];
}

/** Repeats axis by axis from the innermost: `run` elements become `repeat` copies of themselves. */
function tile(input: Const, repeats: readonly number[]): NumericArray {
  let from = input.elements();
  let run = 1;
  for (let axis = repeats.length - 1; axis >= 0; axis--) {
    const repeat = repeats[axis] ?? 1;
    run *= input.dims[axis] ?? 1;
    if (repeat !== 1) {
      const result = allocate(input.dtype, from.length * repeat);
      for (let start = 0, offset = 0; start < from.length; start += run) {
        const piece = from.subarray(start, start + run);
        for (let i = 0; i < repeat; i++, offset += run) result.set(piece, offset);
      }
      from = result;
    }
    run *= repeat;
  }
  return from;
}

function foldRange(node: OnnxNode, operands: Operands): Const[] {
  const [start, limit, delta] = [0, 1, 2].map((i) => required(node, operands, i).elements()[0] ?? 0);
  const elementCount = Math.max(0, Math.ceil(((limit ?? 0) - (start ?? 0)) / (delta ?? 1)));
  checkConstantDims([elementCount], 'the result of Range', node.loc);
  const dtype = required(node, operands, 0).dtype;
  return [
    lazyConst(dtype, [elementCount], () => {
      const result = allocate(dtype, elementCount);
      for (let i = 0; i < elementCount; i++) result[i] = (start ?? 0) + i * (delta ?? 1);
      return result;
    }),
  ];
}

/** Over all axes, or those that are named. */
function foldReduce(
  node: OnnxNode,
  operands: Operands,
  combine: (a: number, b: number) => number,
  start: number,
): Const {
  const input = required(node, operands, 0);
  const given = integerListOrAttribute(node, operands[1], 'axes');
  const all = input.dims.map((_, axis) => axis);
  const isAll = given === undefined || given.length === 0;
  const axes = new Set(isAll ? all : given.map((axis) => normaliseAxis(node, axis, input.dims.length)));
  const keeps = intAttribute(node, 'keepdims', 1) !== 0;
  const dims = keeps
    ? input.dims.map((dim, axis) => (axes.has(axis) ? 1 : dim))
    : input.dims.filter((_, axis) => !axes.has(axis));
  return lazyConst(input.dtype, dims, () => {
    const result = allocate(input.dtype, elementCountOf(dims)).fill(start);
    const steps = input.dims.map((_, axis) =>
      axes.has(axis) ? 0 : elementCountOf(input.dims.slice(axis + 1).filter((_, i) => !axes.has(axis + 1 + i))),
    );
    input.elements().forEach((value, i) => {
      let rest = i;
      let to = 0;
      for (let axis = input.dims.length - 1; axis >= 0; axis--) {
        const dim = input.dims[axis] ?? 1;
        to += (rest % dim) * (steps[axis] ?? 0);
        rest = Math.floor(rest / dim);
      }
      result[to] = combine(result[to] ?? 0, value);
    });
    return result;
  });
}
