/** The heuristics for thousands of buffers: the skyline order against a plain one, and the ejection search. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allocate } from '../src/solver/allocator/allocate.js';
import { checkOffsets } from '../src/solver/allocator/check.js';
import { lowerByEjection } from '../src/solver/allocator/ejection.js';
import { firstFit, widthSections } from '../src/solver/allocator/greedy.js';
import { buildInstance, type Instance } from '../src/solver/allocator/instance.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';
import { skylineOrder } from '../src/solver/allocator/skyline.js';
import { boundsOf } from '../src/solver/allocator/strategy.js';
import { anyBuffers, randomBuffers } from './allocator-arbitraries.js';

/** What `skylineOrder` promises, by looking at every section in each step. */
function plainSkylineOrder(instance: Instance, key: Float64Array): number[] {
  const first = (b: number): number => instance.rangeFirst[instance.rangeStart[b] ?? 0] ?? 0;
  const last = (b: number): number => instance.rangeLast[(instance.rangeStart[b + 1] ?? 0) - 1] ?? 0;
  const covers = (b: number, s: number): boolean => first(b) <= s && s <= last(b);
  const unplaced = new Set(Array.from({ length: instance.count }, (_, b) => b));
  const heights: number[] = new Array(instance.sectionCount).fill(0);
  const order: number[] = [];
  while (unplaced.size > 0) {
    const restOf = (s: number): number =>
      [...unplaced].reduce((sum, b) => sum + (covers(b, s) ? (instance.sizeUnits[b] ?? 0) : 0), 0);
    heights.forEach((_, s) => {
      if (![...unplaced].some((b) => covers(b, s))) heights[s] = Number.POSITIVE_INFINITY;
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
    const { from, to } = chosen;
    const score = (b: number): number => (key[b] ?? 0) * (first(b) === from ? 1.1 : 1) * (last(b) === to ? 1.1 : 1);
    const [best] = [...unplaced]
      .filter((b) => first(b) >= from && last(b) <= to)
      .sort((a, b) => score(b) - score(a) || first(a) - first(b) || (key[b] ?? 0) - (key[a] ?? 0) || a - b);
    if (best === undefined) {
      const beside = Math.min(
        heights[from - 1] ?? Number.POSITIVE_INFINITY,
        heights[to + 1] ?? Number.POSITIVE_INFINITY,
      );
      heights.fill(beside, from, to + 1);
      continue;
    }
    order.push(best);
    unplaced.delete(best);
    heights.fill(lowest + (instance.sizeUnits[best] ?? 0), first(best), last(best) + 1);
  }
  return order;
}

test('the skyline order is that of plain search', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 60 }), (seed, count) => {
      const instance = buildInstance({ capacityBytes: 0, buffers: randomBuffers(count, 40, seed) });
      const key = widthSections(instance);
      expect(skylineOrder(instance, key)).toEqual(plainSkylineOrder(instance, key));
    }),
    { numRuns: 100 },
  );
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
