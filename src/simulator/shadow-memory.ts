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
 *   detailed:  writer[0..n), readerA[0..n), readerB[0..n), n = PAGE_BYTES >> shift
 */
const PAGE_SHIFT = 9;
const PAGE_BYTES = 1 << PAGE_SHIFT;
/** No unit is larger than half a page. */
const LARGEST_SHIFT = PAGE_SHIFT - 1;

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

/** A page that is cut into units; the arrays are as long as a page of single bytes needs, and used as far as `shift` says. */
interface Detail {
  shift: number;
  readonly writers: Uint32Array;
  readonly readersA: Uint32Array;
  readonly readersB: Uint32Array;
}

export class ShadowMemory {
  private readonly writers: Uint32Array;
  private readonly readersA: Uint32Array;
  private readonly readersB: Uint32Array;
  private readonly details: (Detail | undefined)[];
  private readonly spare: Detail[] = [];
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
      this.standing[part] = this.standing[part]?.filter((other) => other !== read);
    }
    const { reader, isQueueB } = read;
    const readers = isQueueB ? this.readersB : this.readersA;
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
      const detail = this.detailFor(page, first, last);
      const list = isQueueB ? detail.readersB : detail.readersA;
      for (let i = first >> detail.shift; i < last >> detail.shift; i++) list[i] = Math.max(list[i] ?? 0, reader);
    }
  }

  private settleBefore(start: number, end: number): void {
    for (let part = Math.floor(start / PART_BYTES); part * PART_BYTES < end; part++) {
      const list = this.standing[part];
      if (list === undefined || list.length === 0) continue;
      for (const read of list) if (read.start < end && read.end > start) this.settle(read);
    }
  }

  /**
   * [start, end) is read by command `reader` of queue A (or B).
   * @param reader 0 leaves no trace of the read
   */
  read(start: number, end: number, reader: number, isQueueB: boolean, witness: Witness): void {
    const readers = isQueueB ? this.readersB : this.readersA;
    let lastWriter = -1;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, end - page * PAGE_BYTES);
      let detail = this.details[page];
      if (detail === undefined) {
        const writer = this.writers[page] ?? 0;
        if (writer !== lastWriter) {
          lastWriter = writer;
          witness.sawWriter(writer, at);
        }
        if (reader !== 0 && readers[page] !== reader) {
          if (first === 0 && last === PAGE_BYTES) readers[page] = reader;
          else detail = this.detailFor(page, first, last);
        }
      } else {
        if (reader !== 0) detail = this.detailFor(page, first, last);
        const { shift, writers } = detail;
        const stop = (last - 1) >> shift;
        for (let i = first >> shift; i <= stop; i++) {
          const writer = writers[i] ?? 0;
          if (writer === lastWriter) continue;
          lastWriter = writer;
          witness.sawWriter(writer, page * PAGE_BYTES + Math.max(first, i << shift));
        }
      }
      if (detail !== undefined && reader !== 0) {
        const { shift } = detail;
        fill(isQueueB ? detail.readersB : detail.readersA, reader, first >> shift, last >> shift);
      }
      at = page * PAGE_BYTES + last;
    }
  }

  /** [start, end) is overwritten by an event; who read it before is forgotten. */
  write(start: number, end: number, event: number, witness: Witness): void {
    this.settleBefore(start, end);
    this.review(start, end, witness);
    this.set(start, end, event);
  }

  /** Makes [start, end) written by an event without asking anybody: what the host puts there. */
  set(start: number, end: number, event: number): void {
    this.settleBefore(start, end);
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, end - page * PAGE_BYTES);
      if (first === 0 && last === PAGE_BYTES) {
        const detail = this.details[page];
        if (detail !== undefined) this.spare.push(detail);
        this.details[page] = undefined;
        this.writers[page] = event;
        this.readersA[page] = 0;
        this.readersB[page] = 0;
      } else {
        const { shift, writers, readersA, readersB } = this.detailFor(page, first, last);
        const [from, to] = [first >> shift, last >> shift];
        fill(writers, event, from, to);
        fill(readersA, 0, from, to);
        fill(readersB, 0, from, to);
      }
      at = page * PAGE_BYTES + last;
    }
  }

  private review(start: number, end: number, witness: Witness): void {
    let lastWriter = -1;
    let lastA = 0;
    let lastB = 0;
    const look = (writer: number, a: number, b: number, address: number): void => {
      if (writer !== lastWriter) {
        lastWriter = writer;
        witness.overwrites(writer, address);
      }
      if (a === lastA && b === lastB) return;
      lastA = a;
      lastB = b;
      witness.overwritesRead(a, b, address);
    };
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, end - page * PAGE_BYTES);
      const detail = this.details[page];
      if (detail === undefined) look(this.writers[page] ?? 0, this.readersA[page] ?? 0, this.readersB[page] ?? 0, at);
      else {
        const { shift, writers, readersA, readersB } = detail;
        const stop = (last - 1) >> shift;
        for (let i = first >> shift; i <= stop; i++) {
          const address = page * PAGE_BYTES + Math.max(first, i << shift);
          look(writers[i] ?? 0, readersA[i] ?? 0, readersB[i] ?? 0, address);
        }
      }
      at = page * PAGE_BYTES + last;
    }
  }

  /** The page in units small enough for an access to [first, last) of it. */
  private detailFor(page: number, first: number, last: number): Detail {
    const bounds = first | last;
    const wanted = bounds === 0 ? LARGEST_SHIFT : Math.min(LARGEST_SHIFT, 31 - Math.clz32(bounds & -bounds));
    let detail = this.details[page];
    if (detail === undefined) {
      detail = this.spare.pop() ?? {
        shift: 0,
        writers: new Uint32Array(PAGE_BYTES),
        readersA: new Uint32Array(PAGE_BYTES),
        readersB: new Uint32Array(PAGE_BYTES),
      };
      detail.shift = wanted;
      const units = PAGE_BYTES >> wanted;
      fill(detail.writers, this.writers[page] ?? 0, 0, units);
      fill(detail.readersA, this.readersA[page] ?? 0, 0, units);
      fill(detail.readersB, this.readersB[page] ?? 0, 0, units);
      this.details[page] = detail;
    } else if (wanted < detail.shift) refine(detail, wanted);
    return detail;
  }
}

/** As TypedArray.fill, which costs more than the few units of most accesses. */
function fill(array: Uint32Array, value: number, from: number, to: number): void {
  if (to - from > 32) array.fill(value, from, to);
  else for (let i = from; i < to; i++) array[i] = value;
}

/** Cuts the units of a page into smaller ones, from the last to the first: they are copied into the room behind them. */
function refine(detail: Detail, shift: number): void {
  const ratioShift = detail.shift - shift;
  for (const array of [detail.writers, detail.readersA, detail.readersB]) {
    for (let unit = (PAGE_BYTES >> detail.shift) - 1; unit >= 0; unit--) {
      fill(array, array[unit] ?? 0, unit << ratioShift, (unit + 1) << ratioShift);
    }
  }
  detail.shift = shift;
}
