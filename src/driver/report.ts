/** The report as data: what report.json and `compile --json` hold. report-text.ts makes the tables from it. */

import { z } from 'zod';
import { neededInputBytes } from '../backend/compulsory.js';
import { crossingBoundOf } from '../backend/crossing-bound.js';
import { type PredictedTiming, predictTiming } from '../backend/predict-timing.js';
import { periodTimeline } from '../backend/timeline.js';
import { computeFloorCycles } from '../schedule/compute-work.js';
import type { Schedule } from '../schedule/schedule.js';
import type { Chip } from '../target/chip.js';
import type { Compiled } from './compile.js';
import { mostFeatureBytes } from './feature-bytes.js';
import { OBJECTIVES } from './objective-names.js';
import { type Energy, energyOf } from './objectives.js';
import { countTraffic, type PeriodBytes } from './period-bytes.js';
import { budgetOf, layerReports } from './report-layers.js';
import { tensorReports } from './report-tensors.js';

const bytes = z.int().nonnegative();
const classes = z.strictObject({ weights: bytes, activations: bytes, input: bytes, output: bytes, code: bytes });

const layerSchema = z.strictObject({
  step: bytes,
  name: z.string(),
  kind: z.string(),
  source: z.string(), // file:line:column or file#node
  outputShape: z.array(z.int().positive()),
  macs: bytes,
  readBytes: bytes, // per period, like every count of bytes that move
  writeBytes: bytes,
  byClass: z.strictObject({ weights: bytes, activations: bytes, input: bytes, output: bytes }),
  weightBytes: bytes, // as stored
  residentBytes: bytes, // of them, in SRAM for ever
  tiling: z.string(),
  block: bytes.nullable(), // number of the block that it runs in
  sramBytes: bytes, // live while the layer runs
  cycles: bytes, // of one frame, estimated
  computeCycles: bytes,
  dramCycles: bytes,
  /** DRAM bytes of a frame that one more byte of SRAM at this step would save (dual of the relaxation). */
  sramValue: z.number().nonnegative(),
});

const tensorSchema = z.strictObject({
  name: z.string(),
  class: z.enum(['weights', 'activations', 'input', 'output', 'code']),
  bytes,
  home: z.enum(['sram', 'dram', 'sram+dram']),
  readBytes: bytes,
  writeBytes: bytes,
  why: z.string(),
});

const budgetRow = z.strictObject({ sramBytes: bytes, dramBytes: bytes, periodBytes: bytes });

/** Offsets of all buffers: the height reached, the largest sum of live bytes, and whether no packing is lower. */
const packing = z.strictObject({ heightBytes: bytes, loadBytes: bytes, provenOptimal: z.boolean() });

