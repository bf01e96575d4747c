/**
 * A trace in the JSON format of Chrome's tracing, which Perfetto opens: a track per queue with its commands as slices, and
 * counters of DRAM bandwidth, of multiply-accumulates and of occupied SRAM.
 *
 * Of a run of many commands, neighbours of a queue are joined two by two whenever there are more than fit: a slice then says how many it
 * stands for. Occupied is a block of SRAM from when it is written to when it is read for the last time.
 */

import type { TimeBins } from '../base/time-bins.js';
import type { SectionName } from '../commands/check.js';
import { QUEUE_NAMES } from './judge.js';
import type { ObservedCommand, Observer } from './observer.js';

const SLICES_PER_QUEUE = 1 << 16;
const BLOCK_BYTES = 4096;
const COUNTER_BINS = 512;

interface Slice {
  readonly op: string;
  readonly layer: string;
  readonly section: SectionName;
  readonly first: number; // index of the command in its section
  readonly commands: number;
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly macs: number;
}

export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M' | 'C';
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number; // microseconds
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, string | number>>;
}

export interface TracedSection {
  readonly cycles: number;
  readonly timeline: TimeBins;
}

export class PerfettoTrace implements Observer {
  private readonly slices: [Slice[], Slice[], Slice[]] = [[], [], []];
  private readonly sram: SramOccupancy;
  /** When the section at hand begins. */
  private beginning = 0;

  /** @param layers of the period's commands, where they are known */
  constructor(
    sramBytes: number,
    private readonly layers: readonly string[] | undefined,
  ) {
    this.sram = new SramOccupancy(sramBytes);
  }

  begins(section: SectionName, at: number): void {
    this.beginning = at;
    this.sram.begins(section);
  }

  touched(start: number, end: number, isWrite: boolean, time: number): void {
    this.sram.touched(start, end, isWrite, this.beginning + time);
  }

  completed({ line, queue, start: began, bytes, macs }: ObservedCommand, ended: number): void {
    const { section, index: first } = line;
    const layer = section === 'period' ? (this.layers?.[first] ?? '') : '';
    const list = this.slices[queue];
    const [start, end] = [this.beginning + began, this.beginning + ended];
    list.push({ op: line.instruction.name, layer, section, first, commands: 1, start, end, bytes, macs });
    if (list.length >= SLICES_PER_QUEUE) this.slices[queue] = joinPairs(list);
  }

  /** All events of the sections that were looked at, one after the other. */
  *events(model: string, clockHz: number, sections: readonly TracedSection[]): Generator<TraceEvent> {
    const micros = (time: number): number => Math.round((time / clockHz) * 1e9) / 1e3;
    yield { name: 'process_name', ph: 'M', pid: 1, args: { name: model } };
    for (const [queue, name] of QUEUE_NAMES.entries()) {
      yield { name: 'thread_name', ph: 'M', pid: 1, tid: queue + 1, args: { name } };
      yield { name: 'thread_sort_index', ph: 'M', pid: 1, tid: queue + 1, args: { sort_index: queue } };
    }
    for (const [queue, list] of this.slices.entries()) {
      // Commands of one queue may overlap where it has several channels; slices of one track do not.
      let free = 0;
      for (const { op, layer, section, first, commands, start, end, bytes, macs } of list) {
        const from = Math.min(end, Math.max(start, free));
        free = end;
        const name = layer === '' ? op : layer;
        const cycles = Math.round((end - start) * 1e3) / 1e3;
        const args = { op, section, command: first, commands, bytes, macs, cycles };
        const [ts, until] = [micros(from), micros(end)];
        const dur = Math.round((until - ts) * 1e3) / 1e3;
        yield { name, ph: 'X', pid: 1, tid: queue + 1, ts, dur, cat: QUEUE_NAMES[queue] ?? '', args };
      }
    }
    let cycles = 0;
    for (const section of sections) {
      const { binCycles } = section.timeline;
      const perSecond = clockHz / binCycles;
      for (const [bin, read] of section.timeline.dramReadBytes.entries()) {
        const ts = micros(cycles + bin * binCycles);
        const write = section.timeline.dramWriteBytes[bin] ?? 0;
        const args = { read: rounded(read * perSecond), write: rounded(write * perSecond) };
        yield { name: 'DRAM bytes per second', ph: 'C', pid: 1, ts, args };
        const macs = rounded((section.timeline.macs[bin] ?? 0) / binCycles);
        yield { name: 'MACs per cycle', ph: 'C', pid: 1, ts, args: { macs } };
      }
      cycles += section.cycles;
    }
    const occupied = this.sram.bins(cycles);
    for (const [bin, bytes] of occupied.entries()) {
      const ts = micros((bin * cycles) / occupied.length);
      yield { name: 'SRAM occupied bytes', ph: 'C', pid: 1, ts, args: { bytes: Math.round(bytes) } };
    }
  }
}

