import { type Instance, sharesSection } from './instance.js';

/** A window must hold about this many buffers to be worth a list of its own. */
const LEAST_POPULATION = 48;

/** A level of windows is left out where each buffer would be in more lists than this, on average. */
const MOST_LISTS_PER_BUFFER = 6;

const ABSENT_FIRST = 1 << 29; // of a hole: lives nowhere

/**
 * The placed buffers, for one question: who is live at some time of buffer b, from the bottom upward?
 *
 * Time is covered by windows of several widths, each width overlapping by half, so that every life lies within a window at
 * most four times as wide (the narrowest width is bounded, the widest window is all of time). Each window has the
 * buffers live in it in a sorted list, so a question costs a walk over one list and no sort.
 *
 *   level 0   |-------------------------------|
 *   level 1   |---------------|
 *                     |---------------|
 *                             |---------------|
 */
export class Shelves {
  /** Answers of `gather`. */
  readonly ids: Int32Array;
  readonly bottoms: Float64Array;
  /** Of `gatherTops`. */
  readonly topIds: Int32Array;
  readonly tops: Float64Array;
  readonly offsetUnits: Float64Array;
  readonly firstSection: Int32Array;
  readonly lastSection: Int32Array; // inclusive; gaps count as inside
  /** List entries visited: the measure of work. */
  work = 0;
  private readonly instance: Instance;
  private readonly hasGaps: boolean;
  private readonly halfWidths: number[] = [];
  private readonly firstListOf: number[] = []; // per level
  private readonly byBottom: SortedLists;
  private readonly byTop: SortedLists;

  constructor(instance: Instance) {
    this.instance = instance;
    const { count, rangeStart, rangeFirst, rangeLast } = instance;
    this.hasGaps = rangeFirst.length > count;
    this.firstSection = Int32Array.from({ length: count }, (_, b) => rangeFirst[rangeStart[b] ?? 0] ?? 0);
    this.lastSection = Int32Array.from({ length: count }, (_, b) => rangeLast[(rangeStart[b + 1] ?? 0) - 1] ?? 0);
    this.offsetUnits = new Float64Array(count);
    this.ids = new Int32Array(count + 1);
    this.bottoms = new Float64Array(count + 1);
    this.topIds = new Int32Array(count + 1);
    this.tops = new Float64Array(count + 1);
    const sizes = this.chooseLevels();
    this.byBottom = new SortedLists(sizes, this.firstSection, this.lastSection);
    this.byTop = new SortedLists(sizes, this.firstSection, this.lastSection);
  }

  /** Decides the levels; returns how many buffers each list can come to hold. */
  private chooseLevels(): number[] {
    const { count, sectionCount } = this.instance;
    const sizes: number[] = [];
    for (let halfWidth = sectionCount; halfWidth >= 1; halfWidth = Math.floor(halfWidth / 2)) {
      const lists = Math.max(1, Math.ceil(sectionCount / halfWidth));
      const members: number[] = new Array(lists).fill(0);
      let total = 0;
      for (let b = 0; b < count; b++) {
        const from = Math.max(0, Math.floor((this.firstSection[b] ?? 0) / halfWidth) - 1);
        const to = Math.floor((this.lastSection[b] ?? 0) / halfWidth);
        for (let i = from; i <= to; i++) members[i] = (members[i] ?? 0) + 1;
        total += to - from + 1;
      }
      const isTop = this.halfWidths.length === 0;
      if (!isTop && (total > count * MOST_LISTS_PER_BUFFER || total / lists < LEAST_POPULATION)) break;
      this.halfWidths.push(halfWidth);
      this.firstListOf.push(sizes.length);
      sizes.push(...members);
    }
    return sizes;
  }

