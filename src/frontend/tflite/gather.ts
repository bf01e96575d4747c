/** GATHER and EMBEDDING_LOOKUP, BROADCAST_TO and TILE: parts of a tensor by position, and repeated ones. */
import { elementCountOf } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { broadcastShape } from './broadcast.js';
import { taken, takenBy } from './by-position.js';
import { integersOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { realInput } from './real-numbers.js';
import { sliced } from './slicing.js';

const GATHER = { axis: 0, batchDims: 1 } as const;
const MAX_PARTS = 64;

export const gather: Importer = (node) => {
  const { options } = node;
  const rank = node.shape(0).length;
  const given = options.int32(GATHER.axis);
  const axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank) malformed('SW2107', node.loc, `axis ${given} of ${rank} axes`);
  const batchDims = options.int32(GATHER.batchDims);
  if (batchDims !== 0) return [activation(rowsOfEach(node, axis, batchDims))];
  const which = node.operand(1);
  if (which.kind === 'activation') return [activation(rows(node, axis, 0, 1))];
  return [activation(partsOf(node, node.input(0), axis, integersOf(which.constant), which.constant.shape))];
};

/** Its first operand holds the indices. */
export const embeddingLookup: Importer = (node) => [activation(rows(node, 0, 1, 0))];

/** GATHER_ND: the last axis of the indices names a position along each of the first axes of the table. */
export const gatherNd: Importer = (node) => {
  const table = node.input(0);
  const indices = realInput(node, 1);
  const depth = indices.shape.at(-1) ?? 1;
  const rest = table.shape.slice(depth);
  if (depth > table.shape.length) malformed('SW2107', node.loc, `${depth} positions in [${table.shape.join(', ')}]`);
  const outer = table.shape.slice(0, depth);
  const steps = Float32Array.from(outer, (_, axis) => elementCountOf(outer.slice(axis + 1)));
  const name = `${node.resultName}:steps`;
  const count = elementCountOf(indices.shape) / depth;
  const inputs = [
    node.reshape(indices.id, [1, count, 1, depth]),
    node.builder.addConstant({ name, shape: [1, 1, 1, depth], data: steps, loc: node.loc }),
  ];
  const sum = node.emit({ kind: 'reduce', fn: 'sum', inputs: [node.emit({ kind: 'mul', inputs })] });
  const row = node.emit({ kind: 'convert', to: 'int32', multiplier: 0, shift: 0, inputs: [sum] });
  const flat = node.reshape(table.id, [elementCountOf(outer), elementCountOf(rest)]);
  const quant = table.quant === undefined ? {} : { quant: table.quant };
  const made = node.emit({ kind: 'gather', inputs: [flat, node.reshape(row, [1, count, 1])] }, quant);
  return [activation(node.reshape(made, [...indices.shape.slice(0, -1), ...rest]))];
};

/** Rows of a table by computed indices. */
function rows(node: NodeContext, axis: number, tableAt: number, indicesAt: number): TensorId {
  const [table, indices] = [node.input(tableAt), node.input(indicesAt)];
  if (indices.dtype !== 'int32') return unsupported(`indices of ${indices.dtype}`);
  const index = node.reshape(indices.id, [1, elementCountOf(indices.shape), 1]);
  return takenBy(node, table.id, axis, index, indices.shape);
}

