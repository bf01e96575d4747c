/**
 * Depth-first blocks: consecutive layers through which a stripe of rows flows before the next one starts. Tensors inside
 * exist only as rolling buffers of rows.
 *
 *   iteration      0      1      2      3              every layer makes h rows an iteration, in its own unit of rows;
 *   conv a      0..h   h..2h  2h..3h  ...              a is `ahead` of b by the rows that b's window needs below
 *   ring of a   |h + halo|
 *   conv b        .    0..h   h..2h   ...              (negative rows are clipped away: no code for the ramp)
 *
 * After iteration i a tensor's rows [0, ahead + (i + 1) * h) are made. A consumer with stride s, padding p and extent k needs
 * ahead(producer) >= (ahead(consumer) - 1) * s - p + k, so one walk from the last layer to the first gives all of them, and
 * with them the rows that each ring must hold, in closed form.
 *
 * Rows too wide for the SRAM are cut into tiles of columns. A tile runs through the whole block before the next one starts:
 * halo rows are kept in the rings, halo columns are loaded again at the borders of the block and computed again inside.
 *
 *   columns of the output     |    tile 0    |    tile 1    |
 *   of conv b's input         |---------------->
 *                                          <----------------|     both tiles make the columns in the middle
 *
 * Or each stripe is made in pieces of columns (block-pieces.ts), which keeps the halo columns too: the rings then hold the halo
 * rows of the image's width, and beside them a piece with its halo columns.
 *
 * Weights are resident or held; or, where stripes are few and tall, loaded in chunks again for each of them.
 */
import type { TensorId } from '../ir/types.js';
import { rowsMadeAgain } from './block-again.js';
import type { PiecePlan, RingStripes } from './block-pieces.js';
import { inStripes, type PendingRing, pendingRing, piecesOf, ringOf } from './block-rings.js';
import { type BlockShape, layerAt } from './block-shape.js';
import { type BlockTile, columnTilesOf } from './block-tiles.js';
import type { Layer, Operand } from './layer.js';
import { alignUp } from './tiling.js';

/** How a root tensor takes part in a block. */
export type RingRole = 'internal' | 'input' | 'output';

/** A rolling buffer: of a tensor inside, of an input streamed from DRAM, of an output streamed to DRAM. */
export interface BlockRing {
  readonly root: TensorId;
  readonly role: RingRole;
  readonly rows: number; // of the ring
  readonly rowBytes: number; // of the widest tile, or of a piece
  readonly pixelBytes: number;
  readonly sizeBytes: number; // rounded up to the alignment
  readonly rowsPerIteration: number;
  readonly firstRow: number; // made or loaded in iteration 0; below zero while the pipeline fills
  readonly imageRows: number; // rows that are made or loaded in all
  readonly imageColumns: number;
  /** For inputs: the one view through which the block reads, when there is only one; else the whole root moves. */
  readonly view: Operand | undefined;
  /** Where stripes come in pieces: what of the rows is there. */
  readonly stripes: RingStripes | undefined;
}

export interface BlockLayerPlan {
  readonly step: number;
  readonly rowsPerIteration: number;
  readonly firstRow: number; // output rows [firstRow, firstRow + rowsPerIteration) in iteration 0
  readonly againRows: number; // and so many above them, which the stripe above has made and not kept
}

/** Chunks in which the weights of a layer come in, for every stripe of every tile again. */
export interface BlockChunks {
  readonly step: number;
  readonly chunkChannels: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly buffers: 1 | 2;
  readonly tableBytes: number; // in front of the chunks, loaded once
  readonly sizeBytes: number; // rounded up to the alignment
}

/** int32 per channel of a layer that gathers rows. */
export interface BlockSums {
  readonly step: number;
  readonly sizeBytes: number;
}

/** The ways to run a block: where its borders are, how large its pieces. */
export interface BlockForm {
  /** Roots that are not internal: in SRAM as a whole, or streamed. */
  readonly inSram: ReadonlySet<TensorId>;
  readonly multiple: number; // stripes of that many times the least height
  readonly depth: 1 | 2; // buffers of streamed inputs: 2 lets loads run an iteration ahead
  readonly tiles: number; // of columns
  /** Each stripe comes in pieces of columns, of that many times the least width; 0: of all columns at once. */
  readonly pieces: number;
  /** In pieces: halo rows of cheap layers are made again by each stripe, not kept (block-again.ts). */
  readonly again: boolean;
  /** Layers whose weights are loaded for every stripe: channels of a chunk, by step. */
  readonly streamed: ReadonlyMap<number, number>;
}

/** Everything streamed but the weights, in the least pieces. */
export const LEAST_FORM: BlockForm = {
  inSram: new Set(),
  multiple: 1,
  depth: 1,
  tiles: 1,
  pieces: 0,
  again: false,
  streamed: new Map(),
};

