/** One small model per operator and form that the ONNX front end imports. */
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

export interface OperatorCase {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly { readonly name: string; readonly dims: readonly number[] }[];
  /** Inputs are drawn from [low, high). */
  readonly low: number;
  readonly high: number;
}

type Dims = readonly number[];
const IMAGE: Dims = [1, 4, 5, 6];

interface CaseSpec extends Partial<ModelSpec> {
  readonly dims?: readonly Dims[];
  readonly range?: readonly [number, number];
}

let seed = 1;
const random = (name: string, dims: Dims): object => floats(name, dims, randomFloats(product(dims), seed++));
const positive = (name: string, dims: Dims): object =>
  floats(
    name,
    dims,
    randomFloats(product(dims), seed++).map((v) => v + 1.5),
  );

/** A case with inputs x, x1, x2 ... of the given shapes and the output y. */
function testCase(name: string, nodes: readonly object[], spec: CaseSpec = {}): OperatorCase {
  const dims = spec.dims ?? [IMAGE];
  const inputs = dims.map((shape, i) => ({ name: i === 0 ? 'x' : `x${i}`, dims: shape }));
  const model = encodeModel({
    nodes,
    initializers: spec.initializers ?? [],
    inputs: inputs.map((input) => valueInfo(input.name, input.dims)),
    outputs: spec.outputs ?? ['y'],
    ...(spec.opset === undefined ? {} : { opset: spec.opset }),
  });
  const [low, high] = spec.range ?? [-2, 2];
  return { name, model, inputs, low, high };
}

const conv = (attributes: Parameters<typeof node>[3], weights: Dims, input = 'x', output = 'y'): [object, object[]] => [
  node('Conv', [input, `${output}_w`, `${output}_b`], [output], attributes),
  [random(`${output}_w`, weights), random(`${output}_b`, [weights[0] ?? 1])],
];

function convCase(
  name: string,
  attributes: Parameters<typeof node>[3],
  weights: Dims,
  dims: Dims = IMAGE,
): OperatorCase {
  const [layer, initializers] = conv(attributes, weights);
  return testCase(name, [layer], { initializers, dims: [dims] });
}

