import { instructionNamed } from '../commands/lookup.js';
import type { Command, FieldStep } from '../commands/types.js';
import { type Access, type Phase, QUEUES, type QueueName, withHandovers } from './phases.js';

/**
 * Semaphores by what they announce. The `free` ones count the buffers that may be filled: they are set once, and are back at that
 * number when a layer or block is through. Single and double buffers have one each, so that this holds for any that follow.
 * The ones used in loops come first: their masks are short.
 */
const SEMAPHORES = {
  operandsReady: 0, // load -> compute: a stripe's rows are there
  operandsFree2: 1, // compute -> load: a stripe's rows may be replaced
  outputReady: 2, // compute -> store
  outputFree1: 3, // store -> compute
  chunkReady: 4, // load -> compute: a chunk of weights is there
  chunkFree2: 5, // compute -> load
  outputFree2: 6,
  operandsFree1: 7,
  chunkFree1: 8,
  passDone: 9, // compute -> load: all stripes of a pass are computed
  passStored: 10, // store -> compute: all stripes of a pass are stored
  // Handovers from phase to phase; see phases.ts.
  'load compute': 11,
  'compute load': 12,
  'compute store': 13,
  'store compute': 14,
  'store load': 15,
  'load store': 16,
  // Load and store of a transposition, with nothing computed between: compute, which may be ahead, must not take theirs.
  turnedReady: 17, // load -> store
  turnedFree: 18, // store -> load
  // Slots of rings that the weights of several layers come through (passes/weight-rings.ts); one each.
  ringFree0: 19, // compute -> load
  ringFree1: 20,
  ringFree2: 21,
  ringFree3: 22,
  ringFree4: 23,
} as const;

export type SemaphoreName = keyof typeof SEMAPHORES;

/** Semaphores that count free buffers, and how many there are. */
const FREE_BUFFERS = {
  operandsFree1: 1,
  operandsFree2: 2,
  outputFree1: 1,
  outputFree2: 2,
  chunkFree1: 1,
  chunkFree2: 2,
  passDone: 1,
  passStored: 1,
  turnedFree: 1,
} as const;

const RINGS = ['ringFree0', 'ringFree1', 'ringFree2', 'ringFree3', 'ringFree4'] as const;

export type FreeName = keyof typeof FREE_BUFFERS | (typeof RINGS)[number];

export function mask(...names: readonly (SemaphoreName | undefined)[]): number {
  let bits = 0;
  for (const name of names) if (name !== undefined) bits |= 1 << SEMAPHORES[name];
  return bits;
}

/** Level of a loop, or undefined where the loop runs once and was not emitted. */
export type Level = number | undefined;

/** Collects commands; knows the loop depth, so that steps can name their level, and the phases that order the queues. */
export class Emitter {
  private readonly commands: Command[] = [];
  private readonly phases: Phase[] = [];
  private readonly counted = new Set<FreeName>();
  private depth = 0;
  /** What the commands from here on are for: the name of a layer, or of the first and the last one of a block. */
  layer = '';
  /** The first step of that layer or block; undefined where it belongs to none. */
  step: number | undefined;

  add(op: string, fields: Readonly<Record<string, number>>, steps: readonly (FieldStep | undefined)[] = []): void {
    const kept: Record<string, number> = {};
    for (const [name, value] of Object.entries(fields)) if (value !== 0) kept[name] = value;
    const real = steps.filter((step): step is FieldStep => step !== undefined && step.delta !== 0);
    const { layer, step } = this;
    const origin = step === undefined ? { layer } : { layer, step };
    this.commands.push(
      real.length === 0 ? { op, fields: kept, ...origin } : { op, fields: kept, steps: real, ...origin },
    );
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

  /** What follows touches this; it waits for what other queues do with the same bytes in earlier phases. */
  phase(accesses: readonly Access[], joins: Phase['joins'] = []): void {
    this.phases.push({ at: this.commands.length, accesses, isFenced: false, joins });
  }

  /** Everything before is complete. The phase goes on behind it. Where a loop holds phases, its body begins with this. */
  barrier(): void {
    const current = this.phases[this.phases.length - 1];
    this.add('barrier', {});
    this.counted.clear();
    const { accesses, joins } = current ?? { accesses: [], joins: [] };
    this.phases.push({ at: this.commands.length, accesses, isFenced: true, joins });
  }

  /** The semaphore of single or double buffers that are all free by the time that the commands before are complete. */
  freeBuffers(kind: 'operands' | 'output' | 'chunk', depth: 1 | 2): FreeName {
    const name = `${kind}Free${depth}` as const;
    this.count(name);
    return name;
  }

  /** Sets a semaphore of free buffers, unless that is done: not in a loop, but where its body begins with a barrier. */
  count(name: keyof typeof FREE_BUFFERS): void {
    this.set(name, FREE_BUFFERS[name]);
  }

  /** The semaphore of a ring's slots, by the number of the ring. */
  freeSlots(ring: number, slots: number): FreeName {
    const name = RINGS[ring];
    if (name === undefined) throw new Error(`there is no semaphore for ring ${ring}`);
    this.set(name, slots);
    return name;
  }

  private set(name: FreeName, value: number): void {
    if (this.counted.has(name)) return;
    this.counted.add(name);
    this.add('semaphore', { index: SEMAPHORES[name], value });
  }

  /** Commands that move and compute nothing: they only wait and signal in their queue. */
  idle(queue: QueueName, wait: number, signal: number): void {
    if (wait === 0 && signal === 0) return;
    const { op, fields } = idleCommand(queue, wait, signal);
    this.add(op, fields);
  }

  /** All commands, with the order between the phases. */
  finish(): Command[] {
    return withHandovers(this.commands, this.phases, {
      maskOf: (from, to) => mask(`${from} ${to}` as SemaphoreName),
      queueOf: ({ op }) => QUEUES.find((queue) => instructionNamed(op)?.queue === queue),
      idle: idleCommand,
    });
  }
}

function idleCommand(queue: QueueName, wait: number, signal: number): Command {
  const sync = { ...(wait === 0 ? {} : { wait }), ...(signal === 0 ? {} : { signal }) };
  return queue === 'compute' ? { op: 'map', fields: { ...sync, scaleH: 1, scaleW: 1 } } : { op: queue, fields: sync };
}

export function step(field: string, level: Level, delta: number, modulus = 0): FieldStep | undefined {
  return level === undefined ? undefined : { field, level, delta, modulus };
}
