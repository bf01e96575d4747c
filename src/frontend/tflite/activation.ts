/** Activations that are limits: on their own, or fused into the operator before. */
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { TensorId } from '../../ir/types.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { lookUpInto } from './look-up.js';
import { fixedPoint, realLimits, scaleOf, storedLimits } from './numbers.js';
import { rescaled } from './rescale.js';
import type { FusedActivation } from './schema.js';

const LARGEST_FLOAT = 3.4028234663852886e38;

/** The operator's result with its fused activation applied. */
export function withFused(node: NodeContext, id: TensorId, fn: FusedActivation): TensorId {
  const { dtype, quant } = node.builder.tensor(id);
  if (fn === 'none') return id;
  if (fn === 'tanh' && dtype === 'float32')
    return node.emit({ kind: 'unary', fn: 'tanh', alpha: 0, beta: 0, inputs: [id] });
  if (!isQuantized(dtype) || quant === undefined) {
    const { lo, hi } = realLimits(fn);
    return node.emit({
      kind: 'clamp',
      lo: Math.max(lo, -LARGEST_FLOAT),
      hi: Math.min(hi, LARGEST_FLOAT),
      inputs: [id],
    });
  }
  const { lo, hi } = storedLimits(fn, quant, dtype);
  const range = storedRange(dtype);
  return lo <= range.lo && hi >= range.hi ? id : node.emit({ kind: 'clamp', lo, hi, inputs: [id] });
}

/** RELU, RELU6, RELU_N1_TO_1. Quantised ones may rescale as well, which is a table for 8 bits. */
export const limits =
  (fn: FusedActivation): Importer =>
  (node) => {
    const x = node.input(0);
    if (x.quant === undefined || !isQuantized(x.dtype)) return [activation(withFused(node, x.id, fn))];
    const result = node.resultQuant();
    const { lo, hi } = storedLimits(fn, result, x.dtype);
    const scale = fixedPoint(Math.fround(scaleOf(x.quant) / scaleOf(result)));
    return [
      activation(
        lookUpInto(node, x, result, (stored) => {
          const value = rescaled(stored - (x.quant?.zeroPoint ?? 0), scale) + result.zeroPoint;
          return Math.min(Math.max(value, lo), hi);
        }),
      ),
    ];
  };
