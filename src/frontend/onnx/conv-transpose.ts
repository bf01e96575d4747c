/**
 * Transposed convolutions without zeros: for a stride of s, output positions of one remainder modulo s see the same taps of the kernel,
 * so the layer is a convolution with a channel for each remainder, and those are then laid out as pixels.
 *
 *   y[o] = sum over k = (o + pad) mod s, + s, ...  of  w[k] * x[(o + pad - k) / s]
 */

import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, stringAttribute } from './attributes.js';
import { type Const, checkConstantDims, elementCountOf, lazyConst, shapeText } from './constant.js';
import { emitConv } from './conv.js';
import { malformed } from './problems.js';
import {
  activation,
  computed,
  constantOperand,
  imageOf,
  type NodeContext,
  requiredConstant,
  reshapeView,
  type Value,
} from './value.js';
import { transposed, type View } from './view.js';

interface Axis {
  readonly stride: number;
  readonly taps: number; // of each remainder's kernel
  readonly before: number; // padding of the convolution
  readonly count: number; // positions of each remainder
  readonly shift: number; // of the first output position among all positions made
  readonly outSize: number;
}

export function importConvTranspose(
  ctx: NodeContext,
  sliceOnce: (view: View, axis: number, start: number, size: number) => View,
): Value[] {
  const { node } = ctx;
  const weights = spacedOut(ctx, requiredConstant(ctx, 1));
  const bias = constantOperand(ctx, 2);
  const view = activation(ctx, 0);
  const isFlat = view.axes.length === 3;
  const image = imageOf(ctx, isFlat ? { ...view, axes: [...view.axes, []] } : view);
  const dims = isFlat ? [...weights.dims, 1] : weights.dims;
  const [channels = 1, groupOut = 1, ...kernel] = dims;
  if (kernel.length !== 2) unsupported(`${kernel.length}-D transposed convolution`);
  const groups = intAttribute(node, 'group', 1);
  if (channels !== image.channels || channels % groups !== 0) {
    malformed('SW2007', node.loc, `ConvTranspose: weights ${shapeText(weights.dims)} for ${image.channels} channel(s)`);
  }
  const outChannels = groupOut * groups;
  const axes = [image.height, image.width].map((size, i) => placeAxis(ctx, size, kernel[i] ?? 1, i, isFlat));
  const [rows, columns] = axes;
  if (rows === undefined || columns === undefined) throw new Error('an image has two axes');
  const phases = rows.stride * columns.stride;
  const groupIn = channels / groups;
  const order = { rows, columns, kernel, groupIn, groupOut, groups };
  const result = emitConv(
    ctx,
    {
      image,
      window: {
        kernel: [rows.taps, columns.taps],
        stride: [1, 1],
        dilation: [1, 1],
        pad: {
          top: rows.before,
          left: columns.before,
          bottom: rows.count - 1 + rows.taps - image.height - rows.before,
          right: columns.count - 1 + columns.taps - image.width - columns.before,
        },
      },
      groups,
      weightShape: [outChannels * phases, rows.taps, columns.taps, groupIn],
      weights: () => ({ data: phaseWeights(weights, order) }),
      bias: () => {
        const elements = bias?.elements();
        // Channels of a group stand together, those of a remainder side by side.
        return Float32Array.from({ length: outChannels * phases }, (_, m) => elements?.[Math.floor(m / phases)] ?? 0);
      },
    },
    rows.count,
    columns.count,
  );
  ctx.affines.delete(result.tensor); // its channels are not the model's
  const cut = reshapeView(ctx, result, [1, outChannels, rows.stride, columns.stride, rows.count, columns.count]);
  const turned = transposed(cut, [0, 1, 4, 2, 5, 3]);
  let pixels = reshapeView(ctx, turned, [1, outChannels, rows.count * rows.stride, columns.count * columns.stride]);
  for (const [axis, placed] of [
    [2, rows],
    [3, columns],
  ] as const) {
    if (placed.outSize !== placed.count * placed.stride) pixels = sliceOnce(pixels, axis, placed.shift, placed.outSize);
  }
  const outDims = [1, outChannels, rows.outSize, ...(isFlat ? [] : [columns.outSize])];
  return [computed(reshapeView(ctx, pixels, outDims))];
}

