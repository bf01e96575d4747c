import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { INSTRUCTIONS } from '../src/commands/instructions.js';
import { isaPage } from '../src/commands/isa-page.js';

const PAGE = new URL('../docs/isa.md', import.meta.url);

test('docs/isa.md is what the instruction table says (npm run golden rewrites it)', () => {
  if (process.env.GOLDEN === 'write') writeFileSync(PAGE, isaPage());
  expect(readFileSync(PAGE, 'utf8')).toBe(isaPage());
});

test('the table leaves the encoder room: names and opcodes differ, at most 64 fields', () => {
  expect(new Set(INSTRUCTIONS.map((i) => i.name)).size).toBe(INSTRUCTIONS.length);
  expect(new Set(INSTRUCTIONS.map((i) => i.opcode)).size).toBe(INSTRUCTIONS.length);
  for (const { name, opcode, fields } of INSTRUCTIONS) {
    expect([name, opcode > 0 && opcode < 128]).toEqual([name, true]);
    expect([name, fields.length <= 64]).toEqual([name, true]);
    expect(new Set(fields.map((f) => f.name)).size).toBe(fields.length);
  }
});
