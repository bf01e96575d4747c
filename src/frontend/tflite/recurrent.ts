/**
 * UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF, step by step. What they keep in variable tensors is an input and an output of the
 * program that belong together: the state that it carries from frame to frame.
 */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { POINT } from './binary-constant.js';
import { type Constant, integersOf, realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { fixedPoint, scaleOf } from './numbers.js';
import { malformed } from './problems.js';
import { type FusedActivation, fusedActivation } from './schema.js';
import { sliced } from './slicing.js';

const LSTM = { activation: 0, cellClip: 1, projectionClip: 2, timeMajor: 3 } as const;
/** Operands by position. Gates in the order input, forget, cell, output. */
const INPUT_WEIGHTS = [1, 2, 3, 4];
const STATE_WEIGHTS = [5, 6, 7, 8];
const BIASES = [12, 13, 14, 15];
const OUTPUT_STATE = 18;
const CELL_STATE = 19;
const MAX_STEPS = 1024;

interface Gates {
  readonly units: number;
  readonly inputs: number;
  readonly ofInput: TensorId[]; // weights [4 * units, 1, 1, inputs] and bias
  readonly ofState: TensorId[]; // weights [4 * units, units] and a bias of zeros
}

/** In float32; quantised files too, whose integer kernel works on 16 bits. */
export const lstm: Importer = (node) => {
  const given = node.input(0);
  if (given.shape.length !== 3) malformed('SW2107', node.loc, `a sequence of [${given.shape.join(', ')}]`);
  for (const position of [9, 10, 11, 16, 17, 20, 21, 22, 23]) {
    if (node.has(position)) unsupported('peepholes, projections or layer normalisation');
  }
  if ([...INPUT_WEIGHTS, ...STATE_WEIGHTS].some((position) => !node.has(position))) unsupported('coupled gates');
  const { options } = node;
  const [steps = 0, batch = 0] = options.bool(LSTM.timeMajor) ? given.shape : [given.shape[1], given.shape[0]];
  if (batch !== 1 || steps > MAX_STEPS) unsupported(`${steps} steps of ${batch} sequences`);
  const fn = fusedActivation(options.int8(LSTM.activation)) ?? unsupported('its activation');
  const gates = gatesOf(node);
  const x = real(node, given);
  const projected = node.emit({
    kind: 'conv2d',
    window: POINT,
    groups: 1,
    inputs: [node.reshape(x, [1, steps, 1, gates.inputs]), ...gates.ofInput],
  });
  let hidden = node.state(OUTPUT_STATE, [1, gates.units], 'float32');
  let cell = node.state(CELL_STATE, [1, gates.units], 'float32');
  const outputs: TensorId[] = [];
  const clip = options.float32(LSTM.cellClip);
  for (let step = 0; step < steps; step++) {
    const own = node.reshape(sliced(node, projected, 1, step, 1), [1, 4 * gates.units]);
    const ofState = node.emit({ kind: 'dense', inputs: [hidden, ...gates.ofState] });
    const sums = node.emit({ kind: 'add', inputs: [own, ofState] });
    const next = nextState(node, sums, cell, gates.units, fn, clip);
    hidden = next.hidden;
    cell = next.cell;
    outputs.push(node.reshape(hidden, [1, 1, gates.units]));
  }
  node.keepState(OUTPUT_STATE, hidden);
  node.keepState(CELL_STATE, cell);
  const [only = hidden] = outputs;
  const sequence = outputs.length === 1 ? only : node.emit({ kind: 'concat', axis: 1, inputs: outputs });
  const shape = options.bool(LSTM.timeMajor) ? [steps, 1, gates.units] : [1, steps, gates.units];
  return [activation(stored(node, node.reshape(sequence, shape), given))];
};

function nextState(
  node: NodeContext,
  sums: TensorId,
  cell: TensorId,
  units: number,
  fn: FusedActivation,
  clip: number,
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

/** The four gates as one matrix each: their rows one after the other. */
function gatesOf(node: NodeContext): Gates {
  const weights = (positions: readonly number[]): Constant[] => positions.map((p) => node.constant(p, 'weights'));
  const [first] = weights([2]);
  const [units = 0, inputs = 0] = first?.shape ?? [];
  const joined = (parts: readonly Constant[], columns: number): Float32Array => {
    const rows = new Float32Array(parts.length * units * columns);
    for (const [i, part] of parts.entries()) {
      if (elementCountOf(part.shape) !== units * columns) {
        malformed('SW2107', node.loc, `'${part.name}' [${part.shape.join(', ')}] for ${units} units`);
      }
      rows.set(realsOf(part), i * units * columns);
    }
    return rows;
  };
  const biases = new Float32Array(4 * units);
  for (const [i, position] of BIASES.entries()) {
    if (!node.has(position)) continue;
    const bias = node.constant(position, 'biases');
    if (elementCountOf(bias.shape) !== units) malformed('SW2107', node.loc, `a bias of [${bias.shape.join(', ')}]`);
    biases.set(realsOf(bias), i * units);
  }
  const { builder, loc, resultName: name } = node;
  const constant = (what: string, shape: readonly number[], data: Float32Array): TensorId =>
    builder.addConstant({ name: `${name}:${what}`, shape, data, loc });
  const ofInput = joined(weights(INPUT_WEIGHTS), inputs);
  const ofState = joined(weights(STATE_WEIGHTS), units);
  return {
    units,
    inputs,
    ofInput: [constant('input', [4 * units, 1, 1, inputs], ofInput), constant('bias', [4 * units], biases)],
    ofState: [
      constant('state', [4 * units, units], ofState),
      constant('zeros', [4 * units], new Float32Array(4 * units)),
    ],
  };
}

const real = (node: NodeContext, x: Tensor): TensorId =>
  x.dtype === 'float32' ? x.id : node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x.id] });