const CONVOLUTIONS: readonly OperatorCase[] = [
  convCase('Conv 3x3 with pads', { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, [7, 4, 3, 3]),
  convCase('Conv stride, asymmetrical pads', { strides: [2, 1], pads: [0, 2, 1, 0] }, [3, 4, 3, 2]),
  convCase('Conv groups', { group: 2, pads: [1, 1, 1, 1] }, [6, 2, 3, 3]),
  convCase('Conv depthwise dilated', { group: 4, dilations: [2, 2], pads: [2, 2, 2, 2] }, [8, 1, 3, 3]),
  convCase('Conv SAME_UPPER', { auto_pad: 'SAME_UPPER', strides: [2, 2] }, [2, 4, 2, 4]),
  convCase('Conv SAME_LOWER', { auto_pad: 'SAME_LOWER', strides: [2, 2] }, [2, 4, 2, 4]),
  convCase('Conv VALID', { auto_pad: 'VALID' }, [2, 4, 3, 3]),
  convCase('Conv 1x1', {}, [5, 4, 1, 1]),
  testCase('Conv without bias', [node('Conv', ['x', 'w'], ['y'])], { initializers: [random('w', [2, 4, 2, 2])] }),
  testCase(
    'Conv after Pad',
    [node('Pad', ['x', 'p'], ['q']), node('Conv', ['q', 'w'], ['y'], { pads: [1, 0, 0, 0] })],
    { initializers: [ints('p', [0, 0, 1, 2, 0, 0, 0, 1]), random('w', [2, 4, 3, 3])] },
  ),
  testCase(
    'Conv with weights of int8 times a scale',
    [
      node('Tile', ['base', 'r'], ['t']),
      node('Slice', ['t', 's', 'e', 'a'], ['cut']),
      node('Reshape', ['cut', 'shape'], ['q']),
      node('Cast', ['q'], ['f'], { to: 1 }),
      node('Mul', ['f', 'scale'], ['w']),
      node('Conv', ['x', 'w'], ['y']),
    ],
    {
      initializers: [
        int8s('base', [13], [1, -2, 3, -4, 5, -128, 127, 8, 9, 10, -11, 12, 13]),
        ints('r', [8]),
        ints('s', [5]),
        ints('e', [101]),
        ints('a', [0]),
        ints('shape', [6, 4, 2, 2]),
        random('scale', [6, 1, 1, 1]),
      ],
    },
  ),
];

const bn = (x: string, y: string): object =>
  node('BatchNormalization', [x, 'g', 'b', 'm', 'v'], [y], { epsilon: { float: 1e-3 } });
const bnConstants = (channels: number): object[] => [
  random('g', [channels]),
  random('b', [channels]),
  random('m', [channels]),
  positive('v', [channels]),
];

const NORMALISATIONS: readonly OperatorCase[] = [
  testCase('BatchNormalization alone', [bn('x', 'y')], { initializers: bnConstants(4) }),
  testCase('BatchNormalization after Conv', [conv({}, [3, 4, 2, 2], 'x', 'c')[0], bn('c', 'y')], {
    initializers: [...conv({}, [3, 4, 2, 2], 'x', 'c')[1], ...bnConstants(3)],
  }),
  testCase(
    'BatchNormalization after a Conv that is read twice',
    [conv({}, [3, 4, 2, 2], 'x', 'c')[0], bn('c', 'n'), node('Add', ['n', 'c'], ['y'])],
    {
      initializers: [...conv({}, [3, 4, 2, 2], 'x', 'c')[1], ...bnConstants(3)],
    },
  ),
  testCase('BatchNormalization after Gemm', [node('Gemm', ['x', 'w'], ['c'], { transB: 1 }), bn('c', 'y')], {
    initializers: [random('w', [3, 8]), ...bnConstants(3)],
    dims: [[1, 8]],
  }),
  testCase('LRN', [
    node('LRN', ['x'], ['y'], { size: 3, alpha: { float: 0.1 }, beta: { float: 0.6 }, bias: { float: 1.5 } }),
  ]),
  testCase('Softmax 13', [node('Softmax', ['x'], ['y'])]),
  testCase('Softmax 13 over channels', [node('Softmax', ['x'], ['y'], { axis: 1 })]),
  testCase('Softmax 13 over rows', [node('Softmax', ['x'], ['y'], { axis: 2 })]),
  testCase('Softmax 9 flattens', [node('Softmax', ['x'], ['y'], { axis: 2 })], { opset: 9 }),
  testCase('Softmax 9 of a vector', [node('Softmax', ['x'], ['y'])], { opset: 9, dims: [[1, 10]] }),
];

const unary = (
  op: string,
  attributes: Parameters<typeof node>[3] = {},
  range: readonly [number, number] = [-4, 4],
  opset = 14,
): OperatorCase =>
  testCase(`${op} ${JSON.stringify(attributes)}`, [node(op, ['x'], ['y'], attributes)], { range, opset });

const ACTIVATIONS: readonly OperatorCase[] = [
  unary('Relu'),
  unary('LeakyRelu'),
  unary('LeakyRelu', { alpha: { float: 0.3 } }),
  unary('Sigmoid'),
  unary('Tanh'),
  unary('HardSwish'),
  unary('HardSigmoid'),
  unary('HardSigmoid', { alpha: { float: 0.3 }, beta: { float: 0.4 } }),
  unary('Elu'),
  unary('Elu', { alpha: { float: 0.5 } }),
  unary('Exp'),
  unary('Sqrt', {}, [0.1, 4]),
  unary('Identity'),
  unary('Clip', { min: { float: -1 }, max: { float: 2 } }, [-4, 4], 9),
  testCase('Clip with operands', [node('Clip', ['x', 'lo', 'hi'], ['y'])], {
    initializers: [floats('lo', [], [0]), floats('hi', [], [1])],
  }),
  testCase('Clip without a lower limit', [node('Clip', ['x', '', 'hi'], ['y'])], {
    initializers: [floats('hi', [], [0.5])],
  }),
  testCase('Clip without limits', [node('Clip', ['x'], ['y'])]),
  testCase('Dropout', [node('Dropout', ['x'], ['d']), node('Relu', ['d'], ['y'])]),
];

const pool = (op: string, attributes: Parameters<typeof node>[3], dims: Dims = IMAGE, opset = 13): OperatorCase =>
  testCase(`${op} ${JSON.stringify(attributes)}`, [node(op, ['x'], ['y'], attributes)], { dims: [dims], opset });

const POOLS: readonly OperatorCase[] = [
  pool('MaxPool', { kernel_shape: [2, 3], strides: [2, 1] }),
  pool('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  pool('MaxPool', { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }, [1, 3, 5, 7]),
  pool('MaxPool', { kernel_shape: [3, 3], strides: [3, 3], pads: [1, 1, 1, 1], ceil_mode: 1 }, [1, 3, 5, 7]),
  pool('MaxPool', { kernel_shape: [2, 2], dilations: [2, 2] }),
  pool('MaxPool', { kernel_shape: [3, 2], auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  pool('AveragePool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  pool('AveragePool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  pool('AveragePool', { kernel_shape: [2, 2], pads: [0, 1, 1, 0], strides: [2, 2] }),
  pool('AveragePool', { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }, [1, 3, 5, 7]),
  pool('AveragePool', { kernel_shape: [3, 3], auto_pad: 'SAME_LOWER', strides: [2, 2] }),
  pool('GlobalAveragePool', {}),
  pool('GlobalMaxPool', {}),
  testCase(
    'AveragePool after Pad',
    [node('Pad', ['x', 'p'], ['q']), node('AveragePool', ['q'], ['y'], { kernel_shape: [3, 3] })],
    { initializers: [ints('p', [0, 0, 1, 1, 0, 0, 1, 1])] },
  ),
  testCase(
    'MaxPool after Relu and Pad',
    [
      node('Relu', ['x'], ['r']),
      node('Pad', ['r', 'p'], ['q']),
      node('MaxPool', ['q'], ['y'], { kernel_shape: [3, 3], strides: [2, 2] }),
    ],
    { initializers: [ints('p', [0, 0, 0, 0, 0, 0, 1, 1])] },
  ),
];

const DENSE: readonly OperatorCase[] = [
  testCase('Gemm', [node('Gemm', ['x', 'w', 'c'], ['y'])], {
    dims: [[1, 8]],
    initializers: [random('w', [8, 5]), random('c', [5])],
  }),
  testCase(
    'Gemm transB alpha beta',
    [node('Gemm', ['x', 'w', 'c'], ['y'], { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } })],
    {
      dims: [[1, 8]],
      initializers: [random('w', [5, 8]), random('c', [1, 5])],
    },
  ),
  testCase('Gemm scalar addend', [node('Gemm', ['x', 'w', 'c'], ['y'])], {
    dims: [[1, 8]],
    initializers: [random('w', [8, 5]), random('c', [1])],
  }),
  testCase('Gemm of several rows', [node('Gemm', ['x', 'w', 'c'], ['y'])], {
    dims: [[3, 8]],
    initializers: [random('w', [8, 5]), random('c', [5])],
  }),
  testCase('MatMul', [node('MatMul', ['x', 'w'], ['y'])], { dims: [[1, 8]], initializers: [random('w', [8, 5])] }),
  testCase('MatMul of a sequence, then Add', [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'c'], ['y'])], {
    dims: [[1, 6, 8]],
    initializers: [random('w', [8, 5]), random('c', [5])],
  }),
  testCase('MatMul of an image', [node('MatMul', ['x', 'w'], ['y'])], { initializers: [random('w', [6, 3])] }),
  testCase('Flatten, Gemm', [node('Flatten', ['x'], ['f']), node('Gemm', ['f', 'w'], ['y'], { transB: 1 })], {
    initializers: [random('w', [3, 120])],
  }),
  testCase(
    'Reshape, Transpose, Gemm',
    [
      node('Transpose', ['x'], ['t'], { perm: [0, 3, 1, 2] }),
      node('Reshape', ['t', 's'], ['f']),
      node('Gemm', ['f', 'w'], ['y']),
    ],
    {
      initializers: [ints('s', [1, -1]), random('w', [120, 3])],
    },
  ),
];

const twice = (
  op: string,
  name: string,
  initializers: readonly object[],
  inputs: readonly string[],
  dims?: readonly Dims[],
): OperatorCase => testCase(name, [node(op, inputs, ['y'])], { initializers, ...(dims === undefined ? {} : { dims }) });

const ARITHMETIC: readonly OperatorCase[] = [
  ...['Add', 'Sub', 'Mul'].map((op) => twice(op, `${op} of two images`, [], ['x', 'x1'], [IMAGE, IMAGE])),
  ...['Add', 'Sub', 'Mul', 'Div'].map((op) =>
    twice(op, `${op} of channels and a constant`, [positive('c', [4, 1, 1])], ['x', 'c']),
  ),
  ...['Add', 'Sub', 'Mul'].map((op) => twice(op, `${op} of a constant and columns`, [positive('c', [6])], ['c', 'x'])),
  ...['Add', 'Sub', 'Mul', 'Div'].map((op) => twice(op, `${op} by a scalar`, [positive('c', [])], ['x', 'c'])),
  twice('Sum', 'Sum of three', [], ['x', 'x1', 'x2'], [IMAGE, IMAGE, IMAGE]),
  twice('Sum', 'Sum of one', [], ['x']),
  twice('Mul', 'Mul by a gate per channel', [], ['x', 'x1'], [IMAGE, [1, 4, 1, 1]]),
  twice('Mul', 'Mul of a gate and an image', [], ['x', 'x1'], [[1, 4, 1, 1], IMAGE]),
  testCase(
    'Mul, Add and Div after Conv',
    [
      conv({}, [3, 4, 2, 2], 'x', 'c')[0],
      node('Mul', ['c', 's'], ['m']),
      node('Add', ['t', 'm'], ['a']),
      node('Div', ['a', 'd'], ['e']),
      node('Sub', ['o', 'e'], ['y']),
    ],
    {
      initializers: [
        ...conv({}, [3, 4, 2, 2], 'x', 'c')[1],
        random('s', [1, 3, 1, 1]),
        random('t', [3, 1, 1]),
        positive('d', [1]),
        random('o', [1, 3, 1, 1]),
      ],
    },
  ),
  testCase(
    'Add of operands that lie differently',
    [node('Transpose', ['x'], ['t'], { perm: [0, 1, 3, 2] }), node('Add', ['t', 'x1'], ['y'])],
    {
      dims: [IMAGE, [1, 4, 6, 5]],
    },
  ),
  testCase(
    'Mul of operands cut differently',
    [node('Reshape', ['x', 's'], ['a']), node('Reshape', ['x1', 's'], ['b']), node('Mul', ['a', 'b'], ['y'])],
    { initializers: [ints('s', [1, 2, -1])], dims: [IMAGE, [1, 6, 5, 4]] },
  ),
];

const chain = (
  name: string,
  nodes: readonly object[],
  initializers: readonly object[] = [],
  dims: readonly Dims[] = [IMAGE],
): OperatorCase => testCase(name, nodes, { initializers, dims });

const MOVEMENTS: readonly OperatorCase[] = [
  ...[0, 1, 2, 3].map((axis) => {
    const other = IMAGE.map((dim, i) => (i === axis ? 2 : dim));
    return chain(`Concat along ${axis}`, [node('Concat', ['x', 'x1'], ['y'], { axis })], [], [IMAGE, other]);
  }),
  chain(
    'Concat of sequences',
    [node('Concat', ['x', 'x1'], ['y'], { axis: 1 })],
    [],
    [
      [1, 5, 3],
      [1, 2, 3],
    ],
  ),
  chain(
    'Concat of an image and a transposed one',
    [node('Transpose', ['x1'], ['t'], { perm: [0, 1, 3, 2] }), node('Concat', ['x', 't'], ['y'], { axis: 1 })],
    [],
    [IMAGE, [1, 2, 6, 5]],
  ),
  ...[1, 2, 3].map((axis) =>
    chain(
      `Slice along ${axis}`,
      [node('Slice', ['x', 's', 'e', 'a'], ['y'])],
      [ints('s', [1]), ints('e', [-1]), ints('a', [axis])],
    ),
  ),
  chain(
    'Slice of two axes to the end',
    [node('Slice', ['x', 's', 'e', 'a'], ['y'])],
    [ints('s', [1, -3]), ints('e', [100, 9e15]), ints('a', [1, 3])],
  ),
  testCase('Slice 9', [node('Slice', ['x'], ['y'], { starts: [1, 2], ends: [3, 5], axes: [1, 2] })], { opset: 9 }),
  testCase('Split', [node('Split', ['x'], ['a', 'b'], { axis: 1 }), node('Mul', ['a', 'b'], ['y'])]),
  testCase('Split by sizes', [node('Split', ['x', 's'], ['a', 'y'], { axis: 2 })], {
    initializers: [ints('s', [2, 3])],
    outputs: ['a', 'y'],
  }),
  chain('Gather of one index', [node('Gather', ['x', 'i'], ['y'], { axis: 1 })], [ints('i', [2], [])]),
  chain('Transpose as an output', [node('Transpose', ['x'], ['y'], { perm: [0, 2, 3, 1] })]),
  chain('Transpose, Relu, Transpose', [
    node('Transpose', ['x'], ['t'], { perm: [3, 0, 2, 1] }),
    node('Relu', ['t'], ['r']),
    node('Transpose', ['r'], ['y'], { perm: [1, 0, 3, 2] }),
  ]),
  chain(
    'channel shuffle',
    [
      conv({}, [6, 4, 1, 1], 'x', 'c')[0],
      node('Reshape', ['c', 's5'], ['r']),
      node('Transpose', ['r'], ['t'], { perm: [0, 2, 1, 3, 4] }),
      node('Reshape', ['t', 's4'], ['u']),
      node('Conv', ['u', 'w'], ['y'], { group: 3 }),
    ],
    [
      ...conv({}, [6, 4, 1, 1], 'x', 'c')[1],
      ints('s5', [1, 2, 3, 5, 6]),
      ints('s4', [1, 6, 5, 6]),
      random('w', [3, 2, 1, 1]),
    ],
  ),
  chain(
    'detector head',
    [
      conv({}, [6, 4, 1, 1], 'x', 'c')[0],
      node('Transpose', ['c'], ['t'], { perm: [0, 2, 3, 1] }),
      node('Reshape', ['t', 's'], ['r']),
      node('Concat', ['r', 'x1'], ['k'], { axis: 1 }),
      node('Softmax', ['k'], ['y'], { axis: 2 }),
    ],
    [...conv({}, [6, 4, 1, 1], 'x', 'c')[1], ints('s', [1, -1, 2])],
    [IMAGE, [1, 3, 2]],
  ),
  chain(
    'head split into anchors',
    [
      conv({}, [6, 4, 1, 1], 'x', 'c')[0],
      node('Reshape', ['c', 's'], ['r']),
      node('Transpose', ['r'], ['y'], { perm: [0, 1, 3, 4, 2] }),
    ],
    [...conv({}, [6, 4, 1, 1], 'x', 'c')[1], ints('s', [1, 2, 3, 5, 6])],
  ),
  chain(
    'Reshape across axes, then Conv',
    [node('Reshape', ['x', 's'], ['r']), node('Conv', ['r', 'w'], ['y'])],
    [ints('s', [0, 6, 4, -1]), random('w', [2, 6, 2, 2])],
  ),
  chain(
    'Squeeze and Unsqueeze',
    [
      node('GlobalAveragePool', ['x'], ['g']),
      node('Squeeze', ['g', 'a'], ['q']),
      node('Unsqueeze', ['q', 'b'], ['u']),
      node('Add', ['u', 'g'], ['y']),
    ],
    [ints('a', [2, 3]), ints('b', [-1, 2])],
  ),
  chain(
    'Shape, Gather, Concat, Reshape',
    [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'i'], ['c']),
      node('Unsqueeze', ['c', 'z'], ['d']),
      node('Concat', ['one', 'd', 'minus'], ['t'], { axis: 0 }),
      node('Reshape', ['x', 't'], ['y']),
    ],
    [ints('i', [1], []), ints('z', [0]), ints('one', [1]), ints('minus', [-1])],
  ),
  testCase(
    'channels-last model',
    [node('Transpose', ['x'], ['t'], { perm: [0, 3, 1, 2] }), conv({}, [3, 4, 2, 2], 't', 'y')[0]],
    {
      initializers: conv({}, [3, 4, 2, 2], 't', 'y')[1],
      dims: [[1, 5, 6, 4]],
    },
  ),
];

