import { usageError } from './command-options.js';

/** Periods of so many frames. @throws SpillwayError SW8001 for frames that are no whole number of periods */
export function periodsOf(frames: number, batch: number): number {
  if (frames % batch === 0) return frames / batch;
  throw usageError(`--frames ${frames}: a period has ${batch} frames`, `give a multiple of ${batch}`);
}
