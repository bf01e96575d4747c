/** Operators that move stored values and compute nothing. All of them return a new array. */
import type { Tensor } from '../ir/types.js';
import { imageExtents } from './image.js';

export type Elements = Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array;

/** An array of the same type and another length, all zero. */
export function emptyLike<T extends Elements>(x: T, length: number): T {
  return new (x.constructor as new (length: number) => T)(length);
}

export function upsample<T extends Elements>(x: T, input: Tensor, scale: readonly [number, number]): T {
  const [, h, w, c] = imageExtents(input);
  const outH = h * scale[0];
  const outW = w * scale[1];
  const out = emptyLike(x, outH * outW * c);
  for (let oy = 0; oy < outH; oy++) {
    for (let ox = 0; ox < outW; ox++) {
      const from = (Math.floor(oy / scale[0]) * w + Math.floor(ox / scale[1])) * c;
      out.set(x.subarray(from, from + c), (oy * outW + ox) * c);
    }
  }
  return out;
}

/** Rows, columns and channels of `value` before and after an image. */
export function pad<T extends Elements>(
  x: T,
  input: Tensor,
  before: readonly [number, number, number],
  after: readonly [number, number, number],
  value: number,
): T {
  const [, h, w, c] = imageExtents(input);
  const outW = before[1] + w + after[1];
  const outC = before[2] + c + after[2];
  const out = emptyLike(x, (before[0] + h + after[0]) * outW * outC);
  out.fill(value);
  for (let y = 0; y < h; y++) {
    for (let column = 0; column < w; column++) {
      const to = ((y + before[0]) * outW + column + before[1]) * outC + before[2];
      const from = (y * w + column) * c;
      out.set(x.subarray(from, from + c), to);
    }
  }
  return out;
}

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** @param parts operands with their shapes, which differ along the axis only */
export function concat<T extends Elements>(
  parts: readonly { readonly data: T; readonly shape: readonly number[] }[],
  axis: number,
  out: T,
): T {
  const outer = product(parts[0]?.shape.slice(0, axis) ?? []);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const { data } of parts) {
      const run = data.length / outer;
      out.set(data.subarray(o * run, (o + 1) * run), to);
      to += run;
    }
  }
  return out;
}

/** Elements [start, start + size) along the axis. */
export function slice<T extends Elements>(
  x: T,
  shape: readonly number[],
  axis: number,
  start: number,
  size: number,
): T {
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  const extent = shape[axis] ?? 1;
  const out = emptyLike(x, outer * size * inner);
  for (let o = 0; o < outer; o++) {
    const from = (o * extent + start) * inner;
    out.set(x.subarray(from, from + size * inner), o * size * inner);
  }
  return out;
}

/** out.shape[i] = shape[perm[i]]. */
export function transpose<T extends Elements>(x: T, shape: readonly number[], perm: readonly number[]): T {
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const counts = perm.map((axis) => shape[axis] ?? 1);
  const steps = perm.map((axis) => strides[axis] ?? 1);
  const out = emptyLike(x, x.length);
  const index = counts.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = x[from] as number;
    for (let d = index.length - 1; d >= 0; d--) {
      index[d] = (index[d] ?? 0) + 1;
      from += steps[d] ?? 0;
      if ((index[d] ?? 0) < (counts[d] ?? 1)) break;
      from -= (steps[d] ?? 0) * (counts[d] ?? 1);
      index[d] = 0;
    }
  }
  return out;
}
