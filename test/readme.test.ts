/** The commands that these pages show print what the pages say. GOLDEN=write rewrites the pages. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { ROOT, spillway } from './cli-harness.js';

jest.setTimeout(120_000);

/** What the pages call out/ is a folder of the test's own. */
const scratch = mkdtempSync(join(tmpdir(), 'spillway-pages-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const BLOCK = /```console\n\$ ((?:npx spillway|cat) [^\n]*)\n([\s\S]*?)```/g;

/** `compile ... | grep PATTERN` keeps the lines that match; stderr is part of what a page shows. */
function run(text: string): string {
  const [line = '', pattern = ''] = text.split(/ 2>&1 \| grep -E | \| grep -E /);
  const kept = new RegExp(pattern.replace(/^'|'$/g, ''));
  const words = line.split(' ').map((word) => (word.startsWith('out/') ? join(scratch, word) : word));
  const output = (words[0] === 'cat' ? readFileSync(words[1] ?? '', 'utf8') : outputOf(words.slice(2)))
    .replaceAll(`${scratch}/`, '')
    .replace(/ +$/gm, '');
  return pattern === ''
    ? output
    : `${output
        .split('\n')
        .filter((one) => one !== '' && kept.test(one))
        .join('\n')}\n`;
}

function outputOf(args: readonly string[]): string {
  const done = spillway(...args);
  expect(done.code).toBe(0);
  return `${done.stderr}${done.stdout}`;
}

test.each(['README.md', 'ARCHITECTURE.md', 'docs/guide.md', 'docs/sweeps.md'])('%s', (page) => {
  const path = join(ROOT, page);
  const text = readFileSync(path, 'utf8');
  let count = 0;
  const actual = text.replaceAll(BLOCK, (_, line: string) => {
    count += 1;
    return `\`\`\`console\n$ ${line}\n${run(line)}\`\`\``;
  });
  expect(count).toBeGreaterThan(0);
  if (process.env.GOLDEN === 'write') writeFileSync(path, actual);
  else expect(actual).toBe(text);
});

const MODEL_FILE = /```ts\n([^`]*(?:`[^`\n]+`[^`]*)*export default model\([\s\S]*?)```/g;

test.each(['README.md', 'docs/guide.md'])('the model file of %s compiles', (page) => {
  const models = [...readFileSync(join(ROOT, page), 'utf8').matchAll(MODEL_FILE)];
  expect(models).toHaveLength(1);
  const file = join(scratch, 'page.model.ts');
  writeFileSync(file, models[0]?.[1] ?? '');
  expect(spillway('compile', file, '--target', 'chip-a', '-o', join(scratch, 'page'))).toMatchObject({ code: 0 });
});
