/** TFLite_Detection_PostProcess against its definition: LiteRT's build for Node has no custom operators. */
import { expect, test } from '@jest/globals';
import { encode } from 'flatbuffers/mjs/flexbuffers.js';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import type { TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { type FileModel, writeTflite } from './tflite-builder.js';
import { random } from './tflite-case-parts.js';

const BOXES = 40;
const CLASSES = 3; // and a background before them
const DETECTIONS = 4;
const OPTIONS = {
  h_scale: 5,
  max_classes_per_detection: 1,
  max_detections: DETECTIONS,
  nms_iou_threshold: 0.4,
  nms_score_threshold: 0.3,
  num_classes: CLASSES,
  w_scale: 5,
  x_scale: 10,
  y_scale: 10,
};

const anchors = Float32Array.from({ length: BOXES * 4 }, (_, i) => (i % 4 < 2 ? random() : 0.2 + 0.3 * random()));

function model(options: Record<string, number>): FileModel {
  const result = (name: string, shape: number[]) => ({ name, type: 'float32', shape }) as const;
  return {
    tensors: [
      result('boxes', [1, BOXES, 4]),
      result('scores', [1, BOXES, CLASSES + 1]),
      { name: 'anchors', type: 'float32', shape: [BOXES, 4], data: anchors },
      result('found', [1, DETECTIONS, 4]),
      result('classes', [1, DETECTIONS]),
      result('best', [1, DETECTIONS]),
      result('count', [1]),
    ],
    operators: [
      {
        code: 32,
        custom: 'TFLite_Detection_PostProcess',
        customOptions: encode(options),
        inputs: [0, 1, 2],
        outputs: [3, 4, 5, 6],
      },
    ],
    inputs: [0, 1],
    outputs: [3, 4, 5, 6],
  };
}

interface Found {
  readonly box: readonly number[];
  readonly which: number;
  readonly score: number;
}

/** Boxes by falling score; one that overlaps a taken one goes. */
function naive(codes: Float32Array, scores: Float32Array): Found[] {
  const candidates = Array.from({ length: BOXES }, (_, n): Found => {
    const [cy = 0, cx = 0, ch = 0, cw = 0] = codes.subarray(4 * n, 4 * n + 4);
    const [ay = 0, ax = 0, ah = 0, aw = 0] = anchors.subarray(4 * n, 4 * n + 4);
    const [y, x] = [(cy / 10) * ah + ay, (cx / 10) * aw + ax];
    const [h, w] = [0.5 * Math.exp(ch / 5) * ah, 0.5 * Math.exp(cw / 5) * aw];
    const own = [...scores.subarray(n * (CLASSES + 1) + 1, (n + 1) * (CLASSES + 1))];
    const score = Math.max(...own);
    return { box: [y - h, x - w, y + h, x + w], which: own.indexOf(score), score };
  });
  const area = ([y0 = 0, x0 = 0, y1 = 0, x1 = 0]: readonly number[]): number => (y1 - y0) * (x1 - x0);
  const overlap = (a: readonly number[], b: readonly number[]): number => {
    const side = (i: number): number =>
      Math.max(0, Math.min(a[i + 2] ?? 0, b[i + 2] ?? 0) - Math.max(a[i] ?? 0, b[i] ?? 0));
    const common = side(0) * side(1);
    return common / (area(a) + area(b) - common);
  };
  const taken: Found[] = [];
  for (const candidate of candidates.filter(({ score }) => score >= 0.3).sort((a, b) => b.score - a.score)) {
    if (taken.length < DETECTIONS && taken.every(({ box }) => overlap(box, candidate.box) <= 0.4))
      taken.push(candidate);
  }
  return taken;
}

const program = importTflite(writeTflite(model(OPTIONS)), 'detection.tflite');

test.each([1, 0.55, 0.32, 0.2])('finds what the definition finds, scores up to %d', (highest) => {
  const codes = Float32Array.from({ length: BOXES * 4 }, () => random() * 4 - 2);
  const scores = Float32Array.from({ length: BOXES * (CLASSES + 1) }, () => random() * highest);
  const [boxes, points] = program.inputs as [TensorId, TensorId];
  const outputs = interpret(
    program,
    new Map([
      [boxes, codes],
      [points, scores],
    ]),
  );
  const [found, classes, best, count] = program.outputs.map((id) => [...(outputs.get(id) ?? [])]);
  const expected = naive(codes, scores);
  expect(count).toEqual([expected.length]);
  expect(classes?.slice(0, expected.length)).toEqual(expected.map(({ which }) => which));
  for (const [i, { box, score }] of expected.entries()) {
    expect(best?.[i]).toBeCloseTo(score, 6);
    for (const [k, corner] of box.entries()) expect(found?.[4 * i + k]).toBeCloseTo(corner, 5);
  }
  expect(found?.slice(4 * expected.length).every((value) => value === 0)).toBe(true);
});

test('compiles for little SRAM', async () => {
  const { compiled, chip } = await compiledGreedily(program, 'float32', 4096);
  expect(compiledProblems(compiled, program, chip)).toEqual([]);
});

test('what it does not do is said', () => {
  const refuse = (options: Record<string, number>, text: RegExp): void =>
    expect(() => importTflite(writeTflite(model(options)), 'm')).toThrow(text);
  refuse({ ...OPTIONS, use_regular_nms: 1 }, /the regular form/);
  refuse({ ...OPTIONS, max_classes_per_detection: 2 }, /several classes/);
  refuse({ max_detections: 3 }, /SW2107.*no option max_classes_per_detection/);
});
