/** Sound programs, broken: every way to change one command, and what becomes of it. */

import { SpillwayError } from '../src/base/diagnostic.js';
import { encodeStream } from '../src/commands/encode.js';
import { SEMAPHORES } from '../src/commands/instructions.js';
import { instructionNamed } from '../src/commands/lookup.js';
import { sha256Hex } from '../src/commands/manifest.js';
import type { Command, CommandStream } from '../src/commands/types.js';
import type { Compilation } from '../src/index.js';
import { type LoadedProgram, loadProgram } from '../src/simulator/load-program.js';
import { type SimulationResult, simulate } from '../src/simulator/simulate.js';

export interface Mutant {
  readonly kind: string;
  readonly what: string;
  readonly stream: CommandStream;
}

/**
 * - refused: the decoder or the loader does not take it
 * - faulted: the simulator reports a fault
 * - counted: it moves other bytes than the report says
 * - wrong: no fault, but outputs that are not those of the reference, which is how it is found
 * - equivalent: no fault, the same bytes and the same outputs
 */
export type Verdict = 'refused' | 'faulted' | 'counted' | 'wrong' | 'equivalent';

/** Nothing may hang on which memory is faster: DRAM that is much slower, as it is, and much faster. */
const SPEEDS = [0.02, 1, 50];
const SEEDS = [1, 2, 3];

/** Outputs and bytes of the sound program. */
export interface Sound {
  readonly compiled: Compilation;
  readonly stream: CommandStream;
  readonly outputs: readonly string[]; // by run
  readonly bytes: string;
}

/** The program is another one than the manifest was written for: it is made to fit, since hashes are not what is tested here. */
function load({ manifest, files }: Compilation, stream: CommandStream, speed: number): LoadedProgram {
  const bytes = encodeStream(stream);
  const image = files.get('dram.bin');
  if (!(image instanceof Uint8Array)) throw new Error('no DRAM image');
  const { dram } = manifest.chip;
  const bytesPerSecond = Math.max(1, Math.round(dram.bytesPerSecond * speed));
  return loadProgram(
    {
      ...manifest,
      chip: { ...manifest.chip, dram: { ...dram, bytesPerSecond } },
      code: { ...manifest.code, bytes: bytes.length },
      hashes: { ...manifest.hashes, 'program.bin': sha256Hex(bytes) },
    },
    bytes,
    image,
    'mutant',
  );
}

const outputsOf = (result: SimulationResult): string => result.outputs.map(({ sha256 }) => sha256).join();

/** Code is left out: a mutant's is a few bytes longer or shorter. */
const bytesOf = ({ bytesByClass, dramWriteBytes, prologueWriteBytes }: SimulationResult): string =>
  JSON.stringify([{ ...bytesByClass, code: 0 }, dramWriteBytes, prologueWriteBytes]);

export function soundProgram(compiled: Compilation, stream: CommandStream): Sound {
  const results = SEEDS.map((seed, i) => simulate(load(compiled, stream, SPEEDS[i] ?? 1), { seed }));
  const faults = results.flatMap((result) => result.faults);
  if (faults.length > 0) throw new Error(`not sound: ${JSON.stringify(faults[0])}`);
  return { compiled, stream, outputs: results.map(outputsOf), bytes: bytesOf(results[0] ?? never()) };
}

function never(): never {
  throw new Error('there is no run');
}

export function verdictOf({ compiled, outputs, bytes }: Sound, { stream }: Mutant): Verdict {
  try {
    // Most mutants show without their data.
    const dry = simulate(load(compiled, stream, 1), { timingOnly: true });
    if (dry.faultCount > 0) return 'faulted';
    if (bytesOf(dry) !== bytes) return 'counted';
    for (const [i, seed] of SEEDS.entries()) {
      const result = simulate(load(compiled, stream, SPEEDS[i] ?? 1), { seed });
      if (result.faultCount > 0) return 'faulted';
      if (outputsOf(result) !== outputs[i]) return 'wrong';
    }
    return 'equivalent';
  } catch (error) {
    if (error instanceof SpillwayError) return 'refused';
    throw error;
  }
}

type Section = keyof CommandStream;

