import type { TimeBins } from '../base/time-bins.js';
import type { SectionName } from '../commands/check.js';
import { SEMAPHORES } from '../commands/instructions.js';
import type { Accesses } from './accesses.js';
import { CommandProcessor } from './command-processor.js';
import { DramInterface } from './dram-interface.js';
import type { FaultLog } from './faults.js';
import { at } from './geometry.js';
import { type Execution, placeOf, type QueueId } from './judge.js';
import type { ObservedCommand, Observer } from './observer.js';
import { type CodeLine, type Fields, fieldsOf, type Issue, Sequencer } from './sequencer.js';
import { type ChipNumbers, computeCost } from './timing.js';
import { touch } from './touch.js';
import { type BusyCycles, Units, type Work } from './units.js';

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
  readonly issue: Issue;
  readonly wait: readonly number[]; // semaphores
  readonly signal: readonly number[];
  readonly issued: Token;
}

interface QueueState {
  readonly id: QueueId;
  readonly pending: Pending[];
  head: number; // index of the next command in `pending`
  clock: Times3; // of the latest command that has begun, itself included
}

/** A command at work: the semaphores that it will raise, and what is complete when it is. */
interface Completion {
  readonly observed: ObservedCommand | undefined;
  readonly signals: readonly number[];
  readonly clock: Readonly<Times3>;
}

/** Somebody who looks on, and where in DRAM the section's code lies. */
export interface Watch {
  readonly observer: Observer;
  readonly codeAddress: number;
}

/** Moves the data of a command; left out when only time and traffic are asked for. */
export type MoveData = (line: CodeLine, fields: Fields) => void;

export interface SectionResult {
  readonly cycles: number;
  readonly macs: number;
  readonly codeBytes: number;
  readonly busyCycles: Readonly<BusyCycles>;
  readonly timeline: TimeBins;
  readonly commands: number;
}

/**
 * Runs sections, event by event: a command begins when the processor has handed it on, its semaphores are raised and its
 * queue has room; the next event is the earliest end or beginning. So commands are taken in the order of time, and what a
 * command finds in memory is what it would find.
 *
 * What is ordered is not taken from that time but from what the program asks for: every queue has a clock of how many
 * commands of each queue are known to be complete, passed on by semaphores and barriers (vector clocks). Where a queue has
 * several commands at work, they begin, move their data and complete in order, so that each finds the one before done.
 */
export class Machine {
  private readonly queues: readonly [QueueState, QueueState, QueueState];
  private semaphores: Token[][] = [];
  private processor: CommandProcessor;
  /** What the processor knows to be complete. */
  private processorClock: Readonly<Times3> = [0, 0, 0];
  private units: Units<Completion>;
  private readonly dram: DramInterface;
  /** Interface cycles of code that was fetched and not yet charged to a transfer. */
  private codeCycles = 0;
  private macs = 0;
  private codeBytes = 0;
  private commands = 0;
  private isEnded = false;
  private watch: Watch | undefined;

  constructor(
    private readonly chip: ChipNumbers,
    private readonly accesses: Accesses,
    private readonly log: FaultLog,
    private readonly history: readonly [CodeLine[], CodeLine[], CodeLine[]],
    private readonly moveData: MoveData | undefined,
  ) {
    const queue = (id: QueueId): QueueState => ({ id, pending: [], head: 0, clock: [0, 0, 0] });
    this.queues = [queue(0), queue(1), queue(2)];
    this.dram = new DramInterface(chip);
    this.processor = new CommandProcessor(chip);
    this.units = new Units(chip);
    this.clearSemaphores();
  }

