/** Depth-first blocks: rows of rolling buffers worked out by hand, and a row-by-row referee on random ones. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BlockCandidate } from '../passes/block-candidates.js';
import { formBlocks } from '../passes/form-blocks.js';
import { orderVariants } from '../passes/order-variants.js';
import { optimise } from '../src/driver/compile.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Program, TensorId, Window2d } from '../src/ir/types.js';
import { type BlockPlan, planBlock } from '../src/schedule/block.js';
import { canTile } from '../src/schedule/block-tiles.js';
import { clippedRange, type Layer, layersOf } from '../src/schedule/layer.js';
import { buildFuzzProgram, fuzzProgram } from './compile-fuzz-programs.js';

const ROOMY = { capacityBytes: 2 ** 40, alignmentBytes: 1 };

interface WindowSpec {
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly padTop: number;
  readonly padBottom?: number;
}

/** A float program of 8 columns and 2 channels, whose windows are one column wide. */
class Rows {
  readonly builder = new ProgramBuilder('rows', 'rows.model.ts');
  private count = 0;

  input(h: number): TensorId {
    return this.builder.addInput({ name: 'x', dtype: 'float32', shape: [1, h, 8, 2] });
  }

  conv(x: TensorId, spec: WindowSpec): TensorId {
    const { kernel, stride = 1, dilation = 1, padTop, padBottom = padTop } = spec;
    const c = this.builder.tensor(x).shape[3] ?? 1;
    const weights = { name: 'w', shape: [2, kernel, 1, c], data: new Float32Array(2 * kernel * c) };
    const bias = { name: 'b', shape: [2], data: new Float32Array(2) };
    const window: Window2d = {
      kernel: [kernel, 1],
      stride: [stride, 1],
      dilation: [dilation, 1],
      pad: { top: padTop, bottom: padBottom, left: 0, right: 0 },
    };
    const inputs = [x, this.builder.addConstant(weights), this.builder.addConstant(bias)];
    return this.builder.addOp({ kind: 'conv2d', name: `conv${this.count++}`, inputs, window, groups: 1 });
  }

  add(a: TensorId, b: TensorId): TensorId {
    return this.builder.addOp({ kind: 'add', name: `add${this.count++}`, inputs: [a, b] });
  }

  upsample(x: TensorId): TensorId {
    return this.builder.addOp({ kind: 'upsample', name: `up${this.count++}`, inputs: [x], scale: [2, 1] });
  }

  concat(...inputs: TensorId[]): TensorId {
    return this.builder.addOp({ kind: 'concat', name: `cat${this.count++}`, inputs, axis: 3 });
  }

  /** @param passes run the pipeline: concatenations become slices of one tensor */
  build(output: TensorId, passes: boolean): Program {
    this.builder.addOutput(output);
    const program = this.builder.build();
    return passes ? optimise(program, {}) : program;
  }
}

/** The block of all layers, with all its borders in DRAM or all of them in SRAM. */
function blockOfAll(program: Program, borders: 'DRAM' | 'SRAM'): BlockCandidate {
  const layers = layersOf(program);
  const found = formBlocks(program, layers, ROOMY).find(
    ({ first, last, inputs, outputs, form }) =>
      first === 0 &&
      last === layers.length - 1 &&
      form.inSram.size === (borders === 'SRAM' ? inputs.length + outputs.length : 0),
  );
  if (found === undefined) throw new Error('the layers form no block');
  return found;
}

/** With stripes of least height and single buffers. */
function leastPlan({ shape, form }: BlockCandidate): BlockPlan {
  return planBlock(shape, form, 1);
}

/** Rows of the rings by tensor name. */
function ringRowsOf(program: Program, block: BlockCandidate): Record<string, number> {
  return Object.fromEntries(leastPlan(block).rings.map((ring) => [program.tensors.get(ring.root)?.name, ring.rows]));
}

