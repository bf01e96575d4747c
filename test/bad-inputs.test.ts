/** What goes wrong ends with the right exit code and one clear diagnostic, without a stack trace or files half-written. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Finished, ROOT, SHARED_MODELS, scratchDirectory, spillway } from './cli-harness.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const TINY = 'examples/tiny.model.ts';

/** One diagnostic (with its hint), nothing on stdout, and no trace of our insides. */
function expectRefused(done: Finished, code: number, pattern: RegExp): void {
  expect(done.stderr).toMatch(pattern);
  expect(done.stderr).not.toMatch(/^\s+at .*\.js:\d+/m);
  expect(done.stdout).toBe('');
  expect(done.code).toBe(code);
}

function write(name: string, content: string | Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

/** Compiles what must fail, and finds nothing where it would have been written. */
function expectNothingWritten(args: readonly string[], code: number, pattern: RegExp): void {
  const parent = join(scratch, 'nothing');
  mkdirSync(parent, { recursive: true });
  expectRefused(spillway('compile', ...args, '-o', join(parent, 'dir')), code, pattern);
  expect(readdirSync(parent)).toEqual([]);
}

describe('model files', () => {
  test('a missing file', () => {
    expectNothingWritten(['no/such.model.ts', '-t', 'chip-a'], 1, /^no\/such\.model\.ts: SW8002 \(input\)/);
  });

  test('a kind of file that is not read', () => {
    expectNothingWritten([write('net.pb', 'x'), '-t', 'chip-a'], 1, /SW8004/);
  });

  test('a model file that loops for ever', () => {
    const source = `import { input, model } from 'spillway/model';
export default model({ name: 'loop', build: () => {
  while (true) {}
  return input({ name: 'x', height: 1, width: 1, channels: 1 });
} });
`;
    expectNothingWritten([write('loop.model.ts', source), '-t', 'chip-a'], 1, /loop\.model\.ts:\d+:\d+: SW10\d\d/);
  });

  test('a model file that is not TypeScript', () => {
    expectNothingWritten([write('broken.model.ts', 'export default {{{'), '-t', 'chip-a'], 1, /SW10\d\d \(model\)/);
  });

  test('a parameter that the model does not have', () => {
    expectNothingWritten([TINY, '-t', 'chip-a', '--param', 'nonsense=1'], 1, /nonsense/);
  });

  test('ONNX files that are cut short, empty, or something else', () => {
    const whole = join(SHARED_MODELS, 'ultraface_slim_320.onnx');
    const pieces: [string, Uint8Array][] = [
      ['empty.onnx', new Uint8Array()],
      ['noise.onnx', Uint8Array.from({ length: 999 }, (_, i) => (i * 73) & 255)],
    ];
    if (existsSync(whole)) pieces.push(['cut.onnx', readFileSync(whole).subarray(0, 400_000)]);
    for (const [name, bytes] of pieces)
      expectNothingWritten([write(name, bytes), '-t', 'chip-a'], 1, /\.onnx: SW20\d\d/);
  });
});

describe('chips', () => {
  const chip = JSON.parse(readFileSync(join(ROOT, 'targets', 'chip-a.json'), 'utf8'));

  test('an unknown name gets the nearest one', () => {
    expectNothingWritten([TINY, '-t', 'chip-z'], 1, /SW3101[\s\S]*chip-a/);
  });

  test('negative SRAM', () => {
    const path = write('negative.json', JSON.stringify({ ...chip, sram: { ...chip.sram, bytes: -8388608 } }, null, 2));
    expectNothingWritten([TINY, '-t', path], 1, /negative\.json:\d+:\d+: SW3103 .*sram\.bytes/);
  });

  test('not JSON', () => {
    expectNothingWritten([TINY, '-t', write('chip.json', '{ "name": ')], 1, /SW3102/);
  });

  test('too little SRAM ends with 3 and says how much is needed; that much is enough', () => {
    const args = ['compile', TINY, '-t', 'chip-a'];
    const done = spillway(...args, '--sram', '64', '-o', join(scratch, 'small'));
    expectRefused(done, 3, /SW3001 \(target\)/);
    expect(existsSync(join(scratch, 'small'))).toBe(false);
    const least = /the least SRAM that this model compiles for is (\d+) B/.exec(done.stderr)?.[1];
    expect(least).toBeDefined();
    expect(spillway(...args, '--sram', least ?? '', '--json').code).toBe(0);
  });
});

describe('usage', () => {
  test.each([
    [['compile', TINY, '-t', 'chip-a', '--nonsense']],
    [['compile', TINY]],
    [['compile']],
    [['nonsense']],
    [[]],
    [['compile', TINY, '-t', 'chip-a', '--placement', 'best']],
    [['compile', TINY, '-t', 'chip-a', '--batch', '0']],
    [['compile', TINY, '-t', 'chip-a', '--sram', '-5']],
    [['compile', TINY, '-t', 'chip-a', '--param', 'size']],
    [['compile', TINY, '-t', 'chip-a', '--disable-pass', 'nonsense']],
    [['compile', TINY, '-t', 'chip-a', '--disable-pass', 'resolve-views']],
    [['compile', TINY, '-t', 'chip-a', '--stop-after', 'nonsense']],
    [['disasm']],
  ])('%j ends with 2', (args) => {
    const done = spillway(...args);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).not.toBe('');
    expect(done.stderr).not.toMatch(/^\s+at /m);
  });

  test.each([[['--help']], [['compile', '--help']], [['--version']]])('%j ends with 0', (args) => {
    const done = spillway(...args);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).not.toBe('');
  });
});

