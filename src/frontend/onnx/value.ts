import type { TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { AffineTable } from './affine.js';
import type { OpSpec, Origin, ProgramBuilder } from './builder.js';
import { type Const, constOf, elementCountOf, shapeText } from './constant.js';
import type { OnnxNode } from './graph.js';
import { withPendingPad } from './pad.js';
import { malformed } from './problems.js';
import { type QuantizedType, quantizationOf } from './quantization.js';
import { atomsInOrder, dimsOf, reshaped, type View, viewInOrder } from './view.js';

/** Rows and columns that a Pad has added and that the next window operator takes over; `fill` is the padding's value. */
export interface PendingPad {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
  readonly fill: number;
}

export interface ActivationValue {
  readonly kind: 'activation';
  readonly view: View; // without the pending padding
  readonly pad?: PendingPad | undefined;
  /** The model sees real numbers, the tensor holds integers: DequantizeLinear, not computed. */
  readonly dequantized?: QuantizedType | undefined;
  /** Of an integer type in the model, however it is stored. */
  readonly isWhole?: boolean;
  /** Only this value of the model reads the tensor, so its producer may absorb what follows. */
  readonly sole: boolean;
}

export type Value = { readonly kind: 'constant'; readonly constant: Const } | ActivationValue;

/** One node and all that its import may use. */
export interface NodeContext {
  readonly node: OnnxNode;
  readonly origin: Origin;
  readonly opset: number;
  readonly builder: ProgramBuilder;
  readonly affines: AffineTable;
  readonly operands: readonly (Value | undefined)[];
  /** The operand in float32, converted where it is stored otherwise. */
  floatView(position: number): View;
  /** The operand as int32 indices. */
  indexView(position: number): View;
  /** Whether the operand is 1 or 0 already: a comparison or logic made it, or the model says that it is of type bool. */
  isTruth(position: number): boolean;
  /** Whether the operand is of an integer type in the model. */
  isWhole(position: number): boolean;
  /** A rank-4 (or lower) activation scaled and shifted by constants of its axis 1. */
  scaleChannels(view: View, gamma: Const | undefined, beta: Const | undefined): Value;
  /** How often the model reads an output of this node; 0 for one that is never read. */
  usesOfOutput(position: number): number;
  /** The type to which the only reader of an output quantises it, directly or behind a Relu or Clip; undefined without one. */
  resultType(position?: number): QuantizedType | undefined;
  /** How often the model reads the value that stands at this operand. */
  usesOfOperand(position: number): number;
  /** The result of another operator of the standard on these operands: what a node means, spelled out. */
  apply(operator: string, operands: readonly (Value | undefined)[], attributes?: Attributes): Value;
}

/** The node on other operands, which nothing else may absorb. */
export function withOperands(ctx: NodeContext, operands: readonly (Value | undefined)[]): NodeContext {
  const own: NodeContext = {
    ...ctx,
    operands,
    usesOfOperand: () => 0,
    floatView: (position) => floatView(own, position),
    indexView: (position) => indexView(own, position),
  };
  return own;
}

/** Whole numbers, lists of them, texts; real numbers say so. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string | { readonly real: number }>>;

/** The operand at a position, with a padding that waited beside it made. */
export function settled(ctx: NodeContext, position: number): Value {
  const value = ctx.operands[position];
  if (value === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} lacks operand ${position}`);
  if (value.kind === 'constant') return value;
  return { kind: 'activation', view: viewOf(ctx, position), dequantized: value.dequantized, sole: false };
}

/** The shape of a value without pending padding. */
export function valueDims(value: Value): readonly number[] {
  return value.kind === 'constant' ? value.constant.dims : dimsOf(value.view);
}

/** A list of whole numbers, and one real number, as operands. */
export const wholes = (values: readonly number[], dims: readonly number[] = [values.length]): Value => ({
  kind: 'constant',
  constant: constOf('int64', dims, values),
});
export const reals = (values: readonly number[], dims: readonly number[] = [values.length]): Value => ({
  kind: 'constant',
  constant: constOf('float32', dims, values),
});
export const real = (value: number): Value => reals([value], []);

export function constantOperand(ctx: NodeContext, position: number): Const | undefined {
  const value = ctx.operands[position];
  if (value === undefined) return undefined;
  if (value.kind !== 'constant') unsupported(`operand ${position} is computed, not a constant`);
  return value.constant;
}

export function requiredConstant(ctx: NodeContext, position: number): Const {
  const constant = constantOperand(ctx, position);
  if (constant === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} lacks operand ${position}`);
  return constant;
}

