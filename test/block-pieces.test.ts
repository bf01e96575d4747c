/** Stripes in pieces of columns: rings worked out by hand, and a pixel-by-pixel referee on random blocks. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formBlocks } from '../passes/form-blocks.js';
import { STRIPE_RINGS } from '../src/commands/instructions.js';
import { compileProgram, optimise } from '../src/driver/compile.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Program, TensorId, Window2d } from '../src/ir/types.js';
import { type BlockPlan, type BlockRing, LEAST_FORM, planBlock } from '../src/schedule/block.js';
import { rowsMadeAgain } from '../src/schedule/block-again.js';
import { columnFlow, MOST_RINGS, type RingStripes } from '../src/schedule/block-pieces.js';
import { type BlockShape, canOverwrite } from '../src/schedule/block-shape.js';
import { clippedRange, layersOf } from '../src/schedule/layer.js';
import { loadChip } from '../src/target/chip.js';
import { compiledProblems } from './compile-fuzz-check.js';
import { buildFuzzProgram, fuzzProgram } from './compile-fuzz-programs.js';
import { chainLayers, chainProgram } from './conv-chains.js';

/** A float network of 3x3 convolutions and 2x2 poolings on 16 columns and 4 channels. */
function network(...kinds: readonly ('conv' | 'pool')[]): Program {
  const builder = new ProgramBuilder('pieces', 'pieces.model.ts');
  let x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, 16, 16, 4] });
  kinds.forEach((kind, i) => {
    const size = kind === 'conv' ? 3 : 2;
    const pad = kind === 'conv' ? 1 : 0;
    const window: Window2d = {
      kernel: [size, size],
      stride: kind === 'conv' ? [1, 1] : [2, 2],
      dilation: [1, 1],
      pad: { top: pad, bottom: pad, left: pad, right: pad },
    };
    if (kind === 'pool')
      x = builder.addOp({ kind: 'maxPool', name: `op${i}`, inputs: [x], window, countIncludePad: false });
    else {
      const weights = builder.addConstant({ name: 'w', shape: [4, 3, 3, 4], data: new Float32Array(144) });
      const bias = builder.addConstant({ name: 'b', shape: [4], data: new Float32Array(4) });
      x = builder.addOp({ kind: 'conv2d', name: `op${i}`, inputs: [x, weights, bias], window, groups: 1 });
    }
  });
  builder.addOutput(x);
  return builder.build();
}

function shapeOfAll(program: Program): BlockShape {
  const layers = layersOf(program);
  const blocks = formBlocks(program, layers, { capacityBytes: 2 ** 40, alignmentBytes: 1 });
  const block = blocks.find(({ first, last }) => first === 0 && last === layers.length - 1);
  if (block === undefined) throw new Error('the layers form no block');
  return block.shape;
}

const stripesOf = (plan: BlockPlan): readonly (RingStripes | undefined)[] => plan.rings.map(({ stripes }) => stripes);

