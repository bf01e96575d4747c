import {
  type Execution,
  type ItemEvents,
  itemEvents,
  overwrittenItem,
  type PlacementProblem,
  spanExecution,
  stepExecution,
} from './problem.js';

/**
 * Least SRAM for a schedule that moves no activation: inputs are read once, outputs written once, weights come in as they may.
 * Everything alive at a cut is then in SRAM, so there is one state at each cut, and the answer is the path over steps and
 * spans whose largest member is least.
 *
 * @param problem posed for a capacity that rules nothing out
 */
export function leastSramWithoutActivationTraffic(problem: PlacementProblem): number {
  const events = itemEvents(problem);
  const steps = problem.steps.length;
  const least = new Float64Array(steps + 1).fill(Number.POSITIVE_INFINITY);
  least[0] = 0;
  for (let t = 0; t < steps; t += 1) {
    for (const execution of executionsFrom(problem, t)) {
      if (!movesNoActivation(problem, events, execution)) continue;
      const bytes = Math.max(least[t] ?? 0, bytesOf(problem, events, execution));
      const next = execution.last + 1;
      least[next] = Math.min(least[next] ?? 0, bytes);
    }
  }
  return least[steps] ?? Number.POSITIVE_INFINITY;
}

function executionsFrom(problem: PlacementProblem, t: number): Execution[] {
  const singles = (problem.steps[t]?.choices ?? []).flatMap((_, choice) => stepExecution(problem, t, choice) ?? []);
  const spans = problem.spans.flatMap((span, index) => (span.first === t ? [spanExecution(span, index)] : []));
  return [...singles, ...spans];
}

/** Model inputs may be streamed once and model outputs too; everything else is in SRAM. */
function movesNoActivation(problem: PlacementProblem, events: readonly ItemEvents[], execution: Execution): boolean {
  let compulsoryBytes = 0;
  for (const use of execution.uses) {
    if (use.fromSram) continue;
    const item = problem.items[use.item];
    if (item?.startsInDram !== true || events[use.item]?.reads.length !== 1) return false;
    compulsoryBytes += item.dramBytes;
  }
  for (const output of execution.outputs) {
    if (output.toSram) continue;
    const item = problem.items[output.item];
    const isReadLater = (events[output.item]?.reads ?? []).some((read) => read > execution.last);
    if (item?.endsInDram !== true || isReadLater) return false;
    compulsoryBytes += execution.span < 0 ? (problem.steps[execution.first]?.outputDramBytes ?? 0) : item.dramBytes;
  }
  return execution.trafficBytes <= compulsoryBytes;
}

/** SRAM while the execution runs: what it takes, and everything alive that it does not touch. */
function bytesOf(problem: PlacementProblem, events: readonly ItemEvents[], execution: Execution): number {
  const touched = new Set([
    ...execution.uses.map((use) => use.item),
    ...execution.outputs.map((output) => output.item),
  ]);
  let bytes = execution.workspaceBytes + execution.heldWeightBytes;
  for (const use of execution.uses) if (use.fromSram) bytes += problem.items[use.item]?.sramBytes ?? 0;
  for (const output of execution.outputs) {
    if (output.toSram && overwrittenItem(problem, events, execution, output) < 0)
      bytes += problem.items[output.item]?.sramBytes ?? 0;
  }
  events.forEach((life, item) => {
    const facts = problem.items[item];
    if (facts === undefined || touched.has(item)) return;
    // A model input that was loaded whole stays until its last read.
    const start = facts.startsInDram ? (life.reads[0] ?? -1) : life.firstWrite;
    const end = Math.max(life.reads[life.reads.length - 1] ?? -1, life.lastWrite);
    if (start < execution.first && end >= execution.first) bytes += facts.sramBytes;
  });
  return bytes;
}
