/** Weights, bias and requantisation of convolutions and matrix products, as operands of the IR. */
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { ConstantData, Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { type Constant, integersOf, realsOf } from './constant.js';
import type { NodeContext } from './context.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { malformed } from './problems.js';

export interface WeightLayout {
  readonly shape: readonly number[]; // [M, ...] as the IR has them
  /** The elements in the IR's order; the file's order when absent. */
  readonly reorder?: <T extends ConstantData>(data: T) => T;
  /** Depthwise, dense and int8 kernels take one product of scales for all channels where there is one weight scale. */
  readonly scalesInFloat32: boolean;
}

/** Operands 1 and up of conv2d or dense: weights, bias and, for a quantised x, requant. */
export function weightOperands(
  node: NodeContext,
  x: Tensor,
  weights: Constant,
  bias: Constant | undefined,
  layout: WeightLayout,
): TensorId[] {
  const reorder = layout.reorder ?? ((data) => data);
  const channels = layout.shape[0] ?? 1;
  const { builder, loc } = node;
  const biasName = bias?.name ?? `${node.resultName}:bias`;
  if (!isQuantized(x.dtype)) {
    const reals = reorder(realsOf(weights));
    const biasReals = bias === undefined ? new Float32Array(channels) : realsOf(bias);
    return [
      builder.addConstant({ name: weights.name, shape: layout.shape, data: reals, loc }),
      builder.addConstant({
        name: biasName,
        shape: [channels],
        data: checked(node, biasName, biasReals, channels),
        loc,
      }),
    ];
  }
  const stored = weights.elements();
  if (!(stored instanceof Int8Array || stored instanceof Uint8Array)) {
    return unsupported(`${weights.type} weights of an ${x.dtype} operand`);
  }
  const quant = weightQuantization(node, weights, x);
  const biasData = checked(node, biasName, biasIntegers(bias, channels), channels);
  const requant = requantisation(node, x, quant, channels, layout.scalesInFloat32);
  return [
    builder.addConstant({ name: weights.name, shape: layout.shape, data: reorder(stored), quant, loc }),
    builder.addConstant({ name: biasName, shape: [channels], data: biasData, loc }),
    builder.addConstant({ name: `${node.resultName}:requant`, shape: [channels, 2], data: requant, loc }),
  ];
}

function checked<T extends ConstantData>(node: NodeContext, name: string, data: T, channels: number): T {
  if (data.length === channels) return data;
  return malformed('SW2107', node.loc, `bias '${name}' has ${data.length} elements for ${channels} output channels`);
}

function biasIntegers(bias: Constant | undefined, channels: number): Int32Array {
  if (bias === undefined) return new Int32Array(channels);
  const values = integersOf(bias);
  const large = values.find((value) => Math.abs(value) >= 2 ** 31);
  return large === undefined ? Int32Array.from(values) : unsupported(`a bias of ${large}, beyond 32 bits`);
}

function weightQuantization(node: NodeContext, weights: Constant, x: Tensor): Quantization {
  const { quantization, name } = weights;
  if (quantization === undefined) return malformed('SW2109', node.loc, `weights '${name}' have no quantisation`);
  const [zeroPoint = 0] = quantization.zeroPoints;
  if (quantization.zeroPoints.some((value) => value !== zeroPoint))
    return unsupported('weights of several zero points');
  const { lo, hi } = storedRange(weights.type === 'uint8' ? 'uint8' : 'int8');
  if (zeroPoint < lo || zeroPoint > hi) {
    return malformed(
      'SW2109',
      node.loc,
      `weights '${name}' have the zero point ${zeroPoint}, which is no ${weights.type}`,
    );
  }
  if (x.dtype === 'uint8' && quantization.scales.length !== 1) return unsupported('uint8 weights of several scales');
  // A channel of zeros has the scale 0: any other does as well, since its products are 0.
  return { scales: quantization.scales.map((scale) => scale || 1), zeroPoint };
}

/**
 * Multiplier and shift of each output channel. TFLite multiplies the scales in double precision where there may be one for
 * each channel, and in float32 where there is one for all.
 */
function requantisation(
  node: NodeContext,
  x: Tensor,
  weights: Quantization,
  channels: number,
  inFloat32: boolean,
): Int32Array {
  const { scales } = weights;
  if (scales.length !== 1 && scales.length !== channels) {
    malformed('SW2109', node.loc, `${scales.length} scales of weights for ${channels} output channels`);
  }
  const input = scaleOf(x.quant ?? { scales: [1], zeroPoint: 0 });
  const output = scaleOf(node.resultQuant());
  const data = new Int32Array(2 * channels);
  for (let channel = 0; channel < channels; channel++) {
    const scale = Math.fround(scales[scales.length === 1 ? 0 : channel] ?? 1);
    const product = inFloat32 ? Math.fround(input * scale) : input * scale;
    const { multiplier, shift } = fixedPoint(product / output);
    data.set([multiplier, shift], 2 * channel);
  }
  return data;
}
