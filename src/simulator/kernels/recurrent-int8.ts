import { at, imageTask, isEmpty, lengthOf, pixelAddress, viewOf } from '../geometry.js';
import type { Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { limit, mbqm } from './fixed-point.js';
import { roundingDivide } from './fixed-point-functions.js';
import { logisticOf, tanhOf } from './fixed-point-functions-16.js';

/** Numbers behind the biases; docs/numerics.md, "lstmInt8". */
export const INT8_NUMBERS = 22;

/** Where the int32s of a table lie: behind the rows of weights. */
export function int8Numbers(table: number, inputs: number, hidden: number): number {
  return table + 4 * hidden * (inputs + hidden);
}

const INT16 = [-32768, 32767] as const;

/** All steps of an LSTM on int8, a row of int16 state for each: h less its zero point, then c. */
export function runRecurrentInt8(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const { int8, int16, view } = memory;
  const [inputs, hidden, steps] = [at(fields, 'inC'), at(fields, 'hidden'), lengthOf(task.rows)];
  const table = at(fields, 'table');
  const numbers = int8Numbers(table, inputs, hidden);
  const stored = (index: number): number => view.getInt32(numbers + 4 * index, true);
  const number = (index: number): number => stored(4 * hidden + index);
  const [hiddenMultiplier, hiddenShift, taken, zero, cellBits, most] = [16, 17, 18, 19, 20, 21].map(number) as Numbers;
  const start = pixelAddress(viewOf(fields, 'b'), 0, 0) / 2;
  const state = int16.slice(start, start + 2 * hidden);
  const input = viewOf(fields, 'in');
  const recurrence = table + 4 * hidden * inputs;
  for (let step = 0; step < steps; step++) {
    const row = at(fields, 'mode') === 2 ? steps - 1 - step : step;
    const from = pixelAddress(input, row, 0);
    const before = state.slice(0, hidden);
    const gate = (index: number, unit: number): number => {
      const line = index * hidden + unit;
      let sum = stored(line);
      for (let k = 0; k < inputs; k++) sum += (int8[table + line * inputs + k] ?? 0) * (int8[from + k] ?? 0);
      const ofInputs = limit(mbqm(sum, number(2 * index), number(2 * index + 1)), ...INT16);
      let past = 0;
      for (let k = 0; k < hidden; k++) past += (int8[recurrence + line * hidden + k] ?? 0) * (before[k] ?? 0);
      return limit(mbqm(past, number(8 + 2 * index), number(9 + 2 * index)) + ofInputs, ...INT16);
    };
    for (let unit = 0; unit < hidden; unit++) {
      const kept = roundingDivide(logisticOf(gate(1, unit)) * (state[hidden + unit] ?? 0), 15);
      const fresh = roundingDivide(logisticOf(gate(0, unit)) * tanhOf(gate(2, unit), 3), 30 - cellBits);
      const sum = limit(kept + fresh, ...INT16);
      const cell = most > 0 ? limit(sum, -most, most) : sum;
      const product = logisticOf(gate(3, unit)) * tanhOf(cell, 15 - cellBits);
      state[hidden + unit] = cell;
      state[unit] = limit(mbqm(product, hiddenMultiplier, hiddenShift) - taken, -128, 127) - zero;
    }
    int16.set(state, pixelAddress(task.out, row, 0) / 2);
  }
}

type Numbers = [number, number, number, number, number, number];
