import { type Evaluation, evaluate } from './evaluate.js';
import {
  type Choice,
  type ItemEvents,
  itemEvents,
  type Placement,
  type PlacementProblem,
  type ResidentRounding,
  type Span,
} from './problem.js';
import { fillResident } from './resident-fill.js';

/**
 * Strong placements by dynamic programming.
 *
 * What couples the steps is little: the bytes kept for resident weights. Fix a budget A for everything else; then the best
 * plan is a shortest path over the steps, whose states are the homes of the items alive at the cut:
 *
 *     S   in SRAM, no DRAM copy        (0)
 *     D   in DRAM only                 (1)
 *     SD  in SRAM, and copied to DRAM  (2)      an SD item may be dropped to D at any step, free of cost,
 *                                         an S item for the cost of a copy
 *
 * An edge is a step by one of its choices, or a span of steps. Every byte of A that is not used is a byte of resident
 * weights, and each of those saves a byte a frame: so the outer loop sweeps A. Where an edge holds its weights and needs x
 * bytes more than A leaves, x bytes of them must be among the resident ones; `price` raises what that costs when all such
 * needs together outgrow what is resident.
 *
 * Exact for a given A and price as long as no cut has more than MAX_STATES states.
 * Cost: for each A, states x edges.
 */
const MAX_STATES = 400;
const MAX_LIVE = 64;
const NO_RELOADS: readonly number[] = [];

interface PathNode {
  readonly cost: number;
  readonly residentNeed: number;
  readonly previous: PathNode | undefined;
  readonly edge: Edge | undefined;
  readonly choice: number; // of a step's edge
  readonly reloads: readonly number[]; // items
}

/** Choices with the same homes, or one span. */
interface Edge {
  readonly first: number;
  readonly last: number;
  readonly span: number; // -1 for a step
  readonly uses: readonly EdgeUse[];
  readonly outputs: readonly EdgeOutput[];
  readonly options: readonly EdgeOption[]; // cheapest first, each needing less memory than those before
  /** Positions of the items alive after the edge in the list of those alive before it, or -1 - index of the output. */
  readonly carry: readonly number[];
  /** SRAM of items alive before that the edge does not touch, by position; 0 where it does. */
  readonly passBytes: readonly number[];
  readonly sramBytes: number; // uses and outputs in SRAM as a whole
  readonly leastWorkspaceBytes: number; // of the option that needs least, with its weights resident
  readonly leastBytes: number; // both together
  readonly leastCost: number;
}

interface EdgeUse {
  readonly item: number;
  readonly position: number;
  readonly fromSram: boolean;
  readonly mustMatch: boolean; // read before it is complete
  readonly dramBytes: number;
}

interface EdgeOutput {
  readonly item: number;
  readonly position: number; // where it is alive before already (partly written), or -1
  readonly toSram: boolean;
  readonly memoryBytes: number; // 0 where it takes over an input
  readonly spillBytes: number;
  readonly home: number; // after the edge, where it is new
}

interface EdgeOption {
  readonly choice: number;
  readonly cost: number;
  readonly memoryBytes: number; // workspace
  readonly heldBytes: number;
}

export interface SearchResult {
  readonly placement: Placement;
  readonly evaluation: Evaluation;
}

/** The edges of a problem, made once for all budgets. */
interface EdgeGraph {
  readonly problem: PlacementProblem;
  readonly events: readonly ItemEvents[];
  readonly live: readonly (readonly number[])[]; // items alive before each step, and after the last
  readonly from: readonly (readonly Edge[])[];
}

