/**
 * From when on a buffer that is loaded is really taken: loads run ahead of the layer or block that they are for, wherever their place
 * is free, and the prediction of the period knows when each of them starts.
 *
 *   compute       |   step 3   |      step 4       | step 5 |
 *   load                             |=======|                 for step 5: from 4.5 on
 */
import type { Timeline } from '../backend/timeline.js';
import { instructionNamed } from '../commands/lookup.js';
import type { Command } from '../commands/types.js';
import type { Schedule } from '../schedule/schedule.js';
import type { PlacedBuffer } from './page-data.js';

/** Of a step: loads that start this close before theirs are not drawn ahead of it. */
const LEAST_STEPS = 0.01;

/** A place on the axis of steps at which the compute queue is, by time. */
type StepAt = (cycles: number) => number;

/** The buffers, with the place on the axis of steps at which they begin to be loaded where that is ahead of their first step. */
export function withEarlyLoads(
  buffers: readonly PlacedBuffer[],
  schedule: Schedule,
  period: readonly Command[],
  timeline: Pick<Timeline, 'starts' | 'ends'>,
): PlacedBuffer[] {
  const commands = firstGroup(period);
  const stepAt = axisOf(schedule, commands, timeline);
  const loads = new Map<number, { readonly address: number; readonly at: number }[]>();
  commands.forEach(({ op, fields, step }, index) => {
    const start = timeline.starts[index] ?? Number.NaN;
    if (step === undefined || Number.isNaN(start) || instructionNamed(op)?.queue !== 'load') return;
    const ofStep = loads.get(step) ?? [];
    ofStep.push({ address: fields.sramBase ?? 0, at: stepAt(start) });
    loads.set(step, ofStep);
  });
  return buffers.map((buffer) => {
    const { kind, startStep, offsetBytes, sizeBytes } = buffer;
    if (kind === 'resident') return buffer;
    const mine = (loads.get(startStep) ?? []).filter(
      ({ address }) => address >= offsetBytes && address < offsetBytes + sizeBytes,
    );
    const loadedFrom = mine.reduce((least, { at }) => Math.min(least, at), startStep);
    return loadedFrom < startStep - LEAST_STEPS ? { ...buffer, loadedFrom } : buffer;
  });
}

/** Where the frames of a period run in groups, the groups are alike. Computing goes from step to step; loads may be out of their turn. */
function firstGroup(period: readonly Command[]): readonly Command[] {
  let last = 0;
  const end = period.findIndex(({ op, step }) => {
    if (step === undefined || instructionNamed(op)?.queue !== 'compute') return false;
    const isAgain = step < last;
    last = step;
    return isAgain;
  });
  return end < 0 ? period : period.slice(0, end);
}

/** Each layer or block takes as much of the axis as it has steps, from when the one before is computed until it is itself. */
function axisOf({ layers, blocks }: Schedule, commands: readonly Command[], { ends }: Pick<Timeline, 'ends'>): StepAt {
  const computedAt = new Map<number, number>();
  commands.forEach(({ op, step }, index) => {
    const end = ends[index] ?? Number.NaN;
    if (step === undefined || Number.isNaN(end) || instructionNamed(op)?.queue !== 'compute') return;
    computedAt.set(step, Math.max(computedAt.get(step) ?? 0, end));
  });
  const corners: { readonly step: number; readonly cycles: number }[] = [{ step: 0, cycles: 0 }];
  for (let step = 0; step < layers.length; ) {
    const next = (blocks[layers[step]?.block ?? -1]?.plan.last ?? step) + 1;
    const before = corners[corners.length - 1]?.cycles ?? 0;
    corners.push({ step: next, cycles: Math.max(before, computedAt.get(step) ?? before) });
    step = next;
  }
  return (cycles) => {
    const at = corners.findIndex((corner) => corner.cycles > cycles);
    const [from, to] = [corners[at - 1], corners[at]];
    if (from === undefined || to === undefined) return at < 0 ? layers.length : 0;
    return from.step + ((to.step - from.step) * (cycles - from.cycles)) / (to.cycles - from.cycles);
  };
}
