import type { Window2d } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute, intsAttribute } from './attributes.js';
import { POINT_WINDOW } from './conv.js';
import { malformed } from './problems.js';
import type { QuantizedType } from './quantization.js';
import { integerOperand, quantizedResult } from './quantize-linear.js';
import { maxPoolWithIndices } from './unpool.js';
import {
  computed,
  emitImage,
  type Image,
  imageOf,
  moved,
  type NodeContext,
  type PendingPad,
  paddedActivation,
  realView,
  settled,
  type Value,
  valueDims,
  viewOf,
  withColumn,
  withoutColumn,
} from './value.js';
import type { View } from './view.js';
import { poolOfVolume, rankOf } from './volumes.js';
import { asKernel, placeWindow } from './window.js';

/** Pools of sequences run on images of one column. */
function asImages(run: (ctx: NodeContext) => Value[]): (ctx: NodeContext) => Value[] {
  return (ctx) => {
    const value = ctx.operands[0];
    if (value?.kind !== 'activation' || value.view.axes.length !== 3) return run(ctx);
    const lifted = { ...value, view: withColumn(value.view) };
    const operands = ctx.operands.with(0, lifted);
    const results = run({ ...ctx, operands });
    return results.map((result) =>
      result.kind === 'activation' ? { ...result, view: withoutColumn(result.view) } : result,
    );
  };
}

export const importMaxPool = asImages(maxPool);
const poolOfImages = asImages(averagePool);
export function importAveragePool(ctx: NodeContext): Value[] {
  return rankOf(ctx.operands[0]) > 4 ? poolOfVolume(ctx) : poolOfImages(ctx);
}
export function importGlobalPool(ctx: NodeContext): Value[] {
  const operand = ctx.operands[0];
  const rank = operand === undefined ? 0 : valueDims(operand).length;
  if (rank <= 4) return globalPoolOfImage(ctx);
  const fn = ctx.node.operator === 'GlobalMaxPool' ? 'ReduceMax' : 'ReduceMean';
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  return [ctx.apply(fn, [settled(ctx, 0)], { axes, keepdims: 1 })];
}

const globalPoolOfImage = asImages(globalPool);

function maxPool(ctx: NodeContext): Value[] {
  const { node } = ctx;
  if (rankOf(ctx.operands[0]) > 4) return poolOfVolume(ctx);
  if (node.outputs.length > 1 && ctx.usesOfOutput(1) > 0) return maxPoolWithIndices(ctx);
  const given = paddedActivation(ctx, 0);
  const isIgnored = given.pad === undefined || maxIgnores(ctx, given.view.tensor, given.pad);
  const value = isIgnored ? given : { ...given, view: viewOf(ctx, 0), pad: undefined };
  const image = imageOf(ctx, value.view);
  const { window, outHeight, outWidth } = placeWindow(node, image, kernelShape(ctx), value.pad);
  const spec = { kind: 'maxPool' as const, inputs: [image.tensor], window, countIncludePad: false };
  return [moved(ctx, 0, emitImage(ctx, spec, outHeight, outWidth, image.channels))];
}

/** Our maximum is over the image only; that equals a maximum over padding which no element is below. */
function maxIgnores(ctx: NodeContext, tensor: Parameters<typeof ctx.builder.producerOf>[0], pad: PendingPad): boolean {
  if (pad.fill <= -3.4e38) return true;
  const producer = ctx.builder.producerOf(tensor);
  return producer?.kind === 'clamp' && producer.lo >= pad.fill;
}

