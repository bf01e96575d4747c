/** RSQRT: of int8 a table of what TFLite's fixed-point kernel makes of each number; of other numbers in float32. */
import type { FixedPoint } from '../quantize/parameters.js';
import type { Importer } from './context.js';
import { unaryFunction } from './functions.js';
import { asOrdered, lookUpInto } from './look-up.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { rescaled } from './rescale.js';

const inFloat = unaryFunction('rsqrt');
/** Bits that the root keeps below the point. */
const FRACTION = 20;
const MOST = 127;

export const rsqrt: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const { quant } = x;
  if (quant === undefined || x.dtype !== 'int8') return inFloat(node);
  const result = node.resultQuant();
  const factor = Math.fround(1 / Math.fround(Math.fround(Math.sqrt(scaleOf(quant))) * scaleOf(result)));
  const { multiplier, shift } = fixedPoint(factor);
  const apply = (stored: number): number => {
    const value = stored - quant.zeroPoint;
    if (value <= 0) return MOST; // negative numbers are an error there
    const root = inverseRoot(value);
    const fine = rescaled(1, { ...root, shift: root.shift + FRACTION });
    return rescaled(fine, { multiplier, shift: shift - FRACTION }) + result.zeroPoint;
  };
  return [asOrdered(lookUpInto(node, x, result, apply), perm)];
};

const wrap = (x: bigint): bigint => BigInt.asIntN(32, x);
const saturate = (x: bigint): bigint => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);
/** a * b / 2^31, halves up. */
const high = (a: bigint, b: bigint): bigint => (a * b + (a * b >= 0n ? 2n ** 30n : 1n - 2n ** 30n)) / 2n ** 31n;

/** One over the root of a whole number of at most 29 bits: Newton's method, in numbers of 28 bits of fraction. */
function inverseRoot(value: number): FixedPoint {
  if (value <= 1) return { multiplier: 2 ** 31 - 1, shift: 0 };
  const pairs = Math.floor((Math.clz32(value) - 1) / 2) - 1;
  const input = BigInt(Math.floor((value * 4 ** pairs) / 2));
  const half = (input + 1n) / 2n;
  const threeHalves = 2n ** 28n + 2n ** 27n;
  let x = 2n ** 28n;
  for (let step = 0; step < 5; step++) {
    const cube = saturate(high(high(x, x), x) * 64n);
    x = saturate(wrap(high(threeHalves, x) - high(half, cube)) * 8n);
  }
  const root = Number(high(x, 1518500250n)); // times the root of 1/2
  const right = 11 - pairs;
  return right < 0 ? { multiplier: root * 2 ** -right, shift: 0 } : { multiplier: root, shift: -right };
}
