/** Gather by computed indices, Expand, Tile, slices with steps, DepthToSpace: elements from other places. */

import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis, stringAttribute } from './attributes.js';
import { gatherAlong, gatherRows } from './by-index.js';
import { elementCountOf, shapeText } from './constant.js';
import { constantView } from './matmul.js';
import { malformed } from './problems.js';
import { integerList } from './shape-arguments.js';
import { expanded } from './together.js';
import {
  computed,
  moved,
  type NodeContext,
  outputName,
  relabelled,
  requiredConstant,
  reshapeView,
  type Value,
  viewOf,
  withOperands,
} from './value.js';
import { atomsInOrder, dimsOf, transposed, type View, viewInOrder } from './view.js';

/** Gather along the first axis of a table by indices that are computed: only the rows used move. */
export function importGatherByActivation(ctx: NodeContext): Value[] {
  const table = ctx.operands[0]?.kind === 'constant' ? constantView(ctx, 0) : ctx.floatView(0);
  const dims = dimsOf(table);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), dims.length);
  if (axis !== 0) return gatherAlong(ctx, axis);
  const indices = ctx.indexView(1);
  const indexDims = dimsOf(indices);
  const count = elementCountOf(indexDims);
  const own = indexDims.map((_, i) => i);
  const stored = ctx.builder.materialise(indices, atomsInOrder(indices, own), ctx.origin);
  const index = ctx.builder.asShape(stored.tensor, [1, count, 1], ctx.origin);
  const ownTable = dims.map((_, i) => i);
  const ordered = ctx.builder.materialise(table, atomsInOrder(table, ownTable), ctx.origin);
  const length = elementCountOf(dims.slice(1));
  const entries = ctx.builder.asShape(ordered.tensor, [dims[0] ?? 1, length], ctx.origin);
  const spec = { kind: 'gather' as const, inputs: [entries, index] };
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, count, length], ctx.origin);
  const result = [...indexDims, ...dims.slice(1)];
  return [
    computed(
      viewInOrder(
        tensor,
        result,
        result.map((_, i) => i),
      ),
    ),
  ];
}

/** More separate pieces than these are gathered as rows of a table, not cut out one by one. */
const MOST_RUNS = 32;

/** Gather by several constant indices: slices of runs, joined. */
export function importGatherByConstant(
  ctx: NodeContext,
  sliceOnce: (view: View, axis: number, start: number, size: number) => View,
  join: (views: readonly View[], axis: number) => View,
): Value[] {
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), dims.length);
  const constant = requiredConstant(ctx, 1);
  const extent = dims[axis] ?? 1;
  const indices = (integerList(ctx.node, constant, 'indices') ?? []).map((i) => (i < 0 ? i + extent : i));
  if (indices.some((i) => i < 0 || i >= extent)) {
    malformed('SW2007', ctx.node.loc, `Gather outside the ${extent} element(s) of axis ${axis}`);
  }
  const runs: { start: number; size: number }[] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.size === index) last.size += 1;
    else runs.push({ start: index, size: 1 });
  }
  const result = [...dims.slice(0, axis), ...constant.dims, ...dims.slice(axis + 1)];
  if (runs.length > MOST_RUNS) return [computed(reshapeView(ctx, gatherRows(ctx, axis, indices), result))];
  const parts = runs.map(({ start, size }) => (size === extent ? view : sliceOnce(view, axis, start, size)));
  const [first] = parts;
  if (first === undefined) malformed('SW2007', ctx.node.loc, 'Gather of nothing');
  const whole = parts.length === 1 ? first : join(parts, axis);
  return [moved(ctx, 0, reshapeView(ctx, whole, result))];
}

export function importExpand(ctx: NodeContext): Value[] {
  const view = ctx.floatView(0);
  const wanted = integerList(ctx.node, requiredConstant(ctx, 1), 'shape') ?? [];
  const dims = dimsOf(view);
  const rank = Math.max(dims.length, wanted.length);
  const target = Array.from({ length: rank }, (_, axis) =>
    Math.max(dims[axis - rank + dims.length] ?? 1, wanted[axis - rank + wanted.length] ?? 1),
  );
  const result = expanded(ctx, view, target);
  return [result === view ? relabelled(ctx, 0, view) : computed(result)];
}

