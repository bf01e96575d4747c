/** The case of Alwani et al., MICRO 2016: five convolutions and two poolings of VGG in float32, no feature moved between them. */
import { expect, test } from '@jest/globals';
import { predictTiming } from '../src/backend/predict-timing.js';
import { type Compiled, compileProgram } from '../src/driver/compile.js';
import { mostFeatureBytes } from '../src/driver/feature-bytes.js';
import { importModel } from '../src/driver/import-model.js';
import { countTraffic } from '../src/driver/period-bytes.js';
import type { Program } from '../src/ir/types.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate } from '../src/simulator/simulate.js';
import { type Chip, loadChip } from '../src/target/chip.js';
import { compiledProblems } from './compile-fuzz-check.js';

async function vgg(
  size: number,
  sramBytes: number,
  objective: 'traffic' | 'latency' = 'traffic',
): Promise<{ program: Program; compiled: Compiled; chip: Chip }> {
  const params = new Map([['size', String(size)]]);
  const { program } = await importModel('examples/vgg-first-five.model.ts', { params, dtype: 'float32' });
  const chipA = loadChip('chip-a');
  const chip = { ...chipA, sram: { ...chipA.sram, bytes: sramBytes } };
  const options = {
    batch: 1,
    dtype: 'float32',
    placement: 'ilp',
    solver: 'glpk',
    gap: 0,
    timeLimitSeconds: 20,
  } as const;
  return { program, compiled: await compileProgram(program, { ...options, objective, chip }), chip };
}

test('at 224x224 input and output move, and nothing else, with 211 kB of feature buffers', async () => {
  const { schedule, emitted } = (await vgg(224, 2_440_000)).compiled;
  expect(schedule.blocks.map(({ plan }) => [plan.first, plan.last])).toEqual([[0, 6]]);
  const { byClass } = countTraffic(schedule, emitted).period;
  expect([byClass.activations, byClass.weights]).toEqual([0, 0]);
  expect(byClass.input + byClass.output).toBe(3813376);
  // Weights are resident, and come on top. The paper has 362 kB.
  expect(mostFeatureBytes(schedule)).toBe(211424);
});

test('at 112x112 the machine finds no fault, and counts the same', async () => {
  const { schedule, emitted } = (await vgg(112, 2_350_000)).compiled;
  expect(schedule.blocks.map(({ plan }) => [plan.first, plan.last])).toEqual([[0, 6]]);
  const { byClass } = countTraffic(schedule, emitted).period;
  expect(byClass.input + byClass.output).toBe(3813376 / 4);
  const loaded = loadProgram(emitted.manifest, emitted.programBytes, emitted.dramImage, 'vgg');
  const simulated = simulate(loaded, { timingOnly: true });
  expect([simulated.faults, simulated.bytesByClass]).toEqual([[], byClass]);
});

test('a small image, with data: every bit as the reference has it', async () => {
  const { program, compiled, chip } = await vgg(20, 2_270_000);
  const plan = compiled.schedule.blocks[0]?.plan;
  expect(plan?.pieces?.pieces).toBeGreaterThan(1);
  expect(plan?.layers.map(({ againRows }) => againRows > 0)).toEqual([true, false, false, true, false, false, false]);
  expect(compiledProblems(compiled, program, chip)).toEqual([]);
});

test('where time is what counts, pieces are taken only if they are faster', async () => {
  const cyclesOf = ({ compiled, chip }: Awaited<ReturnType<typeof vgg>>): number =>
    predictTiming(compiled.schedule, chip).cycles;
  const [least, fastest] = [await vgg(20, 2_270_000), await vgg(20, 2_270_000, 'latency')];
  expect(cyclesOf(fastest)).toBeLessThan(cyclesOf(least));
});
