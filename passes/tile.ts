/**
 * Lists, for every layer, the ways to run it: homes of its operands and its output x how weights come in x how it is cut.
 *
 * For each combination of homes the tilings form a trade of SRAM against traffic:
 *
 *   held weights, one row at a time         room for all weights           everything is read once
 *   weights streamed, tall stripes          room for the stripes           weights are read once a stripe
 *   channels outside, rows inside           room for a chunk of weights    the input is read once a chunk
 *   narrower tiles of columns               less of each                   halo columns are read twice
 *
 * Only tilings that no other one beats in both are kept (dominance), so that the ILP stays small.
 */
import { computeWork } from '../src/schedule/compute-work.js';
import type { Layer } from '../src/schedule/layer.js';
import {
  chunkCount,
  columnTiles,
  isStreaming,
  stripeCount,
  type Tiling,
  tilingTraffic,
  workspaceBuffers,
} from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';
import { USUAL_GROWTH } from './grow-blocks.js';

export interface TileOptions {
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
  /** Try the narrowest tiles of columns too, whatever the capacity: to say what would fit. */
  readonly narrowest?: boolean;
  /** The machine, for widths of weight chunks that do not keep its MAC array waiting; absent where only bytes matter. */
  readonly chip?: Chip;
  /** Also what needs more room for the same traffic and computes less. */
  readonly isForTime?: boolean;
}

/** A tiling with what placement needs to know of it. */
export interface TilingChoice {
  readonly tiling: Tiling;
  readonly workspaceBytes: number; // without held weights
  readonly heldWeightBytes: number;
  readonly weightPasses: number;
  readonly trafficBytes: number; // activations
  readonly extraCycles: number; // see solver/placement/problem.ts; 0 where only bytes matter
}

const PASS_COUNTS = [2, 3, 4, 5, 6, 8, 12, 16, 24, 32];

/** Every undominated way to run the layer within the capacity. Cost: a few hundred tilings a layer. */
export function enumerateTilings(layer: Layer, options: TileOptions): TilingChoice[] {
  const roots = [...new Set(layer.operands.map((operand) => operand.root))];
  const all: TilingChoice[] = [];
  for (let mask = 0; mask < 1 << (roots.length + 1); mask += 1) {
    const operandsFromSram = layer.operands.map((operand) => (mask & (1 << roots.indexOf(operand.root))) !== 0);
    // A table is never in SRAM: only the rows that are used are.
    if (layer.kind === 'gather' && operandsFromSram[1] === true) continue;
    const toSram = (mask & (1 << roots.length)) !== 0;
    all.push(...undominated(tilingsFor(layer, operandsFromSram, toSram, options), options.isForTime === true));
  }
  return all;
}

function tilingsFor(
  layer: Layer,
  operandsFromSram: readonly boolean[],
  toSram: boolean,
  options: TileOptions,
): TilingChoice[] {
  const whole: Tiling = {
    operandsFromSram,
    toSram,
    weights: 'none',
    outer: 'rows',
    stripeRows: layer.output.h,
    tileColumns: layer.output.w,
    chunkChannels: layer.output.c,
    depth: 1,
  };
  if (layer.kind === 'transpose') return measure(layer, [whole], options);
  const streaming = isStreaming(whole);
  const list: Tiling[] = [];
  for (const tileColumns of streaming ? columnWidths(layer, options) : [layer.output.w]) {
    const base = {
      ...whole,
      tileColumns,
      stripeRows: streaming && layer.kind !== 'recurrent' ? leastStripe(layer) : layer.output.h,
    };
    list.push(...withWeights(layer, base, streaming, options));
  }
  return measure(layer, list, options);
}

function leastStripe(layer: Layer): number {
  return Math.min(layer.output.h, Math.max(...layer.operands.map((operand) => operand.rows.scale), 1));
}

