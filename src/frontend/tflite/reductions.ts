/** MEAN, SUM, REDUCE_MAX and so on over any axes, and ARG_MAX: pools as large as the image, or reductions of channels. */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { Quantization, Reduction, Tensor, TensorId } from '../../ir/types.js';
import { POINT } from './binary-constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { lookUpInto } from './look-up.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { malformed } from './problems.js';
import { realOf } from './real-numbers.js';

const REDUCER = { keepDims: 0 } as const;

type Kind = 'mean' | 'sum' | 'max' | 'min' | 'prod';

/** The operand as outer x reduced x inner elements: the reduced axes moved together, to the end if they are not side by side. */
interface Arranged {
  readonly id: TensorId;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
}

/** The reduced axes as indices from 0, in order. */
function reducedAxes(node: NodeContext, rank: number): number[] {
  const axes = node.integers(1, 'axes').map((axis) => (axis < 0 ? axis + rank : axis));
  const wrong = axes.find((axis) => axis < 0 || axis >= rank);
  if (wrong !== undefined) malformed('SW2107', node.loc, `axis ${wrong} of ${rank} axes`);
  return [...new Set(axes)].sort((a, b) => a - b);
}

/** Axes of extent 1 do not matter. @param toEnd also where the axes are side by side */
function arranged(node: NodeContext, x: Tensor, axes: readonly number[], toEnd: boolean): Arranged {
  const moving = axes.filter((axis) => x.shape[axis] !== 1);
  const first = moving[0] ?? x.shape.length;
  const end = first + moving.length;
  const product = (from: number, to: number): number => elementCountOf(x.shape.slice(from, to));
  const isTogether = moving.every((axis, i) => axis === first + i);
  if (isTogether && !toEnd) {
    return { id: x.id, outer: product(0, first), reduced: product(first, end), inner: product(end, x.shape.length) };
  }
  const others = x.shape.map((_, axis) => axis).filter((axis) => !moving.includes(axis));
  const id = node.permute(x, [...others, ...moving]);
  const reduced = elementCountOf(moving.map((axis) => x.shape[axis] ?? 1));
  return { id, outer: elementCountOf(x.shape) / reduced, reduced, inner: 1 };
}

export const reduce =
  (kind: Kind): Importer =>
  (node) => {
    const x = node.input(0);
    const axes = reducedAxes(node, x.shape.length);
    const keepDims = node.node.options?.bool(REDUCER.keepDims) ?? false;
    const shape = x.shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent]));
    const isStored = isQuantized(x.dtype);
    const isSum = kind === 'mean' || kind === 'sum';
    // The kernel looks at the axes as the file has them.
    const named = node.integers(1, 'axes').toSorted((a, b) => a - b);
    const isOfImage = keepDims && x.shape.length === 4 && named.join() === '1,2' && x.dtype !== 'int16';
    const count = kind === 'mean' ? (isOfImage ? 'raw' : 'divided') : 'none';
    const isTotal = kind === 'sum' && (x.dtype === 'int8' || x.dtype === 'uint8');
    const id = isTotal
      ? storedTotal(node, x, axes)
      : isStored && isSum
        ? storedSum(node, x, axes, count)
        : reducedFloat(node, x, axes, kind);
    return [activation(node.reshape(id, shape))];
  };

/** float32, and the largest and least of stored integers. */
function reducedFloat(node: NodeContext, x: Tensor, axes: readonly number[], kind: Kind): TensorId {
  const canPool = kind === 'mean' || kind === 'max' || kind === 'sum';
  const { id, outer, reduced, inner } = arranged(node, x, axes, !canPool);
  if (inner === 1) {
    return node.emit({ kind: 'reduce', fn: kind, inputs: [node.reshape(id, [1, outer, 1, reduced])] }, quantOf(x));
  }
  const image = node.reshape(id, wholeImage(x.shape, outer, reduced, inner));
  const [, rows = 1, columns = 1] = node.builder.tensor(image).shape;
  const kernel: readonly [number, number] = outer === 1 ? [rows, columns] : [1, reduced];
  const window = { ...POINT, kernel };
  const pool = kind === 'max' ? 'maxPool' : 'avgPool';
  const pooled = node.emit({ kind: pool, window, countIncludePad: false, inputs: [image] });
  return kind === 'sum' ? times(node, pooled, reduced) : pooled;
}

const quantOf = ({ quant }: Tensor): { quant?: NonNullable<Tensor['quant']> } => (quant === undefined ? {} : { quant });

/** An image's rows and columns stay what they are; other axes become columns. */
function wholeImage(shape: readonly number[], outer: number, reduced: number, inner: number): readonly number[] {
  const [n, h = 1, w = 1, c] = shape;
  if (shape.length === 4 && n === 1 && outer === 1 && h * w === reduced && c === inner) return shape;
  return [1, outer, reduced, inner];
}

function times(node: NodeContext, id: TensorId, factor: number): TensorId {
  const data = Float32Array.of(factor);
  const by = node.builder.addConstant({ name: `${node.resultName}:count`, shape: [1, 1, 1, 1], data, loc: node.loc });
  return node.emit({ kind: 'mul', inputs: [id, by] });
}

