import type { Instance } from './instance.js';

/** Counts for this much more at each edge of the stretch that a buffer reaches. Measured: 1.3 is too greedy. */
const SNUG = 1.1;

/**
 * The unplaced buffers, for one question: of those that live within sections [first, last], which has the greatest key?
 *
 * A binary tree over the buffers sorted by first section; each node knows the greatest key and the earliest end below it, so
 * that most of the tree is passed over.
 */
export class BufferTree {
  readonly firstSection: Int32Array;
  readonly lastSection: Int32Array; // inclusive; gaps count as inside
  private readonly sorted: Int32Array;
  private readonly startOf: Int32Array; // per section: the first of `sorted` that begins there or later
  private readonly leaves: number; // a power of two; node i has the children 2i and 2i + 1
  private readonly greatestKey: Float64Array;
  private readonly earliestLast: Int32Array;
  // The question being answered.
  private from = 0;
  private to = 0;
  private last = 0;
  private bonus = 1;
  private best = -1;
  private bestScore = Number.NEGATIVE_INFINITY;

  constructor(instance: Instance, key: Float64Array) {
    const { count, sectionCount, rangeStart, rangeFirst, rangeLast } = instance;
    const first = Int32Array.from({ length: count }, (_, b) => rangeFirst[rangeStart[b] ?? 0] ?? 0);
    this.firstSection = first;
    this.lastSection = Int32Array.from({ length: count }, (_, b) => rangeLast[(rangeStart[b + 1] ?? 0) - 1] ?? 0);
    this.sorted = Int32Array.from({ length: count }, (_, b) => b);
    this.sorted.sort((a, b) => (first[a] ?? 0) - (first[b] ?? 0) || (key[b] ?? 0) - (key[a] ?? 0) || a - b);
    this.startOf = new Int32Array(sectionCount + 1);
    for (let b = 0; b < count; b++) {
      const next = (first[b] ?? 0) + 1;
      this.startOf[next] = (this.startOf[next] ?? 0) + 1;
    }
    for (let s = 1; s <= sectionCount; s++) this.startOf[s] = (this.startOf[s] ?? 0) + (this.startOf[s - 1] ?? 0);
    let leaves = 1;
    while (leaves < count) leaves *= 2;
    this.leaves = leaves;
    this.greatestKey = new Float64Array(2 * leaves).fill(Number.NEGATIVE_INFINITY);
    this.earliestLast = new Int32Array(2 * leaves).fill(sectionCount);
    this.sorted.forEach((b, index) => {
      this.greatestKey[leaves + index] = key[b] ?? 0;
      this.earliestLast[leaves + index] = this.lastSection[b] ?? 0;
    });
    for (let node = leaves - 1; node >= 1; node--) this.update(node);
  }

  private update(node: number): void {
    const { greatestKey, earliestLast } = this;
    const left = 2 * node;
    greatestKey[node] = Math.max(greatestKey[left] ?? 0, greatestKey[left + 1] ?? 0);
    earliestLast[node] = Math.min(earliestLast[left] ?? 0, earliestLast[left + 1] ?? 0);
  }

  /** The buffer, which is unplaced no longer; undefined where none lives within. */
  takeBestWithin(first: number, last: number): number | undefined {
    this.best = -1;
    this.bestScore = Number.NEGATIVE_INFINITY;
    this.last = last;
    this.ask(this.startOf[first] ?? 0, this.startOf[first + 1] ?? 0, SNUG);
    this.ask(this.startOf[first + 1] ?? 0, this.startOf[last + 1] ?? 0, 1);
    if (this.best < 0) return undefined;
    let node = this.leaves + this.best;
    this.greatestKey[node] = Number.NEGATIVE_INFINITY;
    this.earliestLast[node] = this.startOf.length;
    for (node >>= 1; node >= 1; node >>= 1) this.update(node);
    return this.sorted[this.best];
  }

  private ask(from: number, to: number, bonus: number): void {
    if (from >= to) return;
    this.from = from;
    this.to = to;
    this.bonus = bonus;
    this.descend(1, 0, this.leaves);
  }

  private descend(node: number, start: number, width: number): void {
    if (start >= this.to || start + width <= this.from) return;
    const end = this.earliestLast[node] ?? 0;
    if (end > this.last) return;
    const key = (this.greatestKey[node] ?? 0) * this.bonus;
    if (key * SNUG <= this.bestScore) return;
    if (width > 1) {
      this.descend(2 * node, start, width / 2);
      this.descend(2 * node + 1, start + width / 2, width / 2);
      return;
    }
    const score = end === this.last ? key * SNUG : key;
    if (score <= this.bestScore) return;
    this.best = start;
    this.bestScore = score;
  }
}
