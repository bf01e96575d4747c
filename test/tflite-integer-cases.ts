/** Forms of operators on stored integers whose roundings LiteRT has kernels of their own for. */
import { act, i8, int32, type OperatorCase, one, QUANTISED } from './tflite-case-parts.js';

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

export const INTEGER_CASES: readonly OperatorCase[] = [...means(), ...tables()];
