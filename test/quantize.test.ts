import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  activationQuantization,
  additionRescale,
  fixedPoint,
  multiplicationRescale,
  quantizeValue,
} from '../src/frontend/quantize/parameters.js';
import { quantizeProgram } from '../src/frontend/quantize/quantize-program.js';
import { quantizeLayer, rowMagnitudes } from '../src/frontend/quantize/quantize-weights.js';
import { sampleRanges } from '../src/frontend/quantize/sample-run.js';
import { planSampleShapes } from '../src/frontend/quantize/sample-shapes.js';
import { lrnSumShift } from '../src/frontend/quantize/tables.js';
import { toFloat32 } from '../src/frontend/quantize/to-float32.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import { isReal, type Program, type Quantization, type TensorId, type Window2d } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import { interpret } from '../src/reference/interpret.js';
import { seededInput } from '../src/reference/seeded-input.js';

const LARGEST = 3.4028234663852886e38;

function window(kernel: number, stride: number, pad: number): Window2d {
  return {
    kernel: [kernel, kernel],
    stride: [stride, stride],
    dilation: [1, 1],
    pad: { top: pad, left: pad, bottom: pad, right: pad },
  };
}

/** A builder with the few layers that the nets below are made of; weights are seeded and of unit gain. */
function layers(packed = false) {
  const b = new ProgramBuilder('net', 'test');
  let state = 12345;
  let n = 0;
  const draw = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    return state / 2 ** 31;
  };
  const weights = (shape: readonly number[], gain = 1): TensorId => {
    const length = shape.reduce((a, c) => a * c, 1);
    const [rows = 1] = shape;
    const size = gain * Math.sqrt((3 * rows) / length);
    const name = `w${n++}`;
    if (!packed) return b.addConstant({ name, shape, data: Float32Array.from({ length }, () => draw() * size) });
    const scales = Array.from({ length: rows }, () => size / 127);
    return b.addConstant({
      name,
      shape,
      data: Int8Array.from({ length }, () => draw() * 127),
      quant: { scales, zeroPoint: 0 },
    });
  };
  const bias = (m: number): TensorId =>
    b.addConstant({ name: `b${n++}`, shape: [m], data: Float32Array.from({ length: m }, () => draw() * 0.2) });
  const extent = (x: TensorId, axis: number): number => b.tensor(x).shape[axis] ?? 1;
  return {
    b,
    bias,
    input: (shape: readonly number[]) => b.addInput({ name: 'x', dtype: 'float32', shape }),
    conv: (x: TensorId, m: number, kernel: number, stride = 1, groups = 1) =>
      b.addOp({
        kind: 'conv2d',
        name: `conv${n++}`,
        inputs: [x, weights([m, kernel, kernel, extent(x, 3) / groups]), bias(m)],
        window: window(kernel, stride, (kernel - 1) >> 1),
        groups,
      }),
    dense: (x: TensorId, m: number, gain = 1) =>
      b.addOp({ kind: 'dense', name: `fc${n++}`, inputs: [x, weights([m, extent(x, 1)], gain), bias(m)] }),
    relu: (x: TensorId, hi = LARGEST) => b.addOp({ kind: 'clamp', name: `relu${n++}`, inputs: [x], lo: 0, hi }),
    leaky: (x: TensorId) =>
      b.addOp({ kind: 'unary', name: `leaky${n++}`, inputs: [x], fn: 'leakyRelu', alpha: 0.1, beta: 0 }),
    binary: (kind: 'add' | 'sub' | 'mul', x: TensorId, y: TensorId) =>
      b.addOp({ kind, name: `${kind}${n++}`, inputs: [x, y] }),
    pool: (x: TensorId, kind: 'maxPool' | 'avgPool', kernel: number, stride: number) =>
      b.addOp({ kind, name: `pool${n++}`, inputs: [x], window: window(kernel, stride, 0), countIncludePad: false }),
    concat: (xs: readonly TensorId[], axis = 3) => b.addOp({ kind: 'concat', name: `cat${n++}`, inputs: xs, axis }),
    reshape: (x: TensorId, shape: readonly number[]) =>
      b.addOp({ kind: 'reshape', name: `flat${n++}`, inputs: [x] }, { shape }),
    softmax: (x: TensorId) => b.addOp({ kind: 'softmax', name: `softmax${n++}`, inputs: [x] }),
  };
}

