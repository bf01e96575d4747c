/**
 * Resize in every form that no operator on images has: along each axis a product with the matrix of what each new position
 * takes of the old ones. Cubic, antialiased, fractions of pixels, any axis of a tensor of any rank.
 */
import { unsupported } from '../import-problems.js';
import { floatAttribute, intAttribute, stringAttribute } from './attributes.js';
import { alongLastAxis } from './compositions.js';
import { type Const, lazyConst } from './constant.js';
import { type NodeContext, settled, type Value } from './value.js';

export interface Target {
  readonly outDims: readonly number[];
  readonly scales: readonly number[];
  readonly roi: Roi | undefined;
}

export interface Roi {
  readonly start: readonly number[];
  readonly end: readonly number[];
}

/** A matrix is a layer's weights: larger ones than these are not meant. */
const MAX_MATRIX_ELEMENTS = 2 ** 22;

export function resizeTransform({ node, opset }: NodeContext): string {
  const isOld = node.operator === 'Upsample' || opset < 11;
  if (!isOld) return stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  return intAttribute(node, 'align_corners', 0) !== 0 ? 'align_corners' : 'asymmetric';
}

export function resizedByMatrices(ctx: NodeContext, dims: readonly number[], target: Target): Value {
  let value = settled(ctx, 0);
  for (const [axis, from] of dims.entries()) {
    const to = target.outDims[axis] ?? 1;
    const isCropped = target.roi !== undefined && (target.roi.start[axis] !== 0 || target.roi.end[axis] !== 1);
    if (to === from && !isCropped) continue;
    if (from * to > MAX_MATRIX_ELEMENTS) unsupported(`${from} to ${to} elements by a matrix`);
    const matrix = matrixOf(ctx, { axis, from, to, scale: target.scales[axis] ?? 1, roi: target.roi });
    value = alongLastAxis(ctx, value, axis, (rows) =>
      ctx.apply('MatMul', [rows, { kind: 'constant', constant: matrix }]),
    );
  }
  return value;
}

interface Axis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  readonly roi: Roi | undefined;
}

/** [from, to]: what each new position takes of each old one. */
function matrixOf(ctx: NodeContext, axis: Axis): Const {
  const { from, to } = axis;
  const taps = tapsOf(ctx, axis);
  return lazyConst('float32', [from, to], () => {
    const sums = new Float64Array(from * to);
    for (let o = 0; o < to; o++) {
      for (const [source, weight] of taps(o)) sums[source * to + o] = (sums[source * to + o] ?? 0) + weight;
    }
    return Float32Array.from(sums);
  });
}

type Taps = (position: number) => readonly (readonly [source: number, weight: number])[];

function tapsOf(ctx: NodeContext, { axis, from, to, scale, roi }: Axis): Taps {
  const { node } = ctx;
  const transform = resizeTransform(ctx);
  const mode = stringAttribute(node, 'mode', 'nearest');
  const place = (o: number): number => {
    if (transform !== 'tf_crop_and_resize') return original(transform, o, scale, from, to);
    const [start, end] = [roi?.start[axis] ?? 0, roi?.end[axis] ?? 1];
    if (to === 1) return 0.5 * (start + end) * (from - 1);
    return start * (from - 1) + (o * (end - start) * (from - 1)) / (to - 1);
  };
  const isOutside = (x: number): boolean => transform === 'tf_crop_and_resize' && (x < 0 || x > from - 1);
  if (transform === 'tf_crop_and_resize' && floatAttribute(node, 'extrapolation_value', 0) !== 0) {
    for (let o = 0; o < to; o++) if (isOutside(place(o))) unsupported('an extrapolation_value other than 0');
  }
  const limited = (x: number): number => Math.min(Math.max(x, 0), from - 1);
  const around = (x: number): ReturnType<Taps> => {
    const at = limited(x);
    const low = Math.floor(at);
    const share = at - low;
    return share === 0
      ? [[low, 1]]
      : [
          [low, 1 - share],
          [low + 1, share],
        ];
  };
  const kernel = mode === 'cubic' ? cubicKernel(floatAttribute(node, 'cubic_coeff_a', -0.75)) : triangle;
  const support = mode === 'cubic' ? 2 : 1;
  const excludes = intAttribute(node, 'exclude_outside', 0) !== 0;
  const inner = (o: number): ReturnType<Taps> => {
    const x = place(o);
    if (isOutside(x)) return [];
    if (mode === 'nearest') {
      const isOld = node.operator === 'Upsample' || ctx.opset < 11;
      const rounding = isOld ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
      return [[limited(nearest(rounding, x)), 1]];
    }
    if (intAttribute(node, 'antialias', 0) !== 0) return spread(x, Math.min(scale, 1));
    return mode === 'cubic' ? spread(x, 1) : around(x);
  };
  /** The kernel, stretched where pixels are lost; what falls outside counts for the last element, or not at all. */
  const spread = (x: number, shrink: number): ReturnType<Taps> => {
    const reach = support / shrink;
    const taps: [number, number][] = [];
    for (let i = Math.ceil(x - reach); i <= Math.floor(x + reach); i++) {
      const weight = kernel((i - x) * shrink);
      if (weight !== 0 && !(excludes && (i < 0 || i >= from))) taps.push([limited(i), weight]);
    }
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    return taps.map(([source, weight]) => [source, weight / total]);
  };
  inner(0); // a form that nobody knows is refused now
  return inner;
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Keys, Cubic convolution interpolation (1981). */
const cubicKernel =
  (a: number) =>
  (signed: number): number => {
    const x = Math.abs(signed);
    if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
    return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
  };

/** The position in the operand that a position of the result stands for. */
export function original(transform: string, position: number, scale: number, size: number, outSize: number): number {
  switch (transform) {
    case 'asymmetric':
      return position / scale;
    case 'half_pixel':
      return (position + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      const adjustment = outSize / (scale * size);
      return (size / 2) * (1 - adjustment) + (position + 0.5) / scale - 0.5;
    }
    case 'pytorch_half_pixel':
      return outSize > 1 ? (position + 0.5) / scale - 0.5 : 0;
    case 'tf_half_pixel_for_nn':
      return (position + 0.5) / scale;
    case 'align_corners':
      return outSize > 1 ? (position * (size - 1)) / (outSize - 1) : 0;
    default:
      return unsupported(`coordinate_transformation_mode '${transform}'`);
  }
}

export function nearest(rounding: string, position: number): number {
  switch (rounding) {
    case 'floor':
      return Math.floor(position);
    case 'ceil':
      return Math.ceil(position);
    case 'round_prefer_floor':
      return Math.ceil(position - 0.5);
    case 'round_prefer_ceil':
      return Math.floor(position + 0.5);
    default:
      return unsupported(`nearest_mode '${rounding}'`);
  }
}