  /** Runs a section from its first command until all queues are empty after its last. */
  run(section: SectionName, lines: readonly CodeLine[], watch?: Watch): SectionResult {
    this.begin(watch);
    const sequencer = new Sequencer(lines, this.chip.commandFifoBytes);
    let next = sequencer.next();
    while (!this.log.isFull) {
      while (next !== undefined && this.commands <= MAX_COMMANDS && this.wantsMore() && this.accept(next)) {
        next = sequencer.next();
      }
      if (this.commands > MAX_COMMANDS) {
        this.reportRunaway(section);
        break;
      }
      this.startCommands();
      const time = Math.min(this.units.nextEvent(), this.nextStart());
      if (time < Number.POSITIVE_INFINITY) {
        const complete = this.units.advance(time);
        this.watch?.observer.passed?.(time);
        for (const done of complete) this.complete(done);
      } else if (next !== undefined && this.accept(next)) {
        // Nothing could run with what the queues hold: the processor has got further ahead.
        next = sequencer.next();
      } else break;
    }
    this.reportDeadlock();
    const { busy } = this.units;
    return {
      cycles: Math.ceil(Math.max(this.units.now, this.processor.time)),
      macs: this.macs,
      timeline: this.units.timeline.bins(),
      codeBytes: this.codeBytes,
      busyCycles: {
        load: Math.ceil(busy.load),
        compute: Math.ceil(busy.compute),
        store: Math.ceil(busy.store),
        dram: Math.ceil(busy.dram),
        mac: Math.ceil(busy.mac),
        vector: Math.ceil(busy.vector),
      },
      commands: this.commands,
    };
  }

  private begin(watch: Watch | undefined): void {
    this.watch = watch;
    this.accesses.observer = watch?.observer;
    const { observer } = watch ?? {};
    const onProgress =
      observer?.moved === undefined
        ? undefined
        : ({ observed }: Completion, from: number, to: number, done: number) => {
            if (observed !== undefined) observer.moved?.(observed, from, to, done);
          };
    this.units = new Units(this.chip, onProgress);
    this.processor = new CommandProcessor(this.chip);
    this.codeCycles = 0;
    this.macs = 0;
    this.codeBytes = 0;
    this.commands = 0;
    this.isEnded = false;
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

  /** A command for which the processor waits until all queues are empty. */
  private isHeldUp({ line }: Issue): boolean {
    const { name } = line.instruction;
    return (name === 'barrier' || name === 'endPrologue' || name === 'endPeriod') && this.isBusy();
  }

  private isBusy(): boolean {
    return this.queues.some((queue) => queue.head < queue.pending.length || !this.units.isIdle(queue.id));
  }

  /** @returns false when the processor has to wait */
  private accept(issue: Issue): boolean {
    if (this.isHeldUp(issue)) return false;
    const { line, fetchedBytes } = issue;
    const fields = fieldsOf(issue);
    this.codeBytes += fetchedBytes;
    this.codeCycles += fetchedBytes / this.dram.bytesPerCycle;
    this.processor.decode(fetchedBytes);
    if (this.watch !== undefined && fetchedBytes > 0) {
      const address = this.watch.codeAddress + line.offsetBytes;
      this.watch.observer.fetched?.(address, address + fetchedBytes, this.processor.arrival);
    }
    this.commands += 1;
    const id = QUEUE_IDS[line.instruction.queue];
    const queue = id === undefined ? undefined : this.queues[id];
    const issued: Token = { time: this.processor.time, clock: this.processorClock };
    if (queue !== undefined) {
      queue.pending.push({ issue, wait: named(at(fields, 'wait')), signal: named(at(fields, 'signal')), issued });
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
          () => issued,
        );
        break;
      default: // loops are the sequencer's
    }
    return true;
  }

  /** All queues are empty: from here on the processor knows that everything before is complete. */
  private meet(): void {
    this.processor.waitUntil(this.units.now);
    this.processorClock = [this.history[0].length, this.history[1].length, this.history[2].length];
  }

  private clearSemaphores(): void {
    this.semaphores = Array.from({ length: SEMAPHORES }, () => []);
  }

  /** Begins every command that can begin now. */
  private startCommands(): void {
    for (const queue of this.queues) {
      while (!this.log.isFull && this.startOf(queue) <= this.units.now) this.execute(queue);
    }
  }

