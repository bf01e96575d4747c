/** Operators that are spelled out in others: what the standard says that they mean. */
import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute, intsAttribute, normaliseAxis, stringAttribute } from './attributes.js';
import { type Const, constOf, elementCountOf, isIntegral, lazyConst } from './constant.js';
import { type NodeContext, real, reals, requiredConstant, settled, type Value, valueDims, wholes } from './value.js';

type Composition = (ctx: NodeContext) => readonly Value[];

const CODE_FLOAT = 1;
const CODE_INT64 = 7;

const constant = (value: Const): Value => ({ kind: 'constant', constant: value });

/** Clip whose limits are computed. */
export function clipBetween(ctx: NodeContext): Value[] {
  let value = settled(ctx, 0);
  if (ctx.operands[1] !== undefined) value = ctx.apply('Max', [value, settled(ctx, 1)]);
  if (ctx.operands[2] !== undefined) value = ctx.apply('Min', [value, settled(ctx, 2)]);
  return [value];
}

function castLike(ctx: NodeContext): Value[] {
  const like = settled(ctx, 1);
  const isWhole =
    like.kind === 'constant' ? isIntegral(like.constant.dtype) : ctx.builder.typeOf(like.view.tensor).dtype === 'int32';
  return [ctx.apply('Cast', [settled(ctx, 0)], { to: isWhole ? CODE_INT64 : CODE_FLOAT })];
}

function lpNormalization(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const axis = intAttribute(ctx.node, 'axis', -1);
  const norm = intAttribute(ctx.node, 'p', 2) === 1 ? 'ReduceL1' : 'ReduceL2';
  return [ctx.apply('Div', [x, ctx.apply(norm, [x], { axes: [axis], keepdims: 1 })])];
}

/** (x - mean) / (deviation + 1e-9), as the standard's own function has it. */
function meanVarianceNormalization(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const attributes = { axes: intsAttribute(ctx.node, 'axes') ?? [0, 2, 3], keepdims: 1 };
  const centred = ctx.apply('Sub', [x, ctx.apply('ReduceMean', [x], attributes)]);
  const variance = ctx.apply('ReduceMean', [ctx.apply('Mul', [centred, centred])], attributes);
  return [ctx.apply('Div', [centred, ctx.apply('Add', [ctx.apply('Sqrt', [variance]), real(1e-9)])])];
}

function thresholdedRelu(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const isAbove = ctx.apply('Greater', [x, real(floatAttribute(ctx.node, 'alpha', 1))]);
  return [ctx.apply('Where', [isAbove, x, real(0)])];
}

function shrink(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const limit = floatAttribute(ctx.node, 'lambd', 0.5);
  const bias = floatAttribute(ctx.node, 'bias', 0);
  const low = ctx.apply('Where', [ctx.apply('Less', [x, real(-limit)]), ctx.apply('Add', [x, real(bias)]), real(0)]);
  return [ctx.apply('Where', [ctx.apply('Greater', [x, real(limit)]), ctx.apply('Sub', [x, real(bias)]), low])];
}

/** alpha * elu(x / alpha). */
export function celu(ctx: NodeContext): Value[] {
  const alpha = floatAttribute(ctx.node, 'alpha', 1);
  const inner = ctx.apply('Elu', [ctx.apply('Mul', [settled(ctx, 0), real(1 / alpha)])]);
  return [ctx.apply('Mul', [inner, real(alpha)])];
}

/** x * sigmoid(alpha * x). */
export function quickGelu(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const gate = ctx.apply('Sigmoid', [ctx.apply('Mul', [x, real(floatAttribute(ctx.node, 'alpha', 1.702))])]);
  return [ctx.apply('Mul', [x, gate])];
}

export function biasedFastGelu(ctx: NodeContext): Value[] {
  return [ctx.apply('Gelu', [ctx.apply('Add', [settled(ctx, 0), settled(ctx, 1)])], { approximate: 'tanh' })];
}

function isNan(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  return [ctx.apply('Not', [ctx.apply('Equal', [x, x])])];
}

function isInfinite(ctx: NodeContext): Value[] {
  const isUp = intAttribute(ctx.node, 'detect_positive', 1) !== 0;
  const isDown = intAttribute(ctx.node, 'detect_negative', 1) !== 0;
  if (!isUp && !isDown) unsupported('neither sign');
  const x = settled(ctx, 0);
  const own = isUp && isDown ? ctx.apply('Abs', [x]) : isUp ? x : ctx.apply('Neg', [x]);
  return [ctx.apply('Equal', [own, real(Number.POSITIVE_INFINITY)])];
}

