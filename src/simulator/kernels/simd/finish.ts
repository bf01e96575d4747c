/** From int32 sums to bytes in SRAM: rescaling, then the epilogue of the command. */
import { type Activation, type ImageTask, lengthOf, type Rescale } from '../../geometry.js';
import { elementsOf, type Memory } from '../../memory.js';
import { floatFromBits, mbqm } from '../fixed-point.js';
import type { Engine } from './engine.js';
import { type PixelRun, pixelRuns } from './pixel-runs.js';
import type { Records } from './records.js';
import type { Room } from './room.js';

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

/** Activations one after the other: limits, or a table where one of them is a table. */
interface Stage {
  readonly lo: number;
  readonly hi: number;
  readonly table: number; // its address; 0 for none, as SRAM begins there and the room for work does not
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
  const add = hasAdd ? makeAdd(engine, room, task, after) : undefined;
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

/** Limits within the type, or a table. */
function isOrdinary(task: ImageTask, { kind, lo, hi }: Activation): boolean {
  return kind === 0 || kind === 2 || (kind === 1 && lo >= task.lo && hi <= task.hi && lo <= task.hi && hi >= task.lo);
}

function makeStage(
  memory: Memory,
  engine: Engine,
  room: Room,
  task: ImageTask,
  activations: readonly Activation[],
): Stage {
  const elements = elementsOf(memory, task.dtype);
  const apply = (value: number): number => {
    let result = value;
    for (const { kind, lo, hi } of activations) {
      if (kind === 1) result = Math.min(Math.max(result, lo), hi);
      else if (kind === 2) result = elements[lo + result - task.lo] ?? 0;
    }
    return result;
  };
  if (activations.every(({ kind }) => kind !== 2)) return { lo: apply(task.lo), hi: apply(task.hi), table: 0 };
  const table = room.take(256);
  if (!room.isExceeded) for (let i = 0; i < 256; i++) engine.bytes[table + i] = apply(task.lo + i);
  return { lo: task.lo, hi: task.hi, table };
}

type Add = (
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

/** Stage 2: the sum of what was computed (a) and the other operand (b). */
function makeAdd(engine: Engine, room: Room, task: ImageTask, { lo, hi, table }: Stage): Add | undefined {
  const { addMode, rescale: r, addZeroValue, addZeroOther, addZeroOut } = task.epilogue;
  const valueIsA = addMode % 2 === 1;
  const flip = task.lo < 0 ? 0x80 : 0;
  const [least, most] = table === 0 ? [lo, hi] : [task.lo, task.hi];
  if (addMode > 2) {
    const [scaleA, scaleB] = [floatFromBits(r.multiplierA), floatFromBits(r.multiplierB)];
    const offset = floatFromBits(r.multiplierOut);
    const ofA = (x: number) => Math.fround(x * scaleA + offset);
    const ofB = (x: number) => x * scaleB;
    const [own, other] = valueIsA ? [ofA, ofB] : [ofB, ofA];
    const [tableA, tableB] = [floatTable(engine, room, task, own), floatTable(engine, room, task, other)];
    return (...images) => engine.addReals(...images, 0, least, most, tableA, tableB, flip);
  }
  if (Math.abs(addZeroOut) > 2 ** 24 || !isInt32(r.multiplierOut)) return undefined;
  const [shiftOwn, shiftOther] = valueIsA ? [r.shiftA, r.shiftB] : [r.shiftB, r.shiftA];
  const [own, other] = valueIsA ? [r.multiplierA, r.multiplierB] : [r.multiplierB, r.multiplierA];
  const tableA = integerTable(engine, room, task, addZeroValue, r, own, shiftOwn);
  const tableB = integerTable(engine, room, task, addZeroOther, r, other, shiftOther);
  const [left, right] = [Math.max(0, r.shiftOut), Math.max(0, -r.shiftOut)];
  return (...images) =>
    engine.addTables(
      ...images,
      addZeroOut,
      least - addZeroOut,
      most - addZeroOut,
      tableA,
      tableB,
      flip,
      r.multiplierOut,
      left,
      right,
    );
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

/** mbqm((x - zero) << leftShift, multiplier, shift) of every stored x. */
function integerTable(
  engine: Engine,
  room: Room,
  task: ImageTask,
  zero: number,
  { leftShift }: Rescale,
  multiplier: number,
  shift: number,
): number {
  const key = [task.lo, zero, leftShift, multiplier, shift].join();
  let table = known.get(key);
  if (table === undefined) {
    table = Int32Array.from({ length: 256 }, (_, i) => mbqm((i + task.lo - zero) << leftShift, multiplier, shift));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(key, table);
  }
  const address = room.take(256 * 4);
  if (!room.isExceeded) new Int32Array(engine.memory.buffer, address, 256).set(table);
  return address;
}
