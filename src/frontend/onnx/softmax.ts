/** Softmax and LogSoftmax. */
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis } from './attributes.js';
import { quantizationOf } from './quantization.js';
import { integerOperand, quantizedResult } from './quantize-linear.js';
import { activation, computed, emitLike, type NodeContext, outputName, type Value } from './value.js';
import { dimsOf } from './view.js';

/** Softmax over one axis, or before opset 13 over all axes from one on; ours runs over the innermost elements. */
export function importSoftmax(ctx: NodeContext): Value[] {
  const [integers, to] = [integerOperand(ctx, 0), ctx.resultType()];
  const isInteger = integers !== undefined && integers.type.dtype === to?.dtype;
  const view = isInteger ? integers.view : activation(ctx, 0);
  const dims = dimsOf(view);
  const axis = normaliseAxis(ctx.node, intAttribute(ctx.node, 'axis', ctx.opset >= 13 ? -1 : 1), dims.length);
  const summed = ctx.opset >= 13 ? [axis] : dims.map((_, i) => i).slice(axis);
  const atoms = new Set(summed.flatMap((i) => view.axes[i] ?? []));
  const all = view.atoms.map((_, atom) => atom);
  const order = [...all.filter((atom) => !atoms.has(atom)), ...all.filter((atom) => atoms.has(atom))];
  const stored = ctx.builder.materialise(view, order, ctx.origin);
  const size = [...atoms].reduce((product, atom) => product * (view.atoms[atom] ?? 1), 1);
  const shape = ctx.builder.shapeOf(stored.tensor);
  const rows = shape.reduce((product, dim) => product * dim, 1) / size;
  const rowsShape = rows === 1 ? [1, size] : [1, rows, size];
  const input = shape.at(-1) === size ? stored.tensor : ctx.builder.asShape(stored.tensor, rowsShape, ctx.origin);
  const outputShape = ctx.builder.shapeOf(input);
  if (isInteger) {
    const data = exponentials(integers.type.scale, size);
    const table = ctx.builder.constant(`${outputName(ctx)}:table`, [256], () => ({ data }), ctx.origin.loc);
    const spec = { kind: 'softmax' as const, realScale: Math.floor(Math.fround(1 / to.scale)), inputs: [input, table] };
    if (spec.realScale < 1) unsupported(`probabilities in steps of ${to.scale}`);
    const tensor = ctx.builder.emit(spec, outputName(ctx), outputShape, ctx.origin, quantizationOf(to));
    return [quantizedResult({ ...stored, tensor }, to)];
  }
  const tensor = ctx.builder.emit({ kind: 'softmax', inputs: [input] }, outputName(ctx), outputShape, ctx.origin);
  return [computed({ ...stored, tensor })];
}

/**
 * exp of 0, -scale, -2 * scale, ..., as large as float32 has room for a sum of so many. Source: what onnxruntime's QLinearSoftmax
 * computes.
 */
function exponentials(scale: number, count: number): Float32Array {
  const largest = (2 - 2 ** -23) * 2 ** 127;
  const room = Math.max(0, Math.log(Math.fround(largest / count)) - 5) / scale;
  return Float32Array.from({ length: 256 }, (_, difference) => Math.exp((room - difference) * scale));
}

/** Softmax, then its logarithm. */
export function importLogSoftmax(ctx: NodeContext): Value[] {
  const [value] = importSoftmax({ ...ctx, resultType: () => undefined });
  if (value?.kind !== 'activation') throw new Error('softmax has a result');
  return [
    computed(emitLike(ctx, { kind: 'unary', fn: 'log', alpha: 0, beta: 0, inputs: [value.view.tensor] }, value.view)),
  ];
}
