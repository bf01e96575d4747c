/** `compile --watch`: again after each change, also after one that is at fault, until Ctrl-C. */
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { CLI, ROOT, scratchDirectory, spillway } from './cli-harness.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('compiles again when the model changes', async () => {
  const model = join(scratch, 'net.model.ts');
  const out = join(scratch, 'out');
  copyFileSync(join(ROOT, 'examples/tiny.model.ts'), model);
  const sound = readFileSync(model, 'utf8');
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = [CLI, 'compile', model, '-t', 'chip-a', '-o', out, '--watch'];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise((resolve) => child.on('close', resolve));
  let [stdout, stderr] = ['', ''];
  let look = (): void => {};
  child.stdout.on('data', (text) => {
    stdout += String(text);
    look();
  });
  child.stderr.on('data', (text) => {
    stderr += String(text);
    look();
  });
  /** Until it waits for the n-th time. */
  const waits = (count: number): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (stderr.split('watching for changes').length - 1 >= count) resolve();
      };
      look();
    });
  const nameOf = (): unknown => JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')).model.name;
  await waits(1);
  expect(nameOf()).toBe('tiny');
  writeFileSync(model, 'export default {{{');
  await waits(2);
  expect(stderr).toContain('net.model.ts has changed');
  expect(stderr).toMatch(/SW10\d\d \(model\)/);
  writeFileSync(model, sound.replace("'tiny'", "'tinier'"));
  await waits(3);
  expect(nameOf()).toBe('tinier');
  expect(stdout.split('written to').length - 1).toBe(2);
  child.kill('SIGINT');
  await closed;
});

test('goes with no option that prints one document', () => {
  expect(spillway('compile', 'examples/tiny.model.ts', '-t', 'chip-a', '--watch', '--json').code).toBe(2);
});
