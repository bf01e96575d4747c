import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import { stagingDirectory } from './staging.js';

/**
 * Writes files into a directory so that none is ever seen half-written: all of them into a directory beside it first,
 * then each takes its place by a rename. What else the directory holds stays. The last file of the map is renamed last: with a
 * manifest there, whoever interrupts the renames leaves a directory that the loader refuses.
 *
 * @throws SpillwayError SW8005 (blame input) when the disk does not take them; nothing is left behind then
 */
export function writeFiles(directory: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  const target = resolve(directory);
  const staging = stagingDirectory(directory);
  let isStaged = false;
  try {
    mkdirSync(staging, { recursive: true });
    isStaged = true;
    for (const [name, content] of files) writeFileSync(join(staging, name), content);
    mkdirSync(target, { recursive: true });
    for (const name of files.keys()) renameSync(join(staging, name), join(target, name));
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new SpillwayError([
      { code: 'SW8005', blame: 'input', message: `cannot be written (${reason})`, loc: { file: directory } },
    ]);
  } finally {
    if (isStaged) rmSync(staging, { recursive: true, force: true });
  }
}
