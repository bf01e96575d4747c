import type { SectionName } from '../commands/check.js';
import type { DecodedSection } from '../commands/decode.js';
import type { Instruction } from '../commands/instructions.js';
import { instructionNamed } from '../commands/lookup.js';
import type { FieldStep } from '../commands/types.js';
import { StripeRings, stripeViews } from './stripe-ring.js';

/** Values of all fields of a command; those that the stream leaves out are 0. */
export type Fields = Readonly<Record<string, number>>;

/** A command as it stands in the program. */
export interface CodeLine {
  readonly id: number; // counts through both sections, from 0
  readonly section: SectionName;
  readonly index: number; // in its section
  readonly instruction: Instruction;
  readonly base: Fields;
  readonly steps: readonly FieldStep[];
  /** Names of the fields that have steps. */
  readonly stepped: ReadonlySet<string>;
  /** Prefixes of the views that may name a ring of stripes. */
  readonly stripeViews: readonly string[];
  readonly bytes: number;
}

/** A command as it is issued in one iteration of the loops around it. */
export interface Issue {
  readonly line: CodeLine;
  readonly fields: Fields;
  /** Bytes of code that had to be fetched from DRAM for it. */
  readonly fetchedBytes: number;
}

export function codeLines(section: SectionName, decoded: DecodedSection, firstId: number): CodeLine[] {
  return decoded.commands.map((command, index) => {
    const instruction = instructionNamed(command.op);
    if (instruction === undefined) throw new Error(`decoder let through ${command.op}`);
    const base: Record<string, number> = {};
    for (const { name } of instruction.fields) base[name] = command.fields[name] ?? 0;
    const steps = command.steps ?? [];
    const stepped = new Set(steps.map((step) => step.field));
    return {
      id: firstId + index,
      section,
      index,
      instruction,
      base,
      steps,
      stepped,
      stripeViews: stripeViews(instruction.fields.map((field) => field.name)),
      bytes: decoded.commandBytes[index] ?? 0,
    };
  });
}

interface OpenLoop {
  readonly start: number; // index of the first command of the body
  readonly count: number;
  iteration: number;
  /** The body stays in the command FIFO while the loop runs. */
  readonly stays: boolean;
}

/** The command processor's walk through a section: expands loops one command at a time and counts what it fetches. */
export class Sequencer {
  private at = 0;
  private readonly loops: OpenLoop[] = [];
  private readonly rings = new StripeRings();
  private readonly bodyBytes: ReadonlyMap<number, number>;

  constructor(
    private readonly lines: readonly CodeLine[],
    private readonly fifoBytes: number,
  ) {
    this.bodyBytes = loopBodyBytes(lines);
  }

  /** The next command to be carried out, loop commands included; undefined after the last. */
  next(): Issue | undefined {
    const line = this.lines[this.at];
    if (line === undefined) return undefined;
    const fetchedBytes = this.loops.some((loop) => loop.stays && loop.iteration > 0) ? 0 : line.bytes;
    const stepped = line.steps.length === 0 ? line.base : this.stepFields(line);
    const fields = this.rings.resolve(line.stripeViews, stepped);
    this.at += 1;
    if (line.instruction.name === 'stripeRing') this.rings.set(fields);
    if (line.instruction.name === 'loop') {
      const stays = (this.bodyBytes.get(this.at - 1) ?? 0) <= this.fifoBytes;
      this.loops.push({ start: this.at, count: fields.count ?? 1, iteration: 0, stays });
    } else if (line.instruction.name === 'endLoop') this.closeIteration();
    return { line, fields, fetchedBytes };
  }

  private closeIteration(): void {
    const loop = this.loops.at(-1);
    if (loop === undefined) throw new Error('decoder let through an endLoop without a loop');
    loop.iteration += 1;
    if (loop.iteration < loop.count) this.at = loop.start;
    else this.loops.pop();
  }

  private stepFields(line: CodeLine): Fields {
    const fields: Record<string, number> = { ...line.base };
    for (const { field, level, delta, modulus } of line.steps) {
      const raw = (this.loops[level]?.iteration ?? 0) * delta;
      // Modulo in the mathematical sense: the result is in [0, modulus).
      const step = modulus === 0 ? raw : ((raw % modulus) + modulus) % modulus;
      fields[field] = (fields[field] ?? 0) + step;
    }
    return fields;
  }
}

/** Bytes from after each `loop` to after its `endLoop`, by the index of the `loop`. */
function loopBodyBytes(lines: readonly CodeLine[]): Map<number, number> {
  const bodies = new Map<number, number>();
  const starts: { readonly index: number; readonly offset: number }[] = [];
  let offset = 0;
  for (const { index, instruction, bytes } of lines) {
    offset += bytes;
    if (instruction.name === 'loop') starts.push({ index, offset });
    else if (instruction.name === 'endLoop') {
      const start = starts.pop();
      if (start !== undefined) bodies.set(start.index, offset - start.offset);
    }
  }
  return bodies;
}