/** The best placement that the sweep over budgets finds, or undefined when no budget admits any. */
export function searchPlacements(problem: PlacementProblem, roundResident: ResidentRounding): SearchResult | undefined {
  const graph = buildEdges(problem);
  let best: SearchResult | undefined;
  const seen = new Map<string, number>();
  const consider = (budget: number): number => {
    let priceLow = 0;
    let priceHigh = Number.POSITIVE_INFINITY;
    let price = 0;
    let result = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 9; round += 1) {
      const path = shortestPath(graph, budget, price, best?.evaluation.trafficBytes ?? Number.POSITIVE_INFINITY);
      if (path === undefined) return result;
      const key = JSON.stringify([path.choices, path.spans, path.reloads]);
      let traffic = seen.get(key);
      if (traffic === undefined) {
        const placement = fillResident(problem, path, roundResident, graph.events);
        const evaluation = evaluate(problem, placement, graph.events);
        traffic = evaluation.errors.length === 0 ? evaluation.trafficBytes : Number.POSITIVE_INFINITY;
        seen.set(key, traffic);
        if (traffic < (best?.evaluation.trafficBytes ?? Number.POSITIVE_INFINITY)) best = { placement, evaluation };
      }
      result = Math.min(result, traffic);
      if (path.residentNeed <= problem.capacityBytes - budget) {
        if (price === 0) return result;
        priceHigh = price;
      } else priceLow = price;
      price = priceHigh === Number.POSITIVE_INFINITY ? Math.max(0.05, price * 2) : (priceLow + priceHigh) / 2;
    }
    return result;
  };
  const scored = budgetGrid(problem.capacityBytes).map((budget) => ({ budget, traffic: consider(budget) }));
  refine(scored, consider);
  return best;
}

/** Budgets up to the capacity: fine where they are small, since those leave most to the weights. */
function budgetGrid(capacityBytes: number): number[] {
  const grid = new Set<number>([capacityBytes]);
  for (let budget = 2048; budget < capacityBytes; budget = Math.ceil((budget * 1.2) / 64) * 64) grid.add(budget);
  return [...grid].sort((a, b) => a - b);
}

/** Halves the spacing of the grid around its best point a few times. */
function refine(scored: { budget: number; traffic: number }[], consider: (budget: number) => number): void {
  for (let round = 0; round < 7; round += 1) {
    scored.sort((a, b) => a.budget - b.budget);
    let at = 0;
    scored.forEach((point, i) => {
      if (point.traffic < (scored[at]?.traffic ?? Number.POSITIVE_INFINITY)) at = i;
    });
    const middle = scored[at];
    if (middle === undefined || middle.traffic === Number.POSITIVE_INFINITY) return;
    for (const neighbour of [scored[at - 1], scored[at + 1]]) {
      if (neighbour === undefined) continue;
      const budget = Math.round((neighbour.budget + middle.budget) / 128) * 64;
      if (scored.every((point) => point.budget !== budget)) scored.push({ budget, traffic: consider(budget) });
    }
  }
}

interface PathResult {
  readonly choices: number[];
  readonly spans: number[];
  readonly reloads: number[][];
  readonly residentNeed: number;
}

/** The cheapest way through all steps within `budgetBytes` of SRAM for everything but resident weights. */
function shortestPath(graph: EdgeGraph, budgetBytes: number, price: number, bestBytes: number): PathResult | undefined {
  // A path that ends above this leaves no better placement, whatever is resident.
  const limit = bestBytes + graph.problem.capacityBytes - budgetBytes;
  const steps = graph.problem.steps.length;
  const states: Map<number, PathNode>[] = Array.from({ length: steps + 1 }, () => new Map<number, PathNode>());
  let startKey = 0;
  (graph.live[0] ?? []).forEach((_, position) => {
    startKey += 3 ** position; // D
  });
  states[0]?.set(startKey, { cost: 0, residentNeed: 0, previous: undefined, edge: undefined, choice: -1, reloads: [] });
  const rest = leastRest(graph, budgetBytes);
  const scratch: Scratch = { after: new Int8Array(MAX_LIVE) };
  for (let t = 0; t < steps; t += 1) {
    const here = states[t];
    if (here === undefined || here.size === 0) continue;
    const live = graph.live[t] ?? [];
    const edges = (graph.from[t] ?? []).filter((edge) => edge.leastBytes <= budgetBytes);
    const homes = new Int8Array(live.length);
    for (const [key, node] of withDrops(graph, t, live, prune(undominated(graph, t, live, here)))) {
      decode(key, homes);
      for (const edge of edges) {
        const target = states[edge.last + 1];
        const least = node.cost + edge.leastCost + (rest[edge.last + 1] ?? 0) - price * node.residentNeed;
        if (least < limit && target !== undefined) relax(edge, budgetBytes, price, homes, node, target, scratch);
      }
    }
    states[t] = new Map();
  }
  let end: PathNode | undefined;
  for (const node of states[steps]?.values() ?? []) if (end === undefined || node.cost < end.cost) end = node;
  return end === undefined ? undefined : readPath(end, steps);
}

