import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeStream } from '../src/commands/encode.js';
import type { Command } from '../src/commands/types.js';
import * as fast from '../src/simulator/kernels/fixed-point.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { simulate } from '../src/simulator/simulate.js';
import {
  addInt8,
  clamp8,
  forTaps,
  halfAway,
  type Image,
  mbqm,
  mbqmOnce,
  type NaiveRescale,
  type NaiveWindow,
} from './naive-numerics.js';
import { manifestFor, OUTPUT } from './simulator-harness.js';

/** A seeded source of test data. */
class Random {
  constructor(private state: number) {}
  next(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return (this.state >>> 8) / 2 ** 24;
  }
  int(lo: number, hi: number): number {
    return lo + Math.floor(this.next() * (hi - lo + 1));
  }
}

const SRAM = 0x2000;

/** An SRAM full of seeded bytes (or floats), from which operands are cut. */
class Workspace {
  readonly buffer = new ArrayBuffer(SRAM);
  readonly int8 = new Int8Array(this.buffer);
  readonly float32 = new Float32Array(this.buffer);
  readonly view = new DataView(this.buffer);
  private free = 0;
  private readonly registers: Command[] = [];

  constructor(
    readonly random: Random,
    readonly isFloat: boolean,
  ) {
    if (isFloat) for (let i = 0; i < this.float32.length; i++) this.float32[i] = Math.fround(random.next() * 4 - 2);
    else for (let i = 0; i < SRAM; i++) this.int8[i] = random.int(-128, 127);
  }

  take(bytes: number): number {
    const start = this.free;
    this.free += Math.ceil(bytes / 4) * 4;
    if (this.free > SRAM) throw new Error('the case is too large');
    return start;
  }

  /** A place for an image with gaps between pixels and rows, or in a ring of stripes; the fields of its view. */
  image(
    prefix: string,
    h: number,
    w: number,
    c: number,
  ): { fields: Record<string, number>; image: Image; address: Address } {
    const unit = this.isFloat ? 4 : 1;
    const pixelPitch = (c + this.random.int(0, 2)) * unit;
    if (this.random.int(0, 2) === 0) return this.stripes(prefix, h, w, c, pixelPitch);
    const rowPitch = w * pixelPitch + this.random.int(0, 3) * unit;
    const base = this.take(h * rowPitch);
    const address: Address = (r, x, ch) => base + r * rowPitch + x * pixelPitch + ch * unit;
    const fields = { [`${prefix}Base`]: base, [`${prefix}RowPitch`]: rowPitch, [`${prefix}PixelPitch`]: pixelPitch };
    const values = this.isFloat ? this.float32.slice() : this.int8.slice();
    return { fields, address, image: { h, w, c, at: (r, x, ch) => values[address(r, x, ch) / unit] ?? 0 } };
  }

  /** An image in a ring of stripes that is large enough to hold all of it: pixels lie in the order of making them. */
  private stripes(
    prefix: string,
    h: number,
    w: number,
    c: number,
    pixelPitch: number,
  ): { fields: Record<string, number>; image: Image; address: Address } {
    const unit = this.isFloat ? 4 : 1;
    const height = this.random.int(1, 3);
    const [phase, kept] = [this.random.int(0, height - 1), this.random.int(0, height)];
    const stripes = Math.ceil((h + phase) / height);
    const slots = [[], []] as [string[], string[]]; // of the short ring, of the long one
    for (let s = 0; s < stripes; s++) {
      for (let x = 0; x < w; x++) {
        for (let j = 0; j < height; j++) slots[j < height - kept ? 0 : 1].push(`${s * height + j - phase} ${x}`);
      }
    }
    const places = new Map(slots.flat().map((pixel, index) => [pixel, index]));
    const base = this.take(places.size * pixelPitch);
    const index = this.registers.length + 1;
    const [shortColumns, longColumns] = [stripes * w, stripes * w];
    this.registers.push({
      op: 'stripeRing',
      fields: { index, width: w, height, phase, kept, shortColumns, longColumns },
    });
    const address: Address = (r, x, ch) => base + (places.get(`${r} ${x}`) ?? Number.NaN) * pixelPitch + ch * unit;
    const fields = { [`${prefix}Base`]: base, [`${prefix}PixelPitch`]: pixelPitch, [`${prefix}Stripes`]: index };
    const values = this.isFloat ? this.float32.slice() : this.int8.slice();
    return { fields, address, image: { h, w, c, at: (r, x, ch) => values[address(r, x, ch) / unit] ?? 0 } };
  }

