/**
 * What is known of runs of ops from other orders of the same program: where an order has the same ops at the same steps, the layers are
 * the same, and so are the ways to run them and the blocks that they make. What is outside of a run does not matter to it, as
 * long as it is the rest of the program.
 *
 *   order 1     a b c d e f g
 *   order 2     a b d c e f g        known from order 1: runs inside a b, and inside e f g
 */
import type { Op, Program } from '../src/ir/types.js';

/** Of all runs from one step on, by their lengths less one. */
interface RunsFrom<Result> {
  readonly ops: readonly Op[]; // as far as they have been looked at, and more
  readonly results: (Result | undefined)[];
}

/** Results of runs of ops, for one program in several orders. */
export class KnownRuns<Result> {
  private readonly byFirst: RunsFrom<Result>[][] = [];

  /** What is known, and what becomes known, of the runs of an order that begin at a step; by length less one. */
  from(ops: readonly Op[], first: number, most: number): (Result | undefined)[] {
    const mine = ops.slice(first, first + most);
    const known = this.byFirst[first] ?? [];
    this.byFirst[first] = known;
    const results: (Result | undefined)[] = [];
    for (const other of known) {
      const shared = sharedLength(mine, other.ops);
      if (shared === mine.length && shared === other.ops.length) return other.results;
      for (let i = 0; i < shared; i += 1) results[i] ??= other.results[i];
    }
    known.push({ ops: mine, results });
    return results;
  }
}

function sharedLength(a: readonly Op[], b: readonly Op[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

interface Memo<Value> {
  readonly inputs: Program['inputs'];
  readonly outputs: Program['outputs'];
  readonly constants: Program['constants'];
  readonly key: string;
  readonly value: Value;
}

/** Something of a program and of options, whatever the order of its ops: the last few are kept. */
export class OrderlessMemo<Value> {
  private readonly memos = new WeakMap<Program['tensors'], Memo<Value>[]>();
  private readonly make: () => Value;

  constructor(make: () => Value) {
    this.make = make;
  }

  /** @param key of the options */
  of(program: Program, key: string): Value {
    const { tensors, inputs, outputs, constants } = program;
    const list = this.memos.get(tensors) ?? [];
    const known = list.find(
      (memo) => memo.key === key && memo.inputs === inputs && memo.outputs === outputs && memo.constants === constants,
    );
    if (known !== undefined) return known.value;
    const value = this.make();
    this.memos.set(tensors, [{ inputs, outputs, constants, key, value }, ...list].slice(0, MOST_KEPT));
    return value;
  }
}

/** Placements for time and for traffic ask for different ones in turn. */
const MOST_KEPT = 3;
