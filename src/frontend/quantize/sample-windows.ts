/** The operators of the sample run that cost something: convolutions, matrix products, pools. */
import { elementCountOf, tensorOf } from '../../ir/facts.js';
import type { Conv2dOp, DenseOp, PoolOp, Program, TensorId, Window2d } from '../../ir/types.js';
import { constantOf, readRow, realConstant, scaleOfRow } from './real-weights.js';
import { repeated, type Sample } from './sample.js';

/** The convolution at the pixels of `shape`; see sample-run.ts for the padding. */
export function sampleConvolution(op: Conv2dOp, program: Program, x: Sample, shape: readonly number[]): Sample {
  const [, weightsId, biasId] = operandsOf(op.inputs);
  const full = tensorOf(program, op.inputs[0] ?? op.output).shape;
  const input = repeated(x, x.shape.with(3, full[3] ?? 1));
  const pixels = sourcePixels(op.window, input.shape, full, shape);
  const weights = constantOf(program, weightsId);
  const quant = tensorOf(program, weightsId).quant;
  const bias = realConstant(program, biasId);
  const outC = shape[3] ?? 1;
  const perGroup = outC / op.groups;
  const channels = (full[3] ?? 1) / op.groups;
  const count = elementCountOf(shape) / outC;
  const taps = (pixels.length / count) * channels;
  const data = new Float64Array(count * outC);
  const patches = new Float64Array(Math.ceil(count / 4) * 4 * taps);
  const rows = new Float64Array(2 * taps);
  for (let group = 0; group < op.groups; group++) {
    gather(input, pixels, group * channels, channels, taps, patches);
    for (let m = group * perGroup; m < (group + 1) * perGroup; m += 2) {
      const pair = m + 1 < (group + 1) * perGroup;
      readRow(weights, quant, m, taps, rows, 0, 2);
      if (pair) readRow(weights, quant, m + 1, taps, rows, 1, 2);
      multiplyTwoRows(patches, count, rows, taps, data, outC, m, pair);
    }
  }
  for (let start = 0; start < data.length; start += outC) {
    for (let m = 0; m < outC; m++) data[start + m] = (data[start + m] as number) + (bias[m] as number);
  }
  return { shape, data };
}

export function sampleDense(op: DenseOp, program: Program, x: Sample, shape: readonly number[]): Sample {
  const [inputId, weightsId, biasId] = operandsOf(op.inputs);
  const input = repeated(x, tensorOf(program, inputId).shape).data;
  const weights = constantOf(program, weightsId);
  const quant = tensorOf(program, weightsId).quant;
  const bias = realConstant(program, biasId);
  const data = Float64Array.from(bias, (value, m) => {
    const from = m * input.length;
    if (weights instanceof Float32Array) return value + dotFloat32(weights, from, input);
    if (weights instanceof Int8Array) return value + dotInt8(weights, from, input) * scaleOfRow(quant, m);
    throw new Error(`'${op.name}' has int32 weights`);
  });
  return { shape, data };
}

function dotFloat32(weights: Float32Array, from: number, x: Float64Array): number {
  let sum = 0;
  let i = from | 0;
  for (let k = 0; k < x.length; k++) sum += (weights[i++] as number) * (x[k] as number);
  return sum;
}

function dotInt8(weights: Int8Array, from: number, x: Float64Array): number {
  let sum = 0;
  let i = from | 0;
  for (let k = 0; k < x.length; k++) sum += (weights[i++] as number) * (x[k] as number);
  return sum;
}

export function samplePool(op: PoolOp, program: Program, x: Sample, shape: readonly number[]): Sample {
  const full = tensorOf(program, op.inputs[0] ?? op.output).shape;
  const pixels = sourcePixels(op.window, x.shape, full, shape);
  const channels = shape[3] ?? 1;
  const inC = x.shape[3] ?? 1;
  const count = elementCountOf(shape) / channels;
  const taps = pixels.length / count;
  const largest = op.kind === 'maxPool';
  const data = new Float64Array(count * channels).fill(largest ? Number.NEGATIVE_INFINITY : 0);
  for (let p = 0; p < count; p++) {
    const to = p * channels;
    let inside = 0;
    for (let tap = 0; tap < taps; tap++) {
      const pixel = pixels[p * taps + tap] as number;
      if (pixel < 0) continue;
      inside++;
      for (let c = 0; c < channels; c++) {
        const value = x.data[pixel * inC + c] as number;
        data[to + c] = largest ? Math.max(data[to + c] as number, value) : (data[to + c] as number) + value;
      }
    }
    const divisor = op.countIncludePad ? taps : Math.max(1, inside);
    for (let c = 0; c < channels && !largest; c++) data[to + c] = (data[to + c] as number) / divisor;
  }
  return { shape, data };
}

