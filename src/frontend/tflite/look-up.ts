/** Functions of one quantised value, as tables of all 256. */
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../onnx/problems.js';
import type { NodeContext } from './context.js';

/**
 * @param apply from a stored value of x to one of the result; limited to the type here
 * @returns x itself where the table would change neither a value nor the quantisation
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