/** Repeats along axes: an axis of n elements, repeated r times, is one of r in front of it. */
export function importTile(ctx: NodeContext): Value[] {
  let view = ctx.floatView(0);
  const repeats = integerList(ctx.node, requiredConstant(ctx, 1), 'repeats') ?? [];
  const dims = dimsOf(view);
  if (repeats.length !== dims.length) malformed('SW2007', ctx.node.loc, 'Tile needs one repeat per axis');
  for (const [axis, repeat] of repeats.entries()) {
    if (repeat === 1) continue;
    if (!(repeat >= 1)) unsupported(`repeats ${shapeText(repeats)}`);
    const own = dimsOf(view);
    const extent = own[axis] ?? 1;
    const apart = reshapeView(ctx, view, [...own.slice(0, axis), 1, ...own.slice(axis)]);
    const wide = expanded(ctx, apart, [...own.slice(0, axis), repeat, ...own.slice(axis)]);
    view = reshapeView(ctx, wide, own.with(axis, extent * repeat));
  }
  return [computed(view)];
}

/** Blocks of channels to blocks of pixels and back: shapes and orders, at most one transposition. */
export function importDepthToSpace(ctx: NodeContext): Value[] {
  const view = viewOf(ctx, 0);
  const [n = 1, c = 1, h = 1, w = 1] = dimsOf(view);
  const block = intAttribute(ctx.node, 'blocksize', 1);
  if (ctx.node.operator === 'SpaceToDepth') {
    if (h % block !== 0 || w % block !== 0) malformed('SW2007', ctx.node.loc, `SpaceToDepth of ${h}x${w} by ${block}`);
    const cut = reshapeView(ctx, view, [n, c, h / block, block, w / block, block]);
    const turned = transposed(cut, [0, 3, 5, 1, 2, 4]);
    return [moved(ctx, 0, reshapeView(ctx, turned, [n, c * block * block, h / block, w / block]))];
  }
  const depth = c / (block * block);
  if (!Number.isInteger(depth)) malformed('SW2007', ctx.node.loc, `DepthToSpace of ${c} channels by ${block}`);
  const isDcr = stringAttribute(ctx.node, 'mode', 'DCR') === 'DCR';
  const cut = reshapeView(ctx, view, isDcr ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w]);
  const turned = transposed(cut, isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
  return [moved(ctx, 0, reshapeView(ctx, turned, [n, depth, h * block, w * block]))];
}

/** Every step-th element: an axis cut into groups of `step`, the first of each. */
export function everyNth(
  ctx: NodeContext,
  view: View,
  axis: number,
  range: { readonly start: number; readonly step: number; readonly size: number },
  sliceOnce: (view: View, axis: number, start: number, size: number) => View,
  join: (views: readonly View[], axis: number) => View,
): View {
  const { start, step, size } = range;
  const extent = dimsOf(view)[axis] ?? 1;
  if (step < 0) {
    if (size > MOST_RUNS) {
      const positions = Array.from({ length: size }, (_, i) => start + i * step);
      return gatherRows(withOperands(ctx, [computed(view)]), axis, positions);
    }
    const parts = Array.from({ length: size }, (_, i) => sliceOnce(view, axis, start + i * step, 1));
    return parts.length === 1 ? (parts[0] ?? view) : join(parts, axis);
  }
  const whole = start + size * step <= extent ? size : size - 1;
  const firstOf = (count: number): View => {
    const cut = start === 0 && count * step === extent ? view : sliceOnce(view, axis, start, count * step);
    const dims = dimsOf(cut);
    const apart = reshapeView(ctx, cut, [...dims.slice(0, axis), count, step, ...dims.slice(axis + 1)]);
    return reshapeView(ctx, sliceOnce(apart, axis + 1, 0, 1), dims.with(axis, count));
  };
  if (whole === size) return firstOf(size);
  const last = sliceOnce(view, axis, start + whole * step, 1);
  return whole === 0 ? last : join([firstOf(whole), last], axis);
}
