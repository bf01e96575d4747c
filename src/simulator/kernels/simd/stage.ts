/** Activations of 8-bit values. */
import type { Activation, ImageTask } from '../../geometry.js';
import { elementsOf, type Memory } from '../../memory.js';
import type { Engine } from './engine.js';
import type { Room } from './room.js';

/** Activations one after the other: limits, or a table where one of them is a table. */
export interface Stage {
  readonly lo: number;
  readonly hi: number;
  readonly table: number; // its address; 0 for none, as SRAM begins there and the room for work does not
}

/** Limits within the type, or a table. */
export function isOrdinary(task: ImageTask, { kind, lo, hi }: Activation): boolean {
  return kind === 0 || kind === 2 || (kind === 1 && lo >= task.lo && hi <= task.hi && lo <= task.hi && hi >= task.lo);
}

export function makeStage(
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
