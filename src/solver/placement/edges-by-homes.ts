/**
 * The edges of a state graph before it is known which of its items have a home: the ways to run each step, and the spans, by the homes
 * of what they touch.
 */
import {
  type Execution,
  type ItemEvents,
  itemEvents,
  overwrittenItem,
  ownWeightBytes,
  type PlacementProblem,
  spanExecution,
  stepExecution,
} from './problem.js';
import type { GraphEdge } from './state-graph.js';

/** Edges of the same steps with equal homes, none of which beats another in room and traffic. */
export interface HomeEdges {
  readonly model: Execution; // any of them, for what they have in common
  readonly itemBytes: number; // SRAM of the items that they touch
  readonly edges: readonly SizedEdge[];
}

export interface SizedEdge extends GraphEdge {
  readonly ownBytes: number; // workspace and held weights
  readonly cost: number; // without reloads and spills
}

/** Most bytes that may be out in part at once. */
export function evictableBytes(problem: PlacementProblem): number {
  return problem.canEvict === true ? Math.floor(problem.capacityBytes / 4) : 0;
}

/** A large problem is asked for many graphs, each with some of the homes. */
const known = new WeakMap<PlacementProblem, readonly HomeEdges[]>();

/** Cost: linear in executions. */
export function edgesByHomes(problem: PlacementProblem): readonly HomeEdges[] {
  const made = known.get(problem) ?? edgesOf(problem);
  known.set(problem, made);
  return made;
}

function edgesOf(problem: PlacementProblem): HomeEdges[] {
  const events = itemEvents(problem);
  const mostBytes = problem.capacityBytes + evictableBytes(problem);
  return byHomes(problem).flatMap((executions): HomeEdges[] => {
    const model = executions[0] as Execution;
    const itemBytes = touchedBytes(problem, events, model);
    const edges = undominated(sizedEdges(problem, executions, mostBytes - itemBytes), problem.isForTime === true);
    return edges.length === 0 ? [] : [{ model, itemBytes, edges }];
  });
}

/** Executions of the same steps with equal homes, in the order in which they are listed first. */
function byHomes(problem: PlacementProblem): Execution[][] {
  const groups: Execution[][] = [];
  const bySteps = new Map<number, Execution[][]>();
  const add = (execution: Execution): void => {
    const steps = execution.first * problem.steps.length + execution.last;
    const mine = bySteps.get(steps) ?? [];
    if (mine.length === 0) bySteps.set(steps, mine);
    // Those with equal homes mostly follow each other.
    for (let i = mine.length - 1; i >= 0; i -= 1) {
      const group = mine[i] as Execution[];
      if (!haveEqualHomes(group[0] as Execution, execution)) continue;
      group.push(execution);
      return;
    }
    const group = [execution];
    mine.push(group);
    groups.push(group);
  };
  problem.steps.forEach((step, t) => {
    step.choices.forEach((_, c) => {
      const execution = stepExecution(problem, t, c);
      if (execution !== undefined) add(execution);
    });
  });
  problem.spans.forEach((span, index) => {
    add(spanExecution(span, index));
  });
  return groups;
}

function haveEqualHomes(a: Execution, b: Execution): boolean {
  if (a.uses.length !== b.uses.length || a.outputs.length !== b.outputs.length) return false;
  for (let i = 0; i < a.uses.length; i += 1) {
    const [mine, other] = [a.uses[i], b.uses[i]];
    if (mine?.fromSram !== other?.fromSram || mine?.item !== other?.item) return false;
  }
  for (let i = 0; i < a.outputs.length; i += 1) {
    const [mine, other] = [a.outputs[i], b.outputs[i]];
    if (mine?.toSram !== other?.toSram || mine?.item !== other?.item) return false;
    if (mine?.toSram === true && mine.over !== other?.over) return false;
  }
  return true;
}

/** @param mostBytes of their workspace and held weights */
function sizedEdges(problem: PlacementProblem, executions: readonly Execution[], mostBytes: number): SizedEdge[] {
  const edges: SizedEdge[] = [];
  for (const execution of executions) {
    const ownBytes = execution.workspaceBytes + execution.heldWeightBytes;
    if (ownBytes > mostBytes) continue;
    const allWeights = ownWeightBytes(problem, execution);
    const edge = {
      execution,
      ownBytes,
      cost: execution.trafficBytes + execution.weightPasses * allWeights,
      weightBytes: execution.residency === 'any' ? allWeights : 0,
      weightPasses: execution.weightPasses,
      isHeld: execution.heldWeightBytes > 0,
    };
    const { rereadTableBytes = 0 } = execution;
    if (rereadTableBytes === 0 || edge.weightBytes === 0) edges.push(edge);
    // Those bytes are saved as long as nothing is resident: one edge without residents, and one that pays for them.
    else edges.push({ ...edge, weightBytes: 0 }, { ...edge, cost: edge.cost + rereadTableBytes });
  }
  return edges;
}

/** SRAM of the items that an execution reads from there or writes there. */
function touchedBytes(problem: PlacementProblem, events: readonly ItemEvents[], execution: Execution): number {
  let bytes = 0;
  for (const { item, fromSram } of execution.uses) if (fromSram) bytes += problem.items[item]?.sramBytes ?? 0;
  for (const output of execution.outputs) {
    if (!output.toSram || execution.uses.some((use) => use.item === output.item)) continue; // counted as read
    const isOver = overwrittenItem(problem, events, execution, output) >= 0;
    if (!isOver) bytes += problem.items[output.item]?.sramBytes ?? 0;
  }
  return bytes;
}

/** Without those that another of the same kind beats in room and traffic. */
function undominated(edges: readonly SizedEdge[], isForTime: boolean): readonly SizedEdge[] {
  if (edges.length < 2) return edges;
  const sorted = [...edges].sort((a, b) => a.cost - b.cost || a.ownBytes - b.ownBytes);
  const least = new Map<string, number>();
  return sorted.filter((edge) => {
    const hasTail = edge.execution.outputs.some(({ tail }) => tail !== undefined);
    const { extraCycles = 0 } = edge.execution;
    // Those that compute less are a kind of their own: a few, as cycles are told apart by their size only.
    const speed = isForTime ? Math.ceil(4 * Math.log2(1 + extraCycles)) : 0;
    const kind = `${edge.weightBytes} ${edge.weightPasses} ${edge.isHeld} ${hasTail} ${speed}`;
    if (edge.ownBytes >= (least.get(kind) ?? Number.POSITIVE_INFINITY)) return false;
    least.set(kind, edge.ownBytes);
    return true;
  });
}
