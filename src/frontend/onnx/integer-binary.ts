/** Add and Mul between DequantizeLinear and QuantizeLinear, as onnxruntime's QLinearAdd and QLinearMul have them. */
import type { RealRescale } from '../../ir/types.js';
import { type QuantizedType, quantizationOf } from './quantization.js';
import { integerOperand, quantizedResult } from './quantize-linear.js';
import { bringTogether, type Part, partDims, resultDims, togetherView } from './together.js';
import { type NodeContext, outputName, type Value } from './value.js';

interface Operand {
  readonly part: Part;
  readonly type: QuantizedType;
}

/** The integer form, or undefined where an operand is not quantised, or not as the result is. */
export function importIntegerBinary(ctx: NodeContext, kind: 'add' | 'mul'): Value | undefined {
  const [first, second, to] = [storedOperand(ctx, 0), storedOperand(ctx, 1), ctx.resultType()];
  if (first === undefined || second === undefined || to === undefined || ctx.operands.length !== 2) return undefined;
  if (first.type.dtype !== to.dtype || second.type.dtype !== to.dtype) return undefined;
  // What is repeated along the last axis is one number to the runtime, which adds it to the zero points first.
  const [a, b] = isRepeatedNumber(ctx, [second.part, first.part]) ? [second, first] : [first, second];
  const rescale = kind === 'mul' ? productRescale(a.type, b.type, to) : sumRescale(a, b, to, first);
  const together = bringTogether(ctx, [a.part, b.part]);
  const spec = { kind, inputs: together.tensors, rescale };
  const tensor = ctx.builder.emit(spec, outputName(ctx), together.shape, ctx.origin, quantizationOf(to));
  return quantizedResult(togetherView(together, tensor), to);
}

/** A dequantised activation, or a constant of one scale, as it is stored. */
function storedOperand(ctx: NodeContext, position: number): Operand | undefined {
  const value = ctx.operands[position];
  if (value?.kind !== 'constant') {
    const operand = integerOperand(ctx, position);
    return operand === undefined ? undefined : { part: { kind: 'view', view: operand.view }, type: operand.type };
  }
  const { constant } = value;
  const source = constant.quantized;
  if (source === undefined || source.scales.elementCount !== 1 || (source.zeros?.elementCount ?? 1) !== 1)
    return undefined;
  const { base, scales, zeros } = source;
  const scale = Math.fround(scales.elements()[0] ?? 0);
  if ((base.dtype !== 'int8' && base.dtype !== 'uint8') || !(scale > 0 && Number.isFinite(scale))) return undefined;
  const type = { dtype: base.dtype, scale, zeroPoint: zeros?.elements()[0] ?? 0 };
  return { part: { kind: 'constant', constant: { ...base, dims: constant.dims }, type }, type };
}

/** Of the last axis on which the result has more than one element, whether the first operand has one. */
function isRepeatedNumber(ctx: NodeContext, parts: readonly [Part, Part]): boolean {
  const dims = resultDims(ctx, parts);
  const last = dims.findLastIndex((extent) => extent > 1);
  const own = partDims(parts[0]);
  return last >= 0 && (own[last - dims.length + own.length] ?? 1) === 1;
}

function productRescale(a: QuantizedType, b: QuantizedType, to: QuantizedType): RealRescale {
  return { scaleA: Math.fround(Math.fround(a.scale * b.scale) / to.scale), scaleB: 1, offset: 0 };
}

/** Every step in float32; the runtime's compiler fuses a product with a sum: it is not rounded by itself. */
function sumRescale(a: Operand, b: Operand, to: QuantizedType, first: Operand): RealRescale {
  const scaleA = Math.fround(a.type.scale / to.scale);
  const scaleB = Math.fround(b.type.scale / to.scale);
  // To the runtime a number that is repeated is the second operand, whatever the file says.
  const [own, other] = a === first ? [a, b] : [b, a];
  const [ownScale, otherScale] = a === first ? [scaleA, scaleB] : [scaleB, scaleA];
  const zeros = Math.fround(ownScale * own.type.zeroPoint + Math.fround(otherScale * other.type.zeroPoint));
  return { scaleA, scaleB, offset: Math.fround(to.zeroPoint - zeros) };
}
