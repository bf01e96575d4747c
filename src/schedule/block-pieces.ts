/**
 * Stripes of a block in pieces of columns, from left to right. Columns flow as rows do: inside a stripe every layer makes its
 * next columns, as far ahead of the last layer as the windows behind it reach to the right, and nothing is computed twice.
 *
 *   a 3x3 window over stripes of two rows        rows needed again by the stripe below (kept)  ##
 *                                                columns needed again by the next piece        ::
 *          |................################     stripe above: its last rows, from here on
 *          |################                     this stripe: its last rows, up to here
 *          |              ::++                   its other rows live as long as the window is over them
 *
 * So a rolling buffer is two rings, of the kept rows and of the others; see `stripeRing` in commands/instructions.ts.
 */
import type { TensorId } from '../ir/types.js';
import type { BlockRoot, BlockShape, Flow } from './block-shape.js';
import { flowOf, inputAhead } from './block-shape.js';
import type { AxisMap, Layer } from './layer.js';

/** The machine has so many registers that describe a ring of stripes. */
export const MOST_RINGS = 63;

/** Columns that are made, loaded or stored in a piece, before clipping: [first + p * perPiece, ... + perPiece) in piece p. */
export interface ColumnAdvance {
  readonly first: number;
  readonly perPiece: number;
}

/** A rolling buffer of stripes. */
export interface RingStripes {
  readonly width: number; // columns of the image; 0 where every stripe begins in the same place
  readonly height: number; // rows of a stripe
  readonly phase: number; // rows that the first stripe reaches above the image
  readonly kept: number; // last rows of a stripe
  readonly shortColumns: number; // of the ring of the rows that are not kept
  readonly longColumns: number; // of the ring of the kept rows
}

/** How the columns of a block advance. */
export interface PiecePlan {
  readonly pieces: number; // of each stripe
  readonly layers: ReadonlyMap<number, ColumnAdvance>; // of outputs, by step
  readonly roots: ReadonlyMap<TensorId, ColumnAdvance>;
}

/** A root with a ring, as far as columns are concerned. */
export interface PieceRoot {
  readonly root: BlockRoot;
  readonly width: number; // columns that there are, or that are loaded
  readonly isGathered: boolean; // by the DMA, for the one layer that reads it
}

/** Layers whose instructions know no rings of stripes. */
const WITHOUT_STRIPES: ReadonlySet<Layer['kind']> = new Set(['select', 'reduce', 'layerNorm']);

/** A block is asked for its flow once for each of its forms and homes. */
const FLOWS = new WeakMap<BlockShape, { readonly flow: Flow | undefined }>();

/** Undefined where stripes cannot be cut into pieces: rows that are summed up over the image, columns that are all needed by each. */
export function columnFlow(shape: BlockShape): Flow | undefined {
  const known = FLOWS.get(shape);
  if (known !== undefined) return known.flow;
  const flow = columnFlowOf(shape);
  FLOWS.set(shape, { flow });
  return flow;
}

function columnFlowOf(shape: BlockShape): Flow | undefined {
  if (shape.gathering.size > 0 || shape.roots.length > MOST_RINGS) return undefined;
  if (shape.layers.some(({ kind }) => WITHOUT_STRIPES.has(kind))) return undefined;
  if (shape.layers.some(({ operands }) => operands.some(({ columns }) => columns.stride < 1))) return undefined;
  return flowOf(shape.layers, shape.roots, 'columns');
}

/** @param multiple of the least width of a piece */
export function planPieces(shape: BlockShape, flow: Flow, multiple: number, rings: readonly PieceRoot[]): PiecePlan {
  let shift = 0;
  let pieces = 0;
  const count = (ahead: number, perPiece: number, width: number): void => {
    shift = Math.max(shift, Math.ceil(ahead / perPiece));
    pieces = Math.max(pieces, Math.ceil((width - ahead) / perPiece));
  };
  const layerAt = new Map(
    shape.layers.map(({ step, output }) => {
      const at = { ahead: flow.layerAhead.get(step) ?? 0, perPiece: (flow.layerRate.get(step) ?? 1) * multiple };
      count(at.ahead, at.perPiece, output.w);
      return [step, at];
    }),
  );
  const rootAt = new Map(
    rings.map((ring) => {
      const at = { ahead: columnsAhead(ring, flow), perPiece: columnRate(ring, flow) * multiple };
      count(at.ahead, at.perPiece, ring.width);
      return [ring.root.root, at];
    }),
  );
  const advances = <Key>(map: ReadonlyMap<Key, { ahead: number; perPiece: number }>): Map<Key, ColumnAdvance> =>
    new Map([...map].map(([key, { ahead, perPiece }]) => [key, { first: ahead - shift * perPiece, perPiece }]));
  return { pieces: pieces + shift, layers: advances(layerAt), roots: advances(rootAt) };
}

