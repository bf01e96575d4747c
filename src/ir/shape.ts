/**
 * The result's shape and dtype of every op kind, and what each kind asks of its operands. Quantisation is the
 * verifier's matter; here are only shapes, dtypes and operand counts.
 */
import { assertNever } from '../base/assert-never.js';
import type { OmitEach } from './facts.js';
import { elementCountOf, isFloatOp, isQuantized, windowAxis, windowExtent } from './facts.js';
import {
  arity,
  describe,
  done,
  fail,
  formatShape,
  type Inferred,
  type Operand,
  repeatedShape,
  sameShape,
} from './inferred.js';
import { inferFloat } from './shape-float.js';
import type { ConstantData, ConvertOp, DType, Op, PadOp, SoftmaxOp, Window2d } from './types.js';

export { formatShape, sameShape };

/** An op without what is known only once it stands in a program. */
export type OpBody = OmitEach<Op, 'id' | 'output' | 'name' | 'loc'>;

export function dtypeOfData(data: ConstantData): DType {
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int16Array) return 'int16';
  return data instanceof Int32Array ? 'int32' : 'float32';
}

/**
 * Shape and dtype of the op's result, or everything that is wrong with its operands.
 *
 * @param declaredShape the result's shape as the program has it: slice takes the size from it and reshape all of it;
 *   other kinds do not look
 */
export function inferResult(op: OpBody, inputs: readonly Operand[], declaredShape?: readonly number[]): Inferred {
  const [x] = inputs;
  if (x === undefined) return fail(`${op.kind} has no operand`);
  if (isFloatOp(op)) return inferFloat(op, inputs, declaredShape);
  switch (op.kind) {
    case 'conv2d':
      return inferConv2d(op.window, op.groups, inputs, x);
    case 'dense':
      return inferDense(inputs, x);
    case 'maxPool':
    case 'avgPool':
      return arity(op.kind, inputs, 1) ?? noInt32(op.kind, x) ?? inferPool(op.window, x);
    case 'sumPool':
      if (!isQuantized(x.dtype)) return fail(`${describe('operand', x)} of sumPool is ${x.dtype}`);
      return arity(op.kind, inputs, 1) ?? inferPool(op.window, x);
    case 'add':
    case 'sub':
    case 'mul':
      return arity(op.kind, inputs, 2) ?? noInt32(op.kind, x) ?? inferBinary(op.kind, inputs, x);
    case 'clamp':
      return arity(op.kind, inputs, 1) ?? noInt32(op.kind, x) ?? done(x.shape, x.dtype);
    case 'copy':
      return arity(op.kind, inputs, 1) ?? done(x.shape, x.dtype);
    case 'unary':
      if (x.dtype !== 'float32') return fail(`${describe('operand', x)} of unary is ${x.dtype}, must be float32`);
      return arity(op.kind, inputs, 1) ?? done(x.shape, x.dtype);
    case 'lut':
      return arity(op.kind, inputs, 2) ?? inferLut(inputs, x);
    case 'convert':
      return arity(op.kind, inputs, 1) ?? inferConvert(op, x);
    case 'softmax':
      return noInt32(op.kind, x) ?? inferSoftmax(op, inputs, x);
    case 'lrn':
      if (x.shape.length !== 4) return fail(`${describe('operand', x)} of lrn must have 4 axes`);
      return noInt32(op.kind, x) ?? withTable(op.kind, inputs, x, 1024);
    case 'upsample':
      return arity(op.kind, inputs, 1) ?? inferUpsample(op.scale, x);
    case 'resize':
      return arity(op.kind, inputs, 1) ?? noInt32(op.kind, x) ?? inferResize(op.size, x);
    case 'pad':
      return arity(op.kind, inputs, 1) ?? inferPad(op, x);
    case 'concat':
      return inferConcat(op.axis, inputs, x);
    case 'slice':
      return arity(op.kind, inputs, 1) ?? inferSlice(op.axis, op.start, x, declaredShape);
    case 'reshape':
      return arity(op.kind, inputs, 1) ?? inferReshape(x, declaredShape);
    case 'transpose':
      return arity(op.kind, inputs, 1) ?? inferTranspose(op.perm, x);
    default:
      return assertNever(op);
  }
}

function noInt32(kind: string, x: Operand): Inferred | undefined {
  return x.dtype === 'int32' ? fail(`${describe('operand', x)} of ${kind} is int32`) : undefined;
}

