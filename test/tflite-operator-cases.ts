/** Models of one operator, in the forms that files have them. */

import { BOX_CASES } from './tflite-box-cases.js';
import type { FileTensor } from './tflite-builder.js';
import {
  act,
  bytes,
  constant,
  f32,
  i8,
  i32,
  int32,
  KINDS,
  type Kind,
  type OperatorCase,
  one,
  random,
  type Spec,
} from './tflite-case-parts.js';
import { activations, functions, pools } from './tflite-function-cases.js';
import { INTEGER_CASES } from './tflite-integer-cases.js';
import { conversions, movements } from './tflite-movement-cases.js';
import { positions } from './tflite-position-cases.js';
import { signals } from './tflite-signal-cases.js';
import { scatters, volumes } from './tflite-volume-cases.js';

/** Weights of a convolution, and a bias; int8 with a scale for each output channel. */
function weights(type: Kind, shape: readonly number[], axis: number): FileTensor[] {
  const channels = shape[axis] ?? 1;
  if (type === 'float32') return [constant('w', type, shape), constant('b', type, [channels])];
  const biasOf = (): FileTensor => ({
    ...int32('b', [channels], ...Array.from({ length: channels }, () => Math.floor(random() * 2000) - 1000)),
    scales: [0.05 * 0.01],
  });
  if (type === 'uint8')
    return [constant('w', type, shape, 0.01, 5), { ...biasOf(), scales: [Math.fround(0.05) * 0.01] }];
  const scales = Array.from({ length: channels }, () => 0.005 + random() * 0.01);
  const perChannel = { scales, zeroPoints: scales.map(() => 0), axis };
  return [
    { name: 'w', type, shape, data: bytes(shape), ...perChannel },
    { ...biasOf(), ...perChannel, axis: 0 },
  ];
}

function convolutions(): OperatorCase[] {
  const SAME = 0;
  const VALID = 1;
  return KINDS.flatMap((type) => {
    const x = act('x', type, [1, 9, 7, 4]);
    const conv = (name: string, padding: number, stride: number, dilation: number, activation: number, y: number[]) =>
      one(
        `CONV_2D ${type} ${name}`,
        {
          code: 3,
          optionsType: 1,
          options: {
            0: i8(padding),
            1: i32(stride),
            2: i32(stride),
            3: i8(activation),
            4: i32(dilation),
            5: i32(dilation),
          },
          version: type === 'int8' ? 3 : 1,
        },
        [x, ...weights(type, [6, 3, 3, 4], 0)],
        [act('y', type, y, 0.09, -7)],
      );
    const depthwise = (name: string, multiplier: number, stride: number, activation: number, y: number[]) =>
      one(
        `DEPTHWISE_CONV_2D ${type} ${name}`,
        {
          code: 4,
          optionsType: 2,
          options: {
            0: i8(SAME),
            1: i32(stride),
            2: i32(stride),
            3: i32(multiplier),
            4: i8(activation),
            5: i32(1),
            6: i32(1),
          },
          version: type === 'int8' ? 3 : 1,
        },
        [x, ...weights(type, [1, 3, 3, 4 * multiplier], 3)],
        [act('y', type, y, 0.09, -7)],
      );
    const dense = (name: string, shape: number[], y: number[], keep: number) =>
      one(
        `FULLY_CONNECTED ${type} ${name}`,
        {
          code: 9,
          optionsType: 8,
          options: { 0: i8(1), 2: i8(keep) },
          version: type === 'int8' ? 4 : keep === 1 ? 5 : 1,
        },
        [
          act('x', type, shape),
          type === 'int8' ? constant('w', type, [5, 12], 0.01, 0) : (weights(type, [5, 12], 0)[0] as FileTensor),
          { ...(weights(type === 'int8' ? 'uint8' : type, [5, 12], 0)[1] as FileTensor) },
        ],
        [act('y', type, y, 0.09, -7)],
      );
    return [
      conv('same, stride 2', SAME, 2, 1, 0, [1, 5, 4, 6]),
      conv('valid, relu6', VALID, 1, 1, 3, [1, 7, 5, 6]),
      conv('dilated, relu', SAME, 1, 2, 1, [1, 9, 7, 6]),
      depthwise('relu6', 1, 1, 3, [1, 9, 7, 4]),
      depthwise('two for each, stride 2', 2, 2, 0, [1, 5, 4, 8]),
      dense('one row', [1, 12], [1, 5], 0),
      dense('rows', [3, 12], [3, 5], 0),
      dense('kept axes', [1, 2, 3, 12], [1, 2, 3, 5], 1),
    ];
  });
}

