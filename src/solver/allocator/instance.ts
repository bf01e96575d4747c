import type { AllocationBuffer, AllocationProblem } from './problem.js';

/**
 * The problem as the engine sees it: sizes divided by their common divisor, time cut into sections.
 *
 * A section is a moment at which the set of live buffers is largest by inclusion. All other moments say nothing new: two
 * buffers overlap in time if and only if they share a section, and the load is the load of some section. So the sections
 * replace time.
 *
 *   time      a------+           sections:  {a b}  {b c}
 *                b------------+             the moment of a alone is part of the first, of b alone of both
 *                        c------+
 */
export interface Instance {
  /** Indexes into `AllocationProblem.buffers`; zero bytes are left out: they conflict with nothing. */
  readonly sourceIndexes: readonly number[];
  readonly count: number;
  readonly sectionCount: number;
  /** Bytes in one unit. All offsets that matter are multiples of it. */
  readonly unitBytes: number;
  /** Size in units, rounded up: where every offset is a multiple of 64, the bytes up to the next 64 are lost anyhow. */
  readonly sizeUnits: Float64Array;
  /** Bytes that the rounding added: they do not count for the buffer on top. */
  readonly padBytes: Float64Array;
  /** Multiples that an offset must be of, in units. */
  readonly alignUnits: Float64Array;
  /** -1 where the offset is free. */
  readonly fixedUnits: Float64Array;
  /** -1 where there is no hint. */
  readonly hintUnits: Float64Array;
  /** Time that each buffer is live, gaps left out. */
  readonly durations: Float64Array;
  /** The live ranges of buffer b are [rangeFirst[k], rangeLast[k]], both inclusive, for k in [rangeStart[b], rangeStart[b+1]). */
  readonly rangeStart: Int32Array;
  readonly rangeFirst: Int32Array;
  readonly rangeLast: Int32Array;
}