function table(kind: string, inputs: readonly Operand[], dtype: DType, length: number): Inferred | undefined {
  const t = inputs[1];
  if (t === undefined) return fail(`${kind} has no table`);
  if (t.dtype === dtype && sameShape(t.shape, [length])) return undefined;
  return fail(`${describe('table', t)} of ${kind} is ${t.dtype}, must be ${dtype} [${length}]`);
}

/** softmax and lrn: the table is there for int8 only. */
function withTable(kind: string, inputs: readonly Operand[], x: Operand, length: number): Inferred {
  if (x.dtype === 'float32') return arity(kind, inputs, 1) ?? done(x.shape, x.dtype);
  return arity(kind, inputs, 2) ?? table(kind, inputs, 'int32', length) ?? done(x.shape, x.dtype);
}

/** Output extent along one axis of a window; below 1 when the window does not fit. */
export function windowOutputs(window: Window2d, axis: 0 | 1, inputLength: number): number {
  const a = windowAxis(window, axis);
  const padAfter = axis === 0 ? window.pad.bottom : window.pad.right;
  return Math.floor((inputLength + a.padBefore + padAfter - windowExtent(a)) / a.stride) + 1;
}

function windowProblems(window: Window2d, x: Operand): string[] {
  const problems: string[] = [];
  const { pad } = window;
  const positive = [...window.kernel, ...window.stride, ...window.dilation].every((v) => Number.isInteger(v) && v >= 1);
  if (!positive) problems.push('kernel, stride and dilation must be integers of at least 1');
  const pads = [pad.top, pad.left, pad.bottom, pad.right];
  if (!pads.every((v) => Number.isInteger(v) && v >= 0)) {
    problems.push(`padding ${pads.join(',')} must be integers of at least 0`);
  }
  if (x.shape.length !== 4) problems.push(`${describe('operand', x)} must have 4 axes [1, H, W, C]`);
  if (x.shape[0] !== 1 && x.shape.length === 4) problems.push(`${describe('operand', x)} must have 1 as first extent`);
  if (problems.length > 0) return problems;
  for (const axis of [0, 1] as const) {
    const length = x.shape[1 + axis] ?? 0;
    if (windowOutputs(window, axis, length) < 1) {
      const extent = windowExtent(windowAxis(window, axis));
      problems.push(`a window of ${extent} ${axis === 0 ? 'rows' : 'columns'} does not fit ${describe('operand', x)}`);
    }
  }
  return problems;
}

function windowResult(window: Window2d, x: Operand, channels: number): number[] {
  const [, h = 0, w = 0] = x.shape;
  return [1, windowOutputs(window, 0, h), windowOutputs(window, 1, w), channels];
}

/** Weights, bias and requantisation of a convolution or matrix product with m outputs. */
function weightProblems(kind: string, inputs: readonly Operand[], x: Operand, m: number): string[] {
  const [, weights, bias, requant] = inputs;
  const problems: string[] = [];
  const expected = isQuantized(x.dtype) ? 4 : 3;
  if (x.dtype === 'int32') problems.push(`${describe('operand', x)} of ${kind} is int32`);
  if (inputs.length !== expected) {
    problems.push(`${x.dtype} ${kind} has ${inputs.length} operands, takes ${expected}`);
    return problems;
  }
  // Front ends may leave weights of a float program as int8 with scales, until it is decided what they become.
  const floatWithIntegers = x.dtype === 'float32' && weights?.dtype === 'int8';
  const isBytes = isQuantized(x.dtype) && (weights?.dtype === 'int8' || weights?.dtype === 'uint8');
  if (weights !== undefined && weights.dtype !== x.dtype && !floatWithIntegers && !isBytes) {
    problems.push(`${describe('weights', weights)} are ${weights.dtype}, the operand is ${x.dtype}`);
  }
  const biasType = isQuantized(x.dtype) ? 'int32' : 'float32';
  if (bias !== undefined && (bias.dtype !== biasType || !sameShape(bias.shape, [m]))) {
    problems.push(`${describe('bias', bias)} is ${bias.dtype}, must be ${biasType} [${m}]`);
  }
  const isFixed = requant?.dtype === 'int32' && sameShape(requant.shape, [m, 2]);
  const isReal = requant?.dtype === 'float32' && sameShape(requant.shape, [m]) && x.dtype !== 'int16';
  if (requant !== undefined && !isFixed && !isReal) {
    problems.push(`${describe('requant', requant)} is ${requant.dtype}, must be int32 [${m}, 2] or float32 [${m}]`);
  }
  return problems;
}