function binaries(): OperatorCase[] {
  const CODES = { ADD: [0, 11], SUB: [41, 28], MUL: [18, 21] } as const;
  return KINDS.flatMap((type) =>
    (Object.keys(CODES) as (keyof typeof CODES)[]).flatMap((name) => {
      const [code, optionsType] = CODES[name];
      const spec = { code, optionsType, options: { 0: i8(0) }, version: type === 'int8' ? 2 : 1 };
      const a = act('a', type, [1, 5, 6, 3], 0.07);
      const y = act('y', type, [1, 5, 6, 3], 0.11, 9);
      return [
        one(`${name} ${type}`, spec, [a, act('b', type, [1, 5, 6, 3], 0.02, -20)], [y]),
        one(`${name} ${type}, relu6`, { ...spec, options: { 0: i8(3) } }, [a, act('b', type, [1, 5, 6, 3], 0.02)], [y]),
        one(`${name} ${type}, a scalar`, spec, [a, constant('b', type, [1])], [y]),
        one(`${name} ${type}, scalar first`, spec, [constant('b', type, [1]), a], [y]),
        ...(type === 'float32' || name === 'MUL'
          ? [one(`${name} ${type}, one for each channel`, spec, [a, constant('b', type, [3])], [y])]
          : []),
      ];
    }),
  );
}

/** Its first operand is the shape of the result, its second the weights. */
function transposedConvolutions(): OperatorCase[] {
  return KINDS.flatMap((type) => {
    const make = (name: string, padding: number, stride: number, kernel: number, y: number[]): OperatorCase => {
      const [w, b] = weights(type, [5, kernel, kernel, 4], 0);
      const x = act('x', type, [1, 4, 5, 4]);
      const options = { 0: i8(padding), 1: i32(stride), 2: i32(stride), 3: i8(0) };
      const spec = { code: 67, optionsType: 49, options, version: type === 'uint8' ? 3 : 3 };
      const operands = [int32('shape', [4], ...y), w, x, b].filter((tensor) => tensor !== undefined);
      return one(`TRANSPOSE_CONV ${type} ${name}`, spec, operands, [act('y', type, y, 0.09, -7)]);
    };
    return [
      make('same, stride 2, kernel 3', 0, 2, 3, [1, 8, 10, 5]),
      make('same, stride 2, kernel 4', 0, 2, 4, [1, 7, 9, 5]),
      make('valid, stride 3, kernel 2', 1, 3, 2, [1, 11, 14, 5]),
      make('valid, stride 1, kernel 3', 1, 1, 3, [1, 6, 7, 5]),
    ];
  });
}

/** float32 with weights of int8: with one scale, or one for each channel. */
function hybrids(): OperatorCase[] {
  const x = act('x', 'float32', [1, 9, 7, 4]);
  const bias = constant('b', 'float32', [6]);
  const conv = { code: 3, optionsType: 1, options: { 0: i8(0), 1: i32(1), 2: i32(1), 3: i8(1), 4: i32(1), 5: i32(1) } };
  const deep = {
    code: 4,
    optionsType: 2,
    options: { 0: i8(0), 1: i32(1), 2: i32(1), 3: i32(1), 4: i8(0), 5: i32(1), 6: i32(1) },
  };
  const dense = { code: 9, optionsType: 8, options: { 0: i8(0) }, version: 3 };
  const [perChannel] = weights('int8', [6, 3, 3, 4], 0);
  const [depthwise] = weights('int8', [1, 3, 3, 4], 3);
  const y = act('y', 'float32', [1, 9, 7, 6]);
  return [
    one('CONV_2D hybrid', { ...conv, version: 2 }, [x, constant('w', 'int8', [6, 3, 3, 4], 0.01, 0), bias], [y]),
    ...(perChannel === undefined
      ? []
      : [one('CONV_2D hybrid by channel', { ...conv, version: 5 }, [x, perChannel, bias], [y])]),
    ...(depthwise === undefined
      ? []
      : [
          one(
            'DEPTHWISE_CONV_2D hybrid',
            { ...deep, version: 6 },
            [x, depthwise, constant('b', 'float32', [4])],
            [{ ...y, shape: x.shape }],
          ),
        ]),
    one(
      'BATCH_MATMUL hybrid',
      { code: 126, optionsType: 101, options: {}, version: 3 },
      [act('x', 'float32', [2, 5, 16]), constant('w', 'int8', [16, 6], 0.01, 0)],
      [act('y', 'float32', [2, 5, 6])],
    ),
    one('SIGN float32', { code: 158 }, [act('x', 'float32', [1, 6, 7, 8])], [act('y', 'float32', [1, 6, 7, 8])]),
    one(
      'FULLY_CONNECTED hybrid',
      dense,
      [act('x', 'float32', [3, 12]), constant('w', 'int8', [6, 12], 0.01, 0), bias],
      [act('y', 'float32', [3, 6])],
    ),
  ];
}

