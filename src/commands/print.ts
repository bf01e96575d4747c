import { normalise } from './check.js';
import type { Instruction } from './instructions.js';
import { instructionNamed } from './lookup.js';
import type { Command, CommandStream, FieldStep } from './types.js';

/** A view of an SRAM image is printed as one operand: `in=0x100:3584:64%8` is base, row pitch, pixel pitch, ring; `#3` names stripes. */
export const VIEW_PARTS = ['Base', 'RowPitch', 'PixelPitch', 'Ring', 'Stripes'] as const;

/** Prefixes (`in`, `out`, `sram` ...) of the views among the fields of an instruction. */
export function viewPrefixes(instruction: Instruction): string[] {
  const names = new Set(instruction.fields.map((f) => f.name));
  return instruction.fields
    .filter((f) => f.name.endsWith('Base'))
    .map((f) => f.name.slice(0, -'Base'.length))
    .filter((prefix) => VIEW_PARTS.every((part) => names.has(prefix + part)));
}

/**
 * The stream as text, a command a line, loops indented. `assemble` turns it back into the same bytes.
 *
 *   loop count=7
 *     conv wait=s0 signal=s2 in=0x100:3584:64 out=0x4000{+896@0%1792}:448:8 ... row0=0{+8@0} rows=8
 *
 * Fields that are 0 are left out. `{+8@0}` steps by 8 in each iteration of the loop at level 0 (the outermost);
 * `{+8@0%16}` takes that modulo 16.
 */
export function printStream(stream: CommandStream): string {
  return `; prologue\n${printCommands(stream.prologue)}; period\n${printCommands(stream.period)}`;
}

function printCommands(commands: readonly Command[]): string {
  let text = '';
  let depth = 0;
  for (const command of commands) {
    if (command.op === 'endLoop') depth = Math.max(0, depth - 1);
    text += `${'  '.repeat(depth)}${printCommand(command)}\n`;
    if (command.op === 'loop') depth += 1;
  }
  return text;
}

export function printCommand(command: Command): string {
  const instruction = instructionNamed(command.op);
  if (instruction === undefined) throw new Error(`no instruction ${command.op}`);
  const { fields, steps } = normalise(command, instruction);
  const prefixes = viewPrefixes(instruction);
  const words: string[] = [command.op];
  const isSet = (name: string) => fields[name] !== undefined || (steps ?? []).some((s) => s.field === name);
  const value = (name: string) => printValue(name, fields[name] ?? 0, steps ?? []);
  for (const { name } of instruction.fields) {
    const prefix = prefixes.find((p) => name.startsWith(p) && VIEW_PARTS.some((part) => name === p + part));
    if (prefix === undefined) {
      if (isSet(name)) words.push(`${name}=${value(name)}`);
    } else if (name === `${prefix}Base` && VIEW_PARTS.some((part) => isSet(prefix + part))) {
      const [base, rowPitch, pixelPitch, ring, stripes] = VIEW_PARTS.map((part) => value(prefix + part));
      const rolling = `${isSet(`${prefix}Ring`) ? `%${ring}` : ''}${isSet(`${prefix}Stripes`) ? `#${stripes}` : ''}`;
      words.push(`${prefix}=${base}:${rowPitch}:${pixelPitch}${rolling}`);
    }
  }
  return words.join(' ');
}

/** Addresses, bit patterns and multipliers are easier to recognise in hexadecimal. */
const HEXADECIMAL = /(Base|records|table|^alpha|^beta|^k|[mM]ultiplier.*)$/;

function printValue(name: string, value: number, steps: readonly FieldStep[]): string {
  const suffix = steps
    .filter((step) => step.field === name)
    .map((s) => `${s.delta > 0 ? '+' : ''}${s.delta}@${s.level}${s.modulus === 0 ? '' : `%${s.modulus}`}`)
    .join(',');
  return printNumber(name, value, suffix === '') + (suffix === '' ? '' : `{${suffix}}`);
}

function printNumber(name: string, value: number, isConstant: boolean): string {
  if ((name === 'wait' || name === 'signal') && isConstant) {
    const named: string[] = [];
    for (let index = 0; 2 ** index <= value; index++) {
      if (Math.floor(value / 2 ** index) % 2 === 1) named.push(`s${index}`);
    }
    return named.join('+');
  }
  if (!HEXADECIMAL.test(name)) return String(value);
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
