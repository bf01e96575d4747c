/** HARD_SWISH of a stored value in fixed point of 16 bits. Source: the quantised reference kernel of TFLite. */
import type { Quantization } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { FixedPoint } from '../quantize/parameters.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { roundingShift } from './rescale.js';

/** @returns the function from stored to stored value, not yet limited to the type */
export function hardSwishTable(input: Quantization, result: Quantization): (stored: number) => number {
  // Seven more bits than stored, so that 16 bits are full.
  const fineScale = Math.fround(scaleOf(input) / 128);
  const out = to16Bits(fixedPoint(Math.fround(fineScale / scaleOf(result))));
  // Scale on which 32768 stands for 3.
  const slope = to16Bits(fixedPoint(Math.fround(fineScale / Math.fround(3 / 32768))));
  if (out.shift > 0) return unsupported('a result scale finer than that of the operand');
  return (stored) => {
    const fine = wrap16((stored - input.zeroPoint) * 128);
    const unshifted = roundingHigh(fine, out.multiplier);
    let gate = fine;
    if (slope.shift > 0) gate = saturate16(gate * 2 ** (slope.shift - 1));
    gate = roundingHigh(gate, slope.multiplier);
    if (slope.shift > 0) gate = saturate16(gate * 2);
    if (slope.shift < 0) gate = roundingShift(gate, -slope.shift);
    gate = wrap16((gate + 32768) >> 1); // from [-1, 1] to [0, 1]
    const product = gate === -32768 && unshifted === -32768 ? 32767 : Math.trunc((gate * unshifted) / 32768);
    return roundingShift(product, -out.shift) + result.zeroPoint;
  };
}

const wrap16 = (value: number): number => (value << 16) >> 16;
const saturate16 = (value: number): number => Math.min(Math.max(value, -32768), 32767);

function to16Bits({ multiplier, shift }: FixedPoint): FixedPoint {
  const reduced = multiplier >= 2 ** 31 - 1 - 2 ** 15 ? 32767 : (multiplier + 2 ** 15) >> 16;
  return { multiplier: reduced, shift };
}

/** Half of the doubled product's high 16 bits, rounded: SQRDMULH. */
function roundingHigh(a: number, b: number): number {
  if (a === -32768 && b === -32768) return 32767;
  const product = a * b;
  return Math.trunc((product + (product >= 0 ? 2 ** 14 : 1 - 2 ** 14)) / 2 ** 15);
}
