/**
 * Which weights stay in SRAM, among plans that move the same bytes: those of layers that wait for their weights, in exchange for those
 * of layers that compute longer than their weights take to load. Placement weighs bytes, and to it the two are the same.
 *
 *   before   | conv: computes 30, loads 0    | dense: computes 5, loads 40 |    70
 *   after    | conv: computes 30, loads 25   | dense: computes 5, loads 15 |    45
 *
 * Only layers that have all their operands and their output in SRAM: their weights come in once, in chunks beside the work.
 */
import { retiled, type Schedule, type ScheduledLayer, workspaceBytes } from '../src/schedule/schedule.js';
import {
  alignUp,
  isCuttable,
  isStreaming,
  RESIDENT_ALIGNMENT_BYTES,
  roundResident,
  type Tiling,
} from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';
import { workCycles } from './grow-blocks.js';

/** Parts of the array's columns that a chunk of channels may take: narrower ones compute longer than it is worth. */
const CHUNK_PARTS = [1, 2, 4];

export function balanceResidents(schedule: Schedule, chip: Chip): Schedule {
  const { alignmentBytes, capacityBytes } = schedule;
  const bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  const layers = [...schedule.layers];
  const loadBytes = [...schedule.loadBytes];
  /** Bytes that the layer could load while it computes. */
  const besideWork = ({ layer }: ScheduledLayer): number =>
    Math.floor(workCycles(layer, chip) * schedule.batch * bytesPerCycle);
  const replace = (t: number, scheduled: ScheduledLayer): void => {
    const before = layers[t];
    if (before === undefined) return;
    loadBytes[t] = (loadBytes[t] ?? 0) + workspaceBytes(scheduled) - workspaceBytes(before);
    layers[t] = scheduled;
  };
  const able = layers.flatMap((scheduled, t) => (isAble(scheduled) ? [t] : []));

  // How many bytes are wanted, by the layers that wait longest first.
  const waiting = able
    .map((t) => ({ t, bytes: waitingBytes(layers[t], besideWork) }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes || a.t - b.t);
  let wanted = waiting.reduce((total, { bytes }) => total + bytes, 0);
  let given = 0;
  for (const t of able) {
    const scheduled = layers[t];
    if (scheduled === undefined || scheduled.residentBytes === 0 || wanted <= 0) continue;
    const { layer, residentBytes } = scheduled;
    const loaded = layer.weights.totalBytes - residentBytes;
    const most = Math.min(besideWork(scheduled) - loaded, wanted);
    if (most <= 0) continue;
    const room = capacityBytes - (loadBytes[t] ?? 0) + workspaceBytes(scheduled);
    const left = roundResident(layer, Math.max(0, residentBytes - most));
    const streamed = withResident(scheduled, left, room, alignmentBytes, chip);
    if (streamed === undefined) continue;
    const freed = alignUp(residentBytes, RESIDENT_ALIGNMENT_BYTES) - alignUp(left, RESIDENT_ALIGNMENT_BYTES);
    replace(t, streamed);
    given += freed;
    wanted -= freed;
  }
  let taken = 0;
  for (const { t, bytes } of waiting) {
    const scheduled = layers[t];
    if (scheduled === undefined) continue;
    const { layer, residentBytes } = scheduled;
    const most = Math.min(bytes, given - taken - RESIDENT_ALIGNMENT_BYTES);
    const more = roundResident(layer, residentBytes + Math.max(0, most));
    if (more <= residentBytes) continue;
    const room = capacityBytes - (loadBytes[t] ?? 0) + workspaceBytes(scheduled);
    const changed = retiled(scheduled, scheduled.tiling, more, alignmentBytes);
    if (workspaceBytes(changed) > room) continue;
    taken += alignUp(more, RESIDENT_ALIGNMENT_BYTES) - alignUp(residentBytes, RESIDENT_ALIGNMENT_BYTES);
    replace(t, changed);
  }
  // What is held is there before the layer computes; in chunks it comes beside the work.
  for (const t of able) {
    const scheduled = layers[t];
    if (scheduled === undefined || scheduled.tiling.weights !== 'held') continue;
    const { residentBytes, layer } = scheduled;
    if (residentBytes >= layer.weights.totalBytes) continue;
    const room = capacityBytes - (loadBytes[t] ?? 0) + workspaceBytes(scheduled);
    const streamed = withResident(scheduled, residentBytes, room, alignmentBytes, chip);
    if (streamed !== undefined) replace(t, streamed);
  }
  const moved = (schedule.groups * (given - taken)) | 0;
  const { record } = schedule;
  return {
    ...schedule,
    layers,
    residentBytes: schedule.residentBytes + taken - given,
    loadBytes: loadBytes.map((bytes) => bytes + taken - given),
    record: { ...record, plannedTrafficBytes: record.plannedTrafficBytes + moved },
  };
}

function isAble({ layer, tiling, block }: ScheduledLayer): boolean {
  return (
    block === undefined &&
    layer.weights.channels > 0 &&
    tiling.outer === 'rows' &&
    !isStreaming(tiling) &&
    (tiling.weights === 'held' || tiling.weights === 'streamed')
  );
}

/** Bytes that take longer to load than the layer computes. */
function waitingBytes(
  scheduled: ScheduledLayer | undefined,
  besideWork: (scheduled: ScheduledLayer) => number,
): number {
  if (scheduled === undefined) return 0;
  return scheduled.layer.weights.totalBytes - scheduled.residentBytes - besideWork(scheduled);
}

/** The layer with so many resident bytes and the others in the widest chunks that there is room for. */
function withResident(
  scheduled: ScheduledLayer,
  residentBytes: number,
  room: number,
  alignmentBytes: number,
  chip: Chip,
): ScheduledLayer | undefined {
  const { layer, tiling } = scheduled;
  for (const part of CHUNK_PARTS) {
    const chunkChannels = Math.min(layer.weights.channels, Math.ceil(chip.mac.columns / part));
    const streamed: Tiling = { ...tiling, weights: 'streamed', chunkChannels, depth: 2 };
    const changed = retiled(scheduled, streamed, residentBytes, alignmentBytes);
    if (isCuttable(layer) && workspaceBytes(changed) <= room) return changed;
  }
  return undefined;
}
