import type { DType, Tensor } from '../../ir/types.js';
import type { ProblemList } from '../import-problems.js';
import type { Origin, ProgramBuilder } from './builder.js';
import { constOf, constOfTensor, elementCountOf, isIntegral, MAX_RANK, shapeText, toInteger } from './constant.js';
import type { OnnxGraph } from './graph.js';
import { withPendingPad } from './pad.js';
import { type QuantizedType, quantizationOf } from './quantization.js';
import type { ValueInfoMessage } from './schema.js';
import { storedLike } from './states.js';
import { asInt32, inFloat, type Value } from './value.js';
import { dimsOf, isStored, logicalOrder, type View, viewInOrder } from './view.js';

/** The edge between the model's tensors and ours: graph inputs and outputs, with the axis orders that the outside sees. */

const MAX_DIM = 2 ** 22;
const MAX_INPUT_ELEMENTS = 2 ** 31;

/** Declares a graph input. Undefined, with a problem noted, if its type or shape cannot be used. */
export function importInput(
  info: ValueInfoMessage,
  graph: OnnxGraph,
  builder: ProgramBuilder,
  problems: ProblemList,
  shapes: InputShapes,
): Value | undefined {
  const name = info.name ?? '';
  const loc = { file: graph.file, node: name };
  const type = info.type?.tensorType;
  const dtype = type === undefined || type === null ? undefined : INPUT_TYPES.get(type.elemType ?? 0);
  if (dtype === undefined) {
    const found = type === undefined || type === null ? 'not a tensor' : `of element type ${type.elemType ?? 0}`;
    problems.add({
      code: 'SW2008',
      blame: 'unsupported',
      message: `input '${name}' is ${found}; inputs are of float32, integers or bool`,
      loc,
    });
    return undefined;
  }
  const value = scalarValue(info, shapes.shapes.get(name));
  if (value !== undefined) {
    const isInteger = dtype === 'int32';
    return { kind: 'constant', constant: constOf(isInteger ? 'int64' : 'float32', dimsOfScalar(info), [value]) };
  }
  const dims = inputDims(name, info, shapes, loc, problems);
  if (dims === undefined) return undefined;
  const order = inputOrder(name, dims, graph);
  const shape = order.map((axis) => dims[axis] ?? 1);
  const padded = shape.length === 0 || (shape.length === 1 && shape[0] !== 1) ? [1, ...shape] : shape;
  const outsideAxes = order.map((_, axis) => order.indexOf(axis));
  const outside: Pick<Tensor, 'outsideAxes' | 'outsideShape'> =
    padded.length !== shape.length ? { outsideShape: dims } : isStored(order) ? {} : { outsideAxes };
  const quant = dtype === 'int8' || dtype === 'uint8' ? { quant: quantizationOf(storedAs(name, dtype, graph)) } : {};
  const tensor = builder.input(name, padded, outside, loc, { dtype, ...quant });
  return { kind: 'activation', view: viewInOrder(tensor, dims, order), sole: false };
}

/** Element types of the format that an input may have, as the IR holds them: integers and truth in int32. */
const INPUT_TYPES: ReadonlyMap<number, DType> = new Map<number, DType>([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
  [6, 'int32'],
  [7, 'int32'],
  [9, 'int32'],
  [4, 'int32'],
  [5, 'int32'],
  [12, 'int32'],
  [13, 'int32'],
  [10, 'float32'],
  [11, 'float32'],
]);

/** What the first reader takes the integers of an input to stand for; themselves if it does not say. */
function storedAs(name: string, dtype: 'int8' | 'uint8', graph: OnnxGraph): QuantizedType {
  const own = { dtype, scale: 1, zeroPoint: 0 };
  const reader = graph.nodes.find((node) => node.operator === 'DequantizeLinear' && node.inputs[0] === name);
  if (reader === undefined) return own;
  const number = (position: number): number | undefined => {
    const tensor = graph.initializers.get(reader.inputs[position] ?? '');
    const loc = { file: graph.file, node: name };
    const constant = tensor === undefined ? undefined : constOfTensor(tensor, `tensor '${name}'`, loc, '.');
    return constant?.elementCount === 1 ? constant.elements()[0] : undefined;
  };
  const scale = number(1);
  return scale === undefined || !(scale > 0) ? own : { dtype, scale: Math.fround(scale), zeroPoint: number(2) ?? 0 };
}

