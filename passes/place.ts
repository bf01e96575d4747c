/**
 * Decides what stays in SRAM and what goes to DRAM: homes of activations between their uses, spills and reloads, the resident
 * share of each layer's weights, and with them the tiling of each layer.
 *
 * The decision itself is in src/solver/placement, which knows no IR: pose-problem.ts makes its problem of a program, and
 * placed-schedule.ts a schedule without addresses of its answer.
 */
import { type Diagnostic, SpillwayError } from '../src/base/diagnostic.js';
import type { Program } from '../src/ir/types.js';
import type { Layer } from '../src/schedule/layer.js';
import type { PlacementRecord, Schedule } from '../src/schedule/schedule.js';
import { roundResident, roundResidentToPasses } from '../src/schedule/tiling.js';
import type { SearchResult } from '../src/solver/placement/evaluate.js';
import { placeGreedy, placeNone } from '../src/solver/placement/greedy.js';
import { fittedPlan, type IlpOutcome, solvePlacementIlp } from '../src/solver/placement/ilp.js';
import type { PlacementProblem, ResidentRounding } from '../src/solver/placement/problem.js';
import { solvePlacementTime, type TimedPlan, type TimeOutcome } from '../src/solver/placement/time/time-ilp.js';
import type { PlaceOptions } from './place-options.js';
import { toSchedule } from './placed-schedule.js';
import { type PosedProblem, posedOnce, takenBytes } from './pose-problem.js';
import { enumerateTilings, type TilingChoice } from './tile.js';

/** @throws SpillwayError SW3001 (target) when even the least tiling of some layer does not fit */
export function place(program: Program, options: PlaceOptions): Schedule {
  const wanted = posedOnce(program, options);
  throwIfTooSmall(wanted, options);
  // In the least SRAM there is no room for the odd ends of resident shares: then nothing is resident.
  const hasResidents = placeNone(wanted.problem) !== undefined;
  const posed = hasResidents
    ? wanted
    : {
        ...wanted,
        problem: {
          ...wanted.problem,
          capacityBytes: options.capacityBytes - takenBytes(program, wanted.layers, options),
        },
      };
  const round = (t: number, bytes: number): number => {
    const layer = posed.layers[t];
    return layer === undefined || !hasResidents ? 0 : roundResident(layer, bytes);
  };
  const none = placeNone(posed.problem);
  if (none === undefined) throw new SpillwayError([nothingFits(program, options)]);
  if (options.placement === 'none')
    return toSchedule(program, posed, none, recordOf('none', none, 'none', options), options);
  if (options.placement === 'ilp' && options.timedRank !== undefined) {
    const toPasses = (t: number, bytes: number): number => {
      const layer = posed.layers[t];
      return layer === undefined || !hasResidents ? 0 : roundResidentToPasses(layer, bytes, options.chip.mac.columns);
    };
    const outcome = timedOnce(posed.problem, toPasses, options);
    const plan = outcome?.plans[options.timedRank];
    if (outcome === undefined || plan === undefined) throw new SpillwayError([nothingFits(program, options)]);
    return toSchedule(program, posed, plan, timedRecord(outcome, plan, options), options);
  }
  const greedy = placeGreedy(posed.problem, round) ?? none;
  const { groups, cutoffBytes } = options;
  const simplerTrafficBytes = {
    greedy: greedy.evaluation.trafficBytes * groups,
    none: none.evaluation.trafficBytes * groups,
  };
  if (options.placement === 'greedy') {
    const record = { ...recordOf('greedy', greedy, 'greedy', options), simplerTrafficBytes };
    return toSchedule(program, posed, greedy, record, options);
  }
  const cuts = options.cuts ?? [];
  const incumbent = cuts.length === 0 ? greedy : (fittedPlan(posed.problem, greedy.placement, round, cuts) ?? none);
  const limits = cutoffBytes === undefined ? options : { ...options, cutoffBytes: Math.ceil(cutoffBytes / groups) };
  const outcome = solvePlacementIlp(posed.problem, incumbent, round, options.solver, limits);
  const record = { ...ilpRecord(options.solver.name, outcome, groups), simplerTrafficBytes };
  return toSchedule(program, posed, outcome.best, record, options);
}

