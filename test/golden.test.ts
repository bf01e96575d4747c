/**
 * Golden tests: textual IR in, textual IR out, one file each, in test/golden/<pass>/.
 *
 *     # What the case is for.
 *     <program>
 *     # expect:
 *     <program after the pass, or "unchanged">
 *
 * Files in test/golden/verify/ have no expectation: the lines that must be refused end in `# error: SW...`.
 * `npm run golden` rewrites what follows `# expect:`; then read the diff.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { computeLifetimes } from '../passes/compute-lifetimes.js';
import { PIPELINE } from '../passes/pipeline.js';
import type { Diagnostic } from '../src/base/diagnostic.js';
import { SpillwayError } from '../src/base/diagnostic.js';
import { parseProgram } from '../src/ir/parse.js';
import { printProgram } from '../src/ir/print.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';

const FOLDER = resolve(import.meta.dirname, 'golden');
const WRITE = process.env.GOLDEN === 'write' && process.env.CI === undefined;
const EXPECT = '# expect:\n';

const casesOf = (folder: string): string[] =>
  readdirSync(join(FOLDER, folder))
    .filter((file) => file.endsWith('.ir'))
    .sort();

/** What a folder's files are run through, as text; by the folder's name. */
const RUNNERS = new Map<string, (program: Program) => string>([
  ...PIPELINE.map((pass) => [pass.name, (program: Program) => printAfter(program, pass.run(program))] as const),
  ['compute-lifetimes', printLifetimes],
]);

function printAfter(before: Program, after: Program): string {
  expect(wellFormed(after)).toEqual([]);
  return after === before ? 'unchanged\n' : printProgram(after);
}

function printLifetimes(program: Program): string {
  const lines = [...computeLifetimes(program)].map(
    ([id, { startStep, endStep }]) => `%${id} live [${startStep}, ${endStep})`,
  );
  return `${lines.join('\n')}\n`;
}

const passFolders = readdirSync(FOLDER).filter((folder) => folder !== 'verify');

test('every folder of golden files is run', () => {
  expect(passFolders.filter((folder) => !RUNNERS.has(folder))).toEqual([]);
});

describe.each(passFolders)('%s', (folder) => {
  test.each(casesOf(folder))('%s', (file) => {
    const path = join(FOLDER, folder, file);
    const text = readFileSync(path, 'utf8');
    const [input = '', expected] = text.split(EXPECT);
    expect(input.startsWith('# ')).toBe(true);
    const program = parseProgram(input, undefined, file);
    expect(wellFormed(program)).toEqual([]);
    const actual = RUNNERS.get(folder)?.(program);
    if (WRITE) writeFileSync(path, `${input}${EXPECT}${actual}`);
    else expect(actual).toBe(expected);
  });
});

/** `line: code` of everything that the text promises, and the text without the promises. */
function promisedErrors(text: string): { readonly program: string; readonly errors: string[] } {
  const errors: string[] = [];
  const lines = text.split('\n').map((line, index) => {
    const match = /^(.*\S)\s+# error: (SW\d+)$/.exec(line);
    if (match?.[2] !== undefined) errors.push(`${index + 1}: ${match[2]}`);
    return match?.[1] ?? line;
  });
  return { program: lines.join('\n'), errors };
}

/** The verifier knows no lines: the one that defines the first op or tensor named in the message. */
function lineOf(diagnostic: Diagnostic, lines: readonly string[]): number {
  if (diagnostic.loc.line !== undefined) return diagnostic.loc.line;
  const [id = '?'] = /[@%]\d+/.exec(diagnostic.message) ?? [];
  return lines.findIndex((line) => line.startsWith(`${id} `) || / (%\d+) /.exec(line)?.[1] === id) + 1;
}

function errorsOf(text: string, file: string): Diagnostic[] {
  try {
    return wellFormed(parseProgram(text, undefined, file));
  } catch (error) {
    if (error instanceof SpillwayError) return [...error.diagnostics];
    throw error;
  }
}

describe('verify', () => {
  test.each(existsSync(join(FOLDER, 'verify')) ? casesOf('verify') : [])('%s', (file) => {
    const { program, errors } = promisedErrors(readFileSync(join(FOLDER, 'verify', file), 'utf8'));
    const found = errorsOf(program, file).map((d) => `${lineOf(d, program.split('\n'))}: ${d.code}`);
    expect(errors.length).toBeGreaterThan(0);
    expect(found.sort()).toEqual(errors.sort());
  });
});
