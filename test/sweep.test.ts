/** `spillway sweep` as a user runs it: axes, files, resumption after a kill, Ctrl-C, and numbers equal to single compiles. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Objective } from '../src/driver/objective-names.js';
import {
  addShapes,
  addValues,
  combinations,
  integersFrom,
  sramItemsFrom,
  sramSizes,
} from '../src/driver/sweep/axes.js';
import { Estimate } from '../src/driver/sweep/estimate.js';
import { kneesOf } from '../src/driver/sweep/knees.js';
import type { PointTask } from '../src/driver/sweep/point.js';
import { type Finished, sweepOf } from '../src/driver/sweep/series.js';
import {
  type DonePoint,
  isDone,
  type Sweep,
  type SweepPoint,
  sweepSchema,
} from '../src/driver/sweep/sweep-document.js';
import { loadChip } from '../src/target/chip.js';
import { CLI, ROOT, scratchDirectory, spillway, spillwayJson } from './cli-harness.js';

const TINY = 'examples/tiny.model.ts';

const sweepJson = (...args: readonly string[]): Sweep =>
  sweepSchema.parse(spillwayJson('sweep', ...args, '--jobs', '1'));

const pointFiles = (directory: string): string[] => {
  const folder = join(directory, 'points');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
};

/** Starts a sweep and sends the signal when some points are there. @returns exit code or signal, and stderr */
async function stopInTheMiddle(
  args: readonly string[],
  directory: string,
  signal: NodeJS.Signals,
  afterPoints: number,
) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [CLI, 'sweep', ...args, '-o', directory], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, by) => resolve(code ?? by));
  });
  const watch = setInterval(() => {
    if (pointFiles(directory).length < afterPoints) return;
    clearInterval(watch);
    child.kill(signal);
  }, 2);
  const end = await ended;
  clearInterval(watch);
  return { end, stderr };
}

const RANGE = ['--target', 'chip-a', '--sram', '1KiB..64KiB', '--per-octave', '4'];

test('a killed sweep goes on where it was: no point is lost or made again, and the result is that of one run', async () => {
  const directory = scratchDirectory();
  const args = [TINY, ...RANGE, '--jobs', '2'];
  const { end } = await stopInTheMiddle(args, directory, 'SIGKILL', 5);
  expect(end).toBe('SIGKILL');
  const before = pointFiles(directory);
  expect(before.length).toBeGreaterThanOrEqual(5);
  expect(existsSync(join(directory, 'sweep.json'))).toBe(false);
  const inodes = new Map(before.map((name) => [name, statSync(join(directory, 'points', name)).ino]));
  // What a write that was cut off leaves behind.
  writeFileSync(join(directory, 'points', `${before[0]}.1.partial`), '{"schema":');

  expect(spillway('sweep', ...args, '-o', directory).code).toBe(0);
  const points = sweepSchema.parse(JSON.parse(readFileSync(join(directory, 'sweep.json'), 'utf8'))).series;
  expect(points.map((one) => one.points.length)).toEqual([25]);
  expect(readdirSync(join(directory, 'points')).sort()).toEqual(pointFiles(directory).sort());
  expect(pointFiles(directory)).toHaveLength(25);
  for (const [name, inode] of inodes) expect(statSync(join(directory, 'points', name)).ino).toBe(inode);

  const whole = scratchDirectory();
  expect(spillway('sweep', ...args.slice(0, -1), '1', '-o', whole).code).toBe(0);
  for (const name of ['sweep.json', 'sweep.csv']) {
    expect(readFileSync(join(directory, name), 'utf8')).toBe(readFileSync(join(whole, name), 'utf8'));
  }
}, 120_000);

test('Ctrl-C stops a sweep with 130 and keeps what is done', async () => {
  const directory = scratchDirectory();
  const { end, stderr } = await stopInTheMiddle([TINY, ...RANGE, '--jobs', '1'], directory, 'SIGINT', 2);
  expect(end).toBe(130);
  expect(stderr).toMatch(/^interrupted: \d+ of 25 points were done and are in /);
  expect(stderr).toContain('the same command goes on from there');
  expect(pointFiles(directory).length).toBeGreaterThanOrEqual(2);
  expect(existsSync(join(directory, 'sweep.json'))).toBe(false);
}, 120_000);

