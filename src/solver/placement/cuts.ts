import type { Evaluation } from './evaluate.js';
import type { Eviction } from './evictions.js';
import type { Execution, Placement } from './problem.js';

/**
 * What the allocator has to say to placement: a plan could not be packed, because of what lives together while a few
 * executions run. A plan with all of them the same, homes of passing items included, needs more room there than it loads:
 *
 *     load at the heaviest step + resident weights + waste <= capacity        for plans with all runs of the cut
 *
 * Plans that do one of the runs otherwise are not concerned.
 */
export interface PackingCut {
  readonly runs: readonly string[]; // keys of `runsOf`, each once
  readonly heaviestStep: number;
  readonly wasteBytes: number;
}

/** One execution of a plan with all that is in SRAM meanwhile. */
export interface Run {
  readonly first: number;
  readonly last: number; // inclusive
  readonly key: string; // equal for equal runs of one problem
}

export function runKey(
  execution: Pick<Execution, 'first' | 'last' | 'span' | 'choice'>,
  passing: readonly number[],
  evictions: readonly Eviction[],
): string {
  const { first, last, span, choice } = execution;
  const parts = evictions.map(({ item, keptBytes }) => `${item}:${keptBytes}`).sort();
  return `${first}-${last} ${span} ${choice} ${[...passing].sort((a, b) => a - b).join()} ${parts.join()}`;
}

export function runsOf(placement: Pick<Placement, 'evictions'>, evaluation: Evaluation): Run[] {
  return evaluation.executions.map((execution) => {
    const { first, last } = execution;
    const touched = new Set([...execution.uses, ...execution.outputs].map(({ item }) => item));
    const passing = evaluation.stays
      .filter(({ item, startStep, endStep }) => startStep <= first && last < endStep && !touched.has(item))
      .map(({ item }) => item);
    const evictions = (placement.evictions ?? []).filter((eviction) => eviction.first === first);
    return { first, last, key: runKey(execution, passing, evictions) };
  });
}

/** The cut for steps [lower, upper) of a plan. */
export function cutOf(
  runs: readonly Run[],
  loadBytes: readonly number[],
  window: { readonly lower: number; readonly upper: number; readonly wasteBytes: number },
): PackingCut {
  let heaviestStep = window.lower;
  for (let t = window.lower; t < window.upper; t += 1)
    if ((loadBytes[t] ?? 0) > (loadBytes[heaviestStep] ?? 0)) heaviestStep = t;
  const inside = runs.filter(({ first, last }) => first < window.upper && window.lower <= last);
  return { runs: inside.map(({ key }) => key), heaviestStep, wasteBytes: window.wasteBytes };
}

/** Bytes that a plan with these runs must leave free, by the cuts that concern it. */
export function wasteOfRuns(cuts: readonly PackingCut[], runs: readonly Run[]): number {
  const keys = new Set(runs.map(({ key }) => key));
  let wasteBytes = 0;
  for (const cut of cuts) if (cut.runs.every((key) => keys.has(key))) wasteBytes = Math.max(wasteBytes, cut.wasteBytes);
  return wasteBytes;
}
