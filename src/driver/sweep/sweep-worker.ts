/** A thread that compiles the points it is sent, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Diagnostic, SpillwayError } from '../../base/diagnostic.js';
import type { PointTask } from './point.js';
import { type PointAnswer, runPoint } from './run-point.js';

export interface SweepWorkerInput {
  readonly compilerHash: string;
  readonly directory: string | undefined;
}

export type SweepWorkerMessage =
  | { readonly kind: 'answer'; readonly answer: PointAnswer }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[]; readonly stack: string }
  | { readonly kind: 'broken'; readonly message: string; readonly stack: string };

if (parentPort !== null) {
  const port = parentPort;
  const { compilerHash, directory } = workerData as SweepWorkerInput;
  const post = (message: SweepWorkerMessage): void => port.postMessage(message);
  port.on('message', async (task: PointTask) => {
    try {
      post({ kind: 'answer', answer: await runPoint(task, compilerHash, directory) });
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? '') : '';
      if (error instanceof SpillwayError) post({ kind: 'refused', diagnostics: error.diagnostics, stack });
      else post({ kind: 'broken', message: error instanceof Error ? error.message : String(error), stack });
    }
  });
}
