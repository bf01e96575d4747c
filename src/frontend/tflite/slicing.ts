/** Parts of tensors: SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, PACK, UNPACK, MIRROR_PAD. */
import { elementCountOf } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { taken } from './by-position.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { asOrdered } from './look-up.js';
import { malformed } from './problems.js';
import { type AxisRange, stridedRanges } from './strided-ranges.js';

const SPLIT = { count: 0 } as const;
const PACK = { axis: 1 } as const;
const UNPACK = { count: 0, axis: 1 } as const;
const MIRROR_PAD = { mode: 0 } as const;
const SYMMETRIC = 1;

/** Elements [start, start + size) of an axis; the tensor itself where that is all of it. */
export function sliced(node: NodeContext, id: TensorId, axis: number, start: number, size: number): TensorId {
  const { shape, name } = node.builder.tensor(id);
  const extent = shape[axis] ?? 1;
  if (start < 0 || size < 1 || start + size > extent) {
    malformed(
      'SW2107',
      node.loc,
      `elements ${start} to ${start + size} of axis ${axis} of '${name}' [${shape.join(', ')}]`,
    );
  }
  if (size === extent) return id;
  return node.emit({ kind: 'slice', axis, start, inputs: [id] }, { shape: shape.with(axis, size) });
}

const axisOf = (node: NodeContext, axis: number, rank: number): number => {
  const index = axis < 0 ? axis + rank : axis;
  return index >= 0 && index < rank ? index : malformed('SW2107', node.loc, `axis ${axis} of ${rank} axes`);
};

export const slice: Importer = (node) => {
  const { tensor, perm } = node.ordered(0);
  const begins = node.integers(1, 'begins');
  const sizes = node.integers(2, 'sizes');
  let { id } = tensor;
  for (const [axis, extent] of node.shape(0).entries()) {
    const begin = begins[axis] ?? 0;
    const size = sizes[axis] ?? extent;
    id = sliced(node, id, perm?.[axis] ?? axis, begin, size === -1 ? extent - begin : size);
  }
  return [asOrdered(id, perm)];
};

export const stridedSlice: Importer = (node) => {
  if (node.operand(0).kind === 'activation' && !ranged(node)) return [partOf(node)];
  const x = node.input(0);
  const { ranges, newAxes } = stridedRanges(node, x.shape);
  let id = x.id;
  for (const [axis, range] of ranges.entries()) id = stridedAxis(node, id, axis, range);
  const shape = node.builder.tensor(id).shape.filter((_, axis) => !ranges[axis]?.isDropped);
  for (const position of newAxes) shape.splice(position, 0, 1);
  return [activation(node.reshape(id, shape))];
};

/** Whether it does more than take a part. */
function ranged(node: NodeContext): boolean {
  const { ranges, newAxes } = stridedRanges(node, node.shape(0));
  return newAxes.length > 0 || ranges.some(({ stride, isDropped }) => stride !== 1 || isDropped);
}

/** Without strides and dropped axes: in whatever order the operand is. */
function partOf(node: NodeContext): Value {
  const { tensor, perm } = node.ordered(0);
  let { id } = tensor;
  for (const [axis, { begin, count }] of stridedRanges(node, node.shape(0)).ranges.entries()) {
    if (count === 0) malformed('SW2107', node.loc, `the result is empty along axis ${axis}`);
    id = sliced(node, id, perm?.[axis] ?? axis, begin, count);
  }
  return asOrdered(id, perm);
}

/** Every stride-th element: the axis as groups of `stride`, and one of each; else a pool of one element that skips. */
function stridedAxis(node: NodeContext, id: TensorId, axis: number, { begin, count, stride }: AxisRange): TensorId {
  if (count === 0) malformed('SW2107', node.loc, `the result is empty along axis ${axis}`);
  if (stride === 1 || count === 1) return sliced(node, id, axis, begin, count);
  if (stride < 0) {
    return taken(
      node,
      id,
      axis,
      Array.from({ length: count }, (_, i) => begin + i * stride),
    );
  }
  const { shape } = node.builder.tensor(id);
  const extent = shape[axis] ?? 1;
  const outer = shape.slice(0, axis);
  const inner = shape.slice(axis + 1);
  if (extent % stride === 0) {
    const groups = node.reshape(id, [...outer, extent / stride, stride, ...inner]);
    const first = Math.floor(begin / stride);
    const one = sliced(node, groups, axis + 1, begin % stride, 1);
    return sliced(node, node.reshape(one, [...outer, extent / stride, ...inner]), axis, first, count);
  }
  const from = sliced(node, id, axis, begin, (count - 1) * stride + 1);
  const image = node.reshape(from, [1, elementCountOf(outer), (count - 1) * stride + 1, elementCountOf(inner)]);
  const window = {
    kernel: [1, 1],
    stride: [1, stride],
    dilation: [1, 1],
    pad: { top: 0, left: 0, bottom: 0, right: 0 },
  } as const;
  const picked = node.emit({ kind: 'maxPool', window, countIncludePad: false, inputs: [image] });
  return node.reshape(picked, shape.with(axis, count));
}

