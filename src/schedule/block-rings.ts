/** How large the rolling buffers of a block are. */
import type { BlockForm, BlockRing } from './block.js';
import {
  type ColumnAdvance,
  columnFlow,
  oldestNeeded,
  type PiecePlan,
  planPieces,
  ringStripes,
  rootAhead,
  stripesBytes,
} from './block-pieces.js';
import { type BlockRoot, type BlockShape, type Flow, layerAt } from './block-shape.js';
import type { BlockTile } from './block-tiles.js';
import { asStreamed, clippedRange, isGathered, type Operand } from './layer.js';
import { alignUp } from './tiling.js';

/** A root with a ring, before its size is known. */
export interface PendingRing {
  readonly root: BlockRoot;
  readonly ahead: number;
  readonly rows: number;
  readonly view: Operand | undefined;
  readonly gathered: Operand | undefined;
}

export function pendingRing(shape: BlockShape, root: BlockRoot, multiple: number): PendingRing {
  const [reader] = root.readers;
  const view = root.role === 'input' && root.readers.length === 1 ? reader?.operand : undefined;
  const consumer = view === undefined || reader === undefined ? undefined : layerAt(shape, reader.step);
  const gathered =
    view !== undefined && consumer !== undefined && isGathered(view) ? asStreamed(view, consumer.output) : undefined;
  if (gathered !== undefined && consumer !== undefined) {
    const ahead = shape.layerAhead.get(consumer.step) ?? 0;
    return { root, ahead, rows: (shape.layerRows.get(consumer.step) ?? 1) * multiple, view, gathered };
  }
  const ahead = rootAhead(root, shape, 'rows');
  return { root, ahead, rows: (shape.rootRows.get(root.root) ?? 1) * multiple, view, gathered };
}

export function ringOf(
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
  const imageRows = neededRows(root, shape, gathered);
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
    stripes: undefined,
  };
}

interface InPieces {
  readonly flow: Flow;
  readonly plan: PiecePlan;
}

export function piecesOf(shape: BlockShape, form: BlockForm, pending: readonly PendingRing[]): InPieces {
  const flow = columnFlow(shape);
  if (flow === undefined) throw new Error(`steps from ${shape.layers[0]?.step} on do not flow by columns`);
  return { flow, plan: planPieces(shape, flow, form.pieces, pending.map(pieceRoot)) };
}

const pieceRoot = ({ root, gathered }: PendingRing): { root: BlockRoot; width: number; isGathered: boolean } => ({
  root,
  width: gathered?.w ?? root.w,
  isGathered: gathered !== undefined,
});

/** The ring with what stripes in pieces need of it. */
export function inStripes(
  shape: BlockShape,
  form: BlockForm,
  pending: PendingRing,
  ring: BlockRing,
  { flow, plan, again }: InPieces & { readonly again: ReadonlyMap<number, number> },
  alignmentBytes: number,
): BlockRing {
  const { firstRow, imageRows, pixelBytes, rowsPerIteration: height } = ring;
  const { perPiece }: ColumnAdvance = plan.roots.get(ring.root) ?? { first: 0, perPiece: ring.imageColumns };
  const rows = { ahead: pending.ahead, height, firstRow, imageRows, layerAhead: shape.layerAhead, again };
  const loadsAhead = ring.role === 'input' && form.depth === 2;
  const stripes = ringStripes(pieceRoot(pending), rows, flow, perPiece, loadsAhead);
  return {
    ...ring,
    rowBytes: Math.min(perPiece, ring.imageColumns) * pixelBytes,
    sizeBytes: alignUp(stripesBytes(stripes, pixelBytes), alignmentBytes),
    stripes,
  };
}

/** Rows of the root that must be there at once: from the oldest that a reader still needs to the newest made. */
function ringRowsFor(root: BlockRoot, shape: BlockShape, ahead: number, rows: number): number {
  const newest = ahead + rows;
  let most = rows;
  for (const { step, operand } of root.readers) {
    most = Math.max(most, newest - oldestNeeded(operand.rows, shape.layerAhead.get(step) ?? 0));
  }
  return Math.min(most, root.h);
}

/** Rows that are made, or that any reader needs. */
function neededRows(root: BlockRoot, shape: BlockShape, gathered: Operand | undefined): number {
  if (root.role !== 'input') return root.h;
  if (gathered !== undefined) return gathered.h;
  let most = 0;
  for (const { step, operand } of root.readers) {
    const layer = layerAt(shape, step);
    if (layer !== undefined) most = Math.max(most, clippedRange(operand.rows, 0, layer.output.h, root.h).end);
  }
  return most;
}
