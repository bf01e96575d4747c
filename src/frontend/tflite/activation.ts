/** Activations: limits, on their own or fused into the operator before; leaky, parametric and hard ones. */
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { POINT } from './binary-constant.js';
import { together } from './broadcast.js';
import { realsOf } from './constant.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { hardSwishTable } from './hard-swish.js';
import { rescaled16 } from './int16-functions.js';
import { asOrdered, lookUpInto } from './look-up.js';
import { additionRescale, fixedPoint, type Limits, realLimits, scaleOf, storedLimits } from './numbers.js';
import { asDeclared, realInput } from './real-numbers.js';
import { rescaled } from './rescale.js';

const LARGEST_FLOAT = 3.4028234663852886e38;

/** The operator's result with its fused activation applied. */
export function withFused(node: NodeContext, id: TensorId, fn: Limits): TensorId {
  const { dtype, quant } = node.builder.tensor(id);
  if (fn === 'none') return id;
  if (fn === 'tanh' && dtype === 'float32') {
    return node.emit({ kind: 'unary', fn: 'tanh', alpha: 0, beta: 0, inputs: [id] });
  }
  if (!isQuantized(dtype) || quant === undefined) {
    const { lo, hi } = realLimits(fn);
    return floatClamp(node, id, lo, hi);
  }
  const { lo, hi } = storedLimits(fn, quant, dtype);
  const range = storedRange(dtype);
  return lo <= range.lo && hi >= range.hi ? id : node.emit({ kind: 'clamp', lo, hi, inputs: [id] });
}

/** Infinite limits are the largest finite float32. */
function floatClamp(node: NodeContext, id: TensorId, lo: number, hi: number): TensorId {
  return node.emit({ kind: 'clamp', lo: Math.max(lo, -LARGEST_FLOAT), hi: Math.min(hi, LARGEST_FLOAT), inputs: [id] });
}

/** RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1. Quantised ones may rescale as well, which is a table for 8 bits. */
export const limits =
  (fn: Limits): Importer =>
  (node) => {
    const { tensor: x, perm } = node.ordered(0);
    const { quant } = x;
    if (quant === undefined || !isQuantized(x.dtype)) return [asOrdered(withFused(node, x.id, fn), perm)];
    const result = node.resultQuant();
    const { lo, hi } = storedLimits(fn, result, x.dtype);
    const scale = fixedPoint(Math.fround(scaleOf(quant) / scaleOf(result)));
    if (x.dtype === 'int16') {
      const factor = Math.fround(scaleOf(quant) / scaleOf(result));
      return [asOrdered(withFused(node, rescaled16(node, x.id, factor, result), fn), perm)];
    }
    const apply = (stored: number): number =>
      Math.min(Math.max(rescaled(stored - quant.zeroPoint, scale) + result.zeroPoint, lo), hi);
    return [asOrdered(lookUpInto(node, x, result, apply), perm)];
  };

const LEAKY_RELU = { alpha: 0 } as const;

export const leakyRelu: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const alpha = Math.fround(node.options.float32(LEAKY_RELU.alpha));
  const { quant } = x;
  if (quant === undefined || !isQuantized(x.dtype)) {
    return [asOrdered(node.emit({ kind: 'unary', fn: 'leakyRelu', alpha, beta: 0, inputs: [x.id] }), perm)];
  }
  const result = node.resultQuant();
  const factor = Math.fround(scaleOf(quant) / scaleOf(result));
  const identity = fixedPoint(factor);
  const product = Math.fround(Math.fround(scaleOf(quant) * alpha) / scaleOf(result));
  if (x.dtype === 'int16') {
    // Of the two scales the larger one is the larger number above zero, and the other one below.
    if (!(alpha >= 0 && alpha <= 1)) unsupported(`a slope of ${alpha}`);
    const inputs = [factor, product].map((factor) => rescaled16(node, x.id, factor, result));
    return [asOrdered(node.emit({ kind: 'binary', fn: 'max', inputs }), perm)];
  }
  const slope = fixedPoint(Math.abs(product));
  const apply = (stored: number): number => {
    const value = stored - quant.zeroPoint;
    const scaled = value >= 0 ? rescaled(value, identity) : rescaled(product < 0 ? -value : value, slope);
    return scaled + result.zeroPoint;
  };
  return [asOrdered(lookUpInto(node, x, result, apply), perm)];
};

