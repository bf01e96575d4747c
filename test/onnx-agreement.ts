/** Holds an imported float program, run by the reference interpreter, against onnxruntime. */
import { expect } from '@jest/globals';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import type { Feed, OnnxRuntime } from './onnxruntime.js';
import { runFloat } from './outside-order.js';

/** Largest difference as a share of the larger of both values; of 1 % of the tensor's largest where both are small. */
function worstDifference(got: Float32Array, want: Float32Array): number {
  const scale = want.reduce((largest, v) => Math.max(largest, Math.abs(v)), 0) * 1e-2 + 1e-6;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const a = got[i] ?? Number.NaN;
    const b = want[i] ?? Number.NaN;
    const difference = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b), scale);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** @param model path of a file or its bytes */
export async function expectAgreement(
  runtime: OnnxRuntime,
  program: Program,
  model: string | Uint8Array,
  feeds: readonly Feed[],
): Promise<void> {
  expect(wellFormed(program)).toEqual([]);
  const got = runFloat(toFloat32(program), new Map(feeds.map((feed) => [feed.name, feed.data])));
  const want = await runtime.run(model, feeds);
  expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
  for (const [name, { dims, data }] of want) {
    expect(got.get(name)?.dims).toEqual(dims);
    expect(worstDifference(got.get(name)?.data ?? new Float32Array(0), data)).toBeLessThan(1e-4);
  }
}
