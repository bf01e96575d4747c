import { type Arrangement, heightBytesOf } from './greedy.js';
import type { Instance } from './instance.js';
import { Shelves } from './shelves.js';

/** Of the way from the best height to the goal, what the ceiling is lowered at first. */
const FIRST_SHARE = 0.15;

/** Buffers put back without a gain after which a ceiling is given up. */
const FIRST_PATIENCE = 500;

/** What a buffer's weight grows by each time that it had to push its way in, as a share of its area. */
const LEARNING = 0.3;

/** A place may weigh up to this much more than the least and be taken all the same: else the same ones meet again. */
const NOISE = 0.2;

/**
 * Lowers an arrangement of many buffers, where the exact search is out of reach.
 *
 * The ceiling is lowered a little, and the buffers above it are taken out. One after the other is put back: into the tightest
 * gap that it fits in; where there is none, at the place where those in its way weigh least, which are taken out in turn. A
 * buffer that had to push its way in weighs more from then on, so that the same few do not push each other for ever. (This is
 * guided ejection search, after Nagata and Braysy, 2009.)
 *
 *   ceiling ---------------
 *              ####  ?        no gap for the ? below the ceiling: the small a and c make way, and find other gaps
 *           bbbbbb  aac
 *
 * A ceiling that resists is raised half way to the best height, with what is in place left there.
 *
 * @param workLimit list entries visited, so that the answer is the same on every machine
 */
export function lowerByEjection(
  instance: Instance,
  start: Arrangement,
  goalBytes: number,
  workLimit: number,
): { readonly best: Arrangement; readonly work: number } {
  if (start.heightBytes <= goalBytes || workLimit <= 0) return { best: start, work: 0 };
  const ejection = new Ejection(instance, start);
  ejection.lower(goalBytes, workLimit);
  return { best: ejection.best, work: ejection.work() };
}

class Ejection {
  best: Arrangement;
  private readonly instance: Instance;
  private readonly shelves: Shelves;
  private readonly area: Float64Array; // units x sections
  private readonly weight: Float64Array; // the area, and more for each time that it had to push its way in
  private readonly isOut: Uint8Array;
  private out: number[] = [];
  private outArea = 0;
  private seed = 1;

  constructor(instance: Instance, start: Arrangement) {
    this.instance = instance;
    this.best = start;
    this.shelves = new Shelves(instance);
    const { firstSection, lastSection } = this.shelves;
    this.area = instance.sizeUnits.map((units, b) => units * ((lastSection[b] ?? 0) - (firstSection[b] ?? 0) + 1));
    this.weight = Float64Array.from(this.area);
    this.isOut = new Uint8Array(instance.count);
    for (let b = 0; b < instance.count; b++) {
      if ((instance.fixedUnits[b] ?? -1) >= 0) this.weight[b] = Number.POSITIVE_INFINITY;
    }
  }

  work(): number {
    return this.shelves.work;
  }

  lower(goalBytes: number, workLimit: number): void {
    const { instance, shelves } = this;
    const goalUnits = goalBytes / instance.unitBytes;
    let share = FIRST_SHARE;
    let patience = FIRST_PATIENCE;
    let ceiling = -1; // below 0: to be chosen anew
    this.restore();
    while (this.best.heightBytes > goalBytes && shelves.work < workLimit) {
      const heightUnits = Math.ceil(this.best.heightBytes / instance.unitBytes);
      const room = heightUnits - goalUnits;
      if (ceiling < 0) ceiling = Math.ceil(heightUnits - Math.max(1, room * share));
      if (!this.takeOutAbove(ceiling)) return;
      if (this.putBack(ceiling, patience, workLimit)) {
        const offsetUnits = Float64Array.from(shelves.offsetUnits);
        this.best = { offsetUnits, heightBytes: heightBytesOf(instance, offsetUnits) };
        share = Math.min(0.5, share * 1.2);
        ceiling = -1;
        continue;
      }
      ceiling = Math.ceil((ceiling + heightUnits) / 2);
      if (heightUnits - ceiling > room / 25) continue;
      this.restore();
      share = Math.max(0.02, share / 2);
      patience *= 1.3;
      ceiling = -1;
    }
  }

  private restore(): void {
    this.out = [];
    this.outArea = 0;
    this.isOut.fill(0);
    this.shelves.reset(this.best.offsetUnits);
  }

  private takeOut(b: number): void {
    this.shelves.remove(b);
    this.isOut[b] = 1;
    this.out.push(b);
    this.outArea += this.area[b] ?? 0;
  }

  /** False when a fixed buffer is above the ceiling. */
  private takeOutAbove(ceiling: number): boolean {
    const { instance, shelves, area } = this;
    for (let b = 0; b < instance.count; b++) {
      if (this.isOut[b] === 1 || (shelves.offsetUnits[b] ?? 0) + (instance.sizeUnits[b] ?? 0) <= ceiling) continue;
      if ((instance.fixedUnits[b] ?? -1) >= 0) return false;
      this.takeOut(b);
    }
    this.out.sort((a, b) => (area[a] ?? 0) - (area[b] ?? 0) || a - b);
    return true;
  }

