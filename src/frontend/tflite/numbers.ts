/** Real factors and limits as TFLite's kernels make integers of them; docs/numerics.md has what the integers then mean. */
import { storedRange } from '../../ir/facts.js';
import type { BinaryRescale, FixedPointSoftmax, Quantization, QuantizedDType } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { type FixedPoint, nearestFixedPoint, additionRescale as rescaleOfAddition } from '../quantize/parameters.js';
import type { FusedActivation } from './schema.js';

/** To the nearest integer, halves away from zero: C's round. */
export const roundHalfAway = (value: number): number => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);

/** The 31 bits and the power of two of a factor. Source: QuantizeMultiplier of TFLite. */
export function fixedPoint(factor: number): FixedPoint {
  if (factor === 0) return { multiplier: 0, shift: 0 };
  if (!(factor > 0 && factor < 2 ** 30)) return unsupported(`rescaling by ${factor}`);
  return nearestFixedPoint(factor, 31);
}

/** The one scale of an activation, a float32 value. */
export const scaleOf = (quant: Quantization): number => Math.fround(quant.scales[0] ?? 1);

/** Activations that are limits and nothing else; not all of them are fused. */
export type Limits = FusedActivation | 'relu0To1';

/** What an activation lets through, in real numbers. */
export function realLimits(fn: Limits): { readonly lo: number; readonly hi: number } {
  switch (fn) {
    case 'none':
      return { lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY };
    case 'relu':
      return { lo: 0, hi: Number.POSITIVE_INFINITY };
    case 'relu6':
      return { lo: 0, hi: 6 };
    case 'reluN1To1':
      return { lo: -1, hi: 1 };
    case 'relu0To1':
      return { lo: 0, hi: 1 };
    default:
      return unsupported(`the fused activation ${fn}`);
  }
}

/** The same in stored units. Source: CalculateActivationRangeQuantized of TFLite. */
export function storedLimits(
  fn: Limits,
  quant: Quantization,
  dtype: QuantizedDType,
): { readonly lo: number; readonly hi: number } {
  const range = storedRange(dtype);
  const { lo, hi } = realLimits(fn);
  const stored = (real: number): number =>
    quant.zeroPoint + roundHalfAway(Math.fround(Math.fround(real) / scaleOf(quant)));
  return {
    lo: Number.isFinite(lo) ? Math.max(range.lo, stored(lo)) : range.lo,
    hi: Number.isFinite(hi) ? Math.min(range.hi, stored(hi)) : range.hi,
  };
}

/** Addition and subtraction, with leftShift bits of fraction. */
export function additionRescale(a: number, b: number, result: number, leftShift: number): BinaryRescale {
  return rescaleOfAddition(a, b, result, leftShift, fixedPoint);
}

/** The factor of a product is computed in float32. */
export function multiplicationRescale(a: number, b: number, result: number): BinaryRescale {
  const out = fixedPoint(Math.fround(Math.fround(a * b) / result));
  const unused = { leftShift: 0, multiplierA: 0, shiftA: 0, multiplierB: 0, shiftB: 0 };
  return { ...unused, multiplierOut: out.multiplier, shiftOut: out.shift };
}

const SOFTMAX_INTEGER_BITS = 5;

/** Source: PreprocessSoftmaxScaling and CalculateInputRadius of TFLite. */
export function softmaxScaling(beta: number, inputScale: number): FixedPointSoftmax {
  const factor = Math.min(beta * inputScale * 2 ** (31 - SOFTMAX_INTEGER_BITS), 2 ** 31 - 1);
  let leftShift = Math.floor(Math.log2(factor)) + 1;
  if (factor / 2 ** leftShift >= 1) leftShift++;
  let multiplier = Math.round((factor / 2 ** leftShift) * 2 ** 31);
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    leftShift++;
  }
  if (!(leftShift >= 0 && leftShift <= 30)) return unsupported(`softmax of a scale of ${inputScale}, beta ${beta}`);
  const largest = ((2 ** SOFTMAX_INTEGER_BITS - 1) * 2 ** (31 - SOFTMAX_INTEGER_BITS)) / 2 ** leftShift;
  return { multiplier, leftShift, leastDifference: -Math.floor(largest) };
}
