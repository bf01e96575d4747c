/** No pass changes what a program computes: results after the passes equal those before, bit for bit. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { runPasses } from '../passes/pass.js';
import { PIPELINE } from '../passes/pipeline.js';
import { tensorOf } from '../src/ir/facts.js';
import { printProgram } from '../src/ir/print.js';
import type { ConstantData, Program, TensorId } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import { programArbitrary, randomElements, randomOf } from './program-arbitraries.js';

/** Every model output's elements, in the order of the outputs. */
function resultsOf(program: Program): (ConstantData | undefined)[] {
  const random = randomOf(7);
  const inputs = new Map<TensorId, ConstantData>();
  for (const id of program.inputs) inputs.set(id, randomElements(tensorOf(program, id), random));
  const results = interpret(program, inputs);
  return program.outputs.map((id) => results.get(id));
}

function expectSameResults(program: Program, disabled: ReadonlySet<string>): void {
  const after = runPasses(program, PIPELINE, { disabled });
  try {
    expect(resultsOf(after)).toEqual(resultsOf(program));
  } catch (error) {
    throw new Error(`${printProgram(program)}\nbecame\n${printProgram(after)}\n${error}`);
  }
}

const OPTIONAL = PIPELINE.filter((pass) => pass.optional).map((pass) => pass.name);

test('all passes together keep every result', () => {
  fc.assert(
    fc.property(programArbitrary({ maxOps: 20 }), (program) => {
      expectSameResults(program, new Set());
    }),
    { numRuns: 80 },
  );
});

test('any optional passes left out: the results are the same', () => {
  fc.assert(
    fc.property(programArbitrary({ maxOps: 16 }), fc.subarray(OPTIONAL, { minLength: 1 }), (program, disabled) => {
      expectSameResults(program, new Set(disabled));
    }),
    { numRuns: 50 },
  );
});

test('running the passes a second time changes nothing', () => {
  fc.assert(
    fc.property(programArbitrary({ maxOps: 16 }), (program) => {
      const once = runPasses(program, PIPELINE);
      for (const pass of PIPELINE.filter(({ name }) => name !== 'canonicalise')) {
        expect(printProgram(pass.run(once))).toBe(printProgram(once));
      }
    }),
    { numRuns: 30 },
  );
});

test('the random programs give every pass something to do, and make every kind of epilogue, slice and view', () => {
  const seen = new Set<string>();
  for (const program of fc.sample(programArbitrary({ maxOps: 20 }), { seed: 1, numRuns: 150 })) {
    const after = runPasses(program, PIPELINE, {
      observe: ({ name }, before, now) => {
        if (before !== now) seen.add(name);
      },
    });
    const written = new Set(after.ops.map((op) => op.output));
    for (const op of after.ops) for (const stage of op.epilogue) seen.add(`stage ${stage.kind}`);
    for (const tensor of after.tensors.values()) {
      if (tensor.storage !== undefined) seen.add(written.has(tensor.id) ? 'written slice' : 'view');
    }
  }
  const stages = ['clamp', 'lut', 'unary', 'add'].map((kind) => `stage ${kind}`);
  expect([...seen].sort()).toEqual([...PIPELINE.map(({ name }) => name), ...stages, 'written slice', 'view'].sort());
});
