/** Every operator of the reference against docs/numerics.md written out naively, on small random shapes. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ConstantSpec, type OpSpec, ProgramBuilder } from '../src/ir/builder.js';
import type { ConstantData, Quantization, TensorId, UnaryFunction, Window2d } from '../src/ir/types.js';
import { interpret } from '../src/reference/interpret.js';
import {
  naiveBinaryInt8,
  naiveConvolutionFloat32,
  naiveConvolutionInt8,
  naiveLrnInt8,
  naiveLrnWindow,
  naiveMbqm,
  naivePool,
  naiveSoftmaxInt8,
} from './naive-operators.js';

interface Operand {
  readonly shape: readonly number[];
  readonly data: ConstantData;
  readonly zero?: number;
}

const quantOf = (zeroPoint: number): Quantization => ({ scales: [0.05], zeroPoint });

/** Runs one op on the operands: `inputs` are fed, `constants` are constants. */
function runOne(
  spec: (ids: readonly TensorId[]) => OpSpec,
  inputs: readonly Operand[],
  constants: readonly Pick<ConstantSpec, 'shape' | 'data' | 'quant'>[] = [],
  result: { shape?: readonly number[]; zero?: number } = {},
): number[] {
  const b = new ProgramBuilder('one', 'test');
  const fed = new Map<TensorId, ConstantData>();
  const ids: TensorId[] = [];
  for (const { shape, data, zero } of inputs) {
    const int8 = data instanceof Int8Array;
    const base = { name: `x${ids.length}`, dtype: int8 ? 'int8' : 'float32', shape } as const;
    const id = b.addInput(int8 ? { ...base, quant: quantOf(zero ?? 0) } : base);
    fed.set(id, data);
    ids.push(id);
  }
  for (const constant of constants) ids.push(b.addConstant({ name: `c${ids.length}`, ...constant }));
  const { shape, zero } = result;
  const out = b.addOp(spec(ids), {
    ...(shape === undefined ? {} : { shape }),
    ...(zero === undefined ? {} : { quant: quantOf(zero) }),
  });
  b.addOutput(out);
  return Array.from(interpret(b.build(), fed).get(out) ?? []);
}