  /** Runs one command on this SRAM and returns the SRAM afterwards. */
  run(command: Command): Int8Array {
    const fields = { ...command.fields, wait: 1, signal: 2, dtype: this.isFloat ? 1 : 0 };
    const bytes = { bytes: SRAM, limit: SRAM };
    const program = encodeStream({
      prologue: [{ op: 'endPrologue', fields: {} }],
      period: [
        ...this.registers,
        { op: 'load', fields: { ...bytes, signal: 1 } },
        { op: command.op, fields },
        { op: 'store', fields: { ...bytes, dramBase: OUTPUT, wait: 2 } },
        { op: 'endPeriod', fields: {} },
      ],
    });
    const image = new Uint8Array(this.buffer.slice(0));
    const bench = { period: '', sramBytes: SRAM, outputShape: [SRAM] };
    const loaded = loadProgram(manifestFor(bench, program, image), program, image, 'bench');
    const result = simulate(loaded);
    expect(result.faults).toEqual([]);
    const data = result.outputs[0]?.data;
    if (!(data instanceof Int8Array)) throw new Error('no output');
    return data;
  }
}

/** What toEqual says of thousands of bytes takes it a third of a second. */
function expectSame(actual: Int8Array, wanted: Int8Array): void {
  expect(actual.length).toBe(wanted.length);
  const different = actual.findIndex((value, index) => value !== wanted[index]);
  expect([different, actual[different]]).toEqual([-1, undefined]);
}

type Address = (r: number, x: number, c: number) => number;

interface Tile {
  readonly row0: number;
  readonly rows: number;
  readonly col0: number;
  readonly cols: number;
  readonly ch0: number;
  readonly chs: number;
}

/** Part of an output, reaching beyond it now and then. */
function tileOf(random: Random, h: number, w: number, c: number): Tile {
  if (random.int(0, 2) === 0) return { row0: 0, rows: h, col0: 0, cols: w, ch0: 0, chs: c };
  const cut = (n: number) => {
    const lo = random.int(-1, n - 1);
    return [lo, random.int(1, n + 1)] as const;
  };
  const [[row0, rows], [col0, cols], [ch0, chs]] = [cut(h), cut(w), cut(c)];
  return { row0, rows, col0, cols, ch0: Math.max(0, ch0), chs };
}

/** What SRAM should hold: unchanged but for the tile, whose elements `value` gives. */
function expected(
  space: Workspace,
  address: Address,
  shape: readonly [number, number, number],
  tile: Tile,
  value: Address,
): Int8Array {
  const result = new DataView(space.buffer.slice(0));
  for (let r = Math.max(0, tile.row0); r < Math.min(shape[0], tile.row0 + tile.rows); r++) {
    for (let x = Math.max(0, tile.col0); x < Math.min(shape[1], tile.col0 + tile.cols); x++) {
      for (let c = Math.max(0, tile.ch0); c < Math.min(shape[2], tile.ch0 + tile.chs); c++) {
        if (space.isFloat) result.setFloat32(address(r, x, c), value(r, x, c), true);
        else result.setInt8(address(r, x, c), value(r, x, c));
      }
    }
  }
  return new Int8Array(result.buffer);
}

