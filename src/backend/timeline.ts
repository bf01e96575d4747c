/**
 * How long a program takes: its commands go through the queues of the machine of docs/timing.md one by one. This is the compiler's
 * own account, from shapes and addresses as emitted; the simulator has another one, from what it sees the commands touch.
 *
 *   load      |setup|=====|setup|=====|            ===  data, at the rate that the other transfer leaves
 *   compute         wait  |#######|#########|
 *   store                         |setup|====|
 */
import { TimeBinning, type TimeBins, type TimeRow } from '../base/time-bins.js';
import { decodeProgram } from '../commands/decode.js';
import { SEMAPHORES } from '../commands/instructions.js';
import type { Chip } from '../target/chip.js';
import { CommandWalk, type Issue, type StoredSection } from './command-walk.js';

export interface Timeline {
  readonly cycles: number;
  readonly computeCycles: number; // the array or the vector unit at work
  readonly dramCycles: number; // the DRAM interface at work
  readonly portBytes: number; // through the SRAM ports
  readonly macs: number;
  readonly bins: TimeBins;
  /** By the index of a command of the section: when it starts for the first time, and ends for the last; NaN where it never does. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

/** Commands that queues may hold while another one is empty; more only where nothing could go on otherwise. */
const MOST_AHEAD = 1024;

/** Cycles that are left by rounding only. */
const ROUNDING = 1e-6;

interface Running {
  readonly index: number; // of its command
  readonly readyAt: number; // a transfer: set-up and latency are over
  readonly portRate: number; // bytes a cycle, at full speed
  readonly doneRate: number; // bytes over the DRAM interface, or multiply-accumulates, a cycle
  readonly signal: number;
  left: number; // cycles, at full speed
}

class Queue {
  readonly waiting: Issue[] = [];
  head = 0;
  readonly running: Running[] = [];

  constructor(readonly channels: number) {}

  get first(): Issue | undefined {
    return this.waiting[this.head];
  }

  take(): void {
    this.head += 1;
    if (this.head < 4096) return;
    this.waiting.splice(0, this.head);
    this.head = 0;
  }

  get held(): number {
    return this.waiting.length - this.head;
  }
}

const OF_PERIODS = new WeakMap<Uint8Array, Timeline>();

/** Of the period of a program; the same program is gone through once only. @param programBytes program.bin */
export function periodTimeline(programBytes: Uint8Array, chip: Chip): Timeline {
  const known = OF_PERIODS.get(programBytes);
  if (known !== undefined) return known;
  const timeline = timelineOf(decodeProgram(programBytes).period, chip);
  OF_PERIODS.set(programBytes, timeline);
  return timeline;
}

export function timelineOf(section: StoredSection, chip: Chip): Timeline {
  return new Machine(section, chip).run();
}

class Machine {
  private now = 0;
  private computeCycles = 0;
  private dramCycles = 0;
  private portBytes = 0;
  private macs = 0;
  private readonly bins = new TimeBinning();
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly walk: CommandWalk;
  private readonly load: Queue;
  private readonly compute = new Queue(1);
  private readonly store: Queue;
  private readonly queues: readonly Queue[];
  private readonly raised = new Int32Array(SEMAPHORES);
  /** Read from the program and not passed on: a barrier waits. */
  private held: Issue | undefined;
  private isEnded = false;
  /** Of the interface's time, while reads and writes take turns. */
  private readonly sharedEfficiency: number;

  constructor(
    section: StoredSection,
    private readonly chip: Chip,
  ) {
    const { dma, dram, clockHz } = chip;
    this.walk = new CommandWalk(section, chip);
    this.starts = new Float64Array(section.commands.length).fill(Number.NaN);
    this.ends = new Float64Array(section.commands.length).fill(Number.NaN);
    this.load = new Queue(Math.max(1, Math.ceil(dma.channels / 2)));
    this.store = new Queue(Math.max(1, Math.floor(dma.channels / 2)));
    this.queues = [this.load, this.compute, this.store];
    const turn = ((dram.turnaroundBytes ?? dram.burstBytes) * clockHz) / dram.bytesPerSecond;
    this.sharedEfficiency = turn / (turn + (dram.turnaroundCycles ?? 0));
  }

  run(): Timeline {
    for (;;) {
      while (this.isOneEmpty() && this.heldInAll() < MOST_AHEAD && this.pull());
      this.startAll();
      const next = this.nextEvent();
      if (Number.isFinite(next)) {
        this.advance(next);
        continue;
      }
      if (this.pull()) continue;
      if (this.heldInAll() > 0) throw new Error('the program waits for a semaphore that nothing raises');
      break;
    }
    return {
      cycles: Math.ceil(Math.max(this.now, this.walk.time)),
      computeCycles: Math.ceil(this.computeCycles),
      dramCycles: Math.ceil(this.dramCycles),
      portBytes: Math.ceil(this.portBytes),
      macs: this.macs,
      bins: this.bins.bins(),
      starts: this.starts,
      ends: this.ends,
    };
  }

  private isOneEmpty(): boolean {
    return this.load.held === 0 || this.compute.held === 0 || this.store.held === 0;
  }

  private heldInAll(): number {
    return this.load.held + this.compute.held + this.store.held;
  }

  private isIdle(): boolean {
    return this.queues.every(({ held, running }) => held === 0 && running.length === 0);
  }

