import { type Evaluation, evaluate } from './evaluate.js';
import type { Choice, Placement, PlacementProblem, ResidentRounding } from './problem.js';
import { type ItemEvents, itemEvents } from './problem.js';
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
 * Every byte of A that is not used is a byte of resident weights, and each of those saves one byte a frame. So the
 * outer loop sweeps A. Weights that a step needs resident (to save its workspace) are paid as if they were
 * streamed once, since they take that much of the resident share; `price` raises that when they outgrow it.
 *
 * Exact for a given A and price as long as no cut has more than MAX_STATES states.
 * Cost: steps x states x homes of operands, for each A.
 */
const MAX_STATES = 600;

interface PathNode {
  readonly cost: number;
  readonly residentNeed: number;
  readonly previous: PathNode | undefined;
  readonly choice: number;
  readonly reloads: number; // bit mask over uses
}

/** Choices of a step that share the homes of all operands, cheapest first; only those that need less room follow. */
interface HomeGroup {
  readonly usesFromSram: readonly boolean[];
  readonly toSram: boolean;
  readonly entries: readonly {
    readonly choice: number;
    readonly cost: number;
    readonly memory: number;
    readonly resident: number;
  }[];
}

export interface SearchResult {
  readonly placement: Placement;
  readonly evaluation: Evaluation;
}

/** The best placement that the sweep over budgets finds, or undefined when no budget admits any. */
export function searchPlacements(problem: PlacementProblem, roundResident: ResidentRounding): SearchResult | undefined {
  let best: SearchResult | undefined;
  const events = itemEvents(problem);
  const consider = (budget: number): number => {
    let priceLow = 0;
    let price = 0;
    let result = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round += 1) {
      const path = shortestPath(problem, events, budget, price);
      if (path === undefined) return result;
      const need = path.residentNeed;
      const fits = need <= problem.capacityBytes - budget;
      if (fits) {
        const placement = fillResident(problem, path.choices, path.reloads, roundResident);
        const evaluation = evaluate(problem, placement);
        if (evaluation.errors.length === 0) {
          result = Math.min(result, evaluation.trafficBytes);
          if (best === undefined || evaluation.trafficBytes < best.evaluation.trafficBytes)
            best = { placement, evaluation };
        }
        if (round === 0) return result;
        price = (priceLow + price) / 2;
      } else {
        priceLow = price;
        price = price === 0 ? 0.25 : price * 2;
      }
    }
    return result;
  };
  const scored = budgetGrid(problem).map((budget) => ({ budget, traffic: consider(budget) }));
  refine(scored, consider);
  return best;
}

/** Budgets from the largest step's least need to the capacity: fine where they are small, since those leave weights in. */
function budgetGrid(problem: PlacementProblem): number[] {
  const grid = new Set<number>([problem.capacityBytes]);
  for (let budget = 1024; budget < problem.capacityBytes; budget = Math.ceil((budget * 1.12) / 64) * 64)
    grid.add(budget);
  return [...grid].sort((a, b) => a - b);
}