/** The whole width, and halves of it while a single row's buffers are large against the SRAM. */
function columnWidths(layer: Layer, options: TileOptions): number[] {
  const widths = [layer.output.w];
  const scale = Math.max(...layer.operands.map((operand) => operand.columns.scale), 1);
  const probe: Tiling = {
    operandsFromSram: layer.operands.map(() => false),
    toSram: false,
    weights: 'none',
    outer: 'rows',
    stripeRows: leastStripe(layer),
    tileColumns: layer.output.w,
    chunkChannels: layer.output.c,
    depth: 1,
  };
  // Beside the rows there must be room for the tables and the least chunks of weights.
  const { headerBytes, recordBytes } = layer.weights;
  const leastWeights = headerBytes + recordBytes + 2 * options.alignmentBytes;
  const room = Math.max(0, options.capacityBytes - leastWeights);
  for (let tiles = 2; tiles <= 64; tiles *= 2) {
    const last = widths[widths.length - 1] ?? 1;
    const bytes = sum(
      workspaceBuffers(layer, { ...probe, tileColumns: last }, options.alignmentBytes, 0).map((b) => b.sizeBytes),
    );
    const width = Math.ceil(layer.output.w / tiles / scale) * scale;
    if ((options.narrowest !== true && bytes * 8 <= room) || width >= last) break;
    widths.push(width);
  }
  return widths;
}

function withWeights(layer: Layer, base: Tiling, streaming: boolean, options: TileOptions): Tiling[] {
  const { weights, output } = layer;
  if (weights.totalBytes === 0) return [base];
  const list: Tiling[] = [{ ...base, weights: 'held' }];
  if (weights.channels === 0) return list;
  const streamed = streamedIn(layer, base, options);
  const busy = options.isForTime === true ? busyArray(layer, streamed, options) : undefined;
  if (busy !== undefined) list.push({ ...busy, stripeRows: output.h });
  if (streaming) {
    const scale = leastStripe(layer);
    for (const passes of PASS_COUNTS) {
      const stripeRows = Math.ceil(output.h / passes / scale) * scale;
      if (stripeRows < output.h) list.push({ ...streamed, depth: 1, stripeRows });
      if (stripeRows < output.h && busy !== undefined) list.push({ ...busy, depth: 1, stripeRows });
    }
  }
  list.push({ ...streamed, stripeRows: output.h }); // all rows at once: weights are read once
  // In a pass of its own a chunk sees all input channels as its own: grouped convolutions are not cut that way.
  if (!streaming || (layer.op.kind === 'conv2d' && layer.op.groups > 1)) return list;
  for (const passes of PASS_COUNTS) {
    // Whole chunks only: the DMA moves a fixed number of channels a pixel.
    const chunkChannels = weights.channels / passes;
    if (Number.isInteger(chunkChannels)) list.push({ ...base, weights: 'streamed', outer: 'channels', chunkChannels });
  }
  return list;
}

/**
 * Weights in chunks as wide as the MAC array, double buffered, in at most a 32nd of the SRAM: a narrower chunk costs time in
 * proportion, a wider one costs SRAM that could hold resident weights. Narrower where loading takes longer than computing
 * even so: a dense layer uses each weight once. One record at a time where there is no room for more, or where the least
 * is asked for.
 */
function streamedIn(layer: Layer, base: Tiling, options: TileOptions): Tiling {
  const { channels } = layer.weights;
  const least: Tiling = { ...base, weights: 'streamed', chunkChannels: 1, depth: 1 };
  if (options.narrowest) return least;
  const chunkChannels = chunkChannelsFor(layer, options);
  const tiling: Tiling = { ...least, chunkChannels, depth: chunkChannels < channels ? 2 : 1 };
  const bytes = sum(workspaceBuffers(layer, tiling, options.alignmentBytes, 0).map((b) => b.sizeBytes));
  return bytes > options.capacityBytes ? least : tiling;
}

/** The tiling with chunks as wide as the array, where those it has are narrower. */
function busyArray(layer: Layer, streamed: Tiling, { chip }: TileOptions): Tiling | undefined {
  const { channels } = layer.weights;
  const chunkChannels = Math.min(channels, chip?.mac.columns ?? 0);
  return chunkChannels <= streamed.chunkChannels
    ? undefined
    : { ...streamed, chunkChannels, depth: chunkChannels < channels ? 2 : 1 };
}

