/** Runs the reference interpreter in a thread of its own, so that the simulation goes on meanwhile. */
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { SpillwayError } from '../base/diagnostic.js';
import type { ReferenceFrames } from './reference-check.js';
import type { ReferenceMessage, ReferenceTask } from './reference-worker.js';

export interface RunningReference {
  /**
   * Undefined when there is no graph.
   * @throws SpillwayError as runReference
   */
  readonly frames: Promise<ReferenceFrames | undefined>;
  /** Ends the thread; nobody wants the frames any more. */
  abandon(): Promise<void>;
}

export function startReference(task: ReferenceTask): RunningReference {
  const maxOldGenerationSizeMb = Math.floor(getHeapStatistics().heap_size_limit / 2 ** 20);
  const worker = new Worker(new URL('./reference-worker.js', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb },
  });
  const frames = new Promise<ReferenceFrames | undefined>((resolve, reject) => {
    const fail = (error: Error, stack: string): void => {
      error.stack = stack;
      reject(error);
    };
    worker.on('message', (message: ReferenceMessage) => {
      if (message.kind === 'done') resolve(message.frames);
      else if (message.kind === 'refused') fail(new SpillwayError(message.diagnostics), message.stack);
      else fail(new Error(message.message), message.stack);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the thread of the reference ended early, with ${code}`)));
  });
  // Whoever awaits the frames hears of a failure; when the simulation fails first, nobody does.
  frames.catch(() => {});
  return {
    frames,
    async abandon() {
      await worker.terminate();
    },
  };
}
