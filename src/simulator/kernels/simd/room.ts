import type { Engine } from './engine.js';

/** Hands out the engine's room for work, from its beginning on. What was there before means nothing any more. */
export class Room {
  private next: number;

  constructor(private readonly engine: Engine) {
    this.next = engine.scratch;
  }

  /** The address of `bytes` bytes, a multiple of 16. */
  take(bytes: number): number {
    const address = this.next;
    this.next += Math.ceil(bytes / 16) * 16;
    return address;
  }

  /** More was taken than there is: none of the addresses may be used. */
  get isExceeded(): boolean {
    return this.next > this.engine.scratch + this.engine.scratchBytes;
  }
}
