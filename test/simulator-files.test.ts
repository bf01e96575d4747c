import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exitCodeFor, SpillwayError } from '../src/base/diagnostic.js';
import { manifestText, sealManifest } from '../src/commands/manifest.js';
import { loadProgram, loadProgramDirectory } from '../src/simulator/load-program.js';
import { readNpy, writeNpy } from '../src/simulator/npy.js';
import { givenFrames, seededFrame, toOutside } from '../src/simulator/ports.js';
import { type Bench, build, INPUT, load, OUTPUT, run } from './simulator-harness.js';

function codesOf(action: () => unknown): string[] {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    expect(exitCodeFor(error.diagnostics)).toBe(1);
    return error.diagnostics.map((d) => d.code);
  }
  return [];
}

const COPY = `load dramBase=${INPUT} bytes=16 limit=16 signal=s0\nstore wait=s0 dramBase=${OUTPUT} bytes=16 limit=16`;

describe('a compiled directory', () => {
  const bench: Bench = {
    period: COPY,
    image: Uint8Array.from({ length: 40 }, (_, i) => i),
    quant: { scale: 1e-7, zeroPoint: 3 },
  };
  const { program, image, manifest } = build(bench);
  const files = {
    'program.bin': program,
    'dram.bin': image,
    'manifest.json': new TextEncoder().encode(manifestText(manifest)),
  };
  let directory = '';

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'spillway-'));
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('loads as written', () => {
    const loaded = loadProgramDirectory(directory);
    expect(loaded.manifest).toEqual(manifest);
    expect(loaded.dramImage.length).toBe(40);
  });

  test.each(Object.keys(files))('every single flipped bit of %s is refused with one diagnostic', (name) => {
    const path = join(directory, name);
    const good = readFileSync(path);
    // All bits of the small files; of the manifest one bit of every byte, another one each time.
    const step = name === 'manifest.json' ? 9 : 1;
    for (let bit = 0; bit < good.length * 8; bit += step) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(path, bad);
      if (codesOf(() => loadProgramDirectory(directory)).length !== 1) throw new Error(`bit ${bit} was let through`);
    }
    writeFileSync(path, good);
  });

  test.each(Object.keys(files))('%s truncated, or missing', (name) => {
    const path = join(directory, name);
    const good = readFileSync(path);
    for (const length of [0, 1, good.length - 1]) {
      writeFileSync(path, good.subarray(0, length));
      expect(codesOf(() => loadProgramDirectory(directory))).toHaveLength(1);
    }
    rmSync(path);
    expect(codesOf(() => loadProgramDirectory(directory))).toEqual(['SW4020']);
    writeFileSync(path, good);
  });

  test('a manifest whose parts contradict each other', () => {
    const { manifestHash: _, ...open } = manifest;
    const [region] = open.regions;
    const [port] = open.inputs;
    if (region === undefined || port === undefined) throw new Error('empty manifest');
    const broken = [
      { ...open, sramBytes: 1 },
      { ...open, dramBytes: 16 },
      { ...open, code: { ...open.code, bytes: 1 } },
      { ...open, regions: [region, { ...region, name: 'again' }] },
      { ...open, regions: [{ ...region, bytes: 41 }] },
      { ...open, inputs: [{ ...port, bytes: 15 }] },
      { ...open, inputs: [{ ...port, outsideAxes: [1] }] },
      { ...open, inputs: [{ ...port, outsideShape: [17] }] },
    ];
    for (const each of broken) {
      expect(codesOf(() => loadProgram(sealManifest(each), program, image, 'x'))).toEqual(['SW4023']);
    }
  });
});

