/**
 * TFLite_Detection_PostProcess in its fast form: boxes from their encodings, the best class of each, and non-maximum suppression.
 * As many times as there are detections, the best box that is left is taken, and those that overlap it too much go: a few
 * operators on vectors of one number for each box.
 */
import { toReference } from 'flatbuffers/mjs/flexbuffers.js';
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { realsOf } from './constant.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { malformed } from './problems.js';
import { Vectors } from './vectors.js';

interface Options {
  readonly detections: number;
  readonly classes: number;
  readonly scoreThreshold: number;
  readonly overlapThreshold: number;
  readonly scale: { readonly y: number; readonly x: number; readonly h: number; readonly w: number };
}

const MAX_DETECTIONS = 100;
/** Scores of 0 are no detections, whatever the threshold. */
const LEAST_SCORE = 1e-30;

export const detectionPostProcess: Importer = (node) => {
  const options = optionsOf(node);
  const anchors = node.constant(2, 'anchors');
  const [, count = 0, width = 0] = node.shape(0);
  const classes = node.shape(1)[2] ?? 0;
  const isValid = width >= 4 && node.shape(1)[1] === count && anchors.shape[0] === count && anchors.shape[1] === 4;
  if (!isValid || classes < options.classes || options.classes < 1) {
    const shapes = [node.shape(0), node.shape(1), anchors.shape].map((shape) => `[${shape.join(', ')}]`);
    malformed('SW2107', node.loc, `${options.classes} classes of boxes, scores and anchors ${shapes.join(', ')}`);
  }
  const v = new Vectors(node, count);
  const corners = decoded(v, encodings(v, count, width), realsOf(anchors), options.scale);
  const { best, which } = classesOf(v, count, classes, options.classes);
  const found = suppressed(v, corners, which, best, options);
  return results(v, found);
};

function optionsOf(node: NodeContext): Options {
  const { customOptions: bytes, loc } = node.node;
  const read = (key: string, absent?: number): number => {
    try {
      // The runtime's types know positions only; maps are read by key.
      const value = toReference(bytes.slice().buffer as ArrayBuffer).get(key as unknown as number);
      if (value.isNumber()) return Number(value.numericValue());
      if (value.isBool()) return value.boolValue() === true ? 1 : 0;
    } catch {
      // No such key, or nothing that can be read: decided below.
    }
    return absent ?? malformed('SW2107', loc, `${node.operator} has no option ${key}`);
  };
  const detections = read('max_detections');
  if (read('use_regular_nms', 0) !== 0) unsupported('the regular form, class by class');
  if (read('max_classes_per_detection') !== 1) unsupported('several classes for each detection');
  if (!(detections >= 1 && detections <= MAX_DETECTIONS)) unsupported(`${detections} detections`);
  return {
    detections,
    classes: read('num_classes'),
    scoreThreshold: read('nms_score_threshold'),
    overlapThreshold: read('nms_iou_threshold'),
    scale: { y: read('y_scale'), x: read('x_scale'), h: read('h_scale'), w: read('w_scale') },
  };
}

interface Box {
  readonly y: TensorId;
  readonly x: TensorId;
  readonly h: TensorId;
  readonly w: TensorId;
}

/** Encodings [N, 4] as four vectors. */
function encodings(v: Vectors, count: number, width: number): Box {
  const { node } = v;
  const boxes = node.builder.tensor(node.reshape(v.real(node.input(0).id), [count, width]));
  const columns = node.reshape(node.permute(boxes, [1, 0]), [1, 1, width, count]);
  const row = (i: number): TensorId =>
    node.emit({ kind: 'slice', axis: 2, start: i, inputs: [columns] }, { shape: [1, 1, 1, count] });
  return { y: row(0), x: row(1), h: row(2), w: row(3) };
}

interface Corners {
  readonly yMin: TensorId;
  readonly xMin: TensorId;
  readonly yMax: TensorId;
  readonly xMax: TensorId;
}

