/** GridSample: images read at computed places, as rows of a table whose rows are the pixels. */
import { unsupported } from '../import-problems.js';
import { intAttribute, stringAttribute } from './attributes.js';
import { malformed } from './problems.js';
import { type NodeContext, real, settled, type Value, valueDims, wholes } from './value.js';

type Padding = 'zeros' | 'border' | 'reflection';

/** A place along one axis, and the weight of what is there. */
interface Tap {
  readonly position: Value; // whole number
  readonly weight: Value | undefined; // 1 where absent
}

export function importGridSample(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const [x, grid] = [settled(ctx, 0), settled(ctx, 1)];
  const [images = 1, channels = 1, height = 1, width = 1] = valueDims(x);
  const [, rows = 1, columns = 1, two] = valueDims(grid);
  if (valueDims(x).length !== 4) unsupported(`of ${valueDims(x).length} dimensions`);
  if (two !== 2 || valueDims(grid).length !== 4 || valueDims(grid)[0] !== images) {
    malformed('SW2007', node.loc, `GridSample by a grid of [${valueDims(grid).join(', ')}]`);
  }
  if (height * width > 2 ** 24) unsupported(`computed places in ${height * width} pixels`);
  const mode = stringAttribute(node, 'mode', 'bilinear');
  const padding = stringAttribute(node, 'padding_mode', 'zeros');
  if (padding !== 'zeros' && padding !== 'border' && padding !== 'reflection') unsupported(`padding_mode '${padding}'`);
  const isAligned = intAttribute(node, 'align_corners', 0) !== 0;
  const sampled = Array.from({ length: images }, (_, i) => {
    const own = (value: Value): Value => ctx.apply('Gather', [value, wholes([i], [])], { axis: 0 });
    const pixels = ctx.apply('Transpose', [own(x)], { perm: [1, 2, 0] });
    const table = ctx.apply('Reshape', [pixels, wholes([height * width, channels])]);
    const places = ctx.apply('Reshape', [own(grid), wholes([rows * columns, 2])]);
    const coordinate = (which: number, size: number): Value => {
      const one = ctx.apply('Slice', [places, wholes([which]), wholes([which + 1]), wholes([1])]);
      // [-1, 1] is from centre to centre of the outer pixels, or from edge to edge.
      const scale = isAligned ? (size - 1) / 2 : size / 2;
      return ctx.apply('Add', [ctx.apply('Mul', [one, real(scale)]), real((size - 1) / 2)]);
    };
    const along = { mode, padding, isAligned } as const;
    const taps = [
      tapsOf(ctx, { ...along, size: height, place: coordinate(1, height) }),
      tapsOf(ctx, { ...along, size: width, place: coordinate(0, width) }),
    ] as const;
    return gathered(ctx, table, taps, width);
  });
  const results = sampled.map((rowsOf) => {
    const image = ctx.apply('Reshape', [rowsOf, wholes([1, rows, columns, channels])]);
    return ctx.apply('Transpose', [image], { perm: [0, 3, 1, 2] });
  });
  const [only] = results;
  return [results.length === 1 && only !== undefined ? only : ctx.apply('Concat', results, { axis: 0 })];
}

/** The sum over all pairs of a row and a column, each pixel times both weights. */
function gathered(ctx: NodeContext, table: Value, [down, across]: readonly [Tap[], Tap[]], width: number): Value {
  let sum: Value | undefined;
  for (const row of down) {
    for (const column of across) {
      const place = ctx.apply('Add', [ctx.apply('Mul', [row.position, real(width)]), column.position]);
      const index = ctx.apply('Reshape', [ctx.apply('Cast', [place], { to: 7 }), wholes([-1])]);
      const weights = [row.weight, column.weight].filter((weight) => weight !== undefined);
      const [first, second] = weights;
      const weight = first === undefined || second === undefined ? first : ctx.apply('Mul', [first, second]);
      const read = ctx.apply('Gather', [table, index], { axis: 0 });
      const pixel = weight === undefined ? read : ctx.apply('Mul', [read, weight]);
      sum = sum === undefined ? pixel : ctx.apply('Add', [sum, pixel]);
    }
  }
  return sum ?? unsupported('no pixels');
}

interface Along {
  readonly mode: string;
  readonly padding: Padding;
  readonly isAligned: boolean;
  readonly size: number;
  readonly place: Value;
}

function tapsOf(ctx: NodeContext, along: Along): Tap[] {
  const { mode, padding, size } = along;
  const inside =
    padding === 'zeros' || mode === 'cubic' || mode === 'bicubic' ? along.place : broughtIn(ctx, along, along.place);
  if (mode === 'nearest') return [tapAt(ctx, along, ctx.apply('Round', [inside]), undefined)];
  const lower = ctx.apply('Floor', [inside]);
  const part = ctx.apply('Sub', [inside, lower]);
  const at = (step: number): Value => (step === 0 ? lower : ctx.apply('Add', [lower, real(step)]));
  if (mode === 'bilinear' || mode === 'linear') {
    return [tapAt(ctx, along, at(0), ctx.apply('Sub', [real(1), part])), tapAt(ctx, along, at(1), part)];
  }
  if (mode !== 'cubic' && mode !== 'bicubic') return unsupported(`mode '${mode}'`);
  if (size < 1) return unsupported('an empty image');
  return [-1, 0, 1, 2].map((step) => {
    const distance = ctx.apply('Abs', [ctx.apply('Sub', [part, real(step)])]);
    return tapAt(ctx, along, at(step), cubicWeight(ctx, distance, step === 0 || step === 1));
  });
}

/** Keys' cubic of -0.75: distances below 1, and from 1 to 2. */
function cubicWeight(ctx: NodeContext, distance: Value, isNear: boolean): Value {
  const a = -0.75;
  const polynomial = isNear ? [1, 0, -(a + 3), a + 2] : [-4 * a, 8 * a, -5 * a, a];
  return polynomial
    .toReversed()
    .reduce<Value>(
      (sum, coefficient, i) =>
        i === 0 ? real(coefficient) : ctx.apply('Add', [ctx.apply('Mul', [distance, sum]), real(coefficient)]),
      real(0),
    );
}

/** A whole position made one of the image; outside of it, with zeros, the weight is 0. */
function tapAt(ctx: NodeContext, along: Along, position: Value, weight: Value | undefined): Tap {
  const last = along.size - 1;
  const brought = along.padding === 'reflection' ? broughtIn(ctx, along, position) : position;
  const limited = ctx.apply('Clip', [brought, real(0), real(last)]);
  if (along.padding !== 'zeros') return { position: limited, weight };
  const isInside = ctx.apply('Cast', [ctx.apply('Equal', [limited, position])], { to: 1 });
  return { position: limited, weight: weight === undefined ? isInside : ctx.apply('Mul', [weight, isInside]) };
}

/** A place outside of the image: the border's, or mirrored at the border as often as it takes. */
function broughtIn(ctx: NodeContext, { padding, isAligned, size }: Along, place: Value): Value {
  const last = size - 1;
  if (padding !== 'reflection') return ctx.apply('Clip', [place, real(0), real(last)]);
  const [low, span] = isAligned ? [0, last] : [-0.5, size];
  if (span === 0) return ctx.apply('Mul', [place, real(0)]);
  const folded = ctx.apply('Mod', [ctx.apply('Abs', [ctx.apply('Sub', [place, real(low)])]), real(2 * span)]);
  const mirrored = ctx.apply('Min', [folded, ctx.apply('Sub', [real(2 * span), folded])]);
  return ctx.apply('Clip', [ctx.apply('Add', [mirrored, real(low)]), real(0), real(last)]);
}
