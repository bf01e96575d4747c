/**
 * Decides what stays in SRAM and what goes to DRAM: homes of activations between their uses, spills and reloads, the resident
 * share of each layer's weights, and with them the tiling of each layer.
 *
 * The decision itself is in src/solver/placement, which knows no IR: here the layers become steps, their roots items and their
 * tilings choices, and the answer becomes a Schedule without addresses.
 */
import { type Diagnostic, SpillwayError } from '../src/base/diagnostic.js';
import { sizeBytes, tensorOf } from '../src/ir/facts.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { planBlock } from '../src/schedule/block.js';
import { computeWork } from '../src/schedule/compute-work.js';
import { type Layer, layersOf } from '../src/schedule/layer.js';
import {
  type PlacementRecord,
  type Schedule,
  type ScheduledBlock,
  type ScheduledEviction,
  type ScheduledLayer,
  type ScheduledRoot,
  unplacedBuffers,
} from '../src/schedule/schedule.js';
import {
  alignUp,
  roundResident,
  roundResidentToPasses,
  type Tiling,
  periodWeightPasses as weightPasses,
  workspaceBuffers,
} from '../src/schedule/tiling.js';
import { weightsName } from '../src/schedule/weights-name.js';
import type { SearchControl } from '../src/solver/control.js';
import type { LinearSolver } from '../src/solver/linear/model.js';
import { type PackingCut, runsOf } from '../src/solver/placement/cuts.js';
import { undominatedSpans } from '../src/solver/placement/dominance.js';
import type { SearchResult } from '../src/solver/placement/evaluate.js';
import { type ForcedHome, withForcedHomes, withForcedWeights } from '../src/solver/placement/forced.js';
import { placeGreedy, placeNone } from '../src/solver/placement/greedy.js';
import { fittedPlan, type IlpOutcome, solvePlacementIlp } from '../src/solver/placement/ilp.js';
import {
  type ItemUse,
  itemEvents,
  type PlacementItem,
  type PlacementProblem,
  type PlacementStep,
  type ResidentRounding,
  type Span,
} from '../src/solver/placement/problem.js';
import { solvePlacementTime, type TimedPlan, type TimeOutcome } from '../src/solver/placement/time/time-ilp.js';
import type { Chip } from '../src/target/chip.js';
import type { FormOptions } from './block-forms.js';
import { statesOf } from './carry-states.js';
import { type BlockCandidate, formBlocks } from './form-blocks.js';
import { enumerateTilings, type TilingChoice } from './tile.js';

/** Resident shares begin at multiples of these. */
const RESIDENT_ALIGNMENT_BYTES = 4;

export interface PlaceOptions {
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
  readonly batch: number; // frames of a group, which run together
  readonly groups: number; // of a period, one after the other
  readonly placement: 'ilp' | 'greedy' | 'none';
  readonly blocks: boolean; // form depth-first blocks
  readonly parts: boolean; // tensors may be in SRAM in part
  readonly pieces?: boolean; // false: no stripes in pieces of columns
  readonly resident?: boolean; // weights may stay in SRAM from period to period; true when absent
  readonly statesInSram?: boolean; // what the model carries over stays in SRAM; in DRAM when absent
  readonly forced?: ReadonlyMap<string, ForcedHome>; // by name of the tensor, or of the weights as weightsName has it
  readonly solver: LinearSolver;
  readonly gap: number; // relative, where the search may stop
  readonly timeLimitSeconds: number;
  /** Plans that could not be packed, for the ILP to avoid. */
  readonly cuts?: readonly PackingCut[];
  readonly chip: Chip;
  readonly control?: SearchControl; // of the ilp's search, in bytes of a group
  readonly cutoffBytes?: number; // only a plan with less traffic a period is of use
  /** Placed for time instead of traffic: the plan of this rank, 0 being the fastest in the model; ilp only. */
  readonly timedRank?: number;
}

/** The problem that a program poses, with what is needed to read the answer. */
export interface PosedProblem {
  readonly problem: PlacementProblem;
  readonly layers: readonly Layer[];
  readonly choices: readonly (readonly TilingChoice[])[];
  readonly blocks: readonly BlockCandidate[]; // by span
  readonly roots: readonly TensorId[]; // by item
}

