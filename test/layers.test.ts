/** Who may import whom, read from every import in src/ and passes/. The table is ARCHITECTURE.md's; this test is its guard. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, test } from '@jest/globals';

/** Part: the parts that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ir: ['base'],
  target: ['base'],
  solver: ['base'],
  commands: ['base'],
  frontend: ['base', 'ir'],
  reference: ['base', 'ir'], // a referee: shares nothing with what it judges
  simulator: ['base', 'target', 'commands'], // likewise
  schedule: ['base', 'ir', 'target', 'solver'],
  backend: ['base', 'ir', 'target', 'commands', 'schedule'],
  passes: ['base', 'ir', 'target', 'solver', 'schedule'],
  driver: [
    'base',
    'ir',
    'target',
    'solver',
    'commands',
    'frontend',
    'reference',
    'simulator',
    'schedule',
    'backend',
    'passes',
  ],
  cli: ['base', 'driver'],
  'report-page': ['driver'], // types of its documents, and explain; runs in a browser, bundled by `npm run build`
  index: ['base', 'ir', 'target', 'solver', 'commands', 'simulator', 'driver'], // types of all, code of base, target and driver
};

/** Packages that belong to one part; any other part that wants them goes through it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'glpk.js': ['solver'],
  highs: ['solver'],
  'ts-morph': ['frontend'],
  protobufjs: ['frontend'],
  flatbuffers: ['frontend'],
  'flatbuffers/mjs/flexbuffers.js': ['frontend'],
  '@dagrejs/graphlib': ['ir'],
  '@observablehq/plot': ['report-page'],
  commander: ['cli', 'driver'], // the driver's command files take it as a type only
};

const ROOT = resolve(import.meta.dirname, '..');

const sources = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(ROOT, folder, file))
    .sort();

/** src/ir/print.ts is of part ir, src/cli.ts of cli, passes/fuse.ts of passes. */
function partOf(file: string): string {
  const [top = '', second = ''] = relative(ROOT, file).split(sep);
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}

interface Import {
  readonly file: string;
  readonly from: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const statement = /^\s*(?:import|export)\s(?:[^;'"]*\sfrom\s)?\s*['"]([^'"]+)['"]/gm;
  const call = /\bimport\(\s*['"]([^'"]+)['"]/g;
  const found = [...text.matchAll(statement), ...text.matchAll(call)];
  return found.map((match) => ({ file, from: match[1] ?? '' }));
}

const FILES = [...sources('src'), ...sources('passes')];
const IMPORTS = FILES.flatMap(importsOf);

test('every source file belongs to a part of the table', () => {
  const strangers = FILES.filter((file) => !Object.hasOwn(MAY_IMPORT, partOf(file)));
  expect(strangers.map((file) => relative(ROOT, file))).toEqual([]);
});

test('imports follow the table', () => {
  const wrong = IMPORTS.filter(({ from }) => from.startsWith('.')).filter(({ file, from }) => {
    const [part, target] = [partOf(file), partOf(resolve(dirname(file), from.replace(/\.js$/, '.ts')))];
    return part !== target && !MAY_IMPORT[part]?.includes(target);
  });
  expect(wrong.map(({ file, from }) => `${relative(ROOT, file)} imports ${from}`)).toEqual([]);
});

test('packages are used where they belong', () => {
  const wrong = IMPORTS.filter(({ from }) => Object.hasOwn(PACKAGES, from)).filter(
    ({ file, from }) => !PACKAGES[from]?.includes(partOf(file)),
  );
  expect(wrong.map(({ file, from }) => `${relative(ROOT, file)} imports ${from}`)).toEqual([]);
});

test('the reader sees the imports that are there', () => {
  const seen = IMPORTS.filter(({ file }) => relative(ROOT, file) === join('passes', 'fuse.ts')).map(({ from }) => from);
  expect(seen).toContain('../src/ir/facts.js');
  expect(seen).toContain('./rewrite.js');
});

test('parts do not import each other in a circle', () => {
  const visit = (part: string, path: readonly string[]): void => {
    expect(path).not.toContain(part);
    for (const next of MAY_IMPORT[part] ?? []) visit(next, [...path, part]);
  };
  for (const part of Object.keys(MAY_IMPORT)) visit(part, []);
});
