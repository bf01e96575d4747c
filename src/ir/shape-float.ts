/** Shapes of the operators that exist in float32 first of all: functions of several operands, reductions, matrix products. */
import { assertNever } from '../base/assert-never.js';
import { gateCount, isQuantized, type OmitEach } from './facts.js';
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
import { type FloatOp, RECURRENT_INT8, type RecurrentOp } from './types.js';

type Body = OmitEach<FloatOp, 'id' | 'output' | 'name' | 'loc'>;

export function inferFloat(
  op: Body,
  inputs: readonly Operand[],
  declaredShape: readonly number[] | undefined,
): Inferred {
  const [x] = inputs;
  if (x === undefined) return fail(`${op.kind} has no operand`);
  switch (op.kind) {
    case 'binary': {
      const keeps = op.fn === 'max' || op.fn === 'min';
      const isValid = x.dtype === 'float32' || (keeps && isQuantized(x.dtype));
      if (!isValid) return fail(`${describe('operand', x)} of ${op.fn} is ${x.dtype}`);
      return arity(op.fn, inputs, 2) ?? together(op.fn, inputs);
    }
    case 'select': {
      const [, ...choices] = inputs;
      if (x.dtype !== 'float32') return fail(`${describe('condition', x)} of select is ${x.dtype}, must be float32`);
      return arity('select', inputs, 3) ?? together('select', [...choices, x]);
    }
    case 'reduce':
      return arity(`reduce ${op.fn}`, inputs, 1) ?? inferReduce(op.fn, x);
    case 'layerNorm':
      return arity('layerNorm', inputs, 3) ?? inferLayerNorm(inputs, x);
    case 'matmul':
      return arity('matmul', inputs, 2) ?? inferMatMul(op.transposeB, inputs, x);
    case 'gather':
      return arity('gather', inputs, 2) ?? inferGather(inputs, x);
    case 'recurrent':
      return arity('recurrent', inputs, 3) ?? inferRecurrent(op, inputs, x);
    case 'broadcast':
      return arity('broadcast', inputs, 1) ?? inferBroadcast(x, declaredShape);
    default:
      return assertNever(op);
  }
}

function together(kind: string, inputs: readonly Operand[]): Inferred {
  const [x] = inputs;
  const shape = repeatedShape(inputs);
  if (x === undefined || shape === undefined) {
    const shapes = inputs.map((input) => formatShape(input.shape)).join(', ');
    return fail(`operands of ${kind} do not go together: ${shapes}`);
  }
  const other = inputs.find(({ dtype }) => dtype !== x.dtype);
  return other === undefined ? done(shape, x.dtype) : fail(`operands of ${kind} are ${x.dtype} and ${other.dtype}`);
}

function inferReduce(fn: string, x: Operand): Inferred {
  const isArgument = fn === 'argMax' || fn === 'argMin';
  const isOrder = isArgument || fn === 'max' || fn === 'min';
  const isValid = x.dtype === 'float32' || (isOrder && isQuantized(x.dtype));
  if (!isValid) return fail(`${describe('operand', x)} of reduce ${fn} is ${x.dtype}`);
  if (x.shape.length !== 4 || x.shape[0] !== 1) return fail(`${describe('operand', x)} of reduce is no image`);
  return done(x.shape.with(3, 1), isArgument ? 'int32' : x.dtype);
}

function inferLayerNorm([, gamma, beta]: readonly Operand[], x: Operand): Inferred {
  const channels = x.shape.at(-1) ?? 1;
  if (x.dtype !== 'float32') return fail(`${describe('operand', x)} of layerNorm is ${x.dtype}`);
  for (const scale of [gamma, beta]) {
    if (scale === undefined || scale.dtype !== 'float32' || !sameShape(scale.shape, [channels])) {
      return fail(`layerNorm over ${channels} channels needs gamma and beta of float32 [${channels}]`);
    }
  }
  return done(x.shape, x.dtype);
}

function inferMatMul(transposeB: boolean, inputs: readonly Operand[], a: Operand): Inferred {
  const b = inputs[1] ?? a;
  const isKnown = a.dtype === 'float32' || a.dtype === 'int8' || a.dtype === 'uint8';
  if (!isKnown || a.dtype !== b.dtype) return fail(`operands of matmul are ${a.dtype} and ${b.dtype}`);
  const isValid = a.shape.length === 4 && b.shape.length === 4 && a.shape[0] === 1 && b.shape[0] === 1;
  const [, batch = 0, rows = 0, inner = 0] = a.shape;
  const [, batchB = 0, first = 0, second = 0] = b.shape;
  const [columns, innerB] = transposeB ? [first, second] : [second, first];
  if (!isValid || innerB !== inner || (batchB !== batch && batchB !== 1)) {
    return fail(`operands of matmul do not go together: ${describe('a', a)}, ${describe('b', b)}`);
  }
  return done([1, batch, rows, columns], a.dtype);
}

function inferGather([, indices]: readonly Operand[], table: Operand): Inferred {
  const [, count = 0] = indices?.shape ?? [];
  const isValid = table.shape.length === 2 && indices?.dtype === 'int32' && sameShape(indices.shape, [1, count, 1]);
  if (isValid) return done([1, count, table.shape[1] ?? 1], table.dtype);
  return fail(`gather of ${describe('table', table)} takes int32 indices [1, N, 1]`);
}

function inferRecurrent(
  op: Pick<RecurrentOp, 'cell' | 'hidden'>,
  [, state, table]: readonly Operand[],
  x: Operand,
): Inferred {
  const [, steps = 0, , inputs = 0] = x.shape;
  const { hidden } = op;
  const isInteger = op.cell === 'lstmInt8';
  const size = op.cell === 'gru' ? hidden : 2 * hidden;
  const [dtype, stored] = isInteger ? (['int8', 'int16'] as const) : (['float32', 'float32'] as const);
  const isImage = x.dtype === dtype && sameShape(x.shape, [1, steps, 1, inputs]);
  const isState = state?.dtype === stored && sameShape(state.shape, [1, 1, 1, size]);
  if (!isImage || !isState || table === undefined) {
    return fail(`${op.cell} of ${dtype} takes a state ${stored} [1, 1, 1, ${size}], not ${describe('operand', x)}`);
  }
  const total = isInteger ? int8TableBytes(inputs, hidden) : gateCount(op.cell) * hidden * (inputs + hidden + 2);
  return table.dtype === dtype && sameShape(table.shape, [total])
    ? done([1, steps, 1, size], stored)
    : fail(`${op.cell} needs a table of ${dtype} [${total}]`);
}

function int8TableBytes(inputs: number, hidden: number): number {
  return 4 * hidden * (inputs + hidden) + 4 * (4 * hidden + RECURRENT_INT8.length);
}

function inferBroadcast(x: Operand, declared: readonly number[] | undefined): Inferred {
  if (declared === undefined) return fail('the result of a broadcast needs a declared shape');
  const isImage = x.shape.length === 4 && declared.length === 4 && declared[0] === x.shape[0];
  if (isImage && x.shape.every((extent, axis) => extent === 1 || extent === declared[axis]))
    return done(declared, x.dtype);
  return fail(`${describe('operand', x)} is not repeated to ${formatShape(declared)}`);
}
