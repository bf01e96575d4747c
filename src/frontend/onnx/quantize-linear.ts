/**
 * QuantizeLinear and DequantizeLinear of activations. A dequantised value is not computed: it remembers the stored integers, and
 * an operator between a DequantizeLinear and a QuantizeLinear becomes an integer one where it has such a form.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import {
  dequantized,
  type QuantizedType,
  quantizationOf,
  quantized,
  quantizedType,
  sameQuantizedType,
  tableOf,
} from './quantization.js';
import {
  constantOperand,
  floatView,
  mayAbsorb,
  type NodeContext,
  outputName,
  paddedActivation,
  relabelled,
  type Value,
  viewOf,
} from './value.js';
import type { View } from './view.js';

export function importQuantizeLinear(ctx: NodeContext): Value[] {
  const to = quantizedType(ctx.node, constantOperand(ctx, 1), constantOperand(ctx, 2), 'uint8');
  const value = ctx.operands[0];
  if (value?.kind !== 'activation') return unsupported('a constant');
  if (value.pad !== undefined && sameQuantizedType(value.dequantized, to)) {
    // The padding goes on waiting, in stored numbers.
    const pad = { ...value.pad, fill: quantized(value.pad.fill, to) };
    return [{ ...relabelled(ctx, 0, value.view), pad, dequantized: undefined }];
  }
  if (sameQuantizedType(value.dequantized, to)) {
    if (mayAbsorb(ctx, 0)) ctx.builder.rename(value.view.tensor, outputName(ctx));
    return [{ ...relabelled(ctx, 0, value.view), dequantized: undefined }];
  }
  const from = value.dequantized;
  if (from !== undefined && from.dtype === to.dtype) {
    return [stored(lookedUp(ctx, viewOf(ctx, 0), from, to, (x) => x))];
  }
  return [stored(quantizedView(ctx, floatView(ctx, 0), to))];
}

const stored = (view: View): Value => ({ kind: 'activation', view, sole: true });

export function importDequantizeLinear(ctx: NodeContext): Value[] {
  const value = paddedActivation(ctx, 0);
  const { dtype, quant } = ctx.builder.typeOf(value.view.tensor);
  if (dtype === 'int32' || dtype === 'float32') unsupported(`an activation of ${dtype}`);
  const type = quantizedType(ctx.node, constantOperand(ctx, 1), constantOperand(ctx, 2), dtype);
  if (type.dtype !== dtype) unsupported(`a zero point of ${type.dtype} with elements of ${dtype}`);
  const own = { dtype: type.dtype, scale: quant?.scales[0] ?? 1, zeroPoint: quant?.zeroPoint ?? 0 };
  if (value.pad !== undefined && sameQuantizedType(type, own)) {
    const pad = { ...value.pad, fill: dequantized(value.pad.fill, type) };
    return [{ ...relabelled(ctx, 0, value.view), pad, dequantized: type }];
  }
  const view = viewOf(ctx, 0);
  if (sameQuantizedType(type, own)) return [{ ...relabelled(ctx, 0, view), dequantized: type }];
  // The same integers under another scale: a table that changes none of them.
  const { lo } = type.dtype === 'int8' ? { lo: -128 } : { lo: 0 };
  const table = type.dtype === 'int8' ? new Int8Array(256) : new Uint8Array(256);
  for (let i = 0; i < 256; i++) table[i] = lo + i;
  return [{ ...stored(emitTable(ctx, view, table, type, outputName(ctx))), dequantized: type } as Value];
}

/** The view quantised by an operator of its own. */
export function quantizedView(ctx: NodeContext, view: View, to: QuantizedType): View {
  const spec = {
    kind: 'convert' as const,
    inputs: [view.tensor],
    to: to.dtype,
    multiplier: 0,
    shift: 0,
    rounding: 'halfEven' as const,
  };
  const shape = ctx.builder.shapeOf(view.tensor);
  const tensor = ctx.builder.emit(spec, outputName(ctx), shape, ctx.origin, quantizationOf(to));
  return { ...view, tensor };
}

/** A function of each element, by a table. Both types have the same dtype. */
export function lookedUp(
  ctx: NodeContext,
  view: View,
  from: QuantizedType,
  to: QuantizedType,
  apply: (x: number) => number,
  name = outputName(ctx),
): View {
  return emitTable(ctx, view, tableOf(from, to, apply), to, name);
}

function emitTable(ctx: NodeContext, view: View, data: Int8Array | Uint8Array, to: QuantizedType, name: string): View {
  const table: TensorId = ctx.builder.constant(`${name}:table`, [256], () => ({ data }), ctx.origin.loc, {
    dtype: to.dtype,
  });
  const spec = { kind: 'lut' as const, inputs: [view.tensor, table] };
  const shape = ctx.builder.shapeOf(view.tensor);
  return { ...view, tensor: ctx.builder.emit(spec, name, shape, ctx.origin, quantizationOf(to)) };
}

/**
 * The operand at `position` with a zero-dimensional check: a stored view and its type, if it is dequantised and the
 * node's result is quantised by its only reader.
 */
export function integerOperand(
  ctx: NodeContext,
  position: number,
): { readonly view: View; readonly type: QuantizedType } | undefined {
  const value = ctx.operands[position];
  if (value?.kind !== 'activation' || value.dequantized === undefined || value.pad !== undefined) return undefined;
  return { view: value.view, type: value.dequantized };
}

/** The result of an integer operator: stored, and known to stand for real numbers. */
export function quantizedResult(view: View, type: QuantizedType): Value {
  return { kind: 'activation', view, sole: true, dequantized: type };
}
