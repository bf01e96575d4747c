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
 * Weights are resident or held; or, where stripes are few and tall, loaded in chunks again for each of them.
 */
import type { TensorId } from '../ir/types.js';
import { type BlockRoot, type BlockShape, inputAhead } from './block-shape.js';
import { asStreamed, clippedRange, isGathered, type Layer, type Operand } from './layer.js';
import { alignUp } from './tiling.js';

/** How a root tensor takes part in a block. */
export type RingRole = 'internal' | 'input' | 'output';

/** Half-open. */
export interface ColumnRange {
  readonly start: number;
  readonly end: number;
}

/** A rolling buffer: of a tensor inside, of an input streamed from DRAM, of an output streamed to DRAM. */
export interface BlockRing {
  readonly root: TensorId;
  readonly role: RingRole;
  readonly rows: number; // of the ring
  readonly rowBytes: number; // of the widest tile
  readonly pixelBytes: number;
  readonly sizeBytes: number; // rounded up to the alignment
  readonly rowsPerIteration: number;
  readonly firstRow: number; // made or loaded in iteration 0; below zero while the pipeline fills
  readonly imageRows: number; // rows that are made or loaded in all
  readonly imageColumns: number;
  /** For inputs: the one view through which the block reads, when there is only one; else the whole root moves. */
  readonly view: Operand | undefined;
}

