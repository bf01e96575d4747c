import type { SearchControl } from '../control.js';
import type { LinearSolver } from '../linear/model.js';
import { type PackingCut, runsOf, wasteOfRuns } from './cuts.js';
import { evaluate, type SearchResult } from './evaluate.js';
import { addCut, buildFlowModel, type FlowModel, KIB, pathOfSolution } from './flow-model.js';
import { searchIntervals } from './interval-bound.js';
import {
  type ItemEvents,
  itemEvents,
  type Placement,
  type PlacementProblem,
  type ResidentRounding,
} from './problem.js';
import { fillResident } from './resident-fill.js';
import { buildStateGraph, liveItems, planOf, type StateGraph } from './state-graph.js';

export interface IlpOutcome {
  readonly best: SearchResult;
  /** Proven: no plan that the choices and spans can express has less traffic. */
  readonly boundBytes: number;
  /** optimal: within the gap of the bound; incumbent: not, and nothing is left to try; time-limit: the solver was cut short. */
  readonly status: 'optimal' | 'time-limit' | 'incumbent';
  readonly seconds: number;
  readonly variables: number; // of the ILP; 0 when there was nothing left to decide
  readonly constraints: number;
  /** Per step: traffic saved by one more byte of SRAM there, from the relaxation's duals; empty without an ILP. */
  readonly sramValue: readonly number[];
}

export interface IlpOptions {
  readonly gap: number; // relative
  readonly timeLimitSeconds: number; // for the solver: a last resort, since what depends on it is not repeatable
  /** Only a plan with less traffic is of use: what cannot lead to one is left out, and the bound is at most this. */
  readonly cutoffBytes?: number;
  /** Plans that could not be packed. The answer respects them; the bound is without them, since a cut need not be a proof. */
  readonly cuts?: readonly PackingCut[];
  readonly control?: SearchControl;
}

/** Work of the search over intervals: about two seconds. */
const MOST_ARC_VISITS = 200_000_000;
/** Plans looked at on the way. */
const MOST_PLANS = 400;
/** More arcs than this are not handed to the solver; it would need longer than it may take. */
const MOST_ILP_ARCS = 2000;

/**
 * Decides the placement, in three steps that each leave the next less to do:
 *
 *   1. all plans become paths through a graph of states (state-graph.ts);
 *   2. a search over the bytes of resident weights gives a bound, better plans, and leaves out the arcs that no better
 *      plan uses (interval-bound.ts): of some hundred thousand arcs a few hundred stay;
 *   3. the ILP over those (flow-model.ts), with the best plan as cut-off, decides the rest.
 *
 * Only the solver's clock can make two runs differ; when it strikes, the solver's answer is not used.
 */
export function solvePlacementIlp(
  problem: PlacementProblem,
  incumbent: SearchResult,
  roundResident: ResidentRounding,
  solver: LinearSolver,
  options: IlpOptions,
): IlpOutcome {
  const started = process.hrtime.bigint();
  const finish = (outcome: Omit<IlpOutcome, 'seconds' | 'status'> & { isCutShort: boolean }): IlpOutcome => {
    const { isCutShort, ...rest } = outcome;
    const traffic = rest.best.evaluation.trafficBytes;
    const isProven = rest.boundBytes >= traffic * (1 - options.gap) - 1;
    const status = isProven ? 'optimal' : isCutShort ? 'time-limit' : 'incumbent';
    return { ...rest, status, seconds: Number(process.hrtime.bigint() - started) / 1e9 };
  };
  const nothing = { variables: 0, constraints: 0, sramValue: [], isCutShort: false };
  const cuts = options.cuts ?? [];
  const plans = planKeeper(problem, incumbent, roundResident, cuts);
  const graph = buildStateGraph(problem);
  if (graph === undefined) {
    improveInParts(problem, plans, options);
    const { trafficBytes } = plans.best().evaluation;
    // Nobody asks for the bound of a plan that is of no use.
    const isWanted = trafficBytes < (options.cutoffBytes ?? Number.POSITIVE_INFINITY);
    const boundBytes = isWanted ? forgetfulBound(problem, trafficBytes, options) : 0;
    return finish({ best: plans.best(), boundBytes, ...nothing });
  }
  // A tenth of the gap: the intervals are cheap to close, and the ILP is small then.
  const limits = { gap: options.gap / 10, mostArcVisits: MOST_ARC_VISITS, control: options.control };
  const cutoff = Math.min(incumbent.evaluation.trafficBytes, options.cutoffBytes ?? Number.POSITIVE_INFINITY);
  const search = searchIntervals(graph, cutoff, limits, (path) => plans.observe(graph, path));
  const left = new Set<number>();
  for (const interval of search.open) for (const arc of interval.arcs) left.add(arc);
  let boundBytes = Math.floor(search.boundBytes);
  if (options.control?.isStopped()) return finish({ best: plans.best(), boundBytes, ...nothing, isCutShort: true });
  if (left.size === 0 || left.size > MOST_ILP_ARCS) return finish({ best: plans.best(), boundBytes, ...nothing });
  const arcs = [...left].sort((a, b) => a - b);
  const flow = buildFlowModel(graph, arcs, Math.min(problem.capacityBytes, totalWeightBytes(problem)));
  for (const cut of cuts) addCut(flow, graph, cut);
  const answer = solveFlow(flow, solver, Math.min(cutoff, plans.best().evaluation.trafficBytes), options);
  if (answer.path !== undefined) plans.observe(graph, answer.path);
  // With cuts the program is about fewer plans than the bound is.
  const provenBytes = cuts.length === 0 ? answer.boundBytes : 0;
  boundBytes = Math.max(boundBytes, Math.min(provenBytes, plans.best().evaluation.trafficBytes));
  return finish({
    best: plans.best(),
    boundBytes,
    variables: flow.model.columns.length,
    constraints: flow.model.rows.length,
    sramValue: answer.sramValue,
    isCutShort: answer.isCutShort,
  });
}

