/** An LSTM in float32, written out step by step: with another activation than tanh. */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { POINT } from './binary-constant.js';
import type { NodeContext } from './context.js';
import { biasesOf, joined, type LstmForm, type Places } from './lstm-parts.js';
import { sliced } from './slicing.js';

export const MAX_STEPS = 1024;

/** @returns [1, steps, 1, units] */
export function lstmStepByStep(node: NodeContext, x: TensorId, places: Places, form: LstmForm): TensorId {
  const { units, steps, inputs } = form;
  if (steps > MAX_STEPS) unsupported(`${steps} steps`);
  const { builder, loc, resultName: name } = node;
  const constant = (what: string, shape: readonly number[], data: Float32Array): TensorId =>
    builder.addConstant({ name: `${name}:${what}`, shape, data, loc });
  const ofInput = constant('input', [4 * units, 1, 1, inputs], joined(node, places.ofInput, units * inputs));
  const ofState = constant('state', [4 * units, units], joined(node, places.ofState, units * units));
  const bias = constant('bias', [4 * units], biasesOf(node, places, units));
  const zeros = constant('zeros', [4 * units], new Float32Array(4 * units));
  const projected = node.emit({ kind: 'conv2d', window: POINT, groups: 1, inputs: [x, ofInput, bias] });
  let hidden = node.state(places.outputState, [1, units], 'float32');
  let cell = node.state(places.cellState, [1, units], 'float32');
  const outputs: TensorId[] = [];
  for (let step = 0; step < steps; step++) {
    const row = places.isReverse ? steps - 1 - step : step;
    const own = node.reshape(sliced(node, projected, 1, row, 1), [1, 4 * units]);
    const past = node.emit({ kind: 'dense', inputs: [hidden, ofState, zeros] });
    const sums = node.emit({ kind: 'add', inputs: [own, past] });
    const next = nextState(node, sums, cell, form);
    hidden = next.hidden;
    cell = next.cell;
    outputs[row] = node.reshape(hidden, [1, 1, 1, units]);
  }
  node.keepState(places.outputState, hidden);
  node.keepState(places.cellState, cell);
  return steps === 1 ? node.reshape(hidden, [1, 1, 1, units]) : node.emit({ kind: 'concat', axis: 1, inputs: outputs });
}

function nextState(
  node: NodeContext,
  sums: TensorId,
  cell: TensorId,
  { units, fn, clip }: LstmForm,
): { readonly hidden: TensorId; readonly cell: TensorId } {
  const gate = (index: number): TensorId => sliced(node, sums, 1, index * units, units);
  const sigmoid = (id: TensorId): TensorId =>
    node.emit({ kind: 'unary', fn: 'sigmoid', alpha: 0, beta: 0, inputs: [id] });
  const kept = node.emit({ kind: 'mul', inputs: [sigmoid(gate(1)), cell] });
  const fresh = node.emit({ kind: 'mul', inputs: [sigmoid(gate(0)), withFused(node, gate(2), fn)] });
  const sum = node.emit({ kind: 'add', inputs: [kept, fresh] });
  const limited = clip > 0 ? node.emit({ kind: 'clamp', lo: -clip, hi: clip, inputs: [sum] }) : sum;
  const hidden = node.emit({ kind: 'mul', inputs: [sigmoid(gate(3)), withFused(node, limited, fn)] });
  return { hidden, cell: limited };
}
