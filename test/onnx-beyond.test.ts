/** Operators beyond convolution against onnxruntime, and through the whole compiler on a small chip. */
import { afterAll, expect, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { expectAgreement } from './onnx-agreement.js';
import { BEYOND_CASES } from './onnx-beyond-cases.js';
import { COMPOSED_CASES } from './onnx-composed-cases.js';
import { COMPUTED_WEIGHTS_CASES } from './onnx-computed-weights-cases.js';
import { FORM_CASES } from './onnx-form-cases.js';
import { product, randomFloats } from './onnx-models.js';
import { OnnxRuntime } from './onnxruntime.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

test.each(
  [...BEYOND_CASES, ...COMPOSED_CASES, ...FORM_CASES, ...COMPUTED_WEIGHTS_CASES].map((one) => [one.name, one] as const),
)('%s', async (name, { model, inputs, low, high }) => {
  const feeds = inputs.map((input, i) => {
    const draws = randomFloats(product(input.dims), 100 + i);
    if (input.isIndex)
      return { ...input, type: 'int64' as const, data: Int32Array.from(draws, (v) => Math.floor((v + 1) * 4)) };
    return { ...input, data: draws.map((v) => low + ((v + 1) * (high - low)) / 2) };
  });
  const program = importOnnx(model, `${name}.onnx`, '.');
  await expectAgreement(runtime, program, model, feeds);
  const float = toFloat32(program);
  const { compiled, chip } = await compiledGreedily(float, 'float32', 16 * 1024);
  expect(compiledProblems(compiled, float, chip)).toEqual([]);
});
