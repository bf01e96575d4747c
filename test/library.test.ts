/** `import { compile, simulate } from 'spillway'`. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { compile, diffReports, inspect, loadChip, SpillwayError, simulate, whatIf } from '../src/index.js';
import { ROOT, scratchDirectory, spillwayJson } from './cli-harness.js';
import { encodeModel, node, valueInfo } from './onnx-models.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const TINY = 'examples/tiny.model.ts';

test('gives in memory what the command line writes', async () => {
  const compiled = await compile({ model: TINY, target: 'chip-a', sramBytes: 4096 });
  const report = spillwayJson('compile', TINY, '-t', 'chip-a', '--sram', '4KiB', '-o', join(scratch, 'cli'));
  const timeless = (value: unknown): string => JSON.stringify(value).replace(/"seconds":[0-9.e-]+/g, '');
  expect(timeless(compiled.report)).toBe(timeless(report));
  compiled.write(join(scratch, 'library'));
  const names = readdirSync(join(scratch, 'cli')).sort();
  expect([...compiled.files.keys()].sort()).toEqual(names);
  for (const name of names) {
    const [a, b] = ['cli', 'library'].map((folder) => readFileSync(join(scratch, folder, name)));
    if (!/report/.test(name)) expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
  }
  const fromMemory = await simulate(compiled, { seed: 3 });
  const fromDisk = await simulate(join(scratch, 'library'), { seed: 3 });
  expect(fromMemory).toEqual(fromDisk);
  expect(fromMemory).toMatchObject({ faultCount: 0, matchesReference: true });
  expect(fromMemory.dramReadBytes + fromMemory.dramWriteBytes).toBe(compiled.report.period.totalBytes);
});

test('takes data of its own and a chip of its own', async () => {
  const chip = loadChip('chip-a');
  const target = { ...chip, name: 'mine', sram: { ...chip.sram, bytes: 6144 } };
  const compiled = await compile({ model: TINY, target, placement: 'greedy', batch: 2 });
  expect(compiled.report).toMatchObject({ batch: 2, placement: 'greedy', target: { name: 'mine', sramBytes: 6144 } });
  const [input] = compiled.manifest.inputs;
  const elements = input?.shape.reduce((a, b) => a * b, 1) ?? 0;
  const zeros = await simulate(compiled, { inputs: { [input?.name ?? '']: new Int8Array(elements) } });
  expect(zeros.matchesReference).toBe(true);
  const [output] = zeros.outputs;
  const [first, second] = output?.storageFrames ?? [];
  expect(first).toEqual(second);
  expect(await simulate(compiled, { timingOnly: true })).toMatchObject({ matchesReference: null, outputs: [] });
});

/** A cell that adds its input to what it carries. */
const carrying = encodeModel({
  nodes: [node('Add', ['x', 'state'], ['stateN']), node('Relu', ['stateN'], ['y'])],
  initializers: [],
  inputs: [valueInfo('x', [1, 4]), valueInfo('state', [1, 4])],
  outputs: ['y', 'stateN'],
});

test('carries states from frame to frame, with either kind of kernels, and writes traces', async () => {
  const model = join(scratch, 'carrying.onnx');
  writeFileSync(model, carrying);
  expect((await inspect({ model })).note).toContain('--state state=stateN');
  const request = { model, target: 'chip-a', states: { state: 'stateN' } };
  expect((await inspect(request)).note).toBeUndefined();
  const compiled = await compile(request);
  const sums: number[] = [];
  const trace = join(scratch, 'trace.json');
  const dramTrace = join(scratch, 'requests.trc');
  const run = await simulate(compiled, {
    frames: 3,
    inputs: { x: Float32Array.from([1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]) },
    onPeriod: (_, outputs) => sums.push(Number(outputs[0]?.storageFrames[0]?.[0])),
    trace,
    dramTrace,
    dramFormat: 'ramulator2',
  });
  expect(run).toMatchObject({ faultCount: 0, matchesReference: true });
  expect(sums).toEqual([1, 3, 7]);
  expect(readFileSync(trace, 'utf8')).toContain('traceEvents');
  expect(readFileSync(dramTrace, 'utf8')).not.toBe('');
  const plain = await simulate(compiled, { frames: 3, kernels: 'plain' });
  const simd = await simulate(compiled, { frames: 3 });
  expect(plain.outputs).toEqual(simd.outputs);
  await expect(simulate(await compile({ model: TINY, target: 'chip-a', batch: 2 }), { frames: 3 })).rejects.toThrow(
    'a period has 2 frames',
  );
});

test('asks what would be, and compares', async () => {
  const compiled = await compile({ model: TINY, target: 'chip-a', sramBytes: 3072 });
  const name = 'classes (weights)';
  const { report, diff, unmet } = await whatIf(compiled, { pin: [name], moreSramBytes: 1024 });
  expect(unmet).toEqual([]);
  expect(report.target.sramBytes).toBe(4096);
  expect(report.tensors.find((tensor) => tensor.name === name)?.home).toBe('sram');
  expect(diff).toEqual(diffReports(compiled.report, report));
  const { leastSram, totals } = await inspect({ model: TINY, minSram: true });
  expect(leastSram?.thatCompilesBytes).toBeLessThan(leastSram?.withoutActivationTrafficBytes ?? 0);
  expect(totals.macs).toBe(compiled.report.model.macs);
});

test('throws diagnostics for what is at fault', async () => {
  const failure = async (run: Promise<unknown>): Promise<string[]> => {
    const error = await run.catch((thrown: unknown) => thrown);
    return error instanceof SpillwayError ? error.diagnostics.map(({ code }) => code) : [String(error)];
  };
  expect(await failure(compile({ model: 'none.onnx', target: 'chip-a' }))).toEqual(['SW8002']);
  expect(await failure(compile({ model: TINY, target: 'chip-x' }))).toEqual(['SW3101']);
  const broken = { ...loadChip('chip-a'), clockHz: -1 };
  expect(await failure(compile({ model: TINY, target: broken }))).toEqual(['SW3103']);
  expect(await failure(compile({ model: TINY, target: 'chip-a', sramBytes: 64 }))).toContain('SW3001');
  expect(await failure(simulate(join(scratch, 'nowhere')))).toContain('SW4020');
});

test('the example runs', () => {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ['examples/which-sram.mjs', TINY, 'chip-a'];
  const done = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  expect(done.stderr).toBe('');
  expect(done.stdout).toMatch(
    /KiB is enough\.\nSimulated: 0 faults, bytes as reported, outputs equal to the reference\.\n$/,
  );
});
