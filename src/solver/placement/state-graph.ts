import { canBeEvicted, type Eviction, evictionsFor, evictionTraffic, freedBytes, tailOf } from './evictions.js';
import {
  type Execution,
  type ItemEvents,
  itemEvents,
  overwrittenItem,
  ownWeightBytes,
  type Placement,
  type PlacementProblem,
  spanExecution,
  stepExecution,
} from './problem.js';

/**
 * Every plan of a problem as a path through one directed graph without cycles.
 *
 * A node is a cut between two steps with a home for each item alive there:
 *
 *     D   in DRAM only                       (0)
 *     S   in SRAM, never yet outside         (1)
 *     SD  in SRAM, with a copy in DRAM       (2)
 *
 * An arc carries out a step by one of its choices, or a span, or drops an item from SRAM: for nothing where there is a copy,
 * else for the bytes of its spill (which is written as the item is produced; only whether there is one is decided here).
 * With homes known on both sides, an arc knows the SRAM that is taken while it runs, and its traffic, reloads included and
 * no weights resident. What the graph leaves open is only how many bytes of which weights are resident.
 *
 *   cut 0         cut 1         cut 2                    of an item made by step 0 and read by steps 1 and 2:
 *   ( ) --step0--> (S) --step1--> (S) --step2--> ( )     kept throughout
 *                                  |
 *                                  `-drop--> (D) --step2--> ( )      spilled, and streamed the last time
 *
 * Arcs are sorted by the node that they leave, nodes by cut, drops downwards: one sweep over the arcs is a shortest path.
 */
export interface StateGraph {
  readonly problem: PlacementProblem;
  readonly nodeCount: number; // the first is the source, the last the sink
  readonly arcFrom: Int32Array;
  readonly arcTo: Int32Array;
  readonly arcEdge: Int32Array; // index into edges, -1 for a drop
  /** Traffic, with all weights read from DRAM. */
  readonly arcCost: Float64Array;
  /** SRAM while the arc runs, with all held weights counted and no resident ones. */
  readonly arcMemory: Float64Array;
  /** Index into evictions of what is out in part while the arc runs, -1 for nothing; its cost and memory count that. */
  readonly arcEviction: Int32Array;
  readonly evictions: readonly (readonly Eviction[])[];
  readonly edges: readonly GraphEdge[];
  readonly liveItems: readonly (readonly number[])[]; // per cut: items that have a home there
  readonly nodeHomes: readonly (readonly number[])[]; // per node, per item alive there
}

/** A step by one of its choices or a span, whatever the homes of the items that it does not touch. */
export interface GraphEdge {
  readonly execution: Execution;
  /** Weights of which any share may be resident; read weightPasses times otherwise. */
  readonly weightBytes: number;
  readonly weightPasses: number;
  /** The weights are held in SRAM while the edge runs: resident ones are not counted twice then. */
  readonly isHeld: boolean;
}

/** Graphs with more arcs, or more states at one cut, are refused: too many items are alive at once. */
export const MOST_ARCS = 3_000_000;
const MOST_STATES = 20_000;

const IN_DRAM = 0;
const IN_SRAM = 1;
const IN_BOTH = 2;

