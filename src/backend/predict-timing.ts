/**
 * How long a schedule takes, estimated from the plan and the chip alone. The simulator times the commands themselves; this is
 * what a report can say without running them. Both take the machine to be the one that src/simulator/timing.ts describes:
 * queues side by side, one DRAM interface, bursts, barriers between layers and between blocks.
 *
 *   unit    |--whole loads--|==== longest queue ====|--one round of the others--|--spill--|
 *
 * A unit is a layer, or a block, whose time its layers share by the work that they do.
 */

import type { ColumnRange } from '../schedule/block-tiles.js';
import { computeWork } from '../schedule/compute-work.js';
import { asStreamed, isGathered, type Operand } from '../schedule/layer.js';
import { type Schedule, type ScheduledBlock, type ScheduledLayer, streamedChunks } from '../schedule/schedule.js';
import { channelsPerPass, columnTiles, residentChannels, stripeCount, tilingTraffic } from '../schedule/tiling.js';
import type { Chip } from '../target/chip.js';

export interface LayerTiming {
  readonly cycles: number;
  readonly computeCycles: number;
  readonly dramCycles: number; // the DRAM interface at work
  readonly macs: number;
}

export interface PredictedTiming {
  readonly layers: readonly LayerTiming[]; // of one frame
  readonly cycles: number; // of one frame, code not counted
}

/** What a queue has to do: commands, and bytes with every run rounded up to whole bursts. */
interface Transfers {
  readonly commands: number;
  readonly occupiedBytes: number;
}

const NOTHING: Transfers = { commands: 0, occupiedBytes: 0 };

export function predictTiming(schedule: Schedule, chip: Chip): PredictedTiming {
  const layers: LayerTiming[] = [];
  for (let step = 0; step < schedule.layers.length; ) {
    const scheduled = schedule.layers[step];
    if (scheduled === undefined) break;
    const block = schedule.blocks[scheduled.block ?? -1];
    if (block === undefined) layers.push(layerTiming(schedule, scheduled, step, chip));
    else layers.push(...blockTiming(schedule, block, chip));
    step = layers.length;
  }
  return { layers, cycles: layers.reduce((total, layer) => total + layer.cycles, 0) };
}

function sum(list: readonly Transfers[]): Transfers {
  return {
    commands: list.reduce((total, one) => total + one.commands, 0),
    occupiedBytes: list.reduce((total, one) => total + one.occupiedBytes, 0),
  };
}

/** @param runBytes of consecutive DRAM bytes at a time */
function transfers(commands: number, bytes: number, runBytes: number, chip: Chip): Transfers {
  if (bytes <= 0) return NOTHING;
  const run = Math.max(1, Math.min(runBytes, bytes));
  const { burstBytes } = chip.dram;
  return { commands, occupiedBytes: (bytes / run) * Math.ceil(run / burstBytes) * burstBytes };
}

function bytesPerCycle(chip: Chip): number {
  return chip.dram.bytesPerSecond / chip.clockHz;
}

function cyclesOf({ commands, occupiedBytes }: Transfers, chip: Chip): number {
  return commands * (chip.dma.setupCycles + chip.dram.latencyCycles) + occupiedBytes / bytesPerCycle(chip);
}

/** A unit whose rounds overlap as far as its buffers allow. */
interface Unit {
  readonly before: Transfers; // compute waits for all of it
  readonly reads: Transfers;
  readonly writes: Transfers;
  readonly after: Transfers;
  readonly computeCycles: number;
  readonly rounds: number;
  readonly isOverlapped: boolean;
}

function unitCycles(unit: Unit, chip: Chip): { cycles: number; dramCycles: number } {
  const [reads, writes] = [cyclesOf(unit.reads, chip), cyclesOf(unit.writes, chip)];
  const interfaceCycles = (unit.reads.occupiedBytes + unit.writes.occupiedBytes) / bytesPerCycle(chip);
  const parts = [unit.computeCycles, reads, writes];
  const longest = Math.max(...parts, interfaceCycles);
  const all = parts.reduce((a, b) => a + b, 0);
  const rounds = Math.max(1, unit.rounds);
  const middle = unit.isOverlapped ? longest + Math.max(0, all - longest) / rounds : all;
  const ends = cyclesOf(unit.before, chip) + cyclesOf(unit.after, chip);
  const endBytes = unit.before.occupiedBytes + unit.after.occupiedBytes;
  return { cycles: Math.ceil(middle + ends), dramCycles: Math.ceil(interfaceCycles + endBytes / bytesPerCycle(chip)) };
}

