import type { SearchControl } from '../../control.js';
import type { LinearSolver } from '../../linear/model.js';
import { type PackingCut, runsOf, wasteOfRuns } from '../cuts.js';
import { evaluate, type SearchResult } from '../evaluate.js';
import { fittedPlan } from '../ilp.js';
import { type ItemEvents, itemEvents, type PlacementProblem, type ResidentRounding } from '../problem.js';
import { buildStateGraph, planOf } from '../state-graph.js';
import { relaxTime } from './column-generation.js';
import { Pricer } from './prices.js';
import { asItRuns, type TimeGraph, timeGraphOf } from './time-graph.js';
import { buildTimeModel, KIB, type TimeModel } from './time-model.js';

/** A plan with the time that the model says it takes. */
export interface TimedPlan extends SearchResult {
  readonly cycles: number;
}

export interface TimeOutcome {
  /** Fastest first: by what ways compute as they run, and by what they would at best, in turn. How far they grow is not known yet. */
  readonly plans: readonly TimedPlan[];
  /** No plan that the choices and spans can express takes less in the model. */
  readonly boundCycles: number;
  readonly status: 'optimal' | 'time-limit' | 'incumbent'; // of the first plan, as for traffic
  readonly seconds: number;
  readonly variables: number;
  readonly constraints: number;
}

export interface TimeOptions {
  readonly gap: number; // relative
  readonly timeLimitSeconds: number; // of one call of the solver
  readonly control?: SearchControl | undefined;
  readonly cuts?: readonly PackingCut[] | undefined; // plans that could not be packed
}

/** What a byte of traffic costs beside its time, in bytes' time: it decides between plans that take equally long. */
const TRAFFIC_WEIGHT = 1e-3;
const MOST_ROUNDS = 30;
const AS_PLANNED = { trafficWeight: TRAFFIC_WEIGHT, isAsRun: true };
/** On one path: loads ahead only where they are worth something, for what is waited for anyway is simpler. */
const ON_ONE_PATH = {
  trafficWeight: TRAFFIC_WEIGHT,
  aheadWeight: 0.002,
  waitingWeight: 0.02,
  isAsRun: true,
};
/** Of residents to whole channels, with less room each time. */
const MOST_ROUNDINGS = 6;
/** Arcs that are handed to the solver as integers. */
const MOST_ILP_ARCS = 1000;
/** Relative; the model is not exact enough for less, and the solver needs many times as long for it. */
const LEAST_ILP_GAP = 0.003;
/** Iterations: some five seconds. */
const MOST_ILP_WORK = 8000;

/**
 * Decides the placement for time: the sum over layers and blocks of the larger of what they compute and what the DMA moves
 * meanwhile, loads ahead and late stores included, which need room beside what runs.
 *
 *   1. all plans become paths through the graph of states, as for traffic (state-graph.ts);
 *   2. the relaxation of the model over all arcs gives a bound, and paths that are good plans (column-generation.ts);
 *   3. the ILP over the arcs that can be part of a better plan decides; where they are too many, over the best of the relaxation's.
 *
 * @returns undefined where the graph is too large, or the problem does not know times
 */
export function solvePlacementTime(
  problem: PlacementProblem,
  roundResident: ResidentRounding,
  solver: LinearSolver,
  options: TimeOptions,
): TimeOutcome | undefined {
  const started = process.hrtime.bigint();
  const graph = buildStateGraph(problem);
  const time = graph === undefined ? undefined : timeGraphOf(graph);
  if (time === undefined) return undefined;
  const weightBytes = problem.steps.reduce((sum, step) => sum + step.weightBytes, 0);
  const mostResidentBytes = Math.min(problem.capacityBytes, weightBytes);
  const search = { solver, mostResidentBytes, roundResident, options };
  const ideal = plansFor(time, search);
  const real = plansFor(asItRuns(time), search);
  const plans = inTurn(real?.plans ?? [], ideal?.plans ?? []);
  if (ideal === undefined || real === undefined || plans.length === 0) return undefined;
  const cycles = Math.min(...plans.map((plan) => plan.cycles));
  const boundCycles = Math.min(Math.floor(ideal.boundBytes / (problem.bytesPerCycle ?? 1)), cycles);
  const isProven = boundCycles >= cycles * (1 - options.gap) - 1;
  return {
    plans,
    boundCycles,
    status: isProven ? 'optimal' : real.isCutShort || ideal.isCutShort ? 'time-limit' : 'incumbent',
    seconds: Number(process.hrtime.bigint() - started) / 1e9,
    variables: real.variables,
    constraints: real.constraints,
  };
}

