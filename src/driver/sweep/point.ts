/** One point of a sweep: what is compiled, and what is kept of its report. */
import { z } from 'zod';
import type { Chip } from '../../target/chip.js';
import type { PlacementName } from '../command-options.js';
import type { Objective } from '../objective-names.js';
import { type Report, reportSchema } from '../report.js';

/** What all points of a sweep have in common. */
export interface SweepOptions {
  readonly dtype: 'int8' | 'float32';
  readonly placement: PlacementName;
  readonly blocks: boolean;
  readonly parts: boolean;
  readonly resident: boolean;
  readonly solver: 'glpk' | 'highs';
  readonly gap: number;
  readonly timeLimitSeconds: number;
  readonly disabledPasses: readonly string[];
}

/** A model with its parameters: imported once by each thread that has points of it. */
export interface Variant {
  readonly model: string; // path
  readonly params: ReadonlyMap<string, string>;
  readonly shapes: ReadonlyMap<string, readonly number[]>; // of inputs with open dimensions
  readonly states: ReadonlyMap<string, string>; // of ONNX files: input to output
}

export interface PointTask {
  readonly variant: Variant;
  readonly chip: Chip; // with the SRAM of this point
  readonly batch: number | undefined; // undefined: the model's own
  readonly objective: Objective;
  readonly options: SweepOptions;
}

const { model, period, bound, timing, energy, sram, solver, prologue } = reportSchema.shape;

/** The numbers of report.json as they are, without the tables, and without seconds that a clock measured. */
export const measuredSchema = z.strictObject({
  period,
  perFrameBytes: z.int().nonnegative(),
  groupFrames: z.int().positive(),
  prologue,
  sram: sram.omit({ packing: true }),
  bound: bound.omit({ crossing: true }),
  timing,
  energy,
  solver: solver.pick({ name: true, status: true, order: true }),
});

export type Measured = z.infer<typeof measuredSchema>;

export const modelFactsSchema = model.omit({ source: true });

export const outcomeSchema = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('done'),
    batch: z.int().positive(),
    model: modelFactsSchema,
    measured: measuredSchema,
  }),
  z.strictObject({
    status: z.literal('does-not-fit'),
    batch: z.int().positive(),
    /** For every layer by itself; null where that is there, and still no schedule was found. */
    leastSramBytes: z.int().positive().nullable(),
    message: z.string(),
  }),
]);

export type Outcome = z.infer<typeof outcomeSchema>;

export function measuredOf(report: Report): Measured {
  const { period, perFrameBytes, groupFrames, prologue, timing, energy } = report;
  const { packing: _, ...sramBytes } = report.sram;
  const { crossing: __, ...bounds } = report.bound;
  const { name, status, order } = report.solver;
  return {
    period,
    perFrameBytes,
    groupFrames,
    prologue,
    sram: sramBytes,
    bound: bounds,
    timing,
    energy,
    solver: { name, status, order },
  };
}
