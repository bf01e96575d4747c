/** Logistic and tanh on int16; docs/numerics.md, "Functions of 16 bits". */

/** a * b / 2^15 to the nearest integer, halves up; two least numbers make the largest. */
function times(a: number, b: number): number {
  const product = a * b;
  return Math.min(32767, product >= 0 ? Math.floor((product + 16384) / 32768) : -Math.floor((16383 - product) / 32768));
}

/** x * 2^bits, limited to 16 bits. */
function raised(x: number, bits: number): number {
  return Math.max(-32768, Math.min(32767, x * 2 ** bits));
}

/** x / 2^bits, halves away from zero. */
function lowered(x: number, bits: number): number {
  return Math.sign(x) * Math.floor((Math.abs(x) + 2 ** (bits - 1)) / 2 ** bits);
}

/** exp(-1/4), exp(-1/2), exp(-1), exp(-2), exp(-4), exp(-8), exp(-16) in Q0.15. */
const EXP_OF_POWERS = [25520, 19875, 12055, 4435, 600, 11, 0];
const EXP_OF_EIGHTH = 28918;
const THIRD = 10923;

/** exp in Q0.15 of a number of that many integer bits, at most 0. */
function expOfNegative(x: number, integerBits: number): number {
  if (x === 0) return 32767;
  const one = 2 ** (15 - integerBits);
  if (integerBits > 5 && x < -32 * one) return 0;
  const quarter = one / 4;
  const quarters = Math.ceil(-x / quarter) - 1; // and a rest in (0, 1/4]
  const rest = raised(x + quarters * quarter, integerBits);
  const t = rest + 4096; // from the middle of the quarter
  const t2 = times(t, t);
  const inner = times(lowered(times(t2, t2), 2) + times(t2, t), THIRD) + t2;
  let product = Math.min(32767, EXP_OF_EIGHTH + times(EXP_OF_EIGHTH, t + lowered(inner, 1)));
  EXP_OF_POWERS.forEach((power, bit) => {
    if (bit < integerBits + 2 && Math.floor(quarters / 2 ** bit) % 2 === 1) product = times(product, power);
  });
  return product;
}

/** 2 / (1 + x) in Q2.13, x in Q0.15 from 0 to 1. */
function twoOverOnePlus(x: number): number {
  const denominator = Math.floor((x + 32768) / 2);
  let guess = 23130 + times(denominator, -15420); // 48/17 - 32/17 d
  for (let round = 0; round < 3; round++) {
    guess += raised(times(guess, 8192 - times(denominator, guess)), 2);
  }
  return guess;
}

/** In Q0.15, of a number in Q3.12. */
function logistic(x: number): number {
  if (x === 0) return 16384;
  const ofPositive = raised(twoOverOnePlus(expOfNegative(-Math.abs(x), 3)), 1);
  return x > 0 ? ofPositive : 32767 - ofPositive;
}

function tanh(x: number, integerBits: number): number {
  if (x === 0) return 0;
  // Twice the argument is the same number with one more integer bit.
  const magnitude = raised(twoOverOnePlus(expOfNegative(-Math.abs(x), integerBits + 1)) - 8192, 2);
  return x > 0 ? magnitude : -magnitude;
}

/** Every result of a function of 16 bits, once it has been asked for. */
function tabled(of: (x: number) => number): (x: number) => number {
  let table: Int16Array | undefined;
  return (x) => {
    if (table === undefined) {
      table = new Int16Array(65536);
      for (let i = 0; i < 65536; i++) table[i] = of(i - 32768);
    }
    return table[x + 32768] ?? 0;
  };
}

export const logisticOf = tabled(logistic);

const TANH = Array.from({ length: 7 }, (_, integerBits) => tabled((x) => tanh(x, integerBits)));

/** In Q0.15, of a number with up to 6 integer bits. */
export function tanhOf(x: number, integerBits: number): number {
  return TANH[integerBits]?.(x) ?? 0;
}
