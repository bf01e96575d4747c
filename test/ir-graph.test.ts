import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { operandsOf } from '../src/ir/facts.js';
import {
  componentsOf,
  consumersIn,
  cyclesOf,
  dataflowGraph,
  producersIn,
  toDot,
  topologicalOrder,
} from '../src/ir/graph.js';
import { parseProgram } from '../src/ir/parse.js';
import { wellFormed } from '../src/ir/verify.js';
import { programArbitrary } from './program-arbitraries.js';

const DIAMOND = `program diamond source diamond.model.ts
tensor %0 image: float32[1,4]
tensor %1 a: float32[1,4]
tensor %2 b: float32[1,4]
tensor %3 c: float32[1,4]
tensor %4 sum: float32[1,4]
inputs %0
outputs %4
@0 a: %1 = clamp(%0) 0..1
@1 b: %2 = clamp(%1) 0..2
@2 c: %3 = clamp(%1) 0..3
@3 sum: %4 = add(%2, %3)
`;

test('edges follow the tensors', () => {
  const program = parseProgram(DIAMOND);
  const flow = dataflowGraph(program);
  const [a, b, c, sum] = program.ops;
  if (a === undefined || sum === undefined) throw new Error('the diamond has four ops');
  expect(consumersIn(flow, a)).toEqual([b, c]);
  expect(producersIn(flow, sum)).toEqual([b, c]);
  expect(producersIn(flow, a)).toEqual([]);
  expect(cyclesOf(flow)).toEqual([]);
  expect(componentsOf(flow)).toEqual([program.ops]);
});

test('ops that feed each other are reported as a circle', () => {
  const program = parseProgram(DIAMOND.replace('clamp(%0) 0..1', 'clamp(%4) 0..1'));
  expect(cyclesOf(dataflowGraph(program)).map((ops) => ops.toSorted())).toEqual([[0, 1, 2, 3]]);
  const [first] = wellFormed(program);
  expect(first?.message).toContain('depend on each other in a circle');
});

test('DOT text has every op, the model’s ends and every flow', () => {
  expect(toDot(parseProgram(DIAMOND))).toBe(`digraph "diamond" {
  node [shape=box];
  "in%0" [shape=ellipse, label="image\\nfloat32[1,4]"];
  "out%4" [shape=ellipse, label="sum\\nfloat32[1,4]"];
  "@0" [label="a\\nclamp"];
  "@1" [label="b\\nclamp"];
  "@2" [label="c\\nclamp"];
  "@3" [label="sum\\nadd"];
  "@0" -> "@1" [label="float32[1,4]"];
  "@0" -> "@2" [label="float32[1,4]"];
  "@1" -> "@3" [label="float32[1,4]"];
  "@2" -> "@3" [label="float32[1,4]"];
  "in%0" -> "@0" [label="float32[1,4]"];
  "@3" -> "out%4" [label="float32[1,4]"];
}
`);
});

test('a topological order is one: every op after the makers of its operands', () => {
  fc.assert(
    fc.property(programArbitrary({ maxOps: 20 }), (program) => {
      const sorted = topologicalOrder(dataflowGraph({ ...program, ops: program.ops.toReversed() }));
      expect(new Set(sorted)).toEqual(new Set(program.ops));
      const places = new Map(sorted.map((op, place) => [op.output, place]));
      for (const [place, op] of sorted.entries()) {
        for (const id of operandsOf(op)) expect(places.get(id) ?? -1).toBeLessThan(place);
      }
    }),
    { numRuns: 40 },
  );
});
