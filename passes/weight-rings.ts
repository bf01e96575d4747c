/**
 * Lets the weights of layers that follow each other come through one ring of slots, as large as the SRAM that all of them leave: the DMA
 * is then ahead by a ring, not by the second half of a double buffer.
 *
 *   load      | a a a b b c c c c c c ...       as far ahead as there are slots
 *   compute       | a   a   a   |b|b| c   c     each chunk frees its slot
 *
 * While layers compute for longer than their weights take to load, the ring fills; behind them, where loading takes longer, it empties.
 * Only layers that have all operands and their output in SRAM: others keep the load queue with operands of their own. Traffic stays as
 * it is.
 */
import type { Layer } from '../src/schedule/layer.js';
import {
  retiled,
  ringLife,
  type Schedule,
  type ScheduledLayer,
  streamedChunks,
  type WeightRing,
  workspaceBytes,
} from '../src/schedule/schedule.js';
import { alignUp, isCuttable, isStreaming } from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';

/** The machine has so many semaphores left for them, its last ones; the back end names them. */
export const MOST_RINGS = 5;
/** A ring of fewer is no better than the double buffers that it takes the place of. */
const LEAST_SLOTS = 2;

/** @param share of what is free that rings may take, 0 to 1: packing needs some air where every step is full */
export function withWeightRings(schedule: Schedule, share: number, chip: Chip): Schedule {
  if (share === 0) return schedule;
  const rings = runsOfMembers(schedule)
    .flatMap((steps) => ringOf(schedule, steps, share, chip) ?? [])
    .sort((a, b) => b.slots * b.slotBytes - a.slots * a.slotBytes)
    .slice(0, MOST_RINGS)
    .sort((a, b) => ringLife(a).first - ringLife(b).first);
  if (rings.length === 0) return schedule;
  const layers = [...schedule.layers];
  const loadBytes = [...schedule.loadBytes];
  for (const ring of rings) {
    for (const t of ring.steps) {
      const before = layers[t];
      if (before === undefined) continue;
      layers[t] = throughRing(schedule, before, ring.slotBytes, chip);
    }
    const { first, last } = ringLife(ring);
    for (let t = first; t <= last; t += 1) {
      const before = schedule.layers[t];
      const after = layers[t];
      if (before === undefined || after === undefined) continue;
      const own = ring.steps.includes(t) ? ownTables(after) : 0;
      const change = workspaceBytes(after) - own - workspaceBytes(before);
      loadBytes[t] = (loadBytes[t] ?? 0) + change + ring.slots * ring.slotBytes + tablesFrom(layers, ring.steps, t);
    }
  }
  return { ...schedule, layers, loadBytes, weightRings: rings };
}

/** Runs of layers by themselves with everything in SRAM, and of those the ones that have weights to load. */
function runsOfMembers({ layers }: Schedule): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  layers.forEach((scheduled, t) => {
    if (scheduled.block !== undefined || isStreaming(scheduled.tiling) || scheduled.layer.kind === 'transpose') {
      runs.push(run);
      run = [];
    } else if (isMember(scheduled)) run.push(t);
  });
  return [...runs, run].filter((steps) => steps.length > 0);
}

function isMember({ layer, tiling, residentBytes }: ScheduledLayer): boolean {
  return (
    layer.kind === 'conv' &&
    tiling.outer === 'rows' &&
    (tiling.weights === 'held' || tiling.weights === 'streamed') &&
    residentBytes < layer.weights.totalBytes
  );
}

/** The ring of some layers in what all steps from the first to the last leave free; undefined where it would gain nothing. */
function ringOf(schedule: Schedule, steps: readonly number[], share: number, chip: Chip): WeightRing | undefined {
  const { layers, alignmentBytes, capacityBytes } = schedule;
  const members = steps.flatMap((t) => layers[t] ?? []);
  const slotBytes = alignUp(Math.max(...members.map(({ layer }) => leastChunkBytes(layer, chip))), alignmentBytes);
  const through = members.map((scheduled) => throughRing(schedule, scheduled, slotBytes, chip));
  const tables = through.reduce((total, scheduled) => total + ownTables(scheduled), 0);
  let free = Number.POSITIVE_INFINITY;
  for (let t = steps[0] ?? 0; t <= (steps.at(-1) ?? -1); t += 1) {
    const index = steps.indexOf(t);
    const [before, after] = [members[index], through[index]];
    const freed =
      before === undefined || after === undefined
        ? 0
        : workspaceBytes(before) - workspaceBytes(after) + ownTables(after);
    free = Math.min(free, capacityBytes - (schedule.loadBytes[t] ?? 0) + freed);
  }
  const chunks = through.reduce((total, one) => total + streamedChunks(one), 0);
  const slots = Math.min(chunks, Math.floor((Math.floor(free * share) - tables) / slotBytes));
  return slots < LEAST_SLOTS ? undefined : { steps, slotBytes, slots, sramOffsetBytes: -1 };
}

/** The layer with its weights in chunks of a slot at most. */
function throughRing(schedule: Schedule, scheduled: ScheduledLayer, slotBytes: number, chip: Chip): ScheduledLayer {
  const { channels, recordBytes } = scheduled.layer.weights;
  const fitting = Math.floor(slotBytes / recordBytes);
  const whole = Math.floor(fitting / chip.mac.columns) * chip.mac.columns;
  const chunkChannels = Math.min(channels, whole === 0 ? fitting : whole);
  const tiling = { ...scheduled.tiling, weights: 'streamed' as const, chunkChannels, depth: 2 as const };
  const alone = retiled(scheduled, tiling, scheduled.residentBytes, schedule.alignmentBytes);
  return { ...alone, workspace: alone.workspace.filter(({ role }) => role !== 'chunk') };
}

/** Of as many channels as the array has columns; of all of them where they cannot be cut. */
function leastChunkBytes(layer: Layer, chip: Chip): number {
  const { weights } = layer;
  return weights.recordBytes * (isCuttable(layer) ? Math.min(weights.channels, chip.mac.columns) : weights.channels);
}

function ownTables({ workspace }: ScheduledLayer): number {
  return workspace.reduce((total, { role, sizeBytes }) => total + (role === 'tables' ? sizeBytes : 0), 0);
}

/** Tables lie in SRAM from where the ring begins: a load that waited for its place would keep the ring waiting. */
function tablesFrom(layers: readonly ScheduledLayer[], steps: readonly number[], from: number): number {
  return steps.reduce((total, t) => total + (t < from || layers[t] === undefined ? 0 : ownTables(layers[t])), 0);
}
