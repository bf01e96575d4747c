import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute, normaliseAxis, stringAttribute } from './attributes.js';
import { elementCountOf, shapeText } from './constant.js';
import { importConvTranspose } from './conv-transpose.js';
import { everyNth, importGatherByActivation, importGatherByConstant } from './gather.js';
import { constantView } from './matmul.js';
import { padded } from './pad.js';
import { malformed } from './problems.js';
import { type QuantizedType, sameQuantizedType } from './quantization.js';
import { integerOperand, lookedUp } from './quantize-linear.js';
import { importRecurrent } from './recurrent.js';
import {
  flattenedDims,
  integerListOrAttribute,
  permutation,
  reshapedDims,
  sliceRanges,
  splitSizes,
  squeezedDims,
  unsqueezedDims,
} from './shape-arguments.js';
import {
  type ActivationValue,
  constantOperand,
  moved,
  type NodeContext,
  outputName,
  paddedActivation,
  relabelled,
  reshapeView,
  type Value,
  viewOf,
} from './value.js';
import { atomsInOrder, candidateOrders, dimsOf, isStored, transposed, type View, viewInOrder } from './view.js';

/** Reshape, Flatten, Squeeze, Unsqueeze: another shape for the same elements. */
export function importReshape(ctx: NodeContext): Value[] {
  const view = viewOf(ctx, 0);
  return [relabelled(ctx, 0, reshapeView(ctx, view, newDims(ctx, dimsOf(view))))];
}

function newDims(ctx: NodeContext, dims: readonly number[]): number[] {
  const { node } = ctx;
  const list = (name: string): readonly number[] | undefined =>
    integerListOrAttribute(node, constantOperand(ctx, 1), name);
  switch (node.operator) {
    case 'Flatten':
      return flattenedDims(node, dims);
    case 'Squeeze':
      return squeezedDims(node, dims, list('axes'));
    case 'Unsqueeze':
      return unsqueezedDims(node, dims, list('axes'));
    default: {
      const shape = list('shape');
      if (shape === undefined) malformed('SW2007', node.loc, 'Reshape without a shape');
      return reshapedDims(node, dims, shape);
    }
  }
}

/** Moves nothing: the axes of the model get other places, the stored elements stay. */
export function importTranspose(ctx: NodeContext): Value[] {
  const view = viewOf(ctx, 0);
  return [relabelled(ctx, 0, transposed(view, permutation(ctx.node, view.axes.length)))];
}

/** A storage order of axes and the shape of the IR tensor that shows one of them as a dimension of its own. */
interface AxisLayout {
  readonly order: readonly number[];
  /** Shape for a given size of the axis; everything else as in the view it was made for. */
  readonly shapeWith: (size: number) => number[];
  readonly dimension: number; // of the axis in that shape
}

function axisLayout(dims: readonly number[], order: readonly number[], axis: number): AxisLayout {
  const at = order.indexOf(axis);
  const before = order.slice(0, at).map((a) => dims[a] ?? 1);
  const after = order.slice(at + 1).map((a) => dims[a] ?? 1);
  // Images and sequences keep their shape; anything else becomes [1, before, axis, after].
  const keeps = order.length <= 4 && order.length >= 2 && at > 0 && before[0] === 1;
  const outer = keeps ? before : [1, ...[elementCountOf(before)].filter((dim) => dim !== 1)];
  const inner = keeps ? after : [elementCountOf(after)].filter((dim) => dim !== 1);
  return { order, shapeWith: (size) => [...outer, size, ...inner], dimension: outer.length };
}

/** The order of axes that leaves the most elements where they are. */
function bestOrder(views: readonly View[]): readonly number[] {
  const moved = (order: readonly number[]): number =>
    views.reduce((sum, view) => sum + (isStored(atomsInOrder(view, order)) ? 0 : elementCountOf(view.atoms)), 0);
  const candidates = views.flatMap((view) => candidateOrders(view));
  // Each view proposes its own; a Concat of many parts must not compare them all with all.
  const unique = [...new Map(candidates.map((order) => [order.join(), order])).values()].slice(0, 8);
  let best = unique[0] ?? [];
  let least = Number.POSITIVE_INFINITY;
  for (const order of unique) {
    const cost = moved(order);
    if (cost < least) {
      best = order;
      least = cost;
    }
  }
  return best;
}

/** The operands as they are joined: stored integers of one type where all are quantised, else real numbers. */
function concatenated(ctx: NodeContext): { readonly views: readonly View[]; readonly type: QuantizedType | undefined } {
  const operands = ctx.operands.map((_, position) => integerOperand(ctx, position));
  const [first] = operands;
  const isSame = operands.every((operand) => sameQuantizedType(operand?.type, first?.type));
  const to = isSame ? first?.type : ctx.resultType();
  const isInteger = to !== undefined && operands.every((operand) => operand?.type.dtype === to.dtype);
  if (!isInteger) {
    const typeOf = (value: Value | undefined) =>
      value?.kind === 'activation' ? ctx.builder.typeOf(value.view.tensor).dtype : undefined;
    const stored = ctx.operands.every((value) => value?.kind === 'activation' && value.dequantized === undefined);
    const isInteger32 = ctx.operands.some((value) => typeOf(value) === 'int32');
    const views = ctx.operands.map((value, i) =>
      value?.kind === 'constant' ? constantView(ctx, i) : stored && !isInteger32 ? viewOf(ctx, i) : ctx.floatView(i),
    );
    return { views, type: undefined };
  }
  const views = operands.map((operand, i) => {
    if (operand === undefined) throw new Error('every operand is quantised');
    const { view, type } = operand;
    if (sameQuantizedType(type, to)) return view;
    return lookedUp(ctx, view, type, to, (x) => x, `${outputName(ctx)}:part${i}`);
  });
  return { views, type: to };
}