test('the points are those that compile makes one by one', () => {
  const { series } = sweepJson(TINY, '-t', 'chip-a,chip-b', '--sram', '2KiB,3KiB', '--param', 'size=16,24');
  expect(series.map(({ label }) => label)).toEqual([
    'size 16, chip-a',
    'size 16, chip-b',
    'size 24, chip-a',
    'size 24, chip-b',
  ]);
  const one = series[0];
  expect(one?.points.map(({ sramBytes }) => sramBytes)).toEqual([2048, 3072]);
  const done = one?.points.filter(isDone) ?? [];
  expect(done).toHaveLength(2);
  for (const point of done) {
    const report = spillwayJson('compile', TINY, '-t', 'chip-a', '-p', 'size=16', '--sram', `${point.sramBytes}`);
    const { period, perFrameBytes, timing, sram } = point;
    const { packing: _, ...sramOfReport } = (report as { sram: { packing: unknown } }).sram;
    expect({ period, perFrameBytes, timing, sram }).toEqual({
      ...pick(report, ['period', 'perFrameBytes', 'timing']),
      sram: sramOfReport,
    });
    expect(point.smallerPlan).toBeNull();
    expect(point.areaMm2).toBeCloseTo((point.sramBytes / 2 ** 20) * 1.1, 6);
  }
}, 120_000);

function pick(from: unknown, keys: readonly string[]): Record<string, unknown> {
  const source = from as Record<string, unknown>;
  return Object.fromEntries(keys.map((key) => [key, source[key]]));
}

test('more SRAM never moves more; what does not fit says the least SRAM; all bounds hold', () => {
  const { series } = sweepJson(TINY, '-t', 'chip-a', '--sram', '512B..16KiB', '--per-octave', '3');
  const points = series[0]?.points ?? [];
  expect(points[0]).toMatchObject({ sramBytes: 512, status: 'does-not-fit', leastSramBytes: 1040 });
  const done = points.filter(isDone);
  expect(points.slice(points.length - done.length).every(isDone)).toBe(true);
  expect(done[0]?.sramBytes).toBeGreaterThanOrEqual(1040);
  for (const [i, point] of done.entries()) {
    const smaller = done[i - 1];
    if (smaller !== undefined) expect(point.period.totalBytes).toBeLessThanOrEqual(smaller.period.totalBytes);
    expect(point.bound.compulsoryBytes).toBeLessThanOrEqual(point.period.totalBytes);
    expect(point.bound.solverBytes ?? 0).toBeLessThanOrEqual(point.period.totalBytes);
    expect(point.sram.peakBytes).toBeLessThanOrEqual(point.sramBytes);
  }
  const replaced = done.filter((point) => point.smallerPlan !== null);
  for (const point of replaced) expect(point.smallerPlan?.ownPerFrameBytes).toBeGreaterThan(point.perFrameBytes);
}, 120_000);

test('objectives and batches are axes; a sweep in which nothing fits ends with 3', () => {
  const { series } = sweepJson(
    TINY,
    '-t',
    'chip-a',
    '--sram',
    '3KiB',
    '--objective',
    'traffic,latency,energy',
    '--batch',
    '1,2',
  );
  expect(series.map(({ label, batch }) => [label, batch])).toEqual([
    ['batch 1, traffic', 1],
    ['batch 1, latency', 1],
    ['batch 1, energy', 1],
    ['batch 2, traffic', 2],
    ['batch 2, latency', 2],
    ['batch 2, energy', 2],
  ]);
  const [traffic, latency, energy] = series.map(({ points }) => points[0] as DonePoint);
  expect(latency?.timing.cycles).toBeLessThanOrEqual(traffic?.timing.cycles ?? 0);
  expect(energy?.energy.totalPicojoules).toBeLessThanOrEqual(traffic?.energy.totalPicojoules ?? 0);
  const none = spillway('sweep', TINY, '-t', 'chip-a', '--sram', '100B..200B', '--points', '2', '--json');
  expect(none.code).toBe(3);
  expect(sweepSchema.parse(JSON.parse(none.stdout)).series[0]?.points).toHaveLength(2);
}, 120_000);

test.each([
  [['--sram', '4KiB'], 2, '--target is missing'],
  [['-t', 'chip-a', '--sram', '4KiB..1KiB'], 2, 'a range begins with its smaller end'],
  [['-t', 'chip-a', '--param', 'sise=16'], 1, "'sise'"],
  [['-t', 'chip-a', '-o', '/dev/null/x'], 1, 'cannot be written'],
] as const)('%j is refused', (args, code, message) => {
  const done = spillway('sweep', TINY, ...args, ...(args.includes('-o' as never) ? [] : ['--json']));
  expect(done.stderr).toContain(message);
  expect(done.stdout).toBe('');
  expect(done.code).toBe(code);
});

