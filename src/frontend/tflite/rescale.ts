/** mbqm of docs/numerics.md, for tables that are computed while importing: exact, with big integers. */
import type { FixedPoint } from '../quantize/parameters.js';

export function rescaled(value: number, { multiplier, shift }: FixedPoint): number {
  const left = BigInt.asIntN(32, BigInt(value) << BigInt(Math.max(shift, 0)));
  const product = left * BigInt(multiplier);
  const nudged = product + (product >= 0n ? 2n ** 30n : 1n - 2n ** 30n);
  return roundingShift(Number(nudged / 2n ** 31n), Math.max(-shift, 0)); // bigint division truncates toward zero
}

/** value / 2^bits to the nearest integer, halves away from zero. */
export function roundingShift(value: number, bits: number): number {
  const magnitude = Math.floor((Math.abs(value) + 2 ** (bits - 1)) / 2 ** bits);
  return bits === 0 ? value : Math.sign(value) * magnitude;
}
