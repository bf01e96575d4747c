/** Operators that treat every element alone. All of them return a new array. */
import { assertNever } from '../base/assert-never.js';
import type { BinaryRescale, RealRescale, UnaryFunction } from '../ir/types.js';
import { limit, limitsOf, mbqm, roundHalfEven, type Stored } from './fixed-point.js';
import { emptyLike } from './movement.js';

export type BinaryKind = 'add' | 'sub' | 'mul';

export interface BinaryZeroPoints {
  readonly a: number;
  readonly b: number;
  readonly result: number;
}

export function binaryQuantized<T extends Stored>(
  kind: BinaryKind,
  a: T,
  b: T,
  zero: BinaryZeroPoints,
  rescale: BinaryRescale,
): T {
  const out = emptyLike(a, a.length);
  const { lo, hi } = limitsOf(out);
  const { multiplierOut, shiftOut } = rescale;
  const inRange = (value: number): number => limit(mbqm(value, multiplierOut, shiftOut) + zero.result, lo, hi);
  if (kind === 'mul') {
    return combine(a, b, out, (x, y) => inRange(Math.imul(x - zero.a, y - zero.b)));
  }
  // What an operand contributes depends on its stored value alone.
  const fromA = rescaledValues(lo, hi, zero.a, rescale.leftShift, rescale.multiplierA, rescale.shiftA);
  const fromB = rescaledValues(lo, hi, zero.b, rescale.leftShift, rescale.multiplierB, rescale.shiftB);
  const sign = kind === 'add' ? 1 : -1;
  return combine(a, b, out, (x, y) => inRange((fromA[x - lo] as number) + sign * (fromB[y - lo] as number)));
}

/** From so many elements on it is less work to combine all pairs of 8-bit values once, and to look the elements up. */
const MANY = 2 * 65536;

/** out[i] = f(a[i], b[i]) */
function combine<T extends Stored>(a: T, b: T, out: T, f: (x: number, y: number) => number): T {
  if (out instanceof Int16Array || out.length < MANY) {
    for (let i = 0; i < out.length; i++) out[i] = f(a[i] as number, b[i] as number);
    return out;
  }
  const { lo, hi } = limitsOf(out);
  const table = new Uint8Array(65536);
  for (let x = lo, i = 0; x <= hi; x++) for (let y = lo; y <= hi; y++) table[i++] = f(x, y);
  const [left, right, result] = [bytesOf(a), bytesOf(b), bytesOf(out)];
  for (let i = 0; i < result.length; i++) {
    result[i] = table[((((left[i] as number) + lo) & 255) << 8) | (((right[i] as number) + lo) & 255)] as number;
  }
  return out;
}

/** The same bytes; loops over one type of array are several times as fast as over two. */
function bytesOf(x: Stored | Float32Array): Uint8Array {
  return new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
}

function rescaledValues(
  lo: number,
  hi: number,
  zeroPoint: number,
  leftShift: number,
  multiplier: number,
  shift: number,
): Int32Array {
  return Int32Array.from({ length: hi - lo + 1 }, (_, i) => mbqm((i + lo - zeroPoint) << leftShift, multiplier, shift));
}

/** As binaryQuantized, with real scales: every product and sum is rounded to float32 once, halves of integers to even. */
export function binaryReal<T extends Stored>(
  kind: BinaryKind,
  a: T,
  b: T,
  zero: BinaryZeroPoints,
  rescale: RealRescale,
): T {
  const out = emptyLike(a, a.length);
  const { lo, hi } = limitsOf(out);
  const { scaleA, offset } = rescale;
  if (kind === 'mul') {
    return combine(a, b, out, (x, y) => {
      const product = Math.fround((x - zero.a) * (y - zero.b) * scaleA); // of integers below 2^17 and a float32: exact before
      return limit(roundHalfEven(Math.fround(product + zero.result)), lo, hi);
    });
  }
  const scaleB = kind === 'add' ? rescale.scaleB : -rescale.scaleB;
  return combine(a, b, out, (x, y) =>
    limit(roundHalfEven(Math.fround(y * scaleB + Math.fround(x * scaleA + offset))), lo, hi),
  );
}

