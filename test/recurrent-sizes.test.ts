/** Recurrent operators that would not fit in 1 MiB: weights that are streamed, step by step, and sequences cut into runs. */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { runsOf, stepsOfRun } from '../src/frontend/recurrent-sizes.js';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { interpret } from '../src/reference/interpret.js';
import { seededInput } from '../src/reference/seeded-input.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { expectAgreement } from './onnx-agreement.js';
import { encodeModel, floats, node, randomFloats, valueInfo } from './onnx-models.js';
import { OnnxRuntime } from './onnxruntime.js';
import { writeTflite } from './tflite-builder.js';
import { lstmModel } from './tflite-recurrent-cases.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const MIB = 2 ** 20;
const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

interface Case {
  readonly operator: 'LSTM' | 'GRU';
  readonly direction: 'forward' | 'reverse';
  readonly steps: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly recurrentOps: number;
}

const CASES: readonly Case[] = [
  { operator: 'LSTM', direction: 'forward', steps: 3, inputs: 96, hidden: 224, recurrentOps: 0 },
  { operator: 'GRU', direction: 'reverse', steps: 1600, inputs: 40, hidden: 96, recurrentOps: 2 },
];

describe('fits in 1 MiB, and agrees with onnxruntime', () => {
  test.each(CASES)('$operator $direction of $steps steps, $hidden units', async (c) => {
    const { operator, direction, steps, inputs, hidden } = c;
    const gates = operator === 'LSTM' ? 4 : 3;
    const constant = (name: string, dims: number[], seed: number): object =>
      floats(
        name,
        dims,
        randomFloats(
          dims.reduce((a, b) => a * b, 1),
          seed,
        ).map((v) => v * 0.1),
      );
    const model = encodeModel({
      nodes: [node(operator, ['x', 'w', 'r', 'b'], ['y'], { hidden_size: hidden, direction })],
      initializers: [
        constant('w', [1, gates * hidden, inputs], 1),
        constant('r', [1, gates * hidden, hidden], 2),
        constant('b', [1, 2 * gates * hidden], 3),
      ],
      inputs: [valueInfo('x', [steps, 1, inputs])],
      outputs: ['y'],
    });
    const program = importOnnx(model, 'recurrent.onnx', '.');
    expect(program.ops.filter(({ kind }) => kind === 'recurrent')).toHaveLength(c.recurrentOps);
    const feed = { name: 'x', dims: [steps, 1, inputs], data: randomFloats(steps * inputs, 4) };
    await expectAgreement(runtime, program, model, [feed]);
    const { compiled, chip } = await compiledGreedily(program, 'float32', MIB);
    expect(compiledProblems(compiled, program, chip)).toEqual([]);
  });
});

test('runs of steps, in the order in which they are taken', () => {
  expect(runsOf(7, 3, false).map(({ start, size }) => [start, size])).toEqual([
    [0, 3],
    [3, 3],
    [6, 1],
  ]);
  expect(runsOf(7, 3, true).map(({ start }) => start)).toEqual([6, 3, 0]);
  expect(stepsOfRun(5, 100, 1000)).toBe(5);
  expect(stepsOfRun(100_000, 1000, 0)).toBe(983);
  expect(stepsOfRun(100_000, 10_000_000, 0)).toBe(1);
});

test('a TFLite LSTM of many steps is cut into runs, and computes the same', () => {
  const steps = 20_000;
  const model = lstmModel(0.6);
  const long = (first: string): typeof model => ({
    ...model,
    tensors: model.tensors.map((tensor) => {
      if (tensor.name === 'x') return { ...tensor, shape: [1, steps, tensor.shape[2] ?? 1] };
      return tensor.name === 'y' ? { ...tensor, name: first, shape: [1, steps, tensor.shape[2] ?? 1] } : tensor;
    }),
  });
  const program = importTflite(writeTflite(long('y')), 'long.tflite');
  const runs = program.ops.filter(({ kind }) => kind === 'recurrent');
  expect(runs.length).toBeGreaterThan(1);
  const inputs = seededInput(program, 1);
  const outputs = interpret(program, inputs);
  const [y, h] = program.outputs.map((id) => outputs.get(id) ?? new Float32Array());
  // The state that goes to the next frame is the last row.
  expect([...(h ?? [])]).toEqual([...(y ?? [])].slice(-(h?.length ?? 0)));
});
