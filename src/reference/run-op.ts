/** One op: from operands and constants to the array of its result. */
import { assertNever } from '../base/assert-never.js';
import { anchorZeroPointOf, elementCount, isFloatOp, tensorOf } from '../ir/facts.js';
import type {
  BinaryOp,
  BinaryRescale,
  Conv2dOp,
  ConvertOp,
  DenseOp,
  EpilogueStage,
  LrnOp,
  Op,
  PoolOp,
  Program,
  RealRescale,
  SoftmaxOp,
  SumPoolOp,
  Tensor,
  TensorId,
} from '../ir/types.js';
import { isReal } from '../ir/types.js';
import { convolve8, convolve16, convolveFloat32, type Requantization } from './convolution.js';
import { dense8, dense16, denseFloat32 } from './dense.js';
import { depthwise8, depthwiseFloat32 } from './depthwise.js';
import {
  binaryFloat32,
  binaryQuantized,
  binaryReal,
  clamp,
  dequantize,
  lookUp,
  quantizeInto,
  rescaleInto,
  unary,
} from './elementwise.js';
import type { Stored } from './fixed-point.js';
import { repeated, runFloatOp } from './float-operators.js';
import { windowGeometry } from './image.js';
import { concat, type Elements, emptyLike, pad, slice, transpose, upsample } from './movement.js';
import { lrnFloat32, lrnTable, softmaxFixedPoint, softmaxFloat32, softmaxReal, softmaxTable } from './normalization.js';
import { padMirrored } from './pad-mirrored.js';
import { avgPoolFloat32, avgPoolQuantized, maxPool, sumPool } from './pooling.js';
import { resize } from './resize.js';

/** What an op sees of the program: any tensor and, when it is alive, its elements. */
export interface Operands {
  readonly program: Program;
  read(id: TensorId): Elements;
}

/** The op's result, epilogue included. The array is new: it shares nothing with an operand. */
export function runOp(op: Op, operands: Operands): Elements {
  let result = runAnchor(op, operands);
  let zeroPoint = anchorZeroPointOf(op, operands.program);
  for (const stage of op.epilogue) {
    result = runStage(stage, result, operands);
    zeroPoint = stage.kind === 'add' || stage.kind === 'lut' ? stage.resultZeroPoint : zeroPoint;
  }
  const stored = tensorOf(operands.program, op.output).quant?.zeroPoint ?? 0;
  if (isStored(result) && zeroPoint !== stored) {
    throw new Error(`'${op.name}': the epilogue ends with zero point ${zeroPoint}, the result's is ${stored}`);
  }
  return result;
}

function runAnchor(op: Op, operands: Operands): Elements {
  if (isFloatOp(op))
    return runFloatOp(
      op,
      (position) => input(op, position, operands),
      tensorOf(operands.program, op.output),
      anchorZeroPointOf(op, operands.program),
    );
  const x = input(op, 0, operands);
  switch (op.kind) {
    case 'conv2d':
      return runConv2d(op, operands);
    case 'dense':
      return runDense(op, operands);
    case 'maxPool':
    case 'avgPool':
      return runPool(op, operands);
    case 'add':
    case 'sub':
    case 'mul':
      return runBinary(op, operands);
    case 'sumPool':
      return runSumPool(op, operands);
    case 'clamp':
      return clamp(activation(x), op.lo, op.hi);
    case 'unary':
      return unary(float32(x.data, op), op.fn, op.alpha, op.beta);
    case 'lut':
      return runLookUp(x.data, input(op, 1, operands).data, op);
    case 'convert':
      return runConvert(op, operands);
    case 'resize':
      return resize(op, activation(x), x.tensor);
    case 'pad':
      if (op.mode !== undefined) return padMirrored(x.data, x.tensor, op.before, op.after, op.mode);
      return pad(x.data, x.tensor, op.before, op.after, op.value);
    case 'softmax':
      return runSoftmax(op, operands);
    case 'lrn':
      return runLrn(op, operands);
    case 'upsample':
      return upsample(x.data, x.tensor, op.scale);
    case 'concat': {
      const output = tensorOf(operands.program, op.output);
      const parts = op.inputs.map((_, i) => input(op, i, operands));
      return concat(
        parts.map(({ data, tensor }) => ({ data, shape: tensor.shape })),
        op.axis,
        emptyLike(x.data, elementCount(output)),
      );
    }
    case 'slice': {
      const size = tensorOf(operands.program, op.output).shape[op.axis] ?? 0;
      return slice(x.data, x.tensor.shape, op.axis, op.start, size);
    }
    case 'transpose':
      return transpose(x.data, x.tensor.shape, op.perm);
    case 'reshape':
    case 'copy':
      return x.data.slice();
    default:
      return assertNever(op);
  }
}

