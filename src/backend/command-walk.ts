/** The command processor's way through a section: loops taken turn by turn, code fetched ahead of its use. docs/timing.md. */
import { instructionNamed } from '../commands/lookup.js';
import type { Command, FieldStep } from '../commands/types.js';
import type { Chip } from '../target/chip.js';
import { type CommandWork, computeCommandWork, type FieldOf } from './command-work.js';
import { QUEUES, type QueueName } from './phases.js';
import { Transfers } from './transfer-work.js';

/** A section as it is stored. */
export interface StoredSection {
  readonly commands: readonly Command[];
  readonly commandBytes: readonly number[];
}

/** A command on its way into a queue, or one that the processor carries out itself. */
export interface Issue {
  readonly index: number; // of the section's commands
  readonly queue: 0 | 1 | 2 | undefined; // load, compute, store
  readonly op: string;
  readonly wait: number;
  readonly signal: number;
  readonly work: CommandWork;
  readonly field: FieldOf; // only until the next one is asked for
  readonly decodedAt: number;
}

interface Line {
  readonly command: Command;
  readonly queue: Issue['queue'];
  readonly values: Record<string, number>;
  readonly steps: readonly FieldStep[];
  readonly bytes: number;
  readonly field: FieldOf;
  work: CommandWork | undefined; // where it is always the same
}

interface OpenLoop {
  readonly start: number;
  readonly count: number;
  readonly stays: boolean; // its code, in the FIFO
  turn: number;
}

const NONE: CommandWork = { cycles: 0, portBytes: 0 };

export class CommandWalk {
  time = 0;
  /** Cycles of the DRAM interface for code that was fetched since it was asked last. */
  private fetchCycles = 0;
  private at = 0;
  private arrival = 0;
  private fetched = 0;
  private readonly rooms: { readonly bytes: number; readonly time: number }[] = [];
  private firstRoom = 0;
  private readonly loops: OpenLoop[] = [];
  private readonly lines: readonly Line[];
  private readonly bodyBytes: ReadonlyMap<number, number>;
  private readonly bytesPerCycle: number;
  private readonly transfers: Transfers;

  constructor(
    section: StoredSection,
    private readonly chip: Chip,
  ) {
    this.transfers = new Transfers(chip);
    this.bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
    this.lines = section.commands.map((command, i): Line => {
      const values = { ...command.fields };
      const queue = QUEUES.indexOf(instructionNamed(command.op)?.queue as QueueName);
      return {
        command,
        queue: queue === 0 || queue === 1 || queue === 2 ? queue : undefined,
        values,
        steps: command.steps ?? [],
        bytes: section.commandBytes[i] ?? 0,
        field: (name) => values[name] ?? 0,
        work: undefined,
      };
    });
    this.bodyBytes = loopBodies(this.lines);
  }

  /** The next command; undefined after the last. */
  next(): Issue | undefined {
    const index = this.at;
    const line = this.lines[index];
    if (line === undefined) return undefined;
    const isFetched = !this.loops.some(({ stays, turn }) => stays && turn > 0);
    this.decode(isFetched ? line.bytes : 0);
    this.at += 1;
    const { op } = line.command;
    if (op === 'loop') {
      const stays = (this.bodyBytes.get(this.at - 1) ?? 0) <= this.chip.commandFifoBytes;
      this.loops.push({ start: this.at, count: line.field('count'), stays, turn: 0 });
    } else if (op === 'endLoop') {
      const loop = this.loops[this.loops.length - 1];
      if (loop !== undefined) {
        loop.turn += 1;
        if (loop.turn < loop.count) this.at = loop.start;
        else this.loops.pop();
      }
    }
    return {
      index,
      queue: line.queue,
      op,
      wait: line.field('wait'),
      signal: line.field('signal'),
      work: this.workOf(line),
      field: line.field,
      decodedAt: this.time,
    };
  }

  /** What the code that came in takes from the next transfer. */
  takeFetchCycles(): number {
    const cycles = this.fetchCycles;
    this.fetchCycles = 0;
    return cycles;
  }

  private workOf(line: Line): CommandWork {
    if (line.queue === undefined) return NONE;
    if (line.work !== undefined) return line.work;
    this.takeSteps(line);
    const work =
      line.queue === 1
        ? computeCommandWork(line.command.op, line.field, this.chip)
        : this.transfers.workOf(line.command.op, line.field);
    if (line.steps.length === 0) line.work = work;
    return work;
  }

  private takeSteps({ steps, values, command }: Line): void {
    for (const { field } of steps) values[field] = command.fields[field] ?? 0;
    for (const { field, level, delta, modulus } of steps) {
      const raw = (this.loops[level]?.turn ?? 0) * delta;
      values[field] = (values[field] ?? 0) + (modulus === 0 ? raw : ((raw % modulus) + modulus) % modulus);
    }
  }

  private decode(bytes: number): void {
    if (bytes > 0) {
      this.fetched += bytes;
      const cycles = bytes / this.bytesPerCycle;
      this.fetchCycles += cycles;
      const requested = this.timeOfRoom(this.fetched - this.chip.commandFifoBytes);
      this.arrival = Math.max(this.arrival, requested + this.chip.dram.latencyCycles) + cycles;
      this.time = Math.max(this.time, this.arrival);
    }
    this.time += this.chip.commandCycles ?? 0;
    if (bytes > 0) this.rooms.push({ bytes: this.fetched, time: this.time });
  }

  /** When so many bytes of code had left the FIFO. */
  private timeOfRoom(bytes: number): number {
    if (bytes <= 0) return 0;
    while ((this.rooms[this.firstRoom]?.bytes ?? bytes) < bytes) this.firstRoom += 1;
    return this.rooms[this.firstRoom]?.time ?? this.time;
  }
}

/** Bytes of code from after each `loop` to after its `endLoop`, by the index of the `loop`. */
function loopBodies(lines: readonly Line[]): Map<number, number> {
  const bodies = new Map<number, number>();
  const open: { readonly index: number; bytes: number }[] = [];
  lines.forEach(({ command, bytes }, index) => {
    for (const loop of open) loop.bytes += bytes;
    if (command.op === 'loop') open.push({ index, bytes: 0 });
    if (command.op !== 'endLoop') return;
    const closed = open.pop();
    if (closed !== undefined) bodies.set(closed.index, closed.bytes);
  });
  return bodies;
}
