/** CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { ConstantData, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { wholeImage } from './batches-of-space.js';
import { POINT } from './binary-constant.js';
import type { Constant } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { productRescale } from './functions.js';
import { hybridLayer, isHybrid } from './hybrid.js';
import { malformed } from './problems.js';
import { asDeclared, realInput } from './real-numbers.js';
import { sliced } from './slicing.js';
import { weightOperands } from './weights.js';
import { paddingOption, type WindowOptions, windowOver } from './window.js';

const CONV = { strideW: 1, strideH: 2, activation: 3, dilationW: 4, dilationH: 5 } as const;
const DEPTHWISE = { strideW: 1, strideH: 2, activation: 4, dilationW: 5, dilationH: 6 } as const;
const DENSE = { activation: 0, weightsFormat: 1, keepDims: 2, asymmetric: 3 } as const;

export const conv2d: Importer = (node) => {
  const { x, block } = imageOf(node);
  const weights = weightsOf(node, 4);
  const [m = 1, kh = 1, kw = 1, depth = 1] = weights.shape;
  const channels = x.shape[3] ?? 0;
  if (depth === 0 || channels % depth !== 0) {
    malformed('SW2107', node.loc, `weights of ${depth} input channels do not go with the ${channels} of '${x.name}'`);
  }
  const { options } = node;
  const convolution: Convolution = {
    window: {
      padding: paddingOption(node),
      kernel: [kh, kw],
      stride: [options.int32(CONV.strideH), options.int32(CONV.strideW)],
      dilation: [options.int32(CONV.dilationH, 1), options.int32(CONV.dilationW, 1)],
    },
    groups: channels / depth,
    operands: (kernel, own = weights, bias = biasOf(node)) =>
      weightOperands(node, x, own, bias, {
        shape: [m, ...kernel, depth],
        scalesInFloat32: x.dtype === 'uint8',
      }),
    rounding: roundingOf(x),
  };
  const made = inNumbers(node, x, weights, m, inBlocks(convolution, block));
  return [{ ...finish(node, made, CONV.activation), ...(block === undefined ? {} : { block }) }];
};

export const depthwiseConv2d: Importer = (node) => {
  const { x, block } = imageOf(node);
  const weights = weightsOf(node, 4);
  const [one, kh = 1, kw = 1, m = 1] = weights.shape;
  const channels = x.shape[3] ?? 0;
  if (one !== 1 || channels === 0 || m % channels !== 0) {
    const message = `depthwise weights [${weights.shape.join(', ')}] do not go with the ${channels} channels of '${x.name}'`;
    malformed('SW2107', node.loc, message);
  }
  const { options } = node;
  const convolution: Convolution = {
    window: {
      padding: paddingOption(node),
      kernel: [kh, kw],
      stride: [options.int32(DEPTHWISE.strideH), options.int32(DEPTHWISE.strideW)],
      dilation: [options.int32(DEPTHWISE.dilationH, 1), options.int32(DEPTHWISE.dilationW, 1)],
    },
    groups: channels,
    operands: (kernel, own = weights, bias = biasOf(node)) =>
      weightOperands(node, x, own, bias, {
        shape: [m, ...kernel, 1],
        reorder: (data) => transposed(data, kh * kw, m),
        scalesInFloat32: x.dtype === 'uint8',
      }),
    rounding: {},
  };
  const made = inNumbers(node, x, weights, m, inBlocks(convolution, block));
  return [{ ...finish(node, made, DEPTHWISE.activation), ...(block === undefined ? {} : { block }) }];
};

function imageOf(node: NodeContext): { readonly x: Tensor; readonly block?: readonly [number, number] } {
  const whole = wholeImage(node, 0);
  return whole === undefined ? { x: node.input(0) } : { x: node.builder.tensor(whole.id), block: whole.block };
}

/** Neighbours in one of the images are a block apart in the whole one. */
function inBlocks(convolution: Convolution, block: readonly [number, number] | undefined): Convolution {
  if (block === undefined) return convolution;
  const { window } = convolution;
  const { kernel, stride, dilation, padding } = window;
  const isOdd = kernel.some((extent, axis) => ((extent - 1) * (dilation[axis] ?? 1)) % 2 !== 0);
  if (stride.some((step) => step !== 1) || (padding === 'same' && isOdd))
    return unsupported('strides of images in blocks');
  return { ...convolution, window: { ...window, dilation: [dilation[0] * block[0], dilation[1] * block[1]] } };
}

