/** Transpositions: composed while nothing needs them, then made with as few axes as they need. */
import type { Tensor, TensorId } from '../../ir/types.js';
import type { NodeContext } from './context.js';

export const isIdentity = (perm: readonly number[]): boolean => perm.every((axis, i) => axis === i);

/** Of a value seen through `first`, seen through `second` again. */
export const composed = (first: readonly number[] | undefined, second: readonly number[]): readonly number[] =>
  first === undefined ? second : second.map((axis) => first[axis] ?? axis);

interface Run {
  readonly first: number; // stored axis
  extent: number;
}

/**
 * The tensor with its axes in the given order. Axes of extent 1 are left out, and axes that stay side by side are one: what
 * remains may be no transposition at all.
 */
export function permuted(node: NodeContext, x: Tensor, perm: readonly number[]): TensorId {
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  const moving = perm.filter((axis) => (x.shape[axis] ?? 1) !== 1);
  const kept = [...moving].sort((a, b) => a - b);
  const runs: Run[] = [];
  for (const [i, axis] of moving.entries()) {
    const before = moving[i - 1];
    const last = runs.at(-1);
    const isNext = before !== undefined && kept.indexOf(axis) === kept.indexOf(before) + 1;
    if (isNext && last !== undefined) last.extent *= x.shape[axis] ?? 1;
    else runs.push({ first: axis, extent: x.shape[axis] ?? 1 });
  }
  const stored = [...runs].sort((a, b) => a.first - b.first);
  if (runs.length < 2) return node.reshape(x.id, shape);
  const lead = runs.length < 4 ? [1] : []; // a leading 1 keeps the shape of the family [1, ...]
  const from = node.reshape(x.id, [...lead, ...stored.map((run) => run.extent)]);
  const order = runs.map((run) => stored.indexOf(run) + lead.length);
  const moved = node.emit(
    { kind: 'transpose', perm: [...lead.map(() => 0), ...order], inputs: [from] },
    { name: `${x.name}:transposed` },
  );
  return node.reshape(moved, shape);
}
