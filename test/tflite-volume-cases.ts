/** CONV_3D, and what puts rows in known places. */
import { act, constant, i8, i32, int32, type Kind, type OperatorCase, one } from './tflite-case-parts.js';

interface Volume {
  readonly padding: number; // 0 same, 1 valid
  readonly strides: readonly [number, number, number]; // depth, columns, rows
  readonly dilations: readonly [number, number, number];
  readonly shape: readonly number[];
}

export function volumes(): OperatorCase[] {
  const layer = (name: string, { padding, strides, dilations, shape }: Volume): OperatorCase =>
    one(
      `CONV_3D float32 ${name}`,
      {
        code: 132,
        optionsType: 106,
        options: {
          0: i8(padding),
          ...Object.fromEntries(strides.map((stride, i) => [1 + i, i32(stride)])),
          4: i8(1),
          ...Object.fromEntries(dilations.map((dilation, i) => [5 + i, i32(dilation)])),
        },
      },
      [act('x', 'float32', [1, 5, 6, 7, 2]), constant('w', 'float32', [3, 2, 3, 2, 4]), constant('b', 'float32', [4])],
      [act('y', 'float32', shape)],
    );
  return [
    layer('valid, dilated', { padding: 1, strides: [1, 1, 1], dilations: [2, 1, 1], shape: [1, 1, 5, 5, 4] }),
    layer('same, strided', { padding: 0, strides: [2, 1, 2], dilations: [1, 1, 1], shape: [1, 3, 3, 7, 4] }),
  ];
}

export function scatters(): OperatorCase[] {
  return (['int8', 'float32'] as readonly Kind[]).flatMap((type) => [
    one(
      `SCATTER_ND ${type}`,
      { code: 122, optionsType: 97 },
      [int32('i', [3, 2], 4, 1, 0, 0, 2, 1), act('u', type, [3, 6]), int32('s', [3], 5, 2, 6)],
      [act('y', type, [5, 2, 6])],
    ),
    one(
      `SPARSE_TO_DENSE ${type}`,
      { code: 68 },
      [int32('i', [3], 4, 1, 3), int32('s', [1], 5), act('u', type, [3]), constant('d', type, [], 0.05, 3)],
      [act('y', type, [5])],
    ),
  ]);
}
