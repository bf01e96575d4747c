/** Runs the reference interpreter in a thread of its own, so that the simulation goes on meanwhile. */
import type { ReferenceFrames } from './reference-check.js';
import type { ReferenceMessage, ReferenceTask } from './reference-worker.js';
import { errorOf, startThread } from './thread.js';

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
  const worker = startThread(new URL('./reference-worker.js', import.meta.url), task);
  const frames = new Promise<ReferenceFrames | undefined>((resolve, reject) => {
    worker.on('message', (message: ReferenceMessage) => {
      if (message.kind === 'done') resolve(message.frames);
      else reject(errorOf(message));
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
