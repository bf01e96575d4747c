import type { Instance } from './instance.js';

/**
 * An order for first fit, from filling the lowest place first.
 *
 *   height          The lowest stretch of sections (here the one marked ^) is filled with the buffer of greatest key that
 *     ##    ###     lives within it; where none does, the stretch rises to its lower neighbour. Of stretches equally low,
 *     ##    ###     the one with the most bytes still to come goes first.
 *     ###^^^####
 *
 * Gaps, alignments and fixed offsets are ignored: this is only an order, and first fit respects them.
 */
export function skylineOrder(instance: Instance, key: Float64Array): number[] {
  const skyline = new Skyline(instance, key);
  while (skyline.order.length < instance.count) skyline.step();
  return skyline.order;
}

/** Counts for this much more at each edge of the stretch that a buffer reaches. Measured: 1.3 is too greedy. */
const SNUG = 1.1;

class Skyline {
  readonly order: number[] = [];
  private readonly instance: Instance;
  private readonly key: Float64Array;
  private readonly heights: Float64Array;
  private readonly rests: Float64Array;
  private readonly waiting: Int32Array; // unplaced buffers per section
  private readonly startingAt: number[][]; // unplaced buffers by their first section, greatest key first

  constructor(instance: Instance, key: Float64Array) {
    const { count, sectionCount } = instance;
    this.instance = instance;
    this.key = key;
    this.heights = new Float64Array(sectionCount);
    this.rests = new Float64Array(sectionCount);
    this.waiting = new Int32Array(sectionCount);
    this.startingAt = Array.from({ length: sectionCount }, () => []);
    const sorted = Array.from({ length: count }, (_, b) => b);
    sorted.sort((a, b) => (key[b] ?? 0) - (key[a] ?? 0) || a - b);
    for (const b of sorted) {
      this.startingAt[this.firstOf(b)]?.push(b);
      for (let s = this.firstOf(b); s <= this.lastOf(b); s++) {
        this.rests[s] = (this.rests[s] ?? 0) + (instance.sizeUnits[b] ?? 0);
        this.waiting[s] = (this.waiting[s] ?? 0) + 1;
      }
    }
  }

  private firstOf(b: number): number {
    return this.instance.rangeFirst[this.instance.rangeStart[b] ?? 0] ?? 0;
  }

  private lastOf(b: number): number {
    return this.instance.rangeLast[(this.instance.rangeStart[b + 1] ?? 0) - 1] ?? 0;
  }

  /** Places one buffer, or lifts one stretch. */
  step(): void {
    const { heights } = this;
    const [first, last] = this.lowestStretch();
    const height = heights[first] ?? 0;
    const chosen = this.bestWithin(first, last);
    if (chosen === undefined) {
      const left = first === 0 ? Number.POSITIVE_INFINITY : (heights[first - 1] ?? 0);
      const right = heights[last + 1] ?? Number.POSITIVE_INFINITY;
      heights.fill(Math.min(left, right), first, last + 1);
      return;
    }
    this.order.push(chosen);
    const list = this.startingAt[this.firstOf(chosen)] ?? [];
    list.splice(list.indexOf(chosen), 1);
    const size = this.instance.sizeUnits[chosen] ?? 0;
    for (let s = this.firstOf(chosen); s <= this.lastOf(chosen); s++) {
      this.rests[s] = (this.rests[s] ?? 0) - size;
      this.waiting[s] = (this.waiting[s] ?? 0) - 1;
      heights[s] = (this.waiting[s] ?? 0) > 0 ? height + size : Number.POSITIVE_INFINITY; // a finished section is a wall
    }
  }

  private lowestStretch(): [number, number] {
    const { heights, rests } = this;
    const count = heights.length;
    let lowest = Number.POSITIVE_INFINITY;
    let best: [number, number] = [0, count - 1];
    let bestRest = -1;
    for (let s = 0; s < count; s++) {
      const height = heights[s] ?? 0;
      if (height > lowest || height === Number.POSITIVE_INFINITY) continue;
      const first = s;
      let rest = rests[s] ?? 0;
      while (s + 1 < count && heights[s + 1] === height) {
        s += 1;
        const here = rests[s] ?? 0;
        if (here > rest) rest = here;
      }
      if (height === lowest && rest <= bestRest) continue;
      lowest = height;
      bestRest = rest;
      best = [first, s];
    }
    return best;
  }

  private bestWithin(first: number, last: number): number | undefined {
    let best: number | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let s = first; s <= last; s++) {
      const bonus = s === first ? SNUG : 1;
      for (const b of this.startingAt[s] ?? []) {
        const key = (this.key[b] ?? 0) * bonus;
        if (key * SNUG <= bestScore) break;
        const end = this.lastOf(b);
        if (end > last) continue;
        const score = end === last ? key * SNUG : key;
        if (score <= bestScore) continue;
        best = b;
        bestScore = score;
      }
    }
    return best;
  }
}
