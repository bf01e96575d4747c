/**
 * The commands of a depth-first block: one loop, in which every layer computes its next rows. Rows below zero and beyond the
 * image are clipped by the machine, so the ramps at both ends need no code. All layers run in the compute queue in order:
 * only the streamed borders need semaphores.
 */
import type { TensorId } from '../ir/types.js';
import type { ScheduledBlock, ScheduledRing } from '../schedule/schedule.js';
import { residentChannels } from '../schedule/tiling.js';
import { type BlockCommandContext, blockComputeCommand } from './block-compute.js';
import { dramAddressOf } from './dram-layout.js';
import { type Emitter, type Level, mask, step } from './emitter.js';
import { type LayerContext, stayOffset, viewFields } from './layer-views.js';

export function emitBlock(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const first = contextOf(block.plan.first);
  emitter.barrier();
  const preloads = emitBlockPreloads(emitter, block, contextOf);
  const inputs = block.rings.filter((ring) => ring.role === 'input');
  const outputs = block.rings.filter((ring) => ring.role === 'output');
  if (inputs.length > 0) emitter.setSemaphore('operandsFree', block.depth);
  if (outputs.length > 0) emitter.setSemaphore('outputFree', 1);
  emitter.idle('compute', preloads, 0);
  emitter.loop(block.plan.iterations, (level) => {
    inputs.forEach((ring, i) => {
      emitRingRows(
        emitter,
        'loadRows',
        first,
        ring,
        level,
        mask(i === 0 ? 'operandsFree' : undefined),
        mask(i === inputs.length - 1 ? 'operandsReady' : undefined),
      );
    });
    const wait = mask(inputs.length > 0 ? 'operandsReady' : undefined, outputs.length > 0 ? 'outputFree' : undefined);
    const signal = mask(inputs.length > 0 ? 'operandsFree' : undefined, outputs.length > 0 ? 'outputReady' : undefined);
    emitLayers(emitter, block, contextOf, level, wait, signal);
    outputs.forEach((ring, i) => {
      emitRingRows(
        emitter,
        'storeRows',
        first,
        ring,
        level,
        mask(i === 0 ? 'outputReady' : undefined),
        mask(i === outputs.length - 1 ? 'outputFree' : undefined),
      );
    });
  });
  emitSpills(emitter, block, contextOf);
}

/** Whole operands that come back from DRAM and the weights that are not resident. @returns the wait that compute owes them */
function emitBlockPreloads(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): number {
  const { schedule, layout } = contextOf(block.plan.first);
  const loads: { fields: Record<string, number>; steps: (ReturnType<typeof step> | undefined)[] }[] = [];
  for (const id of block.reloads) {
    const bytes = schedule.roots.get(id)?.sizeBytes ?? 0;
    const context = contextOf(block.plan.first);
    loads.push({
      fields: { dramBase: layout.rootAddresses.get(id) ?? 0, sramBase: stayOffset(context, id), bytes, limit: bytes },
      steps: [frameStepOf(context, id)],
    });
  }
  for (const held of block.held) {
    const { scheduled } = contextOf(held.step);
    const { totalBytes } = scheduled.layer.weights;
    const offset = scheduled.residentBytes;
    loads.push({
      fields: {
        dramBase: layout.weightAddresses[held.step] ?? 0,
        sramBase: held.sramOffsetBytes,
        offset,
        bytes: totalBytes - offset,
        limit: totalBytes,
      },
      steps: [],
    });
  }
  loads.forEach((load, i) => {
    emitter.add('load', { ...load.fields, signal: i === loads.length - 1 ? mask('preloaded') : 0 }, load.steps);
  });
  return loads.length > 0 ? mask('preloaded') : 0;
}

