/** One small model per operator and form beyond convolution that the ONNX front end imports. */
import {
  encodeModel,
  floats,
  int8s,
  ints,
  type ModelSpec,
  node,
  product,
  randomFloats,
  valueInfo,
} from './onnx-models.js';

export interface BeyondCase {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly { readonly name: string; readonly dims: readonly number[]; readonly isIndex: boolean }[];
  readonly low: number;
  readonly high: number;
}

type Dims = readonly number[];
type Attributes = Parameters<typeof node>[3];

let seed = 1000;
const random = (name: string, dims: Dims): object => floats(name, dims, randomFloats(product(dims), seed++));

interface Spec extends Partial<ModelSpec> {
  readonly dims?: readonly Dims[];
  readonly indices?: readonly Dims[]; // int64 inputs i, i1 ...
  readonly range?: readonly [number, number];
}

export function beyond(name: string, nodes: readonly object[], spec: Spec = {}): BeyondCase {
  const reals = (spec.dims ?? [[1, 4, 5, 6]]).map((dims, i) => ({
    name: i === 0 ? 'x' : `x${i}`,
    dims,
    isIndex: false,
  }));
  const indices = (spec.indices ?? []).map((dims, i) => ({ name: i === 0 ? 'i' : `i${i}`, dims, isIndex: true }));
  const inputs = [...reals, ...indices];
  const model = encodeModel({
    nodes,
    initializers: spec.initializers ?? [],
    inputs: inputs.map((input) => valueInfo(input.name, input.dims, input.isIndex ? 7 : 1)),
    outputs: spec.outputs ?? ['y'],
    opset: spec.opset ?? 13,
  });
  const [low, high] = spec.range ?? [-2, 2];
  return { name, model, inputs, low, high };
}

const pair = (op: string, a: Dims, b: Dims, range: readonly [number, number] = [0.2, 2]): BeyondCase =>
  beyond(`${op} ${a.join('x')} ${b.join('x')}`, [node(op, ['x', 'x1'], ['y'])], { dims: [a, b], range });

const PAIRS: readonly BeyondCase[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'PRelu'].map((op) => pair(op, [1, 4, 5, 6], [1, 4, 5, 6])),
  pair('Div', [1, 4, 5, 6], [4, 1, 1]),
  pair('Mul', [1, 4, 5, 6], [1, 1, 5, 6]),
  pair('Mul', [1, 4, 5, 6], [1, 1, 5, 1]),
  pair('Add', [1, 4, 1, 6], [1, 1, 5, 1]),
  pair('Sub', [2, 3, 4, 5], [3, 1, 5]),
  pair('Add', [1, 7, 8], [1, 7, 1]),
  pair('Add', [3, 1, 4, 1, 5], [1, 2, 1, 6, 1]),
  pair('Add', [1, 8], [1, 8]),
  pair('PRelu', [1, 4, 5, 6], [4, 1, 1], [-2, 2]),
  pair('Pow', [1, 3, 4], [1]),
  beyond('Max and Min of three', [node('Max', ['x', 'x1', 'x2'], ['m']), node('Min', ['m', 'x1'], ['y'])], {
    dims: [
      [1, 4, 5],
      [1, 1, 5],
      [4, 1],
    ],
  }),
  beyond('Mean of three', [node('Mean', ['x', 'x1', 'x2'], ['y'])], {
    dims: [
      [1, 4, 5],
      [1, 1, 5],
      [1, 4, 1],
    ],
  }),
  beyond('Sum of three shapes', [node('Sum', ['x', 'x1', 'x2'], ['y'])], {
    dims: [
      [1, 4, 5, 6],
      [1, 4, 1, 1],
      [1, 1, 5, 6],
    ],
  }),
  beyond('Add of a constant matrix', [node('Add', ['x', 'c'], ['y'])], { initializers: [random('c', [5, 6])] }),
  beyond('Sub from a constant image', [node('Sub', ['c', 'x'], ['y'])], { initializers: [random('c', [1, 4, 5, 6])] }),
  beyond('Div of a constant by an activation', [node('Div', ['c', 'x'], ['y'])], {
    initializers: [random('c', [4, 1, 6])],
    range: [0.5, 2],
  }),
  beyond('Pow by a constant', [node('Pow', ['x', 'c'], ['y'])], {
    initializers: [floats('c', [], [2])],
    range: [0.1, 2],
  }),
  beyond('Where of a comparison', [node('Greater', ['x', 'x1'], ['g']), node('Where', ['g', 'x', 'c'], ['y'])], {
    dims: [
      [1, 4, 5, 6],
      [1, 4, 1, 1],
    ],
    initializers: [floats('c', [], [-9])],
  }),
  ...['Less', 'LessOrEqual', 'GreaterOrEqual', 'Equal'].map((op) =>
    beyond(
      `${op}, Not, Cast`,
      [node(op, ['x', 'x1'], ['l']), node('Not', ['l'], ['n']), node('Cast', ['n'], ['y'], { to: 1 })],
      {
        dims: [
          [1, 4, 5],
          [1, 4, 5],
        ],
      },
    ),
  ),
  beyond(
    'And, Or, Xor',
    [
      node('Less', ['x', 'x1'], ['a']),
      node('Greater', ['x', 'c'], ['b']),
      node('And', ['a', 'b'], ['d']),
      node('Or', ['a', 'b'], ['e']),
      node('Xor', ['d', 'e'], ['f']),
      node('Cast', ['f'], ['y'], { to: 1 }),
    ],
    {
      dims: [
        [1, 9],
        [1, 9],
      ],
      initializers: [floats('c', [], [0])],
    },
  ),
];

