/**
 * Damaged and hostile TFLite files end in diagnostics, never in another error. SPILLWAY_FUZZ_RUNS multiplies the number of
 * damaged files, SPILLWAY_FUZZ_SEED says where they begin.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { damaged, outcomeOf } from './damaged-files.js';
import { type FileModel, writeTflite } from './tflite-builder.js';
import { OPERATOR_CASES } from './tflite-operator-cases.js';
import {
  bidirectionalLstmModel,
  bidirectionalRnnModel,
  hybrid,
  integerLstmModel,
  lstmModel,
} from './tflite-recurrent-cases.js';

const RUNS = 12 * Number(process.env.SPILLWAY_FUZZ_RUNS ?? 1);
const outcome = (bytes: Uint8Array): string => outcomeOf(() => importTflite(bytes, 'hostile.tflite'), 'SW21');

const recurrent = [
  ['an LSTM', lstmModel(0.6)],
  ['an LSTM in integers', integerLstmModel()],
  ['an LSTM with weights of int8', hybrid(lstmModel(0))],
  ['an LSTM of both directions', bidirectionalLstmModel(true)],
  ['an RNN of both directions', bidirectionalRnnModel(false)],
] as const;
const files = [...OPERATOR_CASES.map(({ name, model }) => [name, model] as const), ...recurrent].map(
  ([name, model]) => [name, writeTflite(model)] as const,
);

test('the models that are damaged below are accepted as they are', () => {
  for (const [name, file] of files) expect([name, outcome(file)]).toEqual([name, 'accepted']);
});

test('bits, bytes and numbers changed', () => {
  for (const [, file] of files) for (let run = 0; run < RUNS; run++) outcome(damaged(file));
});

test('a real network, damaged', () => {
  const path = '../shared/models/mlperf_kws_int8.tflite';
  if (!existsSync(path)) return console.warn(`skipped: ${path} is not there`);
  const file = new Uint8Array(readFileSync(path));
  for (let run = 0; run < RUNS; run++) outcome(damaged(file));
});

test('cut short anywhere', () => {
  const file = files[0]?.[1] ?? new Uint8Array();
  for (let length = 0; length < file.length; length++) {
    expect([length, outcome(file.subarray(0, length))]).not.toEqual([length, 'accepted']);
  }
});

describe('claims', () => {
  const x = { name: 'x', type: 'int8', shape: [1, 4, 4, 2], scales: [0.1], zeroPoints: [0] } as const;
  const relu = { code: 19, inputs: [0], outputs: [1] };
  const small: FileModel = { tensors: [x, { ...x, name: 'y' }], operators: [relu], inputs: [0], outputs: [1] };
  const shaped = (shape: number[]): FileModel => ({
    ...small,
    tensors: [
      { ...x, shape },
      { ...x, name: 'y', shape },
    ],
  });
  const cases: [string, FileModel, string][] = [
    ['a dimension of 2^31 - 1', shaped([1, 2 ** 31 - 1, 2 ** 31 - 1, 2]), 'SW2110'],
    ['a dimension below 0', shaped([1, -1, 4, 2]), 'SW2106'],
    ['no elements', shaped([1, 0, 4, 2]), 'SW2107'],
    ['nine dimensions', shaped(new Array(9).fill(1)), 'SW2110'],
    [
      'a scale of NaN',
      {
        ...small,
        tensors: [
          { ...x, scales: [Number.NaN] },
          { ...x, name: 'y' },
        ],
      },
      'SW2109',
    ],
    [
      'a zero point of 300',
      {
        ...small,
        tensors: [
          { ...x, zeroPoints: [300] },
          { ...x, name: 'y' },
        ],
      },
      'SW2109',
    ],
    ['a tensor that is not there', { ...small, operators: [{ ...relu, inputs: [7] }] }, 'SW2103'],
    ['an operator that reads its own result', { ...small, operators: [{ ...relu, inputs: [1] }] }, 'SW2103'],
    ['a result made twice', { ...small, operators: [relu, relu] }, 'SW2103'],
    ['an output that is never made', { ...small, operators: [] }, 'SW2103'],
    ['an operator of no kind', { ...small, operators: [{ ...relu, code: 5000 }] }, 'SW2105'],
    ['an input given twice', { ...small, inputs: [0, 0] }, 'SW2103'],
  ];
  test.each(cases)('%s', (_, model, code) => expect(outcome(writeTflite(model))).toBe(code));

  test('constants of other sizes than their shapes say', () => {
    const w = { ...x, name: 'w', shape: [2, 1, 1, 2], data: new Int8Array(3) };
    const add = { code: 0, optionsType: 11, options: {}, inputs: [0, 1], outputs: [2] };
    const model = { tensors: [x, w, { ...x, name: 'y' }], operators: [add], inputs: [0], outputs: [2] };
    expect(outcome(writeTflite(model))).toBe('SW2104');
  });

  test('inputs in other shapes than the file declares', () => {
    const file = writeTflite(small);
    const program = importTflite(file, 'm', new Map([['x', [1, 9, 5, 2]]]));
    expect(program.tensors.get(program.outputs[0] as never)?.shape).toEqual([1, 9, 5, 2]);
    expect(() => importTflite(file, 'm', new Map([['z', [1, 2]]]))).toThrow(/SW2106.*'z', which is no input/);
    expect(() => importTflite(file, 'm', new Map([['x', [1, 2]]]))).toThrow(/SW2106.*1x2, the model has 1x4x4x2/);
  });

  test('every operator that is not supported is named at once', () => {
    const unknown = [2000, 2001].map((code, i) => ({ code, inputs: [i], outputs: [i + 1] }));
    const tensors = [x, { ...x, name: 'y' }, { ...x, name: 'z' }];
    const file = writeTflite({ tensors, operators: unknown, inputs: [0], outputs: [2] });
    expect(() => importTflite(file, 'm')).toThrow(/2 node\(s\) not supported: operator 2000 .*; operator 2001/);
  });
});
