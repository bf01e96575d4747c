/** Round numbers along an axis of bytes. */

const WANTED = 7;

/** Multiples of a power of two. */
export function binaryTicks(low: number, high: number): number[] {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((high - low) / WANTED)));
  return multiples(step, low, high);
}

function multiples(step: number, low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return ticks;
}
