/** Functions of one or several float32 values; for 8 bits, tables and what keeps the stored order. */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { BinaryFunction, SumRescale, Tensor, TensorId, UnaryFunction } from '../../ir/types.js';
import { sameQuantization } from '../../ir/verify-numbers.js';
import { unsupported } from '../import-problems.js';
import { unaryFunction as realFunction } from '../quantize/real-functions.js';
import { withFused } from './activation.js';
import { broadcastShape, together } from './broadcast.js';
import type { Constant } from './constant.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { hybridDense } from './convolution.js';
import { repeated } from './gather.js';
import { isHybrid } from './hybrid.js';
import { logistic16, lookUp16, sampled16, tanh16 } from './int16-functions.js';
import { asOrdered, lookUpInto, realTable } from './look-up.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { asDeclared, realInput, realOf } from './real-numbers.js';
import { rescaled } from './rescale.js';

const BINARY = { activation: 0 } as const;
const ELU_ALPHA = 1;
const GELU = { approximate: 0 } as const;

const unary = (node: NodeContext, x: Tensor, fn: UnaryFunction, alpha = 0): TensorId =>
  node.emit({ kind: 'unary', fn, alpha, beta: 0, inputs: [x.id] });

/** @param real for 8 bits, where LiteRT has a table of float32 values; undefined where it has no such kernel */
export const unaryFunction =
  (fn: UnaryFunction, real?: (x: number) => number): Importer =>
  (node) => {
    const { tensor: x, perm } = node.ordered(0);
    if (x.dtype === 'float32') return [asOrdered(unary(node, x, fn, fn === 'elu' ? ELU_ALPHA : 0), perm)];
    if (real !== undefined && x.dtype !== 'int16') return [asOrdered(realTable(node, x, real), perm)];
    const wide = real === undefined ? undefined : wideFunction(node, x, fn, real);
    if (wide !== undefined) return [asOrdered(lookUp16(node, x, node.resultQuant(), wide), perm)];
    const made = unary(node, node.builder.tensor(realOf(node, x)), fn, fn === 'elu' ? ELU_ALPHA : 0);
    return [asOrdered(asDeclared(node, made), perm)];
  };

/** Of int16: its own tables for LOGISTIC and TANH, one of samples for what LiteRT has so. */
function wideFunction(
  node: NodeContext,
  { quant }: Tensor,
  fn: UnaryFunction,
  real: (x: number) => number,
): ((x: number) => number) | undefined {
  if (quant === undefined) return undefined;
  if (fn === 'sigmoid') return logistic16(scaleOf(quant));
  if (fn === 'tanh') return tanh16(scaleOf(quant));
  return fn === 'exp' || fn === 'log' || fn === 'gelu' || fn === 'geluTanh'
    ? sampled16(quant, node.resultQuant(), real)
    : undefined;
}

export const gelu: Importer = (node) => {
  const fn = (node.node.options?.bool(GELU.approximate) ?? false) ? 'geluTanh' : 'gelu';
  return unaryFunction(fn, realFunction(fn, 0, 0))(node);
};

/** ABS of 8 bits rescales magnitudes in fixed point. */
export const abs: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const { quant } = x;
  if (quant === undefined || x.dtype === 'int16') return unaryFunction('abs')(node);
  const result = node.resultQuant();
  const scale = fixedPoint(Math.fround(scaleOf(quant) / scaleOf(result)));
  const apply = (stored: number): number => rescaled(Math.abs(stored - quant.zeroPoint), scale) + result.zeroPoint;
  return [asOrdered(lookUpInto(node, x, result, apply), perm)];
};

