/**
 * TRANSPOSE_CONV as a convolution that makes all pixels of a stride at once, side by side in its channels, which are then laid out:
 *
 *     out[t - pad] = sum over j of w[r + s * j] * x[u - j]        t = u * s + r, 0 <= r < s
 *
 * so the channels of residue r have the kernel w[r], w[r + s], ... turned round, with zeros where it ends earlier.
 */
import { isQuantized } from '../../ir/facts.js';
import type { ConstantData, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import type { Constant } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { depthToSpaceOf } from './rearranging.js';
import { sliced } from './slicing.js';
import { weightOperands } from './weights.js';
import { paddingOption } from './window.js';

const OPTIONS = { strideW: 1, strideH: 2, activation: 3 } as const;

interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly taps: number; // of the convolution
  readonly padBefore: number; // of the transposed one, cut from its result
  readonly outputs: number;
  readonly positions: number; // u
}

export const transposeConv: Importer = (node) => {
  const x = node.input(2);
  const weights = node.constant(1, 'weights');
  const bias = node.has(3) ? node.constant(3, 'biases') : undefined;
  const [m = 0, kh = 0, kw = 0, depth = 0] = weights.shape;
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const [, outH = 0, outW = 0] = node.integers(0, 'shapes');
  if (x.shape.length !== 4 || weights.shape.length !== 4 || depth !== c) {
    malformed('SW2107', node.loc, `weights [${weights.shape.join(', ')}] do not go with [${x.shape.join(', ')}]`);
  }
  if (n !== 1) unsupported(`of ${n} images`);
  const isSame = paddingOption(node) === 'same';
  const rows = axisOf(node, kh, node.options.int32(OPTIONS.strideH), outH, isSame);
  const columns = axisOf(node, kw, node.options.int32(OPTIONS.strideW), outW, isSame);
  const operands = weightOperands(node, x, phased(weights, rows, columns), bias && repeated(bias, rows, columns), {
    shape: [rows.stride * columns.stride * m, rows.taps, columns.taps, c],
    scalesInFloat32: x.dtype === 'uint8',
  });
  const window = {
    kernel: [rows.taps, columns.taps],
    stride: [1, 1],
    dilation: [1, 1],
    pad: {
      top: rows.taps - 1,
      left: columns.taps - 1,
      bottom: Math.max(0, rows.positions - h),
      right: Math.max(0, columns.positions - w),
    },
  } as const;
  const spec = { kind: 'conv2d', window, groups: 1, inputs: [x.id, ...operands] } as const;
  const phases = node.emit(spec, isQuantized(x.dtype) ? { quant: node.resultQuant() } : {});
  const spread = depthToSpaceOf(node, phases, { blockH: rows.stride, blockW: columns.stride });
  const cut = cropped(node, cropped(node, spread, 1, rows), 2, columns);
  return [activation(withFused(node, cut, node.activationOption(OPTIONS.activation)))];
};

function axisOf(node: NodeContext, kernel: number, stride: number, outputs: number, isSame: boolean): Axis {
  if (stride < 1 || stride > 64 || kernel < 1 || outputs < 1) {
    malformed('SW2107', node.loc, `a kernel of ${kernel} with stride ${stride} for ${outputs} results`);
  }
  const inputs = Math.ceil(outputs / stride);
  const padBefore = isSame ? Math.floor(Math.max(0, (inputs - 1) * stride + kernel - outputs) / 2) : 0;
  const positions = Math.floor((outputs - 1 + padBefore) / stride) + 1;
  return { kernel, stride, taps: Math.ceil(kernel / stride), padBefore, outputs, positions };
}

function cropped(node: NodeContext, id: TensorId, axis: 1 | 2, { padBefore, outputs }: Axis): TensorId {
  return sliced(node, id, axis, padBefore, outputs);
}

/** Of [M, KH, KW, C]: [phases * M, taps, taps, C], a channel's quantisation with each of its phases. */
function phased(weights: Constant, rows: Axis, columns: Axis): Constant {
  const [m = 0, kh = 0, kw = 0, c = 0] = weights.shape;
  const phases = rows.stride * columns.stride;
  const { quantization } = weights;
  const [zeroPoint = 0] = quantization?.zeroPoints ?? [];
  const elements = (): ConstantData => {
    const data = weights.elements() as ConstantData;
    const make = data.constructor as new (length: number) => ConstantData;
    const out = new make(phases * m * rows.taps * columns.taps * c).fill(zeroPoint);
    let to = 0;
    for (let ry = 0; ry < rows.stride; ry++) {
      for (let rx = 0; rx < columns.stride; rx++) {
        for (let channel = 0; channel < m; channel++) {
          for (let i = 0; i < rows.taps; i++) {
            for (let j = 0; j < columns.taps; j++, to += c) {
              const ky = ry + rows.stride * (rows.taps - 1 - i);
              const kx = rx + columns.stride * (columns.taps - 1 - j);
              if (ky >= kh || kx >= kw) continue;
              const from = ((channel * kh + ky) * kw + kx) * c;
              for (let k = 0; k < c; k++) out[to + k] = data[from + k] ?? 0;
            }
          }
        }
      }
    }
    return out;
  };
  const shape = [phases * m, rows.taps, columns.taps, c];
  if (quantization === undefined || quantization.scales.length === 1) return { ...weights, shape, elements };
  const repeat = (values: readonly number[]): number[] => new Array(phases).fill(values).flat();
  const spread = { scales: repeat(quantization.scales), zeroPoints: repeat(quantization.zeroPoints), axis: 0 };
  return { ...weights, shape, elements, quantization: spread };
}

function repeated(bias: Constant, rows: Axis, columns: Axis): Constant {
  const phases = rows.stride * columns.stride;
  const elements = (): ConstantData => {
    const data = bias.elements() as ConstantData;
    const make = data.constructor as new (length: number) => ConstantData;
    const out = new make(phases * data.length);
    for (let phase = 0; phase < phases; phase++) out.set(data as never, phase * data.length);
    return out;
  };
  return { ...bias, shape: [phases * (bias.shape[0] ?? 1)], elements };
}
