import { SpillwayError } from '../base/diagnostic.js';
import { compareSteps, MAX_DELTA, type SectionName, sectionProblems } from './check.js';
import { crc32 } from './crc32.js';
import { HEADER_BYTES, MAGIC, STEP_MODULUS_FLAG, STEP_MORE_FLAG, STEPS_FLAG, STREAM_VERSION } from './encode.js';
import type { Instruction } from './instructions.js';
import { instructionWithOpcode } from './lookup.js';
import type { Command, CommandStream, FieldStep } from './types.js';
import { readVarint, unzigzag } from './varint.js';

export interface DecodedSection {
  readonly commands: readonly Command[];
  /** Bytes of each command as stored. */
  readonly commandBytes: readonly number[];
}

export interface DecodedProgram {
  readonly prologue: DecodedSection;
  readonly period: DecodedSection;
  readonly stream: CommandStream;
  /** What the machine fetches to run each section once, the file header with the prologue. */
  readonly prologueBytes: number;
  readonly periodBytes: number;
}

/**
 * @param file name for diagnostics
 * @throws SpillwayError SW4001 (not a stream, truncated), SW4002 (checksum), SW4003 (malformed command), SW4004 (not a
 * program: loops, ends, ranges). Every stream has exactly one encoding; any other spelling of it is refused.
 */
export function decodeStream(bytes: Uint8Array, file = 'program.bin'): CommandStream {
  return decodeProgram(bytes, file).stream;
}

export function decodeProgram(bytes: Uint8Array, file = 'program.bin'): DecodedProgram {
  const header = readHeader(bytes, file);
  const periodStart = HEADER_BYTES + header.prologueBytes;
  const prologue = decodeSection(bytes, HEADER_BYTES, periodStart, 'prologue', file);
  const period = decodeSection(bytes, periodStart, bytes.length, 'period', file);
  checkSection('prologue', prologue, HEADER_BYTES, file);
  checkSection('period', period, periodStart, file);
  return {
    prologue,
    period,
    stream: { prologue: prologue.commands, period: period.commands },
    prologueBytes: periodStart,
    periodBytes: header.periodBytes,
  };
}

function refuse(code: `SW${number}`, file: string, message: string, hint?: string): never {
  throw new SpillwayError([{ code, blame: 'input', message, loc: { file }, ...(hint === undefined ? {} : { hint }) }]);
}

const DAMAGED = 'the file is damaged or was edited; compile the model again';

interface Header {
  readonly prologueBytes: number;
  readonly periodBytes: number;
}

/** Also used alone, for what the machine fetches. */
export function readHeader(bytes: Uint8Array, file: string): Header {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
    refuse('SW4001', file, 'not a Spillway command stream: it does not begin with "SPWY"');
  }
  if (bytes.length < HEADER_BYTES) {
    refuse('SW4001', file, `truncated: ${bytes.length} B, but the header alone has ${HEADER_BYTES} B`, DAMAGED);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(24, true) !== crc32(bytes.subarray(0, 24))) {
    refuse('SW4002', file, 'the checksum of the header is wrong', DAMAGED);
  }
  const version = view.getUint32(4, true);
  if (version !== STREAM_VERSION) {
    refuse('SW4001', file, `version ${version} of the format; this program reads version ${STREAM_VERSION}`);
  }
  const prologueBytes = view.getUint32(8, true);
  const periodBytes = view.getUint32(12, true);
  const expectedBytes = HEADER_BYTES + prologueBytes + periodBytes;
  if (bytes.length !== expectedBytes) {
    const kind = bytes.length < expectedBytes ? 'truncated' : 'too long';
    refuse('SW4001', file, `${kind}: ${bytes.length} B where the header announces ${expectedBytes} B`, DAMAGED);
  }
  const periodStart = HEADER_BYTES + prologueBytes;
  if (view.getUint32(16, true) !== crc32(bytes.subarray(HEADER_BYTES, periodStart))) {
    refuse('SW4002', file, 'the checksum of the prologue is wrong', DAMAGED);
  }
  if (view.getUint32(20, true) !== crc32(bytes.subarray(periodStart))) {
    refuse('SW4002', file, 'the checksum of the period is wrong', DAMAGED);
  }
  return { prologueBytes, periodBytes };
}

function checkSection(name: SectionName, section: DecodedSection, start: number, file: string): void {
  const end = name === 'prologue' ? 'endPrologue' : 'endPeriod';
  const problem = sectionProblems(name, section.commands, end)[0];
  if (problem === undefined) return;
  let offset = start;
  for (const bytes of section.commandBytes.slice(0, problem.command)) offset += bytes;
  refuse('SW4004', file, `${where(offset, name, problem.command)}: ${problem.message}`);
}

function where(offset: number, section: SectionName, command: number): string {
  return `byte ${offset} (${section}, command ${command})`;
}

