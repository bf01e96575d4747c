/** From the flags of a compiling command to a model, a chip and the options of the compiler. */
import type { Program } from '../ir/types.js';
import { type Chip, loadChip } from '../target/chip.js';
import { type CompileFlags, type PlacementName, usageError } from './command-options.js';
import type { CompileOptions } from './compile.js';
import { importModel } from './import-model.js';

export interface PreparedModel {
  readonly program: Program;
  readonly chip: Chip;
  readonly batch: number;
}

/** The chip first: a wrong name should not wait for a large model. */
export async function prepare(model: string, flags: CompileFlags): Promise<PreparedModel> {
  if (flags.target === undefined) {
    throw usageError('--target is missing', 'give a name that `spillway targets` lists, or the path of a chip file');
  }
  const file = loadChip(flags.target);
  const chip = flags.sram === undefined ? file : { ...file, sram: { ...file.sram, bytes: flags.sram } };
  const imported = await importModel(model, {
    params: flags.param ?? new Map(),
    shapes: flags.input ?? new Map(),
    dtype: flags.dtype,
  });
  if (imported.note !== undefined) process.stderr.write(`${model}: ${imported.note}\n`);
  const batch = flags.batch ?? imported.batch;
  if (batch > 1 && imported.program.states !== undefined) {
    throw usageError(
      `--batch ${batch}: the model carries state from frame to frame, so that its frames cannot run together`,
    );
  }
  return { program: imported.program, chip, batch };
}

export function compileOptions(prepared: PreparedModel, flags: CompileFlags, placement: PlacementName): CompileOptions {
  return {
    chip: prepared.chip,
    batch: prepared.batch,
    dtype: flags.dtype,
    placement,
    blocks: flags.blocks,
    parts: flags.parts,
    resident: flags.resident,
    solver: flags.solver,
    gap: flags.gap,
    timeLimitSeconds: flags.timeLimit,
    objective: flags.objective,
    disabledPasses: new Set(flags.disablePass ?? []),
  };
}
