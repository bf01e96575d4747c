/** Padding that repeats the image: mirrored at its edge, or its edge itself. */
import { elementCountOf } from '../ir/facts.js';
import type { Tensor } from '../ir/types.js';
import { type Elements, emptyLike } from './movement.js';

/** @param x [1, H, W, C]; before and after are rows, columns and channels */
export function padMirrored(
  x: Elements,
  { shape }: Pick<Tensor, 'shape'>,
  before: readonly [number, number, number],
  after: readonly [number, number, number],
  mode: 'reflect' | 'edge',
): Elements {
  const extents = [shape[1] ?? 1, shape[2] ?? 1, shape[3] ?? 1];
  const sources = extents.map((extent, axis) =>
    Array.from({ length: (before[axis] ?? 0) + extent + (after[axis] ?? 0) }, (_, o) =>
      sourceOf(o - (before[axis] ?? 0), extent, mode),
    ),
  );
  const [rows = [], columns = [], channels = []] = sources;
  const [, width = 1, depth = 1] = extents;
  const out = emptyLike(x, elementCountOf(sources.map((list) => list.length)));
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (const channel of channels) out[to++] = x[(row * width + column) * depth + channel] as number;
    }
  }
  return out;
}

function sourceOf(position: number, extent: number, mode: 'reflect' | 'edge'): number {
  if (mode === 'edge' || extent === 1) return Math.min(extent - 1, Math.max(0, position));
  const period = 2 * (extent - 1);
  const folded = ((position % period) + period) % period;
  return folded < extent ? folded : period - folded;
}
