/** Paddings that no convolution or pool takes over: an operator of their own, axis by axis. */

import { unsupported } from '../import-problems.js';
import { elementCountOf } from './constant.js';
import { type QuantizedType, quantized } from './quantization.js';
import type { NodeContext, PendingPad } from './value.js';
import { atomsInOrder, dimsOf, type View, viewInOrder } from './view.js';

export interface AxisPad {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

export type PadMode = 'constant' | 'reflect' | 'edge';

/** The view with more elements along axes. @param type of a dequantised view: the fill is quantised */
export function padded(
  ctx: Pick<NodeContext, 'builder' | 'origin' | 'node'>,
  view: View,
  pads: readonly AxisPad[],
  mode: PadMode,
  fill: number,
  type: QuantizedType | undefined,
): View {
  const dims = dimsOf(view);
  // Images keep their order; all axes of an image are padded at once.
  const order = dims.length === 4 ? [0, 2, 3, 1] : dims.map((_, axis) => axis);
  const value = mode === 'constant' ? (type === undefined ? fill : quantized(fill, type)) : 0;
  const repeat = mode === 'constant' ? {} : { mode };
  if (mode === 'reflect' && pads.some(({ axis, before, after }) => Math.max(before, after) >= (dims[axis] ?? 1))) {
    unsupported('a reflection of more than the image');
  }
  let current = view;
  const isImage = dims.length === 4 && dims[0] === 1 && !pads.some(({ axis }) => axis === 0);
  const result = dims.map((dim, axis) =>
    pads.reduce((sum, pad) => sum + (pad.axis === axis ? pad.before + pad.after : 0), dim),
  );
  const end = (axis: number, side: 'before' | 'after'): number =>
    pads.reduce((sum, pad) => sum + (pad.axis === axis ? pad[side] : 0), 0);
  if (isImage) {
    const stored = ctx.builder.materialise(current, atomsInOrder(current, order), ctx.origin);
    const shape = order.map((axis) => dims[axis] ?? 1);
    const input = ctx.builder.asShape(stored.tensor, shape, ctx.origin);
    const before = [end(2, 'before'), end(3, 'before'), end(1, 'before')] as const;
    const after = [end(2, 'after'), end(3, 'after'), end(1, 'after')] as const;
    const spec = { kind: 'pad' as const, inputs: [input], before, after, value, ...repeat };
    const tensor = ctx.builder.emit(
      spec,
      nameOf(ctx),
      order.map((axis) => result[axis] ?? 1),
      ctx.origin,
    );
    return viewInOrder(tensor, result, order);
  }
  for (const { axis, before, after } of pads) {
    const own = dimsOf(current);
    const stored = ctx.builder.materialise(current, atomsInOrder(current, order), ctx.origin);
    const sizes = order.map((stored) => own[stored] ?? 1);
    const at = order.indexOf(axis);
    const [outer, extent, inner] = [sizes.slice(0, at), sizes.slice(at, at + 1), sizes.slice(at + 1)].map(
      elementCountOf,
    );
    const input = ctx.builder.asShape(stored.tensor, [1, outer ?? 1, extent ?? 1, inner ?? 1], ctx.origin);
    const spec = {
      kind: 'pad' as const,
      inputs: [input],
      before: [0, before, 0] as const,
      after: [0, after, 0] as const,
      value,
      ...repeat,
    };
    const wide = (extent ?? 1) + before + after;
    const tensor = ctx.builder.emit(spec, nameOf(ctx), [1, outer ?? 1, wide, inner ?? 1], ctx.origin);
    current = viewInOrder(tensor, own.with(axis, wide), order);
  }
  return current;
}

const nameOf = (ctx: Pick<NodeContext, 'node'>): string => `${ctx.node.outputs[0] ?? ctx.node.name}`;

/** A pending padding, as an operator. */
export function withPendingPad(
  ctx: Pick<NodeContext, 'builder' | 'origin' | 'node'>,
  view: View,
  pad: PendingPad,
  type: QuantizedType | undefined,
): View {
  const pads = [
    { axis: 2, before: pad.top, after: pad.bottom },
    { axis: 3, before: pad.left, after: pad.right },
  ];
  return padded(ctx, view, pads, 'constant', pad.fill, type);
}
