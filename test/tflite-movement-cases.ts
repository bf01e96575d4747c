/** Operators that move, convert, or compare: models of one each. */

import type { FileTensor } from './tflite-builder.js';
import {
  act,
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

export function movements(): OperatorCase[] {
  return KINDS.flatMap((type) => {
    const version = type === 'int8' ? 2 : 1;
    const x = act('x', type, [1, 5, 6, 4]);
    const y = (shape: number[]) => act('y', type, shape);
    const move = (name: string, spec: Spec, operands: FileTensor[], shape: number[]) =>
      one(`${name} ${type}`, { version, ...spec }, [x, ...operands], [y(shape)]);
    const resize = (name: string, code: number, optionsType: number, options: Options, size: [number, number]) =>
      move(name, { code, optionsType, options, version: 3 }, [int32('size', [2], ...size)], [1, ...size, 4]);
    const strided = (name: string, b: number[], e: number[], s: number[], shrink: number, shape: number[]) =>
      move(
        `STRIDED_SLICE ${name}`,
        { code: 45, optionsType: 32, options: { 0: i32(0), 1: i32(0), 4: i32(shrink) } },
        [int32('begin', [4], ...b), int32('end', [4], ...e), int32('strides', [4], ...s)],
        shape,
      );
    const other = act('z', type, [1, 5, 6, 2]);
    const concat = one(
      `CONCATENATION ${type}`,
      { code: 2, optionsType: 10, options: { 0: i32(-1), 1: i8(0) }, version },
      [x, other],
      [y([1, 5, 6, 6])],
    );
    return [
      move('RESHAPE', { code: 22, version: 1 }, [int32('shape', [2], 1, -1)], [1, 120]),
      move('PAD', { code: 34, version: 2 }, [int32('p', [4, 2], 0, 0, 1, 2, 0, 3, 0, 0)], [1, 8, 9, 4]),
      move('PAD of channels', { code: 34, version: 2 }, [int32('p', [4, 2], 0, 0, 0, 0, 0, 0, 1, 2)], [1, 5, 6, 7]),
      move(
        'MIRROR_PAD reflect',
        { code: 100, optionsType: 77, options: { 0: i8(0) } },
        [int32('p', [4, 2], 0, 0, 1, 2, 2, 1, 0, 0)],
        [1, 8, 9, 4],
      ),
      move(
        'MIRROR_PAD symmetric',
        { code: 100, optionsType: 77, options: { 0: i8(1) } },
        [int32('p', [4, 2], 0, 0, 1, 2, 2, 1, 0, 0)],
        [1, 8, 9, 4],
      ),
      concat,
      move('SLICE', { code: 65 }, [int32('b', [4], 0, 1, 2, 1), int32('s', [4], 1, 3, -1, 2)], [1, 3, 4, 2]),
      strided('every second', [0, 0, 0, 0], [1, 5, 6, 4], [1, 2, 2, 1], 0, [1, 3, 3, 4]),
      strided('dropped axis', [0, 2, 0, 1], [1, 3, 6, 3], [1, 1, 1, 1], 2, [1, 6, 2]),
      move(
        'STRIDED_SLICE ellipsis and new axis',
        { code: 45, optionsType: 32, options: { 0: i32(0), 1: i32(0), 2: i32(1), 3: i32(2), 4: i32(4) } },
        [int32('begin', [3], 0, 0, 2), int32('end', [3], 0, 0, 3), int32('strides', [3], 1, 1, 1)],
        [1, 5, 6, 1],
      ),
      strided('from the end', [0, -3, 1, 0], [1, 5, -1, 4], [1, 1, 3, 2], 0, [1, 3, 2, 2]),
      move('TRANSPOSE', { code: 39 }, [int32('perm', [4], 0, 3, 1, 2)], [1, 4, 5, 6]),
      move('DEPTH_TO_SPACE', { code: 5, optionsType: 94, options: { 0: i32(2) } }, [], [1, 10, 12, 1]),
      one(
        `SPACE_TO_DEPTH ${type}`,
        { code: 26, optionsType: 19, options: { 0: i32(2) }, version },
        [act('x', type, [1, 6, 4, 3])],
        [y([1, 3, 2, 12])],
      ),
      resize('RESIZE_BILINEAR', 23, 15, { 2: i8(0), 3: i8(0) }, [8, 13]),
      resize('RESIZE_BILINEAR corners', 23, 15, { 2: i8(1), 3: i8(0) }, [9, 11]),
      resize('RESIZE_BILINEAR half pixels', 23, 15, { 2: i8(0), 3: i8(1) }, [3, 9]),
      resize('RESIZE_NEAREST', 97, 74, { 0: i8(0), 1: i8(0) }, [8, 13]),
      resize('RESIZE_NEAREST corners', 97, 74, { 0: i8(1), 1: i8(0) }, [9, 11]),
      resize('RESIZE_NEAREST half pixels', 97, 74, { 0: i8(0), 1: i8(1) }, [3, 9]),
      one(
        `SPLIT ${type}`,
        { code: 49, optionsType: 35, options: { 0: i32(2) }, version },
        [int32('axis', [], 3), x],
        [
          { ...y([1, 5, 6, 2]), name: 'y0' },
          { ...y([1, 5, 6, 2]), name: 'y1' },
        ],
      ),
      one(
        `PACK ${type}`,
        { code: 83, optionsType: 59, options: { 0: i32(2), 1: i32(1) }, version },
        [act('a', type, [5, 3]), act('b', type, [5, 3])],
        [y([5, 2, 3])],
      ),
      one(
        `UNPACK ${type}`,
        { code: 88, optionsType: 64, options: { 0: i32(2), 1: i32(1) }, version },
        [act('a', type, [5, 2, 3])],
        [
          { ...y([5, 3]), name: 'y0' },
          { ...y([5, 3]), name: 'y1' },
        ],
      ),
    ];
  });
}

export function conversions(): OperatorCase[] {
  const shape = [1, 16, 16, 1];
  const quantize = { code: 114, optionsType: 89, version: 2 };
  const rescaled = one(
    'CONCATENATION uint8, rescaled',
    { code: 2, optionsType: 10, options: { 0: i32(3), 1: i8(0) } },
    [act('a', 'uint8', [1, 5, 6, 2], 0.05), act('b', 'uint8', [1, 5, 6, 3], 0.031, -9)],
    [act('y', 'uint8', [1, 5, 6, 5], 0.05, 11)],
  );
  return [
    ...QUANTISED.map((type) =>
      one(`QUANTIZE to ${type}`, quantize, [act('x', 'float32', shape)], [act('y', type, shape, 0.011)]),
    ),
    ...QUANTISED.map((type) =>
      one(`DEQUANTIZE ${type}`, { code: 6, version: 2 }, [act('x', type, shape)], [act('y', 'float32', shape)]),
    ),
    one('QUANTIZE int8 to uint8', quantize, [act('x', 'int8', shape, 0.05)], [act('y', 'uint8', shape, 0.05, 3)]),
    one('QUANTIZE uint8 to int8', quantize, [act('x', 'uint8', shape, 0.05)], [act('y', 'int8', shape, 0.031, -20)]),
    one('QUANTIZE int8 to int8', quantize, [act('x', 'int8', shape, 0.05)], [act('y', 'int8', shape, 0.09, 7)]),
    rescaled,
  ];
}