const one = (
  op: string,
  attributes: Attributes = {},
  range: readonly [number, number] = [-3, 3],
  opset = 14,
): BeyondCase =>
  beyond(`${op} ${JSON.stringify(attributes)}`, [node(op, ['x'], ['y'], attributes)], {
    range,
    opset,
    dims: [[1, 3, 7]],
  });

const FUNCTIONS: readonly BeyondCase[] = [
  ...['Abs', 'Neg', 'Floor', 'Ceil', 'Round', 'Sign', 'Erf', 'Sin', 'Cos', 'Softplus', 'Softsign', 'Selu'].map((op) =>
    one(op),
  ),
  ...['Log', 'Reciprocal', 'Sqrt'].map((op) => one(op, {}, [0.2, 4])),
  one('Mish', {}, [-3, 3], 18),
  one('Gelu', {}, [-3, 3], 20),
  one('Gelu', { approximate: 'tanh' }, [-3, 3], 20),
  one('LogSoftmax', { axis: 1 }),
  one('Celu'),
  one('Selu', { alpha: { float: 1.5 }, gamma: { float: 1.2 } }),
];

const reduce = (
  op: string,
  axes: readonly number[] | undefined,
  keepdims: number,
  dims: Dims = [2, 4, 5, 6],
): BeyondCase =>
  beyond(
    `${op} over ${axes?.join(' ') ?? 'all'}, keepdims ${keepdims}`,
    [node(op, ['x'], ['y'], { keepdims, ...(axes === undefined ? {} : { axes }) })],
    { dims: [dims], opset: 11, range: [0.3, 1.2] },
  );

