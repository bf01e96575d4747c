/** Functions of several operands, reductions, normalisation and matrix products on real numbers; docs/numerics.md. */
import { assertNever } from '../base/assert-never.js';
import { elementCountOf } from '../ir/facts.js';
import type { BinaryFunction, FloatOp, LayerNormOp, MatMulOp, Reduction, SumRescale, Tensor } from '../ir/types.js';
import { limit, limitsOf, mbqm, mbqmOnce, rescaleReal, type Stored } from './fixed-point.js';
import { type Elements, emptyLike } from './movement.js';
import { recurrent } from './recurrent.js';
import { recurrentInt8 } from './recurrent-int8.js';

interface Operand {
  readonly tensor: Tensor;
  readonly data: Elements;
}

/**
 * @param input the operand at a position
 * @param zeroPoint of an integer result, before the epilogue
 */
export function runFloatOp(
  op: FloatOp,
  input: (position: number) => Operand,
  output: Tensor,
  zeroPoint: number,
): Elements {
  const x = input(0);
  const all = (position: number): Elements => {
    const operand = input(position);
    return repeated(operand.data, operand.tensor.shape, output.shape);
  };
  switch (op.kind) {
    case 'binary':
      return binaryMath(op.fn, all(0), all(1));
    case 'select': {
      const [condition, a, b] = [all(0), all(1), all(2)];
      const out = emptyLike(a, a.length);
      for (let i = 0; i < out.length; i++) out[i] = (condition[i] !== 0 ? a[i] : b[i]) as number;
      return out;
    }
    case 'reduce':
      return reduce(op.fn, x.data, x.tensor.shape.at(-1) ?? 1);
    case 'layerNorm':
      return layerNorm(op, x.data, input(1).data, input(2).data);
    case 'matmul':
      return matMul(op, x, input(1), zeroPoint);
    case 'gather':
      return gather(x, input(1).data);
    case 'recurrent':
      return op.cell === 'lstmInt8'
        ? recurrentInt8(op, x.data, x.tensor.shape, input(1).data, input(2).data)
        : recurrent(op, x.data, x.tensor.shape, input(1).data, input(2).data);
    case 'broadcast':
      return repeated(x.data, x.tensor.shape, output.shape).slice();
    default:
      return assertNever(op);
  }
}

function gather({ tensor, data }: Operand, indices: Elements): Elements {
  const [entries = 1, length = 1] = tensor.shape;
  const out = emptyLike(data, indices.length * length);
  for (const [i, raw] of indices.entries()) {
    const entry = Math.min(entries - 1, Math.max(0, raw < 0 ? raw + entries : raw));
    out.set(data.subarray(entry * length, (entry + 1) * length), i * length);
  }
  return out;
}

/** Elements of `shape` with its extents of 1 repeated to those of `to`. */
export function repeated<T extends Elements>(data: T, shape: readonly number[], to: readonly number[]): T {
  if (elementCountOf(shape) === elementCountOf(to)) return data;
  const out = emptyLike(data, elementCountOf(to));
  const steps = shape.map((extent, axis) => (extent === 1 ? 0 : elementCountOf(shape.slice(axis + 1))));
  const [, rows = 1, columns = 1, channels = 1] = to;
  const [, rowStep = 0, columnStep = 0, channelStep = 0] = steps;
  let at = 0;
  for (let r = 0; r < rows; r++) {
    for (let x = 0; x < columns; x++) {
      const from = r * rowStep + x * columnStep;
      for (let c = 0; c < channels; c++) out[at++] = data[from + c * channelStep] as number;
    }
  }
  return out;
}

function binaryMath(fn: BinaryFunction, a: Elements, b: Elements): Elements {
  const out = emptyLike(a, a.length);
  const apply = binaryFunction(fn);
  for (let i = 0; i < out.length; i++) out[i] = apply(a[i] as number, b[i] as number);
  return out;
}

const asNumber = (truth: boolean): number => (truth ? 1 : 0);

function binaryFunction(fn: BinaryFunction): (a: number, b: number) => number {
  switch (fn) {
    case 'div':
      return (a, b) => a / b;
    case 'pow':
      return (a, b) => a ** b;
    case 'max':
      return Math.max;
    case 'min':
      return Math.min;
    case 'mod':
      return (a, b) => a - b * Math.floor(a / b);
    case 'equal':
      return (a, b) => asNumber(a === b);
    case 'less':
      return (a, b) => asNumber(a < b);
    case 'lessOrEqual':
      return (a, b) => asNumber(a <= b);
    case 'greater':
      return (a, b) => asNumber(a > b);
    case 'greaterOrEqual':
      return (a, b) => asNumber(a >= b);
    case 'and':
      return (a, b) => asNumber(a !== 0 && b !== 0);
    case 'or':
      return (a, b) => asNumber(a !== 0 || b !== 0);
    case 'xor':
      return (a, b) => asNumber((a !== 0) !== (b !== 0));
    case 'prelu':
      return (a, b) => (a < 0 ? a * b : a);
    default:
      return assertNever(fn);
  }
}