function operandsOf(inputs: readonly TensorId[]): [TensorId, TensorId, TensorId] {
  const [x, weights, bias] = inputs;
  if (x === undefined || weights === undefined || bias === undefined) throw new Error('weights or bias are missing');
  return [x, weights, bias];
}

/** Which pixel of the sample lies under each tap of each output pixel; -1 for zero padding. */
function sourcePixels(
  window: Window2d,
  sampled: readonly number[],
  full: readonly number[],
  shape: readonly number[],
): Int32Array {
  const sources = ([0, 1] as const).map((axis) => {
    const extent = sampled[axis + 1] ?? 1;
    const repeats = extent < (full[axis + 1] ?? 1);
    const pad = axis === 0 ? window.pad.top : window.pad.left;
    const kernel = window.kernel[axis];
    return Int32Array.from({ length: (shape[axis + 1] ?? 1) * kernel }, (_, i) => {
      const at = Math.floor(i / kernel) * window.stride[axis] - pad + (i % kernel) * window.dilation[axis];
      if (repeats) return ((at % extent) + extent) % extent;
      return at >= 0 && at < extent ? at : -1;
    });
  });
  const [rows = new Int32Array(), columns = new Int32Array()] = sources;
  const [kernelH, kernelW] = window.kernel;
  const width = sampled[2] ?? 1;
  const out = new Int32Array(rows.length * columns.length);
  let to = 0;
  for (let y = 0; y < rows.length; y += kernelH) {
    for (let x = 0; x < columns.length; x += kernelW) {
      for (let ky = y; ky < y + kernelH; ky++) {
        for (let kx = x; kx < x + kernelW; kx++) {
          const row = rows[ky] as number;
          const column = columns[kx] as number;
          out[to++] = row < 0 || column < 0 ? -1 : row * width + column;
        }
      }
    }
  }
  return out;
}

/** Channels [first, first + channels) under every tap, as [quad of output pixels][tap][4]. */
function gather(
  x: Sample,
  pixels: Int32Array,
  first: number,
  channels: number,
  taps: number,
  patches: Float64Array,
): void {
  const inC = x.shape[3] ?? 1;
  const { data } = x;
  const windowTaps = taps / channels;
  for (let i = 0; i < pixels.length; i++) {
    const p = Math.floor(i / windowTaps);
    let to = (p >> 2) * taps * 4 + (i - p * windowTaps) * channels * 4 + (p & 3);
    const pixel = pixels[i] as number;
    const from = pixel * inC + first;
    for (let c = 0; c < channels; c++) {
      patches[to] = pixel < 0 ? 0 : (data[from + c] as number);
      to += 4;
    }
  }
}

/**
 * out[p * pitch + channel] and, for a pair, its neighbour: the products of every patch with one or two rows of weights,
 * which are interleaved as [tap][2].
 */
function multiplyTwoRows(
  patches: Float64Array,
  count: number,
  rows: Float64Array,
  taps: number,
  out: Float64Array,
  pitch: number,
  channel: number,
  pair: boolean,
): void {
  for (let p = 0; p < count; p += 4) {
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    let b0 = 0;
    let b1 = 0;
    let b2 = 0;
    let b3 = 0;
    let i = (p * taps) | 0;
    const end = (2 * taps) | 0;
    for (let j = 0; j < end; j += 2) {
      const w0 = rows[j] as number;
      const w1 = rows[j + 1] as number;
      const x0 = patches[i] as number;
      const x1 = patches[i + 1] as number;
      const x2 = patches[i + 2] as number;
      const x3 = patches[i + 3] as number;
      i = (i + 4) | 0;
      a0 += x0 * w0;
      a1 += x1 * w0;
      a2 += x2 * w0;
      a3 += x3 * w0;
      b0 += x0 * w1;
      b1 += x1 * w1;
      b2 += x2 * w1;
      b3 += x3 * w1;
    }
    store(out, p, count, pitch, channel, a0, a1, a2, a3);
    if (pair) store(out, p, count, pitch, channel + 1, b0, b1, b2, b3);
  }
}

function store(
  out: Float64Array,
  pixel: number,
  count: number,
  pitch: number,
  channel: number,
  v0: number,
  v1: number,
  v2: number,
  v3: number,
): void {
  out[pixel * pitch + channel] = v0;
  if (pixel + 1 < count) out[(pixel + 1) * pitch + channel] = v1;
  if (pixel + 2 < count) out[(pixel + 2) * pitch + channel] = v2;
  if (pixel + 3 < count) out[(pixel + 3) * pitch + channel] = v3;
}
