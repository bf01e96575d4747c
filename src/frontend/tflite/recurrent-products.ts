/**
 * What inputs and states of recurrent layers make with their weights. Before weights of 8 bits TFLite brings both to 8 bits, each step by
 * its own largest value.
 */
import type { TensorId } from '../../ir/types.js';
import { POINT } from './binary-constant.js';
import type { Constant } from './constant.js';
import type { NodeContext } from './context.js';
import { hybridDense } from './convolution.js';

export interface Products {
  /** [1, steps, 1, K] to [1, steps, 1, M], the bias added. */
  readonly ofInput: (x: TensorId) => TensorId;
  /** [1, units] to [1, M]. */
  readonly ofState: (hidden: TensorId) => TensorId;
}

interface RealWeights {
  readonly rows: Float32Array; // [M, K]
  readonly stateRows: Float32Array; // [M, units]
  readonly bias: Float32Array; // [M]
}

export function realProducts(node: NodeContext, { rows, stateRows, bias }: RealWeights): Products {
  const { builder, loc, resultName: name } = node;
  const m = bias.length;
  const constant = (what: string, shape: readonly number[], data: Float32Array): TensorId =>
    builder.addConstant({ name: `${name}:${what}`, shape, data, loc });
  const ofInput = constant('input', [m, 1, 1, rows.length / m], rows);
  const ofState = constant('state', [m, stateRows.length / m], stateRows);
  const [biases, zeros] = [constant('bias', [m], bias), constant('zeros', [m], new Float32Array(m))];
  return {
    ofInput: (x) => node.emit({ kind: 'conv2d', window: POINT, groups: 1, inputs: [x, ofInput, biases] }),
    ofState: (hidden) => node.emit({ kind: 'dense', inputs: [hidden, ofState, zeros] }),
  };
}

interface HybridWeights {
  readonly rows: Constant; // int8 [M, K]
  readonly stateRows: Constant; // int8 [M, units]
  readonly bias: Constant;
}

/** @param isSymmetric whether the operands of 8 bits have no zero point */
export function hybridProducts(
  node: NodeContext,
  { rows, stateRows, bias }: HybridWeights,
  isSymmetric: boolean,
): Products {
  const [m = 1, units = 1] = stateRows.shape;
  return {
    ofInput: (x) => hybridDense(node, x, rows, { bias, isSymmetric }),
    ofState: (hidden) => {
      const image = node.reshape(hidden, [1, 1, 1, units]);
      return node.reshape(hybridDense(node, image, stateRows, { bias: undefined, isSymmetric }), [1, m]);
    },
  };
}