/** Dilated weights [C, M / groups, ...kernel]: zeros between the taps. */
function spacedOut({ node }: NodeContext, weights: Const): Const {
  const dilations = intsAttribute(node, 'dilations') ?? [];
  if (dilations.every((dilation) => dilation === 1)) return weights;
  const kernel = weights.dims.slice(2);
  const wide = kernel.map((taps, i) => (taps - 1) * (dilations[i] ?? 1) + 1);
  const dims = [...weights.dims.slice(0, 2), ...wide];
  checkConstantDims(dims, 'the dilated weights of ConvTranspose', node.loc);
  return lazyConst(weights.dtype, dims, () => {
    const source = weights.elements();
    const result = new Float32Array(elementCountOf(dims));
    for (let i = 0; i < source.length; i++) {
      let rest = i;
      let to = 0;
      let step = 1;
      for (let axis = kernel.length - 1; axis >= 0; axis--) {
        to += (rest % (kernel[axis] ?? 1)) * (dilations[axis] ?? 1) * step;
        rest = Math.floor(rest / (kernel[axis] ?? 1));
        step *= wide[axis] ?? 1;
      }
      result[rest * step + to] = source[i] ?? 0;
    }
    return result;
  });
}

function placeAxis(ctx: NodeContext, size: number, kernel: number, axis: number, isFlat: boolean): Axis {
  const { node } = ctx;
  const isAbsent = isFlat && axis === 1;
  const rank = isFlat ? 1 : 2;
  const list = (name: string, fallback: number): number =>
    isAbsent ? fallback : (intsAttribute(node, name)?.[axis] ?? fallback);
  const stride = list('strides', 1);
  if (!(stride >= 1 && stride <= 64)) malformed('SW2007', node.loc, `strides of ConvTranspose: ${stride}`);
  const pads = isAbsent ? undefined : intsAttribute(node, 'pads');
  let begin = pads?.[axis] ?? 0;
  let end = pads?.[axis + rank] ?? 0;
  const extra = list('output_padding', 0);
  const wanted = isAbsent ? undefined : intsAttribute(node, 'output_shape')?.at(axis - rank);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const full = (size - 1) * stride + kernel + extra;
  let missing = 0;
  if (autoPad.startsWith('SAME') || wanted !== undefined) {
    const target = wanted ?? size * stride;
    const total = Math.max(0, full - target);
    missing = Math.max(0, target - full); // positions that no tap reaches
    begin = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : total - Math.floor(total / 2);
    end = total - begin;
  }
  const outSize = full + missing - begin - end;
  if (!(outSize >= 1) || begin < 0)
    malformed('SW2007', node.loc, `ConvTranspose of ${size} by ${kernel} leaves ${outSize}`);
  const taps = Math.ceil(kernel / stride);
  // Position p = o + begin of the full result has remainder p mod stride and sees inputs floor(p / stride) - taps + 1 ... + 0.
  const first = Math.floor(begin / stride);
  const count = Math.floor((begin + outSize - 1) / stride) - first + 1;
  return { stride, taps, before: taps - 1 - first, count, shift: begin - first * stride, outSize };
}

interface PhaseOrder {
  readonly rows: Axis;
  readonly columns: Axis;
  readonly kernel: readonly number[];
  readonly groupIn: number;
  readonly groupOut: number;
  readonly groups: number;
}

/** [C, M / groups, KH, KW] as [M * phases, taps, taps, C / groups], taps in rising order of input positions. */
function phaseWeights(weights: Const, { rows, columns, kernel, groupIn, groupOut, groups }: PhaseOrder): Float32Array {
  const source = weights.elements();
  const [kernelRows = 1, kernelColumns = 1] = kernel;
  const result = new Float32Array(
    elementCountOf([groups * groupOut, rows.stride, columns.stride, rows.taps, columns.taps, groupIn]),
  );
  let to = 0;
  for (let m = 0; m < groups * groupOut; m++) {
    const group = Math.floor(m / groupOut);
    for (let py = 0; py < rows.stride; py++) {
      for (let px = 0; px < columns.stride; px++) {
        for (let ty = 0; ty < rows.taps; ty++) {
          const ky = py + (rows.taps - 1 - ty) * rows.stride;
          for (let tx = 0; tx < columns.taps; tx++) {
            const kx = px + (columns.taps - 1 - tx) * columns.stride;
            for (let c = 0; c < groupIn; c++) {
              const at = ((group * groupIn + c) * groupOut + (m % groupOut)) * kernelRows * kernelColumns;
              const isInside = ky < kernelRows && kx < kernelColumns;
              result[to++] = isInside ? (source[at + ky * kernelColumns + kx] ?? 0) : 0;
            }
          }
        }
      }
    }
  }
  return result;
}
