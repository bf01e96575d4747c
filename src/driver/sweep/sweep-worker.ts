/** A thread that compiles the points it is sent, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf, type ThreadFailure } from '../thread.js';
import type { PointTask } from './point.js';
import { type PointAnswer, runPoint } from './run-point.js';

export interface SweepWorkerInput {
  readonly compilerHash: string;
  readonly directory: string | undefined;
}

export type SweepWorkerMessage = { readonly kind: 'answer'; readonly answer: PointAnswer } | ThreadFailure;

if (parentPort !== null) {
  const port = parentPort;
  const { compilerHash, directory } = workerData as SweepWorkerInput;
  const post = (message: SweepWorkerMessage): void => port.postMessage(message);
  port.on('message', async (task: PointTask) => {
    try {
      post({ kind: 'answer', answer: await runPoint(task, compilerHash, directory) });
    } catch (error) {
      post(failureOf(error));
    }
  });
}
