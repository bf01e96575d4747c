/**
 * Storage slices: a tensor with `storage` is a part of its root. Either ops write it (an input of a former concat), or none
 * does and it is a view that is read (a former slice or reshape).
 *
 *     %4 = conv(..)   in %9 offset 0     writes channels 0..63 of every pixel of %9
 *     %5 = conv(..)   in %9 offset 64    writes channels 64..127
 *     %8              in %9 offset 32    a view of both
 *     .. = pool(%9)                      reads: after every writer of %9
 */
import type { Diagnostic } from '../base/diagnostic.js';
import { elementCount, imageShape, isQuantized, operandsOf, rootOf, tensorOf } from './facts.js';
import type { Op, Program, StorageSlice, Tensor, TensorId } from './types.js';
import { sameQuantization } from './verify-numbers.js';

export function storageProblems(program: Program): Diagnostic[] {
  const found: Diagnostic[] = [];
  const report = (tensor: Tensor, message: string): void => {
    found.push({ code: 'SW9023', blame: 'bug', message: `%${tensor.id} ${tensor.name} ${message}`, loc: tensor.loc });
  };
  const sliced = [...program.tensors.values()].filter((tensor) => tensor.storage !== undefined);
  if (sliced.length === 0) return [];
  for (const tensor of sliced) {
    if (tensor.storage !== undefined) checkSlice(tensor, tensor.storage, program, report);
  }
  if (found.length > 0) return found; // coverage needs slices that lie inside their roots
  const written = writersByRoot(program);
  for (const [rootId, writers] of written) checkCoverage(tensorOf(program, rootId), writers, program, report);
  checkReaders(program, written, report);
  return found;
}

type Report = (tensor: Tensor, message: string) => void;

/** One past the last element that the slice touches. */
function endElement(tensor: Tensor, storage: StorageSlice): number {
  const { h, w, c } = imageShape(tensor);
  return storage.offsetElements + (h - 1) * storage.rowPitchElements + (w - 1) * storage.pixelPitchElements + c;
}

function checkSlice(tensor: Tensor, storage: StorageSlice, program: Program, report: Report): void {
  const root = tensorOf(program, storage.root);
  const { h, w, c } = imageShape(tensor);
  const { offsetElements: offset, rowPitchElements: row, pixelPitchElements: pixel } = storage;
  if (root.storage !== undefined) report(tensor, `lies in %${root.id}, which lies in another tensor itself`);
  if (root.dtype !== tensor.dtype) report(tensor, `is ${tensor.dtype}, its root %${root.id} is ${root.dtype}`);
  if (isQuantized(tensor.dtype) && !sameQuantization(root.quant, tensor.quant)) {
    report(tensor, `differs from its root %${root.id} in quantisation`);
  }
  if (program.constants.has(root.id)) report(tensor, `is a view of the constant %${root.id}`);
  if (![offset, row, pixel].every((v) => Number.isInteger(v) && v >= 0))
    report(tensor, 'has a pitch or offset below 0');
  else if (endElement(tensor, storage) > elementCount(root)) {
    report(tensor, `ends at element ${endElement(tensor, storage)} of %${root.id}, which has ${elementCount(root)}`);
  }
  if ((w > 1 && pixel < c) || (h > 1 && row < (w - 1) * pixel + c))
    report(tensor, 'overlaps itself: a pitch is too small');
}

/** Roots that some op writes through a slice, with all ops that write into them. */
function writersByRoot(program: Program): Map<TensorId, Op[]> {
  const all = new Map<TensorId, Op[]>();
  const sliced = new Set<TensorId>();
  for (const op of program.ops) {
    const output = tensorOf(program, op.output);
    const root = rootOf(output);
    const writers = all.get(root);
    if (writers === undefined) all.set(root, [op]);
    else writers.push(op);
    if (output.storage !== undefined) sliced.add(root);
  }
  for (const root of all.keys()) if (!sliced.has(root)) all.delete(root);
  return all;
}

/** Every element of the root is written exactly once. */
function checkCoverage(root: Tensor, writers: readonly Op[], program: Program, report: Report): void {
  if (program.inputs.includes(root.id)) report(root, 'is a model input, and ops write into it');
  const outputs = writers.map((op) => tensorOf(program, op.output));
  let total = 0;
  for (const output of outputs) total += elementCount(output);
  if (total !== elementCount(root)) {
    report(root, `has ${elementCount(root)} elements, its writers make ${total}`);
    return;
  }
  const [only] = outputs;
  if (outputs.length === 1 && only?.id === root.id) return;
  const seen = new Uint8Array(elementCount(root));
  for (const output of outputs) markWritten(seen, output);
  const gap = seen.indexOf(0);
  if (gap >= 0) report(root, `has its element ${gap} written by nothing, and another one twice`);
}

function markWritten(seen: Uint8Array, output: Tensor): void {
  const { h, w, c } = imageShape(output);
  const storage = output.storage;
  if (storage === undefined) {
    seen.fill(1);
    return;
  }
  const { offsetElements, rowPitchElements, pixelPitchElements } = storage;
  for (let row = 0; row < h; row++) {
    const start = offsetElements + row * rowPitchElements;
    if (pixelPitchElements === c) {
      seen.fill(1, start, start + w * c);
      continue;
    }
    for (let x = 0; x < w; x++) {
      const pixel = start + x * pixelPitchElements;
      seen.fill(1, pixel, pixel + c);
    }
  }
}

/** Whoever reads a root or a view of it comes after everything that writes into it. */
function checkReaders(program: Program, written: ReadonlyMap<TensorId, readonly Op[]>, report: Report): void {
  const pending = new Map<TensorId, number>();
  for (const [root, writers] of written) pending.set(root, writers.length);
  for (const op of program.ops) {
    for (const id of operandsOf(op)) {
      const operand = tensorOf(program, id);
      const left = pending.get(rootOf(operand)) ?? 0;
      if (left > 0) report(operand, `is read by @${op.id} ${op.name} before ${left} of its root's writers`);
    }
    const root = rootOf(tensorOf(program, op.output));
    const left = pending.get(root);
    if (left !== undefined) pending.set(root, left - 1);
  }
}
