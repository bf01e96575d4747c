/** A compilation that is interrupted ends with the best plan so far, or with nothing. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { compileProgram } from '../src/driver/compile.js';
import { importModel } from '../src/driver/import-model.js';
import { countTraffic } from '../src/driver/period-bytes.js';
import { loadChip } from '../src/target/chip.js';
import { CLI, ROOT, scratchDirectory, spillwayJson } from './cli-harness.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('a search that is stopped at its first plan gives a sound one, and says so', async () => {
  const { program, batch } = await importModel('examples/mobilenet-v2.model.ts', {
    params: new Map(),
    shapes: new Map(),
    dtype: 'int8',
  });
  const chip = { ...loadChip('chip-1m'), sram: { ...loadChip('chip-1m').sram, bytes: 400 * 1024 } };
  const options = { chip, batch, dtype: 'int8', solver: 'glpk', gap: 0.001, timeLimitSeconds: 10 } as const;
  let isStopped = false;
  const reports: [number, number][] = [];
  const control = {
    isStopped: () => isStopped,
    onProgress: (best: number, bound: number) => {
      reports.push([best, bound]);
      isStopped = true;
    },
  };
  const stopped = await compileProgram(program, { ...options, placement: 'ilp', control });
  expect(stopped.schedule.record.status).toBe('interrupted');
  for (const [best, bound] of reports) expect(bound).toBeLessThanOrEqual(best);
  const bytesOf = ({ schedule, emitted }: typeof stopped): number => countTraffic(schedule, emitted).period.totalBytes;
  const greedy = await compileProgram(program, { ...options, placement: 'greedy' });
  expect(bytesOf(stopped)).toBeLessThanOrEqual(bytesOf(greedy));
  const whole = await compileProgram(program, { ...options, placement: 'ilp' });
  expect(whole.schedule.record.status).not.toBe('interrupted');
  expect(bytesOf(whole)).toBeLessThanOrEqual(bytesOf(stopped));
  expect(stopped.schedule.record.boundBytes ?? 0).toBeLessThanOrEqual(stopped.schedule.record.plannedTrafficBytes);
});

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** Ctrl-C after some time; what that time is worth depends on the machine, so every ending must be a good one. */
function interruptedAfter(milliseconds: number, directory: string): Promise<Ended> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = [CLI, 'compile', 'examples/resnet50.model.ts', '-t', 'chip-a', '-o', directory];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += String(text);
  });
  setTimeout(() => child.kill('SIGINT'), milliseconds);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stderr })));
}

test.each([20, 600, 2500])('Ctrl-C after %d ms leaves a whole directory or none', async (milliseconds) => {
  const parent = join(scratch, String(milliseconds));
  const directory = join(parent, 'out');
  const { code, signal, stderr } = await interruptedAfter(milliseconds, directory);
  if (code === 0) {
    const { solver } = JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8'));
    if (stderr.includes('interrupted')) expect(solver.status).toBe('interrupted');
    expect(spillwayJson('simulate', directory, '--timing-only')).toMatchObject({ faults: [] });
    expect(readdirSync(parent)).toEqual(['out']);
    return;
  }
  // Before it listens for the signal, the process ends as any other does.
  expect(signal ?? code).toBe(signal === null ? 130 : 'SIGINT');
  if (signal === null) expect(stderr).toBe('interrupted: nothing was written\n');
  expect(existsSync(parent) ? readdirSync(parent) : []).toEqual([]);
});
