/** Bounds are proofs: no placement that the referee accepts is below them, and the ILP's optimum is within rounding of the best. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadGlpk } from '../src/solver/linear/glpk.js';
import { loadHighs } from '../src/solver/linear/highs.js';
import { evaluate } from '../src/solver/placement/evaluate.js';
import { buildFlowModel, KIB, pathOfSolution } from '../src/solver/placement/flow-model.js';
import { placeGreedy, placeNone } from '../src/solver/placement/greedy.js';
import { solvePlacementIlp } from '../src/solver/placement/ilp.js';
import { searchIntervals } from '../src/solver/placement/interval-bound.js';
import { itemEvents, type PlacementProblem } from '../src/solver/placement/problem.js';
import { fillResident } from '../src/solver/placement/resident-fill.js';
import { buildStateGraph, planOf, type StateGraph } from '../src/solver/placement/state-graph.js';
import { buildPlacementModel } from './compact-placement-model.js';
import { leastTraffic, randomProblem, UNIT_BYTES, wideProblem } from './placement-problems.js';

const glpk = await loadGlpk();
const highs = await loadHighs();
const wholeUnits =
  (problem: PlacementProblem) =>
  (t: number, bytes: number): number =>
    Math.min(problem.steps[t]?.weightBytes ?? 0, bytes - (bytes % UNIT_BYTES));
const exactly = { gap: 0, timeLimitSeconds: 60 };

const smallProblem = fc
  .record({ seed: fc.integer(), steps: fc.integer({ min: 2, max: 3 }), capacityUnits: fc.integer({ min: 4, max: 14 }) })
  .map(({ seed, ...size }) => randomProblem(seed, size));

/** What rounding the resident bytes of every step down to whole units can cost. */
function roundingBytes(problem: PlacementProblem): number {
  return problem.steps.reduce(
    (sum, step) => sum + UNIT_BYTES * step.choices.reduce((most, choice) => Math.max(most, choice.weightPasses), 1),
    0,
  );
}

function allArcs(graph: StateGraph): number[] {
  return Array.from(graph.arcFrom, (_, arc) => arc);
}

/** The bound with intervals halved to the end, and nothing known to begin with. */
function intervalBound(graph: StateGraph): number {
  const nothingKnown = 1e9;
  const limits = { gap: 0, mostArcVisits: 20_000_000 };
  return searchIntervals(graph, nothingKnown, limits, () => nothingKnown).boundBytes;
}

function weightBytes(problem: PlacementProblem): number {
  return problem.steps.reduce((sum, step) => sum + step.weightBytes, 0);
}

test('the least of all placements is between the bound and what is found', () => {
  let proven = 0;
  let withSpans = 0;
  fc.assert(
    fc.property(smallProblem, (problem) => {
      const none = placeNone(problem);
      if (none === undefined || none.evaluation.errors.length > 0) return;
      const least = leastTraffic(problem);
      const outcome = solvePlacementIlp(problem, none, wholeUnits(problem), glpk, exactly);
      expect(outcome.boundBytes).toBeLessThanOrEqual(least);
      expect(outcome.best.evaluation.errors).toEqual([]);
      expect(outcome.best.evaluation.trafficBytes).toBeGreaterThanOrEqual(least);
      // The ILP knows no rounding: its optimum, which is the bound, is at most that much below the best in whole units.
      expect(least - outcome.boundBytes).toBeLessThanOrEqual(roundingBytes(problem) + 1);
      if (least - outcome.boundBytes <= 1) proven += 1;
      if (outcome.best.placement.spans.length > 0) withSpans += 1;
    }),
    { numRuns: 40, seed: 11 },
  );
  expect(proven).toBeGreaterThan(30);
  expect(withSpans).toBeGreaterThan(15);
});

test('a graph that forgets items gives a lower bound, never a higher one', () => {
  fc.assert(
    fc.property(smallProblem, fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), (problem, forgotten) => {
      const whole = buildStateGraph(problem);
      const less = buildStateGraph(problem, { forgotten: new Set(forgotten) });
      if (whole === undefined) return;
      expect(less).toBeDefined();
      if (less !== undefined) expect(intervalBound(less)).toBeLessThanOrEqual(intervalBound(whole) + 1);
    }),
    { numRuns: 40, seed: 5 },
  );
});

test('a graph with pinned items has some of the plans only', () => {
  const homes = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.boolean()), { maxLength: 2 });
  fc.assert(
    fc.property(smallProblem, homes, (problem, pins) => {
      const pinned = new Map(pins.filter(([item]) => problem.items[item]?.startsInDram === false));
      const whole = buildStateGraph(problem);
      const less = buildStateGraph(problem, { pinned });
      if (whole === undefined || less === undefined) return;
      expect(intervalBound(less)).toBeGreaterThanOrEqual(intervalBound(whole) - 3 * 128);
    }),
    { numRuns: 40, seed: 6 },
  );
});

