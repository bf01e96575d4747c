import { canBeEvicted, type Eviction, evictionTraffic, freedBytes, tailOf } from './evictions.js';
import {
  type Execution,
  executionsOf,
  type ItemEvents,
  itemEvents,
  overwrittenItem,
  type Placement,
  type PlacementProblem,
} from './problem.js';

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
  /** Outputs that take over the memory of an input, by output item. */
  readonly overwrites: ReadonlyMap<number, number>;
  readonly executions: readonly Execution[];
}

/** A placement that a solver found, with what it means. */
export interface SearchResult {
  readonly placement: Placement;
  readonly evaluation: Evaluation;
}

/**
 * What a placement means: the referee of every solver. Recomputes from scratch what is in SRAM when, what crosses the
 * DRAM interface, and lists everything that is wrong.
 */
export function evaluate(
  problem: PlacementProblem,
  placement: Placement,
  events: readonly ItemEvents[] = itemEvents(problem),
): Evaluation {
  const errors: string[] = [];
  const executions = executionsOf(problem, placement);
  const lives = followItems(problem, placement, executions, events, errors);
  let trafficBytes = 0;
  problem.items.forEach((item, index) => {
    if (lives.spilled[index] === true) trafficBytes += item.dramBytes;
    trafficBytes += (lives.reloads[index] ?? 0) * item.dramBytes;
  });
  const overwrites = new Map<number, number>();
  for (const execution of executions) {
    for (const output of execution.outputs) {
      const over = overwrittenItem(problem, events, execution, output);
      if (over >= 0) overwrites.set(output.item, over);
    }
  }
  const residentBytes = placement.residentBytes.reduce((sum, bytes) => sum + bytes, 0);
  let covered = 0;
  let weightTrafficBytes = 0;
  for (const execution of executions) {
    covered += execution.last - execution.first + 1;
    trafficBytes += execution.trafficBytes;
    for (let t = execution.first; t <= execution.last; t += 1) {
      const weightBytes = problem.steps[t]?.weightBytes ?? 0;
      const resident = placement.residentBytes[t] ?? 0;
      if (resident > weightBytes) errors.push(`step ${t} keeps ${resident} B of ${weightBytes} B of weights`);
      const isStreamed = execution.streamedSteps?.includes(t) === true;
      if ((execution.residency === 'none' || isStreamed) && resident > 0)
        errors.push(`step ${t} cannot keep weights resident as it runs`);
      if (!isStreamed) weightTrafficBytes += execution.weightPasses * (weightBytes - resident);
      if (resident > 0) weightTrafficBytes += execution.rereadTableBytes ?? 0;
    }
  }
  if (covered !== problem.steps.length) errors.push(`${problem.steps.length - covered} steps have no valid choice`);
  const loadBytes = stepLoads(problem, placement, executions, lives.stays, overwrites, residentBytes);
  for (const eviction of placement.evictions ?? []) {
    const execution = executions.find(({ first }) => first === eviction.first);
    errors.push(...evictionErrors(problem, eviction, execution, lives, events));
    const tail = execution === undefined ? undefined : tailOf(execution, eviction.item);
    const freed = freedBytes(problem, eviction, tail);
    for (let t = eviction.first; t <= (execution?.last ?? -1); t += 1) loadBytes[t] = (loadBytes[t] ?? 0) - freed;
    trafficBytes += evictionTraffic(problem, eviction);
  }
  let peakBytes = 0;
  for (const load of loadBytes) peakBytes = Math.max(peakBytes, load);
  if (peakBytes > problem.capacityBytes) errors.push(`peak of ${peakBytes} B exceeds ${problem.capacityBytes} B`);
  trafficBytes += weightTrafficBytes;
  return {
    errors,
    trafficBytes,
    weightTrafficBytes,
    loadBytes,
    peakBytes,
    residentBytes,
    stays: lives.stays,
    spilled: lives.spilled,
    overwrites,
    executions,
  };
}

/** Why an item cannot be out in part while an execution runs. */
function evictionErrors(
  problem: PlacementProblem,
  eviction: Eviction,
  execution: Execution | undefined,
  lives: Lives,
  events: readonly ItemEvents[],
): string[] {
  const { item, keptBytes, first } = eviction;
  const name = problem.items[item]?.name ?? `item ${item}`;
  if (execution === undefined) return [`${name} is moved out at step ${first}, where nothing begins`];
  if (!canBeEvicted(problem, events, item) || lives.spilled[item] === true)
    return [`${name} is moved out in part, though DRAM has it anyway`];
  const size = problem.items[item]?.dramBytes ?? 0;
  if (keptBytes <= 0 || keptBytes >= size) return [`${name} keeps ${keptBytes} B of ${size} B at step ${first}`];
  const isIn = lives.stays.some((s) => s.item === item && s.startStep <= first && execution.last < s.endStep);
  if (!isIn) return [`${name} is moved out at step ${first} but is not in SRAM`];
  const tail = tailOf(execution, item);
  if (tail !== undefined) {
    const stripes = (keptBytes - tail.firstBytes) / tail.stripeBytes;
    return Number.isInteger(stripes) && stripes >= 0
      ? []
      : [`${name} keeps ${keptBytes} B, which are no whole stripes`];
  }
  const isTouched = [...execution.uses, ...execution.outputs].some((one) => one.item === item);
  const isComplete = (events[item]?.lastWrite ?? -1) < first;
  return isTouched || !isComplete ? [`${name} is moved out at step ${first}, which needs it`] : [];
}

