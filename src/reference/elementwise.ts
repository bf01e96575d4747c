/** Operators that treat every element alone. All of them return a new array. */
import { assertNever } from '../base/assert-never.js';
import type { BinaryRescale, UnaryFunction } from '../ir/types.js';
import { clamp8, mbqm } from './fixed-point.js';

export type BinaryKind = 'add' | 'sub' | 'mul';

export interface BinaryZeroPoints {
  readonly a: number;
  readonly b: number;
  readonly result: number;
}

export function binaryInt8(
  kind: BinaryKind,
  a: Int8Array,
  b: Int8Array,
  zero: BinaryZeroPoints,
  rescale: BinaryRescale,
): Int8Array {
  const out = new Int8Array(a.length);
  const { multiplierOut, shiftOut } = rescale;
  if (kind === 'mul') {
    for (let i = 0; i < out.length; i++) {
      const product = Math.imul((a[i] as number) - zero.a, (b[i] as number) - zero.b);
      out[i] = clamp8(mbqm(product, multiplierOut, shiftOut) + zero.result);
    }
    return out;
  }
  // What an operand contributes depends on its stored value alone.
  const fromA = rescaledValues(zero.a, rescale.leftShift, rescale.multiplierA, rescale.shiftA);
  const fromB = rescaledValues(zero.b, rescale.leftShift, rescale.multiplierB, rescale.shiftB);
  const sign = kind === 'add' ? 1 : -1;
  for (let i = 0; i < out.length; i++) {
    const sum = (fromA[(a[i] as number) + 128] as number) + sign * (fromB[(b[i] as number) + 128] as number);
    out[i] = clamp8(mbqm(sum, multiplierOut, shiftOut) + zero.result);
  }
  return out;
}

function rescaledValues(zeroPoint: number, leftShift: number, multiplier: number, shift: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, i) => mbqm((i - 128 - zeroPoint) << leftShift, multiplier, shift));
}

export function binaryFloat32(kind: BinaryKind, a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(a.length);
  switch (kind) {
    case 'add':
      for (let i = 0; i < out.length; i++) out[i] = (a[i] as number) + (b[i] as number);
      return out;
    case 'sub':
      for (let i = 0; i < out.length; i++) out[i] = (a[i] as number) - (b[i] as number);
      return out;
    case 'mul':
      for (let i = 0; i < out.length; i++) out[i] = (a[i] as number) * (b[i] as number);
      return out;
    default:
      return assertNever(kind);
  }
}

/** lo and hi in stored units for int8; for float32 they are rounded to float32 by being stored. */
export function clamp(x: Int8Array | Float32Array, lo: number, hi: number): Int8Array | Float32Array {
  const out = x.slice();
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(out[i] as number, lo), hi);
  return out;
}

export function lookUp(x: Int8Array, table: Int8Array): Int8Array {
  const out = new Int8Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = table[(x[i] as number) + 128] as number;
  return out;
}

export function unary(x: Float32Array, fn: UnaryFunction, alpha: number, beta: number): Float32Array {
  const apply = unaryFunction(fn, Math.fround(alpha), Math.fround(beta));
  const out = new Float32Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = apply(x[i] as number);
  return out;
}

function unaryFunction(fn: UnaryFunction, alpha: number, beta: number): (x: number) => number {
  switch (fn) {
    case 'leakyRelu':
      return (x) => (x < 0 ? x * alpha : x);
    case 'sigmoid':
      return (x) => 1 / (1 + Math.exp(-x));
    case 'tanh':
      return Math.tanh;
    case 'hardSwish':
      return (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6;
    case 'hardSigmoid':
      return (x) => Math.min(Math.max(alpha * x + beta, 0), 1);
    case 'elu':
      return (x) => (x < 0 ? alpha * (Math.exp(x) - 1) : x);
    case 'exp':
      return Math.exp;
    case 'sqrt':
      return Math.sqrt;
    default:
      return assertNever(fn);
  }
}
