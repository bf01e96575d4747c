import type { Window2d } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { type Affine, addLayerConstants, scaleRows, scalesWeights } from './affine.js';
import { intAttribute, intsAttribute } from './attributes.js';
import type { ConstantElements } from './builder.js';
import { importComputedConv } from './computed-conv.js';
import { type Const, elementCountOf, type NumericArray, shapeText } from './constant.js';
import { integerLayer } from './integer-layer.js';
import { malformed } from './problems.js';
import { quantizedResult } from './quantize-linear.js';
import {
  computed,
  constantOperand,
  emitImage,
  type Image,
  imageOf,
  type NodeContext,
  outputName,
  paddedActivation,
  realView,
  requiredConstant,
  type Value,
  viewOf,
  withColumn,
  withoutColumn,
} from './value.js';
import { convOfVolume, rankOf } from './volumes.js';
import { asKernel, placeWindow } from './window.js';

/** Conv of an image [1, C, H, W] with constant weights [M, C / group, KH, KW]. */
export function importConv(ctx: NodeContext): Value[] {
  if (ctx.operands[1]?.kind === 'activation') return importComputedConv(ctx);
  if (rankOf(ctx.operands[0]) === 5) return convOfVolume(ctx);
  const own = paddedActivation(ctx, 0);
  const isTaken = own.pad === undefined || own.pad.fill === 0;
  const given = isTaken ? own : { ...own, view: viewOf(ctx, 0), pad: undefined };
  const isFlat = given.view.axes.length === 3;
  const value = isFlat ? { ...given, view: withColumn(given.view) } : given;
  const weights = isFlat ? withOneColumn(requiredConstant(ctx, 1)) : requiredConstant(ctx, 1);
  const bias = constantOperand(ctx, 2);
  const groups = intAttribute(ctx.node, 'group', 1);
  if (weights.dims.length !== 4) unsupported(`${weights.dims.length - 2}-D convolution`);
  const [outChannels = 0, groupChannels = 0, kernelRows = 0, kernelColumns = 0] = weights.dims;
  const weightShape = [outChannels, kernelRows, kernelColumns, groupChannels];
  const integer = integerLayer(
    ctx,
    value,
    {
      constant: weights,
      axis: 0,
      rows: outChannels,
      shape: weightShape,
      layOut: (w) => storedChannelsLast(w, weights),
    },
    bias,
  );
  const image = imageOf(ctx, integer === undefined ? realView(ctx, value) : value.view);
  checkChannels(ctx, image, weights, bias, groups);
  const kernel = asKernel(intsAttribute(ctx.node, 'kernel_shape') ?? [kernelRows, kernelColumns]);
  if (kernel[0] !== kernelRows || kernel[1] !== kernelColumns) {
    malformed(
      'SW2007',
      ctx.node.loc,
      `kernel_shape ${shapeText(kernel)} differs from weights ${shapeText(weights.dims)}`,
    );
  }
  const placed = placeWindow(ctx.node, image, kernel, value.pad);
  if (integer !== undefined) {
    const inputs = [image.tensor, ...integer.constants];
    const spec = { kind: 'conv2d' as const, inputs, window: placed.window, groups };
    const view = emitImage(ctx, spec, placed.outHeight, placed.outWidth, outChannels, integer.to);
    return [quantizedResult(isFlat ? withoutColumn(view) : view, integer.to)];
  }
  const layer: ConvLayer = {
    image,
    window: placed.window,
    groups,
    weightShape,
    weights: (affine) => channelsLast(weights, affine),
    bias: () => bias?.elements(),
  };
  const result = emitConv(ctx, layer, placed.outHeight, placed.outWidth);
  return [computed(isFlat ? withoutColumn(result) : result)];
}

/** [M, C, K] as [M, C, K, 1]. */
function withOneColumn(weights: Const): Const {
  const dims = [...weights.dims, 1];
  const { quantized } = weights;
  if (quantized === undefined) return { ...weights, dims };
  return { ...weights, dims, quantized: { ...quantized, base: { ...quantized.base, dims } } };
}

export interface ConvLayer {
  readonly image: Image;
  readonly window: Window2d;
  readonly groups: number;
  readonly weightShape: readonly number[]; // [M, KH, KW, C / groups]
  readonly weights: (affine: Affine | undefined) => ConstantElements;
  readonly bias: () => ArrayLike<number> | undefined;
}

export const POINT_WINDOW: Window2d = {
  kernel: [1, 1],
  stride: [1, 1],
  dilation: [1, 1],
  pad: { top: 0, left: 0, bottom: 0, right: 0 },
};

