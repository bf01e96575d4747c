import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { liveBytesByStep } from '../passes/compute-lifetimes.js';
import { order } from '../passes/order.js';
import { orderVariants } from '../passes/order-variants.js';
import { resolveViews } from '../passes/resolve-views.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import { activationInputs, rootOf, tensorOf } from '../src/ir/facts.js';
import type { Op, Program, TensorId } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import { programArbitrary } from './program-arbitraries.js';

const peakOf = (program: Program): number => Math.max(0, ...liveBytesByStep(program));
const sumOf = (program: Program): number => liveBytesByStep(program).reduce((a, b) => a + b, 0);

/** Every sound order of the ops. */
function* ordersOf(program: Program): Generator<Program> {
  const writers = new Map<TensorId, Set<Op>>();
  const root = (id: TensorId): TensorId => rootOf(tensorOf(program, id));
  for (const op of program.ops) {
    writers.set(root(op.output), (writers.get(root(op.output)) ?? new Set()).add(op));
  }
  const before = new Map(
    program.ops.map((op) => [op, activationInputs(op, program).flatMap((id) => [...(writers.get(root(id)) ?? [])])]),
  );
  function* extend(done: readonly Op[]): Generator<readonly Op[]> {
    if (done.length === program.ops.length) yield done;
    for (const op of program.ops) {
      if (!done.includes(op) && before.get(op)?.every((other) => done.includes(other))) yield* extend([...done, op]);
    }
  }
  for (const ops of extend([])) yield { ...program, ops };
}

const resolved = (maxOps: number) =>
  programArbitrary({ maxOps, dtype: 'int8' })
    .map((program) => ({ ...program, ops: program.ops.filter((op) => op.kind !== 'concat') }))
    .filter((program) => wellFormed(program).length === 0)
    .map((program) => resolveViews.run(program));

describe('order', () => {
  test('has the least peak of all orders, and of those the least sum', () => {
    fc.assert(
      fc.property(resolved(6), (program) => {
        const ordered = order.run(program);
        let best = { peak: Number.POSITIVE_INFINITY, sum: Number.POSITIVE_INFINITY };
        for (const candidate of ordersOf(program)) {
          const [peak, sum] = [peakOf(candidate), sumOf(candidate)];
          if (peak < best.peak || (peak === best.peak && sum < best.sum)) best = { peak, sum };
        }
        expect({ peak: peakOf(ordered), sum: sumOf(ordered) }).toEqual(best);
      }),
      { numRuns: 60 },
    );
  });

  test('gives the same ops in a sound order, never worse than the one it got', () => {
    fc.assert(
      fc.property(resolved(40), (program) => {
        const ordered = order.run(program);
        expect(wellFormed(ordered)).toEqual([]);
        expect(new Set(ordered.ops)).toEqual(new Set(program.ops));
        expect(peakOf(ordered)).toBeLessThanOrEqual(peakOf(program));
        if (peakOf(ordered) === peakOf(program)) expect(sumOf(ordered)).toBeLessThanOrEqual(sumOf(program));
      }),
      { numRuns: 40 },
    );
  });

  test('two long branches are not walked in step', () => {
    const ordered = order.run(branches(2, 60));
    const names = ordered.ops.map((op) => op.name);
    // Each branch begins with a wide tensor and ends with a narrow one: one after the other needs one wide tensor at once.
    const firstBranch = names.filter((name) => name.startsWith('b0'));
    const start = names.indexOf(firstBranch[0] ?? '');
    expect(names.slice(start, start + firstBranch.length)).toEqual(firstBranch);
    expect(wellFormed(ordered)).toEqual([]);
  });

  test('many branches beyond any exact search still give a sound order', () => {
    const program = branches(12, 12);
    const ordered = order.run(program);
    expect(wellFormed(ordered)).toEqual([]);
    expect(peakOf(ordered)).toBeLessThan(peakOf(program));
  });
});

/** From one image `count` chains of `length` ops each, listed level by level: wide at first, pooled to little at the end. */
function branches(count: number, length: number): Program {
  const b = new ProgramBuilder('branches', 'branches.model.ts');
  const quant = { scales: [1], zeroPoint: 0 };
  const image = b.addInput({ name: 'image', dtype: 'int8', shape: [1, 8, 8, 4], quant });
  const heads: TensorId[] = new Array<TensorId>(count).fill(image);
  for (let level = 0; level < length; level++) {
    for (const [branch, x] of heads.entries()) {
      const isLast = level === length - 1;
      const side = isLast ? 8 : 1;
      const window = {
        kernel: [side, side],
        stride: [1, 1],
        dilation: [1, 1],
        pad: { top: 0, left: 0, bottom: 0, right: 0 },
      } as const;
      heads[branch] = b.addOp({
        kind: 'maxPool',
        name: `b${branch}.${level}`,
        inputs: [x],
        window,
        countIncludePad: false,
      });
    }
  }
  for (const head of heads) b.addOutput(head);
  return b.build();
}

describe('orders for placement to choose from', () => {
  test('are sound, have all ops, and differ from each other and from the one that is there', () => {
    let most = 0;
    fc.assert(
      fc.property(resolved(30), (program) => {
        const ordered = order.run(program);
        const variants = orderVariants(ordered, program);
        for (const variant of variants) {
          expect(wellFormed(variant.program)).toEqual([]);
          expect(new Set(variant.program.ops)).toEqual(new Set(ordered.ops));
        }
        const programs = [ordered, ...variants.map((variant) => variant.program)];
        const keys = programs.map(({ ops }) => ops.map(({ id }) => id).join());
        expect(new Set(keys).size).toBe(keys.length);
        most = Math.max(most, variants.length);
      }),
      { numRuns: 60 },
    );
    expect(most).toBe(3);
  });

  test('a chain has one order', () => {
    const builder = new ProgramBuilder('chain', 'order.test.ts');
    let at = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, 4, 4, 2] });
    for (const name of ['a', 'b', 'c'])
      at = builder.addOp({ kind: 'unary', fn: 'leakyRelu', alpha: 0.1, beta: 0, name, inputs: [at] });
    builder.addOutput(at);
    const program = builder.build();
    expect(orderVariants(program, program)).toEqual([]);
  });
});
