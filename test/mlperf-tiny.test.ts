/**
 * MLPerf Tiny at tight SRAM: how close the traffic of a frame comes to reading each weight once. Vela 3.10 on the same budget
 * moves 2.4, 2.7, 1.3 and 3.5 times that.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, jest, test } from '@jest/globals';
import { type CompileOptions, compileProgram } from '../src/driver/compile.js';
import { makeReport } from '../src/driver/report.js';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { loadChip } from '../src/target/chip.js';
import { compiledProblems } from './compile-fuzz-check.js';

jest.setTimeout(120_000);

const CASES = [
  { network: 'resnet8', sramKiB: 48, mostTimes: 1.02 },
  { network: 'resnet8', sramKiB: 32, mostTimes: 1.3 },
  { network: 'vww', sramKiB: 32, mostTimes: 1.02 },
  { network: 'kws', sramKiB: 16, mostTimes: 1.2 },
];

describe('traffic over that of reading each weight, the input and the output once', () => {
  test.each(CASES)('$network in $sramKiB KiB: at most $mostTimes', async ({ network, sramKiB, mostTimes }) => {
    const path = `../shared/models/mlperf_${network}_int8.tflite`;
    if (!existsSync(path)) return console.warn(`skipped: ${path} is not there`);
    const program = importTflite(readFileSync(path), path);
    const chipA = loadChip('chip-a');
    const chip = { ...chipA, sram: { ...chipA.sram, bytes: sramKiB * 1024 } };
    const options: CompileOptions = {
      chip,
      batch: 1,
      dtype: 'int8',
      placement: 'ilp',
      solver: 'glpk',
      gap: 0.01,
      timeLimitSeconds: 10,
    };
    const timesOnce = async (resident: boolean): Promise<number> => {
      const compiled = await compileProgram(program, { ...options, resident });
      expect(compiledProblems(compiled, program, chip)).toEqual([]);
      const { model, period, sram } = makeReport(compiled);
      if (!resident) expect(sram.residentWeightBytes).toBe(0);
      return period.totalBytes / (model.weightBytes + period.byClass.input + period.byClass.output);
    };
    const without = await timesOnce(false);
    expect(without).toBeLessThanOrEqual(mostTimes);
    // Resident weights are on top of that; once is enough to see it.
    if (network === 'kws') expect(await timesOnce(true)).toBeLessThan(without);
  });
});
