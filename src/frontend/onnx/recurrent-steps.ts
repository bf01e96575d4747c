/** RNN, and the forms of LSTM and GRU that the machine has no cell for: every step spelled out. */
import { unsupported } from '../import-problems.js';
import { floatAttribute, floatsAttribute, intAttribute, stringAttribute } from './attributes.js';
import { malformed } from './problems.js';
import { type NodeContext, real, reals, settled, type Value, valueDims, wholes } from './value.js';

export const MOST_STEPS = 1024;

/** Gates of each operator, and the functions that they have when the model names none. */
const CELLS: Readonly<Record<string, { readonly gates: number; readonly functions: readonly string[] }>> = {
  RNN: { gates: 1, functions: ['Tanh'] },
  GRU: { gates: 3, functions: ['Sigmoid', 'Tanh'] },
  LSTM: { gates: 4, functions: ['Sigmoid', 'Tanh', 'Tanh'] },
};

type Activation = (x: Value) => Value;

/** What one direction of the operator works with. */
interface Direction {
  readonly projected: Value; // [steps, batch, gates * hidden]: products of the inputs, with all biases that are added at once
  readonly recurrence: Value; // [hidden, gates * hidden]
  readonly recurrenceBias: Value | undefined; // [gates * hidden], of a GRU whose reset comes after it
  readonly peepholes: Value | undefined; // [3 * hidden]
  readonly functions: readonly Activation[];
  readonly hidden: number;
  readonly batch: number;
}

interface State {
  readonly h: Value | undefined; // [batch, hidden]; zero where absent
  readonly c: Value | undefined;
}

export function importStepByStep(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const cell = CELLS[node.operator];
  if (cell === undefined) throw new Error(`${node.operator} is no recurrent operator`);
  const isBatchFirst = intAttribute(node, 'layout', 0) !== 0;
  const sequencesFirst = (value: Value): Value => ctx.apply('Transpose', [value], { perm: [1, 0, 2] });
  const x = isBatchFirst ? sequencesFirst(settled(ctx, 0)) : settled(ctx, 0);
  const [steps = 1, batch = 1] = valueDims(x);
  if (steps > MOST_STEPS) unsupported(`${steps} steps of a form that is spelled out, at most ${MOST_STEPS}`);
  const [directions = 1] = valueDims(settled(ctx, 1));
  const hidden = valueDims(settled(ctx, 2))[2] ?? 0;
  const lengths = ctx.operands[4] === undefined ? undefined : settled(ctx, 4);
  const runs = Array.from({ length: directions }, (_, d) => {
    const isBackward = stringAttribute(node, 'direction', 'forward') === 'reverse' || d === 1;
    const direction = directionOf(ctx, x, d, cell, hidden, batch);
    return run(ctx, direction, {
      steps: Array.from({ length: steps }, (_step, i) => (isBackward ? steps - 1 - i : i)),
      lengths: lengths === undefined ? undefined : ctx.apply('Reshape', [lengths, wholes([batch, 1])]),
      initial: {
        h: initialOf(ctx, 5, d, isBatchFirst),
        c: node.operator === 'LSTM' ? initialOf(ctx, 6, d, isBatchFirst) : undefined,
      },
    });
  });
  const zeros = reals(new Array<number>(batch * hidden).fill(0), [batch, hidden]);
  // Each direction [batch, hidden] as [1, batch, hidden]; the batch first where the model says so.
  const state = (pick: (result: State) => Value | undefined): Value => {
    const joined = stacked(
      ctx,
      runs.map(({ end }) => pick(end) ?? zeros),
    );
    return isBatchFirst ? sequencesFirst(joined) : joined;
  };
  const all = stacked(
    ctx,
    Array.from({ length: steps }, (_, t) =>
      stacked(
        ctx,
        runs.map(({ outputs }) => outputs[t] ?? zeros),
      ),
    ),
  );
  const y = isBatchFirst ? ctx.apply('Transpose', [all], { perm: [2, 0, 1, 3] }) : all;
  return [y, state(({ h }) => h), ...(node.operator === 'LSTM' ? [state(({ c }) => c)] : [])];
}

interface Order {
  readonly steps: readonly number[]; // in the order in which they are taken
  readonly lengths: Value | undefined; // [batch, 1]
  readonly initial: State;
}

function run(ctx: NodeContext, direction: Direction, order: Order): { outputs: Value[]; end: State } {
  const outputs: Value[] = [];
  let state = order.initial;
  for (const t of order.steps) {
    const x = ctx.apply('Gather', [direction.projected, wholes([t], [])], { axis: 0 });
    const next = step(ctx, direction, x, state);
    if (order.lengths === undefined) {
      outputs[t] = next.h;
      state = next;
      continue;
    }
    // A sequence that has ended keeps its state, and its output is 0.
    const goesOn = ctx.apply('Greater', [order.lengths, wholes([t], [1, 1])]);
    const choose = (fresh: Value, old: Value | undefined): Value => ctx.apply('Where', [goesOn, fresh, old ?? real(0)]);
    outputs[t] = choose(next.h, undefined);
    state = { h: choose(next.h, state.h), c: next.c === undefined ? undefined : choose(next.c, state.c) };
  }
  return { outputs, end: state };
}