test('axes that make no sense are refused', () => {
  const sram = sramItemsFrom('--sram');
  expect(() => sram('1KiB..2KiB..4KiB')).toThrow('a range has the form 1MiB..64MiB');
  expect(() => sram('1KiB,,2KiB')).toThrow('values are separated by single commas');
  expect(() => sram('1KiB,1KiB')).toThrow("--sram gives '1KiB' twice");
  expect(() => sram('1KiB..x')).toThrow("--sram is 'x'");
  expect(() => integersFrom('--batch', 1, 10)('1,x')).toThrow("--batch is 'x'");
  expect(() => addValues('--param')('size=1', addValues('--param')('size=2'))).toThrow("--param gives 'size' twice");
  expect(() => addShapes('x=1x3,1xy')).toThrow('it must have the form');
  expect(addShapes('x=1x3,1x4')).toEqual(
    new Map([
      [
        'x',
        [
          [1, 3],
          [1, 4],
        ],
      ],
    ]),
  );
  expect(
    combinations(addValues('--param')('b=3,4', addValues('--param')('a=1,2'))).map((one) => [...one.values()]),
  ).toEqual([
    ['1', '3'],
    ['1', '4'],
    ['2', '3'],
    ['2', '4'],
  ]);
  expect(combinations(new Map())).toEqual([new Map()]);
});

test('sizes are in logarithmic steps between ends that are kept', () => {
  const sizes = (text: string, density: Parameters<typeof sramSizes>[1]) =>
    sramSizes(sramItemsFrom('--sram')(text), density);
  expect(sizes('1MiB..4MiB', { perOctave: 1 })).toEqual([2 ** 20, 2 ** 21, 2 ** 22]);
  expect(sizes('1MiB..4MiB,3MiB,2MiB', { perOctave: 1 })).toEqual([2 ** 20, 2 ** 21, 3 * 2 ** 20, 2 ** 22]);
  expect(sizes('1000B..1001B', { perOctave: 4 })).toEqual([1000, 1001]);
  expect(sizes('4MiB..4MiB', { points: 40 })).toEqual([2 ** 22]);
  const forty = sizes('1MiB..64MiB', { points: 40 });
  expect(forty).toHaveLength(40);
  expect(forty.every((bytes) => bytes % 1024 === 0)).toBe(true);
  for (const [i, bytes] of forty.entries()) expect(bytes / 2 ** (20 + (6 * i) / 39)).toBeCloseTo(1, 2);
});

test('knees: where a curve bends, and nowhere else', () => {
  const curve = (...ys: readonly number[]) => ys.map((y, x) => ({ x, y }));
  expect(kneesOf(curve(10, 8, 6, 4, 2, 0))).toEqual([]); // a straight line
  expect(kneesOf(curve(10, 5, 0, 0, 0, 0))).toEqual([2]);
  expect(kneesOf(curve(20, 14, 8, 8, 8, 8, 4, 0, 0, 0, 0))).toEqual([2, 7]); // two falls
  expect(kneesOf(curve(10, 10, 10, 10, 10, 0))).toEqual([]); // it falls at the end, and nothing is known behind it
  expect(kneesOf(curve(5, 5, 5, 5, 5))).toEqual([]);
  expect(kneesOf(curve(10, 0))).toEqual([]);
  expect(kneesOf(curve(1000, 990, 980, 980, 980, 980))).toEqual([]); // 2 % in all are no fall
  // Halved at each step: 32 and 16 are more than the 10.5 that a straight line would fall, 8 is less.
  expect(kneesOf(curve(64, 32, 16, 8, 4, 2, 1))).toEqual([2]);
});

test('the estimate counts what is left at the pace of points of the same kind', () => {
  const estimate = new Estimate(['small', 'small', 'large', 'large', 'large'], 2);
  expect(estimate.text()).toBe('0 of 5 points');
  expect(estimate.done(0, 10)).toBe('1 of 5 points, about 20 s left'); // four more of 10 s, two at a time
  expect(estimate.done(2, 100)).toBe('2 of 5 points, about 1 min 45 s left');
  expect(estimate.done(1, undefined)).toBe('3 of 5 points, about 1 min 40 s left'); // it was found, not made
});

