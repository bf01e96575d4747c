/**
 * Operators that exist in float32 only, on other numbers: quantised ones between a dequantisation and a quantisation, integers up
 * to 2^24 as they are.
 */
import type { Tensor, TensorId } from '../../ir/types.js';
import { activationType } from './activation-type.js';
import type { NodeContext } from './context.js';

/** The operand's real numbers. */
export function realInput(node: NodeContext, position: number): Tensor {
  const operand = node.operand(position);
  if (operand.kind === 'constant' && operand.constant.quantization === undefined) {
    const { name, shape } = operand.constant;
    const data = new Float32Array(operand.constant.elements());
    return node.builder.tensor(node.builder.addConstant({ name, shape, data, loc: node.loc }));
  }
  return node.builder.tensor(realOf(node, node.input(position)));
}

export function realOf(node: NodeContext, x: Tensor): TensorId {
  if (x.dtype === 'float32') return x.id;
  return node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x.id] });
}

/** In the type that the file declares for the result. */
export function asDeclared(node: NodeContext, id: TensorId): TensorId {
  if (node.builder.tensor(id).dtype !== 'float32') return id;
  const { type } = node.result;
  const spec = { kind: 'convert', multiplier: 0, shift: 0, inputs: [id] } as const;
  if (type === 'int32' || type === 'int64') return node.emit({ ...spec, to: 'int32' });
  const to = activationType(type);
  return to === undefined || to === 'float32' ? id : node.emit({ ...spec, to }, { quant: node.resultQuant() });
}
