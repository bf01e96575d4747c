/** softmax over the last axis, and local response normalisation across channels. */
import type { FixedPointSoftmax, LrnOp } from '../ir/types.js';
import { divideHalfAway, limit, limitsOf, roundHalfEven } from './fixed-point.js';
import { negativeExponential, reciprocal, roundingShift, saturatingDoublingHigh } from './fixed-point-functions.js';
import { emptyLike } from './movement.js';

/** The rows along the last axis, each with its largest value: what is exponentiated are differences from that. */
function* rowsOf(x: Int8Array | Uint8Array, length: number) {
  const { lo } = limitsOf(x);
  for (let start = 0; start < x.length; start += length) {
    const row = x.subarray(start, start + length);
    let largest = lo;
    for (const value of row) largest = Math.max(largest, value);
    yield { start, row, largest };
  }
}

/** @param length extent of the last axis */
export function softmaxTable<T extends Int8Array | Uint8Array>(x: T, length: number, table: Int32Array): T {
  const out = emptyLike(x, x.length);
  const { lo, hi } = limitsOf(out);
  for (const { start, row, largest } of rowsOf(x, length)) {
    const terms = Array.from(row, (value) => table[Math.min(255, largest - value)] as number);
    let sum = 0;
    for (const term of terms) sum += term;
    for (const [i, term] of terms.entries()) {
      out[start + i] = limit(Math.floor((term * 512 + sum) / (2 * sum)) + lo, lo, hi);
    }
  }
  return out;
}

/**
 * exp in Q0.31 of the differences in Q5.26, their sum in Q12.19, and its reciprocal: as TFLite's integer softmax.
 *
 * @param length extent of the last axis
 */
export function softmaxFixedPoint<T extends Int8Array | Uint8Array>(x: T, length: number, f: FixedPointSoftmax): T {
  const out = emptyLike(x, x.length);
  const { lo, hi } = limitsOf(out);
  const exponential = (difference: number): number =>
    negativeExponential(saturatingDoublingHigh(difference * 2 ** f.leftShift, f.multiplier));
  for (const { start, row, largest } of rowsOf(x, length)) {
    const isCounted = (value: number): boolean => value - largest >= f.leastDifference;
    const terms = Array.from(row, (value) => (isCounted(value) ? exponential(value - largest) : 0));
    let sum = 0;
    for (const term of terms) sum += roundingShift(term, 12);
    const inverse = reciprocal(sum, 12);
    for (const [i, term] of terms.entries()) {
      const value = roundingShift(saturatingDoublingHigh(inverse.value, term), inverse.exponent + 31 - 8);
      out[start + i] = isCounted(row[i] as number) ? limit(value + lo, lo, hi) : lo;
    }
  }
  return out;
}

/**
 * By real numbers as ONNX has it: exponentials of differences from a table, their sum rounded at every step.
 *
 * @param length extent of the last axis
 */
export function softmaxReal<T extends Int8Array | Uint8Array>(
  x: T,
  length: number,
  table: Float32Array,
  { scale, zero }: { readonly scale: number; readonly zero: number },
): T {
  const out = emptyLike(x, x.length);
  const { lo, hi } = limitsOf(out);
  for (const { start, row, largest } of rowsOf(x, length)) {
    const terms = Float32Array.from(row, (value) => table[largest - value] as number);
    let sum = 0;
    for (const term of terms) sum = Math.fround(sum + term);
    for (const [i, term] of terms.entries()) {
      const share = Math.fround(Math.fround(term * scale) / sum);
      const steps = share === Number.POSITIVE_INFINITY ? 0 : roundHalfEven(share);
      out[start + i] = limit(steps + zero, lo, hi);
    }
  }
  return out;
}

export function softmaxFloat32(x: Float32Array, length: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += length) {
    const row = x.subarray(start, start + length);
    let largest = Number.NEGATIVE_INFINITY;
    for (const value of row) largest = Math.max(largest, value);
    const terms = Float64Array.from(row, (value) => Math.exp(value - largest));
    let sum = 0;
    for (const term of terms) sum += term;
    for (const [i, term] of terms.entries()) out[start + i] = term / sum;
  }
  return out;
}

export interface LrnZeroPoints {
  readonly input: number;
  readonly result: number;
}

export function lrnTable<T extends Int8Array | Uint8Array>(
  op: LrnOp,
  x: T,
  channels: number,
  table: Int32Array,
  zero: LrnZeroPoints,
): T {
  const out = emptyLike(x, x.length);
  const { lo, hi } = limitsOf(out);
  for (let start = 0; start < x.length; start += channels) {
    for (let c = 0; c < channels; c++) {
      const [first, last] = lrnWindow(c, op.size, channels);
      let squares = 0;
      for (let j = first; j <= last; j++) squares += ((x[start + j] as number) - zero.input) ** 2;
      const factor = table[Math.min(1023, squares >> op.sumShift)] as number;
      const value = divideHalfAway(((x[start + c] as number) - zero.input) * factor, 65536);
      out[start + c] = limit(value + zero.result, lo, hi);
    }
  }
  return out;
}

export function lrnFloat32(op: LrnOp, x: Float32Array, channels: number): Float32Array {
  const alpha = Math.fround(op.alpha);
  const beta = Math.fround(op.beta);
  const k = Math.fround(op.k);
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += channels) {
    for (let c = 0; c < channels; c++) {
      const [first, last] = lrnWindow(c, op.size, channels);
      let squares = 0;
      for (let j = first; j <= last; j++) squares += (x[start + j] as number) ** 2;
      out[start + c] = (x[start + c] as number) * (k + (alpha / op.size) * squares) ** -beta;
    }
  }
  return out;
}

/** First and last channel of the window around channel c. */
function lrnWindow(c: number, size: number, channels: number): readonly [number, number] {
  return [Math.max(0, c - Math.floor((size - 1) / 2)), Math.min(channels - 1, c + Math.ceil((size - 1) / 2))];
}
