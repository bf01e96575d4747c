/** DYNAMIC_UPDATE_SLICE: a tensor with a part of it replaced, as caches of keys and values are. */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { together } from './broadcast.js';
import { takenBy } from './by-position.js';
import { integersOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { asDeclared, realOf } from './real-numbers.js';
import { sliced } from './slicing.js';

export const dynamicUpdateSlice: Importer = (node) => {
  const [whole, part] = [node.input(0), node.input(1)];
  const start = node.operand(2);
  const fits = part.shape.length === whole.shape.length && part.shape.every((size, i) => size <= (whole.shape[i] ?? 0));
  if (!fits) malformed('SW2107', node.loc, `[${part.shape.join(', ')}] is no part of [${whole.shape.join(', ')}]`);
  if (start.kind === 'activation') return [activation(replacedFrom(node, whole.id, part.id))];
  // The part lies inside of the whole wherever it is said to start.
  const starts = integersOf(start.constant).map((from, axis) => {
    return Math.max(0, Math.min(from, (whole.shape[axis] ?? 1) - (part.shape[axis] ?? 1)));
  });
  return [activation(replaced(node, whole.id, part.id, starts, 0))];
};

/** Axis by axis: what is before, the middle with its own part replaced, what is behind. */
function replaced(
  node: NodeContext,
  whole: TensorId,
  part: TensorId,
  starts: readonly number[],
  axis: number,
): TensorId {
  const { shape } = node.builder.tensor(whole);
  const [extent, size, start] = [shape[axis], node.builder.tensor(part).shape[axis], starts[axis] ?? 0];
  if (extent === undefined || size === undefined) return part;
  if (extent === size) return replaced(node, whole, part, starts, axis + 1);
  const middle = replaced(node, sliced(node, whole, axis, start, size), part, starts, axis + 1);
  const before = start === 0 ? [] : [sliced(node, whole, axis, 0, start)];
  const end = start + size;
  const behind = end === extent ? [] : [sliced(node, whole, axis, end, extent - end)];
  return node.emit({ kind: 'concat', axis, inputs: [...before, middle, ...behind] });
}

/**
 * By starts that are computed: every position of the result chooses between both operands. Axes of which the part has all
 * start at 0 whatever is said.
 */
function replacedFrom(node: NodeContext, whole: TensorId, part: TensorId): TensorId {
  const starts = node.input(2);
  const { shape } = node.builder.tensor(whole);
  const sizes = node.builder.tensor(part).shape;
  if (starts.dtype !== 'int32') return unsupported(`starts of ${starts.dtype}`);
  const real = (id: TensorId): TensorId => realOf(node, node.builder.tensor(id));
  let result = real(part);
  const inside: TensorId[] = [];
  for (const [axis, extent] of shape.entries()) {
    const size = sizes[axis] ?? extent;
    if (size === extent) continue;
    const given = real(sliced(node, node.reshape(starts.id, [shape.length]), 0, axis, 1));
    const from = node.emit({ kind: 'clamp', lo: 0, hi: extent - size, inputs: [node.reshape(given, [1, 1, 1, 1])] });
    const { offsets, isInside } = placesFrom(node, from, extent, size);
    inside.push(
      node.reshape(
        isInside,
        shape.map((_, i) => (i === axis ? extent : 1)),
      ),
    );
    if (size > 1) result = takenBy(node, result, axis, node.reshape(offsets, [1, extent, 1]), [extent]);
  }
  const [first] = inside;
  if (first === undefined) return part;
  const spread = (ids: readonly TensorId[]) =>
    together(
      node,
      ids.map((id) => node.builder.tensor(id)),
    );
  const condition = inside.slice(1).reduce((all, own) => {
    const { inputs, shape: both } = spread([all, own]);
    return node.reshape(node.emit({ kind: 'binary', fn: 'and', inputs }), both);
  }, first);
  const chosen = node.emit({ kind: 'select', inputs: spread([condition, result, real(whole)]).inputs });
  return node.reshape(asDeclared(node, chosen), shape);
}

/** For each position of an axis, where it lies in a part that starts at `from`, and whether it does. */
function placesFrom(
  node: NodeContext,
  from: TensorId,
  extent: number,
  size: number,
): { readonly offsets: TensorId; readonly isInside: TensorId } {
  const data = Float32Array.from({ length: extent }, (_, i) => i);
  const name = `${node.resultName}:positions`;
  const positions = node.builder.addConstant({ name, shape: [1, 1, 1, extent], data, loc: node.loc });
  const offsets = node.emit({ kind: 'sub', inputs: [positions, from] });
  const limited = node.emit({ kind: 'clamp', lo: 0, hi: size - 1, inputs: [offsets] });
  return {
    offsets: node.emit({ kind: 'convert', to: 'int32', multiplier: 0, shift: 0, inputs: [limited] }),
    isInside: node.emit({ kind: 'binary', fn: 'equal', inputs: [offsets, limited] }),
  };
}
