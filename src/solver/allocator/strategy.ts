import { type Lowered, lowerFromCore } from './core.js';
import { lowerByEjection } from './ejection.js';
import { type Arrangement, greedyPortfolio, heightBytesOf, MANY_BUFFERS } from './greedy.js';
import type { Instance } from './instance.js';
import type { AllocationProblem } from './problem.js';
import { Search, type SearchOutcome } from './search.js';
import type { SearchTarget } from './search-state.js';

/** Buffers times sections beyond which the search's tables would not pay: such problems are left to the heuristics. */
const MOST_MEMBERSHIPS = 8_000_000;
const MOST_BUFFERS = 1_200; // the search recurses once for each, in three frames

/**
 * Two lower bounds of the height: the load, and the same sum with sizes rounded up to the grain of the offsets (all but
 * the topmost buffer of a section lose that rounding). A fixed buffer's top counts too.
 */
export function boundsOf(problem: AllocationProblem, instance: Instance): { loadBytes: number; boundBytes: number } {
  const raw = new Float64Array(instance.sectionCount + 1);
  const rounded = new Float64Array(instance.sectionCount + 1);
  const pad = new Float64Array(instance.sectionCount);
  let boundBytes = 0;
  for (let b = 0; b < instance.count; b++) {
    const roundedBytes = (instance.sizeUnits[b] ?? 0) * instance.unitBytes;
    const padBytes = instance.padBytes[b] ?? 0;
    const fixed = instance.fixedUnits[b] ?? -1;
    if (fixed >= 0) boundBytes = Math.max(boundBytes, fixed * instance.unitBytes + roundedBytes - padBytes);
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      const first = instance.rangeFirst[k] ?? 0;
      const end = (instance.rangeLast[k] ?? 0) + 1;
      raw[first] = (raw[first] ?? 0) + roundedBytes - padBytes;
      raw[end] = (raw[end] ?? 0) - roundedBytes + padBytes;
      rounded[first] = (rounded[first] ?? 0) + roundedBytes;
      rounded[end] = (rounded[end] ?? 0) - roundedBytes;
      if (padBytes > 0) for (let s = first; s < end; s++) pad[s] = Math.max(pad[s] ?? 0, padBytes);
    }
  }
  let loadBytes = 0;
  let rawBytes = 0;
  let roundedBytes = 0;
  for (let s = 0; s < instance.sectionCount; s++) {
    rawBytes += raw[s] ?? 0;
    roundedBytes += rounded[s] ?? 0;
    loadBytes = Math.max(loadBytes, rawBytes);
    boundBytes = Math.max(boundBytes, rawBytes, roundedBytes - (pad[s] ?? 0));
  }
  for (const buffer of problem.buffers) {
    if (buffer.fixedOffsetBytes === undefined) continue;
    boundBytes = Math.max(boundBytes, buffer.fixedOffsetBytes + buffer.sizeBytes);
  }
  return { loadBytes, boundBytes };
}

/** What each buffer and each section may use when the height is to be at most `heightBytes`. */
export function targetFor(instance: Instance, heightBytes: number): SearchTarget {
  const maxOffsetUnits = instance.sizeUnits.map((units, b) =>
    Math.floor((heightBytes - units * instance.unitBytes + (instance.padBytes[b] ?? 0)) / instance.unitBytes),
  );
  const roomUnits = new Float64Array(instance.sectionCount);
  for (let b = 0; b < instance.count; b++) {
    const topUnits = (maxOffsetUnits[b] ?? 0) + (instance.sizeUnits[b] ?? 0);
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      for (let s = instance.rangeFirst[k] ?? 0; s <= (instance.rangeLast[k] ?? 0); s++) {
        roomUnits[s] = Math.max(roomUnits[s] ?? 0, topUnits);
      }
    }
  }
  return { maxOffsetUnits, roomUnits };
}

export function searchable(instance: Instance): boolean {
  if (instance.count > MOST_BUFFERS) return false;
  let memberships = 0;
  for (let k = 0; k < instance.rangeFirst.length; k++) {
    memberships += (instance.rangeLast[k] ?? 0) - (instance.rangeFirst[k] ?? 0) + 1;
  }
  return memberships <= MOST_MEMBERSHIPS;
}

export interface ExactGoal {
  readonly greedy: Arrangement;
  readonly capacityBytes: number;
  readonly boundBytes: number;
  readonly nodeLimit: number;
  readonly minimize: boolean;
}

export interface ExactAnswer {
  readonly best: Arrangement;
  readonly boundBytes: number;
  readonly nodes: number;
}

/**
 * Ways to choose a section; each is quick where others hang. Floors and slacks are weighed against the height: 4 doubles the
 * score of a section at a quarter of it.
 */
