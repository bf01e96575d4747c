/** Whoever wants to know what happens while a program is simulated: traces for other tools. */
import type { SectionName } from '../commands/check.js';
import type { QueueId } from './judge.js';
import type { CodeLine } from './sequencer.js';

/** A command of a queue at work. Times are cycles since the section began. */
export interface ObservedCommand {
  readonly line: CodeLine;
  readonly queue: QueueId;
  readonly start: number;
  /** That cross the DRAM interface. */
  readonly bytes: number;
  readonly macs: number;
  /** Start and end of every run of DRAM bytes, one after the other, in the order in which they are moved. */
  readonly runs: readonly number[];
}

export interface Observer {
  /** From here on times are those of this section, which begins so many cycles after the first one that is looked at. */
  begins?(section: SectionName, at: number): void;
  /** Code at these DRAM addresses has arrived in the FIFO. Is told ahead of the commands' own times. */
  fetched?(start: number, end: number, time: number): void;
  /** Bytes of SRAM that the command which begins at this time touches. */
  touched?(start: number, end: number, isWrite: boolean, time: number): void;
  /** Over [from, to) a transfer has got on until this share of it, 0 to 1, was done. Intervals come in the order of time. */
  moved?(transfer: ObservedCommand, from: number, to: number, done: number): void;
  /** What `moved` told of [from, to) is complete: intervals of different queues lie side by side. */
  passed?(time: number): void;
  completed?(command: ObservedCommand, end: number): void;
}