  /** Whether all that is out found a place below the ceiling. */
  private putBack(ceiling: number, patience: number, workLimit: number): boolean {
    const { instance, shelves, area, weight } = this;
    let least = this.outArea;
    for (let idle = 0; shelves.work <= workLimit && idle <= patience; idle++) {
      const b = this.out.pop();
      if (b === undefined) return true;
      const neighbours = shelves.gather(b);
      let at = this.tightestGap(b, neighbours, ceiling);
      if (at < 0) {
        weight[b] = (weight[b] ?? 0) + LEARNING * (area[b] ?? 0);
        at = this.cheapestPlace(b, neighbours, ceiling);
        if (at < 0) {
          this.out.push(b);
          return false;
        }
        this.clear(at, at + (instance.sizeUnits[b] ?? 0), neighbours);
      }
      shelves.place(b, at);
      this.isOut[b] = 0;
      this.outArea -= area[b] ?? 0;
      if (this.outArea < least) {
        least = this.outArea;
        idle = 0;
      }
    }
    return this.out.length === 0;
  }

  /** Takes out those of the gathered neighbours that have bytes in [bottom, top), the largest to be put back first. */
  private clear(bottom: number, top: number, neighbours: number): void {
    const { ids, bottoms } = this.shelves;
    const { sizeUnits } = this.instance;
    const before = this.out.length;
    for (let i = 0; i < neighbours; i++) {
      const from = bottoms[i] ?? 0;
      if (from >= top) break;
      const c = ids[i] ?? 0;
      if (from + (sizeUnits[c] ?? 0) > bottom) this.takeOut(c);
    }
    const last = this.out.splice(before);
    last.sort((a, b) => (this.area[a] ?? 0) - (this.area[b] ?? 0) || a - b);
    this.out.push(...last);
  }

  /** An offset, or -1. */
  private tightestGap(b: number, neighbours: number, ceiling: number): number {
    const { ids, bottoms } = this.shelves;
    const { sizeUnits, alignUnits } = this.instance;
    const size = sizeUnits[b] ?? 0;
    const align = alignUnits[b] ?? 1;
    let low = 0;
    let best = -1;
    let leastSpare = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= neighbours; i++) {
      const bottom = i < neighbours ? (bottoms[i] ?? 0) : ceiling;
      if (bottom - low >= size) {
        const at = align === 1 ? low : Math.ceil(low / align) * align;
        const spare = bottom - at - size;
        if (spare >= 0 && spare < leastSpare) {
          best = at;
          leastSpare = spare;
        }
      }
      if (i === neighbours) break;
      const top = bottom + (sizeUnits[ids[i] ?? 0] ?? 0);
      if (top > low) low = top;
    }
    return best;
  }

  /** The offset at which those in the way weigh least, on top of one neighbour or right below one; -1 when there is none. */
  private cheapestPlace(b: number, neighbours: number, ceiling: number): number {
    const { bottoms, tops } = this.shelves;
    const size = this.instance.sizeUnits[b] ?? 0;
    const align = this.instance.alignUnits[b] ?? 1;
    this.shelves.gatherTops(b);
    this.shelves.work += 3 * neighbours;
    const scale = new PlaceScale(this.shelves, this.weight, neighbours, size, this.seed);
    scale.weigh(0);
    for (let i = 0; i < neighbours; i++) {
      const top = tops[i] ?? 0;
      const at = align === 1 ? top : Math.ceil(top / align) * align;
      if (at + size > ceiling) break;
      scale.weigh(at);
    }
    scale.rewind();
    for (let i = 0; i <= neighbours; i++) {
      const highest = (i < neighbours ? (bottoms[i] ?? 0) : ceiling) - size;
      if (highest < 0) continue;
      const at = align === 1 ? highest : Math.floor(highest / align) * align;
      if (at + size > ceiling) break;
      scale.weigh(at);
    }
    this.seed = scale.seed;
    return size > ceiling || scale.leastWeight === Number.POSITIVE_INFINITY ? -1 : scale.bestAt;
  }
}

/** Weighs what is in the way of [at, at + size), for offsets that grow. */
class PlaceScale {
  seed: number;
  bestAt = -1;
  leastWeight = Number.POSITIVE_INFINITY;
  private readonly shelves: Shelves;
  private readonly weight: Float64Array;
  private readonly neighbours: number;
  private readonly size: number;
  private begun = 0; // those whose bottoms are below the top of the place
  private ended = 0; // of these, those whose tops are at or below its bottom: not in the way
  private sum = 0;
  private rigid = 0; // fixed ones in the way: their weight is infinite, and does not go into the sum

  constructor(shelves: Shelves, weight: Float64Array, neighbours: number, size: number, seed: number) {
    this.shelves = shelves;
    this.weight = weight;
    this.neighbours = neighbours;
    this.size = size;
    this.seed = seed;
  }

  rewind(): void {
    this.begun = 0;
    this.ended = 0;
    this.sum = 0;
    this.rigid = 0;
  }

  weigh(at: number): void {
    const { weight, neighbours } = this;
    const { ids, bottoms, topIds, tops } = this.shelves;
    const top = at + this.size;
    for (; this.begun < neighbours && (bottoms[this.begun] ?? 0) < top; this.begun++) {
      const one = weight[ids[this.begun] ?? 0] ?? 0;
      if (one === Number.POSITIVE_INFINITY) this.rigid += 1;
      else this.sum += one;
    }
    for (; this.ended < neighbours && (tops[this.ended] ?? 0) <= at; this.ended++) {
      const one = weight[topIds[this.ended] ?? 0] ?? 0;
      if (one === Number.POSITIVE_INFINITY) this.rigid -= 1;
      else this.sum -= one;
    }
    if (this.rigid > 0 || this.sum >= this.leastWeight) return;
    this.seed = (Math.imul(this.seed, 1103515245) + 12345) & 0x7fffffff;
    const noisy = this.sum * (1 + (NOISE * this.seed) / 0x80000000);
    if (noisy >= this.leastWeight) return;
    this.leastWeight = noisy;
    this.bestAt = at;
  }
}