/** Deterministic filling from a seed: arrays from fast-check would make the cases slow to generate and to read. */
function filled<T extends ConstantData>(array: T, seed: number): T {
  let state = seed;
  for (let i = 0; i < array.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    array[i] = array instanceof Float32Array ? state / 2 ** 30 : state >> 23;
  }
  return array;
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const axisWindow = fc
  .record({
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    before: fc.integer({ min: 0, max: 2 }),
    after: fc.integer({ min: 0, max: 2 }),
    extra: fc.integer({ min: 0, max: 5 }),
  })
  .map((a) => {
    // Padding below the kernel's extent, so that no window lies in it alone.
    const extent = (a.kernel - 1) * a.dilation + 1;
    const before = a.dilation === 1 ? Math.min(a.before, extent - 1) : 0;
    const after = a.dilation === 1 ? Math.min(a.after, extent - 1) : 0;
    const length = Math.max(1, extent - before - after) + a.extra;
    return { ...a, before, after, length, outputs: Math.floor((length + before + after - extent) / a.stride) + 1 };
  });

const windows = fc.tuple(axisWindow, axisWindow).map(([y, x]) => {
  const window: Window2d = {
    kernel: [y.kernel, x.kernel],
    stride: [y.stride, x.stride],
    dilation: [y.dilation, x.dilation],
    pad: { top: y.before, left: x.before, bottom: y.after, right: x.after },
  };
  return { window, h: y.length, w: x.length, outH: y.outputs, outW: x.outputs };
});

const zeroPoint = fc.integer({ min: -128, max: 127 });
const seed = fc.integer({ min: 1, max: 1e6 });
/** Input and output channels per group, and groups: dense, grouped, depthwise, depthwise with a multiplier. */
const channels = fc.oneof(
  fc.record({
    c: fc.integer({ min: 1, max: 7 }),
    m: fc.integer({ min: 1, max: 9 }),
    groups: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ c: fc.constant(1), m: fc.integer({ min: 1, max: 3 }), groups: fc.integer({ min: 2, max: 6 }) }),
);

const requantOf = (m: number, from: number): Int32Array => {
  const table = filled(new Int32Array(2 * m), from);
  return table.map((v, i) => (i % 2 === 0 ? 2 ** 30 + Math.abs(v) * 4_000_000 : -4 - (Math.abs(v) % 8)));
};

describe('conv2d', () => {
  test('int8, any window and groups', () => {
    fc.assert(
      fc.property(windows, channels, zeroPoint, zeroPoint, seed, (g, ch, zx, zy, s) => {
        const [c, m] = [ch.c * ch.groups, ch.m * ch.groups];
        const x = filled(new Int8Array(g.h * g.w * c), s);
        const shape = [m, ...g.window.kernel, ch.c];
        const weights = filled(new Int8Array(count(shape)), s + 1);
        const bias = filled(new Int32Array(m), s + 2);
        const requant = requantOf(m, s + 3);
        const actual = runOne(
          (inputs) => ({ kind: 'conv2d', name: 'conv', inputs, window: g.window, groups: ch.groups }),
          [{ shape: [1, g.h, g.w, c], data: x, zero: zx }],
          [
            { shape, data: weights },
            { shape: [m], data: bias },
            { shape: [m, 2], data: requant },
          ],
          { zero: zy },
        );
        const naive = { outH: g.outH, outW: g.outW, m, window: g.window, groups: ch.groups };
        const image = { h: g.h, w: g.w, c, data: x };
        expect(actual).toEqual(naiveConvolutionInt8(naive, image, zx, weights, bias, requant, zy));
      }),
      { numRuns: 150 },
    );
  });

  test('int8 with extreme values and more taps than one chunk', () => {
    const c = 2100; // 2100 * 255 * 128 does not fit the 25 bits of a packed pair
    const x = new Int8Array(5 * c).fill(127);
    const weights = new Int8Array(3 * c)
      .fill(-128, 0, c)
      .fill(127, c, 2 * c)
      .fill(1, 2 * c);
    const window: Window2d = {
      kernel: [1, 1],
      stride: [1, 1],
      dilation: [1, 1],
      pad: { top: 0, left: 0, bottom: 0, right: 0 },
    };
    const bias = Int32Array.of(5, -5, 2 ** 31 - 1);
    const requant = Int32Array.of(2 ** 30, -19, 2 ** 30, -19, 2 ** 30, -24);
    const actual = runOne(
      (inputs) => ({ kind: 'conv2d', name: 'conv', inputs, window, groups: 1 }),
      [{ shape: [1, 1, 5, c], data: x, zero: -128 }],
      [
        { shape: [3, 1, 1, c], data: weights },
        { shape: [3], data: bias },
        { shape: [3, 2], data: requant },
      ],
      { zero: 1 },
    );
    const naive = { outH: 1, outW: 5, m: 3, window, groups: 1 };
    const expected = naiveConvolutionInt8(naive, { h: 1, w: 5, c, data: x }, -128, weights, bias, requant, 1);
    expect(actual).toEqual(expected);
    // Not saturated, so that every bit counts; the third sum wraps.
    expect(expected.slice(0, 3)).toEqual([-64, 66, -63]);
  });

  test('float32, any window and groups, weights float32 or int8 with scales', () => {
    fc.assert(
      fc.property(windows, channels, fc.boolean(), seed, (g, ch, packed, s) => {
        const [c, m] = [ch.c * ch.groups, ch.m * ch.groups];
        const x = filled(new Float32Array(g.h * g.w * c), s);
        const shape = [m, ...g.window.kernel, ch.c];
        const stored = filled(new Int8Array(count(shape)), s + 1);
        const scales = Array.from({ length: m }, (_, i) => 0.01 + 0.003 * i);
        const real = packed
          ? Float32Array.from(stored, (q, i) => q * (scales[Math.floor((i * m) / stored.length)] ?? 0))
          : filled(new Float32Array(count(shape)), s + 1);
        const bias = filled(new Float32Array(m), s + 2);
        const actual = runOne(
          (inputs) => ({ kind: 'conv2d', name: 'conv', inputs, window: g.window, groups: ch.groups }),
          [{ shape: [1, g.h, g.w, c], data: x }],
          [
            packed ? { shape, data: stored, quant: { scales, zeroPoint: 0 } } : { shape, data: real },
            { shape: [m], data: bias },
          ],
        );
        const naive = { outH: g.outH, outW: g.outW, m, window: g.window, groups: ch.groups };
        expect(actual).toEqual(naiveConvolutionFloat32(naive, { h: g.h, w: g.w, c, data: x }, real, bias));
      }),
      { numRuns: 150 },
    );
  });
});

test('dense is a 1x1 convolution of one pixel', () => {
  const window: Window2d = {
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    pad: { top: 0, left: 0, bottom: 0, right: 0 },
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 9 }),
      zeroPoint,
      zeroPoint,
      seed,
      (k, m, zx, zy, s) => {
        const naive = { outH: 1, outW: 1, m, window, groups: 1 };
        const x = filled(new Int8Array(k), s);
        const weights = filled(new Int8Array(m * k), s + 1);
        const bias = filled(new Int32Array(m), s + 2);
        const requant = requantOf(m, s);
        const int8 = runOne(
          (inputs) => ({ kind: 'dense', name: 'fc', inputs }),
          [{ shape: [1, k], data: x, zero: zx }],
          [
            { shape: [m, k], data: weights },
            { shape: [m], data: bias },
            { shape: [m, 2], data: requant },
          ],
          { zero: zy },
        );
        expect(int8).toEqual(
          naiveConvolutionInt8(naive, { h: 1, w: 1, c: k, data: x }, zx, weights, bias, requant, zy),
        );
        const [fx, fw, fb] = [new Float32Array(k), new Float32Array(m * k), new Float32Array(m)].map((a, i) =>
          filled(a, s + i),
        );
        if (fx === undefined || fw === undefined || fb === undefined) throw new Error('unreachable');
        const float32 = runOne(
          (inputs) => ({ kind: 'dense', name: 'fc', inputs }),
          [{ shape: [1, k], data: fx }],
          [
            { shape: [m, k], data: fw },
            { shape: [m], data: fb },
          ],
        );
        expect(float32).toEqual(naiveConvolutionFloat32(naive, { h: 1, w: 1, c: k, data: fx }, fw, fb));
      },
    ),
  );
});

