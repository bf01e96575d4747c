import { BufferTree } from './buffer-tree.js';
import type { Instance } from './instance.js';

/**
 * An order for first fit, from filling the lowest place first.
 *
 *   height          The lowest stretch of sections (here the one marked ^) is filled with the buffer of greatest key that
 *     ##    ###     lives within it; where none does, the stretch rises to its lower neighbour. Of stretches equally low,
 *     ##    ###     the one with the most bytes still to come goes first.
 *     ###^^^####
 *
 * In a gap the stretch stays low, and is filled with what lives within the gap. Alignments and fixed offsets are ignored:
 * this is only an order, and first fit respects them.
 */
export function skylineOrder(instance: Instance, key: Float64Array): number[] {
  return fillSkyline(instance, key).order;
}

/**
 * A stretch may rise to its lower neighbour although something would fit in it: long lives then find wider places. It may where
 * that loses at most this share of the room between what is still to come there and the target.
 */
export interface SkylineThrift {
  readonly targetUnits: number;
  readonly share: number;
}

/** The order, and how high it got: nearly what first fit will come to. */
export function fillSkyline(
  instance: Instance,
  key: Float64Array,
  thrift?: SkylineThrift,
): { order: number[]; heightUnits: number } {
  const skyline = new Skyline(instance, key, thrift);
  while (skyline.order.length < instance.count) skyline.step();
  return { order: skyline.order, heightUnits: skyline.heightUnits };
}

const { POSITIVE_INFINITY } = Number;

/** Stretches are known by their first section, and cover all sections from left to right. */
class Skyline {
  readonly order: number[] = [];
  heightUnits = 0;
  private readonly instance: Instance;
  private readonly tree: BufferTree;
  private readonly rests: Float64Array; // units to come, per section
  private readonly waiting: Int32Array; // unplaced buffers, per section
  private readonly lastOf: Int32Array; // last section of the stretch that begins here
  private readonly firstOf: Int32Array; // first section of the stretch that ends here
  private readonly heightOf: Float64Array; // of the stretch that begins here; infinite where nothing is to come: a wall
  private readonly restOf: Float64Array; // greatest of its `rests`
  private readonly versionOf: Int32Array; // changes with the stretch, so that the heap knows what is outdated
  private readonly heap: Entry[] = [];

  private readonly thrift: SkylineThrift | undefined;

