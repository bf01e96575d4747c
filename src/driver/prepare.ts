/** From the flags of a compiling command to a model, a chip and the options of the compiler. */
import type { Program } from '../ir/types.js';
import { type Chip, loadChip, parseChip } from '../target/chip.js';
import { type CompileFlags, type PlacementName, searchOptions, usageError } from './command-options.js';
import type { CompileOptions } from './compile.js';
import { importModel } from './import-model.js';

export interface PreparedModel {
  readonly program: Program;
  readonly chip: Chip;
  readonly batch: number;
  readonly note?: string; // for the user, where something was decided that was not asked for
}

/** Flags of a command, or the request of a program, which may have a chip of its own. */
export type PrepareFlags = Omit<CompileFlags, 'target'> & { readonly target?: string | Chip };

/** The chip first: a wrong name should not wait for a large model. */
export async function prepare(model: string, flags: PrepareFlags): Promise<PreparedModel> {
  if (flags.target === undefined) {
    throw usageError('--target is missing', 'give a name that `spillway targets` lists, or the path of a chip file');
  }
  const file = chipOf(flags.target);
  const chip = flags.sram === undefined ? file : { ...file, sram: { ...file.sram, bytes: flags.sram } };
  const imported = await importModel(model, {
    params: flags.param ?? new Map(),
    shapes: flags.input ?? new Map(),
    states: flags.state ?? new Map(),
    dtype: flags.dtype,
  });
  const batch = flags.batch ?? imported.batch;
  refuseBatchOfStates(imported.program, batch);
  const note = imported.note === undefined ? {} : { note: imported.note };
  return { program: imported.program, chip, batch, ...note };
}

/** @throws SpillwayError SW8001 for several frames a period of a model whose frames depend on each other */
export function refuseBatchOfStates(program: Program, batch: number): void {
  if (batch === 1 || program.states === undefined) return;
  throw usageError(
    `--batch ${batch}: the model carries state from frame to frame, so that its frames cannot run together`,
  );
}

/** A chip that is no file is checked like one. */
export function chipOf(target: string | Chip): Chip {
  if (typeof target === 'string') return loadChip(target);
  return parseChip(JSON.stringify(target, null, 2), `target ${target.name}`);
}

export function compileOptions(prepared: PreparedModel, flags: PrepareFlags, placement: PlacementName): CompileOptions {
  return {
    chip: prepared.chip,
    batch: prepared.batch,
    ...searchOptions(flags),
    placement,
    objective: flags.objective,
    disabledPasses: new Set(flags.disablePass ?? []),
  };
}
