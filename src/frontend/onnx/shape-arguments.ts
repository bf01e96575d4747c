import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, normaliseAxis } from './attributes.js';
import { type Const, elementCountOf, isIntegral, shapeText, toInteger } from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';

/**
 * Shape arithmetic of the operators that move elements, shared by the folding of constants and the import of
 * activations. All of it works on the model's own axis order.
 */

const MAX_LIST_ELEMENTS = 4096; // lists of axes, dims, indices; a longer one is no shape

/** The elements of a small integer operand; undefined when the operand is absent. */
export function integerList(node: OnnxNode, operand: Const | undefined, what: string): readonly number[] | undefined {
  if (operand === undefined) return undefined;
  if (!isIntegral(operand.dtype))
    malformed('SW2007', node.loc, `${what} of ${node.operator} must be integers, are ${operand.dtype}`);
  if (operand.elementCount > MAX_LIST_ELEMENTS) {
    malformed('SW2007', node.loc, `${what} of ${node.operator} has ${operand.elementCount} elements`);
  }
  return Array.from(operand.elements());
}

/** An attribute of old opsets that became an operand in newer ones. */
export function integerListOrAttribute(
  node: OnnxNode,
  operand: Const | undefined,
  name: string,
): readonly number[] | undefined {
  return integerList(node, operand, name) ?? intsAttribute(node, name);
}

/** Target shape of Reshape with its 0 (copy) and -1 (the rest) resolved. */
export function reshapedDims(node: OnnxNode, dims: readonly number[], wanted: readonly number[]): number[] {
  const copyZero = intAttribute(node, 'allowzero', 0) === 0;
  const result = wanted.map((dim, i) => (dim === 0 && copyZero ? (dims[i] ?? -2) : dim));
  const free = result.indexOf(-1);
  const elementCount = elementCountOf(dims);
  if (free >= 0) {
    const rest = elementCountOf(result.filter((_, i) => i !== free));
    result[free] = rest > 0 ? elementCount / rest : -2;
  }
  if (result.some((dim) => !Number.isInteger(dim) || dim < 0) || elementCountOf(result) !== elementCount) {
    malformed('SW2007', node.loc, `Reshape cannot turn ${shapeText(dims)} into ${shapeText(wanted)}`);
  }
  return result;
}

export function squeezedDims(node: OnnxNode, dims: readonly number[], axes: readonly number[] | undefined): number[] {
  if (axes === undefined) return dims.filter((dim) => dim !== 1);
  const drop = new Set(axes.map((axis) => normaliseAxis(node, axis, dims.length)));
  for (const axis of drop) {
    if (dims[axis] !== 1)
      malformed('SW2007', node.loc, `Squeeze of axis ${axis} of ${shapeText(dims)}, which is not 1`);
  }
  return dims.filter((_, axis) => !drop.has(axis));
}

export function unsqueezedDims(node: OnnxNode, dims: readonly number[], axes: readonly number[] | undefined): number[] {
  if (axes === undefined) malformed('SW2007', node.loc, 'Unsqueeze without axes');
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => normaliseAxis(node, axis, rank)));
  if (added.size !== axes.length) malformed('SW2007', node.loc, `Unsqueeze names an axis twice: ${shapeText(axes)}`);
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (dims[next++] ?? 1)));
}

export function flattenedDims(node: OnnxNode, dims: readonly number[]): number[] {
  const axis = intAttribute(node, 'axis', 1);
  const cut = axis === dims.length ? axis : normaliseAxis(node, axis, dims.length);
  return [elementCountOf(dims.slice(0, cut)), elementCountOf(dims.slice(cut))];
}

export function permutation(node: OnnxNode, rank: number): readonly number[] {
  const perm = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const seen = new Set(perm);
  if (
    perm.length !== rank ||
    seen.size !== rank ||
    perm.some((axis) => axis < 0 || axis >= rank || !Number.isInteger(axis))
  ) {
    malformed('SW2007', node.loc, `Transpose by ${shapeText(perm)} of a tensor of ${rank} dimension(s)`);
  }
  return perm;
}

export interface AxisRange {
  readonly axis: number;
  readonly start: number; // in [0, dim]
  readonly step: number;
  readonly size: number;
}

/** What Slice takes of each axis that it names, clamped as the operator says. */
export function sliceRanges(
  node: OnnxNode,
  dims: readonly number[],
  operands: readonly (Const | undefined)[],
): AxisRange[] {
  const starts = integerListOrAttribute(node, operands[1], 'starts');
  const ends = integerListOrAttribute(node, operands[2], 'ends');
  if (starts === undefined || ends === undefined) malformed('SW2007', node.loc, 'Slice without starts or ends');
  const axes = integerListOrAttribute(node, operands[3], 'axes') ?? starts.map((_, i) => i);
  const steps = integerList(node, operands[4], 'steps') ?? starts.map(() => 1);
  return axes.map((rawAxis, i) => {
    const axis = normaliseAxis(node, rawAxis, dims.length);
    const dim = dims[axis] ?? 0;
    const step = steps[i] ?? 1;
    if (step === 0) malformed('SW2007', node.loc, 'Slice with step 0');
    const fromEnd = (v: number): number => (v < 0 ? v + dim : v);
    const clamp = (v: number, lo: number, hi: number): number => Math.min(Math.max(v, lo), hi);
    const start = step > 0 ? clamp(fromEnd(starts[i] ?? 0), 0, dim) : clamp(fromEnd(starts[i] ?? 0), 0, dim - 1);
    const end = step > 0 ? clamp(fromEnd(ends[i] ?? 0), 0, dim) : clamp(fromEnd(ends[i] ?? 0), -1, dim - 1);
    return { axis, start, step, size: Math.max(0, Math.ceil((end - start) / step)) };
  });
}

/** Sizes of the parts of Split along its axis. */
export function splitSizes(node: OnnxNode, dim: number, operand: Const | undefined): readonly number[] {
  const given = integerListOrAttribute(node, operand, 'split');
  const count = node.outputs.length;
  const part = Math.ceil(dim / count); // num_outputs may leave a smaller last part
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(part, dim - i * part));
  if (sizes.length !== count || sizes.some((size) => size < 0) || sizes.reduce((a, b) => a + b, 0) !== dim) {
    malformed('SW2007', node.loc, `Split of ${dim} into ${shapeText(sizes)} for ${count} output(s)`);
  }
  if (sizes.includes(0)) unsupported('an empty part');
  return sizes;
}

/** Target type of Cast and friends as a code of the format. */
export function typeAttribute(node: OnnxNode, name: string): number {
  const found = node.attributes.get(name);
  return found === undefined ? 0 : toInteger(found.i ?? 0);
}
