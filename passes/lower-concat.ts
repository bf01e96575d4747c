/**
 * Makes every concatenation a matter of where its operands are written.
 *
 *     %4 = conv2d(..)                        %4 = conv2d(..)    in %7, channels 0..63 of every pixel
 *     %5 = conv2d(..)           becomes      %5 = conv2d(..)    in %7, channels 64..95
 *     %7 = concat(%4, %5, %0)                %8 = copy(%0)      in %7, channels 96..98
 *     .. = pool(%7)                          .. = pool(%7)
 *
 * An operand that an op makes for the concatenation alone is written straight into its slice, however far away that op is;
 * any other (read elsewhere too, a model input, a constant, a part of another tensor) is copied, because a slice lives as long
 * as the whole root. Nested concatenations write into the outermost. Afterwards the root is made by several ops.
 */
import { elementCountOf, tensorOf } from '../src/ir/facts.js';
import type { StridedView } from '../src/ir/layout.js';
import { reshapeView, sliceView, storageOfView, stridedViewOf } from '../src/ir/layout.js';
import type { ConcatOp, Op, Program, ReshapeOp, StorageSlice, Tensor, TensorId } from '../src/ir/types.js';
import type { Pass } from './pass.js';
import type { Draft } from './rewrite.js';
import { addTensorLike, copyOp, countUses, draftOf, finish, producersOf } from './rewrite.js';

export const lowerConcat: Pass = {
  name: 'lower-concat',
  summary: 'Writes the operands of concatenations straight into the result.',
  requires: ['well-formed'],
  establishes: [],
  run: lowerConcats,
};

function lowerConcats(program: Program): Program {
  if (!program.ops.some((op) => op.kind === 'concat')) return program;
  const draft = draftOf(program);
  const regular = program.ops.flatMap((op) => (op.kind === 'concat' ? regularConcat(op, draft) : [op]));
  const uses = countUses({ ops: regular, outputs: program.outputs });
  const producers = producersOf({ ops: regular });
  const dropped = new Set<Op>();
  const copies = new Map<Op, Op[]>();
  // Outermost first, so that an inner concatenation finds its own result placed already.
  for (const op of regular.toReversed()) {
    if (op.kind !== 'concat') continue;
    const inserted: Op[] = [];
    for (const slot of slotsOf(op, draft)) {
      const target = aliasTarget(slot, uses, producers, draft);
      if (target === undefined) inserted.push(copyInto(slot, op, draft));
      else {
        draft.tensors.set(target.tensor.id, { ...target.tensor, storage: target.storage });
        for (const reshape of target.through) dropped.add(reshape);
      }
    }
    copies.set(op, inserted);
  }
  const ops = regular.flatMap((op) => (dropped.has(op) ? [] : (copies.get(op) ?? [op])));
  return finish(draft, ops);
}

/** An operand of a concatenation and where its elements belong. */
interface Slot {
  readonly operand: Tensor;
  readonly view: StridedView;
  readonly storage: StorageSlice;
}

function slotsOf(op: ConcatOp, draft: Draft): Slot[] {
  const whole = stridedViewOf(tensorOf(draft, op.output));
  let start = 0;
  return op.inputs.map((id) => {
    const operand = tensorOf(draft, id);
    const size = operand.shape[op.axis] ?? 0;
    const view = sliceView(whole, op.axis, start, size);
    start += size;
    const storage = storageOfView(view);
    if (storage === undefined) throw new Error(`@${op.id} ${op.name}: operand %${id} is no sub-image of the result`);
    return { operand, view, storage };
  });
}

interface AliasTarget {
  readonly tensor: Tensor;
  readonly storage: StorageSlice;
  readonly through: readonly ReshapeOp[]; // between the tensor and the concatenation; not needed any more
}

/** The tensor to write into the slot: the operand, or what it is a reshape of. undefined: it has to be copied. */
function aliasTarget(
  slot: Slot,
  uses: ReadonlyMap<TensorId, number>,
  producers: ReadonlyMap<TensorId, Op>,
  draft: Draft,
): AliasTarget | undefined {
  const through: ReshapeOp[] = [];
  let tensor = slot.operand;
  let view = slot.view;
  for (;;) {
    const producer = producers.get(tensor.id);
    if (producer === undefined || uses.get(tensor.id) !== 1) return undefined;
    if (tensor.storage !== undefined || producer.kind === 'slice') return undefined;
    if (producer.kind !== 'reshape') break;
    const [x] = producer.inputs;
    if (x === undefined) return undefined;
    tensor = tensorOf(draft, x);
    const before = reshapeView(view, tensor.shape);
    if (before === undefined) return undefined;
    view = before;
    through.push(producer);
  }
  const storage = storageOfView(view);
  return storage === undefined ? undefined : { tensor, storage, through };
}

function copyInto(slot: Slot, asker: Op, draft: Draft): Op {
  const name = `${slot.operand.name}.slice`;
  const made = addTensorLike(draft, slot.operand, { name, storage: slot.storage, loc: asker.loc });
  return copyOp(draft, slot.operand, made.id, asker.loc);
}

/**
 * A concatenation along an axis whose slices are no images (inside the channels, or behind a first extent other than
 * 1) is the same as one along the channels of [1, 1, outer, inner].
 */
function regularConcat(op: ConcatOp, draft: Draft): Op[] {
  const output = tensorOf(draft, op.output);
  const whole = stridedViewOf(output);
  const sizes = op.inputs.map((x) => tensorOf(draft, x).shape[op.axis] ?? 0);
  if (sizes.every((size) => storageOfView(sliceView(whole, op.axis, 0, size)) !== undefined)) return [op];
  const flatten = (tensor: Tensor): Tensor => {
    const inner = elementCountOf(tensor.shape.slice(op.axis));
    const shape = [1, 1, elementCountOf(tensor.shape) / inner, inner];
    return addTensorLike(draft, tensor, { name: `${tensor.name}.flat`, shape });
  };
  const { name, loc } = op;
  const reshapes: ReshapeOp[] = op.inputs.map((x) => {
    const id = draft.fresh.opId();
    return { id, kind: 'reshape', name, loc, inputs: [x], output: flatten(tensorOf(draft, x)).id, epilogue: [] };
  });
  const flat = flatten(output);
  const concat: ConcatOp = { ...op, axis: 3, inputs: reshapes.map((reshape) => reshape.output), output: flat.id };
  const id = draft.fresh.opId();
  return [...reshapes, concat, { id, kind: 'reshape', name, loc, inputs: [flat.id], output: output.id, epilogue: [] }];
}