const resize = (
  name: string,
  attributes: Parameters<typeof node>[3],
  scales: readonly number[],
  opset = 13,
): OperatorCase =>
  testCase(`Resize ${name}`, [node('Resize', ['x', '', 'scales'], ['y'], attributes)], {
    initializers: [floats('scales', [4], scales)],
    opset,
  });

const RESIZES: readonly OperatorCase[] = [
  resize('asymmetric floor', { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }, [1, 1, 2, 3]),
  resize('half_pixel', {}, [1, 1, 2, 2]),
  resize('half_pixel, round_prefer_ceil', { nearest_mode: 'round_prefer_ceil' }, [1, 1, 3, 2]),
  resize('asymmetric, round_prefer_floor', { coordinate_transformation_mode: 'asymmetric' }, [1, 1, 2, 2]),
  resize('by one', {}, [1, 1, 1, 1]),
  testCase(
    'Resize to sizes',
    [
      node('Resize', ['x', '', '', 's'], ['y'], {
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    ],
    {
      initializers: [ints('s', [1, 4, 10, 18])],
    },
  ),
  testCase('Resize 10', [node('Resize', ['x', 's'], ['y'])], {
    opset: 10,
    initializers: [floats('s', [4], [1, 1, 2, 2])],
  }),
  testCase('Upsample 9', [node('Upsample', ['x', 's'], ['y'])], {
    opset: 9,
    initializers: [floats('s', [4], [1, 1, 2, 2])],
  }),
  testCase('Upsample 7', [node('Upsample', ['x'], ['y'], { scales: { floats: [1, 1, 3, 2] } })], { opset: 7 }),
];

const weightsBy = (name: string, nodes: readonly object[], initializers: readonly object[]): OperatorCase =>
  testCase(`constants: ${name}`, [...nodes, node('Conv', ['x', 'w'], ['y'])], { initializers });

const CONSTANTS: readonly OperatorCase[] = [
  weightsBy(
    'ConstantOfShape',
    [node('ConstantOfShape', ['s'], ['w'], { value: floats('', [1], [0.25]) })],
    [ints('s', [3, 4, 2, 2])],
  ),
  weightsBy('Constant', [node('Constant', [], ['w'], { value: random('', [2, 4, 1, 1]) })], []),
  weightsBy('Transpose', [node('Transpose', ['a'], ['w'], { perm: [3, 2, 0, 1] })], [random('a', [2, 3, 4, 5])]),
  weightsBy(
    'Concat and Split',
    [node('Split', ['a'], ['p', 'q'], { axis: 1 }), node('Concat', ['q', 'p', 'q'], ['w'], { axis: 0 })],
    [random('a', [2, 8, 2, 2])],
  ),
  weightsBy(
    'arithmetic',
    [
      node('Sub', ['a', 'b'], ['c']),
      node('Div', ['c', 'd'], ['e']),
      node('Add', ['e', 'b'], ['f']),
      node('Sqrt', ['f2'], ['g']),
      node('Mul', ['f', 'g'], ['w']),
    ],
    [random('a', [2, 4, 2, 2]), random('b', [4, 1, 1]), positive('d', [2, 1, 1, 1]), positive('f2', [2, 2])],
  ),
  weightsBy(
    'Slice with steps',
    [node('Slice', ['a', 's', 'e', 'ax', 'st'], ['w'])],
    [random('a', [5, 8, 2, 2]), ints('s', [-1, 0]), ints('e', [-6, 8]), ints('ax', [0, 1]), ints('st', [-2, 2])],
  ),
  weightsBy(
    'Tile and Expand',
    [node('Tile', ['a', 'r'], ['t']), node('Expand', ['t', 'sh'], ['w'])],
    [random('a', [1, 2, 1, 2]), ints('r', [3, 2, 1, 1]), ints('sh', [3, 4, 2, 2])],
  ),
  weightsBy(
    'Range, Cast, Reshape',
    [
      node('Range', ['r0', 'r1', 'r2'], ['r']),
      node('Cast', ['r'], ['f'], { to: 1 }),
      node('Reshape', ['f', 's'], ['w']),
    ],
    [ints('r0', [0], []), ints('r1', [32], []), ints('r2', [1], []), ints('s', [2, 4, 2, 2])],
  ),
  weightsBy(
    'Gather',
    [node('Gather', ['a', 'i'], ['w'], { axis: 1 })],
    [random('a', [2, 5, 2, 2]), ints('i', [4, 0, -2, 1])],
  ),
];

export const OPERATOR_CASES: readonly OperatorCase[] = [
  ...CONVOLUTIONS,
  ...NORMALISATIONS,
  ...ACTIVATIONS,
  ...POOLS,
  ...DENSE,
  ...ARITHMETIC,
  ...MOVEMENTS,
  ...RESIZES,
  ...CONSTANTS,
];
