import { expect, test } from '@jest/globals';
import type { LoadUnit } from '../passes/load-queue.js';
import { type EarlierLoads, type PrefetchOptions, withEarlierLoads } from '../passes/prefetch-room.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';

const buffer = (id: string, lower: number, upper: number, sizeBytes: number): AllocationBuffer => ({
  id,
  lower,
  upper,
  sizeBytes,
  alignmentBytes: 16,
});

/** A layer of one step that computes for so long, everything in SRAM. */
const unit = (step: number, computeCycles: number, more: Partial<LoadUnit> = {}): LoadUnit => ({
  first: step,
  last: step,
  computeCycles,
  loads: [],
  rings: [],
  streamedBytes: 0,
  rounds: 0,
  turns: 0,
  returnBytes: 0,
  ...more,
});

/** A layer whose held weights are loaded. */
const heldUnit = (step: number, bytes: number, computeCycles = 10): LoadUnit =>
  unit(step, computeCycles, { loads: [{ id: `${step}.held`, bytes, constants: { step, role: 'held' } }] });

const OPTIONS: PrefetchOptions = {
  capacityBytes: 64,
  bytesPerCycle: 1,
  loadCycles: 0,
  mostUnits: 64,
  isOutOfTurn: true,
};

const livesOf = (early: EarlierLoads | undefined) =>
  early?.buffers.map(({ id, lower, upper }) => `${id} ${lower}..${upper}`);

test('weights are live from the layer on that computes while they are loaded', () => {
  const units = [unit(0, 100), unit(1, 100), unit(2, 100), heldUnit(3, 30)];
  // Loaded from 270 to 300, or some time before: while step 2 computes.
  expect(livesOf(withEarlierLoads([buffer('3.held', 3, 4, 30)], units, OPTIONS))).toEqual(['3.held 2..4']);
});

test('where the layer before is too short for that, from an earlier one on', () => {
  const units = [unit(0, 100), unit(1, 20), unit(2, 20), heldUnit(3, 30)];
  expect(livesOf(withEarlierLoads([buffer('3.held', 3, 4, 30)], units, OPTIONS))).toEqual(['3.held 0..4']);
  const near = { ...OPTIONS, mostUnits: 1 };
  expect(livesOf(withEarlierLoads([buffer('3.held', 3, 4, 30)], units, near))).toEqual(['3.held 2..4']);
});

test('only as long as what is live fits, rounded up to the alignment', () => {
  const units = [unit(0, 100), unit(1, 5), heldUnit(2, 30)];
  const buffers = [buffer('other', 0, 1, 30), buffer('2.held', 2, 3, 30)];
  expect(livesOf(withEarlierLoads(buffers, units, OPTIONS))).toEqual(['other 0..1', '2.held 0..3']);
  const tight = { ...OPTIONS, capacityBytes: 63 };
  expect(livesOf(withEarlierLoads(buffers, units, tight))).toEqual(['other 0..1', '2.held 1..3']);
  const full = [buffer('other', 0, 2, 40), buffer('2.held', 2, 3, 30)];
  expect(withEarlierLoads(full, units, OPTIONS)).toBeUndefined();
});

test('the queue loads in order: what comes behind a load that waits for room waits too', () => {
  const units = [unit(0, 1000), heldUnit(1, 60, 5), heldUnit(2, 16, 5)];
  const buffers = [buffer('other', 0, 1, 16), buffer('1.held', 1, 2, 60), buffer('2.held', 2, 3, 16)];
  const lives = livesOf(withEarlierLoads(buffers, units, { ...OPTIONS, capacityBytes: 80 }));
  expect(lives).toEqual(['other 0..1', '1.held 0..2', '2.held 1..3']);
});

test('weights are loaded in front of a layer that streams, where there is time before it begins', () => {
  const streaming = unit(1, 100, { rings: ['1.operand0'], streamedBytes: 90, rounds: 10, turns: 2 });
  const units = [unit(0, 200), streaming, heldUnit(2, 30)];
  const buffers = [buffer('1.operand0', 1, 2, 16), buffer('2.held', 2, 3, 30)];
  const early = withEarlierLoads(buffers, units, OPTIONS);
  expect(early?.prefetches).toEqual([{ step: 2, role: 'held', issuedAt: 1, isSpread: false }]);
  expect(livesOf(early)).toEqual(['1.operand0 0..2', '2.held 0..3']);
  // Without that time the streamed rows would come too late for it.
  const first = withEarlierLoads(buffers, [unit(0, 20), streaming, heldUnit(2, 30)], OPTIONS);
  expect(first?.prefetches).toEqual([]);
});

test('weights are spread over the turns of a layer that computes for longer than it loads', () => {
  const streaming = unit(0, 1000, { rings: ['0.operand0'], streamedBytes: 90, rounds: 10, turns: 10 });
  const buffers = [buffer('0.operand0', 0, 1, 16), buffer('1.held', 1, 2, 30)];
  const early = withEarlierLoads(buffers, [streaming, heldUnit(1, 30)], OPTIONS);
  expect(early?.prefetches).toEqual([{ step: 1, role: 'held', issuedAt: 0, isSpread: true }]);
  expect(livesOf(early)).toEqual(['0.operand0 0..1', '1.held 0..2']);
  const inTurn = withEarlierLoads(buffers, [streaming, heldUnit(1, 30)], { ...OPTIONS, isOutOfTurn: false });
  expect(inTurn?.prefetches).toEqual([]);
  const busy = { ...streaming, streamedBytes: 990 };
  expect(withEarlierLoads(buffers, [busy, heldUnit(1, 30)], OPTIONS)?.prefetches).toEqual([]);
});

test('tensors come back in their turn: they may not have been stored yet', () => {
  const streaming = unit(0, 1000, { rings: ['0.operand0'], streamedBytes: 90, rounds: 10, turns: 10 });
  const reload = unit(1, 10, { loads: [{ id: '%4@1', bytes: 30 }] });
  const buffers = [buffer('0.operand0', 0, 1, 16), buffer('%4@1', 1, 2, 30)];
  const early = withEarlierLoads(buffers, [streaming, reload], OPTIONS);
  expect(early?.prefetches).toEqual([]);
  expect(livesOf(early)).toEqual(['0.operand0 0..1', '%4@1 0..2']);
});
