/** From the flags of `spillway sweep` to the list of its points. */

import { type Chip, loadChip } from '../../target/chip.js';
import { type CompilerFlags, type PlacementName, searchOptions, usageError } from '../command-options.js';
import type { Objective } from '../objective-names.js';
import { combinations, type Density, type SramItem, sramSizes } from './axes.js';
import type { PointTask, SweepOptions, Variant } from './point.js';

export interface SweepFlags extends CompilerFlags {
  readonly target?: readonly string[];
  readonly batch?: readonly number[];
  readonly param?: ReadonlyMap<string, readonly string[]>;
  readonly input?: ReadonlyMap<string, readonly (readonly number[])[]>;
  readonly state?: ReadonlyMap<string, string>;
  readonly objective: readonly Objective[];
  readonly sram?: readonly SramItem[];
  readonly points?: number;
  readonly perOctave?: number;
  readonly placement: PlacementName;
  readonly jobs?: number;
  readonly output?: string;
  readonly json?: true;
}

const PER_OCTAVE = 4;
/** A list that was not meant, and would run for days. */
const MOST_POINTS = 10_000;

/**
 * All points: model by model, so that a thread imports each once; the largest SRAM first, because it takes longest.
 *
 * @throws SpillwayError SW8001 (usage), SW31xx (chip files)
 */
export function sweepTasks(model: string, flags: SweepFlags): PointTask[] {
  if (flags.target === undefined) {
    throw usageError('--target is missing', 'give names that `spillway targets` lists, or paths of chip files');
  }
  const chips = flags.target.map((target) => loadChip(target));
  const options: SweepOptions = {
    ...searchOptions(flags),
    placement: flags.placement,
    disabledPasses: [...(flags.disablePass ?? [])].sort(),
  };
  const variants = combinations(flags.param ?? new Map()).flatMap((params) =>
    combinations(flags.input ?? new Map()).map(
      (shapes): Variant => ({ model, params, shapes, states: flags.state ?? new Map() }),
    ),
  );
  const tasks: PointTask[] = [];
  for (const variant of variants) {
    for (const file of chips) {
      for (const batch of flags.batch ?? [undefined]) {
        for (const objective of flags.objective) {
          for (const chip of withSizes(file, flags)) tasks.push({ variant, chip, batch, objective, options });
        }
      }
    }
  }
  if (tasks.length > MOST_POINTS)
    throw usageError(`a sweep has at most ${MOST_POINTS} points; these are ${tasks.length}`);
  return tasks;
}

function withSizes(chip: Chip, flags: SweepFlags): Chip[] {
  if (flags.points !== undefined && flags.perOctave !== undefined) {
    throw usageError('--points and --per-octave are given together', 'either says how densely a range is filled');
  }
  const density: Density =
    flags.points === undefined ? { perOctave: flags.perOctave ?? PER_OCTAVE } : { points: flags.points };
  const sizes = sramSizes(flags.sram ?? [chip.sram.bytes], density);
  return sizes.reverse().map((bytes) => ({ ...chip, sram: { ...chip.sram, bytes } }));
}
