/**
 * Operators whose operands are all constants, computed at import: the shape arithmetic that converters leave in files, and
 * constants that are moved before they are used.
 */
import { elementCountOf } from '../../ir/facts.js';
import type { ConstantData } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { broadcastShape } from './broadcast.js';
import type { Constant } from './constant.js';
import { integersOf } from './constant.js';
import type { Importer, NodeContext, Value } from './context.js';
import { malformed } from './problems.js';
import type { TensorType } from './schema.js';
import { stridedRanges } from './strided-ranges.js';

const MAX_FOLDED_ELEMENTS = 2 ** 24;
const AXIS = { concatenation: 0, gather: 0, pack: 1 } as const;

type Data = ConstantData | Float64Array;

/** @returns what computes the operator from constants; undefined where it is not folded */
export function folder(operator: string): Importer | undefined {
  return FOLDERS.get(operator);
}

/** SHAPE is known of activations too. */
export const shape: Importer = (node) => [
  constantValue(node, Float64Array.from(node.shape(0)), [node.shape(0).length], 'int32'),
];

export const rank: Importer = (node) => [constantValue(node, Float64Array.of(node.shape(0).length), [], 'int32')];

function constantValue(node: NodeContext, data: Data, extents: readonly number[], type: TensorType): Value {
  const { name } = node.result;
  return { kind: 'constant', constant: { name, type, shape: extents, quantization: undefined, elements: () => data } };
}

const operandOf = (node: NodeContext, position: number): Constant => node.constant(position, 'operands');

