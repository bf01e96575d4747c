/** Graphs of a TFLite file that call others: IF. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
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
