import { canBeEvicted, type Eviction, evictionsFor, evictionTraffic, freedBytes, tailOf } from './evictions.js';
import {
  type EdgeGroup,
  evictableBytes,
  type GraphEdges,
  graphEdges,
  IN_BOTH,
  IN_DRAM,
  IN_SRAM,
} from './graph-edges.js';
import { type Execution, type ItemEvents, itemEvents, type Placement, type PlacementProblem } from './problem.js';

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

/** Arcs as they are found: many, of unknown number. */
class ArcList {
  from = new Int32Array(1 << 12);
  to = new Int32Array(1 << 12);
  edge = new Int32Array(1 << 12);
  cost = new Float64Array(1 << 12);
  memory = new Float64Array(1 << 12);
  eviction = new Int32Array(1 << 12);
  length = 0;

  push(from: number, to: number, edge: number, cost: number, memory: number, eviction: number): void {
    const at = this.length;
    if (at === this.from.length) this.grow();
    this.from[at] = from;
    this.to[at] = to;
    this.edge[at] = edge;
    this.cost[at] = cost;
    this.memory[at] = memory;
    this.eviction[at] = eviction;
    this.length = at + 1;
  }

  private grow(): void {
    const capacity = 2 * this.from.length;
    const grown = <T extends Int32Array | Float64Array>(values: T, bigger: T): T => {
      bigger.set(values);
      return bigger;
    };
    this.from = grown(this.from, new Int32Array(capacity));
    this.to = grown(this.to, new Int32Array(capacity));
    this.edge = grown(this.edge, new Int32Array(capacity));
    this.cost = grown(this.cost, new Float64Array(capacity));
    this.memory = grown(this.memory, new Float64Array(capacity));
    this.eviction = grown(this.eviction, new Int32Array(capacity));
  }
}

interface Draft {
  readonly problem: PlacementProblem;
  readonly evictableBytes: number; // at once
  readonly events: readonly ItemEvents[];
  readonly live: readonly (readonly number[])[]; // items alive before each step, and after the last
  readonly pinned: ReadonlyMap<number, boolean>;
  readonly edges: GraphEdges;
  readonly arcs: ArcList;
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
    evictableBytes: evictableBytes(problem),
    events,
    live,
    pinned,
    edges: graphEdges(problem, { events, live, forgotten, pinned }),
    arcs: new ArcList(),
    evictions: [],
    nodeKeys: live.map(() => new Map<number, number>()),
    provisionalCount: { value: 0 },
  };
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
      for (const group of draft.edges.groups[t] ?? []) applyGroup(draft, group, state, node);
      if (draft.arcs.length > mostArcs) return undefined;
    }
  }
  if ((draft.nodeKeys[problem.steps.length]?.size ?? 0) === 0) return undefined;
  return finish(draft, order, homes);
}

/** Items alive at each cut, in order; at the last cut those that outlive all steps. Cost: the lengths of their lives. */
export function liveItems(problem: PlacementProblem, events: readonly ItemEvents[]): number[][] {
  const live: number[][] = Array.from({ length: problem.steps.length + 1 }, () => []);
  events.forEach((life, item) => {
    const last = Math.max(life.lastWrite, life.reads[life.reads.length - 1] ?? -1);
    for (let t = life.firstWrite + 1; t <= last; t += 1) live[t]?.push(item);
  });
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
    draft.arcs.push(node, nodeOf(draft, t, key - home * 3 ** position), -1, spillBytes, 0, -1);
  });
}

