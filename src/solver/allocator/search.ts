import type { Instance } from './instance.js';
import { SearchState, type SearchTarget } from './search-state.js';
import { NEVER } from './search-tables.js';

export type SearchOutcome = 'found' | 'exhausted' | 'budget';

/** How a run chooses: none of it changes what is feasible, all of it how soon that is known. */
export interface SearchStyle {
  /** Buffers with a greater key are tried first. */
  readonly key: Float64Array;
  /** Preference for sections with a low floor: 0 none. */
  readonly lowFloors: number;
  /** Preference for sections with little slack: 0 none. */
  readonly littleSlack: number;
  /** Prefer sections that have often been the reason of a dead end. */
  readonly learn: boolean;
}

type Verdict = 'found' | 'dead' | 'budget';

const { imul } = Math;

/** Entries of the table of dead ends; a run that makes more starts over with an empty one. */
const MOST_DEAD_ENDS = 300_000;

/**
 * Exact search for an arrangement below a target.
 *
 * Each node takes one section and asks which buffer starts at its floor: one of those whose bound is there, or none, in
 * which case the floor rises to the next offset that anything could start at, and the gap below is waste.
 *
 *   room  ---------------        The section may be any at which the answer "b" leaves nothing undecided below b: no
 *         |      |               other buffer could still end at or below the floor anywhere in the life of b. The lowest
 *   floor |..?...|               floor of all always qualifies. The one with the fewest answers is taken.
 *         |######|
 *
 * Only arrangements in which nothing can sink are looked for: every buffer lies on another, on a fixed one or on the
 * bottom. A buffer whose bound was argued above its support must wait for a support, so its bound is at least the least
 * top of an unplaced neighbour. Letting buffers sink never makes an arrangement infeasible, so nothing is lost.
 *
 * Where the unplaced buffers fall apart in time, the parts are solved one after the other, and a part that is dead makes the
 * whole dead without another look at its siblings. Dead parts are remembered by hash, and met again, cost nothing.
 */
export class Search {
  nodes = 0;
  private readonly state: SearchState;
  private readonly deadEnds = new Map<number, number>();
  private deadEndsHeight = -1;
  private nodeLimit = 0;
  private style: SearchStyle = { key: new Float64Array(0), lowFloors: 0, littleSlack: 0, learn: false };

  constructor(instance: Instance) {
    this.state = new SearchState(instance);
  }

  /** Offsets in units, after `run` found them. */
  offsets(): Float64Array {
    const { cells, boundAt, count } = this.state;
    return Float64Array.from(cells.subarray(boundAt, boundAt + count));
  }

  /** @param heightBytes names the target: dead ends are kept from run to run while it stays the same */
  run(target: SearchTarget, heightBytes: number, style: SearchStyle, nodeLimit: number): SearchOutcome {
    this.nodes = 0;
    this.nodeLimit = nodeLimit;
    this.style = style;
    if (heightBytes !== this.deadEndsHeight) this.deadEnds.clear();
    this.deadEndsHeight = heightBytes;
    if (!this.state.reset(target)) return 'exhausted';
    const verdict = this.solveParts(0, this.state.sectionCount - 1);
    return verdict === 'dead' ? 'exhausted' : verdict;
  }

  /** Cuts sections [first, last] where no unplaced buffer crosses, and solves the parts, short ones first. */
  private solveParts(first: number, last: number): Verdict {
    const { cells, spanAt, restAt } = this.state;
    const parts: [number, number][] = [];
    let from = first;
    let busy = false;
    for (let s = first; s <= last; s++) {
      busy ||= (cells[restAt + s] ?? 0) > 0;
      if (s < last && (cells[spanAt + s] ?? 0) > 0) continue;
      if (busy) parts.push([from, s]);
      from = s + 1;
      busy = false;
    }
    if (parts.length > 1) parts.sort((a, b) => a[1] - a[0] - (b[1] - b[0]) || a[0] - b[0]);
    for (const [partFirst, partLast] of parts) {
      const verdict = this.solvePart(partFirst, partLast);
      if (verdict !== 'found') return verdict;
    }
    return 'found';
  }

  private solvePart(first: number, last: number): Verdict {
    const [hash, check] = this.hashPart(first, last);
    if (this.deadEnds.get(hash) === check) return 'dead';
    const verdict = this.branch(first, last);
    if (verdict === 'dead') {
      if (this.deadEnds.size >= MOST_DEAD_ENDS) this.deadEnds.clear();
      this.deadEnds.set(hash, check);
    }
    return verdict;
  }

  /**
   * What the fate of a part depends on: which buffers are unplaced, their bounds, and whether they are supported there.
   * 85 bits in two numbers: with the table full, two parts are confused once in 1e14 runs.
   */
  private hashPart(first: number, last: number): [number, number] {
    const { cells, tables, count, boundAt, supportAt } = this.state;
    let h1 = first * 31 + last;
    let h2 = first * 17 + last;
    let h3 = 7;
    for (let b = 0; b < count; b++) {
      if (cells[b] === 1) continue;
      const at = tables.firstSection[b] ?? 0;
      if (at < first || at > last) continue;
      const bound = cells[boundAt + b] ?? 0;
      const word = (imul(b, 0x10001) + bound) * 2 + (cells[supportAt + b] === bound ? 1 : 0);
      h1 = imul(h1 ^ word, 0x9e3779b1);
      h1 ^= h1 >>> 15;
      h2 = imul(h2 ^ word, 0x85ebca6b);
      h2 ^= h2 >>> 13;
      h3 = imul(h3 ^ word, 0xc2b2ae35);
      h3 ^= h3 >>> 16;
    }
    return [(h1 >>> 0) * 2097152 + (h2 >>> 11), h3];
  }

