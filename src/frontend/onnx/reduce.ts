/** Reductions over any axes, argMax, normalisation of the last axes. */
import type { Reduction, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute, normaliseAxis } from './attributes.js';
import { type Const, elementCountOf } from './constant.js';
import { POINT_WINDOW } from './conv.js';
import { malformed } from './problems.js';
import { integerListOrAttribute } from './shape-arguments.js';
import {
  activation,
  computed,
  constantOperand,
  emitImage,
  imageOf,
  type NodeContext,
  outputName,
  real,
  relabelled,
  reshapeView,
  settled,
  type Value,
  wholes,
} from './value.js';
import { atomsInOrder, dimsOf, type View, viewInOrder } from './view.js';

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  ReduceSum: 'sum',
  ReduceMean: 'mean',
  ReduceMax: 'max',
  ReduceMin: 'min',
  ReduceProd: 'prod',
  ReduceL1: 'l1',
  ReduceL2: 'l2',
  ReduceSumSquare: 'sumSquare',
  ReduceLogSumExp: 'logSumExp',
};

export const REDUCE_OPERATORS: readonly string[] = [...Object.keys(REDUCTIONS), 'ReduceLogSum'];

export function importReduce(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const view = activation(ctx, 0);
  const dims = dimsOf(view);
  const given = integerListOrAttribute(node, constantOperand(ctx, 1), 'axes');
  if ((given === undefined || given.length === 0) && intAttribute(node, 'noop_with_empty_axes', 0) !== 0) {
    return [relabelled(ctx, 0, view)];
  }
  const all = dims.map((_, axis) => axis);
  const axes =
    given === undefined || given.length === 0 ? all : given.map((axis) => normaliseAxis(node, axis, dims.length));
  const fn = node.operator === 'ReduceLogSum' ? 'sum' : REDUCTIONS[node.operator];
  if (fn === undefined) throw new Error(`${node.operator} is no reduction`);
  let result = reduced(ctx, view, new Set(axes), fn);
  if (node.operator === 'ReduceLogSum') {
    const spec = { kind: 'unary' as const, inputs: [result.tensor], fn: 'log' as const, alpha: 0, beta: 0 };
    const tensor = ctx.builder.emit(spec, outputName(ctx), ctx.builder.shapeOf(result.tensor), ctx.origin);
    result = { ...result, tensor };
  }
  return [computed(keptDims(ctx, result, dims, axes))];
}

/** The view with its `axes` of one element each. */
export function reduced(ctx: NodeContext, view: View, axes: ReadonlySet<number>, fn: Reduction): View {
  const dims = dimsOf(view);
  const isPool = dims.length === 4 && dims[0] === 1 && !axes.has(1) && axes.has(2) && axes.has(3);
  if (isPool && (fn === 'mean' || fn === 'max')) {
    const image = imageOf(ctx, view);
    const window = { ...POINT_WINDOW, kernel: [image.height, image.width] as const };
    const kind = fn === 'mean' ? ('avgPool' as const) : ('maxPool' as const);
    return emitImage(ctx, { kind, inputs: [image.tensor], window, countIncludePad: false }, 1, 1, image.channels);
  }
  const kept = dims.map((_, axis) => axis).filter((axis) => !axes.has(axis));
  const storedKept = storedOrder(view, kept);
  const size = elementCountOf([...axes].map((axis) => dims[axis] ?? 1));
  // The order of the elements within a reduction does not matter.
  const inner = [...axes].flatMap((axis) => view.axes[axis] ?? []).sort((a, b) => a - b);
  const stored = ctx.builder.materialise(view, [...atomsInOrder(view, storedKept), ...inner], ctx.origin);
  const tensor = reducedRows(ctx, stored.tensor, elementCountOf(dims) / size, size, fn);
  const order = [...storedKept, ...axes];
  return viewInOrder(
    tensor,
    dims.map((dim, axis) => (axes.has(axis) ? 1 : dim)),
    order,
  );
}

