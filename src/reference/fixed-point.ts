/** The integer arithmetic of docs/numerics.md. */

/**
 * Fixed-point rescaling: x * multiplier * 2^(shift - 31), rounded as docs/numerics.md says.
 *
 * The 63-bit product never exists: with x = high * 2^16 + low, both halves times the multiplier stay below 2^48 and are
 * exact in a double. Rounding p + 2^30 down is the page's rule for both signs:
 * for p < 0, trunc((p + 1 - 2^30) / 2^31) = floor((p + 2^30) / 2^31).
 *
 * @param x int32
 * @param multiplier 0 or in [2^30, 2^31)
 * @param shift in [-31, 30]
 * Source: gemmlowp's rounding rules as in Jacob et al. 2018, "Quantization and Training of Neural Networks".
 */
export function mbqm(x: number, multiplier: number, shift: number): number {
  const value = shift > 0 ? x << shift : x | 0;
  const high = value >> 16;
  const low = value & 0xffff;
  const carried = Math.floor((low * multiplier + 1073741824) / 65536);
  const product = Math.floor((high * multiplier + carried) / 32768) | 0;
  if (shift >= 0) return product;
  const mask = ((1 << -shift) - 1) | 0;
  const threshold = (mask >> 1) + (product < 0 ? 1 : 0);
  return (product >> -shift) + ((product & mask) > threshold ? 1 : 0);
}

/** Of two: raising to a power is slow. */
const POWERS = Float64Array.from({ length: 64 }, (_, i) => 2 ** i);

/**
 * The same product rounded once, halves up: (x * multiplier + 2^(30 - shift)) >> (31 - shift).
 *
 * @param x, multiplier, shift as for mbqm
 */
export function mbqmOnce(x: number, multiplier: number, shift: number): number {
  const right = 31 - shift;
  if (right < 17) return Number((BigInt(x) * BigInt(multiplier) + (1n << BigInt(right - 1))) >> BigInt(right));
  // In halves as above: rounding to the 16 bits that both have apart changes nothing, since 2^(right - 1) has none of them.
  const upper = (x >> 16) * multiplier + Math.floor(((x & 0xffff) * multiplier) / 65536);
  return Math.floor((upper + (POWERS[right - 17] as number)) / (POWERS[right - 16] as number));
}

/**
 * The rescaling of 64-bit sums that int16 layers have: the multiplier is rounded to 16 bits first.
 *
 * @param x an integer below 2^53 in size
 */
export function mbqm64(x: number, multiplier: number, shift: number): number {
  const reduced = multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
  const right = BigInt(15 - shift);
  return Number((BigInt(x) * BigInt(reduced) + (1n << (right - 1n))) >> right);
}

/** The nearest integer, halves to the even one. @param x below 2^51 in size */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Real rescaling of an integer: two roundings to float32, one to an integer. */
export function rescaleReal(x: number, scale: number): number {
  return roundHalfEven(Math.fround(Math.fround(x) * scale));
}

/** mbqmOnce of a sum of int16 products, an integer below 2^53 in size. */
export function mbqmOnce64(x: number, multiplier: number, shift: number): number {
  const right = BigInt(31 - shift);
  return Number((BigInt(x) * BigInt(multiplier) + (1n << (right - 1n))) >> right);
}

/** Arrays of quantised elements. */
export type Stored = Int8Array | Uint8Array | Int16Array;

/** The range of the elements. */
export function limitsOf(data: Stored): { readonly lo: number; readonly hi: number } {
  if (data instanceof Int8Array) return { lo: -128, hi: 127 };
  return data instanceof Uint8Array ? { lo: 0, hi: 255 } : { lo: -32768, hi: 32767 };
}

export function limit(value: number, lo: number, hi: number): number {
  if (value < lo) return lo;
  if (value > hi) return hi;
  return value;
}

/** numerator / denominator to the nearest integer, halves away from zero. Both are integers below 2^51, denominator > 0. */
export function divideHalfAway(numerator: number, denominator: number): number {
  const magnitude = Math.floor((2 * Math.abs(numerator) + denominator) / (2 * denominator));
  return numerator < 0 ? -magnitude : magnitude;
}
