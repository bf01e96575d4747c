import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ProgramBuilder } from '../src/ir/builder.js';
import {
  activationInputs,
  clipRows,
  constantInputs,
  elementCountOf,
  imageShapeOf,
  inputRowsFor,
  isContiguous,
  macsOf,
  operandsOf,
  rowsUnderWindows,
  sizeBytes,
  storageOf,
  tensorOf,
} from '../src/ir/facts.js';
import { reshapeView, type StridedView, sliceView, storageOfView, stridedViewOf } from '../src/ir/layout.js';
import type { OpId, StorageSlice, Tensor, TensorId } from '../src/ir/types.js';

const id = (value: number): TensorId => value as TensorId;

const tensor = (shape: readonly number[], storage?: StorageSlice): Tensor => ({
  id: id(1),
  name: 't',
  dtype: 'int8',
  shape,
  loc: { file: 'test' },
  ...(storage === undefined ? {} : { storage }),
});

describe('image view', () => {
  test.each([
    [[1, 4, 5, 6], { h: 4, w: 5, c: 6 }],
    [[1, 7, 3], { h: 7, w: 1, c: 3 }],
    [[1, 9], { h: 1, w: 1, c: 9 }],
    [[9], { h: 1, w: 1, c: 9 }],
    [[], { h: 1, w: 1, c: 1 }],
    [[1, 4, 5, 2, 3], { h: 4, w: 5, c: 6 }],
    [[2, 4, 5, 6], { h: 8, w: 5, c: 6 }],
  ])('%j', (shape, image) => {
    expect(imageShapeOf(shape)).toEqual(image);
  });
});

describe('operands and work', () => {
  const b = new ProgramBuilder('p', 'p.model.ts');
  const x = b.addInput({ name: 'x', dtype: 'float32', shape: [1, 6, 6, 4] });
  const weights = b.addConstant({ name: 'w', shape: [8, 3, 3, 2], data: new Float32Array(144) });
  const bias = b.addConstant({ name: 'b', shape: [8], data: new Float32Array(8) });
  const window = {
    kernel: [3, 3],
    stride: [2, 1],
    dilation: [1, 1],
    pad: { top: 1, left: 0, bottom: 0, right: 2 },
  } as const;
  const conv = b.addOp({ kind: 'conv2d', name: 'conv', inputs: [x, weights, bias], window, groups: 2 });
  b.addOutput(conv);
  const program = b.build();
  const [op] = program.ops;
  if (op === undefined) throw new Error('the program has one op');

  test('a grouped convolution multiplies its group’s channels only', () => {
    expect(tensorOf(program, conv).shape).toEqual([1, 3, 6, 8]);
    expect(macsOf(op, program)).toBe(3 * 6 * 8 * 3 * 3 * 2);
    expect(sizeBytes(tensorOf(program, conv))).toBe(3 * 6 * 8 * 4);
  });

  test('operands are inputs, then what the epilogue reads', () => {
    const fused = {
      ...op,
      epilogue: [
        { kind: 'lut', table: bias, resultZeroPoint: 0 },
        { kind: 'add', operand: x, valueIs: 'a', valueZeroPoint: 0, resultZeroPoint: 0 },
      ],
    } as const;
    expect(operandsOf(fused)).toEqual([x, weights, bias, bias, x]);
    expect(activationInputs(fused, program)).toEqual([x, x]);
    expect(constantInputs(fused, program)).toEqual([weights, bias, bias]);
  });

  test('a wrong shape is refused with the builder’s fault and place', () => {
    const strict = new ProgramBuilder('p', 'p.model.ts', { fault: { code: 'SW1234', blame: 'model' } });
    const a = strict.addInput({ name: 'a', dtype: 'float32', shape: [1, 4] });
    const c = strict.addInput({ name: 'c', dtype: 'float32', shape: [1, 5] });
    const loc = { file: 'p.model.ts', line: 3, column: 7 };
    expect(() => strict.addOp({ kind: 'add', name: 'sum', inputs: [a, c], loc })).toThrow(
      "p.model.ts:3:7: SW1234 (model): sum: operands of add differ in shape: a 'a' [1, 4], b 'c' [1, 5]",
    );
  });
});

