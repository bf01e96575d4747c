/** SCATTER_ND and SPARSE_TO_DENSE by known positions: rows of what is given, or a row of what stands everywhere else. */
import { elementCountOf } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { integersOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';

const MOST_ROWS = 2 ** 20;
const ROWS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  float32: Float32Array,
  int32: Int32Array,
} as const;

/** Indices, updates, shape. */
export const scatterNd: Importer = (node) => {
  const indices = node.constant(0, 'indices');
  const shape = node.integers(2, 'shapes');
  const depth = indices.shape.at(-1) ?? 0;
  const positions = positionsOf(node, integersOf(indices), depth, shape);
  // Updates of one place are added up; nobody writes such files by constants.
  if (new Set(positions).size < positions.length) return unsupported('several updates of one place');
  return [activation(placed(node, node.input(1), positions, shape, depth, 0))];
};

/** Indices, shape, values, what stands elsewhere. */
export const sparseToDense: Importer = (node) => {
  const indices = node.constant(0, 'indices');
  const shape = node.integers(1, 'shapes');
  const positions = positionsOf(node, integersOf(indices), shape.length, shape);
  const elsewhere = node.constant(3, 'default values').elements()[0] ?? 0;
  return [activation(placed(node, node.input(2), positions, shape, shape.length, Number(elsewhere)))];
};

function positionsOf(
  node: NodeContext,
  indices: ReturnType<typeof integersOf>,
  depth: number,
  shape: readonly number[],
): number[] {
  if (depth < 1 || depth > shape.length) malformed('SW2107', node.loc, `${depth} positions in [${shape.join(', ')}]`);
  return Array.from({ length: indices.length / depth }, (_, i) => {
    let position = 0;
    for (let k = 0; k < depth; k++) {
      const [index, extent] = [indices[i * depth + k] ?? 0, shape[k] ?? 1];
      if (!(index >= 0 && index < extent)) malformed('SW2107', node.loc, `position ${index} of ${extent}`);
      position = position * extent + index;
    }
    return position;
  });
}

/** @param elsewhere as stored */
function placed(
  node: NodeContext,
  updates: Tensor,
  positions: readonly number[],
  shape: readonly number[],
  depth: number,
  elsewhere: number,
): TensorId {
  const rows = elementCountOf(shape.slice(0, depth));
  const length = elementCountOf(shape.slice(depth));
  const { dtype, quant } = updates;
  if (rows > MOST_ROWS) unsupported(`${rows} places`);
  if (elementCountOf(updates.shape) !== positions.length * length) {
    malformed('SW2107', node.loc, `[${updates.shape.join(', ')}] for ${positions.length} place(s) of ${length}`);
  }
  const Row = ROWS[dtype];
  const { builder, loc, resultName } = node;
  const own = quant === undefined ? {} : { quant };
  const other = builder.addConstant({
    name: `${resultName}:elsewhere`,
    shape: [1, length],
    data: new Row(length).fill(elsewhere),
    ...own,
    loc,
  });
  const given = node.reshape(updates.id, [positions.length, length]);
  const table = node.emit({ kind: 'concat', axis: 0, inputs: [given, other] });
  const which = new Int32Array(rows).fill(positions.length);
  positions.forEach((position, i) => {
    which[position] = i;
  });
  const index = builder.addConstant({ name: `${resultName}:rows`, shape: [1, rows, 1], data: which, loc });
  return node.reshape(node.emit({ kind: 'gather', inputs: [table, index] }, own), shape);
}