/** SQRT of 8 bits cuts the fraction off where others round. */
export const sqrt: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const { quant } = x;
  if (quant === undefined || x.dtype === 'int16') return unaryFunction('sqrt')(node);
  const result = node.resultQuant();
  const apply = (stored: number): number => {
    const real = Math.fround(scaleOf(quant) * Math.max(stored - quant.zeroPoint, 0));
    return Math.trunc(Math.fround(Math.fround(Math.sqrt(real)) / scaleOf(result))) + result.zeroPoint;
  };
  return [asOrdered(lookUpInto(node, x, result, apply), perm)];
};

/** A function of two operands in float32, extents of 1 repeated; `then` is applied to its result. */
export const binaryFunction =
  (fn: BinaryFunction | 'sub', then?: UnaryFunction): Importer =>
  (node) => {
    const { inputs, shape } = together(node, [realInput(node, 0), realInput(node, 1)]);
    const made = fn === 'sub' ? node.emit({ kind: 'sub', inputs }) : node.emit({ kind: 'binary', fn, inputs });
    const result = then === undefined ? made : unary(node, node.builder.tensor(made), then);
    const fused = fn === 'div' && then === undefined ? node.activationOption(BINARY.activation) : 'none';
    return [activation(node.reshape(asDeclared(node, withFused(node, result, fused)), shape))];
  };

/** MAXIMUM and MINIMUM: of stored integers too, where all have one quantisation. */
export const extremum =
  (fn: 'max' | 'min'): Importer =>
  (node) => {
    const isInteger = node.result.type === 'int32' || node.result.type === 'int64';
    const operands = isInteger ? [realInput(node, 0), realInput(node, 1)] : [node.input(0), node.input(1)];
    const [a, b] = operands;
    if (a !== undefined && b !== undefined && isQuantized(a.dtype)) {
      if (!sameQuantization(a.quant, b.quant)) return unsupported('operands of several quantisations');
    }
    const { inputs, shape } = together(node, operands);
    return [activation(node.reshape(asDeclared(node, node.emit({ kind: 'binary', fn, inputs })), shape))];
  };

/** SELECT and SELECT_V2 of float32; the condition is 0 or not. */
export const select: Importer = (node) => {
  const { inputs, shape } = together(
    node,
    [0, 1, 2].map((position) => realInput(node, position)),
  );
  return [activation(node.reshape(asDeclared(node, node.emit({ kind: 'select', inputs })), shape))];
};

/** x - log(sum exp x), over the last axis. */
export const logSoftmax: Importer = (node) => {
  const x = realInput(node, 0);
  const image = channelImage(node, x);
  const sum = node.emit({ kind: 'reduce', fn: 'logSumExp', inputs: [image] });
  const made = asDeclared(node, node.emit({ kind: 'sub', inputs: [image, sum] }));
  return [activation(node.reshape(made, x.shape))];
};

function channelImage(node: NodeContext, x: Tensor): TensorId {
  const channels = x.shape.at(-1) ?? 1;
  return node.reshape(x.id, [1, elementCountOf(x.shape) / channels, 1, channels]);
}

const MATMUL = { transposeA: 0, transposeB: 1, asymmetric: 2 } as const;

/** BATCH_MATMUL: the last two axes; those before are one for each product, or 1 and repeated. */
export const batchMatMul: Importer = (node) => {
  const transposeA = node.node.options?.bool(MATMUL.transposeA) ?? false;
  const transposeB = node.node.options?.bool(MATMUL.transposeB) ?? false;
  const hybrid = hybridProduct(node, transposeA, transposeB);
  if (hybrid !== undefined) return hybrid;
  const stored = [node.input(0), node.input(1)].every(({ dtype }) => dtype === 'int8') && node.result.type === 'int8';
  const first = transposeA ? swapped(node, 0) : node.input(0);
  const given = {
    a: stored ? first : node.builder.tensor(realOf(node, first)),
    b: stored ? node.input(1) : realInput(node, 1),
  };
  const outer = (x: Tensor): readonly number[] => x.shape.slice(0, -2);
  const lead = broadcastShape(node, [outer(given.a), outer(given.b)]);
  const a = repeatedTo(node, given.a, lead);
  // The machine repeats a second operand that has one matrix in all.
  const b = elementCountOf(outer(given.b)) === 1 ? given.b : repeatedTo(node, given.b, lead);
  const [batchA, batchB] = [elementCountOf(outer(a)), elementCountOf(outer(b))];
  const inputs = [
    node.reshape(a.id, [1, batchA, ...a.shape.slice(-2)]),
    node.reshape(b.id, [1, batchB, ...b.shape.slice(-2)]),
  ];
  const spec = { kind: 'matmul', transposeB, inputs } as const;
  const id = stored
    ? node.emit({ ...spec, rescale: productRescale(node, a, b) }, { quant: node.resultQuant() })
    : asDeclared(node, node.emit(spec));
  const made = node.builder.tensor(id).shape;
  return [activation(node.reshape(id, [...lead, ...made.slice(-2)]))];
};