/** Each element of the batch has a table and indices of its own: rows of one table of all, the indices moved to theirs. */
function rowsOfEach(node: NodeContext, axis: number, batchDims: number): TensorId {
  const [table, indices] = [node.input(0), realInput(node, 1)];
  const lead = table.shape.slice(0, axis);
  if (axis !== batchDims) return unsupported(`${batchDims} batch dimensions and axis ${axis}`);
  if (lead.join() !== indices.shape.slice(0, axis).join()) {
    const shapes = `[${table.shape.join(', ')}] by [${indices.shape.join(', ')}]`;
    malformed('SW2107', node.loc, `${shapes}, which have not ${batchDims} dimensions in common`);
  }
  const [batch, extent] = [elementCountOf(lead), table.shape[axis] ?? 1];
  const each = elementCountOf(indices.shape) / batch;
  const data = Float32Array.from({ length: batch }, (_, i) => i * extent);
  const name = `${node.resultName}:first rows`;
  const starts = node.builder.addConstant({ name, shape: [1, batch, 1, 1], data, loc: node.loc });
  const inputs = [node.reshape(indices.id, [1, batch, 1, each]), starts];
  const moved = node.emit({ kind: 'add', inputs });
  const index = node.emit({ kind: 'convert', to: 'int32', multiplier: 0, shift: 0, inputs: [moved] });
  const flat = node.reshape(table.id, [batch * extent, ...table.shape.slice(axis + 1)]);
  return takenBy(node, flat, 0, node.reshape(index, [1, batch * each, 1]), indices.shape);
}

/** Known positions: slices, side by side. */
function partsOf(
  node: NodeContext,
  x: Tensor,
  axis: number,
  positions: readonly number[],
  shape: readonly number[],
): TensorId {
  const extent = x.shape[axis] ?? 1;
  const [first = 0] = positions;
  const isRun = positions.every((position, i) => position === first + i);
  const whole = positions.map((position) => (position < 0 ? position + extent : position));
  const shapeOfAll = [...x.shape.slice(0, axis), ...shape, ...x.shape.slice(axis + 1)];
  if (!isRun && positions.length > MAX_PARTS) return node.reshape(taken(node, x.id, axis, whole), shapeOfAll);
  const parts = isRun
    ? [sliced(node, x.id, axis, whole[0] ?? 0, positions.length)]
    : whole.map((position) => sliced(node, x.id, axis, position, 1));
  const [only = x.id] = parts;
  const joined = parts.length === 1 ? only : node.emit({ kind: 'concat', axis, inputs: parts });
  return node.reshape(joined, shapeOfAll);
}

export const broadcastTo: Importer = (node) => {
  const x = node.input(0);
  const wanted = node.integers(1, 'shapes');
  const shape = broadcastShape(node, [x.shape, wanted]);
  if (shape.join() !== wanted.join())
    malformed('SW2107', node.loc, `[${x.shape.join(', ')}] to [${wanted.join(', ')}]`);
  const lead = wanted.length - x.shape.length;
  return [
    activation(
      repeated(
        node,
        x,
        wanted.map((extent, axis) => extent / (x.shape[axis - lead] ?? 1)),
        lead,
      ),
    ),
  ];
};

export const tile: Importer = (node) => {
  const x = node.input(0);
  return [activation(repeated(node, x, node.integers(1, 'multiples'), 0))];
};

/** One axis after the other: the tensor beside itself. @param lead axes of extent 1 before the tensor's own */
export function repeated(node: NodeContext, x: Tensor, times: readonly number[], lead: number): TensorId {
  let id = node.reshape(x.id, [...new Array<number>(lead).fill(1), ...x.shape]);
  for (const [axis, count] of times.entries()) {
    if (count === 1) continue;
    const { shape } = node.builder.tensor(id);
    const outer = shape.slice(0, axis);
    if (elementCountOf(outer) === 1 && shape[axis] === 1) {
      const image = node.reshape(id, [1, 1, 1, elementCountOf(shape)]);
      const made = node.emit({ kind: 'broadcast', inputs: [image] }, { shape: [1, count, 1, elementCountOf(shape)] });
      id = node.reshape(made, shape.with(axis, count));
      continue;
    }
    if (!(count >= 1 && count <= MAX_PARTS)) return unsupported(`an axis repeated ${count} times`);
    id = node.emit({ kind: 'concat', axis, inputs: new Array<TensorId>(count).fill(id) });
  }
  return id;
}
