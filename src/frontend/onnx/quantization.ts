/** Values that are stored as integers: what DequantizeLinear and QuantizeLinear say about them, and how they convert. */
import type { DType, Quantization } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis } from './attributes.js';
import { type Const, elementCountOf, lazyConst, type NumericArray, shapeText } from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';

/** Activations: real = scale * (stored - zeroPoint), one scale. */
export interface QuantizedType {
  readonly dtype: 'int8' | 'uint8';
  readonly scale: number;
  readonly zeroPoint: number;
}

/** What DequantizeLinear says about a constant: real = scale * (base - zero), per element or per slice of `axis`. */
export interface QuantizedConst {
  readonly base: Const;
  readonly scales: Const;
  readonly zeros: Const | undefined;
  readonly axis: number;
}

export function sameQuantizedType(a: QuantizedType | undefined, b: QuantizedType | undefined): boolean {
  return (
    a !== undefined && b !== undefined && a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint
  );
}

export function quantizationOf(type: QuantizedType): Quantization {
  return { scales: [type.scale], zeroPoint: type.zeroPoint };
}

export function storedLimits(dtype: QuantizedType['dtype']): { readonly lo: number; readonly hi: number } {
  return dtype === 'int8' ? { lo: -128, hi: 127 } : { lo: 0, hi: 255 };
}

/** The nearest integer, halves to the even one. */
export function halfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** QuantizeLinear of one number. */
export function quantized(x: number, type: QuantizedType): number {
  const { lo, hi } = storedLimits(type.dtype);
  const steps = halfEven(Math.fround(Math.fround(x) / type.scale));
  return Number.isNaN(steps) ? lo : Math.min(hi, Math.max(lo, steps + type.zeroPoint));
}

/** DequantizeLinear of one stored number. */
export function dequantized(stored: number, type: QuantizedType): number {
  return Math.fround(Math.fround(stored - type.zeroPoint) * type.scale);
}

/** result[x - lowest] = Q(f(DQ(x))) for every stored x of the operand's type. */
export function tableOf(from: QuantizedType, to: QuantizedType, apply: (x: number) => number): Int8Array | Uint8Array {
  const { lo } = storedLimits(from.dtype);
  const table = to.dtype === 'int8' ? new Int8Array(256) : new Uint8Array(256);
  for (let i = 0; i < 256; i++) table[i] = quantized(Math.fround(apply(dequantized(lo + i, from))), to);
  return table;
}

/**
 * The type that the operands of a QuantizeLinear or DequantizeLinear describe, if they are constants of one element.
 * @param dtype of the stored side where no zero point says it
 */
export function quantizedType(
  node: OnnxNode,
  scale: Const | undefined,
  zero: Const | undefined,
  dtype: DType,
): QuantizedType {
  if (scale === undefined) malformed('SW2007', node.loc, `${node.operator} without a scale`);
  if (scale.elementCount !== 1) unsupported(`activations with ${scale.elementCount} scales`);
  const value = Math.fround(scale.elements()[0] ?? 0);
  if (!(value > 0 && Number.isFinite(value))) malformed('SW2007', node.loc, `${node.operator} with the scale ${value}`);
  const stored = zero?.dtype ?? dtype;
  if (stored !== 'int8' && stored !== 'uint8') unsupported(`activations of ${stored}`);
  const zeroPoint = zero?.elements()[0] ?? 0;
  return { dtype: stored, scale: value, zeroPoint };
}

/** DequantizeLinear of a constant: real numbers that remember the integers that they came from. */
export function dequantizeConst(node: OnnxNode, base: Const, scales: Const, zeros: Const | undefined): Const {
  const isPerAxis = scales.elementCount > 1;
  const axis = isPerAxis ? normaliseAxis(node, intAttribute(node, 'axis', 1), base.dims.length) : 0;
  if (isPerAxis && scales.elementCount !== base.dims[axis]) {
    if (intAttribute(node, 'block_size', 0) > 0) unsupported('blocks of scales');
    const text = `${shapeText(scales.dims)} for ${shapeText(base.dims)}`;
    malformed('SW2007', node.loc, `${node.operator}: scales ${text} along axis ${axis}`);
  }
  if (zeros !== undefined && zeros.elementCount !== scales.elementCount) {
    malformed('SW2007', node.loc, `${node.operator}: ${zeros.elementCount} zero points, ${scales.elementCount} scales`);
  }
  const inner = isPerAxis ? elementCountOf(base.dims.slice(axis + 1)) : Math.max(1, base.elementCount);
  const elements = (): NumericArray => {
    const source = base.elements();
    const [scale, zero] = [scales.elements(), zeros?.elements()];
    const result = new Float32Array(source.length);
    for (let start = 0, slice = 0; start < source.length; start += inner, slice++) {
      const i = isPerAxis ? slice % scale.length : 0;
      const [factor, offset] = [scale[i] ?? 0, zero?.[i] ?? 0];
      for (let at = start; at < start + inner; at++) result[at] = Math.fround((source[at] ?? 0) - offset) * factor;
    }
    return result;
  };
  const real = { ...lazyConst('float32', base.dims, elements), quantized: { base, scales, zeros, axis } };
  const isSymmetric = zeros === undefined || zeros.elements().every((zero) => zero === 0);
  return base.dtype === 'int8' && axis === 0 && isSymmetric ? { ...real, scaled: { base, scales } } : real;
}

/** QuantizeLinear of a constant. */
export function quantizeConst(node: OnnxNode, real: Const, scales: Const, zeros: Const | undefined): Const {
  const isPerAxis = scales.elementCount > 1;
  const axis = isPerAxis ? normaliseAxis(node, intAttribute(node, 'axis', 1), real.dims.length) : 0;
  if (isPerAxis && scales.elementCount !== real.dims[axis]) {
    malformed('SW2007', node.loc, `${node.operator}: ${scales.elementCount} scales for ${shapeText(real.dims)}`);
  }
  const dtype = zeros?.dtype ?? 'uint8';
  if (dtype !== 'int8' && dtype !== 'uint8') unsupported(`a constant to ${dtype}`);
  const inner = isPerAxis ? elementCountOf(real.dims.slice(axis + 1)) : Math.max(1, real.elementCount);
  return lazyConst(dtype, real.dims, () => {
    const source = real.elements();
    const [scale, zero] = [scales.elements(), zeros?.elements()];
    const result = dtype === 'int8' ? new Int8Array(source.length) : new Uint8Array(source.length);
    for (let start = 0, slice = 0; start < source.length; start += inner, slice++) {
      const i = isPerAxis ? slice % scale.length : 0;
      const type = { dtype, scale: Math.fround(scale[i] ?? 1), zeroPoint: zero?.[i] ?? 0 } as const;
      for (let at = start; at < start + inner; at++) result[at] = quantized(source[at] ?? 0, type);
    }
    return result;
  });
}
