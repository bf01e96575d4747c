/**
 * Makes slices and reshapes what they are: other ways to look at a tensor. Their results become views (storage slices that no
 * op writes), and only ops that move or compute data remain.
 *
 *     %4 = slice(%3) axis 3 start 64         tensor %4 .. in %3 offset 64 pitch 3584x128
 *     %5 = conv2d(%4, ..)                    %5 = conv2d(%4, ..)
 *
 * A copy is inserted where no view says it: a reshape that would tear the rows of a slice apart, a model output that is a
 * model input or has gaps. Views of constants become constants.
 */
import { elementCount, elementCountOf, isContiguous, rootOf, tensorOf } from '../src/ir/facts.js';
import type { StridedView } from '../src/ir/layout.js';
import { reshapeView, sliceView, storageOfView, stridedViewOf } from '../src/ir/layout.js';
import type { ConstantData, Op, Program, ReshapeOp, SliceOp, StorageSlice, Tensor, TensorId } from '../src/ir/types.js';
import type { Pass } from './pass.js';
import type { Draft } from './rewrite.js';
import { addTensorLike, copyOp, draftOf, finish } from './rewrite.js';

export const resolveViews: Pass = {
  name: 'resolve-views',
  summary: 'Turns slices and reshapes into views of the tensor they read.',
  requires: ['well-formed'],
  establishes: ['views-resolved'],
  run: resolve,
};

function resolve(program: Program): Program {
  const draft = draftOf(program);
  const ops: Op[] = [];
  let changed = false;
  for (const op of program.ops) {
    if (op.kind !== 'slice' && op.kind !== 'reshape') {
      ops.push(op);
      continue;
    }
    changed = true;
    const [x] = op.inputs;
    if (x === undefined) continue;
    const data = draft.constants.get(x);
    if (data === undefined) ops.push(...resolveOp(op, tensorOf(draft, x), draft));
    else foldConstant(op, tensorOf(draft, x), data, draft);
  }
  const outputs = program.outputs.map((id) => ownOutput(id, ops, draft));
  changed ||= outputs.some((id, i) => id !== program.outputs[i]) || ops.length !== program.ops.length;
  return changed ? finish(draft, ops, outputs) : program;
}

function viewOf(op: SliceOp | ReshapeOp, x: StridedView, shape: readonly number[]): StridedView | undefined {
  return op.kind === 'slice' ? sliceView(x, op.axis, op.start, shape[op.axis] ?? 0) : reshapeView(x, shape);
}

function setView(tensor: Tensor, storage: StorageSlice, draft: Draft): void {
  draft.tensors.set(tensor.id, { ...tensor, storage });
}

/** Files the result as a view; returns the copies this takes. */
function resolveOp(op: SliceOp | ReshapeOp, x: Tensor, draft: Draft): Op[] {
  const result = tensorOf(draft, op.output);
  if (result.storage !== undefined) throw new Error(`@${op.id} ${op.name}: its result is placed already`);
  const view = viewOf(op, stridedViewOf(x), result.shape);
  const storage = view === undefined ? undefined : storageOfView(view);
  if (storage !== undefined) {
    setView(result, storage, draft);
    return [];
  }
  return op.kind === 'reshape' ? reshapeOfCopy(op, x, result, draft) : sliceOfCopy(op, x, result, draft);
}

/** A copy without gaps, of which every reshape is a view. */
function contiguousCopy(x: Tensor, asker: Op, draft: Draft): { readonly copy: Op; readonly tensor: Tensor } {
  const tensor = addTensorLike(draft, x, { name: `${x.name}.copy`, loc: asker.loc });
  return { copy: copyOp(draft, x, tensor.id, asker.loc), tensor };
}

function reshapeOfCopy(op: ReshapeOp, x: Tensor, result: Tensor, draft: Draft): Op[] {
  const { copy, tensor } = contiguousCopy(x, op, draft);
  setView(result, wholeOf(tensor, result.shape), draft);
  return [copy];
}

/** The storage of all of a gapless tensor under another shape. */
function wholeOf(tensor: Tensor, shape: readonly number[]): StorageSlice {
  const view = reshapeView(stridedViewOf(tensor), shape);
  const storage = view === undefined ? undefined : storageOfView(view);
  if (storage === undefined) throw new Error(`%${tensor.id} is not gapless`);
  return storage;
}

/**
 * A slice inside the channels of more than one pixel, or behind a first extent other than 1, is no image: it is taken
 * from [1, 1, outer, inner] and copied together.
 */
function sliceOfCopy(op: SliceOp, x: Tensor, result: Tensor, draft: Draft): Op[] {
  const before: Op[] = [];
  let source = x;
  if (!isContiguous(x)) {
    const { copy, tensor } = contiguousCopy(x, op, draft);
    before.push(copy);
    source = tensor;
  }
  const inner = elementCountOf(x.shape.slice(op.axis));
  const innerOfOne = elementCountOf(x.shape.slice(op.axis + 1));
  const outer = elementCount(x) / inner;
  const flat = reshapeView(stridedViewOf(source), [1, 1, outer, inner]);
  const size = (result.shape[op.axis] ?? 0) * innerOfOne;
  const view = flat === undefined ? undefined : sliceView(flat, 3, op.start * innerOfOne, size);
  const storage = view === undefined ? undefined : storageOfView(view);
  if (storage === undefined) throw new Error(`@${op.id} ${op.name}: no view of %${source.id}`);
  const strided = addTensorLike(draft, result, { name: `${result.name}.strided`, shape: [1, 1, outer, size], storage });
  const { copy, tensor } = contiguousCopy(strided, op, draft);
  setView(result, wholeOf(tensor, result.shape), draft);
  return [...before, copy];
}

/** The result becomes a constant. Without data (a program parsed without its binary) it has none either. */
function foldConstant(op: SliceOp | ReshapeOp, x: Tensor, data: ConstantData, draft: Draft): void {
  const result = tensorOf(draft, op.output);
  if (op.kind === 'reshape' || data.length === 0) {
    draft.constants.set(result.id, data);
    return;
  }
  const inner = elementCountOf(x.shape.slice(op.axis + 1));
  const axisElements = (x.shape[op.axis] ?? 0) * inner;
  const size = (result.shape[op.axis] ?? 0) * inner;
  const gathered = data.slice(0, elementCount(result));
  for (let from = op.start * inner, to = 0; to < gathered.length; from += axisElements, to += size) {
    gathered.set(data.subarray(from, from + size), to);
  }
  draft.constants.set(result.id, gathered);
}

/** A model output is gapless and its own: a copy is appended where it is a part with gaps, a model input or a constant. */
function ownOutput(id: TensorId, ops: Op[], draft: Draft): TensorId {
  const output = tensorOf(draft, id);
  const root = rootOf(output);
  const isFed = draft.program.inputs.includes(root) || draft.constants.has(root);
  if (!isFed && isContiguous(output)) return id;
  const made = addTensorLike(draft, output, {
    ...(output.outsideAxes === undefined ? {} : { outsideAxes: output.outsideAxes }),
    ...(output.outsideShape === undefined ? {} : { outsideShape: output.outsideShape }),
  });
  ops.push(copyOp(draft, output, made.id, output.loc));
  return made.id;
}
