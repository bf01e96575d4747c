import { type Instance, sectionLoads, sharesSection } from './instance.js';
import { fillSkyline, skylineOrder } from './skyline.js';

/** An arrangement in units of the instance, free of overlaps. */
export interface Arrangement {
  readonly offsetUnits: Float64Array;
  readonly heightBytes: number;
}

/** Of more than this each walk takes a good part of a second: fewer orders, no repairs; time goes to the local search. */
export const MANY_BUFFERS = 1_200;

/** For the skyline of many buffers. Keys are sections x size to the power. */
const SKYLINES = [
  { power: 0, thrift: 0 },
  { power: 0, thrift: 0.01 },
  { power: 0.15, thrift: 0.003 },
  { power: 0.4, thrift: 0 },
  { power: 0.4, thrift: 0.01 },
] as const;

/** What the thrift of a skyline is a share of: the room up to this multiple of the load. */
const SKYLINE_ROOM = 1.02;

/** Within this multiple of the load, the local search gains more than other skylines. */
const SKYLINE_ENOUGH = 1.015;

// Of `staticKeys`.
const AREA = 0;
const DURATION = 2;

export function heightBytesOf(instance: Instance, offsetUnits: Float64Array): number {
  let heightBytes = 0;
  for (let b = 0; b < instance.count; b++) heightBytes = Math.max(heightBytes, topBytes(instance, offsetUnits, b));
  return heightBytes;
}

function topBytes(instance: Instance, offsetUnits: Float64Array, b: number): number {
  return ((offsetUnits[b] ?? 0) + (instance.sizeUnits[b] ?? 0)) * instance.unitBytes - (instance.padBytes[b] ?? 0);
}

/**
 * First fit: each buffer in turn goes to the lowest offset that is free during its whole life. Fixed buffers go first.
 *
 * The placed buffers are kept sorted by offset, so that one walk finds the lowest gap. Quadratic, and fine: the walk is
 * over flat arrays, 10,000 buffers take a quarter of a second.
 */
export function firstFit(instance: Instance, order: readonly number[]): Arrangement {
  const { count, sizeUnits, alignUnits, fixedUnits, rangeStart, rangeFirst, rangeLast } = instance;
  const offsetUnits = new Float64Array(count);
  const sorted = order.filter((b) => (fixedUnits[b] ?? -1) >= 0);
  sorted.sort((a, b) => (fixedUnits[a] ?? 0) - (fixedUnits[b] ?? 0));
  const bottoms = new Float64Array(count);
  const tops = new Float64Array(count);
  const firsts = new Int32Array(count); // hull of the life: a quick no
  const lasts = new Int32Array(count);
  const ids = new Int32Array(count);
  let placed = 0;
  const insert = (b: number, at: number, index: number): void => {
    for (const list of [bottoms, tops, firsts, lasts, ids]) list.copyWithin(index + 1, index, placed);
    offsetUnits[b] = at;
    bottoms[index] = at;
    tops[index] = at + (sizeUnits[b] ?? 0);
    firsts[index] = rangeFirst[rangeStart[b] ?? 0] ?? 0;
    lasts[index] = rangeLast[(rangeStart[b + 1] ?? 0) - 1] ?? 0;
    ids[index] = b;
    placed += 1;
  };
  sorted.forEach((b, index) => {
    insert(b, fixedUnits[b] ?? 0, index);
  });
  const simple = rangeFirst.length === count; // no buffer has a gap: the hulls decide
  for (const b of order) {
    if ((fixedUnits[b] ?? -1) >= 0) continue;
    const first = rangeFirst[rangeStart[b] ?? 0] ?? 0;
    const last = rangeLast[(rangeStart[b + 1] ?? 0) - 1] ?? 0;
    const size = sizeUnits[b] ?? 0;
    const align = alignUnits[b] ?? 1;
    let at = 0;
    for (let i = 0; i < placed; i++) {
      if ((firsts[i] ?? 0) > last || (lasts[i] ?? 0) < first) continue;
      if ((tops[i] ?? 0) <= at) continue;
      if (!simple && !sharesSection(instance, b, ids[i] ?? 0)) continue;
      if ((bottoms[i] ?? 0) >= at + size) break;
      at = tops[i] ?? 0;
      if (align !== 1) at = Math.ceil(at / align) * align;
    }
    let low = 0;
    let high = placed;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bottoms[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    insert(b, at, low);
  }
  return { offsetUnits, heightBytes: heightBytesOf(instance, offsetUnits) };
}

/** Sections that each buffer is live in. */
export function widthSections(instance: Instance): Float64Array {
  const widths = new Float64Array(instance.count);
  for (let b = 0; b < instance.count; b++) {
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      widths[b] = (widths[b] ?? 0) + (instance.rangeLast[k] ?? 0) - (instance.rangeFirst[k] ?? 0) + 1;
    }
  }
  return widths;
}

