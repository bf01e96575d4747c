/** What the load queue has to do, layer by layer and block by block, in its order, and about how long everything takes. */
import type { TensorId } from '../src/ir/types.js';
import { computeWork } from '../src/schedule/compute-work.js';
import {
  type Prefetch,
  type Schedule,
  type ScheduledBlock,
  type ScheduledLayer,
  streamedChunks,
  weightRingAt,
} from '../src/schedule/schedule.js';
import { columnTiles, isStreaming, stripeCount, tilingTraffic } from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';

/** A buffer that is loaded as a whole before its unit computes. */
export interface WholeLoad {
  readonly id: string;
  readonly bytes: number;
  /** Of weights, which are in DRAM from the beginning: their load may come before those of earlier units. */
  readonly constants?: Pick<Prefetch, 'step' | 'role'>;
}

/** A layer that runs by itself, or a block. */
export interface LoadUnit {
  readonly first: number; // steps, last included
  readonly last: number;
  readonly computeCycles: number;
  readonly loads: readonly WholeLoad[]; // in order
  /** Buffers that are filled again and again: their first filling can be there before. */
  readonly rings: readonly string[];
  readonly streamedBytes: number; // loaded and stored while it computes
  readonly rounds: number; // of loads that wait for computing; 0 where nothing is streamed in: the queue goes on at once
  /** Of its outermost loop, which can take along parts of other loads; 0 where it has none that could. */
  readonly turns: number;
  readonly returnBytes: number; // loaded when it is through, of what was out in part
}

/** The names of buffers as the pass that gives them addresses has them. */
export interface BufferNames {
  readonly workspace: (step: number, role: string) => string;
  readonly ring: (block: ScheduledBlock, root: TensorId) => string;
  /** Of a ring of weights, by its number. */
  readonly weights: (ring: number) => string;
  /** Of a root that is loaded as a whole before a step; undefined where its place is not its own from then on. */
  readonly reloaded: (root: TensorId, step: number) => string | undefined;
}

export function loadUnits(schedule: Schedule, names: BufferNames, chip: Chip): LoadUnit[] {
  const units: LoadUnit[] = [];
  for (let t = 0; t < schedule.layers.length; ) {
    const scheduled = schedule.layers[t];
    if (scheduled === undefined) break;
    const block = schedule.blocks[scheduled.block ?? -1];
    const unit =
      block === undefined ? layerUnit(schedule, scheduled, t, names, chip) : blockUnit(schedule, block, names, chip);
    units.push(unit);
    t = unit.last + 1;
  }
  return units;
}

function layerUnit(schedule: Schedule, scheduled: ScheduledLayer, t: number, names: BufferNames, chip: Chip): LoadUnit {
  const { layer, tiling, workspace, residentBytes, reloads } = scheduled;
  const { batch } = schedule;
  const through = weightRingAt(schedule, t);
  const loads: WholeLoad[] = [];
  const rings: string[] = [];
  for (const { role, sizeBytes } of workspace) {
    const id = names.workspace(t, role);
    if (role === 'tables' && through !== undefined) continue; // they have their places all the time
    if (role === 'held' || role === 'tables') loads.push({ id, bytes: sizeBytes, constants: { step: t, role } });
    else if (role !== 'output') rings.push(id);
  }
  if (through?.ring.steps[0] === t) rings.push(names.weights(through.index));
  const chunks = streamedChunks(scheduled);
  const traffic = tilingTraffic(layer, tiling);
  const operandBytes = traffic.operandReadBytes.reduce((sum, bytes) => sum + bytes, 0) * batch;
  const framePasses = isStreaming(tiling) ? batch : 1;
  const weightBytes =
    chunks === 0 ? 0 : traffic.weightPasses * framePasses * (layer.weights.totalBytes - residentBytes);
  // Chunks that all have their place are loaded without waiting for any of them to be used.
  const isStreamedIn = operandBytes > 0 || (weightBytes > 0 && chunks > tiling.depth);
  return {
    first: t,
    last: t,
    computeCycles: batch * computeWork(layer, 1, 0, undefined, chip).cycles,
    loads: [...loads, ...wholeReloads(schedule, reloads, t, names)],
    rings,
    streamedBytes: operandBytes + weightBytes + traffic.outputWriteBytes * batch,
    rounds: isStreamedIn ? stripeCount(layer, tiling) * Math.max(1, chunks) : barrierRounds(schedule, tiling),
    turns: batch > 1 || through !== undefined ? 0 : turnsOf(scheduled, chunks),
    returnBytes: returnedBytes(schedule, t),
  };
}

/** Of the loop over stripes, or over chunks where there is but one stripe. */
function turnsOf({ layer, tiling }: ScheduledLayer, chunks: number): number {
  if (layer.kind === 'transpose' || columnTiles(layer, tiling).length > 1 || tiling.outer === 'channels') return 0;
  return isStreaming(tiling) ? stripeCount(layer, tiling) : chunks;
}

/** The frames of a batch that is streamed are barriers to all queues. */
function barrierRounds({ batch }: Schedule, tiling: ScheduledLayer['tiling']): number {
  return batch > 1 && isStreaming(tiling) ? batch : 0;
}

function blockUnit(schedule: Schedule, block: ScheduledBlock, names: BufferNames, chip: Chip): LoadUnit {
  const { plan, held, rings, chunks, reloads } = block;
  const { batch } = schedule;
  const commands = plan.iterations * (plan.pieces?.pieces ?? 1) * plan.tiles.length;
  let computeCycles = 0;
  for (const { step } of plan.layers) {
    const layer = schedule.layers[step]?.layer;
    if (layer !== undefined) computeCycles += batch * computeWork(layer, commands, 0, undefined, chip).cycles;
  }
  const loads = held.map(({ step, sizeBytes }) => ({
    id: names.workspace(step, 'held'),
    bytes: sizeBytes,
    constants: { step, role: 'held' as const },
  }));
  const inputs = rings.filter(({ role }) => role === 'input');
  const sum = (bytes: Iterable<number>): number => [...bytes].reduce((total, one) => total + one, 0);
  const readBytes = sum(plan.inputReadBytes.values()) + sum(plan.streamedWeightBytes.values());
  return {
    first: plan.first,
    last: plan.last,
    computeCycles,
    loads: [...loads, ...wholeReloads(schedule, reloads, plan.first, names)],
    rings: [
      ...inputs.map(({ root }) => names.ring(block, root)),
      ...chunks.map(({ step }) => names.workspace(step, 'chunks')),
    ],
    streamedBytes: batch * (readBytes + sum(plan.outputWriteBytes.values())),
    rounds: readBytes > 0 || batch > 1 ? commands : 0,
    turns: batch > 1 || plan.tiles.length > 1 || block.tails.length > 0 ? 0 : plan.iterations,
    returnBytes: returnedBytes(schedule, plan.last),
  };
}

function wholeReloads(schedule: Schedule, roots: readonly TensorId[], step: number, names: BufferNames): WholeLoad[] {
  return roots.map((root) => ({
    id: names.reloaded(root, step) ?? '',
    bytes: (schedule.roots.get(root)?.sizeBytes ?? 0) * schedule.batch,
  }));
}

function returnedBytes(schedule: Schedule, last: number): number {
  return schedule.evictions
    .filter((eviction) => eviction.last === last)
    .reduce((sum, { root, keptBytes }) => sum + (schedule.roots.get(root)?.sizeBytes ?? 0) - keptBytes, 0);
}
