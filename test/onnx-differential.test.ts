/** Every operator and form that the ONNX front end imports, against onnxruntime. */
import { afterAll, jest, test } from '@jest/globals';
import { importOnnx } from '../src/frontend/onnx/load-onnx.js';
import { expectAgreement } from './onnx-agreement.js';
import { LONG_CASES } from './onnx-form-cases.js';
import { product, randomFloats } from './onnx-models.js';
import { OPERATOR_CASES } from './onnx-operator-cases.js';
import { OnnxRuntime } from './onnxruntime.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

test.each([...OPERATOR_CASES, ...LONG_CASES].map((operator) => [operator.name, operator] as const))(
  '%s',
  async (_name, operator) => {
    const feeds = operator.inputs.map(({ name, dims }, i) => {
      const span = (operator.high - operator.low) / 2;
      const data = randomFloats(product(dims), 100 + i).map((v) => operator.low + (v + 1) * span);
      return { name, dims, data };
    });
    await expectAgreement(runtime, importOnnx(operator.model, `${operator.name}.onnx`, '.'), operator.model, feeds);
  },
);
