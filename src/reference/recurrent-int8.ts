/** The LSTM of int8 inputs and int16 state; docs/numerics.md, "lstmInt8". */
import { logistic16, tanh16 } from '../base/fixed-point-functions-16.js';
import { RECURRENT_INT8 as AT, type RecurrentOp } from '../ir/types.js';
import { mbqm } from './fixed-point.js';
import { roundingShift } from './fixed-point-functions.js';
import type { Elements } from './movement.js';

const sat16 = (x: number): number => Math.min(32767, Math.max(-32768, x));

/** @returns int16 [1, T, 1, 2H]: after each step h less its zero point, then c */
export function recurrentInt8(
  op: RecurrentOp,
  x: Elements,
  [, steps = 1, , inputs = 1]: readonly number[],
  initial: Elements,
  table: Elements,
): Int16Array {
  const { hidden } = op;
  const rows = 4 * hidden;
  const weights = table.subarray(0, rows * inputs);
  const recurrentWeights = table.subarray(rows * inputs, rows * (inputs + hidden));
  const tail = Int8Array.from(table.subarray(rows * (inputs + hidden)));
  const int32s = new Int32Array(tail.buffer);
  const bias = int32s.subarray(0, rows);
  const numbers = Array.from(int32s.subarray(rows));
  const rescale = (sum: number, position: number): number =>
    mbqm(sum, numbers[position] as number, numbers[position + 1] as number);
  const [hiddenZero, zero, cellBits, clip] = [AT.hiddenZero, AT.stateZero, AT.cellBits, AT.clip].map(
    (at) => numbers[at] as number,
  ) as Four;
  const dot = (matrix: Elements, row: number, vector: Elements, from: number, length: number): number => {
    let sum = 0;
    for (let k = 0; k < length; k++) sum += (matrix[row * length + k] as number) * (vector[from + k] as number);
    return sum;
  };
  const state = Int16Array.from(initial);
  const out = new Int16Array(steps * state.length);
  for (let s = 0; s < steps; s++) {
    const t = op.isReverse ? steps - 1 - s : s;
    const sums = Int16Array.from({ length: rows }, (_, row) => {
      const gate = Math.floor(row / hidden);
      const ofInput = dot(weights, row, x, t * inputs, inputs) + (bias[row] as number);
      const ofState = dot(recurrentWeights, row, state, 0, hidden);
      return sat16(rescale(ofState, AT.stateScales + 2 * gate) + sat16(rescale(ofInput, AT.inputScales + 2 * gate)));
    });
    for (let j = 0; j < hidden; j++) {
      const [i, f, g, o] = [0, 1, 2, 3].map((gate) => sums[gate * hidden + j] as number) as Four;
      const kept = roundingShift(logistic16(f) * (state[hidden + j] as number), 15);
      const fresh = roundingShift(logistic16(i) * tanh16(g, 3), 30 - cellBits);
      let cell = sat16(kept + fresh);
      if (clip > 0) cell = Math.min(clip, Math.max(-clip, cell));
      const scaled = rescale(logistic16(o) * tanh16(cell, 15 - cellBits), AT.hiddenScale);
      state[j] = Math.min(127, Math.max(-128, scaled - hiddenZero)) - zero;
      state[hidden + j] = cell;
    }
    out.set(state, t * state.length);
  }
  return out;
}

type Four = [number, number, number, number];
