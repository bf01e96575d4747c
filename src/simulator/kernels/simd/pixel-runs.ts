/** Pixels of one row of a view, as runs in which they lie the same distance apart. */
import { pixelAddress, type View } from '../../geometry.js';

export interface PixelRun {
  readonly first: number; // columns after the first of the range
  readonly pixels: number;
  readonly address: number;
  readonly pitch: number;
}

/** Columns [lo, hi) of row `row`; hi > lo. */
export function pixelRuns(view: View, row: number, lo: number, hi: number): PixelRun[] {
  const { stripes, pixelPitch } = view;
  const address = pixelAddress(view, row, lo);
  if (stripes === undefined) return [{ first: 0, pixels: hi - lo, address, pitch: pixelPitch }];
  const runs: PixelRun[] = [];
  const { height, kept, shortColumns, longColumns, phase, width } = stripes;
  const made = row + phase;
  const j = made % height;
  const isShort = j < height - kept;
  const columns = isShort ? shortColumns : longColumns;
  const pitch = (isShort ? height - kept : kept) * pixelPitch;
  const before = ((made - j) / height) * width;
  for (let x = lo; x < hi; ) {
    // Until the ring comes round.
    const pixels = Math.min(hi - x, columns - ((before + x) % columns));
    runs.push({ first: x - lo, pixels, address: pixelAddress(view, row, x), pitch });
    x += pixels;
  }
  return runs;
}
