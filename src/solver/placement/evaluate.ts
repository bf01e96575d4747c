import type { Choice, ItemEvents, Placement, PlacementProblem } from './problem.js';
import { itemEvents } from './problem.js';

/** Steps [startStep, endStep) during which an item is in SRAM without a break. */
export interface SramStay {
  readonly item: number;
  readonly startStep: number;
  readonly endStep: number;
  /** How it got there: written by its producer, or loaded whole from DRAM at startStep. */
  readonly origin: 'produced' | 'reloaded';
}

export interface Evaluation {
  readonly errors: readonly string[]; // empty when the placement is sound
  readonly trafficBytes: number; // activations, inputs, outputs and weights of one frame; no code
  readonly weightTrafficBytes: number;
  readonly loadBytes: readonly number[]; // per step: resident weights + items in SRAM + workspace
  readonly peakBytes: number;
  readonly residentBytes: number;
  readonly stays: readonly SramStay[];
  readonly spilled: readonly boolean[]; // per item: produced in SRAM and also written to DRAM
  readonly inPlaceUse: readonly number[]; // per step: the use whose memory the output takes, or -1
}

/**
 * What a placement means: the referee of every solver. Recomputes from scratch what is in SRAM when, what crosses the
 * DRAM interface, and lists everything that is wrong.
 */
export function evaluate(problem: PlacementProblem, placement: Placement): Evaluation {
  const errors: string[] = [];
  const events = itemEvents(problem);
  const chosen = problem.steps.map((step, t) => {
    const choice = step.choices[placement.choices[t] ?? -1];
    if (choice === undefined) errors.push(`step ${step.name} has no valid choice`);
    return choice;
  });
  const stays: SramStay[] = [];
  const spilled: boolean[] = [];
  let trafficBytes = 0;
  problem.items.forEach((item, index) => {
    const life = itemLife(problem, placement, chosen, events[index], index, errors);
    stays.push(...life.stays);
    spilled.push(life.spilled);
    if (life.spilled) trafficBytes += item.dramBytes;
    trafficBytes += life.reloadCount * item.dramBytes;
  });
  const residentBytes = placement.residentBytes.reduce((sum, bytes) => sum + bytes, 0);
  const inPlaceUse = problem.steps.map((_, t) => inPlaceOperand(problem, chosen[t], t, events));
  const loadBytes = stepLoads(problem, placement, chosen, stays, inPlaceUse, residentBytes);
  let weightTrafficBytes = 0;
  problem.steps.forEach((step, t) => {
    const choice = chosen[t];
    if (choice === undefined) return;
    const resident = placement.residentBytes[t] ?? 0;
    if (resident > step.weightBytes)
      errors.push(`step ${step.name} keeps ${resident} B of ${step.weightBytes} B of weights`);
    if (choice.residency === 'all' && resident < step.weightBytes)
      errors.push(`step ${step.name} needs all its weights resident`);
    if (choice.residency === 'none' && resident > 0) errors.push(`step ${step.name} cannot keep weights resident as it runs`);
    weightTrafficBytes += choice.weightPasses * (step.weightBytes - resident);
    trafficBytes += choice.trafficBytes;
  });
  const peakBytes = loadBytes.reduce((a, b) => Math.max(a, b), 0);
  if (peakBytes > problem.capacityBytes) errors.push(`peak of ${peakBytes} B exceeds ${problem.capacityBytes} B`);
  trafficBytes += weightTrafficBytes;
  return { errors, trafficBytes, weightTrafficBytes, loadBytes, peakBytes, residentBytes, stays, spilled, inPlaceUse };
}

function itemLife(
  problem: PlacementProblem,
  placement: Placement,
  chosen: readonly (Choice | undefined)[],
  events: ItemEvents | undefined,
  index: number,
  errors: string[],
): { stays: SramStay[]; spilled: boolean; reloadCount: number } {
  const item = problem.items[index];
  if (item === undefined || events === undefined) return { stays: [], spilled: false, reloadCount: 0 };
  const stays: SramStay[] = [];
  const producedInSram = !item.startsInDram && (chosen[events.firstWrite]?.toSram ?? false);
  for (const t of events.writes) {
    if (t >= 0 && (chosen[t]?.toSram ?? false) !== producedInSram)
      errors.push(`${item.name} is written partly to SRAM and partly to DRAM`);
  }
  let needsDram = item.endsInDram;
  let reloadCount = 0;
  let current: { startStep: number; endStep: number; origin: SramStay['origin'] } | undefined;
  if (producedInSram) current = { startStep: events.firstWrite, endStep: events.lastWrite + 1, origin: 'produced' };
  for (const t of events.reads) {
    const use = problem.steps[t]?.uses.findIndex((u) => u.item === index) ?? -1;
    const fromSram = chosen[t]?.usesFromSram[use] ?? false;
    const reload = placement.reloads[t]?.[use] ?? false;
    if (reload && !fromSram) errors.push(`${item.name} is reloaded at step ${t} but streamed`);
    if (t <= events.lastWrite && (reload || fromSram !== producedInSram))
      errors.push(`${item.name} is read from elsewhere at step ${t}, before it is complete`);
    if (fromSram && !reload) {
      if (current === undefined) errors.push(`${item.name} is read from SRAM at step ${t} but is not there`);
      else current.endStep = Math.max(current.endStep, t + 1);
    } else {
      needsDram = true;
      // Streamed before completion keeps the stay; streamed afterwards ends it.
      if (current !== undefined && t > events.lastWrite) {
        stays.push({ item: index, ...current });
        current = undefined;
      }
      if (reload) {
        reloadCount += 1;
        current = { startStep: t, endStep: t + 1, origin: 'reloaded' };
      }
    }
  }
  if (current !== undefined) stays.push({ item: index, ...current });
  return { stays, spilled: producedInSram && needsDram, reloadCount };
}

/** The use whose memory the step's output takes over: it must die here, be in SRAM, and be of the output's size. */
export function inPlaceOperand(
  problem: PlacementProblem,
  choice: Choice | undefined,
  t: number,
  events: readonly ItemEvents[],
): number {
  const step = problem.steps[t];
  if (step === undefined || choice === undefined || !choice.toSram) return -1;
  const output = events[step.output];
  if (output === undefined || output.writes.length !== 1) return -1;
  return step.uses.findIndex((use, i) => {
    const life = events[use.item];
    const source = problem.items[use.item];
    return (
      use.inPlace &&
      choice.usesFromSram[i] === true &&
      life !== undefined &&
      life.reads[life.reads.length - 1] === t &&
      life.lastWrite < t &&
      source?.sramBytes === problem.items[step.output]?.sramBytes
    );
  });
}

function stepLoads(
  problem: PlacementProblem,
  placement: Placement,
  chosen: readonly (Choice | undefined)[],
  stays: readonly SramStay[],
  inPlaceUse: readonly number[],
  residentBytes: number,
): number[] {
  const loads = problem.steps.map((step, t) => {
    const choice = chosen[t];
    if (choice === undefined) return residentBytes;
    const held =
      choice.heldWeightBytes === 0 ? 0 : Math.max(0, choice.heldWeightBytes - (placement.residentBytes[t] ?? 0));
    const shared = (inPlaceUse[t] ?? -1) >= 0 ? (problem.items[step.output]?.sramBytes ?? 0) : 0;
    return residentBytes + choice.workspaceBytes + held - shared;
  });
  for (const stay of stays) {
    const bytes = problem.items[stay.item]?.sramBytes ?? 0;
    for (let t = stay.startStep; t < stay.endStep; t += 1) loads[t] = (loads[t] ?? 0) + bytes;
  }
  return loads;
}
