/** The crossing bound: by hand on a skip over heavy weights, and never above what a plan moves. */
import { describe, expect, test } from '@jest/globals';
import { compileProgram } from '../src/driver/compile.js';
import { makeReport, type Report } from '../src/driver/report.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { loadChip } from '../src/target/chip.js';

const CHANNELS = 16;
const SIDE = 8;
const LAYER_BYTES = CHANNELS * (4 + CHANNELS * 9 * 4); // float32: a bias and nine taps of 16 channels for each channel

/** stem, then `depth` 3x3 convolutions, then a 1x1 convolution over the concatenation of their result and the stem's. */
function skipOver(depth: number): Program {
  const builder = new ProgramBuilder('skip', 'crossing-bound.test.ts');
  let at = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, SIDE, SIDE, CHANNELS] });
  const conv = (name: string, input: TensorId, size: number, from = CHANNELS): TensorId => {
    const data = new Float32Array(CHANNELS * size * size * from).fill(0.01);
    const weights = builder.addConstant({ name: `${name}.w`, shape: [CHANNELS, size, size, from], data });
    const bias = builder.addConstant({ name: `${name}.b`, shape: [CHANNELS], data: new Float32Array(CHANNELS) });
    const pad = size >> 1;
    const window = {
      kernel: [size, size] as const,
      stride: [1, 1] as const,
      dilation: [1, 1] as const,
      pad: { top: pad, left: pad, bottom: pad, right: pad },
    };
    return builder.addOp({ kind: 'conv2d', name, inputs: [input, weights, bias], groups: 1, window });
  };
  at = conv('stem', at, 1);
  const skip = at;
  for (let i = 0; i < depth; i += 1) at = conv(`deep${i}`, at, 3);
  at = builder.addOp({ kind: 'concat', name: 'both', axis: 3, inputs: [at, skip] });
  builder.addOutput(conv('head', at, 1, 2 * CHANNELS));
  return builder.build();
}

async function reportOf(program: Program, sramBytes: number, batch = 1): Promise<Report> {
  const base = loadChip('chip-a');
  const chip = { ...base, sram: { ...base.sram, bytes: sramBytes } };
  const options = {
    chip,
    batch,
    dtype: 'float32',
    placement: 'ilp',
    solver: 'glpk',
    gap: 0,
    timeLimitSeconds: 20,
  } as const;
  return makeReport(await compileProgram(program, options));
}

/** Of two layers, without biases (at most nine bytes a channel): the second whole, of the first the taps that a pixel in a corner takes. */
const USED_BYTES = LAYER_BYTES - 9 * CHANNELS;
const SPAN_BYTES = USED_BYTES + Math.floor((USED_BYTES * 4) / 9);

describe('a skip tensor of 4096 B over four layers of 9280 B', () => {
  const tensorBytes = SIDE * SIDE * CHANNELS * 4;
  const portBytes = 2 * tensorBytes; // input and output
  const weightBytes = CHANNELS * (4 + CHANNELS * 4) + 4 * LAYER_BYTES + CHANNELS * (4 + 2 * CHANNELS * 4);

  test('waits beside the resident weights, while weights that do not fit pass', async () => {
    const sramBytes = 8192;
    const { bound, period } = await reportOf(skipOver(4), sramBytes);
    // Not deep0: its taps need one channel of the skip. Not deep3: its border results may exist before all of its weights have begun.
    expect(bound.crossing).toEqual({
      first: 'deep1',
      last: 'deep2',
      activationBytes: tensorBytes,
      weightBytes: SPAN_BYTES,
    });
    expect(SPAN_BYTES - sramBytes).toBeGreaterThan(tensorBytes); // to read those weights twice would cost more
    expect(bound.crossingBytes).toBe(portBytes + weightBytes - (sramBytes - tensorBytes));
    expect(bound.compulsoryBytes).toBe(portBytes + weightBytes - sramBytes);
    expect(period.totalBytes).toBeGreaterThanOrEqual(bound.crossingBytes);
  });

  test('is written and read where it does not fit', async () => {
    const sramBytes = 3072; // less than the tensor
    const { bound, period } = await reportOf(skipOver(4), sramBytes);
    expect(bound.crossingBytes).toBe(portBytes + weightBytes + 2 * (tensorBytes - sramBytes));
    expect(period.totalBytes).toBeGreaterThanOrEqual(bound.crossingBytes);
  });

  test('of two frames: weights are read twice where that is cheaper, and the SRAM is theirs', async () => {
    const sramBytes = 6144;
    const { bound, period } = await reportOf(skipOver(4), sramBytes, 2);
    const again = weightBytes - sramBytes + (SPAN_BYTES - sramBytes);
    expect(again).toBeLessThan(weightBytes + 2 * (2 * tensorBytes - sramBytes));
    expect(bound.crossingBytes).toBe(2 * portBytes + again);
    expect(period.totalBytes).toBeGreaterThanOrEqual(bound.crossingBytes);
  });

  test('says nothing where all weights fit', async () => {
    const { bound } = await reportOf(skipOver(4), 128 * 1024);
    expect(bound.crossing).toBeNull();
    expect(bound.crossingBytes).toBe(bound.compulsoryBytes);
  });
});

/** Reviewed counterexamples: sums that can be finished half, and stand for what they take in. */
describe('unfinished sums', () => {
  const pad = { top: 0, left: 0, bottom: 0, right: 0 };
  const one = { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad } as const;

  test('of one reader stand for all tensors that it reads', async () => {
    const builder = new ProgramBuilder('sums', 'crossing-bound.test.ts');
    const x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, SIDE, SIDE, CHANNELS] });
    const conv = (name: string, input: TensorId, from: number, to: number, size = 1): TensorId => {
      const data = new Float32Array(to * size * size * from).fill(0.01);
      const weights = builder.addConstant({ name: `${name}.w`, shape: [to, size, size, from], data });
      const bias = builder.addConstant({ name: `${name}.b`, shape: [to], data: new Float32Array(to) });
      const margin = size >> 1;
      const around = { top: margin, left: margin, bottom: margin, right: margin };
      const window = { ...one, kernel: [size, size] as const, pad: around };
      return builder.addOp({ kind: 'conv2d', name, inputs: [input, weights, bias], groups: 1, window });
    };
    const skips = ['a', 'b', 'c', 'd'].map((name) => conv(name, x, CHANNELS, CHANNELS));
    let deep = builder.addOp({ kind: 'concat', name: 'all', axis: 3, inputs: skips });
    deep = conv('narrow', deep, 4 * CHANNELS, CHANNELS);
    for (let i = 0; i < 4; i += 1) deep = conv(`deep${i}`, deep, CHANNELS, CHANNELS, 3);
    const both = builder.addOp({ kind: 'concat', name: 'both', axis: 3, inputs: [...skips, deep] });
    const end = conv('end', both, 5 * CHANNELS, 2); // two channels of sums: 512 B for 16384 B of skips
    builder.addOutput(end);
    const { bound } = await reportOf(builder.build(), 8192);
    expect(bound.crossing?.activationBytes ?? 0).toBeLessThanOrEqual(SIDE * SIDE * 2 * 4);
    expect(bound.crossing).not.toBeNull();
  });
});
