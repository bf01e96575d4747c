/**
 * The edges of the state graph: the ways to run each step, and the spans, whatever the homes of the items that they do not touch.
 * Those with equal homes of what they touch do the same to a state, and are a group.
 */
import {
  type Execution,
  type ItemEvents,
  overwrittenItem,
  ownWeightBytes,
  type PlacementProblem,
  spanExecution,
  stepExecution,
} from './problem.js';
import type { GraphEdge } from './state-graph.js';

/** Homes of an item; see state-graph.ts. */
export const IN_DRAM = 0;
export const IN_SRAM = 1;
export const IN_BOTH = 2;

/** A group of edges with equal homes: what they do to a state is the same. */
export interface EdgeGroup {
  readonly first: number;
  readonly last: number;
  readonly edges: readonly number[];
  readonly uses: readonly { position: number; fromSram: boolean; isPartial: boolean; dramBytes: number }[];
  readonly outputs: readonly { position: number; toSram: boolean; home: number; spillBytes: number }[];
  /** Positions of the items alive after in those alive before, or -1 - index of the output. */
  readonly carry: readonly number[];
  /** SRAM of items alive before that are not touched, by position. */
  readonly passBytes: readonly number[];
  readonly itemBytes: number; // of touched items in SRAM
}

export interface GraphEdges {
  readonly list: readonly GraphEdge[];
  readonly ownBytes: readonly number[]; // by edge: workspace and held weights
  readonly cost: readonly number[]; // by edge, without reloads and spills
  readonly groups: readonly (readonly EdgeGroup[])[]; // by first step
}

/** What the edges of a graph may do; see GraphOptions. */
export interface EdgeOptions {
  readonly events: readonly ItemEvents[];
  readonly live: readonly (readonly number[])[]; // items alive before each step, and after the last
  readonly forgotten: ReadonlySet<number>;
  readonly pinned: ReadonlyMap<number, boolean>;
}

interface Draft extends EdgeOptions {
  readonly problem: PlacementProblem;
  readonly mostBytes: number; // of the SRAM, with all that may be out in part
  readonly list: GraphEdge[];
  readonly ownBytes: number[];
  readonly cost: number[];
  readonly groups: EdgeGroup[][];
  readonly positions: (ReadonlyMap<number, number> | undefined)[]; // by cut: of its live items
}

/** Most bytes that may be out in part at once. */
export function evictableBytes(problem: PlacementProblem): number {
  return problem.canEvict === true ? Math.floor(problem.capacityBytes / 4) : 0;
}

