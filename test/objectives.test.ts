/** What a plan is chosen for decides which plan it is, and each is the best of its kind. */
import { expect, jest, test } from '@jest/globals';
import { sealManifest } from '../src/commands/manifest.js';
import { type Chip, type Compilation, compile, loadChip, simulate } from '../src/index.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate as run } from '../src/simulator/simulate.js';

jest.setTimeout(120_000);

const MODEL = 'examples/tiny.model.ts';
const SRAM_BYTES = 3072;

/** chip-c, whose array takes long to fill, with another DRAM. */
function withBandwidth(name: string, bytesPerSecond: number): Chip {
  const chip = loadChip('chip-c');
  return { ...chip, name, dram: { ...chip.dram, bytesPerSecond }, sram: { ...chip.sram, bytes: SRAM_BYTES } };
}

/** Simulated cycles of a program on a chip that it need not have been compiled for. */
function cyclesOn(chip: Chip, { manifest, files }: Compilation): number {
  const bytesOf = (name: string): Uint8Array => {
    const bytes = files.get(name);
    if (!(bytes instanceof Uint8Array)) throw new Error(`no ${name}`);
    return bytes;
  };
  const loaded = loadProgram(
    sealManifest({ ...manifest, chip }),
    bytesOf('program.bin'),
    bytesOf('dram.bin'),
    chip.name,
  );
  const { cycles, faults } = run(loaded, { timingOnly: true });
  expect(faults).toEqual([]);
  return cycles;
}

test('chips with little and with much bandwidth get different plans, each the faster one on its own chip', async () => {
  const little = withBandwidth('little', 200_000_000);
  const much = withBandwidth('much', 400_000_000_000);
  const [forLittle, forMuch] = await Promise.all(
    [little, much].map((target) => compile({ model: MODEL, target, objective: 'latency' })),
  );
  if (forLittle === undefined || forMuch === undefined) throw new Error('two plans were asked for');
  expect(forLittle.manifest.hashes['program.bin']).not.toBe(forMuch.manifest.hashes['program.bin']);
  expect(forLittle.report.period.totalBytes).toBeLessThan(forMuch.report.period.totalBytes);
  expect(cyclesOn(little, forLittle)).toBeLessThanOrEqual(cyclesOn(little, forMuch));
  expect(cyclesOn(much, forMuch)).toBeLessThanOrEqual(cyclesOn(much, forLittle));
});

test.each([SRAM_BYTES, 4096, 65_536])('in %i B each objective has the plan that is best by it', async (sramBytes) => {
  const request = { model: MODEL, target: 'chip-a', sramBytes };
  const traffic = await compile({ ...request, objective: 'traffic' });
  const latency = await compile({ ...request, objective: 'latency' });
  const energy = await compile({ ...request, objective: 'energy' });
  const [forTraffic, forLatency] = await Promise.all([traffic, latency].map((one) => simulate(one, { seed: 1 })));
  expect(forTraffic?.matchesReference).toBe(true);
  expect(forLatency?.matchesReference).toBe(true);
  expect(forLatency?.cycles ?? 0).toBeLessThanOrEqual(forTraffic?.cycles ?? 0);
  const { bound, cycles } = latency.report.timing;
  expect(bound?.cycles ?? 0).toBeGreaterThan(0);
  expect(bound?.cycles ?? 0).toBeLessThanOrEqual(forLatency?.cycles ?? 0);
  expect(bound?.gap).toBeCloseTo(1 - (bound?.cycles ?? 0) / cycles);
  expect(traffic.report.period.totalBytes).toBeLessThanOrEqual(latency.report.period.totalBytes);
  expect(energy.report.energy.totalPicojoules).toBeLessThanOrEqual(traffic.report.energy.totalPicojoules);
  expect(energy.report.energy.totalPicojoules).toBeLessThanOrEqual(latency.report.energy.totalPicojoules);
});

test('the report lists the plans that were made, the chosen one among them as it is', async () => {
  const { report } = await compile({ model: MODEL, target: 'chip-a', sramBytes: SRAM_BYTES, objective: 'latency' });
  const [chosen, ...others] = report.plans.filter(({ isChosen }) => isChosen);
  expect(others).toEqual([]);
  expect(chosen).toMatchObject({
    bytes: report.period.totalBytes,
    cycles: report.timing.cycles,
    picojoules: report.energy.totalPicojoules,
  });
  expect(Math.min(...report.plans.map(({ cycles }) => cycles))).toBe(report.timing.cycles);
});

test('a large image is placed for time: faster than by traffic or greedily, and near what no plan beats', async () => {
  const request = { model: 'examples/vgg-first-five.model.ts', target: 'chip-a', sramBytes: 2 ** 19 };
  const [traffic, greedy, latency] = await Promise.all([
    compile({ ...request, objective: 'traffic' }),
    compile({ ...request, placement: 'greedy', objective: 'traffic' }),
    compile({ ...request, objective: 'latency' }),
  ]);
  const [forTraffic, forGreedy, forLatency] = await Promise.all(
    [traffic, greedy, latency].map((one) => simulate(one, { timingOnly: true })),
  );
  expect(forLatency?.faults).toEqual([]);
  expect(forLatency?.cycles ?? 0).toBeLessThan(0.7 * (forTraffic?.cycles ?? 0));
  expect(forLatency?.cycles ?? 0).toBeLessThan(forGreedy?.cycles ?? 0);
  expect(latency.report.plans.find(({ isChosen }) => isChosen)?.plan).toContain('for time');
  const boundCycles = latency.report.timing.bound?.cycles ?? 0;
  expect(boundCycles).toBeLessThanOrEqual(forLatency?.cycles ?? 0);
  expect(boundCycles).toBeGreaterThan(0.7 * (forLatency?.cycles ?? 0));
});
