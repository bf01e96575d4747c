/**
 * Items that have to be in SRAM, or in DRAM, whatever that costs: what breaks the rule costs more than everything else together, so
 * that a plan breaks it only where there is no other. Traffic of such a plan is not its own any more.
 */
import {
  type Choice,
  itemEvents,
  type PlacementItem,
  type PlacementProblem,
  type PlacementStep,
  type Span,
} from './problem.js';

export type ForcedHome = 'sram' | 'dram';

/** By item. */
export type ForcedHomes = ReadonlyMap<number, ForcedHome>;

/** The problem in which breaking the rule is dear. Items, steps and spans keep their indexes. */
export function withForcedHomes(problem: PlacementProblem, forced: ForcedHomes): PlacementProblem {
  if (forced.size === 0) return problem;
  const penaltyBytes = allTraffic(problem);
  const breaks = (item: number, inSram: boolean): number => {
    const home = forced.get(item);
    return home !== undefined && (home === 'sram') !== inSram ? penaltyBytes : 0;
  };
  const stepCost = (step: PlacementStep, choice: Choice): number =>
    step.uses.reduce((sum, { item }, i) => sum + breaks(item, choice.usesFromSram[i] === true), 0) +
    breaks(step.output, choice.toSram);
  const spanCost = (span: Span): number => {
    const inside = new Set(problem.steps.slice(span.first, span.last + 1).map(({ output }) => output));
    for (const { item } of span.outputs) inside.delete(item);
    return (
      span.uses.reduce((sum, { item, fromSram }) => sum + breaks(item, fromSram), 0) +
      span.outputs.reduce((sum, { item, toSram }) => sum + breaks(item, toSram), 0) +
      [...inside].reduce((sum, item) => sum + breaks(item, true), 0)
    );
  };
  return {
    ...problem,
    items: problem.items.map((item, index) =>
      // Leaving the SRAM and coming back, as a whole or in part.
      forced.get(index) === 'sram' ? { ...item, dramBytes: item.dramBytes + penaltyBytes } : item,
    ),
    steps: problem.steps.map((step) => ({
      ...step,
      choices: step.choices.map((choice) => ({
        ...choice,
        trafficBytes: choice.trafficBytes + stepCost(step, choice),
      })),
    })),
    spans: problem.spans.map((span) => ({ ...span, trafficBytes: span.trafficBytes + spanCost(span) })),
  };
}

/** More than any sensible plan moves: every item written once and read by all of its readers, all weights. */
function allTraffic(problem: PlacementProblem): number {
  const events = itemEvents(problem);
  const items = problem.items.reduce(
    (sum, item: PlacementItem, i) => sum + item.dramBytes * (1 + (events[i]?.reads.length ?? 0)),
    0,
  );
  return items + problem.steps.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
}

/**
 * Weights of steps that are resident as a whole, or not at all. Those that are resident cost nothing and have their room already: it is
 * no part of the capacity. Steps and spans keep their indexes.
 *
 * @param problem without the choices and spans that have to stream what is to be resident
 */
export function withForcedWeights(
  problem: PlacementProblem,
  forced: ReadonlyMap<number, ForcedHome>,
): PlacementProblem {
  if (forced.size === 0) return problem;
  const { alignmentBytes = 1 } = problem;
  const bytesOf = (t: number): number => problem.steps[t]?.weightBytes ?? 0;
  const roomOf = (t: number): number => Math.ceil(bytesOf(t) / alignmentBytes) * alignmentBytes;
  const choiceOf = (choice: Choice, home: ForcedHome): Choice => ({
    ...choice,
    residency: 'none',
    ...(home === 'dram'
      ? {}
      : {
          heldWeightBytes: 0,
          trafficBytes: choice.trafficBytes + (choice.rereadTableBytes ?? 0),
          rereadTableBytes: 0,
        }),
  });
  const spanOf = (span: Span): Span => {
    let { workspaceBytes, heldWeightBytes, trafficBytes } = span;
    const streamed = new Set(span.streamedSteps);
    for (const [t, home] of forced) {
      if (t < span.first || t > span.last || streamed.has(t)) continue;
      heldWeightBytes -= roomOf(t);
      if (home === 'sram') continue;
      // In the block they are held as always; as far as residents are concerned they pass.
      workspaceBytes += roomOf(t);
      trafficBytes += bytesOf(t);
      streamed.add(t);
    }
    const streamedSteps = [...streamed].sort((a, b) => a - b);
    return { ...span, workspaceBytes, heldWeightBytes, trafficBytes, streamedSteps };
  };
  return {
    ...problem,
    steps: problem.steps.map((step, t) => {
      const home = forced.get(t);
      if (home === undefined) return step;
      const choices = step.choices.map((choice) => choiceOf(choice, home));
      return { ...step, choices, weightBytes: home === 'sram' ? 0 : step.weightBytes };
    }),
    spans: problem.spans.map(spanOf),
  };
}