interface Search {
  readonly solver: LinearSolver;
  readonly mostResidentBytes: number;
  readonly roundResident: ResidentRounding;
  readonly options: TimeOptions;
}

interface Found {
  readonly plans: readonly TimedPlan[]; // fastest first
  readonly boundBytes: number; // time, of every plan
  readonly variables: number; // of the ILP; 0 where there was nothing left to decide
  readonly constraints: number;
  readonly isCutShort: boolean;
}

/** The plans of the relaxation's paths, and what the ILP finds that is better. */
function plansFor(time: TimeGraph, search: Search): Found | undefined {
  const { solver, mostResidentBytes, options } = search;
  const { gap, timeLimitSeconds, control } = options;
  const pricer = new Pricer(time, mostResidentBytes);
  const limits = { gap: gap / 4, mostRounds: MOST_ROUNDS, trafficWeight: TRAFFIC_WEIGHT, timeLimitSeconds, control };
  const relaxed = relaxTime(time, pricer, solver, mostResidentBytes, limits);
  if (relaxed === undefined) return undefined;
  const plans = new PlanCollector(time, search);
  for (const path of relaxed.paths) plans.add(path);
  // Of any plan the time is at least its traffic: the weight adds no more than itself.
  const weightedBytes = relaxed.boundBytes / (1 + TRAFFIC_WEIGHT);
  const boundBytes = Math.max(pricer.price(relaxed.prices, 0).boundBytes, weightedBytes);
  const priced = pricer.price(relaxed.prices, TRAFFIC_WEIGHT);
  const incumbent = plans.bestBytes();
  const arcs = arcsBelow(priced.excess, incumbent - priced.boundBytes, relaxed.arcs);
  const isStopped = control?.isStopped() === true;
  if (incumbent - relaxed.boundBytes <= gap * incumbent || arcs.length === 0 || isStopped)
    return { plans: plans.sorted(), boundBytes, variables: 0, constraints: 0, isCutShort: isStopped };
  const { model } = buildTimeModel(time, arcs, mostResidentBytes, AS_PLANNED);
  const answer = solver.solve(model, {
    relax: false,
    gap: Math.max(gap / 2, LEAST_ILP_GAP),
    timeLimitSeconds,
    workLimit: MOST_ILP_WORK,
  });
  if (answer.status === 'optimal') plans.add(arcs.filter((_, column) => (answer.values[column] ?? 0) > 0.5));
  return {
    plans: plans.sorted(),
    boundBytes,
    variables: model.columns.length,
    constraints: model.rows.length,
    isCutShort: answer.status === 'feasible' || answer.status === 'none',
  };
}

interface Weighed {
  readonly plan: TimedPlan;
  readonly bytes: number; // time with the weighted traffic
}

/** Plans of paths, each once. */
class PlanCollector {
  private readonly found = new Map<string, Weighed>();
  private readonly events: readonly ItemEvents[];

  constructor(
    private readonly time: TimeGraph,
    private readonly search: Search,
  ) {
    this.events = itemEvents(time.graph.problem);
  }

  add(path: readonly number[]): void {
    const weighed = this.planOfPath(path);
    if (weighed === undefined || weighed.plan.evaluation.errors.length > 0) return;
    const key = JSON.stringify(weighed.plan.placement);
    if (!this.found.has(key)) this.found.set(key, weighed);
  }

  /** Of the best plan; Infinity without one. */
  bestBytes(): number {
    return this.byTime()[0]?.bytes ?? Number.POSITIVE_INFINITY;
  }

  sorted(): TimedPlan[] {
    return this.byTime().map(({ plan }) => plan);
  }

  private byTime(): Weighed[] {
    return [...this.found.values()].sort((a, b) => a.bytes - b.bytes);
  }

