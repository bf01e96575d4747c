/** Small random allocation problems, and the answer by trying everything. Shares no code with the allocator. */
import fc from 'fast-check';
import type { AllocationBuffer, AllocationProblem } from '../src/solver/allocator/problem.js';

const STEPS = 8;

const anyBuffer = fc.record({
  lower: fc.integer({ min: 0, max: STEPS - 1 }),
  length: fc.integer({ min: 1, max: STEPS }),
  sizeBytes: fc.integer({ min: 1, max: 4 }),
  alignmentBytes: fc.constantFrom(undefined, undefined, 1, 2, 3, 4),
  gap: fc.option(fc.tuple(fc.integer({ min: 0, max: STEPS }), fc.integer({ min: 1, max: 3 })), {
    nil: undefined,
    freq: 2,
  }),
  fixedOffsetBytes: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined, freq: 5 }),
});

export const anyBuffers: fc.Arbitrary<AllocationBuffer[]> = fc
  .array(anyBuffer, { minLength: 1, maxLength: 6 })
  .map((drafts) =>
    drafts.map((draft, index): AllocationBuffer => {
      const { lower, length, sizeBytes, alignmentBytes, gap, fixedOffsetBytes } = draft;
      return {
        id: `b${index}`,
        lower,
        upper: Math.min(lower + length, STEPS),
        sizeBytes,
        ...(alignmentBytes === undefined ? {} : { alignmentBytes }),
        ...(gap === undefined ? {} : { gaps: [{ lower: gap[0], upper: gap[0] + gap[1] }] }),
        ...(fixedOffsetBytes === undefined ? {} : { fixedOffsetBytes }),
      };
    }),
  );

function isLive(buffer: AllocationBuffer, step: number): boolean {
  if (step < buffer.lower || step >= buffer.upper) return false;
  return (buffer.gaps ?? []).every((gap) => step < gap.lower || step >= gap.upper);
}

/** Whether the buffers fit below `heightBytes`: every offset of every buffer is tried. */
export function fitsByBruteForce(buffers: readonly AllocationBuffer[], heightBytes: number): boolean {
  const steps = Array.from({ length: STEPS }, (_, step) => step);
  const bytesAt = steps.map(() => new Set<number>()); // taken bytes at each step
  const placeFrom = (index: number): boolean => {
    const buffer = buffers[index];
    if (buffer === undefined) return true;
    const live = steps.filter((step) => isLive(buffer, step));
    for (let offset = 0; offset + buffer.sizeBytes <= heightBytes; offset++) {
      if (buffer.fixedOffsetBytes !== undefined && offset !== buffer.fixedOffsetBytes) continue;
      if (buffer.fixedOffsetBytes === undefined && offset % (buffer.alignmentBytes ?? 1) !== 0) continue;
      const bytes = Array.from({ length: buffer.sizeBytes }, (_, i) => offset + i);
      if (live.some((step) => bytes.some((byte) => bytesAt[step]?.has(byte)))) continue;
      for (const step of live) for (const byte of bytes) bytesAt[step]?.add(byte);
      if (placeFrom(index + 1)) return true;
      for (const step of live) for (const byte of bytes) bytesAt[step]?.delete(byte);
    }
    return false;
  };
  return placeFrom(0);
}

/** The least height, or undefined when fixed buffers share bytes. */
export function leastHeightByBruteForce(buffers: readonly AllocationBuffer[]): number | undefined {
  const mostBytes = buffers.reduce((sum, buffer) => sum + buffer.sizeBytes + 4, 8);
  for (let heightBytes = 0; heightBytes <= mostBytes; heightBytes++) {
    if (fitsByBruteForce(buffers, heightBytes)) return heightBytes;
  }
  return undefined;
}

/** Buffers that tile a rectangle exactly, so that the load is reachable but only by the right arrangement. */
export function perfectPacking(heightUnits: number, steps: number, cuts: number, seed: number): AllocationProblem {
  let state = seed;
  const random = (count: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % count;
  };
  let boxes = [{ lower: 0, upper: steps, bottom: 0, top: heightUnits }];
  for (let cut = 0; cut < cuts; cut++) {
    const box = boxes[random(boxes.length)];
    if (box === undefined) break;
    const rest = boxes.filter((other) => other !== box);
    if (random(2) === 0 && box.upper - box.lower > 1) {
      const at = box.lower + 1 + random(box.upper - box.lower - 1);
      boxes = [...rest, { ...box, upper: at }, { ...box, lower: at }];
    } else if (box.top - box.bottom > 1) {
      const at = box.bottom + 1 + random(box.top - box.bottom - 1);
      boxes = [...rest, { ...box, top: at }, { ...box, bottom: at }];
    }
  }
  const buffers = boxes.map((box, index) => ({
    id: `b${index}`,
    lower: box.lower,
    upper: box.upper,
    sizeBytes: (box.top - box.bottom) * 64,
  }));
  return { capacityBytes: heightUnits * 64, buffers };
}

/** Buffers of random sizes and lives, a few of them long. */
export function randomBuffers(count: number, steps: number, seed: number): AllocationBuffer[] {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) / 2 ** 23;
  };
  return Array.from({ length: count }, (_, index) => {
    const length = 1 + Math.floor(random() ** 2 * (steps / 4));
    const lower = Math.floor(random() * (steps - length));
    return { id: `b${index}`, lower, upper: lower + length, sizeBytes: 1 + Math.floor(random() * 60_000) };
  });
}
