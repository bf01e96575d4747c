/** Tables that stand for functions in int8 programs (docs/numerics.md). */
import type { LrnOp, Quantization } from '../../ir/types.js';
import { quantizeValue, scaleOf } from './parameters.js';

/** int8 [256]: entry x + 128 is f of the real value of x, in the result's quantisation. */
export function lookUpTable(f: (x: number) => number, input: Quantization, result: Quantization): Int8Array {
  return Int8Array.from({ length: 256 }, (_, i) => {
    const value = f(scaleOf(input) * (i - 128 - input.zeroPoint));
    return Number.isNaN(value) ? result.zeroPoint : quantizeValue(value, result);
  });
}

/** int32 [256]: exp of a distance d below the largest input, with 20 bits of fraction. */
export function softmaxTable(inputScale: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 20 * Math.exp(-d * inputScale)));
}

/** The least shift that brings the largest possible sum of squares of the window into 1024 entries. */
export function lrnSumShift(size: number, channels: number, inputZeroPoint: number): number {
  const largest = Math.max(127 - inputZeroPoint, inputZeroPoint + 128);
  const sum = Math.min(size, channels) * largest ** 2;
  return Math.max(0, Math.ceil(Math.log2((sum + 1) / 1024)));
}

/** int32 [1024]: the factor of the centre value for each sum of squares, with 16 bits of fraction. */
export function lrnTable(op: LrnOp, sumShift: number, inputScale: number, resultScale: number): Int32Array {
  const unit = (op.alpha / op.size) * inputScale ** 2;
  return Int32Array.from({ length: 1024 }, (_, i) => {
    const divisor = (op.k + unit * (i + 0.5) * 2 ** sumShift) ** -op.beta;
    return Math.min(Math.round(2 ** 16 * (inputScale / resultScale) * divisor), 2 ** 31 - 1);
  });
}