function layerTiming(schedule: Schedule, scheduled: ScheduledLayer, step: number, chip: Chip): LayerTiming {
  const { layer, tiling } = scheduled;
  const resident = residentChannels(layer, scheduled.residentBytes);
  const chunks = streamedChunks(scheduled);
  const passes = tiling.outer === 'channels' ? Math.max(1, chunks) : 1;
  const rounds = stripeCount(layer, tiling) * columnTiles(layer, tiling).length * passes;
  const runs = tiling.outer === 'rows' ? Math.max(1, chunks + (resident > 0 && chunks > 0 ? 1 : 0)) : 1;
  const inChunks = chunks > 0 ? { count: chunks, channels: tiling.chunkChannels } : undefined;
  const compute = computeWork(layer, tiling.outer === 'rows' ? rounds : rounds / passes, resident, inChunks, chip);
  const weights = streamedWeights(scheduled, chunks, chip);
  // Passes over the rows begin with their chunk of weights, and each one fills the pipeline anew.
  const isByPasses = passes > 1 && rounds > passes;
  const before = wholeLoads(schedule, scheduled, chip);
  const unit: Unit = {
    before: isByPasses ? sum([before, weights]) : before,
    reads: sum([streamedReads(scheduled, rounds, chip), ...(isByPasses ? [] : [weights])]),
    writes: streamedWrites(scheduled, rounds, chip),
    after: spills(schedule, step, step, chip),
    computeCycles: compute.cycles,
    rounds: isByPasses ? rounds / passes : passes > 1 ? 1 : rounds * runs,
    isOverlapped: tiling.depth === 2,
  };
  return { ...unitCycles(unit, chip), computeCycles: Math.ceil(compute.cycles), macs: compute.macs };
}

/** Reloaded tensors, held weights, tables. */
function wholeLoads(schedule: Schedule, scheduled: ScheduledLayer, chip: Chip): Transfers {
  const { layer, tiling, residentBytes } = scheduled;
  const { totalBytes, headerBytes } = layer.weights;
  const held = tiling.weights === 'held' ? Math.max(0, totalBytes - residentBytes) : 0;
  const tables = tiling.weights === 'streamed' && residentBytes === 0 ? headerBytes : 0;
  const reloads = scheduled.reloads.map((root) => schedule.roots.get(root)?.sizeBytes ?? 0);
  return sum([...reloads, held, tables].map((bytes) => transfers(1, bytes, bytes, chip)));
}

function streamedReads(scheduled: ScheduledLayer, rounds: number, chip: Chip): Transfers {
  const { layer, tiling } = scheduled;
  const { operandReadBytes } = tilingTraffic(layer, tiling);
  return sum(
    layer.operands.map((operand, i) =>
      transfers(rounds, operandReadBytes[i] ?? 0, operandRunBytes(scheduled, operand), chip),
    ),
  );
}

function streamedWeights({ layer, tiling, residentBytes }: ScheduledLayer, chunks: number, chip: Chip): Transfers {
  if (tiling.weights !== 'streamed') return NOTHING;
  const { weightPasses } = tilingTraffic(layer, tiling);
  const rest = Math.max(0, layer.weights.totalBytes - Math.max(residentBytes, layer.weights.headerBytes));
  return transfers(chunks * weightPasses, rest * weightPasses, tiling.chunkChannels * layer.weights.recordBytes, chip);
}

/** Consecutive DRAM bytes that one command reads of an operand: all its rows, a row, or a pixel. */
function operandRunBytes({ layer, tiling }: ScheduledLayer, raw: Operand): number {
  const operand = asStreamed(raw, layer.output);
  const isSliced = raw.role === 'residual' && tiling.outer === 'channels';
  const pixelBytes = (isSliced ? tiling.chunkChannels : operand.c) * operand.elementBytes;
  if (isGathered(raw) || pixelBytes !== operand.pixelPitchBytes) return pixelBytes;
  const isWhole = tiling.tileColumns >= layer.output.w;
  const columns = isWhole ? operand.w : tiling.tileColumns * operand.columns.stride;
  return columns * pixelBytes * (isWhole ? tiling.stripeRows * operand.rows.stride : 1);
}

function streamedWrites({ layer, tiling }: ScheduledLayer, rounds: number, chip: Chip): Transfers {
  const bytes = tilingTraffic(layer, tiling).outputWriteBytes;
  const pixelBytes = channelsPerPass(layer, tiling) * layer.output.elementBytes;
  const isWhole = tiling.tileColumns >= layer.output.w;
  const rowBytes = Math.min(tiling.tileColumns, layer.output.w) * pixelBytes;
  const run = pixelBytes !== layer.output.pixelPitchBytes ? pixelBytes : rowBytes * (isWhole ? tiling.stripeRows : 1);
  return transfers(rounds, bytes, run, chip);
}

