import type { SearchControl } from '../control.js';
import { pathToSink, type StateGraph } from './state-graph.js';

/**
 * Bounds and prunes the plans of a state graph by how many bytes of weights are resident in all.
 *
 * That total R is all that couples the arcs of a path: while arc a runs, which takes m_a bytes and holds its weights or not,
 * m_a + R <= C + (resident bytes r_a of its own, if it holds them), and the r_a add up to R. For R in [low, high] it follows
 *
 *     r_a >= m_a + low - C  where it holds its weights (m_a counts them all), and m_a + low <= C where it does not
 *
 * and with a price `mu` on the sum, traffic >= (shortest path with arcs at cost_a + (mu - passes_a) r_a) - mu * high, each r_a
 * at the better end of its range. That is one sweep over the arcs, for any mu a proof for every plan with such an R. The
 * narrower the interval the sharper: so intervals are halved where the bound is lowest, and arcs whose shortest path through
 * them is no better than the incumbent are left out for good in that interval.
 *
 *      traffic
 *        |\                       /     bound by interval: only the middle ones stay open
 *        | \__               ____/  ____ incumbent
 *        |    |__|=|=|__|___|
 *        +----------------------------- R
 */
export interface Interval {
  readonly lowBytes: number;
  readonly highBytes: number;
  readonly boundBytes: number;
  /** Arcs that a better plan than the incumbent may use, in the order of the graph. */
  readonly arcs: Int32Array;
}

export interface IntervalSearch {
  /** No plan has less traffic than this, or than the incumbent. */
  readonly boundBytes: number;
  readonly open: readonly Interval[]; // those that may hold a better plan, lowest bound first
  readonly arcVisits: number;
}

export interface IntervalLimits {
  /** Relative to the incumbent: intervals with no more than this to gain are left as they are. */
  readonly gap: number;
  readonly mostArcVisits: number;
  readonly control?: SearchControl | undefined;
}

/** Intervals narrower than this are not halved: what is open there is for the ILP to decide. */
const NARROWEST_BYTES = 128;
const MOST_PRICE = 64;
/** Of the visits: even a search that is stopped looks for a plan worth having. */
const SHARE_WHEN_STOPPED = 0.1;

/** The arcs of a graph with what a sweep reads of each side by side, and the sweeps' results. */
interface Sweep {
  readonly graph: StateGraph;
  readonly weights: Float64Array; // per arc
  readonly passes: Float64Array;
  readonly isHeld: Uint8Array;
  readonly length: Float64Array; // per arc, of the last sweep; Infinity where the arc does not fit
  readonly resident: Float64Array; // per arc, of the last sweep
  readonly ahead: Float64Array; // per node: shortest from the source
  readonly behind: Float64Array; // per node: shortest to the sink
  readonly arrival: Int32Array; // per node: arc by which the shortest path arrives
  arcVisits: number;
}

/** Called with paths that may be good plans; returns the traffic of the best plan known after that. */
export type PathObserver = (path: readonly number[]) => number;

export function searchIntervals(
  graph: StateGraph,
  incumbentBytes: number,
  limits: IntervalLimits,
  observe: PathObserver,
): IntervalSearch {
  const { steps, capacityBytes } = graph.problem;
  const sweep = sweepOf(graph);
  let best = incumbentBytes;
  const observed = (path: readonly number[]): number => {
    best = Math.min(best, observe(path));
    return best;
  };
  const weightBytes = steps.reduce((sum, step) => sum + step.weightBytes, 0);
  const all = new Int32Array(graph.arcFrom.length).map((_, arc) => arc);
  const root = { lowBytes: 0, highBytes: Math.min(capacityBytes, weightBytes), boundBytes: 0, arcs: all };
  const open: Interval[] = [];
  const closed: Interval[] = [];
  const add = (interval: Interval): void => {
    const result = boundInterval(sweep, interval, best, observed);
    if (result === undefined || result.boundBytes >= best) return;
    const isNarrow = result.highBytes - result.lowBytes < NARROWEST_BYTES;
    (isNarrow ? closed : open).push(result);
  };
  add(root);
  const { control } = limits;
  const mayGoOn = (): boolean =>
    sweep.arcVisits < limits.mostArcVisits * (control?.isStopped() === true ? SHARE_WHEN_STOPPED : 1);
  while (open.length > 0 && mayGoOn()) {
    open.sort((a, b) => a.boundBytes - b.boundBytes || a.lowBytes - b.lowBytes);
    const worst = open[0];
    if (worst === undefined || worst.boundBytes >= best * (1 - limits.gap)) break;
    control?.onProgress?.(best, worst.boundBytes);
    open.shift();
    const middle = Math.floor((worst.lowBytes + worst.highBytes) / 2);
    add({ ...worst, highBytes: middle });
    add({ ...worst, lowBytes: middle });
  }
  const left = [...open, ...closed].filter((interval) => interval.boundBytes < best);
  left.sort((a, b) => a.boundBytes - b.boundBytes || a.lowBytes - b.lowBytes);
  return { boundBytes: Math.min(best, left[0]?.boundBytes ?? best), open: left, arcVisits: sweep.arcVisits };
}

