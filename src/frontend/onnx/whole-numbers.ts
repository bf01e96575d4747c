/** Which values of the model are of integer types: their quotients have no fraction, however they are stored here. */
import { isIntegral } from './constant.js';
import type { OnnxNode } from './graph.js';
import { typeAttribute } from './shape-arguments.js';
import type { Value } from './value.js';

/** Element types of the format that are integers. */
export const INTEGER_TYPES: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 12, 13]);
/** Operators of integers whose result is none. */
const REAL_RESULTS: ReadonlySet<string> = new Set(['DequantizeLinear', 'MatMulInteger', 'ConvInteger']);
const POSITIONS: ReadonlySet<string> = new Set(['ArgMax', 'ArgMin']);

export const wholeValue = (value: Value): Value => (value.kind === 'constant' ? value : { ...value, isWhole: true });

export function isWhole(value: Value | undefined): boolean {
  if (value?.kind === 'constant') return value.constant.dtype !== 'bool' && isIntegral(value.constant.dtype);
  return value?.isWhole === true;
}

/** Whether a node's results are of an integer type: that of its first operand where the operator does not say. */
export function makesWhole(node: OnnxNode, operands: readonly Value[]): boolean {
  if (node.operator === 'Cast') return INTEGER_TYPES.has(typeAttribute(node, 'to'));
  if (POSITIONS.has(node.operator)) return true;
  if (REAL_RESULTS.has(node.operator) || node.operator === 'OneHot') return false;
  return isWhole(node.operator === 'Where' ? operands[1] : operands[0]);
}