export function importConcat(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const { views, type } = concatenated(ctx);
  const [first] = views;
  if (first === undefined) malformed('SW2007', node.loc, 'Concat without operands');
  const dims = dimsOf(first);
  const axis = normaliseAxis(node, intAttribute(node, 'axis', 1), dims.length);
  for (const view of views) {
    const other = dimsOf(view);
    if (other.length !== dims.length || other.some((dim, i) => i !== axis && dim !== dims[i])) {
      malformed('SW2007', node.loc, `Concat of ${shapeText(dims)} and ${shapeText(other)} along axis ${axis}`);
    }
  }
  if (views.length === 1) return [relabelled(ctx, 0, viewOf(ctx, 0))];
  return [{ kind: 'activation', view: joined(ctx, views, axis, outputName(ctx)), sole: true, dequantized: type }];
}

/** The views side by side along an axis. */
function joined(ctx: NodeContext, views: readonly View[], axis: number, name: string): View {
  const [first] = views;
  const dims = first === undefined ? [] : dimsOf(first);
  const total = views.reduce((sum, view) => sum + (dimsOf(view)[axis] ?? 0), 0);
  const layout = axisLayout(dims, bestOrder(views), axis);
  const inputs = views.map((view) => {
    const stored = ctx.builder.materialise(view, atomsInOrder(view, layout.order), ctx.origin);
    return ctx.builder.asShape(stored.tensor, layout.shapeWith(dimsOf(view)[axis] ?? 1), ctx.origin);
  });
  const spec = { kind: 'concat' as const, inputs, axis: layout.dimension };
  const tensor = ctx.builder.emit(spec, name, layout.shapeWith(total), ctx.origin);
  return viewInOrder(tensor, dims.with(axis, total), layout.order);
}

function sliceOnce(ctx: NodeContext, view: View, axis: number, start: number, size: number, name: string): View {
  const dims = dimsOf(view);
  const layout = axisLayout(dims, bestOrder([view]), axis);
  const stored = ctx.builder.materialise(view, atomsInOrder(view, layout.order), ctx.origin);
  const input = ctx.builder.asShape(stored.tensor, layout.shapeWith(dims[axis] ?? 1), ctx.origin);
  const shape = layout.shapeWith(size);
  const tensor = ctx.builder.emit(
    { kind: 'slice', inputs: [input], axis: layout.dimension, start },
    name,
    shape,
    ctx.origin,
  );
  return viewInOrder(
    tensor,
    dims.map((dim, i) => (i === axis ? size : dim)),
    layout.order,
  );
}

type Slicer = (view: View, axis: number, start: number, size: number) => View;

const slicer =
  (ctx: NodeContext): Slicer =>
  (view, axis, start, size) =>
    sliceOnce(ctx, view, axis, start, size, outputName(ctx));

const joiner =
  (ctx: NodeContext) =>
  (views: readonly View[], axis: number): View =>
    joined(ctx, views, axis, outputName(ctx));

export function importRecurrentCell(ctx: NodeContext): Value[] {
  return importRecurrent(ctx, { slice: slicer(ctx), join: joiner(ctx) });
}

export function importTransposedConv(ctx: NodeContext): Value[] {
  return importConvTranspose(ctx, slicer(ctx));
}

export function importSlice(ctx: NodeContext): Value[] {
  const value = viewOf(ctx, 0);
  const operands = ctx.operands.map((_, position) => (position === 0 ? undefined : constantOperand(ctx, position)));
  const ranges = sliceRanges(ctx.node, dimsOf(value), operands);
  if (ranges.some((range) => range.size === 0)) unsupported('an empty result');
  let view = value;
  for (const range of ranges) {
    const { axis, start, size, step } = range;
    if (step !== 1) view = everyNth(ctx, view, axis, range, slicer(ctx), joiner(ctx));
    else if (size !== dimsOf(view)[axis]) view = sliceOnce(ctx, view, axis, start, size, outputName(ctx));
  }
  return [view === value ? relabelled(ctx, 0, view) : moved(ctx, 0, view)];
}

export function importSplit(ctx: NodeContext): Value[] {
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), dims.length);
  const sizes = splitSizes(ctx.node, dims[axis] ?? 1, constantOperand(ctx, 1));
  if (sizes.length === 1) return [relabelled(ctx, 0, view)];
  let start = 0;
  return sizes.map((size, i) => {
    const part = sliceOnce(ctx, view, axis, start, size, ctx.node.outputs[i] ?? outputName(ctx));
    start += size;
    return moved(ctx, 0, part);
  });
}

