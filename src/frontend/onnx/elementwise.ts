import type { UnaryFunction } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { unaryFunction } from '../quantize/real-functions.js';
import { importArithmetic, importWholeQuotient } from './arithmetic.js';
import { floatAttribute, stringAttribute } from './attributes.js';
import { biasedFastGelu, celu, clipBetween, quickGelu } from './compositions.js';
import { dtypeOfCode, isIntegral, shapeText, splatConst } from './constant.js';
import { importIntegerBinary } from './integer-binary.js';
import { malformed } from './problems.js';
import { quantized, sameQuantizedType } from './quantization.js';
import { integerOperand, lookedUp, quantizedResult } from './quantize-linear.js';
import { canScaleShift, importWithConstant } from './scale-shift.js';
import { typeAttribute } from './shape-arguments.js';
import {
  activation,
  computed,
  constantOperand,
  emitLike,
  floatView,
  type NodeContext,
  relabelled,
  type Value,
  viewOf,
} from './value.js';
import { align, dimsOf, type View } from './view.js';

/** Spells "no limit" (docs/numerics.md). */
const FLOAT_MAX = 3.4028234663852886e38;

const UNARY: Readonly<Record<string, { fn: UnaryFunction; alpha?: number; beta?: number }>> = {
  LeakyRelu: { fn: 'leakyRelu', alpha: 0.01 },
  Sigmoid: { fn: 'sigmoid' },
  Tanh: { fn: 'tanh' },
  HardSwish: { fn: 'hardSwish' },
  Abs: { fn: 'abs' },
  Neg: { fn: 'neg' },
  Floor: { fn: 'floor' },
  Ceil: { fn: 'ceil' },
  Round: { fn: 'round' },
  Sign: { fn: 'sign' },
  Log: { fn: 'log' },
  Erf: { fn: 'erf' },
  Sin: { fn: 'sin' },
  Cos: { fn: 'cos' },
  Atan: { fn: 'atan' },
  Reciprocal: { fn: 'reciprocal' },
  Softplus: { fn: 'softplus' },
  Softsign: { fn: 'softsign' },
  Mish: { fn: 'mish' },
  Not: { fn: 'not' },
  'com.microsoft::Gelu': { fn: 'gelu' },
  'com.microsoft::FastGelu': { fn: 'geluTanh' },
  'com.microsoft::QuickGelu': { fn: 'silu' },
  Selu: { fn: 'selu' },
  Celu: { fn: 'elu', alpha: 1 },
  Gelu: { fn: 'gelu' },
  Swish: { fn: 'silu' },
  HardSigmoid: { fn: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  Elu: { fn: 'elu', alpha: 1 },
  Exp: { fn: 'exp' },
  Sqrt: { fn: 'sqrt' },
};

export const UNARY_OPERATORS: readonly string[] = Object.keys(UNARY);

export function importUnary(ctx: NodeContext): Value[] {
  const { operator } = ctx.node;
  if (operator === 'Celu' && floatAttribute(ctx.node, 'alpha', 1) !== 1) return celu(ctx);
  if (operator.endsWith('::QuickGelu') && floatAttribute(ctx.node, 'alpha', 1.702) !== 1) return quickGelu(ctx);
  if (operator.endsWith('::FastGelu') && ctx.operands[1] !== undefined) return biasedFastGelu(ctx);
  const known = functionOf(ctx);
  const alpha = known.alpha === undefined ? 0 : floatAttribute(ctx.node, 'alpha', known.alpha);
  const beta = known.beta === undefined ? 0 : floatAttribute(ctx.node, 'beta', known.beta);
  return unaryValue(ctx, known.fn, alpha, beta);
}

function functionOf(ctx: NodeContext): { fn: UnaryFunction; alpha?: number; beta?: number } {
  const { node } = ctx;
  const known = UNARY[node.operator];
  if (known === undefined) throw new Error(`${node.operator} is not a unary function`);
  if (node.operator === 'Gelu' && stringAttribute(node, 'approximate', 'none') === 'tanh') return { fn: 'geluTanh' };
  return known;
}

export function importSelu(ctx: NodeContext): Value[] {
  const alpha = floatAttribute(ctx.node, 'alpha', 1.6732632);
  return unaryValue(ctx, 'selu', alpha, floatAttribute(ctx.node, 'gamma', 1.0507));
}

function unaryValue(ctx: NodeContext, fn: UnaryFunction, alpha: number, beta: number): Value[] {
  const looked = byTable(ctx, unaryFunction(fn, Math.fround(alpha), Math.fround(beta)));
  if (looked !== undefined) return [looked];
  const view = activation(ctx, 0);
  return [computed(emitLike(ctx, { kind: 'unary', inputs: [view.tensor], fn, alpha, beta }, view))];
}

export function importRelu(ctx: NodeContext): Value[] {
  return [clamp(ctx, 0, FLOAT_MAX)];
}

/** Limits are attributes before opset 11 and optional operands since; absent ones do not limit. */
export function importClip(ctx: NodeContext): Value[] {
  if (ctx.operands.slice(1).some((operand) => operand?.kind === 'activation')) return clipBetween(ctx);
  const limit = (position: number, name: string, fallback: number): number => {
    const operand = constantOperand(ctx, position);
    if (operand !== undefined && operand.elementCount !== 1) {
      malformed('SW2007', ctx.node.loc, `Clip: ${name} of shape ${shapeText(operand.dims)}`);
    }
    const value =
      operand === undefined ? floatAttribute(ctx.node, name, fallback) : (operand.elements()[0] ?? fallback);
    return Math.min(Math.max(value, -FLOAT_MAX), FLOAT_MAX);
  };
  const lo = limit(1, 'min', -FLOAT_MAX);
  const hi = limit(2, 'max', FLOAT_MAX);
  if (!(lo <= hi)) unsupported(`limits ${lo} and ${hi}`);
  return [clamp(ctx, lo, hi)];
}

/** A function of quantised elements, quantised again, as a table. */
function byTable(ctx: NodeContext, apply: (x: number) => number): Value | undefined {
  const operand = integerOperand(ctx, 0);
  const to = ctx.resultType();
  if (operand === undefined || to === undefined || operand.type.dtype !== to.dtype) return undefined;
  return quantizedResult(lookedUp(ctx, operand.view, operand.type, to, apply), to);
}

function clamp(ctx: NodeContext, lo: number, hi: number): Value {
  const operand = integerOperand(ctx, 0);
  const to = ctx.resultType();
  if (operand !== undefined && to !== undefined && sameQuantizedType(operand.type, to)) {
    const spec = {
      kind: 'clamp' as const,
      inputs: [operand.view.tensor],
      lo: quantized(lo, to),
      hi: quantized(hi, to),
    };
    return quantizedResult(emitLike(ctx, spec, operand.view), to);
  }
  const looked = byTable(ctx, (x) => Math.min(Math.max(x, Math.fround(lo)), Math.fround(hi)));
  if (looked !== undefined) return looked;
  const view = activation(ctx, 0);
  return computed(emitLike(ctx, { kind: 'clamp', inputs: [view.tensor], lo, hi }, view));
}

type BinaryKind = 'add' | 'sub' | 'mul';
const BINARY: Readonly<Record<string, BinaryKind>> = { Add: 'add', Sum: 'add', Sub: 'sub', Mul: 'mul' };

/** Add, Sub, Mul, Div of two activations, or of one and a constant. */
export function importBinary(ctx: NodeContext): Value[] {
  const [a, b] = ctx.operands;
  if (ctx.node.operator === 'Div' && ctx.isWhole(0)) return importWholeQuotient(ctx);
  const kind = BINARY[ctx.node.operator];
  const integer = kind === 'add' || kind === 'mul' ? importIntegerBinary(ctx, kind) : undefined;
  if (integer !== undefined) return [integer];
  if (a?.kind === 'constant' && canScaleShift(ctx, 1)) return importWithConstant(ctx, 1);
  if (b?.kind === 'constant' && canScaleShift(ctx, 0)) return importWithConstant(ctx, 0);
  if (kind === undefined || a?.kind === 'constant' || b?.kind === 'constant') return importArithmetic(ctx);
  const [left, right] = [activation(ctx, 0), activation(ctx, 1)];
  if (!sameDims(dimsOf(left), dimsOf(right))) return importArithmetic(ctx);
  return [computed(combineSame(ctx, kind, left, right))];
}

const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** Sum of any number of activations, as a chain of additions from the left. */
export function importSum(ctx: NodeContext): Value[] {
  const { operands } = ctx;
  if (operands.length === 2) return importBinary(ctx);
  return importArithmetic(ctx);
}

/** Two operands of the same dimensions. */
function combineSame(ctx: NodeContext, kind: BinaryKind, a: View, b: View): View {
  const found = align(a, b);
  const left = found === undefined ? ctx.builder.materialise(a, a.axes.flat(), ctx.origin) : a;
  const alignment = found ?? align(left, b);
  if (alignment === undefined) throw new Error('storage in the order of the model nests with any other');
  const right = ctx.builder.materialise(alignment.b, alignment.orderOfB, ctx.origin);
  const shape = ctx.builder.shapeOf(left.tensor);
  const inputs = [left.tensor, ctx.builder.asShape(right.tensor, shape, ctx.origin)];
  return emitLike(ctx, { kind, inputs }, left);
}

export function importIdentity(ctx: NodeContext): Value[] {
  return [relabelled(ctx, 0, viewOf(ctx, 0))];
}

/** Dropout keeps everything at inference, and its mask says so. */
export function importDropout(ctx: NodeContext): Value[] {
  const isTraining = constantOperand(ctx, 2)?.elements()[0] ?? 0;
  const ratio = constantOperand(ctx, 1)?.elements()[0] ?? 0.5;
  if (isTraining !== 0 && ratio !== 0) unsupported('training_mode');
  const view = viewOf(ctx, 0);
  return [relabelled(ctx, 0, view), { kind: 'constant', constant: splatConst('bool', dimsOf(view), 1) }];
}

/** Integers stay real numbers without a fraction; what is cast to truth is 1 or 0. */
export function importCast(ctx: NodeContext): Value[] {
  const code = typeAttribute(ctx.node, 'to');
  const dtype = code === 0 ? 'float32' : dtypeOfCode(code);
  if (dtype === undefined) unsupported(`an activation to element type ${code}`);
  const value = ctx.operands[0];
  const isInteger = value?.kind === 'activation' && ctx.builder.typeOf(value.view.tensor).dtype === 'int32';
  if (dtype === 'bool' && !ctx.isTruth(0)) {
    const once = emitLike(ctx, unarySpec('not', floatView(ctx, 0)), floatView(ctx, 0));
    return [computed(emitLike(ctx, unarySpec('not', once), once))];
  }
  if (isIntegral(dtype) && isInteger) return [relabelled(ctx, 0, viewOf(ctx, 0))];
  const view = floatView(ctx, 0);
  if (!isIntegral(dtype) || ctx.isTruth(0)) return [{ ...relabelled(ctx, 0, view), dequantized: undefined }];
  return [computed(emitLike(ctx, unarySpec('trunc', view), view))];
}

const unarySpec = (fn: UnaryFunction, view: View) => ({
  kind: 'unary' as const,
  inputs: [view.tensor],
  fn,
  alpha: 0,
  beta: 0,
});
