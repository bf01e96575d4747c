/**
 * The DRAM requests of a section in the formats of other simulators, one per burst: as many as the traffic counts. Every run of
 * bytes asks for the aligned bursts that hold it, but not again for the one that the run before of the same command ended in.
 *
 * - dramsim3: `0x1F40 READ 120`, hexadecimal address, READ or WRITE, cycle; in the order of cycles. A cycle is one of the
 *   chip's clock; the requests of a transfer are spread over the time that its data takes.
 * - ramulator2: `LD 0x1F40` or `ST 0x1F40`, in the same order; that format has no times.
 */
import type { SectionName } from '../commands/check.js';
import type { ObservedCommand, Observer } from './observer.js';

export type DramTraceFormat = 'dramsim3' | 'ramulator2';

interface Request {
  readonly address: number;
  readonly isWrite: boolean;
  readonly time: number;
}

/** Where a transfer stands in its runs. */
interface Cursor {
  run: number; // index of its start
  burst: number;
  lastBurst: number;
  issued: number;
  readonly total: number;
}

export class DramTrace implements Observer {
  /** That were written, by section. */
  readonly requests: Record<SectionName, number> = { prologue: 0, period: 0 };
  private section: SectionName = 'period';
  /** When the section begins. */
  private beginning = 0;
  private readonly cursors = new Map<ObservedCommand, Cursor>();
  private waiting: Request[] = [];
  private code: Request[] = [];
  private lastCodeBurst = -1;
  private lastCycle = 0;

  constructor(
    private readonly format: DramTraceFormat,
    private readonly burstBytes: number,
    private readonly write: (text: string) => void,
  ) {}

  begins(section: SectionName, at: number): void {
    this.finish();
    this.section = section;
    this.beginning = at;
    this.lastCodeBurst = -1;
  }

  fetched(start: number, end: number, time: number): void {
    const { burstBytes } = this;
    for (let burst = Math.floor(start / burstBytes); burst * burstBytes < end; burst++) {
      if (burst !== this.lastCodeBurst) this.code.push({ address: burst * burstBytes, isWrite: false, time });
      this.lastCodeBurst = burst;
    }
  }

  moved(transfer: ObservedCommand, from: number, to: number, done: number): void {
    let cursor = this.cursors.get(transfer);
    if (cursor === undefined) {
      const total = burstsOf(transfer.runs, this.burstBytes);
      cursor = {
        run: 0,
        burst: Math.floor((transfer.runs[0] ?? 0) / this.burstBytes),
        lastBurst: -1,
        issued: 0,
        total,
      };
      this.cursors.set(transfer, cursor);
    }
    const until = done >= 1 ? cursor.total : Math.floor(done * cursor.total);
    const count = until - cursor.issued;
    for (let i = 0; i < count; i++) {
      const time = from + ((to - from) * i) / count;
      this.waiting.push({ address: this.nextAddress(cursor, transfer.runs), isWrite: transfer.queue === 2, time });
    }
    cursor.issued = until;
    if (done >= 1) this.cursors.delete(transfer);
  }

  passed(time: number): void {
    if (this.waiting.length === 0 && (this.code[0]?.time ?? Number.POSITIVE_INFINITY) > time) return;
    const due = this.code.filter((request) => request.time <= time);
    if (due.length > 0) this.code = this.code.filter((request) => request.time > time);
    this.put([...this.waiting, ...due]);
    this.waiting = [];
  }

  /** Writes what is left. */
  finish(): void {
    this.put([...this.waiting, ...this.code]);
    [this.waiting, this.code] = [[], []];
  }

  private put(list: Request[]): void {
    list.sort((a, b) => a.time - b.time);
    let text = '';
    for (const { address, isWrite, time } of list) {
      this.requests[this.section] += 1;
      // Code is fetched ahead: what arrived before the last request that was written stands behind it.
      this.lastCycle = Math.max(this.lastCycle, Math.floor(this.beginning + time));
      const hex = `0x${address.toString(16).toUpperCase()}`;
      if (this.format === 'dramsim3') text += `${hex} ${isWrite ? 'WRITE' : 'READ'} ${this.lastCycle}\n`;
      else text += `${isWrite ? 'ST' : 'LD'} ${hex}\n`;
    }
    if (text !== '') this.write(text);
  }

  private nextAddress(cursor: Cursor, runs: readonly number[]): number {
    const { burstBytes } = this;
    while (cursor.burst * burstBytes >= (runs[cursor.run + 1] ?? 0) || cursor.burst === cursor.lastBurst) {
      if (cursor.burst === cursor.lastBurst && (cursor.burst + 1) * burstBytes < (runs[cursor.run + 1] ?? 0)) {
        cursor.burst += 1;
        continue;
      }
      cursor.run += 2;
      const start = runs[cursor.run];
      if (start === undefined) throw new Error('a transfer asks for more bursts than its runs have');
      cursor.burst = Math.floor(start / burstBytes);
    }
    cursor.lastBurst = cursor.burst;
    const address = cursor.burst * burstBytes;
    cursor.burst += 1;
    return address;
  }
}

function burstsOf(runs: readonly number[], burstBytes: number): number {
  let [count, last] = [0, -1];
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const first = Math.floor((runs[i] ?? 0) / burstBytes);
    const end = Math.floor(((runs[i + 1] ?? 0) - 1) / burstBytes);
    count += end - first + (first === last ? 0 : 1);
    last = end;
  }
  return count;
}
