/** A thread that runs the reference interpreter beside the simulation. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import type { Manifest } from '../commands/manifest.js';
import type { GivenData } from '../simulator/ports.js';
import { type ReferenceFrames, runReference } from './reference-check.js';

export interface ReferenceTask {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly seed: number;
  readonly inputs: ReadonlyMap<string, GivenData>;
  readonly periods: number;
}

export type ReferenceMessage =
  | { readonly kind: 'done'; readonly frames: ReferenceFrames | undefined }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[]; readonly stack: string }
  | { readonly kind: 'broken'; readonly message: string; readonly stack: string };

function work({ directory, manifest, seed, inputs, periods }: ReferenceTask): ReferenceMessage {
  try {
    return { kind: 'done', frames: runReference(directory, manifest, seed, inputs, periods) };
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    if (error instanceof SpillwayError) return { kind: 'refused', diagnostics: error.diagnostics, stack };
    return { kind: 'broken', message: error instanceof Error ? error.message : String(error), stack };
  }
}

if (parentPort !== null) parentPort.postMessage(work(workerData as ReferenceTask));
