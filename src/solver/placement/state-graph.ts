import { ArcList } from './arc-list.js';
import { evictableBytes } from './edges-by-homes.js';
import { type Eviction, evictionsFor, evictionTraffic, freedBytes, tailOf } from './evictions.js';
import { type EdgeGroup, type GraphEdges, graphEdges, setOf, type TouchedItem } from './graph-edges.js';
import { type Execution, type ItemEvents, itemEvents, type Placement, type PlacementProblem } from './problem.js';
import { StateTable } from './state-table.js';

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

/** Homes. */
const IN_DRAM = 0;
const IN_SRAM = 1;
const IN_BOTH = 2;

interface Draft {
  readonly problem: PlacementProblem;
  readonly evictableBytes: number; // at once
  readonly live: readonly (readonly number[])[]; // items alive before each step, and after the last
  readonly canDrop: readonly number[]; // by cut: the set of positions of items that may leave SRAM there
  readonly edges: GraphEdges;
  readonly arcs: ArcList;
  readonly evictions: (readonly Eviction[])[];
  readonly states: readonly StateTable[]; // by cut
  nodeCount: number; // nodes are numbered as they are met, and sorted in the end
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
  const isWhole = options.mostArcs === undefined && options.forgotten === undefined && options.pinned === undefined;
  const known = isWhole ? wholeGraphs.get(problem) : undefined;
  if (known !== undefined) return known;
  const graph = graphOf(problem, options);
  if (isWhole && graph !== undefined && graph.arcFrom.length <= MOST_ARCS_KEPT) wholeGraphs.set(problem, graph);
  return graph;
}

/** Where a plan cannot be packed, its problem is asked again with that plan cut off: the graph is the same. */
const wholeGraphs = new WeakMap<PlacementProblem, StateGraph>();

function graphOf(problem: PlacementProblem, options: GraphOptions): StateGraph | undefined {
  const { mostArcs = MOST_ARCS, forgotten = new Set<number>(), pinned = new Map<number, boolean>() } = options;
  const events = itemEvents(problem);
  const live = liveItems(problem, events).map((items) => items.filter((item) => !forgotten.has(item)));
  if (live.some((items) => items.length > MOST_LIVE)) return undefined;
  // An item that is not complete stays as it is.
  const canDrop = live.map((items, t) =>
    setOf(items, (item) => !pinned.has(item) && (events[item]?.lastWrite ?? -1) < t),
  );
  const draft: Draft = {
    problem,
    evictableBytes: evictableBytes(problem),
    live,
    canDrop,
    edges: graphEdges(problem, { events, live, forgotten, pinned }),
    arcs: emptyArcs(),
    evictions: [],
    states: live.map(() => new StateTable()),
    nodeCount: 0,
  };
  const nodes: SortedNode[] = [];
  nodeOf(draft, 0, 0, 0); // all that is alive is in DRAM
  for (let t = 0; t <= problem.steps.length; t += 1) {
    const states = draft.states[t] as StateTable;
    closeUnderDrops(draft, t);
    if (states.size > MOST_STATES) return undefined;
    for (const index of states.sorted()) {
      const state = {
        node: states.node[index] as number,
        cut: t,
        inSram: states.inSram[index] as number,
        inBoth: states.inBoth[index] as number,
      };
      nodes.push(state);
      addDrops(draft, state);
      addEdges(draft, state);
      if (draft.arcs.length > mostArcs) return undefined;
    }
  }
  if (draft.states[problem.steps.length]?.size === 0) return undefined;
  return finish(draft, nodes);
}

/** Arcs are listed in the same place for each graph, and copied when their number is known. */
let lastArcs = new ArcList();
const MOST_ARCS_KEPT = 1 << 20;

function emptyArcs(): ArcList {
  if (lastArcs.from.length > MOST_ARCS_KEPT) lastArcs = new ArcList();
  lastArcs.length = 0;
  return lastArcs;
}

/** Homes fit two sets of bits. */
const MOST_LIVE = 30;

