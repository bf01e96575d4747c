/** AVERAGE_POOL_2D and MAX_POOL_2D. */
import { isQuantized } from '../../ir/facts.js';
import { sameQuantization } from '../../ir/verify-numbers.js';
import { unsupported } from '../import-problems.js';
import { withFused } from './activation.js';
import { activation, type Importer } from './context.js';
import { paddingOption, windowOver } from './window.js';

const POOL = { strideW: 1, strideH: 2, width: 3, height: 4, activation: 5 } as const;
export const pool =
  (kind: 'avgPool' | 'maxPool'): Importer =>
  (node) => {
    const x = node.input(0);
    const { options } = node;
    const window = windowOver(node, x.shape, {
      padding: paddingOption(node),
      kernel: [options.int32(POOL.height), options.int32(POOL.width)],
      stride: [options.int32(POOL.strideH), options.int32(POOL.strideW)],
      dilation: [1, 1],
    });
    if (isQuantized(x.dtype) && !sameQuantization(x.quant, node.resultQuant())) {
      return unsupported('a result of another quantisation than the operand');
    }
    const id = node.emit({ kind, window, countIncludePad: false, inputs: [x.id] });
    return [activation(withFused(node, id, node.activationOption(POOL.activation)))];
  };
