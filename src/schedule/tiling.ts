/**
 * How a layer runs: where its operands are, how it is cut into stripes of rows, tiles of columns and chunks of channels, what
 * that needs of SRAM, and what it moves.
 *
 *   for each tile of columns
 *     for each stripe of rows            (outer = 'rows'; 'channels' swaps the two)
 *       load the operands' new rows      rolling buffers keep the halo
 *       for each chunk of channels
 *         load the chunk's weights       double buffered
 *         compute
 *       store the output's rows
 */
import { asStreamed, clippedRange, type Layer, type Operand } from './layer.js';

/** held: all that is not resident is loaded when the layer starts. streamed: chunk by chunk while it runs. */
export type WeightMode = 'none' | 'held' | 'streamed';

export interface Tiling {
  /** Per operand of the layer: read in place from SRAM, or streamed from DRAM. */
  readonly operandsFromSram: readonly boolean[];
  readonly toSram: boolean;
  readonly weights: WeightMode;
  readonly outer: 'rows' | 'channels';
  readonly stripeRows: number; // output rows
  readonly tileColumns: number; // output columns
  readonly chunkChannels: number; // output channels; all of them unless streamed
  readonly depth: 1 | 2; // buffers per streamed operand
}

export interface WorkspaceBuffer {
  readonly role: 'operand0' | 'operand1' | 'operand2' | 'output' | 'chunk' | 'held' | 'tables';
  readonly sizeBytes: number; // rounded up to the alignment
}

export interface TilingTraffic {
  readonly operandReadBytes: readonly number[];
  readonly outputWriteBytes: number;
  readonly weightPasses: number;
}

/** Resident shares begin at multiples of this: tables of 32-bit words are in front of the weights. */
export const RESIDENT_ALIGNMENT_BYTES = 4;

export function alignUp(bytes: number, alignmentBytes: number): number {
  return Math.ceil(bytes / alignmentBytes) * alignmentBytes;
}

export function isStreaming(tiling: Tiling): boolean {
  return !tiling.toSram || tiling.operandsFromSram.some((inSram) => !inSram);
}

export function stripeCount(layer: Layer, tiling: Tiling): number {
  return Math.ceil(layer.output.h / tiling.stripeRows);
}

/** Chunks that the channels from `residentChannels` on are loaded in. */
export function chunkCount(layer: Layer, tiling: Tiling, residentChannels: number): number {
  if (tiling.weights !== 'streamed') return 0;
  return Math.ceil((layer.weights.channels - residentChannels) / tiling.chunkChannels);
}

/** Rows of the rolling buffer of a streamed operand (already as streamed). */
export function ringRows(operand: Operand, layer: Layer, tiling: Tiling): number {
  const { rows } = operand;
  const perStripe = newRowsPerStripe(operand, tiling);
  const under = rows.scale > 1 ? perStripe : (tiling.stripeRows - 1) * rows.stride + rows.extent;
  const needed = clippedRange(rows, 0, layer.output.h, operand.h);
  const wanted = tiling.depth === 2 ? under + perStripe : Math.max(under, perStripe);
  return Math.max(1, Math.min(wanted, needed.end - needed.start));
}

/** Input rows that each further stripe adds. */
export function newRowsPerStripe(operand: Operand, tiling: Tiling): number {
  return operand.rows.scale > 1 ? tiling.stripeRows / operand.rows.scale : tiling.stripeRows * operand.rows.stride;
}

/** The widest range of operand columns under any tile. */
export function tileInputColumns(operand: Operand, layer: Layer, tiling: Tiling): number {
  let widest = 0;
  for (const { start, end } of columnTiles(layer, tiling)) {
    const range = clippedRange(operand.columns, start, end, operand.w);
    widest = Math.max(widest, range.end - range.start);
  }
  return widest;
}

export function columnTiles(layer: Layer, tiling: Tiling): { start: number; end: number }[] {
  const tiles: { start: number; end: number }[] = [];
  for (let start = 0; start < layer.output.w; start += tiling.tileColumns) {
    tiles.push({ start, end: Math.min(layer.output.w, start + tiling.tileColumns) });
  }
  return tiles;
}

/** Channels of the output that one pass over the rows makes. */
export function channelsPerPass(layer: Layer, tiling: Tiling): number {
  return tiling.outer === 'channels' ? tiling.chunkChannels : layer.output.c;
}

/**
 * The buffers that a layer needs beside its whole operands.
 *
 * @param residentBytes of its weights; with 'held', only the rest needs room
 */
