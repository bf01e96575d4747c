/** Activations, pools and functions: models of one operator each. */

import type { FileTensor } from './tflite-builder.js';
import {
  act,
  constant,
  f32,
  i8,
  i32,
  int32,
  KINDS,
  type OperatorCase,
  type Options,
  one,
  QUANTISED,
  type Spec,
} from './tflite-case-parts.js';

export function activations(): OperatorCase[] {
  const shape = [1, 16, 16, 1];
  const codes: [string, number, Spec][] = [
    ['RELU', 0.04, { code: 19 }],
    ['RELU6', 0.04, { code: 21 }],
    ['RELU_N1_TO_1', 0.02, { code: 20 }],
    ['RELU_0_TO_1', 0.02, { code: 152 }],
    ['LEAKY_RELU', 0.06, { code: 98, optionsType: 75, options: { 0: f32(0.3) } }],
    ['HARD_SWISH', 0.06, { code: 117, optionsType: 91 }],
  ];
  const cases = KINDS.flatMap((type) =>
    codes.flatMap(([name, scale, spec]) => {
      const version = type === 'int8' && (spec.code === 19 || spec.code === 21 || spec.code === 98) ? 2 : 1;
      return [0.05, 0.011].map((inScale) =>
        one(
          `${name} ${type} of ${inScale}`,
          { ...spec, version },
          [act('x', type, shape, inScale, 10)],
          [act('y', type, shape, scale, -30)],
        ),
      );
    }),
  );
  const fixed = KINDS.flatMap((type) =>
    [0.05, 0.011, 0.3].flatMap((inScale) => {
      const version = type === 'int8' ? 2 : 1;
      const x = act('x', type, [1, 16, 16], inScale, 10);
      return [
        one(`LOGISTIC ${type} of ${inScale}`, { code: 14, version }, [x], [act('y', type, [1, 16, 16], 1 / 256, -128)]),
        one(`TANH ${type} of ${inScale}`, { code: 28, version }, [x], [act('y', type, [1, 16, 16], 1 / 128, 0)]),
        one(
          `SOFTMAX ${type} of ${inScale}`,
          { code: 25, optionsType: 9, options: { 0: f32(1) }, version },
          [x],
          [act('y', type, [1, 16, 16], 1 / 256, -128)],
        ),
      ];
    }),
  );
  const x = act('x', 'float32', [1, 4, 4, 3]);
  const prelu = one(
    'PRELU float32',
    { code: 54 },
    [x, constant('slopes', 'float32', [1, 1, 3])],
    [act('y', 'float32', [1, 4, 4, 3])],
  );
  return [...cases, ...fixed, prelu];
}

export function pools(): OperatorCase[] {
  return KINDS.flatMap((type) => {
    const x = act('x', type, [1, 7, 8, 3]);
    const version = type === 'int8' ? 2 : 1;
    const options = (kernel: number, stride: number, padding: number, activation: number): Options => ({
      0: i8(padding),
      1: i32(stride),
      2: i32(stride),
      3: i32(kernel),
      4: i32(kernel),
      5: i8(activation),
    });
    const pool = (name: string, code: number, o: Options, y: number[]) =>
      one(`${name} ${type}`, { code, optionsType: 5, options: o, version }, [x], [act('y', type, y)]);
    const mean = (name: string, axes: number[], keep: number, y: number[], scale: number) =>
      one(
        `MEAN ${type} ${name}`,
        { code: 40, optionsType: 27, options: { 0: i8(keep) }, version },
        [x, int32('axes', [axes.length], ...axes)],
        [act('y', type, y, scale)],
      );
    const means = [
      mean('of the image', [1, 2], 1, [1, 1, 1, 3], 0.04),
      mean('of the image, axes dropped', [1, 2], 0, [1, 3], 0.04),
      mean('of the image, same scale', [1, 2], 0, [1, 3], 0.05),
      mean('of columns', [2], 1, [1, 7, 1, 3], 0.04),
      mean('of channels', [3], 0, [1, 7, 8], 0.04),
    ];
    return [
      pool('AVERAGE_POOL_2D', 1, options(3, 2, 0, 0), [1, 4, 4, 3]),
      pool('AVERAGE_POOL_2D relu', 1, options(2, 2, 1, 1), [1, 3, 4, 3]),
      pool('MAX_POOL_2D', 17, options(3, 2, 0, 0), [1, 4, 4, 3]),
      pool('MAX_POOL_2D relu6', 17, options(2, 1, 1, 3), [1, 6, 7, 3]),
      ...means,
    ];
  });
}