/** Keys to sort by, largest first; each is good at some kind of problem, none at all. */
export function staticKeys(instance: Instance): Float64Array[] {
  const width = widthSections(instance);
  const size = instance.sizeUnits;
  const loads = sectionLoads(instance);
  const peak = new Float64Array(instance.count); // the load of the fullest section of each buffer's life
  for (let b = 0; b < instance.count; b++) {
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      for (let s = instance.rangeFirst[k] ?? 0; s <= (instance.rangeLast[k] ?? 0); s++) {
        peak[b] = Math.max(peak[b] ?? 0, loads[s] ?? 0);
      }
    }
  }
  const key = (of: (width: number, size: number, peak: number) => number): Float64Array =>
    size.map((units, b) => of(width[b] ?? 0, units, peak[b] ?? 0));
  return [
    key((w, z) => w * z),
    key((_w, z) => z),
    key((w) => w),
    key((w, z) => w * w * z),
    key((w, z) => w * z * z),
    key((w, z, p) => p * 4096 + w * z * 1e-6),
  ];
}

export function orderBy(key: Float64Array): number[] {
  return Array.from(key.keys()).sort((a, b) => (key[b] ?? 0) - (key[a] ?? 0) || a - b);
}

/**
 * First fit under every static order and under the hints, then under orders that learn: the buffer that ended highest moves
 * forward, and the walk is repeated. Stops at the first arrangement within `goalBytes`.
 */
export function greedyPortfolio(instance: Instance, goalBytes: number, repairRounds: number): Arrangement {
  let bestOrder: number[] = Array.from({ length: instance.count }, (_, b) => b);
  let best: Arrangement | undefined;
  const consider = (order: number[]): boolean => {
    const arrangement = firstFit(instance, order);
    if (best === undefined || arrangement.heightBytes < best.heightBytes) {
      best = arrangement;
      bestOrder = order;
    }
    return best.heightBytes <= goalBytes;
  };
  const hints = instance.hintUnits;
  const hinted = hints.some((hint) => hint >= 0);
  if (hinted && consider(orderBy(hints.map((hint) => (hint < 0 ? -Number.MAX_VALUE : -hint)))))
    return best ?? firstFit(instance, bestOrder);
  const keys = staticKeys(instance);
  if (instance.count > MANY_BUFFERS) {
    consider(orderBy(keys[AREA] ?? instance.sizeUnits)) ||
      consider(bestSkylineOrder(instance, goalBytes / instance.unitBytes));
    return best ?? firstFit(instance, bestOrder);
  }
  for (const key of keys) {
    if (consider(orderBy(key))) return best ?? firstFit(instance, bestOrder);
  }
  for (const key of keys.slice(DURATION, DURATION + 2)) {
    // long lives first does the skyline good
    if (consider(skylineOrder(instance, key))) return best ?? firstFit(instance, bestOrder);
  }
  let order = bestOrder;
  let current = best ?? firstFit(instance, order);
  for (let round = 0; round < repairRounds; round++) {
    order = bringForward(instance, order, current);
    current = firstFit(instance, order);
    if (best === undefined || current.heightBytes < best.heightBytes) best = current;
    if (best.heightBytes <= goalBytes) return best;
  }
  return best ?? current;
}

function bestSkylineOrder(instance: Instance, loadUnits: number): number[] {
  const widths = widthSections(instance);
  let best: { order: number[]; heightUnits: number } | undefined;
  for (const { power, thrift } of SKYLINES) {
    const key = widths.map((width, b) => width * (instance.sizeUnits[b] ?? 0) ** power);
    const filled = fillSkyline(instance, key, { targetUnits: loadUnits * SKYLINE_ROOM, share: thrift });
    if (best === undefined || filled.heightUnits < best.heightUnits) best = filled;
    if (best.heightUnits <= loadUnits * SKYLINE_ENOUGH) break;
  }
  return best?.order ?? [];
}

/** The order with the buffers that reach the top moved half way to the front. */
function bringForward(instance: Instance, order: readonly number[], arrangement: Arrangement): number[] {
  const rank = new Float64Array(instance.count);
  order.forEach((b, index) => {
    const top = topBytes(instance, arrangement.offsetUnits, b);
    rank[b] = top >= arrangement.heightBytes ? index / 2 - 0.5 : index;
  });
  return [...order].sort((a, b) => (rank[a] ?? 0) - (rank[b] ?? 0));
}
