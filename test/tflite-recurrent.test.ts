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
import { bytes, floats, quantised } from './tflite-case-parts.js';
import {
  bidirectionalLstmModel,
  bidirectionalRnnModel,
  hybrid,
  hybridSvdfModel,
  INPUTS,
  integerLstmModel,
  lstmModel,
  rnnModel,
  STEPS,
  sequenceRnnModel,
  UNITS,
} from './tflite-recurrent-cases.js';

type Data = Float32Array | Int8Array;

const data = (model: FileModel, name: string): Float32Array =>
  model.tensors.find((tensor) => tensor.name === name)?.data as Float32Array;

interface Direction {
  readonly side: string; // before the names of its weights
  readonly isReverse: boolean;
}
const FORWARD: Direction = { side: '', isReverse: false };
const BOTH: readonly Direction[] = [
  { side: 'f', isReverse: false },
  { side: 'b', isReverse: true },
];

/** Row `unit` of a matrix of the model times the vector that begins at `from`. */
function rowTimes(model: FileModel, name: string, unit: number, vector: ArrayLike<number>, from = 0): number {
  const matrix = data(model, name);
  const length = matrix.length / UNITS;
  let sum = 0;
  for (let k = 0; k < length; k++) sum += (matrix[unit * length + k] ?? 0) * (vector[from + k] ?? 0);
  return sum;
}

/** Positions of the steps in the order in which they are taken. */
const stepsOf = ({ isReverse }: Direction): number[] =>
  Array.from({ length: STEPS }, (_, s) => (isReverse ? STEPS - 1 - s : s));

/** One frame of the definition, in double precision. @returns the sequence; h and c are updated */
function naiveLstm(
  model: FileModel,
  x: Float32Array,
  h: number[],
  c: number[],
  { direction = FORWARD, clip = Number.POSITIVE_INFINITY } = {},
): number[] {
  const out: number[] = [];
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  const { side } = direction;
  for (const t of stepsOf(direction)) {
    const before = [...h];
    const gate = (name: string, u: number): number =>
      (data(model, `${side}b${name}`)[u] ?? 0) +
      rowTimes(model, `${side}w${name}`, u, x, t * INPUTS) +
      rowTimes(model, `${side}r${name}`, u, before);
    for (let u = 0; u < UNITS; u++) {
      const cell = sigmoid(gate('f', u)) * (c[u] ?? 0) + sigmoid(gate('i', u)) * Math.tanh(gate('c', u));
      c[u] = Math.max(-clip, Math.min(clip, cell));
      h[u] = sigmoid(gate('o', u)) * Math.tanh(c[u] ?? 0);
      out[t * UNITS + u] = h[u] ?? 0;
    }
  }
  return out;
}

function naiveRnn(model: FileModel, x: Float32Array, h: number[], direction: Direction): number[] {
  const out: number[] = [];
  const { side } = direction;
  for (const t of stepsOf(direction)) {
    const before = [...h];
    for (let u = 0; u < UNITS; u++) {
      const own = rowTimes(model, `${side}w`, u, x, t * INPUTS) + rowTimes(model, `${side}r`, u, before);
      h[u] = Math.tanh(own + (data(model, `${side}b`)[u] ?? 0));
      out[t * UNITS + u] = h[u] ?? 0;
    }
  }
  return out;
}

/** [steps, units] of each direction as [steps, 2 * units]. */
const merged = ([a = [], b = []]: readonly number[][]): number[] =>
  Array.from({ length: 2 * STEPS * UNITS }, (_, i) => {
    const [t, u] = [Math.floor(i / (2 * UNITS)), i % (2 * UNITS)];
    return (u < UNITS ? a[t * UNITS + u] : b[t * UNITS + u - UNITS]) ?? 0;
  });

const FILTERS = 6;
const RANK = 2;
const MEMORY = 4;

