import { expect, test } from '@jest/globals';
import { withEarlierLoads } from '../passes/prefetch-room.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';

const buffer = (id: string, lower: number, upper: number, sizeBytes: number): AllocationBuffer => ({
  id,
  lower,
  upper,
  sizeBytes,
  alignmentBytes: 16,
});
const livesOf = (buffers: readonly AllocationBuffer[] | undefined) =>
  buffers?.map(({ id, lower, upper }) => `${id} ${lower}..${upper}`);

test('a buffer that is loaded whole is live up to three units earlier, one that is loaded in parts one', () => {
  const buffers = [buffer('held', 5, 6, 30), buffer('ring', 5, 6, 30)];
  const loaded = [
    { id: 'held', isWhole: true },
    { id: 'ring', isWhole: false },
  ];
  // Steps 1 to 3 are one block.
  expect(livesOf(withEarlierLoads(buffers, loaded, [0, 1, 1, 1, 4, 5], 64))).toEqual(['held 0..6', 'ring 4..6']);
});

test('only as long as what is live fits, rounded up to the alignment', () => {
  const buffers = [buffer('other', 3, 5, 30), buffer('gone', 0, 3, 64), buffer('held', 5, 6, 30)];
  const loaded = [{ id: 'held', isWhole: true }];
  const starts = [0, 1, 2, 3, 4, 5];
  expect(livesOf(withEarlierLoads(buffers, loaded, starts, 64))).toEqual(['other 3..5', 'gone 0..3', 'held 3..6']);
  expect(withEarlierLoads(buffers, loaded, starts, 63)).toBeUndefined();
});
