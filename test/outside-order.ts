/** Moves tensors between storage order and the order in which the outside of a program sees them. */
import { elementCount, tensorOf } from '../src/ir/facts.js';
import type { Program, Tensor } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import type { Elements } from '../src/reference/movement.js';

export function outsideShapeOf(tensor: Tensor): readonly number[] {
  return tensor.outsideShape ?? tensor.outsideAxes?.map((axis) => tensor.shape[axis] ?? 1) ?? tensor.shape;
}

/** Elements as the outside sees them. */
export function inOutsideOrder<T extends Elements | undefined>(tensor: Tensor, stored: T): T {
  if (stored === undefined || tensor.outsideAxes === undefined) return stored;
  const out = stored.slice() as NonNullable<T>;
  storedPositions(tensor).forEach((position, i) => {
    out[i] = stored[position] ?? 0;
  });
  return out;
}

/** For each position of the outside order, the position in storage. */
function storedPositions(tensor: Tensor): Int32Array {
  const axes = tensor.outsideAxes ?? tensor.shape.map((_, i) => i);
  const steps = tensor.shape.map((_, i) => tensor.shape.slice(i + 1).reduce((a, b) => a * b, 1));
  let positions = [0];
  for (const axis of axes) {
    const step = steps[axis] ?? 1;
    positions = positions.flatMap((base) => Array.from({ length: tensor.shape[axis] ?? 1 }, (_, i) => base + i * step));
  }
  return Int32Array.from(positions);
}

type GivenElements = Float32Array | Int8Array | Uint8Array | Int32Array;

function emptyOf(tensor: Tensor): GivenElements {
  const length = elementCount(tensor);
  if (tensor.dtype === 'int8') return new Int8Array(length);
  if (tensor.dtype === 'uint8') return new Uint8Array(length);
  return tensor.dtype === 'int32' ? new Int32Array(length) : new Float32Array(length);
}

/**
 * Runs a float program on inputs in the model's own order.
 * @returns outputs by name, in the model's own order
 */
export function runFloat(
  program: Program,
  inputs: ReadonlyMap<string, GivenElements>,
): Map<string, { dims: readonly number[]; data: Float32Array }> {
  const stored = new Map(
    program.inputs.map((id) => {
      const tensor = tensorOf(program, id);
      const outside = inputs.get(tensor.name) ?? new Float32Array(elementCount(tensor));
      const data = emptyOf(tensor);
      storedPositions(tensor).forEach((position, i) => {
        data[position] = outside[i] ?? 0;
      });
      return [id, data];
    }),
  );
  const results = interpret(program, stored);
  return new Map(
    program.outputs.map((id) => {
      const tensor = tensorOf(program, id);
      const result = results.get(id);
      const data = Float32Array.from(storedPositions(tensor), (position) => result?.[position] ?? Number.NaN);
      return [tensor.name, { dims: outsideShapeOf(tensor), data }];
    }),
  );
}