/** Layers to steps, roots to items, tilings to choices. Cost: linear in layers times tilings. */
export function poseProblem(
  program: Program,
  options: Pick<PlaceOptions, 'capacityBytes' | 'alignmentBytes' | 'blocks' | 'parts' | 'resident' | 'batch'> & {
    readonly chip?: Chip;
    readonly statesInSram?: boolean;
    readonly pieces?: boolean;
    readonly leastRoom?: boolean; // see FormOptions
    readonly isForTime?: boolean; // see PlacementProblem
    readonly forced?: ReadonlyMap<string, ForcedHome>;
  },
): PosedProblem {
  const layers = layersOf(program);
  const states = statesOf(program);
  const isPinned = options.statesInSram === true && states.length > 0;
  // What is in SRAM for ever is no matter of homes: it is always there, and its room is not there for others.
  const pinnedInputs = new Set(isPinned ? states.map(({ input }) => input) : []);
  const pinnedOutputs = new Set(isPinned ? states.map(({ output }) => output) : []);
  const roots: TensorId[] = [];
  const itemOf = new Map<TensorId, number>();
  const register = (root: TensorId): number => {
    const known = itemOf.get(root);
    if (known !== undefined) return known;
    itemOf.set(root, roots.length);
    return roots.push(root) - 1;
  };
  for (const layer of layers) {
    for (const operand of layer.operands) if (!pinnedInputs.has(operand.root)) register(operand.root);
    register(layer.output.root);
  }
  const outputRoots = new Set(program.outputs.map((id) => tensorOf(program, id).storage?.root ?? id));
  const items: PlacementItem[] = roots.map((root) => {
    const tensor = tensorOf(program, root);
    const bytes = pinnedOutputs.has(root) ? 0 : sizeBytes(tensor);
    return {
      name: tensor.name,
      sramBytes: alignUp(bytes, options.alignmentBytes) * options.batch,
      dramBytes: bytes * options.batch,
      startsInDram: program.inputs.includes(root) || program.constants.has(root),
      endsInDram: outputRoots.has(root) && !pinnedOutputs.has(root),
    };
  });
  const forcedWeights = forcedWeightsOf(layers, options.forced);
  const isKept = (t: number): boolean => forcedWeights.get(t) === 'sram';
  const choices = layers.map((layer, t) =>
    enumerateTilings(layer, options).filter(
      ({ tiling }) =>
        !(isKept(t) && isReadAgain(tiling)) &&
        layer.operands.every(({ root }, i) => !pinnedInputs.has(root) || tiling.operandsFromSram[i] === true) &&
        (!pinnedOutputs.has(layer.output.root) || tiling.toSram),
    ),
  );
  const steps = layers.map((layer, t): PlacementStep => {
    const uses: ItemUse[] = [];
    for (const operand of layer.operands) {
      if (pinnedInputs.has(operand.root)) continue;
      const item = register(operand.root);
      if (!uses.some((use) => use.item === item)) uses.push({ item, inPlace: operand.canBeOverwritten });
    }
    return {
      name: layer.op.name,
      uses,
      output: register(layer.output.root),
      outputDramBytes: pinnedOutputs.has(layer.output.root)
        ? 0
        : layer.output.h * layer.output.w * layer.output.c * layer.output.elementBytes * options.batch,
      weightBytes: layer.weights.totalBytes,
      ...(options.chip === undefined
        ? {}
        : { computeCycles: computeWork(layer, 1, 0, undefined, options.chip).cycles * options.batch }),
      choices: (choices[t] ?? []).map((choice) => ({
        usesFromSram: uses.map(
          (use) => choice.tiling.operandsFromSram[layer.operands.findIndex((o) => o.root === roots[use.item])] === true,
        ),
        toSram: choice.tiling.toSram && !pinnedOutputs.has(layer.output.root), // its room is not the problem's
        workspaceBytes: choice.workspaceBytes,
        heldWeightBytes: choice.heldWeightBytes,
        weightPasses: weightPasses(choice.tiling, choice.weightPasses, options.batch),
        residency: options.resident === false ? 'none' : residencyOf(layer, choice),
        // Tables are read once, however often the weights behind them are.
        trafficBytes: choice.trafficBytes * options.batch - rereadTableBytes(layer, choice, options.batch),
        rereadTableBytes: rereadTableBytes(layer, choice, options.batch),
        extraCycles: choice.extraCycles * options.batch,
      })),
    };
  });
  // Resident shares begin at multiples of 4 bytes; the odd ends come off the capacity once.
  const oddEnds = layers.filter((layer) => layer.weights.totalBytes % 4 !== 0).length;
  const capacityBytes =
    options.capacityBytes - alignUp(oddEnds * 4, options.alignmentBytes) - takenBytes(program, layers, options);
  const canEvict = options.parts && options.batch === 1;
  const stateOutputs = new Set(states.map(({ output }) => output));
  // Blocks are formed with all of their weights held; those that are there anyway come off later.
  const forBlocks = { ...options, canEvict, capacityBytes: capacityBytes + keptWeightBytes(layers, options) };
  const formed = options.blocks ? formedOnce(program, layers, forBlocks) : [];
  const blocks = formed.filter(
    ({ inputs, outputs, form }) =>
      ![...form.streamed.keys()].some(isKept) &&
      !outputs.some((root) => stateOutputs.has(root)) &&
      inputs.every((root) => !pinnedInputs.has(root) || form.inSram.has(root)),
  );
  const residency = options.resident === false ? { residency: 'none' as const } : {};
  const { alignmentBytes } = options;
  const free = blocks.map((block) => ({ ...spanOf(block, register, options.batch, pinnedInputs), ...residency }));
  const forced = new Map(
    items.flatMap(({ name }, item) => {
      const home = options.forced?.get(name);
      return home === undefined ? [] : [[item, home] as const];
    }),
  );
  const { chip } = options;
  const speed = chip === undefined ? {} : { bytesPerCycle: chip.dram.bytesPerSecond / chip.clockHz };
  const problem = withForcedWeights(
    withForcedHomes(
      {
        capacityBytes,
        items,
        steps,
        spans: free,
        canEvict,
        alignmentBytes,
        isForTime: options.isForTime === true,
        ...speed,
      },
      forced,
    ),
    forcedWeights,
  );
  const { spans } = problem;
  const kept = undominatedSpans(problem);
  const blockOf = new Map(spans.map((span, index) => [span, blocks[index]]));
  const keptBlocks = kept.flatMap((span) => blockOf.get(span) ?? []);
  return { problem: { ...problem, spans: kept }, layers, choices, blocks: keptBlocks, roots };
}

