/** One small model for each rarer form of an operator that the ONNX front end takes. */
import { type BeyondCase, beyond } from './onnx-beyond-cases.js';
import { floats, int8s, ints, node, product, randomFloats, uint8s } from './onnx-models.js';

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
  cell('GRU', { linear_before_reset: 1 }, { lengths: [1, 2], activations: ['HardSigmoid', 'Softsign'] }),
];

const VOLUME: Dims = [1, 4, 5, 6, 3];

const VOLUMES: readonly BeyondCase[] = [
  one('Conv', { strides: [2, 1, 1], pads: [1, 1, 1, 0, 1, 1] }, [random('w', [5, 4, 2, 3, 3]), random('b', [5])], {
    dims: [VOLUME],
  }),
  one('Conv', { dilations: [2, 1, 2], group: 2 }, [random('w', [6, 2, 2, 1, 2])], { dims: [[2, ...VOLUME.slice(1)]] }),
  one('MaxPool', { kernel_shape: [2, 2, 3], strides: [2, 2, 1], pads: [1, 0, 1, 0, 1, 1] }, [], { dims: [VOLUME] }),
  one('AveragePool', { kernel_shape: [2, 3, 2], strides: [1, 2, 1], pads: [1, 1, 0, 0, 1, 1] }, [], {
    dims: [VOLUME],
  }),
];

