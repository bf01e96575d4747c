import type { SectionName } from '../commands/check.js';
import { SEMAPHORES } from '../commands/instructions.js';
import type { Accesses } from './accesses.js';
import type { FaultLog } from './faults.js';
import { at } from './geometry.js';
import { type Execution, placeOf, type QueueId } from './judge.js';
import { type CodeLine, type Fields, type Issue, Sequencer } from './sequencer.js';
import { type ChipNumbers, computeCost, DramInterface } from './timing.js';
import { touch } from './touch.js';

/** Commands that a queue may hold while another one is empty; deeper only where nothing could run otherwise. */
const LOOKAHEAD_COMMANDS = 4096;

/** No schedule comes near; a stream that does was not made by a compiler. */
const MAX_COMMANDS = 20_000_000;

const QUEUE_IDS: Readonly<Record<string, QueueId>> = { load: 0, compute: 1, store: 2 };

type Times3 = [number, number, number];

/** One count of a semaphore: when it was raised, and what was complete by then. */
interface Token {
  readonly time: number;
  readonly clock: Readonly<Times3>;
}

interface Pending {
  readonly line: CodeLine;
  readonly fields: Fields;
  readonly issued: Token;
}

interface QueueState {
  readonly id: QueueId;
  readonly pending: Pending[];
  head: number; // index of the next command in `pending`
  clock: Times3;
  freeAt: number;
  busyCycles: number;
}

/** Moves the data of a command; left out when only time and traffic are asked for. */
export type MoveData = (line: CodeLine, fields: Fields) => void;

export interface SectionResult {
  readonly cycles: number;
  readonly macs: number;
  readonly codeBytes: number;
  readonly busyCycles: Readonly<Record<'load' | 'compute' | 'store' | 'dram', number>>;
  readonly commands: number;
}

/**
 * Runs sections. Of the commands at the heads of the queues, the one that can start first is carried out first; so
 * commands are taken in the order of time, and what a command finds in memory is what it would find.
 *
 * What is ordered is not taken from that time but from what the program asks for: every queue has a clock of how many
 * commands of each queue are known to be complete, passed on by semaphores and barriers (vector clocks).
 */
export class Machine {
  private readonly queues: readonly [QueueState, QueueState, QueueState];
  private semaphores: Token[][] = [];
  private processor: Token = { time: 0, clock: [0, 0, 0] };
  private dram: DramInterface;
  private macs = 0;
  private codeBytes = 0;
  private commands = 0;
  private isEnded = false;

  constructor(
    private readonly chip: ChipNumbers,
    private readonly accesses: Accesses,
    private readonly log: FaultLog,
    private readonly history: readonly [CodeLine[], CodeLine[], CodeLine[]],
    private readonly moveData: MoveData | undefined,
  ) {
    const queue = (id: QueueId): QueueState => ({
      id,
      pending: [],
      head: 0,
      clock: [0, 0, 0],
      freeAt: 0,
      busyCycles: 0,
    });
    this.queues = [queue(0), queue(1), queue(2)];
    this.dram = new DramInterface(chip);
    this.clearSemaphores();
  }

  /** Runs a section from its first command until all queues are empty after its last. */
  run(section: SectionName, lines: readonly CodeLine[]): SectionResult {
    this.begin();
    const sequencer = new Sequencer(lines, this.chip.commandFifoBytes);
    let next = sequencer.next();
    for (;;) {
      if (this.log.isFull) break;
      while (next !== undefined && this.wantsMore() && this.accept(next)) next = sequencer.next();
      const queue = this.firstToStart();
      if (queue !== undefined) this.execute(queue);
      else if (next !== undefined && !this.isBarrier(next)) {
        // Nothing can run with what the queues hold: the processor must get further ahead.
        this.accept(next);
        next = sequencer.next();
      } else break;
      if (this.commands > MAX_COMMANDS) {
        this.reportRunaway(section);
        break;
      }
    }
    this.reportDeadlock();
    const [load, compute, store] = this.queues;
    const cycles = Math.ceil(Math.max(load.freeAt, compute.freeAt, store.freeAt, this.processor.time));
    const busy = (queue: QueueState) => Math.ceil(queue.busyCycles);
    const busyCycles = {
      load: busy(load),
      compute: busy(compute),
      store: busy(store),
      dram: Math.ceil(this.dram.busyCycles),
    };
    return { cycles, macs: this.macs, codeBytes: this.codeBytes, busyCycles, commands: this.commands };
  }

  private begin(): void {
    this.dram = new DramInterface(this.chip);
    this.macs = 0;
    this.codeBytes = 0;
    this.commands = 0;
    this.isEnded = false;
    this.processor = { time: 0, clock: this.processor.clock };
    for (const queue of this.queues) {
      queue.freeAt = 0;
      queue.busyCycles = 0;
    }
    // Semaphores that are left raised stay so; their time lies before the section.
    this.semaphores = this.semaphores.map((tokens) => tokens.map(({ clock }) => ({ time: 0, clock })));
  }

  private wantsMore(): boolean {
    if (this.isEnded) return false;
    let held = 0;
    let isOneEmpty = false;
    for (const queue of this.queues) {
      const length = queue.pending.length - queue.head;
      held += length;
      if (length === 0) isOneEmpty = true;
    }
    return isOneEmpty && held < LOOKAHEAD_COMMANDS;
  }

  private isBarrier({ line }: Issue): boolean {
    const { name } = line.instruction;
    return (name === 'barrier' || name === 'endPrologue' || name === 'endPeriod') && this.isBusy();
  }

  private isBusy(): boolean {
    return this.queues.some((queue) => queue.head < queue.pending.length);
  }