export interface BlockLayerPlan {
  readonly step: number;
  readonly rowsPerIteration: number;
  readonly firstRow: number; // output rows [firstRow, firstRow + rowsPerIteration) in iteration 0
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

/** What one tile of columns computes, holds and stores. */
export interface BlockTile {
  readonly layerColumns: ReadonlyMap<number, ColumnRange>; // of the output, by step
  readonly rootColumns: ReadonlyMap<TensorId, ColumnRange>; // in the ring
  readonly storedColumns: ReadonlyMap<TensorId, ColumnRange>; // of outputs: each column belongs to one tile
}

/** The ways to run a block: where its borders are, how large its pieces. */
export interface BlockForm {
  /** Roots that are not internal: in SRAM as a whole, or streamed. */
  readonly inSram: ReadonlySet<TensorId>;
  readonly multiple: number; // stripes of that many times the least height
  readonly depth: 1 | 2; // buffers of streamed inputs: 2 lets loads run an iteration ahead
  readonly tiles: number; // of columns
  /** Layers whose weights are loaded for every stripe: channels of a chunk, by step. */
  readonly streamed: ReadonlyMap<number, number>;
}

/** Everything streamed but the weights, in the least pieces. */
export const LEAST_FORM: BlockForm = { inSram: new Set(), multiple: 1, depth: 1, tiles: 1, streamed: new Map() };

export interface BlockPlan {
  readonly first: number;
  readonly last: number; // steps, inclusive
  readonly form: BlockForm;
  readonly iterations: number; // of each tile
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

/** A root with a ring, before its size is known. */
interface PendingRing {
  readonly root: BlockRoot;
  readonly ahead: number;
  readonly rows: number;
  readonly view: Operand | undefined;
  readonly gathered: Operand | undefined;
}

/** The block in a given form. Cost: linear in layers times tiles. */
export function planBlock(shape: BlockShape, form: BlockForm, alignmentBytes: number): BlockPlan {
  const { layers } = shape;
  const rowsOf = (step: number): number => (shape.layerRows.get(step) ?? 1) * form.multiple;
  const pending = shape.roots
    .filter((root) => root.role === 'internal' || !form.inSram.has(root.root))
    .filter((root) => !root.writers.some((step) => shape.gathering.has(step)))
    .map((root) => pendingRing(shape, root, form.multiple));
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
  const rings = pending.map((ring) => ringOf(shape, form, tiles, ring, shift, alignmentBytes));
  const inputReadBytes = new Map<TensorId, number>();
  const outputWriteBytes = new Map<TensorId, number>();
  for (const ring of rings) {
    if (ring.role === 'input') {
      const columns = tiles.reduce((total, tile) => total + ringColumns(ring, tile), 0);
      inputReadBytes.set(ring.root, ring.imageRows * columns * ring.pixelBytes);
    }
    if (ring.role === 'output') outputWriteBytes.set(ring.root, ring.imageRows * ring.imageColumns * ring.pixelBytes);
  }
  const chunks = layers.flatMap((layer) => chunksOf(layer, form.streamed.get(layer.step), alignmentBytes));
  const sums = layers
    .filter(({ step }) => shape.gathering.has(step))
    .map(({ step, output }) => ({ step, sizeBytes: alignUp(4 * output.c, alignmentBytes) }));
  const sizes = [...rings, ...chunks, ...sums].map((buffer) => buffer.sizeBytes);
  return {
    first: layers[0]?.step ?? 0,
    last: layers[layers.length - 1]?.step ?? 0,
    form,
    iterations,
    layers: layers.map((layer) => ({
      step: layer.step,
      rowsPerIteration: rowsOf(layer.step),
      firstRow: (shape.layerAhead.get(layer.step) ?? 0) - shift * rowsOf(layer.step),
    })),
    tiles,
    rings,
    chunks,
    sums,
    workspaceBytes: sizes.reduce((total, bytes) => total + bytes, 0),
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

function pendingRing(shape: BlockShape, root: BlockRoot, multiple: number): PendingRing {
  const [reader] = root.readers;
  const view = root.role === 'input' && root.readers.length === 1 ? reader?.operand : undefined;
  const consumer = reader === undefined ? undefined : shape.layers.find((layer) => layer.step === reader.step);
  const gathered =
    view !== undefined && consumer !== undefined && isGathered(view) ? asStreamed(view, consumer.output) : undefined;
  if (gathered !== undefined && consumer !== undefined) {
    const ahead = shape.layerAhead.get(consumer.step) ?? 0;
    return { root, ahead, rows: (shape.layerRows.get(consumer.step) ?? 1) * multiple, view, gathered };
  }
  let ahead = 0;
  if (root.role === 'input') {
    for (const { step, operand } of root.readers)
      ahead = Math.max(ahead, inputAhead(operand.rows, shape.layerAhead.get(step) ?? 0));
  } else for (const step of root.writers) ahead = Math.max(ahead, shape.layerAhead.get(step) ?? 0);
  return { root, ahead, rows: (shape.rootRows.get(root.root) ?? 1) * multiple, view, gathered };
}

function ringOf(
  shape: BlockShape,
  form: BlockForm,
  tiles: readonly BlockTile[],
  { root, ahead, rows, view, gathered }: PendingRing,
  shift: number,
  alignmentBytes: number,
): BlockRing {
  const pixelBytes = (view === undefined ? root.c : view.c) * root.elementBytes;
  const imageColumns = gathered?.w ?? root.w;
  const width = tiles.reduce((widest, { rootColumns }) => {
    const columns = rootColumns.get(root.root);
    return Math.max(widest, columns === undefined ? imageColumns : columns.end - columns.start);
  }, 0);
  const imageRows = neededRows(root, shape.layers, gathered);
  const kept = gathered === undefined ? ringRowsFor(root, shape, ahead, rows) : rows;
  const wanted = root.role === 'input' && form.depth === 2 ? kept + rows : kept;
  const ringRows = Math.min(wanted, Math.max(imageRows, 1));
  return {
    root: root.root,
    role: root.role,
    rows: ringRows,
    rowBytes: width * pixelBytes,
    pixelBytes,
    sizeBytes: alignUp(ringRows * width * pixelBytes, alignmentBytes),
    rowsPerIteration: rows,
    firstRow: ahead - shift * rows,
    imageRows,
    imageColumns,
    view: gathered ?? view,
  };
}

/** Rows of the root that must be there at once: from the oldest that a reader still needs to the newest made. */
function ringRowsFor(root: BlockRoot, shape: BlockShape, rootAhead: number, rows: number): number {
  let most = rows;
  for (const { step, operand } of root.readers) {
    const ahead = shape.layerAhead.get(step) ?? 0;
    const oldest =
      operand.rows.scale > 1 ? Math.floor(ahead / operand.rows.scale) : ahead * operand.rows.stride - operand.rows.pad;
    most = Math.max(most, rootAhead + rows - oldest);
  }
  return Math.min(most, root.h);
}

/** Rows that are made, or that any reader needs. */
function neededRows(root: BlockRoot, layers: readonly Layer[], gathered: Operand | undefined): number {
  if (root.role !== 'input') return root.h;
  if (gathered !== undefined) return gathered.h;
  let most = 0;
  for (const { step, operand } of root.readers) {
    const layer = layers.find((candidate) => candidate.step === step);
    if (layer !== undefined) most = Math.max(most, clippedRange(operand.rows, 0, layer.output.h, root.h).end);
  }
  return most;
}

/** Whether the block can be cut into tiles of columns. What the DMA gathers, and what is summed up, is not cut. */
export function canTile(shape: BlockShape): boolean {
  if (shape.gathering.size > 0) return false;
  return shape.roots.every(
    (root) => root.role !== 'input' || root.readers.length > 1 || root.readers.every((r) => !isGathered(r.operand)),
  );
}

/** The tiles: outputs are cut into equal parts, and each layer makes the columns that its readers need of it. */
function columnTilesOf(shape: BlockShape, count: number): BlockTile[] {
  if (count === 1) return [wholeTile(shape)];
  return Array.from({ length: count }, (_, index): BlockTile => {
    const storedColumns = new Map<TensorId, ColumnRange>();
    const rootColumns = new Map<TensorId, ColumnRange>();
    for (const root of shape.roots) {
      if (root.role !== 'output') continue;
      const part = {
        start: Math.floor((root.w * index) / count),
        end: Math.floor((root.w * (index + 1)) / count),
      };
      storedColumns.set(root.root, part);
      rootColumns.set(root.root, part);
    }
    const layerColumns = new Map<number, ColumnRange>();
    for (const layer of [...shape.layers].reverse()) {
      const columns = rootColumns.get(layer.output.root) ?? { start: 0, end: 0 };
      layerColumns.set(layer.step, columns);
      for (const operand of layer.operands) {
        const under = clippedRange(operand.columns, columns.start, columns.end, operand.w);
        rootColumns.set(operand.root, hull(rootColumns.get(operand.root), under));
      }
    }
    return { layerColumns, rootColumns, storedColumns };
  });
}

function wholeTile({ layers }: BlockShape): BlockTile {
  const layerColumns = new Map(layers.map(({ step, output }) => [step, { start: 0, end: output.w }]));
  return { layerColumns, rootColumns: new Map(), storedColumns: new Map() };
}

function hull(a: ColumnRange | undefined, b: ColumnRange): ColumnRange {
  if (a === undefined || a.end <= a.start) return b;
  if (b.end <= b.start) return a;
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
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
