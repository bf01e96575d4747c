/** Compile, simulate and compare through the built command line: the promises of the README, held on small networks. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { type Report, reportSchema } from '../src/driver/report.js';
import { SHARED_MODELS, scratchDirectory, simulationSchema, spillway, spillwayJson } from './cli-harness.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const rowsSchema = z.strictObject({ rows: z.array(reportSchema) });

const FILES = [
  'dram.bin',
  'graph.bin',
  'graph.ir',
  'manifest.json',
  'options.json',
  'program.asm',
  'program.bin',
  'program.map.json',
  'report.html',
  'report.json',
  'report.txt',
];

function compile(name: string, args: readonly string[]): { directory: string; report: Report } {
  const directory = join(scratch, name);
  const report = reportSchema.parse(spillwayJson('compile', ...args, '-o', directory));
  return { directory, report };
}

/** Simulates and holds the run against the report; @returns the hashes of the outputs. */
function expectSound(directory: string, report: Report, ...args: readonly string[]): string[] {
  const run = simulationSchema.parse(spillwayJson('simulate', directory, ...args));
  expect(run.faults).toEqual([]);
  expect(run.byClass).toEqual(report.period.byClass);
  expect(run.dramReadBytes).toBe(report.period.readBytes);
  expect(run.dramWriteBytes).toBe(report.period.writeBytes);
  expect(run.prologueReadBytes).toBe(report.prologue.readBytes);
  // An estimate from the plan alone, which does not know the SRAM ports yet (float32 is bound by them): docs/timing.md.
  expect(report.timing.cycles / run.cycles).toBeGreaterThan(0.5);
  expect(report.timing.cycles / run.cycles).toBeLessThan(1.5);
  expect(run.matchesReference).toBe(args.includes('--timing-only') ? null : true);
  return run.outputs.map((output) => output.sha256);
}

/** What holds in every report, whatever was compiled. */
function expectConsistent(report: Report): void {
  const { period, sram, bound, tensors, layers, batch } = report;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  expect(period.readBytes + period.writeBytes).toBe(period.totalBytes);
  expect(sum(Object.values(period.byClass))).toBe(period.totalBytes);
  expect(sum(tensors.map((tensor) => tensor.readBytes))).toBe(period.readBytes);
  expect(sum(tensors.map((tensor) => tensor.writeBytes))).toBe(period.writeBytes);
  expect(sum(layers.map((layer) => layer.readBytes + layer.writeBytes))).toBe(period.totalBytes - period.byClass.code);
  expect(sram.peakBytes).toBeLessThanOrEqual(sram.capacityBytes);
  for (const layer of layers) expect(layer.sramBytes).toBeLessThanOrEqual(sram.capacityBytes);
  expect(bound.crossingBytes).toBeGreaterThanOrEqual(bound.compulsoryBytes);
  expect(period.totalBytes).toBeGreaterThanOrEqual(bound.crossingBytes);
  expect(period.totalBytes).toBeGreaterThanOrEqual(bound.solverBytes ?? 0);
  expect(report.perFrameBytes).toBe(Math.round(period.totalBytes / batch));
  expect(tensors.every((tensor) => tensor.why.length > 10)).toBe(true);
}

function expectOrdered(rows: readonly Report[]): void {
  expect(rows.map((row) => row.placement)).toEqual(['none', 'greedy', 'ilp']);
  const [none = 0, greedy = 0, ilp = 0] = rows.map((row) => row.period.totalBytes);
  expect(ilp).toBeLessThanOrEqual(greedy);
  expect(greedy).toBeLessThanOrEqual(none);
}

const TINY = 'examples/tiny.model.ts';

describe('tiny', () => {
  // Room for all, for some, and hardly for the largest layer.
  test.each([
    ['int8', '8MiB'],
    ['int8', '4KiB'],
    ['int8', '1200'],
    ['float32', '8KiB'],
  ])('in %s with %s of SRAM: every placement is sound and they are in order', (dtype, sram) => {
    const args = [TINY, '--target', 'chip-a', '--sram', sram, '--dtype', dtype];
    const { rows } = rowsSchema.parse(spillwayJson('compare', ...args));
    expectOrdered(rows);
    const outputs = rows.map((row) => {
      const { directory, report } = compile(`${dtype}-${sram}-${row.placement}`, [
        ...args,
        '--placement',
        row.placement,
      ]);
      expectConsistent(report);
      expect(report.period).toEqual(row.period);
      return expectSound(directory, report)[0];
    });
    expect(new Set(outputs).size).toBe(1);
  });
});