function inferConv2d(window: Window2d, groups: number, inputs: readonly Operand[], x: Operand): Inferred {
  const weights = inputs[1];
  if (weights === undefined) return fail('conv2d has no weights');
  const [m = 0] = weights.shape;
  const problems = [...windowProblems(window, x), ...weightProblems('conv2d', inputs, x, m)];
  const channels = x.shape[3] ?? 0;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0 || m % groups !== 0) {
    problems.push(`${groups} groups do not divide ${channels} input and ${m} output channels`);
  } else if (!sameShape(weights.shape, [m, ...window.kernel, channels / groups])) {
    const expected = formatShape([m, ...window.kernel, channels / groups]);
    problems.push(`${describe('weights', weights)} must be ${expected}`);
  }
  return problems.length > 0 ? fail(...problems) : done(windowResult(window, x, m), x.dtype);
}

function inferDense(inputs: readonly Operand[], x: Operand): Inferred {
  const weights = inputs[1];
  if (weights === undefined) return fail('dense has no weights');
  const [m = 0] = weights.shape;
  const problems = weightProblems('dense', inputs, x, m);
  if (x.shape.length !== 2 || x.shape[0] !== 1) problems.push(`${describe('operand', x)} of dense must be [1, K]`);
  else if (!sameShape(weights.shape, [m, x.shape[1] ?? 0])) {
    problems.push(`${describe('weights', weights)} must be ${formatShape([m, x.shape[1] ?? 0])}`);
  }
  return problems.length > 0 ? fail(...problems) : done([1, m], x.dtype);
}

/** A pooling window that lies in the padding alone has no largest value and no mean. */
function emptyWindow(window: Window2d, axis: 0 | 1, length: number): boolean {
  const { kernel, stride, dilation, padBefore } = windowAxis(window, axis);
  const outputs = windowOutputs(window, axis, length);
  for (let o = 0; o < outputs; o++) {
    let inside = false;
    for (let k = 0; k < kernel && !inside; k++) {
      const i = o * stride - padBefore + k * dilation;
      inside = i >= 0 && i < length;
    }
    if (!inside) return true;
  }
  return false;
}

function inferPool(window: Window2d, x: Operand): Inferred {
  const problems = windowProblems(window, x);
  if (problems.length > 0) return fail(...problems);
  for (const axis of [0, 1] as const) {
    if (emptyWindow(window, axis, x.shape[1 + axis] ?? 0)) {
      return fail(`a window over ${describe('operand', x)} lies in the padding alone`);
    }
  }
  return done(windowResult(window, x, x.shape[3] ?? 0), x.dtype);
}

function inferBinary(kind: string, inputs: readonly Operand[], a: Operand): Inferred {
  const b = inputs[1];
  if (b === undefined) return fail(`${kind} has one operand`);
  if (a.dtype !== b.dtype) return fail(`operands of ${kind} are ${a.dtype} and ${b.dtype}`);
  const shape = repeatedShape([a, b]);
  if (shape === undefined) {
    return fail(`operands of ${kind} differ in shape: ${describe('a', a)}, ${describe('b', b)}`);
  }
  return done(shape, a.dtype);
}

function inferUpsample(scale: readonly [number, number], x: Operand): Inferred {
  const [n = 1, h = 0, w = 0, c = 0] = x.shape;
  if (x.shape.length !== 4) return fail(`${describe('operand', x)} of upsample must have 4 axes`);
  if (!scale.every((s) => Number.isInteger(s) && s >= 1)) return fail(`scale ${scale.join('x')} must be integers >= 1`);
  return done([n, h * scale[0], w * scale[1], c], x.dtype);
}

function inferResize(size: readonly [number, number], x: Operand): Inferred {
  const [n = 1, , , c = 0] = x.shape;
  if (x.shape.length !== 4) return fail(`${describe('operand', x)} of resize must have 4 axes`);
  if (!size.every((s) => Number.isInteger(s) && s >= 1)) return fail(`size ${size.join('x')} must be integers >= 1`);
  return done([n, ...size, c], x.dtype);
}

function inferPad(op: Pick<PadOp, 'before' | 'after'>, x: Operand): Inferred {
  const [n = 1, h = 0, w = 0, c = 0] = x.shape;
  if (x.shape.length !== 4) return fail(`${describe('operand', x)} of pad must have 4 axes`);
  if (![...op.before, ...op.after].every((count) => Number.isInteger(count) && count >= 0)) {
    return fail(`padding ${op.before.join(',')} and ${op.after.join(',')} must be integers >= 0`);
  }
  const [rows, columns, channels] = [h, w, c].map((extent, i) => (op.before[i] ?? 0) + extent + (op.after[i] ?? 0));
  return done([n, rows ?? h, columns ?? w, channels ?? c], x.dtype);
}