interface PlanKeeper {
  best(): SearchResult;
  /** Looks at the plan of a path; returns the traffic of the best plan so far. */
  observe(graph: StateGraph, path: readonly number[]): number;
}

/**
 * A plan that some cuts concern must leave their waste free: it is filled with that much less of resident weights.
 *
 * @returns undefined where it does not fit
 */
export function fittedPlan(
  problem: PlacementProblem,
  plan: Omit<Placement, 'residentBytes'>,
  roundResident: ResidentRounding,
  cuts: readonly PackingCut[],
  events: readonly ItemEvents[] = itemEvents(problem),
): SearchResult | undefined {
  let capacityBytes = problem.capacityBytes;
  if (cuts.length > 0) {
    const empty = { ...plan, residentBytes: problem.steps.map(() => 0) };
    capacityBytes -= wasteOfRuns(cuts, runsOf(plan, evaluate(problem, empty, events)));
  }
  const room = { ...problem, capacityBytes };
  const placement = fillResident(room, plan, roundResident, events);
  const evaluation = evaluate(room, placement, events);
  return evaluation.errors.length === 0 ? { placement, evaluation } : undefined;
}

function planKeeper(
  problem: PlacementProblem,
  incumbent: SearchResult,
  roundResident: ResidentRounding,
  cuts: readonly PackingCut[],
): PlanKeeper {
  const events = itemEvents(problem);
  const seen = new Set<string>();
  let best = incumbent;
  return {
    best: () => best,
    observe(graph, path) {
      const key = path.join();
      if (!seen.has(key) && seen.size < MOST_PLANS) {
        seen.add(key);
        const found = fittedPlan(problem, planOf(graph, path), roundResident, cuts, events);
        if (found !== undefined && found.evaluation.trafficBytes < best.evaluation.trafficBytes) best = found;
      }
      return best.evaluation.trafficBytes;
    },
  };
}

interface FlowAnswer {
  readonly path: readonly number[] | undefined;
  readonly boundBytes: number; // no plan has less, or less than the incumbent
  readonly sramValue: readonly number[];
  readonly isCutShort: boolean;
}

/** Of a dual, in bytes of traffic for each byte of SRAM: what is less is the solver's rounding. */
const LEAST_VALUE = 1e-9;
/** Iterations of the ILP: some ten seconds. */
const MOST_WORK = 20_000;

