/** Weights, bias and requantisation of convolutions and matrix products. */
import type { ConstantData, Quantization } from '../../ir/types.js';
import { fixedPoint } from './parameters.js';
import { dequantized, scaleOfRow } from './real-weights.js';

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

/** The largest |weight| of every row of [rows, taps]; for int8 the largest that its scale allows. */
export function rowMagnitudes(weights: ConstantData, quant: Quantization | undefined, rows: number): Float64Array {
  const taps = (weights.length / rows) | 0;
  const magnitudes = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    magnitudes[row] =
      weights instanceof Float32Array ? largestMagnitude(weights, row * taps, taps) : 128 * scaleOfRow(quant, row);
  }
  return magnitudes;
}

function largestMagnitude(values: Float32Array, from: number, count: number): number {
  const end = (from + count) | 0;
  let largest = 0;
  for (let i = from | 0; i < end; i++) {
    const magnitude = Math.abs(values[i] as number);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/**
 * Symmetric int8 weights per output channel, in [-127, 127], and the bias in their scale.
 * int8 weights stay as they are. The scale of a row grows only when its bias would not fit otherwise, which includes a
 * row of zeros: its bias would be lost.
 *
 * @param weights [M, taps]
 * @param magnitudes their `rowMagnitudes`
 * @param bias [M], real
 * @param inputScale scale of the input
 */
export function quantizeLayer(
  weights: ConstantData,
  quant: Quantization | undefined,
  magnitudes: Float64Array,
  bias: Float32Array,
  inputScale: number,
): LayerParameters {
  const taps = weights.length / bias.length;
  const least = Float64Array.from(bias, (value) => Math.abs(value) / (inputScale * BIAS_LIMIT));
  if (weights instanceof Int8Array && (quant?.zeroPoint ?? 0) === 0) {
    const scales = Float64Array.from(bias, (_, row) => scaleOfRow(quant, row));
    if (scales.every((scale, row) => scale > 0 && scale >= (least[row] as number))) {
      return { weights, scales, bias: quantizeBias(bias, scales, inputScale) };
    }
  }
  const limit = Math.max(1, Math.min(127, Math.floor(LARGEST_SUM / (LARGEST_INPUT * taps))));
  const real = weights instanceof Float32Array ? weights : dequantized(weights, quant);
  const largest = real === weights ? magnitudes : rowMagnitudes(real, undefined, bias.length);
  const scales = largest.map((magnitude, row) => Math.max(magnitude / limit, least[row] as number));
  const stored = new Int8Array(weights.length);
  for (let row = 0; row < scales.length; row++) storeRow(real, scales[row] as number, stored, row * taps, taps);
  return { weights: stored, scales, bias: quantizeBias(bias, scales, inputScale) };
}

/** Stores round(value / scale), which the scale keeps in [-127, 127]: adding 128 first makes truncation round down. */
function storeRow(values: Float32Array, scale: number, out: Int8Array, from: number, count: number): void {
  const factor = scale === 0 ? 0 : 1 / scale;
  const end = (from + count) | 0;
  for (let i = from | 0; i < end; i++) out[i] = (((values[i] as number) * factor + 128.5) | 0) - 128;
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
