/**
 * When the bytes of every root tensor are needed, in steps of the execution order.
 *
 * A root lives from the first step that writes any part of it to one past the last step that reads it or a view of it. A
 * model input is written before step 0, so it starts at 0; a model output is read after the end, so it ends at ops.length.
 * Constants are not here: weights have a rule of their own.
 *
 *   step      0      1      2
 *   op      conv   relu    add        %1 = conv(%0)
 *   %0     |------|                   %2 = relu(%1)
 *   %1     |--------------------|     %3 = add(%1, %2)
 */
import { activationInputs, rootOf, sizeBytes, tensorOf } from '../src/ir/facts.js';
import type { Program, TensorId } from '../src/ir/types.js';

/** Steps [startStep, endStep): the op at endStep may already reuse the memory. */
export interface Lifetime {
  readonly startStep: number;
  readonly endStep: number;
}

/** By root; a view has its root's. An input that nothing reads has the empty range [0, 0). */
export function computeLifetimes(program: Program): Map<TensorId, Lifetime> {
  const lifetimes = new Map<TensorId, Lifetime>();
  const extend = (id: TensorId, startStep: number, endStep: number): void => {
    const root = rootOf(tensorOf(program, id));
    const known = lifetimes.get(root) ?? { startStep, endStep };
    const start = Math.min(known.startStep, startStep);
    lifetimes.set(root, { startStep: start, endStep: Math.max(known.endStep, endStep) });
  };
  for (const id of program.inputs) extend(id, 0, 0);
  for (const [step, op] of program.ops.entries()) {
    extend(op.output, step, step + 1);
    for (const id of activationInputs(op, program)) extend(id, step, step + 1);
  }
  const end = program.ops.length;
  for (const id of program.outputs) if (!program.constants.has(id)) extend(id, end, end);
  return lifetimes;
}

/** Bytes of all roots alive at each step: what the step reads, what it writes, and what waits for a later one. */
export function liveBytesByStep(program: Program): number[] {
  const change = new Array<number>(program.ops.length + 1).fill(0);
  for (const [root, { startStep, endStep }] of computeLifetimes(program)) {
    const bytes = sizeBytes(tensorOf(program, root));
    change[startStep] = (change[startStep] ?? 0) + bytes;
    change[endStep] = (change[endStep] ?? 0) - bytes;
  }
  let live = 0;
  return program.ops.map((_, step) => {
    live += change[step] ?? 0;
    return live;
  });
}
