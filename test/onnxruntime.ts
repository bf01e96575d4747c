/** onnxruntime, the trusted runtime that imported float programs are held against. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface Feed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int8Array | Uint8Array | Int32Array;
  readonly type?: 'float32' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'; // float32 if absent
}

export interface Result {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array; // whatever the type
}

interface Reply {
  readonly id: number;
  readonly outputs?: readonly Result[];
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

  /**
   * @param model path of a file or its bytes
   * @param level of optimisation: quantised operators exist in integers from 'extended' on
   */
  async run(
    model: string | Uint8Array,
    feeds: readonly Feed[],
    level: 'disabled' | 'basic' | 'extended' | 'all' = 'disabled',
  ): Promise<Map<string, Result>> {
    const id = ++this.lastId;
    const reply = await new Promise<Omit<Reply, 'id'>>((resolve) => {
      this.waiting.set(id, resolve);
      this.child.send({ id, model, feeds, level });
    });
    if (reply.outputs === undefined) throw new Error(reply.failure);
    return new Map(reply.outputs.map((output) => [output.name, output]));
  }

  stop(): void {
    this.child.kill();
  }
}
