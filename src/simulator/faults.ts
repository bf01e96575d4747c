import type { SectionName } from '../commands/check.js';

/**
 * - unwritten: bytes are read that nothing has written
 * - stale: the bytes belong to another row, tile or chunk than the one that is read
 * - race: two queues touch the same bytes, one of them writing, and nothing orders them
 * - overlap: a command reads bytes that it also writes, at other positions
 * - out-of-range: outside of SRAM or DRAM, or DRAM that belongs to no region, or is constant and is written
 * - misaligned: a float32 or int32 at an address that is not a multiple of four
 * - deadlock: a command waits for a semaphore that nothing will raise
 * - illegal: a field has a value that means nothing
 * - runaway: more commands than any schedule has
 */
export type FaultKind =
  | 'unwritten'
  | 'stale'
  | 'race'
  | 'overlap'
  | 'out-of-range'
  | 'misaligned'
  | 'deadlock'
  | 'illegal'
  | 'runaway';

export interface Fault {
  readonly kind: FaultKind;
  readonly section: SectionName;
  readonly command: number; // index in its section
  readonly queue: 'load' | 'compute' | 'store' | 'processor';
  readonly op: string;
  readonly message: string;
  readonly memory?: 'SRAM' | 'DRAM';
  readonly address?: number;
  readonly region?: string; // of DRAM, by the manifest
}

/** Faults that are kept; a broken schedule has the same one thousands of times. */
export const MAX_KEPT_FAULTS = 100;

/** After so many the run is stopped: what follows would only repeat it. */
export const MAX_FAULTS = 1000;

export class FaultLog {
  readonly kept: Fault[] = [];
  count = 0;

  add(fault: Fault): void {
    this.count += 1;
    if (this.kept.length < MAX_KEPT_FAULTS) this.kept.push(fault);
  }

  get isFull(): boolean {
    return this.count >= MAX_FAULTS;
  }
}