interface Convolution {
  readonly window: WindowOptions;
  readonly groups: number;
  /** Weights, bias and requantisation for a kernel of the same elements. */
  readonly operands: (kernel: readonly [number, number], weights?: Constant, bias?: Constant) => readonly TensorId[];
  readonly rounding: { readonly rounding?: 'once' };
}

/** With the operand brought to 8 bits where the weights are, and one scale for each channel makes it asymmetric. */
function inNumbers(
  node: NodeContext,
  x: Tensor,
  weights: Constant,
  channels: number,
  convolution: Convolution,
): TensorId {
  if (!isHybrid(x.dtype, weights) || x.shape[0] !== 1) return convolved(node, x, convolution);
  return hybridLayer(node, {
    image: x.id,
    weights,
    bias: biasOf(node),
    channels,
    isSymmetric: weights.quantization?.scales.length === 1 && convolution.groups === 1,
    byRow: false,
    apply: (image, own, zeros) => {
      const operands: Convolution['operands'] = (kernel) => convolution.operands(kernel, own, zeros);
      return convolved(node, node.builder.tensor(image), { ...convolution, operands });
    },
  });
}

/** Several images at once: rows or columns of one where the kernel allows it, else one after the other. */
function convolved(node: NodeContext, x: Tensor, convolution: Convolution): TensorId {
  const { window, groups, rounding } = convolution;
  const [n = 1, h = 1, w = 1, c = 1] = x.shape;
  const conv = (id: TensorId, options: WindowOptions, weights: readonly TensorId[]): TensorId => {
    const shape = windowOver(node, node.builder.tensor(id).shape, options);
    return node.emit(
      { kind: 'conv2d', window: shape, groups, inputs: [id, ...weights], ...rounding },
      resultOf(node, x),
    );
  };
  const extent = (id: TensorId, axis: number): number => node.builder.tensor(id).shape[axis] ?? 1;
  if (n === 1 || x.shape.length !== 4) return conv(x.id, window, convolution.operands(window.kernel));
  if (window.kernel[0] === 1 && window.stride[0] === 1) {
    const made = conv(node.reshape(x.id, [1, n * h, w, c]), window, convolution.operands(window.kernel));
    return node.reshape(made, [n, h, extent(made, 2), extent(made, 3)]);
  }
  if (w === 1 && window.kernel[1] === 1) {
    const turned: WindowOptions = {
      padding: window.padding,
      kernel: [1, window.kernel[0]],
      stride: [1, window.stride[0]],
      dilation: [1, window.dilation[0]],
    };
    const made = conv(node.reshape(x.id, [1, n, h, c]), turned, convolution.operands(turned.kernel));
    return node.reshape(made, [n, extent(made, 2), 1, extent(made, 3)]);
  }
  if (n > 64) unsupported(`of ${n} images`);
  const weights = convolution.operands(window.kernel);
  const images = Array.from({ length: n }, (_, i) => conv(sliced(node, x.id, 0, i, 1), window, weights));
  return node.emit({ kind: 'concat', axis: 0, inputs: images });
}

/** Over the last axis: one row is a vector times a matrix, several are a convolution of 1x1. */
export const fullyConnected: Importer = (node) => {
  if (node.operand(1).kind === 'activation') return [computedDense(node)];
  const x = node.input(0);
  const weights = weightsOf(node, 2);
  const [m = 1, k = 1] = weights.shape;
  const { options } = node;
  if (options.int8(DENSE.weightsFormat) !== 0) return unsupported('shuffled weights');
  const elements = elementCountOf(x.shape);
  if (k === 0 || elements % k !== 0) {
    malformed('SW2107', node.loc, `weights of ${k} columns do not go with '${x.name}' [${x.shape.join(', ')}]`);
  }
  const rows = elements / k;
  const shape = options.bool(DENSE.keepDims) ? [...x.shape.slice(0, -1), m] : [rows, m];
  const scalesInFloat32 = weights.quantization?.scales.length === 1;
  if (isHybrid(x.dtype, weights)) {
    const made = hybridDense(node, node.reshape(x.id, [1, rows, 1, k]), weights, {
      bias: biasOf(node),
      isSymmetric: !options.bool(DENSE.asymmetric),
    });
    return [activation(node.reshape(withFused(node, made, node.activationOption(DENSE.activation)), shape))];
  }
  const layout = { scalesInFloat32, shape: rows === 1 ? [m, k] : [m, 1, 1, k] };
  const operands = weightOperands(node, x, weights, biasOf(node), layout);
  const inputs = [node.reshape(x.id, rows === 1 ? [1, k] : [1, rows, 1, k]), ...operands];
  const rounding = x.dtype === 'int16' ? ({ rounding: 'once' } as const) : roundingOf(x);
  const spec =
    rows === 1
      ? ({ kind: 'dense', inputs, ...rounding } as const)
      : ({ kind: 'conv2d', window: POINT, groups: 1, inputs, ...rounding } as const);
  const result = finish(node, node.emit(spec, resultOf(node, x)), DENSE.activation);
  return [result.kind === 'activation' ? activation(node.reshape(result.id, shape)) : result];
};

