import { intAttribute } from './attributes.js';
import {
  allocate,
  type Const,
  elementCountOf,
  isIntegral,
  lazyConst,
  type NumericArray,
  type OnnxDType,
  shapeText,
} from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';
import { halfEven } from './quantization.js';

type BinaryFunction = (a: number, b: number) => number;

export const CONSTANT_BINARY: Readonly<Record<string, BinaryFunction>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Min: (a, b) => Math.min(a, b),
  Max: (a, b) => Math.max(a, b),
  Equal: (a, b) => (a === b ? 1 : 0),
  Greater: (a, b) => (a > b ? 1 : 0),
  Less: (a, b) => (a < b ? 1 : 0),
  GreaterOrEqual: (a, b) => (a >= b ? 1 : 0),
  LessOrEqual: (a, b) => (a <= b ? 1 : 0),
  And: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  Or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  Xor: (a, b) => ((a !== 0) !== (b !== 0) ? 1 : 0),
  Mod: (a, b) => a - b * Math.floor(a / b),
};

export const CONSTANT_UNARY: Readonly<Record<string, (x: number) => number>> = {
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Neg: (x) => -x,
  Abs: Math.abs,
  Reciprocal: (x) => 1 / x,
  Relu: (x) => Math.max(x, 0),
  Not: (x) => (x === 0 ? 1 : 0),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
  Sin: Math.sin,
  Cos: Math.cos,
  Round: halfEven,
  Sign: Math.sign,
};

const COMPARISONS: ReadonlySet<string> = new Set([
  'Equal',
  'Greater',
  'Less',
  'GreaterOrEqual',
  'LessOrEqual',
  'And',
  'Or',
  'Xor',
]);

export function foldUnary(input: Const, apply: (x: number) => number): Const {
  return lazyConst(input.dtype, input.dims, () => {
    const source = input.elements();
    const result = allocate(input.dtype, input.elementCount);
    for (let i = 0; i < result.length; i++) result[i] = apply(source[i] ?? 0);
    return result;
  });
}

/** Element by element with the broadcasting of numpy; integer division truncates, as the operator says. */
export function foldBinary(node: OnnxNode, a: Const, b: Const): Const {
  const plain = CONSTANT_BINARY[node.operator];
  if (plain === undefined) throw new Error(`no constant form of ${node.operator}`);
  const dims = broadcastDims(node, a.dims, b.dims);
  const dtype: OnnxDType = COMPARISONS.has(node.operator) ? 'bool' : a.dtype;
  const apply = exactForm(node, dtype) ?? plain;
  const leading = leadingRun(a.dims, b.dims, dims);
  const product = lazyConst(dtype, dims, () => {
    const result = allocate(dtype, elementCountOf(dims));
    if (node.operator === 'Mul' && leading !== undefined && result instanceof Float32Array) {
      scaleRuns(result, a.elements(), b.elements(), leading);
    } else broadcastInto(result, a, b, dims, apply);
    return result;
  });
  const isScaled = node.operator === 'Mul' && leading !== undefined && a.narrow === 'int8' && b.narrow === undefined;
  return isScaled ? { ...product, scaled: { base: a, scales: b } } : product;
}

/** Division of integers truncates; fmod has the sign of the dividend. */
function exactForm(node: OnnxNode, dtype: OnnxDType): BinaryFunction | undefined {
  if (node.operator === 'Div' && isIntegral(dtype)) return (x, y) => Math.trunc(x / y);
  return node.operator === 'Mod' && intAttribute(node, 'fmod', 0) !== 0 ? (x, y) => x % y : undefined;
}

export function broadcastDims(node: OnnxNode, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      malformed(
        'SW2007',
        node.loc,
        `${node.operator} of shapes ${shapeText(a)} and ${shapeText(b)}, which do not broadcast`,
      );
    }
    return x === 1 ? y : x;
  });
}

