/** Elements in another order, and the largest of them: rows by positions, REVERSE_V2, REVERSE_SEQUENCE, CUMSUM, TOPK_V2, ADD_N, LOCAL_RESPONSE_NORMALIZATION. */
import { elementCountOf } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { asDeclared, realInput } from './real-numbers.js';
import { sliced } from './slicing.js';

/** The axes with one of them first. */
const toFront = (rank: number, axis: number): number[] => [
  axis,
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis),
];

/** Elements of an axis by constant positions, each a row of a table. */
export function taken(node: NodeContext, id: TensorId, axis: number, positions: readonly number[]): TensorId {
  const name = `${node.resultName}:positions`;
  const data = Int32Array.from(positions);
  const index = node.builder.addConstant({ name, shape: [1, positions.length, 1], data, loc: node.loc });
  return takenBy(node, id, axis, index, [positions.length]);
}

/** Elements of an axis by indices [1, N, 1], which have the shape `shape` in the file. */
export function takenBy(
  node: NodeContext,
  id: TensorId,
  axis: number,
  index: TensorId,
  shape: readonly number[],
): TensorId {
  const x = node.builder.tensor(id);
  const rank = x.shape.length;
  const front = axis === 0 ? x : node.builder.tensor(node.permute(x, toFront(rank, axis)));
  const [extent = 1, ...rest] = front.shape;
  const table = node.reshape(front.id, [extent, elementCountOf(rest)]);
  const quant = x.quant === undefined ? {} : { quant: x.quant };
  const made = node.emit({ kind: 'gather', inputs: [table, index] }, quant);
  const rows = node.reshape(made, [...shape, ...rest]);
  if (axis === 0) return rows;
  // Axes before the gathered one, those of the indices, those after it.
  const own = shape.map((_, i) => i);
  const others = rest.map((_, i) => shape.length + i);
  return node.permute(node.builder.tensor(rows), [...others.slice(0, axis), ...own, ...others.slice(axis)]);
}

export const reverse: Importer = (node) => {
  const x = node.input(0);
  let { id } = x;
  for (const given of node.integers(1, 'axes')) {
    const axis = given < 0 ? given + x.shape.length : given;
    const extent = x.shape[axis] ?? malformed('SW2107', node.loc, `axis ${given} of ${x.shape.length} axes`);
    id = taken(
      node,
      id,
      axis,
      Array.from({ length: extent }, (_, i) => extent - 1 - i),
    );
  }
  return [activation(id)];
};

const SEQUENCE = { time: 0, batch: 1 } as const;
/** Sequences and elements that are taken one after the other. */
const MOST_TAKEN = 32;

/** The first elements of each sequence, as many as its length says, in the other order. */
export const reverseSequence: Importer = (node) => {
  const x = node.input(0);
  const { time, batch } = { time: node.options.int32(SEQUENCE.time), batch: node.options.int32(SEQUENCE.batch) };
  const lengths = node.integers(1, 'lengths');
  const [steps = 0, sequences = 0] = [x.shape[time], x.shape[batch]];
  if (time === batch || lengths.length !== sequences || lengths.some((length) => length < 0 || length > steps)) {
    malformed('SW2107', node.loc, `lengths ${lengths.join(', ')} of sequences of [${x.shape.join(', ')}]`);
  }
  const reversed = (id: TensorId, length: number): TensorId => {
    const positions = Array.from({ length: steps }, (_, i) => (i < length ? length - 1 - i : i));
    return length < 2 ? id : taken(node, id, time, positions);
  };
  const [first = 0] = lengths;
  if (lengths.every((length) => length === first)) return [activation(reversed(x.id, first))];
  if (sequences > MOST_TAKEN) return unsupported(`${sequences} sequences, at most ${MOST_TAKEN}`);
  const parts = lengths.map((length, i) => reversed(sliced(node, x.id, batch, i, 1), length));
  const quant = x.quant === undefined ? {} : { quant: x.quant };
  return [activation(node.emit({ kind: 'concat', axis: batch, inputs: parts }, quant))];
};

const CUMSUM = { exclusive: 0, reverse: 1 } as const;
const MOST_SUMMED = 4096;

