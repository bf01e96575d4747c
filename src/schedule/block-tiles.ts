/** Tiles of columns: a block, or a part of its width, from its first row to its last. Halo columns are made by both neighbours. */
import type { TensorId } from '../ir/types.js';
import type { BlockShape } from './block-shape.js';
import { clippedRange, isGathered } from './layer.js';

/** Half-open. */
export interface ColumnRange {
  readonly start: number;
  readonly end: number;
}

/** What one tile of columns computes, holds and stores. */
export interface BlockTile {
  readonly layerColumns: ReadonlyMap<number, ColumnRange>; // of the output, by step
  readonly rootColumns: ReadonlyMap<TensorId, ColumnRange>; // in the ring
  readonly storedColumns: ReadonlyMap<TensorId, ColumnRange>; // of outputs: each column belongs to one tile
}

/** Whether the block can be cut into tiles of columns. What the DMA gathers, and what is summed up, is not cut. */
export function canTile(shape: BlockShape): boolean {
  if (shape.gathering.size > 0) return false;
  return shape.roots.every(
    (root) => root.role !== 'input' || root.readers.length > 1 || root.readers.every((r) => !isGathered(r.operand)),
  );
}

/** The tiles: outputs are cut into equal parts, and each layer makes the columns that its readers need of it. */
export function columnTilesOf(shape: BlockShape, count: number): BlockTile[] {
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

const NO_COLUMNS: ReadonlyMap<TensorId, ColumnRange> = new Map();

/** What its layers make is asked for where a block is carried out, not where thousands are weighed. */
function wholeTile({ layers }: BlockShape): BlockTile {
  let layerColumns: ReadonlyMap<number, ColumnRange> | undefined;
  return {
    get layerColumns() {
      layerColumns ??= new Map(layers.map(({ step, output }) => [step, { start: 0, end: output.w }]));
      return layerColumns;
    },
    rootColumns: NO_COLUMNS,
    storedColumns: NO_COLUMNS,
  };
}

function hull(a: ColumnRange | undefined, b: ColumnRange): ColumnRange {
  if (a === undefined || a.end <= a.start) return b;
  if (b.end <= b.start) return a;
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
