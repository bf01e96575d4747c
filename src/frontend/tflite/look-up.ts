/** Functions of one quantised value, as tables of all 256. */
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { NodeContext, Value } from './context.js';
import { roundHalfAway, scaleOf } from './numbers.js';

/**
 * @param apply from a stored value of x to one of the result; limited to the type here
 * @returns x itself where the table would change nothing
 */
export function lookUpInto(
  node: NodeContext,
  x: Tensor,
  result: Quantization,
  apply: (stored: number) => number,
): TensorId {
  if (!isQuantized(x.dtype) || x.dtype === 'int16') return unsupported(`${x.dtype} operands`);
  const { lo, hi } = storedRange(x.dtype);
  const values = Array.from({ length: 256 }, (_, i) => Math.min(Math.max(apply(i + lo), lo), hi));
  const data = x.dtype === 'int8' ? Int8Array.from(values) : Uint8Array.from(values);
  const table = node.builder.addConstant({ name: `${node.resultName}:table`, shape: [256], data, loc: node.loc });
  return node.emit({ kind: 'lut', inputs: [x.id, table] }, { quant: result });
}

/** The result of an operator that treats every element alone: as ordered as its operand. */
export function asOrdered(id: TensorId, perm: readonly number[] | undefined): Value {
  return { kind: 'activation', id, ...(perm === undefined ? {} : { perm }) };
}

/** For 8 bits: a table of float32 values, rounded to the result's scale. Source: PopulateLookupTable of TFLite. */
export function realTable(node: NodeContext, x: Tensor, real: (x: number) => number): TensorId {
  const { quant } = x;
  if (quant === undefined) return unsupported(`${x.dtype} operands without quantisation`);
  const result = node.resultQuant();
  const inverse = Math.fround(1 / scaleOf(result));
  return lookUpInto(node, x, result, (stored) => {
    const value = Math.fround(real(Math.fround(scaleOf(quant) * (stored - quant.zeroPoint))));
    return roundHalfAway(Math.fround(value * inverse)) + result.zeroPoint;
  });
}

export const sigmoid = (x: number): number => Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-x))));
