/** Graphs of a TFLite file that call others: IF, WHILE. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { hasLiteRt, LiteRt } from './litert.js';
import { expectLiteRtAgreement } from './litert-agreement.js';
import { type FileGraph, type FileModel, type FileTensor, writeTflite } from './tflite-builder.js';
import { i8, i32 } from './tflite-case-parts.js';

const runtime = new LiteRt();
afterAll(() => runtime.stop());

const f = (name: string, shape: readonly number[], ...values: number[]): FileTensor => {
  const tensor = { name, type: 'float32', shape } as const;
  return values.length === 0 ? tensor : { ...tensor, data: Float32Array.from(values) };
};
const MUL = { code: 18, optionsType: 21, options: { 0: i8(0) } };
const GREATER = { code: 61 };
const RESHAPED = { code: 22, inputs: [8, 9], outputs: [3] };
const branches = (then: number, otherwise: number) => ({
  code: 118,
  optionsType: 92,
  options: { 0: i32(then), 1: i32(otherwise) },
});

/** Of x and scale: the product, and x as it is. */
const MULTIPLIED: FileGraph = {
  tensors: [f('a', [2, 3]), f('b', [1]), f('product', [2, 3])],
  operators: [{ ...MUL, inputs: [0, 1], outputs: [2] }],
  inputs: [0, 1],
  outputs: [2, 0],
};
const HANDED_BACK: FileGraph = {
  tensors: [f('a', [2, 3]), f('b', [1])],
  operators: [],
  inputs: [0, 1],
  outputs: [0, 0],
};

/** @param condition undefined: whether c is above 0, which is known only when the model runs */
function model(condition?: boolean): FileModel {
  const known: FileTensor = { name: 'condition', type: 'bool', shape: [] };
  const tensors: FileTensor[] = [
    f('x', [2, 3]),
    f('c', [1, 1]),
    f('zero', [], 0),
    condition === undefined ? known : { ...known, data: Uint8Array.of(condition ? 1 : 0) },
    f('scale', [1], 0.5),
    f('chosen', [2, 3]),
    f('same', [2, 3]),
    f('y', [2, 3]),
    { name: 'compared', type: 'bool', shape: [1, 1] },
    { name: 'no axes', type: 'int32', shape: [0] },
  ];
  return {
    tensors,
    operators: [
      ...(condition === undefined ? [{ ...GREATER, inputs: [1, 2], outputs: [8] }, RESHAPED] : []),
      { ...branches(1, 2), inputs: [3, 0, 4], outputs: [5, 6] },
      { ...MUL, inputs: [5, 6], outputs: [7] },
    ],
    inputs: condition === undefined ? [0, 1] : [0],
    outputs: [7],
    called: [MULTIPLIED, HANDED_BACK],
  };
}

const kinds = (file: FileModel) => importTflite(writeTflite(file), 'case.tflite').ops.map(({ kind }) => kind);

describe('IF', () => {
  test('with a condition that is known is the graph that it takes', () => {
    expect(kinds(model(true))).not.toContain('select');
    expect(kinds(model(true)).at(-1)).toBe('mul');
    expect(kinds(model(false))).toEqual(['mul']);
  });
  test('with another one chooses between the results of both', () => {
    expect(kinds(model()).filter((kind) => kind === 'select')).toHaveLength(1); // the second result is x either way
  });
  const judged = hasLiteRt ? test : test.skip;
  judged.each([1, 2, 3, 4])('agrees with LiteRT, inputs %i', async (seed) => {
    await expectLiteRtAgreement(runtime, writeTflite(model()), 'case.tflite', seed);
  });
  test.each([
    ['graph 7 of 3', { ...model(), operators: [{ ...branches(7, 2), inputs: [3, 0, 4], outputs: [5, 6] }] }],
    ['graph 0 of 3', { ...model(), operators: [{ ...branches(1, 0), inputs: [3, 0, 4], outputs: [5, 6] }] }],
    ['2 inputs and 2 outputs', { ...model(), operators: [{ ...branches(1, 2), inputs: [3, 0], outputs: [5, 6] }] }],
  ])('refuses %s', (message, file) => {
    expect(() => importTflite(writeTflite(file), 'case.tflite')).toThrow(message);
  });
  test('refuses graphs of nothing but calls', () => {
    const call = { ...branches(1, 1), inputs: [0, 0, 1], outputs: [2, 3] };
    const calls = { tensors: [f('a', [1]), f('b', [1]), f('c', [1]), f('d', [1])], inputs: [0, 1], outputs: [2, 3] };
    const next = (graph: number) => ({ ...calls, operators: Array(50).fill({ ...call, ...branches(graph, graph) }) });
    const called = [2, 3, 4, 5].map(next);
    const file = { ...model(), called: [...called, { ...calls, operators: [], outputs: [0, 1] }] };
    expect(() => importTflite(writeTflite(file), 'case.tflite')).toThrow('65537 calls');
  });
  test('refuses a graph that calls itself', () => {
    const recursive = { ...MULTIPLIED, operators: [{ ...branches(1, 1), inputs: [0, 0, 1], outputs: [2, 2] }] };
    expect(() => importTflite(writeTflite({ ...model(), called: [recursive, HANDED_BACK] }), 'case.tflite')).toThrow(
      'deep',
    );
  });
});

