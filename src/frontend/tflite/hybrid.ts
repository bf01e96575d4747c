/**
 * Layers of a float32 operand and int8 weights, which LiteRT computes in integers: the operand is brought to 8 bits by its own
 * largest value, for every image (of dense layers: every row) anew. Integers up to 2^24 are exact in float32.
 */
import { elementCountOf } from '../../ir/facts.js';
import type { BinaryFunction, TensorId } from '../../ir/types.js';
import { POINT } from './binary-constant.js';
import { type Constant, realsOf } from './constant.js';
import type { NodeContext } from './context.js';
import { malformed } from './problems.js';

export function isHybrid(dtype: string, weights: Constant): boolean {
  return dtype === 'float32' && (weights.type === 'int8' || weights.type === 'uint8' || weights.type === 'int4');
}

/** Integers as float32, less their zero point, and the scale that makes real numbers of them: [1, 1 or rows, 1, 1]. */
interface Stored {
  readonly id: TensorId;
  readonly scale: TensorId;
}

/** Smaller ranges count as this one: a scale of 0 has no inverse. */
const LEAST_RANGE = 1e-30;

class Emitter {
  constructor(private readonly node: NodeContext) {}

  number(value: number): TensorId {
    const data = Float32Array.of(value);
    const name = `${this.node.resultName}:${value}`;
    return this.node.builder.addConstant({ name, shape: [1, 1, 1, 1], data, loc: this.node.loc });
  }

  binary(fn: BinaryFunction, a: TensorId, b: TensorId): TensorId {
    return this.node.emit({ kind: 'binary', fn, inputs: [a, b] });
  }

  arithmetic(kind: 'add' | 'sub' | 'mul', a: TensorId, b: TensorId): TensorId {
    return this.node.emit({ kind, inputs: [a, b] });
  }

  unary(fn: 'abs' | 'round', x: TensorId): TensorId {
    return this.node.emit({ kind: 'unary', fn, alpha: 0, beta: 0, inputs: [x] });
  }

  clamp(x: TensorId, lo: number, hi: number): TensorId {
    return this.node.emit({ kind: 'clamp', lo, hi, inputs: [x] });
  }

  /** The largest or least element of the image, or of each of its rows. */
  extreme(fn: 'max' | 'min', image: TensorId, byRow: boolean): TensorId {
    const { shape } = this.node.builder.tensor(image);
    const byPixel = this.node.emit({ kind: 'reduce', fn, inputs: [image] });
    const pixels = elementCountOf(shape.slice(0, 3));
    if (byRow || pixels === 1) return byPixel;
    return this.node.emit({ kind: 'reduce', fn, inputs: [this.node.reshape(byPixel, [1, 1, 1, pixels])] });
  }
}

/** Source: SymmetricQuantizeFloats and AsymmetricQuantizeFloats of TFLite. */
function stored(node: NodeContext, image: TensorId, isSymmetric: boolean, byRow: boolean): Stored {
  const e = new Emitter(node);
  if (isSymmetric) {
    const range = e.binary('max', e.extreme('max', e.unary('abs', image), byRow), e.number(LEAST_RANGE));
    const steps = e.unary('round', e.arithmetic('mul', image, e.binary('div', e.number(127), range)));
    return { id: e.clamp(steps, -127, 127), scale: e.binary('div', range, e.number(127)) };
  }
  const zero = e.number(0);
  const most = e.binary('max', e.extreme('max', image, byRow), zero);
  const least = e.binary('min', e.extreme('min', image, byRow), zero);
  const range = e.binary('max', e.arithmetic('sub', most, least), e.number(LEAST_RANGE));
  const scale = e.binary('div', range, e.number(255));
  const zeroPoint = e.unary('round', e.arithmetic('sub', e.number(-128), e.binary('div', least, scale)));
  const inverse = e.binary('div', e.number(1), scale);
  const steps = e.arithmetic('add', e.arithmetic('mul', image, inverse), zeroPoint);
  return { id: e.arithmetic('sub', e.clamp(e.unary('round', steps), -128, 127), zeroPoint), scale };
}

export interface HybridLayer {
  readonly image: TensorId; // [1, H, W, C], of dense layers [1, rows, 1, K]
  readonly weights: Constant;
  readonly bias: Constant | undefined;
  readonly channels: number; // of the result
  readonly isSymmetric: boolean;
  readonly byRow: boolean;
  /** The layer on integers in float32. @param operands weights and a bias of zeros */
  readonly apply: (image: TensorId, weights: Constant, zeros: Constant) => TensorId;
}

/** The layer's result [1, H, W, M] before its activation. */
export function hybridLayer(node: NodeContext, layer: HybridLayer): TensorId {
  const { weights, channels, bias } = layer;
  const { quantization } = weights;
  if (quantization === undefined)
    return malformed('SW2109', node.loc, `weights '${weights.name}' have no quantisation`);
  const { scales } = quantization;
  if (scales.length !== 1 && scales.length !== channels) {
    malformed('SW2109', node.loc, `${scales.length} scales of weights for ${channels} output channels`);
  }
  const { id, scale } = stored(node, layer.image, layer.isSymmetric, layer.byRow);
  // The weights' integers: their quantisation with scales of 1.
  const integers = { ...quantization, scales: scales.map(() => 1) };
  const elements = (): Float32Array => realsOf({ ...weights, quantization: integers });
  const plain: Constant = { ...weights, type: 'float32', quantization: undefined, elements };
  const noBias = new Float32Array(channels);
  const zeros: Constant = {
    name: `${node.resultName}:zeros`,
    type: 'float32',
    shape: [channels],
    quantization: undefined,
    elements: () => noBias,
  };
  const sums = layer.apply(id, plain, zeros);
  const real = node.emit({ kind: 'mul', inputs: [sums, scale] });
  const data = Float32Array.from({ length: channels }, (_, m) => scales[scales.length === 1 ? 0 : m] ?? 1);
  const offsets = bias === undefined ? noBias : realsOf(bias);
  if (offsets.length !== channels)
    malformed('SW2107', node.loc, `a bias of ${offsets.length} for ${channels} channels`);
  const { builder, loc } = node;
  const inputs = [
    real,
    builder.addConstant({ name: `${weights.name}:scales`, shape: [channels, 1, 1, 1], data, loc }),
    builder.addConstant({ name: bias?.name ?? zeros.name, shape: [channels], data: offsets, loc }),
  ];
  return node.emit({ kind: 'conv2d', window: POINT, groups: channels, inputs });
}
