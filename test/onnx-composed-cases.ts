/** One small model per operator and form that the ONNX front end spells out in others. */
import { type BeyondCase, beyond } from './onnx-beyond-cases.js';
import { floats, ints, node, product, randomFloats, valueInfo } from './onnx-models.js';

type Dims = readonly number[];
type Attributes = Parameters<typeof node>[3];

const IMAGE: Dims = [1, 4, 5, 6];
const TWO: Dims = [2, 4, 5, 6];
let seed = 3000;
const random = (name: string, dims: Dims): object => floats(name, dims, randomFloats(product(dims), seed++));
const truths = (name: string, dims: Dims, values: readonly number[]): object => ({
  name,
  dims,
  dataType: 9,
  rawData: Uint8Array.from(values),
});

const one = (
  op: string,
  attributes: Attributes = {},
  initializers: readonly object[] = [],
  spec: Parameters<typeof beyond>[2] = {},
): BeyondCase => {
  const names = initializers.map((tensor) => ('name' in tensor ? String(tensor.name) : ''));
  const text = `${op} ${JSON.stringify(attributes)} ${names.join(' ')} ${(spec.dims ?? [IMAGE]).join(' and ')}`;
  return beyond(text, [node(op, ['x', ...names], ['y'], attributes)], { initializers, ...spec });
};

const FUNCTIONS: readonly BeyondCase[] = [
  beyond('Clip by a computed limit', [
    node('ReduceMean', ['x'], ['m'], { keepdims: 0 }),
    node('Clip', ['x', '', 'm'], ['y']),
  ]),
  one('LpNormalization', { axis: 1 }),
  one('LpNormalization', { axis: -1, p: 1 }),
  one('MeanVarianceNormalization', { axes: [2, 3] }),
  one('ThresholdedRelu', { alpha: { float: 0.7 } }),
  one('Shrink', { lambd: { float: 0.7 }, bias: { float: 0.2 } }),
  one('Celu', { alpha: { float: 2 } }),
  beyond('IsNaN and IsInf', [
    node('Log', ['x'], ['l']), // of negative numbers too
    node('IsNaN', ['l'], ['n']),
    node('Where', ['n', 'x', 'l'], ['w']),
    node('IsInf', ['w'], ['i']),
    node('Where', ['i', 'x', 'w'], ['y']),
  ]),
  one('GlobalLpPool', { p: 2 }),
  one('LpPool', { p: 2, kernel_shape: [2, 2] }, [], { opset: 18 }),
  one('CumSum', {}, [ints('axis', [3], [])], { opset: 14 }),
  one('CumSum', { exclusive: 1, reverse: 1 }, [ints('axis', [2], [])], { opset: 14 }),
  one('Trilu', { upper: 1 }, [], { dims: [[1, 5, 5]], opset: 14 }),
  one('Hardmax', { axis: 1 }),
  one('ReverseSequence', { batch_axis: 0, time_axis: 1 }, [ints('lengths', [3])], { opset: 10 }),
  one('ReverseSequence', { batch_axis: 1, time_axis: 0 }, [ints('lengths', [5, 1, 3])], {
    dims: [[6, 3, 4]],
    opset: 10,
  }),
  one('CenterCropPad', { axes: [2, -1] }, [ints('to', [3, 11])], { opset: 18 }),
  one('CenterCropPad', {}, [ints('to', [1, 7, 2, 3])], { opset: 18 }),
  beyond('OneHot of computed indices', [node('OneHot', ['i', 'd', 'v'], ['y'])], {
    dims: [],
    indices: [[1, 5]],
    initializers: [ints('d', [8], []), floats('v', [2], [0, 1])],
  }),
  ...(
    [
      [{ axis: 1 }, 2],
      [{ axis: -1, largest: 0 }, 3],
      [{ axis: 2 }, 1],
    ] as const
  ).map(([attributes, count]) =>
    beyond(
      `TopK ${count} ${JSON.stringify(attributes)}`,
      [node('TopK', ['x', 'k'], ['y', 'i'], attributes), node('Cast', ['i'], ['z'], { to: 1 })],
      { initializers: [ints('k', [count])], outputs: ['y', 'z'] },
    ),
  ),
];