describe('rings of stripes', () => {
  test('a block has no more of them than the machine has registers', () => {
    expect(MOST_RINGS).toBe(STRIPE_RINGS - 1);
  });

  test('two 3x3 convolutions keep two rows, and three columns of the row at work', () => {
    const plan = planBlock(shapeOfAll(network('conv', 'conv')), { ...LEAST_FORM, pieces: 1 }, 1);
    const halo = { width: 16, height: 1, phase: 0, kept: 1, shortColumns: 0, longColumns: 2 * 16 + 3 };
    const output = { width: 16, height: 1, phase: 0, kept: 0, shortColumns: 1, longColumns: 0 };
    expect(stripesOf(plan)).toEqual([halo, halo, output]);
    expect(plan.rings.map(({ sizeBytes }) => sizeBytes)).toEqual([35 * 16, 35 * 16, 16]);
    // The first column of the input is loaded two pieces before the first of the output is made, in each stripe.
    expect([plan.iterations, plan.pieces?.pieces]).toEqual([16 + 2, 16 + 2]);
  });

  test('in taller stripes only the last two rows are kept for the width of the image', () => {
    const form = { ...LEAST_FORM, multiple: 4, pieces: 2 };
    const [input] = stripesOf(planBlock(shapeOfAll(network('conv', 'conv')), form, 1));
    expect(input).toMatchObject({ height: 4, kept: 2, shortColumns: 2 + 2, longColumns: 16 + 2 + 2 });
  });

  test('in front of a pooling nothing is kept: its rows are the rows of a stripe', () => {
    const plan = planBlock(shapeOfAll(network('conv', 'conv', 'pool', 'conv')), { ...LEAST_FORM, pieces: 1 }, 1);
    expect(plan.layers.map(({ rowsPerIteration }) => rowsPerIteration)).toEqual([2, 2, 1, 1]);
    expect(stripesOf(plan)[1]).toMatchObject({ height: 2, kept: 2, longColumns: 16 + 4 });
    expect(stripesOf(plan)[2]).toMatchObject({ height: 2, kept: 0, shortColumns: 2 });
  });

  test('rows of a cheap layer are made again: its ring is a piece, its input keeps more rows', () => {
    const shape = shapeOfAll(network('conv', 'conv'));
    expect(rowsMadeAgain(shape, 8)).toEqual(new Map()); // four channels out of four: nothing is won
    const builder = new ProgramBuilder('wide', 'wide.model.ts');
    const window: Window2d = {
      kernel: [3, 3],
      stride: [1, 1],
      dilation: [1, 1],
      pad: { top: 1, bottom: 1, left: 1, right: 1 },
    };
    const conv = (x: TensorId, channels: readonly [number, number]): TensorId => {
      const [from, to] = channels;
      const weights = { name: 'w', shape: [to, 3, 3, from], data: new Float32Array(to * 9 * from) };
      const bias = { name: 'b', shape: [to], data: new Float32Array(to) };
      const inputs = [x, builder.addConstant(weights), builder.addConstant(bias)];
      return builder.addOp({ kind: 'conv2d', name: 'conv', inputs, window, groups: 1 });
    };
    const image = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, 16, 16, 1] });
    builder.addOutput(conv(conv(image, [1, 8]), [8, 8]));
    const plan = planBlock(shapeOfAll(builder.build()), { ...LEAST_FORM, multiple: 2, pieces: 1, again: true }, 1);
    expect(plan.layers.map(({ againRows }) => againRows)).toEqual([2, 0]);
    const [input, inside] = stripesOf(plan);
    // The rows of two stripes and the three columns at work; four rows by three columns, wherever the stripe is.
    expect(input).toMatchObject({ height: 2, kept: 2, longColumns: 2 * 16 + 3 });
    expect(inside).toEqual({ width: 0, height: 4, phase: 0, kept: 0, shortColumns: 3, longColumns: 0 });
  });

  test('loads that run a piece ahead need room for one', () => {
    const shape = shapeOfAll(network('conv', 'conv'));
    const [input, inside] = stripesOf(planBlock(shape, { ...LEAST_FORM, pieces: 4, depth: 2 }, 1));
    expect([input?.longColumns, inside?.longColumns]).toEqual([2 * 16 + 6 + 4, 2 * 16 + 6]);
  });
});

/** Where a pixel lies in a ring, in pixels: written down from the definition in docs/isa.md. */
function placeOf({ width, height, phase, kept, shortColumns, longColumns }: RingStripes, row: number, x: number) {
  const stripe = Math.floor((row + phase) / height);
  const j = row + phase - stripe * height;
  const column = stripe * width + x;
  const short = height - kept;
  if (j < short) return (column % shortColumns) * short + j;
  return shortColumns * short + (column % longColumns) * kept + (j - short);
}

/**
 * Runs a block piece by piece and pixel by pixel. Lists reads of pixels that are not there, places outside of a ring, pixels that
 * are never made, and reads of what an output has been written over.
 */
class Pixels {
  readonly problems: string[] = [];
  private readonly held = new Map<TensorId, { ring: BlockRing; pixels: Map<number, string>; made: Set<string> }>();
  private readonly overwritten = new Map<TensorId, Set<string>>();

  constructor(
    private readonly shape: BlockShape,
    private readonly plan: BlockPlan,
    private readonly over: ReadonlyMap<TensorId, TensorId>,
  ) {
    for (const ring of plan.rings) this.held.set(ring.root, { ring, pixels: new Map(), made: new Set() });
  }

