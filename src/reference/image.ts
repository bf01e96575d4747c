import type { Tensor, Window2d } from '../ir/types.js';

/** Everything that an operator with a window needs to know about its images, both [1, H, W, C]. */
export interface WindowGeometry {
  readonly inH: number;
  readonly inW: number;
  readonly inC: number;
  readonly outH: number;
  readonly outW: number;
  readonly outC: number;
  readonly window: Window2d;
}

/** @throws Error (a bug of ours) if a tensor is not an image */
export function windowGeometry(input: Tensor, output: Tensor, window: Window2d): WindowGeometry {
  const [, inH, inW, inC] = imageExtents(input);
  const [, outH, outW, outC] = imageExtents(output);
  return { inH, inW, inC, outH, outW, outC, window };
}

export function imageExtents(tensor: Tensor): readonly [number, number, number, number] {
  const [n, h, w, c] = tensor.shape;
  if (n !== 1 || h === undefined || w === undefined || c === undefined || tensor.shape.length !== 4) {
    throw new Error(`'${tensor.name}' [${tensor.shape.join(', ')}] is not an image [1, H, W, C]`);
  }
  return [n, h, w, c];
}
