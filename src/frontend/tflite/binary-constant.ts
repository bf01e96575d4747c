/**
 * Operators of an activation and a constant that is smaller than it. One constant for all elements makes a function of one
 * value, a table for 8 bits; one for each channel makes a depthwise convolution of 1x1, exact for products and float32.
 */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { type Constant, realsOf } from './constant.js';
import type { NodeContext, Ordered } from './context.js';
import { lookUpInto } from './look-up.js';
import { additionRescale, multiplicationRescale, scaleOf } from './numbers.js';
import { rescaled } from './rescale.js';

/** More would be weights of no use: the general form repeats the constant. */
const MAX_CHANNELS = 4096;

type Kind = 'add' | 'sub' | 'mul';

/** @returns undefined where the general form has to do */
export function withConstant(node: NodeContext, kind: Kind): Ordered | undefined {
  const [first, second] = [node.operand(0), node.operand(1)];
  const constantIsB = second.kind === 'constant';
  const other = constantIsB ? second : first;
  if (other.kind !== 'constant' || (first.kind === 'constant' && constantIsB)) return undefined;
  const { constant } = other;
  const position = constantIsB ? 0 : 1;
  const shape = node.shape(position);
  const count = elementCountOf(constant.shape);
  if (count === elementCountOf(shape) && count > 1) return undefined;
  if (constant.shape.length > shape.length && constant.shape.slice(0, -shape.length).some((extent) => extent > 1)) {
    return undefined;
  }
  if (count === 1) {
    const { tensor, perm } = node.ordered(position);
    if (tensor.dtype === 'int8' || tensor.dtype === 'uint8') {
      return { tensor: node.builder.tensor(scalarTable(node, kind, tensor, constant, constantIsB)), perm };
    }
  }
  const channels = shape.at(-1) ?? 1;
  if (channels > MAX_CHANNELS) return undefined;
  const isByChannel = count === channels && (constant.shape.at(-1) ?? 1) === channels;
  if (!isByChannel && count !== 1) return undefined;
  const x = node.input(position);
  const id = byChannel(node, kind, x, constant, constantIsB, count === 1);
  return id === undefined ? undefined : { tensor: node.builder.tensor(id), perm: undefined };
}

function scalarTable(node: NodeContext, kind: Kind, x: Tensor, constant: Constant, constantIsB: boolean): TensorId {
  const result = node.resultQuant();
  const xQuant = x.quant ?? { scales: [1], zeroPoint: 0 };
  const scale = Math.fround(constant.quantization?.scales[0] ?? 1);
  const value = Number(constant.elements()[0] ?? 0) - (constant.quantization?.zeroPoints[0] ?? 0);
  if (kind === 'mul') {
    const [a, b] = constantIsB ? [scaleOf(xQuant), scale] : [scale, scaleOf(xQuant)];
    const { multiplierOut: multiplier, shiftOut: shift } = multiplicationRescale(a, b, scaleOf(result));
    return lookUpInto(node, x, result, (stored) => {
      return rescaled((stored - xQuant.zeroPoint) * value, { multiplier, shift }) + result.zeroPoint;
    });
  }
  const r = additionRescale(scaleOf(xQuant), scale, scaleOf(result), 20);
  const own = { multiplier: r.multiplierA, shift: r.shiftA };
  const others = rescaled(value * 2 ** r.leftShift, { multiplier: r.multiplierB, shift: r.shiftB });
  const [signOfX, signOfOther] = kind === 'add' ? [1, 1] : constantIsB ? [1, -1] : [-1, 1];
  return lookUpInto(node, x, result, (stored) => {
    const term = rescaled((stored - xQuant.zeroPoint) * 2 ** r.leftShift, own);
    const sum = signOfX * term + signOfOther * others;
    return rescaled(sum, { multiplier: r.multiplierOut, shift: r.shiftOut }) + result.zeroPoint;
  });
}

/** A depthwise convolution of 1x1: x * weight + bias. */
function byChannel(
  node: NodeContext,
  kind: Kind,
  x: Tensor,
  constant: Constant,
  constantIsB: boolean,
  isOneForAll: boolean,
): TensorId | undefined {
  const channels = x.shape.at(-1) ?? 1;
  const { builder, loc } = node;
  const rows = elementCountOf(x.shape) / channels;
  const image = x.shape.length === 4 && x.shape[0] === 1 ? x.shape : [1, rows, 1, channels];
  const spec = { kind: 'conv2d', window: POINT, groups: channels } as const;
  const name = constant.name;
  const shape = [channels, 1, 1, 1];
  const spread = <T extends Float32Array | Int8Array | Uint8Array>(data: T): T =>
    isOneForAll ? repeated(data, channels) : data;
  if (x.dtype === 'float32') {
    const values = spread(realsOf(constant));
    const ones = new Float32Array(channels).fill(kind === 'sub' && !constantIsB ? -1 : 1);
    const bias = kind === 'sub' && constantIsB ? values.map((value) => -value) : values;
    const [weights, offsets] = kind === 'mul' ? [values, new Float32Array(channels)] : [ones, bias];
    const operands = [
      builder.addConstant({ name, shape, data: weights, loc }),
      builder.addConstant({ name: `${name}:bias`, shape: [channels], data: offsets, loc }),
    ];
    return node.reshape(node.emit({ ...spec, inputs: [node.reshape(x.id, image), ...operands] }), x.shape);
  }
  const data = constant.elements();
  if (kind !== 'mul' || !isQuantized(x.dtype) || x.dtype === 'int16' || x.quant === undefined) return undefined;
  if (!(data instanceof Int8Array || data instanceof Uint8Array)) return undefined;
  const [scale = 1] = constant.quantization?.scales ?? [];
  const [zeroPoint = 0] = constant.quantization?.zeroPoints ?? [];
  const result = node.resultQuant();
  const [a, b] = constantIsB ? [scaleOf(x.quant), scale] : [scale, scaleOf(x.quant)];
  const { multiplierOut, shiftOut } = multiplicationRescale(a, b, scaleOf(result));
  const requant = Int32Array.from({ length: 2 * channels }, (_, i) => (i % 2 === 0 ? multiplierOut : shiftOut));
  const operands = [
    builder.addConstant({ name, shape, data: spread(data), quant: { scales: [scale], zeroPoint }, loc }),
    builder.addConstant({ name: `${name}:bias`, shape: [channels], data: new Int32Array(channels), loc }),
    builder.addConstant({ name: `${name}:requant`, shape: [channels, 2], data: requant, loc }),
  ];
  const inputs = [node.reshape(x.id, image), ...operands];
  return node.reshape(node.emit({ ...spec, inputs }, { quant: result }), x.shape);
}

/** The first element, for every channel. */
function repeated<T extends Float32Array | Int8Array | Uint8Array>(data: T, channels: number): T {
  const make = data.constructor as new (length: number) => T;
  return new make(channels).fill(data[0] ?? 0) as T;
}

export const POINT = {
  kernel: [1, 1],
  stride: [1, 1],
  dilation: [1, 1],
  pad: { top: 0, left: 0, bottom: 0, right: 0 },
} as const;
