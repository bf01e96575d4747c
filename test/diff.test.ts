/** `spillway diff`: what it says of two compiled directories is what their reports say. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ReportDiff } from '../src/driver/diff.js';
import { type Report, reportSchema } from '../src/driver/report.js';
import { scratchDirectory, spillway, spillwayJson } from './cli-harness.js';

jest.setTimeout(60_000);

const scratch = scratchDirectory();
const [roomy, tight] = [join(scratch, 'roomy'), join(scratch, 'tight')];
let reports: [Report, Report];

beforeAll(() => {
  const compile = (directory: string, ...options: readonly string[]): Report => {
    const done = spillway('compile', 'examples/tiny.model.ts', '--target', 'chip-a', '-o', directory, ...options);
    if (done.code !== 0) throw new Error(done.stderr);
    return reportSchema.parse(JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8')));
  };
  reports = [compile(roomy), compile(tight, '--sram', '2KiB', '--batch', '2')];
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('totals and tensors are the differences of the reports, and add up', () => {
  const [before, after] = reports;
  const diff = spillwayJson('diff', roomy, tight) as ReportDiff;
  const traffic = diff.totals.find(({ name }) => name === 'traffic');
  expect(traffic?.before).toBe(before.period.totalBytes);
  expect(traffic?.after).toBe(after.period.totalBytes / 2);
  const moved = diff.tensors.reduce((sum, { deltaBytes }) => sum + deltaBytes, 0);
  expect(moved).toBe(traffic?.delta);
  const settings = diff.settings.map(({ name }) => name);
  expect(settings).toEqual(expect.arrayContaining(['SRAM bytes', 'batch']));
  for (const { name, home } of diff.tensors) {
    expect(home.before).toBe(before.tensors.find((tensor) => tensor.name === name)?.home ?? null);
    expect(home.after).toBe(after.tensors.find((tensor) => tensor.name === name)?.home ?? null);
  }
  for (const { layers } of diff.blocks) expect(layers.length).toBeGreaterThan(1);
  const runsInBlock = (report: Report): number => new Set(report.layers.flatMap(({ block }) => block ?? [])).size;
  expect(diff.blocks.length).toBeLessThanOrEqual(runsInBlock(before) + runsInBlock(after));
});

test('the text names what changed', () => {
  const { code, stdout } = spillway('diff', roomy, tight);
  expect(code).toBe(0);
  expect(stdout).toContain(`SRAM bytes: 8388608 -> 2048`);
  expect(stdout).toMatch(/^traffic +1\d{3} +\d+ +\+\d+ +\+\d+\.\d$/m);
  expect(stdout).toMatch(/tensors are elsewhere or move other bytes/);
});

test('nothing is different from itself', () => {
  const diff = spillwayJson('diff', tight, tight) as ReportDiff;
  expect([diff.settings, diff.tensors, diff.layers, diff.blocks]).toEqual([[], [], [], []]);
  expect(diff.totals.every(({ delta }) => delta === 0)).toBe(true);
});

test('what is no compiled directory', () => {
  const empty = join(scratch, 'empty');
  mkdirSync(empty);
  expect(spillway('diff', roomy, empty)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('SW8002'),
  });
  writeFileSync(join(empty, 'report.json'), '{"schema": "spillway-report/0"}');
  expect(spillway('diff', empty, roomy)).toMatchObject({ code: 1, stderr: expect.stringContaining('SW8007') });
  writeFileSync(join(empty, 'report.json'), '{');
  expect(spillway('diff', empty, roomy)).toMatchObject({ code: 1, stderr: expect.stringContaining('no JSON') });
});