const SAME = { kernel: 3, padTop: 1 };

describe('rows of rolling buffers', () => {
  test('two 3x3 convolutions keep three rows of what they read, and one of what they make', () => {
    const p = new Rows();
    const program = p.build(p.conv(p.conv(p.input(12), SAME), SAME), false);
    const block = blockOfAll(program, 'DRAM');
    expect(ringRowsOf(program, block)).toEqual({ x: 3, conv0: 3, conv1: 1 });
    // The first row of the input is loaded two iterations before the first row of the output is made.
    expect(leastPlan(block).iterations).toBe(12 + 2);
  });

  test('stripes of four rows: k - s + s * h', () => {
    const p = new Rows();
    const program = p.build(p.conv(p.conv(p.input(12), SAME), SAME), false);
    const { shape, form } = blockOfAll(program, 'DRAM');
    const plan = planBlock(shape, { ...form, multiple: 4 }, 1);
    expect(plan.rings.map((ring) => ring.rows)).toEqual([6, 6, 4]);
    const ahead = planBlock(shape, { ...form, multiple: 4, depth: 2 }, 1);
    expect(ahead.rings.map((ring) => ring.rows)).toEqual([10, 6, 4]); // loads run an iteration ahead
  });

  test('a skip waits in its buffer for the longer branch', () => {
    const p = new Rows();
    const x = p.input(12);
    const program = p.build(p.add(p.conv(p.conv(p.conv(x, SAME), SAME), SAME), x), false);
    expect(ringRowsOf(program, blockOfAll(program, 'DRAM'))).toEqual({ x: 4, conv0: 3, conv1: 3, conv2: 1, add3: 1 });
  });

  test('a stride of two: two rows of the producer an iteration', () => {
    const p = new Rows();
    const program = p.build(p.conv(p.conv(p.input(12), SAME), { kernel: 3, stride: 2, padTop: 1 }), false);
    const block = blockOfAll(program, 'DRAM');
    expect(ringRowsOf(program, block)).toEqual({ x: 4, conv0: 3, conv1: 1 });
    expect(leastPlan(block).layers.map((layer) => layer.rowsPerIteration)).toEqual([2, 1]);
  });

  test('upsampling: half a row is rounded up to whole rows of all', () => {
    const p = new Rows();
    const program = p.build(p.conv(p.upsample(p.input(6)), SAME), false);
    const block = blockOfAll(program, 'DRAM');
    expect(ringRowsOf(program, block)).toEqual({ x: 2, up0: 4, conv1: 2 });
    expect(leastPlan(block).layers.map((layer) => layer.rowsPerIteration)).toEqual([2, 2]);
  });

  test('dilation: three taps two rows apart are five rows', () => {
    const p = new Rows();
    const program = p.build(p.conv(p.conv(p.input(12), SAME), { kernel: 3, dilation: 2, padTop: 2 }), false);
    expect(ringRowsOf(program, blockOfAll(program, 'DRAM'))).toEqual({ x: 3, conv0: 5, conv1: 1 });
  });

  test('branches of a concatenation share one ring', () => {
    const p = new Rows();
    const x = p.input(12);
    const both = p.concat(p.conv(x, SAME), p.conv(x, { kernel: 1, padTop: 0 }));
    const program = p.build(p.conv(both, SAME), true);
    const block = blockOfAll(program, 'DRAM');
    // The 1x1 reads the newest of the rows that the 3x3 needs anyway.
    expect(ringRowsOf(program, block)).toEqual({ x: 3, cat2: 3, conv3: 1 });
    expect(leastPlan(block).rings.filter((ring) => ring.role === 'internal')).toHaveLength(1);
  });

  test('a ring is never taller than the image', () => {
    const p = new Rows();
    const x = p.input(4);
    let y = x;
    for (let i = 0; i < 5; i += 1) y = p.conv(y, SAME);
    const program = p.build(p.add(y, x), false);
    expect(ringRowsOf(program, blockOfAll(program, 'DRAM'))).toMatchObject({ x: 4, conv0: 3, conv4: 1 });
  });

  test('branches at different rates do not flow together', () => {
    const p = new Rows();
    const x = p.input(3);
    // Three rows out of three, at a stride of two: only the padding makes the heights equal.
    const slow = p.conv(x, { kernel: 4, stride: 2, padTop: 3 });
    const program = p.build(p.add(slow, x), false);
    expect(formBlocks(program, layersOf(program), ROOMY)).toEqual([]);
  });
});

