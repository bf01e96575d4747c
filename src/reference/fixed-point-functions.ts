/**
 * exp and 1/x on fixed-point numbers of 32 bits, as docs/numerics.md, "Fixed-point functions", has them. Qm.n is an int32
 * with n bits of fraction.
 */

/** (2 * a * b) / 2^32 rounded to nearest, halves up for a positive product; -2^31 squared saturates. int32 operands. */
export function saturatingDoublingHigh(a: number, b: number): number {
  const product = BigInt(a) * BigInt(b);
  if (a === -(2 ** 31) && b === a) return 2 ** 31 - 1;
  const nudge = product >= 0n ? 1n << 30n : 1n - (1n << 30n);
  return Number((product + nudge) / (1n << 31n));
}

/** x / 2^bits, to the nearest integer, halves away from zero. */
export function roundingShift(x: number, bits: number): number {
  if (bits === 0) return x;
  const magnitude = Math.floor((Math.abs(x) + 2 ** (bits - 1)) / 2 ** bits);
  return x < 0 ? -magnitude : magnitude;
}

const saturate = (x: number): number => Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), x));

/** exp(a) in Q0.31 of a in Q0.31 from -1/4 up to, not including, 0: a polynomial of degree 4 around -1/8. */
function exponentialNearZero(a: number): number {
  const x = a + 2 ** 28;
  const square = saturatingDoublingHigh(x, x);
  const cube = saturatingDoublingHigh(square, x);
  const fourth = saturatingDoublingHigh(square, square);
  const thirds = saturatingDoublingHigh(roundingShift(fourth, 2) + cube, 715827883); // 1/3
  const rest = roundingShift(thirds + square, 1);
  const atCentre = 1895147668; // exp(-1/8)
  return atCentre + saturatingDoublingHigh(atCentre, x + rest);
}

/** exp(-2^k) in Q0.31, for k from -2 to 4. */
const POWERS: readonly number[] = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];

/** exp(a) in Q0.31 of a in Q5.26, a <= 0: of its last quarter by polynomial, of the whole quarters by their bits. */
export function negativeExponential(a: number): number {
  if (a === 0) return 2 ** 31 - 1;
  const quarter = 2 ** 24;
  const lastQuarter = (a & (quarter - 1)) - quarter;
  let result = exponentialNearZero(lastQuarter * 32);
  const quarters = (lastQuarter - a) / quarter;
  for (const [bit, power] of POWERS.entries()) {
    if ((quarters & (1 << bit)) !== 0) result = saturatingDoublingHigh(result, power);
  }
  return result;
}

/** 1 / (1 + a) in Q0.31 of a in Q0.31 from 0 to 1: three steps of Newton's method from 48/17 - 32/17 d. */
function reciprocalOfOnePlus(a: number): number {
  const half = Math.floor((a + 2 ** 31) / 2); // (a + 1) / 2
  let x = 1515870810 + saturatingDoublingHigh(half, -1010580540); // Q2.29
  for (let step = 0; step < 3; step++) {
    const error = 2 ** 29 - saturatingDoublingHigh(half, x);
    x += saturate(saturatingDoublingHigh(x, error) * 4);
  }
  return saturate(x * 2);
}

export interface Reciprocal {
  readonly value: number; // Q0.31
  /** 1 / x = value * 2^-exponent. */
  readonly exponent: number;
}

/** 1 / x of a positive x with that many bits before the point. */
export function reciprocal(x: number, integerBits: number): Reciprocal {
  const leadingZeros = Math.clz32(x);
  const lessOne = (x * 2 ** leadingZeros - 2 ** 31) | 0;
  return { value: reciprocalOfOnePlus(lessOne), exponent: integerBits - leadingZeros };
}
