/**
 * What is known about every byte of a memory: the event that wrote it last, and the latest command of each of two queues
 * that read it.
 *
 * Memory comes in pages. As long as all bytes of a page have one history it is one entry ("uniform"); when an access
 * covers only a part of it, it gets an entry per byte ("detailed"). A write over the whole page makes it uniform again.
 * Schedules move long runs, so most work is a few operations per page; a page of interleaved pixels costs what it must.
 *
 *   uniform:   writer, readerA, readerB              one number each
 *   detailed:  writer[0..P), readerA[0..P), readerB[0..P)
 */
const PAGE_BYTES = 512;

/** Is told of every change in who wrote or read along the bytes of an access; addresses are where the change begins. */
export interface Witness {
  /** Bytes from `address` on, about to be read, were last written by this event (0: by none). */
  sawWriter(event: number, address: number): void;
  /** Bytes from `address` on, about to be overwritten, were last written by this event. */
  overwrites(event: number, address: number): void;
  /** Bytes from `address` on, about to be overwritten, were last read by these commands of the two queues (0: by none). */
  overwritesRead(readerA: number, readerB: number, address: number): void;
}

export class ShadowMemory {
  private readonly writers: Uint32Array;
  private readonly readersA: Uint32Array;
  private readonly readersB: Uint32Array;
  private readonly details: (Uint32Array | undefined)[];
  private readonly spare: Uint32Array[] = [];

  constructor(readonly bytes: number) {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    this.writers = new Uint32Array(pages);
    this.readersA = new Uint32Array(pages);
    this.readersB = new Uint32Array(pages);
    this.details = new Array<Uint32Array | undefined>(pages).fill(undefined);
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
          else detail = this.makeDetail(page);
        }
      } else {
        for (let i = first; i < last; i++) {
          const writer = detail[i] ?? 0;
          if (writer === lastWriter) continue;
          lastWriter = writer;
          witness.sawWriter(writer, page * PAGE_BYTES + i);
        }
      }
      if (detail !== undefined && reader !== 0) {
        const base = isQueueB ? 2 * PAGE_BYTES : PAGE_BYTES;
        detail.fill(reader, base + first, base + last);
      }
      at = page * PAGE_BYTES + last;
    }
  }

  /** [start, end) is overwritten by an event; who read it before is forgotten. */
  write(start: number, end: number, event: number, witness: Witness): void {
    this.review(start, end, witness);
    this.set(start, end, event);
  }

  /** Makes [start, end) written by an event without asking anybody: what the host puts there. */
  set(start: number, end: number, event: number): void {
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, end - page * PAGE_BYTES);
      let detail = this.details[page];
      if (first === 0 && last === PAGE_BYTES) {
        if (detail !== undefined) this.spare.push(detail);
        this.details[page] = undefined;
        this.writers[page] = event;
        this.readersA[page] = 0;
        this.readersB[page] = 0;
      } else {
        detail ??= this.makeDetail(page);
        detail.fill(event, first, last);
        detail.fill(0, PAGE_BYTES + first, PAGE_BYTES + last);
        detail.fill(0, 2 * PAGE_BYTES + first, 2 * PAGE_BYTES + last);
      }
      at = page * PAGE_BYTES + last;
    }
  }

  private review(start: number, end: number, witness: Witness): void {
    let lastWriter = -1;
    let lastA = 0;
    let lastB = 0;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const first = at - page * PAGE_BYTES;
      const last = Math.min(PAGE_BYTES, end - page * PAGE_BYTES);
      const detail = this.details[page];
      const stop = detail === undefined ? first + 1 : last;
      for (let i = first; i < stop; i++) {
        const writer = (detail === undefined ? this.writers[page] : detail[i]) ?? 0;
        const a = (detail === undefined ? this.readersA[page] : detail[PAGE_BYTES + i]) ?? 0;
        const b = (detail === undefined ? this.readersB[page] : detail[2 * PAGE_BYTES + i]) ?? 0;
        if (writer !== lastWriter) {
          lastWriter = writer;
          witness.overwrites(writer, page * PAGE_BYTES + i);
        }
        if (a === lastA && b === lastB) continue;
        lastA = a;
        lastB = b;
        witness.overwritesRead(a, b, page * PAGE_BYTES + i);
      }
      at = page * PAGE_BYTES + last;
    }
  }

  private makeDetail(page: number): Uint32Array {
    const detail = this.spare.pop() ?? new Uint32Array(3 * PAGE_BYTES);
    detail.fill(this.writers[page] ?? 0, 0, PAGE_BYTES);
    detail.fill(this.readersA[page] ?? 0, PAGE_BYTES, 2 * PAGE_BYTES);
    detail.fill(this.readersB[page] ?? 0, 2 * PAGE_BYTES, 3 * PAGE_BYTES);
    this.details[page] = detail;
    return detail;
  }
}