function averagePool(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const value = paddedActivation(ctx, 0);
  const to = ctx.resultType();
  const from = value.dequantized;
  const isInteger = from !== undefined && to?.dtype === from.dtype;
  const image = imageOf(ctx, isInteger ? value.view : realView(ctx, value));
  const ownPads = intsAttribute(node, 'pads')?.some((pad) => pad !== 0) ?? false;
  let countIncludePad = intAttribute(node, 'count_include_pad', 0) !== 0;
  if (value.pad !== undefined) {
    if (value.pad.fill !== 0) unsupported(`a padding of ${value.pad.fill}`);
    if (ownPads && !countIncludePad) unsupported('padding that counts before padding that does not');
    countIncludePad = true; // what Pad added is part of the image for this operator
  }
  const { window, outHeight, outWidth, ceilPadding } = placeWindow(node, image, kernelShape(ctx), value.pad);
  const { pad } = window;
  if (ceilPadding && countIncludePad) unsupported('ceil_mode together with padding that counts');
  const padded = pad.top + pad.left + pad.bottom + pad.right > 0;
  if (isInteger && (countIncludePad || !padded)) {
    const view = emitMean(ctx, image, window, [outHeight, outWidth], from, to);
    return [quantizedResult(view, to)];
  }
  const tensor = isInteger ? imageOf(ctx, realView(ctx, value)).tensor : image.tensor;
  const spec = { kind: 'avgPool' as const, inputs: [tensor], window, countIncludePad: countIncludePad && padded };
  return [computed(emitImage(ctx, spec, outHeight, outWidth, image.channels))];
}

/** The mean of quantised elements in a quantisation of its own. Padding, where there is any, counts. */
function emitMean(
  ctx: NodeContext,
  image: Image,
  window: Window2d,
  [height, width]: readonly [number, number],
  from: QuantizedType,
  to: QuantizedType,
): View {
  const taps = window.kernel[0] * window.kernel[1];
  const scale = Math.fround(from.scale / Math.fround(to.scale * taps));
  const spec = { kind: 'sumPool' as const, inputs: [image.tensor], window, multiplier: 0, shift: 0, scale };
  return emitImage(ctx, spec, height, width, image.channels, to);
}

function globalPool(ctx: NodeContext): Value[] {
  const isMaximum = ctx.node.operator === 'GlobalMaxPool';
  const operand = integerOperand(ctx, 0);
  const to = ctx.resultType();
  const isMean = !isMaximum && operand !== undefined && operand.type.dtype === to?.dtype;
  const image = imageOf(ctx, isMaximum || isMean ? viewOf(ctx, 0) : realOperand(ctx));
  const window = { ...POINT_WINDOW, kernel: [image.height, image.width] as const };
  if (isMean && to !== undefined) {
    return [quantizedResult(emitMean(ctx, image, window, [1, 1], operand.type, to), to)];
  }
  const kind = isMaximum ? ('maxPool' as const) : ('avgPool' as const);
  const view = emitImage(ctx, { kind, inputs: [image.tensor], window, countIncludePad: false }, 1, 1, image.channels);
  return [isMaximum ? moved(ctx, 0, view) : computed(view)];
}

/** The first operand in float32; the context may hold it as an image. */
function realOperand(ctx: NodeContext): View {
  const value = paddedActivation(ctx, 0);
  return value.pad === undefined ? realView(ctx, value) : viewOf(ctx, 0);
}

function kernelShape(ctx: NodeContext): readonly number[] {
  const kernel = intsAttribute(ctx.node, 'kernel_shape');
  if (kernel === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} without kernel_shape`);
  return asKernel(kernel);
}

export function importLrn(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const image = imageOf(ctx, realOperand(ctx));
  const size = intAttribute(node, 'size', 0);
  if (!(size >= 1)) malformed('SW2007', node.loc, `LRN of size ${size}`);
  const spec = {
    kind: 'lrn' as const,
    inputs: [image.tensor],
    size,
    alpha: floatAttribute(node, 'alpha', 1e-4),
    beta: floatAttribute(node, 'beta', 0.75),
    k: floatAttribute(node, 'bias', 1),
    sumShift: 0,
  };
  return [computed(emitImage(ctx, spec, image.height, image.width, image.channels))];
}
