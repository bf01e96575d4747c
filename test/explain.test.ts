/** `spillway explain`: reasons out of the report, and what-if questions answered by solving again. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ReportDiff } from '../src/driver/diff.js';
import { type Explanation, explain, type PlanExplanation } from '../src/driver/explain.js';
import { type Report, reportSchema, type TensorReport } from '../src/driver/report.js';
import { planOfPage } from '../src/driver/report-page.js';
import { scratchDirectory, spillway, spillwayJson } from './cli-harness.js';

jest.setTimeout(60_000);

type Document = Explanation & {
  readonly whatIf: {
    readonly tensor: TensorReport;
    readonly unmet: readonly string[];
    readonly diff: ReportDiff;
  } | null;
};

const scratch = scratchDirectory();
const directory = join(scratch, 'tiny');
let report: Report;

beforeAll(() => {
  const options = ['--target', 'chip-a', '--sram', '3KiB', '-o', directory];
  report = reportSchema.parse(spillwayJson('compile', 'examples/tiny.model.ts', ...options));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ask = (...args: readonly string[]): Document => spillwayJson('explain', directory, ...args) as Document;
const between = (): string => {
  const found = report.tensors.find((tensor) => tensor.class === 'activations' && tensor.home === 'sram');
  if (found === undefined) throw new Error('no activation is in SRAM');
  return found.name;
};

test('every tensor is explained with the numbers of the report', () => {
  const plan = planOfPage(readFileSync(join(directory, 'report.html'), 'utf8'));
  if (plan === undefined) throw new Error('the page has no plan');
  expect(ask(between())).toMatchObject({ tensor: { name: between() }, whatIf: null });
  report.tensors.forEach((tensor, index) => {
    const said = explain(report, plan, index);
    expect(said?.tensor).toEqual(tensor);
    if (said === undefined) return;
    if (tensor.class === 'code') {
      expect([said.life, said.fullest, said.keeping]).toEqual([null, null, null]);
      return;
    }
    const { first = 0, last = 0 } = said.life ?? {};
    const during = report.layers.slice(first, last + 1).map(({ sramBytes }) => sramBytes);
    expect(said.fullest?.sramBytes).toBe(Math.max(...during));
    for (const step of [...said.madeAt, ...said.readAt]) expect(step >= first && step <= last).toBe(true);
    if (tensor.home !== 'dram') expect(said.inSram.length).toBeGreaterThan(0);
  });
});

test('a tensor that is spilled moves, and is compared with what was compiled', () => {
  const name = between();
  const { whatIf } = ask(name, '--what-if', `spill=${name}`);
  expect(whatIf?.unmet).toEqual([]);
  expect(whatIf?.tensor.home).toBe('dram');
  expect(whatIf?.tensor.writeBytes).toBeGreaterThanOrEqual(whatIf?.tensor.bytes ?? 0);
  const traffic = whatIf?.diff.totals.find((row) => row.name === 'traffic');
  expect(traffic?.before).toBe(report.period.totalBytes);
  expect(traffic?.delta).toBeGreaterThan(0);
});

test('what is pinned where it is already changes nothing', () => {
  const name = between();
  const { whatIf } = ask(name, '--what-if', `pin=${name}`);
  expect(whatIf?.unmet).toEqual([]);
  expect(whatIf?.diff.totals.every(({ delta }) => delta === 0)).toBe(true);
  expect(whatIf?.diff.tensors).toEqual([]);
});

test('another SRAM: the same as compiling for it', () => {
  const { whatIf } = ask(between(), '--what-if', 'sram=2KiB');
  const compiled = reportSchema.parse(
    spillwayJson('compile', 'examples/tiny.model.ts', '--target', 'chip-a', '--sram', '2KiB'),
  );
  expect(whatIf?.diff.totals.find((row) => row.name === 'traffic')?.after).toBe(compiled.period.totalBytes);
  expect(whatIf?.diff.settings).toEqual([{ name: 'SRAM bytes', before: '3072', after: '2048' }]);
});

test('weights that are pinned stay in SRAM from frame to frame, and those that are spilled pass in every one', () => {
  const weights = report.tensors.filter((tensor) => tensor.class === 'weights');
  for (const { name, home, bytes } of weights) {
    const pinned = ask(name, '--what-if', `pin=${name}`).whatIf;
    expect(pinned?.unmet).toEqual([]);
    expect(pinned?.tensor).toMatchObject({ home: 'sram', readBytes: 0 });
    const spilled = ask(name, '--what-if', `spill=${name}`).whatIf;
    expect(spilled?.unmet).toEqual([]);
    expect(spilled?.tensor.home).toBe('dram');
    expect(spilled?.tensor.readBytes).toBeGreaterThanOrEqual(bytes);
    const traffic = pinned?.diff.totals.find((row) => row.name === 'traffic');
    if (home === 'sram') expect(traffic?.delta).toBe(0);
    else expect(traffic?.delta).toBeGreaterThan(0);
  }
});

test('weights that leave no room for a layer are at fault', () => {
  const all = report.tensors.filter((tensor) => tensor.class === 'weights');
  const done = spillway(
    'explain',
    directory,
    '--what-if',
    'sram=1824B',
    ...all.flatMap(({ name }) => ['--what-if', `pin=${name}`]),
  );
  expect(done).toMatchObject({ code: 3, stdout: '' });
  expect(done.stderr).toContain('pin fewer');
});

test('without a tensor: what more SRAM is worth, where it is, and what moves most', () => {
  const { plan, whatIf } = spillwayJson('explain', directory, '--what-if', 'sram=+1KiB') as {
    plan: PlanExplanation;
    whatIf: Document['whatIf'];
  };
  expect(plan.costly.map(({ trafficBytes }) => trafficBytes)).toEqual(
    report.tensors
      .map(({ readBytes, writeBytes }) => readBytes + writeBytes)
      .filter((bytes) => bytes > 0)
      .sort((a, b) => b - a),
  );
  expect(plan.tight.map(({ step }) => step).sort((a, b) => a - b)).toEqual(
    report.layers.filter(({ sramValue }) => sramValue > 0).map(({ step }) => step),
  );
  const value = report.layers.reduce((sum, { sramValue }) => sum + sramValue, 0);
  expect(plan.margin?.bytes).toBe(512); // a MiB is more than there is
  expect(plan.margin?.lessCostsBytes).toBe(Math.round(512 * value));
  expect(whatIf?.tensor).toBeNull();
  expect(whatIf?.diff.settings).toEqual([{ name: 'SRAM bytes', before: '3072', after: '4096' }]);
  const { stdout } = spillway('explain', directory);
  expect(stdout).toContain('512 B more SRAM would save at most');
});

test('the text', () => {
  const { code, stdout } = spillway('explain', directory, between(), '--what-if', 'sram=2KiB');
  expect(code).toBe(0);
  expect(stdout).toContain(`${between()}: activations`);
  expect(stdout).toMatch(/^fullest step of its life \(\d+ to \d+\): /m);
  expect(stdout).toContain('SRAM bytes: 3072 -> 2048');
});

test('questions that cannot be answered', () => {
  const fails = (code: number, text: string, ...args: readonly string[]): void => {
    const done = spillway('explain', directory, ...args);
    expect(done).toMatchObject({ code, stdout: '' });
    expect(done.stderr).toContain(text);
  };
  fails(2, `is it '${between()}'?`, `${between()}x`);
  fails(2, 'it must be sram=BYTES', between(), '--what-if', 'more=sram');
  fails(2, 'it is of class input', between(), '--what-if', 'pin=image');
  fails(2, 'no such tensor', between(), '--what-if', 'spill=nothing');
  fails(2, 'was compiled for 3072 B', between(), '--what-if', 'sram=-4KiB');
  fails(3, 'SW3001', between(), '--what-if', 'sram=64B');
  const options = join(directory, 'options.json');
  const recorded = readFileSync(options, 'utf8');
  writeFileSync(options, recorded.replace('"glpk"', '"abacus"'));
  fails(1, 'SW8008', between(), '--what-if', 'sram=4KiB');
  writeFileSync(options, recorded);
});