function done(b: ProgramBuilder, ...outputs: TensorId[]): Program {
  for (const id of outputs) b.addOutput(id);
  return b.build();
}

function quantOf(program: Program, id: TensorId): Quantization {
  const quant = program.tensors.get(id)?.quant;
  if (quant === undefined) throw new Error(`%${id} has no quantisation`);
  return quant;
}

const scale = (program: Program, id: TensorId): number => quantOf(program, id).scales[0] ?? 0;

/** Signal to quantisation noise of every output, in dB, on an input that the sample run has not seen. */
function signalToNoise(float: Program, int8: Program): number[] {
  const real = seededInput(float, 77);
  const stored = new Map<TensorId, Int8Array>();
  for (const [id, data] of real)
    stored.set(
      id,
      Int8Array.from(data, (v) => quantizeValue(v, quantOf(int8, id))),
    );
  const expected = interpret(toFloat32(float), real);
  const actual = interpret(int8, stored);
  return float.outputs.map((id) => {
    const { scales, zeroPoint } = quantOf(int8, id);
    const values = actual.get(id) ?? [];
    let signal = 0;
    let noise = 0;
    for (const [i, value] of (expected.get(id) ?? []).entries()) {
      signal += value ** 2;
      noise += (value - (scales[0] ?? 0) * (Number(values[i]) - zeroPoint)) ** 2;
    }
    return 10 * Math.log10(signal / noise);
  });
}

/** Residual blocks, a depthwise convolution, both pools, concatenation, upsampling, leaky ReLU and a classifier. */
function smallNet(size: number, packed = false): Program {
  const l = layers(packed);
  const stem = l.pool(l.relu(l.conv(l.input([1, size, size, 3]), 12, 3, 2)), 'maxPool', 2, 2);
  const branch = l.conv(l.relu(l.conv(stem, 12, 3, 1, 12), 6), 12, 1);
  const sum = l.relu(l.binary('add', branch, stem));
  const down = l.leaky(l.conv(sum, 16, 3, 2));
  const up = l.b.addOp({ kind: 'upsample', name: 'up', inputs: [down], scale: [2, 2] });
  const joined = l.concat([up, sum]);
  const fine = l.conv(l.binary('mul', joined, joined), 8, 3);
  const side = l.b.tensor(joined).shape[1] ?? 1;
  const pooled = l.pool(joined, 'avgPool', side, side);
  const logits = l.dense(l.reshape(pooled, [1, 28]), 10, 4);
  return done(l.b, logits, fine, l.softmax(logits));
}

