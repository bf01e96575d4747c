import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { SpillwayError } from '../base/diagnostic.js';

/**
 * Writes one file so that it is never seen half-written: beside its place first, then by a rename. Devices and pipes
 * (`/dev/stdout`) are written to directly.
 *
 * @throws SpillwayError SW8005 (blame input) when it cannot be written
 */
export function writeOneFile(path: string, content: string | Uint8Array): void {
  const partial = `${path}.${process.pid}.partial`;
  const direct = statSync(path, { throwIfNoEntry: false })?.isFile() === false;
  try {
    writeFileSync(direct ? path : partial, content);
    if (!direct) renameSync(partial, path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = `cannot be written (${reason})`;
    throw new SpillwayError([{ code: 'SW8005', blame: 'input', message, loc: { file: path } }]);
  } finally {
    if (!direct) rmSync(partial, { force: true });
  }
}