interface SortedNode {
  readonly node: number; // as it was numbered when it was met
  readonly cut: number;
  readonly inSram: number; // see StateTable
  readonly inBoth: number;
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

function nodeOf(draft: Draft, cut: number, inSram: number, inBoth: number): number {
  const node = (draft.states[cut] as StateTable).nodeOf(inSram, inBoth, draft.nodeCount);
  if (node === draft.nodeCount) draft.nodeCount += 1;
  return node;
}

/** The lowest position of a set that is not empty. */
const lowest = (set: number): number => 31 - Math.clz32(set & -set);

function closeUnderDrops(draft: Draft, t: number): void {
  const states = draft.states[t] as StateTable;
  for (let left = draft.canDrop[t] as number; left !== 0; left &= left - 1) {
    if (states.size > MOST_STATES) return;
    const others = ~(left & -left);
    const count = states.size;
    for (let i = 0; i < count; i += 1) {
      nodeOf(draft, t, (states.inSram[i] as number) & others, (states.inBoth[i] as number) & others);
    }
  }
}

function addDrops(draft: Draft, { node, cut, inSram, inBoth }: SortedNode): void {
  for (let left = (draft.canDrop[cut] as number) & (inSram | inBoth); left !== 0; left &= left - 1) {
    const item = draft.live[cut]?.[lowest(left)] ?? -1;
    const position = left & -left;
    const spillBytes = (inSram & position) !== 0 ? (draft.problem.items[item]?.dramBytes ?? 0) : 0;
    draft.arcs.push(node, nodeOf(draft, cut, inSram & ~position, inBoth & ~position), -1, spillBytes, 0, -1);
  }
}

/** The arcs of all edges that leave one state. */
function addEdges(draft: Draft, state: SortedNode): void {
  const { inSram, inBoth, cut } = state;
  const there = inSram | inBoth;
  let stateBytes = 0;
  for (let left = there; left !== 0; left &= left - 1) {
    stateBytes += draft.problem.items[draft.live[cut]?.[lowest(left)] ?? -1]?.sramBytes ?? 0;
  }
  const groups = draft.edges.groups[cut] ?? [];
  for (let i = 0; i < groups.length; i += 1) {
    const group = groups[i] as EdgeGroup;
    if ((there & group.fixed) === group.fixedInSram && (inSram & group.needCopy) === 0)
      applyGroup(draft, group, state, stateBytes);
  }
}

/** The arcs of a group's edges that leave a state which admits them. @param stateBytes of SRAM, by the items that are there */
function applyGroup(draft: Draft, group: EdgeGroup, state: SortedNode, stateBytes: number): void {
  const { inSram, inBoth, node } = state;
  const there = inSram | inBoth;
  let { costBytes: cost } = group;
  let memory = stateBytes + group.itemBytes;
  let loaded = 0;
  for (let i = 0; i < group.touched.length; i += 1) {
    const item = group.touched[i] as TouchedItem;
    if ((there & item.position) !== 0) memory -= item.sramBytes;
    else if (item.isReloaded) {
      cost += item.dramBytes;
      loaded |= item.position;
    }
  }
  const { capacityBytes } = draft.problem;
  // Held weights are in SRAM while the edge runs, whether resident or not: resident ones save no room at their own steps.
  const mostOwnBytes = capacityBytes - memory + draft.evictableBytes;
  let target = -1;
  for (let i = 0; i < group.edges.length; i += 1) {
    const edge = group.edges[i] as number;
    const ownBytes = draft.edges.ownBytes[edge] as number;
    if (ownBytes > mostOwnBytes) continue;
    const edgeCost = cost + (draft.edges.cost[edge] as number);
    const edgeMemory = memory + ownBytes;
    if (edgeMemory <= capacityBytes) {
      if (target < 0) target = nodeAfter(draft, group, inSram, inBoth | loaded);
      draft.arcs.push(node, target, edge, edgeCost, edgeMemory, -1);
      continue;
    }
    const passing = itemsOf(draft.live[group.first] ?? [], inSram & group.evictable);
    for (const arc of arcsWithEvictions(draft, edge, passing, edgeCost, edgeMemory)) {
      if (target < 0) target = nodeAfter(draft, group, inSram, inBoth | loaded);
      draft.arcs.push(node, target, edge, arc.cost, arc.memory, arc.eviction);
    }
  }
}

/** The state that a group leaves behind, of homes with what it reloads. */
function nodeAfter(draft: Draft, group: EdgeGroup, inSram: number, inBoth: number): number {
  const after = (set: number): number => {
    let moved = 0;
    for (let left = set & group.kept; left !== 0; left &= left - 1)
      moved |= group.positionAfter[lowest(left)] as number;
    return moved;
  };
  return nodeOf(draft, group.last + 1, after(inSram) | group.madeInSram, after(inBoth) | group.madeInBoth);
}

function itemsOf(live: readonly number[], set: number): number[] {
  const items: number[] = [];
  for (let left = set; left !== 0; left &= left - 1) items.push(live[lowest(left)] ?? -1);
  return items;
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

function finish(draft: Draft, nodes: readonly SortedNode[]): StateGraph {
  const place = new Int32Array(draft.nodeCount);
  nodes.forEach(({ node }, index) => {
    place[node] = index;
  });
  const nodeHomes = nodes.map(({ cut, inSram, inBoth }) =>
    (draft.live[cut] ?? []).map((_, i) => ((inSram >> i) & 1 ? IN_SRAM : (inBoth >> i) & 1 ? IN_BOTH : IN_DRAM)),
  );
  const { arcs } = draft;
  const arcFrom = arcs.from.slice(0, arcs.length);
  const arcTo = arcs.to.slice(0, arcs.length);
  for (let a = 0; a < arcFrom.length; a += 1) {
    arcFrom[a] = place[arcFrom[a] ?? 0] ?? 0;
    arcTo[a] = place[arcTo[a] ?? 0] ?? 0;
  }
  return {
    problem: draft.problem,
    nodeCount: nodes.length,
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
