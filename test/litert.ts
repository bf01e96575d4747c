/** LiteRT, the runtime that imported TFLite files are held against. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface LiteRtOutput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Reply {
  readonly id: number;
  readonly outputs?: readonly LiteRtOutput[];
  readonly failure?: string;
}

/** The judge is no part of the project: without the shared folder there is none. */
export const hasLiteRt = existsSync('../shared/tools/litert_judge.mjs');

export class LiteRt {
  private child: ChildProcess | undefined;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private lastId = 0;

  /**
   * @param model bytes of a file
   * @param inputs bytes of each input of the model, in its order
   * @throws Error if LiteRT cannot run the model
   */
  async run(model: Uint8Array, inputs: readonly Uint8Array[]): Promise<readonly LiteRtOutput[]> {
    const id = ++this.lastId;
    const reply = await new Promise<Reply>((resolve) => {
      this.waiting.set(id, resolve);
      this.process().send({ id, model, inputs });
    });
    if (reply.outputs === undefined) throw new Error(reply.failure);
    return reply.outputs;
  }

  stop(): void {
    this.child?.kill();
  }

  private process(): ChildProcess {
    if (this.child !== undefined) return this.child;
    const child = fork(join(process.cwd(), 'test/litert-process.mjs'), { serialization: 'advanced', execArgv: [] });
    child.on('message', (message) => {
      const reply = message as Reply;
      this.waiting.get(reply.id)?.(reply);
      this.waiting.delete(reply.id);
    });
    child.on('exit', () => {
      for (const [id, answer] of this.waiting) answer({ id, failure: 'LiteRT has died' });
      this.waiting.clear();
      this.child = undefined;
    });
    this.child = child;
    return child;
  }
}