function runStage(stage: EpilogueStage, value: Elements, operands: Operands): Elements {
  switch (stage.kind) {
    case 'clamp':
      return clamp(activation({ data: value }), stage.lo, stage.hi);
    case 'lut':
      return runLookUp(value, operands.read(stage.table), stage);
    case 'unary':
      return unary(float32(value, stage), stage.fn, stage.alpha, stage.beta);
    case 'add': {
      const other = operands.read(stage.operand);
      const otherZeroPoint = tensorOf(operands.program, stage.operand).quant?.zeroPoint ?? 0;
      const valueIsA = stage.valueIs === 'a';
      const [a, b] = valueIsA ? [value, other] : [other, value];
      if (value instanceof Float32Array) return binaryFloat32('add', float32(a, stage), float32(b, stage));
      const zero = {
        a: valueIsA ? stage.valueZeroPoint : otherZeroPoint,
        b: valueIsA ? otherZeroPoint : stage.valueZeroPoint,
        result: stage.resultZeroPoint,
      };
      return runQuantizedBinary('add', a, b, zero, stage);
    }
    default:
      return assertNever(stage);
  }
}

function runConv2d(op: Conv2dOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const geometry = windowGeometry(x.tensor, tensorOf(operands.program, op.output), op.window);
  const depthwise = op.groups > 1 && op.groups === geometry.inC;
  if (isStored(x.data)) {
    const weights = bytes(input(op, 1, operands).data, op);
    const q = requantizationOf(op, operands);
    if (x.data instanceof Int16Array) return convolve16(geometry, op.groups, x.data, weights, q);
    return depthwise ? depthwise8(geometry, x.data, weights, q) : convolve8(geometry, op.groups, x.data, weights, q);
  }
  const real = float32(x.data, op);
  const weights = realValues(input(op, 1, operands), op);
  const bias = float32(input(op, 2, operands).data, op);
  return depthwise
    ? depthwiseFloat32(geometry, real, weights, bias)
    : convolveFloat32(geometry, op.groups, real, weights, bias);
}

function runDense(op: DenseOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  if (isStored(x.data)) {
    const integers = bytes(input(op, 1, operands).data, op);
    const q = requantizationOf(op, operands);
    return x.data instanceof Int16Array ? dense16(x.data, integers, q) : dense8(x.data, integers, q);
  }
  const weights = realValues(input(op, 1, operands), op);
  return denseFloat32(float32(x.data, op), weights, float32(input(op, 2, operands).data, op));
}

function requantizationOf(op: Conv2dOp | DenseOp, operands: Operands): Requantization {
  return {
    bias: int32(input(op, 2, operands).data, op),
    requant: scalesOf(input(op, 3, operands).data, op),
    inputZeroPoint: input(op, 0, operands).tensor.quant?.zeroPoint ?? 0,
    weightZeroPoint: input(op, 1, operands).tensor.quant?.zeroPoint ?? 0,
    resultZeroPoint: anchorZeroPointOf(op, operands.program),
    roundsOnce: op.rounding === 'once',
  };
}

function runPool(op: PoolOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const output = tensorOf(operands.program, op.output);
  const geometry = windowGeometry(x.tensor, output, op.window);
  if (op.kind === 'maxPool') return maxPool(geometry, activation(x), activation(x, elementCount(output)));
  if (isStored(x.data)) {
    return avgPoolQuantized(geometry, op.countIncludePad, x.tensor.quant?.zeroPoint ?? 0, x.data);
  }
  return avgPoolFloat32(geometry, op.countIncludePad, float32(x.data, op));
}

