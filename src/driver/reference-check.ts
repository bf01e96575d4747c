/** Holds the outputs of a simulation against those of the reference interpreter on the graph as imported. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { type Manifest, sha256Hex } from '../commands/manifest.js';
import { parseProgram } from '../ir/parse.js';
import type { Program, TensorId } from '../ir/types.js';
import { wellFormed } from '../ir/verify.js';
import { interpret } from '../reference/interpret.js';
import type { Elements } from '../reference/movement.js';
import { carriedStates, seededInput } from '../reference/seeded-input.js';
import { type GivenData, givenFrames, type PortData } from '../simulator/ports.js';
import type { SimulatedOutput } from '../simulator/simulate.js';
import { readInputFile } from './read-file.js';

/** Of every frame, the outputs in the graph's order. */
export type ReferenceFrames = readonly (readonly Elements[])[];

/**
 * Runs the graph that lies beside a program.
 *
 * @param inputs given by the user, by input name; the others are seeded
 * @param periods how many follow each other
 * @returns undefined when the directory holds no graph
 * @throws SpillwayError SW4022 and SW4104 when graph.ir and graph.bin are not those of this program
 */
export function runReference(
  directory: string,
  manifest: Manifest,
  seed: number,
  inputs: ReadonlyMap<string, GivenData>,
  periods = 1,
): ReferenceFrames | undefined {
  const program = readGraph(directory, manifest);
  if (program === undefined) return undefined;
  checkPorts(directory, manifest, program);
  return referenceFrames(program, manifest, seed, inputs, periods);
}

/** Runs the graph frame by frame, with what it carries from each to the next. */
export function referenceFrames(
  program: Program,
  manifest: Manifest,
  seed: number,
  inputs: ReadonlyMap<string, GivenData>,
  periods = 1,
): ReferenceFrames {
  const count = manifest.batch * periods;
  let states: ReadonlyMap<TensorId, Elements> = new Map();
  return Array.from({ length: count }, (_, frame) => {
    const own = frameInputs(manifest, program, seed, inputs, frame, count);
    const outputs = interpret(program, new Map([...own, ...states]));
    states = carriedStates(program, outputs);
    return program.outputs.map((id) => outputs.get(id) ?? new Int8Array());
  });
}

/** What a simulation has computed, frame by frame. */
export class SimulatedFrames {
  private readonly frames: (readonly PortData[])[] = [];

  add(outputs: readonly SimulatedOutput[]): void {
    const count = outputs[0]?.storageFrames.length ?? 0;
    for (let frame = 0; frame < count; frame += 1) {
      this.frames.push(outputs.map(({ storageFrames }) => storageFrames[frame] ?? new Int8Array()));
    }
  }

  /** Whether the outputs of every frame are those of the reference, bit for bit. */
  match(expected: ReferenceFrames): boolean {
    const { frames } = this;
    return (
      frames.length === expected.length &&
      expected.every((outputs, frame) => outputs.every((data, i) => sameBits(frames[frame]?.[i], data)))
    );
  }
}

/** @throws SpillwayError SW4022 when a file is not the one that the manifest was written for */
export function readGraph(directory: string, manifest: Manifest): Program | undefined {
  const names = ['graph.ir', 'graph.bin'] as const;
  const paths = names.map((name) => join(directory, name));
  if (!paths.every((path) => existsSync(path))) return undefined;
  const [text = new Uint8Array(), binary = new Uint8Array()] = paths.map(readInputFile);
  const changed = names.filter((name, i) => {
    const expected = manifest.hashes[name];
    return expected !== undefined && sha256Hex(i === 0 ? text : binary) !== expected;
  });
  if (changed.length > 0) {
    throw new SpillwayError(
      changed.map((name) => ({
        code: 'SW4022',
        blame: 'input',
        message: 'is not the file that the manifest was written for: its hash differs',
        loc: { file: join(directory, name) },
        hint: 'compile the model again, or delete graph.ir and graph.bin to simulate without a comparison',
      })),
    );
  }
  const file = join(directory, 'graph.ir');
  const program = parseProgram(new TextDecoder().decode(text), binary, file);
  const [problem] = wellFormed(program);
  if (problem !== undefined) throw new SpillwayError([{ ...problem, blame: 'input', loc: { file } }]);
  return program;
}

function checkPorts(directory: string, manifest: Manifest, program: Program): void {
  const describe = (ids: readonly TensorId[]): string[] =>
    ids.map((id) => {
      const tensor = program.tensors.get(id);
      return `${tensor?.name} ${tensor?.dtype} ${tensor?.shape.join('x')}`;
    });
  const given = (ports: Manifest['inputs']): string[] =>
    ports.map((port) => `${port.name} ${port.dtype} ${port.shape.join('x')}`);
  const same =
    describe(program.inputs).join() === given(manifest.inputs).join() &&
    describe(program.outputs).join() === given(manifest.outputs).join();
  if (same) return;
  const diagnostic: Diagnostic = {
    code: 'SW4104',
    blame: 'input',
    message: 'the inputs and outputs of the graph are not those of the program beside it',
    loc: { file: join(directory, 'graph.ir') },
  };
  throw new SpillwayError([diagnostic]);
}

/** Seeded inputs are drawn by the reference's own code: that the two agree is part of the comparison. */
function frameInputs(
  manifest: Manifest,
  program: Program,
  seed: number,
  given: ReadonlyMap<string, GivenData>,
  frame: number,
  count: number,
): ReturnType<typeof seededInput> {
  const inputs = seededInput(program, seed, frame);
  program.inputs.forEach((id, index) => {
    const port = manifest.inputs[index];
    const data = port === undefined ? undefined : given.get(port.name);
    if (port === undefined || data === undefined) return;
    const isState = port.stateOf !== undefined; // of which the first value is given
    const own = givenFrames(port, data, isState ? 1 : count)[isState ? 0 : frame];
    if (own !== undefined) inputs.set(id, own);
  });
  return inputs;
}

/** Bit for bit: a NaN equals itself, -0 does not equal 0. */
export function sameBits(a: ArrayBufferView | undefined, b: ArrayBufferView | undefined): boolean {
  if (a === undefined || b === undefined || a.byteLength !== b.byteLength) return false;
  const [left, right] = [viewOf(a), viewOf(b)];
  return Buffer.compare(left, right) === 0;
}

function viewOf(data: ArrayBufferView): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
