import { LinearModelBuilder, type LinearTerm } from '../../linear/model.js';
import type { Execution, PlacementProblem } from '../problem.js';
import type { GraphEdge } from '../state-graph.js';
import type { Prices } from './prices.js';
import type { TimeGraph } from './time-graph.js';

/**
 * The placement for time, as an ILP over arcs of the state graph: one unit flows from the source to the sink.
 *
 *   x[a]   arc a is on the path                                                                             binary
 *   r[g]   bytes of resident weights of the arcs of group g: same steps, read equally often, held or not
 *   R      bytes of resident weights in all
 *   T[t]   time of what begins at step t; T[n] of what is stored after the last step
 *   P[t]   bytes loaded before cut t for what comes after it
 *   Q[t]   bytes made before cut t and stored after it
 *   U[t], V[t]   as P and Q, of what has its room anyway: spills, and parts that go out and come back
 *
 *   min      sum of T + w * traffic
 *   compute  T[t] >= sum of compute[a] x[a] over arcs that leave cut t
 *   dma      T[t] >= sum of cost[a] x[a] - passes[g] r[g] of those arcs + P[t+1] - P[t] + Q[t] - Q[t+1], U and V alike
 *   node     flow in = flow out
 *   sum      R = sum of r[g]
 *   most     r[g] <= weights[g] * (sum of x[a] of the group)
 *   sram     at each step: sum of memory[a] x[a] + R - (r[g] of groups that hold their weights there) + P[t+1] + Q[t] <= capacity
 *   cut      at each cut: items in SRAM there + R + P[t] + Q[t] <= capacity
 *   roomless U[t] + V[t] <= sum of roomless[a] x[a] of arcs around cut t
 *   ahead    P[t] <= sum of ahead[a] x[a] - r[g] of groups that hold their weights + P[t+1]
 *   late     Q[t] <= sum of written[a] x[a] of arcs that end there + Q[t-1]
 *   serial   T[t] >= sum of (compute[a] + reloaded[a] + stored[a]) x[a]
 *   start    T[t] >= sum of (compute[a] + held[a] + reloaded[a] + stored[a]) x[a] - r[g] of those groups - P[t]
 *
 * A span's interior cuts have P and Q too: it costs time to change them there, and gains nothing. Everything is in KiB, time too
 * (time-graph.ts).
 */
export interface TimeModel {
  readonly model: LinearModelBuilder;
  readonly arcs: readonly number[]; // by column
  /** Resident bytes by group: its column, and one arc of it. */
  readonly residents: readonly { readonly column: number; readonly arc: number }[];
  readonly rows: {
    readonly compute: readonly number[];
    readonly dma: readonly number[];
    readonly step: readonly number[];
    readonly cut: readonly number[];
    readonly roomless: readonly number[];
  };
}

export const KIB = 1024;

const MOST_WAITING = 16;

export interface TimeModelOptions {
  readonly trafficWeight: number; // what a byte of traffic costs beside its time
  /** What a byte that is loaded ahead, or stored late, costs at each cut; 0 when absent. */
  readonly aheadWeight?: number;
  /** What a resident byte is worth more where the DMA takes MOST_WAITING times as long as computing, and in proportion. */
  readonly waitingWeight?: number;
  /** With the rows that no bound needs, ahead, late, serial and start: closer to what the machine does. */
  readonly isAsRun?: boolean;
  readonly spareBytes?: number; // SRAM that is left alone; 0 when absent
}