/** max(x, 0) + alpha * min(x, 0), alpha one for each channel or for all: of the two terms one is 0. */
export const prelu: Importer = (node) => {
  const stored = storedPrelu(node);
  if (stored !== undefined) return stored;
  const x = realInput(node, 0);
  const value = node.operand(1);
  if (value.kind === 'activation') return parametric(node, x, realInput(node, 1));
  const alpha = value.constant;
  const slopes = realsOf(alpha);
  if (slopes.every((slope) => slope === slopes[0])) {
    const spec = { kind: 'unary', fn: 'leakyRelu', alpha: slopes[0] ?? 0, beta: 0, inputs: [x.id] } as const;
    return [asOrdered(asDeclared(node, node.emit(spec)), undefined)];
  }
  const channels = x.shape.at(-1) ?? 1;
  if (slopes.length !== channels || x.shape.length !== 4 || x.shape[0] !== 1) {
    return parametric(node, x, realInput(node, 1));
  }
  const { builder, loc } = node;
  const weights = builder.addConstant({ name: alpha.name, shape: [channels, 1, 1, 1], data: slopes, loc });
  const zeros = new Float32Array(channels);
  const bias = builder.addConstant({ name: `${alpha.name}:bias`, shape: [channels], data: zeros, loc });
  const window = {
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    pad: { top: 0, left: 0, bottom: 0, right: 0 },
  } as const;
  const below = floatClamp(node, x.id, Number.NEGATIVE_INFINITY, 0);
  const scaled = node.emit({ kind: 'conv2d', window, groups: channels, inputs: [below, weights, bias] });
  const above = floatClamp(node, x.id, 0, Number.POSITIVE_INFINITY);
  return [asOrdered(asDeclared(node, node.emit({ kind: 'add', inputs: [above, scaled] })), undefined)];
};

/**
 * 8 bits with a slope for each channel: what is above the zero point rescaled, what is below times the slopes, and their sum, of
 * which one side is always the zero point. Undefined for other forms.
 */
function storedPrelu(node: NodeContext): Value[] | undefined {
  const { tensor: x, perm } = node.ordered(0);
  const value = node.operand(1);
  const { quant } = x;
  if (
    quant === undefined ||
    (x.dtype !== 'int8' && x.dtype !== 'uint8') ||
    value.kind !== 'constant' ||
    perm !== undefined
  )
    return undefined;
  const { constant: slopes } = value;
  const data = slopes.elements();
  const channels = x.shape.at(-1) ?? 1;
  const isByChannel = x.shape.length === 4 && x.shape[0] === 1 && slopes.shape.at(-1) === channels;
  const [slopeScale] = slopes.quantization?.scales ?? [];
  if (!isByChannel || data.length !== channels || slopeScale === undefined || slopes.type !== x.dtype) return undefined;
  if (!(data instanceof Int8Array || data instanceof Uint8Array)) return undefined;
  const { builder, loc } = node;
  const { lo, hi } = storedRange(x.dtype);
  const result = node.resultQuant();
  const zero = quant.zeroPoint;
  const factor = scaleOf(quant) / scaleOf(result);
  const own = fixedPoint(factor);
  const above = lookUpInto(node, x, result, (q) => rescaled(Math.max(q, zero) - zero, own) + result.zeroPoint);
  const below = zero >= hi ? x.id : node.emit({ kind: 'clamp', lo, hi: zero, inputs: [x.id] });
  const sloped = fixedPoint((scaleOf(quant) * Math.fround(slopeScale)) / scaleOf(result));
  const requant = Int32Array.from({ length: 2 * channels }, (_, i) => (i % 2 === 0 ? sloped.multiplier : sloped.shift));
  const weightQuant = { scales: [slopeScale], zeroPoint: slopes.quantization?.zeroPoints[0] ?? 0 };
  const { name } = slopes;
  const inputs = [
    below,
    builder.addConstant({ name, shape: [channels, 1, 1, 1], data, quant: weightQuant, loc }),
    builder.addConstant({ name: `${name}:bias`, shape: [channels], data: new Int32Array(channels), loc }),
    builder.addConstant({ name: `${name}:requant`, shape: [channels, 2], data: requant, loc }),
  ];
  const scaled = node.emit({ kind: 'conv2d', window: POINT, groups: channels, inputs }, { quant: result });
  const rescale = additionRescale(scaleOf(result), scaleOf(result), scaleOf(result), 20);
  return [activation(node.emit({ kind: 'add', rescale, inputs: [above, scaled] }, { quant: result }))];
}

/** Slopes of any shape, an operand like any other. */
function parametric(node: NodeContext, x: Tensor, slopes: Tensor): Value[] {
  const { inputs, shape } = together(node, [x, slopes]);
  const made = node.emit({ kind: 'binary', fn: 'prelu', inputs });
  return [activation(node.reshape(asDeclared(node, made), shape))];
}

export const hardSwish: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  if (x.quant === undefined) {
    return [asOrdered(node.emit({ kind: 'unary', fn: 'hardSwish', alpha: 0, beta: 0, inputs: [x.id] }), perm)];
  }
  const result = node.resultQuant();
  return [asOrdered(lookUpInto(node, x, result, hardSwishTable(x.quant, result)), perm)];
};
