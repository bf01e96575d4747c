/**
 * Room for loads that run ahead: buffers that the DMA fills before or while a layer runs get their place one layer or block earlier,
 * or more, as long as everything that is live there still fits. The back end orders the queues by addresses; where a place is free
 * early, its load starts early.
 *
 *   step           3      4      5
 *   buffer        | . . .|######|           loaded beside step 3, where step 3 leaves that much
 *
 * Nothing depends on it but time: where the buffers with longer lives cannot be packed, they are packed without.
 */
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';

/** A buffer that is loaded, and whether all of it is before its layer starts (else a part, while the layer runs). */
export interface LoadedBuffer {
  readonly id: string;
  readonly isWhole: boolean;
}

/** Units that a load may be ahead of: the queue gets to it only when what comes before is under way. */
const MOST_UNITS = { whole: 3, part: 1 } as const;

/**
 * @param unitStarts by step: the first step of its layer or block
 * @param capacityBytes that what is live in a step may take up
 * @returns the buffers with the lives that fit, or undefined where none gets longer
 */
export function withEarlierLoads(
  buffers: readonly AllocationBuffer[],
  loaded: readonly LoadedBuffer[],
  unitStarts: readonly number[],
  capacityBytes: number,
): AllocationBuffer[] | undefined {
  const live = unitStarts.map((_, step) =>
    buffers.reduce((bytes, buffer) => bytes + (isLive(buffer, step) ? alignedBytes(buffer) : 0), 0),
  );
  const lowers = new Map<string, number>();
  const byId = new Map(buffers.map((buffer) => [buffer.id, buffer]));
  // One unit ahead for all, then further for what is loaded whole.
  for (let ahead = 1; ahead <= MOST_UNITS.whole; ahead += 1) {
    for (const { id, isWhole } of loaded) {
      const buffer = byId.get(id);
      if (buffer === undefined || ahead > (isWhole ? MOST_UNITS.whole : MOST_UNITS.part)) continue;
      const lower = lowers.get(id) ?? buffer.lower;
      const start = unitStarts[lower - 1];
      if (start === undefined || (ahead > 1 && !lowers.has(id))) continue;
      const steps = live.slice(start, lower);
      if (steps.some((bytes) => bytes + alignedBytes(buffer) > capacityBytes)) continue;
      for (let step = start; step < lower; step += 1) live[step] = (live[step] ?? 0) + alignedBytes(buffer);
      lowers.set(id, start);
    }
  }
  if (lowers.size === 0) return undefined;
  return buffers.map((buffer) => ({ ...buffer, lower: lowers.get(buffer.id) ?? buffer.lower }));
}

function isLive({ lower, upper, gaps }: AllocationBuffer, step: number): boolean {
  return lower <= step && step < upper && !gaps?.some((gap) => gap.lower <= step && step < gap.upper);
}

function alignedBytes({ sizeBytes, alignmentBytes = 1 }: AllocationBuffer): number {
  return Math.ceil(sizeBytes / alignmentBytes) * alignmentBytes;
}