const REDUCTIONS: readonly BeyondCase[] = [
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].map(
    (op) => reduce(op, [-1], 1),
  ),
  reduce('ReduceLogSumExp', [1], 1),
  reduce('ReduceLogSum', [1], 0),
  reduce('ReduceMean', [2, 3], 1, [1, 4, 5, 6]),
  reduce('ReduceMean', [2, 3], 0, [1, 4, 5, 6]),
  reduce('ReduceMax', [1], 0),
  reduce('ReduceSum', [0, 2], 0),
  reduce('ReduceMean', undefined, 0),
  beyond('ReduceSum 13', [node('ReduceSum', ['x', 'a'], ['y'], { keepdims: 0 })], { initializers: [ints('a', [1])] }),
  beyond('ArgMax', [node('ArgMax', ['x'], ['a'], { axis: 1 }), node('Cast', ['a'], ['y'], { to: 1 })]),
  beyond('ArgMin without the axis', [
    node('ArgMin', ['x'], ['a'], { axis: -1, keepdims: 0 }),
    node('Cast', ['a'], ['y'], { to: 1 }),
  ]),
  beyond('LayerNormalization', [node('LayerNormalization', ['x', 'g', 'b'], ['y'])], {
    dims: [[1, 7, 12]],
    initializers: [random('g', [12]), random('b', [12])],
    opset: 17,
  }),
  beyond('LayerNormalization of two axes', [node('LayerNormalization', ['x', 'g'], ['y'], { axis: 2 })], {
    dims: [[1, 3, 4, 5]],
    initializers: [random('g', [4, 5])],
    opset: 17,
  }),
  beyond(
    'layer normalisation spelled out',
    [
      node('ReduceMean', ['x'], ['m'], { axes: [-1] }),
      node('Sub', ['x', 'm'], ['d']),
      node('Pow', ['d', 'two'], ['q']),
      node('ReduceMean', ['q'], ['v'], { axes: [-1] }),
      node('Add', ['v', 'e'], ['w']),
      node('Sqrt', ['w'], ['s']),
      node('Div', ['d', 's'], ['n']),
      node('Mul', ['n', 'g'], ['h']),
      node('Add', ['h', 'b'], ['y']),
    ],
    {
      dims: [[1, 6, 10]],
      initializers: [floats('two', [], [2]), floats('e', [], [1e-5]), random('g', [10]), random('b', [10])],
      opset: 12,
    },
  ),
  beyond('InstanceNormalization', [node('InstanceNormalization', ['x', 'g', 'b'], ['y'])], {
    initializers: [random('g', [4]), random('b', [4])],
  }),
];

const PRODUCTS: readonly BeyondCase[] = [
  ...(
    [
      [
        [1, 3, 4],
        [1, 4, 5],
      ],
      [
        [1, 2, 3, 4],
        [1, 2, 4, 5],
      ],
      [
        [2, 3, 4],
        [4, 5],
      ],
      [
        [1, 2, 3, 4],
        [1, 1, 4, 5],
      ],
      [
        [1, 1, 3, 4],
        [1, 2, 4, 5],
      ],
      [[4], [4, 3]],
      [[2, 4], [4]],
    ] as const
  ).map((dims) =>
    beyond(`MatMul of activations ${dims.map((d) => d.join('x')).join(' ')}`, [node('MatMul', ['x', 'x1'], ['y'])], {
      dims,
    }),
  ),
  beyond(
    'attention',
    [
      node('Transpose', ['x'], ['q'], { perm: [0, 2, 1, 3] }),
      node('Transpose', ['x1'], ['k'], { perm: [0, 2, 3, 1] }),
      node('MatMul', ['q', 'k'], ['s']),
      node('Softmax', ['s'], ['p']),
      node('Transpose', ['x2'], ['v'], { perm: [0, 2, 1, 3] }),
      node('MatMul', ['p', 'v'], ['o']),
      node('Transpose', ['o'], ['t'], { perm: [0, 2, 1, 3] }),
      node('Reshape', ['t', 'shape'], ['y']),
    ],
    {
      dims: [
        [1, 6, 3, 4],
        [1, 6, 3, 4],
        [1, 6, 3, 4],
      ],
      initializers: [ints('shape', [1, 6, 12])],
    },
  ),
  ...(['bhid,bhjd->bhij', 'bhij,bhjd->bihd', 'abc,cd->abd'] as const).map((equation, i) =>
    beyond(`Einsum ${equation}`, [node('Einsum', ['x', 'x1'], ['y'], { equation })], {
      dims: (
        [
          [
            [1, 2, 3, 4],
            [1, 2, 5, 4],
          ],
          [
            [1, 2, 3, 5],
            [1, 2, 5, 4],
          ],
          [
            [2, 3, 4],
            [4, 5],
          ],
        ] as const
      )[i] ?? [[1]],
    }),
  ),
  beyond(
    'SkipLayerNormalization, BiasGelu, FusedConv',
    [
      node('SkipLayerNormalization', ['x', 'x1', 'g', 'b'], ['s'], { epsilon: { float: 1e-5 } }, 'com.microsoft'),
      node('BiasGelu', ['s', 'c'], ['u'], {}, 'com.microsoft'),
      node('Reshape', ['u', 'shape'], ['i']),
      node('FusedConv', ['i', 'w'], ['y'], { activation: 'Relu' }, 'com.microsoft'),
    ],
    {
      dims: [
        [1, 6, 8],
        [1, 6, 8],
      ],
      initializers: [
        random('g', [8]),
        random('b', [8]),
        random('c', [8]),
        ints('shape', [1, 6, 2, 4]),
        random('w', [3, 6, 1, 1]),
      ],
    },
  ),
  beyond('MatMul of a constant and an activation', [node('MatMul', ['w', 'x'], ['y'])], {
    dims: [[1, 4, 5]],
    initializers: [random('w', [3, 4])],
  }),
  beyond('MatMul with a batch of constants', [node('MatMul', ['x', 'w'], ['y'])], {
    dims: [[2, 3, 4]],
    initializers: [random('w', [2, 4, 5])],
  }),
  beyond(
    'Gemm of activations',
    [node('Gemm', ['x', 'x1', 'x2'], ['y'], { transA: 1, transB: 1, alpha: { float: 0.5 } })],
    {
      dims: [[4, 3], [5, 4], [5]],
    },
  ),
];

