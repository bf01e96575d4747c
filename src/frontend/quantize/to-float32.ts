import type { ConstantData, Program, Tensor, TensorId } from '../../ir/types.js';
import { dequantized } from './real-weights.js';

/**
 * The float32 variant of an imported float program: constants that the front end kept as int8 with scales become
 * float32, each element fround(q * scale). A program without any comes back as it is.
 */
export function toFloat32(program: Program): Program {
  const tensors = new Map<TensorId, Tensor>(program.tensors);
  const constants = new Map<TensorId, ConstantData>(program.constants);
  for (const [id, data] of program.constants) {
    const tensor = program.tensors.get(id);
    if (tensor?.quant === undefined || !(data instanceof Int8Array)) continue;
    const { quant, ...rest } = tensor;
    tensors.set(id, { ...rest, dtype: 'float32' });
    constants.set(id, dequantized(data, quant));
  }
  return { ...program, tensors, constants };
}
