/** simulate with its two threads: what the user sees when one of them fails, and that the kernels make no difference. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { scratchDirectory, spillway, spillwayJson } from './cli-harness.js';

const directory = join(scratchDirectory(), 'tiny');

beforeAll(() => {
  const done = spillway('compile', 'examples/tiny.model.ts', '--target', 'chip-a', '-o', directory);
  if (done.code !== 0) throw new Error(done.stderr);
});

/** One diagnostic and perhaps its hint; never a stack. */
function expectRefusal(flags: readonly string[], code: number, text: RegExp): void {
  const done = spillway('simulate', directory, ...flags);
  expect(done).toMatchObject({ code, stdout: '' });
  expect(done.stderr).toMatch(text);
  expect(done.stderr).not.toMatch(/^ {4}at /m);
  expect(done.stderr.split('\n').filter((line) => /\bSW\d{4}\b/.test(line))).toHaveLength(1);
}

test('both kinds of kernels print the same, and equal the reference', () => {
  const simd = spillwayJson('simulate', directory);
  expect(simd).toMatchObject({ matchesReference: true, faultCount: 0 });
  expect(spillwayJson('simulate', directory, '--kernels', 'plain')).toEqual(simd);
});

test('an unknown kind of kernels is a matter of usage', () => {
  expectRefusal(['--kernels', 'fast'], 2, /SW8001 .*--kernels is 'fast'; it must be one of plain, simd/);
});

describe('a thread that fails', () => {
  test('the reference: its graph was changed', () => {
    const file = join(directory, 'graph.ir');
    const text = readFileSync(file);
    appendFileSync(file, '\n');
    expectRefusal([], 1, /graph\.ir: SW4022/);
    writeFileSync(file, text);
  });

  test('the simulation: an input that the model does not have, which the reference would pass over', () => {
    const npy = join(directory, 'x.npy');
    const header = "{'descr': '|i1', 'fortran_order': False, 'shape': (1,), }";
    const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
    const preamble = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]);
    writeFileSync(npy, Buffer.concat([preamble, Buffer.from(`${header.padEnd(length - 1)}\n`), Buffer.from([1])]));
    expectRefusal(['--input', `nothing=${npy}`], 1, /SW5003 .*no input 'nothing'/);
    rmSync(npy);
  });
});
