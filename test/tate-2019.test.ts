/** examples/tate-2019/README.md says what the compiler says: the facts of the networks, the rows of ResNet-50, and the claims about chip B. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isDone, sweepSchema } from '../src/driver/sweep/sweep-document.js';
import { ROOT, scratchDirectory, spillwayJson } from './cli-harness.js';

const page = readFileSync(join(ROOT, 'examples', 'tate-2019', 'README.md'), 'utf8');

/** Cells of the rows of all tables. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

/** The row of the page that begins with these. */
function row(...first: readonly string[]): string[] {
  return rowsOf(page).find((cells) => first.every((cell, i) => cells[i] === cell)) ?? [];
}

const mb = (bytes: number, digits: number): string => (bytes / 1e6).toFixed(digits);

test('chip B holds ResNet-50 whole, ten frames at a time', () => {
  const args = ['examples/resnet50.model.ts', '--target', 'chip-b', '--batch', '10'];
  const { series } = sweepSchema.parse(spillwayJson('sweep', ...args));
  expect(series).toHaveLength(1);
  for (const { batch, points } of series) {
    const [point] = points;
    if (point === undefined || batch === null || !isDone(point)) throw new Error('it does not fit');
    const { byClass, totalBytes } = point.period;
    expect(byClass.weights + byClass.activations).toBe(0);
    expect(totalBytes).toBe(byClass.input + byClass.output + byClass.code);
    expect(row('ResNet-50 224', String(batch), 'chip-b').slice(3, 8)).toEqual([
      mb(totalBytes / batch, 2),
      '0.00',
      '0.00',
      mb(point.bound.compulsoryBytes / batch, 2),
      `${mb(point.sram.peakBytes, 1)} MB`,
    ]);
  }
}, 120_000);

test('the rows of ResNet-50 are those that the command prints', () => {
  const directory = scratchDirectory();
  const args = ['examples/tate-2019/run.mjs', directory, '--only', 'resnet50', '--batch', '1'];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const done = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  rmSync(directory, { recursive: true, force: true });
  const printed = rowsOf(done.stdout).filter(([first = '']) => first.startsWith('ResNet-50'));
  expect(printed).toHaveLength(8);
  for (const cells of printed) {
    const isOfChip = cells.length > 3;
    expect(isOfChip ? row(...cells.slice(0, 3)) : row(cells[0] ?? '')).toEqual(cells);
  }
}, 300_000);

test('the activation storage of YOLOv3 at 608', () => {
  const { largestConvolution } = spillwayJson('inspect', 'examples/yolov3.model.ts', '--param', 'size=608') as {
    largestConvolution: { bytes: number; inputBytes: number; outputBytes: number };
  };
  const { bytes, inputBytes, outputBytes } = largestConvolution;
  const what = 'YOLOv3 608: activation storage';
  const ours = `${mb(bytes, 1)} MB (${mb(inputBytes, 1)} MB in, ${mb(outputBytes, 1)} MB out)`;
  expect(row(what)).toEqual([what, '18 MB', ours]);
}, 60_000);
