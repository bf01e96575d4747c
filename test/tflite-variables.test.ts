/** Resource variables: against LiteRT for one frame, against their definition for several. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { tensorOf } from '../src/ir/facts.js';
import type { TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import type { Elements } from '../src/reference/movement.js';
import { hasLiteRt, LiteRt } from './litert.js';
import { type FileGraph, type FileModel, type FileTensor, writeTflite } from './tflite-builder.js';
import { i8, i32 } from './tflite-case-parts.js';

const runtime = new LiteRt();
afterAll(() => runtime.stop());

const CALL_ONCE = { code: 129, optionsType: 103, options: { 0: i32(1) } };
const READ = { code: 143, optionsType: 112 };
const ASSIGN = { code: 144, optionsType: 113 };
const ADD = { code: 0, optionsType: 11, options: { 0: i8(0) } };
const handle = (text: string) => ({ code: 142, optionsType: 111, options: { 1: { text } } });

const f = (name: string, shape = [1, 4]): FileTensor => ({ name, type: 'float32', shape });
const resource = (name: string): FileTensor => ({ name, type: 'resource', shape: [] });

const first = (...values: number[]): FileGraph => ({
  tensors: [resource('sum'), { ...f('begin'), data: Float32Array.from(values) }],
  operators: [
    { ...handle('sum'), inputs: [], outputs: [0] },
    { ...ASSIGN, inputs: [0, 1], outputs: [] },
  ],
  inputs: [],
  outputs: [],
});

/** y = x + sum; sum = y; z = y + sum, read again. @param begin the first values of the sum */
const model = (begin: readonly number[]): FileModel => ({
  tensors: [f('x'), resource('handle'), f('before'), f('y'), f('after'), f('z')],
  operators: [
    { ...CALL_ONCE, inputs: [], outputs: [] },
    { ...handle('sum'), inputs: [], outputs: [1] },
    { ...READ, inputs: [1], outputs: [2] },
    { ...ADD, inputs: [0, 2], outputs: [3] },
    { ...ASSIGN, inputs: [1, 3], outputs: [] },
    { ...READ, inputs: [1], outputs: [4] },
    { ...ADD, inputs: [3, 4], outputs: [5] },
  ],
  inputs: [0],
  outputs: [5],
  called: [first(...begin)],
});

describe('variables', () => {
  const bytes = writeTflite(model([0, 0, 0, 0]));
  const program = importTflite(bytes, 'case.tflite');

  test('are states of the program', () => {
    const named = (id: TensorId) => tensorOf(program, id).name;
    expect(program.inputs.map(named)).toEqual(['x', 'sum']);
    expect(program.outputs.map(named)).toEqual(['z', 'sum:next']);
    expect(program.states).toHaveLength(1);
  });

  test('go from frame to frame', () => {
    const [x, sum] = program.inputs as [TensorId, TensorId];
    const [z, next] = program.outputs as [TensorId, TensorId];
    let state: Elements = new Float32Array(4);
    for (const total of [1, 2, 3]) {
      const results = interpret(
        program,
        new Map([
          [x, Float32Array.of(1, 2, 3, 4)],
          [sum, state],
        ]),
      );
      expect(results.get(z)).toEqual(Float32Array.of(1, 2, 3, 4).map((value) => 2 * total * value));
      state = results.get(next) ?? new Float32Array();
    }
  });

  (hasLiteRt ? test : test.skip)('agree with LiteRT in the first frame', async () => {
    const input = Float32Array.of(1, -2, 3, 0.5);
    const [output] = await runtime.run(bytes, [new Uint8Array(input.buffer)]);
    expect(new Float32Array(new Uint8Array(output?.bytes ?? []).buffer)).toEqual(input.map((value) => 2 * value));
  });

  test('that begin with other values are refused', () => {
    expect(() => importTflite(writeTflite(model([0, 1, 0, 0])), 'case.tflite')).toThrow('first values of variables');
  });

  test('of no handle are refused', () => {
    const file = model([0, 0, 0, 0]);
    const operators = [
      { ...handle('other'), inputs: [], outputs: [4] },
      { ...READ, inputs: [1], outputs: [2] },
    ];
    expect(() => importTflite(writeTflite({ ...file, operators }), 'case.tflite')).toThrow('that no VAR_HANDLE makes');
  });
});