/** Emits the convolution, and opens it for folding: what scales and shifts its channels next goes into its weights. */
export function emitConv(
  ctx: NodeContext,
  layer: ConvLayer,
  outHeight: number,
  outWidth: number,
): ReturnType<typeof emitImage> {
  const entry: { channels: number; folded: Affine | undefined } = {
    channels: layer.weightShape[0] ?? 0,
    folded: undefined,
  };
  const constants = addLayerConstants(
    ctx.builder,
    outputName(ctx),
    layer.weightShape,
    layer.weights,
    layer.bias,
    () => entry.folded,
    ctx.origin.loc,
  );
  const view = emitImage(
    ctx,
    { kind: 'conv2d', inputs: [layer.image.tensor, ...constants], window: layer.window, groups: layer.groups },
    outHeight,
    outWidth,
    entry.channels,
  );
  ctx.affines.set(view.tensor, entry);
  return view;
}

function checkChannels(ctx: NodeContext, image: Image, weights: Const, bias: Const | undefined, groups: number): void {
  const [outChannels = 0, groupChannels = 0] = weights.dims;
  const fits =
    groups >= 1 && groupChannels * groups === image.channels && outChannels % groups === 0 && outChannels > 0;
  if (!fits) {
    const what = `weights ${shapeText(weights.dims)} in ${groups} group(s)`;
    malformed('SW2007', ctx.node.loc, `Conv: ${what} do not fit an input of ${image.channels} channel(s)`);
  }
  if (bias !== undefined && (bias.dims.length !== 1 || bias.dims[0] !== outChannels)) {
    malformed('SW2007', ctx.node.loc, `Conv: bias ${shapeText(bias.dims)} for ${outChannels} output channel(s)`);
  }
}

/**
 * Weights [M, C, KH, KW] as [M, KH, KW, C], rows scaled: float32, or int8 with the scales that the model itself gives
 * them. May return the constant's own array.
 */
function channelsLast(weights: Const, affine: Affine | undefined): ConstantElements {
  const kept = keptInt8(weights, affine);
  if (kept !== undefined) return kept;
  if (weights.splat !== undefined) {
    const result = new Float32Array(elementCountOf(weights.dims));
    if (weights.splat !== 0) result.fill(weights.splat);
    return { data: scaleRows(result, affine) };
  }
  const source = weights.elements();
  if (source instanceof Float32Array && !movesElements(weights) && !scalesWeights(affine)) return { data: source };
  return { data: scaleRows(interleave(source, new Float32Array(source.length), weights.dims), affine) };
}

/** Weights that the model holds as int8 times a scale per output channel stay so: a quarter of the bytes, and exact. */
function keptInt8(weights: Const, affine: Affine | undefined): ConstantElements | undefined {
  if (weights.scaled === undefined) return undefined;
  const rows = weights.dims[0] ?? 0;
  const given = weights.scaled.scales.elements();
  if (given.length !== 1 && given.length !== rows) return undefined;
  const scales = Array.from({ length: rows }, (_, row) => {
    const scale = given[given.length === 1 ? 0 : row] ?? 0;
    return scale * (affine?.scale[row] ?? 1);
  });
  if (!scales.every((scale) => scale > 0 && Number.isFinite(scale))) return undefined;
  const source = weights.scaled.base.elements();
  const data = interleave(source, new Int8Array(source.length), weights.dims);
  return { data, quant: { scales, zeroPoint: 0 } };
}

/** Stored weights [M, C, KH, KW] as [M, KH, KW, C]. */
function storedChannelsLast(elements: NumericArray, weights: Const): NumericArray {
  const empty = elements instanceof Uint8Array ? new Uint8Array(elements.length) : new Int8Array(elements.length);
  return interleave(elements, empty, weights.dims);
}

function movesElements(weights: Const): boolean {
  const [, channels = 1, kernelRows = 1, kernelColumns = 1] = weights.dims;
  return kernelRows * kernelColumns > 1 && channels > 1;
}

/** [M, C, taps] -> [M, taps, C]. */
function interleave<T extends Float32Array | Int8Array | Uint8Array>(
  source: NumericArray,
  result: T,
  dims: readonly number[],
): T {
  const [rows = 0, channels = 0, kernelRows = 0, kernelColumns = 0] = dims;
  const taps = kernelRows * kernelColumns;
  if (taps === 1 || channels === 1) {
    result.set(source);
    return result;
  }
  let to = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * channels * taps;
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0, from = start + tap; c < channels; c++, from += taps) result[to++] = source[from] ?? 0;
    }
  }
  return result;
}