/**
 * SUM of 8 bits: the sum of stored values times a factor, and an offset for the zero point, each step in float32. Whole numbers of
 * the sizes that sums have are exact there.
 */
function storedTotal(node: NodeContext, x: Tensor, axes: readonly number[]): TensorId {
  const result = node.resultQuant();
  const given = x.quant ?? { scales: [1], zeroPoint: 0 };
  const number = (value: number): TensorId => {
    const data = Float32Array.of(value);
    return node.builder.addConstant({ name: `${node.resultName}:${value}`, shape: [1, 1, 1, 1], data, loc: node.loc });
  };
  const same = (stored: number): number => stored;
  const whole = node.builder.tensor(lookUpInto(node, x, { scales: [1], zeroPoint: 0 }, same));
  const { id, outer, reduced } = arranged(node, { ...x, id: realOf(node, whole) }, axes, true);
  const sum = node.emit({ kind: 'reduce', fn: 'sum', inputs: [node.reshape(id, [1, outer, 1, reduced])] });
  const factor = Math.fround(scaleOf(given) / scaleOf(result));
  const offset = Math.fround(Math.fround(-given.zeroPoint * factor) * reduced);
  const scaled = node.emit({ kind: 'mul', inputs: [sum, number(factor)] });
  const shifted = node.emit({ kind: 'add', inputs: [scaled, number(offset)] });
  const to = x.dtype === 'uint8' ? 'uint8' : 'int8';
  const steps = { quant: { scales: [1], zeroPoint: result.zeroPoint } };
  const stored = node.emit({ kind: 'convert', to, multiplier: 0, shift: 0, inputs: [shifted] }, steps);
  return lookUpInto(node, node.builder.tensor(stored), result, same);
}

/** @param count what becomes of the number of elements: see `sumScale` and `rawMean` */
function storedSum(node: NodeContext, x: Tensor, axes: readonly number[], count: 'none' | 'divided' | 'raw'): TensorId {
  const { id, outer, reduced, inner } = arranged(node, x, axes, false);
  const image = node.reshape(id, wholeImage(x.shape, outer, reduced, inner));
  const [, rows = 1, columns = 1] = node.builder.tensor(image).shape;
  const kernel: readonly [number, number] = outer === 1 ? [rows, columns] : [1, reduced];
  const result = node.resultQuant();
  const given = x.quant ?? { scales: [1], zeroPoint: 0 };
  const rescale =
    count === 'raw'
      ? rawMean(given, result, reduced)
      : count === 'divided' || x.dtype === 'int16'
        ? sumScale(scaleOf(given), scaleOf(result), count === 'none' ? 1 : reduced)
        : { multiplier: 0, shift: 0, scale: Math.fround(scaleOf(given) / scaleOf(result)) };
  return node.emit({ kind: 'sumPool', window: { ...POINT, kernel }, ...rescale, inputs: [image] }, { quant: result });
}

/**
 * The mean over rows and columns that keeps its axes has a kernel of its own: the sum of stored values, times a factor that has the
 * count in it, and an offset for both zero points, computed in float32.
 */
function rawMean(
  from: Quantization,
  to: Quantization,
  count: number,
): { multiplier: number; shift: number; offset: number } {
  const zero = Math.fround(Math.fround(from.zeroPoint * scaleOf(from)) / scaleOf(to));
  const rounded = Math.trunc(Math.fround(zero + (zero > 0 ? 0.5 : -0.5)));
  const factor = Math.fround(scaleOf(from) / Math.fround(count * scaleOf(to)));
  return { ...fixedPoint(factor), offset: to.zeroPoint - rounded };
}

/** The factor from a sum to the result. The count is divided into the multiplier after it has been made an integer. */
function sumScale(input: number, output: number, count: number): { multiplier: number; shift: number } {
  const factor = fixedPoint(input / output);
  if (count === 1) return factor;
  const shift = Math.min(Math.floor(Math.log2(count)), 32, 31 + factor.shift);
  const multiplier = Number((BigInt(factor.multiplier) << BigInt(shift)) / BigInt(count));
  return { multiplier, shift: factor.shift - shift };
}

/** ARG_MAX and ARG_MIN along one axis, as int32. */
export const argument =
  (fn: Extract<Reduction, 'argMax' | 'argMin'>): Importer =>
  (node) => {
    const x = node.input(0);
    const [axis = 0] = reducedAxes(node, x.shape.length);
    const last = x.shape.length - 1;
    const order = [...x.shape.keys()].filter((other) => other !== axis);
    const view = axis === last ? x.id : node.permute(x, [...order, axis]);
    const isImage = axis === 3 && x.shape.length === 4 && x.shape[0] === 1;
    const extent = x.shape[axis] ?? 1;
    const image = isImage ? view : node.reshape(view, [1, elementCountOf(x.shape) / extent, 1, extent]);
    const id = node.emit({ kind: 'reduce', fn, inputs: [image] });
    return [activation(node.reshape(id, x.shape.toSpliced(axis, 1)))];
  };
