/**
 * Other orders of the same layers, for placement to choose from: the fewest live bytes (order.ts) is the right aim where layers run
 * whole, but layers that are to share a block have to follow each other, and then most of what is live between them is not there.
 */

import { dataflowGraph, producersIn } from '../src/ir/graph.js';
import type { Op, Program } from '../src/ir/types.js';

/** Larger programs are placed in one order only: each further one costs as much time as the first. */
const MOST_OPS = 300;

/** A program in one order of its ops, and what that order aims at. */
export interface OrderVariant {
  readonly program: Program;
  readonly order: string;
}

/**
 * Orders that differ from each other and from that of `ordered`: as given by the model, and depth first (what reads the newest result comes
 * next; of several, the first or the last of the model).
 *
 * @param given the same ops in the order of the model
 */
export function orderVariants(ordered: Program, given: Program): OrderVariant[] {
  if (ordered.ops.length > MOST_OPS) return [];
  const seen = new Set([keyOf(ordered.ops)]);
  const variants: OrderVariant[] = [];
  const add = (order: string, ops: readonly Op[]): void => {
    const key = keyOf(ops);
    if (seen.has(key)) return;
    seen.add(key);
    variants.push({ order, program: { ...ordered, ops } });
  };
  add('as given', given.ops);
  add('newest first', newestFirst(given, false));
  add('newest first, last branch first', newestFirst(given, true));
  return variants;
}

const keyOf = (ops: readonly Op[]): string => ops.map(({ id }) => id).join(' ');

/** Of the ops that can run, always the one that reads the newest result. */
function newestFirst(program: Program, lastFirst: boolean): Op[] {
  const graph = dataflowGraph(program);
  const place = new Map(program.ops.map((op, index) => [op.id, index]));
  const before = program.ops.map((op) => producersIn(graph, op).map(({ id }) => place.get(id) ?? 0));
  const after: number[][] = program.ops.map(() => []);
  before.forEach((producers, index) => {
    for (const producer of producers) after[producer]?.push(index);
  });
  const waiting = before.map((producers) => producers.length);
  const ready = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  const ops: Op[] = [];
  for (let at = ready.pop(); at !== undefined; at = ready.pop()) {
    const op = program.ops[at];
    if (op !== undefined) ops.push(op);
    // Those that became ready last stand at the end; among them the first of the model is taken first.
    const readers = after[at] ?? [];
    for (const reader of lastFirst ? readers : [...readers].reverse()) {
      waiting[reader] = (waiting[reader] ?? 0) - 1;
      if (waiting[reader] === 0) ready.push(reader);
    }
  }
  return ops;
}
