/**
 * The promises of a compile on random programs and tiny chips: no faults, the counted bytes, the reference's outputs, the
 * budget, the order of the placements. SPILLWAY_FUZZ_RUNS sets the number of cases, SPILLWAY_FUZZ_SEED where they begin.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Compiled } from '../src/driver/compile.js';
import { type FuzzCase, fuzzProblems } from './compile-fuzz-check.js';
import { fuzzProgram } from './compile-fuzz-programs.js';

const RUNS = Number(process.env.SPILLWAY_FUZZ_RUNS ?? 40);
const SEED = Number(process.env.SPILLWAY_FUZZ_SEED ?? 1);

/** A few cases make all three placements, so that they can be compared; most make one. */
const placements: fc.Arbitrary<FuzzCase['placements']> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(['ilp' as const]) },
  { weight: 1, arbitrary: fc.constantFrom(['none' as const], ['greedy' as const]) },
  { weight: 1, arbitrary: fc.constant(['none' as const, 'greedy' as const, 'ilp' as const]) },
);

const fuzzCase: fc.Arbitrary<FuzzCase> = fc.record({
  program: fuzzProgram(8),
  room: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 100 }).map((n) => (n / 100) ** 2) },
  ),
  top: fc.constantFrom('everything' as const, 'largest layer' as const),
  alignmentBytes: fc.constantFrom(16, 64),
  commandFifoBytes: fc.constantFrom(64, 256, 4096),
  batch: fc.constantFrom(1, 1, 2, 3),
  carries: fc.nat(5).map((n) => n === 0),
  blocks: fc.constantFrom(true, true, true, false),
  twice: fc.nat(7).map((n) => n === 0),
  objective: fc.constantFrom('traffic' as const, 'traffic' as const, 'traffic' as const, 'latency' as const),
  placements,
});

/** What schedules made use of: a promise that is kept by never being put to the test is none. */
const used = {
  blocks: 0,
  tiles: 0,
  pieces: 0,
  again: 0,
  streamed: 0,
  gathering: 0,
  tails: 0,
  passing: 0,
  groups: 0,
  states: 0,
  statesInSram: 0,
};

function count({ schedule }: Compiled): void {
  const { blocks, evictions, groups } = schedule;
  if (groups > 1) used.groups += 1;
  if (schedule.states.length > 0) used.states += 1;
  if (schedule.states.some(({ inSram }) => inSram)) used.statesInSram += 1;
  if (blocks.length > 0) used.blocks += 1;
  if (blocks.some(({ plan }) => plan.tiles.length > 1)) used.tiles += 1;
  if (blocks.some(({ plan }) => plan.pieces !== undefined)) used.pieces += 1;
  if (blocks.some(({ plan }) => plan.layers.some(({ againRows }) => againRows > 0))) used.again += 1;
  if (blocks.some(({ plan }) => plan.chunks.length > 0)) used.streamed += 1;
  if (blocks.some(({ plan }) => plan.sums.length > 0)) used.gathering += 1;
  const tails = blocks.reduce((total, block) => total + block.tails.length, 0);
  if (tails > 0) used.tails += 1;
  if (evictions.length > tails) used.passing += 1;
}

test(
  'random programs on tiny chips keep every promise',
  async () => {
    await fc.assert(
      fc.asyncProperty(fuzzCase, async (fuzz) => {
        expect(await fuzzProblems(fuzz, count)).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env.SPILLWAY_FUZZ_RUNS !== undefined) console.log(used);
  },
  60_000 + RUNS * 5000,
);
