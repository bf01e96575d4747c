/** LSTM and GRU cells in float32; docs/numerics.md, "recurrent". */
import { gateCount } from '../ir/facts.js';
import type { RecurrentOp } from '../ir/types.js';
import type { Elements } from './movement.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** @returns [1, T, 1, S]: the state after each step */
export function recurrent(
  op: RecurrentOp,
  x: Elements,
  [, steps = 1, , inputs = 1]: readonly number[],
  initial: Elements,
  table: Elements,
): Float32Array {
  const { hidden } = op;
  const rows = gateCount(op.cell) * hidden;
  const weights = table.subarray(0, rows * inputs);
  const recurrentWeights = table.subarray(rows * inputs, rows * (inputs + hidden));
  const bias = table.subarray(rows * (inputs + hidden), rows * (inputs + hidden + 1));
  const recurrentBias = table.subarray(rows * (inputs + hidden + 1));
  const state = Float32Array.from(initial);
  const out = new Float32Array(steps * state.length);
  const dot = (matrix: Elements, row: number, vector: Elements, from: number, length: number): number => {
    let sum = 0;
    for (let k = 0; k < length; k++) sum += (matrix[row * length + k] as number) * (vector[from + k] as number);
    return sum;
  };
  for (let s = 0; s < steps; s++) {
    const t = op.isReverse ? steps - 1 - s : s;
    const fromInput = (row: number): number => dot(weights, row, x, t * inputs, inputs) + (bias[row] as number);
    const fromState = (row: number, h: Elements): number =>
      dot(recurrentWeights, row, h, 0, hidden) + (recurrentBias[row] as number);
    if (op.cell === 'lstm') lstmStep(op, state, (row) => fromInput(row) + fromState(row, state));
    else gruStep(op, state, fromInput, fromState);
    out.set(state, t * state.length);
  }
  return out;
}

function lstmStep({ hidden, clip }: RecurrentOp, state: Float32Array, gate: (row: number) => number): void {
  const most = clip > 0 ? Math.fround(clip) : Number.POSITIVE_INFINITY;
  const next = new Float32Array(2 * hidden);
  for (let j = 0; j < hidden; j++) {
    const [i, f, g, o] = [gate(j), gate(hidden + j), gate(2 * hidden + j), gate(3 * hidden + j)];
    const sum = Math.fround(sigmoid(f) * (state[hidden + j] as number) + sigmoid(i) * Math.tanh(g));
    const cell = Math.min(most, Math.max(-most, sum));
    next[hidden + j] = cell;
    next[j] = sigmoid(o) * Math.tanh(cell);
  }
  state.set(next);
}

function gruStep(
  op: RecurrentOp,
  state: Float32Array,
  fromInput: (row: number) => number,
  fromState: (row: number, h: Elements) => number,
): void {
  const { hidden } = op;
  const next = new Float32Array(hidden);
  const reset = Float32Array.from({ length: hidden }, (_, j) =>
    sigmoid(fromInput(hidden + j) + fromState(hidden + j, state)),
  );
  const held = reset.map((r, j) => r * (state[j] as number));
  for (let j = 0; j < hidden; j++) {
    const z = sigmoid(fromInput(j) + fromState(j, state));
    const row = 2 * hidden + j;
    const own = op.resetsAfter ? (reset[j] as number) * fromState(row, state) : fromState(row, held);
    const candidate = Math.tanh(fromInput(row) + own);
    next[j] = (1 - z) * candidate + z * (state[j] as number);
  }
  state.set(next);
}
