import type { Instance } from './instance.js';
import { buildTables, NEVER, type SearchTables, settle } from './search-tables.js';

/** What the arrangement must stay below. */
export interface SearchTarget {
  /** Largest offset of each buffer, in units. */
  readonly maxOffsetUnits: Float64Array;
  /** Units that the buffers of each section may take, waste included. */
  readonly roomUnits: Float64Array;
}

/**
 * A partial arrangement, with what follows from it, and the way back.
 *
 * Every buffer that is not placed has a lower bound of its offset. Per section, of the buffers not placed yet:
 *
 *   floor   the lowest of those bounds: nothing will start below it there, so what is free below it is wasted
 *   rest    the sum of their sizes;  floor + rest > room means that this branch is dead
 *
 * All numbers live in one array, so that one trail of (index, old value) undoes everything.
 */
export class SearchState {
  readonly tables: SearchTables;
  readonly count: number;
  readonly sectionCount: number;
  readonly cells: Int32Array;
  // Bases of the parts of `cells`. Buffers: 1 when placed is at base 0.
  readonly boundAt: number; // lowest offset that is still possible
  readonly supportAt: number; // the offset on top of what is placed below; the bound may have been argued higher
  readonly floorAt: number;
  readonly restAt: number;
  readonly leastTopAt: number; // least bound + size
  readonly leastTopOfAt: number; // the buffer that has it
  readonly secondTopAt: number; // the same without that buffer
  readonly lowestAt: number; // how many buffers have their bound at the floor
  readonly nextAt: number; // the lowest bound above the floor
  readonly spanAt: number; // unplaced buffers that live on in the next section
  /** How often a section was the reason of a dead end. */
  readonly blame: Float64Array;
  maxOffsets: Int32Array = new Int32Array(0);
  rooms: Int32Array = new Int32Array(0);
  trailLength = 0;
  private trail: Int32Array = new Int32Array(1 << 14);
  private readonly dirty: Int32Array;
  private readonly isDirty: Uint8Array;
  private dirtyCount = 0;

  constructor(instance: Instance) {
    this.tables = buildTables(instance);
    this.count = instance.count;
    this.sectionCount = instance.sectionCount;
    let cellCount = this.count;
    const part = (length: number): number => {
      cellCount += length;
      return cellCount - length;
    };
    this.boundAt = part(this.count);
    this.supportAt = part(this.count);
    this.floorAt = part(this.sectionCount);
    this.restAt = part(this.sectionCount);
    this.leastTopAt = part(this.sectionCount);
    this.leastTopOfAt = part(this.sectionCount);
    this.secondTopAt = part(this.sectionCount);
    this.lowestAt = part(this.sectionCount);
    this.nextAt = part(this.sectionCount);
    this.spanAt = part(this.sectionCount);
    this.cells = new Int32Array(cellCount);
    this.blame = new Float64Array(this.sectionCount);
    this.dirty = new Int32Array(this.sectionCount);
    this.isDirty = new Uint8Array(this.sectionCount);
  }

  /** Empties the arrangement. False when the target is out of reach from the start. */
  reset(target: SearchTarget): boolean {
    const { cells, tables, boundAt, supportAt, restAt, spanAt } = this;
    this.maxOffsets = Int32Array.from(target.maxOffsetUnits);
    this.rooms = Int32Array.from(target.roomUnits);
    this.undo(0);
    cells.fill(0);
    this.blame.fill(1);
    let possible = true;
    for (let b = 0; b < this.count; b++) {
      const at = settle(tables, b, 0);
      cells[boundAt + b] = at;
      cells[supportAt + b] = at;
      possible &&= at <= (this.maxOffsets[b] ?? 0);
      for (let k = tables.sectionsOf.start[b] ?? 0; k < (tables.sectionsOf.start[b + 1] ?? 0); k++) {
        const s = tables.sectionsOf.values[k] ?? 0;
        cells[restAt + s] = (cells[restAt + s] ?? 0) + (tables.sizes[b] ?? 0);
      }
      for (let s = tables.firstSection[b] ?? 0; s < (tables.lastSection[b] ?? 0); s++) {
        cells[spanAt + s] = (cells[spanAt + s] ?? 0) + 1;
      }
    }
    for (let s = 0; s < this.sectionCount; s++) this.markDirty(s);
    return possible && this.refresh();
  }

  undo(mark: number): void {
    const { trail, cells } = this;
    let length = this.trailLength;
    while (length > mark) {
      length -= 2;
      cells[trail[length] ?? 0] = trail[length + 1] ?? 0;
    }
    this.trailLength = mark;
    for (let i = 0; i < this.dirtyCount; i++) this.isDirty[this.dirty[i] ?? 0] = 0;
    this.dirtyCount = 0;
  }

  private write(index: number, value: number): void {
    if (this.trailLength + 2 > this.trail.length) {
      const longer = new Int32Array(this.trail.length * 2);
      longer.set(this.trail);
      this.trail = longer;
    }
    this.trail[this.trailLength] = index;
    this.trail[this.trailLength + 1] = this.cells[index] ?? 0;
    this.trailLength += 2;
    this.cells[index] = value;
  }

  private markDirty(s: number): void {
    if (this.isDirty[s] === 1) return;
    this.isDirty[s] = 1;
    this.dirty[this.dirtyCount] = s;
    this.dirtyCount += 1;
  }

