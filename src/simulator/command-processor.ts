/**
 * When the command processor hands a command on: code comes from DRAM into a FIFO, in order and ahead of its use, as far as
 * the FIFO has room; a command is decoded when its bytes are there and the one before is done. docs/timing.md.
 */
import type { ChipNumbers } from './timing.js';

export class CommandProcessor {
  time = 0;
  private readonly bytesPerCycle: number;
  private fetchedBytes = 0;
  /** When the code of the latest command was there. */
  arrival = 0;
  /** How many bytes had been decoded at what times; those before `first` are of no interest any more. */
  private decoded: { readonly bytes: number; readonly time: number }[] = [];
  private first = 0;

  constructor(private readonly chip: ChipNumbers) {
    this.bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  }

  /** @param bytes of code that the FIFO does not hold yet */
  decode(bytes: number): void {
    if (bytes > 0) {
      this.fetchedBytes += bytes;
      const requested = this.timeOfRoom(this.fetchedBytes - this.chip.commandFifoBytes);
      this.arrival = Math.max(this.arrival, requested + this.chip.dram.latencyCycles) + bytes / this.bytesPerCycle;
      this.time = Math.max(this.time, this.arrival);
    }
    this.time += this.chip.commandCycles ?? 0;
    if (bytes > 0) this.decoded.push({ bytes: this.fetchedBytes, time: this.time });
  }

  waitUntil(time: number): void {
    this.time = Math.max(this.time, time);
  }

  /** When the first `bytes` of the code had been decoded. */
  private timeOfRoom(bytes: number): number {
    if (bytes <= 0) return 0;
    while (this.first < this.decoded.length && (this.decoded[this.first]?.bytes ?? 0) < bytes) this.first += 1;
    const time = this.decoded[this.first]?.time ?? this.time;
    if (this.first > 1024) {
      this.decoded = this.decoded.slice(this.first);
      this.first = 0;
    }
    return time;
  }
}
