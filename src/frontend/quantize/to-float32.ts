import type { ConstantData, Program, Tensor, TensorId } from '../../ir/types.js';
import { dequantized } from './real-weights.js';
import { withSplitPools } from './split-pools.js';

/**
 * The float32 variant of an imported float program: constants that the front end kept as int8 with scales become
 * float32, each element fround(q * scale), and pools over large images become two. Other programs come back as they are.
 */
export function toFloat32(program: Program): Program {
  const tensors = new Map<TensorId, Tensor>(program.tensors);
  const constants = new Map<TensorId, ConstantData>(program.constants);
  for (const id of realWeights(program)) {
    const data = program.constants.get(id);
    const tensor = program.tensors.get(id);
    if (tensor?.quant === undefined || !(data instanceof Int8Array)) continue;
    const { quant, ...rest } = tensor;
    tensors.set(id, { ...rest, dtype: 'float32' });
    constants.set(id, dequantized(data, quant));
  }
  return withSplitPools({ ...program, tensors, constants });
}

/** Constants of operators that work on real numbers; those of quantised ones stay. */
function realWeights(program: Program): Set<TensorId> {
  const isReal = (id: TensorId | undefined): boolean =>
    id !== undefined && program.tensors.get(id)?.dtype === 'float32';
  const found = new Set<TensorId>();
  for (const op of program.ops) {
    if (isReal(op.output)) for (const id of op.inputs) if (program.constants.has(id)) found.add(id);
  }
  return found;
}
