/**
 * What is loaded as a whole before a layer or block computes: weights that are held, tables, tensors that come back; and where
 * weights of later ones are loaded out of their turn (passes/prefetch-room.ts), those.
 */
import type { TensorId } from '../ir/types.js';
import type { Prefetch, Schedule, ScheduledBlock } from '../schedule/schedule.js';
import { type Emitter, step as fieldStep, type Level } from './emitter.js';
import { emitWholeRoot } from './frames.js';
import { bufferOffset, contextAt, type LayerContext } from './layer-views.js';
import type { Access, Phase } from './phases.js';

/** A load of constants that a layer or block needs before it starts. */
export interface ConstantLoad {
  readonly step: number;
  readonly role: Prefetch['role'];
  readonly dramBase: number;
  readonly sramBase: number;
  readonly offset: number;
  readonly bytes: number;
  readonly limit: number;
}

/** Held weights; tables, where only chunks of the weights are there at a time. */
export function layerConstants({ scheduled, layout, step }: LayerContext): ConstantLoad[] {
  const { headerBytes, totalBytes } = scheduled.layer.weights;
  const dramBase = layout.weightAddresses[step] ?? 0;
  const offset = scheduled.residentBytes;
  if (scheduled.tiling.weights === 'held' && offset < totalBytes) {
    const sramBase = bufferOffset(scheduled, 'held');
    return [{ step, role: 'held', dramBase, sramBase, offset, bytes: totalBytes - offset, limit: totalBytes }];
  }
  if (scheduled.tiling.weights === 'streamed' && offset === 0 && headerBytes > 0) {
    const sramBase = bufferOffset(scheduled, 'tables');
    return [{ step, role: 'tables', dramBase, sramBase, offset: 0, bytes: headerBytes, limit: headerBytes }];
  }
  return [];
}

/** The weights of a block that are neither resident nor streamed, and tables in front of streamed ones. */
export function blockConstants(block: ScheduledBlock, contextOf: (step: number) => LayerContext): ConstantLoad[] {
  const held = block.held.map(({ step, sramOffsetBytes }): ConstantLoad => {
    const { scheduled, layout } = contextOf(step);
    const limit = scheduled.layer.weights.totalBytes;
    const offset = scheduled.residentBytes;
    const dramBase = layout.weightAddresses[step] ?? 0;
    return { step, role: 'held', dramBase, sramBase: sramOffsetBytes, offset, bytes: limit - offset, limit };
  });
  const tables = block.chunks.flatMap(({ step, tableBytes, sramOffsetBytes }): ConstantLoad[] => {
    const dramBase = contextOf(step).layout.weightAddresses[step] ?? 0;
    const load = { dramBase, sramBase: sramOffsetBytes, offset: 0, bytes: tableBytes, limit: tableBytes };
    return tableBytes === 0 ? [] : [{ step, role: 'tables', ...load }];
  });
  return [...held, ...tables];
}

/** What must be in SRAM before the first command computes, and what is loaded here for later. */
export function emitPreloads(
  emitter: Emitter,
  context: LayerContext,
  roots: readonly TensorId[],
  constants: readonly ConstantLoad[],
): void {
  const { schedule, step } = context;
  const prefetches = schedule.prefetches ?? [];
  for (const load of constants)
    if (!prefetches.some((other) => other.step === load.step && other.role === load.role)) emitConstants(emitter, load);
  for (const root of roots) emitWholeRoot(emitter, 'load', context, root);
  for (const prefetch of prefetches) {
    if (prefetch.issuedAt !== step || prefetch.isSpread) continue;
    underOwnName(emitter, schedule, prefetch.step, () => emitConstants(emitter, constantsOf(context, prefetch)));
  }
}

function emitConstants(emitter: Emitter, { step: _, role: __, ...load }: ConstantLoad): void {
  emitter.phase([loadAccess(load)]);
  emitter.add('load', { ...load });
}

/** Within a loop of so many turns: a part of each load that is spread over them. */
export function emitSpread(emitter: Emitter, context: LayerContext, level: Level, turns: number): void {
  for (const prefetch of spreadAt(context)) {
    const { dramBase, sramBase, offset, bytes, limit } = constantsOf(context, prefetch);
    const part = Math.ceil(bytes / turns);
    underOwnName(emitter, context.schedule, prefetch.step, () =>
      emitter.add('load', { dramBase, sramBase, offset, bytes: part, limit }, [
        fieldStep('offset', level, part),
        fieldStep('sramBase', level, part),
      ]),
    );
  }
}

/** What the loads that are spread over a layer or block write. */
export function spreadAccesses(context: LayerContext): Access[] {
  return spreadAt(context).map((prefetch) => loadAccess(constantsOf(context, prefetch)));
}

/** Nothing of a layer or block waits for what is loaded along with it: when it is computed, not all of that need be there. */
export function joinsBeside(context: LayerContext, joins: Phase['joins']): Phase['joins'] {
  return spreadAt(context).length === 0 ? joins : joins.filter(([from]) => from !== 'load');
}

function spreadAt({ schedule, step }: LayerContext): readonly Prefetch[] {
  return (schedule.prefetches ?? []).filter(({ issuedAt, isSpread }) => isSpread && issuedAt === step);
}

function loadAccess({ sramBase, bytes }: Pick<ConstantLoad, 'sramBase' | 'bytes'>): Access {
  return { queue: 'load', memory: 'sram', start: sramBase, end: sramBase + bytes, isWrite: true };
}

function constantsOf({ schedule, layout }: LayerContext, { step, role }: Prefetch): ConstantLoad {
  const contextOf = (at: number): LayerContext => contextAt(schedule, layout, at);
  const block = schedule.blocks[schedule.layers[step]?.block ?? -1];
  const all = block === undefined ? layerConstants(contextOf(step)) : blockConstants(block, contextOf);
  const load = all.find((one) => one.step === step && one.role === role);
  if (load === undefined) throw new Error(`step ${step} has no '${role}' to load ahead`);
  return load;
}

/** What is emitted counts for the layer or block that it is for. */
function underOwnName(emitter: Emitter, schedule: Schedule, step: number, emit: () => void): void {
  const { layer, step: before } = emitter;
  const block = schedule.blocks[schedule.layers[step]?.block ?? -1];
  emitter.step = block?.plan.first ?? step;
  emitter.layer = unitName(schedule, emitter.step);
  emit();
  emitter.layer = layer;
  emitter.step = before;
}

/** Of the layer, or of the first and the last one of the block, that begins at a step. */
export function unitName(schedule: Schedule, step: number): string {
  const nameOf = (at: number): string => schedule.layers[at]?.layer.op.name ?? '';
  const block = schedule.blocks[schedule.layers[step]?.block ?? -1];
  return block === undefined ? nameOf(step) : `${nameOf(block.plan.first)} .. ${nameOf(block.plan.last)}`;
}
