/**
 * Where the elements of a view lie. A view is described twice: by one stride per axis, in which slicing and reshaping are
 * easy, and as the machine addresses it, by a row pitch and a pixel pitch (StorageSlice). Not every set of strides is an
 * image; where one is not, the caller has to copy.
 */
import { imageShapeOf, storageOf } from './facts.js';
import type { StorageSlice, Tensor, TensorId } from './types.js';

/** Element (i0, i1, ...) is at offset + i0 * strides[0] + i1 * strides[1] + ... of the root. */
export interface StridedView {
  readonly root: TensorId;
  readonly offset: number; // in elements, as the strides
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Which axes make up the rows, columns and channels of the image view (facts.ts, imageShapeOf): half-open axis ranges. */
function axisGroups(rank: number): readonly [rows: number, columns: number] {
  if (rank >= 4) return [2, 3];
  const rows = Math.max(0, rank - 1);
  return [rows, rows];
}

/** How many of the outermost axes make up the rows of the image. */
export function imageRowAxes(rank: number): number {
  return axisGroups(rank)[0];
}

/** The tensor's elements in its root, by axis. */
export function stridedViewOf(tensor: Tensor): StridedView {
  const { root, offsetElements, rowPitchElements, pixelPitchElements } = storageOf(tensor);
  const { shape } = tensor;
  const [rowsEnd, columnsEnd] = axisGroups(shape.length);
  const strides: number[] = new Array(shape.length).fill(0);
  const fill = (start: number, end: number, pitch: number): void => {
    let stride = pitch;
    for (let axis = end - 1; axis >= start; axis--) {
      strides[axis] = stride;
      stride *= shape[axis] ?? 1;
    }
  };
  fill(0, rowsEnd, rowPitchElements);
  fill(rowsEnd, columnsEnd, pixelPitchElements);
  fill(columnsEnd, shape.length, 1);
  return { root, offset: offsetElements, shape, strides };
}

/** Elements [start, start + size) of one axis. */
export function sliceView(view: StridedView, axis: number, start: number, size: number): StridedView {
  const offset = view.offset + start * (view.strides[axis] ?? 0);
  return { ...view, offset, shape: view.shape.with(axis, size) };
}

interface Run {
  count: number;
  readonly stride: number;
}

/** Axes that follow each other without a gap, joined; outermost first. Axes of extent 1 do not matter. */
function joinedRuns(shape: readonly number[], strides: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const count = shape[axis] ?? 1;
    const stride = strides[axis] ?? 0;
    if (count === 1) continue;
    const inner = runs[0];
    if (inner !== undefined && stride === inner.stride * inner.count) inner.count *= count;
    else runs.unshift({ count, stride });
  }
  return runs;
}

/**
 * The same elements in the same order under another shape, or undefined if no strides say that: the new axes must split
 * the runs of the old ones evenly.
 */
export function reshapeView(view: StridedView, shape: readonly number[]): StridedView | undefined {
  const runs = joinedRuns(view.shape, view.strides);
  const strides: number[] = [];
  let next = 0;
  let left = 1; // elements of the run that the axes so far have not split
  let stride = 1;
  for (const extent of shape) {
    if (extent === 1) {
      strides.push(0);
      continue;
    }
    if (left === 1) {
      const run = runs[next++];
      if (run === undefined) return undefined;
      left = run.count;
      stride = run.stride;
    }
    if (left % extent !== 0) return undefined;
    left /= extent;
    strides.push(left * stride);
  }
  return left === 1 && next === runs.length ? { ...view, shape, strides } : undefined;
}

/** As the machine addresses it, or undefined if the elements are not at a row pitch and a pixel pitch. */
export function storageOfView(view: StridedView): StorageSlice | undefined {
  const { shape, strides, root, offset } = view;
  const { w, c } = imageShapeOf(shape);
  const [rowsEnd, columnsEnd] = axisGroups(shape.length);
  const rows = joinedRuns(shape.slice(0, rowsEnd), strides.slice(0, rowsEnd));
  const columns = joinedRuns(shape.slice(rowsEnd, columnsEnd), strides.slice(rowsEnd, columnsEnd));
  const channels = joinedRuns(shape.slice(columnsEnd), strides.slice(columnsEnd));
  if (rows.length > 1 || columns.length > 1 || channels.length > 1) return undefined;
  if ((channels[0]?.stride ?? 1) !== 1) return undefined;
  // A pitch that no element uses is the natural one, so that equal layouts are spelled equally.
  const pixelPitchElements = columns[0]?.stride ?? c;
  const rowPitchElements = rows[0]?.stride ?? w * pixelPitchElements;
  return { root, offsetElements: offset, rowPitchElements, pixelPitchElements };
}
