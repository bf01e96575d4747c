import { type ItemEvents, itemEvents, type PlacementProblem, type Span } from './problem.js';

/**
 * Leaves out spans that their own steps, run one by one with everything between them in SRAM, match in traffic within the
 * SRAM that the span takes anyway: late layers, whose maps are smaller than the weights that a span would hold.
 *
 * Cost: the lengths of all spans together.
 */
export function undominatedSpans(problem: PlacementProblem): Span[] {
  const events = itemEvents(problem);
  const singles = problem.steps.map((_, t) => singleRuns(problem, t));
  const liveAt = new Float64Array(problem.steps.length + 1);
  const spans = problem.spans.filter((span) => {
    const taken = span.workspaceBytes + borderBytes(problem, span);
    if (taken > problem.capacityBytes) return true; // it fits only with a part of its output in DRAM
    // Single steps read their weights once: on the span's side that is in its traffic for those that it streams.
    let trafficBytes = 0;
    for (const t of span.streamedSteps ?? []) trafficBytes += problem.steps[t]?.weightBytes ?? 0;
    fillLiveBytes(problem, events, span, liveAt);
    for (let t = span.first; t <= span.last; t += 1) {
      const single = singles[t]?.get(homesIn(problem, span, t));
      if (single === undefined) return true;
      trafficBytes += single.trafficBytes;
      if (single.workspaceBytes + (liveAt[t] as number) > taken) return true;
    }
    return trafficBytes > span.trafficBytes;
  });
  return spans;
}

function borderBytes(problem: PlacementProblem, span: Span): number {
  let bytes = 0;
  for (const use of span.uses) if (use.fromSram) bytes += problem.items[use.item]?.sramBytes ?? 0;
  for (const output of span.outputs)
    if (output.toSram && output.over < 0) bytes += problem.items[output.item]?.sramBytes ?? 0;
  return bytes;
}

interface SingleRun {
  readonly workspaceBytes: number; // with held weights
  readonly trafficBytes: number;
}

/** The choices of a step that read its weights once, by homes: that of least room, the first of them. */
function singleRuns(problem: PlacementProblem, t: number): Map<number, SingleRun> {
  const runs = new Map<number, SingleRun>();
  for (const choice of problem.steps[t]?.choices ?? []) {
    if (choice.weightPasses > 1) continue;
    const homes = homesKey(choice.toSram, choice.usesFromSram);
    const workspaceBytes = choice.workspaceBytes + choice.heldWeightBytes;
    const best = runs.get(homes);
    if (best === undefined || workspaceBytes < best.workspaceBytes)
      runs.set(homes, { workspaceBytes, trafficBytes: choice.trafficBytes });
  }
  return runs;
}

function homesKey(toSram: boolean, usesFromSram: readonly boolean[]): number {
  let key = toSram ? 1 : 0;
  for (const fromSram of usesFromSram) key = 2 * key + (fromSram ? 1 : 0);
  return key;
}

/** Step t with the span's homes at its borders, the rest in SRAM. */
function homesIn(problem: PlacementProblem, span: Span, t: number): number {
  const step = problem.steps[t];
  if (step === undefined) return -1;
  let key = isKept(span, step.output) ? 1 : 0;
  for (const { item } of step.uses) {
    const use = span.uses.find((one) => one.item === item);
    key = 2 * key + (use === undefined || use.fromSram ? 1 : 0);
  }
  return key;
}

/** Whether what is written inside goes to SRAM: outputs with that home, and what is between. */
function isKept({ outputs }: Span, item: number): boolean {
  return outputs.find((output) => output.item === item)?.toSram ?? true;
}

/** By step: items in SRAM while it runs by itself: borders with that home, and what is between. */
function fillLiveBytes(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  span: Span,
  liveAt: Float64Array,
): void {
  const { first, last } = span;
  liveAt.fill(0, first, last + 2);
  const add = (item: number, from: number, to: number): void => {
    const bytes = problem.items[item]?.sramBytes ?? 0;
    if (from > to) return;
    liveAt[from] = (liveAt[from] as number) + bytes;
    if (to < last) liveAt[to + 1] = (liveAt[to + 1] as number) - bytes;
  };
  for (const { item, fromSram } of span.uses) if (fromSram) add(item, first, last);
  for (let t = first; t <= last; t += 1) {
    const item = problem.steps[t]?.output ?? -1;
    const life = events[item];
    // Where several steps write an item, the first of them counts it.
    if (life === undefined || !isKept(span, item) || isWrittenBefore(life, first, t)) continue;
    const border = span.uses.find((use) => use.item === item);
    if (border?.fromSram === true) continue; // counted
    const lastEvent = Math.max(life.lastWrite, life.reads[life.reads.length - 1] ?? -1);
    if (border === undefined) add(item, Math.max(first, life.firstWrite), Math.min(last, lastEvent));
    else add(item, first, last);
  }
  for (let t = first + 1; t <= last; t += 1) liveAt[t] = (liveAt[t] as number) + (liveAt[t - 1] as number);
}

/** By a step from `first` on, before step t. */
function isWrittenBefore({ writes }: ItemEvents, first: number, t: number): boolean {
  for (const write of writes) if (write >= first && write < t) return true;
  return false;
}
