/** The whole story of a compile in one file: passes, tilings, placement, addresses, commands. */
import { assignAddresses } from '../../passes/assign-addresses.js';
import { balanceResidents } from '../../passes/balance-residents.js';
import { carryStates } from '../../passes/carry-states.js';
import { growTiles } from '../../passes/grow-tiles.js';
import { order } from '../../passes/order.js';
import { type OrderVariant, orderVariants } from '../../passes/order-variants.js';
import { type Observer, runPasses } from '../../passes/pass.js';
import { PIPELINE } from '../../passes/pipeline.js';
import type { PlaceOptions } from '../../passes/place-options.js';
import { withWeightRings } from '../../passes/weight-rings.js';
import { type EmittedProgram, emitProgram } from '../backend/emit-program.js';
import { SpillwayError } from '../base/diagnostic.js';
import type { Program } from '../ir/types.js';
import { addressProblems } from '../schedule/check-addresses.js';
import type { Schedule } from '../schedule/schedule.js';
import { alignUp } from '../schedule/tiling.js';
import type { SearchControl } from '../solver/control.js';
import { loadGlpk } from '../solver/linear/glpk.js';
import type { LinearSolver } from '../solver/linear/model.js';
import { cutOf, type PackingCut } from '../solver/placement/cuts.js';
import type { ForcedHome } from '../solver/placement/forced.js';
import type { Chip } from '../target/chip.js';
import { placeBestWay, placeIfItFits, recordOf, type Way } from './best-way.js';
import { bestOf, type CompileOnce, SIMPLER, withStates } from './choose-plan.js';
import type { Objective } from './objective-names.js';
import type { PlanCost } from './objectives.js';
import { SPILLWAY_VERSION } from './version.js';

export interface CompileOptions {
  readonly chip: Chip;
  readonly batch: number;
  readonly dtype: 'int8' | 'float32';
  readonly placement: 'ilp' | 'greedy' | 'none';
  readonly blocks?: boolean; // depth-first blocks; true when absent
  readonly parts?: boolean; // tensors in SRAM in part; true when absent
  readonly resident?: boolean; // weights that stay in SRAM from period to period; true when absent
  readonly solver: 'glpk' | 'highs';
  readonly statesInSram?: boolean; // what the model carries from frame to frame; the better way when absent
  readonly pieces?: boolean; // stripes of blocks may come in pieces of columns; they may when absent
  readonly objective?: Objective; // traffic when absent
  /** Share of the SRAM that placement sees; the rest is left to larger tiles and to loads that run ahead. All when absent. */
  readonly placedShare?: number;
  /** Resident weights go to the layers that wait for theirs; see balance-residents. */
  readonly balanced?: boolean;
  /** Placed for time: the plan of this rank; see PlaceOptions. In one order of the layers, frames in groups of one size. */
  readonly timed?: { readonly rank: number; readonly order: string; readonly batch: number };
  readonly gap: number;
  readonly timeLimitSeconds: number;
  readonly disabledPasses?: ReadonlySet<string>;
  /** Tensors that have to be in SRAM, or in DRAM, wherever that is possible; by name. */
  readonly forced?: ReadonlyMap<string, ForcedHome>;
  readonly stopAfter?: string;
  readonly observe?: Observer;
  readonly onStage?: (stage: string) => void;
  readonly control?: SearchControl; // of the search for a placement
}

export interface Compiled {
  readonly imported: Program; // before any pass: what the reference interpreter runs
  readonly schedule: Schedule;
  readonly emitted: EmittedProgram;
  /** Every plan that was made on the way, the chosen one among them. */
  readonly plans: readonly PlanCost[];
  readonly options: CompileOptions;
}

/** Nodes of the exact allocator for one packing; a plan that needs more is cut off and placed again. */
const ALLOCATOR_NODES = 60_000;

