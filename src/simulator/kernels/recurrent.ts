import { at, imageTask, isEmpty, pixelAddress, viewOf } from '../geometry.js';
import type { Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { floatFromBits, limit } from './fixed-point.js';

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** All steps of an LSTM or GRU in float32, a row for each; docs/numerics.md, "recurrent". */
export function runRecurrent(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const mode = at(fields, 'mode');
  const isLstm = mode % 2 === 0;
  const isBackward = Math.floor(mode / 2) % 2 === 1;
  const isAfter = mode >= 4;
  const most = floatFromBits(at(fields, 'clip'));
  const [inputs, hidden, steps] = [at(fields, 'inC'), at(fields, 'hidden'), at(fields, 'outH')];
  const [input, start, out] = [viewOf(fields, 'in'), viewOf(fields, 'b'), task.out];
  const memoryFloats = memory.float32;
  const rows = (isLstm ? 4 : 3) * hidden;
  const base = at(fields, 'table') / 4;
  const [fromInputs, fromState] = [base, base + rows * inputs];
  const biases = fromState + rows * hidden;
  const state = memoryFloats.slice(pixelAddress(start, 0, 0) / 4, pixelAddress(start, 0, 0) / 4 + at(fields, 'outC'));
  const x = new Float64Array(inputs);
  const ofInputs = (row: number): number => {
    let sum = 0;
    const at = fromInputs + row * inputs;
    for (let k = 0; k < inputs; k++) sum += (memoryFloats[at + k] ?? 0) * (x[k] ?? 0);
    return sum + (memoryFloats[biases + row] ?? 0);
  };
  const ofState = (row: number, h: Float32Array): number => {
    let sum = 0;
    const at = fromState + row * hidden;
    for (let k = 0; k < hidden; k++) sum += (memoryFloats[at + k] ?? 0) * (h[k] ?? 0);
    return sum + (memoryFloats[biases + rows + row] ?? 0);
  };
  for (let step = 0; step < steps; step++) {
    const row = isBackward ? steps - 1 - step : step;
    const from = pixelAddress(input, row, 0) / 4;
    for (let k = 0; k < inputs; k++) x[k] = memoryFloats[from + k] ?? 0;
    const before = state.slice();
    if (isLstm) {
      const gate = (index: number, j: number): number =>
        ofInputs(index * hidden + j) + ofState(index * hidden + j, before);
      for (let j = 0; j < hidden; j++) {
        const [i, f, g, o] = [gate(0, j), gate(1, j), gate(2, j), gate(3, j)];
        const sum = Math.fround(logistic(f) * (before[hidden + j] ?? 0) + logistic(i) * Math.tanh(g));
        const cell = most === 0 ? sum : limit(sum, -most, most);
        state[hidden + j] = cell;
        state[j] = logistic(o) * Math.tanh(cell);
      }
    } else {
      const reset = new Float32Array(hidden);
      for (let j = 0; j < hidden; j++) reset[j] = logistic(ofInputs(hidden + j) + ofState(hidden + j, before));
      const masked = reset.map((r, j) => r * (before[j] ?? 0));
      for (let j = 0; j < hidden; j++) {
        const z = logistic(ofInputs(j) + ofState(j, before));
        const last = 2 * hidden + j;
        const own = isAfter ? (reset[j] ?? 0) * ofState(last, before) : ofState(last, masked);
        const candidate = Math.tanh(ofInputs(last) + own);
        state[j] = (1 - z) * candidate + z * (before[j] ?? 0);
      }
    }
    memoryFloats.set(state, pixelAddress(out, row, 0) / 4);
  }
}