/** The arcs of a group's edges that leave one state, if the state admits them. Cost: few states admit a group; most leave at once. */
function applyGroup(draft: Draft, group: EdgeGroup, state: readonly number[], node: number): void {
  const { uses, outputs } = group;
  let cost = 0;
  for (let i = 0; i < uses.length; i += 1) {
    const use = uses[i] as EdgeGroup['uses'][number];
    const home = state[use.position] ?? IN_DRAM;
    if (use.isPartial) {
      if ((home === IN_DRAM) === use.fromSram) return;
    } else if (!use.fromSram) {
      if (home === IN_SRAM) return;
    } else if (home === IN_DRAM) cost += use.dramBytes;
  }
  for (let i = 0; i < outputs.length; i += 1) {
    const output = outputs[i] as EdgeGroup['outputs'][number];
    if (output.position < 0) cost += output.spillBytes;
    else if ((state[output.position] === IN_DRAM) === output.toSram) return;
  }
  let memory = group.itemBytes;
  for (let i = 0; i < state.length; i += 1) if (state[i] !== IN_DRAM) memory += group.passBytes[i] ?? 0;
  const { capacityBytes } = draft.problem;
  // Held weights are in SRAM while the edge runs, whether resident or not: resident ones save no room at their own steps.
  const mostOwnBytes = capacityBytes - memory + draft.evictableBytes;
  let target = -1;
  for (const edge of group.edges) {
    const ownBytes = draft.edges.ownBytes[edge] ?? 0;
    if (ownBytes > mostOwnBytes) continue;
    const edgeCost = cost + (draft.edges.cost[edge] ?? 0);
    const edgeMemory = memory + ownBytes;
    if (edgeMemory <= capacityBytes) {
      if (target < 0) target = nodeOf(draft, group.last + 1, keyAfter(group, state));
      draft.arcs.push(node, target, edge, edgeCost, edgeMemory, -1);
      continue;
    }
    for (const arc of arcsWithEvictions(draft, edge, passingItems(draft, group, state), edgeCost, edgeMemory)) {
      if (target < 0) target = nodeOf(draft, group.last + 1, keyAfter(group, state));
      draft.arcs.push(node, target, edge, arc.cost, arc.memory, arc.eviction);
    }
  }
}

/** The key of the homes that a group leaves behind. */
function keyAfter({ uses, outputs, carry }: EdgeGroup, state: readonly number[]): number {
  const after = state.slice();
  for (const { position, fromSram, isPartial } of uses) {
    if (isPartial) continue;
    if (!fromSram) after[position] = IN_DRAM;
    else if (state[position] === IN_DRAM) after[position] = IN_BOTH;
  }
  let key = 0;
  let unit = 1;
  for (const source of carry) {
    key += unit * (source >= 0 ? (after[source] ?? IN_DRAM) : (outputs[-1 - source]?.home ?? IN_DRAM));
    unit *= 3;
  }
  return key;
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
  const execution = draft.edges.list[edge]?.execution;
  if (execution === undefined) return [];
  return SPARE_SHARES.flatMap((share) => {
    const wanted = memory - problem.capacityBytes + Math.floor(share * problem.capacityBytes);
    const evictions = wanted > draft.evictableBytes ? undefined : evictionsFor(problem, execution, passing, wanted);
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

function finish(draft: Draft, order: readonly number[], nodeHomes: readonly (readonly number[])[]): StateGraph {
  const place = new Int32Array(draft.provisionalCount.value);
  order.forEach((node, index) => {
    place[node] = index;
  });
  const { arcs } = draft;
  const arcFrom = arcs.from.slice(0, arcs.length);
  const arcTo = arcs.to.slice(0, arcs.length);
  for (let a = 0; a < arcFrom.length; a += 1) {
    arcFrom[a] = place[arcFrom[a] ?? 0] ?? 0;
    arcTo[a] = place[arcTo[a] ?? 0] ?? 0;
  }
  return {
    problem: draft.problem,
    nodeCount: order.length,
    arcFrom,
    arcTo,
    arcEdge: arcs.edge.slice(0, arcs.length),
    arcCost: arcs.cost.slice(0, arcs.length),
    arcMemory: arcs.memory.slice(0, arcs.length),
    arcEviction: arcs.eviction.slice(0, arcs.length),
    evictions: draft.evictions,
    edges: draft.edges.list,
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