/** A product with a triangle of ones. */
export const cumulativeSum: Importer = (node) => {
  const real = realInput(node, 0);
  const rank = real.shape.length;
  const [given = 0] = node.integers(1, 'axes');
  const axis = given < 0 ? given + rank : given;
  const size = real.shape[axis] ?? malformed('SW2107', node.loc, `axis ${given} of ${rank} axes`);
  if (size > MOST_SUMMED) return unsupported(`of ${size} elements, at most ${MOST_SUMMED}`);
  const isExclusive = node.node.options?.bool(CUMSUM.exclusive) ?? false;
  const isReverse = node.node.options?.bool(CUMSUM.reverse) ?? false;
  const data = new Float32Array(size * size);
  for (let from = 0; from < size; from++) {
    for (let to = 0; to < size; to++) {
      const distance = isReverse ? from - to : to - from;
      if (isExclusive ? distance > 0 : distance >= 0) data[from * size + to] = 1;
    }
  }
  const name = `${node.resultName}:triangle`;
  const triangle = node.builder.addConstant({ name, shape: [1, 1, size, size], data, loc: node.loc });
  const last = Array.from({ length: rank }, (_, i) => i);
  last[axis] = rank - 1;
  last[rank - 1] = axis;
  const isLast = axis === rank - 1;
  const turned = isLast ? real : node.builder.tensor(node.permute(real, last));
  const rows = node.reshape(turned.id, [1, 1, elementCountOf(turned.shape) / size, size]);
  const sums = node.reshape(node.emit({ kind: 'matmul', transposeB: false, inputs: [rows, triangle] }), turned.shape);
  const result = isLast ? sums : node.permute(node.builder.tensor(sums), last);
  return [activation(asDeclared(node, result))];
};

/** Elements that TOPK_V2 takes: each is a pass over all channels. */
const LEAST_FLOAT = -3.4028234663852886e38;

/** The largest few of the last axis, one after the other: what was taken is replaced by what is never taken. */
export const topK: Importer = (node) => {
  const real = realInput(node, 0);
  const [count = 1] = node.integers(1, 'counts');
  const channels = real.shape.at(-1) ?? 1;
  if (!(count >= 1 && count <= Math.min(channels, MOST_TAKEN))) {
    return unsupported(`of ${count} of ${channels} elements; at most ${MOST_TAKEN} are taken one after the other`);
  }
  const rows = elementCountOf(real.shape) / channels;
  const constant = (what: string, data: Float32Array): TensorId =>
    node.builder.addConstant({
      name: `${node.resultName}:${what}`,
      shape: [1, 1, 1, data.length],
      data,
      loc: node.loc,
    });
  const positions = constant(
    'positions',
    Float32Array.from({ length: channels }, (_, i) => i),
  );
  const never = constant('never', Float32Array.of(LEAST_FLOAT));
  let rest = node.reshape(real.id, [1, rows, 1, channels]);
  const [values, indices]: [TensorId[], TensorId[]] = [[], []];
  for (let i = 0; i < count; i++) {
    values.push(node.emit({ kind: 'reduce', fn: 'max', inputs: [rest] }));
    const index = node.emit({ kind: 'reduce', fn: 'argMax', inputs: [rest] });
    indices.push(index);
    if (i + 1 === count) break;
    const place = node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [index] });
    const isTaken = node.emit({ kind: 'binary', fn: 'equal', inputs: [positions, place] });
    rest = node.emit({ kind: 'select', inputs: [isTaken, never, rest] });
  }
  const shape = [...real.shape.slice(0, -1), count];
  const together = (parts: readonly TensorId[]): TensorId => {
    const [only] = parts;
    const whole =
      parts.length === 1 && only !== undefined ? only : node.emit({ kind: 'concat', axis: 3, inputs: parts });
    return node.reshape(whole, shape);
  };
  return [activation(asDeclared(node, together(values))), activation(together(indices))];
};

/** A sum from the left. */
export const addMany: Importer = (node) => {
  const [first, ...others] = node.operands.map((_, position) => realInput(node, position));
  if (first === undefined) return malformed('SW2103', node.loc, 'ADD_N has no operands');
  let { id } = first;
  for (const other of others) {
    if (other.shape.join() !== first.shape.join()) return unsupported('operands of several shapes');
    id = node.emit({ kind: 'add', inputs: [id, other.id] });
  }
  return [activation(asDeclared(node, id))];
};

const LRN = { radius: 0, bias: 1, alpha: 2, beta: 3 } as const;

/** x / (bias + alpha * sum of squares of the channels around it) ^ beta. */
export const localResponseNormalization: Importer = (node) => {
  const x = node.input(0);
  if (x.dtype !== 'float32') return unsupported(`${x.dtype} operands`);
  const size = 2 * node.options.int32(LRN.radius) + 1;
  const alpha = Math.fround(node.options.float32(LRN.alpha) * size); // the IR's is divided by the size
  const [beta, k] = [node.options.float32(LRN.beta), node.options.float32(LRN.bias)];
  return [activation(node.emit({ kind: 'lrn', size, alpha, beta, k, sumShift: 0, inputs: [x.id] }))];
};
