/**
 * An LSTM in float32, written out step by step: with another activation than tanh, or with weights of 8 bits, before which TFLite brings
 * inputs and states to 8 bits, each step by its own largest value.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import type { NodeContext } from './context.js';
import { biasesOf, joined, joinedRows, type LstmForm, type Places } from './lstm-parts.js';
import { hybridProducts, type Products, realProducts } from './recurrent-products.js';
import { sliced } from './slicing.js';

export const MAX_STEPS = 1024;
/** Longer sequences with weights of 8 bits take them as real numbers: what is written out is some twenty operators a step. */
export const MAX_HYBRID_STEPS = 128;

export interface StepsForm extends LstmForm {
  /** Whether the weights are int8 and operands rounded to 8 bits before them. */
  readonly isHybrid: boolean;
}

/** @returns [1, steps, 1, units] */
export function lstmStepByStep(node: NodeContext, x: TensorId, places: Places, form: StepsForm): TensorId {
  const { units, steps } = form;
  if (steps > MAX_STEPS) unsupported(`${steps} steps`);
  const { ofInput, ofState } = products(node, places, form);
  const projected = ofInput(x);
  let hidden = node.state(places.outputState, [1, units], 'float32');
  let cell = node.state(places.cellState, [1, units], 'float32');
  const outputs: TensorId[] = [];
  for (let step = 0; step < steps; step++) {
    const row = places.isReverse ? steps - 1 - step : step;
    const own = node.reshape(sliced(node, projected, 1, row, 1), [1, 4 * units]);
    const sums = node.emit({ kind: 'add', inputs: [own, ofState(hidden)] });
    const next = nextState(node, sums, cell, form);
    hidden = next.hidden;
    cell = next.cell;
    outputs[row] = node.reshape(hidden, [1, 1, 1, units]);
  }
  node.keepState(places.outputState, hidden);
  node.keepState(places.cellState, cell);
  return steps === 1 ? node.reshape(hidden, [1, 1, 1, units]) : node.emit({ kind: 'concat', axis: 1, inputs: outputs });
}

function products(node: NodeContext, places: Places, form: StepsForm): Products {
  const { units, inputs, isSymmetric } = form;
  const bias = biasesOf(node, places, units);
  if (form.isHybrid) {
    const rows = joinedRows(node, places.ofInput, units, inputs);
    const stateRows = joinedRows(node, places.ofState, units, units);
    const name = `${node.resultName}:bias`;
    const quantization = undefined;
    const all = { name, type: 'float32', shape: [4 * units], quantization, elements: () => bias } as const;
    return hybridProducts(node, { rows, stateRows, bias: all }, isSymmetric);
  }
  const rows = joined(node, places.ofInput, units * inputs);
  return realProducts(node, { rows, stateRows: joined(node, places.ofState, units * units), bias });
}

/** Whether all weights are int8 before operands of float32. */
export function isHybridLstm(node: NodeContext, { ofInput, ofState }: Places): boolean {
  const isHybrid = (position: number): boolean => node.constant(position, 'weights').type === 'int8';
  return [0, 1, 2, 3].every((gate) => isHybrid(ofInput + gate) && isHybrid(ofState + gate));
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