/** All mutants of a stream, in a fixed order. */
export function* mutantsOf(stream: CommandStream): Generator<Mutant> {
  for (const section of ['prologue', 'period'] as const) {
    const commands = stream[section];
    for (const [index, command] of commands.entries()) {
      const at = (kind: string, detail: string, replacement: readonly Command[], count = 1): Mutant => {
        const changed = [...commands.slice(0, index), ...replacement, ...commands.slice(index + count)];
        return {
          kind,
          what: `${section}[${index}] ${command.op}: ${detail}`,
          stream: withSection(stream, section, changed),
        };
      };
      yield* syncMutants(command, at);
      yield* fieldMutants(command, at);
      yield* stepMutants(command, at);
      yield at('drop a command', 'dropped', []);
      const next = commands[index + 1];
      if (next !== undefined && JSON.stringify(next) !== JSON.stringify(command)) {
        // Of a loop and what follows it, what is repeated changes, and not the order of the queues.
        const isNest = [command, next].some(({ op }) => op === 'loop' || op === 'endLoop');
        yield at(isNest ? 'move in or out of a loop' : 'swap two commands', `after ${next.op}`, [next, command], 2);
      }
    }
  }
}

function withSection(stream: CommandStream, section: Section, commands: readonly Command[]): CommandStream {
  return { ...stream, [section]: commands };
}

type At = (kind: string, detail: string, replacement: readonly Command[], count?: number) => Mutant;

function withField(command: Command, name: string, value: number): Command {
  return { ...command, fields: { ...command.fields, [name]: value } };
}

function* syncMutants(command: Command, at: At): Generator<Mutant> {
  for (const name of ['wait', 'signal']) {
    const mask = command.fields[name] ?? 0;
    for (let bit = 0; bit < SEMAPHORES; bit += 1) {
      if ((mask & (1 << bit)) === 0) continue;
      yield at(`drop a ${name}`, `of semaphore ${bit}`, [withField(command, name, mask & ~(1 << bit))]);
    }
  }
}

/** Of the many bits of a field, the lowest, and the one above its value. */
function* fieldMutants(command: Command, at: At): Generator<Mutant> {
  for (const { name, type } of instructionNamed(command.op)?.fields ?? []) {
    if (name === 'wait' || name === 'signal') continue;
    const value = command.fields[name] ?? 0;
    const magnitude = Math.abs(value);
    const width = magnitude === 0 ? 0 : Math.floor(Math.log2(magnitude)) + 1;
    const bits = new Set([0, width]);
    for (const bit of bits) {
      const isSet = Math.floor(magnitude / 2 ** bit) % 2 === 1;
      const flipped = magnitude + (isSet ? -1 : 1) * 2 ** bit;
      const mutated = withField(command, name, value < 0 ? -flipped : flipped);
      yield at(
        `flip a bit of ${command.op}.${name}`,
        `${value} to ${mutated.fields[name]}${bit === 0 ? ' (lowest)' : ''}`,
        [mutated],
      );
    }
    if (/Base$|Address$/i.test(name)) {
      for (const by of [-16, 16]) {
        if (type === 'u' && value + by < 0) continue;
        yield at('move an address', `${name} by ${by}`, [withField(command, name, value + by)]);
      }
    }
    if (/^(count|bytes|rows|cols)/.test(name) && value > 0) {
      yield at(`shorten`, `${name} ${value} to ${value - 1}`, [withField(command, name, value - 1)]);
    }
  }
}

function* stepMutants(command: Command, at: At): Generator<Mutant> {
  const steps = command.steps ?? [];
  for (const [index, step] of steps.entries()) {
    const replaced = (other: typeof step | undefined): Command => ({
      ...command,
      steps: steps.flatMap((one, i) => (i !== index ? [one] : other === undefined ? [] : [other])),
    });
    yield at('drop a step', `of ${step.field}`, [replaced(undefined)]);
    yield at('change a step', `${step.field} by ${step.delta + 1}`, [replaced({ ...step, delta: step.delta + 1 })]);
    if (step.modulus > 0) {
      yield at('change a step', `${step.field} modulo ${step.modulus * 2}`, [
        replaced({ ...step, modulus: step.modulus * 2 }),
      ]);
    }
  }
}
