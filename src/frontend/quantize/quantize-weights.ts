/** Weights, bias and requantisation of convolutions and matrix products. */
import type { ConstantData, Quantization } from '../../ir/types.js';
import { fixedPoint } from './parameters.js';
import { scaleOfRow } from './real-weights.js';

export interface LayerParameters {
  readonly weights: Int8Array; // [M, taps]; the very array that came in where it was int8 and could stay
  readonly scales: Float64Array; // [M]: real weight = scale * stored
  readonly bias: Int32Array; // [M]
}

/**
 * Largest size of the sum of products, and of the bias: together they stay below 2^31, so that accumulators never wrap.
 * 255 * 127 * taps reaches it at 33157 taps; longer sums get weights with fewer bits.
 */
const LARGEST_SUM = 2 ** 30;
const LARGEST_INPUT = 255; // |x - zx|

/** Bits that a bias keeps where the scale is free: enough to round well, far from LARGEST_SUM. */
const BIAS_LIMIT = 2 ** 24;

/**
 * Symmetric int8 weights per output channel, in [-127, 127], and the bias in their scale.
 * int8 weights stay as they are. The scale of a row grows only when its bias would not fit otherwise, which includes a
 * row of zeros: its bias would be lost.
 *
 * @param weights [M, taps]
 * @param bias [M], real
 * @param inputScale scale of the input
 */
export function quantizeLayer(
  weights: ConstantData,
  quant: Quantization | undefined,
  bias: Float32Array,
  inputScale: number,
): LayerParameters {
  const rows = bias.length;
  const taps = weights.length / rows;
  const limit = Math.max(1, Math.min(127, Math.floor(LARGEST_SUM / (LARGEST_INPUT * taps))));
  const scales = new Float64Array(rows);
  let keep = weights instanceof Int8Array && (quant?.zeroPoint ?? 0) === 0;
  for (let row = 0; row < rows; row++) {
    const own = keep ? scaleOfRow(quant, row) : ownScale(weights, quant, row, taps, limit);
    const needed = Math.abs(bias[row] as number) / (inputScale * BIAS_LIMIT);
    const usable = own > 0 && own >= needed;
    scales[row] = usable ? own : Math.max(own, needed);
    if (!usable && needed > 0) keep = false;
  }
  const stored = keep && weights instanceof Int8Array ? weights : requantizeRows(weights, quant, scales, taps, limit);
  return { weights: stored, scales, bias: quantizeBias(bias, scales, inputScale) };
}

/** The scale that maps the largest weight of the row to `limit`; 0 for a row of zeros. */
function ownScale(
  weights: ConstantData,
  quant: Quantization | undefined,
  row: number,
  taps: number,
  limit: number,
): number {
  const unit = weights instanceof Float32Array ? 1 : scaleOfRow(quant, row);
  const zeroPoint = weights instanceof Float32Array ? 0 : (quant?.zeroPoint ?? 0);
  return (largestMagnitude(weights, row * taps, taps, zeroPoint) * unit) / limit;
}

function largestMagnitude(weights: ConstantData, from: number, count: number, zeroPoint: number): number {
  let largest = 0;
  for (let i = from; i < from + count; i++) {
    const magnitude = Math.abs((weights[i] as number) - zeroPoint);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

function requantizeRows(
  weights: ConstantData,
  quant: Quantization | undefined,
  scales: Float64Array,
  taps: number,
  limit: number,
): Int8Array {
  const out = new Int8Array(weights.length);
  const real = weights instanceof Float32Array;
  const zeroPoint = real ? 0 : (quant?.zeroPoint ?? 0);
  for (let row = 0; row < scales.length; row++) {
    const scale = scales[row] as number;
    const factor = scale === 0 ? 0 : (real ? 1 : scaleOfRow(quant, row)) / scale;
    scaleRow(weights, out, row * taps, taps, zeroPoint, factor, limit);
  }
  return out;
}

function scaleRow(
  weights: ConstantData,
  out: Int8Array,
  from: number,
  count: number,
  zeroPoint: number,
  factor: number,
  limit: number,
): void {
  for (let i = from; i < from + count; i++) {
    const value = ((weights[i] as number) - zeroPoint) * factor;
    const rounded = (value + (value < 0 ? -0.5 : 0.5)) | 0;
    out[i] = rounded > limit ? limit : Math.max(rounded, -limit);
  }
}

function quantizeBias(bias: Float32Array, scales: Float64Array, inputScale: number): Int32Array {
  return Int32Array.from(bias, (value, row) => {
    const unit = inputScale * (scales[row] as number);
    if (unit === 0) return 0;
    return Math.min(Math.max(Math.round(value / unit), -LARGEST_SUM), LARGEST_SUM - 1);
  });
}

/** requant int32 [M, 2] of docs/numerics.md: inputScale * scales[m] / resultScale as multiplier and shift. */
export function requantTable(scales: Float64Array, inputScale: number, resultScale: number): Int32Array {
  const table = new Int32Array(2 * scales.length);
  for (let row = 0; row < scales.length; row++) {
    const { multiplier, shift } = fixedPoint((inputScale * (scales[row] as number)) / resultScale);
    table[2 * row] = multiplier;
    table[2 * row + 1] = shift;
  }
  return table;
}
