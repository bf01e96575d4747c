/** A thread that runs the reference interpreter beside the simulation. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Manifest } from '../commands/manifest.js';
import type { GivenData } from '../simulator/ports.js';
import { type ReferenceFrames, runReference } from './reference-check.js';
import { failureOf, type ThreadFailure } from './thread.js';

export interface ReferenceTask {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly seed: number;
  readonly inputs: ReadonlyMap<string, GivenData>;
  readonly periods: number;
}

export type ReferenceMessage = { readonly kind: 'done'; readonly frames: ReferenceFrames | undefined } | ThreadFailure;

function work({ directory, manifest, seed, inputs, periods }: ReferenceTask): ReferenceMessage {
  try {
    return { kind: 'done', frames: runReference(directory, manifest, seed, inputs, periods) };
  } catch (error) {
    return failureOf(error);
  }
}

if (parentPort !== null) parentPort.postMessage(work(workerData as ReferenceTask));