describe('inputs and outputs', () => {
  const port = (bench: Partial<Bench>) => {
    const [input] = build({ period: COPY, ...bench }).manifest.inputs;
    if (input === undefined) throw new Error('no input');
    return input;
  };

  test('seeded inputs are those of docs/numerics.md', () => {
    const draws = [0x8be48b9e, 0x75a57b26, 0x3f3e1feb, 0x84f0d738];
    expect([...seededFrame(port({ inputShape: [4] }), 1, 0)]).toEqual(draws.map((d) => (d >>> 24) - 128));
    expect([...seededFrame(port({ inputShape: [4], dtype: 'float32' }), 1, 0)]).toEqual(
      draws.map((d) => Math.fround(d / 2 ** 31 - 1)),
    );
  });

  test('the outside sees its own axis order', () => {
    const image = port({ inputShape: [1, 2, 2, 3], outsideAxes: [0, 3, 1, 2] });
    const storage = Int8Array.from({ length: 12 }, (_, i) => i);
    const outside = toOutside(image, storage);
    expect([...outside]).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    expect(givenFrames(image, Int8Array.from(outside), 1)).toEqual([storage]);
  });

  test('a batch takes one frame for all, or all frames', () => {
    const small = port({ inputShape: [2] });
    expect(givenFrames(small, Int8Array.of(1, 2), 2)).toEqual([Int8Array.of(1, 2), Int8Array.of(1, 2)]);
    expect(givenFrames(small, Int8Array.of(1, 2, 3, 4), 2)).toEqual([Int8Array.of(1, 2), Int8Array.of(3, 4)]);
    expect(codesOf(() => givenFrames(small, Int8Array.of(1, 2, 3), 2))).toEqual(['SW5002']);
  });

  test('frames of a batch come out one after the other', () => {
    const bench = { period: COPY.replaceAll('bytes=16 limit=16', 'bytes=32 limit=32'), batch: 2 };
    const result = run(bench, { seed: 7 });
    const input = port(bench);
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.shape).toEqual([32]);
    expect(result.outputs[0]?.storageFrames).toEqual([seededFrame(input, 7, 0), seededFrame(input, 7, 1)]);
  });

  test('real values are quantised for an int8 input that has a scale', () => {
    const scaled = port({ inputShape: [4], quant: { scale: 0.5, zeroPoint: 1 } });
    expect([...(givenFrames(scaled, Float32Array.of(0.25, -0.25, 1000, 0.7), 1)[0] ?? [])]).toEqual([2, 0, 127, 2]);
    expect(codesOf(() => givenFrames(port({ inputShape: [1] }), Float32Array.of(1), 1))).toEqual(['SW5002']);
    expect(codesOf(() => givenFrames(port({ inputShape: [1] }), Int32Array.of(1), 1))).toEqual(['SW5002']);
  });

  test('a name that is no input', () => {
    const inputs = new Map([['z', new Int8Array(16)]]);
    expect(codesOf(() => run({ period: COPY }, { inputs }))).toEqual(['SW5003']);
    expect(load({ period: COPY }).manifest.inputs[0]?.name).toBe('x');
  });
});

describe('.npy', () => {
  test.each([
    { shape: [2, 3], data: Int8Array.of(1, -2, 3, -4, 5, -6) },
    { shape: [3], data: Float32Array.of(1.5, -2.5, 1e30) },
    { shape: [], data: Int32Array.of(-7) },
    { shape: [1, 2, 0], data: new Int8Array(0) },
  ])('reads what it writes: $shape', (array) => {
    const file = writeNpy(array);
    expect(readNpy(file, 'a.npy')).toEqual(array);
    expect((file.length - array.data.byteLength) % 64).toBe(0);
  });

  test('the header is what NumPy writes', () => {
    const text = new TextDecoder('latin1').decode(writeNpy({ shape: [3], data: Float32Array.of(1, 2, 3) }));
    expect(text.slice(10)).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3,\), \} *\n/);
  });

  test('refuses what it cannot read', () => {
    const good = writeNpy({ shape: [3], data: Float32Array.of(1, 2, 3) });
    const edited = (from: string, to: string) =>
      Uint8Array.from(Buffer.from(Buffer.from(good).toString('latin1').replace(from, to), 'latin1'));
    expect(codesOf(() => readNpy(good.slice(0, good.length - 1), 'a'))).toEqual(['SW5001']);
    expect(codesOf(() => readNpy(good.slice(0, 20), 'a'))).toEqual(['SW5001']);
    expect(codesOf(() => readNpy(new Uint8Array(3), 'a'))).toEqual(['SW5001']);
    expect(codesOf(() => readNpy(edited('<f4', '<f8'), 'a'))).toEqual(['SW5001']);
    expect(codesOf(() => readNpy(edited('False', 'True '), 'a'))).toEqual(['SW5001']);
  });
});
