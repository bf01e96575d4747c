/** The heuristics for thousands of buffers: the skyline order against a plain one, the core, and the ejection search. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allocate } from '../src/solver/allocator/allocate.js';
import { checkOffsets } from '../src/solver/allocator/check.js';
import { lowerByEjection } from '../src/solver/allocator/ejection.js';
import { firstFit, widthSections } from '../src/solver/allocator/greedy.js';
import { buildInstance, type Instance } from '../src/solver/allocator/instance.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';
import { fillSkyline, type SkylineThrift } from '../src/solver/allocator/skyline.js';
import { boundsOf } from '../src/solver/allocator/strategy.js';
import { anyBuffers, randomBuffers } from './allocator-arbitraries.js';

/** What `fillSkyline` promises, by looking at every section in each step. */
function plainSkylineOrder(instance: Instance, key: Float64Array, thrift: SkylineThrift): number[] {
  const first = (b: number): number => instance.rangeFirst[instance.rangeStart[b] ?? 0] ?? 0;
  const last = (b: number): number => instance.rangeLast[(instance.rangeStart[b + 1] ?? 0) - 1] ?? 0;
  const spans = (b: number, s: number): boolean => first(b) <= s && s <= last(b);
  const isLive = (b: number, s: number): boolean => {
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      if ((instance.rangeFirst[k] ?? 0) <= s && s <= (instance.rangeLast[k] ?? 0)) return true;
    }
    return false;
  };
  const unplaced = new Set(Array.from({ length: instance.count }, (_, b) => b));
  const heights: number[] = new Array(instance.sectionCount).fill(0);
  const order: number[] = [];
  while (unplaced.size > 0) {
    const restOf = (s: number): number =>
      [...unplaced].reduce((sum, b) => sum + (isLive(b, s) ? (instance.sizeUnits[b] ?? 0) : 0), 0);
    heights.forEach((_, s) => {
      if (![...unplaced].some((b) => spans(b, s))) heights[s] = Number.POSITIVE_INFINITY;
    });
    const lowest = Math.min(...heights);
    let chosen = { from: -1, to: -1, rest: -1 };
    for (let s = 0; s < heights.length; s++) {
      if (heights[s] !== lowest) continue;
      const from = s;
      let rest = restOf(s);
      while (heights[s + 1] === lowest) {
        s += 1;
        rest = Math.max(rest, restOf(s));
      }
      if (rest > chosen.rest) chosen = { from, to: s, rest };
    }
    const { from, to, rest } = chosen;
    const beside = Math.min(heights[from - 1] ?? Number.POSITIVE_INFINITY, heights[to + 1] ?? Number.POSITIVE_INFINITY);
    const score = (b: number): number => (key[b] ?? 0) * (first(b) === from ? 1.1 : 1) * (last(b) === to ? 1.1 : 1);
    const [best] = [...unplaced]
      .filter((b) => first(b) >= from && last(b) <= to)
      .sort((a, b) => score(b) - score(a) || first(a) - first(b) || (key[b] ?? 0) - (key[a] ?? 0) || a - b);
    const room = thrift.targetUnits - lowest - rest;
    const mayRise = thrift.share > 0 && beside < Number.POSITIVE_INFINITY && beside - lowest <= thrift.share * room;
    if (best === undefined || mayRise) {
      heights.fill(beside, from, to + 1);
      continue;
    }
    order.push(best);
    unplaced.delete(best);
    heights.forEach((_, s) => {
      if (isLive(best, s)) heights[s] = lowest + (instance.sizeUnits[best] ?? 0);
    });
  }
  return order;
}

/** Every third buffer is away for a part of its life. */
function withGaps(buffers: readonly AllocationBuffer[]): AllocationBuffer[] {
  return buffers.map((buffer, index) => {
    const { lower, upper } = buffer;
    if (index % 3 > 0 || upper - lower < 3) return buffer;
    const length = 1 + ((index * 7) % (upper - lower - 2));
    return { ...buffer, gaps: [{ lower: lower + 1, upper: lower + 1 + length }] };
  });
}

test('the skyline order is that of plain search, with gaps and thrift too', () => {
  const seeds = fc.integer({ min: 1, max: 2 ** 30 });
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 60 }), fc.constantFrom(0, 0.05, 0.5), (seed, count, share) => {
      const buffers = randomBuffers(count, 40, seed);
      const instance = buildInstance({ capacityBytes: 0, buffers: share > 0 ? withGaps(buffers) : buffers });
      const key = widthSections(instance);
      const thrift = { targetUnits: 400_000, share };
      expect(fillSkyline(instance, key, thrift).order).toEqual(plainSkylineOrder(instance, key, thrift));
    }),
    { numRuns: 100 },
  );
});

