import type { SearchControl } from '../../control.js';
import type { LinearSolver } from '../../linear/model.js';
import type { Priced, Pricer, Prices } from './prices.js';
import type { TimeGraph } from './time-graph.js';
import { buildTimeModel, KIB, pricesOf } from './time-model.js';

/**
 * The relaxation of the time model over all arcs of a graph, by looking at few of them: the model over some arcs gives prices, the
 * prices give the shortest path over all arcs and with it a bound, and arcs on short paths join the model, until both agree.
 *
 *   arcs of the model ---relaxation---> prices ---sweep over all arcs---> bound, path
 *          ^                                                                |
 *          '-------------------- arcs of short paths -----------------------'
 */
export interface TimeRelaxation {
  /** Time with the weighted traffic; of all plans none has less. */
  readonly boundBytes: number;
  readonly prices: Prices;
  readonly arcs: readonly number[]; // in order
  readonly paths: readonly (readonly number[])[]; // that were shortest at some prices, each once
}

export interface RelaxationLimits {
  readonly gap: number; // relative, between the model's optimum and the bound
  readonly mostRounds: number;
  readonly trafficWeight: number;
  readonly timeLimitSeconds: number; // of one call of the solver
  readonly control?: SearchControl | undefined;
}

/** Arcs that join the model in a round, beside the shortest path. */
const MOST_JOINING = 150;

export function relaxTime(
  time: TimeGraph,
  pricer: Pricer,
  solver: LinearSolver,
  mostResidentBytes: number,
  limits: RelaxationLimits,
): TimeRelaxation | undefined {
  const arcs = new Set<number>();
  const paths = new Map<string, readonly number[]>();
  let best: { prices: Prices; boundBytes: number } | undefined;
  const visit = (prices: Prices): Priced => {
    const priced = pricer.price(prices, limits.trafficWeight);
    paths.set(priced.path.join(), priced.path);
    if (best === undefined || priced.boundBytes > best.boundBytes) best = { prices, boundBytes: priced.boundBytes };
    return priced;
  };
  for (const share of [0.5, 0.9, 0.1]) {
    for (const room of [0, 0.25, 1, 2])
      for (const arc of visit(evenPrices(time.steps, share, room)).path) arcs.add(arc);
  }
  for (let round = 0; round < limits.mostRounds && limits.control?.isStopped() !== true; round += 1) {
    const model = buildTimeModel(
      time,
      [...arcs].sort((a, b) => a - b),
      mostResidentBytes,
      limits,
    );
    const answer = solver.solve(model.model, { relax: true, gap: 0, timeLimitSeconds: limits.timeLimitSeconds });
    if (answer.status !== 'optimal') break;
    const prices = pricesOf(model, answer.rowDuals);
    const priced = visit(prices);
    const bound = best?.boundBytes ?? 0;
    if (answer.objective * KIB - bound <= limits.gap * answer.objective * KIB) break;
    const before = arcs.size;
    for (const arc of priced.path) arcs.add(arc);
    for (const arc of shortArcs(priced.excess, arcs)) arcs.add(arc);
    if (arcs.size === before) break;
  }
  return best === undefined
    ? undefined
    : { ...best, arcs: [...arcs].sort((a, b) => a - b), paths: [...paths.values()] };
}

/** The arcs on the shortest paths that are not in the model yet. */
function shortArcs(excess: Float64Array, known: ReadonlySet<number>): number[] {
  const found: number[] = [];
  for (let arc = 0; arc < excess.length; arc += 1)
    if ((excess[arc] as number) < Number.POSITIVE_INFINITY && !known.has(arc)) found.push(arc);
  found.sort((a, b) => (excess[a] as number) - (excess[b] as number) || a - b);
  return found.slice(0, MOST_JOINING);
}

/** Computing and moving worth the same everywhere, and a byte of SRAM, all the time, so much of a byte moved. */
function evenPrices(steps: number, dmaShare: number, room: number): Prices {
  return {
    compute: new Float64Array(steps).fill(1 - dmaShare),
    dma: new Float64Array(steps + 1).fill(dmaShare),
    step: new Float64Array(steps).fill((room * dmaShare) / steps),
    cut: new Float64Array(steps + 1),
    roomless: new Float64Array(steps + 1),
  };
}