/** Operators of float32 that LiteRT has in other forms than ONNX. */
export function functions(): OperatorCase[] {
  const x = act('x', 'float32', [1, 5, 6, 3]);
  const y = act('y', 'float32', [1, 5, 6, 3]);
  const unary = (name: string, code: number, version = 1): OperatorCase =>
    one(`${name} float32`, { code, version }, [x], [y]);
  const two = (name: string, spec: Spec, b: FileTensor, shape = y.shape): OperatorCase =>
    one(`${name} float32`, spec, [x, b], [{ ...y, shape }]);
  const row = act('b', 'float32', [1, 1, 6, 1]);
  const reduce = (name: string, code: number, axes: number[], keep: number, shape: number[]): OperatorCase =>
    one(
      `${name} over ${axes}`,
      { code, optionsType: 27, options: { 0: i8(keep) } },
      [x, int32('axes', [axes.length], ...axes)],
      [{ ...y, shape }],
    );
  const matmul = (name: string, options: Options, a: number[], b: number[], shape: number[]): OperatorCase =>
    one(
      `BATCH_MATMUL ${name}`,
      { code: 126, optionsType: 101, options },
      [act('a', 'float32', a), act('b', 'float32', b)],
      [act('y', 'float32', shape)],
    );
  const add = { code: 0, optionsType: 11, options: { 0: i8(0) } };
  return [
    ...(
      ['ABS:101', 'CEIL:104', 'COS:108', 'EXP:47', 'FLOOR:8', 'NEG:59', 'ROUND:116', 'SIN:66', 'SQUARE:92'] as const
    ).map((entry) => unary(entry.split(':')[0] ?? '', Number(entry.split(':')[1]))),
    unary('ELU', 111),
    one('ADD int32', { ...add }, [{ ...x, type: 'int32' }, int32('b', [1], 7)], [{ ...y, type: 'int32' }]),
    one(
      'FLOOR_DIV int32',
      { code: 90, optionsType: 65 },
      [{ ...x, type: 'int32' }, int32('b', [1], 7)],
      [{ ...y, type: 'int32' }],
    ),
    one(
      'MAXIMUM int32',
      { code: 55, optionsType: 39 },
      [{ ...x, type: 'int32' }, int32('b', [1], 100)],
      [{ ...y, type: 'int32' }],
    ),
    one(
      'GATHER_ND',
      { code: 107, optionsType: 83 },
      [x, int32('which', [2, 3], 0, 4, 1, 0, 2, 5)],
      [{ ...y, shape: [2, 3] }],
    ),
    one('LOG_SOFTMAX float32', { code: 50, optionsType: 36 }, [x], [y]),
    one('L2_NORMALIZATION float32', { code: 11, optionsType: 12, options: { 0: i8(0) } }, [x], [y]),
    one('SOFTMAX float32, beta 0.5', { code: 25, optionsType: 9, options: { 0: f32(0.5) } }, [x], [y]),
    one(
      'GATHER of known rows',
      { code: 36, optionsType: 23, options: { 0: i32(1) } },
      [x, int32('which', [2], 3, 0)],
      [{ ...y, shape: [1, 2, 6, 3] }],
    ),
    one(
      'GATHER of a table',
      { code: 36, optionsType: 23, options: { 0: i32(0) } },
      [constant('table', 'float32', [300, 3]), { name: 'which', type: 'int32', shape: [2, 4] }],
      [{ ...y, shape: [2, 4, 3] }],
    ),
    one(
      'EMBEDDING_LOOKUP',
      { code: 7 },
      [{ name: 'which', type: 'int32', shape: [4] }, constant('table', 'float32', [300, 3])],
      [{ ...y, shape: [4, 3] }],
    ),
    one(
      'TILE float32',
      { code: 69, optionsType: 51 },
      [x, int32('times', [4], 1, 2, 1, 3)],
      [{ ...y, shape: [1, 10, 6, 9] }],
    ),
    one(
      'BROADCAST_TO float32',
      { code: 130, optionsType: 103, version: 2 },
      [row, int32('shape', [4], 1, 5, 6, 3)],
      [y],
    ),
    two('ADD, rows repeated', add, row),
    two('MAXIMUM', { code: 55, optionsType: 39 }, row),
    two('MINIMUM of a constant', { code: 57, optionsType: 39 }, constant('b', 'float32', [1])),
    two('DIV', { code: 42, optionsType: 29, options: { 0: i8(0) } }, row),
    two('SQUARED_DIFFERENCE', { code: 99, optionsType: 76 }, row),
    reduce('MEAN', 40, [1], 1, [1, 1, 6, 3]),
    reduce('MEAN', 40, [0, 3], 0, [5, 6]),
    reduce('SUM', 74, [1, 3], 0, [1, 6]),
    reduce('REDUCE_MAX', 82, [1, 2], 0, [1, 3]),
    reduce('REDUCE_MIN', 89, [2], 1, [1, 5, 1, 3]),
    one(
      'FULLY_CONNECTED of computed weights',
      { code: 9, optionsType: 8, options: { 0: i8(0), 2: i8(1) }, version: 5 },
      [act('x', 'float32', [2, 3, 8]), act('w', 'float32', [5, 8]), constant('b', 'float32', [5])],
      [act('y', 'float32', [2, 3, 5])],
    ),
    matmul('of a repeated first operand', {}, [1, 5, 4], [3, 4, 6], [3, 5, 6]),
    matmul('of both repeated', {}, [2, 1, 5, 4], [3, 4, 6], [2, 3, 5, 6]),
    matmul('of fewer axes', {}, [1, 3, 5, 4], [3, 4, 6], [1, 3, 5, 6]),
    matmul('plain', {}, [2, 4, 3], [2, 3, 5], [2, 4, 5]),
    matmul('b transposed, repeated', { 1: i8(1) }, [2, 3, 4, 6], [5, 6], [2, 3, 4, 5]),
    matmul('a transposed', { 0: i8(1) }, [1, 3, 4], [1, 3, 5], [1, 4, 5]),
    ...KINDS.map((type) =>
      one(
        `ARG_MAX ${type}`,
        { code: 56, optionsType: 40, options: { 0: i8(2) }, version: type === 'int8' ? 2 : 1 },
        [act('x', type, [1, 5, 6, 3]), int32('axis', [], 3)],
        [{ name: 'y', type: 'int32', shape: [1, 5, 6] }],
      ),
    ),
    ...QUANTISED.flatMap((type) => {
      const version = type === 'int8' ? 2 : 1;
      const [a, b] = [act('a', type, [1, 5, 6, 3], 0.07), act('b', type, [1, 1, 6, 1], 0.02, -20)];
      const sum = act('y', type, [1, 5, 6, 3], 0.11, 9);
      return [
        one(`ADD ${type}, rows repeated`, { ...add, version }, [a, b], [sum]),
        one(
          `MUL ${type}, channels repeated`,
          { code: 18, optionsType: 21, options: { 0: i8(0) }, version },
          [a, { ...b, shape: [1, 1, 1, 3] }],
          [sum],
        ),
        one(
          `SUB ${type}, first repeated`,
          { code: 41, optionsType: 28, options: { 0: i8(0) }, version },
          [b, a],
          [sum],
        ),
        one(`MAXIMUM ${type}`, { code: 55, optionsType: 39, version }, [a, { ...a, name: 'c' }], [{ ...a, name: 'y' }]),
      ];
    }),
  ];
}
