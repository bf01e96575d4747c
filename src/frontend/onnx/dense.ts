import { unsupported } from '../import-problems.js';
import { type Affine, addLayerConstants, scaleRows } from './affine.js';
import { floatAttribute, intAttribute } from './attributes.js';
import type { ConstantElements } from './builder.js';
import { type Const, elementCountOf, type NumericArray, shapeText } from './constant.js';
import { emitConv, POINT_WINDOW } from './conv.js';
import { type IntegerLayer, integerLayer } from './integer-layer.js';
import { importActivationGemm, importProduct } from './matmul.js';
import { malformed } from './problems.js';
import { quantizationOf } from './quantization.js';
import { quantizedResult } from './quantize-linear.js';
import {
  activation,
  computed,
  constantOperand,
  emitImage,
  type NodeContext,
  outputName,
  paddedActivation,
  real,
  requiredConstant,
  type Value,
  viewOf,
} from './value.js';
import { dimsOf, type View } from './view.js';

interface Matrix {
  readonly constant: Const;
  readonly rows: number; // N, outputs
  readonly columns: number; // K, inputs
  readonly transposed: boolean; // stored [N, K]; otherwise [K, N]
  readonly factor: number;
}

/** Gemm with a constant matrix: y = alpha * x * B + beta * C. */
export function importGemm(ctx: NodeContext): Value[] {
  const isPlain = ctx.operands[1]?.kind === 'constant' && intAttribute(ctx.node, 'transA', 0) === 0;
  const addend = ctx.operands[2];
  if (!isPlain || addend?.kind === 'activation') return importActivationGemm(ctx);
  const { node } = ctx;
  const view = viewOf(ctx, 0);
  const b = requiredConstant(ctx, 1);
  const c = constantOperand(ctx, 2);
  if (intAttribute(node, 'transA', 0) !== 0) unsupported('transA');
  if (view.axes.length !== 2) malformed('SW2007', node.loc, `Gemm of a tensor of ${view.axes.length} dimension(s)`);
  const matrix = readMatrix(ctx, b, intAttribute(node, 'transB', 0) !== 0, floatAttribute(node, 'alpha', 1));
  const beta = floatAttribute(node, 'beta', 1);
  if (c !== undefined && c.elementCount !== 1 && !(c.elementCount === matrix.rows && c.dims.at(-1) === matrix.rows)) {
    const transB = intAttribute(node, 'transB', 0);
    const plain = ctx.apply('Gemm', ctx.operands.slice(0, 2), { transB, alpha: { real: matrix.factor } });
    const addend = ctx.apply('Mul', [ctx.operands[2], real(beta)]);
    return [ctx.apply('Add', [plain, addend])];
  }
  const bias = c === undefined || beta === 0 ? undefined : gemmBias(c, matrix.rows, beta);
  return [importMatrix(ctx, matrix, bias, c, beta)];
}

/** MatMul with a constant matrix on the right, for any number of leading axes. */
export function importMatMul(ctx: NodeContext): Value[] {
  const right = ctx.operands[1];
  if (right?.kind !== 'constant' || right.constant.dims.length !== 2) return importProduct(ctx);
  const matrix = readMatrix(ctx, requiredConstant(ctx, 1), false, 1);
  return [importMatrix(ctx, matrix, undefined, undefined, 0)];
}