export function workspaceBuffers(
  layer: Layer,
  tiling: Tiling,
  alignmentBytes: number,
  residentBytes: number,
): WorkspaceBuffer[] {
  const buffers: WorkspaceBuffer[] = [];
  const push = (role: WorkspaceBuffer['role'], bytes: number): void => {
    if (bytes > 0) buffers.push({ role, sizeBytes: alignUp(bytes, alignmentBytes) });
  };
  const roles = ['operand0', 'operand1', 'operand2'] as const;
  if (layer.kind === 'transpose') {
    if (isStreaming(tiling) && !tiling.toSram && tiling.operandsFromSram[0] === false)
      push('output', transposeSliceBytes(layer));
    return buffers;
  }
  const channels = channelsPerPass(layer, tiling);
  layer.operands.forEach((raw, i) => {
    const role = roles[i];
    if (tiling.operandsFromSram[i] === true || role === undefined) return;
    const operand = asStreamed(raw, layer.output);
    const pixelBytes = (operand.role === 'residual' ? channels : operand.c) * operand.elementBytes;
    push(role, ringRows(operand, layer, tiling) * tileInputColumns(operand, layer, tiling) * pixelBytes);
  });
  if (!tiling.toSram) {
    const columns = Math.min(layer.output.w, tiling.tileColumns);
    const rows = Math.min(layer.output.h, tiling.stripeRows * tiling.depth);
    push('output', rows * columns * channels * layer.output.elementBytes);
  }
  const { weights } = layer;
  if (tiling.weights === 'streamed' && residentBytes < weights.totalBytes) {
    push('chunk', tiling.chunkChannels * weights.recordBytes * tiling.depth);
    if (residentBytes === 0) push('tables', weights.headerBytes);
  }
  if (tiling.weights === 'held') push('held', weights.totalBytes - residentBytes);
  return buffers;
}

/** A transposition from DRAM to DRAM goes row by row of the output. */
export function transposeSliceBytes(layer: Layer): number {
  const { w, c, elementBytes } = layer.output;
  return w * c * elementBytes;
}

/**
 * How often a period of `batch` frames reads the weights that are not resident. Held weights serve all frames, and so do
 * chunks where everything else is in SRAM; beside streamed operands chunks are loaded again for each frame.
 */
export function periodWeightPasses(tiling: Tiling, framePasses: number, batch: number): number {
  return tiling.weights === 'streamed' && isStreaming(tiling) ? framePasses * batch : framePasses;
}

/** Chunks of a grouped convolution would cut through its groups. */
export function isCuttable({ op }: Layer): boolean {
  return op.kind !== 'conv2d' || op.groups === 1;
}

/** What a tiling moves; weights are passes over what is not resident. */
export function tilingTraffic(layer: Layer, tiling: Tiling): TilingTraffic {
  const { output } = layer;
  const chunks = tiling.outer === 'channels' ? chunkCount(layer, tiling, 0) : 1;
  const operandReadBytes = layer.operands.map((raw, i) => {
    if (tiling.operandsFromSram[i] === true) return 0;
    if (layer.kind === 'transpose') return raw.h * raw.w * raw.c * raw.elementBytes;
    const operand = asStreamed(raw, output);
    const rows = clippedRange(operand.rows, 0, output.h, operand.h);
    let columns = 0;
    for (const tile of columnTiles(layer, tiling)) {
      const range = clippedRange(operand.columns, tile.start, tile.end, operand.w);
      columns += range.end - range.start;
    }
    const passes = operand.role === 'residual' ? 1 : chunks;
    return (rows.end - rows.start) * columns * operand.c * operand.elementBytes * passes;
  });
  const stripes = columnTiles(layer, tiling).length * stripeCount(layer, tiling);
  const isReread = tiling.weights === 'streamed' && tiling.outer === 'rows';
  return {
    operandReadBytes,
    outputWriteBytes: tiling.toSram ? 0 : output.h * output.w * output.c * output.elementBytes,
    weightPasses:
      layer.weights.totalBytes === 0
        ? 0
        : isReread
          ? stripes
          : tiling.weights === 'streamed'
            ? columnTiles(layer, tiling).length
            : 1,
  };
}

/** Channels whose records lie wholly in a resident prefix of that many bytes. */
export function residentChannels(layer: Layer, residentBytes: number): number {
  const { weights } = layer;
  if (residentBytes >= weights.totalBytes) return weights.channels;
  if (weights.recordBytes === 0 || residentBytes <= weights.headerBytes) return 0;
  return Math.floor((residentBytes - weights.headerBytes) / weights.recordBytes);
}

/** The largest resident prefix of at most that many bytes: tables and whole records, a multiple of 4 bytes. */
export function roundResident(layer: Layer, bytes: number): number {
  const { headerBytes, recordBytes, totalBytes } = layer.weights;
  if (bytes >= totalBytes) return totalBytes;
  if (recordBytes === 0 || bytes < headerBytes + recordBytes) return 0;
  const granule = recordBytes % 4 === 0 ? 1 : recordBytes % 2 === 0 ? 2 : 4;
  const channels = Math.floor((bytes - headerBytes) / recordBytes / granule) * granule;
  return channels === 0 ? 0 : headerBytes + channels * recordBytes;
}

/** As roundResident, and whole passes of the array's columns: what is left over of one computes as long as all of it. */
export function roundResidentToPasses(layer: Layer, bytes: number, columns: number): number {
  const { headerBytes, recordBytes, channels } = layer.weights;
  const resident = roundResident(layer, bytes);
  if (resident === 0 || resident === layer.weights.totalBytes || channels <= columns) return resident;
  const whole = Math.floor((resident - headerBytes) / recordBytes / columns) * columns;
  return whole === 0 ? 0 : headerBytes + whole * recordBytes;
}