  /** Places all buffers at once. */
  reset(offsetUnits: Float64Array): void {
    this.offsetUnits.set(offsetUnits);
    const { count, sizeUnits } = this.instance;
    const topUnits = offsetUnits.map((at, b) => at + (sizeUnits[b] ?? 0));
    this.byBottom.fill(this.sortedMembers(this.offsetUnits), this.offsetUnits);
    this.byTop.fill(this.sortedMembers(topUnits), topUnits);
    this.work += count * 4;
  }

  /** All buffers are sorted once, and dealt out to the lists in that order: much cheaper than a sort of every list. */
  private sortedMembers(keyOf: Float64Array): number[][] {
    const members: number[][] = Array.from({ length: this.byBottom.listCount }, () => []);
    const sorted = Uint32Array.from(keyOf, (_, b) => b).sort((a, b) => (keyOf[a] ?? 0) - (keyOf[b] ?? 0) || a - b);
    for (const b of sorted) this.eachList(b, (list) => members[list]?.push(b));
    return members;
  }

  private eachList(b: number, visit: (list: number) => void): void {
    for (let level = 0; level < this.halfWidths.length; level++) {
      const halfWidth = this.halfWidths[level] ?? 1;
      const base = this.firstListOf[level] ?? 0;
      const from = Math.max(0, Math.floor((this.firstSection[b] ?? 0) / halfWidth) - 1);
      const to = Math.floor((this.lastSection[b] ?? 0) / halfWidth);
      for (let i = from; i <= to; i++) visit(base + i);
    }
  }

  place(b: number, offsetUnits: number): void {
    this.offsetUnits[b] = offsetUnits;
    const top = offsetUnits + (this.instance.sizeUnits[b] ?? 0);
    this.eachList(b, (list) => {
      this.work += this.byBottom.insert(list, b, offsetUnits) + this.byTop.insert(list, b, top);
    });
  }

  remove(b: number): void {
    const bottom = this.offsetUnits[b] ?? 0;
    const top = bottom + (this.instance.sizeUnits[b] ?? 0);
    this.eachList(b, (list) => {
      this.byBottom.remove(list, b, bottom);
      this.byTop.remove(list, b, top);
    });
    this.work += 20;
  }

  /** The placed buffers that are ever live with b, into `ids` and `bottoms`, lowest bottom first. Returns how many. */
  gather(b: number): number {
    return this.collect(this.byBottom, b, this.ids, this.bottoms);
  }

  /** The same by their tops, into `topIds` and `tops`. */
  gatherTops(b: number): number {
    return this.collect(this.byTop, b, this.topIds, this.tops);
  }

  private collect(lists: SortedLists, b: number, ids: Int32Array, keys: Float64Array): number {
    const first = this.firstSection[b] ?? 0;
    const last = this.lastSection[b] ?? 0;
    let level = 0;
    while (level + 1 < this.halfWidths.length && last - first < (this.halfWidths[level + 1] ?? 0)) level += 1;
    const list = (this.firstListOf[level] ?? 0) + Math.floor(first / (this.halfWidths[level] ?? 1));
    const count = lists.collect(list, first, last, ids, keys);
    this.work += lists.capacityOf(list) + 2 * count; // each is looked at again by whoever asked
    if (!this.hasGaps) return count;
    this.work += 3 * count;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (!sharesSection(this.instance, b, ids[i] ?? 0)) continue;
      ids[kept] = ids[i] ?? 0;
      keys[kept] = keys[i] ?? 0;
      kept += 1;
    }
    return kept;
  }
}

/** Many sorted lists in one pool, with holes spread among the entries so that an insertion moves few of them. */
class SortedLists {
  readonly listCount: number;
  private readonly start: Int32Array;
  private readonly keys: Float64Array;
  private readonly ids: Int32Array; // -1 for a hole
  private readonly firsts: Int32Array;
  private readonly lasts: Int32Array;
  private readonly firstOf: Int32Array;
  private readonly lastOf: Int32Array;

