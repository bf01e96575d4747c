/**
 * The first timing model: every command takes a time that is known when it starts, queues run side by side, and the DRAM
 * interface is one resource that serves transfers one after the other. Not modelled: SRAM bank conflicts, DRAM pages and
 * refresh, the clock cycles of the command processor.
 */
import type { Manifest } from '../commands/manifest.js';
import { at, imageTask, isEmpty, lengthOf, poolRowsTask, windowOf } from './geometry.js';
import type { Fields } from './sequencer.js';

export type ChipNumbers = Manifest['chip'];

export interface ComputeCost {
  readonly cycles: number;
  readonly macs: number;
}

/**
 * - conv: for every output pixel and tap, the input channels go through the rows of the MAC array in passes of `mac.rows`,
 *   the output channels through its columns in passes of `mac.columns`; then the array drains (rows + columns cycles).
 * - depthwise conv: one multiplication per lane of the vector unit and cycle.
 * - matmul: as a 1x1 conv whose weights are operand b.
 * - the rest: one element per lane and cycle; pooling one tap; reduce its input's elements; softmax, lrn and layerNorm as one
 *   element per lane and pass (3 passes).
 */
export function computeCost(op: string, fields: Fields, chip: ChipNumbers): ComputeCost {
  if (op === 'permute') {
    const elements = [0, 1, 2, 3].reduce((n, d) => n * Math.max(1, at(fields, `count${d}`)), 1);
    return { cycles: Math.ceil(elements / chip.vector.lanes), macs: 0 };
  }
  if (op === 'poolRows') {
    const elements = lengthOf(poolRowsTask(fields).gathered) * at(fields, 'inW') * at(fields, 'inC');
    return { cycles: Math.ceil(elements / chip.vector.lanes), macs: 0 };
  }
  const task = imageTask(fields);
  if (isEmpty(task)) return { cycles: 0, macs: 0 };
  const pixels = lengthOf(task.rows) * lengthOf(task.cols);
  const channels = lengthOf(task.channels);
  const elements = pixels * channels;
  const lanes = chip.vector.lanes;
  if (op === 'conv') return convCost(fields, pixels, channels, chip);
  if (op === 'pool') {
    const { kernelH, kernelW } = windowOf(fields);
    return { cycles: Math.ceil((elements * kernelH * kernelW) / lanes), macs: 0 };
  }
  if (op === 'matmul') {
    const macs = elements * at(fields, 'inC');
    const passesOfArray = Math.ceil(at(fields, 'inC') / chip.mac.rows) * Math.ceil(channels / chip.mac.columns);
    return { cycles: pixels * passesOfArray + chip.mac.rows + chip.mac.columns, macs };
  }
  if (op === 'recurrent') {
    const gates = (at(fields, 'mode') % 2 === 0 ? 4 : 3) * at(fields, 'hidden');
    const taps = at(fields, 'inC') + at(fields, 'hidden');
    const passesOfArray = Math.ceil(taps / chip.mac.rows) * Math.ceil(gates / chip.mac.columns);
    return { cycles: pixels * (passesOfArray + chip.mac.rows + chip.mac.columns), macs: pixels * gates * taps };
  }
  if (op === 'reduce') return { cycles: Math.ceil((pixels * at(fields, 'inC')) / lanes), macs: 0 };
  const passes = op === 'softmax' || op === 'lrn' || op === 'layerNorm' ? 3 : 1;
  return { cycles: Math.ceil((elements * passes) / lanes), macs: 0 };
}

function convCost(fields: Fields, pixels: number, channels: number, chip: ChipNumbers): ComputeCost {
  const groups = at(fields, 'groups');
  const groupIn = at(fields, 'inC') / groups;
  const groupOut = at(fields, 'outC') / groups;
  const { kernelH, kernelW } = windowOf(fields);
  const taps = kernelH * kernelW;
  const macs = pixels * channels * taps * groupIn;
  if (groupIn === 1 && groups > 1) return { cycles: Math.ceil(macs / chip.vector.lanes), macs };
  // A group's channels do not share the array with another group's.
  const usedGroups = Math.ceil(channels / groupOut);
  const columns = Math.min(channels, groupOut);
  const passes = usedGroups * Math.ceil(groupIn / chip.mac.rows) * Math.ceil(columns / chip.mac.columns);
  return { cycles: pixels * taps * passes + chip.mac.rows + chip.mac.columns, macs };
}

/** The DRAM interface. Times are cycles since the section began. */
export class DramInterface {
  private freeAt = 0;
  private readonly bytesPerCycle: number;
  busyCycles = 0;

  constructor(private readonly chip: ChipNumbers) {
    this.bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  }

  /** @returns when a transfer ends whose command starts at `start`; one without bytes only takes its set-up */
  transfer(start: number, occupiedBytes: number): number {
    const ready = start + this.chip.dma.setupCycles;
    if (occupiedBytes === 0) return ready;
    return this.occupy(ready + this.chip.dram.latencyCycles, occupiedBytes);
  }

  /** Code comes in ahead of its use, without set-up, and takes bandwidth from the rest. */
  fetchCode(time: number, bytes: number): void {
    if (bytes > 0) this.occupy(time, bytes);
  }

  private occupy(ready: number, bytes: number): number {
    const cycles = bytes / this.bytesPerCycle;
    this.busyCycles += cycles;
    this.freeAt = Math.max(ready, this.freeAt) + cycles;
    return this.freeAt;
  }
}
