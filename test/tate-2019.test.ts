/** examples/tate-2019/README.md says what the compiler says: the facts of the networks, and the claims about chip B. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isDone, sweepSchema } from '../src/driver/sweep/sweep-document.js';
import { ROOT, spillwayJson } from './cli-harness.js';

const page = readFileSync(join(ROOT, 'examples', 'tate-2019', 'README.md'), 'utf8');

/** Cells of the row that begins with these. */
function row(...first: readonly string[]): string[] {
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  return rows.find((cells) => first.every((cell, i) => cells[i] === cell)) ?? [];
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
}, 60_000);

test.each([
  ['ResNet-50: activation storage', 'resnet50', [], '1.2 MB'],
  ['YOLOv3 608: activation storage', 'yolov3', ['--param', 'size=608'], '18 MB'],
] as const)(
  '%s',
  (what, model, args, article) => {
    const { largestConvolution } = spillwayJson('inspect', `examples/${model}.model.ts`, ...args) as {
      largestConvolution: { bytes: number; inputBytes: number; outputBytes: number };
    };
    const { bytes, inputBytes, outputBytes } = largestConvolution;
    expect(row(what)).toEqual([
      what,
      article,
      `${mb(bytes, 1)} MB (${mb(inputBytes, 1)} MB in, ${mb(outputBytes, 1)} MB out)`,
    ]);
  },
  30_000,
);
