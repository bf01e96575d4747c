import { evictionTraffic } from '../evictions.js';
import { type Execution, type ItemEvents, itemEvents, type PlacementProblem } from '../problem.js';
import type { StateGraph } from '../state-graph.js';

/**
 * What time asks of the arcs of a state graph, side by side.
 *
 * Time is counted in bytes of DRAM traffic: what the interface could have moved meanwhile. Computing for k cycles takes
 * k * bytesPerCycle.
 */
export interface TimeGraph {
  readonly graph: StateGraph;
  readonly steps: number;
  readonly arcCut: Int32Array; // per arc: the cut that it leaves, which is its first step
  readonly arcEnd: Int32Array; // per arc: the cut that it reaches; of a drop, the one that it leaves
  readonly computeBytes: Float64Array; // per arc: the least
  readonly slowBytes: Float64Array; // per arc: what it computes beyond that, as it runs
  readonly nodeItemBytes: Float64Array; // per node: items in SRAM there
  readonly reloadBytes: Float64Array; // per arc: items that are loaded as a whole before it computes
  readonly storeBytes: Float64Array; // per drop: what is stored before the step at its cut can read it again
  readonly weightBytes: Float64Array; // per arc: that may be resident
  readonly weightPasses: Float64Array;
  readonly isHeld: Uint8Array;
  /**
   * What an arc moves of items that have their room anyway (spills, parts that go out and come back): so many bytes may be moved early
   * or late at cuts [from, to] without room of their own.
   */
  readonly roomless: { readonly bytes: Float64Array; readonly from: Int32Array; readonly to: Int32Array };
}

/** The same graph, whose arcs compute as long as they do as they run. */
export function asItRuns(time: TimeGraph): TimeGraph {
  const computeBytes = time.computeBytes.map((bytes, arc) => bytes + (time.slowBytes[arc] as number));
  return { ...time, computeBytes };
}

/** @returns undefined where the problem does not say how long its steps compute */
export function timeGraphOf(graph: StateGraph): TimeGraph | undefined {
  const { problem, arcFrom, arcTo, arcEdge } = graph;
  const { bytesPerCycle } = problem;
  if (bytesPerCycle === undefined) return undefined;
  const before = [0]; // compute of all steps before each, in bytes
  for (const step of problem.steps) before.push((before.at(-1) ?? 0) + (step.computeCycles ?? 0) * bytesPerCycle);
  const count = arcFrom.length;
  const time: TimeGraph = {
    graph,
    steps: problem.steps.length,
    arcCut: new Int32Array(count),
    arcEnd: new Int32Array(count),
    computeBytes: new Float64Array(count),
    slowBytes: new Float64Array(count),
    nodeItemBytes: new Float64Array(graph.nodeCount),
    reloadBytes: new Float64Array(count),
    storeBytes: new Float64Array(count),
    weightBytes: new Float64Array(count),
    weightPasses: new Float64Array(count),
    isHeld: new Uint8Array(count),
    roomless: { bytes: new Float64Array(count), from: new Int32Array(count), to: new Int32Array(count) },
  };
  const { roomless } = time;
  const events = itemEvents(problem);
  const madeFrom = firstStepsOf(problem, events);
  const cutOf = new Int32Array(graph.nodeCount);
  for (let arc = 0; arc < count; arc += 1) {
    const cut = cutOf[arcFrom[arc] as number] as number;
    const edge = graph.edges[arcEdge[arc] as number];
    const end = edge === undefined ? cut : edge.execution.last + 1;
    cutOf[arcTo[arc] as number] = end;
    time.arcCut[arc] = cut;
    time.arcEnd[arc] = end;
    const evictions = graph.evictions[graph.arcEviction[arc] as number] ?? [];
    if (edge === undefined) {
      roomless.bytes[arc] = graph.arcCost[arc] as number;
      const item = droppedItem(graph, arc, cut);
      roomless.from[arc] = madeFrom[item] ?? 0;
      if (events[item]?.reads.includes(cut) === true) time.storeBytes[arc] = graph.arcCost[arc] as number;
    } else if (evictions.length > 0) {
      roomless.bytes[arc] = evictions.reduce((sum, eviction) => sum + evictionTraffic(problem, eviction), 0);
      roomless.from[arc] = Math.min(...evictions.map(({ item }) => madeFrom[item] ?? 0));
    }
    roomless.to[arc] = end;
    if (edge === undefined) continue;
    time.computeBytes[arc] = (before[end] ?? 0) - (before[cut] ?? 0);
    time.slowBytes[arc] = (edge.execution.extraCycles ?? 0) * bytesPerCycle;
    time.reloadBytes[arc] = reloadedBytes(graph, arcFrom[arc] as number, cut, edge.execution);
    time.weightBytes[arc] = edge.weightBytes;
    time.weightPasses[arc] = edge.weightPasses;
    time.isHeld[arc] = edge.isHeld ? 1 : 0;
  }
  for (let node = 0; node < graph.nodeCount; node += 1) {
    const alive = graph.liveItems[cutOf[node] as number] ?? [];
    graph.nodeHomes[node]?.forEach((home, position) => {
      if (home !== 0)
        time.nodeItemBytes[node] =
          (time.nodeItemBytes[node] ?? 0) + (problem.items[alive[position] ?? -1]?.sramBytes ?? 0);
    });
  }
  return time;
}

/** By item: the first step of any execution that may write the last of it. */
function firstStepsOf(problem: PlacementProblem, events: readonly ItemEvents[]): number[] {
  const first = events.map(({ lastWrite }) => Math.max(0, lastWrite));
  for (const span of problem.spans)
    for (const { item } of span.outputs) first[item] = Math.min(first[item] ?? 0, span.first);
  return first;
}

/** What an execution reads from SRAM and is not there. */
function reloadedBytes(graph: StateGraph, node: number, cut: number, { uses }: Execution): number {
  const homes = graph.nodeHomes[node] ?? [];
  const alive = graph.liveItems[cut] ?? [];
  let bytes = 0;
  for (const { item, fromSram } of uses)
    if (fromSram && homes[alive.indexOf(item)] === 0) bytes += graph.problem.items[item]?.dramBytes ?? 0;
  return bytes;
}

/** What a drop takes out of SRAM; -1 for nothing. */
function droppedItem(graph: StateGraph, arc: number, cut: number): number {
  const before = graph.nodeHomes[graph.arcFrom[arc] as number] ?? [];
  const after = graph.nodeHomes[graph.arcTo[arc] as number] ?? [];
  const position = before.findIndex((home, at) => home !== after[at]);
  return graph.liveItems[cut]?.[position] ?? -1;
}
