/**
 * What is known about every byte of a memory: the event that wrote it last, and the latest command of each of two queues
 * that read it.
 *
 * Memory comes in pages. As long as all bytes of a page have one history it is one entry ("uniform"); when an access
 * covers only a part of it, it is cut into units of 2^shift bytes that each have one, as large as the bounds of the accesses
 * so far allow. A write over the whole page makes it uniform again. Schedules move long runs, and pixels of a multiple of some
 * bytes, so most work is a few operations per page.
 *
 *   uniform:   writer, readerA, readerB              one number each
 *   detailed:  writer, readerA, readerB of unit 0, of unit 1, ...: PAGE_BYTES >> shift units
 */
const PAGE_SHIFT = 9;
const PAGE_BYTES = 1 << PAGE_SHIFT;
/** No unit is larger than half a page. */
const LARGEST_SHIFT = PAGE_SHIFT - 1;

/** From units of so many bytes on it is not worth it to make a page uniform. */
const FEW_UNITS_SHIFT = 5;

/** Is told of every change in who wrote or read along the bytes of an access; addresses are where the change begins. */
export interface Witness {
  /** Bytes from `address` on, about to be read, were last written by this event (0: by none). */
  sawWriter(event: number, address: number): void;
  /** Bytes from `address` on, about to be overwritten, were last written by this event. */
  overwrites(event: number, address: number): void;
  /** Bytes from `address` on, about to be overwritten, were last read by these commands of the two queues (0: by none). */
  overwritesRead(readerA: number, readerB: number, address: number): void;
}

/**
 * A long read that may come again, byte for byte the same: as long as nothing overwrites the range, all there is to say of the
 * next one is who reads. That is kept here, and put into the pages when somebody is about to overwrite one of them.
 */
export interface StandingRead {
  readonly start: number;
  readonly end: number;
  readonly isQueueB: boolean;
  reader: number;
  isStanding: boolean;
}

/** Standing reads are found by the parts of memory that they reach into. */
const PART_BYTES = 1 << 16;

/** A page that is cut into units; of each, its writer and its two readers. */
interface Detail {
  readonly shift: number;
  readonly units: Uint32Array;
}

export class ShadowMemory {
  private readonly writers: Uint32Array;
  private readonly readersA: Uint32Array;
  private readonly readersB: Uint32Array;
  private readonly details: (Detail | undefined)[];
  /** Details that no page needs at present, by their shift. */
  private readonly spare: readonly Detail[][] = Array.from({ length: PAGE_SHIFT }, () => []);
  private readonly standing: (StandingRead[] | undefined)[];

  constructor(readonly bytes: number) {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    this.writers = new Uint32Array(pages);
    this.readersA = new Uint32Array(pages);
    this.readersB = new Uint32Array(pages);
    this.details = new Array<Detail | undefined>(pages).fill(undefined);
    this.standing = new Array<StandingRead[] | undefined>(Math.ceil(bytes / PART_BYTES)).fill(undefined);
  }

  /** From now on `read.reader` may be raised instead of calling `read`, while `read.isStanding`. */
  letStand(read: StandingRead): void {
    read.isStanding = true;
    for (let part = Math.floor(read.start / PART_BYTES); part * PART_BYTES < read.end; part++) {
      const list = this.standing[part];
      if (list === undefined) this.standing[part] = [read];
      else list.push(read);
    }
  }