export function optimise(
  program: Program,
  options: Pick<CompileOptions, 'disabledPasses' | 'observe' | 'stopAfter'>,
): Program {
  return runPasses(program, PIPELINE, {
    ...(options.disabledPasses === undefined ? {} : { disabled: options.disabledPasses }),
    ...(options.observe === undefined ? {} : { observe: options.observe }),
    ...(options.stopAfter === undefined ? {} : { stopAfter: options.stopAfter }),
  });
}

/** @throws SpillwayError SW3xxx when no schedule fits the chip */
export async function compileProgram(imported: Program, options: CompileOptions): Promise<Compiled> {
  const stage = options.onStage ?? (() => {});
  stage('passes');
  const programs = ordersOf(imported, options);
  const solver = await loadSolver(options.solver);
  const compileWith = (statesInSram: boolean): Compiled => {
    const compile: CompileOnce = (placement, change = {}) => {
      const schedule = scheduleProgram(programs, solver, { ...options, ...change, placement, statesInSram }, stage);
      stage('emit');
      const { chip, dtype } = options;
      const emitted = emitProgram(schedule, { chip, dtype, version: SPILLWAY_VERSION });
      return { imported, schedule, emitted, plans: [], options };
    };
    return bestOf(compile(options.placement), compile, options);
  };
  const best = withStates(imported, compileWith, options);
  if (!options.control?.isStopped()) return best;
  const record = { ...best.schedule.record, status: 'interrupted' };
  return { ...best, schedule: { ...best.schedule, record } };
}

/** The program in the order that the passes gave it, then in those that placement may prefer. */
function ordersOf(imported: Program, options: CompileOptions): OrderVariant[] {
  let given: Program | undefined; // as it came to the pass that orders it
  const observe: Observer = (pass, before, after) => {
    if (pass === order) given = before;
    options.observe?.(pass, before, after);
  };
  const program = optimise(imported, { ...options, observe });
  if (given === undefined) return [{ program: carryStates(program), order: 'as given' }];
  const ordered = { program, order: 'fewest live bytes' };
  const variants = options.placement === 'ilp' ? [ordered, ...orderVariants(program, given)] : [ordered];
  return variants.map((variant) => ({ ...variant, program: carryStates(variant.program) }));
}

/** The one that is asked for: the other's megabytes are not read. */
async function loadSolver(name: 'glpk' | 'highs'): Promise<LinearSolver> {
  if (name === 'glpk') return loadGlpk();
  const { loadHighs } = await import('../solver/linear/highs.js');
  return loadHighs();
}

/** The placement that was asked for; a simpler one where its plans cannot be packed. */
function scheduleProgram(
  programs: readonly OrderVariant[],
  solver: LinearSolver,
  options: CompileOptions,
  stage: (name: string) => void,
): Schedule {
  const { chip } = options;
  // A plan for time that cannot be packed is left out: the simpler ones are looked at anyway.
  const simpler = options.timed === undefined ? SIMPLER[options.placement] : [];
  for (const placement of [options.placement, ...simpler]) {
    const schedule = packedSchedule(programs, solver, { ...options, placement }, stage);
    if (schedule !== undefined) return schedule;
  }
  throw new SpillwayError([
    {
      code: 'SW3002',
      blame: 'target',
      message: `no packing of the placed buffers into ${chip.sram.bytes} B of SRAM was found, though their live bytes fit`,
      loc: { file: programs[0]?.program.source ?? '' },
      hint: 'try a target with a little more SRAM',
    },
  ]);
}

/**
 * Places, then packs. Tensors that are in SRAM in part lie at given places, which packs less well: where that costs a round, a
 * plan without them is made too, and the better one taken. The bound is that of the first plan: nothing was cut off then.
 */