describe('quantizeProgram', () => {
  test.each([[false], [true]])('stays close to the float program (weights already int8: %s)', (packed) => {
    const float = smallNet(32, packed);
    const int8 = quantizeProgram(float);
    const [logits = 0, fine = 0, probabilities = 0] = signalToNoise(float, int8);
    expect(logits).toBeGreaterThan(25);
    expect(fine).toBeGreaterThan(20); // it squares what it reads
    expect(probabilities).toBeGreaterThan(20);
  });

  test('ranges from a reduced image hold for the full one', () => {
    const float = smallNet(160);
    expect(planSampleShapes(float).get(float.inputs[0] ?? (0 as TensorId))).toEqual([1, 64, 64, 3]);
    const [, fine = 0] = signalToNoise(float, quantizeProgram(float));
    expect(fine).toBeGreaterThan(20);
  });

  test('gives a well-formed program with the same ops, ids and names', () => {
    const float = smallNet(32);
    const int8 = quantizeProgram(float);
    expect(wellFormed(float)).toEqual([]);
    expect(wellFormed(int8)).toEqual([]);
    expect(int8.ops.map((op) => [op.id, op.name, op.output])).toEqual(
      float.ops.map((op) => [op.id, op.name, op.output]),
    );
    expect([int8.inputs, int8.outputs]).toEqual([float.inputs, float.outputs]);
    expect(int8.ops.some((op) => op.kind === 'unary')).toBe(false);
    for (const op of int8.ops) expect(int8.tensors.get(op.output)?.dtype).toBe('int8');
    const used = new Set(int8.ops.flatMap((op) => op.inputs));
    for (const id of int8.constants.keys()) expect(used.has(id)).toBe(true);
  });

  test('is deterministic, and leaves an int8 program alone', () => {
    const int8 = quantizeProgram(smallNet(32));
    expect(quantizeProgram(smallNet(32))).toEqual(int8);
    expect(quantizeProgram(int8)).toBe(int8);
  });

  test('multipliers have 24 significant bits', () => {
    const int8 = quantizeProgram(smallNet(32));
    let channels = 0;
    for (const [id, data] of int8.constants) {
      if (!int8.tensors.get(id)?.name.endsWith('.requant')) continue;
      for (let i = 0; i < data.length; i += 2) {
        const multiplier = Number(data[i]);
        expect(multiplier % 128).toBe(0);
        expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
        channels++;
      }
    }
    expect(channels).toBe(12 + 12 + 12 + 16 + 8 + 10);
  });

  test('one quantisation for tensors that are moved, selected or clamped', () => {
    const float = smallNet(32);
    const int8 = quantizeProgram(float);
    const kept = new Set([
      'maxPool',
      'avgPool',
      'clamp',
      'upsample',
      'concat',
      'slice',
      'reshape',
      'transpose',
      'copy',
    ]);
    let tied = 0;
    for (const op of int8.ops) {
      if (!kept.has(op.kind)) continue;
      for (const id of op.inputs) expect(quantOf(int8, id)).toEqual(quantOf(int8, op.output));
      tied++;
    }
    expect(tied).toBeGreaterThanOrEqual(8);
  });

  test('weights that are int8 already keep their integers', () => {
    const float = smallNet(32, true);
    const int8 = quantizeProgram(float);
    for (const [id, data] of float.constants) {
      if (data instanceof Int8Array) expect(int8.constants.get(id)).toBe(data);
    }
  });
});

describe('groups', () => {
  test('a convolution read by a ReLU alone gets the range of the ReLU', () => {
    const l = layers();
    const conv = l.conv(l.input([1, 8, 8, 3]), 8, 3);
    const program = done(l.b, l.relu(conv, 1));
    const int8 = quantizeProgram(program);
    expect(quantOf(int8, conv).zeroPoint).toBe(-128);
    expect(scale(int8, conv)).toBeCloseTo(1 / 255, 3);
  });

  test('a second reader needs the whole range', () => {
    const l = layers();
    const conv = l.conv(l.input([1, 8, 8, 3]), 8, 3);
    const program = done(l.b, l.relu(conv), l.leaky(conv));
    expect(quantOf(quantizeProgram(program), conv).zeroPoint).toBeGreaterThan(-40);
  });

  test('an average needs the range of what it averages', () => {
    const l = layers();
    const conv = l.conv(l.input([1, 8, 8, 3]), 8, 3);
    const program = done(l.b, l.relu(l.pool(conv, 'avgPool', 2, 2)));
    expect(quantOf(quantizeProgram(program), conv).zeroPoint).toBeGreaterThan(-40);
  });

  test('softmax keeps its scale alone, and gets a table where it shares a group', () => {
    const alone = layers();
    const a = alone.softmax(alone.dense(alone.input([1, 6]), 4));
    const flat = alone.reshape(a, [1, 2, 2]);
    expect(quantOf(quantizeProgram(done(alone.b, flat)), a)).toEqual({ scales: [1 / 256], zeroPoint: -128 });

    const mixed = layers();
    const logits = mixed.dense(mixed.input([1, 6]), 4, 10);
    const program = done(mixed.b, mixed.concat([mixed.softmax(logits), logits], 1));
    const int8 = quantizeProgram(program);
    expect(wellFormed(int8)).toEqual([]);
    expect(int8.ops.map((op) => op.kind)).toEqual(['dense', 'softmax', 'lut', 'concat']);
    expect(signalToNoise(program, int8)[0]).toBeGreaterThan(25);
  });

  test('constant operands are quantised: of add by themselves, of concat with the group', () => {
    const l = layers();
    const x = l.input([1, 4, 4, 3]);
    const c = l.b.addConstant({
      name: 'c',
      shape: [1, 4, 4, 3],
      data: Float32Array.from({ length: 48 }, (_, i) => i / 4),
    });
    const d = l.b.addConstant({ name: 'd', shape: [1, 4, 4, 3], data: new Float32Array(48).fill(-20) });
    const program = done(l.b, l.concat([l.binary('sub', x, c), d]));
    const int8 = quantizeProgram(program);
    expect(wellFormed(int8)).toEqual([]);
    expect(scale(int8, c)).toBeCloseTo(47 / 4 / 255, 5);
    expect(signalToNoise(program, int8)[0]).toBeGreaterThan(35);
  });
});

