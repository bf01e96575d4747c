/** `inspect --min-sram`: in the SRAM that it names no activation moves. */
import { expect, test } from '@jest/globals';
import { spillwayJson } from './cli-harness.js';

test('from the size that it names on, no activation moves', () => {
  const args = ['examples/mobilenet-v2.model.ts', '--param', 'size=64'];
  const { leastSram } = spillwayJson('inspect', ...args, '--min-sram') as {
    leastSram: { withoutActivationTrafficBytes: number };
  };
  const bytes = leastSram.withoutActivationTrafficBytes;
  expect(bytes).toBeLessThan(110_000); // with all SRAM in the world only wider tilings are listed, and it had been more
  const report = spillwayJson('compile', ...args, '--target', 'chip-a', '--sram', String(bytes)) as {
    period: { byClass: { activations: number } };
  };
  expect(report.period.byClass.activations).toBe(0);
}, 120_000);