export interface BlockPlan {
  readonly first: number;
  readonly last: number; // steps, inclusive
  readonly form: BlockForm;
  readonly iterations: number; // of each tile
  readonly pieces: PiecePlan | undefined; // of each iteration
  readonly layers: readonly BlockLayerPlan[];
  readonly tiles: readonly BlockTile[];
  readonly rings: readonly BlockRing[];
  readonly chunks: readonly BlockChunks[];
  readonly sums: readonly BlockSums[];
  readonly workspaceBytes: number; // of rings, chunks and sums
  readonly inputReadBytes: ReadonlyMap<TensorId, number>; // streamed
  readonly outputWriteBytes: ReadonlyMap<TensorId, number>; // streamed
  readonly streamedWeightBytes: ReadonlyMap<number, number>; // by step, of one frame, tables left out
}

/** The block in a given form. Cost: linear in layers times tiles. */
export function planBlock(shape: BlockShape, form: BlockForm, alignmentBytes: number): BlockPlan {
  const { layers } = shape;
  const rowsOf = (step: number): number => (shape.layerRows.get(step) ?? 1) * form.multiple;
  const pending: PendingRing[] = [];
  for (const root of shape.roots) {
    if (root.role !== 'internal' && form.inSram.has(root.root)) continue;
    if (shape.gathering.size > 0 && root.writers.some((step) => shape.gathering.has(step))) continue;
    pending.push(pendingRing(shape, root, form.multiple));
  }
  const again: ReadonlyMap<number, number> = form.again ? rowsMadeAgain(shape, form.multiple) : new Map();
  let shift = 0;
  let iterations = 0;
  for (const layer of layers) {
    const ahead = shape.layerAhead.get(layer.step) ?? 0;
    shift = Math.max(shift, Math.ceil(ahead / rowsOf(layer.step)));
    iterations = Math.max(iterations, Math.ceil((layer.output.h - ahead) / rowsOf(layer.step)));
  }
  for (const { ahead, rows } of pending) shift = Math.max(shift, Math.ceil(ahead / rows));
  iterations += shift;
  const tiles = columnTilesOf(shape, form.tiles);
  const inPieces = form.pieces > 0 ? piecesOf(shape, form, pending) : undefined;
  const rings = pending.map((ring) => {
    const whole = ringOf(shape, form, tiles, ring, shift, alignmentBytes);
    return inPieces === undefined ? whole : inStripes(shape, form, ring, whole, { ...inPieces, again }, alignmentBytes);
  });
  const inputReadBytes = new Map<TensorId, number>();
  const outputWriteBytes = new Map<TensorId, number>();
  for (const ring of rings) {
    if (ring.role === 'input') {
      const columns = tiles.reduce((total, tile) => total + ringColumns(ring, tile), 0);
      inputReadBytes.set(ring.root, ring.imageRows * columns * ring.pixelBytes);
    }
    if (ring.role === 'output') outputWriteBytes.set(ring.root, ring.imageRows * ring.imageColumns * ring.pixelBytes);
  }
  const chunks =
    form.streamed.size === 0
      ? []
      : layers.flatMap((layer) => chunksOf(layer, form.streamed.get(layer.step), alignmentBytes));
  const sums = [...shape.gathering].map((step) => {
    return { step, sizeBytes: alignUp(4 * (layerAt(shape, step)?.output.c ?? 0), alignmentBytes) };
  });
  let workspaceBytes = 0;
  for (const buffers of [rings, chunks, sums]) for (const { sizeBytes } of buffers) workspaceBytes += sizeBytes;
  return {
    first: layers[0]?.step ?? 0,
    last: layers[layers.length - 1]?.step ?? 0,
    form,
    iterations,
    pieces: inPieces?.plan,
    layers: layers.map((layer) => ({
      step: layer.step,
      rowsPerIteration: rowsOf(layer.step),
      firstRow: (shape.layerAhead.get(layer.step) ?? 0) - shift * rowsOf(layer.step),
      againRows: again.get(layer.step) ?? 0,
    })),
    tiles,
    rings,
    chunks,
    sums,
    workspaceBytes,
    inputReadBytes,
    outputWriteBytes,
    streamedWeightBytes: new Map(
      chunks.map(({ step }) => [step, streamedBytes(layers, step) * iterations * tiles.length]),
    ),
  };
}

function streamedBytes(layers: readonly Layer[], step: number): number {
  const weights = layers.find((layer) => layer.step === step)?.weights;
  return weights === undefined ? 0 : weights.channels * weights.recordBytes;
}

/** Columns of a ring that a tile loads. */
export function ringColumns(ring: BlockRing, tile: BlockTile): number {
  const columns = tile.rootColumns.get(ring.root);
  return columns === undefined ? ring.imageColumns : columns.end - columns.start;
}

function chunksOf(layer: Layer, chunkChannels: number | undefined, alignmentBytes: number): BlockChunks[] {
  if (chunkChannels === undefined) return [];
  const { channels, recordBytes, headerBytes } = layer.weights;
  const chunks = Math.ceil(channels / chunkChannels);
  const buffers = chunks > 1 ? 2 : 1;
  const chunkBytes = chunkChannels * recordBytes;
  const sizeBytes = alignUp(headerBytes + buffers * chunkBytes, alignmentBytes);
  return [{ step: layer.step, chunkChannels, chunks, chunkBytes, buffers, tableBytes: headerBytes, sizeBytes }];
}
