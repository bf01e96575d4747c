// Runs TFLite models in LiteRT's own WebAssembly with its reference kernels, one per message. A process of its own: the
// module takes `self` for itself, and jest's sandbox has other typed arrays. The judge is in the folder shared with the project.
import { load, run, setMode } from '../../shared/tools/litert_judge.mjs';

let ready;
const start = async () => {
  const wasm = await load();
  return { wasm, threads: setMode(wasm, 'reference') };
};

process.on('message', async ({ id, model, inputs }) => {
  try {
    ready ??= await start();
    const done = await run(ready.wasm, model, ready.threads, (_type, byteCount, _dims, position) => {
      const bytes = new Uint8Array(byteCount);
      bytes.set(inputs[position].subarray(0, byteCount));
      return bytes;
    });
    process.send({ id, outputs: done.outputs.map(({ name, data }) => ({ name, bytes: data })) });
  } catch (error) {
    ready = undefined; // an error may leave the module in any state
    process.send({ id, failure: String(error?.message ?? error) });
  }
});
