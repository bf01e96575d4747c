/** What the inference of shapes hands back, and how it speaks of operands. */
import type { DType, Tensor } from './types.js';

export type Operand = Pick<Tensor, 'name' | 'shape' | 'dtype'>;

export type Inferred =
  | { readonly ok: true; readonly shape: readonly number[]; readonly dtype: DType }
  | { readonly ok: false; readonly problems: readonly string[] };

export const fail = (...problems: string[]): Inferred => ({ ok: false, problems });
export const done = (shape: readonly number[], dtype: DType): Inferred => ({ ok: true, shape, dtype });

export const formatShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i]);

export const describe = (what: string, tensor: Operand): string =>
  `${what} '${tensor.name}' ${formatShape(tensor.shape)}`;

export function arity(kind: string, inputs: readonly Operand[], count: number): Inferred | undefined {
  return inputs.length === count ? undefined : fail(`${kind} has ${inputs.length} operands, takes ${count}`);
}

/**
 * The shape that operands have together: theirs, if they have one; of images [1, H, W, C], the larger extent along each
 * axis where the others are 1. undefined where they do not go together.
 */
export function repeatedShape(operands: readonly Pick<Tensor, 'shape'>[]): readonly number[] | undefined {
  const [first, ...others] = operands.map(({ shape }) => shape);
  if (first === undefined) return undefined;
  if (others.every((shape) => sameShape(first, shape))) return first;
  const isImage = (shape: readonly number[]): boolean => shape.length === 4 && shape[0] === 1;
  if (!isImage(first) || !others.every(isImage)) return undefined;
  const shape = first.map((extent, axis) =>
    others.reduce((largest, other) => Math.max(largest, other[axis] ?? 0), extent),
  );
  const fits = [first, ...others].every((own) => own.every((extent, axis) => extent === 1 || extent === shape[axis]));
  return fits ? shape : undefined;
}