/** Tensors that were completed in SRAM between two steps and have a DRAM copy; what left SRAM in part and returns. */
function spills(schedule: Schedule, first: number, last: number, chip: Chip): Transfers {
  const list: Transfers[] = [];
  for (const eviction of schedule.evictions) {
    if (eviction.first !== first) continue;
    const bytes = (schedule.roots.get(eviction.root)?.sizeBytes ?? 0) - eviction.keptBytes;
    list.push(transfers(1, bytes, bytes, chip), transfers(1, bytes, bytes, chip));
  }
  for (const root of schedule.roots.values()) {
    if (!root.isSpilled || root.lastWrite < first || root.lastWrite > last) continue;
    list.push(transfers(1, root.sizeBytes, root.sizeBytes, chip));
  }
  return sum(list);
}

function blockTiming(schedule: Schedule, block: ScheduledBlock, chip: Chip): LayerTiming[] {
  const { plan } = block;
  const pieces = plan.iterations * (plan.pieces?.pieces ?? 1) * plan.tiles.length;
  const widthOf = (columns: ColumnRange | undefined): number =>
    columns === undefined ? 0 : columns.end - columns.start;
  const work = plan.layers.map(({ step, firstRow, rowsPerIteration, againRows }) => {
    const scheduled = schedule.layers[step];
    if (scheduled === undefined) return { cycles: 0, macs: 0 };
    const { layer } = scheduled;
    const resident = residentChannels(layer, scheduled.residentBytes);
    const rest = layer.weights.channels - resident;
    const streamed = plan.chunks.find((chunks) => chunks.step === step);
    const inChunks =
      streamed !== undefined
        ? { count: streamed.chunks, channels: streamed.chunkChannels }
        : rest > 0
          ? { count: 1, channels: rest }
          : undefined;
    const columns = plan.pieces?.layers.get(step);
    const commands =
      plan.tiles.length *
      roundsWithWork(firstRow - againRows, rowsPerIteration, rowsPerIteration + againRows, layer.output.h) *
      (columns === undefined ? 1 : roundsWithWork(columns.first, columns.perPiece, columns.perPiece, layer.output.w));
    const whole = computeWork(layer, commands, resident, inChunks, chip);
    // Halo columns are computed by two tiles, halo rows by two stripes where they are made again.
    const made = plan.tiles.reduce((total, tile) => total + widthOf(tile.layerColumns.get(step)), 0);
    const rows = 1 + againRows / rowsPerIteration;
    return { cycles: (whole.cycles * made * rows) / layer.output.w, macs: whole.macs };
  });
  const held = plan.layers.map(({ step }) => {
    const scheduled = schedule.layers[step];
    if (scheduled === undefined) return 0;
    const { headerBytes, totalBytes } = scheduled.layer.weights;
    return plan.streamedWeightBytes.has(step) ? headerBytes : totalBytes - scheduled.residentBytes;
  });
  const inChunks = plan.chunks.map(({ step, chunks, chunkBytes }) =>
    transfers(chunks * pieces, plan.streamedWeightBytes.get(step) ?? 0, chunkBytes, chip),
  );
  const reloads = block.reloads.map((root) => schedule.roots.get(root)?.sizeBytes ?? 0);
  const rings = (role: 'input' | 'output', bytesOf: ReadonlyMap<unknown, number>): Transfers =>
    sum(
      block.rings
        .filter((ring) => ring.role === role)
        .map((ring) => transfers(pieces, bytesOf.get(ring.root) ?? 0, ring.rowBytes, chip)),
    );
  const computeCycles = work.reduce((total, one) => total + one.cycles, 0);
  const { cycles, dramCycles } = unitCycles(
    {
      before: sum([...reloads, ...held].map((bytes) => transfers(1, bytes, bytes, chip))),
      reads: sum([rings('input', plan.inputReadBytes), ...inChunks]),
      writes: rings('output', plan.outputWriteBytes),
      after: spills(schedule, plan.first, plan.last, chip),
      computeCycles,
      rounds: pieces,
      isOverlapped: true,
    },
    chip,
  );
  const share = (own: number): number => (computeCycles === 0 ? 1 / Math.max(1, work.length) : own / computeCycles);
  return work.map((one) => ({
    cycles: Math.ceil(cycles * share(one.cycles)),
    computeCycles: Math.ceil(one.cycles),
    dramCycles: Math.ceil(dramCycles * share(one.cycles)),
    macs: one.macs,
  }));
}

/** Of the ranges [first + i * step, ... + length), how many reach into [0, limit): the others are the ramps, and take no time. */
function roundsWithWork(first: number, step: number, length: number, limit: number): number {
  const begin = Math.max(0, Math.floor((-first - length) / step) + 1);
  return Math.max(1, Math.ceil((limit - first) / step) - begin);
}