/** Channels of a chunk of streamed weights; see streamedIn. */
export function chunkChannelsFor(layer: Layer, options: Pick<TileOptions, 'capacityBytes' | 'chip'>): number {
  const { recordBytes, channels } = layer.weights;
  const wanted = options.chip === undefined ? channels : busyChannels(layer, options.chip);
  return Math.max(1, Math.min(wanted, channels, Math.floor(options.capacityBytes / 64 / recordBytes)));
}

/** Channels of a chunk that takes as long to load as to compute, at most a whole pass of the array's columns. */
function busyChannels(layer: Layer, chip: Chip): number {
  const { op, output, weights } = layer;
  const window = op.kind === 'conv2d' ? op.window.kernel : [1, 1];
  const groupChannels = (layer.operands[0]?.c ?? 1) / (op.kind === 'conv2d' ? op.groups : 1);
  const passes = window[0] * window[1] * Math.ceil(groupChannels / chip.mac.rows);
  const computeCycles = output.h * output.w * passes + chip.mac.rows + chip.mac.columns;
  const recordCycles = (weights.recordBytes * chip.clockHz) / chip.dram.bytesPerSecond;
  return Math.min(chip.mac.columns, Math.ceil(computeCycles / recordCycles));
}

function measure(layer: Layer, list: readonly Tiling[], options: TileOptions): TilingChoice[] {
  const choices: TilingChoice[] = [];
  for (const tiling of list) {
    const buffers = workspaceBuffers(layer, tiling, options.alignmentBytes, 0);
    const isHeld = tiling.weights === 'held';
    const workspaceBytes =
      sum(buffers.filter((b) => b.role !== 'held').map((b) => b.sizeBytes)) + (isHeld ? options.alignmentBytes : 0);
    const heldWeightBytes = isHeld ? sum(buffers.filter((b) => b.role === 'held').map((b) => b.sizeBytes)) : 0;
    if (workspaceBytes > options.capacityBytes) continue;
    const traffic = tilingTraffic(layer, tiling);
    choices.push({
      tiling,
      workspaceBytes,
      heldWeightBytes,
      weightPasses: traffic.weightPasses,
      trafficBytes: sum(traffic.operandReadBytes) + traffic.outputWriteBytes,
      extraCycles: extraCyclesOf(layer, tiling, options),
    });
  }
  return choices;
}

function extraCyclesOf(layer: Layer, tiling: Tiling, { chip, isForTime }: TileOptions): number {
  if (chip === undefined || isForTime !== true) return 0;
  const chunks = chunkCount(layer, tiling, 0);
  const stripes = isStreaming(tiling)
    ? Math.ceil(stripeCount(layer, tiling) / USUAL_GROWTH)
    : stripeCount(layer, tiling);
  const rounds = stripes * columnTiles(layer, tiling).length;
  const inChunks = chunks > 0 ? { count: chunks, channels: tiling.chunkChannels } : undefined;
  const { cycles } = computeWork(layer, rounds, 0, inChunks, chip);
  return Math.max(0, cycles - computeWork(layer, 1, 0, undefined, chip).cycles);
}

/** Drops what another tiling beats or equals in room, weight passes and traffic; earlier ones win ties. */
function undominated(choices: readonly TilingChoice[], isForTime: boolean): TilingChoice[] {
  const cost = (choice: TilingChoice): number[] => [
    choice.workspaceBytes + choice.heldWeightBytes,
    choice.weightPasses,
    choice.trafficBytes,
    isForTime ? choice.extraCycles : 0,
    choice.tiling.weights === 'held' ? 0 : 1, // held weights may be resident, which then saves their room
  ];
  const costs = choices.map(cost);
  return choices.filter((_, i) =>
    costs.every((other, j) => {
      if (i === j) return true;
      const mine = costs[i] ?? [];
      const beats = other.every((value, k) => value <= (mine[k] ?? 0));
      const equals = other.every((value, k) => value === mine[k]);
      return !beats || (equals && j > i);
    }),
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