/** Blocks are the same whether they are placed for traffic or for time. */
const lastFormed = new WeakMap<Program, { readonly key: string; readonly blocks: readonly BlockCandidate[] }>();

function formedOnce(program: Program, layers: readonly Layer[], options: FormOptions): readonly BlockCandidate[] {
  const { capacityBytes, alignmentBytes, canEvict, pieces, leastRoom, chip } = options;
  const key = JSON.stringify([capacityBytes, alignmentBytes, canEvict, pieces, leastRoom, chip]);
  const last = lastFormed.get(program);
  if (last?.key === key) return last.blocks;
  const blocks = formBlocks(program, layers, options);
  lastFormed.set(program, { key, blocks });
  return blocks;
}

/** The problem of a program is asked for again when a plan could not be packed: what is cut off is no part of it. */
const lastPosed = new WeakMap<Program, { readonly key: string; readonly posed: PosedProblem }>();

function posedOnce(program: Program, options: PlaceOptions): PosedProblem {
  const { capacityBytes, alignmentBytes, batch, blocks, parts, pieces, resident, chip, statesInSram } = options;
  const isForTime = options.timedRank !== undefined;
  const key = JSON.stringify([
    [capacityBytes, alignmentBytes, batch, blocks, parts, pieces, resident, statesInSram, isForTime],
    [...(options.forced ?? [])],
    chip,
  ]);
  const last = lastPosed.get(program);
  if (last?.key === key) return last.posed;
  const posed = poseProblem(program, { ...options, isForTime });
  lastPosed.set(program, { key, posed });
  return posed;
}

type TakenOptions = Pick<PlaceOptions, 'statesInSram' | 'alignmentBytes' | 'forced'>;

/** SRAM that is never free for anything else, because states or weights that have to be resident are there. */
function takenBytes(program: Program, layers: readonly Layer[], options: TakenOptions): number {
  return stateBytes(program, options) + keptWeightBytes(layers, options);
}

