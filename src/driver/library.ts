/** Compiling and simulating from a program of one's own: what src/index.ts offers. */

import type { Manifest } from '../commands/manifest.js';
import type { Program } from '../ir/types.js';
import type { GivenData } from '../simulator/ports.js';
import type { SimulatedOutput, SimulationResult } from '../simulator/simulate.js';
import type { SearchControl } from '../solver/control.js';
import type { Chip } from '../target/chip.js';
import type { Report } from './report.js';

export interface CompileRequest {
  /** Path of a `.model.ts`, `.onnx` or `.tflite` file. */
  readonly model: string;
  /** A name in targets/, the path of a chip file, or a chip. */
  readonly target: string | Chip;
  /** Another SRAM size than the chip's, in bytes. */
  readonly sramBytes?: number;
  /** Frames per period; the model's own, or 1, when absent. */
  readonly batch?: number;
  /** Parameters of a `.model.ts` file. */
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  /** Shapes of inputs with open dimensions, by input name. */
  readonly inputShapes?: Readonly<Record<string, readonly number[]>>;
  /** Numbers to compute in; int8 when absent. */
  readonly dtype?: 'int8' | 'float32';
  /** Who decides what is in SRAM; ilp when absent. */
  readonly placement?: 'ilp' | 'greedy' | 'none';
  /** traffic when absent; throughput is latency of all frames of the period. */
  readonly objective?: 'traffic' | 'latency' | 'throughput' | 'energy';
  readonly solver?: 'glpk' | 'highs';
  /** Depth-first blocks; true when absent. */
  readonly blocks?: boolean;
  /** Tensors in SRAM in part; true when absent. */
  readonly parts?: boolean;
  /** Weights that stay in SRAM from period to period; true when absent. */
  readonly resident?: boolean;
  /** Relative: where the search may stop; 0.001 when absent. */
  readonly gap?: number;
  /** For the ILP solver; 10 when absent. */
  readonly timeLimitSeconds?: number;
  /** Optional passes to leave out. */
  readonly disabledPasses?: readonly string[];
  /** Called when a stage begins. */
  readonly onStage?: (stage: string) => void;
  /** Ends the search for a placement early, and hears how it goes. */
  readonly control?: SearchControl;
}

/** A compiled program, in memory. */
export interface Compilation {
  /** What report.json holds. */
  readonly report: Report;
  /** What the compiler wants its user to know, such as a type of numbers that it had to choose. */
  readonly notes: readonly string[];
  /** The files of a compiled directory by name; program.bin, dram.bin and manifest.json are all that a simulator needs. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  readonly manifest: Manifest;
  /** The graph as imported, before any pass. */
  readonly graph: Program;
  /** Writes the files, so that none is ever seen half-written. @throws SpillwayError SW8005 */
  write(directory: string): void;
}

export interface SimulateOptions {
  /** Data of inputs by name, in the model's own order of axes; the others are drawn from the seed. */
  readonly inputs?: Readonly<Record<string, GivenData>>;
  /** 1 when absent. */
  readonly seed?: number;
  /** No data is moved or computed; traffic, faults and time are as always. */
  readonly timingOnly?: boolean;
  /** Hold the outputs against the reference interpreter; true when absent. */
  readonly compare?: boolean;
}

export interface Simulation extends SimulationResult {
  readonly outputs: readonly SimulatedOutput[];
  /** Bit for bit; null when no data was computed, no comparison was wanted, or there is no graph to compare with. */
  readonly matchesReference: boolean | null;
}

/**
 * Compiles a model for a chip. Nothing is written; the same request gives the same files.
 *
 * @throws SpillwayError with diagnostics: SW1xxx and SW2xxx (the model), SW3xxx (the chip, or what does not fit it)
 */
export async function compile(request: CompileRequest): Promise<Compilation> {
  const { compileOptions, prepare } = await import('./prepare.js');
  const { compileProgram } = await import('./compile.js');
  const { makeReport } = await import('./report.js');
  const { directoryFiles } = await import('./write-directory.js');
  const { writeFiles } = await import('./write-files.js');
  const { placement = 'ilp', objective = 'traffic', target, batch, sramBytes } = request;
  const flags = {
    target,
    param: new Map(Object.entries(request.params ?? {}).map(([name, value]) => [name, String(value)])),
    input: new Map(Object.entries(request.inputShapes ?? {})),
    blocks: request.blocks ?? true,
    parts: request.parts ?? true,
    resident: request.resident ?? true,
    dtype: request.dtype ?? 'int8',
    objective,
    solver: request.solver ?? 'glpk',
    timeLimit: request.timeLimitSeconds ?? 10,
    gap: request.gap ?? 0.001,
    disablePass: request.disabledPasses ?? [],
    ...(batch === undefined ? {} : { batch }),
    ...(sramBytes === undefined ? {} : { sram: sramBytes }),
  };
  const prepared = await prepare(request.model, flags);
  const compiled = await compileProgram(prepared.program, {
    ...compileOptions(prepared, flags, placement),
    ...(request.onStage === undefined ? {} : { onStage: request.onStage }),
    ...(request.control === undefined ? {} : { control: request.control }),
  });
  const report = makeReport(compiled);
  const files = directoryFiles(compiled, report);
  return {
    report,
    notes: prepared.note === undefined ? [] : [prepared.note],
    files,
    manifest: compiled.emitted.manifest,
    graph: compiled.imported,
    write: (directory) => writeFiles(directory, files),
  };
}

/**
 * Executes a compiled program: counts every DRAM byte, checks every access, computes the outputs.
 *
 * @param program a compilation, or the path of a directory that was written
 * @throws SpillwayError SW4xxx (files at fault), SW5002 and SW5003 (inputs that do not fit)
 */
export async function simulate(program: Compilation | string, options: SimulateOptions = {}): Promise<Simulation> {
  const { loadProgram, loadProgramDirectory } = await import('../simulator/load-program.js');
  const { simulate: run } = await import('../simulator/simulate.js');
  const { matchesGraph, readGraph } = await import('./reference-check.js');
  const { seed = 1, timingOnly = false, compare = true } = options;
  const inputs = new Map(Object.entries(options.inputs ?? {}));
  const loaded =
    typeof program === 'string'
      ? loadProgramDirectory(program)
      : loadProgram(
          program.manifest,
          binary(program, 'program.bin'),
          binary(program, 'dram.bin'),
          program.report.model.name,
        );
  const result = run(loaded, { seed, inputs, timingOnly });
  if (timingOnly || !compare) return { ...result, matchesReference: null };
  const graph = typeof program === 'string' ? readGraph(program, loaded.manifest) : program.graph;
  const matchesReference = graph === undefined ? null : matchesGraph(graph, loaded.manifest, result, seed, inputs);
  return { ...result, matchesReference };
}

function binary({ files }: Compilation, name: string): Uint8Array {
  const content = files.get(name);
  if (!(content instanceof Uint8Array)) throw new Error(`the compilation has no ${name}`);
  return content;
}
