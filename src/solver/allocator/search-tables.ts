import type { Instance } from './instance.js';

/** Lists of integers, one after the other: list i is values[start[i]] up to values[start[i + 1]]. */
export interface Lists {
  readonly start: Int32Array;
  readonly values: Int32Array;
}

/** What the search looks up and never changes. */
export interface SearchTables {
  readonly sizes: Int32Array;
  readonly aligns: Int32Array;
  readonly fixed: Int32Array; // -1 where free
  /** Whether offsets need more than "on top of what is below": some buffer is aligned or fixed. */
  readonly hasObstacles: boolean;
  readonly sectionsOf: Lists; // per buffer
  readonly buffersOf: Lists; // per section
  readonly neighboursOf: Lists; // per buffer: the others that are ever live with it
  readonly firstSection: Int32Array;
  readonly lastSection: Int32Array; // inclusive; gaps count as inside
}

export function buildTables(instance: Instance): SearchTables {
  const { count, sectionCount, rangeStart, rangeFirst, rangeLast } = instance;
  const sectionsOf: number[][] = [];
  const buffersOf: number[][] = Array.from({ length: sectionCount }, () => []);
  for (let b = 0; b < count; b++) {
    const sections: number[] = [];
    for (let k = rangeStart[b] ?? 0; k < (rangeStart[b + 1] ?? 0); k++) {
      for (let s = rangeFirst[k] ?? 0; s <= (rangeLast[k] ?? 0); s++) {
        sections.push(s);
        buffersOf[s]?.push(b);
      }
    }
    sectionsOf.push(sections);
  }
  const seenBy = new Int32Array(count).fill(-1);
  const neighboursOf = sectionsOf.map((sections, b) => {
    seenBy[b] = b;
    const neighbours: number[] = [];
    for (const s of sections) {
      for (const c of buffersOf[s] ?? []) {
        if (seenBy[c] === b) continue;
        seenBy[c] = b;
        neighbours.push(c);
      }
    }
    return neighbours;
  });
  const aligns = Int32Array.from(instance.alignUnits);
  const fixed = Int32Array.from(instance.fixedUnits);
  return {
    sizes: Int32Array.from(instance.sizeUnits),
    aligns,
    fixed,
    hasObstacles: aligns.some((align) => align !== 1) || fixed.some((at) => at >= 0),
    sectionsOf: toLists(sectionsOf),
    buffersOf: toLists(buffersOf),
    neighboursOf: toLists(neighboursOf),
    firstSection: Int32Array.from(sectionsOf, (sections) => sections[0] ?? 0),
    lastSection: Int32Array.from(sectionsOf, (sections) => sections[sections.length - 1] ?? 0),
  };
}

function toLists(lists: readonly (readonly number[])[]): Lists {
  const start = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    start[i + 1] = (start[i] ?? 0) + list.length;
  });
  const values = new Int32Array(start[lists.length] ?? 0);
  lists.forEach((list, i) => {
    values.set(list, start[i] ?? 0);
  });
  return { start, values };
}

/** Far above any offset. */
export const NEVER = 1 << 30;

/** The lowest offset >= `from` at which buffer b is aligned and clear of the fixed buffers; `NEVER` when there is none. */
export function settle(tables: SearchTables, b: number, from: number): number {
  const { sizes, aligns, fixed, neighboursOf } = tables;
  const fixedAt = fixed[b] ?? -1;
  if (fixedAt >= 0) return fixedAt < from ? NEVER : fixedAt;
  const align = aligns[b] ?? 1;
  const end = neighboursOf.start[b + 1] ?? 0;
  let at = Math.ceil(from / align) * align;
  for (let moved = true; moved; ) {
    moved = false;
    for (let k = neighboursOf.start[b] ?? 0; k < end; k++) {
      const c = neighboursOf.values[k] ?? 0;
      const bottom = fixed[c] ?? -1;
      if (bottom < 0 || bottom >= at + (sizes[b] ?? 0)) continue;
      const top = bottom + (sizes[c] ?? 0);
      if (top <= at) continue;
      at = Math.ceil(top / align) * align;
      moved = true;
    }
  }
  return at;
}
