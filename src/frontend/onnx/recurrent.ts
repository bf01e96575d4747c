/** LSTM and GRU: one operator for each direction, whose rows are the steps. */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { LARGEST_TABLE_BYTES, runsOf, stepsOfRun } from '../recurrent-sizes.js';
import { floatAttribute, intAttribute, stringAttribute } from './attributes.js';
import type { OpSpec } from './builder.js';
import { type Const, elementCountOf, shapeText } from './constant.js';
import { constantView } from './matmul.js';
import { malformed } from './problems.js';
import { importStepByStep, MOST_STEPS } from './recurrent-steps.js';
import {
  activation,
  computed,
  constantOperand,
  type NodeContext,
  outputName,
  requiredConstant,
  reshapeView,
  settled,
  type Value,
  valueDims,
  wholes,
  withOperands,
} from './value.js';
import { atomsInOrder, dimsOf, transposed, type View, viewInOrder } from './view.js';

interface Tools {
  readonly slice: (view: View, axis: number, start: number, size: number) => View;
  readonly join: (views: readonly View[], axis: number) => View;
}

export function importRecurrent(ctx: NodeContext, { slice, join }: Tools): Value[] {
  const { node } = ctx;
  if (node.operator === 'RNN' || !hasCell(ctx) || isTooLarge(ctx)) return importStepByStep(ctx);
  const isLstm = node.operator === 'LSTM';
  const gates = isLstm ? 4 : 3;
  const layout = intAttribute(node, 'layout', 0);
  const given = activation(ctx, 0);
  const x = layout === 0 ? given : transposed(given, [1, 0, 2]);
  const [steps = 1, batch = 1, inputs = 1] = dimsOf(x);
  if (batch > 1) return sequenceBySequence(ctx, batch, layout, { slice, join });
  const weights = requiredConstant(ctx, 1);
  const recurrence = requiredConstant(ctx, 2);
  const bias = constantOperand(ctx, 3);
  const [directions = 1, rows = 0] = weights.dims;
  const hidden = recurrence.dims[2] ?? 0;
  const fits =
    weights.dims.length === 3 && rows === gates * hidden && weights.dims[2] === inputs && recurrence.dims[1] === rows;
  if (!fits || hidden < 1) {
    const text = `weights ${shapeText(weights.dims)} and ${shapeText(recurrence.dims)} for ${inputs} input(s)`;
    malformed('SW2007', node.loc, `${node.operator}: ${text}`);
  }
  const direction = stringAttribute(node, 'direction', 'forward');
  if ((direction === 'bidirectional' ? 2 : 1) !== directions) {
    malformed('SW2007', node.loc, `${node.operator} ${direction} with weights of ${directions} direction(s)`);
  }
  const size = isLstm ? 2 * hidden : hidden;
  const own = [0, 1, 2];
  const stored = ctx.builder.materialise(x, atomsInOrder(x, own), ctx.origin);
  const input = ctx.builder.asShape(stored.tensor, [1, steps, 1, inputs], ctx.origin);
  const states = [5, ...(isLstm ? [6] : [])].map((position) => ctx.operands[position] !== undefined);
  const results = Array.from({ length: directions }, (_, d) => {
    const isReverse = direction === 'reverse' || d === 1;
    const initial = states.map((isGiven, i) => (isGiven ? stateOf(ctx, 5 + i, layout, d, slice) : undefined));
    const state = initialState(ctx, initial, hidden, d, join);
    const table = tableOf(ctx, { weights, recurrence, bias, direction: d, gates, hidden, inputs, isLstm });
    const spec: Cell = {
      kind: 'recurrent',
      cell: isLstm ? 'lstm' : 'gru',
      hidden,
      isReverse,
      resetsAfter: !isLstm && intAttribute(node, 'linear_before_reset', 0) !== 0,
      clip: 0,
    };
    const name = directions === 1 ? outputName(ctx) : `${outputName(ctx)}:${isReverse ? 'backward' : 'forward'}`;
    const all = inRuns(ctx, spec, { input, state, table, steps, inputs, size, name }, { slice, join });
    const y = isLstm ? slice(all, 3, 0, hidden) : all;
    const last = isReverse ? 0 : steps - 1;
    const end = (part: View): View => (steps === 1 ? part : slice(part, 0, last, 1));
    const cell = isLstm ? end(slice(all, 3, hidden, hidden)) : undefined;
    return { y, h: end(y), c: cell };
  });
  const both = (views: readonly View[]): View => (views.length === 1 ? (views[0] as View) : join(views, 1));
  const y = both(results.map((result) => result.y));
  const h = both(results.map((result) => result.h));
  // y [steps, directions, 1, hidden], states [directions, 1, hidden]; layout 1 has the batch first.
  const state = (view: View): View => {
    const flat = reshapeView(ctx, view, [directions, 1, hidden]);
    return layout === 0 ? flat : transposed(flat, [1, 0, 2]);
  };
  const outputs = [
    layout === 0 ? y : transposed(y, [2, 0, 1, 3]),
    state(h),
    ...(isLstm ? [state(both(results.flatMap((result) => result.c ?? [])))] : []),
  ];
  return outputs.map((view) => computed(view));
}

