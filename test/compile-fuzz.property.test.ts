/**
 * The promises of a compile on random programs and tiny chips: no faults, the counted bytes, the reference's outputs, the
 * budget, the order of the placements. SPILLWAY_FUZZ_RUNS sets the number of cases, SPILLWAY_FUZZ_SEED where they begin.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FuzzCase, fuzzProblems } from './compile-fuzz-check.js';
import { fuzzProgram } from './compile-fuzz-programs.js';

const RUNS = Number(process.env.SPILLWAY_FUZZ_RUNS ?? 40);
const SEED = Number(process.env.SPILLWAY_FUZZ_SEED ?? 1);

const fuzzCase: fc.Arbitrary<FuzzCase> = fc.record({
  program: fuzzProgram(8),
  room: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  alignmentBytes: fc.constantFrom(16, 64),
  commandFifoBytes: fc.constantFrom(64, 256, 4096),
  batch: fc.constantFrom(1, 1, 2, 3),
  blocks: fc.constantFrom(true, true, false),
  twice: fc.nat(3).map((n) => n === 0),
});

test(
  'random programs on tiny chips keep every promise',
  async () => {
    await fc.assert(
      fc.asyncProperty(fuzzCase, async (fuzz) => {
        expect(await fuzzProblems(fuzz)).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  },
  60_000 + RUNS * 5000,
);
