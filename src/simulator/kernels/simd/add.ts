/** Sums of two 8-bit images, of which each value is rescaled by a table. */
import type { ImageTask, Rescale } from '../../geometry.js';
import { floatFromBits, mbqm } from '../fixed-point.js';
import type { Engine } from './engine.js';
import type { Room } from './room.js';
import type { Stage } from './stage.js';

export type Add = (
  ...images: [
    a: number,
    b: number,
    out: number,
    pixels: number,
    channels: number,
    aPitch: number,
    bPitch: number,
    outPitch: number,
  ]
) => void;

/** How a and b are added. `sign` is -1 where b is taken away. */
export interface Addition {
  readonly isReal: boolean;
  readonly zeroA: number;
  readonly zeroB: number;
  readonly zeroOut: number;
  readonly rescale: Rescale;
  readonly sign: 1 | -1;
}

/**
 * The sum, then the limits of the stage; its table is left to the caller.
 *
 * @param isSwapped the images come as b and a
 * @returns undefined when only the plain kernels can do it
 */
export function makeAdd(
  engine: Engine,
  room: Room,
  task: ImageTask,
  { lo, hi, table }: Stage,
  { isReal, zeroA, zeroB, zeroOut, rescale: r, sign }: Addition,
  isSwapped: boolean,
): Add | undefined {
  const flip = task.lo < 0 ? 0x80 : 0;
  const [least, most] = table === 0 ? [lo, hi] : [task.lo, task.hi];
  const ordered = (a: number, b: number): [number, number] => (isSwapped ? [b, a] : [a, b]);
  if (isReal) {
    const [scaleA, scaleB] = [floatFromBits(r.multiplierA), sign * floatFromBits(r.multiplierB)];
    const offset = floatFromBits(r.multiplierOut);
    const tables = ordered(
      floatTable(engine, room, task, (x) => Math.fround(x * scaleA + offset)),
      floatTable(engine, room, task, (x) => x * scaleB),
    );
    return (...images) => engine.addReals(...images, 0, least, most, ...tables, flip);
  }
  if (Math.abs(zeroOut) > 2 ** 24 || !isInt32(r.multiplierOut)) return undefined;
  const tables = ordered(
    integerTable(engine, room, task, zeroA, r, r.multiplierA, r.shiftA, 1),
    integerTable(engine, room, task, zeroB, r, r.multiplierB, r.shiftB, sign),
  );
  const [left, right] = [Math.max(0, r.shiftOut), Math.max(0, -r.shiftOut)];
  const limits = [zeroOut, least - zeroOut, most - zeroOut] as const;
  return (...images) => engine.addTables(...images, ...limits, ...tables, flip, r.multiplierOut, left, right);
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}

function floatTable(engine: Engine, room: Room, task: ImageTask, value: (x: number) => number): number {
  const address = room.take(256 * 8);
  if (room.isExceeded) return address;
  const table = new Float64Array(engine.memory.buffer, address, 256);
  for (let i = 0; i < 256; i++) table[i] = value(task.lo + i);
  return address;
}

/** Tables of the rescaled operands of additions: a network has few, its commands many. */
const known = new Map<string, Int32Array>();
const MOST_KNOWN = 1000;

/** sign * mbqm((x - zero) << leftShift, multiplier, shift) of every stored x. */
function integerTable(
  engine: Engine,
  room: Room,
  task: ImageTask,
  zero: number,
  { leftShift }: Rescale,
  multiplier: number,
  shift: number,
  sign: 1 | -1,
): number {
  const key = [task.lo, zero, leftShift, multiplier, shift, sign].join();
  let table = known.get(key);
  if (table === undefined) {
    table = Int32Array.from(
      { length: 256 },
      (_, i) => sign * mbqm((i + task.lo - zero) << leftShift, multiplier, shift),
    );
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(key, table);
  }
  const address = room.take(256 * 4);
  if (!room.isExceeded) new Int32Array(engine.memory.buffer, address, 256).set(table);
  return address;
}