  /** When the next command can begin of those that only wait for the processor; infinity when there is none. */
  private nextStart(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const queue of this.queues) next = Math.min(next, this.startOf(queue));
    return next;
  }

  /** When the head of the queue can start, with the semaphores and the units as they are; infinity when it cannot. */
  private startOf(queue: QueueState): number {
    const head = queue.pending[queue.head];
    if (head === undefined || !this.units.hasRoom(queue.id)) return Number.POSITIVE_INFINITY;
    // What gatherRows reads of SRAM, a load before it may bring.
    if (head.issue.line.instruction.name === 'gatherRows' && !this.units.isIdle(queue.id))
      return Number.POSITIVE_INFINITY;
    let start = head.issued.time;
    for (const semaphore of head.wait) {
      const token = this.semaphores[semaphore]?.[0];
      if (token === undefined) return Number.POSITIVE_INFINITY;
      start = Math.max(start, token.time);
    }
    return start;
  }

  private execute(queue: QueueState): void {
    const head = queue.pending[queue.head];
    if (head === undefined) throw new Error('an empty queue was chosen');
    queue.head += 1;
    if (queue.head === queue.pending.length) {
      queue.pending.length = 0;
      queue.head = 0;
    } else if (queue.head > LOOKAHEAD_COMMANDS) {
      queue.pending.splice(0, queue.head);
      queue.head = 0;
    }
    const clock: Times3 = join(queue.clock, head.issued.clock);
    for (const semaphore of head.wait) {
      const token = this.semaphores[semaphore]?.shift();
      if (token !== undefined) raise(clock, token.clock);
    }
    const { line } = head.issue;
    const sequence = this.history[queue.id].push(line);
    const { readBytes, writeBytes } = this.accesses.traffic;
    const work = this.carryOut({ line, queue: queue.id, sequence, clock }, fieldsOf(head.issue));
    queue.clock = [clock[0], clock[1], clock[2]];
    queue.clock[queue.id] = sequence;
    const { traffic, runs } = this.accesses;
    const bytes = traffic.readBytes - readBytes + traffic.writeBytes - writeBytes;
    const observed =
      this.watch === undefined
        ? undefined
        : { line, queue: queue.id, start: this.units.now, bytes, macs: work.macs ?? 0, runs };
    this.units.start(queue.id, { observed, signals: head.signal, clock: queue.clock }, work);
  }

  private complete({ observed, signals, clock }: Completion): void {
    if (observed !== undefined) this.watch?.observer.completed?.(observed, this.units.now);
    for (const semaphore of signals) this.semaphores[semaphore]?.push({ time: this.units.now, clock });
  }

  /** Checks and moves everything that the command touches. @returns what keeps its unit busy */
  private carryOut(execution: Execution, fields: Fields): Work {
    const { accesses, chip } = this;
    const { traffic } = accesses;
    const { readBytes, writeBytes, bursts, pages } = traffic;
    accesses.begin(execution, this.units.now);
    touch(accesses, execution.line, fields);
    if (!accesses.isUnsafe) this.moveData?.(execution.line, fields);
    const { now } = this.units;
    if (execution.queue !== 1) {
      const bytes = traffic.readBytes - readBytes + traffic.writeBytes - writeBytes;
      const alone = this.dram.cycles({ bursts: traffic.bursts - bursts, pages: traffic.pages - pages });
      // A command that clips everything away takes its set-up only.
      if (alone === 0) return { readyAt: now + chip.dma.setupCycles, cycles: 0, portBytes: 0 };
      const cycles = alone + this.codeCycles;
      this.codeCycles = 0;
      return { readyAt: now + chip.dma.setupCycles + chip.dram.latencyCycles, cycles, portBytes: bytes };
    }
    if (accesses.isUnsafe) return { readyAt: now, cycles: 0, portBytes: 0 };
    const { unit, cycles, macs, arrayReadBytes } = computeCost(execution.line.instruction.name, fields, chip);
    this.macs += macs;
    const portBytes = arrayReadBytes + accesses.portBytes;
    return { unit, macs, readyAt: now, cycles: Math.max(cycles, portBytes / chip.sram.bytesPerCycle), portBytes };
  }

  /** What still stands in the queues when nothing can start will never start. */
  private reportDeadlock(): void {
    for (const queue of this.queues) {
      const head = queue.pending[queue.head];
      if (head === undefined) continue;
      const missing = head.wait.filter((s) => (this.semaphores[s] ?? []).length === 0);
      if (!this.log.isFull && missing.length > 0) {
        const message = `waits for semaphore ${missing.join(', ')}, which nothing will raise`;
        this.log.add({ kind: 'deadlock', ...placeOf({ line: head.issue.line, queue: queue.id }), message });
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

const MASKS = new Map<number, readonly number[]>();

/** Indexes of the bits of a mask. */
function named(mask: number): readonly number[] {
  const known = MASKS.get(mask);
  if (known !== undefined) return known;
  const indexes = Array.from({ length: SEMAPHORES }, (_, index) => index).filter(
    (index) => (mask & (1 << index)) !== 0,
  );
  MASKS.set(mask, indexes);
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
