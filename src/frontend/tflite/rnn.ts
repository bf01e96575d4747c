/** RNN and its sequences, in float32, step by step; the state is carried from frame to frame as that of an LSTM is. */
import { elementCountOf } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { type Constant, realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { hybridProducts, type Products, realProducts } from './recurrent-products.js';
import { type FusedActivation, fusedActivation } from './schema.js';
import { sliced } from './slicing.js';

const RNN = { activation: 0, asymmetric: 1 } as const;
const SEQUENCE = { timeMajor: 0, activation: 1, asymmetric: 2 } as const;
const BIDIRECTIONAL = { timeMajor: 0, activation: 1, mergeOutputs: 2, asymmetric: 3 } as const;
const MAX_STEPS = 1024;

/** Operands of one direction: weights, recurrent weights, bias and state, one after the other. */
interface Direction {
  readonly first: number;
  readonly isReverse: boolean;
}

const FORWARD: Direction = { first: 1, isReverse: false };
const BACKWARD: Direction = { first: 5, isReverse: true };
const SECOND_INPUT = 9;

export const rnn: Importer = (node) => {
  const [batch = 0, inputs = 0] = node.shape(0);
  if (batch !== 1 || node.shape(0).length !== 2) unsupported(`an input of [${node.shape(0).join(', ')}]`);
  const own = { fn: activationOf(node, RNN.activation), isSymmetric: !node.options.bool(RNN.asymmetric) };
  const y = sequence(node, FORWARD, { steps: 1, inputs, ...own });
  return [activation(node.reshape(y, [1, unitsOf(node, FORWARD)]))];
};

export const sequenceRnn: Importer = (node) => {
  const { outside, ...form } = formOf(node, SEQUENCE.asymmetric);
  const y = sequence(node, FORWARD, form);
  return [activation(node.reshape(y, outside(unitsOf(node, FORWARD))))];
};

export const bidirectionalRnn: Importer = (node) => {
  if (node.has(SECOND_INPUT)) unsupported('a second input');
  const { outside, ...form } = formOf(node, BIDIRECTIONAL.asymmetric);
  const both = [FORWARD, BACKWARD].map((direction) => sequence(node, direction, form));
  const units = [FORWARD, BACKWARD].map((direction) => unitsOf(node, direction));
  if (!node.options.bool(BIDIRECTIONAL.mergeOutputs)) {
    return both.map((y, i) => activation(node.reshape(y, outside(units[i] ?? 0))));
  }
  const merged = node.emit({ kind: 'concat', axis: 3, inputs: both });
  return [activation(node.reshape(merged, outside((units[0] ?? 0) + (units[1] ?? 0))))];
};

interface Form {
  readonly steps: number;
  readonly inputs: number;
  readonly fn: FusedActivation;
  readonly isSymmetric: boolean; // of weights of 8 bits: operands are brought to 8 bits without a zero point
}

function formOf(node: NodeContext, asymmetric: number): Form & { readonly outside: (units: number) => number[] } {
  const shape = node.shape(0);
  const [first = 0, second = 0, inputs = 0] = shape;
  if (shape.length !== 3) malformed('SW2107', node.loc, `a sequence of [${shape.join(', ')}]`);
  const isTimeMajor = node.options.bool(SEQUENCE.timeMajor);
  const [steps, batch] = isTimeMajor ? [first, second] : [second, first];
  if (batch !== 1 || steps > MAX_STEPS) unsupported(`${steps} steps of ${batch} sequences`);
  const fn = activationOf(node, SEQUENCE.activation);
  const isSymmetric = !node.options.bool(asymmetric);
  const outside = (units: number): number[] => (isTimeMajor ? [steps, 1, units] : [1, steps, units]);
  return { steps, inputs, fn, isSymmetric, outside };
}

const activationOf = (node: NodeContext, field: number): FusedActivation =>
  fusedActivation(node.options.int8(field)) ?? unsupported('its activation');

const unitsOf = (node: NodeContext, { first }: Direction): number => node.shape(first)[0] ?? 0;

/** @returns [1, steps, 1, units] */
function sequence(node: NodeContext, { first, isReverse }: Direction, form: Form): TensorId {
  const given = node.input(0);
  if (given.dtype !== 'float32') unsupported(`of ${given.dtype}`);
  const units = unitsOf(node, { first, isReverse });
  const { steps, inputs, fn } = form;
  const x = node.reshape(given.id, [1, steps, 1, inputs]);
  const { ofInput, ofState } = products(node, first, form, units);
  const projected = ofInput(x);
  let hidden = node.state(first + 3, [1, units], 'float32');
  const outputs: TensorId[] = [];
  for (let step = 0; step < steps; step++) {
    const row = isReverse ? steps - 1 - step : step;
    const own = node.reshape(sliced(node, projected, 1, row, 1), [1, units]);
    hidden = withFused(node, node.emit({ kind: 'add', inputs: [own, ofState(hidden)] }), fn);
    outputs[row] = node.reshape(hidden, [1, 1, 1, units]);
  }
  node.keepState(first + 3, hidden);
  const [only = hidden] = outputs;
  return steps === 1 ? only : node.emit({ kind: 'concat', axis: 1, inputs: outputs });
}

/** Operands of 8 bits, where the weights are int8, or real numbers. */
function products(node: NodeContext, first: number, { inputs, isSymmetric }: Form, units: number): Products {
  const [rows, stateRows, bias] = [
    weights(node, first, [units, inputs]),
    weights(node, first + 1, [units, units]),
    weights(node, first + 2, [units]),
  ];
  if (rows.type === 'int8' && stateRows.type === 'int8') {
    return hybridProducts(node, { rows, stateRows, bias }, isSymmetric);
  }
  return realProducts(node, { rows: realsOf(rows), stateRows: realsOf(stateRows), bias: realsOf(bias) });
}

function weights(node: NodeContext, position: number, shape: readonly number[]): Constant {
  const constant = node.constant(position, 'weights');
  if (elementCountOf(constant.shape) === elementCountOf(shape)) return { ...constant, shape };
  return malformed('SW2107', node.loc, `'${constant.name}' [${constant.shape.join(', ')}] for [${shape.join(', ')}]`);
}
