/** What report.html carries besides report.json: where each buffer is, the arrows of the graph, the blocks, a simulation. */
import type { TimeBins } from '../base/time-bins.js';

export type { TimeBins };

/** For what bytes of SRAM are taken. */
export type BufferKind = 'resident' | 'weights' | 'tensor' | 'rolling' | 'staging' | 'sums';

/** A rectangle of the memory map: bytes [offsetBytes, offsetBytes + sizeBytes) of the SRAM during steps [startStep, endStep). */
export interface PlacedBuffer {
  readonly kind: BufferKind;
  readonly tensor: number; // index into report.tensors
  readonly startStep: number;
  readonly endStep: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly note: string; // what it holds of the tensor
  /** Where its load runs ahead: the place on the axis of steps, between two of them, at which it begins. */
  readonly loadedFrom?: number;
  /** Where it is written over an operand that lies at its place: the step at which that one ends. */
  readonly overUntil?: number;
  /** Where another is written over it: the step at which that one begins. */
  readonly underFrom?: number;
}

/** A tensor from the layer that makes it to one that reads it. */
export interface LayerEdge {
  readonly tensor: number; // index into report.tensors
  readonly from: number; // step; -1 where nothing of the program makes it
  readonly to: number; // step
}

/** Layers [first, last] run depth-first. */
export interface PageBlock {
  readonly first: number;
  readonly last: number; // inclusive
  readonly stripes: number;
  readonly tiles: number;
  readonly pieces: number;
}

export interface PagePlan {
  readonly programSha256: string; // of program.bin: a simulation of another program does not belong here
  readonly buffers: readonly PlacedBuffer[];
  readonly edges: readonly LayerEdge[];
  readonly blocks: readonly PageBlock[];
  /** Of the period, as the compiler predicts it from the emitted commands. */
  readonly timeline: TimeBins;
}

/** What a simulation of the program counted in one period. */
export interface PageSimulation {
  readonly cycles: number;
  readonly framesPerSecond: number;
  readonly macUtilization: number;
  readonly dramUtilization: number;
  readonly totalBytes: number; // of a period
  readonly timeline: TimeBins;
}