test('pools, with padding counted or not', () => {
  const kinds = fc.constantFrom('maxPool' as const, 'avgPool' as const);
  fc.assert(
    fc.property(
      windows,
      kinds,
      fc.boolean(),
      fc.integer({ min: 1, max: 4 }),
      zeroPoint,
      seed,
      (g, kind, pad, c, zero, s) => {
        const shape = [1, g.h, g.w, c];
        const spec = (inputs: readonly TensorId[]): OpSpec => ({
          kind,
          name: 'p',
          inputs,
          window: g.window,
          countIncludePad: pad,
        });
        const x8 = filled(new Int8Array(count(shape)), s);
        const x32 = filled(new Float32Array(count(shape)), s);
        const image = { h: g.h, w: g.w, c };
        expect(runOne(spec, [{ shape, data: x8, zero }])).toEqual(
          naivePool(kind, pad, g.outH, g.outW, g.window, { ...image, data: x8 }, { zero }),
        );
        expect(runOne(spec, [{ shape, data: x32 }])).toEqual(
          naivePool(kind, pad, g.outH, g.outW, g.window, { ...image, data: x32 }, undefined),
        );
      },
    ),
    { numRuns: 150 },
  );
});

describe('elementwise', () => {
  const rescale = {
    leftShift: 20,
    multiplierA: 2 ** 30,
    shiftA: 0,
    multiplierB: 1_700_000_000,
    shiftB: -1,
    multiplierOut: 1_500_000_000,
    shiftOut: -18,
  };

  test('add, sub and mul of int8: all pairs of stored values', () => {
    const all = Int8Array.from({ length: 65536 }, (_, i) => i >> 8);
    const other = Int8Array.from({ length: 65536 }, (_, i) => i);
    for (const kind of ['add', 'sub', 'mul'] as const) {
      const zeros = [3, -7, 11] as const;
      const r = kind === 'mul' ? { ...rescale, shiftOut: -6 } : rescale;
      const actual = runOne(
        (inputs) => ({ kind, name: kind, inputs, rescale: r }),
        [
          { shape: [1, 65536], data: all, zero: 3 },
          { shape: [1, 65536], data: other, zero: -7 },
        ],
        [],
        { zero: 11 },
      );
      // Every 13th pair: the naive version is slow.
      for (let i = 0; i < 65536; i += 13) {
        const expected = naiveBinaryInt8(kind, Number(all[i]), Number(other[i]), zeros, r);
        if (actual[i] !== expected) throw new Error(`${kind} ${all[i]} ${other[i]}: ${actual[i]}, not ${expected}`);
      }
      expect(new Set(actual).size).toBeGreaterThan(100);
    }
  });

  test('add, sub and mul of float32', () => {
    const shape = [1, 50];
    const a = filled(new Float32Array(50), 1);
    const b = filled(new Float32Array(50), 2);
    const run = (kind: 'add' | 'sub' | 'mul') =>
      runOne(
        (inputs) => ({ kind, name: kind, inputs }),
        [
          { shape, data: a },
          { shape, data: b },
        ],
      );
    const expected = (f: (x: number, y: number) => number) => Array.from(a, (x, i) => Math.fround(f(x, Number(b[i]))));
    expect(run('add')).toEqual(expected((x, y) => x + y));
    expect(run('sub')).toEqual(expected((x, y) => x - y));
    expect(run('mul')).toEqual(expected((x, y) => x * y));
  });

  test('clamp limits stored values, and real ones to float32 limits', () => {
    const spec = (lo: number, hi: number) => (inputs: readonly TensorId[]) =>
      ({ kind: 'clamp', name: 'c', inputs, lo, hi }) as const;
    expect(runOne(spec(-3, 5), [{ shape: [1, 4], data: Int8Array.of(-128, -3, 4, 127) }])).toEqual([-3, -3, 4, 5]);
    const x = Float32Array.of(-1, 0.1, 0.25, 7);
    expect(runOne(spec(0.1, 6), [{ shape: [1, 4], data: x }])).toEqual([Math.fround(0.1), Math.fround(0.1), 0.25, 6]);
  });

  test('lut looks up stored value + 128', () => {
    const table = Int8Array.from({ length: 256 }, (_, i) => i ^ 0x55);
    const x = Int8Array.from({ length: 256 }, (_, i) => i - 128);
    const actual = runOne(
      (inputs) => ({ kind: 'lut', name: 'l', inputs }),
      [{ shape: [1, 256], data: x }],
      [{ shape: [256], data: table }],
      { zero: 0 },
    );
    expect(actual).toEqual(Array.from(table));
  });

  test('unary functions in double precision', () => {
    const x = Float32Array.of(-4, -2.5, -1, -0.1, 0.3, 1, 2.9, 5);
    const [alpha, beta] = [0.1, 0.5];
    const [fa, fb] = [Math.fround(alpha), Math.fround(beta)];
    const expected: Partial<Record<UnaryFunction, (v: number) => number>> = {
      leakyRelu: (v) => (v < 0 ? v * fa : v),
      sigmoid: (v) => 1 / (1 + Math.exp(-v)),
      tanh: (v) => Math.tanh(v),
      hardSwish: (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6,
      hardSigmoid: (v) => Math.min(Math.max(fa * v + fb, 0), 1),
      elu: (v) => (v < 0 ? fa * (Math.exp(v) - 1) : v),
      exp: (v) => Math.exp(v),
      sqrt: (v) => Math.sqrt(v),
    };
    for (const fn of Object.keys(expected) as UnaryFunction[]) {
      const data = fn === 'sqrt' ? x.map(Math.abs) : x;
      const actual = runOne(
        (inputs) => ({ kind: 'unary', name: fn, inputs, fn, alpha, beta }),
        [{ shape: [1, 8], data }],
      );
      expect(actual).toEqual(Array.from(data, (v) => Math.fround(expected[fn]?.(v) ?? Number.NaN)));
    }
  });
});

describe('softmax and lrn', () => {
  const table = Int32Array.from({ length: 256 }, (_, d) => Math.round(2 ** 20 * Math.exp(-d * 0.07)));

  test('int8 softmax over the last axis', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 30 }), seed, (rows, length, s) => {
        const x = filled(new Int8Array(rows * length), s);
        const actual = runOne(
          (inputs) => ({ kind: 'softmax', name: 's', inputs }),
          [{ shape: [1, rows, length], data: x }],
          [{ shape: [256], data: table }],
        );
        const expected = Array.from({ length: rows }, (_, r) =>
          naiveSoftmaxInt8(Array.from(x.subarray(r * length, (r + 1) * length)), table),
        );
        expect(actual).toEqual(expected.flat());
      }),
    );
  });

  test('float32 softmax sums to 1', () => {
    const x = filled(new Float32Array(12), 5);
    const actual = runOne((inputs) => ({ kind: 'softmax', name: 's', inputs }), [{ shape: [1, 3, 4], data: x }]);
    for (let r = 0; r < 3; r++) {
      const row = Array.from(x.subarray(4 * r, 4 * r + 4), (v) => Math.exp(v));
      const sum = row.reduce((a, b) => a + b, 0);
      for (const [i, e] of row.entries()) expect(actual[4 * r + i]).toBeCloseTo(e / sum, 6);
    }
  });

  test('lrn, windows of even and odd size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 9 }),
        zeroPoint,
        zeroPoint,
        seed,
        (size, c, zx, zy, s) => {
          const [alpha, beta, k] = [0.3, 0.75, 1.5];
          const spec = (inputs: readonly TensorId[]): OpSpec => ({
            kind: 'lrn',
            name: 'n',
            inputs,
            size,
            alpha,
            beta,
            k,
            sumShift: 7,
          });
          const x8 = filled(new Int8Array(2 * c), s);
          const factors = Int32Array.from({ length: 1024 }, (_, i) => Math.round(90000 / (1 + i / 100)));
          const shape = [1, 1, 2, c];
          const rows = (x: ArrayLike<number>) => [0, 1].map((r) => Array.from(x).slice(r * c, (r + 1) * c));
          expect(
            runOne(spec, [{ shape, data: x8, zero: zx }], [{ shape: [1024], data: factors }], { zero: zy }),
          ).toEqual(rows(x8).flatMap((row) => naiveLrnInt8(row, size, factors, 7, zx, zy)));
          const x32 = filled(new Float32Array(2 * c), s);
          const [fa, fb, fk] = [alpha, beta, k].map(Math.fround);
          const expected = rows(x32).flatMap((row) =>
            row.map((v, i) => {
              const squares = naiveLrnWindow(row, i, size).reduce((sum, w) => sum + w * w, 0);
              return Math.fround(v * (Number(fk) + (Number(fa) / size) * squares) ** -Number(fb));
            }),
          );
          expect(runOne(spec, [{ shape, data: x32 }])).toEqual(expected);
        },
      ),
    );
  });
});