/** int8 matrix products (and dense layers of int16) go through a library that rounds once, others do not. */
function roundingOf(x: Tensor): { readonly rounding?: 'once' } {
  return x.dtype === 'int8' ? { rounding: 'once' } : {};
}

/** Weights that are an activation: a matrix product on real numbers. */
function computedDense(node: NodeContext): ReturnType<typeof activation> {
  const stored = !node.has(2) && [0, 1].every((at) => node.input(at).dtype === 'int8') && node.result.type === 'int8';
  const [x, weights] = stored ? [node.input(0), node.input(1)] : [realInput(node, 0), realInput(node, 1)];
  const [m = 1, k = 1] = weights.shape;
  const elements = elementCountOf(x.shape);
  if (weights.shape.length !== 2 || k === 0 || elements % k !== 0) {
    malformed('SW2107', node.loc, `weights [${weights.shape.join(', ')}] do not go with [${x.shape.join(', ')}]`);
  }
  const rows = elements / k;
  const inputs = [node.reshape(x.id, [1, 1, rows, k]), node.reshape(weights.id, [1, 1, m, k])];
  const spec = { kind: 'matmul', transposeB: true, inputs } as const;
  const product = stored
    ? node.emit({ ...spec, rescale: { ...productRescale(node, x, weights), ...roundingOf(x) } }, resultOf(node, x))
    : node.emit(spec);
  const bias = node.has(2) ? [product, node.reshape(realInput(node, 2).id, [1, 1, 1, m])] : undefined;
  const sum = bias === undefined ? product : node.emit({ kind: 'add', inputs: bias });
  const shape = node.options.bool(DENSE.keepDims) ? [...x.shape.slice(0, -1), m] : [rows, m];
  const fused = withFused(node, sum, node.activationOption(DENSE.activation));
  return activation(node.reshape(asDeclared(node, fused), shape));
}

interface HybridDense {
  readonly bias: Constant | undefined;
  readonly isSymmetric: boolean;
}

/** Rows are brought to 8 bits one by one. @param image [1, rows, 1, K] @param weights [M, K] */
export function hybridDense(
  node: NodeContext,
  image: TensorId,
  weights: Constant,
  { bias, isSymmetric }: HybridDense,
): TensorId {
  const [m = 1, k = 1] = weights.shape;
  return hybridLayer(node, {
    image,
    weights,
    bias,
    channels: m,
    isSymmetric,
    byRow: true,
    apply: (integers, own, zeros) => {
      const x = node.builder.tensor(integers);
      const operands = weightOperands(node, x, own, zeros, { shape: [m, 1, 1, k], scalesInFloat32: false });
      return node.emit({ kind: 'conv2d', window: POINT, groups: 1, inputs: [integers, ...operands] });
    },
  });
}

function weightsOf(node: NodeContext, rank: number): Constant {
  const weights = node.constant(1, 'weights');
  if (weights.shape.length === rank) return weights;
  return malformed(
    'SW2107',
    node.loc,
    `weights '${weights.name}' [${weights.shape.join(', ')}] must have ${rank} axes`,
  );
}

function biasOf(node: NodeContext): Constant | undefined {
  return node.has(2) ? node.constant(2, 'biases') : undefined;
}

function resultOf(node: NodeContext, x: Tensor): { quant?: ReturnType<NodeContext['resultQuant']> } {
  return isQuantized(x.dtype) ? { quant: node.resultQuant() } : {};
}

function finish(node: NodeContext, id: TensorId, activationField: number): ReturnType<typeof activation> {
  return activation(withFused(node, id, node.activationOption(activationField)));
}

/** Elements of [rows, columns] as [columns, rows]. */
function transposed<T extends ConstantData>(data: T, rows: number, columns: number): T {
  const out = data.slice() as T;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = data[row * columns + column] as number;
    }
  }
  return out;
}
