/**
 * Chooses the linear order of the layers: the largest sum of live bytes first, the sum over all steps second.
 *
 *        +- b1 - b2 -+        a b1 c1 b2 c2 d    keeps two wide tensors at once
 *     a -+           +- d     a b1 b2 c1 c2 d    finishes one branch, with a small result, before the next
 *        +- c1 - c2 -+
 *
 * An op that is an ancestor or descendant of every other one has the same place in every order. Between two such ops each
 * segment is searched on its own (order-search.ts): exactly where it has few sets of finished ops, which is so for
 * inception modules, residual blocks and feature pyramids, else by a beam that never loses to the order given. A chain has
 * nothing to search.
 */
import { activationInputs, rootOf, sizeBytes, tensorOf } from '../src/ir/facts.js';
import { dataflowGraph, producersIn } from '../src/ir/graph.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { liveBytesByStep } from './compute-lifetimes.js';
import { comparableWithAll } from './op-ancestors.js';
import { leastPeak, leastSum, type Segment, type SegmentOp } from './order-search.js';
import type { Pass } from './pass.js';

export const order: Pass = {
  name: 'order',
  summary: 'Orders the layers for the fewest live bytes.',
  requires: ['views-resolved'],
  establishes: [],
  optional: true,
  run: reorder,
};

function reorder(program: Program): Program {
  const segments = segmentsOf(program);
  if (segments.length === 0) return program;
  // The peak is the worst step anywhere; a segment far below it may trade its own peak for a smaller sum.
  const fallbacks = segments.map(({ segment }) => leastPeak(segment));
  const fixedPeak = largest(liveOutside(program, segments));
  const peak = Math.max(fixedPeak, largest(fallbacks.map(({ cost }) => cost)));
  const ops = [...program.ops];
  for (const [i, { first, segment }] of segments.entries()) {
    const best = leastSum(segment, peak);
    const steps = best.cost === Number.POSITIVE_INFINITY ? fallbacks[i]?.steps : best.steps;
    for (const [position, op] of (steps ?? []).entries()) {
      ops[first + position] = program.ops[first + op] ?? throwGap(first + op);
    }
  }
  const ordered = { ...program, ops };
  return compare(costOf(ordered), costOf(program)) < 0 ? ordered : program;
}

const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

function throwGap(step: number): never {
  throw new Error(`the order search returned step ${step}, which does not exist`);
}

interface PlacedSegment {
  readonly first: number; // its first step
  readonly segment: Segment;
}

interface Cost {
  readonly peakBytes: number;
  readonly sumBytes: number;
}

function costOf(program: Program): Cost {
  const live = liveBytesByStep(program);
  return { peakBytes: largest(live), sumBytes: live.reduce((a, b) => a + b, 0) };
}

const compare = (a: Cost, b: Cost): number => a.peakBytes - b.peakBytes || a.sumBytes - b.sumBytes;

/** Live bytes of the steps that no search can change. */
function liveOutside(program: Program, segments: readonly PlacedSegment[]): number[] {
  const inside = new Set<number>();
  for (const { first, segment } of segments) segment.ops.forEach((_, i) => void inside.add(first + i));
  return liveBytesByStep(program).filter((_, step) => !inside.has(step));
}

/** What the order of ops has to respect, by root tensor. */
interface Roots {
  readonly writers: ReadonlyMap<TensorId, readonly number[]>; // steps
  readonly readers: ReadonlyMap<TensorId, readonly number[]>;
}

function rootsOf(program: Program): Roots {
  const writers = new Map<TensorId, number[]>();
  const readers = new Map<TensorId, number[]>();
  const note = (map: Map<TensorId, number[]>, id: TensorId, step: number): void => {
    const root = rootOf(tensorOf(program, id));
    const steps = map.get(root);
    if (steps === undefined) map.set(root, [step]);
    else if (steps.at(-1) !== step) steps.push(step);
  };
  for (const [step, op] of program.ops.entries()) {
    note(writers, op.output, step);
    for (const id of activationInputs(op, program)) note(readers, id, step);
  }
  return { writers, readers };
}

/** Steps that must come before each step: the writers of all that it reads. */
function predecessors(program: Program): number[][] {
  const graph = dataflowGraph(program);
  const stepOf = new Map(program.ops.map((op, step) => [op.id, step]));
  return program.ops.map((op) => producersIn(graph, op).map(({ id }) => stepOf.get(id) ?? 0));
}

/** The stretches of at least two ops between ops whose place is fixed. */
function segmentsOf(program: Program): PlacedSegment[] {
  const roots = rootsOf(program);
  const before = predecessors(program);
  const fixed = comparableWithAll(before);
  const segments: PlacedSegment[] = [];
  for (let first = 0; first < program.ops.length; first++) {
    let end = first;
    while (end < program.ops.length && !fixed[end]) end++;
    if (end - first >= 2) segments.push({ first, segment: segmentOf(program, first, end, before, roots) });
    first = end;
  }
  return segments;
}

/** Steps [first, end) as a problem of its own, ops numbered from 0. */
function segmentOf(program: Program, first: number, end: number, before: number[][], roots: Roots): Segment {
  const touched = new Map<TensorId, number>();
  const inside = (step: number): boolean => step >= first && step < end;
  const outputs = new Set(program.outputs.map((id) => rootOf(tensorOf(program, id))));
  const rootsTouched: Segment['roots'][number][] = [];
  const indexOf = (root: TensorId): number => {
    const known = touched.get(root);
    if (known !== undefined) return known;
    const writers = roots.writers.get(root) ?? [];
    const readers = roots.readers.get(root) ?? [];
    const users = [...writers, ...readers].filter(inside).map((step) => step - first);
    touched.set(root, rootsTouched.length);
    rootsTouched.push({
      sizeBytes: sizeBytes(tensorOf(program, root)),
      isLiveBefore: program.inputs.includes(root) || writers.some((step) => step < first),
      isLiveAfter: outputs.has(root) || [...readers, ...writers].some((step) => step >= end),
      users: [...new Set(users)],
    });
    return rootsTouched.length - 1;
  };
  const ops = program.ops.slice(first, end).map((op, i): SegmentOp => {
    const after = (before[first + i] ?? []).filter(inside).map((step) => step - first);
    const rootsOfOp = [
      ...new Set([...activationInputs(op, program), op.output].map((id) => rootOf(tensorOf(program, id)))),
    ];
    return { before: after, roots: rootsOfOp.map(indexOf) };
  });
  return { ops, roots: rootsTouched, baseBytes: waitingBytes(program, first, end, touched, roots) };
}

/** Bytes that live through all of the segment without any of its ops using them. */
function waitingBytes(
  program: Program,
  first: number,
  end: number,
  touched: ReadonlyMap<TensorId, number>,
  roots: Roots,
): number {
  let bytes = 0;
  const outputs = new Set(program.outputs.map((id) => rootOf(tensorOf(program, id))));
  const written = [...roots.writers.keys(), ...program.inputs.filter((id) => !roots.writers.has(id))];
  for (const root of written) {
    if (touched.has(root)) continue;
    const starts = program.inputs.includes(root) ? -1 : Math.min(...(roots.writers.get(root) ?? []));
    const ends = outputs.has(root) ? program.ops.length : Math.max(-1, ...(roots.readers.get(root) ?? []));
    if (starts < first && ends >= end) bytes += sizeBytes(tensorOf(program, root));
  }
  return bytes;
}
