/**
 * The mean or maximum of a whole float32 image as two pools: of each row, then of the rows' results. One pool needs the image in SRAM
 * at once; two take it row by row. (Of 8-bit images the machine gathers rows in one.)
 *
 *     %1 = avgPool(%0) kernel 160x160        %1' = avgPool(%0) kernel 1x160
 *                                            %1  = avgPool(%1') kernel 160x1
 */
import { tensorOf } from '../../ir/facts.js';
import type { Op, OpId, PoolOp, Program, Tensor, TensorId } from '../../ir/types.js';

/** Smaller images are not worth a second layer. */
const LEAST_ELEMENTS = 2 ** 15;

export function withSplitPools(program: Program): Program {
  if (!program.ops.some((op) => isLarge(op, program))) return program;
  const tensors = new Map<TensorId, Tensor>(program.tensors);
  let nextTensor = 1 + Math.max(-1, ...tensors.keys());
  let nextOp = 1 + Math.max(-1, ...program.ops.map((op) => op.id));
  const ops = program.ops.flatMap((op): Op[] => {
    if (!isLarge(op, program)) return [op];
    const output = tensorOf(program, op.output);
    const [, height = 1, width = 1, channels = 1] = tensorOf(program, op.inputs[0] ?? op.output).shape;
    const id = nextTensor++ as TensorId;
    tensors.set(id, {
      id,
      name: `${output.name}:rows`,
      dtype: output.dtype,
      shape: [1, height, 1, channels],
      loc: output.loc,
    });
    const ofRows: PoolOp = {
      ...op,
      id: nextOp++ as OpId,
      name: `${op.name}:rows`,
      output: id,
      epilogue: [],
      window: { ...op.window, kernel: [1, width] },
    };
    return [ofRows, { ...op, inputs: [id], window: { ...op.window, kernel: [height, 1] } }];
  });
  return { ...program, tensors, ops };
}

function isLarge(op: Op, program: Program): op is PoolOp {
  if (op.kind !== 'avgPool' && op.kind !== 'maxPool') return false;
  const { shape, dtype } = tensorOf(program, op.inputs[0] ?? op.output);
  const [, height = 1, width = 1, channels = 1] = shape;
  const { kernel, pad } = op.window;
  const isWhole = kernel[0] === height && kernel[1] === width && pad.top + pad.left + pad.bottom + pad.right === 0;
  return dtype === 'float32' && isWhole && height > 1 && width > 1 && height * width * channels >= LEAST_ELEMENTS;
}
