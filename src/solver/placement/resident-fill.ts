import { evaluate } from './evaluate.js';
import {
  type Execution,
  type ItemEvents,
  itemEvents,
  ownWeightBytes,
  type Placement,
  type PlacementProblem,
  type ResidentRounding,
} from './problem.js';

/**
 * Fills what room the steps leave with resident weights.
 *
 * A resident byte costs a byte at every step but those that hold the same weights anyway. So a total of R resident bytes
 * asks each execution b, which holds H_b bytes of weights of its own and leaves s_b bytes free, for
 *
 *     R - (resident bytes of b) <= s_b        that is, at least max(0, R - s_b) of its own, at most H_b
 *
 * and each execution that streams its weights for R <= s_b. The least that all ask for grows with R faster than R does, so
 * the largest R is found by halving; then what nobody asked for goes where weights are read most often.
 *
 * Cost: a few times steps x executions.
 */
export function fillResident(
  problem: PlacementProblem,
  partial: Omit<Placement, 'residentBytes'>,
  roundResident: ResidentRounding,
  events: readonly ItemEvents[] = itemEvents(problem),
): Placement {
  const residentBytes = problem.steps.map(() => 0);
  const placement = { ...partial, residentBytes };
  const { loadBytes, executions } = evaluate(problem, placement, events);
  const slack = loadBytes.map((load) => problem.capacityBytes - load);
  if (slack.some((bytes) => bytes < 0)) return placement;
  const hosts = executions.map((execution) => {
    let free = Number.POSITIVE_INFINITY;
    for (let t = execution.first; t <= execution.last; t += 1) free = Math.min(free, slack[t] ?? 0);
    const weightBytes = ownWeightBytes(problem, execution);
    const isHeld = execution.heldWeightBytes > 0;
    return { execution, free, isHeld, weightBytes, canKeep: execution.residency === 'any' && weightBytes > 0 };
  });
  const most = largestResident(hosts);
  const keep = (t: number, bytes: number): number => {
    const before = residentBytes[t] ?? 0;
    const host = hosts.find(({ execution }) => execution.first <= t && t <= execution.last);
    if (host === undefined) return 0;
    let room = Number.POSITIVE_INFINITY;
    for (let s = 0; s < slack.length; s += 1) {
      const isOwn = host.isHeld && s >= host.execution.first && s <= host.execution.last;
      if (!isOwn) room = Math.min(room, slack[s] ?? 0);
    }
    const after = roundResident(t, before + Math.min(bytes, room));
    const added = after - before;
    if (added <= 0) return 0;
    residentBytes[t] = after;
    for (let s = 0; s < slack.length; s += 1) {
      const isOwn = host.isHeld && s >= host.execution.first && s <= host.execution.last;
      if (!isOwn) slack[s] = (slack[s] ?? 0) - added;
    }
    return added;
  };
  const byTightness = hosts
    .filter((host) => host.isHeld && host.canKeep)
    .sort((a, b) => a.free - b.free || a.execution.first - b.execution.first);
  for (const { execution, free } of byTightness) {
    let wanted = most - free;
    for (const t of stepsWithWeights(execution)) {
      if (wanted <= 0) break;
      wanted -= keep(t, Math.min(problem.steps[t]?.weightBytes ?? 0, wanted + granuleOf(problem, roundResident, t)));
    }
  }
  const rest = hosts
    .filter((host) => host.canKeep)
    .sort(
      (a, b) =>
        b.execution.weightPasses - a.execution.weightPasses ||
        Number(b.isHeld) - Number(a.isHeld) ||
        a.execution.first - b.execution.first,
    );
  for (const { execution } of rest) {
    for (const t of stepsWithWeights(execution)) keep(t, problem.steps[t]?.weightBytes ?? 0);
  }
  return placement;
}

/** Steps whose weights may be resident. */
function stepsWithWeights({ first, last, streamedSteps = [] }: Execution): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i).filter((t) => !streamedSteps.includes(t));
}

/** About one output channel of a step's weights: what rounding down may cost. */
function granuleOf(problem: PlacementProblem, roundResident: ResidentRounding, t: number): number {
  const weightBytes = problem.steps[t]?.weightBytes ?? 0;
  return weightBytes - roundResident(t, weightBytes - 1);
}

function largestResident(
  hosts: readonly { free: number; isHeld: boolean; weightBytes: number; canKeep: boolean }[],
): number {
  let high = hosts.reduce((total, host) => total + (host.canKeep ? host.weightBytes : 0), 0);
  for (const host of hosts) high = Math.min(high, host.free + (host.isHeld ? host.weightBytes : 0));
  const asks = (total: number): number =>
    hosts.reduce((sum, host) => sum + (host.isHeld ? Math.max(0, total - host.free) : 0), 0);
  let low = 0;
  for (let round = 0; round < 40 && high - low > 1; round += 1) {
    const middle = (low + high) / 2;
    if (asks(middle) <= middle) low = middle;
    else high = middle;
  }
  return Math.max(low, asks(high) <= high ? high : 0);
}
