/**
 * DynamicQuantizeLinear, MatMulInteger, ConvInteger. The scale of an activation is found while the model runs, so integers are
 * carried as float32 without a fraction: sums of their products below 2^24 are exact, larger ones are rounded as a Cast of the sum to
 * float32 would round them.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { emitBinary, scalar } from './arithmetic.js';
import { type Const, elementCountOf, lazyConst } from './constant.js';
import { malformed } from './problems.js';
import { reduced } from './reduce.js';
import type { Part } from './together.js';
import { activation, computed, type NodeContext, outputName, requiredConstant, type Value } from './value.js';
import { dimsOf, type View } from './view.js';

const part = (view: View): Part => ({ kind: 'view', view });

function unary(ctx: NodeContext, fn: 'round', view: View): View {
  const spec = { kind: 'unary' as const, inputs: [view.tensor], fn, alpha: 0, beta: 0 };
  const tensor = ctx.builder.emit(spec, outputName(ctx), ctx.builder.shapeOf(view.tensor), ctx.origin);
  return { ...view, tensor };
}

function clamp(ctx: NodeContext, view: View, lo: number, hi: number): View {
  const spec = { kind: 'clamp' as const, inputs: [view.tensor], lo, hi };
  const tensor = ctx.builder.emit(spec, outputName(ctx), ctx.builder.shapeOf(view.tensor), ctx.origin);
  return { ...view, tensor };
}

/** The results for each tensor that has been quantised so: exporters repeat the node for every reader. */
const MADE = new WeakMap<object, Map<TensorId, readonly View[]>>();

export function importDynamicQuantizeLinear(ctx: NodeContext): Value[] {
  const x = activation(ctx, 0);
  const made = MADE.get(ctx.builder) ?? new Map<TensorId, readonly View[]>();
  MADE.set(ctx.builder, made);
  const views = made.get(x.tensor) ?? dynamicallyQuantized(ctx, x);
  made.set(x.tensor, views);
  return views.map((view) => ({ kind: 'activation', view, sole: false }));
}

/** Integers, scale, zero point. Source: the ONNX specification of DynamicQuantizeLinear. */
function dynamicallyQuantized(ctx: NodeContext, x: View): View[] {
  const axes = new Set(dimsOf(x).map((_, axis) => axis));
  const extreme = (fn: 'max' | 'min'): View => {
    const one = reduced(ctx, x, axes, fn);
    return emitBinary(ctx, fn, part({ ...one, axes: [] }), scalar(0));
  };
  const [most, least] = [extreme('max'), extreme('min')];
  const range = emitBinary(ctx, 'div', part(emitBinary(ctx, 'sub', part(most), part(least))), scalar(255));
  // An image of zeros has the scale 1 by definition; its integers are 0 whatever the scale.
  const scale = emitBinary(ctx, 'max', part(range), scalar(1e-38));
  const zero = unary(ctx, 'round', clamp(ctx, emitBinary(ctx, 'div', part(negated(ctx, least)), part(scale)), 0, 255));
  const steps = unary(ctx, 'round', emitBinary(ctx, 'div', part(x), part(scale)));
  return [clamp(ctx, emitBinary(ctx, 'add', part(steps), part(zero)), 0, 255), scale, zero];
}

function negated(ctx: NodeContext, view: View): View {
  const spec = { kind: 'unary' as const, inputs: [view.tensor], fn: 'neg' as const, alpha: 0, beta: 0 };
  return { ...view, tensor: ctx.builder.emit(spec, outputName(ctx), ctx.builder.shapeOf(view.tensor), ctx.origin) };
}

/** Both integer products, as the plain operator on what is left after the zero points are taken away. */
export function importIntegerProduct(
  run: (ctx: NodeContext) => readonly Value[],
): (ctx: NodeContext) => readonly Value[] {
  return (ctx) => {
    const x = ctx.operands[0];
    if (x?.kind !== 'activation') return unsupported('a constant on the left');
    const weights = withoutZero(ctx, requiredConstant(ctx, 1), ctx.operands[3]);
    const zero = ctx.operands[2];
    const view = ctx.floatView(0);
    const isPlain = zero === undefined || (zero.kind === 'constant' && zero.constant.elements().every((v) => v === 0));
    const centred = isPlain ? view : lessZero(ctx, view, zero);
    const operands: Value[] = [computed(centred), { kind: 'constant', constant: weights }];
    return run({ ...ctx, operands, resultType: () => undefined });
  };
}

/** The operand less its zero point, made once for all its readers. */
function lessZero(ctx: NodeContext, view: View, zero: Value): View {
  if (zero.kind === 'constant')
    return emitBinary(ctx, 'sub', part(view), { kind: 'constant', constant: zero.constant });
  const key = `${view.tensor} less ${zero.view.tensor}`;
  const shape = ctx.builder.shapeOf(view.tensor);
  if (elementCountOf(dimsOf(zero.view)) !== 1) unsupported('a zero point for each row');
  let result: View | undefined;
  const tensor = ctx.builder.once(key, () => {
    result = emitBinary(ctx, 'sub', part(view), part({ ...zero.view, axes: [] }));
    return result.tensor;
  });
  if (result !== undefined) return result;
  // Made before: it lies as arithmetic lays out its results, which is as this call would.
  return { ...view, tensor: ctx.builder.asShape(tensor, shape, ctx.origin) };
}

function withoutZero(ctx: NodeContext, weights: Const, zero: Value | undefined): Const {
  if (zero === undefined) return real(weights, () => 0);
  if (zero.kind !== 'constant') return unsupported('a computed zero point of the weights');
  const zeros = zero.constant.elements();
  if (zeros.length === 1) return real(weights, () => zeros[0] ?? 0);
  const columns = weights.dims.at(-1) ?? 1;
  const rows = weights.dims[0] ?? 1;
  const isConv = ctx.node.operator === 'ConvInteger';
  if (zeros.length !== (isConv ? rows : columns)) {
    malformed(
      'SW2007',
      ctx.node.loc,
      `${zeros.length} zero points for weights of ${rows} row(s), ${columns} column(s)`,
    );
  }
  const inner = elementCountOf(weights.dims.slice(1));
  return real(weights, (i) => zeros[isConv ? Math.floor(i / inner) : i % columns] ?? 0);
}

function real(weights: Const, zeroOf: (index: number) => number): Const {
  return lazyConst('float32', weights.dims, () => {
    const elements = weights.elements();
    const out = new Float32Array(elements.length);
    for (let i = 0; i < out.length; i += 1) out[i] = (elements[i] as number) - zeroOf(i);
    return out;
  });
}
