/** ScatterND, ScatterElements: rows or elements put where indices say, or combined with what is there. */
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis, stringAttribute } from './attributes.js';
import { computedTuples, flatPositions, tuplePositions } from './by-index.js';
import { elementCountOf, shapeText } from './constant.js';
import { malformed } from './problems.js';
import { type NodeContext, reals, settled, type Value, valueDims, wholes } from './value.js';

/** Operator of each reduction, and what changes nothing. */
const REDUCTIONS: Readonly<Record<string, readonly [string, number]>> = {
  add: ['Add', 0],
  mul: ['Mul', 1],
  max: ['Max', -3.4028234663852886e38],
  min: ['Min', 3.4028234663852886e38],
};

/** Updates by computed indices: one after the other. */
const MOST_COMPUTED = 64;

function scatterNd(ctx: NodeContext): Value[] {
  const data = settled(ctx, 0);
  const own = valueDims(data);
  const indices = settled(ctx, 1);
  const depth = valueDims(indices).at(-1) ?? 0;
  if (depth < 1 || depth > own.length)
    malformed('SW2007', ctx.node.loc, `ScatterND by ${shapeText(valueDims(indices))}`);
  const rows = elementCountOf(own.slice(0, depth));
  if (indices.kind === 'constant') {
    return [scattered(ctx, data, rows, tuplePositions(ctx, own, depth, indices.constant.elements()))];
  }
  return [
    replacedByComputed(ctx, data, rows, ctx.apply('Reshape', [computedTuples(ctx, indices, own, depth), wholes([-1])])),
  ];
}

function scatterElements(ctx: NodeContext): Value[] {
  const data = settled(ctx, 0);
  const own = valueDims(data);
  const indices = settled(ctx, 1);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', 0), own.length);
  if (valueDims(indices).length !== own.length) {
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of ${shapeText(own)} by ${shapeText(valueDims(indices))}`);
  }
  if (indices.kind !== 'constant') return unsupported('computed indices of single elements');
  const positions = flatPositions(ctx, indices.constant.dims, own, axis, indices.constant.elements());
  return [scattered(ctx, data, elementCountOf(own), positions)];
}

/** The data as `rows` rows, with the updates as rows for the `positions`. */
function scattered(ctx: NodeContext, data: Value, rows: number, positions: readonly number[]): Value {
  if (rows > 2 ** 22) unsupported(`${rows} places`);
  const dims = valueDims(data);
  const length = elementCountOf(dims) / Math.max(rows, 1);
  const updates = updatesOf(ctx, positions.length, length);
  const reduction = stringAttribute(ctx.node, 'reduction', 'none');
  const flat = ctx.apply('Reshape', [data, wholes([rows, length])]);
  const result =
    reduction === 'none' ? replaced(ctx, flat, updates, positions) : combined(ctx, flat, updates, positions);
  return ctx.apply('Reshape', [result, wholes(dims)]);
}

/** The updates as rows. */
function updatesOf(ctx: NodeContext, count: number, length: number): Value {
  const updates = settled(ctx, 2);
  if (elementCountOf(valueDims(updates)) !== count * length) {
    const text = `${shapeText(valueDims(updates))} for ${count} place(s) of ${length} element(s)`;
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator}: updates ${text}`);
  }
  return ctx.apply('Reshape', [updates, wholes([count, length])]);
}

/** The last of several for one place counts. */
function replaced(ctx: NodeContext, rows: Value, updates: Value, positions: readonly number[]): Value {
  const count = valueDims(rows)[0] ?? 0;
  const from = Array.from({ length: count }, (_, row) => row);
  positions.forEach((position, i) => {
    from[position] = count + i;
  });
  return ctx.apply('Gather', [ctx.apply('Concat', [rows, updates], { axis: 0 }), wholes(from)], { axis: 0 });
}

/** Combined with the data: in as many turns as one place has updates, every other row with what changes nothing. */
function combined(ctx: NodeContext, rows: Value, updates: Value, positions: readonly number[]): Value {
  const name = stringAttribute(ctx.node, 'reduction', 'none');
  const [operator, neutral] = REDUCTIONS[name] ?? unsupported(`reduction '${name}'`);
  const [count = 0, length = 0] = valueDims(rows);
  const turns: number[][] = [];
  const seen = new Map<number, number>();
  positions.forEach((position, i) => {
    const turn = seen.get(position) ?? 0;
    seen.set(position, turn + 1);
    turns[turn] ??= new Array<number>(count).fill(positions.length);
    (turns[turn] as number[])[position] = i;
  });
  const idle = reals(new Array<number>(length).fill(neutral), [1, length]);
  const choices = ctx.apply('Concat', [updates, idle], { axis: 0 });
  return turns.reduce(
    (sum, from) => ctx.apply(operator, [sum, ctx.apply('Gather', [choices, wholes(from)], { axis: 0 })]),
    rows,
  );
}

/** @param positions [count], of rows */
function replacedByComputed(ctx: NodeContext, data: Value, rows: number, positions: Value): Value {
  const count = valueDims(positions)[0] ?? 0;
  if (count > MOST_COMPUTED) unsupported(`${count} updates by computed indices, at most ${MOST_COMPUTED}`);
  const dims = valueDims(data);
  const length = elementCountOf(dims) / Math.max(rows, 1);
  const updates = updatesOf(ctx, count, length);
  const reduction = stringAttribute(ctx.node, 'reduction', 'none');
  const places = reals(
    Array.from({ length: rows }, (_, row) => row),
    [rows, 1],
  );
  let result = ctx.apply('Reshape', [data, wholes([rows, length])]);
  for (let i = 0; i < count; i++) {
    const part = (value: Value): Value => ctx.apply('Slice', [value, wholes([i]), wholes([i + 1]), wholes([0])]);
    const isHere = ctx.apply('Equal', [places, ctx.apply('Reshape', [part(positions), wholes([1, 1])])]);
    const update = part(updates);
    const fresh = reduction === 'none' ? update : combinedWith(ctx, reduction, result, update);
    result = ctx.apply('Where', [isHere, fresh, result]);
  }
  return ctx.apply('Reshape', [result, wholes(dims)]);
}

function combinedWith(ctx: NodeContext, reduction: string, rows: Value, update: Value): Value {
  const [operator] = REDUCTIONS[reduction] ?? unsupported(`reduction '${reduction}'`);
  return ctx.apply(operator, [rows, update]);
}

export const SCATTERS: readonly (readonly [string, (ctx: NodeContext) => readonly Value[]])[] = [
  ['ScatterND', scatterNd],
  ['ScatterElements', scatterElements],
  ['Scatter', scatterElements],
];
