import { elementCount, imageShape, rootOf, tensorOf } from '../ir/facts.js';
import type { Program, Tensor, TensorId } from '../ir/types.js';
import { type Elements, emptyLike } from './movement.js';

/**
 * The arrays of the tensors that are alive. A tensor with a storage slice has no array of its own: it is scattered into
 * its root when it is written and gathered from it when it is read, so that a wrong slice gives a wrong result.
 */
export class Memory {
  private readonly arrays = new Map<TensorId, Elements>();

  constructor(private readonly program: Program) {}

  /** The elements in storage order, without gaps. Not to be written to. */
  read(id: TensorId): Elements {
    const tensor = tensorOf(this.program, id);
    const array = this.program.constants.get(id) ?? this.arrays.get(rootOf(tensor));
    if (array === undefined) throw new Error(`'${tensor.name}' (%${id}) is read before it is written`);
    return tensor.storage === undefined ? array : gather(tensor, array);
  }

  write(id: TensorId, data: Elements): void {
    const tensor = tensorOf(this.program, id);
    if (data.length !== elementCount(tensor)) {
      throw new Error(`'${tensor.name}' [${tensor.shape.join(', ')}] is given ${data.length} elements`);
    }
    if (tensor.storage === undefined) {
      this.arrays.set(id, data);
      return;
    }
    const root = tensorOf(this.program, tensor.storage.root);
    const array = this.arrays.get(root.id) ?? emptyLike(data, elementCount(root));
    this.arrays.set(root.id, array);
    forEachRun(tensor, (own, inRoot, length) => array.set(data.subarray(own, own + length), inRoot));
  }

  free(root: TensorId): void {
    this.arrays.delete(root);
  }
}

function gather(tensor: Tensor, root: Elements): Elements {
  const out = emptyLike(root, elementCount(tensor));
  forEachRun(tensor, (own, inRoot, length) => out.set(root.subarray(inRoot, inRoot + length), own));
  return out;
}

/** The pixels of a tensor: where each begins in its own order and in its root. */
function forEachRun(tensor: Tensor, visit: (own: number, inRoot: number, length: number) => void): void {
  const { storage } = tensor;
  if (storage === undefined) return;
  const { h, w, c } = imageShape(tensor);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const inRoot = storage.offsetElements + y * storage.rowPitchElements + x * storage.pixelPitchElements;
      visit((y * w + x) * c, inRoot, c);
    }
  }
}
