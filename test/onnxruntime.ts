/** onnxruntime, the trusted runtime that imported float programs are held against. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface Feed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

interface Reply {
  readonly id: number;
  readonly outputs?: readonly Feed[];
  readonly failure?: string;
}

export class OnnxRuntime {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (reply: Omit<Reply, 'id'>) => void>();
  private lastId = 0;

  constructor() {
    this.child = fork(join(process.cwd(), 'test/onnxruntime-process.mjs'), { serialization: 'advanced', execArgv: [] });
    this.child.on('message', (message) => {
      const reply = message as Reply;
      this.waiting.get(reply.id)?.(reply);
      this.waiting.delete(reply.id);
    });
    this.child.on('exit', () => {
      for (const answer of this.waiting.values()) answer({ failure: 'onnxruntime has died' });
    });
  }

  /** @param model path of a file or its bytes */
  async run(model: string | Uint8Array, feeds: readonly Feed[]): Promise<Map<string, Feed>> {
    const id = ++this.lastId;
    const reply = await new Promise<Omit<Reply, 'id'>>((resolve) => {
      this.waiting.set(id, resolve);
      this.child.send({ id, model, feeds });
    });
    if (reply.outputs === undefined) throw new Error(reply.failure);
    return new Map(reply.outputs.map((output) => [output.name, output]));
  }

  stop(): void {
    this.child.kill();
  }
}
