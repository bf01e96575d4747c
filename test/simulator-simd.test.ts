/** The vector kernels against the plain ones: the same command on the same bytes must leave the same bytes. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pixelAddress } from '../src/simulator/geometry.js';
import { runCommand } from '../src/simulator/kernels/run-command.js';
import { pixelRuns } from '../src/simulator/kernels/simd/pixel-runs.js';
import { type Kernels, type Memory, makeMemory } from '../src/simulator/memory.js';

const SRAM = 1 << 17;

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
  pick<T>(...values: readonly T[]): T {
    const value = values[this.int(0, values.length - 1)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }
}

const MEMORIES = {
  plain: makeMemory(SRAM, 16, new Uint8Array(16), 'plain'),
  simd: makeMemory(SRAM, 16, new Uint8Array(16), 'simd'),
};

/** Takes places in SRAM, which is full of the same seeded bytes for both kinds of kernels. */
class Space {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private free = 0;

  constructor(
    readonly random: Random,
    onlyEnds: boolean,
  ) {
    this.bytes = new Uint8Array(SRAM);
    // A prime number of drawn bytes over and over: drawing all of them takes longer than all the rest.
    const drawn = 1021;
    for (let i = 0; i < drawn; i++) this.bytes[i] = onlyEnds ? random.pick(0, 127, 128, 255) : random.int(0, 255);
    for (let filled = drawn; filled < SRAM; filled *= 2) this.bytes.copyWithin(filled, 0, filled);
    this.view = new DataView(this.bytes.buffer);
  }

  take(bytes: number, alignment = 1): number {
    const start = Math.ceil(this.free / alignment) * alignment;
    this.free = start + bytes;
    if (this.free > SRAM) throw new Error('the case is too large');
    return start;
  }

  /** The fields of a view of [h, w, c] bytes, with gaps, in a ring of rows, or in one of stripes. */
  image(prefix: string, h: number, w: number, c: number): Record<string, number> {
    const { random } = this;
    const pixelPitch = c + random.pick(0, 0, 1, 3);
    const name = (field: string) => `${prefix}${field}`;
    if (random.int(0, 2) === 0) {
      const height = random.int(1, 3);
      const kept = random.int(0, height);
      // The ring comes round in the middle of rows.
      const columns = Math.ceil((h + height) / height) * w + random.int(0, 2);
      const pixels = columns * height;
      return {
        [name('Base')]: this.take(pixels * pixelPitch),
        [name('PixelPitch')]: pixelPitch,
        [name('Stripes.width')]: w + random.int(0, 3),
        [name('Stripes.height')]: height,
        [name('Stripes.phase')]: random.int(0, height - 1),
        [name('Stripes.kept')]: kept,
        [name('Stripes.shortColumns')]: columns,
        [name('Stripes.longColumns')]: columns,
      };
    }
    const rowPitch = w * pixelPitch + random.pick(0, 5);
    return {
      [name('Base')]: this.take(h * rowPitch),
      [name('RowPitch')]: rowPitch,
      [name('PixelPitch')]: pixelPitch,
      [name('Ring')]: random.pick(0, h),
    };
  }

  run(kernels: Kernels, op: string, fields: Readonly<Record<string, number>>, watch: (memory: Memory) => Memory) {
    const memory = MEMORIES[kernels];
    memory.bytes.set(this.bytes);
    runCommand(watch(memory), op, fields);
    return memory.bytes.slice();
  }
}

/** Runs the command with both kinds of kernels; the vector function that is named must have been used. */
function expectSame(
  space: Space,
  op: string,
  fields: Readonly<Record<string, number>>,
  used: 'multiply' | 'depthwise' | 'addTables' | 'addReals' | 'maximum' | undefined,
) {
  let calls = 0;
  const plain = space.run('plain', op, fields, (memory) => memory);
  const simd = space.run('simd', op, fields, (memory) => {
    const { engine } = memory;
    if (engine === undefined || used === undefined) return memory;
    const counted = (...all: number[]) => {
      calls += 1;
      engine[used](...all);
    };
    // With little room for work, a command is done in parts.
    const workBytes = space.random.pick(1, 300, 2000, engine.workBytes);
    return { ...memory, engine: { ...engine, workBytes, [used]: counted } };
  });
  const different = plain.findIndex((value, index) => value !== simd[index]);
  expect([different, simd[different]]).toEqual([-1, undefined]);
  if (used !== undefined) expect(calls).toBeGreaterThan(0);
}