/** A group of edges with equal homes: what they do to a state is the same. */
interface EdgeGroup {
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

/** Numbers that grow; the arcs are many. */
class Growing {
  private values = new Float64Array(1 << 12);
  length = 0;
  push(value: number): void {
    if (this.length === this.values.length) {
      const bigger = new Float64Array(this.values.length * 2);
      bigger.set(this.values);
      this.values = bigger;
    }
    this.values[this.length] = value;
    this.length += 1;
  }
  toFloat64(): Float64Array {
    return this.values.slice(0, this.length);
  }
  toInt32(): Int32Array {
    return Int32Array.from(this.values.subarray(0, this.length));
  }
}

interface Draft {
  readonly problem: PlacementProblem;
  readonly events: readonly ItemEvents[];
  readonly live: readonly (readonly number[])[]; // items alive before each step, and after the last
  readonly forgotten: ReadonlySet<number>;
  readonly pinned: ReadonlyMap<number, boolean>;
  readonly edges: GraphEdge[];
  readonly edgeOwnBytes: number[]; // workspace and held weights
  readonly edgeCost: number[]; // without reloads and spills
  readonly groups: EdgeGroup[][]; // by first step
  readonly from: Growing;
  readonly to: Growing;
  readonly edge: Growing;
  readonly cost: Growing;
  readonly memory: Growing;
  readonly eviction: Growing;
  readonly evictions: (readonly Eviction[])[];
  readonly nodeKeys: Map<number, number>[]; // by cut: key of the homes -> provisional node
  readonly provisionalCount: { value: number };
}

/** For problems whose graph would be too large otherwise. */
export interface GraphOptions {
  readonly mostArcs?: number;
  /**
   * Items without a home: they take SRAM only where an arc touches them, and are read from anywhere for nothing. Paths are
   * then a superset of the plans, none dearer than its plan: the shortest is still a bound.
   */
  readonly forgotten?: ReadonlySet<number>;
  /** Items that stay where they are made, in SRAM (true) or DRAM. Paths are then some of the plans. Not for model inputs. */
  readonly pinned?: ReadonlyMap<number, boolean>;
}

/**
 * The graph of a problem, or undefined when it would have more than `mostArcs` arcs, or no plan exists.
 *
 * Cost: linear in the arcs; states at a cut times edges that begin there.
 */
export function buildStateGraph(problem: PlacementProblem, options: GraphOptions = {}): StateGraph | undefined {
  const { mostArcs = MOST_ARCS, forgotten = new Set<number>(), pinned = new Map<number, boolean>() } = options;
  const events = itemEvents(problem);
  const live = liveItems(problem, events).map((items) => items.filter((item) => !forgotten.has(item)));
  if (live.some((items) => items.length > 30)) return undefined; // homes no longer fit a key
  const draft: Draft = {
    problem,
    events,
    live,
    forgotten,
    pinned,
    edges: [],
    edgeOwnBytes: [],
    edgeCost: [],
    groups: problem.steps.map(() => []),
    from: new Growing(),
    to: new Growing(),
    edge: new Growing(),
    cost: new Growing(),
    memory: new Growing(),
    eviction: new Growing(),
    evictions: [],
    nodeKeys: live.map(() => new Map<number, number>()),
    provisionalCount: { value: 0 },
  };
  addEdges(draft);
  const order: number[] = []; // provisional nodes, sorted
  const homes: number[][] = [];
  nodeOf(draft, 0, 0); // all that is alive is in DRAM
  for (let t = 0; t <= problem.steps.length; t += 1) {
    closeUnderDrops(draft, t);
    if ((draft.nodeKeys[t]?.size ?? 0) > MOST_STATES) return undefined;
    const keys = [...(draft.nodeKeys[t]?.keys() ?? [])].sort((a, b) => b - a);
    for (const key of keys) {
      const node = draft.nodeKeys[t]?.get(key) ?? -1;
      const state = decode(key, live[t]?.length ?? 0);
      order.push(node);
      homes.push(state);
      addDrops(draft, t, key, node, state);
      for (const group of draft.groups[t] ?? []) applyGroup(draft, group, state, node);
      if (draft.from.length > mostArcs) return undefined;
    }
  }
  if ((draft.nodeKeys[problem.steps.length]?.size ?? 0) === 0) return undefined;
  return finish(draft, order, homes);
}

function liveItems(problem: PlacementProblem, events: readonly ItemEvents[]): number[][] {
  const live: number[][] = [];
  for (let t = 0; t <= problem.steps.length; t += 1) {
    live.push(
      problem.items.flatMap((_, item) => {
        const life = events[item];
        if (life === undefined || life.firstWrite >= t) return [];
        return (life.reads[life.reads.length - 1] ?? -1) >= t || life.lastWrite >= t ? [item] : [];
      }),
    );
  }
  return live;
}

function decode(key: number, count: number): number[] {
  const homes: number[] = [];
  let rest = key;
  for (let i = 0; i < count; i += 1) {
    homes.push(rest % 3);
    rest = Math.floor(rest / 3);
  }
  return homes;
}

function nodeOf(draft: Draft, cut: number, key: number): number {
  const nodes = draft.nodeKeys[cut];
  const known = nodes?.get(key);
  if (known !== undefined) return known;
  const made = draft.provisionalCount.value;
  draft.provisionalCount.value += 1;
  nodes?.set(key, made);
  return made;
}

function canDrop(draft: Draft, t: number, item: number): boolean {
  if (draft.pinned.has(item)) return false;
  return (draft.events[item]?.lastWrite ?? -1) < t; // an item that is not complete stays as it is
}

function closeUnderDrops(draft: Draft, t: number): void {
  draft.live[t]?.forEach((item, position) => {
    const keys = draft.nodeKeys[t];
    if (!canDrop(draft, t, item) || keys === undefined || keys.size > MOST_STATES) return;
    const unit = 3 ** position;
    for (const key of [...keys.keys()]) nodeOf(draft, t, key - (Math.floor(key / unit) % 3) * unit);
  });
}

function addDrops(draft: Draft, t: number, key: number, node: number, state: readonly number[]): void {
  draft.live[t]?.forEach((item, position) => {
    const home = state[position] ?? IN_DRAM;
    if (home === IN_DRAM || !canDrop(draft, t, item)) return;
    const spillBytes = home === IN_SRAM ? (draft.problem.items[item]?.dramBytes ?? 0) : 0;
    pushArc(draft, node, nodeOf(draft, t, key - home * 3 ** position), -1, spillBytes, 0, -1);
  });
}

function pushArc(
  draft: Draft,
  from: number,
  to: number,
  edge: number,
  cost: number,
  memory: number,
  eviction: number,
): void {
  draft.from.push(from);
  draft.to.push(to);
  draft.edge.push(edge);
  draft.cost.push(cost);
  draft.memory.push(memory);
  draft.eviction.push(eviction);
}

/** The arcs of a group's edges that leave one state, if the state admits them. */
function applyGroup(draft: Draft, group: EdgeGroup, state: readonly number[], node: number): void {
  const { capacityBytes } = draft.problem;
  let memory = group.itemBytes;
  for (let i = 0; i < state.length; i += 1) if (state[i] !== IN_DRAM) memory += group.passBytes[i] ?? 0;
  if (memory > capacityBytes + evictableBytes(draft.problem)) return;
  let cost = 0;
  const after = state.slice();
  for (const use of group.uses) {
    const home = state[use.position] ?? IN_DRAM;
    if (use.isPartial) {
      if ((home === IN_DRAM) === use.fromSram) return;
    } else if (!use.fromSram) {
      if (home === IN_SRAM) return;
      after[use.position] = IN_DRAM;
    } else if (home === IN_DRAM) {
      cost += use.dramBytes;
      after[use.position] = IN_BOTH;
    }
  }
  for (const output of group.outputs) {
    if (output.position < 0) cost += output.spillBytes;
    else if ((state[output.position] === IN_DRAM) === output.toSram) return;
  }
  // Held weights are in SRAM while the edge runs, whether resident or not: resident ones save no room at their own steps.
  const roomBytes = capacityBytes - memory;
  const wanted = group.edges.filter(
    (edge) => (draft.edgeOwnBytes[edge] ?? 0) <= roomBytes + evictableBytes(draft.problem),
  );
  if (wanted.length === 0) return;
  let key = 0;
  let unit = 1;
  for (const source of group.carry) {
    key += unit * (source >= 0 ? (after[source] ?? IN_DRAM) : (group.outputs[-1 - source]?.home ?? IN_DRAM));
    unit *= 3;
  }
  let target = -1;
  const passing = (): number[] => passingItems(draft, group, state);
  for (const edge of wanted) {
    const edgeCost = cost + (draft.edgeCost[edge] ?? 0);
    const edgeMemory = memory + (draft.edgeOwnBytes[edge] ?? 0);
    const arcs =
      edgeMemory <= capacityBytes
        ? [{ cost: edgeCost, memory: edgeMemory, eviction: -1 }]
        : arcsWithEvictions(draft, edge, passing(), edgeCost, edgeMemory);
    for (const arc of arcs) {
      if (target < 0) target = nodeOf(draft, group.last + 1, key);
      pushArc(draft, node, target, edge, arc.cost, arc.memory, arc.eviction);
    }
  }
}

/** Most bytes that may be out in part at once. */
function evictableBytes(problem: PlacementProblem): number {
  return problem.canEvict === true ? Math.floor(problem.capacityBytes / 4) : 0;
}

/** Items in SRAM that a group does not touch, and that have no copy in DRAM. */
function passingItems(draft: Draft, group: EdgeGroup, state: readonly number[]): number[] {
  return (draft.live[group.first] ?? []).filter((item, position) => {
    const isComplete = (draft.events[item]?.lastWrite ?? -1) < group.first;
    const isPassing = (group.passBytes[position] ?? 0) > 0 && state[position] === IN_SRAM && isComplete;
    return isPassing && canBeEvicted(draft.problem, draft.events, item);
  });
}

/** Room beyond what is needed, as shares of the SRAM: for weights that other steps keep resident. */
const SPARE_SHARES = [0, 1 / 32, 1 / 8];

/** An edge that does not fit, with enough moved out that it does. */
function arcsWithEvictions(
  draft: Draft,
  edge: number,
  passing: readonly number[],
  cost: number,
  memory: number,
): { cost: number; memory: number; eviction: number }[] {
  const { problem } = draft;
  const execution = draft.edges[edge]?.execution;
  if (execution === undefined) return [];
  return SPARE_SHARES.flatMap((share) => {
    const wanted = memory - problem.capacityBytes + Math.floor(share * problem.capacityBytes);
    const evictions = wanted > evictableBytes(problem) ? undefined : evictionsFor(problem, execution, passing, wanted);
    if (evictions === undefined) return [];
    let moved = 0;
    let freed = 0;
    for (const eviction of evictions) {
      moved += evictionTraffic(problem, eviction);
      freed += freedBytes(problem, eviction, tailOf(execution, eviction.item));
    }
    return [{ cost: cost + moved, memory: memory - freed, eviction: draft.evictions.push(evictions) - 1 }];
  });
}

function addEdges(draft: Draft): void {
  const { problem } = draft;
  const byHomes = new Map<string, Execution[]>();
  const add = (execution: Execution): void => {
    let homes = `${execution.first} ${execution.last}`;
    for (const { item, fromSram } of execution.uses) homes += fromSram ? ` s${item}` : ` d${item}`;
    for (const { item, toSram, over } of execution.outputs) homes += toSram ? ` S${item} ${over}` : ` D${item}`;
    const group = byHomes.get(homes);
    if (group === undefined) byHomes.set(homes, [execution]);
    else group.push(execution);
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
  for (const executions of byHomes.values()) addGroup(draft, executions);
}

function addGroup(draft: Draft, executions: readonly Execution[]): void {
  const { problem, events } = draft;
  const model = executions[0];
  if (model === undefined) return;
  const isElsewhere = (item: number, inSram: boolean): boolean => (draft.pinned.get(item) ?? inSram) !== inSram;
  if (model.uses.some((use) => isElsewhere(use.item, use.fromSram))) return;
  if (model.outputs.some((output) => isElsewhere(output.item, output.toSram))) return;
  const itemBytes = touchedBytes(problem, events, model);
  const candidates: Candidate[] = [];
  for (const execution of executions) {
    const ownBytes = execution.workspaceBytes + execution.heldWeightBytes;
    const allWeights = ownWeightBytes(problem, execution);
    if (itemBytes + ownBytes > problem.capacityBytes + evictableBytes(problem)) continue;
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
  if (candidates.length === 0) return;
  const edges: number[] = [];
  for (const edge of undominated(candidates, problem.isForTime === true)) {
    edges.push(draft.edges.length);
    draft.edges.push(edge);
    draft.edgeOwnBytes.push(edge.ownBytes);
    draft.edgeCost.push(edge.cost);
  }
  const before = draft.live[model.first] ?? [];
  const touched = new Set([...model.uses, ...model.outputs].map((one) => one.item));
  const uses = model.uses.filter((use) => !draft.forgotten.has(use.item));
  const outputs = model.outputs.filter((output) => !draft.forgotten.has(output.item));
  draft.groups[model.first]?.push({
    first: model.first,
    last: model.last,
    edges,
    uses: uses.map((use) => ({
      position: before.indexOf(use.item),
      fromSram: use.fromSram,
      isPartial: (events[use.item]?.lastWrite ?? -1) >= model.first,
      dramBytes: problem.items[use.item]?.dramBytes ?? 0,
    })),
    outputs: outputs.map((output) => {
      const isCopied = output.toSram && problem.items[output.item]?.endsInDram === true;
      return {
        position: before.indexOf(output.item),
        toSram: output.toSram,
        home: isCopied ? IN_BOTH : output.toSram ? IN_SRAM : IN_DRAM,
        spillBytes: isCopied ? (problem.items[output.item]?.dramBytes ?? 0) : 0,
      };
    }),
    carry: (draft.live[model.last + 1] ?? []).map((item) => {
      const position = before.indexOf(item);
      return position >= 0 ? position : -1 - outputs.findIndex((output) => output.item === item);
    }),
    passBytes: before.map((item) => (touched.has(item) ? 0 : (problem.items[item]?.sramBytes ?? 0))),
    itemBytes,
  });
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
function undominated(candidates: readonly Candidate[], isForTime: boolean): Candidate[] {
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

function finish(draft: Draft, order: readonly number[], nodeHomes: readonly (readonly number[])[]): StateGraph {
  const place = new Int32Array(draft.provisionalCount.value);
  order.forEach((node, index) => {
    place[node] = index;
  });
  const arcFrom = draft.from.toInt32();
  const arcTo = draft.to.toInt32();
  for (let a = 0; a < arcFrom.length; a += 1) {
    arcFrom[a] = place[arcFrom[a] ?? 0] ?? 0;
    arcTo[a] = place[arcTo[a] ?? 0] ?? 0;
  }
  return {
    problem: draft.problem,
    nodeCount: order.length,
    arcFrom,
    arcTo,
    arcEdge: draft.edge.toInt32(),
    arcCost: draft.cost.toFloat64(),
    arcMemory: draft.memory.toFloat64(),
    arcEviction: draft.eviction.toInt32(),
    evictions: draft.evictions,
    edges: draft.edges,
    liveItems: draft.live,
    nodeHomes,
  };
}

/** The path to the sink along which each node was reached. @param arrival by node: the arc */
export function pathToSink({ nodeCount, arcFrom }: StateGraph, arrival: Int32Array): number[] {
  const path: number[] = [];
  let node = nodeCount - 1;
  while (node > 0) {
    const arc = arrival[node] ?? 0;
    path.push(arc);
    node = arcFrom[arc] ?? 0;
  }
  return path.reverse();
}

/** Items in SRAM throughout an arc that it does not touch. */
export function passingItemsOf(graph: StateGraph, arc: number): number[] {
  const execution = graph.edges[graph.arcEdge[arc] ?? -1]?.execution;
  if (execution === undefined) return [];
  const homes = graph.nodeHomes[graph.arcFrom[arc] ?? 0] ?? [];
  const touched = new Set([...execution.uses, ...execution.outputs].map(({ item }) => item));
  const alive = graph.liveItems[execution.first] ?? [];
  return alive.filter((item, position) => (homes[position] ?? IN_DRAM) !== IN_DRAM && !touched.has(item));
}

/** The plan along a path of arcs; what is resident is left to be filled in. */
export function planOf(graph: StateGraph, path: readonly number[]): Omit<Placement, 'residentBytes'> {
  const { problem, liveItems: live } = graph;
  const choices = problem.steps.map(() => -1);
  const reloads = problem.steps.map((): number[] => []);
  const spans: number[] = [];
  const evictions: Eviction[] = [];
  for (const arc of path) {
    evictions.push(...(graph.evictions[graph.arcEviction[arc] ?? -1] ?? []));
    const edge = graph.edges[graph.arcEdge[arc] ?? -1];
    if (edge === undefined) continue;
    const { first, span, choice, uses } = edge.execution;
    if (span >= 0) spans.push(span);
    else choices[first] = choice;
    const homes = graph.nodeHomes[graph.arcFrom[arc] ?? 0] ?? [];
    for (const use of uses) {
      const position = live[first]?.indexOf(use.item) ?? -1;
      if (use.fromSram && homes[position] === IN_DRAM) reloads[first]?.push(use.item);
    }
  }
  return { choices, spans, reloads, evictions };
}
