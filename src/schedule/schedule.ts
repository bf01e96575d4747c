/** The finished plan: what runs how, where every buffer is and when. Made by the schedule passes, read by the back end. */
import type { SourceLoc } from '../base/diagnostic.js';
import type { Program, TensorId } from '../ir/types.js';
import type { BlockChunks, BlockPlan, BlockRing, BlockSums } from './block.js';
import type { BlockShape } from './block-shape.js';
import type { Layer } from './layer.js';
import { chunkCount, residentChannels, type Tiling, type WorkspaceBuffer, workspaceBuffers } from './tiling.js';

/** Steps [startStep, endStep) of a root tensor in SRAM. */
export interface Stay {
  readonly startStep: number;
  readonly endStep: number;
  readonly origin: 'produced' | 'reloaded' | 'carried'; // from the period before
  readonly sramOffsetBytes: number; // -1 before assign-addresses
}

/** A tensor with storage of its own, and where it is over time. */
export interface ScheduledRoot {
  readonly root: TensorId;
  readonly name: string;
  readonly loc: SourceLoc;
  readonly sizeBytes: number; // of one frame
  readonly frameStrideBytes: number; // in SRAM, from a frame to the next
  /** state: what a state is read from, and what its next value is written to; the two have one place. */
  readonly role: 'input' | 'output' | 'activation' | 'constant' | 'state';
  readonly stays: readonly Stay[];
  readonly inDram: boolean; // has a place in DRAM
  readonly isSpilled: boolean; // produced in SRAM and copied to DRAM when complete
  readonly firstWrite: number; // -1 for a model input
  readonly lastWrite: number;
  readonly overwrites?: TensorId; // root whose memory it takes over when it is produced
  readonly reads: readonly number[];
}

export interface ScheduledBuffer extends WorkspaceBuffer {
  readonly sramOffsetBytes: number; // -1 before assign-addresses
}

export interface ScheduledLayer {
  readonly layer: Layer;
  readonly tiling: Tiling;
  readonly residentBytes: number; // prefix of its constants that stays in SRAM for ever
  readonly residentOffsetBytes: number; // -1 before assign-addresses; only with residentBytes > 0
  readonly workspace: readonly ScheduledBuffer[];
  readonly reloads: readonly TensorId[]; // roots loaded whole before the layer starts
  /** Index of the block that the layer runs in; its tiling, workspace and reloads are then the block's. */
  readonly block?: number;
}

/** A layer by itself in another tiling, with so many resident bytes, and the buffers that it needs then, without places. */
export function retiled(
  scheduled: ScheduledLayer,
  tiling: Tiling,
  residentBytes: number,
  alignmentBytes: number,
): ScheduledLayer {
  const workspace = workspaceBuffers(scheduled.layer, tiling, alignmentBytes, residentBytes);
  return {
    ...scheduled,
    tiling,
    residentBytes,
    workspace: workspace.map((buffer) => ({ ...buffer, sramOffsetBytes: -1 })),
  };
}

