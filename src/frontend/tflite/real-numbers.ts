/** Operators on quantised numbers that exist in float32 only: between a dequantisation and a quantisation. */
import type { Tensor, TensorId } from '../../ir/types.js';
import { activationType } from './activation-type.js';
import type { NodeContext } from './context.js';

/** The operand's real numbers. */
export function realInput(node: NodeContext, position: number): Tensor {
  return node.builder.tensor(realOf(node, node.input(position)));
}

export function realOf(node: NodeContext, x: Tensor): TensorId {
  if (x.quant === undefined) return x.id;
  return node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x.id] });
}

/** In the type that the file declares for the result. */
export function asDeclared(node: NodeContext, id: TensorId): TensorId {
  const to = activationType(node.result.type);
  if (to === undefined || to === 'float32' || node.builder.tensor(id).dtype !== 'float32') return id;
  return node.emit({ kind: 'convert', to, multiplier: 0, shift: 0, inputs: [id] }, { quant: node.resultQuant() });
}