/** Rows of float32 times one matrix of int8, as a dense layer of such weights. */
function hybridProduct(node: NodeContext, transposeA: boolean, transposeB: boolean): Value[] | undefined {
  const value = node.operand(1);
  if (value.kind !== 'constant' || transposeA) return undefined;
  const { constant } = value;
  const x = node.input(0);
  const [first = 1, second = 1] = constant.shape.slice(-2);
  const isOne = elementCountOf(constant.shape) === first * second && constant.shape.length <= x.shape.length;
  if (!isHybrid(x.dtype, constant) || !isOne || constant.quantization?.scales.length !== 1) return undefined;
  const weights = transposeB ? { ...constant, shape: [first, second] } : turned(constant, first, second);
  const [m = 1, k = 1] = weights.shape;
  const rows = elementCountOf(x.shape) / k;
  const isSymmetric = !(node.node.options?.bool(MATMUL.asymmetric) ?? false);
  const made = hybridDense(node, node.reshape(x.id, [1, rows, 1, k]), weights, { bias: undefined, isSymmetric });
  return [activation(node.reshape(made, [...x.shape.slice(0, -1), m]))];
}

/** [K, N] as [N, K]. */
function turned(constant: Constant, k: number, n: number): Constant {
  const elements = (): ReturnType<Constant['elements']> => {
    const data = constant.elements();
    const out = data.slice() as typeof data;
    for (let row = 0; row < n; row++) {
      for (let column = 0; column < k; column++) out[row * k + column] = data[column * n + row] ?? 0;
    }
    return out;
  };
  return { ...constant, shape: [n, k], elements };
}

/** Matrices repeated so that there is one for each product. */
function repeatedTo(node: NodeContext, x: Tensor, lead: readonly number[]): Tensor {
  const missing = lead.length - (x.shape.length - 2);
  const times = lead.map((extent, axis) => extent / (x.shape[axis - missing] ?? 1));
  if (times.every((count) => count === 1)) return x;
  const before = node.builder.tensor(node.reshape(x.id, [...new Array<number>(missing).fill(1), ...x.shape]));
  return node.builder.tensor(repeated(node, before, [...times, 1, 1], 0));
}

/** Of the sums of a product of stored integers. */
export function productRescale(node: NodeContext, a: Tensor, b: Tensor): SumRescale {
  if (a.quant === undefined || b.quant === undefined) return unsupported('operands without quantisation');
  const factor = (scaleOf(a.quant) * scaleOf(b.quant)) / scaleOf(node.resultQuant());
  return fixedPoint(factor);
}

/** An operand with its last two axes exchanged. */
function swapped(node: NodeContext, position: number): Tensor {
  const { tensor, perm } = node.ordered(position);
  const order = perm ?? tensor.shape.map((_, axis) => axis);
  const last = order.length - 1;
  const all = [...order.slice(0, -2), order[last] ?? 0, order[last - 1] ?? 0];
  return node.builder.tensor(node.permute(tensor, all));
}
