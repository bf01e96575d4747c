import { sizeBytes, tensorOf } from '../src/ir/facts.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { planBlock } from '../src/schedule/block.js';
import type { Layer } from '../src/schedule/layer.js';
import {
  type PlacementRecord,
  type Schedule,
  type ScheduledBlock,
  type ScheduledEviction,
  type ScheduledLayer,
  type ScheduledRoot,
  unplacedBuffers,
  workspaceBytes,
} from '../src/schedule/schedule.js';
import { alignUp, type Tiling, workspaceBuffers } from '../src/schedule/tiling.js';
import { runsOf } from '../src/solver/placement/cuts.js';
import type { SearchResult } from '../src/solver/placement/evaluate.js';
import { itemEvents } from '../src/solver/placement/problem.js';
import type { BlockCandidate } from './block-candidates.js';
import { statesOf } from './carry-states.js';
import type { PlaceOptions } from './place-options.js';
import { forcedWeightsOf, keptWeightBytes, type PosedProblem, takenBytes } from './pose-problem.js';

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

export function toSchedule(
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
      unused.set(execution.first, choice.workspaceBytes - workspaceBytes({ workspace }));
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
