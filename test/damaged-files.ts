/** Files damaged at random, and what becomes of an import of them. */
import { expect } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';

let state = Number(process.env.SPILLWAY_FUZZ_SEED ?? 1);

/** The next number of a sequence that is the same in every run, below the limit. */
export function random(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return Math.floor(((state >>> 8) / 2 ** 23) * limit);
}

/** A bit, a byte, or a whole number turned into what does the most harm. */
export function damaged(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file); // a Buffer's slice would share its memory
  for (let left = 1 + random(3); left > 0; left--) {
    const at = random(bytes.length);
    const how = random(4);
    if (how < 2) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else if (how === 2) bytes[at] = [0, 1, 127, 128, 255][random(5)] ?? 0;
    else bytes.set([255, 255, 255, 127].slice(0, bytes.length - at), at);
  }
  return bytes;
}

/**
 * Codes of the diagnostics, all of which begin with the format's, or 'accepted'.
 *
 * @throws what is no diagnostic, and programs that are none
 */
export function outcomeOf(importFile: () => Program, codes: string): string {
  try {
    expect(wellFormed(importFile())).toEqual([]);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const found = error.diagnostics.map(({ code }) => code);
    expect(found.filter((code) => !code.startsWith(codes))).toEqual([]);
    return found.join(' ');
  }
}