const MOVES: readonly BeyondCase[] = [
  beyond('Gather of rows by computed indices', [node('Gather', ['t', 'i'], ['y'])], {
    dims: [],
    indices: [[2, 5]],
    initializers: [random('t', [9, 4])],
  }),
  beyond('Gather, Add', [node('Gather', ['t', 'i'], ['g']), node('Add', ['g', 'x'], ['y'])], {
    dims: [[1, 5, 4]],
    indices: [[1, 5]],
    initializers: [random('t', [9, 4])],
  }),
  beyond('Gather of several constants', [node('Gather', ['x', 'c'], ['y'], { axis: 2 })], {
    initializers: [ints('c', [4, 0, 1, -1])],
  }),
  beyond('Slice with steps', [node('Slice', ['x', 's', 'e', 'a', 'st'], ['y'])], {
    initializers: [ints('s', [0, 1]), ints('e', [5, 6]), ints('a', [2, 3]), ints('st', [2, 2])],
  }),
  beyond('Slice backwards', [node('Slice', ['x', 's', 'e', 'a', 'st'], ['y'])], {
    initializers: [ints('s', [-1]), ints('e', [-9]), ints('a', [3]), ints('st', [-2])],
  }),
  beyond(
    'Focus: four slices',
    [
      ...[0, 1, 2, 3].map((i) => node('Slice', ['x', `s${i}`, 'e', 'a', 'st'], [`p${i}`])),
      node('Concat', ['p0', 'p1', 'p2', 'p3'], ['y'], { axis: 1 }),
    ],
    {
      dims: [[1, 3, 8, 6]],
      initializers: [
        ...[0, 1, 2, 3].map((i) => ints(`s${i}`, [i % 2, Math.floor(i / 2)])),
        ints('e', [100, 100]),
        ints('a', [2, 3]),
        ints('st', [2, 2]),
      ],
    },
  ),
  ...['constant', 'reflect', 'edge'].map((mode) =>
    beyond(`Pad ${mode} of a sequence`, [node('Pad', ['x', 'p'], ['y'], { mode })], {
      dims: [[1, 3, 7]],
      initializers: [ints('p', [0, 0, 2, 0, 0, 3])],
    }),
  ),
  beyond('Pad of channels', [node('Pad', ['x', 'p', 'v'], ['y'])], {
    initializers: [ints('p', [0, 1, 0, 2, 0, 0, 1, 0]), floats('v', [], [0.5])],
  }),
  beyond('Pad reflect of an image', [node('Pad', ['x', 'p'], ['y'], { mode: 'reflect' })], {
    initializers: [ints('p', [0, 0, 2, 1, 0, 0, 1, 3])],
  }),
  beyond('Pad that cuts', [node('Pad', ['x', 'p'], ['y'])], { initializers: [ints('p', [0, 0, -1, 1, 0, 0, 0, -2])] }),
  beyond('Pad, Relu', [node('Pad', ['x', 'p'], ['q']), node('Relu', ['q'], ['y'])], {
    initializers: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1])],
  }),
  beyond('Pad, MaxPool', [node('Pad', ['x', 'p'], ['q']), node('MaxPool', ['q'], ['y'], { kernel_shape: [2, 2] })], {
    initializers: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1])],
  }),
  beyond('Expand', [node('Expand', ['x', 's'], ['y'])], { dims: [[1, 3, 1]], initializers: [ints('s', [2, 1, 4])] }),
  beyond('Tile', [node('Tile', ['x', 'r'], ['y'])], { dims: [[1, 3, 4]], initializers: [ints('r', [2, 1, 3])] }),
  beyond('Concat with a constant', [node('Concat', ['x', 'c'], ['y'], { axis: 1 })], {
    initializers: [random('c', [1, 2, 5, 6])],
  }),
  ...['DCR', 'CRD'].map((mode) =>
    beyond(`DepthToSpace ${mode}`, [node('DepthToSpace', ['x'], ['y'], { blocksize: 2, mode })], {
      dims: [[1, 12, 3, 5]],
    }),
  ),
  beyond('SpaceToDepth', [node('SpaceToDepth', ['x'], ['y'], { blocksize: 2 })], { dims: [[1, 3, 4, 6]] }),
  beyond('a constant output', [node('Shape', ['x'], ['s']), node('Cast', ['s'], ['y'], { to: 1 })]),
  beyond('an integer input, cast', [node('Cast', ['i'], ['f'], { to: 1 }), node('Mul', ['f', 'c'], ['y'])], {
    dims: [],
    indices: [[1, 6]],
    initializers: [floats('c', [], [0.5])],
  }),
];