/** Quantised to quantised: x less its zero point, rescaled, in the range of `out`. */
export function rescaleInto<T extends Stored>(
  x: Stored,
  out: T,
  multiplier: number,
  shift: number,
  zero: { readonly input: number; readonly result: number },
): T {
  const { lo, hi } = limitsOf(out);
  for (let i = 0; i < out.length; i++) {
    out[i] = limit(mbqm((x[i] as number) - zero.input, multiplier, shift) + zero.result, lo, hi);
  }
  return out;
}

/** float32 to quantised: the quotient in float32, halves away from zero or to even. */
export function quantizeInto<T extends Stored>(
  x: Float32Array,
  out: T,
  scale: number,
  zeroPoint: number,
  isHalfEven: boolean,
): T {
  const { lo, hi } = limitsOf(out);
  const divisor = Math.fround(scale);
  for (let i = 0; i < out.length; i++) {
    const steps = Math.fround((x[i] as number) / divisor);
    const magnitude = Math.floor(Math.abs(steps) + 0.5);
    const rounded = isHalfEven ? roundHalfEven(steps) : steps < 0 ? -magnitude : magnitude;
    out[i] = Number.isNaN(steps) ? lo : limit(rounded + zeroPoint, lo, hi);
  }
  return out;
}

export function dequantize(x: Stored, scale: number, zeroPoint: number): Float32Array {
  const factor = Math.fround(scale);
  return Float32Array.from(x, (value) => factor * (value - zeroPoint));
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

/** lo and hi in stored units for quantised types; for float32 they are rounded to float32 by being stored. */
export function clamp<T extends Stored | Float32Array>(x: T, lo: number, hi: number): T {
  const out = emptyLike(x, x.length);
  if (x instanceof Int8Array || x instanceof Uint8Array) {
    const { lo: least } = limitsOf(x);
    const table = Uint8Array.from({ length: 256 }, (_, i) => Math.min(Math.max(i + least, lo), hi) & 255);
    mapBytes(x, out, table, least);
    return out;
  }
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x[i] as number, lo), hi);
  return out;
}

/** Every element becomes table[element - least], both as bytes. */
function mapBytes(x: Stored | Float32Array, out: Stored | Float32Array, table: Uint8Array, least: number): void {
  const [from, to] = [bytesOf(x), bytesOf(out)];
  for (let i = 0; i < to.length; i++) to[i] = table[((from[i] as number) + least) & 255] as number;
}

export function lookUp<T extends Int8Array | Uint8Array>(x: T, table: T): T {
  const out = emptyLike(x, x.length);
  mapBytes(x, out, bytesOf(table), limitsOf(x).lo);
  return out;
}

/** The error function: a series whose terms all have one sign. */
function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 6)) return Number.isNaN(x) ? x : Math.sign(x);
  let term = magnitude;
  let sum = magnitude;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term = (term * 2 * magnitude * magnitude) / (2 * n + 1);
    sum += term;
  }
  const value = (2 / Math.sqrt(Math.PI)) * Math.exp(-magnitude * magnitude) * sum;
  return x < 0 ? -value : value;
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
    case 'abs':
      return Math.abs;
    case 'neg':
      return (x) => -x;
    case 'floor':
      return Math.floor;
    case 'ceil':
      return Math.ceil;
    case 'round':
      return roundHalfEven;
    case 'trunc':
      return Math.trunc;
    case 'sign':
      return Math.sign;
    case 'log':
      return Math.log;
    case 'erf':
      return erf;
    case 'gelu':
      return (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
    case 'geluTanh':
      return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    case 'sin':
      return Math.sin;
    case 'cos':
      return Math.cos;
    case 'rsqrt':
      return (x) => 1 / Math.sqrt(x);
    case 'reciprocal':
      return (x) => 1 / x;
    case 'softplus':
      return (x) => (x > 20 ? x : Math.log1p(Math.exp(x)));
    case 'softsign':
      return (x) => x / (1 + Math.abs(x));
    case 'silu':
      return (x) => x / (1 + Math.exp(-x));
    case 'mish':
      return (x) => x * Math.tanh(x > 20 ? x : Math.log1p(Math.exp(x)));
    case 'square':
      return (x) => x * x;
    case 'selu':
      return (x) => beta * (x > 0 ? x : alpha * (Math.exp(x) - 1));
    case 'not':
      return (x) => (x === 0 ? 1 : 0);
    case 'power':
      return (x) => x ** alpha;
    case 'atan':
      return Math.atan;
    default:
      return assertNever(fn);
  }
}