/** Centre and size relative to the anchor, as corners. */
function decoded(v: Vectors, box: Box, anchors: Float32Array, scale: Options['scale']): Corners {
  const column = (i: number, what: string): TensorId =>
    v.constant(
      Float32Array.from({ length: v.count }, (_, n) => anchors[4 * n + i] ?? 0),
      what,
    );
  const [aY, aX, aH, aW] = [column(0, 'y'), column(1, 'x'), column(2, 'h'), column(3, 'w')];
  const centre = (code: TensorId, by: number, size: TensorId, origin: TensorId): TensorId =>
    v.arithmetic('add', v.arithmetic('mul', v.binary('div', code, v.number(by)), size), origin);
  const half = (code: TensorId, by: number, size: TensorId): TensorId =>
    v.arithmetic('mul', v.arithmetic('mul', v.unary('exp', v.binary('div', code, v.number(by))), v.number(0.5)), size);
  const [y, x] = [centre(box.y, scale.y, aH, aY), centre(box.x, scale.x, aW, aX)];
  const [h, w] = [half(box.h, scale.h, aH), half(box.w, scale.w, aW)];
  return {
    yMin: v.arithmetic('sub', y, h),
    xMin: v.arithmetic('sub', x, w),
    yMax: v.arithmetic('add', y, h),
    xMax: v.arithmetic('add', x, w),
  };
}

/** Of each box, the best score without the background, and its class. */
function classesOf(v: Vectors, count: number, classes: number, wanted: number): { best: TensorId; which: TensorId } {
  const { node } = v;
  const all = node.reshape(v.real(node.input(1).id), [1, count, 1, classes]);
  const scores = wanted === classes ? all : v.slice(all, classes - wanted, wanted);
  const best = node.reshape(v.reduce('max', scores), [1, 1, 1, count]);
  const which = node.reshape(v.real(v.reduce('argMax', scores)), [1, 1, 1, count]);
  return { best, which };
}

interface Detection {
  readonly row: TensorId; // yMin, xMin, yMax, xMax, class; zeros where there is none
  readonly score: TensorId;
  readonly isFound: TensorId; // 1 or 0
}

function suppressed(v: Vectors, box: Corners, which: TensorId, best: TensorId, options: Options): Detection[] {
  const threshold = v.number(Math.max(options.scoreThreshold, LEAST_SCORE));
  const overlap = v.number(options.overlapThreshold);
  const places = v.constant(
    Float32Array.from({ length: v.count }, (_, n) => n),
    'places',
  );
  const area = v.arithmetic('mul', v.arithmetic('sub', box.yMax, box.yMin), v.arithmetic('sub', box.xMax, box.xMin));
  const table = v.concat(2, [box.yMin, box.xMin, box.yMax, box.xMax, which, area]);
  let scores = v.arithmetic('mul', best, v.binary('greaterOrEqual', best, threshold));
  return Array.from({ length: options.detections }, (_, i): Detection => {
    const place = v.real(v.reduce('argMax', scores));
    const isBest = v.binary('equal', places, place);
    const taken = v.node.emit({ kind: 'matmul', transposeB: true, inputs: [isBest, table] });
    const score = v.reduce('max', scores);
    const isFound = v.binary('greaterOrEqual', score, threshold);
    const detection = {
      row: v.arithmetic('mul', v.slice(taken, 0, 5), isFound),
      score: v.arithmetic('mul', score, isFound),
      isFound,
    };
    if (i + 1 < options.detections) scores = v.arithmetic('mul', scores, staysIn(v, box, area, taken, overlap));
    return detection;
  });
}

/** 1 for boxes whose overlap with the taken one is small: intersection over union. */
function staysIn(v: Vectors, box: Corners, area: TensorId, taken: TensorId, overlap: TensorId): TensorId {
  const extent = (min: TensorId, max: TensorId, from: number, to: number): TensorId =>
    v.atLeastZero(
      v.arithmetic('sub', v.binary('min', max, v.slice(taken, to, 1)), v.binary('max', min, v.slice(taken, from, 1))),
    );
  const common = v.arithmetic('mul', extent(box.yMin, box.yMax, 0, 2), extent(box.xMin, box.xMax, 1, 3));
  const both = v.arithmetic('sub', v.arithmetic('add', area, v.slice(taken, 5, 1)), common);
  return v.binary('lessOrEqual', v.binary('div', common, both), overlap);
}

/** Boxes [1, K, 4], classes [1, K], scores [1, K], and their number [1]. */
function results(v: Vectors, found: readonly Detection[]): ReturnType<Importer> {
  const { node } = v;
  const count = found.length;
  const rows = v.concat(
    1,
    found.map(({ row }) => row),
  );
  const scores = v.concat(
    3,
    found.map(({ score }) => score),
  );
  const flags = v.concat(
    3,
    found.map(({ isFound }) => isFound),
  );
  const boxes = node.reshape(v.slice(rows, 0, 4), [1, count, 4]);
  const classes = node.reshape(v.slice(rows, 4, 1), [1, count]);
  return [boxes, classes, node.reshape(scores, [1, count]), node.reshape(v.reduce('sum', flags), [1])].map(activation);
}
