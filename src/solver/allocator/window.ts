import { allocate } from './allocate.js';
import type { AllocationBuffer, AllocationProblem } from './problem.js';

/** Times [lower, upper) whose buffers alone did not fit. */
export interface TightWindow {
  readonly lower: number;
  readonly upper: number;
  /** By how much the lowest arrangement found for them exceeds their load. */
  readonly wasteBytes: number;
}

/** Larger capacities tried for a window, as shares of the capacity. */
const RELAXATIONS = [0.0005, 0.002, 0.008, 0.03];

/** A plan that fails in more places than this will fail again. */
const MOST_WINDOWS = 16;

/**
 * Where it fails: short windows of time in which the buffers that live there, cut off at its ends, find no place within the
 * capacity. What fits as a whole fits in every window, so both ends are found by halving. No window holds another. Not a
 * proof unless every search was exhausted.
 *
 * Cost: a few dozen allocations with the node limit for each window.
 */
export function tightWindows(problem: AllocationProblem, nodeLimit: number): TightWindow[] {
  const { buffers, capacityBytes } = problem;
  const times = [...new Set(buffers.flatMap(({ lower, upper }) => [lower, upper]))].sort((a, b) => a - b);
  const timeAt = (index: number): number => times[index] ?? 0;
  const fails = (from: number, to: number): boolean => {
    const inside = clipped(buffers, timeAt(from), timeAt(to));
    return allocate({ capacityBytes, buffers: inside }, { nodeLimit }).heightBytes > capacityBytes;
  };
  const end = times.length - 1;
  const windows: TightWindow[] = [];
  for (let start = 0; start < end && windows.length < MOST_WINDOWS && fails(start, end); ) {
    let to = end;
    for (let least = start + 1; least < to; ) {
      const middle = (least + to) >> 1;
      if (fails(start, middle)) to = middle;
      else least = middle + 1;
    }
    let from = start;
    for (let most = to - 1; from < most; ) {
      const middle = (from + most + 1) >> 1;
      if (fails(middle, to)) from = middle;
      else most = middle - 1;
    }
    const inside = clipped(buffers, timeAt(from), timeAt(to));
    const wasteBytes = wasteOf(inside, capacityBytes, nodeLimit);
    windows.push({ lower: timeAt(from), upper: timeAt(to), wasteBytes });
    start = from + 1;
  }
  return windows;
}

function clipped(buffers: readonly AllocationBuffer[], lower: number, upper: number): AllocationBuffer[] {
  return buffers
    .filter((buffer) => buffer.lower < upper && lower < buffer.upper)
    .map((buffer) => ({ ...buffer, lower: Math.max(lower, buffer.lower), upper: Math.min(upper, buffer.upper) }));
}

/** A tight target is often just beyond what can be packed, while what the search met on the way is far from it. */
function wasteOf(buffers: readonly AllocationBuffer[], capacityBytes: number, nodeLimit: number): number {
  const plain = allocate({ capacityBytes, buffers }, { nodeLimit });
  for (const share of RELAXATIONS) {
    const relaxed = Math.ceil(capacityBytes * (1 + share));
    if (relaxed >= plain.heightBytes) break;
    const result = allocate({ capacityBytes: relaxed, buffers }, { nodeLimit });
    if (result.heightBytes <= relaxed) return result.heightBytes - result.loadBytes;
  }
  return plain.heightBytes - plain.loadBytes;
}
