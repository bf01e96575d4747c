/** L2_NORMALIZATION: x divided by the root of the sum of its squares, over the last axis. */
import { elementCountOf } from '../../ir/facts.js';
import type { Tensor, TensorId, UnaryFunction } from '../../ir/types.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { lookUpInto } from './look-up.js';
import { asDeclared, realInput, realOf } from './real-numbers.js';

const LEAST_NORM = 1e-6;
const LARGEST_FLOAT = 3.4028234663852886e38;

export const l2Normalization: Importer = (node) => {
  const given = node.input(0);
  if (given.dtype === 'uint8') return [activation(node.reshape(ofBytes(node, given), given.shape))];
  const x = realInput(node, 0);
  const image = channelImage(node, x);
  const norm = node.emit({ kind: 'reduce', fn: 'l2', inputs: [image] });
  const limited = node.emit({ kind: 'clamp', lo: LEAST_NORM, hi: LARGEST_FLOAT, inputs: [norm] });
  const made = asDeclared(node, node.emit({ kind: 'binary', fn: 'div', inputs: [image, limited] }));
  return [activation(node.reshape(made, x.shape))];
};

function channelImage(node: NodeContext, x: Tensor): TensorId {
  const channels = x.shape.at(-1) ?? 1;
  return node.reshape(x.id, [1, elementCountOf(x.shape) / channels, 1, channels]);
}

/** Steps of the result, whose scale is 1/128. */
const STEPS = 128;
/** Keeps the logarithm of a power of four from falling below it. */
const LEAST_PART = 1e-7;

/**
 * LiteRT's kernel for uint8 rounds twice: with q the sum of squares and s = floor(log4(2 q)) - 3, to whole 2^-s of a step first.
 *
 *     t = round(128 * d * 2^s / sqrt(q))     y = sign(t) * floor(|t| / 2^s + 1/2)
 *
 * All of it on integers that float32 holds exactly, but for the root.
 */
function ofBytes(node: NodeContext, x: Tensor): TensorId {
  const number = (value: number): TensorId => {
    const name = `${node.resultName}:${value}`;
    return node.builder.addConstant({ name, shape: [1, 1, 1, 1], data: Float32Array.of(value), loc: node.loc });
  };
  const unary = (fn: UnaryFunction, id: TensorId): TensorId =>
    node.emit({ kind: 'unary', fn, alpha: 0, beta: 0, inputs: [id] });
  const times = (a: TensorId, b: TensorId): TensorId => node.emit({ kind: 'mul', inputs: [a, b] });
  const plus = (a: TensorId, value: number): TensorId => node.emit({ kind: 'add', inputs: [a, number(value)] });
  // The stored integers less their zero point: the same bytes under a scale of 1.
  const whole = lookUpInto(node, x, { scales: [1], zeroPoint: x.quant?.zeroPoint ?? 0 }, (stored) => stored);
  const d = channelImage(node, { ...x, id: realOf(node, node.builder.tensor(whole)) });
  const q = node.emit({
    kind: 'clamp',
    lo: 1,
    hi: LARGEST_FLOAT,
    inputs: [node.emit({ kind: 'reduce', fn: 'sumSquare', inputs: [d] })],
  });
  const logarithm = times(unary('log', q), number(1 / Math.log(4)));
  const s = plus(unary('floor', plus(logarithm, 0.5 + LEAST_PART)), -3);
  const power = node.emit({ kind: 'binary', fn: 'pow', inputs: [number(2), s] });
  const factor = times(times(unary('rsqrt', q), power), number(STEPS));
  const t = unary('round', times(d, factor));
  const steps = node.emit({ kind: 'binary', fn: 'div', inputs: [unary('abs', t), power] });
  const y = times(unary('floor', plus(steps, 0.5)), unary('sign', t));
  return asDeclared(node, times(y, number(1 / STEPS)));
}