function columnRate({ root, isGathered }: PieceRoot, flow: Flow): number {
  const [reader] = root.readers;
  if (isGathered && reader !== undefined) return flow.layerRate.get(reader.step) ?? 1;
  return flow.rootRate.get(root.root) ?? 1;
}

function columnsAhead({ root, isGathered }: PieceRoot, flow: Flow): number {
  const [reader] = root.readers;
  if (isGathered && reader !== undefined) return flow.layerAhead.get(reader.step) ?? 0;
  return rootAhead(root, flow, 'columns');
}

/** Positions that a root is ahead of the end of the block. */
export function rootAhead(root: BlockRoot, flow: Pick<Flow, 'layerAhead'>, axis: 'rows' | 'columns'): number {
  let ahead = 0;
  if (root.role === 'input') {
    for (const { step, operand } of root.readers)
      ahead = Math.max(ahead, inputAhead(operand[axis], flow.layerAhead.get(step) ?? 0));
  } else for (const step of root.writers) ahead = Math.max(ahead, flow.layerAhead.get(step) ?? 0);
  return ahead;
}

/** The oldest position that a reader, itself `ahead`, needs at the beginning of a stripe or piece. */
export function oldestNeeded(map: AxisMap, ahead: number): number {
  return map.scale > 1 ? Math.floor(ahead / map.scale) : ahead * map.stride - map.pad;
}

/** What the rows of a root say about its ring. */
export interface StripeRows {
  readonly ahead: number;
  readonly height: number; // of a stripe
  readonly firstRow: number; // of stripe 0
  readonly imageRows: number;
  readonly layerAhead: ReadonlyMap<number, number>; // in rows
  readonly again: ReadonlyMap<number, number>; // rows that layers make again in each stripe, by step
}

/** The least ring: of each kind of rows, the columns from the oldest that a reader still needs to the newest made. */
export function ringStripes(
  ring: PieceRoot,
  rows: StripeRows,
  flow: Flow,
  perPiece: number,
  loadsAhead: boolean,
): RingStripes {
  const { root, width } = ring;
  const { height } = rows;
  const aheadColumns = columnsAhead(ring, flow);
  const again = root.writers.reduce((most, step) => Math.max(most, rows.again.get(step) ?? 0), 0);
  let kept = 0;
  let short = Math.min(perPiece, width);
  let long = 0;
  for (const { step, operand } of ring.isGathered ? [] : root.readers) {
    const first = (rows.layerAhead.get(step) ?? 0) - (rows.again.get(step) ?? 0);
    const needed = rows.ahead - oldestNeeded(operand.rows, first); // rows of stripes above
    const span = aheadColumns + perPiece - oldestNeeded(operand.columns, flow.layerAhead.get(step) ?? 0);
    const columns = Math.min(span, width);
    short = Math.max(short, columns);
    if (needed <= again) continue;
    kept = Math.max(kept, Math.min(height, needed));
    long = Math.max(long, Math.ceil(needed / height) * width + columns);
  }
  // Rows that are made again have a place of their own in each column, and every stripe begins in the first one.
  if (again > 0) return { width: 0, height: height + again, phase: 0, kept: 0, shortColumns: short, longColumns: 0 };
  const phase = ((-rows.firstRow % height) + height) % height;
  const made = (Math.floor((Math.max(rows.imageRows, 1) - 1 + phase) / height) + 1) * width; // in all
  const more = loadsAhead ? perPiece : 0; // the next piece comes in while this one is at work
  return {
    width,
    height,
    phase,
    kept,
    shortColumns: kept < height ? Math.min(short + more, made) : 0,
    longColumns: kept > 0 ? Math.min(Math.max(long, short) + more, made) : 0,
  };
}

export function stripesBytes({ height, kept, shortColumns, longColumns }: RingStripes, pixelBytes: number): number {
  return (shortColumns * (height - kept) + longColumns * kept) * pixelBytes;
}
