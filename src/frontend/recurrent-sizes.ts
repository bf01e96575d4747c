/**
 * How much one recurrent operator may hold in SRAM, where all its weights and all its steps are at once. A front end does not know the
 * chip: what is here leaves room in 1 MiB. Larger weights are streamed, step by step; longer sequences are cut into runs.
 */
const ROOM_BYTES = 960 * 1024;

/** Weights and biases; with more, a layer is spelled out. */
export const LARGEST_TABLE_BYTES = 800 * 1024;

/**
 * Steps of each run but the last, so that a run's rows of inputs and states find room beside the weights.
 *
 * @param rowBytes of one step: its inputs and the state after it
 */
export function stepsOfRun(steps: number, rowBytes: number, tableBytes: number): number {
  const room = Math.max(ROOM_BYTES / 8, ROOM_BYTES - tableBytes);
  return Math.max(1, Math.min(steps, Math.floor(room / rowBytes)));
}

/** Runs of steps in the order in which they are taken. */
export function runsOf(steps: number, length: number, isReverse: boolean): { start: number; size: number }[] {
  const runs: { start: number; size: number }[] = [];
  for (let start = 0; start < steps; start += length) runs.push({ start, size: Math.min(length, steps - start) });
  return isReverse ? runs.reverse() : runs;
}
