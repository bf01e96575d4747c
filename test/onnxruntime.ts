/** onnxruntime, the trusted runtime that imported float programs are held against. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface Feed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export class OnnxRuntime {
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(join(process.cwd(), 'test/onnxruntime-process.mjs'), { serialization: 'advanced', execArgv: [] });
  }

  /** @param model path of a file or its bytes */
  async run(model: string | Uint8Array, feeds: readonly Feed[]): Promise<Map<string, Feed>> {
    const reply = await new Promise<{ outputs?: readonly Feed[]; failure?: string }>((resolve) => {
      this.child.once('message', (message) => resolve(message as { outputs: Feed[] }));
      this.child.once('exit', () => resolve({ failure: 'onnxruntime has died' }));
      this.child.send({ model, feeds });
    });
    if (reply.outputs === undefined) throw new Error(reply.failure);
    return new Map(reply.outputs.map((output) => [output.name, output]));
  }

  stop(): void {
    this.child.kill();
  }
}
