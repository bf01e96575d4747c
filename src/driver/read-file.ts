import { readFileSync } from 'node:fs';
import { SpillwayError } from '../base/diagnostic.js';

/** @throws SpillwayError SW8002 (blame input) */
export function readInputFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new SpillwayError([
      { code: 'SW8002', blame: 'input', message: `the file cannot be read (${reason})`, loc: { file: path } },
    ]);
  }
}
