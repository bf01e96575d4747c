/** TRANSPOSE, DEPTH_TO_SPACE, SPACE_TO_DEPTH. */
import type { TensorId } from '../../ir/types.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { asOrdered } from './look-up.js';
import { composed, isIdentity, permuted } from './permutation.js';
import { malformed } from './problems.js';

const BLOCK = { size: 0 } as const;

export const transpose: Importer = (node) => {
  const { tensor, perm } = node.ordered(0);
  const order = node.integers(1, 'orders of axes').map((axis) => (axis < 0 ? axis + tensor.shape.length : axis));
  if (order.length !== tensor.shape.length || !tensor.shape.every((_, axis) => order.includes(axis))) {
    malformed('SW2107', node.loc, `[${order.join(', ')}] is no order of ${tensor.shape.length} axes`);
  }
  const all = composed(perm, order);
  return [asOrdered(tensor.id, isIdentity(all) ? undefined : all)];
};

function imageAndBlock(node: NodeContext): { id: TensorId; h: number; w: number; c: number; block: number } {
  const x = node.input(0);
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const block = node.options.int32(BLOCK.size);
  if (x.shape.length !== 4 || n !== 1 || block < 1) {
    malformed('SW2107', node.loc, `blocks of ${block} of [${x.shape.join(', ')}]`);
  }
  return { id: x.id, h, w, c, block };
}

/** Channels become block x block pixels. */
export const depthToSpace: Importer = (node) => {
  const { id, c, block } = imageAndBlock(node);
  if (c % (block * block) !== 0) malformed('SW2107', node.loc, `${c} channels in blocks of ${block}x${block}`);
  return [activation(depthToSpaceOf(node, id, { blockH: block, blockW: block }))];
};

/** [1, H, W, blockH * blockW * C] to [1, H * blockH, W * blockW, C]. */
export function depthToSpaceOf(
  node: NodeContext,
  id: TensorId,
  { blockH, blockW }: { blockH: number; blockW: number },
): TensorId {
  const [, h = 1, w = 1, c = 1] = node.builder.tensor(id).shape;
  const depth = c / (blockH * blockW);
  const split = node.builder.tensor(node.reshape(id, [h, w, blockH, blockW * depth]));
  return node.reshape(permuted(node, split, [0, 2, 1, 3]), [1, h * blockH, w * blockW, depth]);
}

export const spaceToDepth: Importer = (node) => {
  const { id, h, w, c, block } = imageAndBlock(node);
  if (h % block !== 0 || w % block !== 0) malformed('SW2107', node.loc, `${h}x${w} pixels in blocks of ${block}`);
  const split = node.builder.tensor(node.reshape(id, [h / block, block, w / block, block * c]));
  const shape = [1, h / block, w / block, block * block * c];
  return [activation(node.reshape(permuted(node, split, [0, 2, 1, 3]), shape))];
};
