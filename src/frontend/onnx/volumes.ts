/** Convolutions and pools of volumes [N, C, D, H, W], by those of images. */
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, stringAttribute } from './attributes.js';
import { type NodeContext, settled, type Value, valueDims, wholes } from './value.js';

export const rankOf = (value: Value | undefined): number => (value === undefined ? 0 : valueDims(value).length);

/**
 * A convolution of one volume: the taps along its depth are channels of an image, and every depth of the result is an image.
 *
 *     x [1, C, D, H, W]  ->  images [D', groups * KD * C / groups, H, W]  ->  Conv  ->  [D', M, H', W']
 */
export function convOfVolume(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const weights = settled(ctx, 1);
  const [rows = 1, groupChannels = 1, taps = 1, ...kernel] = valueDims(weights);
  const groups = intAttribute(node, 'group', 1);
  const [depth, ...window] = windowsOf(node);
  if (depth === undefined || kernel.length !== 2) return unsupported(`weights of ${kernel.length + 3} dimensions`);
  const x = deepened(ctx, settled(ctx, 0), depth);
  const [, channels = 1, size = 1, height = 1, width = 1] = valueDims(x);
  const count = Math.floor((size - (taps - 1) * depth.dilation - 1) / depth.stride) + 1;
  if (count < 1 || channels !== groups * groupChannels) return unsupported(`a volume of ${valueDims(x).join('x')}`);
  const parts = Array.from({ length: taps }, (_, tap) => {
    const start = tap * depth.dilation;
    const end = start + (count - 1) * depth.stride + 1;
    const part = ctx.apply('Slice', [x, wholes([start]), wholes([end]), wholes([2]), wholes([depth.stride])]);
    return ctx.apply('Reshape', [part, wholes([groups, 1, groupChannels, count, height, width])]);
  });
  const stacked = parts.length === 1 ? (parts[0] as Value) : ctx.apply('Concat', parts, { axis: 1 });
  const flat = ctx.apply('Reshape', [stacked, wholes([channels * taps, count, height, width])]);
  const images = ctx.apply('Transpose', [flat], { perm: [1, 0, 2, 3] });
  const turned = ctx.apply('Transpose', [weights], { perm: [0, 2, 1, 3, 4] });
  const flatWeights = ctx.apply('Reshape', [turned, wholes([rows, taps * groupChannels, ...kernel])]);
  const bias = ctx.operands[2] === undefined ? [] : [settled(ctx, 2)];
  const attributes = { ...plainWindows(window), group: groups, auto_pad: autoPadOf(node) };
  const result = ctx.apply('Conv', [images, flatWeights, ...bias], attributes);
  const back = ctx.apply('Transpose', [result], { perm: [1, 0, 2, 3] });
  return [ctx.apply('Unsqueeze', [back, wholes([0])], { axes: [0] })];
}

/** The largest or the mean of boxes: of their rows and columns, then of those along the depth, which is the same. */
export function poolOfVolume(ctx: NodeContext): Value[] {
  const { node } = ctx;
  if (ctx.usesOfOutput(1) > 0) unsupported('indices as an output, of a volume');
  const x = settled(ctx, 0);
  const dims = valueDims(x);
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const windows = windowsOf(node);
  const [depth] = windows;
  if (dims.length !== 5 || kernel.length !== 3 || depth === undefined)
    return unsupported(`of ${dims.length} dimensions`);
  const [images = 1, channels = 1, size = 1, height = 1, width = 1] = dims;
  const common = {
    auto_pad: autoPadOf(node),
    ceil_mode: intAttribute(node, 'ceil_mode', 0),
    ...(node.operator === 'AveragePool' ? { count_include_pad: intAttribute(node, 'count_include_pad', 0) } : {}),
  };
  const flat = ctx.apply('Reshape', [x, wholes([images, channels * size, height, width])]);
  const attributes = { kernel_shape: kernel.slice(1), ...plainWindows(windows.slice(1)), ...common };
  const inPlane = ctx.apply(node.operator, [flat], attributes);
  const [, , rows = 1, columns = 1] = valueDims(inPlane);
  const deep = ctx.apply('Reshape', [inPlane, wholes([images, channels, size, rows * columns])]);
  const along = { kernel_shape: [kernel[0] ?? 1, 1], ...plainWindows([depth, UNIT]), ...common };
  const result = ctx.apply(node.operator, [deep], along);
  const [, , count = 1] = valueDims(result);
  return [ctx.apply('Reshape', [result, wholes([images, channels, count, rows, columns])])];
}

interface Axis {
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

const UNIT: Axis = { stride: 1, dilation: 1, before: 0, after: 0 };

function windowsOf(node: NodeContext['node']): Axis[] {
  const pads = intsAttribute(node, 'pads') ?? [0, 0, 0, 0, 0, 0];
  return [0, 1, 2].map((axis) => ({
    stride: intsAttribute(node, 'strides')?.[axis] ?? 1,
    dilation: intsAttribute(node, 'dilations')?.[axis] ?? 1,
    before: pads[axis] ?? 0,
    after: pads[axis + 3] ?? 0,
  }));
}

const autoPadOf = (node: NodeContext['node']): string => stringAttribute(node, 'auto_pad', 'NOTSET');

const plainWindows = (axes: readonly Axis[]) => ({
  strides: axes.map(({ stride }) => stride),
  dilations: axes.map(({ dilation }) => dilation),
  pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
});

/** With the padding along its depth made. */
function deepened(ctx: NodeContext, x: Value, { before, after }: Axis): Value {
  if (autoPadOf(ctx.node).startsWith('SAME')) return unsupported('auto_pad of a volume');
  if (before === 0 && after === 0) return x;
  return ctx.apply('Pad', [x, wholes([0, 0, before, 0, 0, 0, 0, after, 0, 0])], { mode: 'constant' });
}
