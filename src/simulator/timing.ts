/** What a compute command costs: cycles of the unit that does it, MACs, and bytes through the SRAM ports. docs/timing.md. */
import type { Manifest } from '../commands/manifest.js';
import { at, imageRange, isEmpty, lengthOf, poolRowsTask, windowOf } from './geometry.js';
import type { Fields } from './sequencer.js';

export type ChipNumbers = Manifest['chip'];

export type ComputeUnit = 'mac' | 'vector';

export interface ComputeCost {
  readonly unit: ComputeUnit;
  /** With the ports for itself. */
  readonly cycles: number;
  readonly macs: number;
  /** Of its input, that the MAC array reads through the SRAM ports: every byte once per tap and pass of columns. */
  readonly arrayReadBytes: number;
}

function vectorCost(cycles: number, macs = 0): ComputeCost {
  return { unit: 'vector', cycles, macs, arrayReadBytes: 0 };
}

const NOTHING = vectorCost(0);

/**
 * - conv: for every output pixel and tap, the input channels go through the rows of the MAC array in passes of `mac.rows`,
 *   the output channels through its columns in passes of `mac.columns`; then the array drains (rows + columns cycles).
 * - depthwise conv: one multiplication per lane of the vector unit and cycle.
 * - matmul: as a 1x1 conv whose weights are operand b.
 * - the rest: one element per lane and cycle; pooling one tap; reduce its input's elements; softmax, lrn and layerNorm as one
 *   element per lane and pass (3 passes).
 */
export function computeCost(op: string, fields: Fields, chip: ChipNumbers): ComputeCost {
  const { lanes } = chip.vector;
  if (op === 'permute') {
    const elements = [0, 1, 2, 3].reduce((n, d) => n * Math.max(1, at(fields, `count${d}`)), 1);
    return vectorCost(Math.ceil(elements / lanes));
  }
  if (op === 'poolRows') {
    const elements = lengthOf(poolRowsTask(fields).gathered) * at(fields, 'inW') * at(fields, 'inC');
    return vectorCost(Math.ceil(elements / lanes));
  }
  const task = imageRange(fields);
  if (isEmpty(task)) return NOTHING;
  const pixels = lengthOf(task.rows) * lengthOf(task.cols);
  const channels = lengthOf(task.channels);
  const elements = pixels * channels;
  if (op === 'conv') return convCost(fields, pixels, channels, task.elementBytes, chip);
  if (op === 'pool') {
    const { kernelH, kernelW } = windowOf(fields);
    return vectorCost(Math.ceil((elements * kernelH * kernelW) / lanes));
  }
  if (op === 'matmul') {
    const inner = at(fields, 'inC');
    return arrayCost({ pixels, taps: 1, inner, columns: channels, elementBytes: task.elementBytes }, chip);
  }
  if (op === 'recurrent') {
    const gates = (at(fields, 'mode') % 2 === 0 ? 4 : 3) * at(fields, 'hidden');
    const inner = at(fields, 'inC') + at(fields, 'hidden');
    // Each step needs the result of the one before: the array drains every time.
    const elementBytes = at(fields, 'dtype') === 1 ? 4 : 1;
    const step = arrayCost({ pixels: 1, taps: 1, inner, columns: gates, elementBytes }, chip);
    const { cycles, macs, arrayReadBytes } = step;
    return { unit: 'mac', cycles: pixels * cycles, macs: pixels * macs, arrayReadBytes: pixels * arrayReadBytes };
  }
  if (op === 'reduce') return vectorCost(Math.ceil((pixels * at(fields, 'inC')) / lanes));
  const passes = op === 'softmax' || op === 'lrn' || op === 'layerNorm' ? 3 : 1;
  return vectorCost(Math.ceil((elements * passes) / lanes));
}

function convCost(
  fields: Fields,
  pixels: number,
  channels: number,
  elementBytes: number,
  chip: ChipNumbers,
): ComputeCost {
  const groups = at(fields, 'groups');
  const inner = at(fields, 'inC') / groups;
  const groupOut = at(fields, 'outC') / groups;
  const { kernelH, kernelW } = windowOf(fields);
  const taps = kernelH * kernelW;
  const macs = pixels * channels * taps * inner;
  if (inner === 1 && groups > 1) return vectorCost(Math.ceil(macs / chip.vector.lanes), macs);
  // A group's channels do not share the array with another group's, where a command begins or ends within a group either.
  const first = at(fields, 'ch0');
  let passes = 0;
  for (let from = first; from < first + channels; ) {
    const to = Math.min(first + channels, (Math.floor(from / groupOut) + 1) * groupOut);
    passes += Math.ceil((to - from) / chip.mac.columns);
    from = to;
  }
  return { ...arrayCost({ pixels, taps, passes, inner, columns: channels, elementBytes }, chip), macs };
}

interface ArrayWork {
  readonly pixels: number;
  readonly taps: number;
  readonly inner: number; // input channels of a group
  readonly columns: number; // output channels
  readonly passes?: number; // over the array's columns; as few as can be when absent
  readonly elementBytes: number;
}

function arrayCost(work: ArrayWork, { mac }: ChipNumbers): ComputeCost {
  const { pixels, taps, inner, columns, elementBytes } = work;
  const passesOfColumns = work.passes ?? Math.ceil(columns / mac.columns);
  return {
    unit: 'mac',
    cycles: pixels * taps * passesOfColumns * Math.ceil(inner / mac.rows) + mac.rows + mac.columns,
    macs: pixels * taps * inner * columns,
    arrayReadBytes: pixels * taps * passesOfColumns * inner * elementBytes,
  };
}