/** Elements of a row that are in SRAM at once where a row can be reduced in pieces: 64 KiB of them. */
const MOST_AT_ONCE = 2 ** 14;

/** What makes one result of those of the pieces of a row. */
const OF_PIECES: Readonly<Partial<Record<Reduction, Reduction>>> = {
  sum: 'sum',
  mean: 'mean',
  max: 'max',
  min: 'min',
  prod: 'prod',
  l1: 'sum',
  l2: 'l2',
  sumSquare: 'sum',
  logSumExp: 'logSumExp',
};

/** Rows of `size` elements, one after the other, to [1, rows, 1, 1]; long rows piece by piece. */
function reducedRows(ctx: NodeContext, tensor: TensorId, rows: number, size: number, fn: Reduction): TensorId {
  const ofPieces = OF_PIECES[fn];
  const piece = ofPieces === undefined || size <= MOST_AT_ONCE ? size : largestDivisor(size, MOST_AT_ONCE);
  const all = (rows * size) / piece;
  const input = ctx.builder.asShape(tensor, [1, all, 1, piece], ctx.origin);
  const spec = { kind: 'reduce' as const, inputs: [input], fn };
  const made = ctx.builder.emit(spec, outputName(ctx), [1, all, 1, 1], ctx.origin);
  if (ofPieces === undefined || piece === 1 || all === rows) return made;
  return reducedRows(ctx, made, rows, size / piece, ofPieces);
}

function largestDivisor(size: number, most: number): number {
  for (let divisor = most; divisor > 1; divisor--) if (size % divisor === 0) return divisor;
  return size;
}

/** The axes in the order in which they are stored, where each is one run of elements; else their own. */
export function storedOrder(view: View, axes: readonly number[]): number[] {
  if (axes.some((axis) => (view.axes[axis]?.length ?? 0) > 1)) return [...axes];
  return [...axes].sort((a, b) => (view.axes[a]?.[0] ?? -1) - (view.axes[b]?.[0] ?? -1));
}

/** The result with the reduced axes as extents of 1, or without them, as `keepdims` says. */
function keptDims(ctx: NodeContext, result: View, dims: readonly number[], axes: readonly number[]): View {
  if (intAttribute(ctx.node, 'keepdims', 1) !== 0) return result;
  return reshapeView(
    ctx,
    result,
    dims.filter((_, axis) => !axes.includes(axis)),
  );
}

export function importArgument(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const view = activation(ctx, 0);
  const dims = dimsOf(view);
  const axis = normaliseAxis(node, intAttribute(node, 'axis', 0), dims.length);
  if (intAttribute(node, 'select_last_index', 0) !== 0) return lastArgument(ctx, axis, dims[axis] ?? 1);
  if ((view.axes[axis]?.length ?? 0) > 1) unsupported('an axis that is stored in pieces');
  const result = reduced(ctx, view, new Set([axis]), node.operator === 'ArgMax' ? 'argMax' : 'argMin');
  return [computed(keptDims(ctx, result, dims, [axis]))];
}

/** The last of equals is the first from behind. */
function lastArgument(ctx: NodeContext, axis: number, size: number): Value[] {
  const backwards = wholes(Array.from({ length: size }, (_, i) => size - 1 - i));
  const turned = ctx.apply('Gather', [settled(ctx, 0), backwards], { axis });
  const attributes = { axis, keepdims: intAttribute(ctx.node, 'keepdims', 1) };
  const found = ctx.apply(ctx.node.operator, [turned], attributes);
  return [ctx.apply('Sub', [wholes([size - 1], []), found])];
}

