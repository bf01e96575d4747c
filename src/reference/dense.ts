/** Matrix products: x [1, K] with weights [M, K]. */
import type { Requantization } from './convolution.js';
import { requantize, requantize16 } from './convolution.js';
import { emptyLike } from './movement.js';

export function dense8<T extends Int8Array | Uint8Array>(x: T, weights: Int8Array | Uint8Array, q: Requantization): T {
  const channels = q.bias.length;
  const length = x.length;
  const centred = new Int32Array(length);
  for (let k = 0; k < length; k++) centred[k] = (x[k] as number) - q.inputZeroPoint;
  const zero = q.weightZeroPoint;
  const sums = new Int32Array(channels);
  for (let m = 0; m < channels; m++) {
    let sum = q.bias[m] as number;
    const from = m * length;
    for (let k = 0; k < length; k++) {
      sum = (sum + Math.imul(centred[k] as number, (weights[from + k] as number) - zero)) | 0;
    }
    sums[m] = sum;
  }
  const out = emptyLike(x, channels);
  requantize(sums, 0, 0, channels, q, out, 0);
  return out;
}

export function dense16(x: Int16Array, weights: Int8Array | Uint8Array, q: Requantization): Int16Array {
  const out = new Int16Array(q.bias.length);
  for (let m = 0; m < out.length; m++) {
    const from = m * x.length;
    let sum = 0;
    for (let k = 0; k < x.length; k++) {
      sum += ((x[k] as number) - q.inputZeroPoint) * ((weights[from + k] as number) - q.weightZeroPoint);
    }
    out[m] = requantize16(sum, m, q);
  }
  return out;
}

export function denseFloat32(x: Float32Array, weights: Float32Array, bias: Float32Array): Float32Array {
  const length = x.length;
  const out = new Float32Array(bias.length);
  for (let m = 0; m < out.length; m++) {
    let sum = 0;
    const from = m * length;
    for (let k = 0; k < length; k++) sum += (x[k] as number) * (weights[from + k] as number);
    out[m] = sum + (bias[m] as number);
  }
  return out;
}