function packedSchedule(
  programs: readonly OrderVariant[],
  solver: LinearSolver,
  options: CompileOptions,
  stage: (name: string) => void,
): Schedule | undefined {
  const placeOptions = placeOptionsOf(options, solver, options.parts ?? true, 0);
  const first =
    options.timed === undefined
      ? placeBestWay(programs, placeOptions, stage)
      : timedWay(programs, placeOptions, options.timed, stage);
  const proof: Proof = { ...NO_PROOF };
  const withParts = packInRounds(first, solver, options, options.parts ?? true, proof, stage);
  const isSettled = withParts?.rounds === 1 || options.parts === false;
  const whole = isSettled
    ? undefined
    : packInRounds({ ...first, placed: undefined }, solver, options, false, { ...NO_PROOF }, stage);
  const costOfPacked = (packed: Packed | undefined): number => {
    const { time, plannedTrafficBytes = Number.POSITIVE_INFINITY } = packed?.schedule.record ?? {};
    return time?.plannedCycles ?? plannedTrafficBytes;
  };
  const best = whole !== undefined && costOfPacked(whole) <= costOfPacked(withParts) ? whole : withParts;
  return best === undefined ? undefined : withTimeBound(withBound(best.schedule, proof.boundBytes, options.gap), proof);
}

/** The way that a plan for time takes: as the plan for traffic. */
function timedWay(
  programs: readonly OrderVariant[],
  options: PlaceOptions,
  { order, batch }: NonNullable<CompileOptions['timed']>,
  stage: (name: string) => void,
): Way {
  stage('place, for time');
  const variant = programs.find((one) => one.order === order) ?? programs[0];
  if (variant === undefined) throw new Error('there is no order');
  const groups = (options.batch * options.groups) / batch;
  return { ...variant, batch, groups, placed: undefined, simplerTrafficBytes: undefined };
}

interface Packed {
  readonly schedule: Schedule;
  readonly rounds: number; // plans made, the last of which could be packed
}

/** The best bound proven for all plans, whether they can be packed or not. */
interface Proof {
  boundBytes: number | undefined;
  boundCycles: number | undefined;
}

const NO_PROOF: Proof = { boundBytes: undefined, boundCycles: undefined };

/**
 * The plan with what is proven for all plans that the solver looked at. One that joins two absences of a tensor is none of them: where
 * it moves less than they have to, nothing is proven about it.
 */
function withBound(schedule: Schedule, provenBytes: number | undefined, gap: number): Schedule {
  const { record } = schedule;
  const { plannedTrafficBytes } = record;
  if (provenBytes === undefined) return schedule;
  if (provenBytes > plannedTrafficBytes * (1 + ROUNDING))
    return { ...schedule, record: { ...record, boundBytes: undefined, status: 'incumbent' } };
  const boundBytes = Math.min(provenBytes, plannedTrafficBytes);
  const isProven = boundBytes >= plannedTrafficBytes * (1 - gap) - schedule.groups; // a byte for each group's rounding
  const status = isProven ? 'optimal' : record.status === 'optimal' ? 'incumbent' : record.status;
  return { ...schedule, record: { ...record, boundBytes, status } };
}

/** The time that is proven for all plans: one without parts, or in less room, has a bound that holds for its like only. */
function withTimeBound(schedule: Schedule, proof: Proof): Schedule {
  const { time } = schedule.record;
  if (time === undefined || proof.boundCycles === undefined || proof.boundCycles >= time.boundCycles) return schedule;
  const status = time.status === 'optimal' ? 'incumbent' : time.status;
  const weaker = { ...time, status, boundCycles: proof.boundCycles };
  return { ...schedule, record: { ...schedule.record, time: weaker } };
}

/** Of the solver's bounds, relative. */
const ROUNDING = 1e-6;

/** Rounds in which what could not be packed is cut off; after them the capacity is lowered for all plans. */
const CUT_ROUNDS = 8;
const MOST_ROUNDS = 16;

/**
 * A plan that cannot be packed is cut off and placement asked again. Where that does not help within a few rounds, the capacity
 * that placement sees is lowered by what was missing.
 */
