import { floatsAttribute, intAttribute, intsAttribute, stringAttribute } from './attributes.js';
import { type Const, shapeText } from './constant.js';
import { malformed, unsupported } from './problems.js';
import { integerList } from './shape-arguments.js';
import {
  constantOperand,
  emitImage,
  imageOf,
  moved,
  type NodeContext,
  relabelled,
  type Value,
  viewOf,
} from './value.js';
import { dimsOf } from './view.js';

/** Resize and Upsample of rows and columns by whole factors, where the form asked for repeats each pixel. */
export function importResize(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const view = viewOf(ctx, 0);
  const dims = dimsOf(view);
  const mode = stringAttribute(node, 'mode', 'nearest');
  if (mode !== 'nearest') unsupported(`mode '${mode}'`);
  if (intsAttribute(node, 'axes') !== undefined) unsupported('axes');
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') unsupported(`keep_aspect_ratio_policy '${policy}'`);
  const { outDims, scales } = targetOf(ctx, dims);
  if (outDims.every((size, axis) => size === dims[axis])) return [relabelled(ctx, 0, view)];
  if (dims.length !== 4 || outDims[0] !== dims[0] || outDims[1] !== dims[1]) {
    unsupported(`${shapeText(dims)} to ${shapeText(outDims)}`);
  }
  const factors = [2, 3].map((axis) => repeatFactor(ctx, dims[axis] ?? 1, outDims[axis] ?? 1, scales[axis] ?? 1));
  const image = imageOf(ctx, view);
  const scale = [factors[0] ?? 1, factors[1] ?? 1] as const;
  const spec = { kind: 'upsample' as const, inputs: [image.tensor], scale };
  return [moved(ctx, 0, emitImage(ctx, spec, image.height * scale[0], image.width * scale[1], image.channels))];
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
 * The whole factor by which every pixel is repeated. The forms of Resize differ in how they round; rather than
 * reason about each, the mapping asked for is computed for every output position and compared with floor(i / factor).
 */
function repeatFactor(ctx: NodeContext, size: number, outSize: number, scale: number): number {
  const factor = outSize / size;
  if (!Number.isInteger(factor)) unsupported(`${size} to ${outSize}, which is no whole factor`);
  const { node, opset } = ctx;
  const simple = node.operator === 'Upsample' || opset < 11; // asymmetric and floor, the only form there was
  const transform = simple ? 'asymmetric' : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const rounding = simple ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
  const legacyNames = intAttribute(node, 'align_corners', 0);
  if (legacyNames !== 0) unsupported('align_corners');
  for (let i = 0; i < outSize; i++) {
    const source = nearest(rounding, original(transform, i, scale, size, outSize));
    if (Math.min(Math.max(source, 0), size - 1) !== Math.floor(i / factor)) {
      unsupported(`${transform} with ${rounding} by ${factor}, which does not repeat each pixel alike`);
    }
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
