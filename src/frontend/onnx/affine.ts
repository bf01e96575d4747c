import type { TensorId } from '../../ir/types.js';
import type { ConstantElements, ProgramBuilder } from './builder.js';

/** y = x * scale[c] + shift[c], in double precision: chains of folded operators are rounded to float32 once. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** What has been folded into the weights of a convolution or dense layer since it was emitted, by its result. */
export type AffineTable = Map<TensorId, { readonly channels: number; folded: Affine | undefined }>;

/** first, then second. */
export function composeAffine(first: Affine | undefined, second: Affine): Affine {
  if (first === undefined) return second;
  const scale = second.scale.map((s, c) => s * (first.scale[c] ?? 1));
  const shift = second.shift.map((t, c) => (first.shift[c] ?? 0) * (second.scale[c] ?? 1) + t);
  return { scale, shift };
}

/**
 * Multiplies the rows of freshly laid out weights [M, ...] in place.
 * @returns the same array
 */
export function scaleRows(weights: Float32Array, affine: Affine | undefined): Float32Array {
  if (affine === undefined) return weights;
  const rowElements = weights.length / affine.scale.length;
  for (let row = 0; row < affine.scale.length; row++) {
    const scale = affine.scale[row] ?? 1;
    if (scale === 1) continue;
    const end = (row + 1) * rowElements;
    for (let i = row * rowElements; i < end; i++) weights[i] = (weights[i] ?? 0) * scale;
  }
  return weights;
}

/** The bias with its folded operators, as float32. */
export function foldedBias(
  channels: number,
  bias: ArrayLike<number> | undefined,
  affine: Affine | undefined,
): Float32Array {
  const result = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    result[c] = (bias?.[c] ?? 0) * (affine?.scale[c] ?? 1) + (affine?.shift[c] ?? 0);
  }
  return result;
}

/** Whether weights may be used as they are: only scaling forces a copy. */
export function scalesWeights(affine: Affine | undefined): boolean {
  return affine?.scale.some((scale) => scale !== 1) ?? false;
}

/** Adds weights and bias of a layer as constants that take up, when the program is finished, what was folded into them. */
export function addLayerConstants(
  builder: ProgramBuilder,
  name: string,
  shape: readonly number[],
  weights: (affine: Affine | undefined) => ConstantElements,
  bias: () => ArrayLike<number> | undefined,
  affine: () => Affine | undefined,
  loc: Parameters<ProgramBuilder['constant']>[3],
): [TensorId, TensorId] {
  const channels = shape[0] ?? 0;
  return [
    builder.constant(`${name}:weights`, shape, () => weights(affine()), loc),
    builder.constant(`${name}:bias`, [channels], () => ({ data: foldedBias(channels, bias(), affine()) }), loc),
  ];
}
