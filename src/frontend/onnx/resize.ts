import type { ResizeCoordinates } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { floatsAttribute, intAttribute, intsAttribute, normaliseAxis, stringAttribute } from './attributes.js';
import { type Const, shapeText } from './constant.js';
import { malformed } from './problems.js';
import { nearest, original, type Roi, resizedByMatrices, resizeTransform, type Target } from './resize-matrix.js';
import { integerList } from './shape-arguments.js';
import {
  computed,
  constantOperand,
  emitImage,
  imageOf,
  moved,
  type NodeContext,
  relabelled,
  reshapeView,
  type Value,
  viewOf,
  withColumn,
  withoutColumn,
} from './value.js';
import { dimsOf, type View } from './view.js';

const MODES: ReadonlySet<string> = new Set(['nearest', 'linear', 'bilinear', 'cubic']);

/** Resize and Upsample: repeated pixels, nearest neighbours, bilinear images; all else as products with matrices. */
export function importResize(ctx: NodeContext): Value[] {
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const mode = stringAttribute(ctx.node, 'mode', 'nearest');
  if (!MODES.has(mode)) unsupported(`mode '${mode}'`);
  const target = targetOf(ctx, dims);
  const { outDims } = target;
  const isCropped = resizeTransform(ctx) === 'tf_crop_and_resize';
  if (!isCropped && outDims.every((size, axis) => size === dims[axis])) return [relabelled(ctx, 0, view)];
  return [asImage(ctx, view, target) ?? resizedByMatrices(ctx, dims, target)];
}

/** As an operator on an image of rows and columns; undefined where there is none. */
function asImage(ctx: NodeContext, view: View, { outDims, scales }: Target): Value | undefined {
  const dims = dimsOf(view);
  const [batch = 1, channels = 1] = dims;
  const mode = stringAttribute(ctx.node, 'mode', 'nearest');
  const isFlat = dims.length === 3;
  if (mode === 'cubic' || intAttribute(ctx.node, 'antialias', 0) !== 0) return undefined;
  if ((dims.length !== 4 && !isFlat) || outDims[0] !== batch || outDims[1] !== channels) return undefined;
  // What happens to rows and columns is the same for every channel of every image.
  const whole = batch === 1 ? view : reshapeView(ctx, view, [1, batch * channels, ...dims.slice(2)]);
  const axes = isFlat ? [2] : [2, 3];
  const sizes = axes.map((axis) => ({ from: dims[axis] ?? 1, to: outDims[axis] ?? 1, scale: scales[axis] ?? 1 }));
  const [rows = UNSCALED, columns = UNSCALED] = sizes;
  const shaped = (result: View): View => {
    const flat = isFlat ? withoutColumn(result) : result;
    return batch === 1 ? flat : reshapeView(ctx, flat, outDims);
  };
  const factors = mode === 'nearest' ? repeats(ctx, [rows, columns]) : undefined;
  if (factors !== undefined) {
    const image = imageOf(ctx, isFlat ? withColumn(whole) : whole);
    const scale = [factors[0] ?? 1, factors[1] ?? 1] as const;
    const spec = { kind: 'upsample' as const, inputs: [image.tensor], scale };
    const result = emitImage(ctx, spec, image.height * scale[0], image.width * scale[1], image.channels);
    return moved(ctx, 0, shaped(result));
  }
  const coordinates = mode === 'nearest' ? nearestForm(ctx, [rows, columns]) : linearForm(ctx, [rows, columns]);
  if (coordinates === undefined) return undefined;
  const isNearest = mode === 'nearest';
  const operand = isNearest || batch > 1 ? whole : ctx.floatView(0);
  if (!isNearest && batch > 1 && ctx.builder.typeOf(whole.tensor).dtype !== 'float32') return undefined;
  const image = imageOf(ctx, isFlat ? withColumn(operand) : operand);
  const kind = isNearest ? ('nearest' as const) : ('bilinear' as const);
  const spec = {
    kind: 'resize' as const,
    inputs: [image.tensor],
    mode: kind,
    size: [rows.to, columns.to] as const,
    coordinates,
  };
  const result = shaped(emitImage(ctx, spec, rows.to, columns.to, image.channels));
  return isNearest ? moved(ctx, 0, result) : computed(result);
}

/** Above any image, few enough to look at each. */
const MAX_POSITIONS = 2 ** 17;

