/**
 * The commands of a depth-first block: one loop, in which every layer computes its next rows. Rows below zero and beyond the
 * image are clipped by the machine, so the ramps at both ends need no code. All layers run in the compute queue in order:
 * only the streamed borders need semaphores.
 */
import type { ScheduledBlock, ScheduledRing } from '../schedule/schedule.js';
import { residentChannels } from '../schedule/tiling.js';
import { type BlockCommandContext, blockComputeCommand } from './block-compute.js';
import { dramAddressOf } from './dram-layout.js';
import { type Emitter, type Level, mask, step } from './emitter.js';
import { type ConstantLoad, dramFrameStep, emitPreloads, emitWholeRoot, forEachFrame } from './frames.js';
import { type LayerContext, viewFields } from './layer-views.js';

export function emitBlock(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const first = contextOf(block.plan.first);
  emitter.barrier();
  emitter.idle('compute', emitPreloads(emitter, first, block.reloads, heldLoads(block, contextOf)), 0);
  forEachFrame(emitter, first, ({ frameLevel }) => {
    emitFrame(emitter, block, (step) => ({ ...contextOf(step), frameLevel }));
  });
  emitSpills(emitter, block, contextOf);
}

function emitFrame(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const first = contextOf(block.plan.first);
  const inputs = block.rings.filter((ring) => ring.role === 'input');
  const outputs = block.rings.filter((ring) => ring.role === 'output');
  if (inputs.length > 0) emitter.setSemaphore('operandsFree', block.depth);
  if (outputs.length > 0) emitter.setSemaphore('outputFree', 1);
  emitter.loop(block.plan.iterations, (level) => {
    inputs.forEach((ring, i) => {
      const signal = mask(i === inputs.length - 1 ? 'operandsReady' : undefined);
      emitRingRows(emitter, 'loadRows', first, ring, level, mask(i === 0 ? 'operandsFree' : undefined), signal);
    });
    const wait = mask(inputs.length > 0 ? 'operandsReady' : undefined, outputs.length > 0 ? 'outputFree' : undefined);
    const signal = mask(inputs.length > 0 ? 'operandsFree' : undefined, outputs.length > 0 ? 'outputReady' : undefined);
    emitLayers(emitter, block, contextOf, level, wait, signal);
    outputs.forEach((ring, i) => {
      const freed = mask(i === outputs.length - 1 ? 'outputFree' : undefined);
      emitRingRows(emitter, 'storeRows', first, ring, level, mask(i === 0 ? 'outputReady' : undefined), freed);
    });
  });
}

/** The weights of the block that are not resident. */
function heldLoads(block: ScheduledBlock, contextOf: (step: number) => LayerContext): ConstantLoad[] {
  return block.held.map((held) => {
    const { scheduled, layout } = contextOf(held.step);
    const limit = scheduled.layer.weights.totalBytes;
    const offset = scheduled.residentBytes;
    return {
      dramBase: layout.weightAddresses[held.step] ?? 0,
      sramBase: held.sramOffsetBytes,
      offset,
      bytes: limit - offset,
      limit,
    };
  });
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
      [step('row0', level, command.plan.rowsPerIteration), ...command.steps],
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
    [step('row0', level, ring.rowsPerIteration), dramFrameStep(context, ring.root)],
  );
}

/** Outputs that were produced in SRAM and have a DRAM copy too. */
function emitSpills(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const { schedule } = contextOf(block.plan.first);
  for (const root of schedule.roots.values()) {
    if (!root.isSpilled || root.lastWrite < block.plan.first || root.lastWrite > block.plan.last) continue;
    emitter.barrier();
    emitWholeRoot(emitter, 'store', contextOf(root.lastWrite), root.root);
  }
}
