/** maxPool and avgPool of images [1, H, W, C]; quantisation in is quantisation out. */
import { forEachTap } from './depthwise.js';
import { divideHalfAway, limit, limitsOf, mbqm, rescaleReal, type Stored } from './fixed-point.js';
import type { WindowGeometry } from './image.js';
import { emptyLike } from './movement.js';

export function maxPool<T extends Stored | Float32Array>(geometry: WindowGeometry, x: T, out: T): T {
  const { inC: channels, outH, outW } = geometry;
  out.fill(out instanceof Float32Array ? Number.NEGATIVE_INFINITY : limitsOf(out).lo);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      const to = (oy * outW + ox) * channels;
      forEachTap(geometry, oy, ox, (_tap, pixel) => {
        const from = pixel * channels;
        for (let c = 0; c < channels; c++) {
          out[to + c] = Math.max(out[to + c] as number, x[from + c] as number);
        }
      });
    }
  }
  return out;
}

export function avgPoolQuantized<T extends Stored>(
  geometry: WindowGeometry,
  countIncludePad: boolean,
  zeroPoint: number,
  x: T,
): T {
  const { inC: channels, outH, outW } = geometry;
  const allTaps = geometry.window.kernel[0] * geometry.window.kernel[1];
  const sums = new Float64Array(channels);
  const out = emptyLike(x, outH * outW * channels);
  const { lo, hi } = limitsOf(out);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      const inside = sumTaps(geometry, oy, ox, x, sums);
      const padding = countIncludePad ? allTaps - inside : 0;
      const to = (oy * outW + ox) * channels;
      for (let c = 0; c < channels; c++) {
        const sum = (sums[c] as number) + padding * zeroPoint;
        out[to + c] = limit(divideHalfAway(sum, inside + padding), lo, hi);
      }
    }
  }
  return out;
}

export interface SumScale {
  readonly multiplier: number;
  readonly shift: number;
  readonly scale: number | undefined; // real rescaling
  readonly inputZeroPoint: number;
  readonly resultZeroPoint: number;
}

export function sumPool<T extends Stored>(geometry: WindowGeometry, x: T, scale: SumScale): T {
  const { inC: channels, outH, outW } = geometry;
  const sums = new Float64Array(channels);
  const out = emptyLike(x, outH * outW * channels);
  const { lo, hi } = limitsOf(out);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      const zero = sumTaps(geometry, oy, ox, x, sums) * scale.inputZeroPoint;
      const to = (oy * outW + ox) * channels;
      for (let c = 0; c < channels; c++) {
        const sum = (sums[c] as number) - zero;
        const scaled =
          scale.scale === undefined ? mbqm(sum, scale.multiplier, scale.shift) : rescaleReal(sum, scale.scale);
        out[to + c] = limit(scaled + scale.resultZeroPoint, lo, hi);
      }
    }
  }
  return out;
}

export function avgPoolFloat32(geometry: WindowGeometry, countIncludePad: boolean, x: Float32Array): Float32Array {
  const { inC: channels, outH, outW } = geometry;
  const allTaps = geometry.window.kernel[0] * geometry.window.kernel[1];
  const sums = new Float64Array(channels);
  const out = new Float32Array(outH * outW * channels);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      const inside = sumTaps(geometry, oy, ox, x, sums);
      const count = countIncludePad ? allTaps : inside;
      const to = (oy * outW + ox) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = (sums[c] as number) / count;
    }
  }
  return out;
}

/** Sets sums[c] to the sum over the taps inside the image, in the order KH, KW, and returns how many there are. */
function sumTaps(
  geometry: WindowGeometry,
  outRow: number,
  outColumn: number,
  x: Stored | Float32Array,
  sums: Float64Array,
): number {
  const channels = geometry.inC;
  let inside = 0;
  sums.fill(0);
  forEachTap(geometry, outRow, outColumn, (_tap, pixel) => {
    const from = pixel * channels;
    for (let c = 0; c < channels; c++) sums[c] = (sums[c] as number) + (x[from + c] as number);
    inside++;
  });
  return inside;
}