function decodeSection(bytes: Uint8Array, start: number, end: number, name: SectionName, file: string): DecodedSection {
  const section = bytes.subarray(0, end);
  const commands: Command[] = [];
  const commandBytes: number[] = [];
  const registers = new Map<number, number[]>();
  for (let offset = start; offset < end; ) {
    const reader = new CommandReader(section, offset, (at, message) =>
      refuse('SW4003', file, `${where(at, name, commands.length)}: ${message}`),
    );
    commands.push(readCommand(reader, registers));
    commandBytes.push(reader.offset - offset);
    offset = reader.offset;
  }
  return { commands, commandBytes };
}

class CommandReader {
  constructor(
    private readonly bytes: Uint8Array,
    public offset: number,
    readonly fail: (at: number, message: string) => never,
  ) {}

  byte(what: string): number {
    const value = this.bytes[this.offset];
    if (value === undefined) this.fail(this.offset, `the section ends inside the command, before its ${what}`);
    this.offset += 1;
    return value;
  }

  varint(what: string): number {
    const result = readVarint(this.bytes, this.offset);
    if (typeof result === 'string') this.fail(this.offset, `${what}: number ${result}`);
    this.offset = result.next;
    return result.value;
  }
}

function readCommand(reader: CommandReader, registers: Map<number, number[]>): Command {
  const start = reader.offset;
  const first = reader.byte('opcode');
  const opcode = first & ~STEPS_FLAG;
  const instruction = instructionWithOpcode(opcode);
  if (instruction === undefined) reader.fail(start, `unknown opcode 0x${opcode.toString(16).padStart(2, '0')}`);
  const values = registers.get(opcode) ?? instruction.fields.map(() => 0);
  registers.set(opcode, values);
  readFields(reader, instruction, values);
  const steps = first >= STEPS_FLAG ? readSteps(reader, instruction) : [];
  const fields: Record<string, number> = {};
  instruction.fields.forEach((field, index) => {
    const value = values[index] ?? 0;
    if (value !== 0) fields[field.name] = value;
  });
  return steps.length === 0 ? { op: instruction.name, fields } : { op: instruction.name, fields, steps };
}

function readFields(reader: CommandReader, instruction: Instruction, values: number[]): void {
  for (const index of readChangedFields(reader, instruction)) {
    const field = instruction.fields[index];
    const at = reader.offset;
    if (field === undefined) reader.fail(at, `${instruction.name} has no field ${index}`);
    const raw = reader.varint(field.name);
    const value = field.type === 's' ? unzigzag(raw) : raw;
    if (value === values[index]) reader.fail(at, `${field.name} = ${value} is stored though it did not change`);
    values[index] = value;
  }
}

function readChangedFields(reader: CommandReader, instruction: Instruction): number[] {
  const groupCount = Math.ceil(instruction.fields.length / 8);
  if (groupCount === 0) return [];
  const at = reader.offset;
  const groups = groupCount === 1 ? 1 : reader.byte('group mask');
  if (groups >= 2 ** groupCount) reader.fail(at, `${instruction.name} has only ${groupCount} groups of fields`);
  const indexes: number[] = [];
  for (let group = 0; group < groupCount; group++) {
    if ((groups & (1 << group)) === 0) continue;
    const maskAt = reader.offset;
    const mask = reader.byte('field mask');
    if (mask === 0 && groupCount > 1) reader.fail(maskAt, 'a group without a changed field is listed');
    for (let bit = 0; bit < 8; bit++) if ((mask & (1 << bit)) !== 0) indexes.push(group * 8 + bit);
  }
  return indexes;
}

function readSteps(reader: CommandReader, instruction: Instruction): FieldStep[] {
  const steps: FieldStep[] = [];
  for (;;) {
    const at = reader.offset;
    const head = reader.byte('step');
    const field = instruction.fields[head & 0x3f];
    if (field === undefined) reader.fail(at, `step of field ${head & 0x3f}, which ${instruction.name} does not have`);
    const packed = reader.varint('step');
    const modulus = (head & STEP_MODULUS_FLAG) === 0 ? 0 : reader.varint('modulus');
    const step = { field: field.name, level: packed % 4, delta: unzigzag(Math.floor(packed / 4)), modulus };
    if (step.delta === 0 || Math.abs(step.delta) > MAX_DELTA) reader.fail(at, `step by ${step.delta}`);
    if (modulus === 0 && (head & STEP_MODULUS_FLAG) !== 0) reader.fail(at, 'a modulus of 0 is stored');
    const last = steps.at(-1);
    if (last !== undefined && compareSteps(instruction, last, step) > 0) reader.fail(at, 'steps are out of order');
    steps.push(step);
    if ((head & STEP_MORE_FLAG) === 0) return steps;
  }
}
