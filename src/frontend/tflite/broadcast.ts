/** Operands whose extents of 1 are repeated, as images: axes that are repeated alike are one axis. */
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { NodeContext } from './context.js';
import { malformed } from './problems.js';

export interface Together {
  readonly inputs: readonly TensorId[];
  /** Of the result, as the file sees it. */
  readonly shape: readonly number[];
}

/** The shape of operands together: aligned at the last axis, the larger extent of each axis. */
export function broadcastShape(node: NodeContext, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const largest = Math.max(...extents);
    if (extents.every((extent) => extent === 1 || extent === largest)) return largest;
    return malformed(
      'SW2107',
      node.loc,
      `operands ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not go together`,
    );
  });
}

/**
 * Views of the operands in one shape, or as images [1, H, W, C] in which extents of 1 are repeated.
 *
 * @throws UnsupportedForm where more than three groups of axes are repeated differently
 */
export function together(node: NodeContext, operands: readonly Tensor[]): Together {
  const shape = broadcastShape(
    node,
    operands.map((operand) => operand.shape),
  );
  const whole = shape.join();
  if (operands.every((operand) => operand.shape.join() === whole)) {
    return { inputs: operands.map(({ id }) => id), shape };
  }
  const aligned = operands.map((operand) => [
    ...new Array(shape.length - operand.shape.length).fill(1),
    ...operand.shape,
  ]);
  const groups: { pattern: string; extents: number[] }[] = [];
  for (const [axis, extent] of shape.entries()) {
    if (extent === 1) continue;
    const own = aligned.map((extents) => extents[axis] ?? 1);
    const pattern = own.map((e) => (e === 1 ? '1' : 'n')).join('');
    const last = groups.at(-1);
    if (last?.pattern === pattern) last.extents = last.extents.map((e, i) => e * (own[i] ?? 1));
    else groups.push({ pattern, extents: own });
  }
  if (groups.length > 3)
    return unsupported(`extents repeated as in ${aligned.map((s) => `[${s.join(', ')}]`).join(' and ')}`);
  // Two groups are rows and channels.
  const [h, w, c] = groups.length === 3 ? [0, 1, 2] : groups.length === 2 ? [0, -1, 1] : [-1, -1, 0];
  const extentOf = (group: number | undefined, operand: number): number => groups[group ?? -1]?.extents[operand] ?? 1;
  const inputs = operands.map((operand, i) =>
    node.reshape(operand.id, [1, extentOf(h, i), extentOf(w, i), extentOf(c, i)]),
  );
  return { inputs, shape };
}