function svdfModel(): FileModel {
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

const zeros = (): number[] => new Array<number>(UNITS).fill(0);

/** Two frames of a model, whose first result the definition gives. */
function expectFrames(model: FileModel, definition: (x: Float32Array) => readonly number[]): void {
  const given = [floats([STEPS * INPUTS]), floats([STEPS * INPUTS])];
  const program = importTflite(writeTflite(model), 'recurrent.tflite');
  for (const [i, actual] of frames(program, given).entries()) {
    const expected = definition(given[i] ?? new Float32Array());
    expect(actual.length).toBe(expected.length);
    for (const [k, value] of expected.entries()) expect(actual[k]).toBeCloseTo(value, 5);
  }
}

const ASYMMETRIC = { i8: 1 };
/** Layers with weights of int8, and the last numbers that @tensorflow/tfjs-tflite 0.0.1-alpha.10 makes. */
const HYBRID: readonly (readonly [string, FileModel, readonly number[]])[] = [
  ['an LSTM', hybrid(lstmModel(0)), [-0.217821, -0.897084, -0.392327, 0.130939, 0.022153]],
  [
    'an LSTM, asymmetric',
    hybrid(lstmModel(0), { 4: ASYMMETRIC }),
    [-0.219147, -0.896771, -0.396919, 0.130206, 0.022575],
  ],
  ['both directions of an LSTM', hybrid(bidirectionalLstmModel(true)), [0, -0.000229, -0.354057, -0.512627, 0.242211]],
  [
    'both directions of an LSTM, asymmetric',
    hybrid(bidirectionalLstmModel(true), { 5: ASYMMETRIC }),
    [0, -0.000239, -0.351622, -0.511374, 0.23313],
  ],
  ['an RNN of one step', hybrid(rnnModel()), [0, 2.250043, 2.257407, 0.740035, 0.747399]],
  ['an RNN of one step, asymmetric', hybrid(rnnModel(), { 1: ASYMMETRIC }), [0, 2.25076, 2.261108, 0.740172, 0.75052]],
  ['a sequence of an RNN', hybrid(sequenceRnnModel()), [-0.992816, 0.521492, 0.847221, 0.999346, 0.990098]],
  [
    'a sequence of an RNN, asymmetric',
    hybrid(sequenceRnnModel(), { 2: ASYMMETRIC }),
    [-0.99268, 0.51772, 0.846928, 0.999343, 0.989991],
  ],
  [
    'both directions of an RNN, asymmetric',
    hybrid(bidirectionalRnnModel(true), { 3: ASYMMETRIC }),
    [0.999095, -0.747144, -0.998923, -0.998342, 0.700795],
  ],
  ['SVDF', hybridSvdfModel(0), [-0.028652, 0.764367, -0.410706]],
  ['SVDF, asymmetric,', hybridSvdfModel(1), [-0.065438, 0.756702, -0.412642]],
];

const RESULTS_OF_TFLITE = [-40, -89, 54, 2, -6, -4, -6, 71, -62, 36, -15, -67, 5, -29, -32];

describe('state', () => {
  test.each([0, 0.6])('an LSTM carries its state from frame to frame, its cell limited to %s', (clip) => {
    const model = lstmModel(clip);
    const [h, c] = [zeros(), zeros()];
    expectFrames(model, (x) => naiveLstm(model, x, h, c, clip > 0 ? { clip } : {}));
  });

  test.each([false, true])('both directions of an LSTM, merged: %s', (isMerged) => {
    const model = bidirectionalLstmModel(isMerged);
    const states = BOTH.map(() => [zeros(), zeros()] as const);
    expectFrames(model, (x) => {
      const both = BOTH.map((direction, i) => {
        const [h, c] = states[i] ?? [zeros(), zeros()];
        return naiveLstm(model, x, h, c, { direction, clip: 0.7 });
      });
      return isMerged ? merged(both) : (both[0] ?? []);
    });
  });

  test('a sequence of an RNN', () => {
    const [model, h] = [sequenceRnnModel(), zeros()];
    expectFrames(model, (x) => naiveRnn(model, x, h, FORWARD));
  });

  test.each([false, true])('both directions of an RNN, merged: %s', (isMerged) => {
    const model = bidirectionalRnnModel(isMerged);
    const states = BOTH.map(zeros);
    expectFrames(model, (x) => {
      const both = BOTH.map((direction, i) => naiveRnn(model, x, states[i] ?? [], direction));
      return isMerged ? merged(both) : (both[0] ?? []);
    });
  });

  test('an RNN of one step, and relu', () => {
    const model = rnnModel();
    const x = floats([INPUTS]);
    const [actual] = frames(importTflite(writeTflite(model), 'rnn.tflite'), [x]);
    for (let u = 0; u < UNITS; u++) {
      expect(actual?.[u]).toBeCloseTo(Math.max(0, rowTimes(model, 'w', u, x) + (data(model, 'b')[u] ?? 0)), 5);
    }
  });

  test('an LSTM in integers makes the bytes of TFLite', () => {
    const program = importTflite(writeTflite(integerLstmModel()), 'int8.tflite');
    const x = Int8Array.of(100, -90, 17, 60, -128, 127, -5, 33, 8, -70, 44, -101);
    // From @tensorflow/tfjs-tflite 0.0.1-alpha.10, which is TFLite with its own kernels.
    expect([...(frames(program, [x])[0] ?? [])]).toEqual(RESULTS_OF_TFLITE);
    expect(program.ops.map(({ kind }) => kind)).toContain('recurrent');
  });

  test.each(HYBRID)('%s with weights of int8 rounds its operands as TFLite does', (_, model, expected) => {
    const program = importTflite(writeTflite(model), 'hybrid.tflite');
    const x = Float32Array.from(
      { length: model.tensors[0]?.shape.length === 2 ? INPUTS : STEPS * INPUTS },
      (__, i) => 2 * Math.sin(1.7 * i + 1),
    );
    const last = [...(frames(program, [x])[0] ?? [])].slice(-expected.length);
    for (const [i, value] of expected.entries()) expect(last[i]).toBeCloseTo(value, 5);
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
    ['LSTM', lstmModel(0.6)],
    ['LSTM in integers', integerLstmModel()],
    ['LSTM of both directions', bidirectionalLstmModel(true)],
    ['RNN of both directions', bidirectionalRnnModel(false)],
    ['LSTM with weights of int8', hybrid(lstmModel(0), { 4: ASYMMETRIC })],
    ['SVDF', svdfModel()],
  ] as const)('%s compiles, and keeps its states in text and manifest', async (_, model) => {
    const program = importTflite(writeTflite(model), 'state.tflite');
    const own = program.outputs.length - (program.states?.length ?? 0);
    expect(program.states).toEqual((program.states ?? []).map((__, i) => ({ input: 1 + i, output: own + i })));
    const again = parseProgram(printProgram(program), constantBytes(program), 'again.ir');
    expect(again.states).toEqual(program.states);
    const { compiled, chip } = await compiledGreedily(program, 'float32', 2048);
    expect(compiledProblems(compiled, program, chip)).toEqual([]);
    const { inputs, outputs } = compiled.emitted.manifest;
    const kept = inputs.flatMap(({ stateOf }) => stateOf ?? []);
    expect(kept).toEqual(outputs.slice(own).map(({ name }) => name));
  });
});
