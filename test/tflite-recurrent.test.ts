/** Operators that carry state from frame to frame, against their definitions: LiteRT's build for Node has none of them. */
import { describe, expect, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { parseProgram } from '../src/ir/parse.js';
import { constantBytes, printProgram } from '../src/ir/print.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import { seededInput } from '../src/reference/seeded-input.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { mbqm } from './naive-numerics.js';
import { type FileModel, type FileTensor, writeTflite } from './tflite-builder.js';
import { bytes, floats } from './tflite-case-parts.js';

type Data = Float32Array | Int8Array;

const STEPS = 3;
const INPUTS = 4;
const UNITS = 5;

/** Operands of the file by position; -1 for those that are left out. */
function lstmModel(): FileModel {
  const constant = (name: string, shape: number[]): FileTensor => ({
    name,
    type: 'float32',
    shape,
    data: floats(shape),
  });
  const state = (name: string): FileTensor => ({ name, type: 'float32', shape: [1, UNITS], isVariable: true });
  const gates = ['i', 'f', 'c', 'o'];
  const tensors: FileTensor[] = [
    { name: 'x', type: 'float32', shape: [1, STEPS, INPUTS] },
    ...gates.map((gate) => constant(`w${gate}`, [UNITS, INPUTS])),
    ...gates.map((gate) => constant(`r${gate}`, [UNITS, UNITS])),
    ...gates.map((gate) => constant(`b${gate}`, [UNITS])),
    state('h'),
    state('c'),
    { name: 'y', type: 'float32', shape: [1, STEPS, UNITS] },
  ];
  const none = (count: number): number[] => new Array(count).fill(-1);
  const inputs = [0, 1, 2, 3, 4, 5, 6, 7, 8, ...none(3), 9, 10, 11, 12, ...none(2), 13, 14, ...none(4)];
  const options = { 0: { i8: 4 }, 1: { f32: 0.6 }, 2: { f32: 0 }, 3: { i8: 0 } };
  const operator = { code: 44, inputs, outputs: [15], optionsType: 71, options };
  return { tensors, operators: [operator], inputs: [0], outputs: [15] };
}

const data = (model: FileModel, name: string): Float32Array =>
  model.tensors.find((tensor) => tensor.name === name)?.data as Float32Array;

/** One frame of the definition, in double precision. @returns the sequence; h and c are updated */
function naiveLstm(model: FileModel, x: Float32Array, h: number[], c: number[]): number[] {
  const out: number[] = [];
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  for (let t = 0; t < STEPS; t++) {
    const gate = (name: string, u: number): number => {
      let sum = data(model, `b${name}`)[u] ?? 0;
      for (let k = 0; k < INPUTS; k++) sum += (data(model, `w${name}`)[u * INPUTS + k] ?? 0) * (x[t * INPUTS + k] ?? 0);
      for (let k = 0; k < UNITS; k++) sum += (data(model, `r${name}`)[u * UNITS + k] ?? 0) * (h[k] ?? 0);
      return sum;
    };
    const next = h.map((_, u) => {
      const cell = sigmoid(gate('f', u)) * (c[u] ?? 0) + sigmoid(gate('i', u)) * Math.tanh(gate('c', u));
      return { cell: Math.max(-0.6, Math.min(0.6, cell)), open: sigmoid(gate('o', u)) };
    });
    for (const [u, { cell, open }] of next.entries()) {
      c[u] = cell;
      h[u] = open * Math.tanh(cell);
    }
    out.push(...h);
  }
  return out;
}

const FILTERS = 6;
const RANK = 2;
const MEMORY = 4;

function svdfModel(): FileModel {
  const quantised = (name: string, shape: number[], scale: number, zero = 0): FileTensor => ({
    name,
    type: 'int8',
    shape,
    scales: [scale],
    zeroPoints: [zero],
  });
  const tensors: FileTensor[] = [
    quantised('x', [1, INPUTS], 0.05, 7),
    { ...quantised('features', [FILTERS, INPUTS], 0.01), data: bytes([FILTERS, INPUTS]) },
    { ...quantised('time', [FILTERS, MEMORY], 0.02), data: bytes([FILTERS, MEMORY]) },
    { name: 'bias', type: 'int32', shape: [3], data: Int32Array.of(300, -200, 50), scales: [1] },
    { ...quantised('state', [1, FILTERS * MEMORY], 0.03, 2), isVariable: true },
    quantised('y', [1, FILTERS / RANK], 0.04, -5),
  ];
  const options = { 0: { i32: RANK }, 1: { i8: 1 } };
  const operator = { code: 27, inputs: [0, 1, 2, 3, 4], outputs: [5], optionsType: 6, options };
  return { tensors, operators: [operator], inputs: [0], outputs: [5] };
}

/** One frame; the state is [filter][time], oldest first, in stored numbers. */
function naiveSvdf(model: FileModel, x: Int8Array, state: number[][]): number[] {
  const stored = (name: string, i: number): number => (data(model, name) as Data)[i] ?? 0;
  const clamp = (v: number, lo = -128): number => Math.max(lo, Math.min(127, v));
  const scaled = (sum: number, factor: number): number => {
    const shift = Math.floor(Math.log2(factor)) + 1;
    return mbqm(sum, Math.round((factor / 2 ** shift) * 2 ** 31), shift);
  };
  const f = Math.fround;
  for (const [filter, times] of state.entries()) {
    let sum = 0;
    for (let k = 0; k < INPUTS; k++) sum += stored('features', filter * INPUTS + k) * ((x[k] ?? 0) - 7);
    times.shift();
    times.push(clamp(scaled(sum, (f(0.05) * f(0.01)) / f(0.03)) + 2));
  }
  return Array.from({ length: FILTERS / RANK }, (_, unit) => {
    let sum = [300, -200, 50][unit] ?? 0;
    for (let r = 0; r < RANK; r++) {
      const filter = unit * RANK + r;
      for (let t = 0; t < MEMORY; t++) sum += stored('time', filter * MEMORY + t) * ((state[filter]?.[t] ?? 0) - 2);
    }
    return clamp(scaled(sum, (f(0.03) * f(0.02)) / f(0.04)) - 5, -5);
  });
}

/** Runs frames one after the other: states begin at zero and are handed on. */
function frames(program: Program, given: readonly Data[]): Data[] {
  let states = seededInput(program, 1);
  return given.map((x) => {
    const inputs = new Map(states);
    inputs.set(program.inputs[0] as TensorId, x);
    const outputs = interpret(program, inputs);
    states = new Map(states);
    for (const { input, output } of program.states ?? []) {
      const next = outputs.get(program.outputs[output] as TensorId);
      if (next !== undefined) states.set(program.inputs[input] as TensorId, next);
    }
    return outputs.get(program.outputs[0] as TensorId) as Data;
  });
}

describe('state', () => {
  test('an LSTM carries its state from frame to frame', () => {
    const model = lstmModel();
    const program = importTflite(writeTflite(model), 'lstm.tflite');
    const given = [floats([STEPS * INPUTS]), floats([STEPS * INPUTS])];
    const [h, c] = [new Array<number>(UNITS).fill(0), new Array<number>(UNITS).fill(0)];
    for (const [i, actual] of frames(program, given).entries()) {
      const expected = naiveLstm(model, given[i] ?? new Float32Array(), h, c);
      for (const [k, value] of expected.entries()) expect(actual[k]).toBeCloseTo(value, 5);
    }
  });

  test('SVDF does, byte for byte', () => {
    const model = svdfModel();
    const program = importTflite(writeTflite(model), 'svdf.tflite');
    const given = [bytes([INPUTS]), bytes([INPUTS]), bytes([INPUTS])];
    const state = Array.from({ length: FILTERS }, () => new Array<number>(MEMORY).fill(2));
    for (const [i, actual] of frames(program, given).entries()) {
      expect([...actual]).toEqual(naiveSvdf(model, given[i] ?? new Int8Array(), state));
    }
  });

  test.each([
    ['LSTM', lstmModel()],
    ['SVDF', svdfModel()],
  ] as const)('%s compiles, and keeps its states in text and manifest', async (_, model) => {
    const program = importTflite(writeTflite(model), 'state.tflite');
    expect(program.states).toEqual((program.states ?? []).map((__, i) => ({ input: 1 + i, output: 1 + i })));
    const again = parseProgram(printProgram(program), constantBytes(program), 'again.ir');
    expect(again.states).toEqual(program.states);
    const { compiled, chip } = await compiledGreedily(program, 'float32', 1024);
    expect(compiledProblems(compiled, program, chip)).toEqual([]);
    const { inputs, outputs } = compiled.emitted.manifest;
    const kept = inputs.flatMap(({ stateOf }) => stateOf ?? []);
    expect(kept).toEqual(outputs.slice(1).map(({ name }) => name));
  });
});
