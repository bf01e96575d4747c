import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allocate } from '../src/solver/allocator/allocate.js';
import { checkOffsets } from '../src/solver/allocator/check.js';
import { buildInstance, partOf, sharesSection } from '../src/solver/allocator/instance.js';
import { Search } from '../src/solver/allocator/search.js';
import { targetFor } from '../src/solver/allocator/strategy.js';
import {
  anyBuffers,
  fitsByBruteForce,
  leastHeightByBruteForce,
  perfectPacking,
  randomBuffers,
} from './allocator-arbitraries.js';

const RUNS = { numRuns: 200 };

describe('against brute force', () => {
  test('it fits exactly where brute force says so, and the conflict set conflicts', () => {
    fc.assert(
      fc.property(anyBuffers, fc.integer({ min: 1, max: 16 }), (buffers, capacityBytes) => {
        const problem = { capacityBytes, buffers };
        const result = allocate(problem);
        const fits = fitsByBruteForce(buffers, capacityBytes);
        expect(['fits', 'optimal'].includes(result.status)).toBe(fits);
        if (fits) expect(checkOffsets(problem, result.offsets)).toEqual([]);
        else {
          expect(result.status).toBe('infeasible');
          const conflict = buffers.filter((buffer) => result.conflict?.includes(buffer.id));
          expect(fitsByBruteForce(conflict, capacityBytes)).toBe(false);
        }
      }),
      RUNS,
    );
  });

  test('the minimised height is the least, and proven so', () => {
    fc.assert(
      fc.property(anyBuffers, (buffers) => {
        const least = leastHeightByBruteForce(buffers);
        const result = allocate({ capacityBytes: 1000, buffers }, { minimize: true });
        if (least === undefined) expect(result.status).toBe('infeasible');
        else expect(result).toMatchObject({ status: 'optimal', heightBytes: least, provenOptimal: true });
      }),
      RUNS,
    );
  });

  // The heuristics settle most small problems before the search begins, so it is asked directly as well.
  test('the exact search alone agrees, whatever its style', () => {
    const anyStyle = fc.record({
      lowFloors: fc.constantFrom(0, 0.1, 1),
      littleSlack: fc.constantFrom(0, 0.3),
      learn: fc.boolean(),
    });
    fc.assert(
      fc.property(anyBuffers, anyStyle, (buffers, style) => {
        const least = leastHeightByBruteForce(buffers) ?? 12;
        const instance = buildInstance({ capacityBytes: 0, buffers });
        const search = new Search(instance);
        for (let heightBytes = Math.max(1, least - 2); heightBytes <= least; heightBytes++) {
          const target = targetFor(instance, heightBytes);
          const outcome = search.run(target, heightBytes, { key: instance.sizeUnits, ...style }, 100_000);
          expect(outcome).toBe(fitsByBruteForce(buffers, heightBytes) ? 'found' : 'exhausted');
        }
      }),
      RUNS,
    );
  });
});

test('the order of the buffers never changes what is feasible or least', () => {
  fc.assert(
    fc.property(anyBuffers, fc.integer({ min: 4, max: 16 }), (buffers, capacityBytes) => {
      const forward = allocate({ capacityBytes, buffers }, { minimize: true });
      const backward = allocate({ capacityBytes, buffers: [...buffers].reverse() }, { minimize: true });
      expect(backward.status).toBe(forward.status);
      if (forward.status === 'optimal') expect(backward.heightBytes).toBe(forward.heightBytes);
    }),
    RUNS,
  );
});

test('the same problem gives the same answer', () => {
  fc.assert(
    fc.property(anyBuffers, (buffers) => {
      const problem = { capacityBytes: 12, buffers };
      expect(allocate(problem)).toEqual(allocate(structuredClone(problem)));
    }),
    { numRuns: 100 },
  );
});

test('a hint never makes an answer worse than what it hints at', () => {
  fc.assert(
    fc.property(anyBuffers, (buffers) => {
      const first = allocate({ capacityBytes: 1000, buffers }, { minimize: true });
      const hinted = buffers.map((buffer) => ({ ...buffer, hintOffsetBytes: first.offsets.get(buffer.id) ?? 0 }));
      const second = allocate({ capacityBytes: first.heightBytes, buffers: hinted }, { nodeLimit: 0 });
      if (first.status === 'optimal') expect(second.heightBytes).toBe(first.heightBytes);
    }),
    { numRuns: 200 },
  );
});

test('rectangles cut into buffers are put together again, without waste', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 3, max: 60 }), (seed, cuts) => {
      const problem = perfectPacking(32, 40, cuts, seed);
      const result = allocate(problem, { nodeLimit: 100_000 });
      expect(result).toMatchObject({ status: 'optimal', heightBytes: problem.capacityBytes });
      expect(checkOffsets(problem, result.offsets)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

// Too large for brute force: a plan that one way found shows what the others must not call impossible.
test('the exact search never gives up a height that can be reached', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 8, max: 18 }), (seed, count) => {
      const buffers = randomBuffers(count, 24, seed).map((buffer, index) => ({
        ...buffer,
        sizeBytes: 1 + (buffer.sizeBytes % 9),
        ...(index % 4 === 0 ? { alignmentBytes: 2 } : {}),
      }));
      const { heightBytes } = allocate({ capacityBytes: 1000, buffers }, { minimize: true, nodeLimit: 5_000 });
      const instance = buildInstance({ capacityBytes: 0, buffers });
      const target = targetFor(instance, heightBytes);
      const { sizeUnits, durations } = instance;
      // Poor orders: the way to the plan is long.
      for (const key of [sizeUnits.map((units) => -units), durations.map((time) => -time), sizeUnits, durations]) {
        const style = { key, lowFloors: 1, littleSlack: 0, learn: false };
        expect(new Search(instance).run(target, heightBytes, style, 3_000)).not.toBe('exhausted');
      }
    }),
    { numRuns: 300 },
  );
});

test('of some buffers the same pairs are live together as of all', () => {
  fc.assert(
    fc.property(anyBuffers, fc.integer({ min: 1, max: 63 }), (buffers, mask) => {
      const all = buildInstance({ capacityBytes: 0, buffers });
      const members = Array.from({ length: all.count }, (_, b) => b).filter((b) => (mask & (1 << b)) !== 0);
      const part = partOf(all, members);
      members.forEach((a, i) => {
        expect(part.sizeUnits[i]).toBe(all.sizeUnits[a]);
        expect(part.alignUnits[i]).toBe(all.alignUnits[a]);
        expect(part.fixedUnits[i]).toBe(all.fixedUnits[a]);
        members.forEach((b, j) => {
          expect(sharesSection(part, i, j)).toBe(sharesSection(all, a, b));
        });
      });
    }),
    RUNS,
  );
});
