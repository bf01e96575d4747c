import type { AllocationBuffer, AllocationProblem } from './problem.js';

/**
 * The referee: compares every pair of buffers, plainly. Shares no code with the engine, on purpose, and stays quadratic.
 *
 * @returns one sentence for each fault; empty when the plan is sound
 */
export function checkOffsets(problem: AllocationProblem, offsets: ReadonlyMap<string, number>): string[] {
  const faults: string[] = [];
  const known = new Set<string>();
  for (const buffer of problem.buffers) {
    if (known.has(buffer.id)) faults.push(`buffer ${buffer.id} appears twice`);
    known.add(buffer.id);
    faults.push(...checkAlone(buffer, offsets.get(buffer.id), problem.capacityBytes));
  }
  // Looked up once for each buffer: of ten thousand there are fifty million pairs.
  const placed = problem.buffers.flatMap((buffer) => {
    const bottom = offsets.get(buffer.id);
    return bottom === undefined || buffer.sizeBytes === 0 ? [] : [{ buffer, bottom, top: bottom + buffer.sizeBytes }];
  });
  placed.forEach((b, i) => {
    for (let j = 0; j < i; j++) {
      const a = placed[j];
      if (a === undefined || a.top <= b.bottom || b.top <= a.bottom) continue;
      const at = firstCommonTime(a.buffer, b.buffer);
      if (at !== undefined) faults.push(`buffers ${a.buffer.id} and ${b.buffer.id} share bytes at time ${at}`);
    }
  });
  return faults;
}

function checkAlone(buffer: AllocationBuffer, offsetBytes: number | undefined, capacityBytes: number): string[] {
  if (offsetBytes === undefined) return [`buffer ${buffer.id} has no offset`];
  const faults: string[] = [];
  if (!Number.isInteger(offsetBytes) || offsetBytes < 0) faults.push(`buffer ${buffer.id} is at ${offsetBytes}`);
  const topBytes = offsetBytes + buffer.sizeBytes;
  if (topBytes > capacityBytes) faults.push(`buffer ${buffer.id} ends at ${topBytes}, above ${capacityBytes}`);
  if (buffer.fixedOffsetBytes !== undefined) {
    if (offsetBytes !== buffer.fixedOffsetBytes) {
      faults.push(`buffer ${buffer.id} is at ${offsetBytes}, but fixed at ${buffer.fixedOffsetBytes}`);
    }
  } else if (offsetBytes % (buffer.alignmentBytes ?? 1) !== 0) {
    faults.push(`buffer ${buffer.id} is at ${offsetBytes}, no multiple of ${buffer.alignmentBytes}`);
  }
  return faults;
}

/** A time at which both are live. Whatever begins the common time is the start of one of them, or the end of a gap. */
function firstCommonTime(a: AllocationBuffer, b: AllocationBuffer): number | undefined {
  if (a.upper <= b.lower || b.upper <= a.lower) return undefined;
  const times = [a.lower, b.lower];
  for (const gap of a.gaps ?? []) times.push(gap.upper);
  for (const gap of b.gaps ?? []) times.push(gap.upper);
  times.sort((x, y) => x - y);
  return times.find((time) => isLive(a, time) && isLive(b, time));
}

function isLive(buffer: AllocationBuffer, time: number): boolean {
  if (time < buffer.lower || time >= buffer.upper) return false;
  return !(buffer.gaps ?? []).some((gap) => gap.lower <= time && time < gap.upper);
}