/** What the user says about open dimensions: shapes of inputs, and through them the sizes of named dimensions. */
export interface InputShapes {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly sizes: ReadonlyMap<string, number>;
}

const dimsOfScalar = (info: ValueInfoMessage): number[] => (info.type?.tensorType?.shape?.dim ?? []).map(() => 1);

/** The value that the user gives to an input of one element: its shape is known without. */
function scalarValue(info: ValueInfoMessage, given: readonly number[] | undefined): number | undefined {
  const declared = info.type?.tensorType?.shape?.dim;
  const isScalar = declared?.every((dim) => toInteger(dim.dimValue ?? 0) === 1) ?? false;
  return isScalar && given?.length === 1 ? given[0] : undefined;
}

/** The shapes that the user gave, checked against the inputs, with the named dimensions that they settle. */
export function inputShapes(
  graph: OnnxGraph,
  given: ReadonlyMap<string, readonly number[]>,
  problems: ProblemList,
): InputShapes {
  const sizes = new Map<string, number>();
  for (const [name, shape] of given) {
    const info = graph.inputs.find((input) => input.name === name);
    const loc = { file: graph.file, node: name };
    if (info === undefined) {
      const known = graph.inputs.map((input) => input.name ?? '').join(', ');
      const message = `--input names '${name}', which is no input of the model`;
      problems.add({ code: 'SW2006', blame: 'usage', message, loc, hint: `the inputs are ${known}` });
      continue;
    }
    if (scalarValue(info, shape) !== undefined) continue;
    const declared = info.type?.tensorType?.shape?.dim ?? [];
    const fits = shape.length === declared.length || declared.length === 0;
    const isSame = declared.every((dim, axis) => {
      const size = toInteger(dim.dimValue ?? 0);
      return size <= 0 || size === shape[axis];
    });
    if (!fits || !isSame) {
      const text = declared.map((dim) => dim.dimParam || String(toInteger(dim.dimValue ?? 0))).join('x');
      const message = `--input gives '${name}' the shape ${shape.join('x')}, the model has ${text}`;
      problems.add({ code: 'SW2006', blame: 'usage', message, loc });
      continue;
    }
    declared.forEach((dim, axis) => {
      if (dim.dimParam !== undefined && dim.dimParam !== '') sizes.set(dim.dimParam, shape[axis] ?? 1);
    });
  }
  return { shapes: given, sizes };
}