test('a directory holds the files that the README names, and report.json is the report', () => {
  const { directory, report } = compile('files', [TINY, '--target', 'chip-b']);
  expect(readdirSync(directory).sort()).toEqual(FILES);
  expect(JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8'))).toEqual(report);
  const text = readFileSync(join(directory, 'report.txt'), 'utf8');
  expect(text).toContain(String(report.period.totalBytes));
  for (const { why } of report.tensors) expect(text).toContain(why);
});

test('frames of a batch run in groups where that moves less', () => {
  const args = [TINY, '--target', 'chip-a', '--no-blocks', '--batch'];
  for (const [sram, batch, together] of [
    ['5KiB', '4', 1],
    ['12KiB', '8', 2],
  ] as const) {
    const { directory, report } = compile(`groups-${batch}`, [...args, batch, '--sram', sram]);
    const { report: one } = compile('group-of-one', [...args, '1', '--sram', sram]);
    expect(report.groupFrames).toBe(together);
    expect(report.perFrameBytes).toBeLessThan(one.perFrameBytes);
    expectConsistent(report);
    expectSound(directory, report);
  }
});

test('nothing but JSON on stdout', () => {
  // GLPK prints a line on this one, whatever its message level says.
  const { report } = compile('silent', [
    'examples/yolov3.model.ts',
    '--param',
    'size=160',
    '-t',
    'chip-a',
    '--sram',
    '8MiB',
  ]);
  expectConsistent(report);
});

test('the same command writes the same bytes', () => {
  const [a, b] = ['same-a', 'same-b'].map((name) => compile(name, [TINY, '--target', 'chip-1m']).directory);
  for (const file of FILES.filter((name) => !name.startsWith('report'))) {
    expect(readFileSync(join(b ?? '', file)).equals(readFileSync(join(a ?? '', file)))).toBe(true);
  }
});

test('the text of a stream assembles to the same bytes', () => {
  const { directory } = compile('asm', [TINY, '--target', 'chip-512k', '--sram', '2KiB']);
  const text = spillway('disasm', directory);
  expect(text.stdout).toBe(readFileSync(join(directory, 'program.asm'), 'utf8'));
  const binary = join(scratch, 'assembled', 'program.bin');
  const done = spillway('disasm', '--assemble', join(directory, 'program.asm'), '-o', binary);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(readFileSync(binary).equals(readFileSync(join(directory, 'program.bin')))).toBe(true);
});

test('a batch is reported for all its frames, and every frame equals the reference', () => {
  const one = compile('batch-1', [TINY, '--target', 'chip-a', '--sram', '3KiB']);
  const three = compile('batch-3', [TINY, '--target', 'chip-a', '--sram', '3KiB', '--batch', '3']);
  expectConsistent(three.report);
  expect(three.report.batch).toBe(3);
  expect(three.report.period.byClass.input).toBe(3 * one.report.period.byClass.input);
  const [first] = expectSound(one.directory, one.report);
  const [all] = expectSound(three.directory, three.report);
  expect(all).not.toBe(first);
  expectSound(three.directory, three.report, '--seed', '7');
});

test('latency is an objective, and the result is as sound', () => {
  const { directory, report } = compile('latency', [TINY, '--target', 'chip-a', '--objective', 'latency']);
  expect(report.objective).toBe('latency');
  expectSound(directory, report);
});

test('both solvers prove the same bytes', () => {
  const args = ['examples/fsrcnn.model.ts', '--param', 'width=96', '--target', 'chip-512k'];
  const [glpk, highs] = ['glpk', 'highs'].map((solver) =>
    reportSchema.parse(spillwayJson('compile', ...args, '--solver', solver)),
  );
  expect(highs?.solver.name).toBe('highs');
  const gap = Math.max(glpk?.bound.gap ?? 1, highs?.bound.gap ?? 1);
  expect(gap).toBeLessThanOrEqual(0.0011);
  const [a, b] = [glpk?.period.totalBytes ?? 0, highs?.period.totalBytes ?? 0];
  expect(Math.abs(a - b) / b).toBeLessThanOrEqual(0.0022);
});

test('passes that are left out change no output', () => {
  const names = spillway('compile', '--list-passes')
    .stdout.split('\n')
    .filter((line) => line.endsWith('(optional)'))
    .map((line) => line.split(' ')[0] ?? '');
  expect(names.length).toBeGreaterThan(0);
  const base = compile('passes-all', [TINY, '--target', 'chip-a', '--sram', '4KiB']);
  const expected = expectSound(base.directory, base.report);
  for (const name of names) {
    const other = compile(`without-${name}`, [TINY, '--target', 'chip-a', '--sram', '4KiB', '--disable-pass', name]);
    expect(expectSound(other.directory, other.report)).toEqual(expected);
  }
});

test('outputs are saved as .npy, and given inputs are used', () => {
  const { directory } = compile('npy', [TINY, '--target', 'chip-a', '--dtype', 'float32']);
  const data = new Float32Array(16 * 16 * 3).map((_, i) => Math.sin(i));
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 16, 16, 3), }`.padEnd(117);
  const file = join(scratch, 'image.npy');
  const npy = Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]),
    Buffer.from(`${header}\n`),
    Buffer.from(data.buffer),
  ]);
  writeFileSync(file, npy);
  const saved = join(scratch, 'saved');
  const run = simulationSchema.parse(
    spillwayJson('simulate', directory, '--input', `image=${file}`, '--save-outputs', saved),
  );
  expect(run.matchesReference).toBe(true);
  const seeded = simulationSchema.parse(spillwayJson('simulate', directory));
  expect(run.outputs[0]?.sha256).not.toBe(seeded.outputs[0]?.sha256);
  const [name = ''] = readdirSync(saved);
  expect(name).toBe('classes.npy');
  expect(readFileSync(join(saved, name)).subarray(1, 6).toString()).toBe('NUMPY');
});

describe('examples at small sizes', () => {
  test.each([
    ['resnet50', 'size=32', 'chip-1m'],
    ['mobilenet-v2', 'size=32', 'chip-512k'],
    ['fsrcnn', 'width=96', 'chip-512k'],
  ])('%s with %s on %s', (model, param, target) => {
    const args = [`examples/${model}.model.ts`, '--param', param, '--target', target];
    const { rows } = rowsSchema.parse(spillwayJson('compare', ...args));
    expectOrdered(rows);
    rows.forEach(expectConsistent);
    const { directory, report } = compile(`${model}-${param}-${target}`, args);
    expect(report.period).toEqual(rows[2]?.period);
    expectSound(directory, report);
  });
});

describe("large examples at small sizes, in the ILP's plan", () => {
  test.each([
    ['yolov3', ['--param', 'size=64', '--target', 'chip-1m']],
    ['vgg19', ['--param', 'size=32', '--target', 'chip-512k']],
    ['vgg-first-five', ['--param', 'size=32', '--target', 'chip-512k', '--dtype', 'float32']],
    ['fsrcnn', ['--param', 'width=64', '--param', 'height=48', '--target', 'chip-a', '--sram', '32KiB']],
  ])('%s %j', (model, args) => {
    const { directory, report } = compile(`small-${model}`, [`examples/${model}.model.ts`, ...args]);
    expectConsistent(report);
    expectSound(directory, report);
  });
});

describe('networks as they come', () => {
  const shared = ['light_squeezenet.onnx', 'ultraface_slim_320.onnx'];
  test.each(shared)('%s on 512 KiB', (file) => {
    const path = join(SHARED_MODELS, file);
    if (!existsSync(path)) {
      console.warn(`skipped: ${file} is not there`);
      return;
    }
    const { directory, report } = compile(file, [path, '--target', 'chip-512k']);
    expectConsistent(report);
    expectSound(directory, report);
  });
});

describe('inspect', () => {
  const inspectionSchema = z.looseObject({
    totals: z.looseObject({ weights: z.int(), macs: z.int() }),
    largestActivation: z.looseObject({ bytes: z.int() }),
    largestConvolution: z.looseObject({ bytes: z.int() }),
  });
  const inspect = (...args: string[]) => inspectionSchema.parse(spillwayJson('inspect', ...args));

  test('ResNet-50 has the sizes that are published for it', () => {
    const resnet = inspect('examples/resnet50.model.ts');
    expect(resnet.largestActivation.bytes).toBe(802816);
    expect(resnet.largestConvolution.bytes).toBe(1204224);
    expect(resnet.totals.macs / 1e9).toBeCloseTo(4.09, 2);
  });

  test.each([
    ['608', 17743872],
    ['1440', 99532800],
  ])('YOLOv3 at %s has them too', (size, bytes) => {
    const yolo = inspect('examples/yolov3.model.ts', '--param', `size=${size}`);
    expect(yolo.totals.weights / 1e6).toBeCloseTo(61.9, 1);
    expect(yolo.largestConvolution.bytes).toBe(bytes);
  });
});
