/** docs/numerics.md, "Fixed-point rescaling": x * multiplier * 2^(shift - 31), rounded as there. */
export function mbqm(x: number, multiplier: number, shift: number): number {
  const value = shift > 0 ? (x << shift) | 0 : x | 0;
  // |value| * multiplier has up to 62 bits. In 16-bit parts of |value| both products stay below 2^47, which is exact.
  const magnitude = Math.abs(value);
  const high = Math.floor(magnitude / 65536);
  const low = magnitude - high * 65536;
  const nudge = value >= 0 ? 1073741824 : 1073741823;
  const sum = high * multiplier + Math.floor((low * multiplier + nudge) / 65536);
  const quotient = Math.floor(sum / 32768);
  const doubled = (value >= 0 ? quotient : -quotient) | 0;
  if (shift >= 0) return doubled;
  const right = -shift;
  const mask = right === 31 ? 0x7fffffff : (1 << right) - 1;
  const threshold = (mask >> 1) + (doubled < 0 ? 1 : 0);
  return (doubled >> right) + ((doubled & mask) > threshold ? 1 : 0);
}

/** Powers of two, looked up because computing them takes longer than all the rest. */
const HALVES = Array.from({ length: 48 }, (_, i) => 2 ** i);

/** The same rounded once: (x * multiplier + 2^(30 - shift)) >> (31 - shift), exact. */
export function mbqmOnce(x: number, multiplier: number, shift: number): number {
  // Bits 0..15 of the product carry into the rest by their floor alone, because half of the divisor is a multiple of 2^16.
  if (shift > 14) return Number((BigInt(x) * BigInt(multiplier) + (1n << BigInt(30 - shift))) >> BigInt(31 - shift));
  const low = x & 0xffff;
  const rest = ((x - low) / 65536) * multiplier + Math.floor((low * multiplier) / 65536);
  const half = HALVES[14 - shift] ?? 0;
  return Math.floor((rest + half) / (2 * half));
}

/** mbqmOnce of sums below 2^48 in size; division truncates, so what is left of negative ones takes one off. */
export function mbqmOnce64(x: number, multiplier: number, shift: number): number {
  const total = BigInt(x) * BigInt(multiplier);
  const half = 1n << BigInt(30 - shift);
  return Number((total + half) / (2n * half) - ((total + half) % (2n * half) < 0n ? 1n : 0n));
}

/** The rescaling of int16 layers: their sums, below 2^48 in size, times a multiplier of 16 bits. */
export function mbqm64(x: number, multiplier: number, shift: number): number {
  const factor = multiplier < 0x7fff0000 ? Math.floor((multiplier + 0x8000) / 0x10000) : 0x7fff;
  const right = 15 - shift;
  const high = Math.floor(x / 2 ** 24);
  const low = (x - high * 2 ** 24) * factor + 2 ** (right - 1);
  if (right <= 24) return high * factor * 2 ** (24 - right) + Math.floor(low / 2 ** right);
  return Math.floor((high * factor + Math.floor(low / 2 ** 24)) / 2 ** (right - 24));
}

export function limit(value: number, lo: number, hi: number): number {
  return Math.max(lo, Math.min(hi, value));
}

/** numerator / denominator to the nearest integer, halves away from zero. denominator > 0; both below 2^50. */
export function divideHalfAway(numerator: number, denominator: number): number {
  const magnitude = Math.floor((2 * Math.abs(numerator) + denominator) / (2 * denominator));
  return numerator < 0 ? -magnitude : magnitude;
}

/** To the nearest integer, halves to the even one: what adding and taking away 1.5 * 2^52 leaves. |x| < 2^51 */
export function nearestEven(x: number): number {
  return x + 6755399441055744 - 6755399441055744;
}

/** An integer times a float32 scale, to an integer. */
export function timesScale(x: number, scale: number): number {
  return nearestEven(Math.fround(Math.fround(x) * scale));
}

const scratch = new DataView(new ArrayBuffer(4));

/** The float32 with these bits; fields may hold them as signed numbers. */
export function floatFromBits(bits: number): number {
  scratch.setInt32(0, bits | 0);
  return scratch.getFloat32(0);
}
