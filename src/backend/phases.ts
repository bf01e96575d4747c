/**
 * Order between the queues only where it is needed. The emitter marks phases: runs of commands that belong together, with what
 * each queue reads and writes in them. Where a queue comes to a phase that touches what another queue touched in an earlier one,
 * it waits until that queue is through with the earlier phase; otherwise the queues run ahead of each other.
 *
 *   load     | weights 1 | rows 1 ... | weights 2 |<- rows 2 ...       `weights 2` lie where nobody is: loaded beside layer 1
 *   compute              | layer 1 ...............|-> | layer 2 ...    `rows 2` lie where layer 1 computed: the load waits
 *
 * Every pair of queues has one counting semaphore for this. Signals are raised in the order in which they are waited for, and each
 * wait stands behind its signal in the program: there is always a queue that can go on.
 */
import type { Command } from '../commands/types.js';

export const QUEUES = ['load', 'compute', 'store'] as const;
export type QueueName = (typeof QUEUES)[number];

/** Bytes [start, end) of a memory that a queue reads or writes in a phase. */
export interface Access {
  readonly queue: QueueName;
  readonly memory: 'sram' | 'dram';
  readonly start: number;
  readonly end: number;
  readonly isWrite: boolean;
  /** Of a ring of weights, whose slots have a semaphore: its own loads and computations need no other order. */
  readonly ring?: number;
}

export interface Phase {
  readonly at: number; // index of its first command
  readonly accesses: readonly Access[];
  /** A barrier stands in front of it: all that came before is complete. */
  readonly isFenced: boolean;
  /** The second queue is through with the phase only when the first one is: commands of the phase see to it. */
  readonly joins: readonly (readonly [QueueName, QueueName])[];
}

/** `to` waits in front of phase `wait` for the end of phase `signal` of `from`. */
export interface Handover {
  readonly from: QueueName;
  readonly to: QueueName;
  readonly signal: number;
  readonly wait: number;
}

type Index3 = [number, number, number]; // of a phase, by queue

/** @param isActive whether a queue has commands in a phase */
export function handoversOf(
  phases: readonly Phase[],
  isActive: (phase: number, queue: QueueName) => boolean,
): Handover[] {
  const handovers: Handover[] = [];
  const accesses = phases.map(({ accesses: all }) => QUEUES.map((queue) => all.filter((one) => one.queue === queue)));
  /** By queue: the last phase of each queue that is complete when the queue goes on. */
  const known: [Index3, Index3, Index3] = [never(), never(), never()];
  /** The same when the queue is through with a phase. */
  const after: Index3[][] = [];
  let fence = 0;
  phases.forEach((phase, j) => {
    if (phase.isFenced) {
      fence = j;
      for (const clock of known) clock.fill(j - 1);
    }
    QUEUES.forEach((to, q) => {
      const clock = known[q] ?? never();
      if (isActive(j, to)) {
        // The latest first: what it knows of the other queue often makes a second wait needless.
        const needed = QUEUES.map((from, p) => ({ from, p, signal: latestConflict(p, q, j) }))
          .filter(({ p, signal }) => p !== q && signal >= 0)
          .sort((a, b) => b.signal - a.signal);
        for (const { from, p, signal } of needed) {
          if (signal <= (clock[p] ?? -1)) continue;
          handovers.push({ from, to, signal, wait: j });
          raise(clock, after[signal]?.[p]);
        }
      }
    });
    const ends: Index3[] = [];
    QUEUES.forEach((to, q) => {
      const clock = known[q] ?? never();
      clock[q] = j;
      for (const [from, joined] of phase.joins) {
        const p = QUEUES.indexOf(from);
        if (joined === to && isActive(j, from) && isActive(j, to)) raise(clock, ends[p]);
      }
      ends.push([...clock]);
    });
    after.push(ends);
  });
  return handovers;

  /** The latest phase before j in which queue p touched what queue q touches in j; -1 for none that is not known complete. */
  function latestConflict(p: number, q: number, j: number): number {
    const mine = accesses[j]?.[q] ?? [];
    if (p === q || mine.length === 0) return -1;
    const from = QUEUES[p];
    for (let i = j - 1; i > Math.max(fence - 1, known[q]?.[p] ?? -1); i -= 1) {
      if (from !== undefined && conflicts(accesses[i]?.[p] ?? [], mine) && isActive(i, from)) return i;
    }
    return -1;
  }
}

function never(): Index3 {
  return [-1, -1, -1];
}

function raise(clock: Index3, other: Readonly<Index3> | undefined): void {
  other?.forEach((index, q) => {
    clock[q] = Math.max(clock[q] ?? -1, index);
  });
}

