import { itemEvents, type PlacementProblem, type Span } from './problem.js';

/**
 * Leaves out spans that their own steps, run one by one with everything between them in SRAM, match in traffic within the
 * SRAM that the span takes anyway: late layers, whose maps are smaller than the weights that a span would hold.
 *
 * Cost: the lengths of all spans together.
 */
export function undominatedSpans(problem: PlacementProblem): Span[] {
  const events = itemEvents(problem);
  const spans = problem.spans.filter((span) => {
    const taken = span.workspaceBytes + borderBytes(problem, span);
    if (taken > problem.capacityBytes) return true; // it fits only with a part of its output in DRAM
    // Single steps read their weights once: on the span's side that is in its traffic for those that it streams.
    let trafficBytes = 0;
    for (const t of span.streamedSteps ?? []) trafficBytes += problem.steps[t]?.weightBytes ?? 0;
    for (let t = span.first; t <= span.last; t += 1) {
      const single = singleStep(problem, span, t);
      if (single === undefined) return true;
      trafficBytes += single.trafficBytes;
      if (single.workspaceBytes + liveBytes(problem, events, span, t) > taken) return true;
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

/** The step with the span's homes at its borders, the rest in SRAM, weights read once: the choice of least room. */
function singleStep(
  problem: PlacementProblem,
  span: Span,
  t: number,
): { workspaceBytes: number; trafficBytes: number } | undefined {
  const step = problem.steps[t];
  if (step === undefined) return undefined;
  const homes = step.uses.map((use) => span.uses.find((u) => u.item === use.item)?.fromSram ?? true);
  const toSram = span.outputs.find((output) => output.item === step.output)?.toSram ?? true;
  let best: { workspaceBytes: number; trafficBytes: number } | undefined;
  for (const choice of step.choices) {
    if (
      choice.toSram !== toSram ||
      choice.weightPasses > 1 ||
      choice.usesFromSram.some((fromSram, i) => fromSram !== homes[i])
    )
      continue;
    const workspaceBytes = choice.workspaceBytes + choice.heldWeightBytes;
    if (best === undefined || workspaceBytes < best.workspaceBytes)
      best = { workspaceBytes, trafficBytes: choice.trafficBytes };
  }
  return best;
}

/** Items in SRAM while step t runs by itself: borders with that home, and what is between. */
function liveBytes(problem: PlacementProblem, events: ReturnType<typeof itemEvents>, span: Span, t: number): number {
  let bytes = 0;
  const inSpan = new Set<number>();
  for (const use of span.uses) if (use.fromSram) inSpan.add(use.item);
  for (let s = span.first; s <= span.last; s += 1) {
    const output = problem.steps[s]?.output ?? -1;
    if (span.outputs.find((o) => o.item === output)?.toSram ?? true) inSpan.add(output);
  }
  for (const item of inSpan) {
    const life = events[item];
    if (life === undefined) continue;
    const isBorder = span.uses.some((use) => use.item === item);
    const lastRead = life.reads[life.reads.length - 1] ?? -1;
    const isLive = isBorder || (life.firstWrite <= t && Math.max(lastRead, life.lastWrite) >= t);
    if (isLive) bytes += problem.items[item]?.sramBytes ?? 0;
  }
  return bytes;
}