  /** @returns false when the processor has to wait */
  private accept(issue: Issue): boolean {
    if (this.isBarrier(issue)) return false;
    const { line, fields, fetchedBytes } = issue;
    this.codeBytes += fetchedBytes;
    this.dram.fetchCode(this.processor.time, fetchedBytes);
    this.commands += 1;
    const id = QUEUE_IDS[line.instruction.queue];
    const queue = id === undefined ? undefined : this.queues[id];
    if (queue !== undefined) {
      queue.pending.push({ line, fields, issued: this.processor });
      return true;
    }
    switch (line.instruction.name) {
      case 'barrier':
        this.meet();
        this.clearSemaphores();
        break;
      case 'endPrologue':
      case 'endPeriod':
        this.meet();
        this.isEnded = true;
        break;
      case 'semaphore':
        this.semaphores[at(fields, 'index')] = Array.from(
          { length: Math.min(at(fields, 'value'), LOOKAHEAD_COMMANDS) },
          () => this.processor,
        );
        break;
      default: // loops are the sequencer's
    }
    return true;
  }

  /** All queues are empty: from here on the processor knows that everything before is complete. */
  private meet(): void {
    const [load, compute, store] = this.queues;
    const time = Math.max(this.processor.time, load.freeAt, compute.freeAt, store.freeAt);
    this.processor = { time, clock: [this.history[0].length, this.history[1].length, this.history[2].length] };
  }

  private clearSemaphores(): void {
    this.semaphores = Array.from({ length: SEMAPHORES }, () => []);
  }

  private firstToStart(): QueueState | undefined {
    let best: QueueState | undefined;
    let bestStart = Number.POSITIVE_INFINITY;
    for (const queue of this.queues) {
      const start = this.startOf(queue);
      if (start >= bestStart) continue;
      best = queue;
      bestStart = start;
    }
    return best;
  }

  /** When the head of the queue can start, with the semaphores as they are; infinity when it cannot. */
  private startOf(queue: QueueState): number {
    const head = queue.pending[queue.head];
    if (head === undefined) return Number.POSITIVE_INFINITY;
    let start = Math.max(queue.freeAt, head.issued.time);
    for (const semaphore of named(at(head.fields, 'wait'))) {
      const token = this.semaphores[semaphore]?.[0];
      if (token === undefined) return Number.POSITIVE_INFINITY;
      start = Math.max(start, token.time);
    }
    return start;
  }

  private execute(queue: QueueState): void {
    const head = queue.pending[queue.head];
    if (head === undefined) throw new Error('an empty queue was chosen');
    const start = this.startOf(queue);
    queue.head += 1;
    if (queue.head === queue.pending.length || queue.head > LOOKAHEAD_COMMANDS) {
      queue.pending.splice(0, queue.head);
      queue.head = 0;
    }
    const clock: Times3 = join(queue.clock, head.issued.clock);
    for (const semaphore of named(at(head.fields, 'wait'))) {
      const token = this.semaphores[semaphore]?.shift();
      if (token !== undefined) raise(clock, token.clock);
    }
    const sequence = this.history[queue.id].push(head.line);
    this.carryOut({ line: head.line, queue: queue.id, sequence, clock }, head.fields, queue, start);
    queue.clock = [clock[0], clock[1], clock[2]];
    queue.clock[queue.id] = sequence;
    for (const semaphore of named(at(head.fields, 'signal'))) {
      this.semaphores[semaphore]?.push({ time: queue.freeAt, clock: [...queue.clock] });
    }
  }

  private carryOut(execution: Execution, fields: Fields, queue: QueueState, start: number): void {
    const { accesses } = this;
    const occupiedBefore = accesses.traffic.occupiedBytes;
    accesses.begin(execution);
    touch(accesses, execution.line, fields);
    if (!accesses.isUnsafe) this.moveData?.(execution.line, fields);
    let end = start;
    if (queue.id !== 1) end = this.dram.transfer(start, accesses.traffic.occupiedBytes - occupiedBefore);
    else if (!accesses.isUnsafe) {
      const cost = computeCost(execution.line.instruction.name, fields, this.chip);
      this.macs += cost.macs;
      end = start + cost.cycles;
    }
    queue.busyCycles += end - start;
    queue.freeAt = end;
  }

  /** What still stands in the queues when nothing can start will never start. */
  private reportDeadlock(): void {
    for (const queue of this.queues) {
      const head = queue.pending[queue.head];
      if (head === undefined) continue;
      const missing = named(at(head.fields, 'wait')).filter((s) => (this.semaphores[s] ?? []).length === 0);
      if (!this.log.isFull && missing.length > 0) {
        const message = `waits for semaphore ${missing.join(', ')}, which nothing will raise`;
        this.log.add({ kind: 'deadlock', ...placeOf({ line: head.line, queue: queue.id }), message });
      }
      queue.pending.length = 0;
      queue.head = 0;
    }
  }

  private reportRunaway(section: SectionName): void {
    const message = `more than ${MAX_COMMANDS} commands in one section`;
    this.log.add({ kind: 'runaway', section, command: 0, queue: 'processor', op: '', message });
  }
}

const NONE: readonly number[] = [];

/** Indexes of the bits of a mask. */
function named(mask: number): readonly number[] {
  if (mask === 0) return NONE;
  const indexes: number[] = [];
  for (let index = 0; index < SEMAPHORES; index++) if ((mask & (1 << index)) !== 0) indexes.push(index);
  return indexes;
}

function join(a: Readonly<Times3>, b: Readonly<Times3>): Times3 {
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.max(a[2], b[2])];
}

function raise(clock: Times3, other: Readonly<Times3>): void {
  clock[0] = Math.max(clock[0], other[0]);
  clock[1] = Math.max(clock[1], other[1]);
  clock[2] = Math.max(clock[2], other[2]);
}