/** Dimensions; a batch that nobody settles is 1. */
function inputDims(
  name: string,
  info: ValueInfoMessage,
  { shapes, sizes }: InputShapes,
  loc: Origin['loc'],
  problems: ProblemList,
): readonly number[] | undefined {
  const given = shapes.get(name);
  const shape = info.type?.tensorType?.shape;
  if ((shape === undefined || shape === null) && given === undefined) {
    const hint = `say which it has: --input ${name}=1x3x224x224`;
    problems.add({ code: 'SW2006', blame: 'model', message: `input '${name}' has no shape`, loc, hint });
    return undefined;
  }
  const names: string[] = [];
  const dims = (shape?.dim ?? (given ?? []).map((dimValue) => ({ dimValue }))).map((dim, axis) => {
    const value = Object.hasOwn(dim, 'dimValue') ? toInteger(dim.dimValue ?? 0) : 0;
    const param = 'dimParam' in dim && dim.dimParam !== undefined ? dim.dimParam : '';
    const settled = given?.[axis] ?? sizes.get(param);
    if (value > 0) return value;
    if (settled !== undefined) return settled;
    if (value < -1) names.push(String(value));
    else if (axis > 0) names.push(param === '' ? `axis ${axis}` : param);
    return 1;
  });
  if (names.length > 0) {
    const message = `input '${name}' has dimensions that are not known at compile time: ${names.join(', ')}`;
    const hint = `say what they are, as in --input ${name}=${dims.map((dim, axis) => (axis > 0 && dim === 1 ? 'N' : dim)).join('x')}; only the batch may stay open`;
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
  elemType: number,
  state: View | undefined,
): void {
  const view = exportedView(name, value, builder, problems, origin, elemType);
  if (view === undefined) return;
  const dims = dimsOf(view);
  if (state !== undefined) {
    const ownDims = dimsOf(state);
    if (ownDims.length !== dims.length || ownDims.some((dim, axis) => dim !== dims[axis])) {
      const message = `--state: '${name}' has the shape ${shapeText(dims)}, the input that it is to become ${shapeText(ownDims)}`;
      problems.add({ code: 'SW2011', blame: 'usage', message, loc: origin.loc });
      return;
    }
    const next = storedLike(builder, state, view, origin);
    const own = builder.isTaken(next)
      ? builder.emit({ kind: 'copy', inputs: [next] }, name, builder.shapeOf(next), { ...origin, name: `${name}:copy` })
      : next;
    builder.output(own, name, builder.outsideOf(state.tensor));
    return;
  }
  const whole = withWholeAxes(view, builder, origin);
  const tensor = builder.isTaken(whole)
    ? builder.emit({ kind: 'copy', inputs: [whole] }, name, builder.shapeOf(whole), { ...origin, name: `${name}:copy` })
    : whole;
  builder.output(tensor, name, outsideOf(view, builder.shapeOf(tensor), dims));
}

/** The value as the outside wants it: real numbers, integers where the model says so, whatever waits beside it done. */
function exportedView(
  name: string,
  value: Value,
  builder: ProgramBuilder,
  problems: ProblemList,
  origin: Origin,
  elemType: number,
): View | undefined {
  if (value.kind === 'constant') {
    const { constant } = value;
    if (constant.elementCount < 1 || constant.elementCount > MAX_CONSTANT_OUTPUT) {
      const message = `output '${name}' is a constant of ${constant.elementCount} elements`;
      problems.add({ code: 'SW2008', blame: 'unsupported', message, loc: origin.loc });
      return undefined;
    }
    const shape = constant.dims.length < 2 ? [1, constant.elementCount] : constant.dims;
    const isInteger = isIntegral(constant.dtype);
    const data = () => (isInteger ? Int32Array.from(constant.elements()) : Float32Array.from(constant.elements()));
    const type = { dtype: isInteger ? ('int32' as const) : ('float32' as const) };
    const source = builder.constant(`${name}:constant`, shape, () => ({ data: data() }), origin.loc, type);
    const tensor = builder.emit({ kind: 'copy', inputs: [source] }, name, shape, origin);
    return viewInOrder(
      tensor,
      constant.dims,
      constant.dims.map((_, axis) => axis),
    );
  }
  const node = {
    name,
    operator: 'output',
    inputs: [],
    outputs: [name],
    attributes: new Map(),
    captured: [],
    loc: origin.loc,
  };
  const whole =
    value.pad === undefined
      ? value.view
      : withPendingPad({ builder, origin, node }, value.view, value.pad, value.dequantized);
  if (value.dequantized !== undefined) return inFloat({ builder, origin }, whole);
  const { dtype } = builder.typeOf(whole.tensor);
  const wantsInteger = [6, 7, 9, 12, 13].includes(elemType);
  if (dtype === 'float32' && wantsInteger) return asInt32({ builder, origin }, whole);
  return dtype === 'int32' && (elemType === 1 || elemType === 10 || elemType === 11)
    ? inFloat({ builder, origin }, whole)
    : whole;
}

/** A result that does not depend on the inputs is copied as it is; nobody wants large ones. */
const MAX_CONSTANT_OUTPUT = 2 ** 20;

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
