/** The binary command, adding and subtracting 8-bit images of one shape. */
import { at, type ImageTask, lengthOf, rescaleOf, viewOf } from '../../geometry.js';
import type { Memory } from '../../memory.js';
import type { Fields } from '../../sequencer.js';
import { makeAdd } from './add.js';
import type { Engine } from './engine.js';
import { pixelRuns } from './pixel-runs.js';
import { Room } from './room.js';
import { isOrdinary, makeStage } from './stage.js';

/** @returns false, with nothing done, when the plain kernel has to do it */
export function runBinaryVector(engine: Engine, memory: Memory, task: ImageTask, fields: Fields): boolean {
  const mode = at(fields, 'mode');
  const { first, second, addMode } = task.epilogue;
  if (task.elementBytes !== 1 || mode > 1 || addMode !== 0) return false;
  if (at(fields, 'aRepeat') !== 0 || at(fields, 'bRepeat') !== 0) return false;
  if (![first, second].every((one) => isOrdinary(task, one))) return false;
  const room = new Room(engine);
  const stage = makeStage(memory, engine, room, task, [first, second]);
  const addition = {
    isReal: at(fields, 'form') === 1,
    zeroA: at(fields, 'aZero'),
    zeroB: at(fields, 'bZero'),
    zeroOut: at(fields, 'outZero'),
    rescale: rescaleOf(fields, ''),
    sign: mode === 0 ? 1 : -1,
  } as const;
  const add = makeAdd(engine, room, task, stage, addition, false);
  if (add === undefined || room.isExceeded) return false;
  const channels = lengthOf(task.channels);
  const flip = task.lo < 0 ? 0x80 : 0;
  const { lo, hi } = task.cols;
  const [a, b] = [viewOf(fields, 'a'), viewOf(fields, 'b')];
  for (let row = task.rows.lo; row < task.rows.hi; row++) {
    for (const one of pixelRuns(a, row, lo, hi)) {
      for (const other of pixelRuns(b, row, lo, hi)) {
        for (const out of pixelRuns(task.out, row, lo, hi)) {
          const start = Math.max(one.first, other.first, out.first);
          const end = Math.min(one.first + one.pixels, other.first + other.pixels, out.first + out.pixels);
          if (end <= start) continue;
          const [x, y, to] = [one, other, out].map((run) => run.address + (start - run.first) * run.pitch) as [
            number,
            number,
            number,
          ];
          add(x, y, to, end - start, channels, one.pitch, other.pitch, out.pitch);
          if (stage.table !== 0) engine.lookUp(to, end - start, channels, out.pitch, stage.table, flip);
        }
      }
    }
  }
  return true;
}
