/** Operators that move stored values: shapes, padding, concatenation, slices, resizing. */
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import { DTYPE_BYTES, type Quantization, type ResizeOp, type Tensor, type TensorId } from '../../ir/types.js';
import { sameQuantization } from '../../ir/verify-numbers.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { reshapedComplex } from './complex.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { asOrdered, lookUpInto } from './look-up.js';
import { roundHalfAway, scaleOf } from './numbers.js';
import { isIdentity } from './permutation.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';

const RESHAPE = { newShape: 0 } as const;
const SQUEEZE = { axes: 0 } as const;
const CONCATENATION = { axis: 0, activation: 1 } as const;
const RESIZE_BILINEAR = { alignCorners: 2, halfPixel: 3 } as const;
const RESIZE_NEAREST = { alignCorners: 0, halfPixel: 1 } as const;

/** An operand of either kind under another shape. */
function reshaped(node: NodeContext, shape: readonly number[]): Value {
  const operand = node.operand(0);
  const count = elementCountOf(node.shape(0));
  if (elementCountOf(shape) !== count) {
    malformed('SW2107', node.loc, `[${node.shape(0).join(', ')}] cannot become [${shape.join(', ')}]`);
  }
  if (operand.kind === 'constant') return { kind: 'constant', constant: { ...operand.constant, shape } };
  if (operand.isComplex === true) return reshapedComplex(node, shape);
  const { tensor, perm } = node.ordered(0);
  if (perm !== undefined && nonUnit(shape).join() === nonUnit(node.shape(0)).join()) {
    return withOtherUnits(node, tensor, perm, shape);
  }
  return activation(node.reshape(node.input(0).id, shape));
}

const nonUnit = (shape: readonly number[]): number[] => shape.filter((extent) => extent !== 1);

/** Axes of extent 1 come and go without moving anything: they stand first in the tensor, in whatever order it is seen. */
function withOtherUnits(node: NodeContext, x: Tensor, perm: readonly number[], shape: readonly number[]): Value {
  const moving = perm.filter((axis) => x.shape[axis] !== 1);
  const stored = [...moving].sort((a, b) => a - b);
  const units = shape.length - moving.length;
  const id = node.reshape(x.id, [...new Array<number>(units).fill(1), ...stored.map((axis) => x.shape[axis] ?? 1)]);
  let nextUnit = 0;
  let next = 0;
  const order = shape.map((extent) => (extent === 1 ? nextUnit++ : units + stored.indexOf(moving[next++] ?? 0)));
  return asOrdered(id, isIdentity(order) ? undefined : order);
}

export const reshape: Importer = (node) => {
  const wanted = node.has(1) ? node.integers(1, 'shapes') : (node.node.options?.int32s(RESHAPE.newShape) ?? []);
  const known = wanted.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  const count = elementCountOf(node.shape(0));
  const shape = wanted.map((extent) => (extent === -1 ? count / known : extent));
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    malformed('SW2107', node.loc, `[${node.shape(0).join(', ')}] cannot become [${wanted.join(', ')}]`);
  }
  return [reshaped(node, shape)];
};

export const squeeze: Importer = (node) => {
  const shape = node.shape(0);
  const axes = (node.node.options?.int32s(SQUEEZE.axes) ?? []).map((axis) => (axis < 0 ? axis + shape.length : axis));
  const isDropped = (axis: number): boolean => (axes.length === 0 ? shape[axis] === 1 : axes.includes(axis));
  return [
    reshaped(
      node,
      shape.filter((_, axis) => !isDropped(axis)),
    ),
  ];
};

export const expandDims: Importer = (node) => {
  const shape = node.shape(0);
  const [axis = 0] = node.integers(1, 'axes');
  return [reshaped(node, shape.toSpliced(axis < 0 ? axis + shape.length + 1 : axis, 0, 1))];
};