/** The fields of an epilogue on an output of h, w, c. */
function epilogue(space: Space, dtype: number, h: number, w: number, c: number): Record<string, number> {
  const { random } = space;
  const [least, most] = dtype === 2 ? [0, 255] : [-128, 127];
  const activation = (name: string): Record<string, number> => {
    const kind = random.pick(0, 0, 1, 2);
    if (kind === 0) return { [name]: 0 };
    if (kind === 2) return { [name]: 2, [`${name}Lo`]: space.take(256) };
    return { [name]: 1, [`${name}Lo`]: random.int(least, most), [`${name}Hi`]: random.int(least, most) };
  };
  const addMode = random.pick(0, 1, 2, 3, 4);
  const float = (value: number) => {
    const scratch = new DataView(new ArrayBuffer(4));
    scratch.setFloat32(0, value);
    return scratch.getInt32(0);
  };
  const multiplier = () => random.pick(0, 2 ** 30, 2 ** 31 - 1, random.int(2 ** 30, 2 ** 31 - 1));
  const isReal = addMode > 2;
  return {
    ...activation('act1'),
    ...activation('act2'),
    addMode,
    ...(addMode === 0 ? {} : space.image('add', h, w, c)),
    addZeroValue: random.int(least, most),
    addZeroOther: random.int(least, most),
    addZeroOut: random.int(least, most),
    addLeftShift: 20,
    addMultiplierA: isReal ? float(random.next() * 4 - 2) : multiplier(),
    addShiftA: random.int(-6, 0),
    addMultiplierB: isReal ? float(random.next() * 4 - 2) : multiplier(),
    addShiftB: random.int(-6, 0),
    addMultiplierOut: isReal ? float(random.next() * 100 - 50) : multiplier(),
    addShiftOut: random.pick(-31, -20, -19, 0, 3),
  };
}

function tileOf(random: Random, h: number, w: number, c: number): Record<string, number> {
  if (random.int(0, 1) === 0) return { row0: 0, rows: h, col0: 0, cols: w, ch0: 0, chs: c };
  const cut = (n: number) => {
    const lo = random.int(0, n - 1);
    return [lo, random.int(1, n)] as const;
  };
  const [[row0, rows], [col0, cols], [ch0, chs]] = [cut(h), cut(w), cut(c)];
  return { row0, rows, col0, cols, ch0, chs };
}

function writeRecords(space: Space, at: number, channels: number, size: number, form: number): void {
  const { random, view } = space;
  for (let m = 0; m < channels; m++) {
    const record = at + m * size;
    view.setInt32(record, random.pick(0, 2 ** 31 - 1, -(2 ** 31), random.int(-50_000, 50_000)), true);
    const shift = random.pick(-30, -9, -5, -4, 0, 1, 30);
    if (form === 0) view.setInt32(record + 4, (shift << 24) | random.pick(0, 2 ** 23, 2 ** 24 - 1), true);
    else if (form === 2) view.setFloat32(record + 4, random.pick(1e-3, 0.5, 1, 3e38, -0.01), true);
    else {
      view.setInt32(record + 4, random.pick(0, 2 ** 30, 2 ** 31 - 1, random.int(2 ** 30, 2 ** 31 - 1)), true);
      view.setInt8(record + 8, shift);
    }
  }
}