/** Functions of int16; every number of it is an element of x. */
function functions16(): OperatorCase[] {
  const wide = (name: string, scale: number): FileTensor => ({
    name,
    type: 'int16',
    shape: [1, 16, 16, 16],
    scales: [scale],
    zeroPoints: [0],
  });
  const unary = (name: string, from: number, to: number, spec: Spec): OperatorCase =>
    one(`${name} int16 of ${from}`, { version: 2, ...spec }, [wide('x', from)], [wide('y', to)]);
  return [
    ...[0.0004, 0.00031, 2 ** -12, 2 ** -11].flatMap((from) => [
      unary('LOGISTIC', from, 2 ** -15, { code: 14 }),
      unary('TANH', from, 2 ** -15, { code: 28 }),
    ]),
    unary('RELU', 0.0004, 0.0003, { code: 19 }),
    unary('RELU6', 0.0004, 0.0004, { code: 21 }),
    unary('LEAKY_RELU', 0.0004, 0.0003, { code: 98, optionsType: 75, options: { 0: f32(0.2) } }),
    unary('EXP', 0.0001, 0.001, { code: 47, optionsType: 33 }),
    unary('GELU', 0.0004, 0.0003, { code: 150, optionsType: 117, options: { 0: i8(0) } }),
  ];
}

