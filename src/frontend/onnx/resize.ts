import type { ResizeCoordinates } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { floatsAttribute, intAttribute, intsAttribute, stringAttribute } from './attributes.js';
import { type Const, shapeText } from './constant.js';
import { malformed } from './problems.js';
import { integerList } from './shape-arguments.js';
import {
  computed,
  constantOperand,
  emitImage,
  imageOf,
  moved,
  type NodeContext,
  relabelled,
  type Value,
  viewOf,
  withColumn,
  withoutColumn,
} from './value.js';
import { dimsOf } from './view.js';

/** Resize and Upsample of rows and columns: repeated pixels, nearest neighbours, or bilinear. */
export function importResize(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const mode = stringAttribute(node, 'mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear' && mode !== 'bilinear') unsupported(`mode '${mode}'`);
  if (intsAttribute(node, 'axes') !== undefined) unsupported('axes');
  if (intAttribute(node, 'antialias', 0) !== 0) unsupported('antialias');
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') unsupported(`keep_aspect_ratio_policy '${policy}'`);
  const { outDims, scales } = targetOf(ctx, dims);
  if (outDims.every((size, axis) => size === dims[axis])) return [relabelled(ctx, 0, view)];
  const isFlat = dims.length === 3;
  const rank = dims.length;
  if ((rank !== 4 && !isFlat) || outDims[0] !== dims[0] || outDims[1] !== dims[1]) {
    unsupported(`${shapeText(dims)} to ${shapeText(outDims)}`);
  }
  const axes = isFlat ? [2] : [2, 3];
  const sizes = axes.map((axis) => ({ from: dims[axis] ?? 1, to: outDims[axis] ?? 1, scale: scales[axis] ?? 1 }));
  const [rows = UNSCALED, columns = UNSCALED] = sizes;
  const factors = mode === 'nearest' ? repeats(ctx, [rows, columns]) : undefined;
  if (factors !== undefined) {
    const image = imageOf(ctx, isFlat ? withColumn(view) : view);
    const scale = [factors[0] ?? 1, factors[1] ?? 1] as const;
    const spec = { kind: 'upsample' as const, inputs: [image.tensor], scale };
    const result = emitImage(ctx, spec, image.height * scale[0], image.width * scale[1], image.channels);
    return [moved(ctx, 0, isFlat ? withoutColumn(result) : result)];
  }
  const coordinates = mode === 'nearest' ? nearestForm(ctx, [rows, columns]) : linearForm(ctx, [rows, columns]);
  const operand = mode === 'nearest' ? view : ctx.floatView(0);
  const image = imageOf(ctx, isFlat ? withColumn(operand) : operand);
  const kind = mode === 'nearest' ? ('nearest' as const) : ('bilinear' as const);
  const spec = {
    kind: 'resize' as const,
    inputs: [image.tensor],
    mode: kind,
    size: [rows.to, columns.to] as const,
    coordinates,
  };
  const result = emitImage(ctx, spec, rows.to, columns.to, image.channels);
  const shaped = isFlat ? withoutColumn(result) : result;
  return [mode === 'nearest' ? moved(ctx, 0, shaped) : computed(shaped)];
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
function nearestForm(ctx: NodeContext, axes: readonly AxisSizes[]): ResizeCoordinates {
  const forms: readonly ResizeCoordinates[] = ['asymmetric', 'halfPixel', 'alignCorners'];
  const largest = Math.max(...axes.map(({ to }) => to));
  if (largest > MAX_POSITIONS) unsupported(`a size of ${largest}`);
  const { transform, rounding } = nearestRule(ctx);
  const found = forms.find((form) =>
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
  return (
    found ??
    unsupported(`${transform} with ${rounding} from ${axes.map(({ from, to }) => `${from} to ${to}`).join(', ')}`)
  );
}

function linearForm(ctx: NodeContext, axes: readonly AxisSizes[]): ResizeCoordinates {
  const isOld = ctx.node.operator === 'Upsample' || ctx.opset < 11;
  const transform = isOld
    ? intAttribute(ctx.node, 'align_corners', 0) !== 0
      ? 'align_corners'
      : 'asymmetric'
    : stringAttribute(ctx.node, 'coordinate_transformation_mode', 'half_pixel');
  if (axes.some(({ from, to, scale }) => Math.abs(from * scale - to) > 1e-3 * to))
    unsupported('a scale that leaves a fraction');
  if (transform === 'half_pixel' || transform === 'half_pixel_symmetric') return 'halfPixel';
  if (transform === 'pytorch_half_pixel' && axes.every(({ to }) => to > 1)) return 'halfPixel';
  if (transform === 'asymmetric') return 'asymmetric';
  if (transform === 'align_corners') return 'alignCorners';
  return unsupported(`coordinate_transformation_mode '${transform}'`);
}

function nearestRule({ node, opset }: NodeContext): { readonly transform: string; readonly rounding: string } {
  const simple = node.operator === 'Upsample' || opset < 11; // asymmetric and floor, the only form there was
  if (simple && intAttribute(node, 'align_corners', 0) !== 0) unsupported('align_corners');
  return {
    transform: simple ? 'asymmetric' : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel'),
    rounding: simple ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor'),
  };
}

interface Target {
  readonly outDims: readonly number[];
  readonly scales: readonly number[];
}

/** Operands are (x, roi, scales, sizes) since opset 11, (x, scales) before; older still, an attribute. */
function targetOf(ctx: NodeContext, dims: readonly number[]): Target {
  const { node, opset } = ctx;
  const given = opset >= 11 && node.operator === 'Resize' ? optional(ctx, 2) : optional(ctx, 1);
  const sizes = integerList(node, opset >= 11 ? optional(ctx, 3) : undefined, 'sizes');
  const scales = given === undefined ? floatsAttribute(node, 'scales') : Array.from(given.elements());
  if (sizes !== undefined && sizes.length === dims.length && sizes.every((size) => size >= 1)) {
    return { outDims: sizes, scales: sizes.map((size, axis) => size / (dims[axis] ?? 1)) };
  }
  if (scales === undefined || scales.length !== dims.length || scales.some((scale) => !(scale > 0 && scale <= 4096))) {
    malformed('SW2007', node.loc, `${node.operator} of ${shapeText(dims)} by ${shapeText(scales ?? sizes ?? [])}`);
  }
  return { outDims: dims.map((dim, axis) => Math.floor(dim * (scales[axis] ?? 1))), scales };
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

function original(transform: string, position: number, scale: number, size: number, outSize: number): number {
  switch (transform) {
    case 'asymmetric':
      return position / scale;
    case 'half_pixel':
    case 'half_pixel_symmetric': // equal for whole factors
      return (position + 0.5) / scale - 0.5;
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

function nearest(rounding: string, position: number): number {
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
