import { conflictByLoad, conflictBySearch, fixedClash } from './conflict.js';
import { type Arrangement, greedyPortfolio } from './greedy.js';
import { buildInstance, type Instance } from './instance.js';
import type { AllocationOptions, AllocationProblem, AllocationResult } from './problem.js';
import { boundsOf, reachGoal } from './strategy.js';

/** Enough for every published hard problem, and a few seconds at most. */
export const DEFAULT_NODE_LIMIT = 400_000;

/** First-fit rounds that learn from the round before. */
function repairRounds(count: number): number {
  return count <= 100 ? 4 : count <= 1000 ? 8 : 12;
}

/**
 * Gives every buffer an offset.
 *
 * Simple heuristics first: most problems end there, in a millisecond. Then an exact search, first at the load, where every
 * wasted byte is a contradiction and the search is short, then relaxed towards the capacity. Of thousands of buffers a local
 * search comes in between.
 *
 * @throws RangeError if a size, time, offset or alignment is not a sensible integer, or an id appears twice
 */
export function allocate(problem: AllocationProblem, options: AllocationOptions = {}): AllocationResult {
  assertSensible(problem);
  const clash = fixedClash(problem);
  const instance = buildInstance(problem);
  const { loadBytes, boundBytes } = boundsOf(problem, instance);
  if (clash !== undefined) {
    const offsets = new Map<string, number>();
    return {
      status: 'infeasible',
      offsets,
      heightBytes: 0,
      loadBytes,
      boundBytes,
      provenOptimal: false,
      nodes: 0,
      conflict: clash,
    };
  }
  const { capacityBytes } = problem;
  const goalBytes = options.minimize === true ? boundBytes : Math.max(boundBytes, capacityBytes);
  const greedy = greedyPortfolio(instance, goalBytes, repairRounds(instance.count));
  if (boundBytes > capacityBytes) {
    const conflict = conflictByLoad(problem, instance);
    return resultOf(problem, instance, greedy, { loadBytes, boundBytes, nodes: 0, infeasible: true, conflict });
  }
  if (greedy.heightBytes <= goalBytes) {
    return resultOf(problem, instance, greedy, { loadBytes, boundBytes, nodes: 0, infeasible: false });
  }
  const nodeLimit = options.nodeLimit ?? DEFAULT_NODE_LIMIT;
  const found = reachGoal(instance, {
    greedy,
    capacityBytes,
    boundBytes,
    nodeLimit,
    minimize: options.minimize === true,
  });
  const infeasible = found.boundBytes > capacityBytes;
  return resultOf(problem, instance, found.best, {
    loadBytes,
    boundBytes: found.boundBytes,
    nodes: found.nodes,
    infeasible,
    ...(infeasible ? { conflict: conflictBySearch(problem, instance, nodeLimit) } : {}),
  });
}

interface Verdict {
  readonly loadBytes: number;
  readonly boundBytes: number;
  readonly nodes: number;
  readonly infeasible: boolean;
  readonly conflict?: readonly string[];
}

function resultOf(
  problem: AllocationProblem,
  instance: Instance,
  best: Arrangement,
  verdict: Verdict,
): AllocationResult {
  const offsets = new Map<string, number>();
  for (const buffer of problem.buffers) offsets.set(buffer.id, buffer.fixedOffsetBytes ?? 0);
  instance.sourceIndexes.forEach((index, b) => {
    const buffer = problem.buffers[index];
    if (buffer !== undefined) offsets.set(buffer.id, (best.offsetUnits[b] ?? 0) * instance.unitBytes);
  });
  let heightBytes = 0;
  for (const buffer of problem.buffers) {
    heightBytes = Math.max(heightBytes, (offsets.get(buffer.id) ?? 0) + buffer.sizeBytes);
  }
  const { loadBytes, boundBytes, nodes } = verdict;
  const provenOptimal = heightBytes <= boundBytes;
  const fits = heightBytes <= problem.capacityBytes;
  const status = verdict.infeasible ? 'infeasible' : !fits ? 'budget' : provenOptimal ? 'optimal' : 'fits';
  const base = { status, offsets, heightBytes, loadBytes, boundBytes, provenOptimal, nodes } as const;
  return verdict.conflict === undefined ? base : { ...base, conflict: verdict.conflict };
}

function assertSensible(problem: AllocationProblem): void {
  const natural = (value: number, what: string): void => {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`${what} is ${value}, expected an integer >= 0`);
  };
  natural(problem.capacityBytes, 'the capacity');
  const ids = new Set<string>();
  for (const buffer of problem.buffers) {
    if (ids.has(buffer.id)) throw new RangeError(`two buffers have the id ${buffer.id}`);
    ids.add(buffer.id);
    natural(buffer.sizeBytes, `the size of buffer ${buffer.id}`);
    if (!Number.isFinite(buffer.lower) || !Number.isFinite(buffer.upper)) {
      throw new RangeError(`the lifetime of buffer ${buffer.id} is not finite`);
    }
    if (buffer.fixedOffsetBytes !== undefined)
      natural(buffer.fixedOffsetBytes, `the fixed offset of buffer ${buffer.id}`);
    if (buffer.alignmentBytes === undefined) continue;
    natural(buffer.alignmentBytes, `the alignment of buffer ${buffer.id}`);
    if (buffer.alignmentBytes === 0) throw new RangeError(`the alignment of buffer ${buffer.id} is 0`);
  }
}
