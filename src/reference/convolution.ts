/** conv2d with any number of groups, and the gathering of its windows. */
import { addDotProducts, CHUNK_TAPS, laneCountFloat32, packSingles, TILE_PIXELS } from './dot-products.js';
import { limit, limitsOf, mbqm, mbqm64, mbqmOnce, mbqmOnce64, rescaleReal } from './fixed-point.js';
import type { WindowGeometry } from './image.js';
import { type Int8Products, int8Products } from './int8-products.js';
import { gatherWindows, paddedImage } from './int8-windows.js';
import { emptyLike } from './movement.js';

/** Of a quantised convolution or matrix product: how accumulators become stored values. */
export interface Requantization {
  readonly bias: Int32Array; // [M]
  readonly requant: Int32Array | Float32Array; // [M, 2]: multiplier, shift; or [M]: real scales
  readonly inputZeroPoint: number;
  readonly weightZeroPoint: number;
  readonly resultZeroPoint: number;
  readonly roundsOnce: boolean;
}

/**
 * @param x [1, H, W, C]
 * @param weights [M, KH, KW, C / groups]
 * @returns [1, OH, OW, M]
 */
export function convolve8<T extends Int8Array | Uint8Array>(
  geometry: WindowGeometry,
  groups: number,
  x: T,
  weights: Int8Array | Uint8Array,
  q: Requantization,
): T {
  const { outH, outW, outC } = geometry;
  const channels = outC / groups;
  const taps = weights.length / outC;
  const pixelCount = outH * outW;
  const out = emptyLike(x, pixelCount * outC);
  const tile = Math.min(Math.ceil(pixelCount / 4) * 4, Math.max(4, Math.floor(PATCH_ELEMENTS / taps / 4) * 4));
  const image = paddedImage(geometry, x, q.inputZeroPoint);
  const atOnce = Math.max(8, Math.floor(WEIGHT_ELEMENTS / taps / 8) * 8);
  for (let group = 0; group < groups; group++) {
    for (let done = 0; done < channels; done += atOnce) {
      const first = group * channels + done;
      const count = Math.min(atOnce, channels - done);
      const products = int8Products(tile, weights, q.weightZeroPoint, first, count, taps, image.bytes);
      for (let pixel = 0; pixel < pixelCount; pixel += tile) {
        const pixels = Math.min(tile, pixelCount - pixel);
        gatherWindows(geometry, image, groups, group, pixel, pixels, products);
        products.multiply(pixels);
        requantizeTile(products, pixels, first, count, q, out, pixel * outC + first, outC);
      }
    }
  }
  return out;
}

/** Elements of a tile's windows: they should stay in the cache. */
const PATCH_ELEMENTS = 1 << 16;

/** Weights that are packed at once; the input is gathered again for the channels that are left. */
const WEIGHT_ELEMENTS = 1 << 24;