/** The lifetime without its gaps, as sorted, disjoint, non-touching windows. */
function liveWindows(buffer: AllocationBuffer): [number, number][] {
  let windows: [number, number][] = buffer.lower < buffer.upper ? [[buffer.lower, buffer.upper]] : [];
  for (const gap of buffer.gaps ?? []) {
    if (gap.lower >= gap.upper) continue;
    windows = windows.flatMap(([lower, upper]): [number, number][] => {
      const left: [number, number] = [lower, Math.min(upper, gap.lower)];
      const right: [number, number] = [Math.max(lower, gap.upper), upper];
      if (left[1] >= right[0]) return [[lower, upper]];
      return [left, right].filter(([lo, hi]) => lo < hi);
    });
  }
  return windows;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/**
 * The unit: offsets that matter are 0, fixed offsets, or the aligned top of another buffer, hence multiples of it.
 * `grainBytes` divides every offset; sizes are rounded up to it first.
 */
function chooseUnit(buffers: readonly AllocationBuffer[]): { grainBytes: number; unitBytes: number } {
  let grainBytes = 0;
  for (const buffer of buffers) grainBytes = gcd(grainBytes, buffer.fixedOffsetBytes ?? buffer.alignmentBytes ?? 1);
  if (grainBytes === 0) grainBytes = 1;
  let unitBytes = 0;
  for (const buffer of buffers) {
    unitBytes = gcd(unitBytes, Math.ceil(buffer.sizeBytes / grainBytes) * grainBytes);
    unitBytes = gcd(unitBytes, buffer.fixedOffsetBytes ?? 0);
  }
  for (let settled = false; !settled; ) {
    settled = true;
    for (const buffer of buffers) {
      const alignmentBytes = buffer.fixedOffsetBytes === undefined ? (buffer.alignmentBytes ?? 1) : 1;
      if (unitBytes % alignmentBytes === 0 || alignmentBytes % unitBytes === 0) continue;
      unitBytes = gcd(unitBytes, alignmentBytes);
      settled = false;
    }
  }
  return { grainBytes, unitBytes: unitBytes || 1 };
}

interface Event {
  readonly time: number;
  readonly starts: boolean;
  readonly window: number;
}

/** Numbers the sections, and gives for every window the first and the last section that it covers. */
function cutIntoSections(windows: readonly (readonly [number, number])[]): {
  first: number[];
  last: number[];
  count: number;
} {
  const events: Event[] = windows.flatMap(([lower, upper], window) => [
    { time: lower, starts: true, window },
    { time: upper, starts: false, window },
  ]);
  // Ends before starts: half-open lifetimes that touch do not overlap.
  events.sort((a, b) => a.time - b.time || Number(a.starts) - Number(b.starts));
  const first = windows.map(() => 0);
  const last = windows.map(() => 0);
  let count = 0;
  let grown = false; // something started since the last section was closed
  for (const event of events) {
    if (event.starts) {
      first[event.window] = count;
      grown = true;
      continue;
    }
    if (grown) count += 1;
    grown = false;
    last[event.window] = count - 1;
  }
  return { first, last, count };
}

export function buildInstance(problem: AllocationProblem): Instance {
  const sourceIndexes: number[] = [];
  const liveOf: [number, number][][] = [];
  let privateTime = problem.buffers.reduce((latest, buffer) => Math.max(latest, buffer.upper), 0);
  problem.buffers.forEach((buffer, index) => {
    if (buffer.sizeBytes === 0) return;
    let windows = liveWindows(buffer);
    if (windows.length === 0) {
      // Never live, yet within the memory: it gets a time of its own.
      windows = [[privateTime, privateTime + 1]];
      privateTime += 1;
    }
    sourceIndexes.push(index);
    liveOf.push(windows);
  });
  const buffers = sourceIndexes.flatMap((index) => problem.buffers[index] ?? []);
  const count = buffers.length;
  const { grainBytes, unitBytes } = chooseUnit(buffers);
  const { first, last, count: sectionCount } = cutIntoSections(liveOf.flat());

  const rangeStart = new Int32Array(count + 1);
  liveOf.forEach((windows, b) => {
    rangeStart[b + 1] = (rangeStart[b] ?? 0) + windows.length;
  });
  const sizeUnits = new Float64Array(count);
  const padBytes = new Float64Array(count);
  const alignUnits = new Float64Array(count).fill(1);
  const fixedUnits = new Float64Array(count).fill(-1);
  const hintUnits = new Float64Array(count).fill(-1);
  buffers.forEach((buffer, b) => {
    const roundedBytes = Math.ceil(buffer.sizeBytes / grainBytes) * grainBytes;
    sizeUnits[b] = roundedBytes / unitBytes;
    padBytes[b] = roundedBytes - buffer.sizeBytes;
    const alignmentBytes = buffer.alignmentBytes ?? 1;
    if (buffer.fixedOffsetBytes !== undefined) fixedUnits[b] = buffer.fixedOffsetBytes / unitBytes;
    else if (unitBytes % alignmentBytes !== 0) alignUnits[b] = alignmentBytes / unitBytes;
    if (buffer.hintOffsetBytes !== undefined) hintUnits[b] = Math.floor(buffer.hintOffsetBytes / unitBytes);
  });
  return {
    sourceIndexes,
    count,
    sectionCount,
    unitBytes,
    sizeUnits,
    padBytes,
    alignUnits,
    fixedUnits,
    hintUnits,
    durations: Float64Array.from(liveOf, (windows) => windows.reduce((sum, [lower, upper]) => sum + upper - lower, 0)),
    rangeStart,
    rangeFirst: Int32Array.from(first),
    rangeLast: Int32Array.from(last),
  };
}

/** The instance of some of the buffers, with sections of their own. */
export function partOf(instance: Instance, members: readonly number[]): Instance {
  const pick = (of: Float64Array): Float64Array => Float64Array.from(members, (b) => of[b] ?? 0);
  const rangeStart = new Int32Array(members.length + 1);
  const windows: [number, number][] = []; // times are numbers of sections
  members.forEach((b, index) => {
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      windows.push([instance.rangeFirst[k] ?? 0, (instance.rangeLast[k] ?? 0) + 1]);
    }
    rangeStart[index + 1] = windows.length;
  });
  const { first, last, count: sectionCount } = cutIntoSections(windows);
  return {
    ...instance,
    sectionCount,
    sourceIndexes: members.map((b) => instance.sourceIndexes[b] ?? 0),
    count: members.length,
    sizeUnits: pick(instance.sizeUnits),
    padBytes: pick(instance.padBytes),
    alignUnits: pick(instance.alignUnits),
    fixedUnits: pick(instance.fixedUnits),
    hintUnits: pick(instance.hintUnits),
    durations: pick(instance.durations),
    rangeStart,
    rangeFirst: Int32Array.from(first),
    rangeLast: Int32Array.from(last),
  };
}

/** Units of live buffers in each section. */
export function sectionLoads(instance: Instance): Float64Array {
  const steps = new Float64Array(instance.sectionCount + 1);
  for (let b = 0; b < instance.count; b++) {
    const units = instance.sizeUnits[b] ?? 0;
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      const first = instance.rangeFirst[k] ?? 0;
      const end = (instance.rangeLast[k] ?? 0) + 1;
      steps[first] = (steps[first] ?? 0) + units;
      steps[end] = (steps[end] ?? 0) - units;
    }
  }
  for (let s = 1; s <= instance.sectionCount; s++) steps[s] = (steps[s] ?? 0) + (steps[s - 1] ?? 0);
  return steps.subarray(0, instance.sectionCount);
}

/** Whether two buffers are ever live together: their sorted ranges are merged. */
export function sharesSection(instance: Instance, a: number, b: number): boolean {
  const { rangeStart, rangeFirst, rangeLast } = instance;
  let i = rangeStart[a] ?? 0;
  let j = rangeStart[b] ?? 0;
  while (i < (rangeStart[a + 1] ?? 0) && j < (rangeStart[b + 1] ?? 0)) {
    if ((rangeLast[i] ?? 0) < (rangeFirst[j] ?? 0)) i += 1;
    else if ((rangeLast[j] ?? 0) < (rangeFirst[i] ?? 0)) j += 1;
    else return true;
  }
  return false;
}
