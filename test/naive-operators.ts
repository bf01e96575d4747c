/** docs/numerics.md read literally: 64-bit integers, every loop written out, nothing shared with src/. */
import type { Window2d } from '../src/ir/types.js';

export interface NaiveImage {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly data: ArrayLike<number>;
}

export function naiveMbqm(x: number, multiplier: number, shift: number): number {
  const left = BigInt(Math.max(shift, 0));
  const right = BigInt(Math.max(-shift, 0));
  const p = BigInt.asIntN(32, BigInt(x) << left) * BigInt(multiplier);
  const nudge = p >= 0n ? 1n << 30n : 1n - (1n << 30n);
  const h = (p + nudge) / (1n << 31n); // BigInt division truncates toward zero
  const mask = (1n << right) - 1n;
  const up = (h & mask) > (mask >> 1n) + (h < 0n ? 1n : 0n);
  return Number((h >> right) + (up ? 1n : 0n));
}

export function naiveMbqmOnce(x: number, multiplier: number, shift: number): number {
  return Number((BigInt(x) * BigInt(multiplier) + (1n << BigInt(30 - shift))) >> BigInt(31 - shift));
}

const clamp8 = (v: number): number => Math.min(127, Math.max(-128, v));

const halfAway = (v: number): number => (v < 0 ? 0 - Math.floor(0.5 - v) : Math.floor(v + 0.5));

/** Calls visit(output pixel y, x, tap ky, kx, input y, input x) for all taps, also those in the padding. */
function forWindows(
  outH: number,
  outW: number,
  window: Window2d,
  visit: (oy: number, ox: number, ky: number, kx: number, y: number, x: number) => void,
): void {
  for (let oy = 0; oy < outH; oy++)
    for (let ox = 0; ox < outW; ox++)
      for (let ky = 0; ky < window.kernel[0]; ky++)
        for (let kx = 0; kx < window.kernel[1]; kx++) {
          const y = oy * window.stride[0] + ky * window.dilation[0] - window.pad.top;
          const x = ox * window.stride[1] + kx * window.dilation[1] - window.pad.left;
          visit(oy, ox, ky, kx, y, x);
        }
}

export interface NaiveConvolution {
  readonly outH: number;
  readonly outW: number;
  readonly m: number;
  readonly window: Window2d;
  readonly groups: number;
}

function sums(shape: NaiveConvolution, input: NaiveImage, zero: number, weights: ArrayLike<number>): number[] {
  const { outH, outW, m, window, groups } = shape;
  const out = new Array<number>(outH * outW * m).fill(0);
  const perGroup = input.c / groups;
  forWindows(outH, outW, window, (oy, ox, ky, kx, y, x) => {
    if (y < 0 || x < 0 || y >= input.h || x >= input.w) return;
    for (let o = 0; o < m; o++) {
      const group = Math.floor(o / (m / groups));
      for (let c = 0; c < perGroup; c++) {
        const value = Number(input.data[(y * input.w + x) * input.c + group * perGroup + c]) - zero;
        const weight = Number(weights[((o * window.kernel[0] + ky) * window.kernel[1] + kx) * perGroup + c]);
        const at = (oy * outW + ox) * m + o;
        out[at] = (out[at] ?? 0) + value * weight;
      }
    }
  });
  return out;
}

export function naiveConvolutionInt8(
  shape: NaiveConvolution,
  input: NaiveImage,
  zero: number,
  weights: ArrayLike<number>,
  bias: ArrayLike<number>,
  requant: ArrayLike<number>,
  outZero: number,
): number[] {
  return sums(shape, input, zero, weights).map((sum, i) => {
    const m = i % shape.m;
    const acc = Number(BigInt.asIntN(32, BigInt(sum) + BigInt(Number(bias[m]))));
    return clamp8(naiveMbqm(acc, Number(requant[2 * m]), Number(requant[2 * m + 1])) + outZero);
  });
}

export function naiveConvolutionFloat32(
  shape: NaiveConvolution,
  input: NaiveImage,
  weights: ArrayLike<number>,
  bias: ArrayLike<number>,
): number[] {
  return sums(shape, input, 0, weights).map((sum, i) => Math.fround(sum + Number(bias[i % shape.m])));
}

export function naivePool(
  kind: 'maxPool' | 'avgPool',
  countIncludePad: boolean,
  outH: number,
  outW: number,
  window: Window2d,
  input: NaiveImage,
  int8: { readonly zero: number } | undefined,
): number[] {
  const taps = new Map<number, number[]>();
  forWindows(outH, outW, window, (oy, ox, _ky, _kx, y, x) => {
    const inside = y >= 0 && x >= 0 && y < input.h && x < input.w;
    for (let c = 0; c < input.c; c++) {
      const at = (oy * outW + ox) * input.c + c;
      const list = taps.get(at) ?? [];
      taps.set(at, list);
      if (inside) list.push(Number(input.data[(y * input.w + x) * input.c + c]));
      else if (kind === 'avgPool' && countIncludePad) list.push(int8?.zero ?? 0);
    }
  });
  return Array.from({ length: outH * outW * input.c }, (_, at) => {
    const list = taps.get(at) ?? [];
    if (kind === 'maxPool') return Math.max(...list);
    const sum = list.reduce((a, b) => a + b, 0);
    return int8 === undefined ? Math.fround(sum / list.length) : clamp8(halfAway(sum / list.length));
  });
}

export interface NaiveRescale {
  readonly leftShift: number;
  readonly multiplierA: number;
  readonly shiftA: number;
  readonly multiplierB: number;
  readonly shiftB: number;
  readonly multiplierOut: number;
  readonly shiftOut: number;
}

export function naiveBinaryInt8(
  kind: 'add' | 'sub' | 'mul',
  a: number,
  b: number,
  zeros: readonly [number, number, number],
  r: NaiveRescale,
): number {
  const x = a - zeros[0];
  const y = b - zeros[1];
  if (kind === 'mul') return clamp8(naiveMbqm(x * y, r.multiplierOut, r.shiftOut) + zeros[2]);
  const left = naiveMbqm(x * 2 ** r.leftShift, r.multiplierA, r.shiftA);
  const right = naiveMbqm(y * 2 ** r.leftShift, r.multiplierB, r.shiftB);
  return clamp8(naiveMbqm(kind === 'add' ? left + right : left - right, r.multiplierOut, r.shiftOut) + zeros[2]);
}

export function naiveSoftmaxInt8(row: readonly number[], table: ArrayLike<number>): number[] {
  const m = Math.max(...row);
  const e = row.map((x) => BigInt(Number(table[Math.min(255, m - x)])));
  const s = e.reduce((a, b) => a + b, 0n);
  return e.map((term) => clamp8(Number((term * 512n + s) / (2n * s)) - 128));
}

/** One pixel; the value of a float row is exact up to the last rounding. */
export function naiveLrnWindow(row: readonly number[], c: number, size: number): number[] {
  const first = c - Math.floor((size - 1) / 2);
  return row.filter((_, j) => j >= first && j < first + size);
}

export function naiveLrnInt8(
  row: readonly number[],
  size: number,
  table: ArrayLike<number>,
  sumShift: number,
  zeroIn: number,
  zeroOut: number,
): number[] {
  return row.map((x, c) => {
    const q = naiveLrnWindow(row, c, size).reduce((sum, v) => sum + (v - zeroIn) ** 2, 0);
    const f = Number(table[Math.min(1023, Math.floor(q / 2 ** sumShift))]);
    return clamp8(halfAway(((x - zeroIn) * f) / 2 ** 16) + zeroOut);
  });
}
