import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { sourceExcerpt } from '../src/driver/source-excerpt.js';

const folder = mkdtempSync(join(tmpdir(), 'excerpt-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.txt');
writeFileSync(file, `first\n\tsecond line\n\n${'x'.repeat(300)}HERE${'y'.repeat(300)}\n`);

test('shows the line with a mark under the column; tabs stay tabs', () => {
  expect(sourceExcerpt({ file, line: 1, column: 3 })).toBe('  1 | first\n    |   ^');
  expect(sourceExcerpt({ file, line: 2, column: 4 })).toBe('  2 | \tsecond line\n    | \t  ^');
  expect(sourceExcerpt({ file, line: 1 })).toBe('  1 | first');
});

test('of a long line, what surrounds the column', () => {
  const [text = '', mark = ''] = (sourceExcerpt({ file, line: 4, column: 301 }) ?? '').split('\n');
  expect(text.length).toBeLessThan(130);
  expect(text.slice(mark.length - 1)).toMatch(/^HERE/);
});

test('is left out where there is no such line, or no such text file', () => {
  expect(sourceExcerpt({ file, line: 3, column: 1 })).toBeUndefined();
  expect(sourceExcerpt({ file, line: 99, column: 1 })).toBeUndefined();
  expect(sourceExcerpt({ file })).toBeUndefined();
  expect(sourceExcerpt({ file: join(folder, 'gone'), line: 1 })).toBeUndefined();
  expect(sourceExcerpt({ file: folder, line: 1 })).toBeUndefined();
});