  run(): string[] {
    const pieces = this.plan.pieces?.pieces ?? 0;
    const steps = this.plan.iterations * pieces;
    const at = (step: number): [number, number] => [Math.floor(step / pieces), step % pieces];
    const early = this.plan.form.depth - 1; // pieces by which loads run ahead
    for (let step = -early; step < steps; step += 1) {
      if (step + early < steps) this.load(...at(step + early));
      if (step >= 0) this.compute(...at(step));
    }
    for (const { root, h, w, role } of this.shape.roots) {
      const made = this.held.get(root)?.made;
      if (made !== undefined && role !== 'input' && made.size !== h * w)
        this.problems.push(`%${root} has ${made.size} of ${h * w} pixels`);
    }
    return this.problems;
  }

  private load(i: number, p: number): void {
    for (const { ring } of this.held.values()) {
      const columns = this.plan.pieces?.roots.get(ring.root);
      if (ring.role !== 'input' || columns === undefined) continue;
      const first = columns.first + p * columns.perPiece;
      this.put(ring.root, this.rows(ring, i, ring.imageRows), [
        Math.max(0, first),
        Math.min(first + columns.perPiece, ring.imageColumns),
      ]);
    }
  }

  private rows(
    of: { firstRow: number; rowsPerIteration: number; againRows?: number },
    i: number,
    limit: number,
  ): [number, number] {
    const first = of.firstRow + i * of.rowsPerIteration;
    return [Math.max(0, first - (of.againRows ?? 0)), Math.min(first + of.rowsPerIteration, limit)];
  }

  private put(root: TensorId, rows: [number, number], columns: [number, number]): void {
    const held = this.held.get(root);
    const stripes = held?.ring.stripes;
    if (held === undefined || stripes === undefined) return;
    const places = held.ring.sizeBytes / held.ring.pixelBytes;
    for (let row = rows[0]; row < rows[1]; row += 1) {
      for (let x = columns[0]; x < columns[1]; x += 1) {
        const place = placeOf(stripes, row, x);
        if (place >= places) this.problems.push(`pixel ${row},${x} of %${root} is at ${place} of ${places}`);
        held.pixels.set(place, `${row},${x}`);
        held.made.add(`${row},${x}`);
      }
    }
  }

  private compute(i: number, p: number): void {
    for (const layerPlan of this.plan.layers) {
      const layer = this.shape.layers.find((one) => one.step === layerPlan.step);
      const columns = this.plan.pieces?.layers.get(layerPlan.step);
      if (layer === undefined || columns === undefined) continue;
      const [top, bottom] = this.rows(layerPlan, i, layer.output.h);
      const first = columns.first + p * columns.perPiece;
      const [left, right] = [Math.max(0, first), Math.min(first + columns.perPiece, layer.output.w)];
      if (bottom <= top || right <= left) continue;
      for (const raw of layer.operands) {
        const held = this.held.get(raw.root);
        const operand = held?.ring.view ?? raw;
        const under = clippedRange(operand.rows, top, bottom, operand.h);
        const across = clippedRange(operand.columns, left, right, operand.w);
        for (let row = under.start; row < under.end; row += 1) {
          for (let x = across.start; x < across.end; x += 1) {
            const pixel = `${row},${x}`;
            const stripes = held?.ring.stripes;
            if (stripes !== undefined && held?.pixels.get(placeOf(stripes, row, x)) !== pixel)
              this.problems.push(`stripe ${i}, piece ${p}: ${layer.op.name} finds no pixel ${pixel} of %${raw.root}`);
            if (this.overwritten.get(raw.root)?.has(pixel) === true)
              this.problems.push(
                `stripe ${i}, piece ${p}: ${layer.op.name} reads ${pixel} of %${raw.root}, written over`,
              );
          }
        }
      }
      this.put(layer.output.root, [top, bottom], [left, right]);
      const over = this.over.get(layer.output.root);
      if (over === undefined) continue;
      const gone = this.overwritten.get(over) ?? new Set<string>();
      this.overwritten.set(over, gone);
      for (let row = top; row < bottom; row += 1) for (let x = left; x < right; x += 1) gone.add(`${row},${x}`);
    }
  }
}

/** An output that may be written over an input, when both are in SRAM as a whole. */
function firstOverwrite(shape: BlockShape, again: ReadonlyMap<number, number>): Map<TensorId, TensorId> {
  const flow = columnFlow(shape);
  for (const output of shape.roots) {
    const input = shape.roots.find((one) => flow !== undefined && canOverwrite(shape, output, one, flow, again));
    if (input !== undefined) return new Map([[output.root, input.root]]);
  }
  return new Map();
}