  private branch(first: number, last: number): Verdict {
    const { state } = this;
    const { cells, tables } = state;
    const { key } = this.style;
    for (;;) {
      const section = this.pickSection(first, last);
      if (section < 0) return 'dead';
      const floor = cells[state.floorAt + section] ?? 0;
      let answers = this.lowestOf(section, floor);
      const fixed = answers.find((b) => (tables.fixed[b] ?? -1) >= 0);
      if (fixed !== undefined) answers = [fixed];
      else answers.sort((a, b) => (key[b] ?? 0) - (key[a] ?? 0) || a - b);
      for (const b of answers) {
        if (this.nodes >= this.nodeLimit) return 'budget';
        this.nodes += 1;
        const mark = state.trailLength;
        if (state.place(b)) {
          const verdict = this.solveParts(first, last);
          if (verdict !== 'dead') return verdict;
        }
        state.undo(mark);
      }
      if (fixed !== undefined || !this.leaveGap(section, floor, answers)) return 'dead';
    }
  }

  private lowestOf(section: number, floor: number): number[] {
    const { cells, tables, boundAt } = this.state;
    const { start, values } = tables.buffersOf;
    const lowest: number[] = [];
    for (let k = start[section] ?? 0; k < (start[section + 1] ?? 0); k++) {
      const b = values[k] ?? 0;
      if (cells[b] !== 1 && cells[boundAt + b] === floor) lowest.push(b);
    }
    return lowest;
  }

  /**
   * The answer "none": raises the floor. The first of the refused buffers to come needs a support above the floor: an
   * unplaced neighbour that is not one of them.
   */
  private leaveGap(section: number, floor: number, refused: readonly number[]): boolean {
    const { state } = this;
    const { cells, tables, boundAt } = state;
    const { neighboursOf, sizes, aligns } = tables;
    let least = cells[state.nextAt + section] ?? 0;
    const isRefused = new Set(refused);
    for (const b of refused) {
      let support = NEVER;
      for (let k = neighboursOf.start[b] ?? 0; k < (neighboursOf.start[b + 1] ?? 0); k++) {
        const c = neighboursOf.values[k] ?? 0;
        if (cells[c] === 1 || isRefused.has(c)) continue;
        const top = (cells[boundAt + c] ?? 0) + (sizes[c] ?? 0);
        if (top > floor && top < support) support = top;
      }
      const align = aligns[b] ?? 1;
      if (support < NEVER) least = Math.min(least, Math.ceil(support / align) * align);
    }
    if (least + (cells[state.restAt + section] ?? 0) > (state.rooms[section] ?? 0)) {
      state.blame[section] = (state.blame[section] ?? 0) + 1;
      return false;
    }
    return refused.every((b) => state.raise(b, least)) && state.refresh();
  }

  /** The section to branch on, or -1 when a contradiction shows up on the way. */
  private pickSection(first: number, last: number): number {
    const { state } = this;
    const { cells, blame, rooms, floorAt, restAt, lowestAt, nextAt } = state;
    const { lowFloors, littleSlack, learn } = this.style;
    for (;;) {
      let best = -1;
      let bestScore = Number.POSITIVE_INFINITY;
      let changed = false;
      for (let s = first; s <= last; s++) {
        const rest = cells[restAt + s] ?? 0;
        if (rest === 0) continue;
        const floor = cells[floorAt + s] ?? 0;
        const slack = (rooms[s] ?? 0) - floor - rest;
        const lowest = cells[lowestAt + s] ?? 0;
        const factor = ((1 + floor * lowFloors) * (1 + slack * littleSlack)) / (learn ? (blame[s] ?? 1) : 1);
        const score = (slack > 0 ? lowest + 1 : lowest) * factor;
        if (score >= bestScore) continue;
        const gapTo = this.judgeSection(s, floor, cells[nextAt + s] ?? 0);
        if (gapTo === CONTRADICTION) return -1;
        if (gapTo === CHANGED) {
          changed = true;
          break;
        }
        if (gapTo === UNDECIDED) continue;
        best = s;
        bestScore = gapTo - floor > slack ? lowest * factor : score; // a gap may be out of the question
      }
      if (!changed) return best;
      if (!state.refresh()) return -1;
    }
  }

  /** A lower bound of the floor after a gap, or why the section cannot be branched on. Raises buffers without support. */
  private judgeSection(s: number, floor: number, next: number): number {
    const { state } = this;
    const { cells, tables, boundAt, supportAt } = state;
    const { start, values } = tables.buffersOf;
    const end = start[s + 1] ?? 0;
    let gapTo = next;
    let changed = false;
    for (let k = start[s] ?? 0; k < end; k++) {
      const b = values[k] ?? 0;
      if (cells[b] === 1 || cells[boundAt + b] !== floor) continue;
      const around = state.leastTopAround(b, floor);
      if (around <= floor) return changed ? CHANGED : UNDECIDED;
      if (around < gapTo) gapTo = around;
      if (cells[supportAt + b] === floor) continue;
      if (!state.raise(b, around)) return CONTRADICTION;
      changed = true;
    }
    return changed ? CHANGED : gapTo;
  }
}

const CONTRADICTION = -1;
const CHANGED = -2;
const UNDECIDED = -3;