function stateBytes(program: Program, { statesInSram, alignmentBytes }: TakenOptions): number {
  if (statesInSram !== true) return 0;
  return statesOf(program).reduce(
    (sum, { input }) => sum + alignUp(sizeBytes(tensorOf(program, input)), alignmentBytes),
    0,
  );
}

function keptWeightBytes(layers: readonly Layer[], { forced, alignmentBytes }: TakenOptions): number {
  let bytes = 0;
  for (const [t, home] of forcedWeightsOf(layers, forced))
    if (home === 'sram') bytes += alignUp(layers[t]?.weights.totalBytes ?? 0, RESIDENT_ALIGNMENT_BYTES);
  return alignUp(bytes, alignmentBytes);
}

/** Layers whose weights have to be resident, or must not be, by step. */
function forcedWeightsOf(layers: readonly Layer[], forced: PlaceOptions['forced']): Map<number, ForcedHome> {
  const homes = new Map<number, ForcedHome>();
  layers.forEach((layer, t) => {
    const home = forced?.get(weightsName(layer.op.name));
    if (home !== undefined && layer.weights.totalBytes > 0) homes.set(t, home);
  });
  return homes;
}

function rereadTableBytes(layer: Layer, choice: TilingChoice, batch: number): number {
  return Math.max(0, weightPasses(choice.tiling, choice.weightPasses, batch) - 1) * layer.weights.headerBytes;
}

/** Passes over the activations depend on what is streamed: no share of the weights can be resident. */
function isReadAgain({ weights, outer }: Tiling): boolean {
  return weights === 'streamed' && outer === 'channels';
}

function residencyOf(layer: Layer, choice: TilingChoice): 'any' | 'none' {
  if (isReadAgain(choice.tiling)) return 'none';
  return layer.weights.totalBytes === 0 ? 'none' : 'any';
}

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
  if (options.timedRank !== undefined) {
    const toPasses = (t: number, bytes: number): number => {
      const layer = posed.layers[t];
      return layer === undefined || !hasResidents ? 0 : roundResidentToPasses(layer, bytes, options.chip.mac.columns);
    };
    const outcome = timedOnce(posed.problem, toPasses, options);
    const plan = outcome?.plans[options.timedRank];
    if (outcome === undefined || plan === undefined) throw new SpillwayError([nothingFits(program, options)]);
    return toSchedule(program, posed, plan, timedRecord(outcome, plan, options), options);
  }
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
let lastTimed: { readonly problem: PlacementProblem; readonly outcome: TimeOutcome | undefined } | undefined;

function timedOnce(problem: PlacementProblem, round: ResidentRounding, options: PlaceOptions): TimeOutcome | undefined {
  const hasCuts = (options.cuts ?? []).length > 0;
  if (!hasCuts && lastTimed?.problem === problem) return lastTimed.outcome;
  const outcome = solvePlacementTime(problem, round, options.solver, options);
  if (!hasCuts) lastTimed = { problem, outcome };
  return outcome;
}

