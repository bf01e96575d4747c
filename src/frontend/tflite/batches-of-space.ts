/**
 * SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: how older converters spell a dilated convolution. Between the two the image
 * stays whole, and the convolution's dilation is multiplied by the block instead.
 */
import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { activation, type Importer, type NodeContext, type Value } from './context.js';
import { malformed } from './problems.js';
import { sliced } from './slicing.js';

export const spaceToBatch: Importer = (node) => {
  const x = node.input(0);
  const block = blockOf(node);
  const [top = 0, bottom = 0, left = 0, right = 0] = node.integers(2, 'paddings');
  const [n = 0, h = 0, w = 0] = x.shape;
  if (x.shape.length !== 4 || n !== 1) return unsupported(`of [${x.shape.join(', ')}]`);
  if ((h + top + bottom) % block[0] !== 0 || (w + left + right) % block[1] !== 0) {
    malformed('SW2107', node.loc, `${h}x${w} pixels with padding in blocks of ${block.join('x')}`);
  }
  const isPadded = [top, bottom, left, right].some((count) => count !== 0);
  const value = x.quant?.zeroPoint ?? 0;
  const around = { before: [top, left, 0], after: [bottom, right, 0] } as const;
  const id = isPadded ? node.emit({ kind: 'pad', ...around, value, inputs: [x.id] }) : x.id;
  return [{ kind: 'activation', id, block }];
};

export const batchToSpace: Importer = (node) => {
  const value = node.operand(0);
  const block = blockOf(node);
  if (value.kind === 'constant' || value.block === undefined) return unsupported('of images that come from elsewhere');
  if (value.block.join() !== block.join())
    return unsupported(`blocks of ${block.join('x')} after ${value.block.join('x')}`);
  const [top = 0, bottom = 0, left = 0, right = 0] = node.integers(2, 'crops');
  const [, h = 1, w = 1] = node.builder.tensor(value.id).shape;
  const rows = sliced(node, value.id, 1, top, h - top - bottom);
  return [activation(sliced(node, rows, 2, left, w - left - right))];
};

function blockOf(node: NodeContext): readonly [number, number] {
  const [h = 0, w = 0, ...more] = node.integers(1, 'blocks');
  if (more.length > 0 || h < 1 || w < 1) return unsupported(`blocks of ${[h, w, ...more].join('x')}`);
  return [h, w];
}

/** The image of an operand that is in blocks, and their size. */
export function wholeImage(
  node: NodeContext,
  position: number,
): { id: TensorId; block: readonly [number, number] } | undefined {
  const value: Value = node.operand(position);
  return value.kind === 'activation' && value.block !== undefined ? { id: value.id, block: value.block } : undefined;
}