function inferLut(inputs: readonly Operand[], x: Operand): Inferred {
  if (!isQuantized(x.dtype)) return fail(`${describe('operand', x)} of lut is ${x.dtype}, must be quantised`);
  return table('lut', inputs, x.dtype, x.dtype === 'int16' ? 65536 : 256) ?? done(x.shape, x.dtype);
}

function inferConvert(op: Pick<ConvertOp, 'to'>, x: Operand): Inferred {
  const isInteger = x.dtype === 'int32' ? op.to === 'float32' : op.to === 'int32' && x.dtype === 'float32';
  if (isInteger) return done(x.shape, op.to);
  const isValid = (dtype: DType): boolean => dtype === 'float32' || isQuantized(dtype);
  if (!isValid(x.dtype) || !isValid(op.to) || (x.dtype === 'float32' && op.to === 'float32')) {
    return fail(`${describe('operand', x)} is ${x.dtype} and cannot be converted to ${op.to}`);
  }
  return done(x.shape, op.to);
}

function inferSoftmax(
  op: Pick<SoftmaxOp, 'fixedPoint' | 'realScale'>,
  inputs: readonly Operand[],
  x: Operand,
): Inferred {
  if (op.realScale !== undefined) {
    if (x.dtype !== 'int8' && x.dtype !== 'uint8')
      return fail(`softmax with a scale is for int8 and uint8, not ${x.dtype}`);
    return arity('softmax', inputs, 2) ?? table('softmax', inputs, 'float32', 256) ?? done(x.shape, x.dtype);
  }
  if (op.fixedPoint === undefined) return withTable('softmax', inputs, x, 256);
  if (x.dtype !== 'int8' && x.dtype !== 'uint8')
    return fail(`softmax in fixed point is for int8 and uint8, not ${x.dtype}`);
  return arity('softmax', inputs, 1) ?? done(x.shape, x.dtype);
}

const axisProblem = (kind: string, axis: number, x: Operand): string =>
  `axis ${axis} of ${kind} is not an axis of ${describe('operand', x)}`;

const isAxis = (axis: number, x: Operand): boolean => Number.isInteger(axis) && axis >= 0 && axis < x.shape.length;

function inferConcat(axis: number, inputs: readonly Operand[], x: Operand): Inferred {
  if (!isAxis(axis, x)) return fail(axisProblem('concat', axis, x));
  const problems: string[] = [];
  let total = 0;
  for (const input of inputs) {
    const matches =
      input.shape.length === x.shape.length && input.shape.every((extent, i) => i === axis || extent === x.shape[i]);
    if (!matches)
      problems.push(`${describe('operand', input)} of concat along ${axis} does not go with ${describe('', x)}`);
    if (input.dtype !== x.dtype) problems.push(`operands of concat are ${x.dtype} and ${input.dtype}`);
    total += input.shape[axis] ?? 0;
  }
  return problems.length > 0 ? fail(...problems) : done(x.shape.with(axis, total), x.dtype);
}

function inferSlice(axis: number, start: number, x: Operand, declared: readonly number[] | undefined): Inferred {
  if (!isAxis(axis, x)) return fail(axisProblem('slice', axis, x));
  if (declared === undefined) return fail('the result of a slice needs a declared shape');
  const size = declared[axis] ?? 0;
  if (!sameShape(declared, x.shape.with(axis, size)) || size < 1) {
    return fail(`${formatShape(declared)} is no slice of ${describe('operand', x)} along axis ${axis}`);
  }
  if (!Number.isInteger(start) || start < 0 || start + size > (x.shape[axis] ?? 0)) {
    return fail(`elements ${start} to ${start + size} of axis ${axis} are not all in ${describe('operand', x)}`);
  }
  return done(declared, x.dtype);
}

function inferReshape(x: Operand, declared: readonly number[] | undefined): Inferred {
  if (declared === undefined) return fail('the result of a reshape needs a declared shape');
  if (elementCountOf(declared) === elementCountOf(x.shape)) return done(declared, x.dtype);
  return fail(`${describe('operand', x)} cannot be reshaped to ${formatShape(declared)}: element counts differ`);
}

function inferTranspose(perm: readonly number[], x: Operand): Inferred {
  const isPermutation = perm.length === x.shape.length && x.shape.every((_, axis) => perm.includes(axis));
  if (!isPermutation) return fail(`[${perm.join(', ')}] is no order of the axes of ${describe('operand', x)}`);
  return done(
    perm.map((axis) => x.shape[axis] ?? 0),
    x.dtype,
  );
}