/** The root of the sum of squares, or the sum of magnitudes, of each window. */
function lpPool(ctx: NodeContext): Value[] {
  const p = intAttribute(ctx.node, 'p', 2);
  if (p !== 1 && p !== 2) unsupported(`p of ${p}`);
  const x = settled(ctx, 0);
  const powers = p === 1 ? ctx.apply('Abs', [x]) : ctx.apply('Mul', [x, x]);
  const root = (sum: Value): Value => (p === 1 ? sum : ctx.apply('Sqrt', [sum]));
  if (ctx.node.operator === 'GlobalLpPool') {
    const axes = valueDims(x).map((_, axis) => axis);
    return [root(ctx.apply('ReduceSum', [powers, wholes(axes.slice(2))], { keepdims: 1 }))];
  }
  const kernel = intsAttribute(ctx.node, 'kernel_shape') ?? [];
  const optional = ['strides', 'pads', 'dilations'].flatMap((name): [string, readonly number[]][] => {
    const given = intsAttribute(ctx.node, name);
    return given === undefined ? [] : [[name, given]];
  });
  const mean = ctx.apply('AveragePool', [powers], {
    kernel_shape: kernel,
    count_include_pad: 1,
    ceil_mode: intAttribute(ctx.node, 'ceil_mode', 0),
    auto_pad: stringAttribute(ctx.node, 'auto_pad', 'NOTSET'),
    ...Object.fromEntries(optional),
  });
  return [root(ctx.apply('Mul', [mean, real(elementCountOf(kernel))]))];
}

/** Sums of what stands before: a product with a triangle of ones. */
function cumulativeSum(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const rank = valueDims(x).length;
  const axis = normaliseAxis(ctx.node, requiredConstant(ctx, 1).elements()[0] ?? 0, rank);
  const isExclusive = intAttribute(ctx.node, 'exclusive', 0) !== 0;
  const isReverse = intAttribute(ctx.node, 'reverse', 0) !== 0;
  const size = valueDims(x)[axis] ?? 1;
  if (size > 4096) unsupported(`${size} elements, at most 4096`);
  const reaches = (from: number, to: number): boolean => (isExclusive ? from < to : from <= to);
  const triangle = lazyConst('float32', [size, size], () => {
    const elements = new Float32Array(size * size);
    for (let from = 0; from < size; from++) {
      for (let to = 0; to < size; to++) {
        if (isReverse ? reaches(to, from) : reaches(from, to)) elements[from * size + to] = 1;
      }
    }
    return elements;
  });
  return [alongLastAxis(ctx, x, axis, (rows) => ctx.apply('MatMul', [rows, constant(triangle)]))];
}

/** A function of the last axis, applied to another one. */
export function alongLastAxis(ctx: NodeContext, x: Value, axis: number, apply: (rows: Value) => Value): Value {
  const rank = valueDims(x).length;
  if (axis === rank - 1) return apply(x);
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  return ctx.apply('Transpose', [apply(ctx.apply('Transpose', [x], { perm }))], { perm });
}

/** Depth is a constant: each index is compared with all positions. */
function oneHot(ctx: NodeContext): Value[] {
  const indices = settled(ctx, 0);
  const depth = requiredConstant(ctx, 1).elements()[0] ?? 0;
  const [off = 0, on = 1] = requiredConstant(ctx, 2).elements();
  const rank = valueDims(indices).length + 1;
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', -1), rank);
  if (!(depth >= 1 && depth <= 2 ** 20)) unsupported(`a depth of ${depth}`);
  const apart = ctx.apply('Unsqueeze', [indices, wholes([axis])], { axes: [axis] });
  const shape = Array.from({ length: rank }, (_, i) => (i === axis ? depth : 1));
  const positions = reals(
    Array.from({ length: depth }, (_, i) => i),
    shape,
  );
  // Negative indices count from the end.
  const isNegative = ctx.apply('Less', [apart, real(0)]);
  const wrapped = ctx.apply('Where', [isNegative, ctx.apply('Add', [apart, real(depth)]), apart]);
  return [ctx.apply('Where', [ctx.apply('Equal', [wrapped, positions]), real(on), real(off)])];
}

