/** docs/numerics.md taken word for word, one element at a time: what the kernels of the simulator are held against. */

/** Fixed-point rescaling with exact 64-bit arithmetic. */
export function mbqm(x: number, multiplier: number, shift: number): number {
  const left = BigInt(Math.max(shift, 0));
  const right = BigInt(Math.max(-shift, 0));
  const p = BigInt.asIntN(32, BigInt(x) << left) * BigInt(multiplier);
  const h = (p + (p >= 0n ? 1n << 30n : 1n - (1n << 30n))) / (1n << 31n);
  const mask = (1n << right) - 1n;
  const up = (h & mask) > (mask >> 1n) + (h < 0n ? 1n : 0n);
  return Number((h >> right) + (up ? 1n : 0n));
}

/** The same product, rounded once. */
export function mbqmOnce(x: number, multiplier: number, shift: number): number {
  const right = BigInt(31 - shift);
  return Number((BigInt(x) * BigInt(multiplier) + (1n << (right - 1n))) >> right);
}

export const clamp8 = (v: number) => Math.max(-128, Math.min(127, v));

export function halfAway(v: number): number {
  return Math.sign(v) * Math.floor(Math.abs(v) + 0.5);
}

/** An image as a function of position; the kernels' tests place it in memory with pitches of their own. */
export interface Image {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  at(r: number, x: number, c: number): number;
}

export interface NaiveWindow {
  readonly kernelH: number;
  readonly kernelW: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** Calls `tap` for the taps of a window that lie inside the image, in the order KH, KW. */
export function forTaps(
  image: Image,
  w: NaiveWindow,
  r: number,
  x: number,
  tap: (inRow: number, inCol: number, index: number) => void,
): void {
  for (let kh = 0; kh < w.kernelH; kh++) {
    for (let kw = 0; kw < w.kernelW; kw++) {
      const [inRow, inCol] = [
        r * w.strideH + kh * w.dilationH - w.padTop,
        x * w.strideW + kw * w.dilationW - w.padLeft,
      ];
      if (inRow >= 0 && inRow < image.h && inCol >= 0 && inCol < image.w) tap(inRow, inCol, kh * w.kernelW + kw);
    }
  }
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

export function addInt8(
  a: number,
  za: number,
  b: number,
  zb: number,
  zy: number,
  r: NaiveRescale,
  sign: 1 | -1,
): number {
  const pa = mbqm((a - za) * 2 ** r.leftShift, r.multiplierA, r.shiftA);
  const pb = mbqm((b - zb) * 2 ** r.leftShift, r.multiplierB, r.shiftB);
  return clamp8(mbqm(pa + sign * pb, r.multiplierOut, r.shiftOut) + zy);
}
