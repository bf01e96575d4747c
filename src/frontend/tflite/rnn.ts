/** RNN and its sequences, in float32, step by step; the state is carried from frame to frame as that of an LSTM is. */
import { elementCountOf } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { POINT } from './binary-constant.js';
import { realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { type FusedActivation, fusedActivation } from './schema.js';
import { sliced } from './slicing.js';

const RNN = { activation: 0 } as const;
const SEQUENCE = { timeMajor: 0, activation: 1, mergeOutputs: 2 } as const;
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
  const y = sequence(node, FORWARD, 1, inputs, activationOf(node, RNN.activation));
  return [activation(node.reshape(y, [1, unitsOf(node, FORWARD)]))];
};

export const sequenceRnn: Importer = (node) => {
  const { steps, inputs, outside } = formOf(node);
  const y = sequence(node, FORWARD, steps, inputs, activationOf(node, SEQUENCE.activation));
  return [activation(node.reshape(y, outside(unitsOf(node, FORWARD))))];
};

export const bidirectionalRnn: Importer = (node) => {
  if (node.has(SECOND_INPUT)) unsupported('a second input');
  const { steps, inputs, outside } = formOf(node);
  const fn = activationOf(node, SEQUENCE.activation);
  const both = [FORWARD, BACKWARD].map((direction) => sequence(node, direction, steps, inputs, fn));
  const units = [FORWARD, BACKWARD].map((direction) => unitsOf(node, direction));
  if (!node.options.bool(SEQUENCE.mergeOutputs)) {
    return both.map((y, i) => activation(node.reshape(y, outside(units[i] ?? 0))));
  }
  const merged = node.emit({ kind: 'concat', axis: 3, inputs: both });
  return [activation(node.reshape(merged, outside((units[0] ?? 0) + (units[1] ?? 0))))];
};

interface Form {
  readonly steps: number;
  readonly inputs: number;
  readonly outside: (units: number) => number[];
}

function formOf(node: NodeContext): Form {
  const shape = node.shape(0);
  const [first = 0, second = 0, inputs = 0] = shape;
  if (shape.length !== 3) malformed('SW2107', node.loc, `a sequence of [${shape.join(', ')}]`);
  const isTimeMajor = node.options.bool(SEQUENCE.timeMajor);
  const [steps, batch] = isTimeMajor ? [first, second] : [second, first];
  if (batch !== 1 || steps > MAX_STEPS) unsupported(`${steps} steps of ${batch} sequences`);
  return { steps, inputs, outside: (units) => (isTimeMajor ? [steps, 1, units] : [1, steps, units]) };
}

const activationOf = (node: NodeContext, field: number): FusedActivation =>
  fusedActivation(node.options.int8(field)) ?? unsupported('its activation');

const unitsOf = (node: NodeContext, { first }: Direction): number => node.shape(first)[0] ?? 0;

/** @returns [1, steps, 1, units] */
function sequence(
  node: NodeContext,
  { first, isReverse }: Direction,
  steps: number,
  inputs: number,
  fn: FusedActivation,
): TensorId {
  const given = node.input(0);
  if (given.dtype !== 'float32') unsupported(`of ${given.dtype}`);
  const units = unitsOf(node, { first, isReverse });
  const { builder, loc } = node;
  const weights = (position: number, shape: readonly number[]): TensorId => {
    const constant = node.constant(position, 'weights');
    if (elementCountOf(constant.shape) !== elementCountOf(shape)) {
      malformed('SW2107', loc, `'${constant.name}' [${constant.shape.join(', ')}] for [${shape.join(', ')}]`);
    }
    return builder.addConstant({ name: constant.name, shape, data: realsOf(constant), loc });
  };
  const x = node.reshape(given.id, [1, steps, 1, inputs]);
  const operands = [x, weights(first, [units, 1, 1, inputs]), weights(first + 2, [units])];
  const projected = node.emit({ kind: 'conv2d', window: POINT, groups: 1, inputs: operands });
  const recurrence = weights(first + 1, [units, units]);
  const zeros = builder.addConstant({
    name: `${node.resultName}:zeros`,
    shape: [units],
    data: new Float32Array(units),
    loc,
  });
  let hidden = node.state(first + 3, [1, units], 'float32');
  const outputs: TensorId[] = [];
  for (let step = 0; step < steps; step++) {
    const row = isReverse ? steps - 1 - step : step;
    const own = node.reshape(sliced(node, projected, 1, row, 1), [1, units]);
    const past = node.emit({ kind: 'dense', inputs: [hidden, recurrence, zeros] });
    hidden = withFused(node, node.emit({ kind: 'add', inputs: [own, past] }), fn);
    outputs[row] = node.reshape(hidden, [1, 1, 1, units]);
  }
  node.keepState(first + 3, hidden);
  const [only = hidden] = outputs;
  return steps === 1 ? only : node.emit({ kind: 'concat', axis: 1, inputs: outputs });
}
