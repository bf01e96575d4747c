/**
 * What a schedule moves across the DRAM interface in one period, by layer, tensor and class. The simulator counts the same
 * bytes from the commands alone; that the two agree is a promise (DESIGN: the report is the truth).
 */
import type { TrafficClass } from '../commands/manifest.js';
import type { TensorId } from '../ir/types.js';
import type { Schedule, ScheduledLayer } from '../schedule/schedule.js';
import { columnTiles, periodWeightPasses, residentChannels, stripeCount, tilingTraffic } from '../schedule/tiling.js';

export interface TrafficEntry {
  readonly step: number;
  readonly class: Exclude<TrafficClass, 'code'>;
  /** The root that moves; undefined for weights. */
  readonly root: TensorId | undefined;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reason: 'streamed' | 'reloaded' | 'spilled' | 'evicted' | 'weights';
}

export function trafficOf(schedule: Schedule): TrafficEntry[] {
  const entries: TrafficEntry[] = [];
  schedule.layers.forEach((scheduled, step) => {
    const { layer, tiling } = scheduled;
    const classOf = (root: TensorId): TrafficEntry['class'] => {
      const role = schedule.roots.get(root)?.role;
      if (role === 'constant') return 'weights';
      return role === 'input' || role === 'output' ? role : 'activations';
    };
    const add = (root: TensorId, readBytes: number, writeBytes: number, reason: TrafficEntry['reason']): void => {
      if (readBytes + writeBytes === 0) return;
      const { batch } = schedule;
      entries.push({
        step,
        class: classOf(root),
        root,
        readBytes: readBytes * batch,
        writeBytes: writeBytes * batch,
        reason,
      });
    };
    const block = schedule.blocks[scheduled.block ?? -1];
    const isFirst = block?.plan.first === step;
    const reloads = block === undefined ? scheduled.reloads : isFirst ? block.reloads : [];
    for (const root of reloads) add(root, schedule.roots.get(root)?.sizeBytes ?? 0, 0, 'reloaded');
    if (block === undefined) {
      const traffic = tilingTraffic(layer, tiling);
      layer.operands.forEach((operand, i) => {
        add(operand.root, traffic.operandReadBytes[i] ?? 0, 0, 'streamed');
      });
      add(layer.output.root, 0, traffic.outputWriteBytes, 'streamed');
    } else {
      // An input is charged to the first layer that reads it, an output to the layer that completes it.
      for (const [root, bytes] of block.plan.inputReadBytes) {
        const reader = schedule.roots.get(root)?.reads.find((read) => read >= block.plan.first);
        if (reader === step) add(root, bytes, 0, 'streamed');
      }
      for (const [root, bytes] of block.plan.outputWriteBytes) {
        if (schedule.roots.get(root)?.lastWrite === step) add(root, 0, bytes, 'streamed');
      }
    }
    const inBlock = block?.plan.streamedWeightBytes.get(step);
    const weightBytes =
      inBlock === undefined
        ? weightReadBytes(scheduled, schedule.batch)
        : inBlock * schedule.batch + layer.weights.headerBytes;
    if (weightBytes > 0)
      entries.push({
        step,
        class: 'weights',
        root: undefined,
        readBytes: weightBytes,
        writeBytes: 0,
        reason: 'weights',
      });
    for (const { first, root, keptBytes } of schedule.evictions) {
      const bytes = (schedule.roots.get(root)?.sizeBytes ?? 0) - keptBytes;
      if (first === step) add(root, bytes, bytes, 'evicted');
    }
    const root = schedule.roots.get(layer.output.root);
    if (root?.isSpilled && root.lastWrite === step) add(root.root, 0, root.sizeBytes, 'spilled');
  });
  const { groups } = schedule;
  return entries.map((entry) => ({
    ...entry,
    readBytes: entry.readBytes * groups,
    writeBytes: entry.writeBytes * groups,
  }));
}

/** Weights read while the layer runs: what is not resident, once or once a pass; tables once. */
function weightReadBytes(scheduled: ScheduledLayer, batch: number): number {
  const { layer, tiling, residentBytes } = scheduled;
  const { headerBytes, channels, recordBytes, totalBytes } = layer.weights;
  if (residentBytes >= totalBytes) return 0;
  if (tiling.weights !== 'streamed') return totalBytes - residentBytes;
  const rest = channels - residentChannels(layer, residentBytes);
  const passes =
    tiling.outer === 'rows'
      ? columnTiles(layer, tiling).length * stripeCount(layer, tiling)
      : columnTiles(layer, tiling).length;
  return rest * recordBytes * periodWeightPasses(tiling, passes, batch) + (residentBytes === 0 ? headerBytes : 0);
}
