/**
 * Operands that are repeated along axes where they have one element, as images [1, H, W, C] of one storage order: extents are those of
 * the result, or 1 where an operand is repeated. Axes that all operands repeat alike become one.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { type Const, elementCountOf, shapeText } from './constant.js';
import { broadcastSteps, gather } from './fold-elementwise.js';
import { malformed } from './problems.js';
import { type QuantizedType, quantizationOf } from './quantization.js';
import { inFloat, type NodeContext, outputName } from './value.js';
import { atomsInOrder, candidateOrders, dimsOf, isStored, type View, viewInOrder } from './view.js';

export type Part =
  | { readonly kind: 'view'; readonly view: View }
  /** With a type it stays stored: its elements are the integers. */
  | { readonly kind: 'constant'; readonly constant: Const; readonly type?: QuantizedType };

export interface Together {
  readonly tensors: readonly TensorId[];
  readonly shape: readonly number[]; // of the result's tensor
  readonly order: readonly number[]; // of the result's axes in storage
  readonly dims: readonly number[]; // of the result, as the model has it
}

/** An operand of the node in float32, or a constant. */
export function partOf(ctx: NodeContext, position: number): Part {
  const value = ctx.operands[position];
  if (value === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} lacks operand ${position}`);
  if (value.kind === 'constant') return { kind: 'constant', constant: value.constant };
  return { kind: 'view', view: ctx.floatView(position) };
}

export const partDims = (part: Part): readonly number[] =>
  part.kind === 'view' ? dimsOf(part.view) : part.constant.dims;

export function resultDims(ctx: NodeContext, parts: readonly Part[]): number[] {
  const all = parts.map(partDims);
  const rank = Math.max(...all.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const dims of all) {
      const own = dims[axis - rank + dims.length] ?? 1;
      if (own !== 1 && extent !== 1 && own !== extent) {
        const text = all.map(shapeText).join(' and ');
        malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of shapes ${text}, which do not broadcast`);
      }
      if (own !== 1) extent = own;
    }
    return extent;
  });
}

/** The view with leading axes of one element. */
function withRank(view: View, rank: number): View {
  const missing = rank - view.axes.length;
  return missing === 0 ? view : { ...view, axes: [...Array.from({ length: missing }, () => []), ...view.axes] };
}

export function bringTogether(ctx: NodeContext, parts: readonly Part[], dims = resultDims(ctx, parts)): Together {
  const rank = dims.length;
  const aligned = parts.map(
    (part): Part => (part.kind === 'view' ? { kind: 'view', view: withRank(part.view, rank) } : part),
  );
  const extents = aligned.map((part) => {
    const own = partDims(part);
    return dims.map((_, axis) => own[axis - rank + own.length] ?? 1);
  });
  const order = bestOrder(aligned, extents, dims);
  if (order === undefined) return unsupported(`operands of shapes ${extents.map(shapeText).join(' and ')}`);
  const groups = spreadGroups(groupsOf(order, extents, dims));
  const tensors = aligned.map((part, i) => {
    const own = extents[i] ?? [];
    const shape = imageShape(groups.map((group) => elementCountOf(group.map((axis) => own[axis] ?? 1))));
    if (part.kind === 'constant') return constantInOrder(ctx, part, own, order, shape, i);
    const stored = ctx.builder.materialise(part.view, atomsInOrder(part.view, order), ctx.origin);
    return ctx.builder.asShape(stored.tensor, shape, ctx.origin);
  });
  const shape = imageShape(groups.map((group) => elementCountOf(group.map((axis) => dims[axis] ?? 1))));
  return { tensors, shape, order, dims };
}

/** One, two or three groups of axes as [1, H, W, C]. */
function imageShape(groups: readonly number[]): number[] {
  const [a = 1, b = 1, c = 1] = groups;
  if (groups.length <= 1) return [1, 1, 1, a];
  return groups.length === 2 ? [1, a, 1, b] : [1, a, b, c];
}

/** Neighbouring axes, in the order of storage, that every operand repeats or none does. Axes of one element are left out. */
function groupsOf(
  order: readonly number[],
  extents: readonly (readonly number[])[],
  dims: readonly number[],
): number[][] {
  const groups: number[][] = [];
  const pattern = (axis: number): string => extents.map((own) => (own[axis] === dims[axis] ? 'x' : '1')).join('');
  for (const axis of order) {
    if (dims[axis] === 1) continue;
    const last = groups.at(-1);
    if (last !== undefined && pattern(last[0] ?? 0) === pattern(axis)) last.push(axis);
    else groups.push([axis]);
  }
  return groups;
}