const SECTION_RULES = [
  { lowFloors: 1, littleSlack: 4, learn: true },
  { lowFloors: 0.01, littleSlack: 4, learn: false },
  { lowFloors: 4, littleSlack: 0, learn: true },
  { lowFloors: 0, littleSlack: 16, learn: true },
  { lowFloors: 16, littleSlack: 4, learn: false },
] as const;

/** Angles between "long-lived first" (0) and "large first" (8), in sixteenths of a half turn; good ones first. */
const ANGLES = [0, 2, 4, 3, 6, 1, 8, 5, 7] as const;

/** Nodes that an attempt gets beyond one for each buffer. Most finds come soon or never: many short runs, not one long. */
const SPARE_NODES = 800;

/** One instance under search: the best arrangement so far, the proven bound, and the nodes that are left. */
class Campaign {
  best: Arrangement;
  boundBytes: number;
  nodes = 0;
  readonly instance: Instance;
  /** Every height is a multiple of it: the unit, unless the topmost buffer may end within one. */
  readonly stepBytes: number;
  private readonly search: Search;
  private readonly nodeLimit: number;

  constructor(instance: Instance, goal: ExactGoal) {
    this.instance = instance;
    this.stepBytes = instance.padBytes.some((padBytes) => padBytes > 0) ? 1 : instance.unitBytes;
    this.search = new Search(instance);
    this.best = goal.greedy;
    this.boundBytes = goal.boundBytes;
    this.nodeLimit = goal.nodeLimit;
  }

  spent(): boolean {
    return this.nodes >= this.nodeLimit;
  }

  /** Run number `turn` at one height; keeps what it finds or proves. The same turn is the same run, everywhere. */
  attempt(heightBytes: number, turn: number): SearchOutcome {
    const { instance } = this;
    const rule = SECTION_RULES[turn % SECTION_RULES.length] ?? SECTION_RULES[0];
    const heightUnits = heightBytes / instance.unitBytes;
    const style = {
      key: keyFor(instance, turn),
      lowFloors: rule.lowFloors / heightUnits,
      littleSlack: rule.littleSlack / heightUnits,
      learn: rule.learn,
    };
    const cycle = Math.floor(turn / (SECTION_RULES.length * ANGLES.length));
    const nodeLimit = Math.min(instance.count + SPARE_NODES * 2 ** cycle, this.nodeLimit - this.nodes);
    const outcome = this.search.run(targetFor(instance, heightBytes), heightBytes, style, nodeLimit);
    this.nodes += this.search.nodes;
    if (outcome === 'found') {
      const offsetUnits = this.search.offsets();
      this.best = { offsetUnits, heightBytes: heightBytesOf(instance, offsetUnits) };
    }
    if (outcome === 'exhausted') {
      const nextBytes = Math.ceil((heightBytes + 1) / this.stepBytes) * this.stepBytes;
      this.boundBytes = Math.max(this.boundBytes, nextBytes);
    }
    return outcome;
  }
}

/** log(duration) and log(size), mixed by the angle of the turn, and shaken a little from the second use of an angle on. */
function keyFor(instance: Instance, turn: number): Float64Array {
  const angle = ((ANGLES[Math.floor(turn / SECTION_RULES.length + turn) % ANGLES.length] ?? 0) * Math.PI) / 16;
  const shake = turn < ANGLES.length ? 0 : 0.3;
  let seed = turn + 1;
  return instance.sizeUnits.map((units, b) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    const noise = shake * (seed / 0x7fffffff - 0.5);
    return Math.cos(angle) * Math.log(instance.durations[b] ?? 1) + Math.sin(angle) * Math.log(units) + noise;
  });
}

/** Of fewer buffers the exact search does better, from the first to the last node. */
const LOCAL_SEARCH_FROM = 400;

/** What a node is worth in list entries of the local search: about the same time. */
const WORK_PER_NODE = 850;

/** First-fit rounds that learn, for the core of a large problem. */
const CORE_REPAIR_ROUNDS = 4;

/** Attempts at the exact search before the local search: where it finds anything, mostly in these. */
const FIRST_ATTEMPTS = 8;

/**
 * Searches until the goal is reached or the limit is spent: hundreds of buffers exactly; thousands by local search; in between
 * exactly for a while, then locally, then exactly again. Each search gets the whole limit.
 */
