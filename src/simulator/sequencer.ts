import type { SectionName } from '../commands/check.js';
import type { DecodedSection } from '../commands/decode.js';
import type { Instruction } from '../commands/instructions.js';
import { instructionNamed } from '../commands/lookup.js';
import type { FieldStep } from '../commands/types.js';
import { positionField, type View } from './geometry.js';
import type { Operand } from './operand.js';
import { describeStripes, type StripeRegisters, stripeViews } from './stripe-ring.js';

/** Values of all fields of a command; those that the stream leaves out are 0. */
export type Fields = Readonly<Record<string, number>>;

/** A command as it stands in the program. */
export interface CodeLine {
  readonly id: number; // counts through both sections, from 0
  readonly section: SectionName;
  readonly index: number; // in its section
  readonly instruction: Instruction;
  /** Names of the fields that have steps, and for each its value without them and the steps. */
  readonly stepped: ReadonlySet<string>;
  readonly variables: readonly {
    readonly field: string;
    readonly base: number;
    readonly steps: readonly FieldStep[];
    /** Of a field that is a position, or a length: whether it can be negative. */
    readonly position: ReturnType<typeof positionField>;
  }[];
  /** Prefixes of the views that may name a ring of stripes; which one may be a matter of a step. */
  readonly stripeViews: readonly string[];
  readonly isRingStepped: boolean;
  readonly bytes: number;
  readonly offsetBytes: number; // in the code of its section
  readonly current: CurrentFields;
  /** What is known of each operand's accesses. */
  readonly operands: Map<string, Operand>;
}

/** The fields as the issue has them that was looked at last: a command issued a million times has one object for them. */
interface CurrentFields {
  readonly fields: Record<string, number>;
  registers: StripeRegisters | undefined;
  /** Beside the variables, these values have been found to be legal. */
  isLegal: boolean;
  /** Those of its views that no step moves, by prefix. */
  readonly views: Map<string, View>;
}

/** A command as it is issued in one iteration of the loops around it. `fieldsOf` says what its fields are. */
export interface Issue {
  readonly line: CodeLine;
  readonly values: readonly number[]; // of the line's variables
  readonly registers: StripeRegisters;
  /** Bytes of code that had to be fetched from DRAM for it. */
  readonly fetchedBytes: number;
}

export function codeLines(section: SectionName, decoded: DecodedSection, firstId: number): CodeLine[] {
  let offsetBytes = 0;
  return decoded.commands.map((command, index) => {
    const instruction = instructionNamed(command.op);
    if (instruction === undefined) throw new Error(`decoder let through ${command.op}`);
    const fields: Record<string, number> = {};
    for (const { name } of instruction.fields) fields[name] = command.fields[name] ?? 0;
    const steps = command.steps ?? [];
    const stepped = new Set(steps.map((step) => step.field));
    const variables = [...stepped].map((field) => ({
      field,
      base: fields[field] ?? 0,
      steps: steps.filter((step) => step.field === field),
      position: positionField(instruction.name, field),
    }));
    const views = stripeViews(instruction.fields.map((field) => field.name));
    const bytes = decoded.commandBytes[index] ?? 0;
    offsetBytes += bytes;
    return {
      id: firstId + index,
      section,
      index,
      instruction,
      stepped,
      variables,
      stripeViews: views,
      isRingStepped: views.some((prefix) => stepped.has(`${prefix}Stripes`)),
      bytes,
      offsetBytes: offsetBytes - bytes,
      current: { fields, registers: undefined, isLegal: false, views: new Map() },
      operands: new Map(),
    };
  });
}

/** The fields of a command, with what the registers hold that its views name. They stay until the next call for its line. */
export function fieldsOf({ line, values, registers }: Issue): Fields {
  const { current, variables, stripeViews } = line;
  for (let i = 0; i < variables.length; i++) {
    const variable = variables[i];
    if (variable !== undefined) current.fields[variable.field] = values[i] ?? 0;
  }
  if (stripeViews.length === 0) return current.fields;
  const isStepped = stripeViews.some((prefix) => line.stepped.has(`${prefix}Stripes`));
  if (current.registers !== registers || isStepped) {
    describeStripes(current.fields, stripeViews, registers);
    current.registers = registers;
    current.isLegal = false;
    current.views.clear();
  }
  return current.fields;
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
  private registers: StripeRegisters = new Map();
  /** What is issued now is in the FIFO, from the iteration before. */
  private isHeld = false;
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
    const fetchedBytes = this.isHeld ? 0 : line.bytes;
    const issue: Issue = { line, values: this.valuesOf(line), registers: this.registers, fetchedBytes };
    this.at += 1;
    const { name } = line.instruction;
    if (name === 'stripeRing') {
      const fields = { ...fieldsOf(issue) };
      this.registers = new Map([...this.registers, [fields.index ?? 0, fields]]);
    } else if (name === 'loop') {
      const stays = (this.bodyBytes.get(this.at - 1) ?? 0) <= this.fifoBytes;
      this.loops.push({ start: this.at, count: fieldsOf(issue).count ?? 1, iteration: 0, stays });
    } else if (name === 'endLoop') this.closeIteration();
    return issue;
  }

  private closeIteration(): void {
    const loop = this.loops.at(-1);
    if (loop === undefined) throw new Error('decoder let through an endLoop without a loop');
    loop.iteration += 1;
    if (loop.iteration < loop.count) this.at = loop.start;
    else this.loops.pop();
    this.isHeld = this.loops.some(({ stays, iteration }) => stays && iteration > 0);
  }

  private valuesOf({ variables }: CodeLine): readonly number[] {
    if (variables.length === 0) return NONE;
    const values = new Array<number>(variables.length);
    for (let i = 0; i < variables.length; i++) {
      const variable = variables[i];
      if (variable === undefined) continue;
      let value = variable.base;
      for (const { level, delta, modulus } of variable.steps) {
        const raw = (this.loops[level]?.iteration ?? 0) * delta;
        // Modulo in the mathematical sense: the result is in [0, modulus).
        value += modulus === 0 ? raw : ((raw % modulus) + modulus) % modulus;
      }
      values[i] = value;
    }
    return values;
  }
}

const NONE: readonly number[] = [];

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
