/** Real networks: the affordable ones against onnxruntime, the others at least imported or refused with a diagnostic. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { importOnnx, loadOnnx } from '../src/frontend/onnx/load-onnx.js';
import { tensorOf } from '../src/ir/facts.js';
import { expectAgreement } from './onnx-agreement.js';
import { product, randomFloats } from './onnx-models.js';
import { withRandomWeights } from './onnx-random-weights.js';
import { OnnxRuntime } from './onnxruntime.js';
import { outsideShapeOf } from './outside-order.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const MODELS = '../shared/models';
const AFFORDABLE = ['ultraface_slim_320', 'yolo_fastest_1.1_coco_320x320_f32', 'light_squeezenet', 'light_shufflenet'];

const runtime = new OnnxRuntime();
afterAll(() => runtime.stop());

describe('agrees with onnxruntime', () => {
  test.each(AFFORDABLE)('%s', async (name) => {
    const path = `${MODELS}/${name}.onnx`;
    if (!existsSync(path)) return console.warn(`skipped: ${path} is not there`);
    const model = name.startsWith('light_') ? withRandomWeights(path) : path;
    const program = typeof model === 'string' ? loadOnnx(model) : importOnnx(model, path, '.');
    const feeds = program.inputs.map((id, i) => {
      const tensor = tensorOf(program, id);
      return { name: tensor.name, dims: outsideShapeOf(tensor), data: randomFloats(product(tensor.shape), 5 + i) };
    });
    await expectAgreement(runtime, program, model, feeds);
  });
});

/** What the front end is for; every other file may be refused, but with a diagnostic. */
const MUST_IMPORT = [
  ...AFFORDABLE,
  'light_resnet50',
  'light_inception_v1',
  'efficientnet_lite0_seeded_224_f32',
  'yolov3_seeded_416x416_f32',
  'yolov3_seeded_1920x1088_f32',
  'yolo_fastest_1.1_coco_1920x1088_f32',
];

const files = existsSync(MODELS) ? readdirSync(MODELS).filter((file) => file.endsWith('.onnx')) : [];
// The 62 M weights of the two float YOLOv3 files take too long here.
const light = files.filter((file) => !file.startsWith('yolov3_seeded') || file.includes('qdq'));

test.each(light.length > 0 ? light : ['no model files'])('%s imports or is refused with diagnostics', (file) => {
  if (light.length === 0) return console.warn(`skipped: ${MODELS} is not there`);
  try {
    expect(loadOnnx(`${MODELS}/${file}`).ops.length).toBeGreaterThan(0);
  } catch (error) {
    expect(error).toBeInstanceOf(SpillwayError);
    expect(MUST_IMPORT).not.toContain(file.replace(/\.onnx$/, ''));
  }
});
