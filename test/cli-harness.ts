/** Runs the built command line as a user would. `npm test` builds it first. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';

export const ROOT = resolve(import.meta.dirname, '..');
export const CLI = join(ROOT, 'dist', 'src', 'cli.js');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function spillway(...args: readonly string[]): Finished {
  if (!existsSync(CLI)) throw new Error('dist/src/cli.js is missing: npm run build');
  const { NODE_OPTIONS: _, ...env } = process.env; // jest's own flags are not the user's
  const done = spawnSync(process.execPath, [CLI, ...args], { cwd: ROOT, encoding: 'utf8', env, maxBuffer: 2 ** 28 });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** The one JSON document of a run that must succeed. */
export function spillwayJson(...args: readonly string[]): unknown {
  const done = spillway(...args, '--json');
  if (done.code !== 0) throw new Error(`spillway ${args.join(' ')} ended with ${done.code}\n${done.stderr}`);
  return JSON.parse(done.stdout);
}

export const simulationSchema = z.looseObject({
  dramReadBytes: z.int(),
  dramWriteBytes: z.int(),
  prologueReadBytes: z.int(),
  byClass: z.record(z.string(), z.int()),
  cycles: z.int(),
  faults: z.array(z.unknown()),
  outputs: z.array(
    z.looseObject({ name: z.string(), shape: z.array(z.int()), dtype: z.string(), sha256: z.string().length(64) }),
  ),
  matchesReference: z.boolean().nullable(),
});

export function scratchDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'spillway-'));
}

export const SHARED_MODELS = resolve(ROOT, '..', 'shared', 'models');