/** Places in and around an image. */
const places = random('grid', [1, 2, 3, 2]);
const POSITIONS: readonly BeyondCase[] = [
  ...(
    [
      ['bilinear', 'border', 0],
      ['nearest', 'reflection', 0],
    ] as const
  ).map(([mode, padding, aligned]) =>
    one('GridSample', { mode, padding_mode: padding, align_corners: aligned }, [places], {
      dims: [[1, 2, 3, 4]],
      opset: 16,
    }),
  ),
  beyond('GridSample at computed places', [node('GridSample', ['x', 'x1'], ['y'])], {
    dims: [
      [1, 3, 2, 3],
      [1, 1, 2, 2],
    ],
    opset: 16,
  }),
  beyond(
    'MaxPool with indices, MaxUnpool',
    [
      node('MaxPool', ['x'], ['p', 'i'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Mul', ['p', 'two'], ['q']),
      node('MaxUnpool', ['q', 'i'], ['y'], { kernel_shape: [2, 2], strides: [2, 2] }),
    ],
    { dims: [[2, 3, 4, 6]], initializers: [floats('two', [], [2])] },
  ),
  beyond(
    'MaxPool with indices of padded windows',
    [
      node('MaxPool', ['x'], ['p', 'i'], { kernel_shape: [3, 2], strides: [1, 2], pads: [1, 0, 1, 1] }),
      node('Cast', ['i'], ['y'], { to: 1 }),
    ],
    { outputs: ['p', 'y'] },
  ),
  beyond(
    'the last of equals',
    [
      node('Round', ['x'], ['r']),
      node('ArgMax', ['r'], ['a'], { axis: 2, select_last_index: 1 }),
      node('ArgMin', ['r'], ['b'], { axis: 1, select_last_index: 1, keepdims: 0 }),
      node('Cast', ['a'], ['y'], { to: 1 }),
      node('Cast', ['b'], ['z'], { to: 1 }),
    ],
    { outputs: ['y', 'z'] },
  ),
  ...['none', 'add', 'mul'].map((reduction) =>
    one('ScatterND', { reduction }, [ints('i', [3, 0, 3, 1], [4, 1]), random('u', [4, 5])], {
      dims: [[6, 5]],
      opset: 16,
    }),
  ),
  one('ScatterElements', { reduction: 'add', axis: 1 }, [ints('i', [1, 1, 0, 3, 2, 2], [2, 3]), random('u', [2, 3])], {
    dims: [[3, 4]],
    opset: 16,
  }),
  beyond('ScatterND by computed indices', [node('ScatterND', ['x', 'i', 'x1'], ['y'])], {
    dims: [
      [8, 5],
      [2, 5],
    ],
    indices: [[2, 1]],
    opset: 16,
  }),
  beyond('GatherND of parts', [node('GatherND', ['x', 'i'], ['y'], { batch_dims: 1 })], {
    dims: [[2, 3, 4]],
    initializers: [ints('i', [2, 1, 0, 1], [2, 2, 1])],
    opset: 13,
  }),
];

const SPECTRA: readonly BeyondCase[] = [
  one('DFT', { axis: 1, onesided: 1 }, [], { dims: [[2, 9, 1]], opset: 17 }),
  one('DFT', { axis: 2, inverse: 1 }, [ints('length', [6], [])], { dims: [[2, 3, 8, 2]], opset: 17 }),
  beyond(
    'STFT under a window',
    [
      node('HannWindow', ['size'], ['w'], { periodic: 0 }),
      node('STFT', ['x', 'step', 'w', 'size'], ['y'], { onesided: 1 }),
    ],
    { dims: [[2, 40, 1]], initializers: [ints('step', [4], []), ints('size', [16], [])], opset: 17 },
  ),
];

const FUNCTIONS: readonly BeyondCase[] = [
  beyond(
    'Tan, Atan, Sinh, Cosh, Asinh',
    [
      node('Tan', ['x'], ['a']),
      node('Atan', ['x'], ['b']),
      node('Sinh', ['x'], ['c']),
      node('Cosh', ['x'], ['d']),
      node('Asinh', ['x'], ['e']),
      node('Sum', ['a', 'b', 'c', 'd', 'e'], ['y']),
    ],
    { range: [-1.2, 1.2] },
  ),
  beyond(
    'Asin, Acos, Atanh, Acosh',
    [
      node('Asin', ['x'], ['a']),
      node('Acos', ['x'], ['b']),
      node('Atanh', ['x'], ['c']),
      node('Exp', ['x'], ['d']),
      node('Add', ['d', 'one'], ['e']),
      node('Acosh', ['e'], ['f']),
      node('Sum', ['a', 'b', 'c', 'f'], ['y']),
    ],
    { range: [-0.9, 0.9], initializers: [floats('one', [], [1])] },
  ),
  beyond(
    'LayerNormalization and its statistics',
    [node('LayerNormalization', ['x', 'g'], ['y', 'm', 'd'], { axis: 2 })],
    {
      initializers: [random('g', [5, 6])],
      outputs: ['y', 'm', 'd'],
      opset: 17,
    },
  ),
];

const whole = (count: number, size: number): Float32Array =>
  randomFloats(count, seed++).map((v) => Math.floor((v + 1) * 0.5 * size));

const QUANTISED: readonly BeyondCase[] = [
  beyond(
    'MatMulNBits of 4 bits, zero points',
    [node('MatMulNBits', ['x', 'w', 's', 'z'], ['y'], { K: 40, N: 6, bits: 4, block_size: 16 }, 'com.microsoft')],
    {
      dims: [[1, 3, 40]],
      initializers: [
        uint8s('w', [6, 3, 8], whole(144, 256)),
        floats(
          's',
          [18],
          whole(18, 50).map((v) => (v + 1) / 400),
        ),
        uint8s('z', [12], whole(12, 256)),
      ],
    },
  ),
  beyond(
    'DynamicQuantizeMatMul with a bias',
    [node('DynamicQuantizeMatMul', ['x', 'w', 's', 'z', 'b'], ['y'], {}, 'com.microsoft')],
    {
      dims: [[1, 3, 20]],
      initializers: [
        int8s(
          'w',
          [20, 6],
          whole(120, 120).map((v) => v - 60),
        ),
        floats('s', [], [0.01]),
        int8s('z', [], [0]),
        random('b', [6]),
      ],
    },
  ),
];

/** Of so many operators that compiling them takes longer than it shows: held against onnxruntime only. */
export const LONG_CASES: readonly BeyondCase[] = [
  one('GridSample', { mode: 'bicubic', padding_mode: 'zeros', align_corners: 1 }, [places], { opset: 16 }),
  one('GridSample', { mode: 'bilinear', padding_mode: 'reflection' }, [places], { opset: 16 }),
  cell('LSTM', { input_forget: 1 }, { directions: 2, lengths: [1, 2] }),
  cell('GRU', { clip: { float: 0.7 } }, { directions: 2 }),
];

export const FORM_CASES: readonly BeyondCase[] = [
  ...MOVEMENTS,
  ...ARITHMETIC,
  ...CELLS,
  ...VOLUMES,
  ...POSITIONS,
  ...SPECTRA,
  ...FUNCTIONS,
  ...QUANTISED,
];
