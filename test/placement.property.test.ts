/** Placements that are found, against every placement there is: small random problems, the referee and brute force. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadGlpk } from '../src/solver/linear/glpk.js';
import { evaluate } from '../src/solver/placement/evaluate.js';
import { placeGreedy, placeNone } from '../src/solver/placement/greedy.js';
import { solvePlacementIlp } from '../src/solver/placement/ilp.js';
import type { PlacementProblem, ResidentRounding } from '../src/solver/placement/problem.js';
import { leastTraffic, randomProblem, UNIT_BYTES } from './placement-problems.js';

/** Resident shares in whole units, as in the brute force. */
function wholeUnits(problem: PlacementProblem): ResidentRounding {
  return (t, bytes) => {
    const most = Math.min(bytes, problem.steps[t]?.weightBytes ?? 0);
    return Math.floor(most / UNIT_BYTES) * UNIT_BYTES;
  };
}

const problems = fc
  .record({
    seed: fc.nat(100_000),
    steps: fc.integer({ min: 1, max: 3 }),
    capacityUnits: fc.integer({ min: 3, max: 14 }),
  })
  .map(({ seed, ...size }) => randomProblem(seed, size));

test('what is found is sound, is what the referee says, and beats neither brute force nor a simpler placement', async () => {
  const glpk = await loadGlpk();
  let exact = 0;
  let all = 0;
  fc.assert(
    fc.property(problems, (problem) => {
      const none = placeNone(problem);
      const greedy = placeGreedy(problem, wholeUnits(problem));
      const searched =
        greedy === undefined
          ? undefined
          : solvePlacementIlp(problem, greedy, wholeUnits(problem), glpk, { gap: 0, timeLimitSeconds: 60 }).best;
      const least = leastTraffic(problem);
      for (const found of [none, greedy, searched]) {
        if (found === undefined) continue;
        const again = evaluate(problem, found.placement);
        expect(again.errors).toEqual([]);
        expect(again.trafficBytes).toBe(found.evaluation.trafficBytes);
        expect(again.peakBytes).toBeLessThanOrEqual(problem.capacityBytes);
        expect(again.trafficBytes).toBeGreaterThanOrEqual(least);
      }
      if (none !== undefined && greedy !== undefined)
        expect(greedy.evaluation.trafficBytes).toBeLessThanOrEqual(none.evaluation.trafficBytes);
      if (least === Number.POSITIVE_INFINITY) return;
      all += 1;
      if (searched?.evaluation.trafficBytes === least) exact += 1;
    }),
    { numRuns: 30, seed: 11 },
  );
  // A search, not a proof: but on problems of this size it is mostly at the optimum.
  expect(all).toBeGreaterThan(15);
  expect(exact / all).toBeGreaterThan(0.8);
});
