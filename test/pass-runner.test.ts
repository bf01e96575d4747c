import { expect, test } from '@jest/globals';
import { type Pass, runPasses } from '../passes/pass.js';
import { PIPELINE } from '../passes/pipeline.js';
import { SpillwayError } from '../src/base/diagnostic.js';
import { parseProgram } from '../src/ir/parse.js';
import type { TensorId } from '../src/ir/types.js';

const PROGRAM = parseProgram(`program tiny source tiny.model.ts
tensor %0 image: float32[1,4]
tensor %1 a: float32[1,4]
tensor %2 b: float32[1,4]
inputs %0
outputs %2
@0 a: %1 = unary(%0) tanh alpha 0 beta 0
@1 b: %2 = clamp(%1) 0..1
`);

const pass = (name: string, change: Partial<Pass> = {}): Pass => ({
  name,
  summary: name,
  requires: [],
  establishes: [],
  run: (program) => program,
  ...change,
});

const codesOf = (run: () => unknown): string[] => {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error.diagnostics.map((d) => `${d.code} ${d.blame}`);
    throw error;
  }
  return [];
};

test('passes run in order, are observed, and stop where asked', () => {
  const seen: string[] = [];
  const passes = [pass('one'), pass('two'), pass('three')];
  runPasses(PROGRAM, passes, { observe: ({ name }) => seen.push(name), stopAfter: 'two' });
  expect(seen).toEqual(['one', 'two']);
});

test('only optional passes can be left out', () => {
  const seen: string[] = [];
  const passes = [pass('one', { optional: true }), pass('two')];
  runPasses(PROGRAM, passes, { observe: ({ name }) => seen.push(name), disabled: new Set(['one']) });
  expect(seen).toEqual(['two']);
  expect(codesOf(() => runPasses(PROGRAM, passes, { disabled: new Set(['two', 'nine']) }))).toEqual([
    'SW8101 usage',
    'SW8101 usage',
  ]);
  expect(codesOf(() => runPasses(PROGRAM, passes, { stopAfter: 'nine' }))).toEqual(['SW8101 usage']);
});

test('a pass that breaks the program is named', () => {
  const dropsAnOp = pass('drops-an-op', { run: (program) => ({ ...program, ops: program.ops.slice(1) }) });
  expect(codesOf(() => runPasses(PROGRAM, [dropsAnOp]))).toEqual(['SW9000 bug', 'SW9020 bug']);
  expect(() => runPasses(PROGRAM, [dropsAnOp])).toThrow("pass drops-an-op breaks 'well-formed'");
});

test('what a pass claims to establish is proven, even if it changed nothing', () => {
  const reshaped = parseProgram(`tensor %0 image: float32[1,4]
tensor %1 a: float32[4]
inputs %0
outputs %1
@0 a: %1 = reshape(%0)
`);
  const lies = pass('lies', { establishes: ['views-resolved'] });
  expect(codesOf(() => runPasses(reshaped, [lies]))).toEqual(['SW9000 bug', 'SW9025 bug']);
});

test('a pass whose requirement nothing establishes is a mistake in the list', () => {
  expect(() => runPasses(PROGRAM, [pass('early', { requires: ['views-resolved'] })])).toThrow('no earlier pass');
});

test('a program that is not well formed is refused before any pass', () => {
  const broken = { ...PROGRAM, outputs: [...PROGRAM.outputs, 9 as TensorId] };
  expect(codesOf(() => runPasses(broken, PIPELINE))).toEqual(['SW9020 bug']);
});

test('the list: names are unique and kebab-case, requirements hold with every optional pass left out', () => {
  expect(new Set(PIPELINE.map(({ name }) => name)).size).toBe(PIPELINE.length);
  for (const { name } of PIPELINE) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  const optional = new Set(PIPELINE.filter((p) => p.optional).map(({ name }) => name));
  expect(runPasses(PROGRAM, PIPELINE, { disabled: optional }).ops).toEqual(PROGRAM.ops);
  expect(runPasses(PROGRAM, PIPELINE).ops).toHaveLength(1);
});
