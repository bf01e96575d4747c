/** Compiling and simulating from a program of one's own: what src/index.ts offers. */

import type { Manifest } from '../commands/manifest.js';
import type { Program } from '../ir/types.js';
import type { GivenData } from '../simulator/ports.js';
import type { SimulatedOutput, SimulationResult } from '../simulator/simulate.js';
import type { SearchControl } from '../solver/control.js';
import type { Chip } from '../target/chip.js';
import type { Inspection } from './inspection.js';
import type { LeastSram } from './least-sram.js';
import { periodsOf } from './periods.js';
import type { Report } from './report.js';
import type { Answer } from './what-if.js';

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
  /** What an ONNX file carries from frame to frame: its input by name, and the output that is its next value. */
  readonly states?: Readonly<Record<string, string>>;
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
  /** For the ILP solver, as a last resort: its search ends by what it did, the same on every machine. 60 when absent. */
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
  /**
   * Data of inputs by name, in the model's own order of axes, of all frames one behind the other (of a state: its first value); the
   * others are drawn from the seed.
   */
  readonly inputs?: Readonly<Record<string, GivenData>>;
  /** 1 when absent. */
  readonly seed?: number;
  /** Frames to run, period after period, a multiple of the batch; states go from each to the next. One period when absent. */
  readonly frames?: number;
  /** Vector instructions where there are some, or none of them: the same bits. simd when absent. */
  readonly kernels?: 'plain' | 'simd';
  /** Called after every period, with its outputs; `outputs` of the result are those of the last one. Not with timingOnly. */
  readonly onPeriod?: (period: number, outputs: readonly SimulatedOutput[]) => void;
  /** Path of a Chrome trace to write, for Perfetto. */
  readonly trace?: string;
  /** Path of a file for the DRAM requests, one per burst. */
  readonly dramTrace?: string;
  /** dramsim3 when absent. */
  readonly dramFormat?: 'dramsim3' | 'ramulator2';
  /** Of the program in both traces; period when absent. */
  readonly traceSections?: 'prologue' | 'period' | 'both';
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
    state: new Map(Object.entries(request.states ?? {})),
    blocks: request.blocks ?? true,
    parts: request.parts ?? true,
    resident: request.resident ?? true,
    dtype: request.dtype ?? 'int8',
    objective,
    solver: request.solver ?? 'glpk',
    timeLimit: request.timeLimitSeconds ?? 60,
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
 * @throws SpillwayError SW4xxx (files at fault), SW5002 and SW5003 (inputs that do not fit), SW8001 (frames), SW8005 (traces)
 */
export async function simulate(program: Compilation | string, options: SimulateOptions = {}): Promise<Simulation> {
  const { loadProgram, loadProgramDirectory } = await import('../simulator/load-program.js');
  const { simulate: run } = await import('../simulator/simulate.js');
  const { readGraph, referenceFrames, SimulatedFrames } = await import('./reference-check.js');
  const { TraceFiles } = await import('./trace-files.js');
  const { seed = 1, timingOnly = false, compare = true, kernels = 'simd', onPeriod } = options;
  const inputs = new Map(Object.entries(options.inputs ?? {}));
  const isWritten = typeof program === 'string';
  const loaded = isWritten
    ? loadProgramDirectory(program)
    : loadProgram(
        program.manifest,
        binary(program, 'program.bin'),
        binary(program, 'dram.bin'),
        program.report.model.name,
      );
  const { manifest } = loaded;
  const periods = periodsOf(options.frames ?? manifest.batch, manifest.batch);
  const simulated = new SimulatedFrames();
  const traces = new TraceFiles(options, manifest, isWritten ? program : program.files);
  const { observer, observed } = traces;
  try {
    const result = run(loaded, {
      seed,
      inputs,
      timingOnly,
      kernels,
      periods,
      goesOn: true,
      onPeriod: (period, outputs) => {
        if (compare) simulated.add(outputs);
        onPeriod?.(period, outputs);
      },
      ...(observer === undefined ? {} : { observer, observed }),
    });
    traces.finish(result);
    if (timingOnly || !compare) return { ...result, matchesReference: null };
    const graph = isWritten ? readGraph(program, manifest) : program.graph;
    if (graph === undefined) return { ...result, matchesReference: null };
    const expected = referenceFrames(graph, manifest, seed, inputs, periods);
    return { ...result, matchesReference: simulated.match(expected) };
  } catch (error) {
    traces.abandon();
    throw error;
  }
}

