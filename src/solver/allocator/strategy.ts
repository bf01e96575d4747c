import { type Arrangement, heightBytesOf, staticKeys } from './greedy.js';
import type { Instance } from './instance.js';
import type { AllocationProblem } from './problem.js';
import { Search, type SearchOutcome, type SearchTarget } from './search.js';

/** Buffers times sections beyond which the search's tables would not pay: such problems are left to the heuristics. */
const MOST_MEMBERSHIPS = 8_000_000;
const MOST_BUFFERS = 4_000; // the search recurses once for each

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
    if (buffer.fixedOffsetBytes === undefined || buffer.sizeBytes === 0) continue;
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

/** One instance under search: the best arrangement so far, the proven bound, and the nodes that are left. */
class Campaign {
  readonly instance: Instance;
  readonly search: Search;
  readonly keys: Float64Array[];
  best: Arrangement;
  boundBytes: number;
  nodes = 0;
  readonly nodeLimit: number;

  constructor(instance: Instance, goal: ExactGoal) {
    this.instance = instance;
    this.search = new Search(instance);
    this.keys = staticKeys(instance);
    this.best = goal.greedy;
    this.boundBytes = goal.boundBytes;
    this.nodeLimit = goal.nodeLimit;
  }

  spent(): boolean {
    return this.nodes >= this.nodeLimit;
  }

  /** One run at one height under one order; keeps what it finds or proves. */
  attempt(heightBytes: number, order: number, nodeLimit: number): SearchOutcome {
    const key = this.keys[order % this.keys.length] ?? this.instance.sizeUnits;
    const target = targetFor(this.instance, heightBytes);
    const outcome = this.search.run(target, key, Math.min(nodeLimit, this.nodeLimit - this.nodes));
    this.nodes += this.search.nodes;
    if (outcome === 'found') {
      const offsetUnits = this.search.offsets();
      this.best = { offsetUnits, heightBytes: heightBytesOf(this.instance, offsetUnits) };
    }
    if (outcome === 'exhausted') this.boundBytes = Math.max(this.boundBytes, heightBytes + 1);
    return outcome;
  }
}

export function exactSearch(instance: Instance, goal: ExactGoal): ExactAnswer {
  if (!searchable(instance)) return { best: goal.greedy, boundBytes: goal.boundBytes, nodes: 0 };
  const campaign = new Campaign(instance, goal);
  reachCapacity(campaign, goal.capacityBytes);
  if (goal.minimize && campaign.best.heightBytes <= goal.capacityBytes) descend(campaign);
  return { best: campaign.best, boundBytes: campaign.boundBytes, nodes: campaign.nodes };
}

/** Rounds over the orders, with the load and the capacity as targets in turn, each round with more nodes than the last. */
function reachCapacity(campaign: Campaign, capacityBytes: number): void {
  const loadBytes = campaign.boundBytes;
  for (let round = 0; !campaign.spent(); round++) {
    const nodeLimit = 500 * (round + 1);
    for (let order = 0; order < campaign.keys.length; order++) {
      for (const heightBytes of loadBytes < capacityBytes ? [loadBytes, capacityBytes] : [capacityBytes]) {
        if (campaign.best.heightBytes <= capacityBytes || campaign.boundBytes > capacityBytes || campaign.spent())
          return;
        if (heightBytes >= campaign.boundBytes) campaign.attempt(heightBytes, order, nodeLimit);
      }
    }
  }
}

/** Bisects between the bound and the best height; a height that resists is passed over until the next, longer round. */
function descend(campaign: Campaign): void {
  const { unitBytes } = campaign.instance;
  for (let round = 0; !campaign.spent() && campaign.boundBytes < campaign.best.heightBytes; round++) {
    let resistsBytes = campaign.boundBytes - 1; // the greatest height that was not reached in this round
    while (!campaign.spent() && resistsBytes + 1 < campaign.best.heightBytes) {
      const spanUnits = Math.ceil((campaign.best.heightBytes - 1 - resistsBytes) / unitBytes);
      const first = resistsBytes < campaign.boundBytes;
      const heightBytes = first
        ? campaign.boundBytes
        : campaign.best.heightBytes - Math.ceil(spanUnits / 2) * unitBytes;
      let outcome: SearchOutcome = 'budget';
      for (let order = 0; order < campaign.keys.length && outcome === 'budget' && !campaign.spent(); order++) {
        outcome = campaign.attempt(Math.max(heightBytes, campaign.boundBytes), order, 500 * (round + 1));
      }
      if (outcome !== 'found') resistsBytes = Math.max(resistsBytes, heightBytes, campaign.boundBytes - 1);
    }
  }
}
