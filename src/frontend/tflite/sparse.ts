/**
 * Constants stored sparse: a tree of levels, one for each axis and for each axis inside of a block, of which a level is either
 * complete or lists the positions that are there. Source: SparsityParameters of schema.fbs, and its format converter.
 */
import type { SourceLoc } from '../../base/diagnostic.js';
import { elementCountOf } from '../../ir/facts.js';
import type { FlatTable } from './flat-table.js';
import { malformed } from './problems.js';
import { DIMENSION, SPARSITY } from './schema.js';

/** Beyond this no small file may claim a large constant. */
const MAX_DENSE_ELEMENTS = 2 ** 26;
const SPARSE_CSR = 1;
const INDEX_WIDTHS = ['int32', 'uint16', 'uint8'] as const; // members of the union, from 1

/** What the levels of a tensor run over. */
interface Level {
  readonly extent: number;
  /** Elements of the dense tensor from one position of the level to the next. */
  readonly step: number;
  readonly metadata: FlatTable;
}

/**
 * For each stored value, its position in the dense tensor.
 *
 * @throws SpillwayError SW2104 if the parameters do not describe the shape; SW2110 if that is larger than is accepted
 */
export function densePositions(
  name: string,
  shape: readonly number[],
  sparsity: FlatTable,
  loc: SourceLoc,
): Uint32Array {
  const count = elementCountOf(shape);
  if (count > MAX_DENSE_ELEMENTS) {
    const message = `the sparse constant '${name}' stands for ${count} elements; at most ${MAX_DENSE_ELEMENTS} are accepted`;
    malformed('SW2110', loc, message);
  }
  let positions: Uint32Array = Uint32Array.of(0);
  for (const level of levelsOf(name, shape, sparsity, loc)) {
    positions =
      level.metadata.int8(DIMENSION.format) === SPARSE_CSR
        ? listed(name, level, positions, loc)
        : complete(level, positions);
  }
  return positions;
}

function levelsOf(name: string, shape: readonly number[], sparsity: FlatTable, loc: SourceLoc): Level[] {
  const refuse = (why: string): never =>
    malformed('SW2104', loc, `the sparse constant '${name}' [${shape.join(', ')}]: ${why}`);
  const order = sparsity.int32s(SPARSITY.traversalOrder);
  const blockMap = sparsity.int32s(SPARSITY.blockMap);
  const metadata = sparsity.tables(SPARSITY.dimMetadata);
  const axes = shape.length + blockMap.length;
  if (order.length !== axes || metadata.length !== axes || new Set(order).size !== axes) {
    refuse(`${order.length} levels in order and ${metadata.length} described, of ${axes} axes`);
  }
  if (new Set(blockMap).size !== blockMap.length) refuse('an axis is cut into blocks twice');
  const strides = shape.map((_, axis) => elementCountOf(shape.slice(axis + 1)));
  const blocks = shape.map((extent, axis) => {
    const level = order.indexOf(shape.length + blockMap.indexOf(axis));
    const size = blockMap.includes(axis) ? (metadata[level]?.int32(DIMENSION.denseSize) ?? 0) : 1;
    return size > 0 && extent % size === 0 ? size : refuse(`blocks of ${size} in an extent of ${extent}`);
  });
  return metadata.map((table, level): Level => {
    const axis = order[level] ?? -1;
    const blocked = blockMap[axis - shape.length];
    const own = blocked ?? axis;
    const [extent, stride, block] = [shape[own], strides[own], blocks[own]];
    if (extent === undefined || stride === undefined || block === undefined) {
      return refuse(`a level of axis ${axis}`);
    }
    if (blocked !== undefined) return { extent: block, step: stride, metadata: table };
    return { extent: extent / block, step: stride * block, metadata: table };
  });
}

function complete({ extent, step }: Level, parents: Uint32Array): Uint32Array {
  const out = new Uint32Array(parents.length * extent);
  for (const [p, parent] of parents.entries()) {
    for (let i = 0; i < extent; i++) out[p * extent + i] = parent + i * step;
  }
  return out;
}

/** Segment p of the indices lists what is there below parent p. */
function listed(name: string, { extent, step, metadata }: Level, parents: Uint32Array, loc: SourceLoc): Uint32Array {
  const refuse = (why: string): never => malformed('SW2104', loc, `the sparse constant '${name}': ${why}`);
  const segments = indexVector(metadata, DIMENSION.segmentsType, DIMENSION.segments);
  const indices = indexVector(metadata, DIMENSION.indicesType, DIMENSION.indices);
  if (segments.length !== parents.length + 1 || segments[0] !== 0 || segments.at(-1) !== indices.length) {
    refuse(`${segments.length} segments of ${indices.length} indices below ${parents.length} positions`);
  }
  const out = new Uint32Array(indices.length);
  for (const [p, parent] of parents.entries()) {
    const [start = 0, end = 0] = [segments[p], segments[p + 1]];
    if (end < start) refuse(`segment ${p} goes from ${start} to ${end}`);
    for (let i = start; i < end; i++) {
      const index = indices[i] ?? -1;
      // In order, so that no position comes twice.
      if (index >= extent || (i > start ? index <= (indices[i - 1] ?? -1) : index < 0)) {
        refuse(`index ${index} in segment ${p} of an extent of ${extent}`);
      }
      out[i] = parent + index * step;
    }
  }
  return out;
}

function indexVector(metadata: FlatTable, typeField: number, field: number): readonly number[] {
  const vector = metadata.table(field);
  switch (INDEX_WIDTHS[metadata.uint8(typeField) - 1]) {
    case 'int32':
      return vector?.int32s(0) ?? [];
    case 'uint16':
      return vector?.uint16s(0) ?? [];
    case 'uint8':
      return [...(vector?.bytes(0) ?? [])];
    default:
      return [];
  }
}
