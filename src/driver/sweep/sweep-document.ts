/** The sweep as data: what sweep.json and `sweep --json` hold. The table, the CSV file and the page are made from it. */
import { z } from 'zod';
import { OBJECTIVES } from '../objective-names.js';
import { measuredSchema, modelFactsSchema } from './point.js';

const bytes = z.int().nonnegative();

const place = { sramBytes: bytes, areaMm2: z.number().positive() };

export const sweepPointSchema = z.discriminatedUnion('status', [
  measuredSchema.extend({
    ...place,
    status: z.literal('done'),
    isKnee: z.boolean(),
    /**
     * More SRAM never makes a plan worse: where the compiler's own plan for this size is worse than that for a smaller one, the
     * point is that of the smaller one, which runs here as it is. What its own plan was is kept here.
     */
    smallerPlan: z
      .strictObject({
        sramBytes: bytes,
        ownPerFrameBytes: bytes,
        ownFramesPerSecond: z.number().nonnegative(),
        ownPicojoules: bytes, // of a period
      })
      .nullable(),
  }),
  z.strictObject({
    ...place,
    status: z.literal('does-not-fit'),
    leastSramBytes: z.int().positive().nullable(),
    message: z.string(),
  }),
  z.strictObject({ ...place, status: z.literal('failed'), message: z.string() }),
]);

export const sweepSeriesSchema = z.strictObject({
  /** What sets it apart from the others: the axes that have several values. */
  label: z.string(),
  params: z.record(z.string(), z.string()),
  shapes: z.record(z.string(), z.array(z.number())),
  states: z.record(z.string(), z.string()), // of an ONNX file: input to output
  batch: z.int().positive().nullable(), // frames a period; null where no point tells
  objective: z.enum(OBJECTIVES),
  target: z.strictObject({
    name: z.string(),
    dramBytesPerSecond: bytes,
    clockHz: bytes,
    macsPerCycle: bytes,
    areaMm2PerMiB: z.number().positive(),
  }),
  model: modelFactsSchema.nullable(), // null where no point fits
  points: z.array(sweepPointSchema), // by ascending SRAM
});

export const sweepSchema = z.strictObject({
  schema: z.literal('spillway-sweep/1'),
  model: z.strictObject({ name: z.string(), source: z.string() }),
  options: z.strictObject({
    dtype: z.enum(['int8', 'float32']),
    placement: z.enum(['none', 'greedy', 'ilp']),
    blocks: z.boolean(),
    parts: z.boolean(),
    resident: z.boolean(),
    solver: z.enum(['glpk', 'highs']),
    gap: z.number(),
    timeLimitSeconds: z.number(),
    disabledPasses: z.array(z.string()),
  }),
  series: z.array(sweepSeriesSchema),
});

export type Sweep = z.infer<typeof sweepSchema>;
export type SweepSeries = z.infer<typeof sweepSeriesSchema>;
export type SweepPoint = z.infer<typeof sweepPointSchema>;
export type DonePoint = Extract<SweepPoint, { status: 'done' }>;

export const isDone = (point: SweepPoint): point is DonePoint => point.status === 'done';
