/** One op: from operands and constants to the array of its result. */
import { assertNever } from '../base/assert-never.js';
import { anchorZeroPointOf, elementCount, tensorOf } from '../ir/facts.js';
import type {
  BinaryOp,
  BinaryRescale,
  Conv2dOp,
  DenseOp,
  EpilogueStage,
  LrnOp,
  Op,
  PoolOp,
  Program,
  SoftmaxOp,
  Tensor,
  TensorId,
} from '../ir/types.js';
import { convolveFloat32, convolveInt8, type Requantization } from './convolution.js';
import { denseFloat32, denseInt8 } from './dense.js';
import { depthwiseFloat32, depthwiseInt8 } from './depthwise.js';
import { binaryFloat32, binaryInt8, clamp, lookUp, unary } from './elementwise.js';
import { windowGeometry } from './image.js';
import { concat, type Elements, emptyLike, slice, transpose, upsample } from './movement.js';
import { lrnFloat32, lrnInt8, softmaxFloat32, softmaxInt8 } from './normalization.js';
import { avgPoolFloat32, avgPoolInt8, maxPool } from './pooling.js';

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
  if (result instanceof Int8Array && zeroPoint !== stored) {
    throw new Error(`'${op.name}': the epilogue ends with zero point ${zeroPoint}, the result's is ${stored}`);
  }
  return result;
}

function runAnchor(op: Op, operands: Operands): Elements {
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
    case 'clamp':
      return clamp(activation(x), op.lo, op.hi);
    case 'unary':
      return unary(float32(x.data, op), op.fn, op.alpha, op.beta);
    case 'lut':
      return lookUp(int8(x.data, op), int8(input(op, 1, operands).data, op));
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
      return lookUp(int8(value, stage), int8(operands.read(stage.table), stage));
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
      return binaryInt8('add', int8(a, stage), int8(b, stage), zero, rescaleOf(stage));
    }
    default:
      return assertNever(stage);
  }
}

function runConv2d(op: Conv2dOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const geometry = windowGeometry(x.tensor, tensorOf(operands.program, op.output), op.window);
  const depthwise = op.groups > 1 && op.groups === geometry.inC;
  if (x.data instanceof Int8Array) {
    const weights = int8(input(op, 1, operands).data, op);
    const q = requantizationOf(op, operands);
    return depthwise
      ? depthwiseInt8(geometry, x.data, weights, q)
      : convolveInt8(geometry, op.groups, x.data, weights, q);
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
  if (x.data instanceof Int8Array) {
    return denseInt8(x.data, int8(input(op, 1, operands).data, op), requantizationOf(op, operands));
  }
  const weights = realValues(input(op, 1, operands), op);
  return denseFloat32(float32(x.data, op), weights, float32(input(op, 2, operands).data, op));
}

function requantizationOf(op: Conv2dOp | DenseOp, operands: Operands): Requantization {
  return {
    bias: int32(input(op, 2, operands).data, op),
    requant: int32(input(op, 3, operands).data, op),
    inputZeroPoint: input(op, 0, operands).tensor.quant?.zeroPoint ?? 0,
    resultZeroPoint: anchorZeroPointOf(op, operands.program),
  };
}

function runPool(op: PoolOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const output = tensorOf(operands.program, op.output);
  const geometry = windowGeometry(x.tensor, output, op.window);
  if (op.kind === 'maxPool') return maxPool(geometry, activation(x), activation(x, elementCount(output)));
  if (x.data instanceof Int8Array) {
    return avgPoolInt8(geometry, op.countIncludePad, x.tensor.quant?.zeroPoint ?? 0, x.data);
  }
  return avgPoolFloat32(geometry, op.countIncludePad, float32(x.data, op));
}

function runBinary(op: BinaryOp, operands: Operands): Elements {
  const a = input(op, 0, operands);
  const b = input(op, 1, operands);
  if (a.data instanceof Int8Array) {
    const zero = {
      a: a.tensor.quant?.zeroPoint ?? 0,
      b: b.tensor.quant?.zeroPoint ?? 0,
      result: anchorZeroPointOf(op, operands.program),
    };
    return binaryInt8(op.kind, a.data, int8(b.data, op), zero, rescaleOf(op));
  }
  return binaryFloat32(op.kind, realValues(a, op), realValues(b, op));
}

function runSoftmax(op: SoftmaxOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const length = x.tensor.shape.at(-1) ?? 1;
  if (x.data instanceof Int8Array) return softmaxInt8(x.data, length, int32(input(op, 1, operands).data, op));
  return softmaxFloat32(float32(x.data, op), length);
}

function runLrn(op: LrnOp, operands: Operands): Elements {
  const x = input(op, 0, operands);
  const channels = x.tensor.shape.at(-1) ?? 1;
  if (x.data instanceof Int8Array) {
    const zero = { input: x.tensor.quant?.zeroPoint ?? 0, result: anchorZeroPointOf(op, operands.program) };
    return lrnInt8(op, x.data, channels, int32(input(op, 1, operands).data, op), zero);
  }
  return lrnFloat32(op, float32(x.data, op), channels);
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

function rescaleOf(what: { readonly kind: string; readonly rescale?: BinaryRescale }): BinaryRescale {
  if (what.rescale === undefined) throw new Error(`int8 ${what.kind} has no rescale`);
  return what.rescale;
}

/** The data as one of the two types of activations, or a new array of its type when a length is given. */
function activation({ data }: Pick<Operand, 'data'>, newLength?: number): Int8Array | Float32Array {
  if (data instanceof Int32Array) throw new Error('an activation is int32');
  return newLength === undefined ? data : emptyLike(data, newLength);
}

function int8(data: Elements, what: { readonly kind: string }): Int8Array {
  if (data instanceof Int8Array) return data;
  throw new Error(`an operand of int8 ${what.kind} is not int8`);
}

function int32(data: Elements, what: { readonly kind: string }): Int32Array {
  if (data instanceof Int32Array) return data;
  throw new Error(`an operand of ${what.kind} is not int32`);
}

function float32(data: Elements, what: { readonly kind: string }): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error(`an operand of float32 ${what.kind} is not float32`);
}