const up = (attributes: Attributes, scales: Dims, dims: Dims = [1, 3, 5, 6]): BeyondCase =>
  beyond(
    `Resize ${JSON.stringify(attributes)} ${scales.join(' ')}`,
    [node('Resize', ['x', '', 's'], ['y'], attributes)],
    {
      dims: [dims],
      initializers: [floats('s', [scales.length], scales)],
    },
  );

const WINDOWS: readonly BeyondCase[] = [
  up({ mode: 'linear' }, [1, 1, 2, 2]),
  up({ mode: 'linear', coordinate_transformation_mode: 'align_corners' }, [1, 1, 3, 2]),
  up({ mode: 'linear', coordinate_transformation_mode: 'asymmetric' }, [1, 1, 2, 3]),
  up({ mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }, [1, 1, 0.6, 0.5]),
  up({ mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }, [1, 1, 1.6, 1.5]),
  up({ mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }, [1, 1, 2], [1, 3, 7]),
  beyond(
    'Conv of a sequence',
    [node('Conv', ['x', 'w', 'b'], ['y'], { strides: [2], pads: [1, 2], kernel_shape: [3] })],
    {
      dims: [[1, 4, 11]],
      initializers: [random('w', [6, 4, 3]), random('b', [6])],
    },
  ),
  beyond(
    'MaxPool and AveragePool of a sequence',
    [
      node('MaxPool', ['x'], ['m'], { kernel_shape: [2], strides: [2] }),
      node('AveragePool', ['m'], ['a'], { kernel_shape: [3], pads: [1, 1] }),
      node('GlobalAveragePool', ['a'], ['y']),
    ],
    { dims: [[1, 4, 11]] },
  ),
  ...(
    [
      [{ strides: [2, 2] }, [4, 3, 2, 2]],
      [{ strides: [2, 2], pads: [1, 1, 1, 1] }, [4, 3, 4, 4]],
      [{ strides: [2, 3], pads: [1, 0, 0, 2], output_padding: [1, 2] }, [4, 3, 3, 5]],
      [{}, [4, 3, 3, 3]],
      [{ strides: [2, 2], group: 2 }, [4, 3, 3, 3]],
      [{ strides: [3, 3] }, [4, 2, 2, 2]],
      [{ strides: [2, 2], auto_pad: 'SAME_UPPER' }, [4, 2, 3, 3]],
    ] as const
  ).map(([attributes, weights]) =>
    beyond(`ConvTranspose ${JSON.stringify(attributes)}`, [node('ConvTranspose', ['x', 'w', 'b'], ['y'], attributes)], {
      initializers: [random('w', weights), random('b', [weights[1] * ('group' in attributes ? 2 : 1)])],
    }),
  ),
];