/** The groups, with axes of their own as long as an image has room for them: rows to cut, columns, channels. */
function spreadGroups(groups: readonly number[][]): number[][] {
  const result = groups.map((group) => [...group]);
  for (let i = result.length - 1; i >= 0 && result.length < 3; ) {
    const group = result[i];
    if (group === undefined || group.length < 2) i--;
    else result.splice(i, 1, group.slice(0, -1), group.slice(-1));
  }
  return result;
}

/** The order that moves the fewest elements of those with at most three groups. */
function bestOrder(
  parts: readonly Part[],
  extents: readonly (readonly number[])[],
  dims: readonly number[],
): readonly number[] | undefined {
  const own = dims.map((_, axis) => axis);
  const orders = parts.flatMap((part) => (part.kind === 'view' ? candidateOrders(part.view) : []));
  const candidates = [...orders, own, ...groupedOrders(extents, dims)];
  let best: readonly number[] | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const order of candidates) {
    if (groupsOf(order, extents, dims).length > 3) continue;
    let moved = 0;
    for (const part of parts) {
      if (part.kind !== 'view' || isStored(atomsInOrder(part.view, order))) continue;
      moved += elementCountOf(part.view.atoms);
    }
    if (moved >= least) continue;
    best = order;
    least = moved;
  }
  return best;
}

/** The axes sorted by who repeats them: as few groups as there can be. */
function groupedOrders(extents: readonly (readonly number[])[], dims: readonly number[]): number[][] {
  const patterns = new Map<string, number[]>();
  dims.forEach((dim, axis) => {
    const key = extents.map((own) => (own[axis] === dim ? 'x' : '1')).join('');
    patterns.set(key, [...(patterns.get(key) ?? []), axis]);
  });
  const groups = [...patterns.values()];
  return [groups.flat(), groups.reverse().flat()];
}

function constantInOrder(
  ctx: NodeContext,
  { constant, type }: Extract<Part, { kind: 'constant' }>,
  own: readonly number[],
  order: readonly number[],
  shape: readonly number[],
  index: number,
): TensorId {
  const name = `${outputName(ctx)}:operand${index}`;
  const isSame = isStored(
    order
      .filter((axis) => own[axis] !== 1)
      .map((axis, i, list) => (list.toSorted((x, y) => x - y)[i] === axis ? i : -1)),
  );
  return ctx.builder.constant(
    name,
    shape,
    () => {
      const elements = constant.elements();
      if (isSame || constant.splat !== undefined) return { data: arrayOf(elements, type) };
      const sizes = order.map((axis) => own[axis] ?? 1);
      const steps = broadcastSteps(own, own);
      const moved = gather(
        constant,
        sizes,
        order.map((axis) => steps[axis] ?? 0),
        0,
      );
      return { data: arrayOf(moved, type) };
    },
    ctx.origin.loc,
    type === undefined ? {} : { dtype: type.dtype, quant: quantizationOf(type) },
  );
}

function arrayOf(elements: Iterable<number>, type: QuantizedType | undefined): Float32Array | Int8Array | Uint8Array {
  if (type === undefined) return Float32Array.from(elements);
  return type.dtype === 'int8' ? Int8Array.from(elements) : Uint8Array.from(elements);
}

export function togetherView(together: Together, tensor: TensorId): View {
  return viewInOrder(tensor, together.dims, together.order);
}

/** The view repeated to other dimensions. */
export function expanded(ctx: NodeContext, view: View, dims: readonly number[]): View {
  let current = withRank(view, dims.length);
  if (ctx.builder.typeOf(current.tensor).dtype === 'int32') current = inFloat(ctx, current);
  for (let axis = 0; axis < dims.length; axis++) {
    const own = dimsOf(current);
    if (own[axis] === dims[axis]) continue;
    if (own[axis] !== 1)
      malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of ${shapeText(own)} to ${shapeText(dims)}`);
    const next = own.with(axis, dims[axis] ?? 1);
    const order = own.map((_, i) => i);
    const stored = ctx.builder.materialise(current, atomsInOrder(current, order), ctx.origin);
    const before = elementCountOf(own.slice(0, axis));
    const after = elementCountOf(own.slice(axis + 1));
    const input = ctx.builder.asShape(stored.tensor, [1, before, 1, after], ctx.origin);
    const tensor = ctx.builder.emit(
      { kind: 'broadcast', inputs: [input] },
      outputName(ctx),
      [1, before, dims[axis] ?? 1, after],
      ctx.origin,
    );
    current = viewInOrder(tensor, next, order);
  }
  return current;
}