describe('rows under windows', () => {
  const axis = fc.record({
    kernel: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    padBefore: fc.nat(4),
  });

  test('are the first to the last tap, and nothing for nothing', () => {
    fc.assert(
      fc.property(axis, fc.nat(10), fc.nat(6), (a, start, count) => {
        const taps: number[] = [];
        for (let o = start; o < start + count; o++) {
          for (let k = 0; k < a.kernel; k++) taps.push(o * a.stride - a.padBefore + k * a.dilation);
        }
        const range = rowsUnderWindows(a, { start, end: start + count });
        if (taps.length === 0) expect(range.end).toBe(range.start);
        else expect(range).toEqual({ start: Math.min(...taps), end: Math.max(...taps) + 1 });
      }),
    );
  });

  test('clipping keeps what is inside, and never turns a range around', () => {
    fc.assert(
      fc.property(fc.integer({ min: -9, max: 19 }), fc.nat(12), fc.nat(12), (start, length, limit) => {
        const clipped = clipRows({ start, end: start + length }, limit);
        const inside = Array.from({ length }, (_, i) => start + i).filter((row) => row >= 0 && row < limit);
        expect(clipped.end - clipped.start).toBe(inside.length);
        if (inside.length > 0) expect(clipped.start).toBe(inside[0]);
      }),
    );
  });

  test('upsampling reads the row under each output row', () => {
    const op = { kind: 'upsample', scale: [3, 1] } as const;
    const full = { ...op, id: 0 as OpId, name: 'u', inputs: [], output: id(0), epilogue: [], loc: { file: 'test' } };
    expect(inputRowsFor(full, { start: 2, end: 7 }, 10)).toEqual({ start: 0, end: 3 });
    expect(inputRowsFor(full, { start: 3, end: 6 }, 10)).toEqual({ start: 1, end: 2 });
  });
});

/** Elements of a view in its own order, as positions in the root: the definition, by enumeration. */
function positions({ offset, shape, strides }: StridedView): number[] {
  let found = [offset];
  for (const [axis, extent] of shape.entries()) {
    found = found.flatMap((base) => Array.from({ length: extent }, (_, i) => base + i * (strides[axis] ?? 0)));
  }
  return found;
}

/** The same from a storage slice, as the machine addresses it. */
function positionsOfStorage(shape: readonly number[], storage: StorageSlice): number[] {
  const { h, w, c } = imageShapeOf(shape);
  const found: number[] = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const pixel = storage.offsetElements + y * storage.rowPitchElements + x * storage.pixelPitchElements;
      for (let k = 0; k < c; k++) found.push(pixel + k);
    }
  }
  return found;
}

describe('views', () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });
  /** A random slice of a gapless tensor, with another shape of as many elements. */
  const views = fc.tuple(shapes, fc.nat(), fc.nat(), fc.nat(), fc.nat()).map(([shape, a, start, size, order]) => {
    const axis = a % shape.length;
    const extent = shape[axis] ?? 1;
    const from = start % extent;
    const view = sliceView(stridedViewOf(tensor(shape)), axis, from, 1 + (size % (extent - from)));
    return { view, shape: factorised(elementCountOf(view.shape), order) };
  });

  /** A shape of `count` elements, chosen by `seed`. */
  function factorised(count: number, seed: number): number[] {
    const shape: number[] = [];
    let left = count;
    for (let f = 2; f <= left; f++) {
      while (left % f === 0) {
        left /= f;
        const join = shape.length > 0 && (seed >> shape.length) % 2 === 0;
        if (join) shape.push((shape.pop() ?? 1) * f);
        else shape.push(f);
      }
    }
    return seed % 3 === 0 ? [1, ...shape] : shape;
  }

  test('a storage slice addresses the elements of its view', () => {
    fc.assert(
      fc.property(views, ({ view }) => {
        const storage = storageOfView(view);
        if (storage !== undefined) expect(positionsOfStorage(view.shape, storage)).toEqual(positions(view));
      }),
      { numRuns: 300 },
    );
  });

  test('a reshaped view has the same elements in the same order; refused only if there are gaps', () => {
    fc.assert(
      fc.property(views, ({ view, shape }) => {
        const reshaped = reshapeView(view, shape);
        const elements = positions(view);
        if (reshaped !== undefined) expect(positions(reshaped)).toEqual(elements);
        else expect((elements.at(-1) ?? 0) - (elements[0] ?? 0)).toBeGreaterThan(elements.length - 1);
      }),
      { numRuns: 300 },
    );
  });

  test('strides and storage are inverse', () => {
    fc.assert(
      fc.property(views, ({ view }) => {
        const storage = storageOfView(view);
        if (storage === undefined) return;
        const placed = tensor(view.shape, storage);
        expect(positions(stridedViewOf(placed))).toEqual(positions(view));
        expect(storageOfView(stridedViewOf(placed))).toEqual(storage);
      }),
    );
  });

  test('gapless is what has no gaps', () => {
    expect(isContiguous(tensor([1, 4, 4, 8]))).toBe(true);
    expect(storageOf(tensor([1, 4, 4, 8]))).toEqual({
      root: 1,
      offsetElements: 0,
      rowPitchElements: 32,
      pixelPitchElements: 8,
    });
    const slice = { root: id(0), offsetElements: 8, rowPitchElements: 64, pixelPitchElements: 16 };
    expect(isContiguous(tensor([1, 4, 4, 8], slice))).toBe(false);
    expect(isContiguous(tensor([1, 1, 1, 8], slice))).toBe(true);
  });
});
