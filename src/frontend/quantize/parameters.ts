/** Real numbers as the parameters of integer arithmetic (docs/numerics.md). */
import type { BinaryRescale, Quantization } from '../../ir/types.js';
import type { Range } from './real-functions.js';

export interface FixedPoint {
  readonly multiplier: number; // 0 or in [2^30, 2^31); of what is quantised here, the 7 low bits are zero
  readonly shift: number; // in [-31, 30]
}

/**
 * The multiplier and shift nearest to a factor, for mbqm.
 * A factor below 2^-32 gives 0, as any int32 times it rounds to 0.
 *
 * @throws Error (a bug of ours) if the factor is negative, not finite, or 2^30 and more
 */
export function fixedPoint(factor: number): FixedPoint {
  if (!(factor >= 0 && factor < 2 ** 30)) throw new Error(`factor ${factor} has no fixed-point form`);
  if (factor < 2 ** -32) return { multiplier: 0, shift: 0 };
  return nearestFixedPoint(factor, 24);
}

/**
 * A positive factor as a multiplier with this many significant bits, and a power of two; 0 where it is too small for any.
 *
 * @param factor below 2^30
 */
export function nearestFixedPoint(factor: number, bits: 24 | 31): FixedPoint {
  let shift = Math.floor(Math.log2(factor)) + 1;
  // log2 may round across a power of two.
  if (factor / 2 ** shift >= 1) shift++;
  if (factor / 2 ** shift < 0.5) shift--;
  let significant = Math.round((factor / 2 ** shift) * 2 ** bits);
  if (significant === 2 ** bits) {
    significant /= 2;
    shift++;
  }
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier: significant * 2 ** (31 - bits), shift };
}

/**
 * The asymmetric int8 quantisation that covers a range and has zero as one of its values.
 * A range without extent gets scale 1/128, so that nothing ever divides by zero.
 */
export function activationQuantization(range: Range): Quantization {
  const min = Math.min(0, range.min);
  const max = Math.max(0, range.max);
  const scale = Math.fround((max - min) / 255);
  if (!(scale > 1e-30)) return { scales: [1 / 128], zeroPoint: 0 };
  return { scales: [scale], zeroPoint: clamp8(Math.round(-128 - min / scale)) };
}

/** The quantisation with another scale, zero kept where it is. */
export function withScale(quant: Quantization, scale: number): Quantization {
  return { scales: [scale], zeroPoint: quant.zeroPoint };
}

export function scaleOf(quant: Quantization): number {
  return quant.scales[0] ?? 1;
}

export function quantizeValue(real: number, quant: Quantization): number {
  return clamp8(Math.round(real / scaleOf(quant)) + quant.zeroPoint);
}

export function quantizeValues(values: Float32Array, quant: Quantization): Int8Array {
  const out = new Int8Array(values.length);
  for (let i = 0; i < out.length; i += 1) out[i] = quantizeValue(values[i] as number, quant);
  return out;
}

function clamp8(value: number): number {
  return Math.min(Math.max(value, -128), 127) + 0; // + 0: no negative zero
}

const LEFT_SHIFT = 20;

/**
 * Both operands of an addition are brought to half the larger scale, with 20 bits of fraction, and the sum to the
 * result's scale. `toFixedPoint` gives the multipliers: as many bits of them as the runtime has. Source: TFLite's quantised addition, as published with its 8-bit quantisation specification.
 */
export function additionRescale(
  a: number,
  b: number,
  result: number,
  leftShift = LEFT_SHIFT,
  toFixedPoint: (factor: number) => FixedPoint = fixedPoint,
): BinaryRescale {
  const twiceLarger = 2 * Math.max(a, b);
  const forA = toFixedPoint(a / twiceLarger);
  const forB = toFixedPoint(b / twiceLarger);
  const out = toFixedPoint(twiceLarger / (2 ** leftShift * result));
  return {
    leftShift,
    multiplierA: forA.multiplier,
    shiftA: forA.shift,
    multiplierB: forB.multiplier,
    shiftB: forB.shift,
    multiplierOut: out.multiplier,
    shiftOut: out.shift,
  };
}

/** mul has one multiplier; the others are unused. */
export function multiplicationRescale(a: number, b: number, result: number): BinaryRescale {
  const out = fixedPoint((a * b) / result);
  const unused = { leftShift: 0, multiplierA: 0, shiftA: 0, multiplierB: 0, shiftB: 0 };
  return { ...unused, multiplierOut: out.multiplier, shiftOut: out.shift };
}