  /** Argues the lower bound of an unplaced buffer up to `least`. False when it then ends too high. Call `refresh` after. */
  raise(b: number, least: number): boolean {
    const { cells, tables } = this;
    const at = tables.hasObstacles ? settle(tables, b, least) : least;
    if (at <= (cells[this.boundAt + b] ?? 0)) return true;
    const { start, values } = tables.sectionsOf;
    const end = start[b + 1] ?? 0;
    if (at > (this.maxOffsets[b] ?? 0)) {
      for (let k = start[b] ?? 0; k < end; k++) {
        const s = values[k] ?? 0;
        this.blame[s] = (this.blame[s] ?? 0) + 0.1;
      }
      return false;
    }
    this.write(this.boundAt + b, at);
    for (let k = start[b] ?? 0; k < end; k++) this.markDirty(values[k] ?? 0);
    return true;
  }

  /** Puts a buffer at its lower bound. False on a contradiction. */
  place(b: number): boolean {
    const { cells, tables, supportAt, restAt, spanAt } = this;
    const { sectionsOf, neighboursOf, sizes, fixed } = tables;
    const size = sizes[b] ?? 0;
    const top = (cells[this.boundAt + b] ?? 0) + size;
    this.write(b, 1);
    const sectionsEnd = sectionsOf.start[b + 1] ?? 0;
    for (let k = sectionsOf.start[b] ?? 0; k < sectionsEnd; k++) {
      const s = sectionsOf.values[k] ?? 0;
      this.write(restAt + s, (cells[restAt + s] ?? 0) - size);
      this.markDirty(s);
    }
    const last = tables.lastSection[b] ?? 0;
    for (let s = tables.firstSection[b] ?? 0; s < last; s++) this.write(spanAt + s, (cells[spanAt + s] ?? 0) - 1);
    const neighboursEnd = neighboursOf.start[b + 1] ?? 0;
    for (let k = neighboursOf.start[b] ?? 0; k < neighboursEnd; k++) {
      const c = neighboursOf.values[k] ?? 0;
      if (cells[c] === 1 || (cells[supportAt + c] ?? 0) >= top) continue;
      if ((fixed[c] ?? -1) >= 0) return false; // a fixed buffer below the top of what was put below it
      const at = tables.hasObstacles ? settle(tables, c, top) : top;
      this.write(supportAt + c, at);
      if (!this.raise(c, at)) return false;
    }
    return this.refresh();
  }

  /** Brings the sections up to date. False when one of them cannot hold what it must. */
  refresh(): boolean {
    const { cells, tables, boundAt } = this;
    const { start, values } = tables.buffersOf;
    const { sizes } = tables;
    while (this.dirtyCount > 0) {
      this.dirtyCount -= 1;
      const s = this.dirty[this.dirtyCount] ?? 0;
      this.isDirty[s] = 0;
      let floor = NEVER;
      let next = NEVER;
      let lowest = 0;
      let leastTop = NEVER;
      let leastTopOf = -1;
      let secondTop = NEVER;
      const end = start[s + 1] ?? 0;
      for (let k = start[s] ?? 0; k < end; k++) {
        const b = values[k] ?? 0;
        if (cells[b] === 1) continue;
        const bound = cells[boundAt + b] ?? 0;
        if (bound < floor) {
          next = floor;
          floor = bound;
          lowest = 1;
        } else if (bound === floor) lowest += 1;
        else if (bound < next) next = bound;
        const top = bound + (sizes[b] ?? 0);
        if (top < leastTop) {
          secondTop = leastTop;
          leastTop = top;
          leastTopOf = b;
        } else if (top < secondTop) secondTop = top;
      }
      const rest = cells[this.restAt + s] ?? 0;
      if (rest > 0 && floor + rest > (this.rooms[s] ?? 0)) {
        this.blame[s] = (this.blame[s] ?? 0) + 1;
        return false;
      }
      if (cells[this.floorAt + s] !== floor) this.write(this.floorAt + s, floor);
      if (cells[this.nextAt + s] !== next) this.write(this.nextAt + s, next);
      if (cells[this.lowestAt + s] !== lowest) this.write(this.lowestAt + s, lowest);
      if (cells[this.leastTopAt + s] !== leastTop) this.write(this.leastTopAt + s, leastTop);
      if (cells[this.leastTopOfAt + s] !== leastTopOf) this.write(this.leastTopOfAt + s, leastTopOf);
      if (cells[this.secondTopAt + s] !== secondTop) this.write(this.secondTopAt + s, secondTop);
    }
    return true;
  }

  /** Least top that an unplaced buffer live with b can have; any of them where one is at most `enough`. */
  leastTopAround(b: number, enough: number): number {
    const { cells, leastTopAt, leastTopOfAt, secondTopAt } = this;
    const { start, values } = this.tables.sectionsOf;
    const end = start[b + 1] ?? 0;
    let least = NEVER;
    for (let k = start[b] ?? 0; k < end; k++) {
      const s = values[k] ?? 0;
      const top = (cells[leastTopOfAt + s] === b ? cells[secondTopAt + s] : cells[leastTopAt + s]) ?? 0;
      if (top >= least) continue;
      least = top;
      if (top <= enough) break;
    }
    return least;
  }
}
