/** options.json: how a directory was compiled, so that the same can be asked again with one thing changed. */
import { join } from 'node:path';
import { z } from 'zod';
import { type Chip, parseChip } from '../target/chip.js';
import type { CompileOptions } from './compile.js';
import { OBJECTIVES } from './objective-names.js';
import { readCompiledJson } from './read-compiled-json.js';

export const OPTIONS_FILE = 'options.json';

const optionsSchema = z.strictObject({
  schema: z.literal('spillway-options/1'),
  batch: z.int().positive(),
  dtype: z.enum(['int8', 'float32']),
  placement: z.enum(['ilp', 'greedy', 'none']),
  objective: z.enum(OBJECTIVES),
  solver: z.enum(['glpk', 'highs']),
  gap: z.number().nonnegative(),
  timeLimitSeconds: z.number().positive(),
  blocks: z.boolean(),
  parts: z.boolean(),
  resident: z.boolean(),
  pieces: z.boolean(),
  statesInSram: z.boolean().optional(), // the better way when absent
  placedShare: z.number().positive().max(1).optional(), // all of the SRAM when absent
  disabledPasses: z.array(z.string()),
  chip: z.looseObject({}), // as in a chip file, the SRAM that was asked for in it
});

export function optionsText(options: CompileOptions): string {
  const recorded: z.infer<typeof optionsSchema> = {
    schema: 'spillway-options/1',
    batch: options.batch,
    dtype: options.dtype,
    placement: options.placement,
    objective: options.objective ?? 'traffic',
    solver: options.solver,
    gap: options.gap,
    timeLimitSeconds: options.timeLimitSeconds,
    blocks: options.blocks ?? true,
    parts: options.parts ?? true,
    resident: options.resident ?? true,
    pieces: options.pieces ?? true,
    ...(options.statesInSram === undefined ? {} : { statesInSram: options.statesInSram }),
    ...(options.placedShare === undefined ? {} : { placedShare: options.placedShare }),
    disabledPasses: [...(options.disabledPasses ?? [])].sort(),
    chip: { ...options.chip },
  };
  return `${JSON.stringify(recorded, null, 2)}\n`;
}

/**
 * @throws SpillwayError SW8002 (blame input) when it cannot be read, SW8008 (blame input) when it holds no options, SW3102 and
 *   others of a chip file for the chip in it
 */
export function readRecordedOptions(directory: string): CompileOptions {
  return optionsOf(
    readCompiledJson(directory, OPTIONS_FILE, optionsSchema, { code: 'SW8008', message: 'these are no options' }),
    join(directory, OPTIONS_FILE),
  );
}

/** Of a compilation that was not written. @param text what options.json would hold */
export function parseRecordedOptions(text: string): CompileOptions {
  return optionsOf(optionsSchema.parse(JSON.parse(text)), OPTIONS_FILE);
}

function optionsOf(recorded: z.infer<typeof optionsSchema>, file: string): CompileOptions {
  const { schema: _, disabledPasses, chip, statesInSram, placedShare, ...options } = recorded;
  return {
    ...options,
    ...(statesInSram === undefined ? {} : { statesInSram }),
    ...(placedShare === undefined ? {} : { placedShare }),
    disabledPasses: new Set(disabledPasses),
    chip: chipIn(chip, file),
  };
}

function chipIn(chip: unknown, file: string): Chip {
  return parseChip(JSON.stringify(chip, null, 2), file);
}