export const reportSchema = z.strictObject({
  schema: z.literal('spillway-report/1'),
  model: z.strictObject({
    name: z.string(),
    source: z.string(),
    dtype: z.enum(['int8', 'float32']),
    layers: bytes,
    macs: bytes,
    weightBytes: bytes, // constants as stored: weights, biases, scales, tables
    activationBytes: bytes, // all activation tensors together, inputs and outputs included
    largestActivationBytes: bytes,
  }),
  target: z.strictObject({
    name: z.string(),
    sramBytes: bytes,
    dramBytesPerSecond: bytes,
    clockHz: bytes,
    macsPerCycle: bytes,
  }),
  batch: z.int().positive(), // frames a period
  groupFrames: z.int().positive(), // of them, those that run together
  objective: z.enum(OBJECTIVES),
  placement: z.enum(['none', 'greedy', 'ilp']),
  prologue: z.strictObject({ readBytes: bytes, weightBytes: bytes, stateBytes: bytes, codeBytes: bytes }),
  period: z.strictObject({ readBytes: bytes, writeBytes: bytes, totalBytes: bytes, byClass: classes }),
  perFrameBytes: bytes,
  sram: z.strictObject({
    capacityBytes: bytes,
    peakBytes: bytes,
    residentWeightBytes: bytes,
    liveBytes: bytes,
    featureBytes: bytes, // tensors and rolling buffers, at the step that has most; no weights
    packing,
  }),
  /** The three kinds of bytes: in SRAM at the fullest step, stored in DRAM, and moved per period. */
  budget: z.strictObject({ weights: budgetRow, activations: budgetRow, code: budgetRow, fullestStep: z.string() }),
  bound: z.strictObject({
    compulsoryBytes: bytes,
    /** Sharper: for every schedule, in any order, that computes no value twice (backend/crossing-bound.ts). */
    crossingBytes: bytes,
    /** What it comes from: activations made before `first` and read after `last`, and the weights in between. */
    crossing: z
      .strictObject({ first: z.string(), last: z.string(), activationBytes: bytes, weightBytes: bytes })
      .nullable(),
    solverBytes: bytes.nullable(), // the code of this program included, so that it compares with totalBytes
    gap: z.number().min(0).max(1).nullable(), // (total - solver) / total
    ratioToCompulsory: z.number().positive().nullable(),
  }),
  timing: z.strictObject({
    cycles: bytes, // of one period
    seconds: z.number().nonnegative(),
    framesPerSecond: z.number().nonnegative(),
    macUtilization: z.number().min(0).max(1),
    dramUtilization: z.number().min(0).max(1),
    /** No schedule is faster than either: each layer in one command and nothing else; the compulsory bytes and nothing else. */
    floors: z.strictObject({ computeCycles: bytes, compulsoryCycles: bytes }),
    /** What the ILP for time has proven in its model (docs/timing.md); null where no plan was looked for by time. */
    bound: z
      .strictObject({
        cycles: bytes,
        gap: z.number(),
        plannedCycles: bytes,
        status: z.string(),
        variables: bytes,
        constraints: bytes,
      })
      .nullable(),
  }),
  /** Of a period; a chip without numbers for SRAM or MACs counts 0 for them. */
  energy: z.strictObject({
    dramPicojoules: bytes,
    sramPicojoules: bytes,
    macPicojoules: bytes,
    totalPicojoules: bytes,
  }),
  /** Every plan that was made on the way to this one, and what it costs. */
  plans: z.array(z.strictObject({ plan: z.string(), bytes, cycles: bytes, picojoules: bytes, isChosen: z.boolean() })),
  solver: z.strictObject({
    name: z.string(),
    status: z.string(),
    seconds: z.number().nonnegative(),
    variables: bytes,
    constraints: bytes,
    order: z.string(), // of the layers: the best for this placement of those tried
  }),
  layers: z.array(layerSchema),
  tensors: z.array(tensorSchema),
});

export type Report = z.infer<typeof reportSchema>;
export type LayerReport = z.infer<typeof layerSchema>;
export type TensorReport = z.infer<typeof tensorSchema>;

export function makeReport(compiled: Compiled): Report {
  const { schedule, emitted } = compiled;
  const { chip, objective = 'traffic', placement } = compiled.options;
  const { batch, dtype } = emitted.manifest;
  const counted = countTraffic(schedule, emitted);
  const { period } = counted;
  const timeline = periodTimeline(emitted.programBytes, chip);
  const layers = layerReports(
    schedule,
    counted.entries,
    scaled(predictTiming(schedule, chip), timeline.cycles / batch),
  );
  const weightBytes = schedule.layers.reduce((total, { layer }) => total + layer.weights.totalBytes, 0);
  const sizes = [...schedule.roots.values()].map((root) => root.sizeBytes);
  const macs = layers.reduce((total, layer) => total + layer.macs, 0);
  const { record } = schedule;
  const bound = boundOf(schedule, period, batch, weightBytes, chip.sram.bytes);
  return {
    schema: 'spillway-report/1',
    model: {
      name: schedule.program.name,
      source: schedule.program.source,
      dtype,
      layers: layers.length,
      macs,
      weightBytes,
      activationBytes: sizes.reduce((a, b) => a + b, 0),
      largestActivationBytes: sizes.reduce((a, b) => Math.max(a, b), 0),
    },
    target: {
      name: chip.name,
      sramBytes: chip.sram.bytes,
      dramBytesPerSecond: chip.dram.bytesPerSecond,
      clockHz: chip.clockHz,
      macsPerCycle: chip.mac.rows * chip.mac.columns,
    },
    batch,
    groupFrames: schedule.batch,
    objective,
    placement,
    prologue: counted.prologue,
    period,
    perFrameBytes: Math.round(period.totalBytes / batch),
    sram: {
      capacityBytes: chip.sram.bytes,
      peakBytes: schedule.allocation?.heightBytes ?? 0,
      residentWeightBytes: counted.prologue.weightBytes,
      liveBytes: schedule.loadBytes.reduce((a, b) => Math.max(a, b), 0),
      featureBytes: mostFeatureBytes(schedule),
      packing: schedule.allocation ?? { heightBytes: 0, loadBytes: 0, provenOptimal: true },
    },
    budget: budgetOf(schedule, emitted, period),
    bound,
    timing: {
      ...timingOf(timeline.cycles, period, macs, batch, chip),
      floors: floorsOf(schedule, bound, batch, chip),
      bound: timeBoundOf(schedule, timeline.cycles),
    },
    energy: energyFields(energyOf(emitted.programBytes, period.totalBytes, chip)),
    plans: [...compiled.plans],
    solver: {
      name: record.solver,
      status: record.status,
      seconds: Math.round(record.seconds * 1000) / 1000,
      variables: record.variables,
      constraints: record.constraints,
      order: record.order ?? 'fewest live bytes',
    },
    layers,
    tensors: tensorReports(schedule, counted, emitted, placement),
  };
}

