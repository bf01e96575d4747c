/** The operators of the sample run that cost something: convolutions, matrix products, pools. */
import { elementCountOf, tensorOf } from '../../ir/facts.js';
import type { Conv2dOp, DenseOp, PoolOp, Program, TensorId, Window2d } from '../../ir/types.js';
import { constantOf, readRow, realConstant } from './real-weights.js';
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
    gather(input, pixels, group * channels, channels, patches);
    for (let m = group * perGroup; m < (group + 1) * perGroup; m += 2) {
      const pair = m + 1 < (group + 1) * perGroup;
      readRow(weights, quant, m, taps, rows, 0);
      if (pair) readRow(weights, quant, m + 1, taps, rows, taps);
      multiplyTwoRows(patches, count, rows, taps, data, outC, m, pair);
    }
  }
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) + (bias[i % outC] as number);
  return { shape, data };
}

export function sampleDense(op: DenseOp, program: Program, x: Sample, shape: readonly number[]): Sample {
  const [inputId, weightsId, biasId] = operandsOf(op.inputs);
  const input = repeated(x, tensorOf(program, inputId).shape).data;
  const weights = constantOf(program, weightsId);
  const quant = tensorOf(program, weightsId).quant;
  const bias = realConstant(program, biasId);
  const row = new Float64Array(input.length);
  const data = Float64Array.from(bias);
  for (let m = 0; m < data.length; m++) {
    readRow(weights, quant, m, row.length, row, 0);
    let sum = 0;
    for (let k = 0; k < row.length; k++) sum += (row[k] as number) * (input[k] as number);
    data[m] = (data[m] as number) + sum;
  }
  return { shape, data };
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

/** Channels [first, first + channels) under every tap, pixel after pixel. */
function gather(x: Sample, pixels: Int32Array, first: number, channels: number, patches: Float64Array): void {
  const inC = x.shape[3] ?? 1;
  let to = 0;
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels[i] as number;
    const from = pixel * inC + first;
    for (let c = 0; c < channels; c++) patches[to++] = pixel < 0 ? 0 : (x.data[from + c] as number);
  }
}

/** out[p * pitch + channel] and, for a pair, its neighbour: the products of every patch with one or two rows of weights. */
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
    let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
    const base = (p * taps) | 0;
    const step2 = 2 * taps;
    const step3 = 3 * taps;
    for (let k = 0; k < taps; k++) {
      const w0 = rows[k] as number;
      const w1 = rows[k + taps] as number;
      const x0 = patches[base + k] as number;
      const x1 = patches[base + k + taps] as number;
      const x2 = patches[base + k + step2] as number;
      const x3 = patches[base + k + step3] as number;
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