function step(ctx: NodeContext, direction: Direction, x: Value, state: State): { h: Value; c: Value | undefined } {
  const { operator } = ctx.node;
  if (operator === 'GRU') return { h: gruStep(ctx, direction, x, state.h), c: undefined };
  const sums = sum(ctx, x, product(ctx, state.h, direction.recurrence));
  if (operator === 'RNN') return { h: activated(ctx, direction, 0, sums), c: undefined };
  return lstmStep(ctx, direction, sums, state.c);
}

/** Gates in the order i, o, f, c. */
function lstmStep(ctx: NodeContext, direction: Direction, sums: Value, c: Value | undefined): { h: Value; c: Value } {
  const { hidden } = direction;
  const peephole = (k: number, cell: Value | undefined): Value | undefined => {
    if (direction.peepholes === undefined || cell === undefined) return undefined;
    return ctx.apply('Mul', [cell, columns(ctx, direction.peepholes, k * hidden, hidden)]);
  };
  const gate = (k: number): Value => columns(ctx, sums, k * hidden, hidden);
  const input = activated(ctx, direction, 0, sum(ctx, gate(0), peephole(0, c)));
  const candidate = activated(ctx, direction, 1, gate(3));
  const fresh = ctx.apply('Mul', [input, candidate]);
  const forget = (): Value => {
    if (intAttribute(ctx.node, 'input_forget', 0) !== 0) return ctx.apply('Sub', [real(1), input]);
    return activated(ctx, direction, 0, sum(ctx, gate(2), peephole(2, c)));
  };
  const next = c === undefined ? fresh : ctx.apply('Add', [ctx.apply('Mul', [forget(), c]), fresh]);
  const output = activated(ctx, direction, 0, sum(ctx, gate(1), peephole(1, next)));
  return { h: ctx.apply('Mul', [output, activated(ctx, direction, 2, next)]), c: next };
}

/** Gates in the order z, r, h. */
function gruStep(ctx: NodeContext, direction: Direction, x: Value, h: Value | undefined): Value {
  const { hidden, recurrence, recurrenceBias } = direction;
  const part = (value: Value, k: number, count = 1): Value => columns(ctx, value, k * hidden, count * hidden);
  const gates = sum(ctx, part(x, 0, 2), product(ctx, h, part(recurrence, 0, 2)));
  const update = activated(ctx, direction, 0, columns(ctx, gates, 0, hidden));
  const reset = activated(ctx, direction, 0, columns(ctx, gates, hidden, hidden));
  const own = part(recurrence, 2);
  const remembered = (): Value | undefined => {
    if (recurrenceBias === undefined) {
      return h === undefined ? undefined : product(ctx, ctx.apply('Mul', [reset, h]), own);
    }
    const before = product(ctx, h, own);
    const biased = before === undefined ? recurrenceBias : ctx.apply('Add', [before, recurrenceBias]);
    return ctx.apply('Mul', [reset, biased]);
  };
  const candidate = activated(ctx, direction, 1, sum(ctx, part(x, 2), remembered()));
  const fresh = ctx.apply('Mul', [ctx.apply('Sub', [real(1), update]), candidate]);
  return h === undefined ? fresh : ctx.apply('Add', [fresh, ctx.apply('Mul', [update, h])]);
}

function activated(ctx: NodeContext, direction: Direction, which: number, value: Value): Value {
  const limit = floatAttribute(ctx.node, 'clip', 0);
  const clipped = limit === 0 ? value : ctx.apply('Clip', [value, real(-limit), real(limit)]);
  return direction.functions[which]?.(clipped) ?? clipped;
}

const sum = (ctx: NodeContext, a: Value, b: Value | undefined): Value =>
  b === undefined ? a : ctx.apply('Add', [a, b]);

function product(ctx: NodeContext, h: Value | undefined, by: Value): Value | undefined {
  return h === undefined ? undefined : ctx.apply('MatMul', [h, by]);
}

/** Along the last axis. */
function columns(ctx: NodeContext, value: Value, start: number, size: number): Value {
  const axis = valueDims(value).length - 1;
  if (valueDims(value)[axis] === size) return value;
  return ctx.apply('Slice', [value, wholes([start]), wholes([start + size]), wholes([axis])]);
}

/** Values of one shape along a new first axis. */
function stacked(ctx: NodeContext, parts: readonly Value[]): Value {
  const apart = parts.map((part) => ctx.apply('Unsqueeze', [part, wholes([0])], { axes: [0] }));
  const [first] = apart;
  return apart.length === 1 && first !== undefined ? first : ctx.apply('Concat', apart, { axis: 0 });
}