test('lrn, tables of bounded functions and sub stay close to float', () => {
  const l = layers();
  const x = l.conv(l.input([1, 8, 8, 3]), 16, 3);
  const lrn = l.b.addOp({ kind: 'lrn', name: 'lrn', inputs: [x], size: 5, alpha: 1, beta: 0.75, k: 1, sumShift: 0 });
  const sigmoid = l.b.addOp({ kind: 'unary', name: 'sigmoid', inputs: [x], fn: 'sigmoid', alpha: 0, beta: 0 });
  const program = done(l.b, lrn, sigmoid);
  const int8 = quantizeProgram(program);
  expect(wellFormed(int8)).toEqual([]);
  for (const dB of signalToNoise(program, int8)) expect(dB).toBeGreaterThan(30);
  expect(scale(int8, sigmoid)).toBeCloseTo(1 / 255, 6);
});

test('lrnSumShift is the least that fits every sum into the table', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: -128, max: 127 }),
      (size, channels, zero) => {
        const sum = Math.min(size, channels) * Math.max(127 - zero, zero + 128) ** 2;
        const shift = lrnSumShift(size, channels, zero);
        expect(sum >> shift).toBeLessThanOrEqual(1023);
        if (shift > 0) expect(sum >> (shift - 1)).toBeGreaterThan(1023);
      },
    ),
  );
});

describe('parameters', () => {
  test('fixedPoint is within half a unit of 24 bits', () => {
    const exponent = fc.integer({ min: -31, max: 28 });
    fc.assert(
      fc.property(
        exponent,
        fc.integer({ min: 0, max: 2 ** 26 }).map((v) => 1 + v / 2 ** 26),
        (e, mantissa) => {
          const factor = Math.min(mantissa * 2 ** e, 2 ** 29.9);
          const { multiplier, shift } = fixedPoint(factor);
          expect(multiplier % 128).toBe(0);
          expect(multiplier >= 2 ** 30 && multiplier < 2 ** 31 && shift >= -31 && shift <= 30).toBe(true);
          expect(Math.abs((multiplier * 2 ** (shift - 31)) / factor - 1)).toBeLessThanOrEqual(2 ** -24);
        },
      ),
    );
    expect(fixedPoint(0)).toEqual({ multiplier: 0, shift: 0 });
    expect(fixedPoint(2 ** -40)).toEqual({ multiplier: 0, shift: 0 });
    expect(fixedPoint(1)).toEqual({ multiplier: 2 ** 30, shift: 1 });
    expect(fixedPoint(1 - 2 ** -30)).toEqual({ multiplier: 2 ** 30, shift: 1 }); // rounds up across the power of two
    expect(() => fixedPoint(Number.NaN)).toThrow();
  });

  test('activations: zero is exact, the range is covered, no scale is zero', () => {
    // Integers underneath: fast-check shrinks a float in hundreds of thousands of steps.
    const value = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((v) => v / 1000);
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const quant = activationQuantization({ min, max });
        const s = quant.scales[0] ?? 0;
        expect(s).toBeGreaterThan(0);
        expect(Number.isInteger(quant.zeroPoint) && Math.abs(quant.zeroPoint + 0.5) < 128).toBe(true);
        for (const v of [min, max, 0]) {
          const back = s * (quantizeValue(v, quant) - quant.zeroPoint);
          expect(Math.abs(back - v)).toBeLessThanOrEqual(s * 1.01);
        }
        expect(quantizeValue(0, quant)).toBe(quant.zeroPoint);
      }),
    );
    expect(activationQuantization({ min: -127.7, max: 127.3 }).zeroPoint).toBe(0); // and not -0
    expect(activationQuantization({ min: 0, max: 0 })).toEqual({ scales: [1 / 128], zeroPoint: 0 });
  });

  test('rescaling of additions and products stands for the ratio of scales', () => {
    const sum = additionRescale(0.5, 0.125, 0.75);
    const factor = (multiplier: number, shift: number): number => multiplier * 2 ** (shift - 31);
    const a = factor(sum.multiplierA, sum.shiftA) * 2 ** 20 * factor(sum.multiplierOut, sum.shiftOut);
    const b = factor(sum.multiplierB, sum.shiftB) * 2 ** 20 * factor(sum.multiplierOut, sum.shiftOut);
    expect([a, b].map((v) => v.toFixed(6))).toEqual([(0.5 / 0.75).toFixed(6), (0.125 / 0.75).toFixed(6)]);
    const product = multiplicationRescale(0.5, 0.125, 0.75);
    expect(factor(product.multiplierOut, product.shiftOut)).toBeCloseTo((0.5 * 0.125) / 0.75, 6);
  });
});