/** @param arcs in the order of the graph */
export function buildTimeModel(
  time: TimeGraph,
  arcs: readonly number[],
  mostResidentBytes: number,
  { trafficWeight, aheadWeight = 0, waitingWeight = 0, spareBytes = 0, isAsRun = false }: TimeModelOptions,
): TimeModel {
  const { graph, steps, arcCut, arcEnd } = time;
  const capacity = (graph.problem.capacityBytes - spareBytes) / KIB;
  const model = new LinearModelBuilder();
  const lists = (count: number): LinearTerm[][] => Array.from({ length: count }, () => []);
  const [compute, dma, sram, cuts] = [lists(steps + 1), lists(steps + 1), lists(steps), lists(steps + 1)];
  const flow = new Map<number, LinearTerm[]>();
  const at = (node: number): LinearTerm[] => {
    const known = flow.get(node) ?? [];
    flow.set(node, known);
    return known;
  };
  const roomless = lists(steps + 1);
  const ahead = lists(steps + 1); // what can be loaded before it begins, by cut
  const late = lists(steps + 1); // what can be stored after it, by cut
  const serial = lists(steps + 1); // what it takes when computing waits for tensors that come back
  const start = lists(steps + 1); // what it takes when computing waits for the weights that are held
  const groups = new Map<string, { arc: number; columns: number[] }>();
  arcs.forEach((arc, column) => {
    const cut = arcCut[arc] ?? 0;
    const cost = (graph.arcCost[arc] ?? 0) / KIB;
    model.column(`x${arc}`, cost * trafficWeight, 1, true);
    at(graph.arcFrom[arc] ?? 0).push({ column, coefficient: -1 });
    at(graph.arcTo[arc] ?? 0).push({ column, coefficient: 1 });
    dma[cut]?.push({ column, coefficient: -cost });
    const free = (time.roomless.bytes[arc] ?? 0) / KIB;
    if (free > 0) {
      const [from, to] = [time.roomless.from[arc] ?? 0, time.roomless.to[arc] ?? 0];
      for (let t = from; t <= to; t += 1) roomless[t]?.push({ column, coefficient: -free });
    }
    const edge = graph.edges[graph.arcEdge[arc] ?? -1];
    if (edge === undefined) {
      for (const rows of [serial, start]) rows[cut]?.push({ column, coefficient: -(time.storeBytes[arc] ?? 0) / KIB });
      return;
    }
    compute[cut]?.push({ column, coefficient: -(time.computeBytes[arc] ?? 0) / KIB });
    cuts[cut]?.push({ column, coefficient: (time.nodeItemBytes[graph.arcFrom[arc] ?? 0] ?? 0) / KIB });
    const end = arcEnd[arc] ?? 0;
    for (let t = cut; t < end; t += 1) sram[t]?.push({ column, coefficient: (graph.arcMemory[arc] ?? 0) / KIB });
    ahead[cut]?.push({ column, coefficient: -aheadBytes(edge) / KIB });
    late[end]?.push({ column, coefficient: -writtenBytes(graph.problem, edge.execution) / KIB });
    const waits = (time.computeBytes[arc] ?? 0) + (time.reloadBytes[arc] ?? 0);
    serial[cut]?.push({ column, coefficient: -waits / KIB });
    start[cut]?.push({ column, coefficient: -(waits + edge.execution.heldWeightBytes) / KIB });
    if (edge.weightBytes === 0) return;
    const key = `${cut} ${end} ${edge.weightBytes} ${edge.weightPasses} ${edge.isHeld}`;
    const group = groups.get(key) ?? { arc, columns: [] };
    group.columns.push(column);
    groups.set(key, group);
  });
  const total = model.column('R', 0, mostResidentBytes / KIB, false);
  const parts: LinearTerm[] = [{ column: total, coefficient: 1 }];
  const residents: { column: number; arc: number }[] = [];
  for (const { arc, columns } of groups.values()) {
    const [cut, end] = [arcCut[arc] ?? 0, arcEnd[arc] ?? 0];
    const most = (time.weightBytes[arc] ?? 0) / KIB;
    const passes = time.weightPasses[arc] ?? 0;
    const waiting = Math.min(1, (graph.arcCost[arc] ?? 0) / (1 + MOST_WAITING * (time.computeBytes[arc] ?? 0)));
    const column = model.column(`r${arc}`, -passes * (trafficWeight + waitingWeight * waiting), most, false);
    residents.push({ column, arc });
    parts.push({ column, coefficient: -1 });
    const chosen = columns.map((one) => ({ column: one, coefficient: -most }));
    model.row(`most${arc}`, [{ column, coefficient: 1 }, ...chosen], Number.NEGATIVE_INFINITY, 0);
    dma[cut]?.push({ column, coefficient: passes });
    if (time.isHeld[arc] !== 1) continue;
    for (let t = cut; t < end; t += 1) sram[t]?.push({ column, coefficient: -1 });
    ahead[cut]?.push({ column, coefficient: 1 });
    start[cut]?.push({ column, coefficient: 1 });
  }
  model.row('sum', parts, 0, 0);
  for (let t = 1; t <= steps; t += 1) {
    // Nothing is left to load after the last step.
    for (const name of ['P', 'Q', 'U', 'V'] as const) {
      if (name === 'P' && t === steps) continue;
      const column = model.column(`${name}${t}`, aheadWeight, capacity, false);
      const sign = name === 'P' || name === 'U' ? 1 : -1;
      dma[t - 1]?.push({ column, coefficient: -sign });
      dma[t]?.push({ column, coefficient: sign });
      if (name === 'U' || name === 'V') {
        roomless[t]?.push({ column, coefficient: 1 });
        continue;
      }
      cuts[t]?.push({ column, coefficient: 1 });
      sram[name === 'P' ? t - 1 : t]?.push({ column, coefficient: 1 });
      if (name === 'Q') {
        late[t]?.push({ column, coefficient: 1 });
        late[t + 1]?.push({ column, coefficient: -1 });
        continue;
      }
      ahead[t]?.push({ column, coefficient: 1 });
      ahead[t - 1]?.push({ column, coefficient: -1 });
      start[t]?.push({ column, coefficient: 1 });
    }
  }
  const most = arcs.reduce((sum, arc) => sum + (time.computeBytes[arc] ?? 0) + (graph.arcCost[arc] ?? 0), 0) / KIB;
  const rows = {
    compute: [] as number[],
    dma: [] as number[],
    step: [] as number[],
    cut: [] as number[],
    roomless: [] as number[],
  };
  const add = (name: string, terms: readonly LinearTerm[], lower: number, upper: number): number => {
    model.row(name, terms, lower, upper);
    return model.rows.length - 1;
  };
  for (const [node, terms] of flow) {
    const supply = node === 0 ? -1 : node === graph.nodeCount - 1 ? 1 : 0;
    model.row(`node${node}`, terms, supply, supply);
  }
  for (let t = 0; t <= steps; t += 1) {
    const column = model.column(`T${t}`, 1, most, false);
    const own = { column, coefficient: 1 };
    if (t < steps) rows.compute.push(add(`compute${t}`, [own, ...(compute[t] ?? [])], 0, Number.POSITIVE_INFINITY));
    rows.dma.push(add(`dma${t}`, [own, ...(dma[t] ?? [])], 0, Number.POSITIVE_INFINITY));
    const here = { column: total, coefficient: 1 };
    if (t < steps) rows.step.push(add(`sram${t}`, [...(sram[t] ?? []), here], Number.NEGATIVE_INFINITY, capacity));
    rows.roomless.push(add(`roomless${t}`, roomless[t] ?? [], Number.NEGATIVE_INFINITY, 0));
    if (isAsRun && t > 0 && t < steps) model.row(`ahead${t}`, ahead[t] ?? [], Number.NEGATIVE_INFINITY, 0);
    if (isAsRun && t > 0) model.row(`late${t}`, late[t] ?? [], Number.NEGATIVE_INFINITY, 0);
    if (isAsRun && t < steps) model.row(`serial${t}`, [own, ...(serial[t] ?? [])], 0, Number.POSITIVE_INFINITY);
    if (isAsRun && t < steps) model.row(`start${t}`, [own, ...(start[t] ?? [])], 0, Number.POSITIVE_INFINITY);
    rows.cut.push(add(`cut${t}`, [...(cuts[t] ?? []), here], Number.NEGATIVE_INFINITY, capacity));
  }
  return { model, arcs, residents, rows };
}

