/** docs/numerics.md, "Fixed-point functions". All values are int32 held in doubles. */

const ONE = 2147483647; // in Q0.31, as near as there is

/**
 * a * b / 2^31, rounded to nearest, exact halves up. The product has up to 62 bits: |a| goes in parts of 16 bits, whose
 * products with b are exact.
 */
export function timesHigh(a: number, b: number): number {
  if (a === -2147483648 && b === -2147483648) return ONE;
  const isNegative = a < 0 !== b < 0;
  const [x, y] = [Math.abs(a), Math.abs(b)];
  const high = Math.floor(x / 65536);
  const low = x - high * 65536;
  // Halves of a negative product go up, that is towards zero.
  const nudge = isNegative ? 1073741823 : 1073741824;
  const magnitude = Math.floor((high * y + Math.floor((low * y + nudge) / 65536)) / 32768);
  return isNegative ? -magnitude : magnitude;
}

/** x / 2^bits to the nearest integer, halves away from zero. */
export function roundingDivide(x: number, bits: number): number {
  const half = bits === 0 ? 0 : 2 ** (bits - 1);
  return Math.sign(x) * Math.floor((Math.abs(x) + half) / 2 ** bits);
}

function saturated(x: number): number {
  return Math.max(-2147483648, Math.min(ONE, x));
}

/** exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) in Q0.31. */
const EXP_OF_POWERS = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];

/** exp in Q0.31 of x in Q5.26, at most 0. */
export function expOfNegative(x: number): number {
  if (x === 0) return ONE;
  const distance = -x;
  // distance = quarters / 4 + rest, with rest in (0, 1/4].
  const quarters = Math.ceil(distance / 16777216) - 1;
  const rest = distance - quarters * 16777216;
  // Around -1/8: exp(-1/8) * (1 + t + t^2 / 2 + t^3 / 6 + t^4 / 24), t in Q0.31.
  const t = 268435456 - rest * 32;
  const t2 = timesHigh(t, t);
  const t3 = timesHigh(t2, t);
  const t4 = timesHigh(t2, t2);
  const inner = timesHigh(roundingDivide(t4, 2) + t3, 715827883);
  const series = t + roundingDivide(inner + t2, 1);
  let product = 1895147668 + timesHigh(1895147668, series);
  EXP_OF_POWERS.forEach((power, bit) => {
    if (Math.floor(quarters / 2 ** bit) % 2 === 1) product = timesHigh(product, power);
  });
  return product;
}

/** The reciprocal of x > 0, which has `integerBits` bits before its point: [r in Q0.31, e] with 1 / x = r / 2^e. */
export function reciprocalOf(x: number, integerBits: number): [number, number] {
  let bits = 0;
  let scaledUp = x;
  for (; scaledUp < 2147483648; bits++) scaledUp *= 2;
  const denominator = Math.floor(scaledUp / 2); // (1 + fraction) / 2 in Q0.31
  let guess = 1515870810 + timesHigh(denominator, -1010580540); // 48/17 - 32/17 d in Q2.29
  for (let round = 0; round < 3; round++) {
    const missing = 536870912 - timesHigh(denominator, guess);
    guess += saturated(timesHigh(guess, missing) * 4);
  }
  return [saturated(guess * 2), integerBits - bits];
}
