/** The compiler's account of the time and the simulator's are two programs after one description, docs/timing.md. */
import { expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { computeCommandWork } from '../src/backend/command-work.js';
import { Transfers } from '../src/backend/transfer-work.js';
import { type CompileRequest, compile, simulate } from '../src/index.js';
import { simulate as execute } from '../src/simulator/simulate.js';
import { loadChip } from '../src/target/chip.js';
import { INPUT, load } from './simulator-harness.js';

jest.setTimeout(120_000);

const KIB = 1024;

test.each([
  ['tiny', { target: 'chip-a' }],
  ['tiny', { target: 'chip-a', sramBytes: 3 * KIB, batch: 4 }],
  ['tiny', { target: 'chip-a', dtype: 'float32' }],
  ['resnet50', { target: 'chip-a' }],
  ['fsrcnn', { target: 'chip-c' }],
] satisfies [string, Omit<CompileRequest, 'model'>][])(
  'predicted cycles of %s %j are within 0.2 %% of the simulated ones',
  async (model, request) => {
    const compiled = await compile({ model: `examples/${model}.model.ts`, placement: 'greedy', ...request });
    const { cycles, faultCount } = await simulate(compiled, { timingOnly: true });
    expect(faultCount).toBe(0);
    expect(Math.abs(compiled.report.timing.cycles / cycles - 1)).toBeLessThan(0.002);
  },
);

test('a reduction reads elements of the type that its input has', () => {
  const bytes = 6 * 8 * 40;
  const fields = new Map(
    Object.entries({ dtype: 4, inDtype: 1, mode: 9, inH: 6, inW: 8, inC: 40, outH: 6, outW: 8, outC: 1 }),
  );
  for (const [name, value] of [
    ['rows', 6],
    ['cols', 8],
    ['inRowPitch', 320],
    ['inPixelPitch', 40],
  ] as const)
    fields.set(name, value);
  fields.set('outBase', bytes).set('outRowPitch', 32).set('outPixelPitch', 4);
  const text = [...fields].map(([name, value]) => `${name}=${value}`).join(' ');
  const period = `load dramBase=${INPUT} bytes=${bytes} limit=${bytes} signal=1\nreduce wait=1 ${text}`;
  const loaded = load({ period, inputShape: [bytes] });
  const { name, sram, vector } = loaded.manifest.chip;
  const result = execute(loaded, { timingOnly: true });
  // Ports of 16 B a cycle for 4 elements: with one byte each, the vector unit is what takes the time.
  const base = loadChip('chip-a');
  const chip = { ...base, name, sram: { ...base.sram, ...sram }, vector };
  const work = computeCommandWork('reduce', (field) => fields.get(field) ?? 0, chip);
  expect(work.cycles).toBe(result.busyCycles.compute);
  expect(work.portBytes).toBe(bytes + 6 * 8 * 4);
});

const count = fc.integer({ min: 1, max: 9 });
const stride = fc.constantFrom(1, 2, 3, 8, 24, 48, 100, 256);
const strided = fc.record({
  elementBytes: fc.constantFrom(1, 4, 6),
  counts: fc.tuple(count, count, count, count),
  strides: fc.tuple(stride, stride, stride, stride),
  offset: fc.nat(70),
});

/** Transpositions among them: the innermost elements lie far apart, and the next ones between them. */
test('bursts and pages of a transfer are those that the simulator counts', () => {
  const chip = loadChip('chip-a');
  fc.assert(
    fc.property(
      strided,
      fc.constantFrom(undefined, 64, 256),
      ({ elementBytes, counts, strides, offset }, pageBytes) => {
        const fields = new Map([
          ['elementBytes', elementBytes],
          ['dramBase', INPUT + offset],
        ]);
        counts.forEach((n, d) => {
          fields.set(`count${d}`, n).set(`dramStride${d}`, strides[d] ?? 1);
        });
        const text = [...fields].map(([name, value]) => `${name}=${value}`).join(' ');
        const loaded = load({ period: `loadStrided ${text} sramBase=0`, sramBytes: 8192 });
        const dram = {
          ...loaded.manifest.chip.dram,
          ...(pageBytes === undefined ? {} : { pageBytes, activateCycles: 50 }),
        };
        const ofBench = { ...loaded.manifest.chip, dram };
        const result = execute({ ...loaded, manifest: { ...loaded.manifest, chip: ofBench } }, { timingOnly: true });
        const { cycles, portBytes } = new Transfers({
          ...chip,
          clockHz: ofBench.clockHz,
          dram: { energyPicojoulesPerByte: chip.dram.energyPicojoulesPerByte, ...dram }, // no pages where none are given
        }).workOf('loadStrided', (name) => fields.get(name) ?? 0);
        expect(portBytes).toBe(result.dramReadBytes - result.bytesByClass.code);
        const codeCycles = (result.bytesByClass.code - 1) / 4; // all but the end was there before the transfer
        expect(Math.abs(result.busyCycles.dram - cycles - codeCycles)).toBeLessThan(2);
      },
    ),
    { numRuns: 300 },
  );
});