/**
 * Weights that an edge can have loaded before it begins: held ones all, and those of a layer in place, which come through a ring; others
 * as far as their buffers go.
 */
function aheadBytes({ isHeld, weightBytes, execution }: GraphEdge): number {
  const { streamedSteps = [], workspaceBytes, trafficBytes, span } = execution;
  if (isHeld || (span < 0 && trafficBytes === 0)) return weightBytes;
  return Math.min(workspaceBytes, streamedSteps.length > 0 ? trafficBytes : weightBytes);
}

/** Of the outputs that are streamed out. */
function writtenBytes({ steps, items }: PlacementProblem, { span, first, outputs }: Execution): number {
  return outputs.reduce((sum, { item, toSram }) => {
    if (toSram) return sum;
    return sum + (span < 0 ? (steps[first]?.outputDramBytes ?? 0) : (items[item]?.dramBytes ?? 0));
  }, 0);
}

/** Prices from the duals of the relaxation. A solver's roundings cannot make them wrong, only the bound a little weaker. */
export function pricesOf({ rows }: TimeModel, rowDuals: Float64Array): Prices {
  const dualsOf = (list: readonly number[], sign: 1 | -1): Float64Array =>
    Float64Array.from(list, (row) => Math.max(0, sign * (rowDuals[row] ?? 0)));
  const prices = {
    compute: dualsOf(rows.compute, 1),
    dma: dualsOf(rows.dma, 1),
    step: dualsOf(rows.step, -1),
    cut: dualsOf(rows.cut, -1),
    roomless: dualsOf(rows.roomless, -1),
  };
  for (let t = 0; t < prices.dma.length; t += 1) {
    const both = (prices.compute[t] ?? 0) + (prices.dma[t] ?? 0);
    if (both <= 1) continue;
    prices.dma[t] = (prices.dma[t] ?? 0) / both;
    if (t < prices.compute.length) prices.compute[t] = (prices.compute[t] ?? 0) / both;
  }
  return prices;
}