const cell = (op: 'LSTM' | 'GRU', attributes: Attributes & { direction?: string }, withState: boolean): BeyondCase => {
  const directions = attributes.direction === 'bidirectional' ? 2 : 1;
  const rows = (op === 'LSTM' ? 4 : 3) * 5;
  const states = withState ? (op === 'LSTM' ? ['', 'x1', 'x2'] : ['', 'x1']) : [];
  const state: Dims = [directions, 1, 5];
  return beyond(
    `${op} ${JSON.stringify(attributes)}${withState ? ' with a state' : ''}`,
    [
      node(op, ['x', 'w', 'r', 'b', ...states], op === 'LSTM' ? ['y', 'h', 'c'] : ['y', 'h'], {
        hidden_size: 5,
        ...attributes,
      }),
    ],
    {
      dims: [[6, 1, 3], ...(withState ? [state, ...(op === 'LSTM' ? [state] : [])] : [])],
      initializers: [
        random('w', [directions, rows, 3]),
        random('r', [directions, rows, 5]),
        random('b', [directions, 2 * rows]),
      ],
      outputs: op === 'LSTM' ? ['y', 'h', 'c'] : ['y', 'h'],
    },
  );
};

const RECURRENT: readonly BeyondCase[] = [
  cell('LSTM', {}, true),
  cell('LSTM', { direction: 'reverse' }, false),
  cell('LSTM', { direction: 'bidirectional' }, true),
  cell('GRU', {}, true),
  cell('GRU', { linear_before_reset: 1 }, false),
  cell('GRU', { direction: 'bidirectional', linear_before_reset: 1 }, true),
];

/** Weights of 7 bits: with more, onnxruntime's sums saturate on x86 machines without VNNI. */
const weights7 = (name: string, dims: Dims): object =>
  int8s(
    name,
    dims,
    randomFloats(product(dims), seed++).map((v) => Math.round(v * 63)),
  );

const DYNAMIC: readonly BeyondCase[] = [
  beyond(
    'DynamicQuantizeLinear, MatMulInteger',
    [
      node('DynamicQuantizeLinear', ['x'], ['q', 's', 'z']),
      node('MatMulInteger', ['q', 'w', 'z', 'wz'], ['p']),
      node('Cast', ['p'], ['f'], { to: 1 }),
      node('Mul', ['s', 'ws'], ['t']),
      node('Mul', ['f', 't'], ['y']),
    ],
    {
      dims: [[1, 6, 16]],
      initializers: [weights7('w', [16, 5]), int8s('wz', [], [3]), floats('ws', [], [0.01])],
    },
  ),
  beyond(
    'DynamicQuantizeLinear of one sign, twice, ConvInteger',
    [
      node('DynamicQuantizeLinear', ['x'], ['q', 's', 'z']),
      node('DynamicQuantizeLinear', ['x'], ['q2', 's2', 'z2']),
      node('ConvInteger', ['q', 'w', 'z'], ['p'], { pads: [1, 1, 1, 1] }),
      node('ConvInteger', ['q2', 'w', 'z2'], ['p2'], { pads: [1, 1, 1, 1] }),
      node('Add', ['p', 'p2'], ['a']),
      node('Cast', ['a'], ['f'], { to: 1 }),
      node('Mul', ['f', 's2'], ['y']),
    ],
    { initializers: [weights7('w', [3, 4, 3, 3])], range: [0.5, 2] },
  ),
];

export const BEYOND_CASES: readonly BeyondCase[] = [
  ...PAIRS,
  ...FUNCTIONS,
  ...REDUCTIONS,
  ...PRODUCTS,
  ...MOVES,
  ...WINDOWS,
  ...RECURRENT,
  ...DYNAMIC,
];
