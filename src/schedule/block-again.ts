/**
 * Halo rows that are not kept from one stripe to the next, but made again: where a layer is cheap and its output wide, as the
 * first convolution of an image, the rows that it needs itself are far fewer bytes.
 *
 *   kept          rows of x: one stripe and two more      rows of conv(x): one stripe and two more, 64 channels wide
 *   made again    rows of x: one stripe and four more     rows of conv(x): as wide as a piece and its halo columns
 */
import type { TensorId } from '../ir/types.js';
import { oldestNeeded, rootAhead } from './block-pieces.js';
import { type BlockRoot, type BlockShape, layerAt } from './block-shape.js';
import { isGathered, type Layer } from './layer.js';

/** Work that may be done again, as a share of that of the block. */
const MOST_AGAIN = 0.25;

/** By the heights of stripes that were asked for: a block is asked once for each of its forms and homes. */
const AGAIN = new WeakMap<BlockShape, Map<number, ReadonlyMap<number, number>>>();

/** Rows above its own that each layer makes again in every stripe, by step; layers that make none are left out. */
export function rowsMadeAgain(shape: BlockShape, multiple: number): ReadonlyMap<number, number> {
  const known = AGAIN.get(shape) ?? new Map<number, ReadonlyMap<number, number>>();
  AGAIN.set(shape, known);
  const again = known.get(multiple) ?? rowsMadeAgainOf(shape, multiple);
  known.set(multiple, again);
  return again;
}

function rowsMadeAgainOf(shape: BlockShape, multiple: number): ReadonlyMap<number, number> {
  const again = new Map<number, number>();
  const roots = new Map(shape.roots.map((root) => [root.root, root]));
  const allowed = MOST_AGAIN * shape.layers.reduce((total, layer) => total + workOf(layer), 0);
  let spent = 0;
  const decided = new Set<TensorId>();
  for (const layer of [...shape.layers].reverse()) {
    const root = roots.get(layer.output.root);
    if (root === undefined || root.role !== 'internal' || decided.has(root.root)) continue;
    decided.add(root.root);
    const rows = rowsAbove(shape, root, again);
    if (rows <= 0) continue;
    const writers = root.writers.flatMap((step) => layerAt(shape, step) ?? []);
    const height = (shape.rootRows.get(root.root) ?? 1) * multiple;
    const work = writers.reduce((total, writer) => total + (workOf(writer) * rows) / height, 0);
    if (spent + work > allowed || savedBytes(roots, root, writers, rows) <= 0) continue;
    spent += work;
    for (const { step } of writers) again.set(step, rows);
  }
  return again;
}

/** Rows above a stripe of the root that its readers need, themselves with what they make again. */
export function rowsAbove(shape: BlockShape, root: BlockRoot, again: ReadonlyMap<number, number>): number {
  const ahead = rootAhead(root, shape, 'rows');
  return root.readers.reduce((most, { step, operand }) => {
    const first = (shape.layerAhead.get(step) ?? 0) - (again.get(step) ?? 0);
    return Math.max(most, ahead - oldestNeeded(operand.rows, first));
  }, 0);
}

/** What the rows would take, less what more rows of the operands take. */
function savedBytes(
  roots: ReadonlyMap<TensorId, BlockRoot>,
  root: BlockRoot,
  writers: readonly Layer[],
  rows: number,
): number {
  let bytes = rows * root.w * root.c * root.elementBytes;
  for (const { operands } of writers) {
    for (const operand of operands) {
      const from = roots.get(operand.root);
      if (from === undefined) continue;
      // What the DMA gathers comes in once, row for row.
      if (from.role === 'input' && from.readers.length === 1 && isGathered(operand)) return 0;
      const more = Math.ceil((rows * operand.rows.stride) / operand.rows.scale);
      bytes -= more * from.w * from.c * from.elementBytes;
    }
  }
  return bytes;
}

/** In proportion to multiplications; layers without weights count an element as one. */
function workOf({ output, weights }: Layer): number {
  return output.h * output.w * output.c * Math.max(1, weights.recordBytes);
}