describe('in place', () => {
  const overwritesOf = (program: Program): number => blockOfAll(program, 'SRAM').overwrites.size;

  test('a residual block writes over its input', () => {
    const p = new Rows();
    const x = p.input(12);
    expect(overwritesOf(p.build(p.add(p.conv(p.conv(x, SAME), SAME), x), false))).toBe(1);
  });

  test('not where a row is still to be read: the window of the first layer lags behind the output', () => {
    const p = new Rows();
    const x = p.input(12);
    const lagging = p.conv(x, { kernel: 3, padTop: 2, padBottom: 0 });
    expect(overwritesOf(p.build(p.add(p.conv(lagging, { kernel: 1, padTop: 0 }), x), false))).toBe(0);
  });

  test('not at another rate, though the heights are equal', () => {
    const p = new Rows();
    const wide = { kernel: 9, padTop: 0 };
    const program = p.build(p.conv(p.upsample(p.conv(p.input(8), SAME)), wide), false);
    expect(program.tensors.get(program.outputs[0] ?? program.inputs[0] ?? (0 as TensorId))?.shape[1]).toBe(8);
    expect(overwritesOf(program)).toBe(0);
  });

  test('one output an input: the other one has its own memory', () => {
    const p = new Rows();
    const x = p.input(12);
    const builder = p.builder;
    const clamp = (name: string): TensorId => builder.addOp({ kind: 'clamp', name, inputs: [x], lo: 0, hi: 1 });
    const first = clamp('a');
    builder.addOutput(first);
    expect(overwritesOf(p.build(clamp('b'), false))).toBe(1);
  });
});

/**
 * Runs the rows of a block one by one: what every ring holds, what has been written over. Lists reads of rows that are not
 * there, not made yet, or gone.
 */
function rowProblems(layers: readonly Layer[], block: BlockCandidate, plan: BlockPlan): string[] {
  const problems: string[] = [];
  const rings = new Map(plan.rings.map((ring) => [ring.root, { ring, rows: new Map<number, number>() }]));
  const overwritten = new Map<TensorId, Set<number>>();
  const put = (root: TensorId, first: number, count: number, limit: number): void => {
    const held = rings.get(root);
    for (let row = Math.max(0, first); row < Math.min(first + count, limit); row += 1)
      held?.rows.set(row % held.ring.rows, row);
  };
  for (let i = 0; i < plan.iterations; i += 1) {
    for (const { ring } of rings.values()) {
      if (ring.role === 'input')
        put(ring.root, ring.firstRow + i * ring.rowsPerIteration, ring.rowsPerIteration, ring.imageRows);
    }
    for (const { step, firstRow, rowsPerIteration } of plan.layers) {
      const layer = layers.find((one) => one.step === step);
      if (layer === undefined) continue;
      const start = Math.max(0, firstRow + i * rowsPerIteration);
      const end = Math.min(layer.output.h, firstRow + (i + 1) * rowsPerIteration);
      if (end <= start) continue;
      for (const raw of layer.operands) {
        const held = rings.get(raw.root);
        const operand = held?.ring.view ?? raw;
        const range = clippedRange(operand.rows, start, end, operand.h);
        for (let row = range.start; row < range.end; row += 1) {
          if (held !== undefined && held.rows.get(row % held.ring.rows) !== row)
            problems.push(`iteration ${i}: ${layer.op.name} finds no row ${row} of %${raw.root}`);
          if (overwritten.get(raw.root)?.has(row) === true)
            problems.push(`iteration ${i}: ${layer.op.name} reads row ${row} of %${raw.root}, written over`);
        }
      }
      put(layer.output.root, start, end - start, layer.output.h);
      const over = block.overwrites.get(layer.output.root);
      if (over === undefined) continue;
      const gone = overwritten.get(over) ?? new Set<number>();
      overwritten.set(over, gone);
      for (let row = start; row < end; row += 1) gone.add(row);
    }
  }
  for (const { step, firstRow, rowsPerIteration } of plan.layers) {
    const height = layers.find((one) => one.step === step)?.output.h ?? 0;
    if (firstRow > 0 || firstRow + plan.iterations * rowsPerIteration < height)
      problems.push(`step ${step} does not make all of its ${height} rows`);
  }
  return problems;
}