export function workspaceBytes({ workspace }: Pick<ScheduledLayer, 'workspace'>): number {
  return workspace.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

/** Chunks that the weights of a layer come in, beside what is resident. */
export function streamedChunks({ layer, tiling, residentBytes }: ScheduledLayer): number {
  return chunkCount(layer, tiling, residentChannels(layer, residentBytes));
}

/** A buffer of a block with its place. */
type Placed<Buffer> = Buffer & { readonly sramOffsetBytes: number }; // -1 before assign-addresses
export type ScheduledRing = Placed<BlockRing>;

/** Weights of one layer of a block that are loaded when the block starts: all but the resident prefix. */
export interface HeldWeights {
  readonly step: number;
  readonly sizeBytes: number; // rounded up to the alignment
  readonly sramOffsetBytes: number;
}

/** An output of a block in SRAM whose last rows are streamed out, through a ring right behind those that are kept. */
export interface BlockTail {
  readonly ring: BlockRing;
  readonly keptRows: number; // whole stripes
}

/** Layers [plan.first, plan.last] run depth-first. */
export interface ScheduledBlock {
  readonly plan: BlockPlan;
  readonly shape: BlockShape; // what other stripe heights are planned from
  readonly rings: readonly ScheduledRing[];
  readonly chunks: readonly Placed<BlockChunks>[];
  readonly sums: readonly Placed<BlockSums>[];
  readonly tails: readonly BlockTail[];
  readonly held: readonly HeldWeights[];
  readonly reloads: readonly TensorId[];
}

/** The buffers of a plan, without places. */
export function unplacedBuffers(plan: BlockPlan): Pick<ScheduledBlock, 'rings' | 'chunks' | 'sums'> {
  const unplaced = <Buffer>(buffers: readonly Buffer[]): Placed<Buffer>[] =>
    buffers.map((buffer) => ({ ...buffer, sramOffsetBytes: -1 }));
  return { rings: unplaced(plan.rings), chunks: unplaced(plan.chunks), sums: unplaced(plan.sums) };
}

/**
 * While steps [first, last] run, only the first bytes of a root are in SRAM. The rest is in DRAM: moved out before, or
 * streamed out where the steps make it, and loaded after.
 */
export interface ScheduledEviction {
  readonly first: number;
  readonly last: number; // inclusive
  readonly root: TensorId;
  readonly keptBytes: number;
}

export interface PlacementRecord {
  readonly placement: 'ilp' | 'greedy' | 'none';
  readonly solver: string;
  readonly status: string;
  readonly seconds: number;
  readonly variables: number;
  readonly constraints: number;
  /** Proven for every schedule that the candidates can express; without code. Undefined where nothing was solved. */
  readonly boundBytes: number | undefined;
  readonly plannedTrafficBytes: number; // without code
  readonly order?: string; // what the order of the layers aims at
  /** What the placements that were tried on the way would move. */
  readonly simplerTrafficBytes?: Readonly<Partial<Record<'greedy' | 'none', number>>>;
  /** Per step: traffic that one more byte of SRAM would save there (duals of the relaxation); empty where not solved. */
  readonly sramValue: readonly number[];
  readonly time?: TimeRecord; // where a plan was looked for by time
}

/** What the ILP for time found, in cycles of its model; see solver/placement/time. */
export interface TimeRecord {
  readonly plannedCycles: number;
  readonly boundCycles: number; // proven in the model, for all that the candidates can express
  readonly status: string;
  readonly variables: number;
  readonly constraints: number;
}

export interface AllocationRecord {
  readonly heightBytes: number;
  readonly loadBytes: number;
  readonly provenOptimal: boolean;
}

/** An execution with all that is in SRAM meanwhile; see solver/placement/cuts.ts. */
export interface PlannedRun {
  readonly first: number;
  readonly last: number; // inclusive
  readonly key: string;
}

/** What a model carries from period to period: where it is read, and where its next value is written. */
export interface StatePlace {
  readonly input: TensorId;
  readonly output: TensorId;
  readonly inSram: boolean; // for ever; else in DRAM
}

/** SRAM address of a state that stays there; -1 for one that is in DRAM. */
export function stateOffsetBytes(schedule: Schedule, state: StatePlace): number {
  return state.inSram ? (schedule.roots.get(state.input)?.stays[0]?.sramOffsetBytes ?? -1) : -1;
}

/**
 * Slots of SRAM that the weights of several layers come through, chunk after chunk and layer after layer: the DMA runs ahead across
 * layers as far as there are slots.
 */
export interface WeightRing {
  readonly steps: readonly number[]; // in order; layers in place, whose weights are streamed once
  readonly slotBytes: number;
  readonly slots: number;
  readonly sramOffsetBytes: number; // -1 before assign-addresses
}

/** The steps that a ring is in SRAM in, the last one included. */
export function ringLife({ steps }: WeightRing): { readonly first: number; readonly last: number } {
  return { first: steps[0] ?? 0, last: steps.at(-1) ?? -1 };
}

/** The ring that is in SRAM at a step, whether its weights are for it or not. */
export function ringDuring({ weightRings = [] }: Schedule, step: number): WeightRing | undefined {
  return weightRings.find((ring) => ringLife(ring).first <= step && step <= ringLife(ring).last);
}

/** The ring that the weights of a step come through, and its number. */
export function weightRingAt(
  { weightRings = [] }: Schedule,
  step: number,
): { readonly ring: WeightRing; readonly index: number } | undefined {
  const index = weightRings.findIndex(({ steps }) => steps.includes(step));
  const ring = weightRings[index];
  return ring === undefined ? undefined : { ring, index };
}

/** The first step from which the tables of a step lie in SRAM: those of layers whose weights come through a ring, as long as it does. */
export function tablesStart(schedule: Schedule, step: number): number {
  const through = weightRingAt(schedule, step);
  return through === undefined ? step : ringLife(through.ring).first;
}

/** Weights that are held, loaded out of their turn: in front of the streamed loads of an earlier layer or block, or along with them. */
export interface Prefetch {
  readonly step: number; // whose weights they are
  readonly role: 'held' | 'tables'; // of their buffer
  readonly issuedAt: number; // first step of that layer or block
  readonly isSpread: boolean; // a part in every turn of its loop
}

export interface Schedule {
  readonly program: Program;
  readonly batch: number; // frames of a group: every layer or block runs for all of them before the next starts
  readonly groups: number; // groups a period, one after the other
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
  readonly layers: readonly ScheduledLayer[];
  readonly blocks: readonly ScheduledBlock[]; // in order of steps
  readonly evictions: readonly ScheduledEviction[];
  readonly roots: ReadonlyMap<TensorId, ScheduledRoot>;
  readonly residentBytes: number; // [0, residentBytes) of the SRAM
  readonly states: readonly StatePlace[];
  readonly loadBytes: readonly number[]; // per step, residents included
  readonly runs?: readonly PlannedRun[]; // in order of steps
  readonly weightRings?: readonly WeightRing[];
  readonly prefetches?: readonly Prefetch[]; // from assign-addresses on
  readonly record: PlacementRecord;
  readonly allocation?: AllocationRecord;
}
