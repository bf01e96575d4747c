/** Rows of input images as int16: what windows are cut from. */
import type { InputImage } from '../../geometry.js';
import type { Engine } from './engine.js';
import { pixelRuns } from './pixel-runs.js';

/** The channels of an image that are read. */
export interface Source {
  readonly input: InputImage;
  readonly isUnsigned: boolean;
  readonly firstChannel: number;
  readonly channels: number;
}

/**
 * Writes int16 [span, channels] to `to`: pixels of input row `row` from column `first` on, less the zero point; 0 beyond
 * the image.
 */
export function readStrip(engine: Engine, source: Source, row: number, first: number, span: number, to: number): void {
  const { input, channels } = source;
  const pixelBytes = channels * 2;
  const lo = Math.min(span, Math.max(0, -first));
  const isInside = row >= 0 && row < input.height;
  const hi = isInside ? Math.max(lo, Math.min(span, input.width - first)) : lo;
  if (lo > 0) engine.bytes.fill(0, to, to + lo * pixelBytes);
  if (hi < span) engine.bytes.fill(0, to + hi * pixelBytes, to + span * pixelBytes);
  if (hi <= lo) return;
  const isUnsigned = source.isUnsigned ? 1 : 0;
  for (const run of pixelRuns(input.view, row, first + lo, first + hi)) {
    const from = run.address + source.firstChannel;
    const target = to + (lo + run.first) * pixelBytes;
    if (run.pitch === channels) engine.widen(from, target, 1, 0, run.pixels * channels, input.zero, isUnsigned);
    else engine.widen(from, target, run.pixels, run.pitch, channels, input.zero, isUnsigned);
  }
}
