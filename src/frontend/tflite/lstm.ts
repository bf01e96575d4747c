/**
 * LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM: one operator of the machine for each direction, whose rows are
 * the steps; in float32 with another activation than tanh or weights of 8 bits, step by step. What variable tensors hold is an input and an
 * output of the program that belong together: the state that it carries from frame to frame.
 */
import { isQuantized } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { LARGEST_TABLE_BYTES } from '../recurrent-sizes.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { isIntegerLstm, lstmInIntegers } from './lstm-int8.js';
import { biasesOf, inRuns, joined, type LstmForm, type Places } from './lstm-parts.js';
import { isHybridLstm, lstmStepByStep, MAX_HYBRID_STEPS, MAX_STEPS } from './lstm-steps.js';
import { malformed } from './problems.js';
import { realOf } from './real-numbers.js';
import { fusedActivation } from './schema.js';
import { sliced } from './slicing.js';

const LSTM = { activation: 0, cellClip: 1, kernel: 3, timeMajor: 3, asymmetric: 4 } as const;
const BIDIRECTIONAL = { activation: 0, cellClip: 1, mergeOutputs: 3, timeMajor: 4, asymmetric: 5 } as const;
const FULL_KERNEL = 0;

const FORWARD: Places = {
  ofInput: 1,
  ofState: 5,
  biases: 12,
  outputState: 18,
  cellState: 19,
  isReverse: false,
  others: [9, 10, 11, 16, 17, 20, 21, 22, 23],
};
const FORWARD_OF_TWO: Places = { ...FORWARD, outputState: 35, cellState: 36, others: [9, 10, 11, 16, 17, 39] };
const BACKWARD_OF_TWO: Places = {
  ofInput: 18,
  ofState: 22,
  biases: 29,
  outputState: 37,
  cellState: 38,
  isReverse: true,
  others: [26, 27, 28, 33, 34],
};

export const lstm: Importer = (node) => {
  const isCell = node.operator === 'LSTM';
  if (isCell && node.options.int8(LSTM.kernel) !== FULL_KERNEL) unsupported('the basic kernel');
  const { shape } = node.input(0);
  const isTimeMajor = isCell || node.options.bool(LSTM.timeMajor);
  const isSymmetric = !node.options.bool(LSTM.asymmetric);
  const form = formOf(node, isCell ? [1, ...shape] : shape, { isTimeMajor, isSymmetric });
  const y = direction(node, FORWARD, form);
  return [activation(node.reshape(y, isCell ? [1, form.units] : sequenceShape(form, form.units)))];
};

export const bidirectionalLstm: Importer = (node) => {
  const { options } = node;
  const isTimeMajor = options.bool(BIDIRECTIONAL.timeMajor, true);
  const isSymmetric = !options.bool(BIDIRECTIONAL.asymmetric);
  const form = formOf(node, node.input(0).shape, { isTimeMajor, isSymmetric });
  const both = [FORWARD_OF_TWO, BACKWARD_OF_TWO].map((places) => direction(node, places, form));
  if (!options.bool(BIDIRECTIONAL.mergeOutputs)) {
    return both.map((y) => activation(node.reshape(y, sequenceShape(form, form.units))));
  }
  const merged = node.emit({ kind: 'concat', axis: 3, inputs: both });
  return [activation(node.reshape(merged, sequenceShape(form, 2 * form.units)))];
};

type Given = Pick<LstmForm, 'isTimeMajor' | 'isSymmetric'>;

function formOf(node: NodeContext, shape: readonly number[], { isTimeMajor, isSymmetric }: Given): LstmForm {
  const [first = 0, second = 0, inputs = 0] = shape;
  if (shape.length !== 3) malformed('SW2107', node.loc, `a sequence of [${shape.join(', ')}]`);
  const [steps, batch] = isTimeMajor ? [first, second] : [second, first];
  if (batch !== 1) unsupported(`${batch} sequences`);
  const fn = fusedActivation(node.options.int8(LSTM.activation)) ?? unsupported('its activation');
  const [, units = 0] = node.constant(FORWARD.ofState + 1, 'weights').shape;
  return { steps, inputs, units, isTimeMajor, fn, clip: node.options.float32(LSTM.cellClip), isSymmetric };
}

const sequenceShape = ({ steps, isTimeMajor }: LstmForm, units: number): number[] =>
  isTimeMajor ? [steps, 1, units] : [1, steps, units];

/** @returns [1, steps, 1, units] */
function direction(node: NodeContext, places: Places, form: LstmForm): TensorId {
  if (places.others.some((position) => node.has(position))) {
    unsupported('peepholes, projections, layer normalisation or a second input');
  }
  for (let gate = 0; gate < 4; gate++) {
    if (!node.has(places.ofInput + gate) || !node.has(places.ofState + gate)) unsupported('coupled gates');
  }
  const given = node.input(0);
  if (isIntegerLstm(node, given, places, form)) return lstmInIntegers(node, given, places, form);
  const x = node.reshape(realOf(node, given), [1, form.steps, 1, form.inputs]);
  const isHybrid = given.dtype === 'float32' && form.steps <= MAX_HYBRID_STEPS && isHybridLstm(node, places);
  const isOne = form.fn === 'tanh' && !isHybrid && !isTooLarge(form);
  const y = isOne ? inOne(node, x, places, form) : lstmStepByStep(node, x, places, { ...form, isHybrid });
  return stored(node, y, given);
}

/** Weights that one operator could not hold, and steps that can be spelled out. */
const isTooLarge = ({ inputs, units, steps }: LstmForm): boolean =>
  16 * units * (inputs + units + 2) > LARGEST_TABLE_BYTES && steps <= MAX_STEPS;

/** All steps as one operator, or as few. */
function inOne(node: NodeContext, x: TensorId, places: Places, form: LstmForm): TensorId {
  const { units, steps, inputs } = form;
  const states = [places.outputState, places.cellState].map((position) =>
    node.reshape(node.state(position, [1, units], 'float32'), [1, 1, 1, units]),
  );
  const initial = node.emit({ kind: 'concat', axis: 3, inputs: states });
  const rows = joined(node, places.ofInput, units * inputs);
  const stateRows = joined(node, places.ofState, units * units);
  const biases = biasesOf(node, places, units);
  const data = new Float32Array(rows.length + stateRows.length + 8 * units);
  data.set(rows);
  data.set(stateRows, rows.length);
  data.set(biases, rows.length + stateRows.length);
  const { builder, loc, resultName } = node;
  const name = `${resultName}:${places.isReverse ? 'backward' : 'weights'}`;
  const table = builder.addConstant({ name, shape: [data.length], data, loc });
  const spec = {
    kind: 'recurrent',
    cell: 'lstm',
    hidden: units,
    isReverse: places.isReverse,
    resetsAfter: false,
    clip: Math.max(0, form.clip),
  } as const;
  const all = inRuns(node, [x, initial, table], { steps, rowBytes: 4 * (inputs + 2 * units) }, spec);
  const last = sliced(node, all, 1, places.isReverse ? 0 : steps - 1, 1);
  node.keepState(places.outputState, node.reshape(sliced(node, last, 3, 0, units), [1, units]));
  node.keepState(places.cellState, node.reshape(sliced(node, last, 3, units, units), [1, units]));
  return sliced(node, all, 3, 0, units);
}

function stored(node: NodeContext, id: TensorId, like: Tensor): TensorId {
  if (!isQuantized(like.dtype)) return id;
  const quant = node.resultQuant();
  return node.emit({ kind: 'convert', to: like.dtype, multiplier: 0, shift: 0, inputs: [id] }, { quant });
}
