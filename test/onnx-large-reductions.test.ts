/** Reductions of tensors that are larger than the SRAM: against onnxruntime, and compiled. */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { expectAgreement } from './onnx-agreement.js';
import { encodeModel, int8s, node, product, randomFloats, valueInfo } from './onnx-models.js';
import { OnnxRuntime } from './onnxruntime.js';

jest.setTimeout(120_000);
const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

const SHAPE = [1, 12, 56, 48]; // 126 KiB
const inputs = [valueInfo('x', SHAPE)];
const REDUCTIONS = ['Max', 'Min', 'Sum', 'Mean', 'L1', 'L2', 'SumSquare', 'LogSumExp'];

const reduction = (name: string) =>
  encodeModel({ nodes: [node(`Reduce${name}`, ['x'], ['y'])], inputs, outputs: ['y'], opset: 12 });

/** An activation whose scale is that of its largest and least element, and a convolution of its integers. */
const DYNAMIC = encodeModel({
  nodes: [
    node('DynamicQuantizeLinear', ['x'], ['q', 'scale', 'zero']),
    node('ConvInteger', ['q', 'w', 'zero', 'wzero'], ['sums'], { kernel_shape: [1, 1] }),
    node('Cast', ['sums'], ['real'], { to: 1 }),
    node('Mul', ['real', 'scale'], ['y']),
  ],
  initializers: [
    int8s(
      'w',
      [4, 12, 1, 1],
      Array.from({ length: 48 }, (_, i) => ((i * 29) % 100) - 50),
    ),
    int8s('wzero', [], [0]),
  ],
  inputs,
  outputs: ['y'],
});

const MODELS: [string, Uint8Array][] = [
  ...REDUCTIONS.map((name): [string, Uint8Array] => [`Reduce${name}`, reduction(name)]),
  ['DynamicQuantizeLinear', DYNAMIC],
];

describe('larger than the SRAM', () => {
  test.each(MODELS)('%s', async (name, model) => {
    const program = importOnnx(model, `${name}.onnx`, '.');
    const feeds = [{ name: 'x', dims: SHAPE, data: randomFloats(product(SHAPE), 7) }];
    await expectAgreement(runtime, program, model, feeds);
    const { compiled, chip } = await compiledGreedily(program, 'float32', 96 * 1024);
    expect(compiledProblems(compiled, toFloat32(program), chip)).toEqual([]);
  });
});