/** The relaxation for the duals, then the ILP below the incumbent. */
function solveFlow(flow: FlowModel, solver: LinearSolver, incumbentBytes: number, options: IlpOptions): FlowAnswer {
  const { model, capacityRows } = flow;
  const { timeLimitSeconds } = options;
  const relaxed = solver.solve(model, { relax: true, gap: 0, timeLimitSeconds });
  if (relaxed.status !== 'optimal') {
    return { path: undefined, boundBytes: 0, sramValue: [], isCutShort: relaxed.status !== 'infeasible' };
  }
  const duals = capacityRows.map((row) => -(relaxed.rowDuals[row] ?? 0));
  const sramValue = duals.map((value) => (value < LEAST_VALUE ? 0 : value));
  const terms = model.columns.flatMap(({ cost }, column) => (cost === 0 ? [] : [{ column, coefficient: cost }]));
  model.row('better', terms, Number.NEGATIVE_INFINITY, (incumbentBytes - 1) / KIB);
  const answer = solver.solve(model, { relax: false, gap: 0, timeLimitSeconds, workLimit: MOST_WORK });
  // The solver's tolerances are relative to numbers as large as the objective.
  const tolerance = 1e-6 * incumbentBytes;
  switch (answer.status) {
    case 'optimal': {
      const boundBytes = Math.floor(answer.objective * KIB - tolerance);
      return { path: pathOfSolution(flow, answer.values), boundBytes, sramValue, isCutShort: false };
    }
    case 'infeasible':
      return { path: undefined, boundBytes: Math.floor(incumbentBytes - tolerance), sramValue, isCutShort: false };
    default:
      return { path: undefined, boundBytes: 0, sramValue, isCutShort: true };
  }
}

function totalWeightBytes(problem: PlacementProblem): number {
  return problem.steps.reduce((sum, step) => sum + step.weightBytes, 0);
}

/** Items with a home to decide at once, of a problem with too many of them; fewer when that is still too much. */
const DECIDED_AT_ONCE = [8, 6, 4, 2, 0];
const MOST_ARCS_OF_PARTS = 500_000;

/**
 * Better plans for a problem whose graph of states is too large: at each cut the homes of a few items are open, the largest
 * first, then those that live longest, then those made last; all others stay as in the best plan so far.
 */
function improveInParts(problem: PlacementProblem, plans: PlanKeeper, { gap, control }: IlpOptions): void {
  const bySize = (item: number): number => problem.items[item]?.sramBytes ?? 0;
  const events = itemEvents(problem);
  const byLife = (item: number): number => lastEvent(events[item]) - (events[item]?.firstWrite ?? 0);
  const byStart = (item: number): number => events[item]?.firstWrite ?? 0;
  for (const importance of [bySize, byLife, byStart, bySize]) {
    for (const count of DECIDED_AT_ONCE) {
      const pinned = homesIn(problem, plans.best(), itemsBeyond(problem, count, importance));
      const graph = buildStateGraph(problem, { pinned, mostArcs: MOST_ARCS_OF_PARTS });
      if (graph === undefined) continue;
      if (control?.isStopped()) return;
      const limits = { gap: gap / 2, mostArcVisits: MOST_ARC_VISITS / 10, control };
      searchIntervals(graph, plans.best().evaluation.trafficBytes, limits, (path) => plans.observe(graph, path));
      break;
    }
  }
}

/** Where a plan makes items; model inputs are left out. */
function homesIn(problem: PlacementProblem, plan: SearchResult, items: ReadonlySet<number>): Map<number, boolean> {
  const inSram = new Set<number>();
  for (const stay of plan.evaluation.stays) if (stay.origin === 'produced') inSram.add(stay.item);
  const produced = [...items].filter((item) => problem.items[item]?.startsInDram === false);
  return new Map(produced.map((item) => [item, inSram.has(item)]));
}

/** A bound with only the largest items alive at each cut remembered: for problems whose graph of states is too large. */
function forgetfulBound(problem: PlacementProblem, incumbentBytes: number, { gap, control }: IlpOptions): number {
  const bySize = (item: number): number => problem.items[item]?.sramBytes ?? 0;
  for (const count of DECIDED_AT_ONCE) {
    const forgotten = itemsBeyond(problem, count, bySize);
    const graph = buildStateGraph(problem, { forgotten, mostArcs: MOST_ARCS_OF_PARTS });
    if (graph === undefined) continue;
    const limits = { gap: gap / 10, mostArcVisits: MOST_ARC_VISITS / 4, control };
    return Math.floor(searchIntervals(graph, incumbentBytes, limits, () => incumbentBytes).boundBytes);
  }
  return 0;
}

/** All items that are not among the `count` most important at some cut where they are alive. */
function itemsBeyond(problem: PlacementProblem, count: number, importance: (item: number) => number): Set<number> {
  const beyond = new Set<number>();
  for (const items of liveItems(problem, itemEvents(problem))) {
    if (items.length <= count) continue;
    const alive = items.filter((item) => !beyond.has(item));
    alive.sort((a, b) => importance(b) - importance(a) || a - b);
    for (const item of alive.slice(count)) beyond.add(item);
  }
  return beyond;
}

function lastEvent(life: ItemEvents | undefined): number {
  return Math.max(life?.lastWrite ?? -1, life?.reads[life.reads.length - 1] ?? -1);
}
