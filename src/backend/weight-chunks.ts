/** Weights that come in chunks: where the chunks of a layer lie, in its double buffer or in a ring of slots, and their loads. */
import { streamedChunks, type WeightRing } from '../schedule/schedule.js';
import { residentChannels } from '../schedule/tiling.js';
import { type Emitter, type FreeName, type Level, mask, step } from './emitter.js';
import { bufferOffset, type LayerContext, type RecordRun } from './layer-views.js';

/** Where the chunks of a loop lie: each at a pitch from the one before, modulo. */
export interface ChunkPlace {
  readonly address: number;
  readonly pitchBytes: number;
  readonly modulusBytes: number;
  readonly from: number; // first chunk of the loop
}

/** The double buffer of a layer; passes over the rows hold one chunk at a time. */
export function doubleBuffer(context: LayerContext): ChunkPlace {
  const { tiling } = context.scheduled;
  const pitchBytes = chunkBytes(context);
  const modulusBytes = pitchBytes * (tiling.outer === 'channels' ? 1 : tiling.depth);
  return { address: bufferOffset(context.scheduled, 'chunk'), pitchBytes, modulusBytes, from: 0 };
}

/**
 * The slots behind those that the layers before have taken, those of earlier groups of frames included, up to the end of the ring, and
 * those from its beginning on. The semaphore counts free slots and does not say which: they are taken in turn.
 */
export function slotsOf(
  { schedule, layout, step: own }: LayerContext,
  { steps, slots, slotBytes, sramOffsetBytes }: WeightRing,
  chunks: number,
): { readonly place: ChunkPlace; readonly count: number }[] {
  let before = 0;
  let all = 0;
  for (const step of steps) {
    const scheduled = schedule.layers[step];
    if (scheduled === undefined) continue;
    if (step === own) before = all;
    all += streamedChunks(scheduled);
  }
  const taken = layout.group * all + before;
  const first = taken % slots;
  const place = { pitchBytes: slotBytes, modulusBytes: slots * slotBytes };
  const ahead = first === 0 ? chunks : Math.min(chunks, slots - first);
  const parts = [{ place: { ...place, address: sramOffsetBytes + first * slotBytes, from: 0 }, count: ahead }];
  return ahead === chunks
    ? parts
    : [...parts, { place: { ...place, address: sramOffsetBytes, from: ahead }, count: chunks - ahead }];
}

function chunkBytes(context: LayerContext): number {
  const { layer, tiling } = context.scheduled;
  return tiling.chunkChannels * layer.weights.recordBytes;
}

export function chunkRun(context: LayerContext, { address, from }: ChunkPlace = doubleBuffer(context)): RecordRun {
  const { layer, tiling, residentBytes } = context.scheduled;
  const { chunkChannels } = tiling;
  return { start: residentChannels(layer, residentBytes) + from * chunkChannels, count: chunkChannels, address };
}

export function emitChunk(
  emitter: Emitter,
  context: LayerContext,
  level: Level,
  free: FreeName | undefined,
  { address, pitchBytes, modulusBytes, from }: ChunkPlace = doubleBuffer(context),
): void {
  const { layer, residentBytes } = context.scheduled;
  const bytes = chunkBytes(context);
  const first = residentBytes > 0 ? residentBytes : layer.weights.headerBytes;
  emitter.add(
    'load',
    {
      wait: mask(free),
      signal: mask('chunkReady'),
      dramBase: context.layout.weightAddresses[context.step] ?? 0,
      sramBase: address,
      offset: first + from * bytes,
      bytes,
      limit: layer.weights.totalBytes,
    },
    [
      step('offset', level, bytes),
      modulusBytes > pitchBytes ? step('sramBase', level, pitchBytes, modulusBytes) : undefined,
    ],
  );
}
