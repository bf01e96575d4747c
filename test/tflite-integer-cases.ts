/** Forms of operators on stored integers whose roundings LiteRT has kernels of their own for. */
import { act, constant, i8, int32, type OperatorCase, one, QUANTISED } from './tflite-case-parts.js';

const SHAPE = [1, 6, 6, 16];

/** Means of rows and columns that keep their axes, axes as the file has them, and such that are another kernel's. */
function means(): OperatorCase[] {
  return QUANTISED.flatMap((type) =>
    [
      { axes: [1, 2], scale: 0.4 },
      { axes: [2, 1], scale: 0.011 },
      { axes: [-3, -2], scale: 0.03 },
      { axes: [1, 2, 3], scale: 0.02 },
    ].map(({ axes, scale }) =>
      one(
        `MEAN ${type} over ${axes.join(' ')} to ${scale}`,
        { code: 40, optionsType: 27, options: { 0: i8(1) }, version: 2 },
        [act('x', type, SHAPE, 0.05, 10), int32('axes', [axes.length], ...axes)],
        [act('y', type, axes.length === 3 ? [1, 1, 1, 1] : [1, 1, 1, 16], scale, -5)],
      ),
    ),
  );
}

/** Functions that LiteRT has tables for. */
function tables(): OperatorCase[] {
  const x = act('x', 'int8', [1, 16, 16, 1], 0.05, 10);
  return [0, 1].map((approximate) =>
    one(
      `GELU int8 ${approximate === 1 ? 'by tanh' : 'by erf'}`,
      { code: 150, optionsType: 117, options: { 0: i8(approximate) } },
      [x],
      [act('y', 'int8', [1, 16, 16, 1], 0.06, -5)],
    ),
  );
}

/** Sums rescaled in float32, magnitudes in fixed point, roots cut off, slopes of each channel. */
function rescalings(): OperatorCase[] {
  const shape = [1, 8, 8, 8];
  const sums = QUANTISED.flatMap((type) =>
    [1, 3].map((axis) =>
      one(
        `SUM ${type} over axis ${axis}`,
        { code: 74, optionsType: 27, options: { 0: i8(0) }, version: 2 },
        [act('x', type, shape, 0.05, 10), int32('axes', [1], axis)],
        [act('y', type, shape.toSpliced(axis, 1), 0.43, -5)],
      ),
    ),
  );
  const slopes = QUANTISED.map((type) =>
    one(
      `PRELU ${type}`,
      { code: 54 },
      [act('x', type, shape, 0.05, 10), constant('slopes', type, [1, 1, 8], 0.007, 30)],
      [act('y', type, shape, 0.03, -20)],
    ),
  );
  const x = act('x', 'int8', shape, 0.05, 10);
  return [
    ...sums,
    ...slopes,
    one('ABS int8', { code: 101, version: 2 }, [x], [act('y', 'int8', shape, 0.4, -5)]),
    one(
      'SQRT int8',
      { code: 75, version: 2 },
      [act('x', 'int8', shape, 0.02, -128)],
      [act('y', 'int8', shape, 0.011, -100)],
    ),
  ];
}

/** Products of two activations; those of dense layers are rounded once. */
function products(): OperatorCase[] {
  const product = (name: string, code: number, type: number, a: number[], b: number[], y: number[], turned = 0) =>
    one(
      `${name} int8 of ${b.join('x')}`,
      {
        code,
        optionsType: type,
        options: code === 126 ? { 1: i8(turned) } : { 0: i8(1) },
        version: code === 126 ? 2 : 4,
      },
      [act('a', 'int8', a, 0.05, 10), act('b', 'int8', b, 0.021, code === 126 ? -7 : 0)],
      [act('y', 'int8', y, 0.13, -5)],
    );
  return [
    product('BATCH_MATMUL', 126, 101, [2, 3, 5, 24], [2, 3, 24, 7], [2, 3, 5, 7]),
    product('BATCH_MATMUL turned,', 126, 101, [3, 5, 24], [1, 9, 24], [3, 5, 9], 1),
    product('FULLY_CONNECTED relu of computed weights,', 9, 8, [5, 24], [9, 24], [5, 9]),
  ];
}

/** uint8 is rounded twice, int8 once. */
function normalizations(): OperatorCase[] {
  return QUANTISED.flatMap((type) =>
    [20, 100].map((channels) =>
      one(
        `L2_NORMALIZATION ${type} of ${channels}`,
        { code: 11, optionsType: 12, version: type === 'int8' ? 2 : 1 },
        [act('x', type, [1, 1, 3, channels], 0.05, 10)],
        [act('y', type, [1, 1, 3, channels], 1 / 128, 0)],
      ),
    ),
  );
}

/** Many results near a half, where the order of the four products shows. */
function resizes(): OperatorCase[] {
  return [
    { size: [11, 5], coordinates: { 2: i8(0), 3: i8(1) } },
    { size: [3, 21], coordinates: { 2: i8(0), 3: i8(1) } },
    { size: [11, 5], coordinates: { 2: i8(1), 3: i8(0) } },
  ].map(({ size, coordinates }, i) =>
    one(
      `RESIZE_BILINEAR uint8 to ${size.join('x')}, ${i}`,
      { code: 23, optionsType: 15, options: coordinates, version: 3 },
      [act('x', 'uint8', [1, 6, 7, 8]), int32('size', [2], ...size)],
      [act('y', 'uint8', [1, ...size, 8])],
    ),
  );
}

/** Squares of differences and inverse roots as LiteRT's integers, sums as the float32 steps of LiteRT. */
function furtherRescalings(): OperatorCase[] {
  const shape = [1, 6, 7, 16];
  const differences = [
    { scale: 0.05, b: shape, offset: -100 },
    { scale: 0.31, b: shape, offset: -100 },
    { scale: 0.31, b: [1, 6, 7, 1], offset: -128 },
  ].map(({ scale, b, offset }, i) =>
    one(
      `SQUARED_DIFFERENCE int8 of ${b.join('x')} to ${scale}, ${i}`,
      { code: 99, version: 2 },
      [act('a', 'int8', shape, 0.05, 10), act('b', 'int8', b, 0.021, -7)],
      [act('y', 'int8', shape, scale, offset)],
    ),
  );
  const roots = [
    [0.02, 0.02, -5],
    [0.003, 0.13, -100],
  ].map(([from, to, offset]) =>
    one(
      `RSQRT int8 from ${from}`,
      { code: 76, version: 2 },
      [act('x', 'int8', shape, from, -128)],
      [act('y', 'int8', shape, to, offset)],
    ),
  );
  const sums = QUANTISED.flatMap((type) =>
    [
      { axes: [1], scale: 0.1, left: [1, 7, 16] },
      { axes: [3], scale: 0.3, left: [1, 6, 7] },
      { axes: [1, 2], scale: 0.9, left: [1, 16] },
    ].map(({ axes, scale, left }) =>
      one(
        `SUM ${type} over ${axes.join(' ')} to ${scale}`,
        { code: 74, optionsType: 27, options: { 0: i8(0) }, version: 2 },
        [act('x', type, shape, 0.05, 10), int32('axes', [axes.length], ...axes)],
        [act('y', type, left, scale, -5)],
      ),
    ),
  );
  return [...differences, ...roots, ...sums];
}

export const INTEGER_CASES: readonly OperatorCase[] = [
  ...means(),
  ...tables(),
  ...resizes(),
  ...rescalings(),
  ...furtherRescalings(),
  ...normalizations(),
  ...products(),
];
