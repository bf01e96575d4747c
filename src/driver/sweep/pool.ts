/** Points on several threads. What comes out does not depend on how many there are, or on which point is done first. */
import type { Worker } from 'node:worker_threads';
import { SpillwayError } from '../../base/diagnostic.js';
import { startThread } from '../thread.js';
import type { PointTask } from './point.js';
import type { PointAnswer } from './run-point.js';
import type { SweepWorkerInput, SweepWorkerMessage } from './sweep-worker.js';

export interface PoolEvents {
  /** A point is done. */
  answer(index: number, answer: PointAnswer, seconds: number): void;
  /** A point could not be done, by a fault of ours; the others go on. */
  failure(index: number, message: string, stack: string): void;
}

/**
 * Runs all tasks, in the order of the list as threads become free.
 *
 * @param stop ends it early; what is not done then stays undone
 * @throws SpillwayError what is wrong with the input, found at any point
 */
export async function runPool(
  tasks: readonly PointTask[],
  jobs: number,
  input: SweepWorkerInput,
  events: PoolEvents,
  stop: AbortSignal,
): Promise<void> {
  let next = 0;
  const failed = new AbortController(); // one thread found the input at fault: the others need not go on
  const halt = AbortSignal.any([stop, failed.signal]);
  const lane = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      while (next < tasks.length && !halt.aborted) {
        const index = next;
        next += 1;
        const task = tasks[index];
        if (task === undefined) return;
        worker ??= newWorker(input);
        const started = performance.now();
        const message = await answerOf(worker, task, halt);
        if (message === undefined) return;
        switch (message.kind) {
          case 'answer':
            events.answer(index, message.answer, (performance.now() - started) / 1000);
            break;
          case 'refused':
            if (!message.diagnostics.some(({ blame }) => blame === 'bug')) throw new SpillwayError(message.diagnostics);
            events.failure(index, message.diagnostics.map((one) => one.message).join('; '), message.stack);
            break;
          case 'broken':
            events.failure(index, message.message, message.stack);
            await worker.terminate(); // who knows what it left behind
            worker = undefined;
        }
      }
    } catch (error) {
      failed.abort();
      throw error;
    } finally {
      await worker?.terminate();
    }
  };
  const lanes = Array.from({ length: Math.min(jobs, tasks.length) }, lane);
  const ends = await Promise.allSettled(lanes);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function newWorker(workerData: SweepWorkerInput): Worker {
  const worker = startThread(new URL('./sweep-worker.js', import.meta.url), workerData);
  // Whoever waits for an answer hears of it; between answers nobody does, and it must not end everything.
  return worker.on('error', () => {});
}

/** Undefined when it was stopped. */
function answerOf(worker: Worker, task: PointTask, halt: AbortSignal): Promise<SweepWorkerMessage | undefined> {
  return new Promise((resolve) => {
    const finish = (message: SweepWorkerMessage | undefined): void => {
      worker.off('message', finish).off('error', onError).off('exit', onExit);
      halt.removeEventListener('abort', onAbort);
      resolve(message);
    };
    const onAbort = (): void => finish(undefined);
    const onError = (error: Error): void =>
      finish({ kind: 'broken', message: error.message, stack: error.stack ?? '' });
    const onExit = (code: number): void =>
      finish({ kind: 'broken', message: `the compiling thread ended early, with ${code}`, stack: '' });
    worker.on('message', finish).on('error', onError).on('exit', onExit);
    halt.addEventListener('abort', onAbort);
    if (halt.aborted) onAbort();
    else worker.postMessage(task);
  });
}
