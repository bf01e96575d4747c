/**
 * How long a transfer keeps the DRAM interface, in closed form. Every run of consecutive bytes takes whole bursts. Pages are
 * opened side by side in the banks, ahead of the data: what costs time is only how fast they can be opened. docs/timing.md.
 */
import type { Traffic } from './accesses.js';
import type { ChipNumbers } from './timing.js';

export class DramInterface {
  readonly bytesPerCycle: number;
  /** Cycles from a page that is opened to the next one. */
  readonly pageCycles: number;
  /** Share of the time that is left for data while reads and writes take turns. */
  readonly sharedEfficiency: number;
  private readonly burstCycles: number;

  constructor({ dram, clockHz }: ChipNumbers) {
    this.bytesPerCycle = dram.bytesPerSecond / clockHz;
    this.burstCycles = dram.burstBytes / this.bytesPerCycle;
    this.pageCycles = Math.max(dram.activateCycles ?? 0, (dram.rowCycleCycles ?? 0) / (dram.banks ?? 1));
    const turnCycles = (dram.turnaroundBytes ?? dram.burstBytes) / this.bytesPerCycle;
    this.sharedEfficiency = turnCycles / (turnCycles + (dram.turnaroundCycles ?? 0));
  }

  /** With the interface for itself, from the first data to the last. */
  cycles({ bursts, pages }: Pick<Traffic, 'bursts' | 'pages'>): number {
    return Math.max(bursts * this.burstCycles, pages * this.pageCycles);
  }
}