function readPath(end: PathNode, steps: number): PathResult {
  const choices = Array.from({ length: steps }, () => -1);
  const reloads = Array.from({ length: steps }, (): number[] => []);
  const spans: number[] = [];
  for (let node: PathNode | undefined = end; node?.edge !== undefined; node = node.previous) {
    const { edge } = node;
    reloads[edge.first] = [...node.reloads];
    if (edge.span >= 0) spans.unshift(edge.span);
    else choices[edge.first] = node.choice;
  }
  return { choices, spans, reloads, residentNeed: end.residentNeed };
}

function prune(states: Map<number, PathNode>): Map<number, PathNode> {
  if (states.size <= MAX_STATES) return states;
  return new Map([...states.entries()].sort((a, b) => a[1].cost - b[1].cost || a[0] - b[0]).slice(0, MAX_STATES));
}

function decode(key: number, homes: Int8Array): void {
  let left = key;
  for (let i = 0; i < homes.length; i += 1) {
    homes[i] = left % 3;
    left = Math.floor(left / 3);
  }
}

/** Cost of the steps from t on, whatever the homes: edges that fit by themselves, in the cheapest sequence. */
function leastRest(graph: EdgeGraph, budgetBytes: number): Float64Array {
  const steps = graph.problem.steps.length;
  const rest = new Float64Array(steps + 1).fill(Number.POSITIVE_INFINITY);
  rest[steps] = 0;
  for (let t = steps - 1; t >= 0; t -= 1) {
    for (const edge of graph.from[t] ?? []) {
      if (edge.leastBytes > budgetBytes) continue;
      rest[t] = Math.min(rest[t] ?? 0, edge.leastCost + (rest[edge.last + 1] ?? 0));
    }
  }
  return rest;
}

/**
 * Leaves out states that the cheapest one can turn into for less than they cost: an item in DRAM comes back by a reload, one in
 * SRAM alone gets a copy by a spill, each for one transfer.
 */
function undominated(
  graph: EdgeGraph,
  t: number,
  live: readonly number[],
  states: Map<number, PathNode>,
): Map<number, PathNode> {
  let bestKey = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const [key, node] of states) {
    if (node.cost < bestCost || (node.cost === bestCost && key < bestKey)) {
      bestKey = key;
      bestCost = node.cost;
    }
  }
  const best = new Int8Array(live.length);
  const homes = new Int8Array(live.length);
  if (bestKey >= 0) decode(bestKey, best);
  const kept = new Map<number, PathNode>();
  for (const [key, node] of states) {
    decode(key, homes);
    let change = 0;
    for (let i = 0; i < live.length; i += 1) {
      if (homes[i] === best[i] || best[i] === 2) continue;
      const item = live[i] ?? -1;
      const isComplete = (graph.events[item]?.lastWrite ?? -1) < t;
      change += isComplete ? (graph.problem.items[item]?.dramBytes ?? 0) : Number.POSITIVE_INFINITY;
    }
    if (key === bestKey || bestCost + change > node.cost) kept.set(key, node);
  }
  return kept;
}

/**
 * Adds, for each state, those in which items have left SRAM before step t: one with a DRAM copy for nothing, another for the
 * price of writing it (which happens when it is produced, so it must be complete).
 */
