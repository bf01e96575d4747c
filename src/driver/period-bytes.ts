/** The bytes of one period of a compiled program: all frames of the batch, and the code that is fetched for them. */
import type { EmittedProgram } from '../backend/emit-program.js';
import { type TrafficEntry, trafficOf } from '../backend/traffic.js';
import { fetchedPeriodBytes, fetchedPrologueBytes } from '../commands/fetch.js';
import type { TrafficClass } from '../commands/manifest.js';
import type { Schedule } from '../schedule/schedule.js';

export interface PeriodBytes {
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly totalBytes: number;
  readonly byClass: Readonly<Record<TrafficClass, number>>;
}

export interface CountedTraffic {
  readonly entries: readonly TrafficEntry[]; // of one period
  readonly period: PeriodBytes;
  readonly prologue: {
    readonly readBytes: number;
    readonly weightBytes: number;
    readonly stateBytes: number;
    readonly codeBytes: number;
  };
}

export function countTraffic(schedule: Schedule, emitted: EmittedProgram): CountedTraffic {
  const { chip } = emitted;
  const entries = trafficOf(schedule);
  const codeBytes = fetchedPeriodBytes(emitted.stream, chip.commandFifoBytes);
  const byClass: Record<TrafficClass, number> = { weights: 0, activations: 0, input: 0, output: 0, code: codeBytes };
  let readBytes = codeBytes;
  let writeBytes = 0;
  for (const entry of entries) {
    readBytes += entry.readBytes;
    writeBytes += entry.writeBytes;
    byClass[entry.class] += entry.readBytes + entry.writeBytes;
  }
  const stateBytes = schedule.states.reduce(
    (total, { input, inSram }) => total + (inSram ? (schedule.roots.get(input)?.sizeBytes ?? 0) : 0),
    0,
  );
  const weightBytes = schedule.layers.reduce((total, layer) => total + layer.residentBytes, 0);
  const prologueCodeBytes = fetchedPrologueBytes(emitted.stream, chip.commandFifoBytes);
  return {
    entries,
    period: { readBytes, writeBytes, totalBytes: readBytes + writeBytes, byClass },
    prologue: {
      readBytes: weightBytes + stateBytes + prologueCodeBytes,
      weightBytes,
      stateBytes,
      codeBytes: prologueCodeBytes,
    },
  };
}
