/** The compulsory bound counts what has to be read, and no more: else a plan could be better than a bound that is called a proof. */
import { expect, test } from '@jest/globals';
import { neededInputBytes } from '../src/backend/compulsory.js';
import { trafficOf } from '../src/backend/traffic.js';
import { compileProgram } from '../src/driver/compile.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Program } from '../src/ir/types.js';
import { loadChip } from '../src/target/chip.js';

/** One convolution over an H x W x 3 image, in float32. */
function convolution(height: number, width: number, kernel: number, stride: number, dilation: number): Program {
  const builder = new ProgramBuilder('conv', 'compulsory.test.ts');
  const x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, height, width, 3] });
  const weights = builder.addConstant({
    name: 'w',
    shape: [4, kernel, kernel, 3],
    data: new Float32Array(4 * kernel * kernel * 3).fill(0.5),
  });
  const bias = builder.addConstant({ name: 'b', shape: [4], data: new Float32Array(4) });
  const y = builder.addOp({
    kind: 'conv2d',
    name: 'conv',
    inputs: [x, weights, bias],
    groups: 1,
    window: {
      kernel: [kernel, kernel],
      stride: [stride, stride],
      dilation: [dilation, dilation],
      pad: { top: 0, left: 0, bottom: 0, right: 0 },
    },
  });
  builder.addOutput(y);
  return builder.build();
}

test.each([
  // height, width, kernel, stride, dilation, rows and columns that a tap falls on
  [8, 8, 3, 2, 1, 7, 7], // the last row and column are under no window
  [8, 8, 3, 1, 1, 8, 8],
  [9, 7, 1, 2, 1, 5, 4], // every other pixel
  [9, 9, 2, 4, 2, 4, 4], // rows 0, 2 and 4, 6: the taps of a dilated window, not what lies between
])('%d x %d under a %dx%d/%d window, dilation %d', async (height, width, kernel, stride, dilation, rows, columns) => {
  const program = convolution(height, width, kernel, stride, dilation);
  const { schedule } = await compileProgram(program, {
    chip: loadChip('chip-a'),
    batch: 1,
    dtype: 'float32',
    placement: 'ilp',
    solver: 'glpk',
    gap: 0.001,
    timeLimitSeconds: 10,
  });
  const [input] = program.inputs;
  if (input === undefined) throw new Error('no input');
  const needed = neededInputBytes(schedule, input);
  expect(needed).toBe(rows * columns * 3 * 4);
  const read = trafficOf(schedule).reduce((sum, entry) => sum + (entry.class === 'input' ? entry.readBytes : 0), 0);
  expect(read).toBeGreaterThanOrEqual(needed);
});

test('pixels whose results nobody reads are not counted: a pooling behind the convolution takes every other one', async () => {
  const builder = new ProgramBuilder('sparse', 'compulsory.test.ts');
  const x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, 9, 8, 3] });
  const weights = builder.addConstant({ name: 'w', shape: [4, 1, 1, 3], data: new Float32Array(12) });
  const bias = builder.addConstant({ name: 'b', shape: [4], data: new Float32Array(4) });
  const pad = { top: 0, left: 0, bottom: 0, right: 0 };
  const window = { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad } as const;
  const conv = builder.addOp({ kind: 'conv2d', name: 'conv', inputs: [x, weights, bias], groups: 1, window });
  const pool = { kind: 'maxPool', name: 'pool', inputs: [conv], countIncludePad: false } as const;
  builder.addOutput(builder.addOp({ ...pool, window: { ...window, stride: [2, 2] } }));
  const options = {
    batch: 1,
    dtype: 'float32',
    placement: 'ilp',
    solver: 'glpk',
    gap: 0,
    timeLimitSeconds: 10,
  } as const;
  const { schedule } = await compileProgram(builder.build(), { ...options, chip: loadChip('chip-a') });
  expect(neededInputBytes(schedule, x)).toBe(5 * 4 * 3 * 4);
});
