import { floatAttribute, intAttribute, intsAttribute } from './attributes.js';
import { POINT_WINDOW } from './conv.js';
import { malformed, unsupported } from './problems.js';
import {
  activation,
  computed,
  emitImage,
  imageOf,
  type NodeContext,
  type PendingPad,
  paddedActivation,
  type Value,
} from './value.js';
import { placeWindow } from './window.js';

export function importMaxPool(ctx: NodeContext): Value[] {
  const { node } = ctx;
  if (node.outputs.length > 1 && ctx.usesOfOutput(1) > 0) unsupported('indices as an output');
  const value = paddedActivation(ctx, 0);
  if (value.pad !== undefined && !maxIgnores(ctx, value.view.tensor, value.pad)) {
    unsupported(`a padding of ${value.pad.fill} that could be the largest`);
  }
  const image = imageOf(ctx, value.view);
  const { window, outHeight, outWidth } = placeWindow(node, image, kernelShape(ctx), value.pad);
  const spec = { kind: 'maxPool' as const, inputs: [image.tensor], window, countIncludePad: false };
  return [computed(emitImage(ctx, spec, outHeight, outWidth, image.channels))];
}

/** Our maximum is over the image only; that equals a maximum over padding which no element is below. */
function maxIgnores(ctx: NodeContext, tensor: Parameters<typeof ctx.builder.producerOf>[0], pad: PendingPad): boolean {
  if (pad.fill <= -3.4e38) return true;
  const producer = ctx.builder.producerOf(tensor);
  return producer?.kind === 'clamp' && producer.lo >= pad.fill;
}

export function importAveragePool(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const value = paddedActivation(ctx, 0);
  const image = imageOf(ctx, value.view);
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
  const spec = { kind: 'avgPool' as const, inputs: [image.tensor], window, countIncludePad: countIncludePad && padded };
  return [computed(emitImage(ctx, spec, outHeight, outWidth, image.channels))];
}

export function importGlobalPool(ctx: NodeContext): Value[] {
  const image = imageOf(ctx, activation(ctx, 0));
  const kind = ctx.node.operator === 'GlobalMaxPool' ? 'maxPool' : 'avgPool';
  const window = { ...POINT_WINDOW, kernel: [image.height, image.width] as const };
  return [
    computed(emitImage(ctx, { kind, inputs: [image.tensor], window, countIncludePad: false }, 1, 1, image.channels)),
  ];
}

function kernelShape(ctx: NodeContext): readonly number[] {
  const kernel = intsAttribute(ctx.node, 'kernel_shape');
  if (kernel === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} without kernel_shape`);
  return kernel;
}

export function importLrn(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const image = imageOf(ctx, activation(ctx, 0));
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
