/** AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D. */
import { isQuantized } from '../../ir/facts.js';
import type { Window2d } from '../../ir/types.js';
import { sameQuantization } from '../../ir/verify-numbers.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { paddingOption, windowOver } from './window.js';

const POOL = { strideW: 1, strideH: 2, width: 3, height: 4, activation: 5 } as const;
/** Window of the pool that the operator's options describe. */
function windowOf(node: NodeContext, shape: readonly number[]): Window2d {
  const { options } = node;
  return windowOver(node, shape, {
    padding: paddingOption(node),
    kernel: [options.int32(POOL.height), options.int32(POOL.width)],
    stride: [options.int32(POOL.strideH), options.int32(POOL.strideW)],
    dilation: [1, 1],
  });
}

/** L2_POOL_2D: the root of the mean of the squares. */
export const l2Pool: Importer = (node) => {
  const x = node.input(0);
  if (x.dtype !== 'float32') return unsupported(`${x.dtype} operands`);
  const squares = node.emit({ kind: 'mul', inputs: [x.id, x.id] });
  const window = windowOf(node, x.shape);
  const mean = node.emit({ kind: 'avgPool', window, countIncludePad: false, inputs: [squares] });
  const root = node.emit({ kind: 'unary', fn: 'sqrt', alpha: 0, beta: 0, inputs: [mean] });
  return [activation(withFused(node, root, node.activationOption(POOL.activation)))];
};

export const pool =
  (kind: 'avgPool' | 'maxPool'): Importer =>
  (node) => {
    const x = node.input(0);
    const window = windowOf(node, x.shape);
    if (isQuantized(x.dtype) && !sameQuantization(x.quant, node.resultQuant())) {
      return unsupported('a result of another quantisation than the operand');
    }
    const id = node.emit({ kind, window, countIncludePad: false, inputs: [x.id] });
    return [activation(withFused(node, id, node.activationOption(POOL.activation)))];
  };
