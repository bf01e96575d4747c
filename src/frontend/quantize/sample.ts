/** Tensors of the sample run (sample-run.ts) and the operators that only move their values. */
import { elementCountOf } from '../../ir/facts.js';

/** A sampled tensor. */
export interface Sample {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The sample, repeated or cropped along each axis to the shape. */
export function repeated(x: Sample, shape: readonly number[]): Sample {
  if (x.shape.length === shape.length && x.shape.every((extent, axis) => extent === shape[axis])) return x;
  return gathered(x, shape, [...shape.keys()], (i) => i);
}

/** Repeats inside, and the padding as the very last element: a range does not ask where it is. */
export function padSample(x: Sample, shape: readonly number[], value: number): Sample {
  const { data } = repeated(x, shape);
  const padded = data.slice();
  padded[padded.length - 1] = value;
  return { shape, data: padded };
}

/**
 * result[i0, i1, ...] = x at index[perm[axis]] = source(i, axis), modulo the sampled extent.
 *
 * @param perm the axis of x that each axis of the result walks along
 */
export function gathered(
  x: Sample,
  shape: readonly number[],
  perm: readonly number[],
  source: (i: number, axis: number) => number,
): Sample {
  const offsets = shape.map((extent, axis) => {
    const along = perm[axis] ?? axis;
    const stride = elementCountOf(x.shape.slice(along + 1));
    const table = new Int32Array(extent);
    for (let i = 0; i < extent; i++) table[i] = (source(i, axis) % (x.shape[along] ?? 1)) * stride;
    return table;
  });
  const last = offsets.pop() ?? new Int32Array(1);
  let bases = new Int32Array(1);
  for (const table of offsets) bases = sums(bases, table);
  return { shape, data: pick(x.data, bases, last) };
}

/** result[i * b.length + j] = a[i] + b[j]. */
function sums(a: Int32Array, b: Int32Array): Int32Array<ArrayBuffer> {
  const out = new Int32Array(a.length * b.length);
  let to = 0;
  for (let i = 0; i < a.length; i++) {
    const base = a[i] as number;
    for (let j = 0; j < b.length; j++) out[to++] = base + (b[j] as number);
  }
  return out;
}

/** result[i * offsets.length + j] = data[bases[i] + offsets[j]]. */
function pick(data: Float64Array, bases: Int32Array, offsets: Int32Array): Float64Array {
  const out = new Float64Array(bases.length * offsets.length);
  let to = 0;
  for (let i = 0; i < bases.length; i++) {
    const base = bases[i] as number;
    for (let j = 0; j < offsets.length; j++) out[to++] = data[(base + (offsets[j] as number)) | 0] as number;
  }
  return out;
}

/** The samples one after the other along the axis, each repeated along the others as the result needs. */
export function concatSamples(parts: readonly Sample[], shape: readonly number[], axis: number): Sample {
  const data = new Float64Array(elementCountOf(shape));
  const outer = elementCountOf(shape.slice(0, axis));
  const inner = elementCountOf(shape.slice(axis + 1));
  const pitch = (shape[axis] ?? 1) * inner;
  let start = 0;
  for (const part of parts) {
    const extent = part.shape[axis] ?? 1;
    const fitted = repeated(part, shape.with(axis, extent)).data;
    for (let o = 0; o < outer; o++) {
      data.set(fitted.subarray(o * extent * inner, (o + 1) * extent * inner), o * pitch + start);
    }
    start += extent * inner;
  }
  return { shape, data };
}
