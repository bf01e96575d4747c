/** Compiles in a thread of its own, and meanwhile shows how it goes and listens for Ctrl-C. */
import { rmSync } from 'node:fs';
import type { CompileOutcome, CompileTask } from './compile-task.js';
import type { WorkerInput, WorkerMessage } from './compile-worker.js';
import { startProgress } from './progress.js';
import { stagingDirectory } from './staging.js';
import { errorOf, startThread } from './thread.js';

/** Ctrl-C ended the compilation before there was a plan, or a second one did not wait for it. */
export class Interrupted extends Error {}

/** A compilation that is under way. */
export interface RunningCompile {
  /** @throws SpillwayError as runCompileTask; Interrupted */
  readonly outcome: Promise<CompileOutcome | undefined>;
  /** Gives up: `outcome` is rejected with Interrupted, and nothing is written. */
  abandon(): Promise<void>;
}

/** @param listens to Ctrl-C */
export function startCompile(task: CompileTask, listens = true): RunningCompile {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData: WorkerInput = { task, stop };
  const worker = startThread(new URL('./compile-worker.js', import.meta.url), workerData);
  const progress = startProgress();
  let hasPlan = false;
  let writing: string | undefined;
  let giveUp: (reason: Error) => void = () => {};
  const abandon = async (): Promise<void> => {
    giveUp(new Interrupted());
    await worker.terminate();
    if (writing !== undefined) rmSync(stagingDirectory(writing), { recursive: true, force: true });
  };
  const onInterrupt = (): void => {
    if (!hasPlan || Atomics.load(stop, 0) !== 0) {
      void abandon();
      return;
    }
    Atomics.store(stop, 0, 1);
    progress.done();
    process.stderr.write('interrupted: finishing with the best plan so far; once more gives up\n');
  };
  if (listens) process.on('SIGINT', onInterrupt);
  const outcome = new Promise<CompileOutcome | undefined>((resolve, reject) => {
    giveUp = reject;
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'stage':
          progress.stage(message.name);
          return;
        case 'plan':
          hasPlan = true;
          progress.plan(message.best, message.bound);
          return;
        case 'writing':
          writing = message.directory;
          return;
        case 'done':
          resolve(message.outcome);
          return;
        default:
          reject(errorOf(message));
      }
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the compiling thread ended early, with ${code}`)));
  }).finally(() => {
    progress.done();
    process.off('SIGINT', onInterrupt);
  });
  return { outcome, abandon };
}
