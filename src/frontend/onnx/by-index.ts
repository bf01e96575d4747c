/** Elements and slices named by indices: Gather along any axis, GatherElements, GatherND. */
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis } from './attributes.js';
import { elementCountOf, shapeText } from './constant.js';
import { malformed } from './problems.js';
import {
  type NodeContext,
  outputName,
  reals,
  requiredConstant,
  reshapeView,
  settled,
  type Value,
  valueDims,
  viewOf,
  wholes,
} from './value.js';
import { atomsInOrder, dimsOf, type View, viewInOrder } from './view.js';

/** Rows [count, length] of a table [rows, length], by constant positions. */
export function rowsAt(ctx: NodeContext, table: View, positions: readonly number[]): View {
  const [rows = 1, length = 1] = dimsOf(table);
  const count = positions.length;
  const index = ctx.builder.constant(
    `${outputName(ctx)}:positions`,
    [1, count, 1],
    () => ({ data: Int32Array.from(positions) }),
    ctx.origin.loc,
    { dtype: 'int32' },
  );
  const stored = ctx.builder.materialise(table, atomsInOrder(table, [0, 1]), ctx.origin);
  const entries = ctx.builder.asShape(stored.tensor, [rows, length], ctx.origin);
  const spec = { kind: 'gather' as const, inputs: [entries, index] };
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, count, length], ctx.origin);
  return viewInOrder(tensor, [count, length], [0, 1]);
}

/** Gather along an axis that is not the first, by computed indices. */
export function gatherAlong(ctx: NodeContext, axis: number): Value[] {
  const data = settled(ctx, 0);
  const [rank, indexRank] = [valueDims(data).length, valueDims(settled(ctx, 1)).length];
  const own = Array.from({ length: rank }, (_, i) => i);
  const front = ctx.apply('Transpose', [data], { perm: [axis, ...own.filter((i) => i !== axis)] });
  const rows = ctx.apply('Gather', [front, settled(ctx, 1)], { axis: 0 });
  // Axes of the indices, those before the axis, those after it.
  const indices = Array.from({ length: indexRank }, (_, i) => i);
  const before = own.slice(0, axis).map((i) => indexRank + i);
  const after = own.slice(axis, rank - 1).map((i) => indexRank + i);
  return [ctx.apply('Transpose', [rows], { perm: [...before, ...indices, ...after] })];
}

/** Positions in the flat data of what constant indices name along an axis; `dims` are those of the indices. */
export function flatPositions(
  ctx: NodeContext,
  dims: readonly number[],
  data: readonly number[],
  axis: number,
  indices: ArrayLike<number>,
): number[] {
  const positions: number[] = [];
  const extent = data[axis] ?? 1;
  for (let i = 0; i < indices.length; i++) {
    const raw = indices[i] ?? 0;
    const index = raw < 0 ? raw + extent : raw;
    if (!(index >= 0 && index < extent)) malformed('SW2007', ctx.node.loc, `index ${raw} of ${extent} element(s)`);
    let rest = i;
    let step = 1;
    let position = 0;
    for (let a = dims.length - 1; a >= 0; a--) {
      const own = rest % (dims[a] ?? 1);
      rest = Math.floor(rest / (dims[a] ?? 1));
      position += (a === axis ? index : own) * step;
      step *= data[a] ?? 1;
    }
    positions.push(position);
  }
  return positions;
}

/** y[i][j] = x[index[i][j]][j]: single elements, by their positions in the flat data. */
export function importGatherElements(ctx: NodeContext): Value[] {
  const data = settled(ctx, 0);
  const indices = settled(ctx, 1);
  const [own, dims] = [valueDims(data), valueDims(indices)];
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), own.length);
  if (dims.length !== own.length) {
    malformed('SW2007', ctx.node.loc, `GatherElements of ${shapeText(own)} by ${shapeText(dims)}`);
  }
  const flat = ctx.apply('Reshape', [data, wholes([-1])]);
  let positions: Value;
  if (indices.kind === 'constant') {
    positions = wholes(flatPositions(ctx, dims, own, axis, indices.constant.elements()));
  } else {
    const step = elementCountOf(own.slice(axis + 1));
    const zeros = new Float64Array(elementCountOf(dims));
    const base = flatPositions(ctx, dims, own, axis, zeros);
    if (elementCountOf(own) > 2 ** 24) unsupported(`computed indices into ${elementCountOf(own)} elements`);
    const wrapped = wrappedIndices(ctx, indices, own[axis] ?? 1);
    const along = ctx.apply('Mul', [wrapped, reals([step], [])]);
    const whole = ctx.apply('Add', [along, reals(base, dims)]);
    positions = ctx.apply('Reshape', [whole, wholes([-1])]);
  }
  return [ctx.apply('Reshape', [ctx.apply('Gather', [flat, positions], { axis: 0 }), wholes(dims)])];
}

/** Negative indices count from the end. */
function wrappedIndices(ctx: NodeContext, indices: Value, extent: number): Value {
  const isNegative = ctx.apply('Less', [indices, reals([0], [])]);
  return ctx.apply('Where', [isNegative, ctx.apply('Add', [indices, reals([extent], [])]), indices]);
}

