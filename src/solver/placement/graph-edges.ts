/** What the edges of a state graph do to its states, in groups of those that do the same. */

import { edgesByHomes, type HomeEdges } from './edges-by-homes.js';
import { canBeEvicted } from './evictions.js';
import type { Execution, ItemEvents, PlacementProblem } from './problem.js';
import type { GraphEdge } from './state-graph.js';

/**
 * A group of edges with equal homes: what they do to a state is the same. Sets are of positions among the items alive before the first
 * step; see state-table.ts.
 */
export interface EdgeGroup {
  readonly first: number;
  readonly last: number;
  readonly edges: readonly number[];
  /** Items whose home decides whether a state admits the group, and those of them that are in SRAM then. */
  readonly fixed: number;
  readonly fixedInSram: number;
  /** Items that are read from DRAM: not in SRAM without a copy. */
  readonly needCopy: number;
  /** Items whose SRAM is counted in itemBytes where it is taken. */
  readonly touched: readonly TouchedItem[];
  readonly itemBytes: number; // of touched items in SRAM
  readonly costBytes: number; // of what is made in SRAM and copied to DRAM
  /** Items that stay as they are and are alive after the last step, and by position the set of the one they have then. */
  readonly kept: number;
  readonly positionAfter: Int32Array;
  /** Items that are new after the last step, by their homes; of positions there. */
  readonly madeInSram: number;
  readonly madeInBoth: number;
  /** Items that are not touched and may be out in part meanwhile. */
  readonly evictable: number;
}

