/** Plans of simpler placements are often the plan that there is already, or differ where nothing is packed: packings are kept. */
import { allocate } from '../src/solver/allocator/allocate.js';
import type { AllocationProblem, AllocationResult } from '../src/solver/allocator/problem.js';

interface Packed {
  readonly problem: string;
  readonly result: AllocationResult;
}

/** The last few, the latest first. */
let kept: readonly Packed[] = [];
const MOST_KEPT = 8;

/** As `allocate`, of which the same buffers always get the same answer. */
export function packOnce(problem: AllocationProblem, nodeLimit: number): AllocationResult {
  const text = JSON.stringify([nodeLimit, problem]);
  const known = kept.find((packed) => packed.problem === text);
  if (known !== undefined) return known.result;
  const result = allocate(problem, { nodeLimit });
  kept = [{ problem: text, result }, ...kept].slice(0, MOST_KEPT);
  return result;
}