type Cell = Omit<Extract<OpSpec, { kind: 'recurrent' }>, 'inputs'>;

interface Sequence {
  readonly input: TensorId; // [1, steps, 1, inputs]
  readonly state: TensorId; // [1, 1, 1, size]
  readonly table: TensorId;
  readonly steps: number;
  readonly inputs: number;
  readonly size: number;
  readonly name: string;
}

/** One operator, or several that hand the state on. @returns [steps, 1, 1, size]: steps, directions, batch */
function inRuns(ctx: NodeContext, cell: Cell, sequence: Sequence, { slice, join }: Tools): View {
  const { input, table, steps, inputs, size, name } = sequence;
  const { builder, origin } = ctx;
  const length = stepsOfRun(steps, 4 * (inputs + size), 4 * (builder.shapeOf(table)[0] ?? 0));
  const whole = viewInOrder(input, [steps, 1, 1, inputs], [0, 1, 2, 3]);
  const stored = (view: View, shape: readonly number[]): TensorId =>
    builder.asShape(builder.materialise(view, atomsInOrder(view, [0, 1, 2, 3]), origin).tensor, shape, origin);
  let state = sequence.state;
  const parts: View[] = [];
  for (const { start, size: own } of runsOf(steps, length, cell.isReverse)) {
    const x = own === steps ? input : stored(slice(whole, 0, start, own), [1, own, 1, inputs]);
    const part = length === steps ? name : `${name}:${start}`;
    const tensor = builder.emit({ ...cell, inputs: [x, state, table] }, part, [1, own, 1, size], origin);
    const view = viewInOrder(tensor, [own, 1, 1, size], [0, 1, 2, 3]);
    parts.push(view);
    if (own < steps) state = stored(slice(view, 0, cell.isReverse ? 0 : own - 1, 1), [1, 1, 1, size]);
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : join(cell.isReverse ? parts.reverse() : parts, 0);
}

/** Several sequences: one after the other, with the same weights, each with its own initial state. */
function sequenceBySequence(ctx: NodeContext, batch: number, layout: number, tools: Tools): Value[] {
  if (batch > MOST_SEQUENCES) unsupported(`${batch} sequences, at most ${MOST_SEQUENCES}`);
  const lengths = constantOperand(ctx, 4);
  const one = (position: number, axis: number, i: number): Value | undefined => {
    if (ctx.operands[position] === undefined) return undefined;
    return ctx.apply('Slice', [settled(ctx, position), wholes([i]), wholes([i + 1]), wholes([axis])]);
  };
  const stateAxis = layout === 0 ? 1 : 0;
  const runs = ctx.builder.repeat(batch, (i) => {
    const [x, h, c] = [one(0, stateAxis, i), one(5, stateAxis, i), one(6, stateAxis, i)];
    const length = lengths === undefined ? undefined : wholes([lengths.elements()[i] ?? 0]);
    const operands = [x, ...ctx.operands.slice(1, 4), length, h, c, ctx.operands[7]];
    return importRecurrent(withOperands(ctx, operands), tools);
  });
  // y [steps, directions, batch, hidden] and states [directions, batch, hidden]; layout 1 has the batch first.
  return (runs[0] ?? []).map((_, k) => {
    const parts = runs.flatMap((run) => run[k] ?? []);
    return ctx.apply('Concat', parts, { axis: layout === 1 ? 0 : k === 0 ? 2 : 1 });
  });
}

const MOST_SEQUENCES = 64;

/** Weights that one operator could not hold, and steps that can be spelled out. */
function isTooLarge(ctx: NodeContext): boolean {
  const [, rows = 0, inputs = 0] = valueDims(settled(ctx, 1));
  const hidden = valueDims(settled(ctx, 2))[2] ?? 0;
  const steps = valueDims(settled(ctx, 0))[intAttribute(ctx.node, 'layout', 0) === 0 ? 0 : 1] ?? 1;
  return 4 * rows * (inputs + hidden + 2) > LARGEST_TABLE_BYTES && steps <= MOST_STEPS;
}

/** Whether the form is that of the machine's cells; another is spelled out step by step. */
function hasCell(ctx: NodeContext): boolean {
  const { node } = ctx;
  const isLstm = node.operator === 'LSTM';
  const x = settled(ctx, 0);
  const steps = valueDims(x)[intAttribute(node, 'layout', 0) === 0 ? 0 : 1];
  const isKnown = (position: number, expected: (element: number) => boolean): boolean => {
    const value = ctx.operands[position];
    return value === undefined || (value.kind === 'constant' && value.constant.elements().every(expected));
  };
  const names = (node.attributes.get('activations')?.strings ?? []).map((name) => Buffer.from(name).toString());
  const usual = isLstm ? ['sigmoid', 'tanh', 'tanh'] : ['sigmoid', 'tanh'];
  return (
    x.kind === 'activation' &&
    [1, 2, 3].every((position) => ctx.operands[position]?.kind !== 'activation') &&
    isKnown(4, (length) => length === steps) &&
    (!isLstm || isKnown(7, (weight) => weight === 0)) &&
    floatAttribute(node, 'clip', 0) === 0 &&
    !(isLstm && intAttribute(node, 'input_forget', 0) !== 0) &&
    names.every((name, i) => name.toLowerCase() === usual[i % usual.length])
  );
}

/** One direction of an initial state, [1, hidden]. */
function stateOf(ctx: NodeContext, position: number, layout: number, direction: number, slice: Tools['slice']): View {
  const view = ctx.operands[position]?.kind === 'constant' ? constantView(ctx, position) : activation(ctx, position);
  const turned = layout === 0 ? view : transposed(view, [1, 0, 2]);
  const [directions = 1, , hidden = 1] = dimsOf(turned);
  const one = directions === 1 ? turned : slice(turned, 0, direction, 1);
  return reshapeView(ctx, one, [1, hidden]);
}

/** h, and c behind it, as one pixel. */
function initialState(
  ctx: NodeContext,
  given: readonly (View | undefined)[],
  hidden: number,
  direction: number,
  join: Tools['join'],
): TensorId {
  const size = given.length * hidden;
  const zeros = (what: string, count: number): TensorId =>
    ctx.builder.constant(
      `${outputName(ctx)}:${what}${direction}`,
      [1, 1, 1, count],
      () => ({ data: new Float32Array(count) }),
      ctx.origin.loc,
    );
  if (given.every((view) => view === undefined)) return zeros('state', size);
  const parts = given.map((view, i) => view ?? viewInOrder(zeros(`state${i}:`, hidden), [1, hidden], [0, 1]));
  const [first] = parts;
  if (first === undefined) throw new Error('a recurrent operator has a state');
  const whole = parts.length === 1 ? first : join(parts, 1);
  const stored = ctx.builder.materialise(whole, atomsInOrder(whole, [0, 1]), ctx.origin);
  return ctx.builder.asShape(stored.tensor, [1, 1, 1, size], ctx.origin);
}

interface Table {
  readonly weights: Const;
  readonly recurrence: Const;
  readonly bias: Const | undefined;
  readonly direction: number;
  readonly gates: number;
  readonly hidden: number;
  readonly inputs: number;
  readonly isLstm: boolean;
}

/**
 * Gates in the order i, f, g, o of an LSTM and z, r, h of a GRU: rows of the inputs' weights, rows of the recurrent weights, the
 * inputs' biases, the recurrent biases. ONNX has i, o, f, g and z, r, h.
 */
function tableOf(ctx: NodeContext, table: Table): TensorId {
  const { weights, recurrence, bias, direction, gates, hidden, inputs, isLstm } = table;
  const order = isLstm ? [0, 2, 3, 1] : [0, 1, 2];
  const rows = gates * hidden;
  const total = rows * (inputs + hidden + 2);
  const data = (): Float32Array => {
    const result = new Float32Array(total);
    let to = 0;
    const copy = (constant: Const | undefined, start: number, length: number): void => {
      const elements = constant?.elements();
      for (const gate of order) {
        const from = start + gate * hidden * length;
        if (elements !== undefined) result.set(elements.subarray(from, from + hidden * length), to);
        to += hidden * length;
      }
    };
    copy(weights, direction * rows * inputs, inputs);
    copy(recurrence, direction * rows * hidden, hidden);
    copy(bias, direction * 2 * rows, 1);
    copy(bias, direction * 2 * rows + rows, 1);
    return result;
  };
  if (bias !== undefined && bias.elementCount !== elementCountOf([weights.dims[0] ?? 1, 2, rows])) {
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator}: bias ${shapeText(bias.dims)} for ${rows} rows`);
  }
  const name = `${outputName(ctx)}:weights${direction}`;
  return ctx.builder.constant(name, [total], () => ({ data: data() }), ctx.origin.loc);
}
