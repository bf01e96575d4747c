/** AVERAGE_POOL_2D, MAX_POOL_2D, and MEAN and SUM over rows and columns. */
import { isQuantized } from '../../ir/facts.js';
import { sameQuantization } from '../../ir/verify-numbers.js';
import { unsupported } from '../onnx/problems.js';
import { withFused } from './activation.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { paddingOption, windowOver } from './window.js';

const POOL = { strideW: 1, strideH: 2, width: 3, height: 4, activation: 5 } as const;
const REDUCER = { keepDims: 0 } as const;

export const pool =
  (kind: 'avgPool' | 'maxPool'): Importer =>
  (node) => {
    const x = node.input(0);
    const { options } = node;
    const window = windowOver(node, x.shape, {
      padding: paddingOption(node),
      kernel: [options.int32(POOL.height), options.int32(POOL.width)],
      stride: [options.int32(POOL.strideH), options.int32(POOL.strideW)],
      dilation: [1, 1],
    });
    if (isQuantized(x.dtype) && !sameQuantization(x.quant, node.resultQuant())) {
      return unsupported('a result of another quantisation than the operand');
    }
    const id = node.emit({ kind, window, countIncludePad: false, inputs: [x.id] });
    return [activation(withFused(node, id, node.activationOption(POOL.activation)))];
  };

/** The reduced axes, as indices from 0, in order. */
function reducedAxes(node: NodeContext, rank: number): number[] {
  const axes = node.integers(1, 'axes').map((axis) => (axis < 0 ? axis + rank : axis));
  return [...new Set(axes)].sort((a, b) => a - b);
}

/** Over rows and columns of an image, whole: a pool as large as the image. */
export const reduce =
  (kind: 'mean' | 'sum'): Importer =>
  (node) => {
    const x = node.input(0);
    const axes = reducedAxes(node, x.shape.length);
    const { image, kernel } = reducedImage(x.shape, axes);
    const window = windowOver(node, image, { padding: 'valid', kernel, stride: [1, 1], dilation: [1, 1] });
    const view = node.reshape(x.id, image);
    const keepDims = node.options.bool(REDUCER.keepDims);
    const shape = x.shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent]));
    const count = kernel[0] * kernel[1];
    if (!isQuantized(x.dtype) || x.quant === undefined) {
      if (kind === 'sum') return unsupported('of float32');
      const mean = node.emit({ kind: 'avgPool', window, countIncludePad: false, inputs: [view] });
      return [activation(node.reshape(mean, shape))];
    }
    const result = node.resultQuant();
    const { multiplier, shift } = sumScale(scaleOf(x.quant), scaleOf(result), kind === 'mean' ? count : 1);
    const spec = { kind: 'sumPool', window, multiplier, shift, inputs: [view] } as const;
    return [activation(node.reshape(node.emit(spec, { quant: result }), shape))];
  };

/** Axes that follow each other, as rows and columns of an image whose other axes are a pixel's channels or before. */
function reducedImage(
  shape: readonly number[],
  axes: readonly number[],
): { readonly image: readonly number[]; readonly kernel: readonly [number, number] } {
  const [first = 0] = axes;
  const last = axes.at(-1) ?? 0;
  const product = (from: number, to: number): number => shape.slice(from, to).reduce((a, b) => a * b, 1);
  const follows = axes.length > 0 && axes.every((axis, i) => axis === first + i);
  if (!follows) return unsupported(`over the axes ${axes.join(', ')} of ${shape.length}`);
  const outer = product(0, first);
  const reduced = product(first, last + 1);
  const channels = product(last + 1, shape.length);
  if (outer === 1 && axes.length === 2) {
    return { image: [1, shape[first] ?? 1, shape[last] ?? 1, channels], kernel: [shape[first] ?? 1, shape[last] ?? 1] };
  }
  return { image: [1, outer, reduced, channels], kernel: [1, reduced] };
}

/** The factor from a sum to the result. The count is divided into the multiplier after it has been made an integer. */
function sumScale(input: number, output: number, count: number): { multiplier: number; shift: number } {
  const factor = fixedPoint(input / output);
  if (count === 1) return factor;
  const shift = Math.min(Math.floor(Math.log2(count)), 32, 31 + factor.shift);
  const multiplier = Number((BigInt(factor.multiplier) << BigInt(shift)) / BigInt(count));
  return { multiplier, shift: factor.shift - shift };
}
