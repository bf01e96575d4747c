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
 *     SD  in SRAM, and copied to DRAM  (2)      an SD item may be dropped to D at any step, free of cost
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
}

interface EdgeUse {
  readonly item: number;
  readonly position: number;
  readonly fromSram: boolean;
  readonly mustMatch: boolean; // read before it is complete
  readonly sramBytes: number;
  readonly dramBytes: number;
}

interface EdgeOutput {
  readonly item: number;
  readonly position: number; // where it is alive before already (partly written), or -1
  readonly toSram: boolean;
  readonly memoryBytes: number; // 0 where it takes over an input
  readonly spillBytes: number;
  readonly outcomes: readonly number[];
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
    let price = 0;
    let result = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 4; round += 1) {
      const path = shortestPath(graph, budget, price);
      if (path === undefined) return result;
      if (path.residentNeed <= problem.capacityBytes - budget) {
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
        if (round === 0) return result;
        price = (priceLow + price) / 2;
      } else {
        priceLow = price;
        price = price === 0 ? 0.25 : price * 2;
      }
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
function shortestPath(graph: EdgeGraph, budgetBytes: number, price: number): PathResult | undefined {
  const steps = graph.problem.steps.length;
  const states: Map<number, PathNode>[] = Array.from({ length: steps + 1 }, () => new Map<number, PathNode>());
  let startKey = 0;
  (graph.live[0] ?? []).forEach((_, position) => {
    startKey += 3 ** position; // D
  });
  states[0]?.set(startKey, { cost: 0, residentNeed: 0, previous: undefined, edge: undefined, choice: -1, reloads: [] });
  for (let t = 0; t < steps; t += 1) {
    const here = states[t];
    if (here === undefined || here.size === 0) continue;
    const live = graph.live[t] ?? [];
    for (const [key, node] of withDrops(graph, t, live, prune(here))) {
      const homes = decode(key, live.length);
      for (const edge of graph.from[t] ?? []) {
        const target = states[edge.last + 1];
        if (target !== undefined) relax(edge, budgetBytes, price, homes, node, target);
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

function decode(key: number, count: number): number[] {
  const homes: number[] = [];
  let rest = key;
  for (let i = 0; i < count; i += 1) {
    homes.push(rest % 3);
    rest = Math.floor(rest / 3);
  }
  return homes;
}

/** Adds, for each state, those in which some SD items have been dropped from SRAM. */
function withDrops(
  graph: EdgeGraph,
  t: number,
  live: readonly number[],
  states: Map<number, PathNode>,
): Map<number, PathNode> {
  const all = new Map(states);
  live.forEach((item, position) => {
    if ((graph.events[item]?.lastWrite ?? -1) >= t) return; // not complete yet
    const unit = 3 ** position;
    for (const [key, node] of [...all]) {
      if (Math.floor(key / unit) % 3 !== 2) continue;
      const dropped = key - unit;
      const other = all.get(dropped);
      if (other === undefined || node.cost < other.cost) all.set(dropped, node);
    }
  });
  return all;
}

function relax(
  edge: Edge,
  budgetBytes: number,
  price: number,
  homes: readonly number[],
  node: PathNode,
  target: Map<number, PathNode>,
): void {
  let memory = 0;
  for (let i = 0; i < homes.length; i += 1) if (homes[i] !== 1) memory += edge.passBytes[i] ?? 0;
  let cost = node.cost;
  let reloads: number[] | undefined;
  const after = homes.slice();
  for (const use of edge.uses) {
    const home = homes[use.position] ?? 1;
    if (use.fromSram) {
      memory += use.sramBytes;
      if (home === 1) {
        if (use.mustMatch) return;
        reloads = reloads ?? [];
        reloads.push(use.item);
        cost += use.dramBytes;
        after[use.position] = 2;
      }
    } else {
      if (home === 0 || (use.mustMatch && home !== 1)) return;
      after[use.position] = 1;
    }
  }
  for (const output of edge.outputs) {
    memory += output.memoryBytes;
    if (output.position >= 0 && (homes[output.position] === 1) === output.toSram) return;
  }
  const room = budgetBytes - memory;
  if (room < 0) return;
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
  const base = {
    residentNeed: node.residentNeed + resident,
    previous: node,
    edge,
    choice: option.choice,
    reloads: reloads ?? [],
  };
  store(edge, homes, after, 0, cost + optionCost, [], base, target);
}

/** Stores the state for every combination of outcomes of the outputs. */
function store(
  edge: Edge,
  homes: readonly number[],
  after: readonly number[],
  index: number,
  cost: number,
  outcomes: readonly number[],
  base: Omit<PathNode, 'cost'>,
  target: Map<number, PathNode>,
): void {
  const output = edge.outputs[index];
  if (output !== undefined) {
    if (output.position >= 0) {
      store(edge, homes, after, index + 1, cost, [...outcomes, homes[output.position] ?? 1], base, target);
      return;
    }
    for (const outcome of output.outcomes)
      store(
        edge,
        homes,
        after,
        index + 1,
        cost + (outcome === 2 ? output.spillBytes : 0),
        [...outcomes, outcome],
        base,
        target,
      );
    return;
  }
  let key = 0;
  let unit = 1;
  for (const from of edge.carry) {
    key += unit * (from >= 0 ? (after[from] ?? 1) : (outcomes[-1 - from] ?? 1));
    unit *= 3;
  }
  const other = target.get(key);
  if (other === undefined || cost < other.cost) target.set(key, { ...base, cost });
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
  return {
    first: spec.first,
    last: spec.last,
    span: spec.span,
    options: [...spec.options].sort((a, b) => a.cost - b.cost || a.memoryBytes - b.memoryBytes || a.choice - b.choice),
    uses: spec.uses.map((use) => ({
      ...use,
      position: before.indexOf(use.item),
      mustMatch: (events[use.item]?.lastWrite ?? -1) >= spec.first,
      sramBytes: problem.items[use.item]?.sramBytes ?? 0,
      dramBytes: problem.items[use.item]?.dramBytes ?? 0,
    })),
    outputs: spec.outputs.map((output) => outputOf(problem, events, before, spec, output)),
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
  const mayNeedDram = (life?.reads[life.reads.length - 1] ?? -1) > spec.last;
  const inSram = item?.endsInDram === true ? [2] : mayNeedDram ? [0, 2] : [0];
  return {
    item: output.item,
    position: before.indexOf(output.item),
    toSram: output.toSram,
    memoryBytes: output.toSram && !takesOver ? (item?.sramBytes ?? 0) : 0,
    spillBytes: item?.dramBytes ?? 0,
    outcomes: output.toSram ? inSram : [1],
  };
}
