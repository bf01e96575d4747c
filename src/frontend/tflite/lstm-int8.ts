/** The integer LSTM of TFLite: int8 inputs, weights and results, a cell of int16; docs/numerics.md, "lstmInt8". */

import type { Quantization, Tensor, TensorId } from '../../ir/types.js';
import { RECURRENT_INT8 } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { type Constant, integersOf } from './constant.js';
import type { NodeContext } from './context.js';
import { gateConstants, inRuns, type LstmForm, type Places } from './lstm-parts.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';

/** The last of the numbers inside the operator whose quantisation files give. */
const HIDDEN = 4;
/** Sums of the gates have 12 bits of fraction. */
const GATE_SCALE = 2 ** -12;
/** Rescaling that changes nothing: 2^30 * 2^(1 - 31). */
const UNCHANGED = { multiplier: 2 ** 30, shift: 1 } as const;

/** Forms that TFLite computes in integers; what else is quantised goes through float32. */
export function isIntegerLstm(node: NodeContext, x: Tensor, places: Places, form: LstmForm): boolean {
  if (x.dtype !== 'int8' || form.fn !== 'tanh' || node.intermediateQuant(HIDDEN) === undefined) return false;
  return [0, 1, 2, 3].every((gate) =>
    [places.ofInput, places.ofState].every((first) => node.constant(first + gate, 'weights').type === 'int8'),
  );
}

/** @returns int8 [1, steps, 1, units] */
export function lstmInIntegers(node: NodeContext, x: Tensor, places: Places, form: LstmForm): TensorId {
  const { units, steps, inputs } = form;
  const hidden = node.intermediateQuant(HIDDEN) ?? unsupported('a result without quantisation');
  const output = node.stateQuant(places.outputState);
  const cell = node.stateQuant(places.cellState);
  const cellBits = -Math.log2(scaleOf(cell));
  if (!Number.isInteger(cellBits) || cellBits < 9 || cellBits > 15)
    unsupported(`a cell with a scale of ${scaleOf(cell)}`);
  const data = tableOf(node, x, places, form, { hidden, output, cellBits });
  const table = node.builder.addConstant({
    name: `${node.resultName}:weights`,
    shape: [data.length],
    data,
    quant: { scales: [1], zeroPoint: 0 },
    loc: node.loc,
  });
  // h less its zero point and the cell behind it are one tensor.
  const quant = { scales: output.scales, zeroPoint: 0 };
  const initial = node.state(places.outputState, [1, 1, 1, 2 * units], 'int16', quant);
  const spec = {
    kind: 'recurrent',
    cell: 'lstmInt8',
    hidden: units,
    isReverse: places.isReverse,
    resetsAfter: false,
    clip: 0,
  } as const;
  const operands = [node.reshape(x.id, [1, steps, 1, inputs]), initial, table] as const;
  const all = inRuns(node, operands, { steps, rowBytes: inputs + 4 * units }, spec, { quant });
  node.keepState(places.outputState, sliced(node, all, 1, places.isReverse ? 0 : steps - 1, 1));
  const h = sliced(node, all, 3, 0, units);
  return node.emit({ kind: 'convert', to: 'int8', ...UNCHANGED, inputs: [h] }, { quant: output });
}

interface Scales {
  readonly hidden: Quantization;
  readonly output: Quantization;
  readonly cellBits: number;
}

/** Weights as bytes, then int32s. Source: the preparation of integer LSTMs in TFLite. */
function tableOf(
  node: NodeContext,
  x: Tensor,
  places: Places,
  { units, inputs, clip }: LstmForm,
  { hidden, output, cellBits }: Scales,
): Int8Array {
  if (x.quant === undefined) return malformed('SW2109', node.loc, `'${x.name}' has no quantisation`);
  const ofInput = gateConstants(node, places.ofInput, units * inputs);
  const ofState = gateConstants(node, places.ofState, units * units);
  const rows = 4 * units;
  const weightBytes = rows * (inputs + units);
  const table = new Int8Array(weightBytes + 4 * (rows + RECURRENT_INT8.length));
  const biases = new Int32Array(rows);
  const numbers = new Int32Array(RECURRENT_INT8.length);
  const rescale = (at: number, factor: number): void => {
    const { multiplier, shift } = fixedPoint(factor);
    numbers[at] = multiplier;
    numbers[at + 1] = shift;
  };
  for (let gate = 0; gate < 4; gate++) {
    const [own, past] = [ofInput[gate] as Constant, ofState[gate] as Constant];
    const weights = Int8Array.from(integersOf(own));
    table.set(weights, gate * units * inputs);
    table.set(Int8Array.from(integersOf(past)), rows * inputs + gate * units * units);
    biases.set(biasesWithZeroPoint(node, places.biases + gate, weights, units, x.quant.zeroPoint), gate * units);
    const factor = (weight: Constant, scale: number): number =>
      Math.fround(Math.fround(weightScale(node, weight) * scale) / GATE_SCALE);
    rescale(RECURRENT_INT8.inputScales + 2 * gate, factor(own, scaleOf(x.quant)));
    rescale(RECURRENT_INT8.stateScales + 2 * gate, factor(past, scaleOf(output)));
  }
  rescale(RECURRENT_INT8.hiddenScale, Math.fround((2 ** -15 / scaleOf(hidden)) * 2 ** -15));
  numbers[RECURRENT_INT8.hiddenZero] = hidden.zeroPoint;
  numbers[RECURRENT_INT8.stateZero] = output.zeroPoint;
  numbers[RECURRENT_INT8.cellBits] = cellBits;
  numbers[RECURRENT_INT8.clip] = clip > 0 ? Math.min(32767, Math.trunc(clip * 2 ** cellBits)) : 0;
  table.set(new Int8Array(biases.buffer), weightBytes);
  table.set(new Int8Array(numbers.buffer), weightBytes + 4 * rows);
  return table;
}

function weightScale(node: NodeContext, { name, quantization }: Constant): number {
  const { scales = [], zeroPoints = [] } = quantization ?? {};
  if (scales.length === 1 && (zeroPoints[0] ?? 0) === 0) return Math.fround(scales[0] ?? 1);
  return malformed('SW2109', node.loc, `weights '${name}' have ${scales.length} scales, or a zero point`);
}

/** What the zero point of the inputs adds to every sum goes into the bias. */
function biasesWithZeroPoint(
  node: NodeContext,
  position: number,
  weights: Int8Array,
  units: number,
  zeroPoint: number,
): number[] {
  const own = node.has(position) ? integersOf(node.constant(position, 'biases')) : new Array<number>(units).fill(0);
  if (own.length !== units) malformed('SW2107', node.loc, `a bias of ${own.length} for ${units} units`);
  const inputs = weights.length / units;
  return own.map((bias, unit) => {
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += weights[unit * inputs + k] ?? 0;
    return bias - zeroPoint * sum;
  });
}