  constructor(instance: Instance, key: Float64Array, thrift: SkylineThrift | undefined) {
    const { count, sectionCount } = instance;
    this.instance = instance;
    this.thrift = thrift;
    this.tree = new BufferTree(instance, key);
    this.rests = new Float64Array(sectionCount);
    this.waiting = new Int32Array(sectionCount);
    this.lastOf = new Int32Array(sectionCount);
    this.firstOf = new Int32Array(sectionCount);
    this.heightOf = new Float64Array(sectionCount);
    this.restOf = new Float64Array(sectionCount);
    this.versionOf = new Int32Array(sectionCount);
    for (let b = 0; b < count; b++) {
      const units = instance.sizeUnits[b] ?? 0;
      const last = this.tree.lastSection[b] ?? 0;
      for (let s = this.tree.firstSection[b] ?? 0; s <= last; s++) this.waiting[s] = (this.waiting[s] ?? 0) + 1;
      for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
        const end = instance.rangeLast[k] ?? 0;
        for (let s = instance.rangeFirst[k] ?? 0; s <= end; s++) this.rests[s] = (this.rests[s] ?? 0) + units;
      }
    }
    if (sectionCount > 0) this.add(0, sectionCount - 1, 0);
  }

  /** Places one buffer, or lifts one stretch. */
  step(): void {
    const first = this.takeLowest();
    const last = this.lastOf[first] ?? 0;
    const height = this.heightOf[first] ?? 0;
    const left = first === 0 ? POSITIVE_INFINITY : (this.heightOf[this.firstOf[first - 1] ?? 0] ?? 0);
    const right = last + 1 === this.rests.length ? POSITIVE_INFINITY : (this.heightOf[last + 1] ?? 0);
    const lift = Math.min(left, right);
    if (this.thrift !== undefined && this.thrift.share > 0 && lift < POSITIVE_INFINITY) {
      const slack = this.thrift.targetUnits - height - (this.restOf[first] ?? 0);
      if (lift - height <= slack * this.thrift.share) {
        this.add(first, last, lift);
        return;
      }
    }
    const chosen = this.tree.takeBestWithin(first, last);
    if (chosen === undefined) {
      this.add(first, last, lift);
      return;
    }
    this.order.push(chosen);
    const { rests, waiting } = this;
    const { rangeStart, rangeFirst, rangeLast } = this.instance;
    const units = this.instance.sizeUnits[chosen] ?? 0;
    this.heightUnits = Math.max(this.heightUnits, height + units);
    const from = this.tree.firstSection[chosen] ?? 0;
    const to = this.tree.lastSection[chosen] ?? 0;
    for (let s = from; s <= to; s++) waiting[s] = (waiting[s] ?? 0) - 1;
    // The pieces are told before they are added, so that none of them merges with what the old stretch was.
    const pieces: [number, number, number][] = from > first ? [[first, from - 1, height]] : [];
    const rise = (start: number, end: number, to: number): void => {
      for (let s = start; s <= end; ) {
        const begin = s;
        const isWall = waiting[s] === 0;
        while (s <= end && (waiting[s] === 0) === isWall) s += 1;
        const at = isWall ? POSITIVE_INFINITY : to;
        const before = pieces.at(-1);
        if (before?.[2] === at)
          before[1] = s - 1; // a gap too short to have a section
        else pieces.push([begin, s - 1, at]);
      }
    };
    let next = from;
    for (let k = rangeStart[chosen] ?? 0; k < (rangeStart[chosen + 1] ?? 0); k++) {
      const start = rangeFirst[k] ?? 0;
      const end = rangeLast[k] ?? 0;
      rise(next, start - 1, height); // a gap
      for (let s = start; s <= end; s++) rests[s] = (rests[s] ?? 0) - units;
      rise(start, end, height + units);
      next = end + 1;
    }
    if (to < last) pieces.push([to + 1, last, height]);
    for (const [start, end, at] of pieces) this.cover(start, end, at);
    for (const [start, end, at] of pieces) this.add(start, end, at);
  }

  /** Tells of a stretch without merging it or making it known to the heap. */
  private cover(first: number, last: number, height: number): void {
    this.lastOf[first] = last;
    this.firstOf[last] = first;
    this.heightOf[first] = height;
  }

  /** A stretch, merged with equally high ones beside it. */
  private add(first: number, last: number, height: number): void {
    const { rests, lastOf, firstOf, heightOf, restOf, versionOf } = this;
    let rest = 0;
    for (let s = first; s <= last; s++) if ((rests[s] ?? 0) > rest) rest = rests[s] ?? 0;
    let from = first;
    let to = last;
    if (height < POSITIVE_INFINITY) {
      const before = first === 0 ? -1 : (firstOf[first - 1] ?? 0);
      if (before >= 0 && heightOf[before] === height) {
        from = before;
        rest = Math.max(rest, restOf[before] ?? 0);
      }
      const after = last + 1;
      if (after < rests.length && heightOf[after] === height) {
        to = lastOf[after] ?? 0;
        rest = Math.max(rest, restOf[after] ?? 0);
        versionOf[after] = this.nextVersion();
      }
    }
    lastOf[from] = to;
    firstOf[to] = from;
    heightOf[from] = height;
    restOf[from] = rest;
    const version = this.nextVersion();
    versionOf[first] = version;
    versionOf[from] = version;
    if (height < POSITIVE_INFINITY) this.push({ height, rest, first: from, version });
  }

  private versions = 0;

  private nextVersion(): number {
    this.versions += 1;
    return this.versions;
  }

  private takeLowest(): number {
    for (;;) {
      const entry = this.pop();
      if (this.versionOf[entry.first] === entry.version) return entry.first;
    }
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !goesBefore(entry, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  private pop(): Entry {
    const { heap } = this;
    const top = heap[0];
    const entry = heap.pop();
    if (top === undefined || entry === undefined) throw new Error('the skyline has no stretch left');
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      let below = heap[child];
      if (below === undefined) break;
      const other = heap[child + 1];
      if (other !== undefined && goesBefore(other, below)) {
        child += 1;
        below = other;
      }
      if (!goesBefore(below, entry)) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = entry;
    return top;
  }
}

interface Entry {
  readonly height: number;
  readonly rest: number;
  readonly first: number;
  readonly version: number;
}

function goesBefore(a: Entry, b: Entry): boolean {
  if (a.height !== b.height) return a.height < b.height;
  return a.rest !== b.rest ? a.rest > b.rest : a.first < b.first;
}
