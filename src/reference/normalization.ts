/** softmax over the last axis, and local response normalisation across channels. */
import type { LrnOp } from '../ir/types.js';
import { clamp8, divideHalfAway } from './fixed-point.js';

/** @param length extent of the last axis */
export function softmaxInt8(x: Int8Array, length: number, table: Int32Array): Int8Array {
  const out = new Int8Array(x.length);
  for (let start = 0; start < x.length; start += length) {
    const row = x.subarray(start, start + length);
    let largest = -128;
    for (const value of row) largest = Math.max(largest, value);
    const terms = Array.from(row, (value) => table[Math.min(255, largest - value)] as number);
    let sum = 0;
    for (const term of terms) sum += term;
    for (const [i, term] of terms.entries()) {
      out[start + i] = clamp8(Math.floor((term * 512 + sum) / (2 * sum)) - 128);
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

export function lrnInt8(op: LrnOp, x: Int8Array, channels: number, table: Int32Array, zero: LrnZeroPoints): Int8Array {
  const out = new Int8Array(x.length);
  for (let start = 0; start < x.length; start += channels) {
    for (let c = 0; c < channels; c++) {
      const [first, last] = lrnWindow(c, op.size, channels);
      let squares = 0;
      for (let j = first; j <= last; j++) squares += ((x[start + j] as number) - zero.input) ** 2;
      const factor = table[Math.min(1023, squares >> op.sumShift)] as number;
      const value = divideHalfAway(((x[start + c] as number) - zero.input) * factor, 65536);
      out[start + c] = clamp8(value + zero.result);
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
