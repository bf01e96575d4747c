/**
 * Convolutions whose weights are computed, as trackers have them that look for one image in another: for each place in the window,
 * the part of the image that it meets. These parts side by side are one factor of a product of matrices, the weights the other; where
 * each channel is its own group, each part is multiplied by its weights, and all are added.
 */
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute } from './attributes.js';
import { shapeText } from './constant.js';
import { malformed } from './problems.js';
import { type NodeContext, settled, type Value, valueDims, wholes } from './value.js';
import { asKernel, placeWindow } from './window.js';

const MOST_PLACES = 256;
const MOST_GROUPS = 64;

export function importComputedConv(ctx: NodeContext): Value[] {
  const flat = valueDims(settled(ctx, 1)).length === 3;
  const asImage = (value: Value): Value => (flat ? ctx.apply('Unsqueeze', [value, wholes([3])], { axes: [3] }) : value);
  const [x, weights] = [asImage(settled(ctx, 0)), asImage(settled(ctx, 1))];
  const [, channels = 1, height = 1, width = 1] = valueDims(x);
  const [filters = 1, own = 1, kernelRows = 1, kernelColumns = 1] = valueDims(weights);
  const groups = intAttribute(ctx.node, 'group', 1);
  const shapes = `${shapeText(valueDims(x))} and ${shapeText(valueDims(weights))}`;
  if (valueDims(x).length !== 4 || valueDims(weights).length !== 4) unsupported(`computed weights of ${shapes}`);
  if (own * groups !== channels || filters % groups !== 0) {
    malformed('SW2007', ctx.node.loc, `Conv of ${shapes} in ${groups} groups`);
  }
  const kernel = asKernel(intsAttribute(ctx.node, 'kernel_shape') ?? [kernelRows, kernelColumns]);
  if (kernel[0] !== kernelRows || kernel[1] !== kernelColumns) {
    malformed('SW2007', ctx.node.loc, `kernel_shape ${shapeText(kernel)} differs from weights ${shapes}`);
  }
  if (kernelRows * kernelColumns > MOST_PLACES) unsupported(`computed weights of more than ${MOST_PLACES} places`);
  const { window, outHeight, outWidth } = placeWindow(ctx.node, { height, width }, kernel, undefined);
  const { top, left, bottom, right } = window.pad;
  const padded =
    top + left + bottom + right === 0 ? x : ctx.apply('Pad', [x, wholes([0, 0, top, left, 0, 0, bottom, right])]);
  const places = Array.from({ length: kernelRows * kernelColumns }, (_, i) => [
    Math.floor(i / kernelColumns),
    i % kernelColumns,
  ]);
  const parts = places.map(([row = 0, column = 0]) => {
    const start = [row * window.dilation[0], column * window.dilation[1]];
    const extent = [(outHeight - 1) * window.stride[0] + 1, (outWidth - 1) * window.stride[1] + 1];
    const end = start.map((from, axis) => from + (extent[axis] ?? 1));
    return ctx.apply('Slice', [padded, wholes(start), wholes(end), wholes([2, 3]), wholes([...window.stride])]);
  });
  const form: Form = { parts, weights, places, outputs: [outHeight, outWidth] };
  const sums = own === 1 && filters === channels ? channelByChannel(ctx, form) : byGroups(ctx, form, groups);
  const result = ctx.operands[2] === undefined ? sums : ctx.apply('Add', [sums, biasOf(ctx, filters)]);
  return [flat ? ctx.apply('Squeeze', [result, wholes([3])], { axes: [3] }) : result];
}

interface Form {
  readonly parts: readonly Value[]; // [N, C, OH, OW], one for each place
  readonly weights: Value; // [M, C / groups, KH, KW]
  readonly places: readonly (readonly number[])[]; // row and column
  readonly outputs: readonly [number, number];
}

const biasOf = (ctx: NodeContext, filters: number): Value =>
  ctx.apply('Reshape', [settled(ctx, 2), wholes([1, filters, 1, 1])]);

function part(
  ctx: NodeContext,
  value: Value,
  axes: readonly number[],
  from: readonly number[],
  to: readonly number[],
): Value {
  return ctx.apply('Slice', [value, wholes(from), wholes(to), wholes(axes)]);
}

function channelByChannel(ctx: NodeContext, { parts, weights, places }: Form): Value {
  const [channels = 1] = valueDims(weights);
  const terms = parts.map((own, i) => {
    const [row = 0, column = 0] = places[i] ?? [];
    const factor = part(ctx, weights, [2, 3], [row, column], [row + 1, column + 1]);
    return ctx.apply('Mul', [own, ctx.apply('Reshape', [factor, wholes([1, channels, 1, 1])])]);
  });
  return terms.reduce((sum, term) => ctx.apply('Add', [sum, term]));
}

function byGroups(ctx: NodeContext, form: Form, groups: number): Value {
  if (groups > MOST_GROUPS) unsupported(`computed weights in ${groups} groups, at most ${MOST_GROUPS}`);
  const [filters = 1, own = 1] = valueDims(form.weights);
  const results = Array.from({ length: groups }, (_, group) => {
    if (groups === 1) return product(ctx, form);
    const ofGroup = filters / groups;
    const parts = form.parts.map((value) => part(ctx, value, [1], [group * own], [(group + 1) * own]));
    const weights = part(ctx, form.weights, [0], [group * ofGroup], [(group + 1) * ofGroup]);
    return product(ctx, { ...form, parts, weights });
  });
  const [only] = results;
  return results.length === 1 && only !== undefined ? only : ctx.apply('Concat', results, { axis: 1 });
}

/** [N, pixels, places * C] times [places * C, M]. */
function product(ctx: NodeContext, { parts, weights, outputs: [rows, columns] }: Form): Value {
  const [filters = 1, own = 1, kernelRows = 1, kernelColumns = 1] = valueDims(weights);
  const inner = own * kernelRows * kernelColumns;
  const beside = parts.length === 1 ? (parts[0] as Value) : ctx.apply('Concat', parts, { axis: 1 });
  const [batch = 1] = valueDims(beside);
  const pixels = ctx.apply('Transpose', [ctx.apply('Reshape', [beside, wholes([batch, inner, rows * columns])])], {
    perm: [0, 2, 1],
  });
  const matrix = ctx.apply('Reshape', [
    ctx.apply('Transpose', [weights], { perm: [2, 3, 1, 0] }),
    wholes([inner, filters]),
  ]);
  const made = ctx.apply('Transpose', [ctx.apply('MatMul', [pixels, matrix])], { perm: [0, 2, 1] });
  return ctx.apply('Reshape', [made, wholes([batch, filters, rows, columns])]);
}
