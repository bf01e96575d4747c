import { unsupported } from '../import-problems.js';
import { type Affine, composeAffine } from './affine.js';
import { floatAttribute, intAttribute } from './attributes.js';
import { type Const, elementCountOf, shapeText } from './constant.js';
import { emitConv, POINT_WINDOW } from './conv.js';
import { malformed } from './problems.js';
import {
  activation,
  computed,
  mayAbsorb,
  type NodeContext,
  outputName,
  requiredConstant,
  type Value,
} from './value.js';
import { dimsOf, type View } from './view.js';

/**
 * Operators that scale and shift each channel by constants: BatchNormalization, and Add, Sub, Mul, Div with a constant.
 * They go into the weights of the convolution or dense layer before them when nothing else reads its result, and
 * become a 1x1 depthwise convolution otherwise. Both at import: what an integer network computes must not depend on passes.
 */

export function importBatchNormalization(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const view = activation(ctx, 0);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((position) => requiredConstant(ctx, position));
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined)
    throw new Error('four operands');
  if (node.outputs.some((name, i) => i > 0 && name !== '' && ctx.usesOfOutput(i) > 0))
    unsupported('statistics as outputs');
  if (intAttribute(node, 'training_mode', 0) !== 0) unsupported('training_mode');
  const channels = dimsOf(view)[1] ?? 1;
  for (const operand of [gamma, beta, mean, variance]) {
    if (operand.elementCount !== channels) {
      malformed('SW2007', node.loc, `BatchNormalization: ${shapeText(operand.dims)} for ${channels} channel(s)`);
    }
  }
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const deviations = variance.elements();
  const scale = Float64Array.from(gamma.elements(), (g, c) => g / Math.sqrt((deviations[c] ?? 0) + epsilon));
  const means = mean.elements();
  const shift = Float64Array.from(beta.elements(), (b, c) => b - (means[c] ?? 0) * (scale[c] ?? 0));
  return [scaleShift(ctx, 0, view, 1, { scale, shift })];
}

/** gamma and beta along axis 1, for a result of this node. */
export function scaleChannels(ctx: NodeContext, view: View, gamma: Const | undefined, beta: Const | undefined): Value {
  const channels = dimsOf(view)[1] ?? 1;
  const of = (constant: Const | undefined, fallback: number): Float64Array => {
    const elements = constant?.elements();
    return Float64Array.from({ length: channels }, (_, c) => elements?.[elements.length === 1 ? 0 : c] ?? fallback);
  };
  return scaleShift(ctx, 0, view, 1, { scale: of(gamma, 1), shift: of(beta, 0) });
}

/** Add, Sub, Mul or Div of an activation at `position` and a constant at the other. */
/** Whether a constant beside the activation at `position` scales or shifts its channels, or all of it alike. */
export function canScaleShift(ctx: NodeContext, position: 0 | 1): boolean {
  if (!SCALING.has(ctx.node.operator) || (ctx.node.operator === 'Div' && position === 1)) return false;
  const constant = requiredConstant(ctx, position === 0 ? 1 : 0);
  const dims = dimsOf(ctx.floatView(position));
  const lead = constant.dims.length - dims.length;
  if (lead > 0 && constant.dims.slice(0, lead).some((dim) => dim !== 1)) return false;
  const aligned = dims.map((_, axis) => constant.dims[axis + lead] ?? 1);
  const varying = aligned.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  if (varying.some((axis) => aligned[axis] !== dims[axis])) return false;
  return varying.length <= 1 && constant.elementCount > 0;
}

const SCALING: ReadonlySet<string> = new Set(['Add', 'Sum', 'Sub', 'Mul', 'Div']);

export function importWithConstant(ctx: NodeContext, position: 0 | 1): Value[] {
  const view = activation(ctx, position);
  const constant = requiredConstant(ctx, position === 0 ? 1 : 0);
  const dims = dimsOf(view);
  const axis = varyingAxis(ctx, constant, dims);
  const count = axis === undefined ? 1 : (dims[axis] ?? 1);
  const elements = constant.elements();
  const affine = affineOf(
    ctx,
    position,
    Float64Array.from({ length: count }, (_, i) => elements[i] ?? 0),
  );
  return [scaleShift(ctx, position, view, axis, affine)];
}