function windowFor(random: Random): NaiveWindow {
  const pick = () => random.int(1, 3);
  return {
    kernelH: pick(),
    kernelW: pick(),
    strideH: pick(),
    strideW: pick(),
    dilationH: random.int(1, 2),
    dilationW: random.int(1, 2),
    padTop: random.int(0, 1),
    padLeft: random.int(0, 1),
  };
}

function outputSize(size: number, kernel: number, stride: number, dilation: number, pad: number): number {
  return Math.max(1, Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1);
}

function rescaleFor(random: Random): NaiveRescale {
  const multiplier = () => random.int(2 ** 30, 2 ** 31 - 1);
  return {
    leftShift: 20,
    multiplierA: multiplier(),
    shiftA: random.int(-4, 0),
    multiplierB: multiplier(),
    shiftB: random.int(-4, 0),
    multiplierOut: multiplier(),
    shiftOut: random.int(-21, -18),
  };
}

/** The shapes of a windowed command with random geometry. */
function windowed(random: Random, c: number, outC: number) {
  const [h, w] = [random.int(3, 7), random.int(3, 7)];
  const win = windowFor(random);
  const outH = outputSize(h, win.kernelH, win.strideH, win.dilationH, win.padTop);
  const outW = outputSize(w, win.kernelW, win.strideW, win.dilationW, win.padLeft);
  return { h, w, win, outH, outW, shapes: { inH: h, inW: w, inC: c, outH, outW, outC, ...win } };
}

const seeds = fc.nat(2 ** 31);
const dtypes = [
  ['int8', false],
  ['float32', true],
] as const;

test('mbqm equals its definition', () => {
  const int32 = fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1, 1));
  const multiplier = fc.oneof(fc.constant(0), fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(int32, multiplier, fc.integer({ min: -31, max: 30 }), (x, m, shift) => {
      expect(fast.mbqm(x, m, shift) + 0).toBe(mbqm(x, m, shift) + 0);
      expect(fast.mbqmOnce(x, m, shift) + 0).toBe(mbqmOnce(x, m, shift) + 0);
    }),
    { numRuns: 2000 },
  );
});

