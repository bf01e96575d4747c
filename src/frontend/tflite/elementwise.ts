/** ADD, SUB, MUL, QUANTIZE, DEQUANTIZE, SOFTMAX. */
import { isQuantized } from '../../ir/facts.js';
import type { BinaryRescale, DType, Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { activationType } from './activation-type.js';
import { withConstant } from './binary-constant.js';
import { type Together, together } from './broadcast.js';
import { realsOf, remembered } from './constant.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { asOrdered } from './look-up.js';
import { additionRescale, fixedPoint, multiplicationRescale, scaleOf, softmaxScaling } from './numbers.js';
import { asDeclared, realInput, realOf } from './real-numbers.js';

export type BinaryKind = 'add' | 'sub' | 'mul';

const BINARY = { activation: 0 } as const;
const SOFTMAX = { beta: 0 } as const;

export const binary =
  (kind: BinaryKind): Importer =>
  (node) => {
    const fused = node.activationOption(BINARY.activation);
    if (node.result.type === 'int32' || node.result.type === 'int64') return [ofIntegers(node, kind)];
    const special = withConstant(node, kind);
    if (special !== undefined) {
      return [asOrdered(withFused(node, special.tensor.id, fused), special.perm)];
    }
    const [first, second] = [node.ordered(0), node.ordered(1)];
    // Two operands in one order stay in it.
    const isOneOrder =
      first.perm?.join() === second.perm?.join() &&
      (first.perm === undefined || first.tensor.shape.join() === second.tensor.shape.join());
    const [a, b] = isOneOrder ? [first.tensor, second.tensor] : [node.input(0), node.input(1)];
    const { inputs, shape } = isOneOrder && first.perm !== undefined ? inOrder(a, b) : together(node, [a, b]);
    const spec = { kind, inputs } as const;
    const made =
      a.quant !== undefined && b.quant !== undefined
        ? node.emit({ ...spec, rescale: binaryRescale(node, kind, a, b.quant) }, { quant: node.resultQuant() })
        : node.emit(spec);
    const id = node.reshape(withFused(node, made, fused), shape);
    return [asOrdered(id, isOneOrder ? first.perm : undefined)];
  };

/** Of int32 and int64, which are positions and sizes: exact in float32 up to 2^24. */
function ofIntegers(node: NodeContext, kind: BinaryKind): Value {
  const { inputs, shape } = together(node, [realInput(node, 0), realInput(node, 1)]);
  return activation(node.reshape(asDeclared(node, node.emit({ kind, inputs })), shape));
}

/** Two operands whose axes are in one other order than the file's: of one shape, or read in the file's order. */
function inOrder(a: Tensor, b: Tensor): Together {
  return { inputs: [a.id, b.id], shape: a.shape };
}

export function binaryRescale(node: NodeContext, kind: BinaryKind, a: Tensor, b: Quantization): BinaryRescale {
  if (a.quant === undefined) return unsupported('operands without quantisation');
  const [forA, forB, result] = [scaleOf(a.quant), scaleOf(b), scaleOf(node.resultQuant())];
  if (kind === 'mul') return multiplicationRescale(forA, forB, result);
  return additionRescale(forA, forB, result, a.dtype === 'int16' ? 15 : 20);
}

/** float32 to quantised, or from one quantisation to another. */
export const quantize: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  if (node.result.type === 'int32') return [asOrdered(toStoredInt32(node, x), perm)];
  const to = activationType(node.result.type);
  if (to === undefined || !isQuantized(to)) return unsupported(`to ${node.result.type}`);
  const quant = node.resultQuant();
  const inputScale = x.quant === undefined ? undefined : scaleOf(x.quant);
  const scale = inputScale === undefined ? { multiplier: 0, shift: 0 } : fixedPoint(inputScale / scaleOf(quant));
  return [asOrdered(node.emit({ kind: 'convert', to, ...scale, inputs: [x.id] }, { quant }), perm)];
};

