/**
 * The finished points of a sweep on disk: a file for each, named by all that its numbers depend on. A file is there as a whole
 * or not at all, so a sweep that is killed loses only the points that it was at.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SpillwayError } from '../../base/diagnostic.js';
import { SPILLWAY_VERSION } from '../version.js';
import { writeOneFile } from '../write-one-file.js';
import { type Outcome, outcomeSchema, type PointTask } from './point.js';

const fileSchema = z.strictObject({
  schema: z.literal('spillway-sweep-point/1'),
  key: z.string(),
  outcome: outcomeSchema,
});

export const pointsFolder = (directory: string): string => join(directory, 'points');

/** Makes the folder, and clears what a killed sweep left half-written. @throws SpillwayError SW8005 */
export function openStore(directory: string): void {
  const folder = pointsFolder(directory);
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) if (name.endsWith('.partial')) rmSync(join(folder, name), { force: true });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = `cannot be written (${reason})`;
    throw new SpillwayError([{ code: 'SW8005', blame: 'input', message, loc: { file: directory } }]);
  }
}

/** Undefined where the point is not there, or its file is no longer what was written. */
export function storedPoint(directory: string, key: string): Outcome | undefined {
  try {
    const file = fileSchema.parse(JSON.parse(readFileSync(join(pointsFolder(directory), `${key}.json`), 'utf8')));
    return file.key === key ? file.outcome : undefined;
  } catch {
    return undefined;
  }
}

export function storePoint(directory: string, key: string, outcome: Outcome): void {
  const file: z.infer<typeof fileSchema> = { schema: 'spillway-sweep-point/1', key, outcome };
  writeOneFile(join(pointsFolder(directory), `${key}.json`), `${JSON.stringify(file, null, 2)}\n`);
}

/**
 * The name of a point.
 *
 * @param programHash of the graph as imported: what it was read from, and with which parameters, is in it
 * @param compilerHash of `compilerFingerprint`
 */
export function pointKey(task: PointTask, batch: number, programHash: string, compilerHash: string): string {
  const { $schema: _, description: __, sources: ___, ...chip } = task.chip;
  const parts = [SPILLWAY_VERSION, compilerHash, programHash, chip, batch, task.objective, task.options];
  return sha256(JSON.stringify(parts)).slice(0, 32);
}

/** Of the compiler's own code: a point that another state of it made is made again. */
export function compilerFingerprint(): string {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const hash = createHash('sha256');
  for (const folder of ['src', 'passes']) {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort();
    for (const file of files.filter((name) => name.endsWith('.js'))) {
      hash.update(`${file}\n`).update(readFileSync(join(root, folder, file)));
    }
  }
  return hash.digest('hex');
}

export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
