/** Functions of one int16 value, as TFLite's kernels of 16 bits compute them, as tables of all of its values. */
import { logistic16 as fixedLogistic, tanh16 as fixedTanh } from '../../base/fixed-point-functions-16.js';
import type { Quantization, Tensor, TensorId } from '../../ir/types.js';
import type { NodeContext } from './context.js';
import { fixedPoint, roundHalfAway, scaleOf } from './numbers.js';

const LEAST = -32768;
const MOST = 32767;
const limited = (x: number): number => Math.min(MOST, Math.max(LEAST, x));

/** @param apply from a stored value to one of the result; limited here */
export function lookUp16(node: NodeContext, x: Tensor, result: Quantization, apply: (x: number) => number): TensorId {
  const data = new Int16Array(65536);
  for (let i = 0; i < data.length; i++) data[i] = limited(apply(i + LEAST));
  const table = node.builder.addConstant({ name: `${node.resultName}:table`, shape: [65536], data, loc: node.loc });
  return node.emit({ kind: 'lut', inputs: [x.id, table] }, { quant: result });
}

/** x less its zero point at another scale, limited to the type. */
export function rescaled16(node: NodeContext, x: TensorId, factor: number, result: Quantization): TensorId {
  return node.emit({ kind: 'convert', to: 'int16', ...fixedPoint(factor), inputs: [x] }, { quant: result });
}

const sigmoid = (n: number): number => 65536 / (1 + Math.exp(-n / 24));

/** The logistic function at n / 24, in 2^-16, raised by half of what a straight line to the next entry lies below it in the middle. */
const SIGMOID = Array.from({ length: 256 }, (_, n) => {
  if (n === 255) return 65535;
  const sagging = sigmoid(n + 0.5) - (sigmoid(n) + sigmoid(n + 1)) / 2;
  return Math.min(65535, Math.round(sigmoid(n) + sagging / 2));
});

/** Whether that is the scale, as a power of two. */
const isPower = (scale: number, power: number): boolean => scale === 2 ** power;

/** How an int16 comes to 2^17 for 32 / 3, where SIGMOID ends. Source: the preparation of LOGISTIC and TANH in TFLite. */
function toTable(scale: number): (x: number) => number {
  let multiplier = scale * 4096 * 3;
  let left = 0;
  for (; multiplier <= MOST / 2 && left <= 30; left++) multiplier *= 2;
  const factor = Math.trunc(multiplier);
  const half = left > 0 ? 2 ** (left - 1) : 0;
  return (x) => Math.floor((x * factor + half) / 2 ** left);
}

/** Interpolated between entries, of which each is 2^bits apart, with that many bits of fraction. */
function interpolated(magnitude: number, bits: number, beyond: number): number {
  const entry = Math.floor(magnitude / 2 ** bits);
  if (entry >= 255) return beyond;
  const first = SIGMOID[entry] ?? 0;
  const second = SIGMOID[entry + 1] ?? 0;
  return first * 2 ** bits + (magnitude % 2 ** bits) * (second - first);
}

export function logistic16(scale: number): (x: number) => number {
  if (isPower(scale, -12)) return fixedLogistic;
  const scaled = toTable(scale);
  return (x) => {
    const value = scaled(x);
    const result = interpolated(Math.abs(value), 9, 0x7fff * 1024);
    return Math.floor((value >= 0 ? result + 2 ** 9 : 2 ** 25 - result + 2 ** 9 - 1) / 1024);
  };
}

export function tanh16(scale: number): (x: number) => number {
  if (isPower(scale, -12)) return (x) => fixedTanh(x, 3);
  if (isPower(scale, -11)) return (x) => fixedTanh(limited(2 * x), 3);
  const scaled = toTable(scale);
  return (x) => {
    const value = scaled(x);
    const result = interpolated(Math.abs(value), 8, 0xffff * 256);
    const shifted = value >= 0 ? result - 2 ** 23 + 2 ** 7 : -result + 2 ** 23 + 2 ** 7 - 1;
    return Math.floor(shifted / 256);
  };
}

const STEPS = 512;

/**
 * Any other function: 513 samples over all of int16, corrected by half of what interpolation is off in the middle, and a straight
 * line between two. Source: LUTPopulate and LUTLookup of TFLite.
 */
export function sampled16(from: Quantization, to: Quantization, real: (x: number) => number): (x: number) => number {
  const f = Math.fround;
  const [scale, zero] = [scaleOf(from), from.zeroPoint];
  const least = f(scale * (LEAST - zero));
  const step = f(f(f(scale * (MOST - zero)) - least) / STEPS);
  const inverse = f(65536 / f(f(scaleOf(to) * (MOST - to.zeroPoint)) - f(scaleOf(to) * (LEAST - to.zeroPoint))));
  const at = (x: number): number => f(f(real(f(x))) * inverse);
  const samples = Array.from({ length: STEPS + 1 }, (_, i) => {
    const start = f(least + f(i * step));
    if (i === STEPS) return limited(roundHalfAway(at(f(scale * (MOST - zero)))));
    const sample = roundHalfAway(at(start));
    const middle = roundHalfAway(f(f(at(f(least + f((i + 1) * step))) + sample) / 2));
    const off = middle - roundHalfAway(at(f(start + f(step / 2))));
    return limited(sample - roundHalfAway(off / 2));
  });
  return (x) => {
    const entry = 256 + Math.floor(x / 128);
    const first = samples[entry] ?? 0;
    const second = samples[entry + 1] ?? 0;
    const rest = x - Math.floor(x / 128) * 128;
    return first + Math.floor(((second - first) * rest + 64) / 128);
  };
}
