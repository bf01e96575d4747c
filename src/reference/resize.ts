/** Resizing of images [1, H, W, C]; docs/numerics.md, "resize". */
import type { ResizeOp, Tensor } from '../ir/types.js';
import type { Stored } from './fixed-point.js';
import { imageExtents } from './image.js';
import { emptyLike } from './movement.js';

/** Two neighbours along one axis, and how far beyond the lower one the position is: a fraction, or its 1024ths. */
interface Position {
  readonly lower: number;
  readonly upper: number;
  readonly fraction: number;
}

export function resize<T extends Stored | Float32Array>(op: ResizeOp, x: T, input: Tensor): T {
  const [, h, w, c] = imageExtents(input);
  const [outH, outW] = op.size;
  const out = emptyLike(x, outH * outW * c);
  if (op.mode === 'nearest') {
    const columns = Array.from({ length: outW }, (_, o) => nearest(op, o, w, outW));
    for (let y = 0; y < outH; y++) {
      const row = nearest(op, y, h, outH) * w;
      for (const [o, column] of columns.entries()) {
        const from = (row + column) * c;
        out.set(x.subarray(from, from + c), (y * outW + o) * c);
      }
    }
    return out;
  }
  // uint8 is interpolated as TFLite's reference does it: in float32.
  const isInteger = x instanceof Int8Array || x instanceof Int16Array;
  const at = isInteger ? integerPosition : realPosition;
  const columns = Array.from({ length: outW }, (_, o) => at(op, o, w, outW));
  const blend = isInteger ? blendIntegers : blendReals(x instanceof Uint8Array);
  for (let y = 0; y < outH; y++) {
    const row = at(op, y, h, outH);
    for (const [o, column] of columns.entries()) {
      const upper = (row.lower * w + column.lower) * c;
      const lower = (row.upper * w + column.lower) * c;
      const right = (column.upper - column.lower) * c;
      for (let i = 0; i < c; i++) {
        const corners = [x[upper + i], x[lower + i], x[upper + right + i], x[lower + right + i]] as Corners;
        out[(y * outW + o) * c + i] = blend(corners, row.fraction, column.fraction);
      }
    }
  }
  return out;
}

/** Upper left, lower left, upper right, lower right. */
type Corners = readonly [number, number, number, number];

function nearest({ coordinates }: ResizeOp, o: number, length: number, outLength: number): number {
  const scale = realScale(coordinates === 'alignCorners', length, outLength);
  if (coordinates === 'alignCorners') return Math.min(Math.floor(Math.fround(o * scale) + 0.5), length - 1);
  const offset = coordinates === 'halfPixel' ? 0.5 : 0;
  return Math.min(Math.floor(Math.fround((o + offset) * scale)), length - 1);
}

function realScale(alignCorners: boolean, length: number, outLength: number): number {
  return Math.fround(alignCorners && outLength > 1 ? (length - 1) / (outLength - 1) : length / outLength);
}

function realPosition({ coordinates }: ResizeOp, o: number, length: number, outLength: number): Position {
  const scale = realScale(coordinates === 'alignCorners', length, outLength);
  const position =
    coordinates === 'halfPixel' ? Math.fround(Math.fround((o + 0.5) * scale) - 0.5) : Math.fround(o * scale);
  const lower = Math.max(Math.floor(position), 0);
  const upper = Math.min(Math.ceil(position), length - 1);
  return { lower: Math.min(lower, length - 1), upper, fraction: Math.fround(position - lower) };
}

function integerPosition({ coordinates }: ResizeOp, o: number, length: number, outLength: number): Position {
  const [from, to] =
    coordinates === 'alignCorners' && outLength > 1 ? [length - 1, outLength - 1] : [length, outLength];
  const scale = Math.floor((1024 * from + Math.floor(to / 2)) / to);
  const position = coordinates === 'halfPixel' ? o * scale + Math.floor(scale / 2) - 512 : o * scale;
  const lower = Math.max(Math.trunc(position / 1024), 0);
  const upper = Math.min(Math.trunc((position + 1023) / 1024), length - 1);
  return { lower: Math.min(lower, length - 1), upper, fraction: position - 1024 * lower };
}

function blendIntegers(corners: Corners, rows: number, columns: number): number {
  const [upperLeft, lowerLeft, upperRight, lowerRight] = corners;
  const left = upperLeft * (1024 - rows) + lowerLeft * rows;
  const right = upperRight * (1024 - rows) + lowerRight * rows;
  const sum = left * (1024 - columns) + right * columns;
  return Math.trunc((sum + (sum > 0 ? 2 ** 19 : -(2 ** 19))) / 2 ** 20);
}

/** Every step in float32; a stored integer is the sum and a half, truncated. */
const blendReals =
  (isRounded: boolean) =>
  (corners: Corners, rows: number, columns: number): number => {
    const f = Math.fround;
    const [upperLeft, lowerLeft, upperRight, lowerRight] = corners;
    const [restRows, restColumns] = [f(1 - rows), f(1 - columns)];
    let sum = f(upperLeft * f(restRows * restColumns));
    sum = f(sum + f(upperRight * f(restRows * columns)));
    sum = f(sum + f(lowerLeft * f(rows * restColumns)));
    sum = f(sum + f(lowerRight * f(rows * columns)));
    return isRounded ? Math.trunc(f(sum + 0.5)) : sum;
  };