/** PAD and PADV2: before and after each axis, with zero or a given value. */
export const pad: Importer = (node) => {
  const { tensor: x, perm } = node.ordered(0);
  const pairs = node.integers(1, 'paddings');
  const around = x.shape.map((_, stored) => {
    const axis = perm === undefined ? stored : perm.indexOf(stored);
    return [pairs[2 * axis] ?? 0, pairs[2 * axis + 1] ?? 0] as const;
  });
  const value = node.has(2) ? Number(node.constant(2, 'values').elements()[0] ?? 0) : (x.quant?.zeroPoint ?? 0);
  if (around.every(([before, after]) => before === 0 && after === 0)) return [asOrdered(x.id, perm)];
  const lead = Math.max(0, 4 - x.shape.length);
  const [batch = [0, 0], ...rest] = [...Array.from({ length: lead }, () => [0, 0] as const), ...around];
  if (rest.length !== 3 || batch.some((count) => count !== 0)) {
    return unsupported(`of ${pairs.join(', ')} around [${x.shape.join(', ')}]`);
  }
  const [rows = [0, 0], columns = [0, 0], channels = [0, 0]] = rest;
  const image = node.reshape(x.id, [...new Array<number>(lead).fill(1), ...x.shape]);
  const id = node.emit({
    kind: 'pad',
    before: [rows[0], columns[0], channels[0]],
    after: [rows[1], columns[1], channels[1]],
    value,
    inputs: [image],
  });
  const shape = x.shape.map((extent, axis) => extent + (around[axis]?.[0] ?? 0) + (around[axis]?.[1] ?? 0));
  return [asOrdered(node.reshape(id, shape), perm)];
};

export const concatenation: Importer = (node) => {
  const ordered = node.operands.map((_, position) => node.ordered(position));
  const [first] = ordered;
  if (first === undefined) return malformed('SW2103', node.loc, 'CONCATENATION has no operands');
  const isOneOrder = ordered.every(({ perm }) => perm?.join() === first.perm?.join());
  const perm = isOneOrder ? first.perm : undefined;
  const parts = ordered.map(({ tensor }, position) => (isOneOrder ? tensor : node.input(position)));
  const given = node.options.int32(CONCATENATION.axis);
  const axis = given < 0 ? given + first.tensor.shape.length : given;
  const quant = isQuantized(first.tensor.dtype) ? node.resultQuant() : undefined;
  const inputs = parts.map((part) => (quant === undefined ? part.id : inQuantization(node, part, quant)));
  const id = node.emit({ kind: 'concat', axis: perm?.[axis] ?? axis, inputs });
  return [asOrdered(withFused(node, id, node.activationOption(CONCATENATION.activation)), perm)];
};

/** Concatenation of uint8 rescales in float32, which is a table. int8 kernels do not rescale. */
function inQuantization(node: NodeContext, x: Tensor, quant: Quantization): TensorId {
  if (sameQuantization(x.quant, quant) || x.quant === undefined) return x.id;
  if (x.dtype !== 'uint8') return unsupported('operands of several quantisations');
  const scale = Math.fround(scaleOf(x.quant) * Math.fround(1 / scaleOf(quant)));
  const bias = Math.fround(-x.quant.zeroPoint * scale);
  return lookUpInto(
    node,
    x,
    quant,
    (stored) => roundHalfAway(Math.fround(Math.fround(stored * scale) + bias)) + quant.zeroPoint,
  );
}

export const resize =
  (mode: ResizeOp['mode']): Importer =>
  (node) => {
    const x = node.input(0);
    const [height = 0, width = 0] = node.integers(1, 'sizes');
    const fields = mode === 'bilinear' ? RESIZE_BILINEAR : RESIZE_NEAREST;
    const { options } = node;
    const halfPixel = options.bool(fields.halfPixel);
    const coordinates = options.bool(fields.alignCorners) ? 'alignCorners' : halfPixel ? 'halfPixel' : 'asymmetric';
    const resized = (id: TensorId): TensorId =>
      node.emit({ kind: 'resize', mode, size: [height, width], coordinates, inputs: [id] });
    const parts = channelParts(x).map(({ start, size }) => resized(sliced(node, x.id, 3, start, size)));
    const [only = x.id] = parts;
    return [activation(parts.length === 1 ? only : node.emit({ kind: 'concat', axis: 3, inputs: parts }))];
  };

/** A resize has all of its operand in SRAM; channels are independent of each other. */
const RESIZED_AT_ONCE_BYTES = 256 * 1024;

function channelParts(x: Tensor): { readonly start: number; readonly size: number }[] {
  const channels = x.shape[3] ?? 1;
  const bytesOfOne = (elementCountOf(x.shape) / channels) * DTYPE_BYTES[x.dtype];
  const size = Math.min(channels, Math.max(1, Math.floor(RESIZED_AT_ONCE_BYTES / bytesOfOne)));
  const count = Math.ceil(channels / size);
  return Array.from({ length: count }, (_, i) => ({ start: i * size, size: Math.min(size, channels - i * size) }));
}
