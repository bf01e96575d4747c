import type { Tensor } from '../../ir/types.js';
import type { Origin, ProgramBuilder } from './builder.js';
import { elementCountOf, MAX_RANK, shapeText, toInteger } from './constant.js';
import type { OnnxGraph } from './graph.js';
import type { ProblemList } from './problems.js';
import type { ValueInfoMessage } from './schema.js';
import { inFloat, type Value } from './value.js';
import { dimsOf, isStored, logicalOrder, type View, viewInOrder } from './view.js';

/** The edge between the model's tensors and ours: graph inputs and outputs, with the axis orders that the outside sees. */

const MAX_DIM = 2 ** 24;
const MAX_INPUT_ELEMENTS = 2 ** 31;

/** Declares a graph input. Undefined, with a problem noted, if its type or shape cannot be used. */
export function importInput(
  info: ValueInfoMessage,
  graph: OnnxGraph,
  builder: ProgramBuilder,
  problems: ProblemList,
): Value | undefined {
  const name = info.name ?? '';
  const loc = { file: graph.file, node: name };
  const type = info.type?.tensorType;
  if (type === undefined || type === null || (type.elemType ?? 0) !== 1) {
    const found = type === undefined || type === null ? 'not a tensor' : `of element type ${type.elemType ?? 0}`;
    problems.add({
      code: 'SW2008',
      blame: 'unsupported',
      message: `input '${name}' is ${found}; only float32 inputs are supported`,
      loc,
    });
    return undefined;
  }
  const dims = inputDims(name, info, loc, problems);
  if (dims === undefined) return undefined;
  const order = inputOrder(name, dims, graph);
  const shape = order.map((axis) => dims[axis] ?? 1);
  const padded = shape.length === 0 || (shape.length === 1 && shape[0] !== 1) ? [1, ...shape] : shape;
  const outsideAxes = order.map((_, axis) => order.indexOf(axis));
  const outside: Pick<Tensor, 'outsideAxes' | 'outsideShape'> =
    padded.length !== shape.length ? { outsideShape: dims } : isStored(order) ? {} : { outsideAxes };
  return { kind: 'activation', view: viewInOrder(builder.input(name, padded, outside, loc), dims, order), sole: false };
}

/** Dimensions with an unknown batch taken as 1. */
function inputDims(
  name: string,
  info: ValueInfoMessage,
  loc: Origin['loc'],
  problems: ProblemList,
): readonly number[] | undefined {
  const shape = info.type?.tensorType?.shape;
  if (shape === undefined || shape === null) {
    problems.add({ code: 'SW2006', blame: 'model', message: `input '${name}' has no shape`, loc });
    return undefined;
  }
  const names: string[] = [];
  const dims = (shape.dim ?? []).map((dim, axis) => {
    const value = Object.hasOwn(dim, 'dimValue') ? toInteger(dim.dimValue ?? 0) : 0;
    if (value > 0) return value;
    if (value < -1) names.push(String(value));
    else if (axis > 0) names.push(dim.dimParam === undefined || dim.dimParam === '' ? `axis ${axis}` : dim.dimParam);
    return 1;
  });
  if (names.length > 0) {
    const message = `input '${name}' has dimensions that are not known at compile time: ${names.join(', ')}`;
    const hint = 'fix the input shape when exporting the model; only the batch may stay open';
    problems.add({ code: 'SW2006', blame: 'model', message, loc, hint });
    return undefined;
  }
  if (dims.length > MAX_RANK || dims.some((dim) => dim > MAX_DIM) || elementCountOf(dims) > MAX_INPUT_ELEMENTS) {
    problems.add({
      code: 'SW2010',
      blame: 'model',
      message: `input '${name}' of shape ${shapeText(dims)} is too large`,
      loc,
    });
    return undefined;
  }
  return dims;
}

/**
 * Channels last for images, unless the model itself says that they come that way: exports of channels-last networks
 * begin with a Transpose.
 */
function inputOrder(name: string, dims: readonly number[], graph: OnnxGraph): readonly number[] {
  const own = dims.map((_, axis) => axis);
  if (dims.length !== 4) return own;
  const readers = graph.nodes.filter((node) => node.inputs.includes(name));
  const onlyTransposed = readers.length > 0 && readers.every((node) => node.operator === 'Transpose');
  return onlyTransposed ? own : [0, 2, 3, 1];
}

/** Makes a value a graph output under the model's name for it. */
export function exportOutput(
  name: string,
  value: Value,
  builder: ProgramBuilder,
  problems: ProblemList,
  origin: Origin,
): void {
  if (value.kind === 'constant' || value.pad !== undefined) {
    const what = value.kind === 'constant' ? 'a constant' : 'a padded image';
    problems.add({ code: 'SW2008', blame: 'unsupported', message: `output '${name}' is ${what}`, loc: origin.loc });
    return;
  }
  const view = value.dequantized === undefined ? value.view : inFloat({ builder, origin }, value.view);
  const dims = dimsOf(view);
  const whole = withWholeAxes(view, builder, origin);
  const tensor = builder.isTaken(whole)
    ? builder.emit({ kind: 'copy', inputs: [whole] }, name, builder.shapeOf(whole), { ...origin, name: `${name}:copy` })
    : whole;
  builder.output(tensor, name, outsideOf(view, builder.shapeOf(tensor), dims));
}

/** The tensor in a shape whose dimensions lie within atoms, so that the model's order is a permutation of them. */
function withWholeAxes(view: View, builder: ProgramBuilder, origin: Origin): View['tensor'] {
  if (isStored(logicalOrder(view))) return view.tensor; // any shape will do
  if (partsOfAtoms(view, builder.shapeOf(view.tensor)) !== undefined) return view.tensor;
  return builder.asShape(view.tensor, [1, ...view.atoms], origin);
}

/** For each atom the dimensions of `shape` that make it up; undefined when a dimension crosses atoms. */
function partsOfAtoms(view: View, shape: readonly number[]): number[][] | undefined {
  const parts: number[][] = view.atoms.map(() => []);
  let atom = 0;
  let rest = view.atoms[0] ?? 1;
  for (let i = 0; i < shape.length; i++) {
    const dim = shape[i] ?? 1;
    if (dim === 1) continue;
    if (rest % dim !== 0) return undefined;
    parts[atom]?.push(i);
    rest /= dim;
    if (rest === 1) rest = view.atoms[++atom] ?? 1;
  }
  return parts;
}

/** How the outside sees a tensor of `shape`: its dimensions in the model's order, ones placed where the model has ones. */
function outsideOf(
  view: View,
  shape: readonly number[],
  dims: readonly number[],
): Pick<Tensor, 'outsideAxes' | 'outsideShape'> {
  const axes = isStored(logicalOrder(view)) ? shape.map((_, i) => i) : outsideAxesOf(view, shape);
  const seen = axes.map((i) => shape[i] ?? 1);
  const sameShape = seen.length === dims.length && seen.every((dim, i) => dim === dims[i]);
  return { ...(isStored(axes) ? {} : { outsideAxes: axes }), ...(sameShape ? {} : { outsideShape: dims }) };
}

function outsideAxesOf(view: View, shape: readonly number[]): number[] {
  const parts = partsOfAtoms(view, shape);
  if (parts === undefined) throw new Error('the output was given a shape of whole atoms');
  const ones = shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  const axes: number[] = [];
  for (const axis of view.axes) {
    if (axis.length > 0) axes.push(...axis.flatMap((atom) => parts[atom] ?? []));
    else {
      const one = ones.shift();
      if (one !== undefined) axes.push(one);
    }
  }
  return [...axes, ...ones];
}
