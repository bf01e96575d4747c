/** The real values of constants, which a float program may keep as int8 with a scale per row of axis 0. */
import { tensorOf } from '../../ir/facts.js';
import type { ConstantData, Program, Quantization, TensorId } from '../../ir/types.js';

/** @throws Error (a bug of ours) if the tensor is not a constant */
export function constantOf(program: Pick<Program, 'constants'>, id: TensorId): ConstantData {
  const data = program.constants.get(id);
  if (data === undefined) throw new Error(`%${id} is not a constant`);
  return data;
}

/** The elements as float32: fround(q * scale) for int8. */
export function realConstant(program: Pick<Program, 'constants' | 'tensors'>, id: TensorId): Float32Array {
  const data = constantOf(program, id);
  if (data instanceof Float32Array) return data;
  return dequantized(data, tensorOf(program, id).quant);
}

export function dequantized(data: ConstantData, quant: Quantization | undefined): Float32Array {
  const out = new Float32Array(data.length);
  const { scales, zeroPoint } = quant ?? { scales: [1], zeroPoint: 0 };
  const rowLength = data.length / scales.length;
  for (const [row, scale] of scales.entries()) {
    const end = (row + 1) * rowLength;
    for (let i = row * rowLength; i < end; i++) out[i] = ((data[i] as number) - zeroPoint) * scale;
  }
  return out;
}

/** Real values of row `row` of [rows, rowLength], into every `step`th element of `to` from `offset` on. */
export function readRow(
  data: ConstantData,
  quant: Quantization | undefined,
  row: number,
  rowLength: number,
  to: Float64Array,
  offset: number,
  step: number,
): void {
  const from = (row * rowLength) | 0;
  const end = (from + rowLength) | 0;
  let at = offset | 0;
  // Integer indices, and a loop per type of array: V8 compiles these loops several times slower otherwise.
  if (data instanceof Float32Array) {
    for (let i = from; i < end; i++) {
      to[at] = data[i] as number;
      at = (at + step) | 0;
    }
    return;
  }
  const scale = scaleOfRow(quant, row);
  const zeroPoint = quant?.zeroPoint ?? 0;
  for (let i = from; i < end; i++) {
    to[at] = ((data[i] as number) - zeroPoint) * scale;
    at = (at + step) | 0;
  }
}

/** The scale of a row of int8 weights; 1 where there is none. */
export function scaleOfRow(quant: Quantization | undefined, row: number): number {
  if (quant === undefined) return 1;
  return (quant.scales.length === 1 ? quant.scales[0] : quant.scales[row]) ?? 1;
}