/** Output of every frame, what is needed of its input, and the stored weights that the SRAM cannot carry from one period to the next. */
function boundOf(
  schedule: Schedule,
  period: PeriodBytes,
  batch: number,
  weightBytes: number,
  sramBytes: number,
): Report['bound'] {
  let portBytes = 0;
  for (const root of schedule.roots.values()) {
    if (root.role === 'input') portBytes += neededInputBytes(schedule, root.root);
    else if (root.role === 'output') portBytes += root.sizeBytes;
  }
  const compulsoryBytes = portBytes * batch + Math.max(0, weightBytes - sramBytes);
  const crossing = crossingBoundOf({
    layers: schedule.layers.map(({ layer }) => layer),
    outputs: new Set([...schedule.roots.values()].filter(({ role }) => role === 'output').map(({ root }) => root)),
    weightBytes,
    portBytes,
    batch,
    sramBytes,
  });
  const { boundBytes } = schedule.record;
  // The bound is for plans without their code; no plan is better than the one at hand, whatever rounding says.
  const solverBytes = boundBytes === undefined ? null : Math.min(boundBytes + period.byClass.code, period.totalBytes);
  return {
    compulsoryBytes,
    crossingBytes: Math.max(compulsoryBytes, crossing.boundBytes),
    crossing:
      crossing.span === undefined
        ? null
        : {
            first: schedule.layers[crossing.span.first]?.layer.op.name ?? '',
            last: schedule.layers[crossing.span.last]?.layer.op.name ?? '',
            activationBytes: crossing.span.crossingBytes,
            weightBytes: crossing.span.weightBytes,
          },
    solverBytes,
    gap: solverBytes === null ? null : (period.totalBytes - solverBytes) / period.totalBytes,
    ratioToCompulsory: compulsoryBytes === 0 ? null : period.totalBytes / compulsoryBytes,
  };
}

function timingOf(
  cycles: number,
  period: PeriodBytes,
  macs: number,
  batch: number,
  chip: Chip,
): Omit<Report['timing'], 'floors' | 'bound'> {
  const bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  const seconds = cycles / chip.clockHz;
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : Math.min(1, part / whole));
  return {
    cycles,
    seconds,
    framesPerSecond: seconds === 0 ? 0 : batch / seconds,
    macUtilization: share(macs * batch, cycles * chip.mac.rows * chip.mac.columns),
    dramUtilization: share(period.totalBytes / bytesPerCycle, cycles),
  };
}

function timeBoundOf({ record }: Schedule, cycles: number): Report['timing']['bound'] {
  if (record.time === undefined) return null;
  const { boundCycles, plannedCycles, status, variables, constraints } = record.time;
  return { cycles: boundCycles, gap: (cycles - boundCycles) / cycles, plannedCycles, status, variables, constraints };
}

function energyFields({ dram, sram, mac, total }: Energy): Report['energy'] {
  return {
    dramPicojoules: Math.round(dram),
    sramPicojoules: Math.round(sram),
    macPicojoules: Math.round(mac),
    totalPicojoules: Math.round(total),
  };
}

/** The estimates of the layers, so that together they take what the program takes. */
function scaled(timing: PredictedTiming, cycles: number): PredictedTiming {
  const factor = timing.cycles === 0 ? 1 : cycles / timing.cycles;
  const layers = timing.layers.map((layer) => ({ ...layer, cycles: Math.ceil(layer.cycles * factor) }));
  return { layers, cycles: Math.ceil(cycles) };
}

function floorsOf(
  { layers }: Schedule,
  { compulsoryBytes }: Report['bound'],
  batch: number,
  chip: Chip,
): Report['timing']['floors'] {
  return {
    computeCycles:
      batch *
      computeFloorCycles(
        layers.map(({ layer }) => layer),
        chip,
      ),
    compulsoryCycles: Math.ceil(compulsoryBytes / (chip.dram.bytesPerSecond / chip.clockHz)),
  };
}
