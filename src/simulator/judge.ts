import type { ManifestRegion } from '../commands/manifest.js';
import type { Fault, FaultKind, FaultLog } from './faults.js';
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
 * A write of a command to one place. `origin` is the address that row 0, column 0 (or byte 0 of the region) would have if
 * the buffer were not rolling: two accesses that mean the same element of the same image agree in it, up to a constant.
 */
interface WriteEvent {
  readonly execution: Execution;
  readonly origin: number;
  readonly isMoving: boolean;
  readonly ring: number;
  readonly pixelPitch: number;
  readonly source: ManifestRegion | undefined; // of what was loaded
}

/** How a command gets at its bytes, for the judgement of stale reads. */
export interface Place {
  readonly operand: string;
  readonly origin: number;
  /** The place moves with the loops, or is a rolling buffer: only then can bytes be of the wrong row or tile. */
  readonly isMoving: boolean;
  readonly ring: number;
  readonly pixelPitch: number;
  /** What is read must have been loaded from where the constants lie. */
  readonly isConstant?: boolean;
}

/** Decides about every access to one memory, from who touched the bytes before. */
export class Judge implements Witness {
  private readonly events: (WriteEvent | undefined)[] = [undefined, undefined, undefined];
  /** For a pair of code lines, and an operand of the reader, by what its origin differs from the writer's. A program keeps it constant. */
  private readonly offsets = new Map<string, Map<number, number>>();
  private execution: Execution | undefined;
  private place: Place = { operand: '', origin: 0, isMoving: false, ring: 0, pixelPitch: 0 };
  private lastEvent = 0;
  private readonly reported = new Set<string>();

  constructor(
    private readonly memory: 'SRAM' | 'DRAM',
    private readonly log: FaultLog,
    /** Lines by queue and sequence, for what is said about earlier readers. */
    private readonly history: readonly [CodeLine[], CodeLine[], CodeLine[]],
    private readonly queueA: QueueId,
    private readonly queueB: QueueId,
    private readonly regionAt: (address: number) => string | undefined,
  ) {}

  begin(execution: Execution): void {
    this.execution = execution;
    if (this.reported.size > 0) this.reported.clear();
    this.lastEvent = 0;
  }

  /** What follows are accesses to this place. */
  visit(place: Place): void {
    this.place = place;
  }

  /** The event under which the current command writes to the current place. */
  eventForWrite(source: ManifestRegion | undefined): number {
    const { execution, place } = this;
    if (execution === undefined) throw new Error('no command is being executed');
    const last = this.events[this.lastEvent];
    if (last !== undefined && last.origin === place.origin && last.execution === execution) return this.lastEvent;
    const { origin, isMoving, ring, pixelPitch } = place;
    this.lastEvent = this.events.push({ execution, origin, isMoving, ring, pixelPitch, source }) - 1;
    return this.lastEvent;
  }

  sawWriter(event: number, address: number): void {
    const execution = this.execution;
    if (execution === undefined || event === EVENT_IMAGE || event === EVENT_HOST) return;
    const writer = this.events[event];
    if (writer === undefined) {
      this.fault('unwritten', address, `${this.place.operand} reads bytes that nothing has written`);
      return;
    }
    if (!isOrdered(writer.execution, execution)) {
      this.fault(
        'race',
        address,
        `${this.place.operand} reads what ${nameOf(writer.execution)} writes, and no semaphore orders them`,
        writer,
      );
    }
    if (this.place.isConstant === true && writer.source?.class !== 'weights') {
      const what = `${this.place.operand} takes what ${nameOf(writer.execution)} wrote for constants`;
      this.fault('stale', address, what, writer);
    }
    if (writer.isMoving && this.place.isMoving) this.checkOrigin(writer, execution, address);
  }

  private checkOrigin(writer: WriteEvent, reader: Execution, address: number): void {
    const { origin, ring, operand, pixelPitch } = this.place;
    let ofOperand = this.offsets.get(operand);
    if (ofOperand === undefined) {
      ofOperand = new Map();
      this.offsets.set(operand, ofOperand);
    }
    const key = writer.execution.line.id * 2 ** 24 + reader.line.id;
    const offset = writer.origin - origin;
    let expected = ofOperand.get(key);
    if (expected === undefined) {
      // In two rolling views of one buffer rows are absolute: only a slice of the channels may lie between them.
      expected = writer.ring > 0 && ring > 0 && Math.abs(offset) >= Math.max(1, pixelPitch) ? 0 : offset;
      ofOperand.set(key, expected);
    }
    if (offset === expected) return;
    // Whole images: a writer that goes through the channels of its pixels, a slice at a time, has written the same pixel.
    const pitch = Math.max(pixelPitch, writer.pixelPitch);
    if (writer.ring === 0 && ring === 0 && Math.abs(offset - expected) < pitch) return;
    const what = `${operand} finds bytes that ${nameOf(writer.execution)} wrote as another row, tile or chunk`;
    this.fault('stale', address, `${what} (${Math.abs(offset - expected)} B away)`, writer);
  }

  overwrites(event: number, address: number): void {
    const writer = this.events[event];
    const execution = this.execution;
    if (writer === undefined || execution === undefined || isOrdered(writer.execution, execution)) return;
    this.fault(
      'race',
      address,
      `${this.place.operand} overwrites what ${nameOf(writer.execution)} writes, and no semaphore orders them`,
      writer,
    );
  }

  overwritesRead(readerA: number, readerB: number, address: number): void {
    this.checkReader(this.queueA, readerA, address);
    this.checkReader(this.queueB, readerB, address);
  }

  private checkReader(queue: QueueId, sequence: number, address: number): void {
    const execution = this.execution;
    if (sequence === 0 || execution === undefined) return;
    if (queue === execution.queue) {
      if (sequence !== execution.sequence) return;
      this.fault('overlap', address, `${this.place.operand} overwrites bytes that the command itself reads`);
    } else if (execution.clock[queue] < sequence) {
      const line = this.history[queue][sequence - 1];
      const reader =
        line === undefined ? QUEUE_NAMES[queue] : `${line.instruction.name} (${line.section} ${line.index})`;
      this.fault(
        'race',
        address,
        `${this.place.operand} overwrites what ${reader} reads, and no semaphore orders them`,
      );
    }
  }

  /** One fault of a kind per command and operand: the others would say the same. */
  fault(kind: FaultKind, address: number, message: string, writer?: WriteEvent): void {
    const execution = this.execution;
    if (execution === undefined) return;
    const key = `${kind} ${this.place.operand}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    const region = this.memory === 'DRAM' ? this.regionAt(address) : writer?.source?.name;
    const fault: Fault = { kind, ...placeOf(execution), message, memory: this.memory, address };
    this.log.add(region === undefined ? fault : { ...fault, region });
  }
}

export function placeOf({ line, queue }: { readonly line: CodeLine; readonly queue: QueueId }) {
  return { section: line.section, command: line.index, queue: QUEUE_NAMES[queue], op: line.instruction.name };
}

function nameOf({ line }: Execution): string {
  return `${line.instruction.name} (${line.section} ${line.index})`;
}

function isOrdered(before: Execution, after: Execution): boolean {
  return before.queue === after.queue || after.clock[before.queue] >= before.sequence;
}