test('random blocks: every row is there when it is read, at any height of stripes, and all rows are made', () => {
  let checked = 0;
  let inPlace = 0;
  fc.assert(
    fc.property(fuzzProgram(8), (spec) => {
      const program = optimise(buildFuzzProgram(spec), {});
      const layers = layersOf(program);
      for (const block of formBlocks(program, layers, ROOMY)) {
        for (const multiple of [1, 3]) {
          const plan = planBlock(block.shape, { ...block.form, multiple, depth: multiple === 1 ? 1 : 2 }, 1);
          expect(rowProblems(block.shape.layers, block, plan)).toEqual([]);
        }
        checked += 1;
        if (block.overwrites.size > 0) inPlace += 1;
      }
    }),
    { numRuns: 30, seed: 3 },
  );
  expect(checked).toBeGreaterThan(100);
  expect(inPlace).toBeGreaterThan(3);
});

test('blocks that another order of the layers has made are those that this one makes by itself', () => {
  let checked = 0;
  fc.assert(
    fc.property(fuzzProgram(8), (spec) => {
      const program = optimise(buildFuzzProgram(spec), {});
      formBlocks(program, layersOf(program), ROOMY);
      for (const { program: other } of orderVariants(program, program)) {
        const alone = { ...other, tensors: new Map(other.tensors) }; // nobody has asked for its blocks
        const blocks = formBlocks(other, layersOf(other), ROOMY);
        expect(blocks).toEqual(formBlocks(alone, layersOf(alone), ROOMY));
        checked += blocks.length;
      }
    }),
    { numRuns: 60, seed: 9 },
  );
  expect(checked).toBeGreaterThan(50);
});

/** Columns that a tile misses: what a layer reads and nobody makes or loads, and outputs that are not stored once and whole. */
function columnProblems(block: BlockCandidate, plan: BlockPlan): string[] {
  const problems: string[] = [];
  const { layers, roots } = block.shape;
  const stored = new Map<TensorId, number>(); // columns stored so far, from the left
  for (const tile of plan.tiles) {
    const covers = (root: TensorId, start: number, end: number): boolean => {
      const columns = tile.rootColumns.get(root);
      return columns !== undefined && columns.start <= start && end <= columns.end;
    };
    for (const layer of layers) {
      const made = tile.layerColumns.get(layer.step) ?? { start: 0, end: 0 };
      if (!covers(layer.output.root, made.start, made.end)) problems.push(`${layer.op.name} writes beside its ring`);
      for (const operand of layer.operands) {
        const under = clippedRange(operand.columns, made.start, made.end, operand.w);
        if (!covers(operand.root, under.start, under.end)) problems.push(`${layer.op.name} reads beside a ring`);
        const writers = layers.filter((one) => one.output.root === operand.root);
        for (const writer of writers) {
          const there = tile.layerColumns.get(writer.step) ?? { start: 0, end: 0 };
          if (there.start > under.start || under.end > there.end)
            problems.push(`${layer.op.name} reads [${under.start}, ${under.end}) of [${there.start}, ${there.end})`);
        }
      }
    }
    for (const root of roots.filter(({ role }) => role === 'output')) {
      const part = tile.storedColumns.get(root.root);
      if (part?.start !== (stored.get(root.root) ?? 0)) problems.push(`%${root.root} is stored with a gap or twice`);
      stored.set(root.root, part?.end ?? 0);
      if (!covers(root.root, part?.start ?? 0, part?.end ?? 0))
        problems.push(`%${root.root} stores what it does not hold`);
    }
  }
  for (const root of roots)
    if (root.role === 'output' && stored.get(root.root) !== root.w) problems.push(`%${root.root} is not stored whole`);
  return problems;
}