function readMatrix(ctx: NodeContext, b: Const, transposed: boolean, factor: number): Matrix {
  const [first = 0, second = 0] = b.dims;
  if (b.dims.length !== 2) unsupported(`a matrix of shape ${shapeText(b.dims)}`);
  if (first * second === 0) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} with an empty matrix`);
  return transposed
    ? { constant: b, rows: first, columns: second, transposed, factor }
    : { constant: b, rows: second, columns: first, transposed, factor };
}

function gemmBias(c: Const, rows: number, beta: number): () => Float64Array {
  const repeated = c.elementCount === 1;
  return () => {
    const elements = c.elements();
    return Float64Array.from({ length: rows }, (_, i) => beta * (elements[repeated ? 0 : i] ?? 0));
  };
}

function importMatrix(
  ctx: NodeContext,
  matrix: Matrix,
  bias: (() => Float64Array) | undefined,
  addend: Const | undefined,
  beta: number,
): Value {
  const value = paddedActivation(ctx, 0);
  const stored = viewOf(ctx, 0);
  const inner = stored.axes.at(-1) ?? [];
  const integer = integerLayer(
    ctx,
    value,
    {
      constant: matrix.constant,
      axis: matrix.transposed ? 0 : 1,
      rows: matrix.rows,
      shape: integerShape(matrix, dimsOf(stored)),
      layOut: (elements) => layOutStored(matrix, columnOrder(stored, inner), elements),
    },
    addend,
    beta,
  );
  if (integer === undefined || matrix.factor !== 1) {
    return computed(emitMatrix(ctx, activation(ctx, 0), matrix, bias, undefined));
  }
  return quantizedResult(emitMatrix(ctx, stored, matrix, bias, integer), integer.to);
}

const integerShape = (matrix: Matrix, dims: readonly number[]): number[] =>
  elementCountOf(dims.slice(0, -1)) === 1 ? [matrix.rows, matrix.columns] : [matrix.rows, 1, 1, matrix.columns];

function emitMatrix(
  ctx: NodeContext,
  view: View,
  matrix: Matrix,
  bias: (() => Float64Array) | undefined,
  integer: IntegerLayer | undefined,
): View {
  const dims = dimsOf(view);
  const inner = view.axes.at(-1) ?? [];
  if (dims.at(-1) !== matrix.columns) {
    malformed(
      'SW2007',
      ctx.node.loc,
      `${ctx.node.operator} of ${shapeText(dims)} with a matrix of ${matrix.columns} row(s)`,
    );
  }
  const rowCount = elementCountOf(dims.slice(0, -1));
  const order = columnOrder(view, inner);
  const weights = (affine: Affine | undefined): ConstantElements => ({
    data: scaleRows(layOutMatrix(matrix, order), affine),
  });
  if (rowCount === 1) return emitDense(ctx, view, matrix, weights, bias, integer);
  // Several rows: a 1x1 convolution over them. The columns may stay in the order in which they are stored.
  const outer = view.atoms.map((_, atom) => atom).filter((atom) => !inner.includes(atom));
  const columns = [...inner].sort((a, b) => a - b);
  const stored = ctx.builder.materialise(view, [...outer, ...columns], ctx.origin);
  const shape = ctx.builder.shapeOf(stored.tensor);
  const [height, width] =
    shape.length === 4 && shape[0] === 1 && shape[3] === matrix.columns ? shape.slice(1) : [rowCount, 1];
  const tensor = ctx.builder.asShape(stored.tensor, [1, height ?? 1, width ?? 1, matrix.columns], ctx.origin);
  if (integer !== undefined) {
    const inputs = [tensor, ...integer.constants];
    const spec = { kind: 'conv2d' as const, inputs, window: POINT_WINDOW, groups: 1 };
    const result = emitImage(ctx, spec, height ?? 1, width ?? 1, matrix.rows, integer.to);
    return withInnerAxis(stored, stored.axes.at(-1)?.length ?? 0, matrix.rows, result.tensor);
  }
  const result = emitConv(
    ctx,
    {
      image: { tensor, height: height ?? 1, width: width ?? 1, channels: matrix.columns },
      window: POINT_WINDOW,
      groups: 1,
      weightShape: [matrix.rows, 1, 1, matrix.columns],
      weights,
      bias: () => bias?.(),
    },
    height ?? 1,
    width ?? 1,
  );
  return withInnerAxis(stored, stored.axes.at(-1)?.length ?? 0, matrix.rows, result.tensor);
}

/** The rows of `view` as they are stored, with the last axis replaced by one innermost atom of `size`. */
function withInnerAxis(view: View, innerAtoms: number, size: number, tensor: View['tensor']): View {
  const atoms = view.atoms.slice(0, view.atoms.length - innerAtoms);
  const last = size === 1 ? [] : [atoms.length];
  return { tensor, atoms: size === 1 ? atoms : [...atoms, size], axes: [...view.axes.slice(0, -1), last] };
}

function emitDense(
  ctx: NodeContext,
  view: View,
  matrix: Matrix,
  weights: (affine: Affine | undefined) => ConstantElements,
  bias: (() => Float64Array) | undefined,
  integer: IntegerLayer | undefined,
): View {
  const input = ctx.builder.asShape(view.tensor, [1, matrix.columns], ctx.origin);
  if (integer !== undefined) {
    const inputs = [input, ...integer.constants];
    const quant = quantizationOf(integer.to);
    const result = ctx.builder.emit({ kind: 'dense', inputs }, outputName(ctx), [1, matrix.rows], ctx.origin, quant);
    return withInnerAxis({ ...view, atoms: [] }, 0, matrix.rows, result);
  }
  const entry: { channels: number; folded: Affine | undefined } = { channels: matrix.rows, folded: undefined };
  const constants = addLayerConstants(
    ctx.builder,
    outputName(ctx),
    [matrix.rows, matrix.columns],
    weights,
    () => bias?.(),
    () => entry.folded,
    ctx.origin.loc,
  );
  const spec = { kind: 'dense' as const, inputs: [input, ...constants] };
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, matrix.rows], ctx.origin);
  ctx.affines.set(tensor, entry);
  return withInnerAxis({ ...view, atoms: [] }, 0, matrix.rows, tensor);
}

/**
 * For each stored position of the last axis, the model's position. So a flattened image [1, C * H * W], stored H W C,
 * is multiplied where it lies, by a matrix whose columns were moved at import.
 * @returns undefined when the two orders are equal
 */
function columnOrder(view: View, inner: readonly number[]): readonly number[] | undefined {
  const stored = [...inner].sort((a, b) => a - b);
  if (stored.every((atom, i) => atom === inner[i])) return undefined;
  const stepOf = new Map<number, number>(); // model's positions from one value of the atom to the next
  let step = 1;
  for (const atom of [...inner].reverse()) {
    stepOf.set(atom, step);
    step *= view.atoms[atom] ?? 1;
  }
  let order = [0];
  for (const atom of stored) {
    const size = view.atoms[atom] ?? 1;
    const atomStep = stepOf.get(atom) ?? 0;
    order = order.flatMap((base) => Array.from({ length: size }, (_, i) => base + i * atomStep));
  }
  return order;
}

/** Stored elements as [N, K] with their columns in stored order. */
function layOutStored(matrix: Matrix, order: readonly number[] | undefined, source: NumericArray): NumericArray {
  const { rows, columns } = matrix;
  const result = source instanceof Uint8Array ? new Uint8Array(rows * columns) : new Int8Array(rows * columns);
  const [rowStep, columnStep] = matrix.transposed ? [columns, 1] : [1, rows];
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let s = 0; s < columns; s++) result[to++] = source[row * rowStep + (order?.[s] ?? s) * columnStep] ?? 0;
  }
  return result;
}

/** The matrix as [N, K] with its columns in stored order. */
function layOutMatrix(matrix: Matrix, order: readonly number[] | undefined): Float32Array {
  const { rows, columns, factor } = matrix;
  const result = new Float32Array(rows * columns);
  if (matrix.constant.splat !== undefined) return result.fill(matrix.constant.splat * factor);
  const source = matrix.constant.elements();
  const rowStep = matrix.transposed ? columns : 1;
  const columnStep = matrix.transposed ? 1 : rows;
  const offsets = Int32Array.from({ length: columns }, (_, s) => (order?.[s] ?? s) * columnStep);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * rowStep;
    for (let s = 0; s < columns; s++) result[to++] = (source[start + (offsets[s] ?? 0)] ?? 0) * factor;
  }
  return result;
}
