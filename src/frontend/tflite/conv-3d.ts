/** CONV_3D: every depth of the result is an image, and the taps along the depth are channels of the image that it is made of. */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';
import { paddingOption, windowOver } from './window.js';

const CONV_3D = {
  strideD: 1,
  strideW: 2,
  strideH: 3,
  activation: 4,
  dilationD: 5,
  dilationW: 6,
  dilationH: 7,
} as const;
/** Depths of the result: each is a layer. */
const MOST_DEPTHS = 64;

/** x [1, D, H, W, C], weights [KD, KH, KW, C, M], bias [M]. */
export const conv3d: Importer = (node) => {
  const x = node.input(0);
  const weights = node.constant(1, 'weights');
  const [images, depth = 0, height = 0, width = 0, channels = 0] = x.shape;
  const [taps = 0, kernelRows = 0, kernelColumns = 0, inputs = 0, filters = 0] = weights.shape;
  if (x.dtype !== 'float32') return unsupported(`${x.dtype} operands`);
  if (images !== 1) return unsupported(`a batch of ${images}`);
  if (weights.shape.length !== 5 || inputs !== channels || taps < 1 || channels < 1) {
    malformed('SW2107', node.loc, `weights [${weights.shape.join(', ')}] do not go with [${x.shape.join(', ')}]`);
  }
  const { options } = node;
  const padding = paddingOption(node);
  const window = windowOver(node, [1, height, width, channels], {
    padding,
    kernel: [kernelRows, kernelColumns],
    stride: [options.int32(CONV_3D.strideH), options.int32(CONV_3D.strideW)],
    dilation: [options.int32(CONV_3D.dilationH, 1), options.int32(CONV_3D.dilationW, 1)],
  });
  const [stride, dilation] = [options.int32(CONV_3D.strideD), options.int32(CONV_3D.dilationD, 1)];
  if (stride < 1 || dilation < 1) malformed('SW2107', node.loc, `a stride of ${stride}, a dilation of ${dilation}`);
  const extent = (taps - 1) * dilation + 1;
  const count = padding === 'same' ? Math.ceil(depth / stride) : Math.floor((depth - extent) / stride) + 1;
  if (count < 1 || count > MOST_DEPTHS) return unsupported(`a result of ${count} depths, at most ${MOST_DEPTHS}`);
  const before = padding === 'same' ? Math.floor(Math.max(0, (count - 1) * stride + extent - depth) / 2) : 0;
  const layer = layerOperands(node, weights.shape);
  const zeros = (): TensorId =>
    node.builder.addConstant({
      name: `${node.resultName}:outside`,
      shape: [1, height, width, channels],
      data: new Float32Array(height * width * channels),
      loc: node.loc,
    });
  const planes = node.reshape(x.id, [depth, height, width, channels]);
  const parts = Array.from({ length: count }, (_, d) => {
    const slices = Array.from({ length: taps }, (_tap, tap) => {
      const at = d * stride + tap * dilation - before;
      return at < 0 || at >= depth ? zeros() : sliced(node, planes, 0, at, 1);
    });
    const [only = planes] = slices;
    const image = slices.length === 1 ? only : node.emit({ kind: 'concat', axis: 3, inputs: slices });
    return node.emit({ kind: 'conv2d', window, groups: 1, inputs: [image, ...layer] });
  });
  const [first = planes] = parts;
  const [, rows = 1, columns = 1] = node.builder.tensor(first).shape;
  const whole = parts.length === 1 ? first : node.emit({ kind: 'concat', axis: 0, inputs: parts });
  const fused = withFused(node, whole, node.activationOption(CONV_3D.activation));
  return [activation(node.reshape(fused, [1, count, rows, columns, filters]))];
};

/** Weights [M, KH, KW, KD * C] and bias [M]. */
function layerOperands(node: NodeContext, shape: readonly number[]): TensorId[] {
  const [taps = 1, rows = 1, columns = 1, channels = 1, filters = 1] = shape;
  const weights = node.constant(1, 'weights');
  const source = realsOf(weights);
  const data = new Float32Array(source.length);
  let to = 0;
  for (let m = 0; m < filters; m++) {
    for (let pixel = 0; pixel < rows * columns; pixel++) {
      for (let tap = 0; tap < taps; tap++) {
        for (let c = 0; c < channels; c++) {
          data[to++] = source[((tap * rows * columns + pixel) * channels + c) * filters + m] ?? 0;
        }
      }
    }
  }
  const bias = node.has(2) ? realsOf(node.constant(2, 'biases')) : new Float32Array(filters);
  if (bias.length !== filters) malformed('SW2107', node.loc, `a bias of ${bias.length} for ${filters} channels`);
  const { builder, loc } = node;
  return [
    builder.addConstant({ name: weights.name, shape: [filters, rows, columns, taps * channels], data, loc }),
    builder.addConstant({ name: `${weights.name}:bias`, shape: [filters], data: bias, loc }),
  ];
}
