/** ONE_HOT, of indices that are computed. */

import { together } from './broadcast.js';
import { activation, type Importer } from './context.js';
import { malformed } from './problems.js';
import { asDeclared, realInput } from './real-numbers.js';

const ONE_HOT = { axis: 0 } as const;

/** `on` where the position along the new axis is the index, `off` elsewhere. */
export const oneHot: Importer = (node) => {
  const indices = realInput(node, 0);
  const [depth = 0] = node.integers(1, 'depths');
  const rank = indices.shape.length + 1;
  const given = node.options.int32(ONE_HOT.axis);
  const axis = given < 0 ? given + rank : given;
  if (!(axis >= 0 && axis < rank && depth > 0))
    malformed('SW2107', node.loc, `depth ${depth}, axis ${given} of ${rank} axes`);
  const { builder, loc } = node;
  const data = Float32Array.from({ length: depth }, (_, i) => i);
  const along = Array.from({ length: rank }, (_, i) => (i === axis ? depth : 1));
  const positions = builder.addConstant({ name: `${node.resultName}:positions`, shape: along, data, loc });
  const view = node.reshape(indices.id, indices.shape.toSpliced(axis, 0, 1));
  const compared = together(node, [builder.tensor(view), builder.tensor(positions)]);
  const isHot = node.reshape(node.emit({ kind: 'binary', fn: 'equal', inputs: compared.inputs }), compared.shape);
  const { inputs, shape } = together(node, [builder.tensor(isHot), realInput(node, 2), realInput(node, 3)]);
  return [activation(node.reshape(asDeclared(node, node.emit({ kind: 'select', inputs })), shape))];
};