/** Cost: linear in executions, and in the groups times what is alive at them. */
export function graphEdges(problem: PlacementProblem, options: EdgeOptions): GraphEdges {
  const draft: Draft = {
    ...options,
    problem,
    mostBytes: problem.capacityBytes + evictableBytes(problem),
    list: [],
    ownBytes: [],
    cost: [],
    groups: problem.steps.map(() => []),
    positions: [],
  };
  for (const executions of byHomes(problem)) addGroup(draft, executions);
  return draft;
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

function addGroup(draft: Draft, executions: readonly Execution[]): void {
  const { problem, events, pinned } = draft;
  const model = executions[0];
  if (model === undefined) return;
  if (pinned.size > 0) {
    const isElsewhere = (item: number, inSram: boolean): boolean => (pinned.get(item) ?? inSram) !== inSram;
    if (model.uses.some((use) => isElsewhere(use.item, use.fromSram))) return;
    if (model.outputs.some((output) => isElsewhere(output.item, output.toSram))) return;
  }
  const itemBytes = touchedBytes(problem, events, model);
  const edges = addGroupEdges(draft, executions, draft.mostBytes - itemBytes);
  if (edges.length === 0) return;
  const before = draft.live[model.first] ?? [];
  const positions = positionsAt(draft, model.first);
  const isTouched = (item: number): boolean =>
    model.uses.some((use) => use.item === item) || model.outputs.some((output) => output.item === item);
  const { forgotten } = draft;
  const uses = forgotten.size === 0 ? model.uses : model.uses.filter((use) => !forgotten.has(use.item));
  const outputs = forgotten.size === 0 ? model.outputs : model.outputs.filter((one) => !forgotten.has(one.item));
  draft.groups[model.first]?.push({
    first: model.first,
    last: model.last,
    edges,
    uses: uses.map((use) => ({
      position: positions.get(use.item) ?? -1,
      fromSram: use.fromSram,
      isPartial: (events[use.item]?.lastWrite ?? -1) >= model.first,
      dramBytes: problem.items[use.item]?.dramBytes ?? 0,
    })),
    outputs: outputs.map((output) => {
      const isCopied = output.toSram && problem.items[output.item]?.endsInDram === true;
      return {
        position: positions.get(output.item) ?? -1,
        toSram: output.toSram,
        home: isCopied ? IN_BOTH : output.toSram ? IN_SRAM : IN_DRAM,
        spillBytes: isCopied ? (problem.items[output.item]?.dramBytes ?? 0) : 0,
      };
    }),
    carry: (draft.live[model.last + 1] ?? []).map(
      (item) => positions.get(item) ?? -1 - outputs.findIndex((output) => output.item === item),
    ),
    passBytes: before.map((item) => (isTouched(item) ? 0 : (problem.items[item]?.sramBytes ?? 0))),
    itemBytes,
  });
}

function positionsAt(draft: Draft, cut: number): ReadonlyMap<number, number> {
  const known = draft.positions[cut];
  if (known !== undefined) return known;
  const positions = new Map((draft.live[cut] ?? []).map((item, position) => [item, position]));
  draft.positions[cut] = positions;
  return positions;
}

/** The edges of a group that no other of it beats, added to the list. @param mostBytes of their workspace and held weights */
function addGroupEdges(draft: Draft, executions: readonly Execution[], mostBytes: number): number[] {
  const { problem } = draft;
  const candidates: Candidate[] = [];
  for (const execution of executions) {
    const ownBytes = execution.workspaceBytes + execution.heldWeightBytes;
    if (ownBytes > mostBytes) continue;
    const allWeights = ownWeightBytes(problem, execution);
    const candidate = {
      execution,
      ownBytes,
      cost: execution.trafficBytes + execution.weightPasses * allWeights,
      weightBytes: execution.residency === 'any' ? allWeights : 0,
      weightPasses: execution.weightPasses,
      isHeld: execution.heldWeightBytes > 0,
    };
    const { rereadTableBytes = 0 } = execution;
    if (rereadTableBytes === 0 || candidate.weightBytes === 0) candidates.push(candidate);
    else {
      // Those bytes are saved as long as nothing is resident: one edge without residents, and one that pays for them.
      candidates.push({ ...candidate, weightBytes: 0 }, { ...candidate, cost: candidate.cost + rereadTableBytes });
    }
  }
  const edges: number[] = [];
  for (const edge of undominated(candidates, problem.isForTime === true)) {
    edges.push(draft.list.length);
    draft.list.push(edge);
    draft.ownBytes.push(edge.ownBytes);
    draft.cost.push(edge.cost);
  }
  return edges;
}

type Candidate = GraphEdge & { readonly ownBytes: number; readonly cost: number };

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
function undominated(candidates: readonly Candidate[], isForTime: boolean): readonly Candidate[] {
  if (candidates.length < 2) return candidates;
  const sorted = [...candidates].sort((a, b) => a.cost - b.cost || a.ownBytes - b.ownBytes);
  const least = new Map<string, number>();
  return sorted.filter((candidate) => {
    const hasTail = candidate.execution.outputs.some(({ tail }) => tail !== undefined);
    const { extraCycles = 0 } = candidate.execution;
    // Those that compute less are a kind of their own: a few, as cycles are told apart by their size only.
    const speed = isForTime ? Math.ceil(4 * Math.log2(1 + extraCycles)) : 0;
    const kind = `${candidate.weightBytes} ${candidate.weightPasses} ${candidate.isHeld} ${hasTail} ${speed}`;
    if (candidate.ownBytes >= (least.get(kind) ?? Number.POSITIVE_INFINITY)) return false;
    least.set(kind, candidate.ownBytes);
    return true;
  });
}