/** int16 activations with int8 weights: symmetric, biases of 64 bits. */
function int16s(): OperatorCase[] {
  const wide = (name: string, shape: number[], scale: number): FileTensor => ({
    name,
    type: 'int16',
    shape,
    scales: [scale],
    zeroPoints: [0],
  });
  const x = wide('x', [1, 9, 7, 4], 0.0004);
  const bias = (channels: number): FileTensor => ({
    name: 'b',
    type: 'int64',
    shape: [channels],
    data: BigInt64Array.from({ length: channels }, () => BigInt(Math.floor(random() * 2e6) - 1e6)),
    scales: [0.0004 * 0.01],
  });
  const [w] = weights('int8', [6, 3, 3, 4], 0);
  const [deep] = weights('int8', [1, 3, 3, 4], 3);
  if (w === undefined || deep === undefined) return [];
  const conv = { code: 3, optionsType: 1, options: { 0: i8(0), 1: i32(1), 2: i32(1), 3: i8(1), 4: i32(1), 5: i32(1) } };
  const depthwise = {
    code: 4,
    optionsType: 2,
    options: { 0: i8(0), 1: i32(1), 2: i32(1), 3: i32(1), 4: i8(0), 5: i32(1), 6: i32(1) },
  };
  const pool = (code: number, name: string): OperatorCase =>
    one(
      `${name} int16`,
      { code, optionsType: 5, options: { 0: i8(0), 1: i32(2), 2: i32(2), 3: i32(3), 4: i32(3), 5: i8(0) }, version: 3 },
      [x],
      [wide('y', [1, 5, 4, 4], 0.0004)],
    );
  const two = (name: string, code: number, optionsType: number, version: number): OperatorCase =>
    one(
      `${name} int16`,
      { code, optionsType, options: { 0: i8(0), 1: i8(0) }, version },
      [x, wide('z', [1, 9, 7, 4], 0.0007)],
      [wide('y', [1, 9, 7, 4], 0.0011)],
    );
  return [
    one('CONV_2D int16', { ...conv, version: 4 }, [x, w, bias(6)], [wide('y', [1, 9, 7, 6], 0.0009)]),
    one('DEPTHWISE_CONV_2D int16', { ...depthwise, version: 5 }, [x, deep, bias(4)], [wide('y', [1, 9, 7, 4], 0.0009)]),
    one(
      'FULLY_CONNECTED int16',
      { code: 9, optionsType: 8, options: { 0: i8(0) }, version: 7 },
      [wide('x', [1, 12], 0.0004), constant('w', 'int8', [6, 12], 0.01, 0), bias(6)],
      [wide('y', [1, 6], 0.0009)],
    ),
    two('ADD', 0, 11, 4),
    two('SUB', 41, 28, 5),
    two('MUL', 18, 21, 4),
    pool(1, 'AVERAGE_POOL_2D'),
    pool(17, 'MAX_POOL_2D'),
    one(
      'CONCATENATION int16',
      { code: 2, optionsType: 10, options: { 0: i32(3), 1: i8(0) }, version: 3 },
      [x, { ...x, name: 'z' }],
      [wide('y', [1, 9, 7, 8], 0.0004)],
    ),
    one(
      'QUANTIZE int16 to int8',
      { code: 114, optionsType: 89, version: 2 },
      [x],
      [act('y', 'int8', [1, 9, 7, 4], 0.05)],
    ),
    one(
      'QUANTIZE int8 to int16',
      { code: 114, optionsType: 89, version: 2 },
      [act('x', 'int8', [1, 9, 7, 4], 0.05)],
      [wide('y', [1, 9, 7, 4], 0.0004)],
    ),
    one(
      'QUANTIZE to int16',
      { code: 114, optionsType: 89, version: 2 },
      [act('x', 'float32', [1, 9, 7, 4])],
      [wide('y', [1, 9, 7, 4], 0.0004)],
    ),
    one('DEQUANTIZE int16', { code: 6, version: 3 }, [x], [act('y', 'float32', [1, 9, 7, 4])]),
    one(
      'MEAN int16',
      { code: 40, optionsType: 27, options: { 0: i8(1) }, version: 3 },
      [x, int32('axes', [2], 1, 2)],
      [wide('y', [1, 1, 1, 4], 0.0003)],
    ),
    ...functions16(),
    one(
      'RESIZE_BILINEAR int16',
      { code: 23, optionsType: 15, options: { 2: i8(0), 3: i8(1) }, version: 4 },
      [x, int32('size', [2], 11, 5)],
      [wide('y', [1, 11, 5, 4], 0.0004)],
    ),
  ];
}

/** A dilated convolution as older converters spell it. */
function blocks(): OperatorCase[] {
  return KINDS.map((type): OperatorCase => {
    const [w, b] = weights(type, [1, 3, 3, 4], 3);
    const version = type === 'int8' ? 2 : 1;
    const tensors = [
      act('x', type, [1, 9, 7, 4]),
      int32('block', [2], 2, 2),
      int32('paddings', [2, 2], 2, 3, 2, 3),
      act('apart', type, [4, 7, 6, 4]),
      w as FileTensor,
      b as FileTensor,
      act('made', type, [4, 5, 4, 4], 0.09, -7),
      int32('crops', [2, 2], 0, 1, 0, 1),
      act('y', type, [1, 9, 7, 4], 0.09, -7),
    ];
    const options = { 0: i8(1), 1: i32(1), 2: i32(1), 3: i32(1), 4: i8(3), 5: i32(1), 6: i32(1) };
    const operators = [
      { code: 38, optionsType: 25, version, inputs: [0, 1, 2], outputs: [3] },
      { code: 4, optionsType: 2, options, version: type === 'int8' ? 3 : 1, inputs: [3, 4, 5], outputs: [6] },
      { code: 37, optionsType: 24, version, inputs: [6, 1, 7], outputs: [8] },
    ];
    return { name: `SPACE_TO_BATCH_ND and back, ${type}`, model: { tensors, operators, inputs: [0], outputs: [8] } };
  });
}

export const OPERATOR_CASES: readonly OperatorCase[] = [
  ...convolutions(),
  ...binaries(),
  ...activations(),
  ...pools(),
  ...movements(),
  ...conversions(),
  ...positions(),
  ...signals(),
  ...blocks(),
  ...int16s(),
  ...hybrids(),
  ...transposedConvolutions(),
  ...functions(),
  ...INTEGER_CASES,
  ...BOX_CASES,
  ...volumes(),
  ...scatters(),
];