function withDrops(
  graph: EdgeGraph,
  t: number,
  live: readonly number[],
  states: Map<number, PathNode>,
): Map<number, PathNode> {
  const all = new Map(states);
  const keep = (key: number, node: PathNode): void => {
    const other = all.get(key);
    if (other === undefined || node.cost < other.cost) all.set(key, node);
  };
  live.forEach((item, position) => {
    if ((graph.events[item]?.lastWrite ?? -1) >= t) return; // not complete yet
    const unit = 3 ** position;
    const spillBytes = graph.problem.items[item]?.dramBytes ?? 0;
    for (const [key, node] of [...all]) {
      const home = Math.floor(key / unit) % 3;
      if (home === 2) keep(key - unit, node);
      else if (home === 0) keep(key + unit, { ...node, cost: node.cost + spillBytes });
    }
  });
  return all;
}

/** Reused by every relaxation: what the edge leaves of the homes. */
interface Scratch {
  readonly after: Int8Array;
}

function relax(
  edge: Edge,
  budgetBytes: number,
  price: number,
  homes: Int8Array,
  node: PathNode,
  target: Map<number, PathNode>,
  scratch: Scratch,
): void {
  let memory = edge.sramBytes;
  for (let i = 0; i < homes.length; i += 1) if (homes[i] !== 1) memory += edge.passBytes[i] ?? 0;
  const room = budgetBytes - memory;
  if (edge.leastWorkspaceBytes > room) return;
  const { after } = scratch;
  after.set(homes);
  let cost = node.cost;
  let reloads = NO_RELOADS;
  for (const use of edge.uses) {
    const home = homes[use.position];
    if (use.fromSram) {
      if (home !== 1) continue;
      if (use.mustMatch) return;
      reloads = [...reloads, use.item];
      cost += use.dramBytes;
      after[use.position] = 2;
    } else {
      if (home === 0 || (use.mustMatch && home !== 1)) return;
      after[use.position] = 1;
    }
  }
  for (const output of edge.outputs)
    if (output.position >= 0 && (homes[output.position] === 1) === output.toSram) return;
  let option: EdgeOption | undefined;
  let resident = 0;
  let optionCost = Number.POSITIVE_INFINITY;
  for (const candidate of edge.options) {
    const need = Math.max(0, candidate.memoryBytes + candidate.heldBytes - room);
    if (need > candidate.heldBytes) continue;
    const total = candidate.cost + need * price;
    if (total < optionCost) {
      option = candidate;
      optionCost = total;
      resident = need;
    }
  }
  if (option === undefined) return;
  cost += optionCost;
  for (const output of edge.outputs) if (output.position < 0 && output.home === 2) cost += output.spillBytes;
  let key = 0;
  let unit = 1;
  for (const from of edge.carry) {
    key += unit * ((from >= 0 ? after[from] : edge.outputs[-1 - from]?.home) ?? 1);
    unit *= 3;
  }
  const other = target.get(key);
  if (other !== undefined && other.cost <= cost) return;
  target.set(key, {
    cost,
    residentNeed: node.residentNeed + resident,
    previous: node,
    edge,
    choice: option.choice,
    reloads,
  });
}

function buildEdges(problem: PlacementProblem): EdgeGraph {
  const events = itemEvents(problem);
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
  const from = problem.steps.map((_, t): Edge[] => stepEdges(problem, events, live, t));
  problem.spans.forEach((span, index) => {
    const edge = spanEdge(problem, events, live, span, index);
    from[span.first]?.push(edge);
  });
  return { problem, events, live, from };
}

function stepEdges(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  live: readonly (readonly number[])[],
  t: number,
): Edge[] {
  const step = problem.steps[t];
  if (step === undefined) return [];
  const groups = new Map<string, { choice: Choice; options: EdgeOption[] }>();
  step.choices.forEach((choice, index) => {
    const key = `${choice.usesFromSram.map(Number).join('')}${Number(choice.toSram)}`;
    const group = groups.get(key) ?? { choice, options: [] };
    groups.set(key, group);
    group.options.push({
      choice: index,
      cost: choice.trafficBytes + step.weightBytes * choice.weightPasses,
      memoryBytes: choice.workspaceBytes,
      heldBytes: choice.heldWeightBytes,
    });
  });
  return [...groups.values()].map(({ choice, options }) => {
    const uses = step.uses.map((use, i) => ({ item: use.item, fromSram: choice.usesFromSram[i] === true }));
    const over = step.uses.find((use, i) => use.inPlace && choice.usesFromSram[i] === true)?.item ?? -1;
    return edgeOf(problem, events, live, {
      first: t,
      last: t,
      span: -1,
      uses,
      outputs: [{ item: step.output, toSram: choice.toSram, over }],
      options,
    });
  });
}