/** One triangle of the last two axes; the other is 0. */
function triangular(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const [rows = 1, columns = 1] = valueDims(x).slice(-2);
  const k = ctx.operands[1] === undefined ? 0 : (requiredConstant(ctx, 1).elements()[0] ?? 0);
  const isUpper = intAttribute(ctx.node, 'upper', 1) !== 0;
  const keeps = constOf(
    'bool',
    [rows, columns],
    Array.from({ length: rows * columns }, (_, i) => {
      const distance = (i % columns) - Math.floor(i / columns);
      return (isUpper ? distance >= k : distance <= k) ? 1 : 0;
    }),
  );
  return [ctx.apply('Where', [constant(keeps), x, real(0)])];
}

function hardmax(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  if (ctx.opset < 13) unsupported('the flattening form before opset 13');
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', -1), valueDims(x).length);
  const largest = ctx.apply('ArgMax', [x], { axis, keepdims: 0 });
  return [ctx.apply('OneHot', [largest, wholes([valueDims(x)[axis] ?? 1], []), reals([0, 1])], { axis })];
}

/** The largest or smallest few, one after the other: what was taken is replaced by what is never taken. */
function topK(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const dims = valueDims(x);
  const count =
    ctx.operands[1] === undefined ? intAttribute(ctx.node, 'k', 1) : (requiredConstant(ctx, 1).elements()[0] ?? 1);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', -1), dims.length);
  const isLargest = intAttribute(ctx.node, 'largest', 1) !== 0;
  const extent = dims[axis] ?? 1;
  if (!(count >= 1 && count <= Math.min(extent, MOST_TAKEN))) {
    unsupported(`${count} of ${extent} elements; at most ${MOST_TAKEN} are taken one after the other`);
  }
  const positions = reals(
    Array.from({ length: extent }, (_, i) => i),
    dims.map((_, i) => (i === axis ? extent : 1)),
  );
  const never = real(isLargest ? -3.4028234663852886e38 : 3.4028234663852886e38);
  const values: Value[] = [];
  const indices: Value[] = [];
  let rest = x;
  for (let i = 0; i < count; i++) {
    values.push(ctx.apply(isLargest ? 'ReduceMax' : 'ReduceMin', [rest], { axes: [axis], keepdims: 1 }));
    const index = ctx.apply(isLargest ? 'ArgMax' : 'ArgMin', [rest], { axis, keepdims: 1 });
    indices.push(index);
    if (i + 1 < count) rest = ctx.apply('Where', [ctx.apply('Equal', [positions, index]), never, rest]);
  }
  const together = (parts: readonly Value[]): Value => ctx.apply('Concat', parts, { axis });
  return [together(values), together(indices)];
}

/** Elements that TopK takes: each is a pass over the axis. */
const MOST_TAKEN = 32;

/** alpha times the product of operands whose last two axes may be turned. */
function fusedMatMul(ctx: NodeContext): Value[] {
  const turned = (position: number, name: string): Value => {
    if (intAttribute(ctx.node, name.replace('trans', 'transBatch'), 0) !== 0) unsupported('turned batches');
    const value = settled(ctx, position);
    if (intAttribute(ctx.node, name, 0) === 0) return value;
    const rank = valueDims(value).length;
    const perm = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
    return ctx.apply('Transpose', [value], { perm });
  };
  const product = ctx.apply('MatMul', [turned(0, 'transA'), turned(1, 'transB')]);
  const alpha = floatAttribute(ctx.node, 'alpha', 1);
  return [alpha === 1 ? product : ctx.apply('Mul', [product, real(alpha)])];
}

export const COMPOSITIONS: readonly (readonly [string, Composition])[] = [
  ['CastLike', castLike],
  ['LpNormalization', lpNormalization],
  ['MeanVarianceNormalization', meanVarianceNormalization],
  ['ThresholdedRelu', thresholdedRelu],
  ['Shrink', shrink],
  ['IsNaN', isNan],
  ['IsInf', isInfinite],
  ['LpPool', lpPool],
  ['GlobalLpPool', lpPool],
  ['CumSum', cumulativeSum],
  ['OneHot', oneHot],
  ['Trilu', triangular],
  ['Hardmax', hardmax],
  ['TopK', topK],
  ['com.microsoft::FusedMatMul', fusedMatMul],
];