test('random blocks in tiles of columns: every column is there when it is read, and all are stored once', () => {
  let checked = 0;
  fc.assert(
    fc.property(fuzzProgram(8), fc.integer({ min: 2, max: 4 }), (spec, tiles) => {
      const program = optimise(buildFuzzProgram(spec), {});
      for (const block of formBlocks(program, layersOf(program), ROOMY)) {
        const narrowest = Math.min(...block.shape.layers.map(({ output }) => output.w));
        if (!canTile(block.shape) || tiles > narrowest) continue;
        expect(columnProblems(block, planBlock(block.shape, { ...block.form, tiles }, 1))).toEqual([]);
        checked += 1;
      }
    }),
    { numRuns: 30, seed: 5 },
  );
  expect(checked).toBeGreaterThan(50);
});

test('weights that are loaded for each stripe: so often as there are stripes and tiles, in two buffers of a chunk', () => {
  const p = new Rows();
  const program = p.build(p.conv(p.conv(p.input(12), SAME), SAME), false);
  const { shape, form } = blockOfAll(program, 'DRAM');
  const plan = planBlock(shape, { ...form, multiple: 4, tiles: 2, streamed: new Map([[1, 1]]) }, 1);
  const { recordBytes } = shape.layers[1]?.weights ?? { recordBytes: 0 };
  expect(plan.chunks).toEqual([
    {
      step: 1,
      chunkChannels: 1,
      chunks: 2,
      chunkBytes: recordBytes,
      buffers: 2,
      tableBytes: 0,
      sizeBytes: 2 * recordBytes,
    },
  ]);
  expect(plan.streamedWeightBytes.get(1)).toBe(2 * recordBytes * plan.iterations * 2);
});

test('pooling over the whole image ends a block: its rows are gathered as they are made', () => {
  const builder = new ProgramBuilder('pooled', 'pooled.model.ts');
  const quant = { scales: [1], zeroPoint: 0 };
  const x = builder.addInput({ name: 'x', dtype: 'int8', shape: [1, 6, 5, 4], quant });
  const clamped = builder.addOp({ kind: 'clamp', name: 'clamped', inputs: [x], lo: 0, hi: 9 });
  const window: Window2d = {
    kernel: [6, 5],
    stride: [1, 1],
    dilation: [1, 1],
    pad: { top: 0, left: 0, bottom: 0, right: 0 },
  };
  const pool = { kind: 'avgPool' as const, name: 'mean', inputs: [clamped], window, countIncludePad: false };
  builder.addOutput(builder.addOp(pool));
  const program = builder.build();
  const blocks = formBlocks(program, layersOf(program), ROOMY);
  expect(blocks.length).toBeGreaterThan(0);
  for (const { form, outputs, shape } of blocks) {
    expect(form.inSram.has(outputs[0] ?? x)).toBe(true); // there is no row to stream before the end
    const plan = planBlock(shape, form, 1);
    expect(plan.sums).toEqual([{ step: 1, sizeBytes: 16 }]);
    expect(plan.rings.find((ring) => ring.root === clamped)?.rows).toBe(1);
  }
});
