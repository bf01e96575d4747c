import { LinearModelBuilder, type LinearTerm } from '../linear/model.js';
import { type PackingCut, runKey } from './cuts.js';
import { passingItemsOf, type StateGraph } from './state-graph.js';

/**
 * The placement as an ILP over arcs of the state graph: one unit flows from the source to the sink.
 *
 *   x[a]   arc a is on the path: a step by one of its choices, or a block, with the homes of all items around it   binary
 *   r[g]   bytes of resident weights of the arcs of group g: same steps, weights read equally often, held or not   continuous
 *   R      bytes of resident weights in all                                                                       continuous
 *
 *   min   sum of cost[a] x[a] - passes[g] r[g]
 *   node  flow in = flow out                             (one unit leaves the source)
 *   sum   R = sum of r[g]
 *   most  r[g] <= weights[g] * (sum of x[a] of the group)
 *   sram  at each step: sum of memory[a] x[a] + R - (r[g] of groups that hold their weights there) <= capacity
 *
 * Homes, reloads, spills and what they cost are in the graph, so nothing of them is left to relax. Bytes are KiB.
 */
export interface FlowModel {
  readonly model: LinearModelBuilder;
  readonly arcs: readonly number[]; // by column: the first columns are the arcs
  readonly capacityRows: readonly number[]; // per step
}

/**
 * A plan that could not be packed, cut off. With k runs, and the sum over the arcs that carry them out,
 *
 *   sram' at the heaviest step: (terms of sram) + waste * (sum of x[a] - (k - 1)) <= capacity
 *
 * which says more than `sram` only where all k are on the path. Nothing where a run has no arc left.
 */
export function addCut(flow: FlowModel, graph: StateGraph, cut: PackingCut): void {
  const { model, arcs, capacityRows } = flow;
  const row = model.rows[capacityRows[cut.heaviestStep] ?? -1];
  if (row === undefined || cut.wasteBytes === 0) return;
  const waste = cut.wasteBytes / KIB;
  const wanted = new Set(cut.runs);
  const found = new Set<string>();
  const terms = arcs.flatMap((arc, column): LinearTerm[] => {
    const execution = graph.edges[graph.arcEdge[arc] ?? -1]?.execution;
    if (execution === undefined) return [];
    const evictions = graph.evictions[graph.arcEviction[arc] ?? -1] ?? [];
    const key = runKey(execution, passingItemsOf(graph, arc), evictions);
    if (!wanted.has(key)) return [];
    found.add(key);
    return [{ column, coefficient: waste }];
  });
  if (found.size < wanted.size) return;
  const most = row.upper + waste * (wanted.size - 1);
  model.row(`cut_${cut.heaviestStep}`, [...row.terms, ...terms], Number.NEGATIVE_INFINITY, most);
}

export const KIB = 1024;

/**
 * @param arcs those that a plan may use, in the order of the graph
 */
export function buildFlowModel(graph: StateGraph, arcs: readonly number[], mostResidentBytes: number): FlowModel {
  const model = new LinearModelBuilder();
  const { steps, capacityBytes } = graph.problem;
  const flow = new Map<number, LinearTerm[]>();
  const capacity: LinearTerm[][] = steps.map(() => []);
  const groups = new Map<string, { edge: number; columns: number[] }>();
  arcs.forEach((arc, column) => {
    const index = graph.arcEdge[arc] ?? -1;
    const edge = graph.edges[index];
    model.column(`x_${arc}`, (graph.arcCost[arc] ?? 0) / KIB, 1, true);
    termsAt(flow, graph.arcFrom[arc] ?? 0).push({ column, coefficient: -1 });
    termsAt(flow, graph.arcTo[arc] ?? 0).push({ column, coefficient: 1 });
    if (edge === undefined) return;
    const { first, last } = edge.execution;
    const memory = (graph.arcMemory[arc] ?? 0) / KIB;
    for (let t = first; t <= last; t += 1) capacity[t]?.push({ column, coefficient: memory });
    if (edge.weightBytes === 0) return;
    const key = `${first} ${last} ${edge.weightPasses} ${edge.isHeld}`;
    const group = groups.get(key) ?? { edge: index, columns: [] };
    group.columns.push(column);
    groups.set(key, group);
  });
  const total = model.column('R', 0, mostResidentBytes / KIB, false);
  const parts: LinearTerm[] = [{ column: total, coefficient: 1 }];
  for (const { edge: index, columns } of groups.values()) {
    const edge = graph.edges[index];
    if (edge === undefined) continue;
    const { first, last } = edge.execution;
    const most = edge.weightBytes / KIB;
    const column = model.column(`r_${first}_${last}`, -edge.weightPasses, most, false);
    parts.push({ column, coefficient: -1 });
    const chosen = columns.map((arc) => ({ column: arc, coefficient: -most }));
    model.row(`most_${first}_${last}`, [{ column, coefficient: 1 }, ...chosen], Number.NEGATIVE_INFINITY, 0);
    if (edge.isHeld) for (let t = first; t <= last; t += 1) capacity[t]?.push({ column, coefficient: -1 });
  }
  model.row('sum', parts, 0, 0);
  for (const [node, terms] of flow) {
    const supply = node === 0 ? -1 : node === graph.nodeCount - 1 ? 1 : 0;
    model.row(`node_${node}`, terms, supply, supply);
  }
  const capacityRows = capacity.map((terms, t) => {
    model.row(
      `sram_${t}`,
      [...terms, { column: total, coefficient: 1 }],
      Number.NEGATIVE_INFINITY,
      capacityBytes / KIB,
    );
    return model.rows.length - 1;
  });
  return { model, arcs, capacityRows };
}

function termsAt(flow: Map<number, LinearTerm[]>, node: number): LinearTerm[] {
  const known = flow.get(node);
  if (known !== undefined) return known;
  const made: LinearTerm[] = [];
  flow.set(node, made);
  return made;
}

/** The arcs of the path that a solution takes. */
export function pathOfSolution(flow: FlowModel, values: Float64Array): number[] {
  return flow.arcs.filter((_, column) => (values[column] ?? 0) > 0.5);
}