const n = (name: string, shape: readonly number[], ...values: number[]): FileTensor => {
  const tensor = { name, type: 'int32', shape } as const;
  return values.length === 0 ? tensor : { ...tensor, data: Int32Array.from(values) };
};
const flag = (name: string): FileTensor => ({ name, type: 'bool', shape: [] });

/** i < limit, of a turn's number, a sequence, a state and the states so far. */
const condition = (limit: number): FileGraph => ({
  tensors: [n('i', []), f('x', [4, 3]), f('h', [1, 3]), f('all', [4, 3]), n('limit', [], limit), flag('goes on')],
  operators: [{ code: 58, inputs: [0, 4], outputs: [5] }],
  inputs: [0, 1, 2, 3],
  outputs: [5],
});

/** h = tanh(0.5 * h + x[i]); all[i] = h: as converters write recurrent layers that they have no operator for. */
const TURN: FileGraph = {
  tensors: [
    ...[n('i', []), f('x', [4, 3]), f('h', [1, 3]), f('all', [4, 3])],
    ...[n('one', [], 1), f('half', [1], 0.5), n('zero', [], 0), n('next i', []), f('own', [3])],
    ...[f('kept', [1, 3]), f('sum', [1, 3]), f('next h', [1, 3]), n('at', [2]), f('next all', [4, 3])],
  ],
  operators: [
    { code: 0, optionsType: 11, options: { 0: i8(0) }, inputs: [0, 4], outputs: [7] },
    { code: 36, optionsType: 23, options: { 0: i32(0) }, inputs: [1, 0], outputs: [8] },
    { ...MUL, inputs: [2, 5], outputs: [9] },
    { code: 0, optionsType: 11, options: { 0: i8(0) }, inputs: [9, 8], outputs: [10] },
    { code: 28, inputs: [10], outputs: [11] },
    { code: 83, optionsType: 59, options: { 0: i32(2), 1: i32(0) }, inputs: [0, 6], outputs: [12] },
    { code: 151, optionsType: 118, inputs: [3, 11, 12], outputs: [13] },
  ],
  inputs: [0, 1, 2, 3],
  outputs: [7, 1, 11, 13],
};

const COUNTING: FileGraph = { ...TURN, operators: TURN.operators.slice(0, 1), outputs: [7, 1, 2, 3] };

function loop(limit: number, change: { turn?: FileGraph; condition?: FileGraph } = {}): FileModel {
  const tensors = [f('x', [4, 3]), f('h', [1, 3]), n('i', [], 0), f('all', [4, 3], ...Array(12).fill(0))];
  const results = [n('last', []), f('same', [4, 3]), f('end', [1, 3]), f('y', [4, 3])];
  const options = { 0: i32(1), 1: i32(2) };
  return {
    tensors: [...tensors, ...results],
    operators: [{ code: 119, optionsType: 93, options, inputs: [2, 0, 1, 3], outputs: [4, 5, 6, 7] }],
    inputs: [0, 1],
    outputs: [6, 7],
    called: [change.condition ?? condition(limit), change.turn ?? TURN],
  };
}

describe('WHILE', () => {
  test('is its body, once for each turn', () => {
    expect(kinds(loop(3)).filter((kind) => kind === 'unary')).toHaveLength(3);
  });
  const judged = hasLiteRt ? test : test.skip;
  judged.each([1, 3, 4])('of %i turns agrees with LiteRT', async (turns) => {
    await expectLiteRtAgreement(runtime, writeTflite(loop(turns)), 'loop.tflite');
  });
  test('compiles', async () => {
    const program = importTflite(writeTflite(loop(4)), 'loop.tflite');
    const { compiled, chip } = await compiledGreedily(program, 'float32', 1024);
    expect(compiledProblems(compiled, program, chip)).toEqual([]);
  });
  const ofData: FileGraph = {
    ...condition(3),
    tensors: [
      ...condition(3).tensors,
      f('limit of h', [1, 3], 1, 1, 1),
      { name: 'h is below', type: 'bool', shape: [1, 3] },
    ],
    operators: [{ code: 58, inputs: [2, 6], outputs: [7] }],
    outputs: [7],
  };
  test.each([
    ['a condition that is computed from data', loop(3, { condition: ofData })],
    ['more than 1024 turns', loop(5000, { turn: COUNTING })],
    [
      'HASHTABLE in it',
      loop(3, { turn: { ...TURN, operators: [{ code: 136, inputs: [], outputs: [7] }, ...TURN.operators] } }),
    ],
    ['4 operands call a graph of 3 inputs', loop(3, { turn: { ...TURN, inputs: [0, 1, 2] } })],
    ['3 operands call a graph of 4 inputs', loop(3, { turn: { ...TURN, outputs: [7, 1, 11] } })],
  ])('refuses %s', (message, file) => {
    expect(() => importTflite(writeTflite(file), 'case.tflite')).toThrow(message);
  });
});