function recordOf(
  placement: 'greedy' | 'none',
  result: SearchResult,
  status: string,
  { groups }: PlaceOptions,
): PlacementRecord {
  return {
    placement,
    solver: 'none',
    status,
    seconds: 0,
    variables: 0,
    constraints: 0,
    boundBytes: undefined,
    plannedTrafficBytes: result.evaluation.trafficBytes * groups,
    sramValue: [],
  };
}

/** Plans of several ranks are asked for one after the other. */
const outcomes = new WeakMap<PlacementProblem, { readonly outcome: TimeOutcome | undefined }>();

function timedOnce(problem: PlacementProblem, round: ResidentRounding, options: PlaceOptions): TimeOutcome | undefined {
  const hasCuts = (options.cuts ?? []).length > 0;
  const known = hasCuts ? undefined : outcomes.get(problem);
  if (known !== undefined) return known.outcome;
  const outcome = solvePlacementTime(problem, round, options.solver, options);
  if (!hasCuts) outcomes.set(problem, { outcome });
  return outcome;
}

function timedRecord(outcome: TimeOutcome, { cycles, evaluation }: TimedPlan, options: PlaceOptions): PlacementRecord {
  const { groups, solver } = options;
  const { boundCycles, status, seconds, variables, constraints } = outcome;
  return {
    placement: 'ilp',
    solver: solver.name,
    status,
    seconds,
    variables,
    constraints,
    boundBytes: undefined,
    plannedTrafficBytes: evaluation.trafficBytes * groups,
    sramValue: [],
    time: { plannedCycles: cycles * groups, boundCycles: boundCycles * groups, status, variables, constraints },
  };
}

function ilpRecord(solver: string, outcome: IlpOutcome, groups: number): PlacementRecord {
  const { best, boundBytes, ...rest } = outcome;
  const plannedTrafficBytes = best.evaluation.trafficBytes * groups;
  return { placement: 'ilp', solver, ...rest, boundBytes: boundBytes * groups, plannedTrafficBytes };
}

/** Tilings are listed for a capacity: the narrowest ones only where they seem to be needed. */
function nothingFits(program: Program, options: PlaceOptions): Diagnostic {
  return {
    code: 'SW3001',
    blame: 'target',
    message: `no way was found to run every layer in the ${options.capacityBytes} B of SRAM of target '${options.chip.name}'`,
    loc: { file: program.source },
    hint: 'a target with a little more SRAM',
  };
}

function throwIfTooSmall(posed: PosedProblem, options: PlaceOptions): void {
  const needs = posed.layers.map((layer, t) => ({ layer, bytes: leastBytes(posed, t, layer, options) }));
  const tooBig = needs.filter((need) => need.bytes > options.capacityBytes);
  if (tooBig.length === 0) return;
  const least = Math.max(...needs.map((need) => need.bytes));
  const diagnostics: Diagnostic[] = tooBig.slice(0, 8).map(({ layer, bytes }) => ({
    code: 'SW3001',
    blame: 'target',
    message: `layer '${layer.op.name}' needs at least ${bytes} B of SRAM for one row of its input and output and one channel of its weights; target '${options.chip.name}' has ${options.capacityBytes} B`,
    loc: layer.op.loc,
    hint: `the least SRAM that this model compiles for is ${least} B`,
  }));
  throw new SpillwayError(diagnostics);
}

/** Least SRAM for a step with everything at home in DRAM. */
function leastBytes(posed: PosedProblem, t: number, layer: Layer, options: PlaceOptions): number {
  const fitting = (posed.choices[t] ?? []).filter(
    (choice) => !choice.tiling.toSram && choice.tiling.operandsFromSram.every((s) => !s),
  );
  const bytesOf = (choice: TilingChoice): number => choice.workspaceBytes + choice.heldWeightBytes;
  const known = fitting.reduce((least, choice) => Math.min(least, bytesOf(choice)), Number.POSITIVE_INFINITY);
  return known <= options.capacityBytes ? known : leastLayerBytes(layer, options.alignmentBytes);
}

/** Least SRAM that a layer runs in, with everything at home in DRAM. */
export function leastLayerBytes(layer: Layer, alignmentBytes: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const choice of enumerateTilings(layer, {
    alignmentBytes,
    capacityBytes: Number.MAX_SAFE_INTEGER,
    narrowest: true,
  })) {
    const isStreamed = !choice.tiling.toSram && choice.tiling.operandsFromSram.every((s) => !s);
    if (isStreamed) least = Math.min(least, choice.workspaceBytes + choice.heldWeightBytes);
  }
  return least;
}
