/** ReverseSequence and CenterCropPad of lengths known at import: slices, gathers and paddings. */
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, normaliseAxis } from './attributes.js';
import { malformed } from './problems.js';
import { type NodeContext, requiredConstant, settled, type Value, valueDims, wholes } from './value.js';

/** One sequence after the other, so code grows with them. */
const MOST_SEQUENCES = 64;

/** The first elements of each sequence, as many as its length says, in the other order. */
function reverseSequence(ctx: NodeContext): Value[] {
  const x = settled(ctx, 0);
  const dims = valueDims(x);
  const batchAxis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'batch_axis', 1), dims.length);
  const timeAxis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'time_axis', 0), dims.length);
  const lengths = [...requiredConstant(ctx, 1).elements()];
  const [batch = 1, steps = 1] = [dims[batchAxis], dims[timeAxis]];
  if (batchAxis === timeAxis || lengths.length !== batch || lengths.some((length) => length < 0 || length > steps)) {
    malformed('SW2007', ctx.node.loc, `ReverseSequence of lengths ${lengths.join(', ')} of [${dims.join(', ')}]`);
  }
  const reversed = (value: Value, length: number): Value => {
    const positions = Array.from({ length: steps }, (_, i) => (i < length ? length - 1 - i : i));
    return length < 2 ? value : ctx.apply('Gather', [value, wholes(positions)], { axis: timeAxis });
  };
  const [first = 0] = lengths;
  if (lengths.every((length) => length === first)) return [reversed(x, first)];
  if (batch > MOST_SEQUENCES) unsupported(`${batch} sequences, at most ${MOST_SEQUENCES}`);
  const parts = lengths.map((length, i) => {
    const own = ctx.apply('Slice', [x, wholes([i]), wholes([i + 1]), wholes([batchAxis])]);
    return reversed(own, length);
  });
  return [ctx.apply('Concat', parts, { axis: batchAxis })];
}

/** What is too long loses as much on both sides, what is too short gains zeros; of an odd number the end has one more. */
function centerCropPad(ctx: NodeContext): Value[] {
  const dims = valueDims(settled(ctx, 0));
  const given = intsAttribute(ctx.node, 'axes') ?? dims.map((_, axis) => axis);
  const axes = given.map((axis) => normaliseAxis(ctx.node, axis, dims.length));
  const sizes = [...requiredConstant(ctx, 1).elements()];
  if (sizes.length !== axes.length || sizes.some((size) => size < 1)) {
    malformed('SW2007', ctx.node.loc, `CenterCropPad of ${axes.length} axes to [${sizes.join(', ')}]`);
  }
  const pads = new Array<number>(2 * dims.length).fill(0);
  let value = settled(ctx, 0);
  for (const [i, axis] of axes.entries()) {
    const [extent = 1, size = 1] = [dims[axis], sizes[i]];
    const before = Math.floor(Math.abs(extent - size) / 2);
    if (extent > size) {
      value = ctx.apply('Slice', [value, wholes([before]), wholes([before + size]), wholes([axis])]);
    } else {
      pads[axis] = before;
      pads[dims.length + axis] = size - extent - before;
    }
  }
  return [pads.some((pad) => pad > 0) ? ctx.apply('Pad', [value, wholes(pads)]) : value];
}

export const REVERSALS: readonly (readonly [string, (ctx: NodeContext) => readonly Value[]])[] = [
  ['ReverseSequence', reverseSequence],
  ['CenterCropPad', centerCropPad],
];