function runSumPool(op: SumPoolOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  return sumPool(windowGeometry(x.tensor, tensorOf(operands.program, op.output), op.window), stored(x.data, op), {
    multiplier: op.multiplier,
    shift: op.shift,
    scale: op.scale,
    inputZeroPoint: op.offset === undefined ? (x.tensor.quant?.zeroPoint ?? 0) : 0,
    resultZeroPoint: op.offset ?? anchorZeroPointOf(op, operands.program),
  });
}

function runLookUp(x: Elements, table: Elements, what: { readonly kind: string }): Elements {
  if (x instanceof Int8Array && table instanceof Int8Array) return lookUp(x, table);
  if (x instanceof Uint8Array && table instanceof Uint8Array) return lookUp(x, table);
  if (x instanceof Int16Array && table instanceof Int16Array) return x.map((value) => table[value + 32768] as number);
  throw new Error(`operand and table of ${what.kind} are not of one quantised type`);
}

function runConvert(op: ConvertOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const output = tensorOf(operands.program, op.output);
  const zero = { input: x.tensor.quant?.zeroPoint ?? 0, result: anchorZeroPointOf(op, operands.program) };
  if (op.to === 'int32') return Int32Array.from(x.data, toInt32);
  if (x.data instanceof Int32Array) return Float32Array.from(x.data);
  if (op.to === 'float32') return dequantize(stored(x.data, op), x.tensor.quant?.scales[0] ?? 1, zero.input);
  const out = emptyStored(op, x.data.length);
  if (isStored(x.data)) return rescaleInto(x.data, out, op.multiplier, op.shift, zero);
  return quantizeInto(float32(x.data, op), out, output.quant?.scales[0] ?? 1, zero.result, op.rounding === 'halfEven');
}

/** Towards zero; what does not fit is the nearest end of the range, NaN 0. */
function toInt32(x: number): number {
  return Number.isNaN(x) ? 0 : Math.trunc(Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), x)));
}

function emptyStored(op: ConvertOp, length: number): Stored {
  if (op.to === 'int8') return new Int8Array(length);
  if (op.to === 'uint8') return new Uint8Array(length);
  if (op.to === 'int16') return new Int16Array(length);
  throw new Error(`'${op.name}' converts to ${op.to}`);
}

interface ZeroPoints {
  readonly a: number;
  readonly b: number;
  readonly result: number;
}

function runQuantizedBinary(
  kind: BinaryOp['kind'],
  a: Elements,
  b: Elements,
  zero: ZeroPoints,
  what: { readonly kind: string; readonly rescale?: BinaryRescale | RealRescale },
): Elements {
  const rescale = rescaleOf(what);
  if (isReal(rescale)) {
    if (a instanceof Int8Array && b instanceof Int8Array) return binaryReal(kind, a, b, zero, rescale);
    if (a instanceof Uint8Array && b instanceof Uint8Array) return binaryReal(kind, a, b, zero, rescale);
    throw new Error(`operands of ${what.kind} are not of one quantised type of 8 bits`);
  }
  if (a instanceof Int8Array && b instanceof Int8Array) return binaryQuantized(kind, a, b, zero, rescale);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return binaryQuantized(kind, a, b, zero, rescale);
  if (a instanceof Int16Array && b instanceof Int16Array) return binaryQuantized(kind, a, b, zero, rescale);
  throw new Error(`operands of ${what.kind} are not of one quantised type`);
}

function runBinary(op: BinaryOp, operands: Operands): Elements {
  const shape = tensorOf(operands.program, op.output).shape;
  const a = repeatedOperand(input(op, 0, operands), shape);
  const b = repeatedOperand(input(op, 1, operands), shape);
  if (isStored(a.data)) {
    const zero = {
      a: a.tensor.quant?.zeroPoint ?? 0,
      b: b.tensor.quant?.zeroPoint ?? 0,
      result: anchorZeroPointOf(op, operands.program),
    };
    return runQuantizedBinary(op.kind, a.data, b.data, zero, op);
  }
  return binaryFloat32(op.kind, realValues(a, op), realValues(b, op));
}

