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

export function clamp8(value: number): number {
  return Math.max(-128, Math.min(127, value));
}

/** numerator / denominator to the nearest integer, halves away from zero. denominator > 0; both below 2^50. */
export function divideHalfAway(numerator: number, denominator: number): number {
  const magnitude = Math.floor((2 * Math.abs(numerator) + denominator) / (2 * denominator));
  return numerator < 0 ? -magnitude : magnitude;
}

const scratch = new DataView(new ArrayBuffer(4));

/** The float32 with these bits; fields may hold them as signed numbers. */
export function floatFromBits(bits: number): number {
  scratch.setInt32(0, bits | 0);
  return scratch.getFloat32(0);
}