/** Halves the spacing of the grid around its best point a few times. */
function refine(scored: { budget: number; traffic: number }[], consider: (budget: number) => number): void {
  for (let round = 0; round < 6; round += 1) {
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
  readonly reloads: boolean[][];
  readonly residentNeed: number;
}

/** The cheapest way through all steps within `budgetBytes` of SRAM for everything but resident weights. */
export function shortestPath(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  budgetBytes: number,
  price: number,
): PathResult | undefined {
  let live: number[] = problem.items.flatMap((item, i) =>
    item.startsInDram && (events[i]?.reads.length ?? 0) > 0 ? [i] : [],
  );
  let states = new Map<number, PathNode>();
  let startKey = 0;
  live.forEach((_, position) => {
    startKey += 3 ** position; // D
  });
  states.set(startKey, { cost: 0, residentNeed: 0, previous: undefined, choice: -1, reloads: 0 });
  for (let t = 0; t < problem.steps.length; t += 1) {
    const next = advance(problem, events, budgetBytes, price, t, live, states);
    live = next.live;
    states = prune(next.states);
    if (states.size === 0) return undefined;
  }
  let end: PathNode | undefined;
  for (const node of states.values()) if (end === undefined || node.cost < end.cost) end = node;
  if (end === undefined) return undefined;
  const choices: number[] = [];
  const reloads: boolean[][] = [];
  const residentNeed = end.residentNeed;
  for (let node = end, t = problem.steps.length - 1; t >= 0 && node.previous !== undefined; t -= 1) {
    choices[t] = node.choice;
    const mask = node.reloads;
    reloads[t] = (problem.steps[t]?.uses ?? []).map((_, i) => (mask & (1 << i)) !== 0);
    node = node.previous;
  }
  return { choices, reloads, residentNeed };
}

function prune(states: Map<number, PathNode>): Map<number, PathNode> {
  if (states.size <= MAX_STATES) return states;
  return new Map([...states.entries()].sort((a, b) => a[1].cost - b[1].cost || a[0] - b[0]).slice(0, MAX_STATES));
}

function advance(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  budgetBytes: number,
  price: number,
  t: number,
  live: readonly number[],
  states: Map<number, PathNode>,
): { live: number[]; states: Map<number, PathNode> } {
  const step = problem.steps[t];
  if (step === undefined) return { live: [...live], states };
  const isLiveAfter = (item: number): boolean => {
    const life = events[item];
    return life !== undefined && ((life.reads[life.reads.length - 1] ?? -1) > t || life.lastWrite > t);
  };
  const outputIsNew = events[step.output]?.firstWrite === t;
  const candidates = outputIsNew ? [...live, step.output] : [...live];
  const nextLive = candidates.filter(isLiveAfter);
  const result = new Map<number, PathNode>();
  const groups = homeGroups(step.choices, step.weightBytes, price);
  const context = stepContext(problem, events, t, live, nextLive);
  for (const [key, node] of withDrops(events, t, live, states)) {
    const homes = decode(key, live.length);
    let passThrough = 0;
    live.forEach((item, position) => {
      if (homes[position] !== 1 && !context.touched.has(item)) passThrough += problem.items[item]?.sramBytes ?? 0;
    });
    for (const group of groups) tryGroup(context, budgetBytes - passThrough, homes, node, group, result);
  }
  return { live: nextLive, states: result };
}

interface StepContext {
  readonly t: number;
  readonly uses: readonly {
    readonly item: number;
    readonly position: number;
    readonly mustMatch: boolean;
    readonly inPlace: boolean;
    readonly sramBytes: number;
    readonly dramBytes: number;
  }[];
  readonly outputPosition: number; // in live, or -1 when the item is new
  readonly outputBytes: number;
  readonly outputDramBytes: number;
  readonly outputEndsInDram: boolean;
  readonly outputMayNeedDram: boolean;
  readonly outputSinglyWritten: boolean;
  readonly outputIsWrittenElsewhere: boolean;
  readonly touched: ReadonlySet<number>;
  readonly carry: readonly { readonly item: number; readonly from: number }[]; // next live, with position before, -1 for the output
}

function stepContext(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  t: number,
  live: readonly number[],
  nextLive: readonly number[],
): StepContext {
  const step = problem.steps[t];
  if (step === undefined) throw new RangeError(`no step ${t}`);
  const outputItem = problem.items[step.output];
  const outputLife = events[step.output];
  return {
    t,
    uses: step.uses.map((use) => {
      const life = events[use.item];
      const item = problem.items[use.item];
      return {
        item: use.item,
        position: live.indexOf(use.item),
        mustMatch: (life?.lastWrite ?? -1) >= t, // read before it is complete
        inPlace:
          use.inPlace &&
          life?.reads[life.reads.length - 1] === t &&
          life.lastWrite < t &&
          outputLife?.writes.length === 1 &&
          item?.sramBytes === outputItem?.sramBytes,
        sramBytes: item?.sramBytes ?? 0,
        dramBytes: item?.dramBytes ?? 0,
      };
    }),
    outputPosition: live.indexOf(step.output),
    outputBytes: outputItem?.sramBytes ?? 0,
    outputDramBytes: outputItem?.dramBytes ?? 0,
    outputEndsInDram: outputItem?.endsInDram ?? false,
    outputMayNeedDram: (outputLife?.reads.length ?? 0) > 0,
    outputSinglyWritten: outputLife?.writes.length === 1,
    outputIsWrittenElsewhere: (outputLife?.writes.length ?? 0) > 1,
    touched: new Set([...step.uses.map((u) => u.item), step.output]),
    carry: nextLive.map((item) => ({ item, from: live.indexOf(item) })),
  };
}

function homeGroups(choices: readonly Choice[], weightBytes: number, price: number): HomeGroup[] {
  const groups = new Map<
    string,
    {
      usesFromSram: readonly boolean[];
      toSram: boolean;
      entries: { choice: number; cost: number; memory: number; resident: number }[];
    }
  >();
  choices.forEach((choice, index) => {
    const key = `${choice.usesFromSram.map(Number).join('')}${Number(choice.toSram)}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { usesFromSram: choice.usesFromSram, toSram: choice.toSram, entries: [] };
      groups.set(key, group);
    }
    const weightCost = choice.residency === 'all' ? weightBytes * (1 + price) : weightBytes * choice.weightPasses;
    group.entries.push({
      choice: index,
      cost: choice.trafficBytes + weightCost,
      memory: choice.workspaceBytes + choice.heldWeightBytes,
      resident: choice.residency === 'all' ? weightBytes : 0,
    });
  });
  return [...groups.values()].map((group) => {
    group.entries.sort(
      (a, b) => a.cost - b.cost || a.resident - b.resident || a.memory - b.memory || a.choice - b.choice,
    );
    let least = Number.POSITIVE_INFINITY;
    const entries = group.entries.filter((entry) => {
      if (entry.memory >= least) return false;
      least = entry.memory;
      return true;
    });
    return { ...group, entries };
  });
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
  events: readonly ItemEvents[],
  t: number,
  live: readonly number[],
  states: Map<number, PathNode>,
): Map<number, PathNode> {
  const all = new Map(states);
  live.forEach((item, position) => {
    if ((events[item]?.lastWrite ?? -1) >= t) return; // not complete yet
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

function tryGroup(
  context: StepContext,
  roomBytes: number,
  homes: readonly number[],
  node: PathNode,
  group: HomeGroup,
  result: Map<number, PathNode>,
): void {
  let memory = 0;
  let cost = 0;
  let reloads = 0;
  let shares = false;
  const after = new Map<number, number>();
  for (let i = 0; i < context.uses.length; i += 1) {
    const use = context.uses[i];
    if (use === undefined) continue;
    const home = homes[use.position] ?? 1;
    if (group.usesFromSram[i] === true) {
      memory += use.sramBytes;
      if (home === 1) {
        if (use.mustMatch) return;
        reloads |= 1 << i;
        cost += use.dramBytes;
        after.set(use.item, 2);
      } else after.set(use.item, home);
      if (use.inPlace && group.toSram && !shares) shares = true;
    } else {
      if (home === 0) return;
      if (use.mustMatch && home !== 1) return;
      after.set(use.item, 1);
    }
  }
  let outcomes: readonly number[];
  if (group.toSram) {
    if (!shares) memory += context.outputBytes;
    if (context.outputPosition >= 0) {
      const home = homes[context.outputPosition] ?? 1;
      if (home === 1) return;
      outcomes = [home];
    } else if (context.outputEndsInDram) outcomes = [2];
    else outcomes = context.outputMayNeedDram ? [0, 2] : [0];
  } else {
    if (context.outputPosition >= 0 && homes[context.outputPosition] !== 1) return;
    outcomes = [1];
  }
  const entry = group.entries.find((e) => memory + e.memory <= roomBytes);
  if (entry === undefined) return;
  for (const outcome of outcomes) {
    let key = 0;
    let unit = 1;
    for (const { item, from } of context.carry) {
      const touched = after.get(item);
      const isOutput = from === -1;
      key += unit * (isOutput ? outcome : (touched ?? homes[from] ?? 1));
      unit *= 3;
    }
    const spill = context.outputPosition < 0 && outcome === 2 ? context.outputDramBytes : 0;
    const total = node.cost + cost + entry.cost + spill;
    const other = result.get(key);
    if (other !== undefined && other.cost <= total) continue;
    result.set(key, {
      cost: total,
      residentNeed: node.residentNeed + entry.resident,
      previous: node,
      choice: entry.choice,
      reloads,
    });
  }
}