function sweepOf(graph: StateGraph): Sweep {
  const count = graph.arcFrom.length;
  const sweep: Sweep = {
    graph,
    weights: new Float64Array(count),
    passes: new Float64Array(count),
    isHeld: new Uint8Array(count),
    length: new Float64Array(count),
    resident: new Float64Array(count),
    ahead: new Float64Array(graph.nodeCount),
    behind: new Float64Array(graph.nodeCount),
    arrival: new Int32Array(graph.nodeCount),
    arcVisits: 0,
  };
  for (let arc = 0; arc < count; arc += 1) {
    const edge = graph.edges[graph.arcEdge[arc] as number];
    if (edge === undefined) continue;
    sweep.weights[arc] = edge.weightBytes;
    sweep.passes[arc] = edge.weightPasses;
    sweep.isHeld[arc] = edge.isHeld ? 1 : 0;
  }
  return sweep;
}

/** The interval with its best bound and the arcs left in it; undefined when it holds no better plan. */
function boundInterval(
  sweep: Sweep,
  interval: Interval,
  bestBytes: number,
  observe: PathObserver,
): Interval | undefined {
  const { lowBytes, highBytes } = interval;
  let incumbent = bestBytes;
  let bound = Math.max(interval.boundBytes, 0);
  let bestPrice = 1;
  // The bound is concave in the price: where paths ask for more than `high` it rises, elsewhere it falls.
  let rising: { price: number; value: number; slope: number } | undefined;
  let falling: { price: number; value: number; slope: number } | undefined;
  let price = 1;
  let sweptPrice = 1;
  for (let round = 0; round < 12; round += 1) {
    const value = sweepAhead(sweep, interval, price) - price * highBytes;
    sweptPrice = price;
    if (value === Number.POSITIVE_INFINITY || value >= incumbent) return undefined;
    if (value > bound || round === 0) {
      bestPrice = price;
      bound = Math.max(bound, value);
    }
    const path = pathToSink(sweep.graph, sweep.arrival);
    let slope = -highBytes;
    for (const arc of path) slope += sweep.resident[arc] ?? 0;
    incumbent = Math.min(incumbent, observe(path));
    if (slope > 0) rising = { price, value, slope };
    else falling = { price, value, slope };
    if (rising === undefined || slope === 0) break; // already falling at price 1: every byte that is asked for is there
    if (falling === undefined) {
      price *= 2;
      if (price > MOST_PRICE) break;
      continue;
    }
    const crossing =
      rising.price +
      (falling.value - rising.value + falling.slope * (rising.price - falling.price)) / (rising.slope - falling.slope);
    const most = rising.value + rising.slope * (crossing - rising.price);
    if (most - bound < 64 || crossing - rising.price < 1e-4 || falling.price - crossing < 1e-4) break;
    price = crossing;
  }
  if (sweptPrice !== bestPrice) sweepAhead(sweep, interval, bestPrice);
  else sweep.arcVisits += interval.arcs.length; // the limit counts as if it were swept again
  const arcs = remainingArcs(sweep, interval, bestPrice, incumbent);
  return arcs.length === 0 ? undefined : { lowBytes, highBytes, boundBytes: bound, arcs };
}

/** Shortest paths from the source with the interval's arcs at a price; returns the length to the sink. */
function sweepAhead(sweep: Sweep, interval: Interval, price: number): number {
  const { graph, weights, passes, isHeld, length, resident, ahead, arrival } = sweep;
  const { arcFrom, arcTo, arcCost, arcMemory } = graph;
  const { arcs, highBytes } = interval;
  const roomBytes = graph.problem.capacityBytes - interval.lowBytes;
  ahead.fill(Number.POSITIVE_INFINITY);
  ahead[0] = 0;
  sweep.arcVisits += arcs.length;
  for (let i = 0; i < arcs.length; i += 1) {
    const arc = arcs[i] as number;
    const least = Math.max(0, (arcMemory[arc] as number) - roomBytes);
    const most = Math.min(weights[arc] as number, highBytes);
    if (least > 0 && (isHeld[arc] === 0 || least > most)) {
      length[arc] = Number.POSITIVE_INFINITY;
      continue;
    }
    const saving = price - (passes[arc] as number);
    const bytes = saving >= 0 ? least : most;
    const own = (arcCost[arc] as number) + saving * bytes;
    length[arc] = own;
    resident[arc] = bytes;
    const total = (ahead[arcFrom[arc] as number] as number) + own;
    const to = arcTo[arc] as number;
    if (total < (ahead[to] as number)) {
      ahead[to] = total;
      arrival[to] = arc;
    }
  }
  return ahead[graph.nodeCount - 1] ?? Number.POSITIVE_INFINITY;
}

/** Arcs on some path shorter than the incumbent, after a sweep at that price. */
function remainingArcs(sweep: Sweep, interval: Interval, price: number, incumbentBytes: number): Int32Array {
  const { graph, length, ahead, behind } = sweep;
  const { arcFrom, arcTo } = graph;
  const { arcs } = interval;
  behind.fill(Number.POSITIVE_INFINITY);
  behind[graph.nodeCount - 1] = 0;
  sweep.arcVisits += arcs.length;
  const kept = new Int32Array(arcs.length);
  let count = 0;
  // Whole bytes: a better plan has one byte less at least; half a byte is for rounding.
  const limit = incumbentBytes - 0.5 + price * interval.highBytes;
  for (let i = arcs.length - 1; i >= 0; i -= 1) {
    const arc = arcs[i] as number;
    const rest = (length[arc] as number) + (behind[arcTo[arc] as number] as number);
    const from = arcFrom[arc] as number;
    if (rest < (behind[from] as number)) behind[from] = rest;
    if ((ahead[from] as number) + rest < limit) {
      count += 1;
      kept[arcs.length - count] = arc;
    }
  }
  return kept.slice(arcs.length - count);
}