function runSoftmax(op: SoftmaxOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const length = x.tensor.shape.at(-1) ?? 1;
  if (x.data instanceof Int8Array || x.data instanceof Uint8Array) {
    if (op.fixedPoint !== undefined) return softmaxFixedPoint(x.data, length, op.fixedPoint);
    const table = input(op, 1, operands).data;
    if (op.realScale !== undefined) {
      const zero = anchorZeroPointOf(op, operands.program);
      return softmaxReal(x.data, length, float32(table, op), { scale: op.realScale, zero });
    }
    return softmaxTable(x.data, length, int32(table, op));
  }
  return softmaxFloat32(float32(x.data, op), length);
}

function runLrn(op: LrnOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const channels = x.tensor.shape.at(-1) ?? 1;
  if (x.data instanceof Int8Array || x.data instanceof Uint8Array) {
    const zero = { input: x.tensor.quant?.zeroPoint ?? 0, result: anchorZeroPointOf(op, operands.program) };
    return lrnTable(op, x.data, channels, int32(input(op, 1, operands).data, op), zero);
  }
  return lrnFloat32(op, float32(x.data, op), channels);
}

/** The operand with its extents of 1 repeated. */
function repeatedOperand(operand: Operand, shape: readonly number[]): Operand {
  return { ...operand, data: repeated(operand.data, operand.tensor.shape, shape) };
}

interface Operand {
  readonly tensor: Tensor;
  readonly data: Elements;
}

function input(op: Op, position: number, operands: Operands): Operand {
  const id = op.inputs[position];
  if (id === undefined) throw new Error(`'${op.name}' (${op.kind}) has no operand ${position}`);
  return { tensor: tensorOf(operands.program, id), data: operands.read(id) };
}

/** Constants of a float32 program may be int8 with a scale per row of axis 0: each element is fround(q * scale). */
function realValues({ tensor, data }: Operand, what: { readonly kind: string }): Float32Array {
  if (!(data instanceof Int8Array)) return float32(data, what);
  const { scales, zeroPoint } = tensor.quant ?? { scales: [1], zeroPoint: 0 };
  const out = new Float32Array(data.length);
  const rowLength = data.length / scales.length;
  for (const [row, scale] of scales.entries()) {
    for (let i = row * rowLength; i < (row + 1) * rowLength; i++) {
      out[i] = ((data[i] as number) - zeroPoint) * scale;
    }
  }
  return out;
}

function rescaleOf(what: {
  readonly kind: string;
  readonly rescale?: BinaryRescale | RealRescale;
}): BinaryRescale | RealRescale {
  if (what.rescale === undefined) throw new Error(`quantised ${what.kind} has no rescale`);
  return what.rescale;
}

/** The data as one of the two types of activations, or a new array of its type when a length is given. */
function activation({ data }: Pick<Operand, 'data'>, newLength?: number): Stored | Float32Array {
  if (data instanceof Int32Array) throw new Error('an activation is int32');
  return newLength === undefined ? data : emptyLike(data, newLength);
}

function isStored(data: Elements): data is Stored {
  return data instanceof Int8Array || data instanceof Uint8Array || data instanceof Int16Array;
}

function stored(data: Elements, what: { readonly kind: string }): Stored {
  if (isStored(data)) return data;
  throw new Error(`an operand of ${what.kind} is not quantised`);
}

function bytes(data: Elements, what: { readonly kind: string }): Int8Array | Uint8Array {
  if (data instanceof Int8Array || data instanceof Uint8Array) return data;
  throw new Error(`weights of ${what.kind} are not of 8 bits`);
}

/** Multipliers and shifts, or real scales. */
function scalesOf(data: Elements, what: { readonly kind: string }): Int32Array | Float32Array {
  return data instanceof Float32Array ? data : int32(data, what);
}

function int32(data: Elements, what: { readonly kind: string }): Int32Array {
  if (data instanceof Int32Array) return data;
  throw new Error(`an operand of ${what.kind} is not int32`);
}

function float32(data: Elements, what: { readonly kind: string }): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error(`an operand of float32 ${what.kind} is not float32`);
}