function reduce(fn: Reduction, x: Elements, channels: number): Elements {
  const pixels = x.length / channels;
  const out = fn === 'argMax' || fn === 'argMin' ? new Int32Array(pixels) : emptyLike(x, pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    out[pixel] = reducedPixel(fn, Float64Array.from(x.subarray(pixel * channels, (pixel + 1) * channels)));
  }
  return out;
}

function reducedPixel(fn: Reduction, x: Float64Array): number {
  const sum = (of: (value: number) => number): number => {
    let total = 0;
    for (const value of x) total += of(value);
    return total;
  };
  switch (fn) {
    case 'sum':
      return sum((v) => v);
    case 'mean':
      return sum((v) => v) / x.length;
    case 'max':
      return x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    case 'min':
      return x.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    case 'prod':
      return x.reduce((a, b) => a * b, 1);
    case 'l1':
      return sum(Math.abs);
    case 'l2':
      return Math.sqrt(sum((v) => v * v));
    case 'sumSquare':
      return sum((v) => v * v);
    case 'logSumExp': {
      const largest = x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      return Math.log(sum((v) => Math.exp(v - largest))) + largest;
    }
    case 'argMax':
      return bestOf(x, (a, b) => a > b);
    case 'argMin':
      return bestOf(x, (a, b) => a < b);
    default:
      return assertNever(fn);
  }
}

function bestOf(x: Float64Array, isBetter: (a: number, b: number) => boolean): number {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (isBetter(x[i] as number, x[best] as number)) best = i;
  return best;
}

function layerNorm(op: LayerNormOp, x: Elements, gamma: Elements, beta: Elements): Float32Array {
  const channels = gamma.length;
  const out = new Float32Array(x.length);
  const epsilon = Math.fround(op.epsilon);
  for (let start = 0; start < x.length; start += channels) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += x[start + c] as number;
    const mean = op.isCentred ? sum / channels : 0;
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += ((x[start + c] as number) - mean) ** 2;
    const deviation = Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) {
      out[start + c] = (((x[start + c] as number) - mean) / deviation) * (gamma[c] as number) + (beta[c] as number);
    }
  }
  return out;
}

function matMul(op: MatMulOp, a: Operand, b: Operand, zeroPoint: number): Elements {
  const [, batch = 1, rows = 1, inner = 1] = a.tensor.shape;
  const [, batchB = 1] = b.tensor.shape;
  const columns = (op.transposeB ? b.tensor.shape[2] : b.tensor.shape[3]) ?? 1;
  const [columnStep, innerStep] = op.transposeB ? [inner, 1] : [1, columns];
  const out = emptyLike(a.data, batch * rows * columns);
  const [zeroA, zeroB] = [a.tensor.quant?.zeroPoint ?? 0, b.tensor.quant?.zeroPoint ?? 0];
  const finish = op.rescale === undefined ? undefined : rescaling(op.rescale, out, zeroPoint);
  let to = 0;
  for (let h = 0; h < batch; h++) {
    const startB = batchB === 1 ? 0 : h * inner * columns;
    for (let m = 0; m < rows; m++) {
      const startA = (h * rows + m) * inner;
      for (let n = 0; n < columns; n++) {
        let sum = 0;
        for (let k = 0, at = startB + n * columnStep; k < inner; k++, at += innerStep) {
          sum += ((a.data[startA + k] as number) - zeroA) * ((b.data[at] as number) - zeroB);
        }
        out[to++] = finish === undefined ? sum : finish(sum);
      }
    }
  }
  return out;
}

/** Stored integers of exact sums. */
function rescaling(rescale: SumRescale, like: Elements, zeroPoint: number): (sum: number) => number {
  const { multiplier, shift, scale, rounding } = rescale;
  const { lo, hi } = limitsOf(like as Stored);
  return (sum) => {
    const wrapped = sum | 0;
    const fixed = rounding === 'once' ? mbqmOnce : mbqm;
    const scaled = scale === undefined ? fixed(wrapped, multiplier, shift) : rescaleReal(wrapped, scale);
    return limit(scaled + zeroPoint, lo, hi);
  };
}
