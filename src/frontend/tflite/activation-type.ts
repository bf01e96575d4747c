/** Element types and quantisation of activations. */
import type { SourceLoc } from '../../base/diagnostic.js';
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { DType, Quantization } from '../../ir/types.js';
import type { TfliteTensor } from './model.js';
import { malformed } from './problems.js';
import type { TensorType } from './schema.js';

/** Types that activations can have, by their name in the file. */
export function activationType(type: TensorType): DType | undefined {
  return type === 'float32' || type === 'int8' || type === 'uint8' || type === 'int16' ? type : undefined;
}

/** One scale and zero point; undefined where the file gives none. @throws SpillwayError SW2109 if they are unusable */
export function activationQuant(tensor: TfliteTensor, loc: SourceLoc): Quantization | undefined {
  const { quantization, name, type } = tensor;
  const dtype = activationType(type);
  if (quantization === undefined || dtype === undefined || !isQuantized(dtype)) return undefined;
  const { lo, hi } = storedRange(dtype);
  const [scale = 0] = quantization.scales;
  const [zeroPoint = 0] = quantization.zeroPoints;
  if (quantization.scales.length !== 1 || !(scale > 0)) {
    malformed('SW2109', loc, `activation '${name}' has the scales ${quantization.scales.join(', ')}`);
  }
  if (!(zeroPoint >= lo && zeroPoint <= hi)) {
    malformed('SW2109', loc, `activation '${name}' has the zero point ${zeroPoint}, which is no ${type}`);
  }
  return { scales: [scale], zeroPoint };
}