/** A question to a compiled program: what would it be like with that changed? Several changes are one question. */
export interface WhatIf {
  /** Another SRAM size, in bytes. */
  readonly sramBytes?: number;
  /** So much more SRAM than it was compiled for, or less where below zero. */
  readonly moreSramBytes?: number;
  /** Names of report.tensors that stay in SRAM: activations between layers, and weights. */
  readonly pin?: readonly string[];
  /** Names of report.tensors that go through DRAM. */
  readonly spill?: readonly string[];
}

/**
 * Compiles again with something changed, and compares: `spillway explain --what-if`.
 *
 * @param program a compilation, or the path of a directory that was written
 * @throws SpillwayError SW8001 (what cannot be asked), SW8008 and SW8009 (files at fault), SW3xxx (what does not fit)
 */
export async function whatIf(program: Compilation | string, question: WhatIf): Promise<Answer> {
  const { askedOf, solveAgain } = await import('./what-if.js');
  const { OPTIONS_FILE, parseRecordedOptions } = await import('./recorded-options.js');
  const { readReport } = await import('./read-report.js');
  const { pin = [], spill = [], ...sram } = question;
  const forced = new Map([
    ...pin.map((name) => [name, 'sram'] as const),
    ...spill.map((name) => [name, 'dram'] as const),
  ]);
  const asked =
    typeof program === 'string'
      ? askedOf(program, readReport(program))
      : {
          program: program.graph,
          options: parseRecordedOptions(String(program.files.get(OPTIONS_FILE))),
          before: program.report,
        };
  return solveAgain(asked, { ...sram, forced });
}

export interface InspectRequest extends Pick<CompileRequest, 'model' | 'params' | 'inputShapes' | 'states'> {
  /** Says for each layer whether this chip computes or moves for longer. */
  readonly target?: string | Chip;
  /** Adds the least SRAM without activation traffic, and the least that compiles at all. */
  readonly minSram?: boolean;
}

export type Inspected = Inspection & {
  readonly leastSram?: LeastSram;
  /** Where something looks like a state that is not said to be one. */
  readonly note?: string;
};

/** What a model is made of, before any decision about memory: `spillway inspect`. @throws SpillwayError SW1xxx, SW2xxx, SW3xxx */
export async function inspect(request: InspectRequest): Promise<Inspected> {
  const { readModel } = await import('./import-model.js');
  const { inspectProgram } = await import('./inspection.js');
  const { chipOf } = await import('./prepare.js');
  const { leastSramOf } = await import('./least-sram.js');
  const { DEFAULT_ALIGNMENT_BYTES } = await import('./inspect-command.js');
  const { model, target, minSram = false } = request;
  const params = new Map(Object.entries(request.params ?? {}).map(([name, value]) => [name, String(value)]));
  const shapes = new Map(Object.entries(request.inputShapes ?? {}));
  const states = new Map(Object.entries(request.states ?? {}));
  const chip = target === undefined ? undefined : chipOf(target);
  const { program, note } = await readModel(model, params, shapes, states);
  const alignmentBytes = chip?.sram.alignmentBytes ?? DEFAULT_ALIGNMENT_BYTES;
  return {
    ...inspectProgram(program, chip),
    ...(minSram ? { leastSram: await leastSramOf(model, params, shapes, alignmentBytes, states) } : {}),
    ...(note === undefined ? {} : { note }),
  };
}

function binary({ files }: Compilation, name: string): Uint8Array {
  const content = files.get(name);
  if (!(content instanceof Uint8Array)) throw new Error(`the compilation has no ${name}`);
  return content;
}
