/** The frames of a batch: every layer and block runs for all of them, so that its weights come in once. */
import type { FieldStep } from '../commands/types.js';
import type { TensorId } from '../ir/types.js';
import type { ScheduledEviction } from '../schedule/schedule.js';
import { dramAccess, stayAccess } from './accesses.js';
import { type Emitter, step } from './emitter.js';
import { type LayerContext, stayOffset } from './layer-views.js';

/** Emits the body once, in a loop over the frames where there are several; a frame begins when all of the last is done. */
export function forEachFrame(emitter: Emitter, context: LayerContext, body: (framed: LayerContext) => void): void {
  emitter.loop(context.schedule.batch, (frameLevel) => {
    if (frameLevel !== undefined) emitter.barrier();
    body({ ...context, frameLevel });
  });
}

/** Step of a field that holds a DRAM address in the root. */
export function dramFrameStep(context: LayerContext, root: TensorId, field = 'dramBase'): FieldStep | undefined {
  return step(field, context.frameLevel, context.layout.frameStrideBytes.get(root) ?? 0);
}

/** Step of a field that holds an SRAM address in the root, where it is there as a whole. */
export function sramFrameStep(context: LayerContext, root: TensorId, field: string): FieldStep | undefined {
  return step(field, context.frameLevel, context.schedule.roots.get(root)?.frameStrideBytes ?? 0);
}

/** Moves all frames of a root as a whole, between its places in DRAM and in SRAM. */
export function emitWholeRoot(emitter: Emitter, op: 'load' | 'store', context: LayerContext, root: TensorId): void {
  const bytes = context.schedule.roots.get(root)?.sizeBytes ?? 0;
  emitter.phase([...stayAccess(context, root, op, op === 'load'), ...dramAccess(context, root, op, op === 'store')]);
  emitter.loop(context.schedule.batch, (frameLevel) => {
    const framed = { ...context, frameLevel };
    emitter.add(
      op,
      {
        dramBase: context.layout.rootAddresses.get(root) ?? 0,
        sramBase: stayOffset(context, root),
        bytes,
        limit: bytes,
      },
      [dramFrameStep(framed, root), sramFrameStep(framed, root, 'sramBase')],
    );
  });
}

/** Moves out what leaves SRAM in part while the steps that begin here run; what they make themselves they stream out. */
export function emitEvictions(emitter: Emitter, context: LayerContext): void {
  const { evictions, roots } = context.schedule;
  const out = evictions.filter(
    ({ first, root }) => first === context.step && (roots.get(root)?.firstWrite ?? 0) < first,
  );
  for (const eviction of out) emitRest(emitter, 'store', context, eviction);
}

/** Loads again what was out while the steps that end here ran. */
export function emitReturns(emitter: Emitter, context: LayerContext): void {
  const back = context.schedule.evictions.filter(({ last }) => last === context.step);
  for (const eviction of back) emitRest(emitter, 'load', context, eviction);
}

/** Moves what is not kept of a root. */
function emitRest(
  emitter: Emitter,
  op: 'load' | 'store',
  context: LayerContext,
  { root, keptBytes }: ScheduledEviction,
): void {
  const limit = context.schedule.roots.get(root)?.sizeBytes ?? 0;
  emitter.phase([...stayAccess(context, root, op, op === 'load'), ...dramAccess(context, root, op, op === 'store')]);
  emitter.add(op, {
    dramBase: context.layout.rootAddresses.get(root) ?? 0,
    sramBase: stayOffset(context, root) + keptBytes,
    offset: keptBytes,
    bytes: limit - keptBytes,
    limit,
  });
}