function stored(node: NodeContext, id: TensorId, like: Tensor): TensorId {
  if (!isQuantized(like.dtype)) return id;
  const quant = node.resultQuant();
  return node.emit({ kind: 'convert', to: like.dtype, multiplier: 0, shift: 0, inputs: [id] }, { quant });
}

const SVDF = { rank: 0, activation: 1 } as const;
const SVDF_STATE = 4;

/**
 * The newest features join the state, and each filter's are summed over time: a dense layer, and a convolution over the state,
 * which is kept time first.
 */
export const svdf: Importer = (node) => {
  const x = node.input(0);
  const features = node.constant(1, 'weights');
  const overTime = node.constant(2, 'weights');
  const bias = node.has(3) ? node.constant(3, 'biases') : undefined;
  const rank = node.options.int32(SVDF.rank);
  const [filters = 0, inputs = 0] = features.shape;
  const [, memory = 0] = overTime.shape;
  if (rank < 1 || filters % rank !== 0 || elementCountOf(x.shape) !== inputs || overTime.shape[0] !== filters) {
    malformed('SW2107', node.loc, `${filters} filters of rank ${rank} over [${x.shape.join(', ')}]`);
  }
  const units = filters / rank;
  const state = node.builder.tensor(node.state(SVDF_STATE, [1, memory, filters]));
  if (state.dtype !== x.dtype) return unsupported(`${x.dtype} features of ${state.dtype} state`);
  const view = node.reshape(x.id, [1, inputs]);
  const newest = node.emit(
    { kind: 'dense', inputs: [view, ...svdfWeights(node, x, state, features, undefined, [filters, inputs])] },
    state.quant === undefined ? {} : { quant: state.quant },
  );
  const row = node.reshape(newest, [1, 1, filters]);
  const older = memory > 1 ? [sliced(node, state.id, 1, 1, memory - 1)] : [];
  const all = older.length === 0 ? row : node.emit({ kind: 'concat', axis: 1, inputs: [...older, row] });
  node.keepState(SVDF_STATE, all);
  const result: Pick<Tensor, 'quant'> = x.quant === undefined ? {} : { quant: node.resultQuant() };
  const turned = timeMajor(overTime, units, rank);
  const weights = svdfWeights(node, state, result, turned, bias, [units, memory, 1, rank]);
  const summed = node.emit(
    {
      kind: 'conv2d',
      window: { ...POINT, kernel: [memory, 1] },
      groups: units,
      inputs: [node.reshape(all, [1, memory, 1, filters]), ...weights],
    },
    result.quant === undefined ? {} : { quant: result.quant },
  );
  return [activation(withFused(node, node.reshape(summed, [1, units]), node.activationOption(SVDF.activation)))];
};

/** [filters, memory] as [units, memory, 1, rank]. */
function timeMajor(weights: Constant, units: number, rank: number): Constant {
  const [, memory = 0] = weights.shape;
  const elements = (): ReturnType<Constant['elements']> => {
    const data = weights.elements();
    const out = data.slice() as typeof data;
    for (let unit = 0; unit < units; unit++) {
      for (let r = 0; r < rank; r++) {
        for (let t = 0; t < memory; t++) {
          out[(unit * memory + t) * rank + r] = data[(unit * rank + r) * memory + t] ?? 0;
        }
      }
    }
    return out;
  };
  return { ...weights, elements };
}

function svdfWeights(
  node: NodeContext,
  x: Pick<Tensor, 'quant'>,
  result: Pick<Tensor, 'quant'>,
  weights: Constant,
  bias: Constant | undefined,
  shape: readonly number[],
): TensorId[] {
  const { builder, loc } = node;
  const [channels = 1] = shape;
  const name = `${weights.name}:bias`;
  if (x.quant === undefined) {
    const data = bias === undefined ? new Float32Array(channels) : realsOf(bias);
    return [
      builder.addConstant({ name: weights.name, shape, data: realsOf(weights), loc }),
      builder.addConstant({ name, shape: [channels], data, loc }),
    ];
  }
  const data = weights.elements();
  const { quantization } = weights;
  if (!(data instanceof Int8Array) || quantization === undefined || result.quant === undefined) {
    return unsupported(`${weights.type} weights`);
  }
  const [scale = 1] = quantization.scales;
  const { multiplier, shift } = fixedPoint((scaleOf(x.quant) * Math.fround(scale)) / scaleOf(result.quant));
  const requant = Int32Array.from({ length: 2 * channels }, (_, i) => (i % 2 === 0 ? multiplier : shift));
  const offsets = bias === undefined ? new Int32Array(channels) : Int32Array.from(integersOf(bias));
  return [
    builder.addConstant({ name: weights.name, shape, data, quant: { scales: [scale], zeroPoint: 0 }, loc }),
    builder.addConstant({ name, shape: [channels], data: offsets, loc }),
    builder.addConstant({ name: `${weights.name}:requant`, shape: [channels, 2], data: requant, loc }),
  ];
}
