/** docs/numerics.md, "Seeded inputs". */
import { assertNever } from '../base/assert-never.js';
import { elementCount, tensorOf } from '../ir/facts.js';
import type { DType, Program, TensorId } from '../ir/types.js';
import type { Elements } from './movement.js';

/**
 * The inputs that `simulate --seed` makes, in storage order.
 *
 * @param seed unsigned 32-bit integer
 * @param frame of a batch: input i of frame f is drawn as input f * (number of inputs) + i would be
 */
export function seededInput(program: Program, seed: number, frame = 0): Map<TensorId, Elements> {
  const inputs = new Map<TensorId, Elements>();
  for (const [position, id] of program.inputs.entries()) {
    const index = frame * program.inputs.length + position;
    const tensor = tensorOf(program, id);
    if (program.states?.some(({ input }) => input === position) === true) {
      const zero = seededElements(tensor.dtype, elementCount(tensor), () => 0);
      inputs.set(id, zero.fill(tensor.quant?.zeroPoint ?? 0));
      continue;
    }
    const draw = mulberry32((Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) | 0);
    const length = elementCount(tensor);
    inputs.set(id, seededElements(tensor.dtype, length, draw));
  }
  return inputs;
}

/** What the states of the next frame begin with: the outputs that belong to them. */
export function carriedStates(program: Program, outputs: ReadonlyMap<TensorId, Elements>): Map<TensorId, Elements> {
  const states = new Map<TensorId, Elements>();
  for (const { input, output } of program.states ?? []) {
    const [to, from] = [program.inputs[input], program.outputs[output]];
    const value = from === undefined ? undefined : outputs.get(from);
    if (to !== undefined && value !== undefined) states.set(to, value);
  }
  return states;
}

function seededElements(dtype: DType, length: number, draw: () => number): Elements {
  switch (dtype) {
    case 'float32':
      return Float32Array.from({ length }, () => draw() / 2 ** 31 - 1);
    case 'int8':
      return Int8Array.from({ length }, () => (draw() >>> 24) - 128);
    case 'uint8':
      return Uint8Array.from({ length }, () => draw() >>> 24);
    case 'int16':
      return Int16Array.from({ length }, () => (draw() >>> 16) - 32768);
    case 'int32':
      return Int32Array.from({ length }, () => draw() >>> 24);
    default:
      return assertNever(dtype);
  }
}

/** Source: mulberry32, T. Ettinger, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
