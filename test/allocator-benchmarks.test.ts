/** The published hard problems, where the shared data lies beside the repository; skipped elsewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { allocate } from '../src/solver/allocator/allocate.js';
import { checkOffsets } from '../src/solver/allocator/check.js';
import { parseAllocationCsv } from '../src/solver/allocator/csv.js';
import type { AllocationProblem } from '../src/solver/allocator/problem.js';

const FOLDER = new URL('../../shared/bench/minimalloc/', import.meta.url);
const CAPACITY_BYTES = 1048576;
const present = existsSync(FOLDER);
if (!present) console.warn('the published allocation problems are not here: their tests are skipped');
const testWhenPresent = present ? test : test.skip;

function load(name: string): AllocationProblem {
  const file = `${name}.${CAPACITY_BYTES}.csv`;
  return {
    capacityBytes: CAPACITY_BYTES,
    buffers: parseAllocationCsv(readFileSync(new URL(file, FOLDER), 'utf8'), file),
  };
}

testWhenPresent.each([...'ABCDEFGHIJK'])('%s fits', (name) => {
  const problem = load(name);
  const result = allocate(problem);
  expect(['fits', 'optimal']).toContain(result.status);
  expect(checkOffsets(problem, result.offsets)).toEqual([]);
});

testWhenPresent.each([
  ['C', 1039360],
  ['D', 1038336],
  ['J', 1039360],
])('%s is at most %i high when minimised', (name, mostBytes) => {
  const problem = load(name);
  const result = allocate(problem, { minimize: true, nodeLimit: 30_000 });
  expect(result.heightBytes).toBeLessThanOrEqual(mostBytes);
  expect(checkOffsets(problem, result.offsets)).toEqual([]);
});

testWhenPresent('the same with offsets in multiples of 64', () => {
  const { buffers } = load('B');
  const problem = { capacityBytes: CAPACITY_BYTES, buffers: buffers.map((b) => ({ ...b, alignmentBytes: 64 })) };
  const result = allocate(problem);
  expect(result.status).toBe('optimal');
  expect(checkOffsets(problem, result.offsets)).toEqual([]);
});