  /** @returns false where the processor waits, or is through */
  private pull(): boolean {
    const issue = this.held ?? (this.isEnded ? undefined : this.walk.next());
    this.held = undefined;
    if (issue === undefined) {
      this.isEnded = true;
      return false;
    }
    if (issue.queue !== undefined) {
      this.queues[issue.queue]?.waiting.push(issue);
      return true;
    }
    if (issue.op === 'barrier' || issue.op === 'endPeriod' || issue.op === 'endPrologue') {
      if (!this.isIdle()) {
        this.held = issue;
        return false;
      }
      this.walk.time = Math.max(this.walk.time, this.now);
      if (issue.op === 'barrier') this.raised.fill(0);
    } else if (issue.op === 'semaphore') this.raised[issue.field('index')] = issue.field('value');
    return true;
  }

  private startAll(): void {
    for (const queue of this.queues)
      while (this.canStart(queue) && (queue.first?.decodedAt ?? 0) <= this.now) this.start(queue);
  }

  /** But for the time of its decoding. */
  private canStart(queue: Queue): boolean {
    const { first } = queue;
    if (first === undefined || queue.running.length >= queue.channels) return false;
    if (first.op === 'gatherRows' && queue.running.length > 0) return false;
    if (this.chip.dma.channels === 1 && queue !== this.compute) {
      const other = queue === this.load ? this.store : this.load;
      if (other.running.length > 0) return false;
    }
    for (let mask = first.wait, s = 0; mask !== 0; mask >>>= 1, s += 1)
      if ((mask & 1) === 1 && (this.raised[s] ?? 0) === 0) return false;
    return true;
  }

  private start(queue: Queue): void {
    const { first } = queue;
    if (first === undefined) return;
    queue.take();
    for (let mask = first.wait, s = 0; mask !== 0; mask >>>= 1, s += 1)
      if ((mask & 1) === 1) this.raised[s] = (this.raised[s] ?? 0) - 1;
    const { cycles, portBytes, macs } = first.work;
    this.portBytes += portBytes;
    this.macs += macs ?? 0;
    const { dma, dram } = this.chip;
    const delay = queue === this.compute ? 0 : dma.setupCycles + (cycles > 0 ? dram.latencyCycles : 0);
    const left = cycles + (queue === this.compute || cycles === 0 ? 0 : this.walk.takeFetchCycles());
    const done = queue === this.compute ? (macs ?? 0) : portBytes;
    if (Number.isNaN(this.starts[first.index])) this.starts[first.index] = this.now;
    queue.running.push({
      index: first.index,
      readyAt: this.now + delay,
      portRate: cycles === 0 ? 0 : portBytes / cycles,
      doneRate: left === 0 ? 0 : done / left,
      signal: first.signal,
      left,
    });
  }

  /** The oldest command of a queue, once its data moves. */
  private moving({ running }: Queue): Running | undefined {
    const [head] = running;
    return head !== undefined && head.readyAt <= this.now && head.left > 0 ? head : undefined;
  }

  /** Progress a cycle: of transfers, and of the computation. */
  private rates(): readonly [number, number] {
    const [load, store] = [this.moving(this.load), this.moving(this.store)];
    const ports = this.chip.sram.bytesPerCycle;
    let transfer = load !== undefined && store !== undefined ? this.sharedEfficiency / 2 : 1;
    let taken = transfer * ((load?.portRate ?? 0) + (store?.portRate ?? 0));
    if (taken > ports) {
      transfer *= ports / taken;
      taken = ports;
    }
    const wanted = this.moving(this.compute)?.portRate ?? 0;
    return [transfer, wanted > ports - taken ? (ports - taken) / wanted : 1];
  }

  private nextEvent(): number {
    const [transfer, computing] = this.rates();
    let next = Number.POSITIVE_INFINITY;
    for (const queue of this.queues) {
      const [head] = queue.running;
      const rate = queue === this.compute ? computing : transfer;
      if (head !== undefined) {
        const end = head.readyAt > this.now ? head.readyAt : head.left === 0 ? this.now : this.now + head.left / rate;
        if (end < next) next = end;
      }
      if (this.canStart(queue)) next = Math.min(next, Math.max(this.now, queue.first?.decodedAt ?? next));
    }
    return next;
  }

  private advance(time: number): void {
    const [transfer, computing] = this.rates();
    const elapsed = time - this.now;
    if (this.moving(this.load) !== undefined || this.moving(this.store) !== undefined) this.dramCycles += elapsed;
    if (this.compute.running.length > 0) this.computeCycles += elapsed;
    const [load, compute, store] = [this.moving(this.load), this.moving(this.compute), this.moving(this.store)];
    const from = this.now;
    this.now = time;
    this.proceed(this.load, load, from, elapsed * transfer, 'dramReadBytes');
    this.proceed(this.compute, compute, from, elapsed * computing, 'macs');
    this.proceed(this.store, store, from, elapsed * transfer, 'dramWriteBytes');
  }

  /** @param cycles of its work that are done, since `from` */
  private proceed(queue: Queue, moving: Running | undefined, from: number, cycles: number, row: TimeRow): void {
    if (moving !== undefined) {
      this.bins.add(row, from, this.now, moving.doneRate * Math.min(cycles, moving.left));
      moving.left -= cycles;
      if (moving.left < ROUNDING) moving.left = 0;
    }
    const [first] = queue.running;
    if (first === undefined || first.readyAt > this.now || first.left > 0) return;
    queue.running.shift();
    this.ends[first.index] = this.now;
    for (let mask = first.signal, s = 0; mask !== 0; mask >>>= 1, s += 1)
      if ((mask & 1) === 1) this.raised[s] = (this.raised[s] ?? 0) + 1;
  }
}