const PRODUCTS: readonly BeyondCase[] = [
  ...([[3, 5] as Dims, [3, 1] as Dims] as const).map((dims) =>
    one('Gemm', {}, [random('w', [8, 5]), random('c', dims)], { dims: [[3, 8]] }),
  ),
  ...(
    [
      ['bchw->bhwc', [IMAGE]],
      ['bchw->bc', [IMAGE]],
      [
        '...ij,...jk->...ik',
        [
          [2, 3, 4],
          [2, 4, 5],
        ],
      ],
      [
        'ij,jk',
        [
          [3, 4],
          [4, 5],
        ],
      ],
      ['ij,k->i', [[3, 4], [5]]],
    ] as const
  ).map(([equation, dims]) =>
    beyond(`Einsum ${equation}`, [node('Einsum', dims.length === 1 ? ['x'] : ['x', 'x1'], ['y'], { equation })], {
      dims,
    }),
  ),
];

const INDEXED: readonly BeyondCase[] = [
  one('GatherElements', { axis: 1 }, [ints('i', [0, 1, 2, 3, 1, -1], [1, 2, 3])], { dims: [[1, 5, 3]] }),
  beyond('GatherElements by computed indices', [node('GatherElements', ['x', 'i'], ['y'], { axis: 1 })], {
    dims: [[1, 9, 3]],
    indices: [[1, 2, 3]],
  }),
  beyond(
    'GatherElements of what TopK finds',
    [node('TopK', ['x', 'k'], ['v', 'i'], { axis: 1 }), node('GatherElements', ['x1', 'i'], ['y'], { axis: 1 })],
    {
      dims: [
        [1, 9],
        [1, 9],
      ],
      initializers: [ints('k', [3])],
    },
  ),
  one('GatherND', {}, [ints('i', [0, 1, 0, -1], [2, 2])]),
  beyond('GatherND by computed indices', [node('GatherND', ['x', 'i'], ['y'])], {
    dims: [[9, 8, 3]],
    indices: [[4, 2]],
  }),
  beyond('Gather along axis 1 by computed indices', [node('Gather', ['x', 'i'], ['y'], { axis: 1 })], {
    dims: [[2, 9, 3]],
    indices: [[2, 3]],
  }),
  one(
    'Gather',
    { axis: 1 },
    [
      ints(
        'i',
        Array.from({ length: 50 }, (_, i) => (i * 37) % 50),
      ),
    ],
    { dims: [[2, 50, 3]] },
  ),
  beyond('Slice backwards, long', [node('Slice', ['x', 's', 'e', 'a', 'st'], ['y'])], {
    dims: [[1, 2, 50]],
    initializers: [ints('s', [-1]), ints('e', [-1000]), ints('a', [2]), ints('st', [-1])],
  }),
  one('ScatterND', {}, [ints('i', [0, 1, 0, 3], [2, 2]), random('u', [2, 5, 6])], { opset: 16 }),
  beyond('ScatterND of computed updates', [node('ScatterND', ['x', 'i', 'x1'], ['y'])], {
    dims: [IMAGE, [2, 5, 6]],
    initializers: [ints('i', [0, 1, 0, 3], [2, 2])],
    opset: 16,
  }),
  one('ScatterElements', { axis: 1 }, [ints('i', [0, -1], [1, 2]), random('u', [1, 2])], { dims: [[1, 5]], opset: 16 }),
  one('Compress', { axis: 1 }, [truths('c', [4], [1, 0, 0, 1])]),
];

const up = (attributes: Attributes, scales: Dims, dims: Dims = IMAGE, opset = 18): BeyondCase =>
  beyond(
    `Resize ${JSON.stringify(attributes)} ${scales.join(' ')} of ${dims.join('x')}`,
    [node('Resize', ['x', '', 's'], ['y'], attributes)],
    { dims: [dims], initializers: [floats('s', [scales.length], scales)], opset },
  );
const sized = (attributes: Attributes, sizes: Dims, dims: Dims = IMAGE): BeyondCase =>
  beyond(
    `Resize ${JSON.stringify(attributes)} to ${sizes.join(' ')}`,
    [node('Resize', ['x', '', '', 's'], ['y'], attributes)],
    { dims: [dims], initializers: [ints('s', sizes)], opset: 18 },
  );

