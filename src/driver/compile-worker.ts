/** A thread that compiles, so that the one that started it can watch the terminal meanwhile. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CompileOutcome, type CompileTask, runCompileTask } from './compile-task.js';
import { failureOf, type ThreadFailure } from './thread.js';

export interface WorkerInput {
  readonly task: CompileTask;
  /** One number, set to 1 by the other side when the best plan so far is all that is wanted. */
  readonly stop: Int32Array;
}

export type WorkerMessage =
  | { readonly kind: 'stage'; readonly name: string }
  | { readonly kind: 'plan'; readonly best: number; readonly bound: number }
  | { readonly kind: 'writing'; readonly directory: string }
  | { readonly kind: 'done'; readonly outcome: CompileOutcome | undefined }
  | ThreadFailure;

/** A search reports often; nobody reads faster than this. */
const LEAST_MILLISECONDS = 50;

async function work(port: NonNullable<typeof parentPort>, { task, stop }: WorkerInput): Promise<void> {
  const post = (message: WorkerMessage): void => port.postMessage(message);
  let last = 0;
  const onProgress = (best: number, bound: number): void => {
    const now = performance.now();
    if (now - last < LEAST_MILLISECONDS) return;
    last = now;
    post({ kind: 'plan', best, bound });
  };
  try {
    const outcome = await runCompileTask(task, {
      onStage: (name) => post({ kind: 'stage', name }),
      onWrite: (directory) => post({ kind: 'writing', directory }),
      control: { isStopped: () => Atomics.load(stop, 0) !== 0, onProgress },
    });
    post({ kind: 'done', outcome });
  } catch (error) {
    post(failureOf(error));
  }
}

if (parentPort !== null) await work(parentPort, workerData as WorkerInput);