/** Slices by tuples of indices: the axes that a tuple names are one, and so is the tuple. */
export function importGatherNd(ctx: NodeContext): Value[] {
  const batchDims = intAttribute(ctx.node, 'batch_dims', 0);
  if (batchDims !== 0) return [gatherNdOfEach(ctx, batchDims)];
  const data = settled(ctx, 0);
  const indices = settled(ctx, 1);
  const [own, dims] = [valueDims(data), valueDims(indices)];
  const depth = dims.at(-1) ?? 0;
  if (depth < 1 || depth > own.length) malformed('SW2007', ctx.node.loc, `GatherND by ${shapeText(dims)}`);
  const rest = own.slice(depth);
  const table = ctx.apply('Reshape', [data, wholes([elementCountOf(own.slice(0, depth)), ...rest])]);
  const result = [...dims.slice(0, -1), ...rest];
  const positions =
    indices.kind === 'constant'
      ? wholes(tuplePositions(ctx, own, depth, indices.constant.elements()))
      : ctx.apply('Reshape', [computedTuples(ctx, indices, own, depth), wholes([-1])]);
  return [ctx.apply('Reshape', [ctx.apply('Gather', [table, positions], { axis: 0 }), wholes(result)])];
}

/** With leading axes in common: one after the other. */
function gatherNdOfEach(ctx: NodeContext, batchDims: number): Value {
  const [data, indices] = [settled(ctx, 0), settled(ctx, 1)];
  const common = valueDims(data).slice(0, batchDims);
  const count = elementCountOf(common);
  if (count > MOST_IN_COMMON) unsupported(`batch_dims over ${count} parts, at most ${MOST_IN_COMMON}`);
  const flat = (value: Value): Value =>
    ctx.apply('Reshape', [value, wholes([count, ...valueDims(value).slice(batchDims)])]);
  const [parts, names] = [flat(data), flat(indices)];
  const results = Array.from({ length: count }, (_, i) => {
    const own = (value: Value): Value => ctx.apply('Gather', [value, wholes([i], [])], { axis: 0 });
    return ctx.apply('Unsqueeze', [ctx.apply('GatherND', [own(parts), own(names)]), wholes([0])], { axes: [0] });
  });
  const joined = ctx.apply('Concat', results, { axis: 0 });
  return ctx.apply('Reshape', [joined, wholes([...common, ...valueDims(joined).slice(1)])]);
}

const MOST_IN_COMMON = 64;

export function tuplePositions(
  ctx: NodeContext,
  dims: readonly number[],
  depth: number,
  indices: ArrayLike<number>,
): number[] {
  return Array.from({ length: indices.length / depth }, (_, tuple) => {
    let position = 0;
    for (let k = 0; k < depth; k++) {
      const extent = dims[k] ?? 1;
      const raw = indices[tuple * depth + k] ?? 0;
      const index = raw < 0 ? raw + extent : raw;
      if (!(index >= 0 && index < extent)) malformed('SW2007', ctx.node.loc, `index ${raw} of ${extent} element(s)`);
      position = position * extent + index;
    }
    return position;
  });
}

export function computedTuples(ctx: NodeContext, indices: Value, dims: readonly number[], depth: number): Value {
  const steps = dims.slice(0, depth).map((_, k) => elementCountOf(dims.slice(k + 1, depth)));
  const extents = reals(dims.slice(0, depth));
  const isNegative = ctx.apply('Less', [indices, reals([0], [])]);
  const wrapped = ctx.apply('Where', [isNegative, ctx.apply('Add', [indices, extents]), indices]);
  return ctx.apply('ReduceSum', [ctx.apply('Mul', [wrapped, reals(steps)]), wholes([-1])], { keepdims: 0 });
}

/** Elements along an axis where a constant says so. */
export function importCompress(ctx: NodeContext): Value[] {
  const condition = Array.from(requiredConstant(ctx, 1).elements());
  const taken = condition.flatMap((value, i) => (value === 0 ? [] : [i]));
  if (taken.length === 0) unsupported('an empty result');
  const isFlat = !ctx.node.attributes.has('axis');
  const data = isFlat ? ctx.apply('Reshape', [settled(ctx, 0), wholes([-1])]) : settled(ctx, 0);
  return [ctx.apply('Gather', [data, wholes(taken)], { axis: isFlat ? 0 : intAttribute(ctx.node, 'axis', 0) })];
}

/** Gather by many constant indices that are no few runs: rows of a table whose rows are what one index names. */
export function gatherRows(ctx: NodeContext, axis: number, indices: readonly number[]): View {
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const real = ctx.builder.typeOf(view.tensor).dtype === 'float32' ? view : ctx.floatView(0);
  const front = { ...real, axes: [real.axes[axis] ?? [], ...real.axes.filter((_, i) => i !== axis)] };
  const rest = dims.filter((_, i) => i !== axis);
  const table = reshapeView(ctx, front, [dims[axis] ?? 1, elementCountOf(rest)]);
  const rows = reshapeView(ctx, rowsAt(ctx, table, indices), [indices.length, ...rest]);
  const axes = [...rows.axes.slice(1, axis + 1), rows.axes[0] ?? [], ...rows.axes.slice(axis + 1)];
  return { ...rows, axes };
}

export const BY_INDEX: readonly (readonly [string, (ctx: NodeContext) => readonly Value[]])[] = [
  ['GatherElements', importGatherElements],
  ['GatherND', importGatherNd],
  ['Compress', importCompress],
];