const RESIZES: readonly BeyondCase[] = [
  up({ mode: 'cubic' }, [1, 1, 2, 2]),
  up({ mode: 'cubic', coordinate_transformation_mode: 'align_corners', exclude_outside: 1 }, [1, 1, 2, 2]),
  sized({ mode: 'cubic', coordinate_transformation_mode: 'pytorch_half_pixel' }, [1, 4, 3, 4]),
  up({ mode: 'linear' }, [1, 1, 1.7, 1.7]),
  up({ mode: 'linear', coordinate_transformation_mode: 'asymmetric' }, [1, 1, 1.7, 1.3]),
  up({ mode: 'linear', axes: [2, 3] }, [2, 2]),
  up({ mode: 'linear', antialias: 1 }, [1, 1, 0.5, 0.5], [1, 3, 6, 8]),
  up({ mode: 'cubic', antialias: 1 }, [1, 1, 0.6, 0.5], [1, 3, 10, 8]),
  up({ mode: 'linear' }, [1, 2, 2, 1]),
  up({ mode: 'linear' }, [1, 1, 2, 2], TWO),
  up({}, [1, 1, 2, 2], TWO),
  up({ coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }, [1, 1, 2, 2, 2], [1, 2, 3, 4, 5]),
  sized({}, [1, 4, 7, 9]),
  sized({ coordinate_transformation_mode: 'asymmetric', nearest_mode: 'ceil' }, [1, 4, 10, 12]),
  sized({ mode: 'linear', keep_aspect_ratio_policy: 'not_larger', axes: [2, 3] }, [10, 10]),
];

const BATCHES: readonly BeyondCase[] = [
  one('Conv', { pads: [1, 1, 1, 1] }, [random('w', [3, 4, 3, 3])], { dims: [TWO] }),
  one('Conv', {}, [random('w', [3, 4, 3])], { dims: [[3, 4, 9]] }),
  one('ConvTranspose', { strides: [2, 2] }, [random('w', [4, 3, 2, 2])], { dims: [TWO] }),
  one('MaxPool', { kernel_shape: [2, 2] }, [], { dims: [TWO] }),
  one('AveragePool', { kernel_shape: [2, 2] }, [], { dims: [TWO] }),
  one('GlobalAveragePool', {}, [], { dims: [TWO] }),
];

const turn = (nodes: readonly object[], inputs: readonly object[], outputs: readonly object[]): object => ({
  name: 'turn',
  node: nodes,
  input: inputs,
  output: outputs,
  initializer: [floats('k', [], [0.5])],
});
const keepsOn = node('Identity', ['before'], ['after']);
const condition = [valueInfo('turn', [], 7), valueInfo('before', [], 9)];

const LOOPS: readonly BeyondCase[] = [
  beyond(
    'Loop of three turns',
    [
      node('Relu', ['x'], ['outer']),
      node('Loop', ['n', '', 'x'], ['y', 'all'], {
        body: {
          graph: turn(
            [
              node('Mul', ['h', 'k'], ['m']),
              node('Add', ['m', 'outer'], ['next']),
              node('Tanh', ['next'], ['t']),
              keepsOn,
            ],
            [...condition, valueInfo('h', [2, 3])],
            [valueInfo('after', [], 9), valueInfo('next', [2, 3]), valueInfo('t', [2, 3])],
          ),
        },
      }),
    ],
    { dims: [[2, 3]], initializers: [ints('n', [3], [])], outputs: ['y', 'all'] },
  ),
  beyond(
    'Scan, backwards',
    [
      node('Scan', ['x1', 'x'], ['y', 'all'], {
        num_scan_inputs: 1,
        scan_input_directions: [1],
        body: {
          graph: turn(
            [node('Add', ['h', 'row'], ['next']), node('Tanh', ['next'], ['t'])],
            [valueInfo('h', [3]), valueInfo('row', [3])],
            [valueInfo('next', [3]), valueInfo('t', [3])],
          ),
        },
      }),
    ],
    { dims: [[5, 3], [3]], outputs: ['y', 'all'], opset: 11 },
  ),
];

const MICROSOFT = 'com.microsoft';
const WIDE: Dims = [1, 5, 8];

