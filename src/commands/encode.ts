import { SpillwayError } from '../base/diagnostic.js';
import { normalise, streamProblems } from './check.js';
import { crc32 } from './crc32.js';
import type { Instruction } from './instructions.js';
import { fieldIndex, instructionNamed } from './lookup.js';
import type { Command, CommandStream } from './types.js';
import { pushVarint, zigzag } from './varint.js';

/**
 * The binary form of a stream.
 *
 *   header (28 bytes, little endian)
 *     0  "SPWY"     4  u32 version, 1
 *     8  u32 bytes of the prologue          12  u32 bytes of the period
 *    16  u32 CRC-32 of the prologue         20  u32 CRC-32 of the period
 *    24  u32 CRC-32 of bytes 0..23
 *   prologue, then period: commands one after the other
 *
 *   command
 *     opcode; its top bit says that steps follow
 *     change mask, when the instruction has fields: fields are taken in groups of eight, in table order. With more than
 *       eight fields, a byte says which groups have changes (bit g: group g); then a byte for each such group (bit i: field i)
 *     the changed fields: base-128 numbers, signed fields in zigzag form
 *     steps: a byte with the field's index in bits 0..5, bit 6 when a modulus follows, bit 7 when another step follows; then the
 *       number zigzag(delta) * 4 + level; then the modulus
 *
 * A change is a difference from the latest earlier command of the same opcode in the section, in the order in which they
 * are stored (loops change nothing about that: the processor goes back to the registers it had at the loop's first command). Before
 * the first one all fields are zero. Neighbouring layers and tiles share most of their fields, which is why a command costs
 * about 20 bytes and not 60. Steps are not inherited.
 */
export const MAGIC = [0x53, 0x50, 0x57, 0x59] as const;
export const STREAM_VERSION = 1;
export const HEADER_BYTES = 28;
export const STEPS_FLAG = 0x80;
export const STEP_MODULUS_FLAG = 0x40;
export const STEP_MORE_FLAG = 0x80;

/** @throws SpillwayError SW9401 (bug) when the stream is not a program: whoever made it is at fault */
export function encodeStream(stream: CommandStream): Uint8Array {
  const problems = streamProblems(stream);
  if (problems.length > 0) {
    throw new SpillwayError(
      problems.map(({ section, command, message }) => ({
        code: 'SW9401',
        blame: 'bug',
        message,
        loc: { file: 'encode-stream', node: `${section}[${command}]` },
      })),
    );
  }
  return assembleFile(encodeSection(stream.prologue).bytes, encodeSection(stream.period).bytes);
}

function assembleFile(prologue: Uint8Array, period: Uint8Array): Uint8Array {
  const file = new Uint8Array(HEADER_BYTES + prologue.length + period.length);
  const header = new DataView(file.buffer);
  file.set(MAGIC, 0);
  header.setUint32(4, STREAM_VERSION, true);
  header.setUint32(8, prologue.length, true);
  header.setUint32(12, period.length, true);
  header.setUint32(16, crc32(prologue), true);
  header.setUint32(20, crc32(period), true);
  header.setUint32(24, crc32(file.subarray(0, 24)), true);
  file.set(prologue, HEADER_BYTES);
  file.set(period, HEADER_BYTES + prologue.length);
  return file;
}

export interface EncodedSection {
  readonly bytes: Uint8Array;
  /** Bytes of each command, in order; they sum to bytes.length. */
  readonly commandBytes: readonly number[];
}

/** The commands must have passed `streamProblems`. */
export function encodeSection(commands: readonly Command[]): EncodedSection {
  const out: number[] = [];
  const commandBytes: number[] = [];
  const registers = new Map<string, number[]>();
  for (const command of commands) {
    const start = out.length;
    const instruction = instructionNamed(command.op);
    if (instruction === undefined) throw new Error(`no instruction ${command.op}`);
    const previous = registers.get(command.op) ?? instruction.fields.map(() => 0);
    registers.set(command.op, encodeCommand(out, normalise(command, instruction), instruction, previous));
    commandBytes.push(out.length - start);
  }
  return { bytes: Uint8Array.from(out), commandBytes };
}

function encodeCommand(
  out: number[],
  command: Command,
  instruction: Instruction,
  previous: readonly number[],
): number[] {
  const steps = command.steps ?? [];
  out.push(instruction.opcode + (steps.length > 0 ? STEPS_FLAG : 0));
  const values = instruction.fields.map((field) => command.fields[field.name] ?? 0);
  const groups = Array.from({ length: Math.ceil(values.length / 8) }, () => 0);
  values.forEach((value, index) => {
    if (value !== previous[index]) groups[index >> 3] = (groups[index >> 3] ?? 0) | (1 << (index & 7));
  });
  if (groups.length > 1) {
    out.push(groups.reduce((mask, group, index) => (group === 0 ? mask : mask | (1 << index)), 0));
    out.push(...groups.filter((group) => group !== 0));
  } else out.push(...groups);
  instruction.fields.forEach((field, index) => {
    const value = values[index] ?? 0;
    if (value !== previous[index]) pushVarint(out, field.type === 's' ? zigzag(value) : value);
  });
  steps.forEach((step, index) => {
    const more = index + 1 < steps.length ? STEP_MORE_FLAG : 0;
    out.push((fieldIndex(instruction, step.field) ?? 0) + (step.modulus > 0 ? STEP_MODULUS_FLAG : 0) + more);
    pushVarint(out, zigzag(step.delta) * 4 + step.level);
    if (step.modulus > 0) pushVarint(out, step.modulus);
  });
  return values;
}