describe.each(dtypes)('%s', (_name, isFloat) => {
  test.each([
    ['one group', 1, 3, 6],
    ['few channels', 1, 1, 3],
    ['groups', 2, 4, 6],
    ['depthwise', 4, 4, 4],
    ['depthwise with multiplier', 2, 2, 6],
  ])('conv, %s', (_case, groups, inC, outC) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const { h, w, win, outH, outW, shapes } = windowed(random, inC, outC);
        const input = space.image('in', h, w, inC);
        const output = space.image('out', outH, outW, outC);
        const groupIn = inC / groups;
        const taps = win.kernelH * win.kernelW * groupIn;
        const [inZero, outZero] = isFloat ? [0, 0] : [random.int(-128, 127), random.int(-20, 20)];
        const size = isFloat ? 4 * (1 + taps) : 8 + taps;
        const records = space.take(outC * size);
        const rounding = random.int(0, 1);
        const scales = Array.from({ length: outC }, () => ({
          multiplier: random.int(2 ** 23, 2 ** 24 - 1),
          shift: random.int(-9, -4),
        }));
        if (!isFloat) {
          scales.forEach(({ multiplier, shift }, m) => {
            space.view.setInt32(records + m * size, random.int(-5000, 5000), true);
            space.view.setUint32(records + m * size + 4, (((shift & 255) << 24) | multiplier) >>> 0, true);
          });
        }
        const value: Address = (r, x, m) => {
          let acc = 0;
          const weight = (k: number) =>
            isFloat
              ? space.view.getFloat32(records + m * size + 4 + 4 * k, true)
              : space.view.getInt8(records + m * size + 8 + k);
          forTaps(input.image, win, r, x, (ir, ic, tap) => {
            for (let c = 0; c < groupIn; c++) {
              const channel = Math.floor(m / (outC / groups)) * groupIn + c;
              acc += (input.image.at(ir, ic, channel) - inZero) * weight(tap * groupIn + c);
            }
          });
          if (isFloat) return Math.fround(acc + space.view.getFloat32(records + m * size, true));
          const { multiplier, shift } = scales[m] ?? { multiplier: 0, shift: 0 };
          return clamp8(
            (rounding === 1 ? mbqmOnce : mbqm)(
              (acc + space.view.getInt32(records + m * size, true)) | 0,
              multiplier * 128,
              shift,
            ) + outZero,
          );
        };
        const tile = tileOf(random, outH, outW, outC);
        const fields = {
          ...input.fields,
          ...output.fields,
          ...shapes,
          ...tile,
          groups,
          inZero,
          outZero,
          rounding,
          records: records + tile.ch0 * size,
        };
        const result = space.run({ op: 'conv', fields });
        expectSame(result, expected(space, output.address, [outH, outW, outC], tile, value));
      }),
      { numRuns: 25 },
    );
  });

  test.each([0, 1, 2])('pool, mode %d', (mode) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const { h, w, win: free, outH, outW, shapes } = windowed(random, 3, 3);
        // Windows that lie in the padding as a whole do not exist in graphs.
        const win = { ...free, padTop: 0, padLeft: 0, dilationH: 1, dilationW: 1 };
        const [fitH, fitW] = [
          Math.min(outH, Math.floor((h - 1) / win.strideH) + 1),
          Math.min(outW, Math.floor((w - 1) / win.strideW) + 1),
        ];
        const input = space.image('in', h, w, 3);
        const output = space.image('out', fitH, fitW, 3);
        const zero = isFloat ? 0 : random.int(-128, 127);
        const value: Address = (r, x, c) => {
          const values: number[] = [];
          forTaps(input.image, win, r, x, (ir, ic) => values.push(input.image.at(ir, ic, c)));
          if (mode === 0) return Math.max(...values);
          const taps = win.kernelH * win.kernelW;
          const n = mode === 2 ? taps : values.length;
          const sum = values.reduce((a, b) => a + b, 0) + (mode === 2 ? (taps - values.length) * zero : 0);
          return isFloat ? Math.fround(sum / n) : clamp8(halfAway(sum / n));
        };
        const tile = { ...tileOf(random, fitH, fitW, 3), ch0: 0, chs: 3 };
        const { ch0: _a, chs: _b, ...box } = tile;
        const fields = {
          ...input.fields,
          ...output.fields,
          ...shapes,
          ...win,
          outH: fitH,
          outW: fitW,
          ...box,
          mode,
          inZero: zero,
          outZero: zero,
        };
        expectSame(space.run({ op: 'pool', fields }), expected(space, output.address, [fitH, fitW, 3], tile, value));
      }),
      { numRuns: 25 },
    );
  });

  test.each([0, 1, 2])('binary, mode %d', (mode) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const [h, w, c] = [random.int(1, 4), random.int(1, 4), random.int(1, 9)];
        const [a, b, output] = [space.image('a', h, w, c), space.image('b', h, w, c), space.image('out', h, w, c)];
        const [aZero, bZero, outZero] = isFloat ? [0, 0, 0] : [random.int(-9, 9), random.int(-9, 9), random.int(-9, 9)];
        const rescale = { ...rescaleFor(random), ...(mode === 2 ? { shiftOut: random.int(-8, -4) } : {}) };
        const value: Address = (r, x, ch) => {
          const [p, q] = [a.image.at(r, x, ch), b.image.at(r, x, ch)];
          if (isFloat) return Math.fround(mode === 0 ? p + q : mode === 1 ? p - q : p * q);
          if (mode !== 2) return addInt8(p, aZero, q, bZero, outZero, rescale, mode === 0 ? 1 : -1);
          return clamp8(mbqm((p - aZero) * (q - bZero), rescale.multiplierOut, rescale.shiftOut) + outZero);
        };
        const tile = { ...tileOf(random, h, w, c), ch0: 0, chs: c };
        const { ch0: _a, chs: _b, ...box } = tile;
        const shape = { outH: h, outW: w, outC: c, aZero, bZero, outZero };
        const fields = {
          ...a.fields,
          ...b.fields,
          ...output.fields,
          ...shape,
          ...(isFloat ? {} : rescale),
          ...box,
          mode,
        };
        expectSame(space.run({ op: 'binary', fields }), expected(space, output.address, [h, w, c], tile, value));
      }),
      { numRuns: 25 },
    );
  });

  test('softmax', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const [h, w, c] = [random.int(1, 2), random.int(1, 3), random.int(1, 30)];
        const [input, output] = [space.image('in', h, w, c), space.image('out', h, w, c)];
        const table = space.take(1024);
        const entry = (d: number) => Math.round(2 ** 20 * Math.exp(-d * 0.03));
        if (!isFloat) for (let d = 0; d < 256; d++) space.view.setInt32(table + 4 * d, entry(d), true);
        const value: Address = (r, x, ch) => {
          const all = Array.from({ length: c }, (_, j) => input.image.at(r, x, j));
          const m = Math.max(...all);
          const e = all.map((v) => (isFloat ? Math.exp(v - m) : entry(Math.min(255, m - v))));
          const sum = e.reduce((p, q) => p + q, 0);
          if (isFloat) return Math.fround((e[ch] ?? 0) / sum);
          return clamp8(Number((BigInt(e[ch] ?? 0) * 512n + BigInt(sum)) / (2n * BigInt(sum))) - 128);
        };
        const tile = { row0: 0, rows: h, col0: 0, cols: w, ch0: 0, chs: c };
        const { ch0: _a, chs: _b, ...box } = tile;
        const fields = { ...input.fields, ...output.fields, outH: h, outW: w, outC: c, ...box, table };
        expectSame(space.run({ op: 'softmax', fields }), expected(space, output.address, [h, w, c], tile, value));
      }),
      { numRuns: 25 },
    );
  });

  test('lrn', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const [h, w, c, size] = [1, random.int(1, 3), random.int(1, 20), random.int(1, 6)];
        const [input, output] = [space.image('in', h, w, c), space.image('out', h, w, c)];
        const table = space.take(4096);
        if (!isFloat) for (let i = 0; i < 1024; i++) space.view.setInt32(table + 4 * i, random.int(0, 2 ** 17), true);
        const [inZero, outZero, sumShift] = isFloat
          ? [0, 0, 0]
          : [random.int(-9, 9), random.int(-9, 9), random.int(0, 9)];
        const [alpha, beta, k] = [1e-4, 0.75, 2].map(Math.fround) as [number, number, number];
        const bits = (v: number) => new Uint32Array(Float32Array.of(v).buffer)[0] ?? 0;
        const value: Address = (r, x, ch) => {
          let q = 0;
          for (
            let j = Math.max(0, ch - Math.floor((size - 1) / 2));
            j <= Math.min(c - 1, ch + Math.ceil((size - 1) / 2));
            j++
          ) {
            q += (input.image.at(r, x, j) - inZero) ** 2;
          }
          if (isFloat) return Math.fround(input.image.at(r, x, ch) * (k + (alpha / size) * q) ** -beta);
          const f = space.view.getInt32(table + 4 * Math.min(1023, q >> sumShift), true);
          return clamp8(halfAway(((input.image.at(r, x, ch) - inZero) * f) / 2 ** 16) + outZero);
        };
        const tile = { row0: 0, rows: h, col0: 0, cols: w, ch0: 0, chs: c };
        const { ch0: _a, chs: _b, ...box } = tile;
        const floats = isFloat ? { alpha: bits(alpha), beta: bits(beta), k: bits(k) } : {};
        const shape = { outH: h, outW: w, outC: c, inZero, outZero, size, sumShift, table };
        const fields = { ...input.fields, ...output.fields, ...shape, ...floats, ...box };
        expectSame(space.run({ op: 'lrn', fields }), expected(space, output.address, [h, w, c], tile, value));
      }),
      { numRuns: 25 },
    );
  });

  test('map: upsampling and every epilogue stage', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 2 }), (seed, act, addMode) => {
        const random = new Random(seed);
        const space = new Workspace(random, isFloat);
        const [h, w, c, scaleH, scaleW] = [
          random.int(1, 3),
          random.int(1, 3),
          random.int(1, 5),
          random.int(1, 3),
          random.int(1, 3),
        ];
        const [outH, outW] = [h * scaleH, w * scaleW];
        const input = space.image('in', h, w, c);
        const add = space.image('add', outH, outW, c);
        const output = space.image('out', outH, outW, c);
        const kind = isFloat ? (act === 2 ? 1 : act) : act === 2 ? 2 : act % 2;
        const table = space.take(256);
        const bits = (v: number) => new Int32Array(Float32Array.of(v).buffer)[0] ?? 0;
        const [lo, hi] = isFloat ? [Math.fround(-0.3), Math.fround(0.7)] : [random.int(-100, 0), random.int(0, 100)];
        const activate = (x: number): number => {
          if (!isFloat)
            return kind === 0 ? x : kind === 1 ? Math.min(Math.max(x, lo), hi) : space.view.getInt8(table + x + 128);
          const results: Record<number, number> = {
            1: Math.min(Math.max(x, lo), hi),
            3: x < 0 ? x * lo : x,
            4: 1 / (1 + Math.exp(-x)),
            5: Math.tanh(x),
            6: (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
            7: Math.min(Math.max(lo * x + hi, 0), 1),
            8: x < 0 ? lo * (Math.exp(x) - 1) : x,
            9: Math.exp(x),
            10: Math.sqrt(x),
          };
          return Math.fround(results[kind] ?? Number.NaN);
        };
        const rescale = rescaleFor(random);
        const zeros = isFloat ? [0, 0, 0] : [random.int(-9, 9), random.int(-9, 9), random.int(-9, 9)];
        const [zeroValue = 0, zeroOther = 0, zeroOut = 0] = zeros;
        const value: Address = (r, x, ch) => {
          let v = activate(input.image.at(Math.floor(r / scaleH), Math.floor(x / scaleW), ch));
          const other = add.image.at(r, x, ch);
          if (addMode !== 0 && isFloat) v = Math.fround(v + other);
          else if (addMode === 1) v = addInt8(v, zeroValue, other, zeroOther, zeroOut, rescale, 1);
          else if (addMode === 2) v = addInt8(other, zeroOther, v, zeroValue, zeroOut, rescale, 1);
          return activate(v);
        };
        const tile = { ...tileOf(random, outH, outW, c), ch0: 0, chs: c };
        const { ch0: _a, chs: _b, ...box } = tile;
        const limits = kind === 2 ? [table, 0] : isFloat ? [bits(lo), bits(hi)] : kind === 1 ? [lo, hi] : [0, 0];
        const [actLo = 0, actHi = 0] = limits;
        const capital = Object.entries(rescale).map(([name, v]) => [`add${name[0]?.toUpperCase()}${name.slice(1)}`, v]);
        const addFields =
          addMode === 0
            ? {}
            : {
                ...add.fields,
                ...Object.fromEntries(capital),
                addZeroValue: zeroValue,
                addZeroOther: zeroOther,
                addZeroOut: zeroOut,
              };
        const acts = { act1: kind, act1Lo: actLo, act1Hi: actHi, act2: kind, act2Lo: actLo, act2Hi: actHi, addMode };
        const shape = { inH: h, inW: w, inC: c, outH, outW, outC: c, scaleH, scaleW };
        const fields = { ...input.fields, ...output.fields, ...shape, ...addFields, ...acts, ...box };
        expectSame(space.run({ op: 'map', fields }), expected(space, output.address, [outH, outW, c], tile, value));
      }),
      { numRuns: 60 },
    );
  });
});
