/** The ILP for time: its bound is a proof, its relaxation the same as the whole model's, its plans are sound. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadGlpk } from '../src/solver/linear/glpk.js';
import { loadHighs } from '../src/solver/linear/highs.js';
import { type Evaluation, evaluate } from '../src/solver/placement/evaluate.js';
import { evictionTraffic } from '../src/solver/placement/evictions.js';
import { placeGreedy, placeNone } from '../src/solver/placement/greedy.js';
import { itemEvents, type Placement, type PlacementProblem } from '../src/solver/placement/problem.js';
import { buildStateGraph } from '../src/solver/placement/state-graph.js';
import { relaxTime } from '../src/solver/placement/time/column-generation.js';
import { Pricer } from '../src/solver/placement/time/prices.js';
import { timeGraphOf } from '../src/solver/placement/time/time-graph.js';
import { solvePlacementTime } from '../src/solver/placement/time/time-ilp.js';
import { buildTimeModel, KIB } from '../src/solver/placement/time/time-model.js';
import { eachPlacement, randomProblem, UNIT_BYTES } from './placement-problems.js';
import { randomOf } from './program-arbitraries.js';

const glpk = await loadGlpk();
const highs = await loadHighs();
const TRAFFIC_WEIGHT = 1e-3;

/** Steps that compute about as long as their bytes take, some longer, some not at all. */
function withTimes(problem: PlacementProblem, seed: number): PlacementProblem {
  const random = randomOf(seed);
  const steps = problem.steps.map((step) => ({ ...step, computeCycles: Math.floor(random() * 4) * 300 }));
  return { ...problem, steps, bytesPerCycle: 4 };
}

const timedProblem = (most: number): fc.Arbitrary<PlacementProblem> =>
  fc
    .record({
      seed: fc.integer(),
      steps: fc.integer({ min: 2, max: most }),
      capacityUnits: fc.integer({ min: 4, max: 14 }),
    })
    .map(({ seed, ...size }) => withTimes(randomProblem(seed, size), seed + 1));

const wholeUnits =
  (problem: PlacementProblem) =>
  (t: number, bytes: number): number =>
    Math.min(problem.steps[t]?.weightBytes ?? 0, bytes - (bytes % UNIT_BYTES));

/** Cycles when nothing runs ahead and nothing is late: each execution takes the longer of what it computes and what it moves. */
function cyclesOneByOne(
  problem: PlacementProblem,
  placement: Placement,
  { executions, spilled, stays }: Evaluation,
): number {
  const events = itemEvents(problem);
  const { bytesPerCycle = 1 } = problem;
  let cycles = 0;
  let movedBytes = 0;
  for (const { first, last, trafficBytes, weightPasses, streamedSteps = [], rereadTableBytes = 0 } of executions) {
    let bytes = trafficBytes;
    let computeCycles = 0;
    for (let t = first; t <= last; t += 1) {
      const step = problem.steps[t];
      const resident = placement.residentBytes[t] ?? 0;
      computeCycles += step?.computeCycles ?? 0;
      if (!streamedSteps.includes(t)) bytes += weightPasses * ((step?.weightBytes ?? 0) - resident);
      if (resident > 0) bytes += rereadTableBytes;
    }
    for (const stay of stays)
      if (stay.origin === 'reloaded' && stay.startStep === first) bytes += problem.items[stay.item]?.dramBytes ?? 0;
    // What is spilled is written beside the execution that completes it.
    spilled.forEach((isSpilled, item) => {
      const written = events[item]?.lastWrite ?? -1;
      if (isSpilled && first <= written && written <= last) bytes += problem.items[item]?.dramBytes ?? 0;
    });
    for (const eviction of placement.evictions ?? [])
      if (eviction.first === first) bytes += evictionTraffic(problem, eviction);
    movedBytes += bytes;
    cycles += Math.max(computeCycles, bytes / bytesPerCycle);
  }
  expect(movedBytes).toBe(evaluate(problem, placement).trafficBytes);
  return cycles;
}

test('no placement that the referee accepts takes less than the bound, and the best plan is one of them', () => {
  let compared = 0;
  let proven = 0;
  fc.assert(
    fc.property(timedProblem(3), (problem) => {
      const outcome = solvePlacementTime(problem, wholeUnits(problem), glpk, { gap: 0, timeLimitSeconds: 60 });
      if (outcome === undefined) return;
      let least = Number.POSITIVE_INFINITY;
      eachPlacement(problem, (placement, evaluation) => {
        least = Math.min(least, cyclesOneByOne(problem, placement, evaluation));
      });
      compared += 1;
      expect(outcome.boundCycles).toBeLessThanOrEqual(least + 1);
      for (const { placement, evaluation } of outcome.plans) {
        expect(evaluate(problem, placement).errors).toEqual([]);
        expect(evaluate(problem, placement).trafficBytes).toBe(evaluation.trafficBytes);
        expect(cyclesOneByOne(problem, placement, evaluation)).toBeGreaterThanOrEqual(outcome.boundCycles - 1);
      }
      if (outcome.boundCycles > 0.9 * least) proven += 1;
    }),
    { numRuns: 30, seed: 7 },
  );
  expect(compared).toBeGreaterThan(20);
  expect(proven).toBeGreaterThan(compared / 2); // a bound that is far below would say nothing
});

test('the relaxation over few arcs is that of all of them, as another solver finds it', () => {
  let compared = 0;
  fc.assert(
    fc.property(timedProblem(8), (problem) => {
      const graph = buildStateGraph({ ...problem, canEvict: true });
      const time = graph === undefined ? undefined : timeGraphOf(graph);
      if (graph === undefined || time === undefined || graph.arcFrom.length > 3000) return;
      const most = problem.capacityBytes;
      const limits = { gap: 1e-6, mostRounds: 200, trafficWeight: TRAFFIC_WEIGHT, timeLimitSeconds: 60 };
      const relaxed = relaxTime(time, new Pricer(time, most), glpk, most, limits);
      const arcs = Array.from(graph.arcFrom, (_, arc) => arc);
      const whole = buildTimeModel(time, arcs, most, { trafficWeight: TRAFFIC_WEIGHT });
      const answer = highs.solve(whole.model, { relax: true, gap: 0, timeLimitSeconds: 60 });
      if (answer.status !== 'optimal' || relaxed === undefined) throw new Error('both have an optimum');
      const optimum = answer.objective * KIB;
      expect(relaxed.boundBytes).toBeLessThanOrEqual(optimum * (1 + 1e-6) + 1);
      expect(relaxed.boundBytes).toBeGreaterThanOrEqual(optimum * 0.999 - 1);
      compared += 1;
    }),
    { numRuns: 40, seed: 11 },
  );
  expect(compared).toBeGreaterThan(20);
});

test('in the model the plan for time is never slower than greedy, or none', () => {
  let better = 0;
  fc.assert(
    fc.property(timedProblem(10), (problem) => {
      const round = wholeUnits(problem);
      const none = placeNone(problem);
      const greedy = placeGreedy(problem, round);
      const best = solvePlacementTime(problem, round, glpk, { gap: 0, timeLimitSeconds: 60 });
      const fastest = best?.plans[0];
      if (fastest === undefined) return;
      for (const other of [none, greedy]) {
        if (other === undefined || other.evaluation.errors.length > 0) continue;
        const cycles = cyclesOneByOne(problem, other.placement, other.evaluation);
        expect(best?.boundCycles ?? 0).toBeLessThanOrEqual(cycles + 1);
        if (fastest.cycles < cycles) better += 1;
      }
    }),
    { numRuns: 40, seed: 3 },
  );
  expect(better).toBeGreaterThan(20);
});
