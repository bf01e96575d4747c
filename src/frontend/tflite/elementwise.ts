/** ADD, SUB, MUL, QUANTIZE, DEQUANTIZE, SOFTMAX, and functions of float32 values. */
import { isQuantized } from '../../ir/facts.js';
import type { BinaryRescale, Tensor, UnaryFunction } from '../../ir/types.js';
import { unsupported } from '../onnx/problems.js';
import { withFused } from './activation.js';
import { realsOf, remembered } from './constant.js';
import { activation, activationType, type Importer, type NodeContext } from './context.js';
import { additionRescale, fixedPoint, multiplicationRescale, scaleOf, softmaxScaling } from './numbers.js';

const BINARY = { activation: 0 } as const;
const SOFTMAX = { beta: 0 } as const;

export const binary =
  (kind: 'add' | 'sub' | 'mul'): Importer =>
  (node) => {
    const [a, b] = [node.input(0), node.input(1)];
    if (a.shape.join() !== b.shape.join()) return unsupported(`of [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`);
    const spec = { kind, inputs: [a.id, b.id] } as const;
    const id = isQuantized(a.dtype)
      ? node.emit({ ...spec, rescale: binaryRescale(node, kind, a, b) }, { quant: node.resultQuant() })
      : node.emit(spec);
    return [
      activation(
        withFused(node, id, node.node.options === undefined ? 'none' : node.activationOption(BINARY.activation)),
      ),
    ];
  };

function binaryRescale(node: NodeContext, kind: 'add' | 'sub' | 'mul', a: Tensor, b: Tensor): BinaryRescale {
  if (a.quant === undefined || b.quant === undefined) return unsupported('operands without quantisation');
  const [forA, forB, result] = [scaleOf(a.quant), scaleOf(b.quant), scaleOf(node.resultQuant())];
  if (kind === 'mul') return multiplicationRescale(forA, forB, result);
  return additionRescale(forA, forB, result, a.dtype === 'int16' ? 15 : 20);
}

/** float32 to quantised, or from one quantisation to another. */
export const quantize: Importer = (node) => {
  const x = node.input(0);
  const to = activationType(node.result.type);
  if (to === undefined || !isQuantized(to)) return unsupported(`to ${node.result.type}`);
  const quant = node.resultQuant();
  const inputScale = x.quant === undefined ? undefined : scaleOf(x.quant);
  const scale = inputScale === undefined ? { multiplier: 0, shift: 0 } : fixedPoint(inputScale / scaleOf(quant));
  return [activation(node.emit({ kind: 'convert', to, ...scale, inputs: [x.id] }, { quant }))];
};

/** Of a constant at once: float16 and quantised weights of float models. */
export const dequantize: Importer = (node) => {
  const operand = node.operand(0);
  if (operand.kind === 'constant') {
    const { constant } = operand;
    const elements = (): Float32Array => realsOf(constant);
    return [
      { kind: 'constant', constant: remembered({ ...constant, type: 'float32', quantization: undefined, elements }) },
    ];
  }
  const x = node.input(0);
  if (x.quant === undefined) return unsupported(`of ${x.dtype} without quantisation`);
  return [activation(node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x.id] }))];
};

export const softmax: Importer = (node) => {
  const x = node.input(0);
  const beta = Math.fround(node.options.float32(SOFTMAX.beta, 0));
  if (x.quant === undefined || !isQuantized(x.dtype)) {
    if (beta !== 1) return unsupported(`beta ${beta}`);
    return [activation(node.emit({ kind: 'softmax', inputs: [x.id] }))];
  }
  if (x.dtype === 'int16') return unsupported('int16 operands');
  const fixed = softmaxScaling(beta, scaleOf(x.quant));
  return [activation(node.emit({ kind: 'softmax', fixedPoint: fixed, inputs: [x.id] }, { quant: node.resultQuant() }))];
};

/** A function that exists in float32 only. */
export function unaryFloat32(node: NodeContext, fn: UnaryFunction, alpha = 0, beta = 0): ReturnType<typeof activation> {
  const x = node.input(0);
  if (x.dtype !== 'float32') return unsupported(`${x.dtype} operands`);
  return activation(node.emit({ kind: 'unary', fn, alpha, beta, inputs: [x.id] }));
}
