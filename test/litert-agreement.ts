/** An imported program, interpreted, against LiteRT's reference kernels: integers byte for byte, float32 within 1e-4. */
import { expect } from '@jest/globals';
import { importTflite } from '../src/frontend/tflite/load-tflite.js';
import { tensorOf } from '../src/ir/facts.js';
import type { Program } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import { seededInput } from '../src/reference/seeded-input.js';
import type { LiteRt } from './litert.js';
import { inOutsideOrder } from './outside-order.js';

const RELATIVE = 1e-4;

/** @returns the program, for whatever else is to be asked of it */
export async function expectLiteRtAgreement(
  runtime: LiteRt,
  model: Uint8Array,
  file: string,
  seed = 1,
): Promise<Program> {
  const program = importTflite(model, file);
  const inputs = seededInput(program, seed);
  const expected = await runtime.run(
    model,
    program.inputs.map((id) => bytesOf(inputs.get(id))),
  );
  const actual = interpret(program, inputs);
  expect(expected.length).toBe(program.outputs.length);
  for (const [position, id] of program.outputs.entries()) {
    const { name } = tensorOf(program, id);
    const output = expected.find((candidate) => candidate.name === name) ?? expected[position];
    const values = inOutsideOrder(tensorOf(program, id), actual.get(id));
    const wanted = new Uint8Array(output?.bytes ?? []);
    if (values instanceof Float32Array) expectClose(values, floatsOf(output?.bytes));
    else if (values instanceof Int32Array && wanted.length === 2 * values.byteLength) {
      // int64 of the file is int32 here: positions and sizes.
      const numbers = Int32Array.from(new BigInt64Array(wanted.buffer), Number);
      expect({ name, bytes: bytesOf(values) }).toEqual({ name, bytes: bytesOf(numbers) });
    } else expect({ name, bytes: bytesOf(values) }).toEqual({ name, bytes: new Uint8Array(output?.bytes ?? []) });
  }
  return program;
}

function bytesOf(data: ArrayBufferView | undefined): Uint8Array {
  return data === undefined ? new Uint8Array() : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function floatsOf(bytes: Uint8Array | undefined): Float32Array {
  return new Float32Array(new Uint8Array(bytes ?? []).buffer);
}

/** Relative to the largest value of the output. */
function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  let difference = 0;
  for (const [i, value] of expected.entries()) {
    largest = Math.max(largest, Math.abs(value));
    const apart = Math.abs(value - (actual[i] ?? Number.NaN));
    difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
  }
  expect(difference).toBeLessThanOrEqual(RELATIVE * largest);
}