export interface TouchedItem {
  readonly position: number; // as a set
  readonly sramBytes: number;
  readonly isReloaded: boolean; // where it is not in SRAM
  readonly dramBytes: number;
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

/** Items alive before and after some steps; see EdgeGroup. */
interface Passage {
  readonly first: number;
  readonly last: number;
  readonly kept: number;
  readonly positionAfter: Int32Array;
}

interface Draft extends EdgeOptions {
  readonly problem: PlacementProblem;
  readonly list: GraphEdge[];
  readonly ownBytes: number[];
  readonly cost: number[];
  readonly groups: EdgeGroup[][];
  readonly positions: (ReadonlyMap<number, number> | undefined)[]; // by cut: of its live items
  readonly evictable: (number | undefined)[]; // by step: see canEvict
  passage: Passage;
}

/** Cost: linear in executions, and in the groups times what is alive at them. */
export function graphEdges(problem: PlacementProblem, options: EdgeOptions): GraphEdges {
  const draft: Draft = {
    ...options,
    problem,
    list: [],
    ownBytes: [],
    cost: [],
    groups: problem.steps.map(() => []),
    positions: [],
    evictable: [],
    passage: { first: -1, last: -1, kept: 0, positionAfter: new Int32Array(0) },
  };
  for (const edges of edgesByHomes(problem)) addGroup(draft, edges);
  return draft;
}

function addGroup(draft: Draft, { model, itemBytes, edges }: HomeEdges): void {
  const { pinned } = draft;
  if (pinned.size > 0) {
    const isElsewhere = (item: number, inSram: boolean): boolean => (pinned.get(item) ?? inSram) !== inSram;
    if (model.uses.some((use) => isElsewhere(use.item, use.fromSram))) return;
    if (model.outputs.some((output) => isElsewhere(output.item, output.toSram))) return;
  }
  const indexes = edges.map((edge) => {
    draft.list.push(edge);
    draft.ownBytes.push(edge.ownBytes);
    draft.cost.push(edge.cost);
    return draft.list.length - 1;
  });
  const group = groupOf(draft, model, indexes, itemBytes);
  if (group !== undefined) draft.groups[model.first]?.push(group);
}

/** Undefined where no state admits it: what is not alive cannot be read. */
function groupOf(draft: Draft, model: Execution, edges: readonly number[], itemBytes: number): EdgeGroup | undefined {
  const { problem, events, forgotten } = draft;
  const { first, last } = model;
  const positions = positionsAt(draft, first);
  const positionsAfter = positionsAt(draft, last + 1);
  const bitOf = (item: number): number => {
    const position = positions.get(item);
    return position === undefined ? 0 : 1 << position;
  };
  let fixed = 0;
  let fixedInSram = 0;
  let needCopy = 0;
  let costBytes = 0;
  let madeInSram = 0;
  let madeInBoth = 0;
  let all = 0; // that is touched
  const touched: TouchedItem[] = [];
  const touch = (item: number, isReloaded: boolean): void => {
    const position = bitOf(item);
    const { sramBytes = 0, dramBytes = 0 } = problem.items[item] ?? {};
    if (position === 0 || (all & position) !== 0) return;
    all |= position;
    touched.push({ position, sramBytes, isReloaded, dramBytes });
  };
  for (const { item, fromSram } of model.uses) {
    if (forgotten.has(item)) continue;
    const isComplete = (events[item]?.lastWrite ?? -1) < first;
    const position = bitOf(item);
    if (position === 0 && fromSram) return undefined;
    if (!isComplete) {
      fixed |= position;
      if (fromSram) fixedInSram |= position;
    } else if (!fromSram) needCopy |= position;
    touch(item, isComplete && fromSram);
  }
  for (const { item, toSram } of model.outputs) {
    if (forgotten.has(item)) continue;
    const isCopied = toSram && problem.items[item]?.endsInDram === true;
    const position = bitOf(item);
    if (position !== 0) {
      fixed |= position;
      if (toSram) fixedInSram |= position;
      touch(item, false);
      continue;
    }
    if (isCopied) costBytes += problem.items[item]?.dramBytes ?? 0;
    const made = positionsAfter.get(item);
    if (made === undefined || !toSram) continue;
    if (isCopied) madeInBoth |= 1 << made;
    else madeInSram |= 1 << made;
  }
  const { kept, positionAfter } = passageOf(draft, first, last);
  return {
    first,
    last,
    edges,
    fixed,
    fixedInSram,
    needCopy,
    touched,
    itemBytes,
    costBytes,
    kept: kept & ~needCopy,
    positionAfter,
    madeInSram,
    madeInBoth,
    evictable: canEvict(draft, first) & ~all,
  };
}

/** The last one: groups of the same steps follow each other. */
function passageOf(draft: Draft, first: number, last: number): Passage {
  if (draft.passage.first === first && draft.passage.last === last) return draft.passage;
  const positions = positionsAt(draft, first);
  const positionAfter = new Int32Array(positions.size);
  let kept = 0;
  (draft.live[last + 1] ?? []).forEach((item, position) => {
    const was = positions.get(item);
    if (was === undefined) return;
    positionAfter[was] = 1 << position;
    kept |= 1 << was;
  });
  draft.passage = { first, last, kept, positionAfter };
  return draft.passage;
}

/** The positions of the items that are wanted, as a set. */
export function setOf(items: readonly number[], isWanted: (item: number) => boolean): number {
  let set = 0;
  for (let i = 0; i < items.length; i += 1) if (isWanted(items[i] as number)) set |= 1 << i;
  return set;
}

/** Items alive before a step that may be out in part while it runs, where it does not touch them. */
function canEvict({ problem, events, live, evictable }: Draft, first: number): number {
  const known = evictable[first];
  if (known !== undefined) return known;
  const set = setOf(live[first] ?? [], (item) => {
    const isComplete = (events[item]?.lastWrite ?? -1) < first;
    return isComplete && (problem.items[item]?.sramBytes ?? 0) > 0 && canBeEvicted(problem, events, item);
  });
  evictable[first] = set;
  return set;
}

function positionsAt(draft: Draft, cut: number): ReadonlyMap<number, number> {
  const known = draft.positions[cut];
  if (known !== undefined) return known;
  const positions = new Map((draft.live[cut] ?? []).map((item, position) => [item, position]));
  draft.positions[cut] = positions;
  return positions;
}