describe('movement', () => {
  const iota = (shape: readonly number[]) => ({ shape, data: Int8Array.from({ length: count(shape) }, (_, i) => i) });

  test('upsample repeats rows and columns', () => {
    const actual = runOne((inputs) => ({ kind: 'upsample', name: 'u', inputs, scale: [2, 3] }), [iota([1, 2, 1, 2])]);
    expect(actual).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3]);
  });

  test('concat and slice along every axis are inverse', () => {
    for (const axis of [1, 2, 3]) {
      const shapes = [2, 1, 3].map((extent) => [1, 2, 3, 2].with(axis, extent));
      const parts = shapes.map((shape, i) => ({ shape, data: filled(new Int8Array(count(shape)), i + 1) }));
      const whole = Int8Array.from(runOne((inputs) => ({ kind: 'concat', name: 'c', inputs, axis }), parts));
      const wholeShape = [1, 2, 3, 2].with(axis, 6);
      for (const [i, start] of [0, 2, 3].entries()) {
        const back = runOne(
          (inputs) => ({ kind: 'slice', name: 's', inputs, axis, start }),
          [{ shape: wholeShape, data: whole }],
          [],
          { shape: shapes[i] ?? [] },
        );
        expect(back).toEqual(Array.from(parts[i]?.data ?? []));
      }
    }
  });

  test('transpose: out[i] is x at the permuted index', () => {
    const shape = [1, 2, 3, 4];
    const perm = [0, 3, 1, 2];
    const actual = runOne((inputs) => ({ kind: 'transpose', name: 't', inputs, perm }), [iota(shape)]);
    const expected: number[] = [];
    for (let c = 0; c < 4; c++)
      for (let h = 0; h < 2; h++) for (let w = 0; w < 3; w++) expected.push((h * 3 + w) * 4 + c);
    expect(actual).toEqual(expected);
  });

  test('reshape and copy keep the order', () => {
    expect(
      runOne((inputs) => ({ kind: 'reshape', name: 'r', inputs }), [iota([1, 2, 3])], [], { shape: [1, 6] }),
    ).toEqual([0, 1, 2, 3, 4, 5]);
    expect(runOne((inputs) => ({ kind: 'copy', name: 'r', inputs }), [iota([1, 2, 3])])).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

test('the naive rescaling is the real one, to the nearest', () => {
  expect(naiveMbqm(1000, 2 ** 30, 0)).toBe(500);
  expect(naiveMbqm(-1001, 2 ** 30, -3)).toBe(Math.round((-1001 * 0.5) / 8));
});