/** Stored integers of 32 bits, as real numbers rounded: their scale and zero point are the file's matter. */
function toStoredInt32(node: NodeContext, x: Tensor): TensorId {
  const { quantization } = node.result;
  const [scale = 1] = quantization?.scales ?? [];
  const [zeroPoint = 0] = quantization?.zeroPoints ?? [];
  const real = node.builder.tensor(realOf(node, x));
  const scaled = node.builder.tensor(withNumber(node, 'div', real, scale));
  const rounded = node.builder.tensor(
    node.emit({ kind: 'unary', fn: 'round', alpha: 0, beta: 0, inputs: [scaled.id] }),
  );
  const shifted = zeroPoint === 0 ? rounded.id : withNumber(node, 'add', rounded, zeroPoint);
  return node.emit({ kind: 'convert', to: 'int32', multiplier: 0, shift: 0, inputs: [shifted] });
}

/** Sparse constants are written out where they are read; see sparse.ts. */
export const densify: Importer = (node) => [{ kind: 'constant', constant: node.constant(0, 'operands') }];

/** Of a constant at once: float16 and quantised weights of float models. */
export const dequantize: Importer = (node) => {
  const operand = node.operand(0);
  if (operand.kind === 'constant') return [dequantizedConstant(operand)];
  const { tensor: x, perm } = node.ordered(0);
  if (x.quant === undefined) return unsupported(`of ${x.dtype} without quantisation`);
  return [asOrdered(node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x.id] }), perm)];
};

function dequantizedConstant({ constant }: Extract<Value, { kind: 'constant' }>): Value {
  const elements = (): Float32Array => realsOf(constant);
  return {
    kind: 'constant',
    constant: remembered({ ...constant, type: 'float32', quantization: undefined, elements }),
  };
}

/** One number with every element. */
function withNumber(node: NodeContext, kind: 'add' | 'mul' | 'div', x: Tensor, factor: number): TensorId {
  const data = Float32Array.of(factor);
  const name = `${node.resultName}:${factor}`;
  const by = node.builder.tensor(node.builder.addConstant({ name, shape: [1], data, loc: node.loc }));
  const { inputs, shape } = together(node, [x, by]);
  const spec = kind === 'div' ? ({ kind: 'binary', fn: 'div', inputs } as const) : ({ kind, inputs } as const);
  return node.reshape(node.emit(spec), shape);
}

export const softmax: Importer = (node) => {
  const x = node.input(0);
  const beta = Math.fround(node.options.float32(SOFTMAX.beta, 0));
  if (x.quant === undefined || !isQuantized(x.dtype)) {
    const scaled = beta === 1 ? x.id : withNumber(node, 'mul', x, beta);
    return [activation(node.emit({ kind: 'softmax', inputs: [scaled] }))];
  }
  if (x.dtype === 'int16' || node.result.type !== x.dtype) {
    const made = node.emit({ kind: 'softmax', inputs: [realOf(node, x)] });
    return beta === 1 ? [activation(asDeclared(node, made))] : unsupported(`beta ${beta} of ${x.dtype}`);
  }
  const fixed = softmaxScaling(beta, scaleOf(x.quant));
  return [activation(node.emit({ kind: 'softmax', fixedPoint: fixed, inputs: [x.id] }, { quant: node.resultQuant() }))];
};

/** Between numbers and truths: a bool is 1 or 0 in float32. */
export const cast: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const to = node.result.type;
  const convert = (type: DType, quant?: Quantization): TensorId =>
    node.emit(
      { kind: 'convert', to: type, multiplier: 0, shift: 0, inputs: [x.id] },
      quant === undefined ? {} : { quant },
    );
  if (to === 'float32' && x.dtype === 'float32') return [asOrdered(x.id, perm)];
  if (to === 'float32') return [asOrdered(convert('float32'), perm)];
  if ((to === 'int32' || to === 'int64') && x.dtype === 'float32') return [asOrdered(convert('int32'), perm)];
  if ((to === 'int32' || to === 'int64') && x.dtype === 'int32') return [asOrdered(x.id, perm)];
  if (to === 'bool' && (x.dtype === 'float32' || x.dtype === 'int32')) {
    const real = x.dtype === 'float32' ? x.id : convert('float32');
    const zero = node.emit({ kind: 'unary', fn: 'not', alpha: 0, beta: 0, inputs: [real] });
    return [asOrdered(node.emit({ kind: 'unary', fn: 'not', alpha: 0, beta: 0, inputs: [zero] }), perm)];
  }
  return unsupported(`from ${x.dtype} to ${to}`);
};
