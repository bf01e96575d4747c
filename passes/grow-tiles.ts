/**
 * Uses the SRAM that placement left free at a step to run the layer in fewer, larger pieces: taller stripes, larger chunks of
 * weights, double buffers. Placement asks for the least room that a traffic needs; this spends the rest on time.
 *
 * Traffic never changes: a layer whose weights are read once a stripe keeps its stripes.
 */
import {
  retiled,
  type Schedule,
  type ScheduledBlock,
  type ScheduledLayer,
  workspaceBytes,
} from '../src/schedule/schedule.js';
import { isStreaming, type Tiling, tilingTraffic } from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';
import { growBlock } from './grow-blocks.js';

/**
 * @param share of the free bytes that may be used, 0 to 1: packing needs some air where every step is full
 * @param leavesRoomAhead chunks of weights stop growing where that gains nothing but what loads ahead could use
 */
export function growTiles(schedule: Schedule, share: number, chip: Chip, leavesRoomAhead = false): Schedule {
  const loadBytes = [...schedule.loadBytes];
  const layers = schedule.layers.map((scheduled, t) => {
    const free = Math.floor((schedule.capacityBytes - (loadBytes[t] ?? 0)) * share);
    const grown = growLayer(schedule, scheduled, free, leavesRoomAhead ? chip : undefined);
    loadBytes[t] = (loadBytes[t] ?? 0) + workspaceBytes(grown) - workspaceBytes(scheduled);
    return grown;
  });
  const blocks = schedule.blocks.map((block) => growBlock(schedule, block, loadBytes, share, chip));
  return {
    ...schedule,
    layers: layers.map((scheduled, t) => inBlock(scheduled, blocks[scheduled.block ?? -1], t)),
    blocks,
    loadBytes,
  };
}

/** The tiling of a layer in a block says what the block does. */
function inBlock(scheduled: ScheduledLayer, block: ScheduledBlock | undefined, t: number): ScheduledLayer {
  const plan = block?.plan.layers.find((candidate) => candidate.step === t);
  if (block === undefined || plan === undefined) return scheduled;
  return {
    ...scheduled,
    tiling: { ...scheduled.tiling, stripeRows: plan.rowsPerIteration, depth: block.plan.form.depth },
  };
}

function growLayer(
  schedule: Schedule,
  scheduled: ScheduledLayer,
  freeBytes: number,
  chip: Chip | undefined,
): ScheduledLayer {
  if (scheduled.block !== undefined || freeBytes <= 0 || scheduled.layer.kind === 'transpose') return scheduled;
  const room = workspaceBytes(scheduled) + freeBytes;
  const before = JSON.stringify(tilingTraffic(scheduled.layer, scheduled.tiling));
  for (const tiling of largerTilings(scheduled, chip)) {
    if (JSON.stringify(tilingTraffic(scheduled.layer, tiling)) !== before) continue;
    const grown = retiled(scheduled, tiling, scheduled.residentBytes, schedule.alignmentBytes);
    if (workspaceBytes(grown) <= room) return grown;
  }
  return scheduled;
}

/** Larger versions of the tiling, the largest first; a quarter of the layer at a time still overlaps loads with work. */
function* largerTilings({ layer, tiling }: ScheduledLayer, chip: Chip | undefined): Generator<Tiling> {
  const scale = Math.max(...layer.operands.map((operand) => operand.rows.scale), 1);
  const stripes = isStreaming(tiling) ? sizesFrom(layer.output.h, tiling.stripeRows, scale) : [tiling.stripeRows];
  const chunks =
    tiling.weights === 'streamed' && tiling.outer === 'rows'
      ? sizesFrom(layer.weights.channels, tiling.chunkChannels, 1).filter(
          (channels) =>
            chip === undefined ||
            channels <= Math.max(tiling.chunkChannels, chip.mac.columns) ||
            channels * layer.weights.recordBytes <= enoughChunkBytes(chip),
        )
      : [tiling.chunkChannels];
  for (const depth of tiling.depth === 2 ? ([2] as const) : ([2, 1] as const)) {
    for (const stripeRows of stripes) {
      for (const chunkChannels of chunks) yield { ...tiling, depth, stripeRows, chunkChannels };
    }
  }
}

/** Setting up the transfer of a chunk of so many bytes is a few percent of it: the room of larger ones is better for what comes next. */
function enoughChunkBytes({ dma, dram, clockHz }: Chip): number {
  return (32 * (dma.setupCycles + dram.latencyCycles) * dram.bytesPerSecond) / clockHz;
}

/** total/4, total/8 ... down to `least`, in multiples of the granule. */
function sizesFrom(total: number, least: number, granule: number): number[] {
  const sizes: number[] = [];
  for (let parts = 4; parts <= total; parts *= 2) {
    const size = Math.ceil(total / parts / granule) * granule;
    if (size > least) sizes.push(size);
  }
  return [...sizes, least];
}
