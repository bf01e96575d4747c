import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { exitCodeFor, SpillwayError } from '../src/base/diagnostic.js';
import { CHIP_NUMBERS, listChips, loadChip, parseChip, targetsDirectory } from '../src/target/chip.js';
import { chipJsonSchema } from '../src/target/chip-json-schema.js';
import { findJsonPath } from '../src/target/json-position.js';
import { nearestName } from '../src/target/nearest-name.js';

const CHIP_A = readFileSync(`${targetsDirectory()}/chip-a.json`, 'utf8');

function diagnosticsOf(run: () => unknown) {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error.diagnostics;
    throw error;
  }
  throw new Error('accepted');
}

describe('the chips that come with Spillway', () => {
  test('are five, each with a source for every number', () => {
    expect(listChips()).toEqual(['chip-1m', 'chip-512k', 'chip-a', 'chip-b', 'chip-c']);
    for (const name of listChips()) {
      const chip = loadChip(name);
      expect(chip.name).toBe(name);
      expect(Object.keys(chip.sources)).toEqual([...CHIP_NUMBERS]);
    }
  });

  test('have the SRAM of the article', () => {
    const mib = (name: string) => loadChip(name).sram.bytes / 2 ** 20;
    expect(['chip-a', 'chip-b', 'chip-c', 'chip-1m', 'chip-512k'].map(mib)).toEqual([8, 64, 256, 1, 0.5]);
  });

  test('chip.schema.json is what the type says (npm run golden rewrites it)', () => {
    const file = `${targetsDirectory()}/chip.schema.json`;
    if (process.env.GOLDEN === 'write') writeFileSync(file, chipJsonSchema());
    expect(readFileSync(file, 'utf8')).toBe(chipJsonSchema());
  });
});

describe('a chip file at fault', () => {
  test('each wrong value gets one diagnostic with path and line', () => {
    const text = CHIP_A.replace('"bytes": 8388608', '"bytes": -1').replace(
      '"latencyCycles": 80',
      '"latencyCycles": "80"',
    );
    const found = diagnosticsOf(() => parseChip(text, 'x.json'));
    const line = (key: string) => text.split('\n').findIndex((l) => l.includes(key)) + 1;
    expect(found.map((d) => [d.code, d.loc.line])).toEqual([
      ['SW3103', line('"bytes": -1')],
      ['SW3103', line('"latencyCycles": "80"')],
    ]);
    expect(found[0]?.message).toBe('sram.bytes: must be greater than 0');
    expect(found[1]?.message).toContain('dram.latencyCycles: expected number, received string');
    expect(exitCodeFor(found)).toBe(1);
  });

  test('an unknown key names the nearest known one', () => {
    const found = diagnosticsOf(() => parseChip(CHIP_A.replace('"setupCycles": 32', '"setupCycle": 32'), 'x.json'));
    expect(found).toHaveLength(2);
    expect(found.map((d) => d.message)).toEqual([
      'dma.setupCycles: expected number, but it is missing',
      'dma.setupCycle: there is no such key in a chip file',
    ]);
    expect(found[1]?.hint).toBe("did you mean 'setupCycles'?");
  });

  test('a number without a source, text that is not JSON, a name that does not exist', () => {
    const chip = JSON.parse(CHIP_A);
    chip.sources = { clockHz: 'x' };
    expect(diagnosticsOf(() => parseChip(JSON.stringify(chip), 'x.json'))[0]?.message).toContain('sram.bytes');
    expect(diagnosticsOf(() => parseChip('{', 'x.json'))[0]?.code).toBe('SW3102');
    const [unknown] = diagnosticsOf(() => loadChip('chip-aa'));
    expect([unknown?.code, unknown?.hint]).toEqual(['SW3101', expect.stringContaining("did you mean 'chip-a'?")]);
    expect(diagnosticsOf(() => loadChip('./no/such.json'))[0]?.code).toBe('SW3101');
  });
});

describe('a variant of another chip file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chips-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, document: unknown): string => {
    writeFileSync(join(folder, name), JSON.stringify(document));
    return join(folder, name);
  };

  test('says what is different, with its source; the rest is that of the other', () => {
    const source = { 'sram.bytes': 'a test' };
    const file = write('a12.json', { extends: 'chip-a', name: 'a12', sram: { bytes: 12 * 2 ** 20 }, sources: source });
    const [base, chip] = [loadChip('chip-a'), loadChip(file)];
    expect(chip).toEqual({
      ...base,
      name: 'a12',
      description: 'a variant of chip-a',
      sram: { ...base.sram, bytes: 12 * 2 ** 20 },
      sources: { ...base.sources, ...source },
    });
    const next = write('a12b.json', {
      extends: './a12.json',
      name: 'a12b',
      clockHz: 1e9,
      sources: { clockHz: 'fast' },
    });
    expect([loadChip(next).sram.bytes, loadChip(next).clockHz]).toEqual([12 * 2 ** 20, 1e9]);
  });

  test('owes a source of its own for each number that it replaces', () => {
    const file = write('quiet.json', { extends: 'chip-a', name: 'quiet', sram: { bytes: 4096 }, clockHz: 1e9 });
    expect(diagnosticsOf(() => loadChip(file)).map((d) => d.message)).toEqual([
      'sources does not say where these numbers come from: clockHz, sram.bytes',
    ]);
  });

  test('is refused at its line where it is wrong, goes in circles or is of nothing', () => {
    const codes = (document: unknown): string[] =>
      diagnosticsOf(() => loadChip(write('bad.json', document))).map((d) => `${d.code} ${d.message} (${d.hint ?? ''})`);
    expect(codes({ extends: 'chip-a', name: 'x', sram: { byte: 1 } })[0]).toContain("did you mean 'bytes'?");
    expect(codes({ extend: 'chip-a', name: 'x' }).at(-1)).toContain("did you mean 'extends'?");
    expect(codes({ extends: 'chip-aa', name: 'x' })[0]).toContain("SW3101 extends: there is no target 'chip-aa'");
    expect(codes({ extends: './bad.json', name: 'x' })[0]).toContain('SW3104');
    expect(codes({ extends: 3, name: 'x' })[0]).toContain('SW3103 extends: expected string');
  });
});

test('nearestName gives up on names that are far off', () => {
  expect(nearestName('clockHZ', ['clockHz', 'sram'])).toBe('clockHz');
  expect(nearestName('frequency', ['clockHz', 'sram'])).toBeUndefined();
});

test('findJsonPath finds values, keys and the longest part that exists', () => {
  const text = '{\n  "a": [1, {"b": "}"}],\n  "c": {"d": 2}\n}';
  expect(findJsonPath(text, ['a', '1', 'b'])).toEqual({ line: 2, column: 13 });
  expect(findJsonPath(text, ['c', 'd'])).toEqual({ line: 3, column: 9 });
  expect(findJsonPath(text, ['c', 'zz'])).toEqual({ line: 3, column: 8 });
  expect(findJsonPath(text, ['zz'])).toEqual({ line: 1, column: 1 });
});
