/**
 * How long a schedule takes, estimated layer by layer from the plan and the chip alone. The simulator times the commands
 * themselves; this is what a report can say without running them. Both take the machine to be the one that
 * src/simulator/timing.ts describes: queues side by side, one DRAM interface, barriers between layers.
 *
 *   layer   |--whole loads--|==== max(compute, DMA) ====|--first stripe in, last stripe out--|
 */
import { asStreamed, type Layer } from '../schedule/layer.js';
import type { Schedule, ScheduledLayer } from '../schedule/schedule.js';
import { chunkCount, columnTiles, residentChannels, stripeCount, tilingTraffic } from '../schedule/tiling.js';
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

export function predictTiming(schedule: Schedule, chip: Chip): PredictedTiming {
  const layers = schedule.layers.map((scheduled, step) => layerTiming(schedule, scheduled, step, chip));
  return { layers, cycles: layers.reduce((total, layer) => total + layer.cycles, 0) };
}

/** What runs before, beside and after the compute of a layer, in DMA commands and bytes. */
interface Transfers {
  readonly commands: number;
  readonly bytes: number;
}

function layerTiming(schedule: Schedule, scheduled: ScheduledLayer, step: number, chip: Chip): LayerTiming {
  const { layer, tiling } = scheduled;
  const bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  const cyclesOf = ({ commands, bytes }: Transfers): number =>
    commands * (chip.dma.setupCycles + chip.dram.latencyCycles) + bytes / bytesPerCycle;
  const stripes = stripeCount(layer, tiling) * columnTiles(layer, tiling).length;
  const chunks = chunkCount(layer, tiling, residentChannels(layer, scheduled.residentBytes));
  const passes = tiling.outer === 'channels' ? Math.max(1, chunks) : 1;
  const before = wholeLoads(schedule, scheduled);
  const reads = streamedReads(scheduled, stripes * passes, chunks);
  const writes = streamedWrites(scheduled, stripes * passes);
  const after = spill(schedule, scheduled, step);
  const pieces = stripes * passes * (tiling.outer === 'rows' ? Math.max(1, chunks) : 1);
  const compute = computeWork(layer, pieces, chip);
  const dram = cyclesOf({ commands: 0, bytes: reads.bytes + writes.bytes });
  const busy = Math.max(compute.cycles, cyclesOf(reads), cyclesOf(writes), dram);
  const serial = tiling.depth === 1 ? compute.cycles + cyclesOf(reads) + cyclesOf(writes) : busy;
  const rounds = Math.max(1, stripes * passes);
  const fill = tiling.depth === 1 ? 0 : (cyclesOf(reads) + cyclesOf(writes)) / rounds;
  const cycles = cyclesOf(before) + serial + fill + cyclesOf(after);
  const bytes = before.bytes + reads.bytes + writes.bytes + after.bytes;
  return {
    cycles: Math.ceil(cycles),
    computeCycles: Math.ceil(compute.cycles),
    dramCycles: Math.ceil(bytes / bytesPerCycle),
    macs: compute.macs,
  };
}

/** Reloaded tensors, held weights, tables: compute waits for all of them. */
function wholeLoads(schedule: Schedule, scheduled: ScheduledLayer): Transfers {
  const { layer, tiling, residentBytes } = scheduled;
  const { totalBytes, headerBytes } = layer.weights;
  const held = tiling.weights === 'held' ? Math.max(0, totalBytes - residentBytes) : 0;
  const tables = tiling.weights === 'streamed' && residentBytes === 0 ? headerBytes : 0;
  const reloads = scheduled.reloads.map((root) => schedule.roots.get(root)?.sizeBytes ?? 0);
  const all = [...reloads, held, tables].filter((bytes) => bytes > 0);
  return { commands: all.length, bytes: all.reduce((a, b) => a + b, 0) };
}

function streamedReads(scheduled: ScheduledLayer, rounds: number, chunks: number): Transfers {
  const { layer, tiling, residentBytes } = scheduled;
  const traffic = tilingTraffic(layer, tiling);
  const operands = traffic.operandReadBytes.filter((bytes) => bytes > 0);
  const rest = layer.weights.totalBytes - Math.max(residentBytes, layer.weights.headerBytes);
  const weights = tiling.weights === 'streamed' ? Math.max(0, rest) * traffic.weightPasses : 0;
  const weightCommands = tiling.outer === 'rows' ? chunks * traffic.weightPasses : chunks;
  return {
    commands: operands.length * rounds + (weights > 0 ? weightCommands : 0),
    bytes: operands.reduce((a, b) => a + b, 0) + weights,
  };
}

function streamedWrites(scheduled: ScheduledLayer, rounds: number): Transfers {
  const bytes = tilingTraffic(scheduled.layer, scheduled.tiling).outputWriteBytes;
  return { commands: bytes > 0 ? rounds : 0, bytes };
}

function spill(schedule: Schedule, scheduled: ScheduledLayer, step: number): Transfers {
  const root = schedule.roots.get(scheduled.layer.output.root);
  return root?.isSpilled && root.lastWrite === step
    ? { commands: 1, bytes: root.sizeBytes }
    : { commands: 0, bytes: 0 };
}

/** @param pieces commands that the layer's compute is cut into: each fills and drains the MAC array once */
function computeWork(layer: Layer, pieces: number, chip: Chip): { cycles: number; macs: number } {
  const { output, op } = layer;
  const pixels = output.h * output.w;
  const elements = pixels * output.c;
  const { lanes } = chip.vector;
  if (layer.kind === 'pool') {
    const taps = op.kind === 'maxPool' || op.kind === 'avgPool' ? op.window.kernel[0] * op.window.kernel[1] : 1;
    return { cycles: (elements * taps) / lanes, macs: 0 };
  }
  if (layer.kind === 'softmax' || layer.kind === 'lrn') return { cycles: (3 * elements) / lanes, macs: 0 };
  if (layer.kind !== 'conv') return { cycles: elements / lanes, macs: 0 };
  const groups = op.kind === 'conv2d' ? op.groups : 1;
  const taps = op.kind === 'conv2d' ? op.window.kernel[0] * op.window.kernel[1] : 1;
  const [main] = layer.operands;
  const inputChannels = main === undefined ? 1 : channelsOf(layer) / groups;
  const macs = elements * taps * inputChannels;
  if (groups > 1 && inputChannels === 1) return { cycles: macs / lanes, macs };
  const columns = output.c / groups;
  const rounds = groups * Math.ceil(inputChannels / chip.mac.rows) * Math.ceil(columns / chip.mac.columns);
  return { cycles: pixels * taps * rounds + pieces * (chip.mac.rows + chip.mac.columns), macs };
}

/** A dense layer takes its whole input as channels. */
function channelsOf(layer: Layer): number {
  const [main] = layer.operands;
  if (main === undefined) return 1;
  const seen = asStreamed(main, layer.output);
  return layer.op.kind === 'dense' ? seen.h * seen.w * seen.c : seen.c;
}
