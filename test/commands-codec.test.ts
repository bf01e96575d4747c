import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SpillwayError } from '../src/base/diagnostic.js';
import { assemble } from '../src/commands/assemble.js';
import { normalise } from '../src/commands/check.js';
import { crc32 } from '../src/commands/crc32.js';
import { decodeProgram, decodeStream } from '../src/commands/decode.js';
import { encodeSection, encodeStream, HEADER_BYTES } from '../src/commands/encode.js';
import { fetchedPeriodBytes, fetchedPrologueBytes, sectionBytes } from '../src/commands/fetch.js';
import { instructionNamed } from '../src/commands/lookup.js';
import { printStream } from '../src/commands/print.js';
import type { Command, CommandStream } from '../src/commands/types.js';
import { pushVarint, readVarint, unzigzag, zigzag } from '../src/commands/varint.js';
import { commandStream } from './command-arbitraries.js';

const END_PROLOGUE: Command = { op: 'endPrologue', fields: {} };
const END_PERIOD: Command = { op: 'endPeriod', fields: {} };
const END_LOOP: Command = { op: 'endLoop', fields: {} };
const loop = (count: number): Command => ({ op: 'loop', fields: { count } });

function period(...commands: Command[]): CommandStream {
  return { prologue: [END_PROLOGUE], period: [...commands, END_PERIOD] };
}

function normalised(stream: CommandStream): CommandStream {
  const each = (c: Command): Command => {
    const instruction = instructionNamed(c.op);
    if (instruction === undefined) throw new Error(c.op);
    return normalise(c, instruction);
  };
  return { prologue: stream.prologue.map(each), period: stream.period.map(each) };
}

function codesOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof SpillwayError) return error.diagnostics.map((d) => d.code);
    throw error;
  }
  return [];
}

/** A file with the given bytes as period, its checksums right: what is wrong is wrong in the commands. */
function fileWithPeriod(bytes: readonly number[]): Uint8Array {
  const prologue = [0x01];
  const file = new Uint8Array(HEADER_BYTES + prologue.length + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x53, 0x50, 0x57, 0x59]);
  view.setUint32(4, 1, true);
  view.setUint32(8, prologue.length, true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, crc32(Uint8Array.from(prologue)), true);
  view.setUint32(20, crc32(Uint8Array.from(bytes)), true);
  view.setUint32(24, crc32(file.subarray(0, 24)), true);
  file.set(prologue, HEADER_BYTES);
  file.set(bytes, HEADER_BYTES + 1);
  return file;
}

describe('numbers', () => {
  test('varint and zigzag are inverse up to 2^53', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const out: number[] = [];
        pushVarint(out, value);
        expect(readVarint(Uint8Array.from(out), 0)).toEqual({ value, next: out.length });
      }),
    );
    for (const v of [0, 1, -1, 63, -64, 64, 2 ** 52 - 1, -(2 ** 52 - 1)]) expect(unzigzag(zigzag(v))).toBe(v);
  });

  test('refuses what is too long, too large or not the shortest form', () => {
    expect(readVarint(Uint8Array.from([0x80]), 0)).toBe('truncated');
    expect(readVarint(Uint8Array.from([0x80, 0x00]), 0)).toBe('not in shortest form');
    expect(readVarint(new Uint8Array(9).fill(0xff), 0)).toBe('too large');
  });

  test('the checksum is the standard one', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});

