/** What the queues read and write while a layer or a block runs, in whole buffers: what phases.ts orders the queues by. */
import type { TensorId } from '../ir/types.js';
import { type ScheduledBlock, weightRingAt } from '../schedule/schedule.js';
import { type LayerContext, stayOffset } from './layer-views.js';
import type { Access, Phase, QueueName } from './phases.js';

/** A root in SRAM, all frames of it. */
export function stayAccess(context: LayerContext, root: TensorId, queue: QueueName, isWrite: boolean): Access[] {
  const start = stayOffset(context, root);
  const bytes = (context.schedule.roots.get(root)?.frameStrideBytes ?? 0) * context.schedule.batch;
  return [{ queue, memory: 'sram', start, end: start + bytes, isWrite }];
}

/** A root in DRAM, all frames of a group of it; nothing for constants, which nobody writes. */
export function dramAccess(context: LayerContext, root: TensorId, queue: QueueName, isWrite: boolean): Access[] {
  const start = context.layout.rootAddresses.get(root);
  const scheduled = context.schedule.roots.get(root);
  if (start === undefined || scheduled === undefined || scheduled.role === 'constant') return [];
  const stride = context.layout.frameStrideBytes.get(root) ?? 0;
  const end = start + stride * (context.schedule.batch - 1) + scheduled.sizeBytes;
  return [{ queue, memory: 'dram', start, end, isWrite }];
}

interface Buffer {
  readonly sramOffsetBytes: number;
  readonly sizeBytes: number;
}

function bufferAccess({ sramOffsetBytes, sizeBytes }: Buffer, queue: QueueName, isWrite: boolean): Access {
  return { queue, memory: 'sram', start: sramOffsetBytes, end: sramOffsetBytes + sizeBytes, isWrite };
}

/** Who fills a buffer and who empties it. */
function between(buffer: Buffer, writer: QueueName, reader: QueueName): Access[] {
  return [bufferAccess(buffer, writer, true), bufferAccess(buffer, reader, false)];
}

/** A layer that runs on its own, without what is loaded before and stored after it. */
export function layerAccesses(context: LayerContext): Access[] {
  const { layer, tiling, workspace } = context.scheduled;
  const isTranspose = layer.kind === 'transpose';
  const fromSram = tiling.operandsFromSram[0] === true;
  // The DMA transposes on its way, unless both ends are in SRAM.
  const inQueue: QueueName = isTranspose && !tiling.toSram ? 'store' : 'compute';
  const outQueue: QueueName = isTranspose && !fromSram ? 'load' : 'compute';
  const accesses: Access[] = [];
  layer.operands.forEach(({ root }, i) => {
    if (tiling.operandsFromSram[i] === true) {
      accesses.push(...stayAccess(context, root, inQueue, false));
      // Indices are read by the DMA, which gathers what they name.
      if (layer.kind === 'gather') accesses.push(...stayAccess(context, root, 'load', false));
    } else accesses.push(...dramAccess(context, root, 'load', false));
  });
  if (tiling.toSram) accesses.push(...stayAccess(context, layer.output.root, outQueue, true));
  else accesses.push(...dramAccess(context, layer.output.root, 'store', true));
  for (const buffer of workspace) {
    if (buffer.role === 'held' || buffer.role === 'tables') accesses.push(bufferAccess(buffer, 'compute', false));
    else if (buffer.role === 'output') accesses.push(...between(buffer, isTranspose ? 'load' : 'compute', 'store'));
    else accesses.push(...between(buffer, 'load', 'compute'));
  }
  const through = weightRingAt(context.schedule, context.step);
  if (through !== undefined) {
    const { sramOffsetBytes, slots, slotBytes } = through.ring;
    const slotted = between({ sramOffsetBytes, sizeBytes: slots * slotBytes }, 'load', 'compute');
    accesses.push(...slotted.map((access) => ({ ...access, ring: through.index })));
  }
  return accesses;
}

/** Compute waits for every load of a layer, and the store for all that is computed. */
export function layerJoins(context: LayerContext): Phase['joins'] {
  return context.scheduled.layer.kind === 'transpose' ? TRANSPOSE_JOINS : BLOCK_JOINS;
}

export const BLOCK_JOINS: Phase['joins'] = [
  ['load', 'compute'],
  ['compute', 'store'],
];
const TRANSPOSE_JOINS: Phase['joins'] = [['load', 'store']];

/** The layers of a block, without what is loaded before and stored after it. */
export function blockAccesses(block: ScheduledBlock, contextOf: (step: number) => LayerContext): Access[] {
  const first = contextOf(block.plan.first);
  const accesses: Access[] = [];
  const inRings = new Set(block.rings.map(({ root }) => root));
  for (const { step } of block.plan.layers) {
    const context = contextOf(step);
    const { operands, output } = context.scheduled.layer;
    for (const { root } of operands)
      if (!inRings.has(root)) accesses.push(...stayAccess(context, root, 'compute', false));
    if (!inRings.has(output.root)) accesses.push(...stayAccess(context, output.root, 'compute', true));
  }
  for (const ring of block.rings) {
    accesses.push(bufferAccess(ring, ring.role === 'input' ? 'load' : 'compute', true));
    accesses.push(bufferAccess(ring, ring.role === 'output' ? 'store' : 'compute', false));
    if (ring.role === 'input') accesses.push(...dramAccess(first, ring.root, 'load', false));
    if (ring.role === 'output') accesses.push(...dramAccess(first, ring.root, 'store', true));
  }
  for (const { ring, keptRows } of block.tails) {
    const sramOffsetBytes = stayOffset(contextOf(block.plan.last), ring.root) + keptRows * ring.rowBytes;
    accesses.push(...between({ sramOffsetBytes, sizeBytes: ring.sizeBytes }, 'compute', 'store'));
    accesses.push(...dramAccess(first, ring.root, 'store', true));
  }
  for (const held of block.held) accesses.push(bufferAccess(held, 'compute', false));
  for (const chunks of block.chunks) accesses.push(...between(chunks, 'load', 'compute'));
  for (const sums of block.sums) accesses.push(bufferAccess(sums, 'compute', true));
  return accesses;
}
