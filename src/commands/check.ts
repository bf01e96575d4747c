import { type Field, type Instruction, MAX_LOOP_DEPTH, SEMAPHORES, STRIPE_RINGS } from './instructions.js';
import { fieldIndex, instructionNamed } from './lookup.js';
import type { Command, CommandStream, FieldStep } from './types.js';
import { MAX_VARINT } from './varint.js';

/** Largest magnitude of a signed field: its zigzag form still has to be below 2^53. */
export const MAX_SIGNED = 2 ** 52 - 1;

/** Largest magnitude of a step's delta: it shares its number with the level. */
export const MAX_DELTA = 2 ** 50 - 1;

export type SectionName = 'prologue' | 'period';

/** A reason why a stream is not a program, and the command that shows it. */
export interface StreamProblem {
  readonly section: SectionName;
  readonly command: number; // index in its section; the section's length when something is missing at its end
  readonly message: string;
}

/** Everything about a stream that can be known without running it. Empty for every stream that may be encoded. */
export function streamProblems(stream: CommandStream): StreamProblem[] {
  return [
    ...sectionProblems('prologue', stream.prologue, 'endPrologue'),
    ...sectionProblems('period', stream.period, 'endPeriod'),
  ];
}

export function sectionProblems(section: SectionName, commands: readonly Command[], end: string): StreamProblem[] {
  const problems: StreamProblem[] = [];
  let depth = 0;
  commands.forEach((command, index) => {
    const report = (message: string) => problems.push({ section, command: index, message });
    for (const message of commandProblems(command, depth)) report(message);
    if (command.op === 'loop') {
      depth += 1;
      if (depth === MAX_LOOP_DEPTH + 1) report(`loops are nested more than ${MAX_LOOP_DEPTH} deep`);
    } else if (command.op === 'endLoop') {
      if (depth === 0) report('endLoop without a loop');
      else depth -= 1;
    } else if (command.op === 'endPrologue' || command.op === 'endPeriod') {
      if (command.op !== end) report(`${command.op} in the ${section}`);
      else if (index !== commands.length - 1) report(`${command.op} is not the last command of the ${section}`);
      if (depth !== 0) report(`${depth} loop(s) are still open at ${command.op}`);
    }
  });
  if (commands.at(-1)?.op !== end) {
    problems.push({ section, command: commands.length, message: `the ${section} does not end with ${end}` });
  }
  return problems;
}

/** @param depth number of loops around the command */
export function commandProblems(command: Command, depth: number): string[] {
  const instruction = instructionNamed(command.op);
  if (instruction === undefined) return [`there is no instruction '${command.op}'`];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(command.fields)) {
    const field = instruction.fields[fieldIndex(instruction, name) ?? -1];
    const problem = field === undefined ? `${command.op} has no field '${name}'` : valueProblem(field, value);
    if (problem !== undefined) problems.push(problem);
  }
  if (command.op === 'loop' && (command.fields.count ?? 0) < 1) problems.push('loop count is 0');
  if (command.op === 'semaphore' && (command.fields.index ?? 0) >= SEMAPHORES) {
    problems.push(`there is no semaphore ${command.fields.index}; there are ${SEMAPHORES}`);
  }
  if (command.op === 'stripeRing') problems.push(...stripeRingProblems(command.fields));
  for (const step of command.steps ?? []) problems.push(...stepProblems(instruction, step, depth));
  return problems;
}

function stripeRingProblems(fields: Command['fields']): string[] {
  const value = (name: string): number => fields[name] ?? 0;
  const problems: string[] = [];
  if (value('index') < 1 || value('index') >= STRIPE_RINGS)
    problems.push(`there is no ring of stripes ${value('index')}; there are 1 to ${STRIPE_RINGS - 1}`);
  if (value('height') <= value('phase'))
    problems.push(`phase ${value('phase')} is not below height ${value('height')}`);
  if (value('kept') > value('height')) problems.push(`${value('kept')} rows are kept of ${value('height')}`);
  if (value('kept') > 0 && value('longColumns') < 1) problems.push('rows are kept in a ring without columns');
  if (value('kept') < value('height') && value('shortColumns') < 1) problems.push('rows are in a ring without columns');
  return problems;
}

function valueProblem(field: Field, value: number): string | undefined {
  const high = field.type === 's' ? MAX_SIGNED : MAX_VARINT;
  const low = field.type === 's' ? -MAX_SIGNED : 0;
  if (!Number.isInteger(value)) return `${field.name} is ${value}, not an integer`;
  if (value < low || value > high) return `${field.name} = ${value} is outside [${low}, ${high}]`;
  if ((field.name === 'wait' || field.name === 'signal') && value >= 2 ** SEMAPHORES) {
    return `${field.name} = 0x${value.toString(16)} names semaphores above ${SEMAPHORES - 1}`;
  }
  return undefined;
}

function stepProblems(instruction: Instruction, step: FieldStep, depth: number): string[] {
  const where = `step of ${step.field}`;
  const problems: string[] = [];
  // A loop whose count changed would make the code's own traffic depend on data; nothing needs it.
  if (instruction.queue === 'processor') problems.push(`${where}: ${instruction.name} takes no steps`);
  if (fieldIndex(instruction, step.field) === undefined) problems.push(`${where}: no such field`);
  if (!Number.isInteger(step.level) || step.level < 0 || step.level >= depth) {
    problems.push(`${where}: level ${step.level}, but ${depth} loop(s) are around it`);
  }
  if (!Number.isInteger(step.delta) || Math.abs(step.delta) > MAX_DELTA) {
    problems.push(`${where}: delta ${step.delta} is outside +-${MAX_DELTA}`);
  }
  if (!Number.isInteger(step.modulus) || step.modulus < 0 || step.modulus > MAX_VARINT) {
    problems.push(`${where}: modulus ${step.modulus} is outside [0, ${MAX_VARINT}]`);
  }
  return problems;
}

/**
 * The one form of a command that is encoded: no zero fields, fields in table order, no steps that change nothing, steps
 * by field, level, delta and modulus. Steps are summed, so their order has no meaning.
 */
export function normalise(command: Command, instruction: Instruction): Command {
  const fields: Record<string, number> = {};
  for (const { name } of instruction.fields) {
    const value = command.fields[name] ?? 0;
    if (value !== 0) fields[name] = value;
  }
  const steps = (command.steps ?? []).filter((s) => s.delta !== 0).sort((a, b) => compareSteps(instruction, a, b));
  return steps.length === 0 ? { op: command.op, fields } : { op: command.op, fields, steps };
}

export function compareSteps(instruction: Instruction, a: FieldStep, b: FieldStep): number {
  const fields = (fieldIndex(instruction, a.field) ?? 0) - (fieldIndex(instruction, b.field) ?? 0);
  return fields || a.level - b.level || a.delta - b.delta || a.modulus - b.modulus;
}