describe('compiled directories', () => {
  const whole = join(scratch, 'whole');
  beforeAll(() => {
    const done = spillway('compile', TINY, '-t', 'chip-a', '--sram', '3KiB', '-o', whole);
    expect(done).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['program.bin', 'dram.bin', 'manifest.json', 'graph.ir', 'graph.bin'])('a flipped bit in %s', (file) => {
    const bytes = readFileSync(join(whole, file));
    for (const part of [0, 0.37, 0.71, 1]) {
      const directory = join(scratch, 'flipped');
      cpSync(whole, directory, { recursive: true });
      const flipped = Buffer.from(bytes);
      const at = Math.min(flipped.length - 1, Math.floor(part * flipped.length));
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(join(directory, file), flipped);
      expectRefused(spillway('simulate', directory), 1, /SW4\d\d\d \(input\)/);
      rmSync(directory, { recursive: true });
    }
  });

  test.each(['program.bin', 'dram.bin', 'manifest.json'])('without %s', (file) => {
    const directory = join(scratch, 'without');
    cpSync(whole, directory, { recursive: true });
    rmSync(join(directory, file));
    expectRefused(spillway('simulate', directory), 1, new RegExp(`${file}: SW4020`));
    rmSync(directory, { recursive: true });
  });

  test('without the graph it still runs, uncompared', () => {
    const directory = join(scratch, 'no-graph');
    cpSync(whole, directory, { recursive: true });
    for (const file of ['graph.ir', 'graph.bin', 'report.json', 'report.txt', 'program.asm'])
      rmSync(join(directory, file));
    const done = spillway('simulate', directory, '--json');
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ faults: [], matchesReference: null });
  });

  test('inputs that do not exist or do not fit', () => {
    const npy = write('x.npy', 'not an array');
    expectRefused(spillway('simulate', whole, '--input', `image=${npy}`), 1, /SW5001/);
    expectRefused(spillway('simulate', whole, '--input', 'image=no/such.npy'), 1, /SW8002/);
  });

  test('a directory that cannot be written', () => {
    const file = write('a-file', '');
    expectRefused(spillway('compile', TINY, '-t', 'chip-a', '-o', join(file, 'dir')), 1, /SW8005/);
  });
});