function affineOf(ctx: NodeContext, position: 0 | 1, c: Float64Array): Affine {
  const fill = (value: number): Float64Array => new Float64Array(c.length).fill(value);
  switch (ctx.node.operator) {
    case 'Add':
    case 'Sum':
      return { scale: fill(1), shift: c };
    case 'Sub':
      return position === 0 ? { scale: fill(1), shift: c.map((v) => -v) } : { scale: fill(-1), shift: c };
    case 'Mul':
      return { scale: c, shift: fill(0) };
    case 'Div':
      if (position === 1) return unsupported('a constant divided by an activation');
      return { scale: c.map((v) => 1 / v), shift: fill(0) };
    default:
      throw new Error(`${ctx.node.operator} does not scale or shift`);
  }
}

/** The one axis of the activation along which a broadcast constant varies; undefined for a scalar. */
function varyingAxis(ctx: NodeContext, constant: Const, dims: readonly number[]): number | undefined {
  const lead = constant.dims.length - dims.length;
  const text = `a constant of shape ${shapeText(constant.dims)} with an activation of shape ${shapeText(dims)}`;
  if (lead > 0 && constant.dims.slice(0, lead).some((dim) => dim !== 1)) unsupported(text);
  const aligned = dims.map((_, axis) => constant.dims[axis + lead] ?? 1);
  const varying = aligned.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  for (const axis of varying) {
    if (dims[axis] === 1) unsupported(text); // the constant would enlarge the activation
    if (aligned[axis] !== dims[axis]) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of ${text}`);
  }
  if (constant.elementCount === 0) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} with an empty constant`);
  if (varying.length > 1) unsupported(text);
  return varying[0];
}

/** @param axis the axis that `affine` runs along; undefined when it holds one number for all */
function scaleShift(ctx: NodeContext, position: number, view: View, axis: number | undefined, affine: Affine): Value {
  const entry = ctx.affines.get(view.tensor);
  const last = view.atoms.length - 1;
  if (entry !== undefined && mayAbsorb(ctx, position)) {
    const atoms = axis === undefined ? undefined : (view.axes[axis] ?? []);
    const isChannels =
      atoms === undefined ||
      (atoms.length === 0
        ? entry.channels === 1
        : atoms.length === 1 && atoms[0] === last && view.atoms[last] === entry.channels);
    if (isChannels) {
      entry.folded = composeAffine(entry.folded, spread(affine, entry.channels));
      ctx.builder.rename(view.tensor, outputName(ctx));
      return computed(view);
    }
  }
  return computed(depthwise(ctx, view, axis, affine));
}

function spread(affine: Affine, channels: number): Affine {
  if (affine.scale.length === channels) return affine;
  const fill = (values: Float64Array): Float64Array => new Float64Array(channels).fill(values[0] ?? 0);
  return { scale: fill(affine.scale), shift: fill(affine.shift) };
}

/** A 1x1 depthwise convolution over the axis, which is moved innermost if it is not there. */
function depthwise(ctx: NodeContext, view: View, axis: number | undefined, affine: Affine): View {
  const moved = axis === undefined ? view : axisInnermost(ctx, view, axis);
  const shape = ctx.builder.shapeOf(moved.tensor);
  const elements = elementCountOf(shape);
  const channels = axis === undefined ? (shape.at(-1) ?? 1) : affine.scale.length;
  const isImage = shape.length === 4 && shape[0] === 1 && shape[3] === channels;
  const [height = 1, width = 1] = isImage ? shape.slice(1) : [elements / channels, 1];
  const tensor = ctx.builder.asShape(moved.tensor, [1, height, width, channels], ctx.origin);
  const { scale, shift } = spread(affine, channels);
  const result = emitConv(
    ctx,
    {
      image: { tensor, height, width, channels },
      window: POINT_WINDOW,
      groups: channels,
      weightShape: [channels, 1, 1, 1],
      weights: (later) => ({ data: Float32Array.from(scale, (s, c) => s * (later?.scale[c] ?? 1)) }),
      bias: () => shift,
    },
    height,
    width,
  );
  return { ...moved, tensor: result.tensor };
}

/** The view with the axis's elements as the innermost ones, in the axis's own order. */
export function axisInnermost(ctx: NodeContext, view: View, axis: number): View {
  const inner = view.axes[axis] ?? [];
  const outer = view.atoms.map((_, atom) => atom).filter((atom) => !inner.includes(atom));
  return ctx.builder.materialise(view, [...outer, ...inner], ctx.origin);
}
