import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { commandProblems, normalise, streamProblems } from './check.js';
import type { Instruction } from './instructions.js';
import { fieldIndex, instructionNamed } from './lookup.js';
import { VIEW_PARTS, viewPrefixes } from './print.js';
import type { Command, CommandStream, FieldStep } from './types.js';

interface Word {
  readonly text: string;
  readonly column: number; // 1-based
}

interface Line {
  readonly command: Command;
  readonly line: number; // 1-based
}

/**
 * Reads what `printStream` writes. Values may be decimal or hexadecimal, fields in any order, the parts of a view under their
 * own names too (`inBase=...`); `;` begins a comment.
 *
 * @throws SpillwayError SW4010 with line:column for every line at fault, SW4011 for what concerns the stream as a whole
 */
export function assemble(text: string, file = 'program.asm'): CommandStream {
  const diagnostics: Diagnostic[] = [];
  const lines: Line[] = [];
  let depth = 0;
  text.split(/\r?\n/).forEach((content, index) => {
    const line = index + 1;
    const words = splitWords(content.replace(/;.*/, ''));
    const report = (message: string, column: number) =>
      diagnostics.push({ code: 'SW4010', blame: 'input', message, loc: { file, line, column } });
    const command = parseCommand(words, report);
    if (command === undefined) return;
    if (command.op === 'endLoop') depth = Math.max(0, depth - 1);
    for (const message of commandProblems(command, depth)) report(message, words[0]?.column ?? 1);
    if (command.op === 'loop') depth += 1;
    lines.push({ command, line });
  });
  if (diagnostics.length > 0) throw new SpillwayError(diagnostics);
  return splitSections(lines, file);
}

function splitSections(lines: readonly Line[], file: string): CommandStream {
  const end = lines.findIndex((l) => l.command.op === 'endPrologue');
  const prologue = end < 0 ? [] : lines.slice(0, end + 1);
  const period = lines.slice(end + 1);
  const stream = { prologue: prologue.map((l) => l.command), period: period.map((l) => l.command) };
  const problems = streamProblems(stream);
  if (problems.length === 0) return stream;
  throw new SpillwayError(
    problems.map((problem) => {
      const section = problem.section === 'prologue' ? prologue : period;
      const line = (section[problem.command] ?? section.at(-1) ?? lines.at(-1))?.line ?? 1;
      return { code: 'SW4011', blame: 'input', message: problem.message, loc: { file, line, column: 1 } };
    }),
  );
}

function splitWords(content: string): Word[] {
  return [...content.matchAll(/\S+/g)].map((match) => ({ text: match[0], column: match.index + 1 }));
}

type Report = (message: string, column: number) => void;

function parseCommand(words: readonly Word[], report: Report): Command | undefined {
  const [name, ...operands] = words;
  if (name === undefined) return undefined;
  const instruction = instructionNamed(name.text);
  if (instruction === undefined) {
    report(`there is no instruction '${name.text}'`, name.column);
    return undefined;
  }
  const fields: Record<string, number> = {};
  const steps: FieldStep[] = [];
  const seen = new Set<string>();
  for (const { text, column } of operands) {
    const equals = text.indexOf('=');
    if (equals < 1) {
      report(`expected name=value, not '${text}'`, column);
      continue;
    }
    const operand = text.slice(0, equals);
    const parts = operandParts(instruction, operand, text.slice(equals + 1));
    if (typeof parts === 'string') {
      report(parts, column);
      continue;
    }
    for (const [field, valueText] of parts) {
      if (seen.has(field)) report(`${field} is given twice`, column);
      seen.add(field);
      const value = parseValue(field, valueText);
      if (value === undefined) report(`'${valueText}' is not a value for ${field}`, column + equals + 1);
      else {
        fields[field] = value.base;
        steps.push(...value.steps);
      }
    }
  }
  return normalise({ op: instruction.name, fields, steps }, instruction);
}

/** Field names with the text of their values; a message when the operand does not exist. */
function operandParts(instruction: Instruction, operand: string, text: string): [string, string][] | string {
  if (fieldIndex(instruction, operand) !== undefined) return [[operand, text]];
  if (!viewPrefixes(instruction).includes(operand)) return `${instruction.name} has no operand '${operand}'`;
  // A '%' inside braces belongs to a step.
  const match = /^([^:]*):([^:]*):([^:%#{]*(?:\{[^}]*\})?)(?:%([^#]*))?(?:#(.*))?$/.exec(text);
  if (match === null)
    return `the view ${operand} must be base:rowPitch:pixelPitch, with %ring or #stripes for a rolling buffer`;
  return VIEW_PARTS.map((part, index): [string, string] => [operand + part, match[index + 1] ?? '0']);
}

interface Value {
  readonly base: number;
  readonly steps: readonly FieldStep[];
}

function parseValue(field: string, text: string): Value | undefined {
  if ((field === 'wait' || field === 'signal') && /^s\d+(\+s\d+)*$/.test(text)) {
    const indexes = new Set(text.split('+').map((name) => Number(name.slice(1))));
    return { base: [...indexes].reduce((mask, index) => mask + 2 ** index, 0), steps: [] };
  }
  const match = /^([^{}]+)(?:\{([^{}]*)\})?$/.exec(text);
  const base = parseNumber(match?.[1] ?? '');
  if (match === null || base === undefined) return undefined;
  if (match[2] === undefined) return { base, steps: [] };
  const steps = match[2].split(',').map((step) => parseStep(field, step));
  const complete = steps.filter((step) => step !== undefined);
  return complete.length === steps.length ? { base, steps: complete } : undefined;
}

function parseStep(field: string, text: string): FieldStep | undefined {
  const match = /^\+?([^@]+)@(\d+)(?:%(.+))?$/.exec(text);
  const delta = parseNumber(match?.[1] ?? '');
  const modulus = parseNumber(match?.[3] ?? '0');
  if (match === null || delta === undefined || modulus === undefined) return undefined;
  return { field, level: Number(match[2]), delta, modulus };
}

function parseNumber(text: string): number | undefined {
  const match = /^(-?)(0x[0-9a-f]+|[0-9]+)$/i.exec(text);
  if (match === null) return undefined;
  const magnitude = Number(match[2]);
  return match[1] === '-' && magnitude !== 0 ? -magnitude : magnitude;
}