test('a problem with too many items alive at once is improved in parts, below a bound that leaves some out', () => {
  const problem = wideProblem(20);
  expect(buildStateGraph(problem)).toBeUndefined();
  const greedy = placeGreedy(problem, wholeUnits(problem));
  if (greedy === undefined) throw new Error('greedy places everything that fits');
  const options = { gap: 0.001, timeLimitSeconds: 60 };
  const wholeBytes = (_: number, bytes: number): number => Math.min(900, Math.floor(bytes));
  const outcome = solvePlacementIlp(problem, greedy, wholeBytes, glpk, options);
  expect(outcome.best.evaluation.errors).toEqual([]);
  expect(outcome.best.evaluation.trafficBytes).toBeLessThan(0.7 * greedy.evaluation.trafficBytes);
  expect(outcome.boundBytes).toBeLessThanOrEqual(outcome.best.evaluation.trafficBytes);
  expect(outcome.boundBytes).toBeGreaterThan(0.7 * outcome.best.evaluation.trafficBytes);
  expect(outcome.status).toBe('incumbent');
});

test('the bound by intervals, the ILP and its relaxation by both solvers, and the compact formulation agree', () => {
  const sizes = fc.record({ seed: fc.integer(), steps: fc.integer({ min: 4, max: 5 }) });
  let compared = 0;
  fc.assert(
    fc.property(sizes, ({ seed, steps }) => {
      const problem = randomProblem(seed, { steps, capacityUnits: 8 });
      const graph = buildStateGraph(problem);
      if (graph === undefined) return;
      const flow = buildFlowModel(graph, allArcs(graph), Math.min(problem.capacityBytes, weightBytes(problem)));
      const relax = { relax: true, ...exactly };
      const relaxed = glpk.solve(flow.model, relax);
      expect(relaxed.status).toBe('optimal');
      expect(highs.solve(flow.model, relax).objective).toBeCloseTo(relaxed.objective, 5);
      const whole = { relax: false, ...exactly };
      const answer = glpk.solve(flow.model, whole);
      const other = highs.solve(flow.model, whole);
      expect([answer.status, other.status]).toEqual(['optimal', 'optimal']);
      expect(other.objective).toBeCloseTo(answer.objective, 3);
      const bytes = answer.objective * KIB;
      expect(relaxed.objective * KIB).toBeLessThanOrEqual(bytes + 1);
      // Intervals are halved to 128 bytes; each of those is worth three bytes of traffic at most.
      const byIntervals = intervalBound(graph);
      expect(byIntervals).toBeLessThanOrEqual(bytes + 1);
      expect(byIntervals).toBeGreaterThanOrEqual(relaxed.objective * KIB - 3 * 128);
      // The second formulation counts too much where items are made in parts.
      if (itemEvents(problem).every((life) => life.writes.length < 2)) {
        const compact = glpk.solve(buildPlacementModel(problem).model, relax);
        expect(compact.objective * KIB).toBeLessThanOrEqual(bytes + 1);
        compared += 1;
      }
      const placement = fillResident(problem, planOf(graph, pathOfSolution(flow, answer.values)), wholeUnits(problem));
      const evaluation = evaluate(problem, placement);
      expect(evaluation.errors).toEqual([]);
      expect(evaluation.trafficBytes).toBeGreaterThanOrEqual(bytes - 1);
      expect(evaluation.trafficBytes).toBeLessThanOrEqual(bytes + roundingBytes(problem) + 1);
    }),
    { numRuns: 8, seed: 3 },
  );
  expect(compared).toBeGreaterThan(2);
});

test('the same problem gives the same placement again, and the same bound with either solver', () => {
  for (let seed = 0; seed < 8; seed += 1) {
    const problem = randomProblem(seed, { steps: 7, capacityUnits: 9 });
    const none = placeNone(problem);
    if (none === undefined) continue;
    const byGlpk = solvePlacementIlp(problem, none, wholeUnits(problem), glpk, exactly);
    const byHighs = solvePlacementIlp(problem, none, wholeUnits(problem), highs, exactly);
    const again = solvePlacementIlp(problem, none, wholeUnits(problem), glpk, exactly);
    expect(again.best.placement).toEqual(byGlpk.best.placement);
    // Of equally good solutions either may be found; they differ once rounded.
    const difference = byHighs.best.evaluation.trafficBytes - byGlpk.best.evaluation.trafficBytes;
    expect(Math.abs(difference)).toBeLessThanOrEqual(roundingBytes(problem));
    expect(Math.abs(byHighs.boundBytes - byGlpk.boundBytes)).toBeLessThanOrEqual(1);
  }
});
