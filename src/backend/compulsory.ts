/** What no schedule can do without: the pixels of a model input that some layer needs. */
import type { TensorId } from '../ir/types.js';
import type { AxisMap, Layer, Operand } from '../schedule/layer.js';
import type { Schedule } from '../schedule/schedule.js';

/**
 * Bytes of one frame of a model input that have to be read: the most that any one reader needs, since readers may share them.
 * Rows and columns that no window touches are left out (a 3x3 window with stride 2 over 224 rows never sees the last one).
 */
export function neededInputBytes(schedule: Schedule, root: TensorId): number {
  let most = 0;
  for (const { layer } of schedule.layers) {
    for (const operand of layer.operands) {
      if (operand.root !== root) continue;
      const isWhole = layer.kind === 'transpose';
      const rows = isWhole
        ? operand.h
        : neededPositions(operand.rows, tapsOf(layer, operand, 0), layer.output.h, operand.h);
      const columns = isWhole
        ? operand.w
        : neededPositions(operand.columns, tapsOf(layer, operand, 1), layer.output.w, operand.w);
      most = Math.max(most, rows * columns * operand.c * operand.elementBytes);
    }
  }
  return most;
}

/** Positions of [0, limit) that a tap of any output falls on. */
function neededPositions(map: AxisMap, taps: Taps, outputs: number, limit: number): number {
  const isNeeded = new Uint8Array(limit);
  for (let o = 0; o < outputs; o += 1) {
    const first = Math.floor((o * map.stride) / map.scale) - map.pad;
    for (let tap = 0; tap < taps.kernel; tap += 1) {
      const position = first + tap * taps.dilation;
      if (position >= 0 && position < limit) isNeeded[position] = 1;
    }
  }
  return isNeeded.reduce((count, needed) => count + needed, 0);
}

interface Taps {
  readonly kernel: number;
  readonly dilation: number;
}

function tapsOf(layer: Layer, operand: Operand, axis: 0 | 1): Taps {
  const { op } = layer;
  const hasWindow = operand.role === 'main' && (op.kind === 'conv2d' || op.kind === 'maxPool' || op.kind === 'avgPool');
  return hasWindow
    ? { kernel: op.window.kernel[axis], dilation: op.window.dilation[axis] }
    : { kernel: 1, dilation: 1 };
}
