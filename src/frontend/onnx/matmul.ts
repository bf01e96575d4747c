/** Products of two activations, and of a constant and an activation from the left. */

import type { SumRescale } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { emitBinary, scalar } from './arithmetic.js';
import { floatAttribute, intAttribute } from './attributes.js';
import { elementCountOf, shapeText } from './constant.js';
import { malformed } from './problems.js';
import { type QuantizedType, quantizationOf } from './quantization.js';
import { integerOperand, quantizedResult } from './quantize-linear.js';
import { bringTogether, expanded, type Part, partOf } from './together.js';
import { activation, computed, type NodeContext, outputName, type Value } from './value.js';
import { atomsInOrder, dimsOf, isStored, transposed, type View, viewInOrder } from './view.js';

const swapped = (view: View): View => {
  const rank = view.axes.length;
  return transposed(view, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
};

/** MatMul whose right operand is computed. */
export function importProduct(ctx: NodeContext): Value[] {
  const [a, b] = ctx.operands;
  const integer = integerProduct(ctx);
  if (integer !== undefined) return [integer];
  if (b?.kind === 'constant') {
    return [computed(product(ctx, activation(ctx, 0), constantView(ctx, 1)))];
  }
  if (a?.kind === 'constant') return [computed(product(ctx, constantView(ctx, 0), activation(ctx, 1)))];
  return [computed(product(ctx, activation(ctx, 0), activation(ctx, 1)))];
}

/** Two quantised activations of the type that the product is quantised to. */
function integerProduct(ctx: NodeContext): Value | undefined {
  const to = ctx.resultType();
  const [a, b] = [0, 1].map((position) =>
    ctx.operands[position]?.kind === 'activation' ? integerOperand(ctx, position) : undefined,
  );
  if (to === undefined || a?.type.dtype !== to.dtype || b?.type.dtype !== to.dtype) return undefined;
  const scale = Math.fround(Math.fround(a.type.scale * b.type.scale) / to.scale);
  const rescale = { multiplier: 0, shift: 0, scale };
  return quantizedResult(product(ctx, a.view, b.view, { rescale, to }), to);
}

/** A constant as a tensor of the graph. */
export function constantView(ctx: NodeContext, position: number): View {
  const part = partOf(ctx, position);
  if (part.kind === 'view') return part.view;
  const { dims } = part.constant;
  const { tensors, shape } = bringTogether(ctx, [part], [...dims]);
  const [tensor] = tensors;
  if (tensor === undefined || shape.length === 0) throw new Error('one operand has one tensor');
  return viewInOrder(
    tensor,
    dims,
    dims.map((_, axis) => axis),
  );
}

/** Gemm of two activations: alpha * a * b + beta * c. */
export function importActivationGemm(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const operand = (position: number): View =>
    ctx.operands[position]?.kind === 'constant' ? constantView(ctx, position) : activation(ctx, position);
  const a = intAttribute(node, 'transA', 0) === 0 ? operand(0) : swapped(operand(0));
  const b = intAttribute(node, 'transB', 0) === 0 ? operand(1) : swapped(operand(1));
  let result: Part = { kind: 'view', view: product(ctx, a, b) };
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  if (alpha !== 1) result = { kind: 'view', view: emitBinary(ctx, 'mul', result, scalar(alpha)) };
  if (ctx.operands[2] !== undefined && beta !== 0) {
    let addend = partOf(ctx, 2);
    if (beta !== 1) addend = { kind: 'view', view: emitBinary(ctx, 'mul', addend, scalar(beta)) };
    result = { kind: 'view', view: emitBinary(ctx, 'add', result, addend) };
  }
  return [computed(result.view)];
}

interface IntegerProduct {
  readonly rescale: SumRescale;
  readonly to: QuantizedType;
}

/** a [.., M, K] times b [.., K, N]; the axes before the last two repeat as in arithmetic. */
export function product(ctx: NodeContext, a: View, b: View, integer?: IntegerProduct): View {
  const isRow = a.axes.length === 1;
  const isColumn = b.axes.length === 1;
  if (isRow) return withoutAxis(product(ctx, { ...a, axes: [[], ...a.axes] }, b, integer), isColumn ? -1 : -2);
  if (isColumn) return withoutAxis(product(ctx, a, { ...b, axes: [...b.axes, []] }, integer), -1);
  const [dimsA, dimsB] = [dimsOf(a), dimsOf(b)];
  const [rows = 1, inner = 1] = dimsA.slice(-2);
  const [innerB = 1, columns = 1] = dimsB.slice(-2);
  if (inner !== innerB) {
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of ${shapeText(dimsA)} and ${shapeText(dimsB)}`);
  }
  const batch = batchDims(ctx, dimsA.slice(0, -2), dimsB.slice(0, -2));
  const count = elementCountOf(batch);
  const whole = (view: View, dims: readonly number[]): View => {
    const own = elementCountOf(dims.slice(0, -2));
    return own === count || own === 1 ? view : expanded(ctx, view, [...batch, ...dims.slice(-2)]);
  };
  const left = whole(
    elementCountOf(dimsA.slice(0, -2)) === count ? a : expanded(ctx, a, [...batch, rows, inner]),
    dimsA,
  );
  const right = whole(b, dimsB);
  // b as it lies, if its last two axes are innermost in either order.
  const rank = right.axes.length;
  const own = Array.from({ length: rank }, (_, axis) => axis);
  const flipped = [...own.slice(0, -2), rank - 1, rank - 2];
  const isFlipped = isStored(atomsInOrder(right, flipped)) && !isStored(atomsInOrder(right, own));
  const order = isFlipped ? flipped : own;
  const storedB = ctx.builder.materialise(right, atomsInOrder(right, order), ctx.origin);
  const batchB = elementCountOf(dimsOf(right)) / (inner * columns);
  const tail = isFlipped ? [columns, inner] : [inner, columns];
  const tensorB = ctx.builder.asShape(storedB.tensor, [1, batchB, ...tail], ctx.origin);
  const ownA = left.axes.map((_, axis) => axis);
  const storedA = ctx.builder.materialise(left, atomsInOrder(left, ownA), ctx.origin);
  const tensorA = ctx.builder.asShape(storedA.tensor, [1, count, rows, inner], ctx.origin);
  const plain = { kind: 'matmul' as const, inputs: [tensorA, tensorB], transposeB: isFlipped };
  const spec = integer === undefined ? plain : { ...plain, rescale: integer.rescale };
  const quant = integer === undefined ? undefined : quantizationOf(integer.to);
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, count, rows, columns], ctx.origin, quant);
  const dims = [...batch, rows, columns];
  return viewInOrder(
    tensor,
    dims,
    dims.map((_, axis) => axis),
  );
}

function batchDims(ctx: NodeContext, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) unsupported(`batches of ${shapeText(a)} and ${shapeText(b)}`);
    return Math.max(x, y);
  }).map((dim) => dim || malformed('SW2007', ctx.node.loc, 'an empty batch'));
}

function withoutAxis(view: View, at: -1 | -2): View {
  const kept = view.axes.filter((_, axis) => axis !== view.axes.length + at);
  return { ...view, axes: at === -1 && kept.length > 0 && (kept.at(-1)?.length ?? 0) === 0 ? kept : kept };
}