/** Stores the sums of `pixels` pixels and of the channels from `channel` on, at `to` and every `pitch` elements. */
function requantizeTile(
  products: Int8Products,
  pixels: number,
  channel: number,
  count: number,
  q: Requantization,
  out: Int8Array | Uint8Array,
  to: number,
  pitch: number,
): void {
  const { sums, sumChannels, parameters, results } = products;
  const { bias, requant } = q;
  const { lo, hi } = limitsOf(out);
  if (requant instanceof Float32Array) {
    for (let p = 0; p < pixels; p++) {
      const row = sums.subarray(p * sumChannels, p * sumChannels + count);
      for (let i = 0; i < count; i++) row[i] = (row[i] as number) + (bias[channel + i] as number);
      requantize(row, 0, channel, count, q, out, to + p * pitch);
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    parameters[3 * i] = bias[channel + i] as number;
    parameters[3 * i + 1] = requant[2 * (channel + i)] as number;
    parameters[3 * i + 2] = requant[2 * (channel + i) + 1] as number;
  }
  products.requantize(pixels, q.roundsOnce, q.resultZeroPoint, lo, hi);
  const bytes = new Uint8Array(out.buffer, out.byteOffset, out.length);
  if (count === pitch) bytes.set(results.subarray(0, pixels * count), to);
  else for (let p = 0; p < pixels; p++) bytes.set(results.subarray(p * count, (p + 1) * count), to + p * pitch);
}

/** Stores `count` accumulators of the channels from `channel` on. */
export function requantize(
  accumulators: Int32Array,
  from: number,
  channel: number,
  count: number,
  q: Requantization,
  out: Int8Array | Uint8Array,
  to: number,
): void {
  const requant = q.requant;
  const rescale = q.roundsOnce ? mbqmOnce : mbqm;
  const zeroPoint = q.resultZeroPoint;
  const { lo, hi } = limitsOf(out);
  if (requant instanceof Float32Array) {
    for (let i = 0; i < count; i++) {
      const scaled = rescaleReal(accumulators[from + i] as number, requant[channel + i] as number);
      out[to + i] = limit(scaled + zeroPoint, lo, hi);
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const multiplier = requant[2 * (channel + i)] as number;
    const shift = requant[2 * (channel + i) + 1] as number;
    out[to + i] = limit(rescale(accumulators[from + i] as number, multiplier, shift) + zeroPoint, lo, hi);
  }
}

/** As convolve8, for int16: sums of 64 bits, which doubles hold exactly as they stay below 2^53. */
export function convolve16(
  geometry: WindowGeometry,
  groups: number,
  x: Int16Array,
  weights: Int8Array | Uint8Array,
  q: Requantization,
): Int16Array {
  const real = Float64Array.from(weights, (w) => w - q.weightZeroPoint);
  const out = new Int16Array(geometry.outH * geometry.outW * geometry.outC);
  forEachSum(geometry, groups, x, q.inputZeroPoint, real, (sum, channel, at) => {
    out[at] = requantize16(sum, channel, q);
  });
  return out;
}

export function requantize16(sum: number, channel: number, q: Requantization): number {
  const multiplier = q.requant[2 * channel] as number;
  const shift = q.requant[2 * channel + 1] as number;
  const rescale = q.roundsOnce ? mbqmOnce64 : mbqm64;
  const scaled = rescale(sum + (q.bias[channel] as number), multiplier, shift);
  return limit(scaled + q.resultZeroPoint, -32768, 32767);
}

/** As convolve8, for float32. */
export function convolveFloat32(
  geometry: WindowGeometry,
  groups: number,
  x: Float32Array,
  weights: Float32Array,
  bias: Float32Array,
): Float32Array {
  const out = new Float32Array(geometry.outH * geometry.outW * geometry.outC);
  forEachSum(geometry, groups, x, 0, weights, (sum, channel, at) => {
    out[at] = sum + (bias[channel] as number);
  });
  return out;
}

/**
 * Calls `store` with every sum of products, in double precision and the order of the taps.
 *
 * @param store takes the sum, its output channel, and the index of the result
 */
function forEachSum(
  geometry: WindowGeometry,
  groups: number,
  x: Int16Array | Float32Array,
  zeroPoint: number,
  weights: Float32Array | Float64Array,
  store: (sum: number, channel: number, at: number) => void,
): void {
  const { outH, outW, outC } = geometry;
  const channels = outC / groups;
  const taps = weights.length / outC;
  const laneCount = laneCountFloat32(channels);
  const pixelCount = outH * outW;
  const patches = new Float64Array(TILE_PIXELS * taps);
  const sums = new Float64Array(TILE_PIXELS * laneCount);
  for (let group = 0; group < groups; group++) {
    const first = group * channels;
    const lanes = packSingles(weights, first, channels, taps);
    for (let pixel = 0; pixel < pixelCount; pixel += TILE_PIXELS) {
      const count = Math.min(TILE_PIXELS, pixelCount - pixel);
      const padded = Math.ceil(count / 4) * 4;
      gatherPatches(geometry, groups, group, x, zeroPoint, pixel, count, patches);
      sums.fill(0);
      for (let tap = 0; tap < taps; tap += CHUNK_TAPS) {
        addDotProducts(patches, padded, lanes, laneCount, taps, tap, Math.min(taps, tap + CHUNK_TAPS), sums);
      }
      for (let p = 0; p < count; p++) {
        const to = (pixel + p) * outC + first;
        for (let m = 0; m < channels; m++) store(sums[p * laneCount + m] as number, first + m, to + m);
      }
    }
  }
}

/**
 * Writes x - zeroPoint under the windows of `count` output pixels, in the order KH, KW, C, as patches. Taps in the padding
 * are 0: adding 0 * w changes neither sum, as weights are finite and a sum that starts at +0 never is -0.
 */
function gatherPatches(
  geometry: WindowGeometry,
  groups: number,
  group: number,
  x: Int16Array | Float32Array,
  zeroPoint: number,
  firstPixel: number,
  count: number,
  patches: Float64Array,
): void {
  const { inH, inW, inC, outW } = geometry;
  const { kernel, stride, dilation, pad } = geometry.window;
  const channels = inC / groups;
  const firstChannel = group * channels;
  const taps = kernel[0] * kernel[1] * channels;
  for (let p = 0; p < count; p++) {
    const row = Math.floor((firstPixel + p) / outW) * stride[0] - pad.top;
    const column = ((firstPixel + p) % outW) * stride[1] - pad.left;
    let to = ((p >> 2) * taps * 4 + (p & 3)) | 0;
    for (let ky = 0; ky < kernel[0]; ky++) {
      const y = row + ky * dilation[0];
      for (let kx = 0; kx < kernel[1]; kx++) {
        const end = (to + channels * 4) | 0;
        const xx = column + kx * dilation[1];
        if (y < 0 || y >= inH || xx < 0 || xx >= inW) {
          for (; to < end; to += 4) patches[to] = 0;
          continue;
        }
        let from = ((y * inW + xx) * inC + firstChannel) | 0;
        for (; to < end; to += 4) patches[to] = (x[from++] as number) - zeroPoint;
      }
    }
  }
}
