/** From int32 sums to bytes in SRAM: rescaling, then the epilogue of the command. */
import { type ImageTask, lengthOf } from '../../geometry.js';
import type { Memory } from '../../memory.js';
import { type Addition, makeAdd } from './add.js';
import type { Engine } from './engine.js';
import { type PixelRun, pixelRuns } from './pixel-runs.js';
import type { Records } from './records.js';
import type { Room } from './room.js';
import { isOrdinary, makeStage } from './stage.js';

/** Sums of a row's pixels, and what the records say of their channels. */
export interface Sums {
  readonly address: number;
  readonly bytes: number; // from a pixel to the next
  readonly records: Records;
}

export interface Finish {
  /** Columns [lo, hi) of a row of the output. */
  row(row: number, lo: number, hi: number, sums: Sums): void;
}

/**
 * @param pixels the most that a row has
 * @returns undefined when the epilogue has something that only the plain kernels can do
 */
export function makeFinish(
  memory: Memory,
  engine: Engine,
  room: Room,
  task: ImageTask,
  pixels: number,
): Finish | undefined {
  const { first, second, addMode } = task.epilogue;
  if (task.isFloat || task.elementBytes !== 1 || Math.abs(task.outZero) > 2 ** 24) return undefined;
  if (![first, second].every((one) => isOrdinary(task, one))) return undefined;
  const channels = lengthOf(task.channels);
  const flip = task.lo < 0 ? 0x80 : 0;
  const hasAdd = addMode !== 0;
  const before = makeStage(memory, engine, room, task, hasAdd ? [first] : [first, second]);
  const after = makeStage(memory, engine, room, task, hasAdd ? [second] : []);
  const line = hasAdd ? room.take(pixels * channels) : 0;
  const add = hasAdd ? makeAdd(engine, room, task, after, additionOf(task), addMode % 2 === 0) : undefined;
  if (room.isExceeded || (hasAdd && add === undefined)) return undefined;

  const requantize = (run: PixelRun, sums: Sums): void => {
    const { records } = sums;
    engine.requantize[records.rounding](
      sums.address + run.first * sums.bytes,
      run.address,
      run.pixels,
      channels,
      sums.bytes,
      run.pitch,
      records.arrays,
      records.stride,
      task.outZero,
      before.lo - task.outZero,
      before.hi - task.outZero,
    );
    if (before.table !== 0) engine.lookUp(run.address, run.pixels, channels, run.pitch, before.table, flip);
  };
  return {
    row(row, lo, hi, sums) {
      const runs = pixelRuns(task.out, row, lo, hi).map((run) => ({ ...run, address: run.address + task.channels.lo }));
      if (add === undefined) {
        for (const run of runs) requantize(run, sums);
        return;
      }
      requantize({ first: 0, pixels: hi - lo, address: line, pitch: channels }, sums);
      for (const other of pixelRuns(task.epilogue.add, row, lo, hi)) {
        for (const run of runs) {
          const start = Math.max(run.first, other.first);
          const count = Math.min(run.first + run.pixels, other.first + other.pixels) - start;
          if (count <= 0) continue;
          const out = run.address + (start - run.first) * run.pitch;
          const operand = other.address + (start - other.first) * other.pitch + task.channels.lo;
          add(line + start * channels, operand, out, count, channels, channels, other.pitch, run.pitch);
          if (after.table !== 0) engine.lookUp(out, count, channels, run.pitch, after.table, flip);
        }
      }
    },
  };
}

/** Stage 2 of the epilogue; the value is a in the modes 1 and 3, b in 2 and 4. */
function additionOf({ epilogue }: ImageTask): Addition {
  const { addMode, addZeroValue, addZeroOther, addZeroOut, rescale } = epilogue;
  const valueIsA = addMode % 2 === 1;
  return {
    isReal: addMode > 2,
    zeroA: valueIsA ? addZeroValue : addZeroOther,
    zeroB: valueIsA ? addZeroOther : addZeroValue,
    zeroOut: addZeroOut,
    rescale,
    sign: 1,
  };
}
