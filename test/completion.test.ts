/** The completion scripts, run in the shells that are there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ROOT, spillway } from './cli-harness.js';

const folder = mkdtempSync(join(tmpdir(), 'completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

function script(shell: string): string {
  const { code, stdout } = spillway('completion', shell);
  expect(code).toBe(0);
  const file = join(folder, shell);
  writeFileSync(file, stdout);
  return file;
}

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const CHIPS = 'chip-1m chip-512k chip-a chip-b chip-c';

describe('bash', () => {
  (has('bash') ? test : test.skip).each([
    [['spillway', 'com'], 'compile compare completion'],
    [['spillway', 'compile', '--target', 'chip-'], CHIPS],
    [['spillway', 'compile', 'x.onnx', '-t', ''], CHIPS],
    [['spillway', 'compile', 'x.onnx', '--pla'], '--placement'],
    [['spillway', 'compile', 'x.onnx', '--placement', ''], 'none greedy ilp'],
    [['spillway', 'targets', 'chip-'], CHIPS],
    [['spillway', 'compile', 'exam'], ''], // files, by readline
    [['spillway', 'compile', '--batch', ''], ''],
  ] as const)('%j', (words, expected) => {
    const run = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spillway; echo "\${COMPREPLY[*]}"`;
    const done = spawnSync('bash', ['-c', run, 'bash', script('bash'), ...words], { cwd: ROOT, encoding: 'utf8' });
    expect(done.stderr).toBe('');
    expect(done.stdout.trim()).toBe(expected);
  });
});

(has('zsh') ? test : test.skip)('zsh takes its script', () => {
  expect(spawnSync('zsh', ['-n', script('zsh')], { encoding: 'utf8' }).stderr).toBe('');
});

(has('fish') ? test : test.skip)('fish completes', () => {
  const run = `source ${script('fish')}; complete -C 'spillway compile --target chip-'`;
  const done = spawnSync('fish', ['-c', run], { encoding: 'utf8' });
  expect(done.stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([...CHIPS.split(' '), '']);
});

test('another shell is refused', () => {
  expect(spillway('completion', 'tcsh')).toMatchObject({ code: 2, stdout: '' });
});
