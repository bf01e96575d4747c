import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { divideHalfAway, mbqm, mbqmOnce } from '../src/reference/fixed-point.js';
import { naiveMbqm, naiveMbqmOnce } from './naive-operators.js';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const multiplier = fc.oneof(fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }), fc.constant(0));
const shift = fc.integer({ min: -31, max: 30 });

describe('mbqm', () => {
  test('equals 64-bit arithmetic for every int32, multiplier and shift', () => {
    const anyInt32 = fc.oneof(int32, fc.integer({ min: -70000, max: 70000 }));
    fc.assert(
      fc.property(anyInt32, multiplier, shift, (x, m, s) => mbqm(x, m, s) === naiveMbqm(x, m, s)),
      { numRuns: 5000 },
    );
  });

  test('equals it at the corners', () => {
    for (const x of [-(2 ** 31), -(2 ** 31) + 1, -(2 ** 30), -65536, -1, 0, 1, 65535, 65536, 2 ** 30, 2 ** 31 - 1]) {
      for (const m of [0, 2 ** 30, 2 ** 30 + 1, 2 ** 31 - 128, 2 ** 31 - 1]) {
        for (const s of [-31, -30, -16, -1, 0, 1, 15, 30])
          expect([x, m, s, mbqm(x, m, s)]).toEqual([x, m, s, naiveMbqm(x, m, s)]);
      }
    }
  });

  test('rounds halves away from zero in the last step', () => {
    // 2^30 is a half: with shift 0 each x gives x / 2.
    expect([3, 5, -4, -8].map((x) => mbqm(x, 2 ** 30, -1))).toEqual([1, 2, -1, -2]);
  });
});

test('mbqmOnce equals 64-bit arithmetic', () => {
  fc.assert(
    fc.property(int32, multiplier, shift, (x, m, s) => mbqmOnce(x, m, s) === naiveMbqmOnce(x, m, s)),
    { numRuns: 5000 },
  );
  // 47.49899: the first of two roundings makes 47.5 of it.
  expect([mbqmOnce(20106, 1298758956, -8), mbqm(20106, 1298758956, -8)]).toEqual([47, 48]);
});

test('divideHalfAway rounds to the nearest, halves away from zero', () => {
  expect([3, 5, -3, -5, 7, -7, 0].map((n) => divideHalfAway(n, 2))).toEqual([2, 3, -2, -3, 4, -4, 0]);
  fc.assert(
    fc.property(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: 1, max: 1000 }), (n, d) => {
      const q = divideHalfAway(n, d);
      expect(Math.abs(q * d - n) * 2).toBeLessThanOrEqual(d);
      if (Math.abs(q * d - n) * 2 === d) expect(Math.abs(q) * d).toBeGreaterThan(Math.abs(n));
    }),
  );
});