function rounded(value: number): number {
  return Math.round(value * 1e3) / 1e3;
}

function joinPairs(list: readonly Slice[]): Slice[] {
  const joined: Slice[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const [a, b] = [list[i], list[i + 1]];
    if (a === undefined) break;
    if (b === undefined) joined.push(a);
    else
      joined.push({
        op: a.op === b.op ? a.op : 'several',
        layer: a.layer === b.layer ? a.layer : 'several layers',
        section: a.section,
        first: a.first,
        commands: a.commands + b.commands,
        start: a.start,
        end: b.end,
        bytes: a.bytes + b.bytes,
        macs: a.macs + b.macs,
      });
  }
  return joined;
}

/** Blocks of SRAM from their first write to their last read before the next content. */
class SramOccupancy {
  private readonly since: Float64Array; // when the present content was first written, 0 before all
  private readonly lastRead: Float64Array; // of the present content; -1 while nobody has
  private readonly written: Uint8Array; // in which section: 0 before those that were looked at
  private section = 2;
  private readonly intervals: [number, number][] = [];
  private readonly blocks: number;

  constructor(bytes: number) {
    this.blocks = Math.ceil(bytes / BLOCK_BYTES);
    this.since = new Float64Array(this.blocks);
    this.lastRead = new Float64Array(this.blocks).fill(-1);
    this.written = new Uint8Array(this.blocks);
  }

  begins(section: SectionName): void {
    this.section = section === 'prologue' ? 1 : 2;
  }

  touched(start: number, end: number, isWrite: boolean, time: number): void {
    for (let block = Math.floor(start / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (!isWrite) this.lastRead[block] = time;
      else {
        const read = this.lastRead[block] ?? -1;
        if (read < 0 && this.written[block] === this.section) continue; // more of the same content
        if (read >= 0) this.close(block, read);
        this.since[block] = time;
        this.lastRead[block] = -1;
        this.written[block] = this.section;
      }
    }
  }

  /** Mean bytes in each of a number of intervals of equal length. */
  bins(cycles: number): number[] {
    for (let block = 0; block < this.blocks; block++) {
      const read = this.lastRead[block] ?? -1;
      // What is there from the prologue on and not replaced, the next period needs again.
      if (read >= 0) this.close(block, this.written[block] === 2 ? read : cycles);
      this.lastRead[block] = -1;
    }
    const sums = new Array<number>(cycles === 0 ? 0 : COUNTER_BINS).fill(0);
    const binCycles = cycles / COUNTER_BINS;
    for (const [from, to] of this.intervals) {
      const last = Math.min(COUNTER_BINS - 1, Math.floor(to / binCycles));
      for (let bin = Math.floor(from / binCycles); bin <= last; bin++) {
        const share = Math.min(to, (bin + 1) * binCycles) - Math.max(from, bin * binCycles);
        sums[bin] = (sums[bin] ?? 0) + (Math.max(0, share) * BLOCK_BYTES) / binCycles;
      }
    }
    return sums;
  }

  private close(block: number, until: number): void {
    const from = this.since[block] ?? 0;
    if (until > from) this.intervals.push([from, until]);
  }
}
