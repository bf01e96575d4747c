import { staticKeys } from './greedy.js';
import { buildInstance, type Instance, sharesSection } from './instance.js';
import type { AllocationBuffer, AllocationProblem } from './problem.js';
import { Search } from './search.js';
import { searchable, targetFor } from './strategy.js';

/** Two fixed buffers that share bytes while both are live. */
export function fixedClash(problem: AllocationProblem): string[] | undefined {
  const fixed = problem.buffers.filter((buffer) => buffer.fixedOffsetBytes !== undefined && buffer.sizeBytes > 0);
  if (fixed.length < 2) return undefined;
  const bottom = (buffer: AllocationBuffer): number => buffer.fixedOffsetBytes ?? 0;
  const sorted = [...fixed].sort((a, b) => bottom(a) - bottom(b));
  for (const [index, upper] of sorted.entries()) {
    for (const lower of sorted.slice(0, index)) {
      if (bottom(lower) + lower.sizeBytes <= bottom(upper)) continue;
      if (!sharesSection(buildInstance({ ...problem, buffers: [lower, upper] }), 0, 1)) continue;
      return [lower.id, upper.id];
    }
  }
  return undefined;
}

/** One buffer that is too large or fixed too high; else the fewest of one section whose sum exceeds the capacity. */
export function conflictByLoad(problem: AllocationProblem, instance: Instance): string[] {
  const tooHigh = problem.buffers.find(
    (buffer) => (buffer.fixedOffsetBytes ?? 0) + buffer.sizeBytes > problem.capacityBytes,
  );
  if (tooHigh !== undefined) return [tooHigh.id];
  let smallest: string[] | undefined;
  for (const live of liveSets(instance)) {
    const buffers = live.flatMap((b) => problem.buffers[instance.sourceIndexes[b] ?? -1] ?? []);
    const ids = overfull(buffers, problem.capacityBytes);
    if (ids !== undefined && (smallest === undefined || ids.length < smallest.length)) smallest = ids;
  }
  return smallest ?? instance.sourceIndexes.flatMap((index) => problem.buffers[index]?.id ?? []);
}

function overfull(buffers: readonly AllocationBuffer[], capacityBytes: number): string[] | undefined {
  const ids: string[] = [];
  let sumBytes = 0;
  for (const buffer of [...buffers].sort((a, b) => b.sizeBytes - a.sizeBytes)) {
    ids.push(buffer.id);
    sumBytes += buffer.sizeBytes;
    if (sumBytes > capacityBytes) return ids;
  }
  return undefined;
}

function liveSets(instance: Instance): number[][] {
  const sets: number[][] = Array.from({ length: instance.sectionCount }, () => []);
  for (let b = 0; b < instance.count; b++) {
    for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
      for (let s = instance.rangeFirst[k] ?? 0; s <= (instance.rangeLast[k] ?? 0); s++) sets[s]?.push(b);
    }
  }
  return sets;
}

/**
 * A small set that is still proven infeasible: drops groups of buffers, halving the group, and keeps each drop after which
 * the proof still goes through within a few nodes. Minimal when the proofs are easy; a set that conflicts in any case.
 */
export function conflictBySearch(problem: AllocationProblem, instance: Instance, nodeLimit: number): string[] {
  let kept = instance.sourceIndexes.flatMap((index) => problem.buffers[index] ?? []);
  let nodesLeft = Math.min(nodeLimit, 50_000);
  for (
    let group = Math.ceil(kept.length / 2);
    group >= 1 && nodesLeft > 0;
    group = group === 1 ? 0 : Math.ceil(group / 2)
  ) {
    for (let from = 0; from < kept.length && nodesLeft > 0; ) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + group)];
      const proof = proveInfeasible({ ...problem, buffers: rest }, Math.min(nodesLeft, 2_000));
      nodesLeft -= proof.nodes + 1;
      if (proof.infeasible) kept = rest;
      else from += group;
    }
  }
  return kept.map((buffer) => buffer.id);
}

function proveInfeasible(problem: AllocationProblem, nodeLimit: number): { infeasible: boolean; nodes: number } {
  const instance = buildInstance(problem);
  if (instance.count === 0 || !searchable(instance)) return { infeasible: false, nodes: 0 };
  const search = new Search(instance);
  const key = staticKeys(instance)[0] ?? instance.sizeUnits;
  const style = { key, lowFloors: 0, littleSlack: 0, learn: true };
  const outcome = search.run(targetFor(instance, problem.capacityBytes), problem.capacityBytes, style, nodeLimit);
  return { infeasible: outcome === 'exhausted', nodes: search.nodes };
}
