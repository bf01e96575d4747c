/** Convolutions with one input channel per group: no dot products to speak of, so channels run innermost. */
import { type Requantization, requantize } from './convolution.js';
import type { WindowGeometry } from './image.js';
import { emptyLike } from './movement.js';

/**
 * @param x [1, H, W, C]
 * @param weights [M, KH, KW, 1] with M a multiple of C: output channel m reads input channel floor(m * C / M)
 */
export function depthwise8<T extends Int8Array | Uint8Array>(
  geometry: WindowGeometry,
  x: T,
  weights: Int8Array | Uint8Array,
  q: Requantization,
): T {
  const { inC, outC, outH, outW } = geometry;
  const byTap = tapsOutermost(
    Int16Array.from(weights, (w) => w - q.weightZeroPoint),
    outC,
    new Int16Array(weights.length),
  );
  const perInput = outC / inC;
  const sums = new Int32Array(outC);
  const out = emptyLike(x, outH * outW * outC);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      sums.set(q.bias);
      forEachTap(geometry, oy, ox, (tap, pixel) => {
        addTap8(x, pixel * inC, q.inputZeroPoint, byTap, tap * outC, sums, inC, perInput);
      });
      requantize(sums, 0, 0, outC, q, out, (oy * outW + ox) * outC);
    }
  }
  return out;
}

/** As depthwise8, for float32. */
export function depthwiseFloat32(
  geometry: WindowGeometry,
  x: Float32Array,
  weights: Float32Array,
  bias: Float32Array,
): Float32Array {
  const { inC, outC, outH, outW } = geometry;
  const byTap = tapsOutermost(weights, outC, new Float32Array(weights.length));
  const perInput = outC / inC;
  const sums = new Float64Array(outC);
  const out = new Float32Array(outH * outW * outC);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      sums.fill(0);
      forEachTap(geometry, oy, ox, (tap, pixel) => {
        addTapFloat32(x, pixel * inC, byTap, tap * outC, sums, inC, perInput);
      });
      const to = (oy * outW + ox) * outC;
      for (let m = 0; m < outC; m++) out[to + m] = (sums[m] as number) + (bias[m] as number);
    }
  }
  return out;
}

function addTap8(
  x: Int8Array | Uint8Array,
  from: number,
  zeroPoint: number,
  weights: Int16Array,
  fromWeight: number,
  sums: Int32Array,
  inC: number,
  perInput: number,
): void {
  if (perInput === 1) {
    for (let c = 0; c < inC; c++) {
      const product = Math.imul((x[from + c] as number) - zeroPoint, weights[fromWeight + c] as number);
      sums[c] = ((sums[c] as number) + product) | 0;
    }
    return;
  }
  for (let c = 0, m = 0; c < inC; c++) {
    const value = (x[from + c] as number) - zeroPoint;
    for (const end = m + perInput; m < end; m++) {
      sums[m] = ((sums[m] as number) + Math.imul(value, weights[fromWeight + m] as number)) | 0;
    }
  }
}

function addTapFloat32(
  x: Float32Array,
  from: number,
  weights: Float32Array,
  fromWeight: number,
  sums: Float64Array,
  inC: number,
  perInput: number,
): void {
  for (let c = 0, m = 0; c < inC; c++) {
    const value = x[from + c] as number;
    for (const end = m + perInput; m < end; m++) {
      sums[m] = (sums[m] as number) + value * (weights[fromWeight + m] as number);
    }
  }
}

/** Calls `visit` with the taps of a window that lie inside the image, and the pixel under each, in the order KH, KW. */
export function forEachTap(
  geometry: WindowGeometry,
  outRow: number,
  outColumn: number,
  visit: (tap: number, pixel: number) => void,
): void {
  const { inH, inW } = geometry;
  const { kernel, stride, dilation, pad } = geometry.window;
  for (let ky = 0; ky < kernel[0]; ky++) {
    const y = outRow * stride[0] - pad.top + ky * dilation[0];
    if (y < 0 || y >= inH) continue;
    for (let kx = 0; kx < kernel[1]; kx++) {
      const x = outColumn * stride[1] - pad.left + kx * dilation[1];
      if (x >= 0 && x < inW) visit(ky * kernel[1] + kx, y * inW + x);
    }
  }
}

/** [M, taps] to [taps, M]. */
function tapsOutermost<T extends Int16Array | Float32Array>(weights: T, channels: number, to: T): T {
  const taps = weights.length / channels;
  for (let m = 0; m < channels; m++) {
    for (let tap = 0; tap < taps; tap++) to[tap * channels + m] = weights[m * taps + tap] as number;
  }
  return to;
}