export function reachGoal(instance: Instance, goal: ExactGoal): ExactAnswer {
  const { capacityBytes, minimize, nodeLimit } = goal;
  const { count } = instance;
  if (count < LOCAL_SEARCH_FROM) return exactSearch(instance, goal);
  const aimBytes = (boundBytes: number): number => (minimize ? boundBytes : Math.max(boundBytes, capacityBytes));
  // A node's time grows with the number of buffers and with that of sections.
  const exactNodes = Math.ceil(nodeLimit * (LOCAL_SEARCH_FROM / count) ** 2);
  const firstNodes = Math.min(exactNodes, FIRST_ATTEMPTS * (count + SPARE_NODES));
  const first = exactSearch(instance, { ...goal, nodeLimit: firstNodes });
  const { boundBytes } = first;
  if (boundBytes > capacityBytes || first.best.heightBytes <= aimBytes(boundBytes)) return first;
  const local = lowerLocally(instance, first.best, aimBytes(boundBytes), nodeLimit * WORK_PER_NODE);
  const nodes = first.nodes + Math.ceil(local.work / WORK_PER_NODE);
  if (local.best.heightBytes <= aimBytes(boundBytes)) return { best: local.best, boundBytes, nodes };
  const rest = { ...goal, greedy: local.best, boundBytes, nodeLimit: exactNodes - first.nodes };
  const last = exactSearch(instance, rest);
  return { ...last, nodes: nodes + last.nodes };
}

/** The core of a large problem is solved as a problem of its own, its own core left out: nested deeper, it gained nothing. */
function lowerLocally(instance: Instance, start: Arrangement, goalBytes: number, workLimit: number): Lowered {
  if (instance.count <= MANY_BUFFERS) return lowerByEjection(instance, start, goalBytes, workLimit);
  return lowerFromCore(instance, start, goalBytes, workLimit, (core, boundBytes, coreWorkLimit) => {
    const greedy = greedyPortfolio(core, boundBytes, CORE_REPAIR_ROUNDS);
    if (core.count >= LOCAL_SEARCH_FROM) return lowerByEjection(core, greedy, boundBytes, coreWorkLimit);
    const nodeLimit = Math.floor(coreWorkLimit / WORK_PER_NODE);
    const capacityBytes = Number.POSITIVE_INFINITY;
    const { best, nodes } = reachGoal(core, { greedy, capacityBytes, boundBytes, nodeLimit, minimize: true });
    return { best, work: nodes * WORK_PER_NODE };
  });
}

function exactSearch(instance: Instance, goal: ExactGoal): ExactAnswer {
  if (!searchable(instance)) return { best: goal.greedy, boundBytes: goal.boundBytes, nodes: 0 };
  const campaign = new Campaign(instance, goal);
  reachCapacity(campaign, goal.capacityBytes);
  if (goal.minimize && campaign.best.heightBytes <= goal.capacityBytes) descend(campaign);
  return { best: campaign.best, boundBytes: campaign.boundBytes, nodes: campaign.nodes };
}

/** The load and the capacity as targets in turn, until one is reached or the capacity is disproved. */
function reachCapacity(campaign: Campaign, capacityBytes: number): void {
  const loadBytes = campaign.boundBytes;
  for (let turn = 0; ; turn++) {
    for (const heightBytes of loadBytes < capacityBytes ? [loadBytes, capacityBytes] : [capacityBytes]) {
      if (campaign.best.heightBytes <= capacityBytes || campaign.boundBytes > capacityBytes || campaign.spent()) return;
      if (heightBytes >= campaign.boundBytes) campaign.attempt(heightBytes, turn);
    }
  }
}

/** Bisects between the bound and the best height; a height that resists is passed over until the next, longer round. */
function descend(campaign: Campaign): void {
  const { stepBytes } = campaign;
  let turn = 0;
  for (let round = 1; !campaign.spent() && campaign.boundBytes < campaign.best.heightBytes; round++) {
    let resistsBytes = campaign.boundBytes - 1; // the greatest height that was not reached in this round
    for (
      let atBound = true;
      !campaign.spent() && resistsBytes + stepBytes < campaign.best.heightBytes;
      atBound = false
    ) {
      const highestBytes = campaign.best.heightBytes - stepBytes;
      const middleBytes = highestBytes - Math.floor((highestBytes - resistsBytes) / stepBytes / 2) * stepBytes;
      const heightBytes = atBound ? campaign.boundBytes : Math.max(campaign.boundBytes, middleBytes);
      if (heightBytes >= campaign.best.heightBytes) break;
      let outcome: SearchOutcome = 'budget';
      for (let left = SECTION_RULES.length * round; left > 0 && outcome === 'budget' && !campaign.spent(); left--) {
        outcome = campaign.attempt(heightBytes, turn);
        turn += 1;
      }
      if (outcome !== 'found') resistsBytes = Math.max(resistsBytes, heightBytes);
    }
  }
}
