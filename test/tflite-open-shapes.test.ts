/** Inputs whose extents a TFLite file leaves open: what is said about them, and what --input makes of them. */
import { expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { tensorOf } from '../src/ir/facts.js';
import { type FileModel, writeTflite } from './tflite-builder.js';
import { constant, i8, i32 } from './tflite-case-parts.js';

/** A convolution of 1x8 over samples whose number the file does not say. */
const MODEL: FileModel = {
  tensors: [
    { name: 'samples', type: 'float32', shape: [1, 1, 1, 1], signature: [1, 1, -1, 1] },
    constant('w', 'float32', [2, 1, 8, 1]),
    constant('b', 'float32', [2]),
    { name: 'y', type: 'float32', shape: [1, 1, 1, 2], signature: [1, 1, -1, 2] },
  ],
  operators: [
    {
      code: 3,
      optionsType: 1,
      options: { 0: i8(1), 1: i32(1), 2: i32(1), 3: i8(0), 4: i32(1), 5: i32(1) },
      inputs: [0, 1, 2],
      outputs: [3],
    },
  ],
  inputs: [0],
  outputs: [3],
};

test('what does not go with the shape of the file hints at --input', () => {
  try {
    importTflite(writeTflite(MODEL), 'case.tflite');
    throw new Error('it was imported');
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError);
    const [problem] = (error as SpillwayError).diagnostics;
    expect(problem).toMatchObject({ code: 'SW2105' });
    expect(problem?.hint).toBe(
      "input 'samples' has open dimensions, taken as 1x1x1x1; say what they are, as in --input samples=1x1xNx1",
    );
  }
});

test('with a shape it is imported', () => {
  const program = importTflite(writeTflite(MODEL), 'case.tflite', new Map([['samples', [1, 1, 40, 1]]]));
  expect(program.outputs.map((id) => tensorOf(program, id).shape)).toEqual([[1, 1, 33, 2]]);
});