/** An activation that may carry a pending padding. */
export function paddedActivation(ctx: NodeContext, position: number): ActivationValue {
  const value = ctx.operands[position];
  if (value === undefined) malformed('SW2007', ctx.node.loc, `${ctx.node.operator} lacks operand ${position}`);
  if (value.kind === 'constant') unsupported(`operand ${position} is a constant`);
  return value;
}

/** The operand in float32: converted, if it is dequantised. */
export function activation(ctx: NodeContext, position: number): View {
  return floatView(ctx, position);
}

export function floatView(ctx: NodeContext, position: number): View {
  const value = paddedActivation(ctx, position);
  const view = storedView(ctx, value);
  const { dtype } = ctx.builder.typeOf(view.tensor);
  if (value.dequantized !== undefined || dtype === 'int32') return inFloat(ctx, view);
  if (dtype === 'float32') return view;
  // The integers themselves: what a Cast or an integer product makes of them.
  const { quant } = ctx.builder.typeOf(view.tensor);
  if (quant?.scales[0] === 1 && quant.zeroPoint === 0) return inFloat(ctx, view);
  return unsupported(`operand ${position} of type ${dtype}`);
}

/** Indices in int32. */
export function indexView(ctx: NodeContext, position: number): View {
  const view = storedView(ctx, paddedActivation(ctx, position));
  if (ctx.builder.typeOf(view.tensor).dtype === 'int32') return view;
  const real = floatView(ctx, position);
  return asInt32(ctx, real);
}

export function asInt32(ctx: Pick<NodeContext, 'builder' | 'origin'>, view: View): View {
  const { builder } = ctx;
  const spec = { kind: 'convert' as const, inputs: [view.tensor], to: 'int32' as const, multiplier: 0, shift: 0 };
  const origin = { ...ctx.origin, name: `${ctx.origin.name}:integers` };
  const tensor = builder.once(`${view.tensor} in int32`, () =>
    builder.emit(spec, `${builder.nameOf(view.tensor)}:integers`, builder.shapeOf(view.tensor), origin),
  );
  return { ...view, tensor };
}

/** The view with its pending padding made. */
function storedView(ctx: NodeContext, value: ActivationValue): View {
  return value.pad === undefined ? value.view : withPendingPad(ctx, value.view, value.pad, value.dequantized);
}

/** The view in float32, whatever padding waits beside it. */
export function realView(ctx: NodeContext, value: ActivationValue): View {
  return value.dequantized === undefined ? value.view : inFloat(ctx, value.view);
}

export function inFloat(ctx: Pick<NodeContext, 'builder' | 'origin'>, view: View): View {
  const { builder } = ctx;
  const name = `${builder.nameOf(view.tensor)}:real`;
  const spec = { kind: 'convert' as const, inputs: [view.tensor], to: 'float32' as const, multiplier: 0, shift: 0 };
  const origin = { ...ctx.origin, name: `${ctx.origin.name}:real` };
  const tensor = builder.once(`${view.tensor} in float32`, () =>
    builder.emit(spec, name, builder.shapeOf(view.tensor), origin),
  );
  return { ...view, tensor };
}

/** The operand as it is stored, whatever its type: for what only moves elements. */
export function viewOf(ctx: NodeContext, position: number): View {
  return storedView(ctx, paddedActivation(ctx, position));
}