describe('thousands of buffers', () => {
  test('few large ones and many small ones: the large are arranged first', () => {
    const large = randomBuffers(150, 4_000, 3).map((buffer) => ({ ...buffer, sizeBytes: buffer.sizeBytes + 60_000 }));
    const small = randomBuffers(1_500, 4_000, 4).map((buffer) => ({
      ...buffer,
      id: `small-${buffer.id}`,
      sizeBytes: 1 + (buffer.sizeBytes % 500),
    }));
    const problem = { capacityBytes: 2 ** 40, buffers: [...small, ...large] };
    const result = allocate(problem, { minimize: true, nodeLimit: 10_000 });
    expect(result.heightBytes / result.loadBytes).toBeLessThan(1.03);
    expect(checkOffsets(problem, result.offsets)).toEqual([]);
  });

  test('gaps, alignments and fixed offsets hold', () => {
    const buffers = withGaps(randomBuffers(1_400, 2_000, 5)).map((buffer, index): AllocationBuffer => {
      if (index === 7) return { ...buffer, fixedOffsetBytes: 1_000_000 };
      return index % 2 === 0 ? { ...buffer, alignmentBytes: 32 << (index % 3) } : buffer;
    });
    const problem = { capacityBytes: 2 ** 40, buffers };
    const result = allocate(problem, { minimize: true, nodeLimit: 10_000 });
    expect(checkOffsets(problem, result.offsets)).toEqual([]);
    expect(result.offsets.get('b7')).toBe(1_000_000);
    expect(result.heightBytes / result.loadBytes).toBeLessThan(1.25);
  });
});

describe('the ejection search', () => {
  const lowered = (buffers: readonly AllocationBuffer[], workLimit: number) => {
    const instance = buildInstance({ capacityBytes: 0, buffers });
    const start = firstFit(
      instance,
      Array.from({ length: instance.count }, (_, b) => b),
    );
    const { best } = lowerByEjection(
      instance,
      start,
      boundsOf({ capacityBytes: 0, buffers }, instance).boundBytes,
      workLimit,
    );
    const offsets = new Map(buffers.map((buffer) => [buffer.id, buffer.fixedOffsetBytes ?? 0]));
    instance.sourceIndexes.forEach((index, b) => {
      offsets.set(buffers[index]?.id ?? '', (best.offsetUnits[b] ?? 0) * instance.unitBytes);
    });
    return { start, best, offsets };
  };

  test('keeps alignment, gaps and fixed offsets, and never makes a plan higher', () => {
    fc.assert(
      fc.property(anyBuffers, (buffers) => {
        const { start, best, offsets } = lowered(buffers, 20_000);
        const faults = checkOffsets({ capacityBytes: best.heightBytes, buffers }, offsets);
        // Fixed buffers may contradict each other from the start.
        expect(faults.filter((fault) => !fault.includes('share bytes') || !isFixedPair(buffers, fault))).toEqual([]);
        expect(best.heightBytes).toBeLessThanOrEqual(start.heightBytes);
      }),
      { numRuns: 150 },
    );
  });

  test('lowers plans of hundreds of buffers', () => {
    for (const seed of [1, 2]) {
      const buffers = randomBuffers(400, 300, seed);
      const { start, best, offsets } = lowered(buffers, 1_500_000);
      expect(best.heightBytes).toBeLessThan(start.heightBytes);
      expect(checkOffsets({ capacityBytes: best.heightBytes, buffers }, offsets)).toEqual([]);
    }
  });

  test('thousands of buffers come near their load within a small limit', () => {
    const buffers = randomBuffers(2_400, 4_000, 7).map((buffer) => ({ ...buffer, alignmentBytes: 64 }));
    const problem = { capacityBytes: 2 ** 40, buffers };
    const result = allocate(problem, { minimize: true, nodeLimit: 30_000 });
    expect(result.heightBytes / result.loadBytes).toBeLessThan(1.055);
    expect(checkOffsets(problem, result.offsets)).toEqual([]);
  });
});

function isFixedPair(buffers: readonly AllocationBuffer[], fault: string): boolean {
  const [, a, b] = /^buffers (\S+) and (\S+) share/.exec(fault) ?? [];
  const isFixed = (id: string | undefined): boolean =>
    buffers.some((buffer) => buffer.id === id && buffer.fixedOffsetBytes !== undefined);
  return isFixed(a) && isFixed(b);
}