/** LayerNormalization and RMSNormalization of the axes from `axis` on. */
export function importLayerNormalization(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const isCentred = node.operator === 'LayerNormalization';
  const view = activation(ctx, 0);
  const dims = dimsOf(view);
  const first = normaliseAxis(node, intAttribute(node, 'axis', -1), dims.length);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const [gamma, beta] = [constantOperand(ctx, 1), constantOperand(ctx, 2)];
  const result = computed(normalised(ctx, view, first, epsilon, isCentred, gamma, beta));
  if (!node.outputs.some((name, i) => i > 0 && name !== '' && ctx.usesOfOutput(i) > 0)) return [result];
  if (!isCentred) return unsupported('statistics as outputs');
  return [
    result,
    ...statistics(
      ctx,
      Array.from({ length: dims.length - first }, (_, i) => first + i),
      epsilon,
    ),
  ];
}

/** The mean, and the reciprocal of the deviation. */
function statistics(ctx: NodeContext, axes: readonly number[], epsilon: number): Value[] {
  const x = settled(ctx, 0);
  const mean = ctx.apply('ReduceMean', [x], { axes, keepdims: 1 });
  const centred = ctx.apply('Sub', [x, mean]);
  const variance = ctx.apply('ReduceMean', [ctx.apply('Mul', [centred, centred])], { axes, keepdims: 1 });
  const deviation = ctx.apply('Sqrt', [ctx.apply('Add', [variance, real(epsilon)])]);
  return [mean, ctx.apply('Reciprocal', [deviation])];
}

export function normalised(
  ctx: NodeContext,
  view: View,
  first: number,
  epsilon: number,
  isCentred: boolean,
  gamma: Const | undefined,
  beta: Const | undefined,
): View {
  const dims = dimsOf(view);
  const size = elementCountOf(dims.slice(first));
  const outer = storedOrder(view, dims.map((_, axis) => axis).slice(0, first));
  const inner = dims.map((_, axis) => axis).slice(first);
  const order = [...outer, ...inner];
  const stored = ctx.builder.materialise(view, atomsInOrder(view, order), ctx.origin);
  const pixels = elementCountOf(dims) / size;
  const input = ctx.builder.asShape(stored.tensor, [1, pixels, 1, size], ctx.origin);
  const table = (what: string, constant: Const | undefined, fallback: number) => {
    if (constant !== undefined && constant.elementCount !== size && constant.elementCount !== 1) {
      malformed('SW2007', ctx.node.loc, `${what} of ${constant.elementCount} element(s) for ${size}`);
    }
    return ctx.builder.constant(
      `${outputName(ctx)}:${what}`,
      [size],
      () => {
        const elements = constant?.elements();
        const of = (i: number): number => elements?.[elements.length === 1 ? 0 : i] ?? fallback;
        return { data: Float32Array.from({ length: size }, (_, i) => of(i)) };
      },
      ctx.origin.loc,
    );
  };
  const inputs = [input, table('gamma', gamma, 1), table('beta', beta, 0)];
  const spec = { kind: 'layerNorm' as const, inputs, epsilon: Math.fround(epsilon), isCentred };
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, pixels, 1, size], ctx.origin);
  return viewInOrder(tensor, dims, order);
}

/** InstanceNormalization: over rows and columns of each channel, then scaled by channel. */
export function importInstanceNormalization(ctx: NodeContext): Value[] {
  const view = activation(ctx, 0);
  const dims = dimsOf(view);
  const [gamma, beta] = [constantOperand(ctx, 1), constantOperand(ctx, 2)];
  const groups = ctx.node.operator === 'GroupNormalization' ? intAttribute(ctx.node, 'num_groups', 1) : (dims[1] ?? 1);
  const grouped = reshapeView(ctx, view, [dims[0] ?? 1, groups, elementCountOf(dims) / (dims[0] ?? 1) / groups]);
  const epsilon = floatAttribute(ctx.node, 'epsilon', 1e-5);
  const result = reshapeView(ctx, normalised(ctx, grouped, 2, epsilon, true, undefined, undefined), dims);
  return [ctx.scaleChannels(result, gamma, beta)];
}