function directionOf(
  ctx: NodeContext,
  x: Value,
  d: number,
  cell: { readonly gates: number; readonly functions: readonly string[] },
  hidden: number,
  batch: number,
): Direction {
  const { gates } = cell;
  const own = (position: number): Value => ctx.apply('Gather', [settled(ctx, position), wholes([d], [])], { axis: 0 });
  const turned = (position: number): Value => ctx.apply('Transpose', [own(position)], { perm: [1, 0] });
  const weights = turned(1);
  const recurrence = turned(2);
  const [inputs, rows] = valueDims(weights);
  if (rows !== gates * hidden || valueDims(recurrence)[1] !== rows || valueDims(x)[2] !== inputs || hidden < 1) {
    const text = `weights ${valueDims(weights).join('x')} and ${valueDims(recurrence).join('x')}`;
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator}: ${text} for ${valueDims(x)[2] ?? 0} input(s)`);
  }
  const products = ctx.apply('MatMul', [x, weights]);
  const functions = functionsOf(ctx, cell.functions, d);
  const peepholes = ctx.node.operator === 'LSTM' && ctx.operands[7] !== undefined ? own(7) : undefined;
  const direction = { projected: products, recurrence, recurrenceBias: undefined, peepholes, functions, hidden, batch };
  if (ctx.operands[3] === undefined) return withLateBias(ctx, direction, undefined);
  const bias = own(3);
  const [first, second] = [columns(ctx, bias, 0, rows), columns(ctx, bias, rows, rows)];
  const isLate = ctx.node.operator === 'GRU' && intAttribute(ctx.node, 'linear_before_reset', 0) !== 0;
  if (!isLate) return { ...direction, projected: sum(ctx, sum(ctx, products, first), second) };
  const gateBias = columns(ctx, second, 0, 2 * hidden);
  const early = ctx.apply('Concat', [gateBias, reals(new Array<number>(hidden).fill(0))], { axis: 0 });
  const projected = sum(ctx, sum(ctx, products, first), early);
  return withLateBias(ctx, { ...direction, projected }, columns(ctx, second, 2 * hidden, hidden));
}

/** A GRU that resets after the product adds the bias of the candidate there. */
function withLateBias(ctx: NodeContext, direction: Direction, bias: Value | undefined): Direction {
  const isLate = ctx.node.operator === 'GRU' && intAttribute(ctx.node, 'linear_before_reset', 0) !== 0;
  return isLate
    ? { ...direction, recurrenceBias: bias ?? reals(new Array<number>(direction.hidden).fill(0)) }
    : direction;
}

/** One direction of an initial state, [batch, hidden]. */
function initialOf(ctx: NodeContext, position: number, d: number, isBatchFirst: boolean): Value | undefined {
  if (ctx.operands[position] === undefined) return undefined;
  return ctx.apply('Gather', [settled(ctx, position), wholes([d], [])], { axis: isBatchFirst ? 1 : 0 });
}

/** Functions of one direction; their parameters stand in two lists, in the order of the functions that have them. */
function functionsOf(ctx: NodeContext, usual: readonly string[], d: number): Activation[] {
  const { node } = ctx;
  const named = (node.attributes.get('activations')?.strings ?? []).map((name) => Buffer.from(name).toString());
  const names = named.length === 0 ? usual : named;
  const alphas = [...(floatsAttribute(node, 'activation_alpha') ?? [])];
  const betas = [...(floatsAttribute(node, 'activation_beta') ?? [])];
  const all = names.map((name) => functionNamed(ctx, name, alphas, betas));
  return all.length > usual.length ? all.slice(d * usual.length, (d + 1) * usual.length) : all;
}

function functionNamed(ctx: NodeContext, name: string, alphas: number[], betas: number[]): Activation {
  const alpha = (usual: number): number => alphas.shift() ?? usual;
  const beta = (usual: number): number => betas.shift() ?? usual;
  const plain = ['Relu', 'Tanh', 'Sigmoid', 'Softsign', 'Softplus'].find(
    (known) => known.toLowerCase() === name.toLowerCase(),
  );
  if (plain !== undefined) return (x) => ctx.apply(plain, [x]);
  switch (name.toLowerCase()) {
    case 'affine': {
      const [a, b] = [alpha(1), beta(0)];
      return (x) => ctx.apply('Add', [ctx.apply('Mul', [x, real(a)]), real(b)]);
    }
    case 'scaledtanh': {
      const [a, b] = [alpha(1), beta(1)];
      return (x) => ctx.apply('Mul', [ctx.apply('Tanh', [ctx.apply('Mul', [x, real(b)])]), real(a)]);
    }
    case 'leakyrelu':
      return ofOne(ctx, 'LeakyRelu', alpha(0.01));
    case 'elu':
      return ofOne(ctx, 'Elu', alpha(1));
    case 'thresholdedrelu':
      return ofOne(ctx, 'ThresholdedRelu', alpha(1));
    case 'hardsigmoid': {
      const [a, b] = [alpha(0.2), beta(0.5)];
      return (x) => ctx.apply('HardSigmoid', [x], { alpha: { real: a }, beta: { real: b } });
    }
    default:
      return unsupported(`the activation ${name}`);
  }
}

const ofOne =
  (ctx: NodeContext, operator: string, alpha: number): Activation =>
  (x) =>
    ctx.apply(operator, [x], { alpha: { real: alpha } });