  /** Puts it into the pages, from where it is looked up. */
  settle(read: StandingRead): void {
    if (!read.isStanding) return;
    read.isStanding = false;
    for (let part = Math.floor(read.start / PART_BYTES); part * PART_BYTES < read.end; part++) {
      const list = this.standing[part]?.filter((other) => other !== read) ?? [];
      this.standing[part] = list.length === 0 ? undefined : list;
    }
    const { reader, isQueueB } = read;
    const readers = isQueueB ? this.readersB : this.readersA;
    const slot = isQueueB ? 2 : 1;
    for (let at = read.start; at < read.end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, read.end - page * PAGE_BYTES);
      at = page * PAGE_BYTES + last;
      const isWhole = first === 0 && last === PAGE_BYTES;
      if (this.details[page] === undefined && isWhole) {
        // Others may have read the page since.
        if ((readers[page] ?? 0) < reader) readers[page] = reader;
        continue;
      }
      const { shift, units } = this.detailFor(page, first, last);
      for (let i = first >> shift; i < last >> shift; i++)
        units[3 * i + slot] = Math.max(units[3 * i + slot] ?? 0, reader);
    }
  }

  private settleBefore(start: number, end: number): void {
    for (let part = Math.floor(start / PART_BYTES); part * PART_BYTES < end; part++) {
      const list = this.standing[part];
      if (list === undefined) continue;
      for (const read of list) if (read.start < end && read.end > start) this.settle(read);
    }
  }

  /**
   * [start, end) is read by command `reader` of queue A (or B).
   * @param reader 0 leaves no trace of the read
   */
  read(start: number, end: number, reader: number, isQueueB: boolean, witness: Witness): void {
    const readers = isQueueB ? this.readersB : this.readersA;
    const slot = isQueueB ? 2 : 1;
    let lastWriter = -1;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const base = page * PAGE_BYTES;
      const first = at - base;
      const last = Math.min(PAGE_BYTES, end - base);
      at = base + last;
      let detail = this.details[page];
      if (detail === undefined) {
        const writer = this.writers[page] ?? 0;
        if (writer !== lastWriter) {
          lastWriter = writer;
          witness.sawWriter(writer, base + first);
        }
        if (reader === 0 || readers[page] === reader) continue;
        if (first === 0 && last === PAGE_BYTES) {
          readers[page] = reader;
          continue;
        }
      }
      if (reader !== 0 && !isCutFor(detail, first | last)) detail = this.detailFor(page, first, last);
      if (detail === undefined) continue;
      const { shift, units } = detail;
      const stop = (last - 1) >> shift;
      for (let i = first >> shift; i <= stop; i++) {
        const writer = units[3 * i] ?? 0;
        if (reader !== 0) units[3 * i + slot] = reader;
        if (writer === lastWriter) continue;
        lastWriter = writer;
        witness.sawWriter(writer, base + Math.max(first, i << shift));
      }
    }
  }

  /** [start, end) is overwritten by an event; who read it before is forgotten. */
  write(start: number, end: number, event: number, witness: Witness): void {
    this.settleBefore(start, end);
    let lastWriter = -1;
    let lastA = 0;
    let lastB = 0;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const base = page * PAGE_BYTES;
      const first = at - base;
      const last = Math.min(PAGE_BYTES, end - base);
      const isWhole = first === 0 && last === PAGE_BYTES;
      at = base + last;
      let detail = this.details[page];
      if (detail === undefined && isWhole) {
        const writer = this.writers[page] ?? 0;
        const a = this.readersA[page] ?? 0;
        const b = this.readersB[page] ?? 0;
        if (writer !== lastWriter) {
          lastWriter = writer;
          witness.overwrites(writer, base);
        }
        if (a !== lastA || b !== lastB) {
          lastA = a;
          lastB = b;
          witness.overwritesRead(a, b, base);
        }
        this.makeUniform(page, event);
        continue;
      }
      if (!isCutFor(detail, first | last)) detail = this.detailFor(page, first, last);
      const { shift, units } = detail;
      const stop = last >> shift;
      for (let i = first >> shift; i < stop; i++) {
        const writer = units[3 * i] ?? 0;
        const a = units[3 * i + 1] ?? 0;
        const b = units[3 * i + 2] ?? 0;
        if (writer !== lastWriter) {
          lastWriter = writer;
          witness.overwrites(writer, base + (i << shift));
        }
        if (a !== lastA || b !== lastB) {
          lastA = a;
          lastB = b;
          witness.overwritesRead(a, b, base + (i << shift));
        }
        units[3 * i] = event;
        units[3 * i + 1] = 0;
        units[3 * i + 2] = 0;
      }
      // Few units are left as they are: what is read of a page in parts once, is so again.
      if (isWhole && shift < FEW_UNITS_SHIFT) this.makeUniform(page, event);
    }
  }

  /** Makes [start, end) written by an event without asking anybody: what the host puts there. */
  set(start: number, end: number, event: number): void {
    this.write(start, end, event, NOBODY);
  }

  private makeUniform(page: number, event: number): void {
    const detail = this.details[page];
    if (detail !== undefined) {
      this.spare[detail.shift]?.push(detail);
      this.details[page] = undefined;
    }
    this.writers[page] = event;
    this.readersA[page] = 0;
    this.readersB[page] = 0;
  }

  /** The page in units small enough for an access to [first, last) of it. */
  private detailFor(page: number, first: number, last: number): Detail {
    const bounds = first | last;
    const wanted = bounds === 0 ? LARGEST_SHIFT : Math.min(LARGEST_SHIFT, 31 - Math.clz32(bounds & -bounds));
    const detail = this.details[page];
    if (detail !== undefined && detail.shift <= wanted) return detail;
    const finer = this.spare[wanted]?.pop() ?? { shift: wanted, units: new Uint32Array(3 * (PAGE_BYTES >> wanted)) };
    const { units } = finer;
    // Of the page, or of its units so far: what each of the smaller units begins with.
    const coarse = detail === undefined ? 31 : detail.shift - wanted;
    for (let i = 0; i < PAGE_BYTES >> wanted; i++) {
      const from = 3 * (i >> coarse);
      units[3 * i] = (detail === undefined ? this.writers[page] : detail.units[from]) ?? 0;
      units[3 * i + 1] = (detail === undefined ? this.readersA[page] : detail.units[from + 1]) ?? 0;
      units[3 * i + 2] = (detail === undefined ? this.readersB[page] : detail.units[from + 2]) ?? 0;
    }
    if (detail !== undefined) this.spare[detail.shift]?.push(detail);
    this.details[page] = finer;
    return finer;
  }
}

/** Whether an access with these bounds, one or the other, is one to whole units. */
function isCutFor(detail: Detail | undefined, bounds: number): detail is Detail {
  return detail !== undefined && (bounds & ((1 << detail.shift) - 1)) === 0;
}

const NOBODY: Witness = { sawWriter() {}, overwrites() {}, overwritesRead() {} };