describe('weights', () => {
  test('are symmetric per channel and reach 127', () => {
    const weights = Float32Array.of(1, -2, 0.5, 0, -0.25, 0.1);
    const layer = quantizeLayer(
      weights,
      undefined,
      rowMagnitudes(weights, undefined, 2),
      Float32Array.of(0.5, 0),
      0.01,
    );
    expect(Array.from(layer.weights)).toEqual([64, -127, 32, 0, -127, 51]);
    expect(layer.scales[0]).toBeCloseTo(2 / 127, 12);
    expect(layer.bias[0]).toBe(Math.round(0.5 / (0.01 * (2 / 127))));
  });

  test('the bias of a channel without weights is not lost', () => {
    const weights = new Float32Array(6);
    const layer = quantizeLayer(weights, undefined, rowMagnitudes(weights, undefined, 2), Float32Array.of(3, 0), 0.02);
    expect((layer.bias[0] ?? 0) * 0.02 * (layer.scales[0] ?? 0)).toBeCloseTo(3, 6);
    expect(layer.scales[1]).toBe(0);
  });

  test('int8 rows whose bias does not fit are brought to a larger scale', () => {
    const quant: Quantization = { scales: [1e-9, 0.5], zeroPoint: 0 };
    const stored = Int8Array.of(100, -50, 7, 127);
    const layer = quantizeLayer(stored, quant, rowMagnitudes(stored, quant, 2), Float32Array.of(1, 1), 0.01);
    expect((layer.bias[0] ?? 0) * 0.01 * (layer.scales[0] ?? 0)).toBeCloseTo(1, 6);
    expect(Array.from(layer.weights.subarray(2))).toEqual([7, 127]);
  });

  test('long sums get fewer bits, so that an accumulator cannot wrap', () => {
    const taps = 100_000;
    const weights = new Float32Array(taps).fill(1);
    const { weights: stored } = quantizeLayer(
      weights,
      undefined,
      rowMagnitudes(weights, undefined, 1),
      Float32Array.of(0),
      0.01,
    );
    expect((stored[0] ?? 0) * 255 * taps).toBeLessThan(2 ** 30);
    expect(stored[0]).toBeGreaterThan(40);
  });
});

describe('a result that cancels out in the sample', () => {
  const shiftsOf = (program: Program): number[] =>
    [...program.constants].flatMap(([id, data]) => {
      const odd = Array.from(data).filter((_, i) => i % 2 === 1);
      return program.tensors.get(id)?.name.endsWith('.requant') ? odd : [];
    });

  test('cannot wrap the accumulator of a convolution', () => {
    const l = layers();
    const x = l.input([1, 4, 4, 2]);
    const minus = l.b.addConstant({
      name: 'w',
      shape: [1, 1, 1, 4],
      data: Float32Array.of(100, 100, -100, -100),
    });
    const bias = l.b.addConstant({ name: 'b', shape: [1], data: Float32Array.of(1e-9) });
    const inputs = [l.concat([x, x]), minus, bias];
    const conv = l.b.addOp({ kind: 'conv2d', name: 'zero', inputs, window: window(1, 1, 0), groups: 1 });
    const [shift = 99] = shiftsOf(quantizeProgram(done(l.b, conv)));
    expect(4 * 255 * 127 * 2 ** shift).toBeLessThan(2 ** 31);
    expect(shift).toBeGreaterThan(8); // widened no further than it has to be
  });

  test('cannot wrap the sum of an addition or a product', () => {
    const l = layers();
    const x = l.input([1, 4]);
    const constant = (name: string, value: number) =>
      l.b.addConstant({ name, shape: [1, 4], data: new Float32Array(4).fill(value) });
    const nothing = l.binary('sub', l.binary('add', x, constant('e', 1e-6)), x);
    const product = l.binary('mul', constant('p', 1e3), nothing);
    const int8 = quantizeProgram(done(l.b, nothing, product));
    for (const op of int8.ops) {
      if (op.kind !== 'add' && op.kind !== 'sub' && op.kind !== 'mul') continue;
      if (op.rescale === undefined || isReal(op.rescale)) throw new Error(`${op.name} has no fixed-point rescaling`);
      expect(op.rescale.shiftOut).toBeLessThanOrEqual(op.kind === 'mul' ? 15 : 2);
    }
  });
});

