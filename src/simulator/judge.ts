import type { ManifestRegion } from '../commands/manifest.js';
import type { Fault, FaultKind, FaultLog } from './faults.js';
import type { Place } from './operand.js';
import type { CodeLine } from './sequencer.js';
import type { Witness } from './shadow-memory.js';

export const LOAD = 0;
export const COMPUTE = 1;
export const STORE = 2;
export type QueueId = 0 | 1 | 2;
export const QUEUE_NAMES = ['load', 'compute', 'store'] as const;

/** Per queue, how many of its commands are known to be complete. */
export type Clock = readonly [number, number, number];

/** A command on its way through a queue. */
export interface Execution {
  readonly line: CodeLine;
  readonly queue: QueueId;
  readonly sequence: number; // 1 for the first command of its queue
  readonly clock: Clock; // what is complete before it starts, by the order that the commands ask for
}

/** Events 1 and 2 are the host's: the DRAM image, and what is put into the inputs before a period. */
export const EVENT_IMAGE = 1;
export const EVENT_HOST = 2;

/**
 * Writes of commands, each to one place; a program makes millions. `origin` is the address that row 0, column 0 (or byte 0 of
 * the region) would have if the buffer were not rolling: two accesses that mean the same element of the same image agree in
 * it, up to a constant.
 */
class WriteEvents {
  count = 0;
  queues = new Uint8Array(1024);
  sequences = new Uint32Array(1024);
  origins = new Float64Array(1024);
  readonly places: (Place | undefined)[] = [];
  readonly sources: (ManifestRegion | undefined)[] = []; // of what was loaded

  add(queue: QueueId, sequence: number, origin: number, place: Place | undefined, source?: ManifestRegion): number {
    const event = this.count;
    if (event === this.queues.length) this.grow();
    this.queues[event] = queue;
    this.sequences[event] = sequence;
    this.origins[event] = origin;
    this.places.push(place);
    this.sources.push(source);
    this.count += 1;
    return event;
  }

  private grow(): void {
    const { queues, sequences, origins, count } = this;
    this.queues = new Uint8Array(2 * count);
    this.sequences = new Uint32Array(2 * count);
    this.origins = new Float64Array(2 * count);
    this.queues.set(queues);
    this.sequences.set(sequences);
    this.origins.set(origins);
  }
}

/** Decides about every access to one memory, from who touched the bytes before. */
export class Judge implements Witness {
  private readonly events = new WriteEvents();
  private execution: Execution | undefined;
  private place: Place | undefined;
  private origin = 0;
  private lastEvent = 0;
  /** Of the current place: what was judged last need not be judged again. */
  private lastSeen = -1;
  private readonly reported = new Set<string>();

  constructor(
    private readonly memory: 'SRAM' | 'DRAM',
    private readonly log: FaultLog,
    /** Lines by queue and sequence, for what is said about earlier readers. */
    private readonly history: readonly [CodeLine[], CodeLine[], CodeLine[]],
    private readonly queueA: QueueId,
    private readonly queueB: QueueId,
    private readonly regionAt: (address: number) => string | undefined,
  ) {
    // Events 0 to 2 are nobody and the host.
    for (let event = 0; event <= EVENT_HOST; event++) this.events.add(LOAD, 0, 0, undefined);
  }

  begin(execution: Execution): void {
    this.execution = execution;
    if (this.reported.size > 0) this.reported.clear();
    this.lastEvent = 0;
    this.lastSeen = -1;
    this.place = undefined;
  }

  /** What follows are accesses to this place; `origin` is where its row 0 and column 0, or its byte 0, would be. */
  visit(place: Place | undefined, origin: number): void {
    if (place === this.place && origin === this.origin) return;
    this.place = place;
    this.origin = origin;
    this.lastSeen = -1;
  }

  /** The event under which the current command writes to the current place. */
  eventForWrite(source: ManifestRegion | undefined): number {
    const { execution, events, lastEvent, origin } = this;
    if (execution === undefined) throw new Error('no command is being executed');
    // `begin` has made it 0: any other one is of this command.
    if (lastEvent !== 0 && events.origins[lastEvent] === origin) return lastEvent;
    this.lastEvent = events.add(execution.queue, execution.sequence, origin, this.place, source);
    return this.lastEvent;
  }