test('conv: any window, groups, types, zero points, records and epilogue', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (seed) => {
      const random = new Random(seed);
      const space = new Space(random, random.int(0, 3) === 0);
      const isDepthwise = random.int(0, 3) === 0;
      const groups = isDepthwise ? random.pick(1, 3, 7, 8, 9, 16, 33) : random.pick(1, 1, 1, 2, 3);
      const groupIn = isDepthwise ? 1 : random.pick(1, 2, 3, 8, 16, 17, 32, 40);
      const groupOut = isDepthwise ? 1 : random.int(groupIn === 1 ? 2 : 1, 9);
      const [inC, outC] = [groups * groupIn, groups * groupOut];
      const kernel = () => random.pick(1, 1, 2, 3, 5);
      const [kernelH, kernelW] = random.int(0, 2) === 0 ? [1, 1] : [kernel(), kernel()];
      const window = {
        ...{ kernelH, kernelW, strideH: random.int(1, 3), strideW: random.pick(1, 1, 2, 3) },
        ...{
          dilationH: random.int(1, 2),
          dilationW: random.int(1, 2),
          padTop: random.int(0, 4),
          padLeft: random.int(0, 4),
        },
      };
      const [inH, inW, outH, outW] = [random.int(1, 8), random.int(1, 8), random.int(1, 6), random.int(1, 7)];
      const [dtype, weightDtype] = [random.pick(0, 2), random.pick(0, 2)];
      const recordForm = random.pick(0, 1, 2);
      const size = (recordForm === 1 ? 9 : 8) + kernelH * kernelW * groupIn;
      const records = space.take(outC * size, 4);
      writeRecords(space, records, outC, size, recordForm);
      const tile = tileOf(random, outH, outW, outC);
      const fields = {
        ...{ dtype, weightDtype, recordForm, groups, inH, inW, inC, outH, outW, outC },
        ...window,
        ...space.image('in', inH, inW, inC),
        ...space.image('out', outH, outW, outC),
        ...tile,
        ...epilogue(space, dtype, outH, outW, outC),
        rounding: random.int(0, 1),
        inZero: dtype === 2 ? random.int(0, 255) : random.int(-128, 127),
        weightZero: random.pick(0, 0, 127, weightDtype === 2 ? 255 : -128),
        outZero: dtype === 2 ? random.int(0, 255) : random.int(-128, 127),
        records: records + (tile.ch0 ?? 0) * size,
      };
      expectSame(space, 'conv', fields, isDepthwise ? 'depthwise' : 'multiply');
    }),
    { numRuns: 300 },
  );
});

test('conv: many pixels and taps, so that windows are gathered in parts', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (seed) => {
      const random = new Random(seed);
      const space = new Space(random, false);
      const [inC, outC, kernel] = random.pick([40, 5, 3], [300, 3, 1], [16, 9, 5], [1100, 2, 3]);
      const [inH, inW] = inC > 1000 ? [4, 4] : [8, random.int(12, 30)];
      const pad = random.int(0, 2);
      const size = 8 + kernel * kernel * inC;
      const records = space.take(outC * size, 4);
      writeRecords(space, records, outC, size, 0);
      const fields = {
        ...{ dtype: 0, groups: 1, inH, inW, inC, outH: inH, outW: inW, outC, records },
        ...{ kernelH: kernel, kernelW: kernel, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1 },
        ...{ padTop: pad, padLeft: pad, row0: 0, rows: inH, col0: 0, cols: inW, ch0: 0, chs: outC, inZero: 5 },
        ...space.image('in', inH, inW, inC),
        ...space.image('out', inH, inW, outC),
      };
      expectSame(space, 'conv', fields, 'multiply');
    }),
    { numRuns: 20 },
  );
});

test('conv: records that the vectors cannot do are left to the plain kernel', () => {
  for (const [form, field] of [
    [0, -31 << 24],
    [2, 0x7f800000],
  ] as const) {
    const space = new Space(new Random(1), false);
    const records = space.take(24, 4);
    space.view.setInt32(records + 4, field, true);
    const fields = {
      ...{ dtype: 0, recordForm: form, groups: 1, inH: 2, inW: 2, inC: 4, outH: 2, outW: 2, outC: 2, records },
      ...{ kernelH: 1, kernelW: 1, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1 },
      ...{ row0: 0, rows: 2, col0: 0, cols: 2, ch0: 0, chs: 2 },
      ...space.image('in', 2, 2, 4),
      ...space.image('out', 2, 2, 2),
    };
    expectSame(space, 'conv', fields, undefined);
  }
});

