/** Operators on several operands, element by element, with numpy's repetition of extents of 1. */
import type { BinaryFunction, Op } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { intAttribute } from './attributes.js';
import type { OpSpec } from './builder.js';
import { bringTogether, type Part, partOf, togetherView } from './together.js';
import {
  computed,
  emitLike,
  type NodeContext,
  outputName,
  relabelled,
  settled,
  type Value,
  valueDims,
  viewOf,
} from './value.js';
import type { View } from './view.js';

type BinaryKind = Extract<Op['kind'], 'add' | 'sub' | 'mul'> | BinaryFunction;

const BINARY: Readonly<Record<string, BinaryKind>> = {
  Add: 'add',
  Sum: 'add',
  Sub: 'sub',
  Mul: 'mul',
  Div: 'div',
  Pow: 'pow',
  Max: 'max',
  Min: 'min',
  Mod: 'mod',
  Equal: 'equal',
  Less: 'less',
  LessOrEqual: 'lessOrEqual',
  Greater: 'greater',
  GreaterOrEqual: 'greaterOrEqual',
  And: 'and',
  Or: 'or',
  Xor: 'xor',
  PRelu: 'prelu',
};

export const ARITHMETIC_OPERATORS: readonly string[] = Object.keys(BINARY);

export function binarySpec(kind: BinaryKind, inputs: OpSpec['inputs']): OpSpec {
  if (kind === 'add' || kind === 'sub' || kind === 'mul') return { kind, inputs };
  return { kind: 'binary', fn: kind, inputs };
}

export function emitBinary(ctx: NodeContext, kind: BinaryKind, a: Part, b: Part): View {
  const together = bringTogether(ctx, [a, b]);
  const tensor = ctx.builder.emit(binarySpec(kind, together.tensors), outputName(ctx), together.shape, ctx.origin);
  return togetherView(together, tensor);
}

/** Any number of operands, from the left. */
export function importArithmetic(ctx: NodeContext): Value[] {
  const kind = BINARY[ctx.node.operator];
  if (kind === undefined) throw new Error(`${ctx.node.operator} is no arithmetic`);
  if (kind === 'mod' && intAttribute(ctx.node, 'fmod', 0) !== 0) return signedRemainder(ctx);
  const parts = ctx.operands.map((_, position) => partOf(ctx, position));
  if (kind === 'prelu') parts.splice(1, 1, slopesOf(ctx, parts[1]));
  const [first] = parts;
  if (first === undefined) return unsupported('no operands');
  if (parts.length === 1) return [relabelled(ctx, 0, viewOf(ctx, 0))];
  let result: Part = first;
  for (const part of parts.slice(1)) result = { kind: 'view', view: emitBinary(ctx, kind, result, part) };
  if (result.kind === 'constant') throw new Error('constants are folded');
  return [computed(result.view)];
}

/** Slopes of a PRelu: before opset 7 a list of them has one for each channel. */
function slopesOf(ctx: NodeContext, part: Part | undefined): Part {
  const [x, slopes] = [settled(ctx, 0), settled(ctx, 1)];
  if (part === undefined) return unsupported('no slopes');
  const [rank, own] = [valueDims(x).length, valueDims(slopes)];
  const isByChannel = own.length === 1 && own[0] === valueDims(x)[1] && own[0] !== 1 && own[0] !== valueDims(x).at(-1);
  if (!isByChannel || slopes.kind !== 'constant') return part;
  return { kind: 'constant', constant: { ...slopes.constant, dims: [...own, ...new Array<number>(rank - 2).fill(1)] } };
}

/** Mod with fmod: the remainder of the magnitudes, with the sign of the dividend. */
function signedRemainder(ctx: NodeContext): Value[] {
  const [a, b] = [settled(ctx, 0), settled(ctx, 1)];
  const rest = ctx.apply('Mod', [ctx.apply('Abs', [a]), ctx.apply('Abs', [b])]);
  return [ctx.apply('Mul', [ctx.apply('Sign', [a]), rest])];
}

/** Div of integers: the quotient without its fraction. */
export function importWholeQuotient(ctx: NodeContext): Value[] {
  const view = emitBinary(ctx, 'div', partOf(ctx, 0), partOf(ctx, 1));
  const spec = { kind: 'unary' as const, inputs: [view.tensor], fn: 'trunc' as const, alpha: 0, beta: 0 };
  return [computed(emitLike(ctx, spec, view))];
}

/** The mean of any number of operands. */
export function importMean(ctx: NodeContext): Value[] {
  const parts = ctx.operands.map((_, position) => partOf(ctx, position));
  let sum = parts[0];
  if (sum === undefined) return unsupported('no operands');
  for (const part of parts.slice(1)) sum = { kind: 'view', view: emitBinary(ctx, 'add', sum, part) };
  return [computed(emitBinary(ctx, 'div', sum, scalar(parts.length)))];
}

export function scalar(value: number): Part {
  const elements = Float32Array.of(value);
  return {
    kind: 'constant',
    constant: { dtype: 'float32', dims: [], elementCount: 1, splat: value, elements: () => elements },
  };
}

export function importWhere(ctx: NodeContext): Value[] {
  const parts = [0, 1, 2].map((position) => partOf(ctx, position));
  const together = bringTogether(ctx, parts);
  const spec = { kind: 'select' as const, inputs: together.tensors };
  const tensor = ctx.builder.emit(spec, outputName(ctx), together.shape, ctx.origin);
  return [computed(togetherView(together, tensor))];
}
