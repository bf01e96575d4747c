import { INSTRUCTIONS, type Instruction } from './instructions.js';

const BY_NAME: ReadonlyMap<string, Instruction> = new Map(INSTRUCTIONS.map((i) => [i.name, i]));
const BY_OPCODE: ReadonlyMap<number, Instruction> = new Map(INSTRUCTIONS.map((i) => [i.opcode, i]));
const FIELD_INDEXES: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map(
  INSTRUCTIONS.map((i) => [i.name, new Map(i.fields.map((field, index) => [field.name, index]))]),
);

export function instructionNamed(name: string): Instruction | undefined {
  return BY_NAME.get(name);
}

export function instructionWithOpcode(opcode: number): Instruction | undefined {
  return BY_OPCODE.get(opcode);
}

/** Position of a field in the table's row, undefined when the instruction has no such field. */
export function fieldIndex(instruction: Instruction, field: string): number | undefined {
  return FIELD_INDEXES.get(instruction.name)?.get(field);
}
