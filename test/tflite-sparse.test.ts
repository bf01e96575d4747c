/** Constants that a TFLite file stores sparse: against the same file with all elements written out, and against LiteRT. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';

import { hasLiteRt, LiteRt } from './litert.js';
import { expectLiteRtAgreement } from './litert-agreement.js';
import { type FileModel, type FileSparsity, type FileTensor, writeTflite } from './tflite-builder.js';
import { i8 } from './tflite-case-parts.js';

const runtime = new LiteRt();
afterAll(() => runtime.stop());

/** Rows of 12, most of their elements 0. */
const ROWS = [
  [0, 0, 0, 0, 1.5, -2, 0, 0.25, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1],
];
const stored = (columns: readonly (readonly number[])[]) =>
  Float32Array.from(columns.flatMap((own, row) => own.map((column) => ROWS[row]?.[column] ?? 0)));

const COLUMNS = [[4, 5, 7], [], [0, 11]];
const BLOCKS = [[4, 5, 6, 7], [], [0, 1, 2, 3, 8, 9, 10, 11]];

const listed = (width: 8 | 16 | 32): FileSparsity => ({
  order: [0, 1],
  blockMap: [],
  levels: [3, { segments: [0, 3, 3, 5], indices: [4, 5, 7, 0, 11], width }],
});
const FORMS: [string, FileSparsity, Float32Array][] = [
  ['indices of 8 bits', listed(8), stored(COLUMNS)],
  ['indices of 16 bits', listed(16), stored(COLUMNS)],
  ['indices of 32 bits', listed(32), stored(COLUMNS)],
  [
    'blocks of 1x4',
    { order: [0, 1, 2], blockMap: [1], levels: [3, { segments: [0, 1, 1, 3], indices: [1, 0, 2], width: 8 }, 4] },
    stored(BLOCKS),
  ],
  [
    'columns before rows',
    {
      order: [1, 0],
      blockMap: [],
      levels: [
        { segments: [0, 5], indices: [0, 4, 5, 7, 11], width: 8 },
        { segments: [0, 1, 2, 3, 4, 5], indices: [2, 0, 0, 0, 2], width: 8 },
      ],
    },
    Float32Array.of(3, 1.5, -2, 0.25, -1),
  ],
];

/** A dense layer whose weights are expanded first. */
function model(weights: Partial<FileTensor>): FileModel {
  const tensors: FileTensor[] = [
    { name: 'x', type: 'float32', shape: [2, 12] },
    { name: 'sparse', type: 'float32', shape: [3, 12], ...weights },
    { name: 'w', type: 'float32', shape: [3, 12] },
    { name: 'y', type: 'float32', shape: [2, 3] },
  ];
  const densify = { code: 124, inputs: [1], outputs: [2] };
  const dense = { code: 9, optionsType: 8, options: { 0: i8(0) }, inputs: [0, 2, -1], outputs: [3] };
  return { tensors, operators: [densify, dense], inputs: [0], outputs: [3] };
}

const imported = (file: FileModel) => importTflite(writeTflite(file), 'case.tflite');

describe('a sparse constant is the dense one', () => {
  test.each(FORMS)('%s', (_, sparsity, data) => {
    const dense = imported(model({ data: Float32Array.from(ROWS.flat()) }));
    expect(imported(model({ sparsity, data }))).toEqual(dense);
  });
  const judged = hasLiteRt ? test : test.skip;
  judged.each(FORMS)('%s, for LiteRT too', async (_, sparsity, data) => {
    await expectLiteRtAgreement(runtime, writeTflite(model({ sparsity, data })), 'case.tflite');
  });
});

describe('parameters that do not describe the shape', () => {
  const level = (segments: number[], indices: number[]): FileSparsity => ({
    order: [0, 1],
    blockMap: [],
    levels: [3, { segments, indices, width: 32 }],
  });
  test.each<[string, FileSparsity, string]>([
    ['an index outside', level([0, 3, 3, 5], [4, 5, 7, 0, 12]), 'SW2104'],
    ['an index twice', level([0, 3, 3, 5], [4, 4, 7, 0, 11]), 'SW2104'],
    ['segments that end early', level([0, 3, 3, 4], [4, 5, 7, 0, 11]), 'SW2104'],
    ['segments that go back', level([0, 3, 2, 5], [4, 5, 7, 0, 11]), 'SW2104'],
    ['too few segments', level([0, 5], [4, 5, 7, 0, 11]), 'SW2104'],
    ['one level for two axes', { order: [0], blockMap: [], levels: [3] }, 'SW2104'],
    ['an axis twice', { order: [0, 0], blockMap: [], levels: [3, 12] }, 'SW2104'],
    ['blocks that do not divide it', { order: [0, 1, 2], blockMap: [1], levels: [3, 3, 5] }, 'SW2104'],
    ['another number of values', { order: [0, 1], blockMap: [], levels: [3, 12] }, 'SW2104'],
  ])('%s', (_, sparsity, code) => {
    const failing = () => imported(model({ sparsity, data: stored(COLUMNS) }));
    expect(failing).toThrow(SpillwayError);
    try {
      failing();
    } catch (error) {
      expect((error as SpillwayError).diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
    }
  });
  test('a small file may not claim a large one', () => {
    const huge = { order: [0, 1], blockMap: [], levels: [2 ** 15, 2 ** 15] };
    const file = model({ shape: [2 ** 15, 2 ** 15], sparsity: huge, data: stored(COLUMNS) });
    expect(() => imported(file)).toThrow('at most 67108864 are accepted');
  });
});