  constructor(sizes: readonly number[], firstOf: Int32Array, lastOf: Int32Array) {
    this.listCount = sizes.length;
    this.start = new Int32Array(sizes.length + 1);
    sizes.forEach((size, list) => {
      this.start[list + 1] = (this.start[list] ?? 0) + Math.ceil(size * 1.15) + 4;
    });
    const total = this.start[sizes.length] ?? 0;
    this.keys = new Float64Array(total);
    this.ids = new Int32Array(total).fill(-1);
    this.firsts = new Int32Array(total).fill(ABSENT_FIRST);
    this.lasts = new Int32Array(total).fill(-1);
    this.firstOf = firstOf;
    this.lastOf = lastOf;
  }

  capacityOf(list: number): number {
    return (this.start[list + 1] ?? 0) - (this.start[list] ?? 0);
  }

  /** Each list's buffers, least key first. */
  fill(members: readonly (readonly number[])[], keyOf: Float64Array): void {
    members.forEach((sorted, list) => {
      const from = this.start[list] ?? 0;
      const capacity = this.capacityOf(list);
      let next = 0;
      let key = -1;
      for (let i = 0; i < capacity; i++) {
        const b = next * capacity < (i + 1) * sorted.length ? sorted[next] : undefined;
        if (b !== undefined) {
          key = keyOf[b] ?? 0;
          next += 1;
          this.put(from + i, b, key);
        } else this.clear(from + i, key);
      }
    });
  }

  private put(i: number, b: number, key: number): void {
    this.keys[i] = key;
    this.ids[i] = b;
    this.firsts[i] = this.firstOf[b] ?? 0;
    this.lasts[i] = this.lastOf[b] ?? 0;
  }

  private clear(i: number, key: number): void {
    this.keys[i] = key;
    this.ids[i] = -1;
    this.firsts[i] = ABSENT_FIRST;
    this.lasts[i] = -1;
  }

  private lowerBound(list: number, key: number): number {
    let low = this.start[list] ?? 0;
    let high = this.start[list + 1] ?? 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.keys[middle] ?? 0) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  remove(list: number, b: number, key: number): void {
    let i = this.lowerBound(list, key);
    while (this.ids[i] !== b) i += 1;
    this.clear(i, key);
  }

  /** Returns how many entries it had to look at. */
  insert(list: number, b: number, key: number): number {
    const { ids } = this;
    const from = this.start[list] ?? 0;
    const end = this.start[list + 1] ?? 0;
    const at = this.lowerBound(list, key);
    for (let right = at, left = at - 1; ; right++, left--) {
      if (right < end && ids[right] === -1) {
        this.move(at, right, at + 1);
        this.put(at, b, key);
        return right - at + 4;
      }
      if (left >= from && ids[left] === -1) {
        this.move(left + 1, at, left);
        this.put(at - 1, b, key);
        return at - left + 4;
      }
      if (right >= end && left < from) throw new Error('a sorted list is full');
    }
  }

  /** Entries [from, end) to `to`; they are few, so a plain loop beats `copyWithin`. */
  private move(from: number, end: number, to: number): void {
    const { keys, ids, firsts, lasts } = this;
    const step = to > from ? -1 : 1;
    for (let i = step < 0 ? end - 1 : from, left = end - from; left > 0; left--, i += step) {
      const j = i + to - from;
      keys[j] = keys[i] ?? 0;
      ids[j] = ids[i] ?? 0;
      firsts[j] = firsts[i] ?? 0;
      lasts[j] = lasts[i] ?? 0;
    }
  }

  /** Without a branch: which entries are live is as good as random. */
  collect(list: number, first: number, last: number, ids: Int32Array, keys: Float64Array): number {
    const { firsts, lasts } = this;
    const end = this.start[list + 1] ?? 0;
    let count = 0;
    for (let i = this.start[list] ?? 0; i < end; i++) {
      ids[count] = this.ids[i] ?? 0;
      keys[count] = this.keys[i] ?? 0;
      count += (((firsts[i] ?? 0) - last - 1) & (first - (lasts[i] ?? 0) - 1)) >>> 31;
    }
    return count;
  }
}
