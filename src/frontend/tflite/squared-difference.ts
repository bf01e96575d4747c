/** SQUARED_DIFFERENCE: of int8 in integers, as TFLite's kernel has it; of other numbers in float32. */
import { isQuantized } from '../../ir/facts.js';
import type { Tensor, TensorId } from '../../ir/types.js';
import { together } from './broadcast.js';
import { activation, type Importer, type NodeContext } from './context.js';
import { binaryFunction } from './functions.js';
import { fixedPoint, scaleOf } from './numbers.js';

const inFloat = binaryFunction('sub', 'square');

/** Bits of fraction of the operands; their difference still is an int16. */
const LEFT_SHIFT = 7;
/** Rescaling that changes nothing: 2^30 * 2^(1 - 31). */
const UNCHANGED = { multiplier: 2 ** 30, shift: 1 } as const;

export const squaredDifference: Importer = (node) => {
  const operands = [0, 1].map((position) => node.operand(position));
  const isInteger =
    node.result.type === 'int8' &&
    operands.every((_, position) => {
      const { dtype, quant } = node.input(position);
      return dtype === 'int8' && isQuantized(dtype) && quant !== undefined;
    });
  return isInteger ? inIntegers(node, node.input(0), node.input(1)) : inFloat(node);
};

function inIntegers(node: NodeContext, a: Tensor, b: Tensor): ReturnType<Importer> {
  const result = node.resultQuant();
  const [scaleA, scaleB] = [a, b].map(({ quant }) => (quant === undefined ? 1 : scaleOf(quant))) as [number, number];
  const twice = 2 * Math.max(scaleA, scaleB);
  const [ofA, ofB] = [fixedPoint(scaleA / twice), fixedPoint(scaleB / twice)];
  const out = fixedPoint((twice * twice) / (2 ** (2 * LEFT_SHIFT) * scaleOf(result)));
  const wide = { scales: [1], zeroPoint: 0 };
  const less = (x: Tensor): TensorId =>
    node.emit({ kind: 'convert', to: 'int16', ...UNCHANGED, inputs: [x.id] }, { quant: wide });
  const { inputs, shape } = together(
    node,
    [a, b].map((x) => node.builder.tensor(less(x))),
  );
  const difference = node.emit(
    {
      kind: 'sub',
      rescale: {
        leftShift: LEFT_SHIFT,
        multiplierA: ofA.multiplier,
        shiftA: ofA.shift,
        multiplierB: ofB.multiplier,
        shiftB: ofB.shift,
        multiplierOut: UNCHANGED.multiplier,
        shiftOut: UNCHANGED.shift,
      },
      inputs,
    },
    { quant: wide },
  );
  const unused = { leftShift: 0, multiplierA: 0, shiftA: 0, multiplierB: 0, shiftB: 0 };
  const square = node.emit(
    {
      kind: 'mul',
      rescale: { ...unused, multiplierOut: out.multiplier, shiftOut: out.shift },
      inputs: [difference, difference],
    },
    { quant: wide },
  );
  const made = node.emit({ kind: 'convert', to: 'int8', ...UNCHANGED, inputs: [square] }, { quant: result });
  return [activation(node.reshape(made, shape))];
}