const FUSED: readonly BeyondCase[] = [
  ...[{ num_heads: 2 }, { num_heads: 2, unidirectional: 1 }].map((attributes) =>
    beyond(
      `Attention ${JSON.stringify(attributes)}`,
      [node('Attention', ['x', 'w', 'b'], ['y'], attributes, MICROSOFT)],
      {
        dims: [WIDE],
        initializers: [random('w', [8, 24]), random('b', [24])],
      },
    ),
  ),
  beyond(
    'MultiHeadAttention',
    [node('MultiHeadAttention', ['x', 'x1', 'x2', 'b'], ['y'], { num_heads: 2 }, MICROSOFT)],
    {
      dims: [WIDE, [1, 7, 8], [1, 7, 8]],
      initializers: [random('b', [24])],
    },
  ),
  beyond(
    'SkipSimplifiedLayerNormalization, SkipLayerNormalization with its sum',
    [
      node('SkipSimplifiedLayerNormalization', ['x', 'x1', 'g'], ['s'], {}, MICROSOFT),
      node('SkipLayerNormalization', ['s', 'x1', 'g', 'b'], ['y', '', '', 'z'], {}, MICROSOFT),
    ],
    { dims: [WIDE, WIDE], initializers: [random('g', [8]), random('b', [8])], outputs: ['y', 'z'] },
  ),
  beyond(
    'FusedMatMul, FusedGemm',
    [
      node('FusedMatMul', ['x', 'x1'], ['m'], { transB: 1, alpha: { float: 0.5 } }, MICROSOFT),
      node('FusedGemm', ['m', 'w', 'b'], ['y'], { activation: 'Relu' }, MICROSOFT),
    ],
    {
      dims: [
        [5, 8],
        [7, 8],
      ],
      initializers: [random('w', [7, 3]), random('b', [3])],
    },
  ),
  beyond(
    'QuickGelu, FastGelu with a bias',
    [
      node('QuickGelu', ['x'], ['q'], { alpha: { float: 1.702 } }, MICROSOFT),
      node('FastGelu', ['q', 'b'], ['y'], {}, MICROSOFT),
    ],
    { dims: [WIDE], initializers: [random('b', [8])] },
  ),
  beyond('RotaryEmbedding', [node('RotaryEmbedding', ['x', 'p', 'cos', 'sin'], ['y'], {}, MICROSOFT)], {
    dims: [[1, 2, 5, 8]],
    initializers: [ints('p', [0]), random('cos', [10, 4]), random('sin', [10, 4])],
  }),
];

const sequences = (op: 'LSTM' | 'GRU', gates: number, directions: number, states: readonly string[]): BeyondCase => {
  const shape = (...rest: number[]): number[] => [directions, ...rest];
  const results = op === 'LSTM' ? ['y', 'h', 'c'] : ['y', 'h'];
  const direction = directions === 2 ? 'bidirectional' : 'forward';
  return beyond(
    `${op} of three sequences, ${direction}`,
    [node(op, ['x', 'w', 'r', 'b', '', ...states], results, { hidden_size: 5, direction })],
    {
      dims: [[4, 3, 2], ...states.map((): Dims => [directions, 3, 5])],
      initializers: [
        random('w', shape(gates * 5, 2)),
        random('r', shape(gates * 5, 5)),
        random('b', shape(2 * gates * 5)),
      ],
      outputs: results,
    },
  );
};

const CONSTANTS: readonly BeyondCase[] = [
  sequences('LSTM', 4, 1, ['x1', 'x2']),
  sequences('GRU', 3, 2, []),
  one('GlobalAveragePool', {}, [], { dims: [[1, 2, 3, 4, 5]] }),
  beyond(
    'CumSum, NonZero, EyeLike, ReduceL2, MatMul of constants',
    [
      node('CumSum', ['k', 'zero'], ['sums']),
      node('NonZero', ['k'], ['places']),
      node('Squeeze', ['places', 'axis'], ['flat']),
      node('Gather', ['x', 'flat'], ['taken'], { axis: 1 }),
      node('EyeLike', ['square'], ['eye']),
      node('MatMul', ['eye', 'square'], ['product']),
      node('ReduceL2', ['product'], ['norm'], { axes: [1] }),
      node('Add', ['taken', 'norm'], ['a']),
      node('Add', ['a', 'sums'], ['y']),
    ],
    {
      dims: [[4, 4]],
      initializers: [
        floats('k', [4], [1, 1, 1, 2]),
        ints('zero', [0], []),
        ints('axis', [0]),
        random('square', [4, 4]),
      ],
    },
  ),
  beyond('Size of an activation', [
    node('Size', ['x'], ['s']),
    node('Cast', ['s'], ['f'], { to: 1 }),
    node('Div', ['x', 'f'], ['y']),
  ]),
  one('CastLike', {}, [random('c', [1])], { opset: 15 }),
];

export const COMPOSED_CASES: readonly BeyondCase[] = [
  ...FUNCTIONS,
  ...PRODUCTS,
  ...INDEXED,
  ...RESIZES,
  ...BATCHES,
  ...LOOPS,
  ...FUSED,
  ...CONSTANTS,
];