/** A value made of moved elements of an operand: dequantised if that one is. */
export function moved(ctx: NodeContext, position: number, view: View): Value {
  const value = ctx.operands[position];
  const dequantized = value?.kind === 'activation' ? value.dequantized : undefined;
  return { kind: 'activation', view, sole: true, dequantized };
}

/** Whether the producer of an operand's tensor may absorb this node: nothing else sees the tensor. */
export function mayAbsorb(ctx: NodeContext, position: number): boolean {
  const value = ctx.operands[position];
  return value?.kind === 'activation' && value.sole && ctx.usesOfOperand(position) === 1;
}

/** A relabelled operand: no new tensor, so it is sole only if its source was, and this its only reader. */
export function relabelled(ctx: NodeContext, position: number, view: View): ActivationValue {
  const value = ctx.operands[position];
  const dequantized = value?.kind === 'activation' ? value.dequantized : undefined;
  return { kind: 'activation', view, sole: mayAbsorb(ctx, position), dequantized };
}

export function computed(view: View): Value {
  return { kind: 'activation', view, sole: true };
}

export function outputName(ctx: NodeContext): string {
  return ctx.node.outputs[0] ?? ctx.node.name;
}

/** Emits the node's operator with an image result [1, H, W, C] and returns it as the model's [1, C, H, W]. */
export function emitImage(
  ctx: NodeContext,
  spec: OpSpec,
  height: number,
  width: number,
  channels: number,
  type?: QuantizedType,
): View {
  const quant = type === undefined ? undefined : quantizationOf(type);
  const tensor = ctx.builder.emit(spec, outputName(ctx), [1, height, width, channels], ctx.origin, quant);
  return viewInOrder(tensor, [1, channels, height, width], [0, 2, 3, 1]);
}

/** Emits an operator that works element by element: the result lies in memory as the operand does. */
export function emitLike(ctx: NodeContext, spec: OpSpec, view: View, type?: QuantizedType): View {
  const quant = type === undefined ? undefined : quantizationOf(type);
  const tensor = ctx.builder.emit(spec, outputName(ctx), ctx.builder.shapeOf(view.tensor), ctx.origin, quant);
  return { ...view, tensor };
}

/** A sequence [N, C, L] as an image of one column, and back. */
export const withColumn = (view: View): View => ({ ...view, axes: [...view.axes, []] });
export const withoutColumn = (view: View): View => ({ ...view, axes: view.axes.slice(0, -1) });

export interface Image {
  readonly tensor: TensorId; // [1, H, W, C]
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A rank-4 activation as an image with channels last. */
export function imageOf(ctx: NodeContext, view: View): Image {
  const [batch, channels, height, width] = dimsOf(view);
  if (channels === undefined || height === undefined || width === undefined || view.axes.length !== 4) {
    unsupported(`an operand of ${view.axes.length} dimension(s) where an image of 4 is supported`);
  }
  if (batch !== 1) unsupported(`a batch of ${batch} inside the graph`);
  const stored = ctx.builder.materialise(view, atomsInOrder(view, [0, 2, 3, 1]), ctx.origin);
  const tensor = ctx.builder.asShape(stored.tensor, [1, height, width, channels], ctx.origin);
  return { tensor, height, width, channels };
}

/** The view with another shape; moves the elements into the model's own order first when a view will not do. */
export function reshapeView(ctx: NodeContext, view: View, dims: readonly number[]): View {
  if (elementCountOf(dims) !== elementCountOf(dimsOf(view))) {
    malformed('SW2007', ctx.node.loc, `${ctx.node.operator} of ${shapeText(dimsOf(view))} into ${shapeText(dims)}`);
  }
  const direct = reshaped(view, dims);
  if (direct !== undefined) return direct;
  const ordered = ctx.builder.materialise(view, view.axes.flat(), ctx.origin);
  const result = reshaped(ordered, dims);
  if (result === undefined) throw new Error('a view in the order of the model can take any shape');
  return result;
}