/** Elements of a per element of b when b is a scalar or varies along a's leading axes only; undefined otherwise. */
function leadingRun(a: readonly number[], b: readonly number[], dims: readonly number[]): number | undefined {
  if (elementCountOf(a) !== elementCountOf(dims)) return undefined;
  const aligned = dims.map((_, i) => b[i - dims.length + b.length] ?? 1);
  let axis = aligned.length;
  while (axis > 0 && aligned[axis - 1] === 1) axis--;
  for (let i = 0; i < axis; i++) if (aligned[i] !== dims[i]) return undefined;
  return elementCountOf(dims.slice(axis));
}

/** The weights of quantised exports: int8 elements times one scale per output channel. */
function scaleRuns(result: Float32Array, source: NumericArray, scales: NumericArray, runElements: number): void {
  for (let run = 0; run < scales.length; run++) {
    const scale = scales[run] ?? 0;
    const end = (run + 1) * runElements;
    for (let i = run * runElements; i < end; i++) result[i] = (source[i] ?? 0) * scale;
  }
}

function broadcastInto(result: NumericArray, a: Const, b: Const, dims: readonly number[], apply: BinaryFunction): void {
  const x = a.elements();
  const y = b.elements();
  const stepsA = broadcastSteps(a.dims, dims);
  const stepsB = broadcastSteps(b.dims, dims);
  const index = new Array<number>(dims.length).fill(0);
  let offsetA = 0;
  let offsetB = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = apply(x[offsetA] ?? 0, y[offsetB] ?? 0);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const stepA = stepsA[axis] ?? 0;
      const stepB = stepsB[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      offsetA += stepA;
      offsetB += stepB;
      if (next < (dims[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      offsetA -= stepA * next;
      offsetB -= stepB * next;
    }
  }
}

/** Elements from one position to the next along each axis of `dims`; 0 where the operand is repeated. */
export function broadcastSteps(operand: readonly number[], dims: readonly number[]): number[] {
  const steps = new Array<number>(dims.length).fill(0);
  let step = 1;
  for (let i = operand.length - 1; i >= 0; i--) {
    const dim = operand[i] ?? 1;
    if (dim !== 1) steps[dims.length - operand.length + i] = step;
    step *= dim;
  }
  return steps;
}

/** a where the condition is not 0, b elsewhere. */
export function foldWhere(node: OnnxNode, condition: Const, a: Const, b: Const): Const {
  const dims = broadcastDims(node, broadcastDims(node, condition.dims, a.dims), b.dims);
  return lazyConst(a.dtype, dims, () => {
    const [which, x, y] = [condition, a, b].map((part) => gather(part, dims, broadcastSteps(part.dims, dims), 0));
    const result = allocate(a.dtype, elementCountOf(dims));
    for (let i = 0; i < result.length; i++) result[i] = (which?.[i] !== 0 ? x?.[i] : y?.[i]) ?? 0;
    return result;
  });
}

export function foldExpand(node: OnnxNode, input: Const, shape: readonly number[]): Const {
  const dims = broadcastDims(node, input.dims, shape);
  return lazyConst(input.dtype, dims, () => gather(input, dims, broadcastSteps(input.dims, dims), 0));
}

/** Reads `source` at start + sum index[axis] * steps[axis] for every index of `dims`, in order. */
export function gather(source: Const, dims: readonly number[], steps: readonly number[], start: number): NumericArray {
  const from = source.elements();
  const result = allocate(source.dtype, elementCountOf(dims));
  const index = new Array<number>(dims.length).fill(0);
  const inner = dims.at(-1) ?? 1;
  const innerStep = steps.at(-1) ?? 0;
  let offset = start;
  for (let i = 0; i < result.length; i += inner) {
    for (let j = 0; j < inner; j++) result[i + j] = from[offset + j * innerStep] ?? 0;
    for (let axis = dims.length - 2; axis >= 0; axis--) {
      const step = steps[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      offset += step;
      if (next < (dims[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      offset -= step * next;
    }
  }
  return result;
}
