/** One small model for each rarer form of an operator that the ONNX front end takes. */
import { type BeyondCase, beyond } from './onnx-beyond-cases.js';
import { floats, ints, node, product, randomFloats } from './onnx-models.js';

type Dims = readonly number[];
type Attributes = Parameters<typeof node>[3];
type Spec = Parameters<typeof beyond>[2];

let seed = 7000;
const random = (name: string, dims: Dims): object => floats(name, dims, randomFloats(product(dims), seed++));

const one = (op: string, attributes: Attributes, initializers: readonly object[] = [], spec: Spec = {}): BeyondCase => {
  const names = initializers.map((tensor) => ('name' in tensor ? String(tensor.name) : ''));
  const text = `${op} ${JSON.stringify(attributes)} of ${(spec?.dims ?? [[1, 4, 5, 6]]).join(' and ')}`;
  return beyond(text, [node(op, ['x', ...names], ['y'], attributes)], { initializers, ...spec });
};

const MOVEMENTS: readonly BeyondCase[] = [
  ...['constant', 'reflect', 'edge'].map((mode) =>
    one('Pad', { mode }, [ints('pads', [0, 1, 2, 1, 0, 0, 1, 2])], { dims: [[2, 3, 4, 5]] }),
  ),
  one('ConvTranspose', { strides: [3, 2], output_shape: [10, 8] }, [random('w', [1, 2, 3, 3])], {
    dims: [[1, 1, 3, 3]],
  }),
  one('ConvTranspose', { strides: [2, 1], dilations: [2, 3], pads: [1, 0, 0, 2] }, [random('w', [2, 3, 3, 2])], {
    dims: [[1, 2, 4, 5]],
  }),
];

const ARITHMETIC: readonly BeyondCase[] = [
  beyond('Mod with the sign of the dividend', [node('Mod', ['x', 'x1'], ['y'], { fmod: 1 })], {
    dims: [
      [1, 4, 5],
      [1, 4, 5],
    ],
  }),
  beyond(
    'Div of whole numbers',
    [
      node('Div', ['i', 'three'], ['q']),
      node('Add', ['i1', 'three'], ['p']),
      node('Div', ['i', 'p'], ['r']),
      node('Add', ['q', 'r'], ['s']),
      node('Cast', ['s'], ['y'], { to: 1 }),
    ],
    {
      dims: [],
      indices: [
        [1, 20],
        [1, 20],
      ],
      initializers: [ints('three', [3])],
    },
  ),
  beyond('Dropout and its mask', [node('Dropout', ['x'], ['d', 'm']), node('Where', ['m', 'd', 'c'], ['y'])], {
    initializers: [floats('c', [], [7])],
  }),
];

const GATES: Readonly<Record<string, number>> = { RNN: 1, GRU: 3, LSTM: 4 };
const STEPS = 2;
const BATCH = 2;
const INPUTS = 4;
const HIDDEN = 5;

interface CellSpec {
  readonly directions?: number;
  readonly lengths?: readonly number[];
  readonly peepholes?: boolean;
  readonly activations?: readonly string[];
}

/** Two short sequences through a recurrent operator with biases and initial states; all its outputs. */
function cell(op: string, attributes: Exclude<Attributes, undefined>, spec: CellSpec = {}): BeyondCase {
  const gates = GATES[op] ?? 1;
  const d = spec.directions ?? 1;
  const operands = [
    'x',
    'w',
    'r',
    'b',
    spec.lengths === undefined ? '' : 'l',
    'h',
    ...(op === 'LSTM' ? ['c', ...(spec.peepholes === true ? ['p'] : [])] : []),
  ];
  const initializers = [
    random('w', [d, gates * HIDDEN, INPUTS]),
    random('r', [d, gates * HIDDEN, HIDDEN]),
    random('b', [d, 2 * gates * HIDDEN]),
    random('h', [d, BATCH, HIDDEN]),
    random('c', [d, BATCH, HIDDEN]),
    random('p', [d, 3 * HIDDEN]),
    { name: 'l', dims: [BATCH], dataType: 6, int32Data: spec.lengths ?? [STEPS, STEPS] },
  ].filter(({ name }: { readonly name?: string }) => operands.includes(name ?? ''));
  const own = {
    hidden_size: HIDDEN,
    direction: d === 2 ? 'bidirectional' : 'forward',
    ...(spec.activations === undefined ? {} : { activations: { strings: spec.activations } }),
    ...attributes,
  };
  const outputs = op === 'LSTM' ? ['y', 'yh', 'yc'] : ['y', 'yh'];
  return beyond(`${op} ${JSON.stringify({ ...own, ...spec })}`, [node(op, operands, outputs, own)], {
    dims: [[STEPS, BATCH, INPUTS]],
    initializers,
    outputs,
    opset: 14,
  });
}

const CELLS: readonly BeyondCase[] = [
  cell('RNN', {}, { directions: 2, lengths: [2, 1] }),
  cell('RNN', { direction: 'reverse', activation_alpha: { floats: [0.3] } }, { activations: ['LeakyRelu'] }),
  cell('LSTM', { clip: { float: 0.8 } }, { peepholes: true }),
  cell('LSTM', { input_forget: 1 }, { directions: 2, lengths: [1, 2] }),
  cell('GRU', { linear_before_reset: 1 }, { lengths: [1, 2], activations: ['HardSigmoid', 'Softsign'] }),
  cell('GRU', { clip: { float: 0.7 } }, {}),
];

export const FORM_CASES: readonly BeyondCase[] = [...MOVEMENTS, ...ARITHMETIC, ...CELLS];