  sawWriter(event: number, address: number): void {
    const { execution, place, events } = this;
    if (event === this.lastSeen) return;
    this.lastSeen = event;
    if (execution === undefined || event === EVENT_IMAGE || event === EVENT_HOST) return;
    if (event === 0) {
      this.fault('unwritten', address, `${this.operandName()} reads bytes that nothing has written`);
      return;
    }
    if (!this.isOrdered(event, execution)) {
      const what = `${this.operandName()} reads what ${this.nameOf(event)} writes, and no semaphore orders them`;
      this.fault('race', address, what, event);
    }
    if (place === undefined) return;
    if (place.operand.isConstant && events.sources[event]?.class !== 'weights') {
      this.fault('stale', address, `${place.operand.name} takes what ${this.nameOf(event)} wrote for constants`, event);
    }
    if (!place.isMoving) return;
    const writer = events.places[event];
    if (writer?.isMoving === true) this.checkOrigin(event, writer, place, address);
  }

  private checkOrigin(event: number, writer: Place, reader: Place, address: number): void {
    const { ring, pixelPitch, operand } = reader;
    const line = this.lineOf(event)?.id ?? -1;
    const offset = (this.events.origins[event] ?? 0) - this.origin;
    let expected = operand.offsets.get(line);
    if (expected === undefined) {
      // In two rolling views of one buffer rows are absolute: only a slice of the channels may lie between them.
      expected = writer.ring > 0 && ring > 0 && Math.abs(offset) >= Math.max(1, pixelPitch) ? 0 : offset;
      operand.offsets.set(line, expected);
    }
    if (offset === expected) return;
    // Whole images: a writer that goes through the channels of its pixels, a slice at a time, has written the same pixel.
    const pitch = Math.max(pixelPitch, writer.pixelPitch);
    if (writer.ring === 0 && ring === 0 && Math.abs(offset - expected) < pitch) return;
    const what = `${operand.name} finds bytes that ${this.nameOf(event)} wrote as another row, tile or chunk`;
    this.fault('stale', address, `${what} (${Math.abs(offset - expected)} B away)`, event);
  }

  overwrites(event: number, address: number): void {
    const { execution } = this;
    if (event <= EVENT_HOST || execution === undefined || this.isOrdered(event, execution)) return;
    const what = `${this.operandName()} overwrites what ${this.nameOf(event)} writes, and no semaphore orders them`;
    this.fault('race', address, what, event);
  }

  overwritesRead(readerA: number, readerB: number, address: number): void {
    const { execution } = this;
    if (execution === undefined) return;
    if (readerA !== 0) this.checkReader(execution, this.queueA, readerA, address);
    if (readerB !== 0) this.checkReader(execution, this.queueB, readerB, address);
  }

  private checkReader(execution: Execution, queue: QueueId, sequence: number, address: number): void {
    if (queue === execution.queue) {
      if (sequence !== execution.sequence) return;
      this.fault('overlap', address, `${this.operandName()} overwrites bytes that the command itself reads`);
    } else if (execution.clock[queue] < sequence) {
      const line = this.history[queue][sequence - 1];
      const reader =
        line === undefined ? QUEUE_NAMES[queue] : `${line.instruction.name} (${line.section} ${line.index})`;
      const what = `${this.operandName()} overwrites what ${reader} reads, and no semaphore orders them`;
      this.fault('race', address, what);
    }
  }

  private isOrdered(before: number, after: Execution): boolean {
    const queue = this.queueOf(before);
    return queue === after.queue || after.clock[queue] >= (this.events.sequences[before] ?? 0);
  }

  private queueOf(event: number): QueueId {
    const queue = this.events.queues[event];
    return queue === COMPUTE || queue === STORE ? queue : LOAD;
  }

  private lineOf(event: number): CodeLine | undefined {
    return this.history[this.queueOf(event)][(this.events.sequences[event] ?? 0) - 1];
  }

  private nameOf(event: number): string {
    const line = this.lineOf(event);
    return line === undefined ? 'the host' : `${line.instruction.name} (${line.section} ${line.index})`;
  }

  private operandName(): string {
    return this.place?.operand.name ?? (this.memory === 'DRAM' ? 'DRAM side' : '');
  }

  /** One fault of a kind per command and operand: the others would say the same. */
  fault(kind: FaultKind, address: number, message: string, writer = 0): void {
    const execution = this.execution;
    if (execution === undefined) return;
    const key = `${kind} ${this.operandName()}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    const region = this.memory === 'DRAM' ? this.regionAt(address) : this.events.sources[writer]?.name;
    const fault: Fault = { kind, ...placeOf(execution), message, memory: this.memory, address };
    this.log.add(region === undefined ? fault : { ...fault, region });
  }
}

export function placeOf({ line, queue }: { readonly line: CodeLine; readonly queue: QueueId }) {
  return { section: line.section, command: line.index, queue: QUEUE_NAMES[queue], op: line.instruction.name };
}