function packInRounds(
  way: Way,
  solver: LinearSolver,
  options: CompileOptions,
  parts: boolean,
  proof: Proof,
  stage: (name: string) => void,
): Packed | undefined {
  const { chip } = options;
  const cuts: PackingCut[] = [];
  const { batch, groups } = way;
  let reservedBytes = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    stage('place');
    const placeOptions = { ...placeOptionsOf(options, solver, parts, reservedBytes), batch, groups, cuts };
    const replaced = round === 0 && way.placed !== undefined ? way.placed : placeIfItFits(way.program, placeOptions);
    if (replaced === undefined) return undefined;
    const placed = { ...replaced, record: recordOf(way, replaced) };
    const { boundBytes, time } = placed.record;
    if (reservedBytes === 0) proof.boundCycles ??= time?.boundCycles;
    if (reservedBytes === 0 && boundBytes !== undefined) proof.boundBytes = Math.max(proof.boundBytes ?? 0, boundBytes);
    if (returnsIntoUse(placed)) return undefined;
    stage('addresses');
    let excessBytes = (): number => 0;
    const fresh: PackingCut[] = [];
    const isForTime = (options.objective ?? 'traffic') !== 'traffic';
    const balanced = options.balanced === true ? balanceResidents(placed, chip) : placed;
    for (const share of [1, 0.5, 0]) {
      const larger = withCapacity(growTiles(balanced, share, chip, options.timed !== undefined), chip.sram.bytes);
      const grown = isForTime ? withWeightRings(larger, share, chip) : larger;
      const nodes = share > 0 ? ALLOCATOR_NODES / 4 : ALLOCATOR_NODES;
      const result = assignAddresses(grown, nodes, chip, isForTime);
      if ('schedule' in result) return { schedule: checked(result.schedule), rounds: round + 1 };
      excessBytes = result.excessBytes;
      if (share > 0 || options.placement !== 'ilp' || round >= CUT_ROUNDS) continue;
      const made = result.windows().map((window) => cutOf(placed.runs ?? [], placed.loadBytes, window));
      for (const cut of made) fresh.push({ ...cut, wasteBytes: alignUp(cut.wasteBytes, chip.sram.alignmentBytes) });
    }
    cuts.push(...fresh);
    if (fresh.length === 0) reservedBytes += alignUp(excessBytes(), chip.sram.alignmentBytes);
  }
  return undefined;
}

/**
 * An output whose end leaves as it is made, and which is out in part right after that too, would come back in between: into memory
 * that what lives across both has taken. Such a plan is not carried out.
 */
function returnsIntoUse({ evictions }: Schedule): boolean {
  return evictions.some(({ root, last }) => evictions.some((next) => next.root === root && next.first === last + 1));
}

function placeOptionsOf(
  options: CompileOptions,
  solver: LinearSolver,
  parts: boolean,
  reservedBytes: number,
): PlaceOptions {
  const { chip } = options;
  return {
    capacityBytes:
      Math.floor((chip.sram.bytes * (options.placedShare ?? 1)) / chip.sram.alignmentBytes) * chip.sram.alignmentBytes -
      reservedBytes,
    alignmentBytes: chip.sram.alignmentBytes,
    batch: options.batch,
    groups: 1,
    placement: options.placement,
    blocks: options.blocks ?? true,
    parts,
    pieces: options.pieces ?? true,
    resident: options.resident ?? true,
    statesInSram: options.statesInSram ?? false,
    solver,
    gap: options.gap,
    timeLimitSeconds: options.timeLimitSeconds,
    chip,
    ...(options.timed === undefined ? {} : { timedRank: options.timed.rank }),
    ...(options.control === undefined ? {} : { control: options.control }),
    ...(options.forced === undefined ? {} : { forced: options.forced }),
  };
}

/** Placement may have seen less than there is; packing sees all of it. */
function withCapacity(schedule: Schedule, capacityBytes: number): Schedule {
  return { ...schedule, capacityBytes };
}

function checked(schedule: Schedule): Schedule {
  const problems = addressProblems(schedule);
  if (problems.length === 0) return schedule;
  throw new SpillwayError(
    problems
      .slice(0, 5)
      .map((message) => ({ code: 'SW9201', blame: 'bug', message, loc: { file: 'assign-addresses' } })),
  );
}
