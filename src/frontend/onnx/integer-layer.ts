/** Convolutions and matrix products between DequantizeLinear and QuantizeLinear as layers of integers. */
import type { TensorId } from '../../ir/types.js';
import type { Const, NumericArray } from './constant.js';
import { halfEven, type QuantizedType } from './quantization.js';
import { type ActivationValue, type NodeContext, outputName } from './value.js';

/** What an integer layer needs beside its image. */
export interface IntegerLayer {
  readonly from: QuantizedType;
  readonly to: QuantizedType;
  readonly constants: readonly TensorId[]; // weights, bias, requant
}

export interface IntegerWeights {
  readonly constant: Const; // dequantised
  readonly axis: number; // of the outputs, in the constant
  readonly rows: number; // outputs
  readonly shape: readonly number[]; // as the IR has them, outputs first
  /** The stored elements in that order, in an array of their own type. */
  readonly layOut: (elements: NumericArray) => NumericArray;
}

/**
 * The constants of the layer, or undefined where it has no integer form: an operand that is not quantised, weights whose zero
 * points differ, a result of another type.
 */
export function integerLayer(
  ctx: NodeContext,
  value: ActivationValue,
  weights: IntegerWeights,
  bias: Const | undefined,
  biasFactor = 1,
): IntegerLayer | undefined {
  const from = value.dequantized;
  const to = ctx.resultType();
  const source = weights.constant.quantized;
  if (from === undefined || to === undefined || source === undefined || from.dtype !== to.dtype) return undefined;
  const { base, zeros } = source;
  if (base.dtype !== 'int8' && base.dtype !== 'uint8') return undefined;
  const zeroPoints = new Set(zeros?.elements() ?? [0]);
  const scales = rowScales(source.scales, source.axis, weights);
  const [zeroPoint = 0, ...others] = zeroPoints;
  if (others.length > 0 || scales === undefined) return undefined;
  const { builder, origin } = ctx;
  const name = outputName(ctx);
  const products = scales.map((scale) => Math.fround(from.scale * scale));
  const dtype = base.dtype;
  const data = (): Int8Array | Uint8Array => {
    const laidOut = weights.layOut(base.elements());
    if (laidOut instanceof Int8Array || laidOut instanceof Uint8Array) return laidOut;
    throw new Error(`weights of ${dtype} in an array of another type`);
  };
  return {
    from,
    to,
    constants: [
      builder.constant(`${name}:weights`, weights.shape, () => ({ data: data() }), origin.loc, {
        dtype,
        quant: { scales, zeroPoint },
      }),
      builder.constant(
        `${name}:bias`,
        [weights.rows],
        () => ({ data: integerBias(bias, biasFactor, weights.rows, products) }),
        origin.loc,
        { dtype: 'int32' },
      ),
      builder.constant(
        `${name}:requant`,
        [weights.rows],
        () => ({ data: Float32Array.from(products, (product) => product / to.scale) }),
        origin.loc,
      ),
    ],
  };
}

function rowScales(scales: Const, axis: number, weights: IntegerWeights): number[] | undefined {
  const given = scales.elements();
  if (given.length !== 1 && (axis !== weights.axis || given.length !== weights.rows)) return undefined;
  const list = Array.from({ length: weights.rows }, (_, row) => Math.fround(given[given.length === 1 ? 0 : row] ?? 0));
  return list.every((scale) => scale > 0 && Number.isFinite(scale)) ? list : undefined;
}

/** In steps of the products; as stored where the file holds it so. */
function integerBias(bias: Const | undefined, factor: number, rows: number, products: readonly number[]): Int32Array {
  const result = new Int32Array(rows);
  if (bias === undefined) return result;
  const step = (row: number): number => products[row] ?? 1;
  const source = bias.quantized;
  const scales = source?.scales.elements();
  const isSame = (row: number): boolean => {
    const scale = scales?.[scales.length === 1 ? 0 : row] ?? 0;
    return Math.abs(scale - step(row)) <= 1e-5 * step(row);
  };
  const elements = bias.elements();
  const stored = source?.base.dtype === 'int32' && factor === 1 ? source.base.elements() : undefined;
  for (let row = 0; row < rows; row++) {
    const at = elements.length === 1 ? 0 : row;
    const isStored = stored !== undefined && isSame(row) && (source?.zeros?.elements()[0] ?? 0) === 0;
    const value = isStored ? (stored[at] ?? 0) : halfEven(((elements[at] ?? 0) * factor) / step(row));
    result[row] = Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), value));
  }
  return result;
}
