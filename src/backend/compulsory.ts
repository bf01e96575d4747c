/** What no schedule can do without: the pixels of a model input that some layer needs. */
import type { TensorId } from '../ir/types.js';
import type { Layer, Operand } from '../schedule/layer.js';
import type { Schedule } from '../schedule/schedule.js';
import { firstTap, type Taps, tapsOf } from './dependence.js';

/** Rows and columns of an image that some result depends on: at least their product. */
interface Needed {
  readonly rows: Uint8Array; // 1 where needed
  readonly columns: Uint8Array;
}

/**
 * Bytes of one frame of a model input that have to be read: the most that any one reader needs, since readers may share them.
 * Rows and columns that no window touches are left out (a 3x3 window with stride 2 over 224 rows never sees the last one), and so
 * is what leads to nothing that anybody reads.
 */
export function neededInputBytes(schedule: Schedule, root: TensorId): number {
  const needed = new Map<TensorId, Needed>();
  let most = 0;
  for (const { layer } of [...schedule.layers].reverse()) {
    const results = neededResults(schedule, layer, needed.get(layer.output.root));
    if (results === undefined) continue;
    for (const operand of layer.operands) {
      const pixels = neededPixels(layer, operand, results);
      if (pixels === undefined) continue;
      if (operand.root === root) most = Math.max(most, sizeOf(pixels) * operand.c * operand.elementBytes);
      const known = needed.get(operand.root);
      if (known === undefined || sizeOf(known) < sizeOf(pixels)) needed.set(operand.root, pixels);
    }
  }
  return most;
}

const sizeOf = ({ rows, columns }: Needed): number => countOf(rows) * countOf(columns);
const countOf = (positions: Uint8Array): number => positions.reduce((count, needed) => count + needed, 0);
const all = (count: number): Uint8Array => new Uint8Array(count).fill(1);

/** Undefined where that cannot be told: then nothing is counted. */
function neededResults(schedule: Schedule, { output }: Layer, read: Needed | undefined): Needed | undefined {
  const root = schedule.roots.get(output.root);
  const whole = { rows: all(output.h), columns: all(output.w) };
  if (root?.role === 'output' || (root?.role === 'state' && root.firstWrite >= 0)) return whole;
  if (read === undefined) return undefined;
  const isSameImage = read.rows.length === output.h && read.columns.length === output.w;
  if (isSameImage) return read;
  // Read as an image of another shape: all of it, or nothing that could be told.
  return countOf(read.rows) === read.rows.length && countOf(read.columns) === read.columns.length ? whole : undefined;
}

function neededPixels(layer: Layer, operand: Operand, results: Needed): Needed | undefined {
  if (layer.kind !== 'transpose') {
    return {
      rows: neededPositions(tapsOf(layer, operand, 0), results.rows),
      columns: neededPositions(tapsOf(layer, operand, 1), results.columns),
    };
  }
  const isAll = countOf(results.rows) === layer.output.h && countOf(results.columns) === layer.output.w;
  return isAll ? { rows: all(operand.h), columns: all(operand.w) } : undefined;
}

/** Inputs that a tap of any needed output falls on. */
function neededPositions(taps: Taps, outputs: Uint8Array): Uint8Array {
  const isNeeded = new Uint8Array(taps.inputs);
  outputs.forEach((isOutputNeeded, o) => {
    const first = firstTap(taps, o);
    for (let tap = 0; tap < taps.kernel && isOutputNeeded === 1; tap += 1) {
      const position = first + tap * taps.dilation;
      if (position >= 0 && position < taps.inputs) isNeeded[position] = 1;
    }
  });
  return isNeeded;
}