function timedRecord(outcome: TimeOutcome, { cycles, evaluation }: TimedPlan, options: PlaceOptions): PlacementRecord {
  const { groups, solver } = options;
  const { boundCycles, status, seconds, variables, constraints } = outcome;
  const time = { plannedCycles: cycles * groups, boundCycles: boundCycles * groups, status, variables, constraints };
  const { trafficBytes } = evaluation;
  const plannedTrafficBytes = trafficBytes * groups;
  const nothing = { boundBytes: undefined, sramValue: [] };
  return {
    placement: 'ilp',
    solver: solver.name,
    status,
    seconds,
    variables,
    constraints,
    plannedTrafficBytes,
    ...nothing,
    time,
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

function spanOf(
  block: BlockCandidate,
  itemOf: (root: TensorId) => number,
  batch: number,
  pinned: ReadonlySet<TensorId>,
): Span {
  let tableBytes = 0; // of streamed weights, once a period
  for (const { step, weights } of block.shape.layers)
    if (block.form.streamed.has(step)) tableBytes += weights.headerBytes;
  return {
    first: block.first,
    last: block.last,
    uses: block.inputs.flatMap((root) =>
      pinned.has(root) ? [] : [{ item: itemOf(root), fromSram: block.form.inSram.has(root) }],
    ),
    outputs: block.outputs.map((root) => {
      const over = block.overwrites.get(root);
      const isKept = over === undefined || pinned.has(over);
      return {
        item: itemOf(root),
        toSram: block.form.inSram.has(root),
        over: isKept ? -1 : itemOf(over),
        tail: block.tails.get(root),
      };
    }),
    workspaceBytes: block.workspaceBytes,
    heldWeightBytes: block.heldWeightBytes,
    trafficBytes: (block.trafficBytes + block.streamedWeightBytes) * batch + tableBytes,
    extraCycles: block.extraCycles * batch,
    streamedSteps: [...block.form.streamed.keys()].sort((a, b) => a - b),
  };
}

/**
 * What is out in part during two executions, one right after the other, stays out between them: it would only come back to go again,
 * into memory that what lives across both has taken. Not an output whose end leaves while it is made.
 *
 * @returns the bytes that are not moved for it, and by step those that are not in SRAM: all the while, no more of it is there than when least is
 */
function joined(
  evictions: readonly ScheduledEviction[],
  roots: Schedule['roots'],
  alignmentBytes: number,
): { evictions: ScheduledEviction[]; savedBytes: number; freedBytes: ReadonlyMap<number, number> } {
  const result: ScheduledEviction[] = [];
  const freedBytes = new Map<number, number>();
  let savedBytes = 0;
  for (const eviction of [...evictions].sort((a, b) => a.first - b.first)) {
    const { root, first, last, keptBytes } = eviction;
    const at = result.findIndex((before) => before.root === root && before.last + 1 === first);
    const before = result[at];
    const made = roots.get(root);
    if (before === undefined || made === undefined || made.lastWrite >= before.first) {
      result.push(eviction);
      continue;
    }
    savedBytes += 2 * (made.sizeBytes - Math.max(before.keptBytes, keptBytes));
    const least = Math.min(before.keptBytes, keptBytes);
    for (let t = before.first; t <= last; t += 1) {
      const more = alignUp(t < first ? before.keptBytes : keptBytes, alignmentBytes) - alignUp(least, alignmentBytes);
      freedBytes.set(t, (freedBytes.get(t) ?? 0) + more);
    }
    result[at] = { ...before, last, keptBytes: least };
  }
  return { evictions: result, savedBytes, freedBytes };
}

function toSchedule(
  program: Program,
  posed: PosedProblem,
  result: SearchResult,
  record: PlacementRecord,
  options: PlaceOptions,
): Schedule {
  const { placement, evaluation } = result;
  const blocks: ScheduledBlock[] = [];
  const layers: ScheduledLayer[] = [];
  const unused = new Map<number, number>(); // bytes of workspace, by step
  const forcedWeights = forcedWeightsOf(posed.layers, options.forced);
  for (const execution of evaluation.executions) {
    const reloads = (placement.reloads[execution.first] ?? []).flatMap((item) => posed.roots[item] ?? []);
    const residentBytes = (t: number): number =>
      forcedWeights.get(t) === 'sram' ? (posed.layers[t]?.weights.totalBytes ?? 0) : (placement.residentBytes[t] ?? 0);
    const block = posed.blocks[execution.span];
    if (block !== undefined) {
      const scheduled = scheduledBlock(posed, block, reloads, residentBytes, options.alignmentBytes);
      for (const { step, rowsPerIteration } of scheduled.plan.layers) {
        layers.push({ ...blockLayer(posed, block, step, rowsPerIteration, residentBytes(step)), block: blocks.length });
      }
      blocks.push(scheduled);
      continue;
    }
    const layer = posed.layers[execution.first];
    const choice = posed.choices[execution.first]?.[execution.choice];
    if (choice === undefined || layer === undefined)
      throw new Error(`no tiling was chosen for step ${execution.first}`);
    const resident = residentBytes(execution.first);
    const workspace = workspaceBuffers(layer, choice.tiling, options.alignmentBytes, resident).map((buffer) => ({
      ...buffer,
      sramOffsetBytes: -1,
    }));
    // Where all that could be streamed is resident, there are no chunks; placement had reckoned with them.
    if (choice.tiling.weights === 'streamed' && resident >= layer.weights.totalBytes)
      unused.set(execution.first, choice.workspaceBytes - workspaceBytes(workspace));
    layers.push({ layer, tiling: choice.tiling, residentBytes: resident, residentOffsetBytes: -1, workspace, reloads });
  }
  const planned = (placement.evictions ?? []).flatMap(({ first, item, keptBytes }): ScheduledEviction[] => {
    const last = evaluation.executions.find((execution) => execution.first === first)?.last ?? first;
    const root = posed.roots[item];
    return root === undefined ? [] : [{ first, last, root, keptBytes }];
  });
  const roots = scheduledRoots(program, posed, result, options);
  const taken = takenBytes(program, posed.layers, options);
  const { evictions, savedBytes, freedBytes } = joined(planned, roots, options.alignmentBytes);
  return {
    program,
    batch: options.batch,
    groups: options.groups,
    capacityBytes: options.capacityBytes,
    alignmentBytes: options.alignmentBytes,
    layers,
    blocks: blocks.map((block) => withTails(block, evictions, options.alignmentBytes)),
    evictions,
    roots,
    residentBytes: evaluation.residentBytes + keptWeightBytes(posed.layers, options),
    states: statesOf(program).map((state) => ({ ...state, inSram: options.statesInSram === true })),
    loadBytes: evaluation.loadBytes.map((bytes, t) => bytes + taken - (freedBytes.get(t) ?? 0) - (unused.get(t) ?? 0)),
    runs: runsOf(result.placement, evaluation),
    record: { ...record, plannedTrafficBytes: record.plannedTrafficBytes - savedBytes * options.groups },
  };
}

function workspaceBytes(buffers: readonly { readonly sizeBytes: number }[]): number {
  return buffers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** The block with the rings of outputs whose last rows are streamed out. */
function withTails(
  block: ScheduledBlock,
  evictions: readonly ScheduledEviction[],
  alignmentBytes: number,
): ScheduledBlock {
  const { plan, shape } = block;
  const tails = evictions.flatMap(({ first, root, keptBytes }): ScheduledBlock['tails'] => {
    const isOutput = shape.roots.some((one) => one.root === root && one.role === 'output');
    if (first !== plan.first || !isOutput) return [];
    const inSram = new Set([...plan.form.inSram].filter((other) => other !== root));
    // Right behind the rows that stay, and of whole rows as they are.
    const form = { ...plan.form, inSram, pieces: 0, again: false };
    const ring = planBlock(shape, form, alignmentBytes).rings.find((one) => one.root === root);
    return ring === undefined ? [] : [{ ring, keptRows: keptBytes / ring.rowBytes }];
  });
  return { ...block, tails };
}

/** A layer inside a block: its tiling says in the terms of single layers what the block does with it. */
function blockLayer(
  posed: PosedProblem,
  block: BlockCandidate,
  step: number,
  stripeRows: number,
  residentBytes: number,
): ScheduledLayer {
  const layer = posed.layers[step];
  if (layer === undefined) throw new Error(`no step ${step}`);
  const tiling: Tiling = {
    operandsFromSram: layer.operands.map(
      (operand) => !block.inputs.includes(operand.root) || block.form.inSram.has(operand.root),
    ),
    toSram: !block.outputs.includes(layer.output.root) || block.form.inSram.has(layer.output.root),
    weights: layer.weights.totalBytes === 0 ? 'none' : block.form.streamed.has(step) ? 'streamed' : 'held',
    outer: 'rows',
    stripeRows,
    tileColumns: layer.output.w,
    chunkChannels: block.form.streamed.get(step) ?? layer.output.c,
    depth: 1,
  };
  return { layer, tiling, residentBytes, residentOffsetBytes: -1, workspace: [], reloads: [] };
}

function scheduledBlock(
  posed: PosedProblem,
  block: BlockCandidate,
  reloads: readonly TensorId[],
  residentBytes: (t: number) => number,
  alignmentBytes: number,
): ScheduledBlock {
  const plan = planBlock(block.shape, block.form, alignmentBytes);
  const held = plan.layers.flatMap(({ step }) => {
    if (block.form.streamed.has(step)) return [];
    const bytes = (posed.layers[step]?.weights.totalBytes ?? 0) - residentBytes(step);
    return bytes > 0 ? [{ step, sizeBytes: alignUp(bytes, alignmentBytes), sramOffsetBytes: -1 }] : [];
  });
  return {
    plan,
    shape: block.shape,
    ...unplacedBuffers(plan),
    tails: [],
    held,
    reloads,
  };
}

function scheduledRoots(
  program: Program,
  posed: PosedProblem,
  { placement, evaluation }: SearchResult,
  options: PlaceOptions,
): Map<TensorId, ScheduledRoot> {
  const events = itemEvents(posed.problem);
  const evicted = new Set((placement.evictions ?? []).map(({ item }) => item));
  const roots = new Map<TensorId, ScheduledRoot>();
  posed.roots.forEach((root, item) => {
    const tensor = tensorOf(program, root);
    const facts = posed.problem.items[item];
    const life = events[item];
    if (facts === undefined || life === undefined) return;
    const stays = evaluation.stays.filter((stay) => stay.item === item);
    const isProducedInSram = stays.some((stay) => stay.origin === 'produced');
    const isSpilled = evaluation.spilled[item] ?? false;
    const isInternal =
      !facts.startsInDram &&
      evaluation.executions.every((execution) => execution.outputs.every((output) => output.item !== item));
    const over = posed.roots[evaluation.overwrites.get(item) ?? -1];
    const scheduled: ScheduledRoot = {
      root,
      name: tensor.name,
      loc: tensor.loc,
      sizeBytes: facts.dramBytes / options.batch,
      frameStrideBytes: facts.sramBytes / options.batch,
      role: program.constants.has(root)
        ? 'constant'
        : facts.startsInDram
          ? 'input'
          : facts.endsInDram
            ? 'output'
            : 'activation',
      stays: stays.map((stay) => ({
        startStep: stay.startStep,
        endStep: stay.endStep,
        origin: stay.origin,
        sramOffsetBytes: -1,
      })),
      inDram: ((!isProducedInSram || isSpilled) && !isInternal) || evicted.has(item),
      isSpilled,
      firstWrite: life.firstWrite,
      lastWrite: life.lastWrite,
      reads: life.reads,
    };
    roots.set(root, over === undefined ? scheduled : { ...scheduled, overwrites: over });
  });
  for (const id of program.inputs) if (!roots.has(id)) roots.set(id, unreadInput(program, id));
  return withStates(program, posed.layers, roots, options);
}

/** The roots of states with their own role; those that stay in SRAM with their stays, the next value in the place of the last. */
function withStates(
  program: Program,
  layers: readonly Layer[],
  roots: Map<TensorId, ScheduledRoot>,
  options: PlaceOptions,
): Map<TensorId, ScheduledRoot> {
  for (const { input, output } of statesOf(program)) {
    const [from, to] = [roots.get(input), roots.get(output)];
    if (from === undefined || to === undefined) throw new Error(`a state of %${input} and %${output} has no roots`);
    if (options.statesInSram !== true) {
      roots.set(input, { ...from, role: 'state' });
      roots.set(output, { ...to, role: 'state' });
      continue;
    }
    const bytes = sizeBytes(tensorOf(program, input));
    const written = to.lastWrite;
    const facts = {
      role: 'state' as const,
      sizeBytes: bytes,
      frameStrideBytes: alignUp(bytes, options.alignmentBytes),
      inDram: false,
      isSpilled: false,
    };
    const reads = layers.flatMap(({ step, operands }) => (operands.some(({ root }) => root === input) ? [step] : []));
    const carried = { startStep: 0, endStep: written + 1, origin: 'carried' as const, sramOffsetBytes: -1 };
    const produced = {
      startStep: written,
      endStep: layers.length,
      origin: 'produced' as const,
      sramOffsetBytes: -1,
    };
    roots.set(input, { ...from, ...facts, reads, stays: [carried] });
    roots.set(output, { ...to, ...facts, stays: [produced], overwrites: input });
  }
  return roots;
}

/** A model input that no layer reads still has its place in DRAM: the host writes it every period. */
function unreadInput(program: Program, id: TensorId): ScheduledRoot {
  const { name, loc } = tensorOf(program, id);
  return {
    root: id,
    name,
    loc,
    sizeBytes: sizeBytes(tensorOf(program, id)),
    frameStrideBytes: 0, // never in SRAM
    role: 'input',
    stays: [],
    inDram: true,
    isSpilled: false,
    firstWrite: -1,
    lastWrite: -1,
    reads: [],
  };
}