describe('curves are made of single points', () => {
  const sweep = sweepJson(TINY, '-t', 'chip-a', '--sram', '4KiB', '--placement', 'greedy');
  const [series] = sweep.series;
  const point = series?.points[0];
  if (series?.model == null || point === undefined || !isDone(point)) throw new Error('it does not fit');
  const { status: _, sramBytes: __, areaMm2: ___, isKnee: ____, smallerPlan: _____, ...measured } = point;
  const model = series.model;
  const chip = loadChip('chip-a');

  /** A sweep of points that move these bytes a period, in these many cycles, for so many picojoules; undefined: a fault of ours. */
  function curve(
    objective: Objective,
    costs: readonly (readonly [number, number, number?] | undefined)[],
  ): SweepPoint[] {
    const tasks = costs.map(
      (___, i): PointTask => ({
        variant: { model: TINY, params: new Map(), shapes: new Map(), states: new Map() },
        chip: { ...chip, sram: { ...chip.sram, bytes: 1024 * (i + 1) } },
        batch: 1,
        objective,
        options: { ...sweep.options },
      }),
    );
    const finished = costs.map((cost): Finished => {
      if (cost === undefined) return 'something broke';
      const [totalBytes, cycles, totalPicojoules = 0] = cost;
      const code = measured.period.byClass.code;
      return {
        status: 'done',
        batch: 1,
        model,
        measured: {
          ...measured,
          perFrameBytes: totalBytes,
          period: { ...measured.period, totalBytes },
          bound: { ...measured.bound, solverBytes: 90 + code, gap: 0 },
          timing: { ...measured.timing, cycles, framesPerSecond: 1e6 / cycles },
          energy: { ...measured.energy, totalPicojoules },
        },
      };
    });
    const made = sweepSchema.parse(sweepOf(TINY, tasks, finished));
    expect(made.series).toHaveLength(1);
    // The order in which points come does not matter.
    expect(sweepOf(TINY, tasks.toReversed(), finished.toReversed())).toEqual(made);
    return made.series[0]?.points ?? [];
  }

  const doneOf = (points: readonly SweepPoint[]) => points.filter(isDone);

  test('a size that comes out worse takes the plan of the best smaller one', () => {
    const points = doneOf(
      curve('traffic', [
        [5000, 10],
        [3000, 30],
        [4000, 5],
        [3500, 1],
        [2000, 50],
      ]),
    );
    expect(points.map(({ perFrameBytes }) => perFrameBytes)).toEqual([5000, 3000, 3000, 3000, 2000]);
    expect(points.map(({ smallerPlan }) => smallerPlan?.sramBytes ?? null)).toEqual([null, null, 2048, 2048, null]);
    expect(points[2]?.smallerPlan).toEqual({
      sramBytes: 2048,
      ownPerFrameBytes: 4000,
      ownFramesPerSecond: 2e5,
      ownPicojoules: 0,
    });
    expect(points[2]).toMatchObject({ sramBytes: 3072, timing: { cycles: 30 }, sram: { capacityBytes: 3072 } });
  });

  test('with latency as the objective, cycles decide', () => {
    const points = doneOf(
      curve('latency', [
        [5000, 10],
        [3000, 30],
        [4000, 5],
      ]),
    );
    expect(points.map(({ timing }) => timing.cycles)).toEqual([10, 10, 5]);
    expect(points[1]?.smallerPlan).toMatchObject({ sramBytes: 1024, ownPerFrameBytes: 3000 });
  });

  test('with energy as the objective, picojoules decide', () => {
    const points = doneOf(
      curve('energy', [
        [5000, 10, 7],
        [3000, 3, 9],
        [4000, 5, 6],
      ]),
    );
    expect(points.map(({ energy }) => energy.totalPicojoules)).toEqual([7, 7, 6]);
    expect(points[1]?.smallerPlan).toMatchObject({ sramBytes: 1024, ownPicojoules: 9 });
  });

  test('a bound that the smaller plan is below is none', () => {
    const code = measured.period.byClass.code;
    const [, above] = doneOf(
      curve('traffic', [
        [100 + code, 1],
        [200 + code, 1],
      ]),
    );
    expect(above?.bound).toMatchObject({ solverBytes: 90 + code, gap: 10 / (100 + code) });
    const [, below] = doneOf(
      curve('traffic', [
        [80 + code, 1],
        [200 + code, 1],
      ]),
    );
    expect(below?.bound).toMatchObject({ solverBytes: null, gap: null });
  });

  test('a point that could not be done is in its place', () => {
    const points = curve('traffic', [[5000, 1], undefined, [6000, 1]]);
    expect(points.map(({ status }) => status)).toEqual(['done', 'failed', 'done']);
    expect(points[1]).toMatchObject({ sramBytes: 2048, message: 'something broke' });
    expect(points[2]).toMatchObject({ perFrameBytes: 5000, smallerPlan: { sramBytes: 1024 } });
  });
});