describe('the sample run', () => {
  test('is exact on a network that fits the budget', () => {
    const float = smallNet(32);
    const ranges = sampleRanges(float);
    let state = 0x5eed;
    const x = Float32Array.from({ length: 32 * 32 * 3 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state / 2 ** 31;
    });
    const [input] = float.inputs;
    if (input === undefined) throw new Error('unreachable');
    let compared = 0;
    interpret(float, new Map([[input, x]]), {
      onTensor: (tensor, data) => {
        const range = ranges.get(tensor.id);
        expect(range?.min).toBeCloseTo(Math.min(...data), 4);
        expect(range?.max).toBeCloseTo(Math.max(...data), 4);
        compared++;
      },
    });
    expect(compared).toBe(float.ops.length);
  });

  test('handles heads that transpose, reshape, slice and join maps of several sizes', () => {
    const l = layers();
    const x = l.conv(l.input([1, 480, 640, 3]), 8, 3, 8);
    const y = l.conv(x, 12, 3, 2);
    const head = (map: TensorId, m: number): TensorId => {
      const out = l.conv(map, m, 3);
      const [, h = 1, w = 1] = l.b.tensor(out).shape;
      const channelsFirst = l.b.addOp({ kind: 'transpose', name: 't', inputs: [out], perm: [0, 3, 1, 2] });
      const back = l.b.addOp({ kind: 'transpose', name: 'u', inputs: [channelsFirst], perm: [0, 2, 3, 1] });
      return l.reshape(back, [1, (h * w * m) / 4, 4]);
    };
    const all = l.concat([head(x, 8), head(y, 4)], 1);
    const half = l.b.addOp(
      { kind: 'slice', name: 's', inputs: [all], axis: 2, start: 2 },
      { shape: l.b.tensor(all).shape.with(2, 2) },
    );
    const shuffled = l.reshape(
      l.b.addOp({ kind: 'transpose', name: 'v', inputs: [l.reshape(x, [1, 60, 80, 2, 4])], perm: [0, 1, 2, 4, 3] }),
      [1, 60, 80, 8],
    );
    const program = done(l.b, l.softmax(half), l.conv(shuffled, 4, 1));
    const ranges = sampleRanges(program);
    const [r, s] = [ranges.get(x), ranges.get(shuffled)];
    expect(s).toEqual(r); // a shuffle keeps every value
    expect(wellFormed(quantizeProgram(program))).toEqual([]);
  });

  test('costs the same for a small image and a large one', () => {
    const at = (side: number): number => {
      const l = layers();
      const x = l.conv(l.input([1, side, side, 3]), 64, 3);
      const program = done(l.b, l.conv(x, 64, 3));
      const shape = planSampleShapes(program).get(program.outputs[0] ?? (0 as TensorId)) ?? [];
      return shape.reduce((a, c) => a * c, 1);
    };
    expect(at(4096)).toBe(at(512));
  });
});

test('toFloat32 spells packed weights out', () => {
  const packed = smallNet(32, true);
  const float = toFloat32(packed);
  for (const [id, data] of float.constants) {
    expect(data).toBeInstanceOf(Float32Array);
    expect(float.tensors.get(id)?.quant).toBeUndefined();
    const before = packed.constants.get(id);
    if (!(before instanceof Int8Array)) continue;
    const unit = packed.tensors.get(id)?.quant?.scales[0] ?? 0;
    expect(data[1]).toBe(Math.fround(Number(before[1]) * unit));
  }
  const inputs = seededInput(packed, 1);
  expect(interpret(float, inputs)).toEqual(interpret(packed, inputs));
});
