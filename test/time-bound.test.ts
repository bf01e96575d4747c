/** What is proven about the time of all plans comes from placements that know all plans. */
import { expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { bestOf } from '../src/driver/choose-plan.js';
import { type CompileOptions, compileProgram } from '../src/driver/compile.js';
import { loadChip } from '../src/target/chip.js';
import { chainProgram } from './conv-chains.js';

test('a bound of plans without residents is not taken for that of all plans', async () => {
  const options: CompileOptions = {
    ...{ chip: loadChip('chip-a'), batch: 1, dtype: 'float32', placement: 'ilp', solver: 'glpk', gap: 0 },
    timeLimitSeconds: 5,
  };
  const program = chainProgram([{ kind: 'conv', kernel: 3, stride: 1, channels: 8 }], 8, 8);
  const first = await compileProgram(program, options);
  const { record } = first.schedule;
  const time = { ...{ plannedCycles: 1e12, boundCycles: 1e12, status: 'optimal' }, variables: 0, constraints: 0 };
  const best = bestOf(
    first,
    (_, change = {}) => {
      if (change.timed === undefined) return first;
      // As where plans with residents cannot be packed, and those without can.
      if (change.resident !== false)
        throw new SpillwayError([{ code: 'SW3002', blame: 'target', message: '', loc: { file: '' } }]);
      return { ...first, schedule: { ...first.schedule, record: { ...record, time } } };
    },
    { ...options, objective: 'latency' },
  );
  expect(best.schedule.record.time).toBeUndefined();
});
