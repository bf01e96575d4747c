import type { Command, FieldStep } from '../commands/types.js';

/** Semaphores by what they announce. All are zero after a barrier. */
export const SEMAPHORE = {
  preloaded: 0, // load -> compute: whole operands, held weights and tables are there
  operandsReady: 1, // load -> compute: a stripe's rows are there
  operandsFree: 2, // compute -> load: a stripe's rows may be replaced
  outputReady: 3, // compute -> store
  outputFree: 4, // store -> compute
  chunkReady: 5, // load -> compute: a chunk of weights is there
  chunkFree: 6, // compute -> load
  passDone: 7, // compute -> load: all stripes of a pass are computed
  passStored: 8, // store -> compute: all stripes of a pass are stored
} as const;

export type SemaphoreName = keyof typeof SEMAPHORE;

export function mask(...names: readonly (SemaphoreName | undefined)[]): number {
  let bits = 0;
  for (const name of names) if (name !== undefined) bits |= 1 << SEMAPHORE[name];
  return bits;
}

/** Level of a loop, or undefined where the loop runs once and was not emitted. */
export type Level = number | undefined;

/** Collects commands; knows the loop depth, so that steps can name their level. */
export class Emitter {
  readonly commands: Command[] = [];
  private depth = 0;

  add(op: string, fields: Readonly<Record<string, number>>, steps: readonly (FieldStep | undefined)[] = []): void {
    const kept: Record<string, number> = {};
    for (const [name, value] of Object.entries(fields)) if (value !== 0) kept[name] = value;
    const real = steps.filter((step): step is FieldStep => step !== undefined && step.delta !== 0);
    this.commands.push(real.length === 0 ? { op, fields: kept } : { op, fields: kept, steps: real });
  }

  /** Emits the body once, inside a loop command unless it runs once only. */
  loop(count: number, body: (level: Level) => void): void {
    if (count === 1) {
      body(undefined);
      return;
    }
    this.add('loop', { count });
    const level = this.depth;
    this.depth += 1;
    body(level);
    this.depth -= 1;
    this.add('endLoop', {});
  }

  barrier(): void {
    const last = this.commands[this.commands.length - 1];
    if (last?.op !== 'barrier') this.add('barrier', {});
  }

  setSemaphore(name: SemaphoreName, value: number): void {
    this.add('semaphore', { index: SEMAPHORE[name], value });
  }

  /** Commands that move and compute nothing: they only wait and signal in their queue. */
  idle(queue: 'load' | 'compute' | 'store', wait: number, signal: number): void {
    if (wait === 0 && signal === 0) return;
    this.add(
      queue === 'compute' ? 'map' : queue,
      queue === 'compute' ? { wait, signal, scaleH: 1, scaleW: 1 } : { wait, signal },
    );
  }
}

export function step(field: string, level: Level, delta: number, modulus = 0): FieldStep | undefined {
  return level === undefined ? undefined : { field, level, delta, modulus };
}
