/** MaxPool that also says where its elements came from, and MaxUnpool, which puts them back. */
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute } from './attributes.js';
import { elementCountOf } from './constant.js';
import { type NodeContext, real, reals, settled, type Value, valueDims, wholes } from './value.js';
import { asKernel, placeWindow } from './window.js';

/** Taps of a window whose elements are compared one after the other. */
const MOST_TAPS = 64;
/** Positions are carried as real numbers. */
const MOST_PLACES = 2 ** 24;
const LEAST_FLOAT = -3.4028234663852886e38;

/** Every tap of the windows as an image of its own: the largest so far, and its position in the whole tensor. */
export function maxPoolWithIndices(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const x = settled(ctx, 0);
  const [images = 1, channels = 1, height = 1, width = 1] = valueDims(x);
  const kernel = asKernel(intsAttribute(node, 'kernel_shape') ?? []);
  const { window, outHeight, outWidth } = placeWindow(node, { height, width }, kernel, undefined);
  const [kernelRows, kernelColumns] = window.kernel;
  const isColumnMajor = intAttribute(node, 'storage_order', 0) !== 0;
  if (kernelRows * kernelColumns > MOST_TAPS) unsupported(`indices of ${kernelRows * kernelColumns} taps`);
  const { top, left, bottom, right } = window.pad;
  const pads = wholes([0, 0, top, left, 0, 0, bottom, right]);
  const framed = ctx.apply('Pad', [x, pads, real(LEAST_FLOAT)], { mode: 'constant' });
  if (elementCountOf([images, channels, height, width]) > MOST_PLACES) unsupported('indices beyond 2^24');
  const placeOf = (row: number, column: number): number =>
    isColumnMajor ? column * height + row : row * width + column;
  let best: Value | undefined;
  let where: Value = real(0); // of the tap that was the largest, from the first one
  for (let ky = 0; ky < kernelRows; ky++) {
    for (let kx = 0; kx < kernelColumns; kx++) {
      const [y0, x0] = [ky * window.dilation[0], kx * window.dilation[1]];
      const [y1, x1] = [y0 + (outHeight - 1) * window.stride[0] + 1, x0 + (outWidth - 1) * window.stride[1] + 1];
      const limits = [wholes([y0, x0]), wholes([y1, x1]), wholes([2, 3]), wholes([...window.stride])];
      const tap = ctx.apply('Slice', [framed, ...limits]);
      if (best === undefined) {
        best = tap;
        continue;
      }
      where = ctx.apply('Where', [ctx.apply('Greater', [tap, best]), real(placeOf(y0, x0)), where]);
      best = ctx.apply('Max', [best, tap]);
    }
  }
  if (best === undefined) return unsupported('an empty window');
  const first = Array.from({ length: outHeight * outWidth }, (_, i) =>
    placeOf(Math.floor(i / outWidth) * window.stride[0] - top, (i % outWidth) * window.stride[1] - left),
  );
  const inPlane = ctx.apply('Add', [where, reals(first, [1, 1, outHeight, outWidth])]);
  const position = ctx.apply('Add', [inPlane, planes(images, channels, height * width)]);
  return [best, position.kind === 'constant' ? position : ctx.apply('Cast', [position], { to: 7 })];
}

/** Where each plane of a tensor begins. */
const planes = (images: number, channels: number, size: number): Value =>
  reals(
    Array.from({ length: images * channels }, (_, i) => i * size),
    [images, channels, 1, 1],
  );

/** Windows that do not overlap: each element is spread over its window, and stays where its index says. */
export function importMaxUnpool(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const [values, indices] = [settled(ctx, 0), settled(ctx, 1)];
  const [images = 1, channels = 1, rows = 1, columns = 1] = valueDims(values);
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const strides = intsAttribute(node, 'strides') ?? kernel.map(() => 1);
  const pads = intsAttribute(node, 'pads') ?? [];
  if (valueDims(values).length !== 4 || kernel.length !== 2) unsupported(`of ${valueDims(values).length} dimensions`);
  if (strides.join() !== kernel.join() || pads.some((pad) => pad !== 0))
    unsupported('windows that overlap or are padded');
  const [strideRows = 1, strideColumns = 1] = strides;
  const [height, width] = [rows * strideRows, columns * strideColumns];
  const given = ctx.operands[2] === undefined ? undefined : settled(ctx, 2);
  if (given !== undefined && given.kind !== 'constant') unsupported('a computed output_shape');
  const shape = given?.kind === 'constant' ? [...given.constant.elements()].map(Number) : undefined;
  const [outHeight = height, outWidth = width] = shape?.slice(2) ?? [];
  // The standard's indices are then those of the larger tensor, and onnxruntime's are not.
  if (outHeight !== height || outWidth !== width) unsupported(`an output_shape of ${outHeight}x${outWidth}`);
  const spread = (value: Value): Value => {
    const apart = ctx.apply('Reshape', [value, wholes([images, channels, rows, 1, columns, 1])]);
    const wide = ctx.apply('Expand', [apart, wholes([images, channels, rows, strideRows, columns, strideColumns])]);
    return ctx.apply('Reshape', [wide, wholes([images, channels, height, width])]);
  };
  if (elementCountOf([images, channels, height, width]) > MOST_PLACES) unsupported('indices beyond 2^24');
  const inPlane = ctx.apply('Sub', [spread(indices), planes(images, channels, height * width)]);
  const places = reals(
    Array.from({ length: height * width }, (_, i) => i),
    [1, 1, height, width],
  );
  const isHere = ctx.apply('Equal', [inPlane, places]);
  return [ctx.apply('Where', [isHere, spread(values), real(0)])];
}