interface AxisSizes {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

const UNSCALED: AxisSizes = { from: 1, to: 1, scale: 1 };

/** Whole factors by which every pixel is repeated, if that is what is asked for. */
function repeats(ctx: NodeContext, axes: readonly AxisSizes[]): number[] | undefined {
  const factors = axes.map(({ from, to, scale }) => repeatFactor(ctx, from, to, scale));
  return factors.every((factor) => factor !== undefined) ? factors : undefined;
}

/** Our form of nearest neighbours that takes the same elements; every output position is compared. */
function nearestForm(ctx: NodeContext, axes: readonly AxisSizes[]): ResizeCoordinates | undefined {
  const forms: readonly ResizeCoordinates[] = ['asymmetric', 'halfPixel', 'alignCorners'];
  const largest = Math.max(...axes.map(({ to }) => to));
  if (largest > MAX_POSITIONS) unsupported(`a size of ${largest}`);
  const { transform, rounding } = nearestRule(ctx);
  return forms.find((form) =>
    axes.every(({ from, to, scale }) => {
      const isAligned = form === 'alignCorners' && to > 1;
      const ratio = Math.fround(isAligned ? (from - 1) / (to - 1) : from / to);
      for (let o = 0; o < to; o++) {
        const position = Math.fround((form === 'halfPixel' ? o + 0.5 : o) * ratio);
        const own = Math.min(from - 1, Math.floor(form === 'alignCorners' ? position + 0.5 : position));
        const source = nearest(rounding, original(transform, o, scale, from, to));
        if (own !== Math.min(Math.max(source, 0), from - 1)) return false;
      }
      return true;
    }),
  );
}

function linearForm(ctx: NodeContext, axes: readonly AxisSizes[]): ResizeCoordinates | undefined {
  const transform = resizeTransform(ctx);
  if (axes.some(({ from, to, scale }) => Math.abs(from * scale - to) > 1e-3 * to)) return undefined;
  if (transform === 'half_pixel' || transform === 'half_pixel_symmetric') return 'halfPixel';
  if (transform === 'pytorch_half_pixel' && axes.every(({ to }) => to > 1)) return 'halfPixel';
  if (transform === 'asymmetric') return 'asymmetric';
  return transform === 'align_corners' ? 'alignCorners' : undefined;
}

function nearestRule(ctx: NodeContext): { readonly transform: string; readonly rounding: string } {
  const transform = resizeTransform(ctx);
  const isOld = ctx.node.operator === 'Upsample' || ctx.opset < 11; // floor, the only form there was
  return { transform, rounding: isOld ? 'floor' : stringAttribute(ctx.node, 'nearest_mode', 'round_prefer_floor') };
}

/** Operands are (x, roi, scales, sizes) since opset 11, (x, scales) before; older still, an attribute. */
function targetOf(ctx: NodeContext, dims: readonly number[]): Target {
  const { node, opset } = ctx;
  const given = opset >= 11 && node.operator === 'Resize' ? optional(ctx, 2) : optional(ctx, 1);
  const sizes = integerList(node, opset >= 11 ? optional(ctx, 3) : undefined, 'sizes');
  const scales = given === undefined ? floatsAttribute(node, 'scales') : Array.from(given.elements());
  const axes = (intsAttribute(node, 'axes') ?? dims.map((_, axis) => axis)).map((axis) =>
    normaliseAxis(node, axis, dims.length),
  );
  const roi = roiOf(ctx, dims.length, axes);
  const fits = (list: readonly number[] | undefined): list is readonly number[] => list?.length === axes.length;
  if (fits(sizes) && sizes.every((size) => size >= 1)) {
    const outDims = [...dims];
    axes.forEach((axis, i) => {
      outDims[axis] = sizes[i] ?? 1;
    });
    const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
    const aspect = policy === 'stretch' ? undefined : keepAspect(policy, dims, outDims, axes);
    return { outDims, scales: outDims.map((size, axis) => aspect?.[axis] ?? size / (dims[axis] ?? 1)), roi };
  }
  if (!fits(scales) || scales.some((scale) => !(scale > 0 && scale <= 4096))) {
    malformed('SW2007', node.loc, `${node.operator} of ${shapeText(dims)} by ${shapeText(scales ?? sizes ?? [])}`);
  }
  const all = dims.map((_, axis) => scales[axes.indexOf(axis)] ?? 1);
  return { outDims: dims.map((dim, axis) => Math.floor(dim * (all[axis] ?? 1))), scales: all, roi };
}

/** One scale for all axes, the smallest, or the largest, of those that the sizes ask for; `outDims` are changed to it. */
function keepAspect(policy: string, dims: readonly number[], outDims: number[], axes: readonly number[]): number[] {
  if (policy !== 'not_larger' && policy !== 'not_smaller') unsupported(`keep_aspect_ratio_policy '${policy}'`);
  const scales = axes.map((axis) => (outDims[axis] ?? 1) / (dims[axis] ?? 1));
  const scale = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales);
  for (const axis of axes) outDims[axis] = Math.floor(scale * (dims[axis] ?? 1) + 0.5);
  return dims.map((_, axis) => (axes.includes(axis) ? scale : 1));
}

/** The part of each axis that tf_crop_and_resize takes: starts of all axes, then ends, as shares of them. */
function roiOf(ctx: NodeContext, rank: number, axes: readonly number[]): Roi | undefined {
  if (resizeTransform(ctx) !== 'tf_crop_and_resize') return undefined;
  const given = Array.from(optional(ctx, 1)?.elements() ?? []);
  if (given.length !== 2 * axes.length) malformed('SW2007', ctx.node.loc, `Resize: roi of ${given.length} numbers`);
  const all = Array.from({ length: rank }, (_, axis) => axes.indexOf(axis));
  return {
    start: all.map((i) => (i < 0 ? 0 : (given[i] ?? 0))),
    end: all.map((i) => (i < 0 ? 1 : (given[axes.length + i] ?? 1))),
  };
}

/** An operand of no elements stands for one that is absent. */
function optional(ctx: NodeContext, position: number): Const | undefined {
  const operand = constantOperand(ctx, position);
  return operand === undefined || operand.elementCount === 0 ? undefined : operand;
}

/**
 * The whole factor by which every pixel is repeated; undefined if it is not. The forms of Resize differ in how they round;
 * rather than reason about each, the mapping asked for is computed for every output position and compared with floor(i / factor).
 */
function repeatFactor(ctx: NodeContext, size: number, outSize: number, scale: number): number | undefined {
  const factor = outSize / size;
  if (!Number.isInteger(factor)) return undefined;
  if (outSize > MAX_POSITIONS) unsupported(`a size of ${outSize}`);
  const { transform, rounding } = nearestRule(ctx);
  for (let i = 0; i < outSize; i++) {
    const source = nearest(rounding, original(transform, i, scale, size, outSize));
    if (Math.min(Math.max(source, 0), size - 1) !== Math.floor(i / factor)) return undefined;
  }
  return factor;
}
