/** Logistic and tanh of 16 bits, as docs/numerics.md, "Fixed-point functions of 16 bits", has them. */

/** x / 2^bits, to the nearest integer, halves away from zero. */
const roundingShift = (x: number, bits: number): number =>
  Math.sign(x) * Math.floor((Math.abs(x) + 2 ** (bits - 1)) / 2 ** bits);
const wrap = (x: number): number => (x << 16) >> 16;
const saturate = (x: number): number => Math.min(32767, Math.max(-32768, x));

/** (2 * a * b) / 2^16 rounded to nearest, halves up; -2^15 squared saturates. */
function high(a: number, b: number): number {
  if (a === -32768 && b === a) return 32767;
  const product = a * b;
  return Math.trunc((product + (product >= 0 ? 16384 : -16383)) / 32768);
}

/** Constants of the 32-bit functions, in their upper 16 bits. */
const upper = (constant: number): number => roundingShift(constant, 16);
const POWERS = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242].map(upper);
const [AT_CENTRE, THIRD, START, SLOPE] = [1895147668, 715827883, 1515870810, -1010580540].map(upper) as Four;
type Four = [number, number, number, number];

/** exp(a) in Q0.15 of a in Qm.n, m + n = 15, a <= 0. */
function negativeExponential(a: number, m: number): number {
  if (a === 0) return 32767;
  const n = 15 - m;
  if (m > 5 && a < -32 * 2 ** n) return 0;
  const quarter = 1 << (n - 2);
  const lastQuarter = (a & (quarter - 1)) - quarter;
  const x = wrap(saturate(lastQuarter * 2 ** m) + 4096);
  const square = high(x, x);
  const thirds = high(wrap(roundingShift(high(square, square), 2) + high(square, x)), THIRD);
  const rest = roundingShift(wrap(thirds + square), 1);
  let result = saturate(AT_CENTRE + high(AT_CENTRE, wrap(x + rest)));
  const quarters = (lastQuarter - a) / quarter;
  for (const [bit, power] of POWERS.entries()) {
    if (bit - 2 < m && (quarters & (1 << bit)) !== 0) result = high(result, power);
  }
  return result;
}

/** 2 / (1 + a) in Q2.13 of a in Q0.15. */
function twiceReciprocalOfOnePlus(a: number): number {
  const half = Math.trunc((a + 32767 + 1) / 2);
  let x = wrap(START + high(half, SLOPE));
  for (let step = 0; step < 3; step++) {
    const error = wrap(8192 - high(half, x));
    x = wrap(x + saturate(high(x, error) * 4));
  }
  return x;
}

/** In Q0.15, of x in Q3.12. */
export function logistic16(x: number): number {
  if (x === 0) return 16384;
  const positive = saturate(twiceReciprocalOfOnePlus(negativeExponential(x > 0 ? -x : x, 3)) * 2);
  return x > 0 ? positive : 32767 - positive;
}

/** In Q0.15, of x in Qm.n, m + n = 15, m at most 6. */
export function tanh16(x: number, m: number): number {
  if (x === 0) return 0;
  const magnitude = saturate(wrap(twiceReciprocalOfOnePlus(negativeExponential(x > 0 ? -x : x, m + 1)) - 8192) * 4);
  return x > 0 ? magnitude : -magnitude;
}
