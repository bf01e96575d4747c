/** Cases that the compile fuzz has found, made small. Each broke a promise once; what it was is its name. */
import { expect, test } from '@jest/globals';
import { type FuzzCase, fuzzProblems } from './compile-fuzz-check.js';
import type { FuzzProgram } from './compile-fuzz-programs.js';

const COMMON = {
  room: 0,
  top: 'everything',
  alignmentBytes: 16,
  commandFifoBytes: 4096,
  batch: 1,
  blocks: true,
  twice: false,
  placements: ['none', 'greedy', 'ilp'],
} as const;

function fuzzCase(program: Partial<FuzzProgram>, change: Partial<FuzzCase> = {}): FuzzCase {
  return {
    ...COMMON,
    program: { dtype: 'int8', seed: 6, inputs: [[5, 7, 4]], steps: [], outputs: [], ...program },
    ...change,
  };
}

const CASES: Readonly<Record<string, FuzzCase>> = {
  'a model input that nothing reads has a place in DRAM of its own': fuzzCase({
    inputs: [
      [5, 7, 4],
      [5, 7, 4],
    ],
    steps: [['pool', 1, 199, 657, 951]],
  }),
  'a transposition reads a slice with gaps': fuzzCase({
    inputs: [[12, 4, 2]],
    steps: [
      ['slice', 0, 0, 2, 226],
      ['transpose', 0, 33, 834, 723],
    ],
  }),
  'a transposition of five dimensions, none of which run on': fuzzCase(
    {
      inputs: [[3, 5, 4]],
      steps: [
        ['reshape', 0, 6, 0, 0],
        ['transpose', 0, 33, 0, 0],
      ],
    },
    { room: 0.2, batch: 2 },
  ),
  'compute, running ahead of a transposition from DRAM to DRAM, leaves its semaphores alone': fuzzCase(
    {
      inputs: [[16, 8, 8]],
      steps: [
        ['transpose', 0, 1, 7, 5],
        ['conv', 1, 3, 7, 5],
        ['conv', 0, 3, 7, 5],
      ],
      outputs: [0, 1, 2, 3],
    },
    { room: 0.1, blocks: false, placements: ['none'] },
  ),
  'an odd end of weights leaves no room for residents in the least SRAM': fuzzCase(
    {
      seed: 331,
      inputs: [
        [15, 13, 6],
        [11, 4, 5],
      ],
      steps: [
        ['conv', 6, 197, 9, 2],
        ['lrn', 0, 195, 3, 685],
      ],
      outputs: [12, 3],
    },
    { batch: 2 },
  ),
  'tables in front of streamed weights are read once': fuzzCase({
    seed: 341,
    inputs: [[16, 6, 2]],
    steps: [
      ['grouped', 0, 6, 985, 351],
      ['activation', 0, 66, 760, 650],
      ['conv', 0, 82, 746, 244],
      ['globalPool', 0, 84, 661, 288],
    ],
  }),
  'a response normalisation over its own operand': fuzzCase(
    {
      dtype: 'float32',
      inputs: [[9, 9, 2]],
      steps: [
        ['conv', 0, 12, 2, 0],
        ['lrn', 0, 0, 0, 0],
        ['conv', 0, 12, 2, 0],
      ],
    },
    { room: 0.6 },
  ),
  'two outputs of a block want the memory of the same input': fuzzCase(
    {
      inputs: [[5, 17, 1]],
      steps: [
        ['clamp', 0, 161, 226, 159],
        ['binary', 0, 100, 129, 488],
        ['pool', 0, 163, 759, 433],
        ['pool', 0, 73, 440, 104],
        ['binary', 14, 29, 170, 58],
      ],
      outputs: [15, 0],
    },
    { alignmentBytes: 64 },
  ),
  'an image written by slices of its channels is not stale': fuzzCase(
    {
      dtype: 'float32',
      inputs: [[12, 8, 3]],
      steps: [
        ['concat', 19, 5, 4, 991],
        ['conv', 0, 12, 717, 5],
        ['binary', 0, 144, 505, 563],
      ],
    },
    { room: 0.7, top: 'largest layer', blocks: false, batch: 2, placements: ['greedy', 'ilp'] },
  ),
  'integers of real numbers, and a sum of another scale as their epilogue': fuzzCase({
    steps: [
      ['converted', 0, 1, 0, 0],
      ['binary', 0, 0, 10, 0],
    ],
  }),
  'integers of real numbers, and a table of another scale as their epilogue': fuzzCase({
    steps: [
      ['converted', 0, 1, 0, 0],
      ['activation', 0, 2, 0, 0],
    ],
  }),
  'an odd number of chunks of weights, double buffered, for several stripes': fuzzCase(
    {
      seed: 775,
      inputs: [[10, 5, 2]],
      steps: [
        ['grouped', 1, 132, 9, 360],
        ['grouped', 0, 36, 993, 8],
        ['grouped', 1, 12, 2, 627],
        ['conv', 1, 180, 990, 6],
        ['grouped', 0, 24, 751, 606],
        ['lrn', 0, 12, 553, 218],
      ],
    },
    { room: 0.9025, top: 'largest layer', alignmentBytes: 64, blocks: false, placements: ['ilp'] },
  ),
  'a plan that packs at no lowered capacity gives way to a simpler one': fuzzCase(
    {
      dtype: 'float32',
      seed: 614,
      inputs: [[2, 6, 5]],
      steps: [
        ['dense', 0, 196, 799, 212],
        ['conv', 20, 2, 993, 633],
        ['conv', 0, 177, 491, 10],
        ['conv', 0, 5, 997, 3],
      ],
      outputs: [],
    },
    {
      room: 0.0064,
      top: 'everything',
      alignmentBytes: 16,
      commandFifoBytes: 4096,
      batch: 1,
      blocks: true,
      placements: ['ilp'],
    },
  ),
  'frames of an image written by slices of its channels are stored as a whole': fuzzCase(
    {
      seed: 9,
      inputs: [
        [1, 14, 2],
        [1, 14, 2],
      ],
      steps: [
        ['conv', 0, 104, 880, 731],
        ['conv', 0, 140, 511, 226],
        ['binary', 0, 112, 168, 144],
        ['conv', 2, 191, 776, 581],
        ['dense', 0, 35, 679, 772],
        ['binary', 1, 45, 336, 585],
      ],
      outputs: [2, 3],
    },
    { room: 0.2916, top: 'largest layer', alignmentBytes: 64, batch: 3, placements: ['ilp'] },
  ),
  'a layer whose instruction knows no rings of stripes is in no block of pieces': fuzzCase(
    {
      dtype: 'float32',
      seed: 0,
      inputs: [[4, 4, 4]],
      steps: [
        ['concat', 0, 153, 28, 0],
        ['real', 0, 0, 757, 0],
      ],
    },
    { room: 0.01, commandFifoBytes: 64, carries: true, twice: true, placements: ['ilp'] },
  ),
};

test.each(Object.entries(CASES))('%s', async (_, fuzz) => {
  expect(await fuzzProblems(fuzz)).toEqual([]);
});