describe('binary form', () => {
  test('decode is the inverse of encode', () => {
    fc.assert(
      fc.property(commandStream, (stream) => {
        const bytes = encodeStream(stream);
        expect(decodeStream(bytes)).toEqual(normalised(stream));
        expect(encodeStream(decodeStream(bytes))).toEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });

  test('the bytes of the sections and commands add up to the file', () => {
    fc.assert(
      fc.property(commandStream, (stream) => {
        const bytes = encodeStream(stream);
        const program = decodeProgram(bytes);
        const { prologueBytes, periodBytes } = sectionBytes(bytes);
        expect(prologueBytes + periodBytes).toBe(bytes.length);
        expect(program.prologueBytes).toBe(prologueBytes);
        expect(program.periodBytes).toBe(periodBytes);
        const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
        expect(sum(program.period.commandBytes)).toBe(periodBytes);
        expect(sum(program.prologue.commandBytes)).toBe(prologueBytes - HEADER_BYTES);
        expect(program.period.commandBytes).toEqual(encodeSection(stream.period).commandBytes);
      }),
      { numRuns: 50 },
    );
  });

  test('a flipped bit anywhere is refused', () => {
    const bytes = encodeStream(
      period(loop(3), { op: 'load', fields: { dramBase: 300, bytes: 64, limit: 64 } }, END_LOOP),
    );
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codesOf(() => decodeStream(flipped))).toHaveLength(1);
    }
  });

  test('every truncation and every extension is refused', () => {
    const bytes = encodeStream(period({ op: 'load', fields: { dramBase: 300, bytes: 64, limit: 64 } }));
    for (let length = 0; length < bytes.length; length++) {
      expect(codesOf(() => decodeStream(bytes.slice(0, length)))).toEqual(['SW4001']);
    }
    expect(codesOf(() => decodeStream(Uint8Array.from([...bytes, 0])))).toEqual(['SW4001']);
  });

  test.each([
    ['unknown opcode', [0x7f, 0x02]],
    ['field mask missing', [0x04]],
    ['field that the instruction does not have', [0x05, 0x02, 0x01, 0x02]],
    ['value that did not change', [0x05, 0x01, 0x00, 0x06, 0x02]],
    ['number not in shortest form', [0x05, 0x01, 0x81, 0x00, 0x06, 0x02]],
    ['group listed without a change', [0x10, 0x01, 0x00, 0x02]],
    ['step of 0', [0x05, 0x01, 0x02, 0x93, 0x00, 0x00, 0x00, 0x06, 0x02]],
  ])('malformed command: %s', (_name, bytes) => {
    expect(codesOf(() => decodeStream(fileWithPeriod(bytes)))).toEqual(['SW4003']);
  });

  test.each([
    ['no endPeriod', [0x05, 0x01, 0x02, 0x06]],
    ['open loop', [0x05, 0x01, 0x02, 0x02]],
    ['endLoop without loop', [0x06, 0x02]],
    ['command after the end', [0x02, 0x02]],
    ['endPrologue in the period', [0x01, 0x02]],
    ['loop of 0', [0x05, 0x00, 0x06, 0x02]],
    ['semaphore 24', [0x04, 0x03, 0x18, 0x01, 0x02]],
    ['step outside of loops', [0x92, 0x04, 0x05, 0x02, 0x08, 0x02]],
  ])('not a program: %s', (_name, bytes) => {
    expect(codesOf(() => decodeStream(fileWithPeriod(bytes)))).toEqual(['SW4004']);
  });

  test('the encoder refuses what is not a program, as a bug', () => {
    expect(codesOf(() => encodeStream(period(loop(1))))).toContain('SW9401');
    expect(codesOf(() => encodeStream(period({ op: 'load', fields: { nonsense: 1 } })))).toEqual(['SW9401']);
    expect(codesOf(() => encodeStream(period({ op: 'load', fields: { bytes: -1 } })))).toEqual(['SW9401']);
    expect(codesOf(() => encodeStream(period({ op: 'load', fields: { bytes: 0.5 } })))).toEqual(['SW9401']);
  });
});

describe('size', () => {
  const conv: Command = {
    op: 'conv',
    fields: {
      wait: 1,
      signal: 2,
      inBase: 0x10000,
      inRowPitch: 3584,
      inPixelPitch: 64,
      outBase: 0x48000,
      outRowPitch: 3584,
      outPixelPitch: 64,
      inH: 56,
      inW: 56,
      inC: 64,
      outH: 56,
      outW: 56,
      outC: 64,
      rows: 8,
      cols: 56,
      chs: 64,
      kernelH: 3,
      kernelW: 3,
      strideH: 1,
      strideW: 1,
      padTop: 1,
      padLeft: 1,
      dilationH: 1,
      dilationW: 1,
      groups: 1,
      records: 0x90000,
      inZero: -128,
      outZero: -128,
      act1: 1,
      act1Lo: -128,
      act1Hi: 127,
    },
    steps: [{ field: 'row0', level: 0, delta: 8, modulus: 0 }],
  };

  test('a convolution in a loop takes at most 60 bytes, the next like it a fraction', () => {
    const next = { ...conv, fields: { ...conv.fields, inBase: 0x48000, outBase: 0x10000, records: 0xa0000 } };
    const { commandBytes } = encodeSection([loop(7), conv, next, END_LOOP]);
    expect(commandBytes[1]).toBeLessThanOrEqual(60);
    expect(commandBytes[2]).toBeLessThanOrEqual(20);
  });

  test('a loop that does not fit into the FIFO is fetched in every iteration', () => {
    const stream = period(loop(10), conv, loop(5), { ...conv, steps: [] }, END_LOOP, END_LOOP);
    const { periodBytes } = sectionBytes(encodeStream(stream));
    const [outerLoop, first, innerLoop, second, innerEnd, outerEnd, end] = encodeSection(stream.period).commandBytes;
    if (!outerLoop || !first || !innerLoop || !second || !innerEnd || !outerEnd || !end) throw new Error('commands');
    expect(fetchedPeriodBytes(stream, 4096)).toBe(periodBytes);
    const inner = second + innerEnd;
    expect(fetchedPeriodBytes(stream, inner)).toBe(outerLoop + 10 * (first + innerLoop + inner + outerEnd) + end);
    expect(fetchedPeriodBytes(stream, inner - 1)).toBe(
      outerLoop + 10 * (first + innerLoop + 5 * inner + outerEnd) + end,
    );
    expect(fetchedPrologueBytes(stream, 0)).toBe(HEADER_BYTES + 1);
  });
});

describe('text', () => {
  test('assemble is the inverse of print, byte for byte', () => {
    fc.assert(
      fc.property(commandStream, (stream) => {
        expect(encodeStream(assemble(printStream(stream)))).toEqual(encodeStream(stream));
      }),
      { numRuns: 200 },
    );
  });

  test('is readable', () => {
    const stream = period(
      loop(7),
      {
        op: 'loadRows',
        fields: { wait: 3, sramBase: 0x100, sramRowPitch: 3584, sramPixelPitch: 64, sramRing: 16, rows: 8, cols: 56 },
        steps: [
          { field: 'row0', level: 0, delta: 8, modulus: 0 },
          { field: 'sramBase', level: 0, delta: -64, modulus: 128 },
        ],
      },
      END_LOOP,
    );
    expect(printStream(stream)).toBe(
      [
        '; prologue',
        'endPrologue',
        '; period',
        'loop count=7',
        '  loadRows wait=s0+s1 sram=0x100{-64@0%128}:3584:64%16 row0=0{+8@0} rows=8 cols=56',
        'endLoop',
        'endPeriod',
        '',
      ].join('\n'),
    );
  });

  test('errors have line and column', () => {
    const text =
      'endPrologue\nlaod bytes=1\nload bytes=x\n load zork=1 bytes=1 bytes=2\nload sramBase={+1@0}\nendPeriod\n';
    try {
      assemble(text, 'a.asm');
      throw new Error('accepted');
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      const places = error.diagnostics.map((d) => `${d.code} ${d.loc.line}:${d.loc.column}`);
      expect(places).toEqual(['SW4010 2:1', 'SW4010 3:12', 'SW4010 4:7', 'SW4010 4:22', 'SW4010 5:15']);
    }
    expect(codesOf(() => assemble('endPrologue\nendLoop\nendPeriod'))).toEqual(['SW4011']);
    expect(codesOf(() => assemble(''))).toEqual(['SW4011', 'SW4011']);
  });
});
