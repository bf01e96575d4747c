/** Every operator in its usual forms: against LiteRT, and compiled for little SRAM against the reference interpreter. */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { compiledGreedily, compiledProblems } from './compile-fuzz-check.js';
import { hasLiteRt, LiteRt } from './litert.js';
import { expectLiteRtAgreement } from './litert-agreement.js';
import { writeTflite } from './tflite-builder.js';
import { OPERATOR_CASES } from './tflite-operator-cases.js';

jest.setTimeout(120_000);

const runtime = new LiteRt();
afterAll(() => runtime.stop());

describe('agrees with LiteRT', () => {
  if (!hasLiteRt) console.warn('skipped: the judge is not there');
  const judged = hasLiteRt ? test : test.skip; // skipped with their names: no table may be empty
  judged.each(OPERATOR_CASES.map(({ name, model }) => [name, model] as const))('%s', async (_, model) => {
    await expectLiteRtAgreement(runtime, writeTflite(model), 'case.tflite');
  });
});

/** All of int8, and a part of the others: layouts are the same. */
const COMPILED = OPERATOR_CASES.filter(
  ({ name }, i) => /\bint8/.test(name) || i % 6 === 0 || /^(TANH|EXP).*int16/.test(name),
);
/** The tables of all int16 numbers need more room than the other operators. */
const sramOf = (name: string): number => (/int16 of/.test(name) ? 192 * 1024 : 2048);

/** Where not all of an operator fits: tiles, streams of weights, copies. */
test.each(COMPILED.map(({ name, model }) => [name, model] as const))('compiles %s', async (name, model) => {
  const program = importTflite(writeTflite(model), 'case.tflite');
  const { compiled, chip } = await compiledGreedily(program, 'int8', sramOf(name));
  expect(compiledProblems(compiled, program, chip)).toEqual([]);
});