const sizes = fc.record({
  multiple: fc.constantFrom(1, 2, 3),
  pieces: fc.constantFrom(1, 2, 5),
  depth: fc.constantFrom(1 as const, 2 as const),
  again: fc.boolean(),
});
type Size = typeof sizes extends fc.Arbitrary<infer S> ? S : never;

const counts = { checked: 0, inPlace: 0, madeAgain: 0 };

function checkBlocks(program: Program, size: Size): void {
  const layers = layersOf(program);
  const blocks = formBlocks(program, layers, { capacityBytes: 2 ** 40, alignmentBytes: 1 });
  const shapes = new Map(blocks.map((block) => [`${block.first} ${block.last}`, block.shape]));
  for (const shape of shapes.values()) {
    if (columnFlow(shape) === undefined) continue;
    const again = size.again ? rowsMadeAgain(shape, size.multiple) : new Map<number, number>();
    const over = firstOverwrite(shape, again);
    const plan = planBlock(shape, { ...LEAST_FORM, ...size, inSram: new Set([...over].flat()) }, 1);
    expect(new Pixels(shape, plan, over).run()).toEqual([]);
    counts.checked += 1;
    if (over.size > 0) counts.inPlace += 1;
    if (again.size > 0) counts.madeAgain += 1;
  }
}

test('random blocks in pieces: every pixel is there when it is read, and all are made', () => {
  fc.assert(
    fc.property(fuzzProgram(8), sizes, (spec, size) => checkBlocks(optimise(buildFuzzProgram(spec), {}), size)),
    { numRuns: 40, seed: 7 },
  );
  expect(counts.checked).toBeGreaterThan(60);
  expect(counts.inPlace).toBeGreaterThan(3);
});

test('chains in which rows are made again: the same', () => {
  fc.assert(
    fc.property(chainLayers, sizes, (layers, size) =>
      checkBlocks(optimise(chainProgram(layers), {}), { ...size, again: true }),
    ),
    { numRuns: 40, seed: 3 },
  );
  expect(counts.madeAgain).toBeGreaterThan(10);
});

test('chains in a tight SRAM are compiled in pieces, and executed: no faults, the reference, bit for bit', async () => {
  const used = { kept: 0, again: 0, inPlace: 0, tails: 0 };
  const chipA = loadChip('chip-a');
  await fc.assert(
    fc.asyncProperty(
      chainLayers,
      fc.constantFrom(0.1, 0.2, 0.4),
      fc.constantFrom(1, 1, 2),
      async (layers, room, batch) => {
        const program = chainProgram(layers, 10, 32);
        if (program.ops.length < 2) return;
        let [weightBytes, largest] = [0, 0];
        for (const { weights, output } of layersOf(optimise(program, {}))) {
          weightBytes += weights.totalBytes + 16;
          largest = Math.max(largest, output.h * output.w * output.c * output.elementBytes);
        }
        const bytes = Math.ceil((weightBytes + 3000 + room * largest) / 64) * 64;
        const chip = { ...chipA, sram: { ...chipA.sram, bytes } };
        const options = { placement: 'ilp', solver: 'glpk', gap: 0, timeLimitSeconds: 20 } as const;
        const compiled = await compileProgram(program, { ...options, batch, dtype: 'float32', chip });
        expect(compiledProblems(compiled, program, chip)).toEqual([]);
        for (const { plan, tails } of compiled.schedule.blocks) {
          if (plan.pieces === undefined) continue;
          if (plan.layers.some(({ againRows }) => againRows > 0)) used.again += 1;
          else used.kept += 1;
          used.tails += tails.length;
        }
        for (const root of compiled.schedule.roots.values()) if (root.overwrites !== undefined) used.inPlace += 1;
      },
    ),
    { numRuns: Number(process.env.SPILLWAY_FUZZ_RUNS ?? 20), seed: Number(process.env.SPILLWAY_FUZZ_SEED ?? 11) },
  );
  if (process.env.SPILLWAY_FUZZ_RUNS !== undefined) console.log(used);
  expect(used.kept).toBeGreaterThan(0);
  expect(used.again).toBeGreaterThan(0);
});
