/** The compiler's account of the time and the simulator's are two programs after one description, docs/timing.md. */
import { expect, jest, test } from '@jest/globals';
import { type CompileRequest, compile, simulate } from '../src/index.js';

jest.setTimeout(120_000);

const KIB = 1024;

test.each([
  ['tiny', { target: 'chip-a' }],
  ['tiny', { target: 'chip-a', sramBytes: 3 * KIB, batch: 4 }],
  ['tiny', { target: 'chip-a', dtype: 'float32' }],
  ['resnet50', { target: 'chip-a' }],
  ['fsrcnn', { target: 'chip-c' }],
] satisfies [string, Omit<CompileRequest, 'model'>][])(
  'predicted cycles of %s %j are within 1 %% of the simulated ones',
  async (model, request) => {
    const compiled = await compile({ model: `examples/${model}.model.ts`, placement: 'greedy', ...request });
    const { cycles, faultCount } = await simulate(compiled, { timingOnly: true });
    expect(faultCount).toBe(0);
    expect(Math.abs(compiled.report.timing.cycles / cycles - 1)).toBeLessThan(0.01);
  },
);
