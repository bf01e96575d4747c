/**
 * Little-endian base-128 numbers up to 2^53 - 1, seven bits a byte, the top bit set on all bytes but the last. The
 * shortest form is the only valid one. Arithmetic instead of bit operators because values pass 2^32.
 */

/** Largest unsigned value, and twice the largest magnitude of a signed one. */
export const MAX_VARINT = Number.MAX_SAFE_INTEGER;

export function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Why a read failed; the caller knows where, and says so. */
export type VarintError = 'truncated' | 'too large' | 'not in shortest form';

export interface VarintResult {
  readonly value: number;
  readonly next: number; // offset after the number
}

export function readVarint(bytes: Uint8Array, offset: number): VarintResult | VarintError {
  let value = 0;
  let scale = 1;
  for (let at = offset; ; at++) {
    const byte = bytes[at];
    if (byte === undefined) return 'truncated';
    if (at - offset >= 8) return 'too large';
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    if (value > MAX_VARINT) return 'too large';
    if (byte === 0 && at > offset) return 'not in shortest form';
    return { value, next: at + 1 };
  }
}