test('binary: sums and differences of any types, zero points, scales and activations', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (seed) => {
      const random = new Random(seed);
      const space = new Space(random, random.int(0, 3) === 0);
      const [outH, outW, outC, dtype] = [random.int(1, 6), random.int(1, 7), random.int(1, 20), random.pick(0, 2)];
      const [least, most] = dtype === 2 ? [0, 255] : [-128, 127];
      const after = epilogue(space, dtype, outH, outW, outC);
      const given = (name: string) => after[`add${name}`] ?? 0;
      const isReal = (after.addMode ?? 0) > 2;
      // Scales of the epilogue's addition, whichever kind it drew.
      const fields = {
        ...{ dtype, form: isReal ? 1 : 0, mode: random.int(0, 1), outH, outW, outC, ...after, addMode: 0 },
        ...space.image('a', outH, outW, outC),
        ...space.image('b', outH, outW, outC),
        ...space.image('out', outH, outW, outC),
        ...{ row0: 0, rows: outH, col0: random.int(0, outW - 1), cols: outW },
        ...{ aZero: random.int(least, most), bZero: random.int(least, most), outZero: random.int(least, most) },
        ...{ leftShift: 20, multiplierA: given('MultiplierA'), shiftA: given('ShiftA') },
        ...{ multiplierB: given('MultiplierB'), shiftB: given('ShiftB') },
        ...{ multiplierOut: given('MultiplierOut'), shiftOut: given('ShiftOut') },
      };
      expectSame(space, 'binary', fields, isReal ? 'addReals' : 'addTables');
    }),
    { numRuns: 150 },
  );
});

test('pool: the largest, in any window with something in it', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (seed) => {
      const random = new Random(seed);
      const space = new Space(random, random.int(0, 3) === 0);
      const [inH, inW, channels, dtype] = [random.int(2, 9), random.int(2, 9), random.int(1, 40), random.pick(0, 2)];
      const [kernel, stride, dilation] = [random.int(1, 3), random.int(1, 3), random.int(1, 2)];
      const pad = random.int(0, kernel === 1 ? 0 : 1);
      const reach = (size: number) => Math.max(1, Math.floor((size - 1 + pad - (pad > 0 ? dilation : 0)) / stride) + 1);
      const [outH, outW] = [reach(inH), reach(inW)];
      const after = epilogue(space, dtype, outH, outW, channels);
      const fields = {
        ...{ dtype, mode: 0, inH, inW, inC: channels, outH, outW, outC: channels, ...after, addMode: 0 },
        ...{ kernelH: kernel, kernelW: kernel, strideH: stride, strideW: stride },
        ...{ dilationH: dilation, dilationW: dilation, padTop: pad, padLeft: pad },
        ...space.image('in', inH, inW, channels),
        ...space.image('out', outH, outW, channels),
        ...{ row0: random.int(0, outH - 1), rows: outH, col0: random.int(0, outW - 1), cols: outW },
      };
      expectSame(space, 'pool', fields, 'maximum');
    }),
    { numRuns: 150 },
  );
});

test('runs of pixels are where the pixels are', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (seed) => {
      const random = new Random(seed);
      const height = random.int(1, 4);
      const stripes = {
        ...{ width: random.int(0, 9), height, phase: random.int(0, 3), kept: random.int(0, height) },
        ...{ shortColumns: random.int(1, 9), longColumns: random.int(1, 9) },
      };
      const view = {
        ...{ base: 7, rowPitch: 100, pixelPitch: 6, ring: random.int(0, 3) },
        stripes: random.int(0, 3) === 0 ? undefined : stripes,
      };
      const [row, lo, count] = [random.int(0, 9), random.int(0, 9), random.int(1, 20)];
      const places = pixelRuns(view, row, lo, lo + count).flatMap(({ first, pixels, address, pitch }) =>
        Array.from({ length: pixels }, (_, i) => [first + i, address + i * pitch]),
      );
      expect(places).toEqual(Array.from({ length: count }, (_, i) => [i, pixelAddress(view, row, lo + i)]));
    }),
  );
});