interface OpenStay {
  startStep: number;
  endStep: number;
  readonly origin: SramStay['origin'];
}

interface Lives {
  readonly stays: SramStay[];
  readonly spilled: boolean[];
  readonly reloads: number[];
}

/** Walks the executions in order, with every item's stay in SRAM open or not. */
function followItems(
  problem: PlacementProblem,
  placement: Placement,
  executions: readonly Execution[],
  events: readonly ItemEvents[],
  errors: string[],
): Lives {
  const stays: SramStay[] = [];
  const open: (OpenStay | undefined)[] = problem.items.map(() => undefined);
  const inSram: boolean[] = problem.items.map(() => false); // produced in SRAM
  const isWritten: boolean[] = problem.items.map((item) => item.startsInDram);
  const needsDram = problem.items.map((item) => item.endsInDram);
  const reloads = problem.items.map(() => 0);
  const close = (item: number): void => {
    const stay = open[item];
    if (stay !== undefined) stays.push({ item, ...stay });
    open[item] = undefined;
  };
  for (const execution of executions) {
    const reloaded = new Set(placement.reloads[execution.first] ?? []);
    for (const { item, fromSram } of execution.uses) {
      const name = problem.items[item]?.name ?? `item ${item}`;
      const isComplete = (events[item]?.lastWrite ?? -1) < execution.first;
      if (isWritten[item] !== true) errors.push(`${name} is read at step ${execution.first}, before it is written`);
      if (!isComplete && (reloaded.has(item) || fromSram !== inSram[item]))
        errors.push(`${name} is read from elsewhere before it is complete`);
      if (fromSram && !reloaded.has(item)) {
        const stay = open[item];
        if (stay === undefined) errors.push(`${name} is read from SRAM at step ${execution.first} but is not there`);
        else stay.endStep = Math.max(stay.endStep, execution.last + 1);
        continue;
      }
      if (reloaded.has(item) && !fromSram) errors.push(`${name} is reloaded at step ${execution.first} but streamed`);
      needsDram[item] = true;
      if (isComplete) close(item);
      if (!fromSram) continue;
      reloads[item] = (reloads[item] ?? 0) + 1;
      open[item] = { startStep: execution.first, endStep: execution.last + 1, origin: 'reloaded' };
    }
    for (const { item, toSram } of execution.outputs) {
      if (isWritten[item] === true && inSram[item] !== toSram)
        errors.push(`${problem.items[item]?.name} is written partly to SRAM and partly to DRAM`);
      isWritten[item] = true;
      inSram[item] = toSram;
      if (!toSram) continue;
      const endStep = Math.max(execution.last, events[item]?.lastWrite ?? -1) + 1;
      const stay = open[item];
      if (stay === undefined) open[item] = { startStep: execution.first, endStep, origin: 'produced' };
      else stay.endStep = Math.max(stay.endStep, endStep);
    }
  }
  problem.items.forEach((_, item) => {
    close(item);
  });
  stays.sort((a, b) => a.item - b.item || a.startStep - b.startStep);
  return { stays, spilled: problem.items.map((_, item) => inSram[item] === true && needsDram[item] === true), reloads };
}

function stepLoads(
  problem: PlacementProblem,
  placement: Placement,
  executions: readonly Execution[],
  stays: readonly SramStay[],
  overwrites: ReadonlyMap<number, number>,
  residentBytes: number,
): number[] {
  const loads = problem.steps.map(() => residentBytes);
  for (const execution of executions) {
    let bytes = execution.workspaceBytes + execution.heldWeightBytes;
    if (execution.heldWeightBytes > 0) {
      for (let t = execution.first; t <= execution.last; t += 1) bytes -= placement.residentBytes[t] ?? 0;
    }
    for (const output of execution.outputs)
      if (overwrites.has(output.item)) bytes -= problem.items[output.item]?.sramBytes ?? 0;
    for (let t = execution.first; t <= execution.last; t += 1) loads[t] = (loads[t] ?? 0) + bytes;
  }
  for (const stay of stays) {
    const bytes = problem.items[stay.item]?.sramBytes ?? 0;
    for (let t = stay.startStep; t < stay.endStep; t += 1) loads[t] = (loads[t] ?? 0) + bytes;
  }
  return loads;
}
