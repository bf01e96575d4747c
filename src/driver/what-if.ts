/** Solves again what a directory holds, with one thing changed, and compares. */
import { join } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import type { Manifest } from '../commands/manifest.js';
import type { Program } from '../ir/types.js';
import { readManifest } from '../simulator/load-program.js';
import type { ForcedHome } from '../solver/placement/forced.js';
import { nearestName } from '../target/nearest-name.js';
import { usageError } from './command-options.js';
import type { CompileOptions } from './compile.js';
import { diffReports, type ReportDiff } from './diff.js';
import { readInputFile } from './read-file.js';
import { readRecordedOptions } from './recorded-options.js';
import { readGraph } from './reference-check.js';
import { makeReport, type Report } from './report.js';

/** What is asked, e.g. `sram=12MiB`, `sram=-1MiB`, `pin=conv3`, `spill=conv3`; several at once are one question. */
export interface Question {
  readonly sramBytes?: number;
  readonly moreSramBytes?: number; // than the directory was compiled for; less where below zero
  readonly forced: ReadonlyMap<string, ForcedHome>;
}

export interface Answer {
  readonly report: Report;
  readonly diff: ReportDiff;
  /** Tensors that could not be where they were wanted. */
  readonly unmet: readonly string[];
}

/** What a question is about: the graph as imported, how it was compiled, and what came of it. */
export interface Asked {
  readonly program: Program;
  readonly options: CompileOptions;
  readonly before: Report;
}

/**
 * @param before report.json of the directory
 * @throws SpillwayError SW8009 (blame input) when the directory holds no graph, and those of readRecordedOptions
 */
export function askedOf(directory: string, before: Report): Asked {
  const options = readRecordedOptions(directory);
  const program = readGraph(directory, manifestOf(directory));
  if (program !== undefined) return { program, options, before };
  const message = 'there is no graph.ir with graph.bin, from which the model could be compiled again';
  throw new SpillwayError([{ code: 'SW8009', blame: 'input', message, loc: { file: directory } }]);
}

/** @throws SpillwayError SW8001 for what cannot be asked, and those of the compiler */
export async function solveAgain(
  { program, options: recorded, before }: Asked,
  question: Question,
  onStage: (stage: string) => void = () => {},
): Promise<Answer> {
  checkForced(before, question);
  const { compileProgram } = await import('./compile.js');
  const { chip } = recorded;
  const options: CompileOptions = {
    ...recorded,
    onStage,
    forced: question.forced,
    chip: { ...chip, sram: { ...chip.sram, bytes: sramBytesOf(question, chip.sram.bytes) } },
  };
  let report = await reportOf(program, options).catch((error: unknown) => {
    throw withPinned(error, before, question);
  });
  // A tensor that is pinned may leave in part; without such plans it cannot.
  if (unmetOf(report, question).length > 0 && recorded.parts !== false) {
    report = await reportOf(program, { ...options, parts: false });
  }
  return { report, diff: diffReports(before, report), unmet: unmetOf(report, question) };

  async function reportOf(imported: Program, wanted: CompileOptions): Promise<Report> {
    return makeReport(await compileProgram(imported, wanted));
  }
}

function sramBytesOf({ sramBytes, moreSramBytes = 0 }: Question, compiledBytes: number): number {
  if (sramBytes !== undefined) return sramBytes;
  if (compiledBytes + moreSramBytes > 0) return compiledBytes + moreSramBytes;
  throw usageError(`--what-if sram=${moreSramBytes}B: the directory was compiled for ${compiledBytes} B`);
}

/** Weights that have to stay may leave too little for the layers: then that is what is at fault. */
function withPinned(error: unknown, { tensors }: Report, { forced }: Question): unknown {
  const pinned = tensors.filter((one) => one.class === 'weights' && forced.get(one.name) === 'sram');
  if (pinned.length === 0 || !(error instanceof SpillwayError)) return error;
  const bytes = pinned.reduce((sum, one) => sum + one.bytes, 0);
  const hint = `the weights that are pinned take ${bytes} B of the SRAM for ever; pin fewer, or give more with sram=`;
  return new SpillwayError(error.diagnostics.map((one) => (/^SW300[12]$/.test(one.code) ? { ...one, hint } : one)));
}

function unmetOf(report: Report, { forced }: Question): string[] {
  return report.tensors
    .filter(({ name, home }) => forced.has(name) && forced.get(name) !== home)
    .map(({ name }) => name);
}

/** @throws SpillwayError SW8001 for a tensor that cannot be forced */
function checkForced({ tensors }: Report, { forced }: Question): void {
  for (const name of forced.keys()) {
    const tensor = tensors.find((one) => one.name === name);
    if (tensor?.class === 'activations' || tensor?.class === 'weights') continue;
    const what = tensor === undefined ? 'there is no such tensor' : `it is of class ${tensor.class}`;
    const asked = `--what-if ${forced.get(name) === 'sram' ? 'pin' : 'spill'}=${name}`;
    const nearest = tensor === undefined ? nearestName(name, namesOf(tensors)) : undefined;
    throw usageError(
      `${asked}: ${what}; activations between layers and weights can be pinned and spilled`,
      nearest === undefined ? undefined : `is it '${nearest}'?`,
    );
  }
}

function namesOf(tensors: Report['tensors']): string[] {
  return tensors.filter((one) => one.class === 'activations' || one.class === 'weights').map(({ name }) => name);
}

function manifestOf(directory: string): Manifest {
  const file = join(directory, 'manifest.json');
  return readManifest(new TextDecoder().decode(readInputFile(file)), file);
}
