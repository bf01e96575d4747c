/**
 * What is at work at a time: transfers on the DMA channels and one command of the array or the vector unit. They share the
 * DRAM interface and the SRAM ports, so that each goes on at a rate which changes whenever another one begins or ends; the
 * time of an event follows from what is left and the rates. docs/timing.md has the formulas.
 */

import { TimeBinning, type TimeRow } from '../base/time-bins.js';
import { DramInterface } from './dram-interface.js';
import type { QueueId } from './judge.js';
import type { ChipNumbers, ComputeUnit } from './timing.js';

export interface Work {
  /** A transfer's set-up and latency are over; a computation begins at once. */
  readonly readyAt: number;
  /** Cycles that it takes with the interface, or the ports, for itself. */
  readonly cycles: number;
  /** Through the SRAM ports. */
  readonly portBytes: number;
  readonly unit?: ComputeUnit;
  readonly macs?: number;
}

interface Running<T> {
  /** What is handed back when it is complete. */
  readonly command: T;
  readonly work: Work;
  readonly readyAt: number;
  readonly portRate: number;
  readonly amount: number; // of bytes that are moved, or MACs
  left: number;
}

interface Rates {
  readonly load: number;
  readonly compute: number;
  readonly store: number;
}

export interface BusyCycles {
  load: number;
  compute: number;
  store: number;
  dram: number;
  mac: number;
  vector: number;
}

export class Units<T> {
  now = 0;
  readonly timeline = new TimeBinning();
  readonly busy: BusyCycles = { load: 0, compute: 0, store: 0, dram: 0, mac: 0, vector: 0 };
  private readonly running: readonly [Running<T>[], Running<T>[], Running<T>[]] = [[], [], []];
  private readonly slots: readonly [number, number, number];
  private readonly dram: DramInterface;
  /** Until something begins, ends or is ready. */
  private known: Rates | undefined;

  /** @param onProgress is told what share of a transfer is done by the end of each interval */
  constructor(
    private readonly chip: ChipNumbers,
    private readonly onProgress?: (command: T, from: number, to: number, done: number) => void,
  ) {
    const { channels } = chip.dma;
    this.slots = [Math.max(1, Math.ceil(channels / 2)), 1, Math.max(1, Math.floor(channels / 2))];
    this.dram = new DramInterface(chip);
  }

  isIdle(queue: QueueId): boolean {
    return this.running[queue].length === 0;
  }

  /** Whether another command of this queue can begin. A chip with one channel loads or stores. */
  hasRoom(queue: QueueId): boolean {
    const other = queue === 0 ? 2 : 0;
    if (queue !== 1 && this.chip.dma.channels === 1 && !this.isIdle(other)) return false;
    return this.running[queue].length < this.slots[queue];
  }

  start(queue: QueueId, command: T, work: Work): void {
    const { readyAt, cycles, portBytes } = work;
    const amount = queue === 1 ? (work.macs ?? 0) : portBytes;
    const portRate = cycles === 0 ? 0 : portBytes / cycles;
    this.known = undefined;
    this.running[queue].push({ command, work, readyAt, portRate, amount, left: cycles });
  }

  /** When the next of them is complete, or has its set-up behind it; infinity when nothing is at work. */
  nextEvent(): number {
    const [load, compute, store] = this.running;
    const rates = this.rates();
    const endOf = (work: Running<T> | undefined, rate: number): number => {
      if (work === undefined) return Number.POSITIVE_INFINITY;
      if (work.readyAt > this.now) return work.readyAt;
      if (work.left === 0) return this.now;
      return rate === 0 ? Number.POSITIVE_INFINITY : this.now + work.left / rate;
    };
    return Math.min(endOf(load[0], rates.load), endOf(compute[0], rates.compute), endOf(store[0], rates.store));
  }

  /**
   * Goes on to a time that is not after the next event.
   * @returns what is complete then, in the order of the queues; each queue completes its commands in order
   */
  advance(time: number): T[] {
    const rates = this.rates();
    const elapsed = time - this.now;
    const complete: T[] = [];
    const proceed = (list: Running<T>[], rate: number, row: TimeRow) => {
      const [running] = list;
      if (running === undefined) return;
      if (running.readyAt <= this.now) {
        // The sum is what nextEvent returned, bit for bit, when this is the one that ends.
        const isEnd = running.left === 0 || (rate > 0 && this.now + running.left / rate <= time);
        const left = isEnd ? 0 : Math.max(0, running.left - rate * elapsed);
        const share = left < running.left ? (running.left - left) / running.work.cycles : 0;
        this.timeline.add(row, this.now, time, running.amount * share);
        running.left = left;
        if (share > 0 && row !== 'macs') {
          this.onProgress?.(running.command, this.now, time, 1 - left / running.work.cycles);
        }
      }
      if (running.left > 0 || running.readyAt > time) return;
      list.shift();
      complete.push(running.command);
    };
    this.countBusy(elapsed);
    const [load, compute, store] = this.running;
    proceed(load, rates.load, 'dramReadBytes');
    proceed(compute, rates.compute, 'macs');
    proceed(store, rates.store, 'dramWriteBytes');
    this.now = time;
    this.known = undefined;
    return complete;
  }

  private streaming(queue: 0 | 2): Running<T> | undefined {
    const [head] = this.running[queue];
    return head !== undefined && head.readyAt <= this.now && head.left > 0 ? head : undefined;
  }

  /** Progress per cycle of the oldest command of each queue: 1 with everything for itself. */
  private rates(): Rates {
    this.known ??= this.ratesNow();
    return this.known;
  }

  private ratesNow(): Rates {
    const [load, store] = [this.streaming(0), this.streaming(2)];
    const share = load !== undefined && store !== undefined ? this.dram.sharedEfficiency / 2 : 1;
    const demand = share * (portRate(load) + portRate(store));
    const ports = this.chip.sram.bytesPerCycle;
    const transfers = demand > ports ? (share * ports) / demand : share;
    const [compute] = this.running[1];
    const computeDemand = portRate(compute);
    // Transfers come first: they are the smaller part, and the interface cannot wait.
    const free = Math.max(0, ports - demand);
    const computes = computeDemand > free ? free / computeDemand : 1;
    return { load: transfers, compute: computes, store: transfers };
  }

  private countBusy(elapsed: number): void {
    const [load, [compute], store] = this.running;
    if (load.length > 0) this.busy.load += elapsed;
    if (store.length > 0) this.busy.store += elapsed;
    if (this.streaming(0) !== undefined || this.streaming(2) !== undefined) this.busy.dram += elapsed;
    if (compute === undefined) return;
    this.busy.compute += elapsed;
    if (compute.work.unit === 'mac') this.busy.mac += elapsed;
    else this.busy.vector += elapsed;
  }
}

function portRate<T>(running: Running<T> | undefined): number {
  return running === undefined ? 0 : running.portRate;
}
