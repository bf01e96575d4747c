/**
 * Which tensors must share one quantisation, and the quantisation of each group.
 *
 * Operators that move or select stored values (maxPool, avgPool, upsample, concat, slice, reshape, transpose, copy, clamp)
 * have one quantisation for their operands and result. The range of a group covers every member whose values matter as
 * they are. It need not cover a member that is only selected from further on: clipping early and clipping late give the
 * same, so a convolution whose only reader is a ReLU gets the ReLU's range. Averages are no selection.
 */
import { keepsQuantization } from '../../ir/facts.js';
import type { Op, Program, Quantization, TensorId } from '../../ir/types.js';
import { activationQuantization } from './parameters.js';
import type { Range } from './real-functions.js';

/** Softmax has a fixed result scale. */
export const SOFTMAX_QUANT: Quantization = { scales: [1 / 256], zeroPoint: -128 };

export interface ScaleGroups {
  /** The group of a tensor, named by one of its members. */
  groupOf(id: TensorId): TensorId;
  readonly quants: ReadonlyMap<TensorId, Quantization>; // by group
  /** Softmax results that share a group with other sources: they need a table from SOFTMAX_QUANT to the group's. */
  readonly rescaledSoftmax: ReadonlySet<TensorId>;
}

export function scaleGroups(program: Program, ranges: ReadonlyMap<TensorId, Range>): ScaleGroups {
  const parents = new Map<TensorId, TensorId>();
  const groupOf = (id: TensorId): TensorId => {
    let root = id;
    for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
    if (root !== id) parents.set(id, root); // keeps later walks short
    return root;
  };
  for (const op of program.ops) {
    if (!keepsQuantization(op.kind)) continue;
    for (const id of op.inputs) {
      const [a, b] = [groupOf(id), groupOf(op.output)];
      if (a !== b) parents.set(a, b);
    }
  }
  const rescaledSoftmax = new Set<TensorId>();
  const quants = new Map<TensorId, Quantization>();
  const softmaxResults = new Set(program.ops.filter((op) => op.kind === 'softmax').map((op) => op.output));
  const mixed = new Set(
    sourcesOf(program)
      .filter((id) => !softmaxResults.has(id))
      .map(groupOf),
  );
  for (const id of softmaxResults) {
    if (mixed.has(groupOf(id))) rescaledSoftmax.add(id);
    else quants.set(groupOf(id), SOFTMAX_QUANT);
  }
  for (const [group, range] of groupRanges(program, ranges, groupOf)) {
    if (!quants.has(group)) quants.set(group, activationQuantization(range));
  }
  return { groupOf, quants, rescaledSoftmax };
}

/** Tensors whose values are made rather than moved: model inputs, constant operands, results of other operators. */
function sourcesOf(program: Program): TensorId[] {
  const made = program.ops.filter((op) => !keepsQuantization(op.kind)).map((op) => op.output);
  return [...program.inputs, ...program.constants.keys(), ...made];
}

function groupRanges(
  program: Program,
  ranges: ReadonlyMap<TensorId, Range>,
  groupOf: (id: TensorId) => TensorId,
): Map<TensorId, Range> {
  const readers = new Map<TensorId, Op[]>();
  for (const op of program.ops) {
    for (const id of op.inputs) readers.set(id, [...(readers.get(id) ?? []), op]);
  }
  const outputs = new Set(program.outputs);
  const isOnlySelectedFrom = (id: TensorId): boolean => {
    if (outputs.has(id)) return false;
    const ops = readers.get(id) ?? [];
    return ops.length > 0 && ops.every((op) => keepsQuantization(op.kind) && op.kind !== 'avgPool');
  };
  const unions = new Map<TensorId, Range>();
  for (const [id, range] of ranges) {
    if (isOnlySelectedFrom(id)) continue;
    const known = unions.get(groupOf(id)) ?? range;
    unions.set(groupOf(id), { min: Math.min(known.min, range.min), max: Math.max(known.max, range.max) });
  }
  return unions;
}