  /**
   * What is resident is decided by the relaxation over the path alone, and rounded to whole channels. Weights that are held and not
   * resident take room: where rounding some down asks for too much, once more with less room.
   */
  private planOfPath(path: readonly number[]): Weighed | undefined {
    const { time, events } = this;
    const { solver, mostResidentBytes, roundResident, options } = this.search;
    const { timeLimitSeconds, cuts = [] } = options;
    const { problem } = time.graph;
    const partial = planOf(time.graph, path);
    let first: { readonly cycles: number; readonly bytes: number } | undefined;
    let spareBytes = 0;
    for (let attempt = 0; attempt < MOST_ROUNDINGS; attempt += 1) {
      const model = buildTimeModel(time, path, mostResidentBytes, { ...ON_ONE_PATH, spareBytes });
      const answer = solver.solve(model.model, { relax: true, gap: 0, timeLimitSeconds });
      if (answer.status !== 'optimal') return undefined;
      first ??= {
        cycles: Math.ceil(timeOf(model, answer.values) / (problem.bytesPerCycle ?? 1)),
        bytes: answer.objective * KIB,
      };
      const residentBytes = residentsOf(time, model, answer.values, roundResident);
      const placement = { ...partial, residentBytes };
      const evaluation = evaluate(problem, placement, events);
      const wasteBytes = cuts.length === 0 ? 0 : wasteOfRuns(cuts, runsOf(placement, evaluation));
      const excessBytes = evaluation.peakBytes + wasteBytes - problem.capacityBytes;
      if (excessBytes <= 0) return { plan: { placement, evaluation, cycles: first.cycles }, bytes: first.bytes };
      spareBytes += excessBytes;
    }
    const fitted = fittedPlan(problem, partial, roundResident, cuts, events);
    if (fitted === undefined || first === undefined) return undefined;
    return { plan: { ...fitted, cycles: first.cycles }, bytes: first.bytes };
  }
}

/** By step; a span's bytes go to its steps in order. */
function residentsOf(
  { graph }: TimeGraph,
  { residents }: TimeModel,
  values: Float64Array,
  roundResident: ResidentRounding,
): number[] {
  const { problem } = graph;
  const residentBytes = problem.steps.map(() => 0);
  let left = 0; // what rounding leaves of one layer is for the next that wants some
  for (const { column, arc } of residents) {
    const bytes = (values[column] ?? 0) * KIB;
    if (bytes < 1) continue;
    left += bytes;
    const execution = graph.edges[graph.arcEdge[arc] ?? -1]?.execution;
    if (execution === undefined) continue;
    for (let t = execution.first; t <= execution.last; t += 1) {
      if (execution.streamedSteps?.includes(t) === true) continue;
      const kept = roundResident(t, Math.min(left, problem.steps[t]?.weightBytes ?? 0));
      residentBytes[t] = kept;
      left -= kept;
    }
  }
  return residentBytes;
}

function timeOf({ model }: TimeModel, values: Float64Array): number {
  return (
    model.columns.reduce((sum, { name }, column) => sum + (name.startsWith('T') ? (values[column] ?? 0) : 0), 0) * KIB
  );
}

/** One of each list after the other, without those that are there already. */
function inTurn(a: readonly TimedPlan[], b: readonly TimedPlan[]): TimedPlan[] {
  const plans = new Map<string, TimedPlan>();
  for (let rank = 0; rank < Math.max(a.length, b.length); rank += 1)
    for (const plan of [a[rank], b[rank]]) {
      if (plan === undefined) continue;
      const key = JSON.stringify(plan.placement);
      if (!plans.has(key)) plans.set(key, plan);
    }
  return [...plans.values()];
}

/** Arcs that can be part of a plan so much longer than the shortest; where they are too many, the best of those of the relaxation. */
function arcsBelow(excess: Float64Array, limit: number, relaxed: readonly number[]): number[] {
  const arcs: number[] = [];
  for (let arc = 0; arc < excess.length && arcs.length <= MOST_ILP_ARCS; arc += 1)
    if ((excess[arc] as number) < limit) arcs.push(arc);
  if (arcs.length <= MOST_ILP_ARCS) return arcs;
  const best = relaxed.filter((arc) => (excess[arc] as number) < limit);
  best.sort((a, b) => (excess[a] as number) - (excess[b] as number) || a - b);
  return best.slice(0, MOST_ILP_ARCS).sort((a, b) => a - b);
}
