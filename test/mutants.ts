/** Sound programs, broken in one place each, with hashes that fit again: what remains is for the simulator to find. */
import { encodeStream, HEADER_BYTES } from '../src/commands/encode.js';
import { INSTRUCTIONS, SEMAPHORES } from '../src/commands/instructions.js';
import { type Manifest, sealManifest, sha256Hex } from '../src/commands/manifest.js';
import type { Command, CommandStream } from '../src/commands/types.js';

/**
 * - order: waits, signals, barriers, whole commands left out or in another place. What is done stays the same, only when changes.
 * - place: addresses, sizes and positions of what is moved and read.
 * - meaning: all other fields. Another stride, zero point or activation makes another sound program.
 */
export type MutantKind = 'order' | 'place' | 'meaning';

export interface Mutant {
  readonly kind: MutantKind;
  readonly what: string;
  readonly stream: CommandStream;
}

const PLACE =
  /(Base|RowPitch|PixelPitch|Ring|Stripes|Pitch|Stride\d)$|^(offset|bytes|limit|records|table|sums|row0|rows|col0|cols|ch0|chs|pixelBytes|elementBytes|count\d|image[HW])$/;

function kindOf(op: string, field: string): MutantKind {
  if (field === 'wait' || field === 'signal' || op === 'semaphore') return 'order';
  return PLACE.test(field) ? 'place' : 'meaning';
}

const BITS = [0, 1, 2, 4, 7, 11];
/** A loop of thousands of turns says nothing more than one of tens. */
const COUNT_BITS = [0, 1, 2, 4];

export function* mutantsOf(stream: CommandStream): Generator<Mutant> {
  const { period } = stream;
  const make = (kind: MutantKind, what: string, commands: readonly Command[]): Mutant => ({
    kind,
    what,
    stream: { ...stream, period: commands },
  });
  const replaced = (index: number, ...by: readonly Command[]): Command[] => [
    ...period.slice(0, index),
    ...by,
    ...period.slice(index + 1),
  ];
  for (const [index, command] of period.entries()) {
    const { op, fields, steps = [] } = command;
    const name = `${index} ${op}`;
    const isFixed = op === 'loop' || op === 'endLoop' || op === 'endPeriod';
    for (const field of ['wait', 'signal'] as const) {
      for (let bit = 0; bit < SEMAPHORES; bit++) {
        if (((fields[field] ?? 0) & (1 << bit)) === 0) continue;
        const less = { ...fields, [field]: (fields[field] ?? 0) & ~(1 << bit) };
        yield make('order', `${name}: no ${field} of s${bit}`, replaced(index, { ...command, fields: less }));
      }
    }
    if (op === 'barrier' || op === 'semaphore') yield make('order', `${name}: left out`, replaced(index));
    else if (!isFixed) yield make('place', `${name}: left out`, replaced(index));
    const next = period[index + 1];
    if (!isFixed && next !== undefined && next.op !== 'loop' && next.op !== 'endLoop' && next.op !== 'endPeriod') {
      const swapped = [...period.slice(0, index), next, command, ...period.slice(index + 2)];
      yield make('order', `${name}: swapped with ${next.op}`, swapped);
    }
    const instruction = INSTRUCTIONS.find((one) => one.name === op);
    for (const { name: field, type } of instruction?.fields ?? []) {
      for (const bit of op === 'loop' ? COUNT_BITS : BITS) {
        const value = (fields[field] ?? 0) ^ (1 << bit);
        if (type === 'u' && value < 0) continue;
        const changed = { ...command, fields: { ...fields, [field]: value } };
        yield make(kindOf(op, field), `${name}: bit ${bit} of ${field}`, replaced(index, changed));
      }
    }
    for (const [at, step] of steps.entries()) {
      for (const part of ['delta', 'modulus', 'level'] as const) {
        const others = steps.map((one, i) => (i === at ? { ...one, [part]: one[part] ^ 1 } : one));
        const what = `${name}: ${part} of the step of ${step.field}`;
        yield make(kindOf(op, step.field), what, replaced(index, { ...command, steps: others }));
      }
    }
  }
}

/** The manifest of the program with other code. @throws SpillwayError when the stream cannot be encoded */
export function mutantFiles(stream: CommandStream, manifest: Manifest): { program: Uint8Array; manifest: Manifest } {
  const program = encodeStream(stream);
  if (program.length < HEADER_BYTES) throw new Error('no header');
  const { manifestHash: _, ...unsealed } = manifest;
  const sealed = sealManifest({
    ...unsealed,
    dramBytes: Math.max(manifest.dramBytes, manifest.code.dramAddress + program.length),
    regions: manifest.regions.map((region) =>
      region.class === 'code' ? { ...region, bytes: program.length } : region,
    ),
    code: { ...manifest.code, bytes: program.length },
    hashes: { ...manifest.hashes, 'program.bin': sha256Hex(program) },
  });
  return { program, manifest: sealed };
}