/** Gather of one index along an axis, which is a slice. */
export function importGather(ctx: NodeContext): Value[] {
  const [data, indices] = ctx.operands;
  if (data?.kind === 'constant' || indices?.kind === 'activation') return importGatherByActivation(ctx);
  if (indices?.kind === 'constant' && (indices.constant.elementCount !== 1 || indices.constant.dims.length > 1)) {
    return importGatherByConstant(ctx, slicer(ctx), joiner(ctx));
  }
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), dims.length);
  const index = constantOperand(ctx, 1);
  if (index === undefined || index.elementCount !== 1 || index.dims.length > 1) unsupported('more than one index');
  const raw = index.elements()[0] ?? 0;
  const start = raw < 0 ? raw + (dims[axis] ?? 0) : raw;
  if (start < 0 || start >= (dims[axis] ?? 0)) malformed('SW2007', ctx.node.loc, `index ${raw} of ${shapeText(dims)}`);
  const part = dims[axis] === 1 ? view : sliceOnce(ctx, view, axis, start, 1, outputName(ctx));
  const kept =
    index.dims.length === 1 ? dims.map((dim, i) => (i === axis ? 1 : dim)) : dims.filter((_, i) => i !== axis);
  const result = reshapeView(ctx, part, kept);
  return [part === view ? relabelled(ctx, 0, result) : moved(ctx, 0, result)];
}

/** Pad of rows and columns: kept beside the view until a convolution or a pool takes it over. */
export function importPad(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const value = paddedActivation(ctx, 0);
  const rank = value.view.axes.length;
  const mode = stringAttribute(node, 'mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge') unsupported(`mode '${mode}'`);
  const pads = integerListOrAttribute(node, constantOperand(ctx, 1), 'pads');
  if (pads === undefined) malformed('SW2007', node.loc, 'Pad without pads');
  const axes =
    integerListOrAttribute(node, constantOperand(ctx, 3), 'axes') ?? Array.from({ length: rank }, (_, i) => i);
  if (pads.length !== 2 * axes.length)
    malformed('SW2007', node.loc, `Pad: ${pads.length} pads for ${axes.length} axes`);
  const amount = (axis: number, end: 0 | 1): number => {
    const at = axes.findIndex((named) => normaliseAxis(node, named, rank) === axis);
    return at < 0 ? 0 : (pads[at + end * axes.length] ?? 0);
  };
  if (pads.every((pad) => pad === 0)) return [{ ...value, sole: value.sole && ctx.usesOfOperand(0) === 1 }];
  if (pads.some((pad) => Math.abs(pad) > 2 ** 20)) unsupported(`pads ${shapeText(pads)}`);
  const fill = constantOperand(ctx, 2)?.elements()[0] ?? floatAttribute(node, 'value', 0);
  const isPending = rank === 4 && mode === 'constant' && pads.every((pad) => pad >= 0);
  if (isPending && ![0, 1].some((axis) => amount(axis, 0) !== 0 || amount(axis, 1) !== 0)) {
    const pad = { top: amount(2, 0), left: amount(3, 0), bottom: amount(2, 1), right: amount(3, 1), fill };
    if (value.pad === undefined || value.pad.fill === fill) return [withPad(ctx, value, pad)];
  }
  const all = Array.from({ length: rank }, (_, axis) => ({ axis, before: amount(axis, 0), after: amount(axis, 1) }));
  let view = viewOf(ctx, 0);
  for (const { axis, before, after } of all) {
    if (before >= 0 && after >= 0) continue;
    const size = (dimsOf(view)[axis] ?? 1) + Math.min(0, before) + Math.min(0, after);
    if (size < 1) malformed('SW2007', node.loc, `Pad of ${shapeText(dimsOf(view))} by ${shapeText(pads)}`);
    view = sliceOnce(ctx, view, axis, Math.max(0, -before), size, outputName(ctx));
  }
  const grown = all.filter(({ before, after }) => before > 0 || after > 0);
  const rest = grown.map(({ axis, before, after }) => ({
    axis,
    before: Math.max(0, before),
    after: Math.max(0, after),
  }));
  if (rest.length === 0) return [moved(ctx, 0, view)];
  return [moved(ctx, 0, padded(ctx, view, rest, mode, fill, value.dequantized))];
}

function withPad(ctx: NodeContext, value: ActivationValue, pad: NonNullable<ActivationValue['pad']>): Value {
  const before = value.pad;
  if (before !== undefined && before.fill !== pad.fill) unsupported('two paddings of different values');
  return {
    ...value,
    sole: value.sole && ctx.usesOfOperand(0) === 1,
    pad: {
      top: pad.top + (before?.top ?? 0),
      left: pad.left + (before?.left ?? 0),
      bottom: pad.bottom + (before?.bottom ?? 0),
      right: pad.right + (before?.right ?? 0),
      fill: pad.fill,
    },
  };
}
