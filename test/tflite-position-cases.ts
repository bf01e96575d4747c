/** Operators that name elements by their positions, or sum and sort along an axis: models of one each. */

import type { FileTensor } from './tflite-builder.js';
import { act, constant, f32, i8, i32, int32, type OperatorCase, one } from './tflite-case-parts.js';

const b = (value: boolean) => i8(value ? 1 : 0);

export function positions(): OperatorCase[] {
  const shape = [1, 5, 6, 4];
  const x = act('x', 'float32', shape);
  const bytes = act('x', 'int8', shape);
  const y = (own: readonly number[]): FileTensor => act('y', 'float32', own);
  const strides = (type: 'int8' | 'float32'): OperatorCase =>
    one(
      `STRIDED_SLICE backwards ${type}`,
      { code: 45, optionsType: 32, options: { 0: i32(0), 1: i32(0), 4: i32(0) }, version: 2 },
      [
        act('x', type, shape),
        int32('begin', [4], 0, 4, 0, 3),
        int32('end', [4], 1, 0, 6, 0),
        int32('strides', [4], 1, -2, 1, -1),
      ],
      [act('y', type, [1, 2, 6, 3])],
    );
  const sums = ([exclusive, reverse, axis]: readonly [boolean, boolean, number]): OperatorCase =>
    one(
      `CUMSUM ${exclusive} ${reverse} along ${axis}`,
      { code: 128, optionsType: 102, options: { 0: b(exclusive), 1: b(reverse) } },
      [x, int32('axis', [], axis)],
      [y(shape)],
    );
  const many = Array.from({ length: 70 }, (_, i) => (i * 37) % 90);
  return [
    one('REVERSE_V2 of rows', { code: 105, optionsType: 81 }, [x, int32('axes', [1], 1)], [y(shape)]),
    one(
      'REVERSE_V2 int8 of channels',
      { code: 105, optionsType: 81, version: 3 },
      [bytes, int32('axes', [1], 3)],
      [act('y', 'int8', shape)],
    ),
    one(
      'REVERSE_SEQUENCE of one length',
      { code: 112, optionsType: 87, options: { 0: { i32: 1 }, 1: { i32: 0 } } },
      [x, int32('lengths', [1], 4)],
      [y(shape)],
    ),
    one(
      'REVERSE_SEQUENCE of lengths of their own',
      { code: 112, optionsType: 87, options: { 0: { i32: 2 }, 1: { i32: 1 } } },
      [x, int32('lengths', [shape[1] ?? 1], ...Array.from({ length: shape[1] ?? 1 }, (_, i) => i % 4))],
      [y(shape)],
    ),
    strides('int8'),
    strides('float32'),
    ...(
      [
        [false, false, 3],
        [true, false, 2],
        [false, true, 1],
      ] as const
    ).map(sums),
    ...([1, 3] as const).map((count) =>
      one(
        `TOPK_V2 ${count}`,
        { code: 48, optionsType: 34 },
        [act('x', 'float32', [3, 7]), int32('k', [], count)],
        [y([3, count]), { name: 'i', type: 'int32', shape: [3, count] }],
      ),
    ),
    one(
      'ADD_N',
      { code: 106, optionsType: 82 },
      [x, act('x1', 'float32', shape), act('x2', 'float32', shape)],
      [y(shape)],
    ),
    one(
      'LOCAL_RESPONSE_NORMALIZATION',
      { code: 13, optionsType: 13, options: { 0: i32(1), 1: f32(1), 2: f32(0.3), 3: f32(0.5) } },
      [x],
      [y(shape)],
    ),
    one('PRELU float32 of every element', { code: 54 }, [x, constant('slopes', 'float32', [5, 6, 4])], [y(shape)]),
    ...([-1, 0, 1] as const).map((axis) => oneHot(axis)),
    ...(['float32', 'int8'] as const).map((type) =>
      one(
        `GATHER ${type} of each element of a batch`,
        { code: 36, optionsType: 23, options: { 0: i32(1), 1: i32(1) }, version: 2 },
        [act('x', type, [2, 5, 3]), int32('i', [2, 4], 4, 0, 1, 1, 2, 3, 0, 4)],
        [act('y', type, [2, 4, 3])],
      ),
    ),
    one(
      'L2_POOL_2D float32',
      { code: 12, optionsType: 5, options: { 0: i8(0), 1: i32(2), 2: i32(1), 3: i32(3), 4: i32(2), 5: i8(1) } },
      [act('x', 'float32', shape)],
      [y([1, 5, 3, 4])],
    ),
    one(
      'GATHER int8 of many positions',
      { code: 36, optionsType: 23, options: { 0: i32(1), 1: i32(0) }, version: 2 },
      [act('x', 'int8', [2, 90, 3]), int32('i', [70], ...many)],
      [act('y', 'int8', [2, 70, 3])],
    ),
  ];
}

/** Of remainders of 5, of which 4 is no position. */
function oneHot(axis: number): OperatorCase {
  const shape = [2, 3];
  const place = axis < 0 ? shape.length : axis;
  const tensors: FileTensor[] = [
    { name: 'given', type: 'int32', shape },
    int32('five', [], 5),
    { name: 'index', type: 'int32', shape },
    int32('depth', [], 4),
    { name: 'on', type: 'float32', shape: [], data: Float32Array.of(2.5) },
    { name: 'off', type: 'float32', shape: [], data: Float32Array.of(-1) },
    act('y', 'float32', shape.toSpliced(place, 0, 4)),
  ];
  const operators = [
    { code: 95, optionsType: 72, inputs: [0, 1], outputs: [2] },
    { code: 85, optionsType: 61, options: { 0: i32(axis) }, inputs: [2, 3, 4, 5], outputs: [6] },
  ];
  return { name: `ONE_HOT float32 along ${axis}`, model: { tensors, operators, inputs: [0], outputs: [6] } };
}