/** Consecutive parts along an axis. */
function parts(node: NodeContext, id: TensorId, axis: number, sizes: readonly number[]): TensorId[] {
  let start = 0;
  return sizes.map((size) => {
    const part = sliced(node, id, axis, start, size);
    start += size;
    return part;
  });
}

export const split: Importer = (node) => {
  const { tensor, perm } = node.ordered(1);
  const [given = 0] = node.integers(0, 'axes');
  const axis = axisOf(node, given, tensor.shape.length);
  const count = node.options.int32(SPLIT.count);
  const extent = node.shape(1)[axis] ?? 1;
  if (count !== node.results.length || extent % count !== 0)
    malformed('SW2107', node.loc, `${extent} elements in ${count} parts`);
  const sizes = new Array<number>(count).fill(extent / count);
  return parts(node, tensor.id, perm?.[axis] ?? axis, sizes).map((id) => asOrdered(id, perm));
};

export const splitV: Importer = (node) => {
  const x = node.input(0);
  const [given = 0] = node.integers(2, 'axes');
  const axis = axisOf(node, given, x.shape.length);
  const sizes = node.integers(1, 'sizes');
  const known = sizes.reduce((sum, size) => (size < 0 ? sum : sum + size), 0);
  const whole = sizes.map((size) => (size < 0 ? (x.shape[axis] ?? 1) - known : size));
  return parts(node, x.id, axis, whole).map(activation);
};

export const unpack: Importer = (node) => {
  const x = node.input(0);
  const axis = axisOf(node, node.options.int32(UNPACK.axis), x.shape.length);
  const extent = x.shape[axis] ?? 1;
  if (extent !== node.results.length)
    malformed('SW2107', node.loc, `${extent} elements as ${node.results.length} results`);
  const sizes = new Array<number>(extent).fill(1);
  return parts(node, x.id, axis, sizes).map((id) => activation(node.reshape(id, x.shape.toSpliced(axis, 1))));
};

export const pack: Importer = (node) => {
  const inputs = node.operands.map((_, position) => node.input(position));
  const [first] = inputs;
  if (first === undefined) return malformed('SW2103', node.loc, 'PACK has no operands');
  const axis = axisOf(node, node.options.int32(PACK.axis), first.shape.length + 1);
  const views = inputs.map((input) => node.reshape(input.id, input.shape.toSpliced(axis, 0, 1)));
  const [only = first.id] = views;
  return [activation(views.length === 1 ? only : node.emit({ kind: 'concat', axis, inputs: views }))];
};

/** Rows of the border one by one: they come in the other order than in the tensor. */
export const mirrorPad: Importer = (node) => {
  const x = node.input(0);
  const pairs = node.integers(1, 'paddings');
  const skip = node.options.int8(MIRROR_PAD.mode) === SYMMETRIC ? 0 : 1;
  let id = x.id;
  for (const [axis, extent] of x.shape.entries()) {
    const [before = 0, after = 0] = [pairs[2 * axis], pairs[2 * axis + 1]];
    if (before === 0 && after === 0) continue;
    if (before > extent - skip || after > extent - skip) {
      malformed('SW2107', node.loc, `${before} and ${after} elements mirrored along an axis of ${extent}`);
    }
    if (before + after > 64) unsupported(`${before + after} mirrored elements along an axis`);
    const of = id;
    const one = (position: number): TensorId => sliced(node, of, axis, position, 1);
    const above = Array.from({ length: before }, (_, i) => one(before - 1 - i + skip));
    const below = Array.from({ length: after }, (_, i) => one(extent - 1 - i - skip));
    id = node.emit({ kind: 'concat', axis, inputs: [...above, of, ...below] });
  }
  return [activation(id)];
};