function conflicts(earlier: readonly Access[], later: readonly Access[]): boolean {
  return earlier.some((a) =>
    later.some(
      (b) =>
        (a.isWrite || b.isWrite) &&
        a.memory === b.memory &&
        a.start < b.end &&
        b.start < a.end &&
        (a.ring === undefined || a.ring !== b.ring),
    ),
  );
}

/** The masks that a handover adds to commands: which semaphore each pair of queues has is the emitter's. */
export interface HandoverMasks {
  readonly maskOf: (from: QueueName, to: QueueName) => number;
  readonly queueOf: (command: Command) => QueueName | undefined;
  /** A command that only waits and signals. */
  readonly idle: (queue: QueueName, wait: number, signal: number) => Command;
}

/** The commands with all waits and signals that the phases ask for, on commands outside of loops where there are such. */
export function withHandovers(commands: readonly Command[], phases: readonly Phase[], masks: HandoverMasks): Command[] {
  const queues = commands.map(masks.queueOf);
  const endOf = (phase: number): number => phases[phase + 1]?.at ?? commands.length;
  const active = phases.map((phase, i) => new Set(queues.slice(phase.at, endOf(i))));
  const handovers = handoversOf(phases, (phase, queue) => active[phase]?.has(queue) ?? false);
  const added = new Map<number, { wait: number; signal: number }>(); // to a command
  const before = new Map<number, Command[]>(); // inserted in front of a command
  const merge = (at: number, wait: number, signal: number): void => {
    const have = added.get(at);
    added.set(at, { wait: (have?.wait ?? 0) | wait, signal: (have?.signal ?? 0) | signal });
  };
  const insert = (at: number, command: Command): void => {
    before.set(at, [...(before.get(at) ?? []), command]);
  };
  // Signals first: at one place they come before the waits of the phase that follows.
  const bySite = (site: (handover: Handover) => string): Handover[][] => {
    const groups = new Map<string, Handover[]>();
    for (const handover of handovers) groups.set(site(handover), [...(groups.get(site(handover)) ?? []), handover]);
    return [...groups.values()];
  };
  const bits = (group: readonly Handover[]): number =>
    group.reduce((all, { from, to }) => all | masks.maskOf(from, to), 0);
  // One signal can be for several waits of other queues, never for two of the same: those wait for different phases.
  for (const group of bySite(({ from, signal }) => `${from} ${signal}`)) {
    const [first] = group;
    if (first === undefined) continue;
    const start = phases[first.signal]?.at ?? 0;
    const end = endOf(first.signal);
    const at = firstOutsideLoops(commands, queues, { from: end - 1, to: start - 1, step: -1 }, first.from);
    if (at !== undefined) merge(at, 0, bits(group));
    else insert(end, masks.idle(first.from, 0, bits(group)));
  }
  for (const group of bySite(({ to, wait }) => `${to} ${wait}`)) {
    const [first] = group;
    if (first === undefined) continue;
    const start = phases[first.wait]?.at ?? 0;
    const at = firstOutsideLoops(commands, queues, { from: start, to: endOf(first.wait), step: 1 }, first.to);
    if (at !== undefined) merge(at, bits(group), 0);
    else insert(start, masks.idle(first.to, bits(group), 0));
  }
  const result: Command[] = [];
  for (let at = 0; at <= commands.length; at += 1) {
    result.push(...(before.get(at) ?? []));
    const command = commands[at];
    if (command !== undefined) result.push(withMasks(command, added.get(at)));
  }
  return result;
}

function withMasks(command: Command, masks: { wait: number; signal: number } | undefined): Command {
  if (masks === undefined) return command;
  const fields = { ...command.fields };
  if (masks.wait !== 0) fields.wait = (fields.wait ?? 0) | masks.wait;
  if (masks.signal !== 0) fields.signal = (fields.signal ?? 0) | masks.signal;
  return { ...command, fields };
}

/**
 * The first command of the queue from index `from` on, `to` not included, if it is in no loop that was entered on the way; with a
 * step of -1 the way is backwards.
 */
function firstOutsideLoops(
  commands: readonly Command[],
  queues: readonly (QueueName | undefined)[],
  { from, to, step }: { readonly from: number; readonly to: number; readonly step: 1 | -1 },
  queue: QueueName,
): number | undefined {
  let depth = 0;
  for (let at = from; at !== to; at += step) {
    if (commands[at]?.op === 'loop') depth += 1;
    if (commands[at]?.op === 'endLoop') depth -= 1;
    if (queues[at] === queue) return depth === 0 ? at : undefined;
  }
  return undefined;
}
