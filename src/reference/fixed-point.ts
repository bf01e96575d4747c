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

export function clamp8(value: number): number {
  if (value < -128) return -128;
  if (value > 127) return 127;
  return value;
}

/** numerator / denominator to the nearest integer, halves away from zero. Both are integers below 2^51, denominator > 0. */
export function divideHalfAway(numerator: number, denominator: number): number {
  const magnitude = Math.floor((2 * Math.abs(numerator) + denominator) / (2 * denominator));
  return numerator < 0 ? -magnitude : magnitude;
}
