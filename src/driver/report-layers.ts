/** The report's rows by layer, and what the three kinds of bytes take. */
import type { EmittedProgram } from '../backend/emit-program.js';
import type { PredictedTiming } from '../backend/predict-timing.js';
import type { TrafficEntry } from '../backend/traffic.js';
import { formatLoc } from '../base/diagnostic.js';
import {
  ringDuring,
  type Schedule,
  type ScheduledBlock,
  type ScheduledLayer,
  streamedChunks,
} from '../schedule/schedule.js';
import { columnTiles, stripeCount } from '../schedule/tiling.js';
import { WEIGHT_BUFFERS } from './feature-bytes.js';
import type { PeriodBytes } from './period-bytes.js';
import type { LayerReport, Report } from './report.js';

export function layerReports(
  schedule: Schedule,
  entries: readonly TrafficEntry[],
  timing: PredictedTiming,
): LayerReport[] {
  const byStep: TrafficEntry[][] = schedule.layers.map(() => []);
  for (const entry of entries) byStep[entry.step]?.push(entry);
  return schedule.layers.map((scheduled, step): LayerReport => {
    const { layer } = scheduled;
    const mine = byStep[step] ?? [];
    const byClass = { weights: 0, activations: 0, input: 0, output: 0 };
    for (const entry of mine) byClass[entry.class] += entry.readBytes + entry.writeBytes;
    const estimate = timing.layers[step];
    return {
      step,
      name: layer.op.name,
      kind: layer.op.kind,
      source: formatLoc(layer.op.loc),
      outputShape: [layer.output.h, layer.output.w, layer.output.c],
      macs: estimate?.macs ?? 0,
      readBytes: mine.reduce((total, entry) => total + entry.readBytes, 0),
      writeBytes: mine.reduce((total, entry) => total + entry.writeBytes, 0),
      byClass,
      weightBytes: layer.weights.totalBytes,
      residentBytes: scheduled.residentBytes,
      tiling: describeTiling(schedule, scheduled),
      block: scheduled.block ?? null,
      sramBytes: schedule.loadBytes[step] ?? 0,
      cycles: estimate?.cycles ?? 0,
      computeCycles: estimate?.computeCycles ?? 0,
      dramCycles: estimate?.dramCycles ?? 0,
      sramValue: schedule.record.sramValue[step] ?? 0,
    };
  });
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** "stripes of 7 rows, 4 chunks of 64 channels", or "whole" where one command does it all. */
export function describeTiling(schedule: Schedule, scheduled: ScheduledLayer): string {
  const { layer, tiling } = scheduled;
  const block = schedule.blocks[scheduled.block ?? -1];
  if (block !== undefined) return describeBlockLayer(schedule, scheduled, block);
  const parts: string[] = [];
  const tiles = columnTiles(layer, tiling).length;
  const stripes = stripeCount(layer, tiling);
  if (tiles > 1) parts.push(`${tiles} tiles of ${count(tiling.tileColumns, 'column')}`);
  if (stripes > 1) parts.push(`${stripes} stripes of ${count(tiling.stripeRows, 'row')}`);
  const chunks = streamedChunks(scheduled);
  if (chunks > 0) {
    const each = `${count(chunks, 'chunk')} of ${count(tiling.chunkChannels, 'channel')}`;
    if (tiling.outer === 'channels' && chunks > 1) parts.push(`${each}, input read for each`);
    else parts.push(stripes * tiles > 1 && tiling.outer === 'rows' ? `${each} for each stripe` : each);
  }
  if (tiling.weights === 'held' && scheduled.residentBytes < layer.weights.totalBytes) parts.push('weights held');
  if (scheduled.layer.operands.some((operand) => operand.root === schedule.roots.get(layer.output.root)?.overwrites))
    parts.push('in place');
  return parts.length === 0 ? 'whole' : parts.join(', ');
}

function describeBlockLayer(schedule: Schedule, scheduled: ScheduledLayer, block: ScheduledBlock): string {
  const { first, last, iterations, layers, tiles, pieces, chunks } = block.plan;
  const rows = layers.find(({ step }) => step === scheduled.layer.step)?.rowsPerIteration ?? 0;
  const stripes = `${count(iterations, 'stripe')} of ${count(rows, 'row')}`;
  const columns = pieces?.layers.get(scheduled.layer.step)?.perPiece ?? 0;
  const inPieces =
    pieces === undefined ? '' : `, each in ${count(pieces.pieces, 'piece')} of ${count(columns, 'column')}`;
  const parts = [
    `block ${schedule.blocks.indexOf(block)} (steps ${first} to ${last})`,
    tiles.length > 1 ? `${tiles.length} tiles of columns, each ${stripes}` : `${stripes}${inPieces}`,
  ];
  const streamed = chunks.find(({ step }) => step === scheduled.layer.step);
  if (streamed !== undefined)
    parts.push(`${count(streamed.chunks, 'chunk')} of ${count(streamed.chunkChannels, 'channel')} for each stripe`);
  else if (scheduled.residentBytes < scheduled.layer.weights.totalBytes) parts.push('weights held');
  return parts.join(', ');
}

/** SRAM at the fullest step; code is never there, the command FIFO holds it. */
export function budgetOf(schedule: Schedule, emitted: EmittedProgram, period: PeriodBytes): Report['budget'] {
  let fullest = 0;
  schedule.loadBytes.forEach((bytes, step) => {
    if (bytes > (schedule.loadBytes[fullest] ?? 0)) fullest = step;
  });
  const scheduled = schedule.layers[fullest];
  const weightBuffers = (scheduled?.workspace ?? []).filter((buffer) => WEIGHT_BUFFERS.has(buffer.role));
  const block = schedule.blocks[scheduled?.block ?? -1];
  const ring = ringDuring(schedule, fullest);
  const weightSram = [...weightBuffers, ...(block?.held ?? []), ...(block?.chunks ?? [])].reduce(
    (total, buffer) => total + buffer.sizeBytes,
    schedule.residentBytes + (ring === undefined ? 0 : ring.slots * ring.slotBytes),
  );
  const stored = (wanted: readonly string[]): number =>
    emitted.manifest.regions.reduce((total, region) => total + (wanted.includes(region.class) ? region.bytes : 0), 0);
  const { byClass } = period;
  return {
    weights: { sramBytes: weightSram, dramBytes: stored(['weights']), periodBytes: byClass.weights },
    activations: {
      sramBytes: Math.max(0, (schedule.loadBytes[fullest] ?? 0) - weightSram),
      dramBytes: stored(['activations', 'input', 'output']),
      periodBytes: byClass.activations + byClass.input + byClass.output,
    },
    code: { sramBytes: 0, dramBytes: emitted.manifest.code.bytes, periodBytes: byClass.code },
    fullestStep: scheduled?.layer.op.name ?? '',
  };
}