function spanEdge(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  live: readonly (readonly number[])[],
  span: Span,
  index: number,
): Edge {
  let weightBytes = 0;
  for (let t = span.first; t <= span.last; t += 1) weightBytes += problem.steps[t]?.weightBytes ?? 0;
  const options = [
    {
      choice: -1,
      cost: span.trafficBytes + weightBytes,
      memoryBytes: span.workspaceBytes,
      heldBytes: span.heldWeightBytes,
    },
  ];
  return edgeOf(problem, events, live, { ...span, span: index, options });
}

interface EdgeSpec {
  readonly first: number;
  readonly last: number;
  readonly span: number;
  readonly uses: readonly { readonly item: number; readonly fromSram: boolean }[];
  readonly outputs: readonly { readonly item: number; readonly toSram: boolean; readonly over: number }[];
  readonly options: readonly EdgeOption[];
}

function edgeOf(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  live: readonly (readonly number[])[],
  spec: EdgeSpec,
): Edge {
  const before = live[spec.first] ?? [];
  const touched = new Set([...spec.uses.map((use) => use.item), ...spec.outputs.map((output) => output.item)]);
  const outputs = spec.outputs.map((output) => outputOf(problem, events, before, spec, output));
  const sramBytes =
    spec.uses.reduce((total, use) => total + (use.fromSram ? (problem.items[use.item]?.sramBytes ?? 0) : 0), 0) +
    outputs.reduce((total, output) => total + output.memoryBytes, 0);
  const leastWorkspaceBytes = Math.min(...spec.options.map((option) => option.memoryBytes));
  return {
    first: spec.first,
    last: spec.last,
    span: spec.span,
    sramBytes,
    leastWorkspaceBytes,
    leastBytes: sramBytes + leastWorkspaceBytes,
    leastCost: Math.min(...spec.options.map((option) => option.cost)),
    options: [...spec.options].sort((a, b) => a.cost - b.cost || a.memoryBytes - b.memoryBytes || a.choice - b.choice),
    uses: spec.uses.map((use) => ({
      ...use,
      position: before.indexOf(use.item),
      mustMatch: (events[use.item]?.lastWrite ?? -1) >= spec.first,
      dramBytes: problem.items[use.item]?.dramBytes ?? 0,
    })),
    outputs,
    carry: (live[spec.last + 1] ?? []).map((item) => {
      const position = before.indexOf(item);
      return position >= 0 ? position : -1 - spec.outputs.findIndex((output) => output.item === item);
    }),
    passBytes: before.map((item) => (touched.has(item) ? 0 : (problem.items[item]?.sramBytes ?? 0))),
  };
}

function outputOf(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  before: readonly number[],
  spec: EdgeSpec,
  output: EdgeSpec['outputs'][number],
): EdgeOutput {
  const item = problem.items[output.item];
  const life = events[output.item];
  const source = events[output.over];
  const takesOver =
    output.toSram &&
    source !== undefined &&
    spec.uses.some((use) => use.item === output.over && use.fromSram) &&
    (source.reads[source.reads.length - 1] ?? -1) <= spec.last &&
    source.lastWrite < spec.first &&
    life?.writes.length === 1 &&
    problem.items[output.over]?.sramBytes === item?.sramBytes;
  return {
    item: output.item,
    position: before.indexOf(output.item),
    toSram: output.toSram,
    memoryBytes: output.toSram && !takesOver ? (item?.sramBytes ?? 0) : 0,
    // The copy of a model output; for others a spill is decided when they leave SRAM (withDrops).
    spillBytes: item?.dramBytes ?? 0,
    home: !output.toSram ? 1 : item?.endsInDram === true ? 2 : 0,
  };
}