function emitLayers(
  emitter: Emitter,
  block: ScheduledBlock,
  contextOf: (step: number) => LayerContext,
  level: Level,
  wait: number,
  signal: number,
): void {
  const commands = block.plan.layers.flatMap((plan) => {
    const context = contextOf(plan.step);
    const base: BlockCommandContext = { context, block, plan };
    const runs = recordRuns(block, context);
    return (runs.length === 0 ? [undefined] : runs).map((run) => ({ plan, ...blockComputeCommand(base, run) }));
  });
  commands.forEach((command, i) => {
    emitter.add(
      command.op,
      { ...command.fields, wait: i === 0 ? wait : 0, signal: i === commands.length - 1 ? signal : 0 },
      [step('row0', level, command.plan.rowsPerIteration)],
    );
  });
}

/** Runs of weight records of a layer: the resident prefix, and what is held. */
function recordRuns(block: ScheduledBlock, context: LayerContext): { start: number; count: number; address: number }[] {
  const { scheduled } = context;
  const { weights } = scheduled.layer;
  if (weights.channels === 0) return [];
  const resident = residentChannels(scheduled.layer, scheduled.residentBytes);
  const runs: { start: number; count: number; address: number }[] = [];
  if (resident > 0)
    runs.push({ start: 0, count: resident, address: scheduled.residentOffsetBytes + weights.headerBytes });
  if (resident < weights.channels) {
    const held = block.held.find((candidate) => candidate.step === context.step);
    if (held === undefined) throw new Error(`step ${context.step} has no held weights`);
    runs.push({
      start: resident,
      count: weights.channels - resident,
      address: held.sramOffsetBytes + (resident > 0 ? 0 : weights.headerBytes),
    });
  }
  return runs;
}

function emitRingRows(
  emitter: Emitter,
  op: 'loadRows' | 'storeRows',
  context: LayerContext,
  ring: ScheduledRing,
  level: Level,
  wait: number,
  signal: number,
): void {
  const { schedule, layout } = context;
  const view = ring.view;
  const columns = ring.rowBytes / ring.pixelBytes;
  const root = schedule.program.tensors.get(ring.root);
  if (root === undefined) throw new Error(`no tensor %${ring.root}`);
  const dramBase =
    view === undefined ? (layout.rootAddresses.get(ring.root) ?? 0) : dramAddressOf(schedule, layout, view.tensor);
  emitter.add(
    op,
    {
      wait,
      signal,
      dramBase,
      dramRowPitch: view === undefined ? ring.rowBytes : view.rowPitchBytes,
      dramPixelPitch: view === undefined ? ring.pixelBytes : view.pixelPitchBytes,
      ...viewFields('sram', {
        base: ring.sramOffsetBytes,
        rowPitch: ring.rowBytes,
        pixelPitch: ring.pixelBytes,
        ring: ring.rows,
      }),
      imageH: ring.imageRows,
      imageW: columns,
      pixelBytes: ring.pixelBytes,
      row0: ring.firstRow,
      rows: ring.rowsPerIteration,
      col0: 0,
      cols: columns,
    },
    [step('row0', level, ring.rowsPerIteration), frameStepOf(context, ring.root)],
  );
}

/** Outputs that were produced in SRAM and have a DRAM copy too. */
function emitSpills(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const { schedule, layout } = contextOf(block.plan.first);
  for (const root of schedule.roots.values()) {
    if (!root.isSpilled || root.lastWrite < block.plan.first || root.lastWrite > block.plan.last) continue;
    const context = contextOf(root.lastWrite);
    emitter.barrier();
    emitter.add(
      'store',
      {
        dramBase: layout.rootAddresses.get(root.root) ?? 0,
        sramBase: stayOffset(context, root.root),
        bytes: root.sizeBytes,
        limit: root.sizeBytes,
      },
      [frameStepOf(context, root.root)],
    );
  }
}

function frameStepOf(context: LayerContext, root: TensorId): ReturnType<typeof step> {
  return step('dramBase', context.frameLevel, context.layout.frameStrideBytes.get(root) ?? 0);
}
