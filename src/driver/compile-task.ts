/** What `spillway compile` does, from the files read to the files written; in whatever thread. */
import type { Observer } from '../../passes/pass.js';
import type { SearchControl } from '../solver/control.js';
import type { CompileFlags, PlacementName } from './command-options.js';
import { compileProgram, optimise } from './compile.js';
import { modelStem } from './model-stem.js';
import { compileOptions, prepare } from './prepare.js';
import { makeReport, type Report } from './report.js';
import { writeDirectory } from './write-directory.js';

export interface CompileTask {
  readonly model: string; // path
  readonly flags: CompileFlags & {
    readonly output?: string;
    readonly placement: PlacementName;
    readonly json?: true;
    readonly stopAfter?: string;
  };
}

export interface CompileHooks {
  readonly onStage?: (name: string) => void;
  readonly onWrite?: (directory: string) => void; // right before the files are written
  readonly control?: SearchControl;
  readonly observe?: Observer;
}

export interface CompileOutcome {
  readonly report: Report;
  readonly directory: string | undefined; // undefined: nothing was written
}

/**
 * @returns undefined where only some passes were asked for
 * @throws SpillwayError as prepare, compileProgram and writeDirectory
 */
export async function runCompileTask(
  { model, flags }: CompileTask,
  { onStage, onWrite, control, observe }: CompileHooks = {},
): Promise<CompileOutcome | undefined> {
  onStage?.('import');
  const prepared = await prepare(model, flags);
  if (prepared.note !== undefined) process.stderr.write(`${model}: ${prepared.note}\n`);
  const options = {
    ...compileOptions(prepared, flags, flags.placement),
    ...(observe === undefined ? {} : { observe }),
    ...(onStage === undefined ? {} : { onStage }),
    ...(control === undefined ? {} : { control }),
  };
  if (flags.stopAfter !== undefined) {
    optimise(prepared.program, { ...options, stopAfter: flags.stopAfter });
    return undefined;
  }
  const compiled = await compileProgram(prepared.program, options);
  onStage?.('report');
  const report = makeReport(compiled);
  const directory = outputDirectory({ model, flags }, prepared.chip.name);
  if (directory !== undefined) {
    onWrite?.(directory);
    writeDirectory(directory, compiled, report);
  }
  return { report, directory };
}

/** Where the files go; nowhere when only the report is wanted. */
function outputDirectory({ model, flags }: CompileTask, chip: string): string | undefined {
  return flags.output ?? (flags.json ? undefined : `out/${modelStem(model)}-${chip}`);
}