/** Each element of the result from one of the source. @param from a position in the source for one in the result */
function moved(
  node: NodeContext,
  source: Constant,
  extents: readonly number[],
  from: (index: readonly number[]) => readonly number[],
): Value {
  const count = checkedCount(node, extents);
  const data = source.elements();
  const out = new (data.constructor as new (length: number) => Data)(count);
  const index = extents.map(() => 0);
  for (let i = 0; i < count; i++) {
    const at = from(index);
    out[i] = data[source.shape.reduce((offset, extent, axis) => offset * extent + (at[axis] ?? 0), 0)] ?? 0;
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (extents[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
  const { quantization, type } = source;
  const constant = { name: node.result.name, type, shape: extents, quantization, elements: () => out };
  return { kind: 'constant', constant };
}

function checkedCount(node: NodeContext, extents: readonly number[]): number {
  const count = elementCountOf(extents);
  if (extents.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    malformed('SW2107', node.loc, `a constant of shape [${extents.join(', ')}]`);
  }
  if (count > MAX_FOLDED_ELEMENTS) malformed('SW2110', node.loc, `a constant of ${count} elements is computed`);
  return count;
}

const arithmetic =
  (apply: (a: number, b: number) => number, type?: TensorType): Importer =>
  (node) => {
    const [a, b] = [operandOf(node, 0), operandOf(node, 1)];
    if (a.quantization !== undefined || b.quantization !== undefined) return unsupported('of quantised constants');
    const extents = broadcastShape(node, [a.shape, b.shape]);
    const spread = (x: Constant): Data => {
      const rank = extents.length - x.shape.length;
      const value = moved(node, x, extents, (index) =>
        x.shape.map((e, axis) => (e === 1 ? 0 : (index[axis + rank] ?? 0))),
      );
      return value.kind === 'constant' ? value.constant.elements() : new Float64Array();
    };
    const [left, right] = [spread(a), spread(b)];
    const out = left.slice() as Data;
    for (let i = 0; i < out.length; i++) out[i] = apply(left[i] ?? 0, right[i] ?? 0);
    return [constantValue(node, type === 'bool' ? Uint8Array.from(out) : out, extents, type ?? a.type)];
  };

/** 1 or 0. */
const comparison = (apply: (a: number, b: number) => boolean): Importer =>
  arithmetic((a, b) => (apply(a, b) ? 1 : 0), 'bool');

const isInteger = (x: Constant): boolean => x.type !== 'float32' && x.type !== 'float16';

const FOLDERS: ReadonlyMap<string, Importer> = new Map<string, Importer>([
  ['ADD', arithmetic((a, b) => a + b)],
  ['SUB', arithmetic((a, b) => a - b)],
  ['MUL', arithmetic((a, b) => a * b)],
  ['MAXIMUM', arithmetic(Math.max)],
  ['MINIMUM', arithmetic(Math.min)],
  ['FLOOR_DIV', arithmetic((a, b) => Math.floor(a / b))],
  ['FLOOR_MOD', arithmetic((a, b) => a - b * Math.floor(a / b))],
  ['LESS', comparison((a, b) => a < b)],
  ['LESS_EQUAL', comparison((a, b) => a <= b)],
  ['GREATER', comparison((a, b) => a > b)],
  ['GREATER_EQUAL', comparison((a, b) => a >= b)],
  ['EQUAL', comparison((a, b) => a === b)],
  ['NOT_EQUAL', comparison((a, b) => a !== b)],
  ['LOGICAL_AND', comparison((a, b) => a !== 0 && b !== 0)],
  ['LOGICAL_OR', comparison((a, b) => a !== 0 || b !== 0)],
  [
    'LOGICAL_NOT',
    (node) => {
      const x = operandOf(node, 0);
      return [
        constantValue(
          node,
          Uint8Array.from(x.elements(), (value) => (value === 0 ? 1 : 0)),
          x.shape,
          'bool',
        ),
      ];
    },
  ],
  ['DIV', (node) => arithmetic(isInteger(operandOf(node, 0)) ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(node)],
  [
    'CAST',
    (node) => {
      const x = operandOf(node, 0);
      const data = x.elements();
      const to = node.result.type;
      if (to === 'float32') return [constantValue(node, Float32Array.from(data), x.shape, to)];
      return [constantValue(node, Float64Array.from(data, Math.trunc), x.shape, to)];
    },
  ],
  [
    'TRANSPOSE',
    (node) => {
      const x = operandOf(node, 0);
      const perm = node.integers(1, 'orders of axes');
      const extents = perm.map((axis) => x.shape[axis] ?? 1);
      return [moved(node, x, extents, (index) => x.shape.map((_, axis) => index[perm.indexOf(axis)] ?? 0))];
    },
  ],
  [
    'STRIDED_SLICE',
    (node) => {
      const x = operandOf(node, 0);
      const { ranges, newAxes } = stridedRanges(node, x.shape);
      const kept = ranges.filter(({ isDropped }) => !isDropped);
      const part = moved(
        node,
        x,
        kept.map(({ count }) => count),
        (index) => ranges.map((r) => r.begin + (r.isDropped ? 0 : (index[kept.indexOf(r)] ?? 0) * r.stride)),
      );
      if (part.kind !== 'constant') return [part];
      const extents = [...part.constant.shape];
      for (const position of newAxes) extents.splice(position, 0, 1);
      return [{ kind: 'constant', constant: { ...part.constant, shape: extents } }];
    },
  ],
  [
    'SLICE',
    (node) => {
      const x = operandOf(node, 0);
      const begins = node.integers(1, 'begins');
      const sizes = node.integers(2, 'sizes');
      const extents = x.shape.map((extent, axis) => {
        const size = sizes[axis] ?? extent;
        return size === -1 ? extent - (begins[axis] ?? 0) : size;
      });
      return [moved(node, x, extents, (index) => index.map((i, axis) => i + (begins[axis] ?? 0)))];
    },
  ],
  [
    'GATHER',
    (node) => {
      const x = operandOf(node, 0);
      const which = operandOf(node, 1);
      const given = node.node.options?.int32(AXIS.gather) ?? 0;
      const axis = given < 0 ? given + x.shape.length : given;
      const positions = integersOf(which);
      const extents = [...x.shape.slice(0, axis), ...which.shape, ...x.shape.slice(axis + 1)];
      const rank = which.shape.length;
      const positionOf = (index: readonly number[]): number =>
        positions[which.shape.reduce((offset, extent, i) => offset * extent + (index[axis + i] ?? 0), 0)] ?? 0;
      return [
        moved(node, x, extents, (index) => [...index.slice(0, axis), positionOf(index), ...index.slice(axis + rank)]),
      ];
    },
  ],
  [
    'RANGE',
    (node) => {
      const [start = 0, limit = 0, step = 1] = [0, 1, 2].map((position) =>
        Number(operandOf(node, position).elements()[0]),
      );
      const count = Math.max(0, Math.ceil((limit - start) / step));
      checkedCount(node, [count]);
      const data = Float64Array.from({ length: count }, (_, i) => start + i * step);
      const { type } = operandOf(node, 0);
      return [constantValue(node, type === 'float32' ? Float32Array.from(data) : data, [count], type)];
    },
  ],
  ['ZEROS_LIKE', (node) => [zerosLike(node)]],
  [
    'BROADCAST_ARGS',
    (node) => {
      const shape = broadcastShape(node, [node.integers(0, 'shapes'), node.integers(1, 'shapes')]);
      return [constantValue(node, Float64Array.from(shape), [shape.length], 'int32')];
    },
  ],
  ['PACK', (node) => [joined(node, node.options.int32(AXIS.pack), true)]],
  ['CONCATENATION', (node) => [joined(node, node.options.int32(AXIS.concatenation), false)]],
  [
    'REDUCE_PROD',
    (node) => {
      const x = operandOf(node, 0);
      const data = integersOf(x);
      const product = data.reduce((a, b) => a * b, 1);
      const keepDims = node.node.options?.bool(0) ?? false;
      return [constantValue(node, Float64Array.of(product), keepDims ? x.shape.map(() => 1) : [], x.type)];
    },
  ],
  [
    'FILL',
    (node) => {
      const value = operandOf(node, 1);
      return [moved(node, value, node.integers(0, 'shapes'), () => [])];
    },
  ],
  [
    'BROADCAST_TO',
    (node) => {
      const x = operandOf(node, 0);
      const extents = node.integers(1, 'shapes');
      const rank = extents.length - x.shape.length;
      return [moved(node, x, extents, (index) => x.shape.map((e, axis) => (e === 1 ? 0 : (index[axis + rank] ?? 0))))];
    },
  ],
  [
    'TILE',
    (node) => {
      const x = operandOf(node, 0);
      const times = node.integers(1, 'multiples');
      const extents = x.shape.map((extent, axis) => extent * (times[axis] ?? 1));
      return [moved(node, x, extents, (index) => index.map((i, axis) => i % (x.shape[axis] ?? 1)))];
    },
  ],
]);

/** Of activations too: only their shape is looked at. */
function zerosLike(node: NodeContext): Value {
  const { type } = node.result;
  const extents = node.shape(0);
  const count = checkedCount(node, extents);
  if (type === 'float32') return constantValue(node, new Float32Array(count), extents, type);
  if (type === 'int32' || type === 'int64') return constantValue(node, new Float64Array(count), extents, type);
  return unsupported(`of ${type}`);
}

export const zeros: Importer = (node) => [zerosLike(node)];

function joined(node: NodeContext, given: number, isNewAxis: boolean): Value {
  const parts = node.operands.map((_, position) => operandOf(node, position));
  const shapes = parts.map((part) => part.shape);
  const rank = (shapes[0]?.length ?? 0) + (isNewAxis ? 1 : 0);
  const axis = given < 0 ? given + rank : given;
  if (!(axis >= 0 && axis < rank)) malformed('SW2107', node.loc, `axis ${given} of ${rank} axes`);
  const lengths = shapes.map((own) => (isNewAxis ? 1 : (own[axis] ?? 1)));
  const total = lengths.reduce((a, b) => a + b, 0);
  const [first = []] = shapes;
  const extents = isNewAxis ? first.toSpliced(axis, 0, total) : first.with(axis, total);
  const count = checkedCount(node, extents);
  const outer = elementCountOf(extents.slice(0, axis));
  const inner = elementCountOf(extents.slice(axis + 1));
  const [sample = new Float64Array()] = parts.map((part) => part.elements());
  const out = new (sample.constructor as new (length: number) => Data)(count);
  let start = 0;
  for (const [p, part] of parts.entries()) {
    const data = part.elements();
    const run = (lengths[p] ?? 1) * inner;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < run; i++) out[(o * total + start) * inner + i] = data[o * run + i] ?? 0;
    }
    start += lengths[p] ?? 1;
  }
  return constantValue(node, out, extents, parts[0]?.type ?? 'int32');
}
