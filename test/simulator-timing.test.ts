import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeProgram } from '../src/commands/decode.js';
import { encodeStream } from '../src/commands/encode.js';
import { fetchedPeriodBytes } from '../src/commands/fetch.js';
import type { Command } from '../src/commands/types.js';
import { CommandProcessor } from '../src/simulator/command-processor.js';
import { DramInterface } from '../src/simulator/dram-interface.js';
import { codeLines, Sequencer } from '../src/simulator/sequencer.js';
import { simulate } from '../src/simulator/simulate.js';
import { computeCost } from '../src/simulator/timing.js';
import { Units, type Work } from '../src/simulator/units.js';
import { INPUT, load, OUTPUT, run } from './simulator-harness.js';

// The bench's chip: 4 x 4 MACs, 4 lanes, 4 B of DRAM a cycle in bursts of 8 B, 5 cycles of set-up, 10 of latency.
const CHIP = load({ period: '' }).manifest.chip;

describe('compute', () => {
  const conv = {
    outH: 3,
    outW: 5,
    outC: 6,
    rows: 3,
    cols: 5,
    ch0: 0,
    chs: 6,
    inC: 9,
    kernelH: 3,
    kernelW: 3,
    groups: 1,
  };

  test('a convolution fills the array: passes over input and output channels, then the drain', () => {
    const arrayReadBytes = 15 * 9 * 2 * 9; // a pixel's channels once per tap and pass of columns
    const expected = { unit: 'mac', cycles: 15 * 9 * 3 * 2 + 8, macs: 15 * 9 * 9 * 6, arrayReadBytes };
    expect(computeCost('conv', conv, CHIP)).toEqual(expected);
    expect(computeCost('conv', { ...conv, dtype: 1 }, CHIP)).toEqual({
      ...expected,
      arrayReadBytes: 4 * arrayReadBytes,
    });
  });

  test('only what is left after clipping is computed', () => {
    expect(computeCost('conv', { ...conv, row0: 2 }, CHIP).macs).toBe(5 * 9 * 9 * 6);
    expect(computeCost('conv', { ...conv, row0: 3 }, CHIP)).toMatchObject({ cycles: 0, macs: 0 });
  });

  test('groups do not share the array; depthwise goes over the lanes', () => {
    expect(computeCost('conv', { ...conv, groups: 3 }, CHIP).cycles).toBe(15 * 9 * 3 * 1 * 1 + 8);
    // Channels 2 to 4 of three groups of 3: one of the first group, and two of the second.
    const within = { ...conv, inC: 6, outC: 9, groups: 3, ch0: 2, chs: 3 };
    expect(computeCost('conv', within, CHIP).cycles).toBe(15 * 9 * 2 * 1 * 1 + 8);
    const depthwise = { ...conv, inC: 6, groups: 6 };
    const cost = { unit: 'vector', cycles: Math.ceil((15 * 9 * 6) / 4), macs: 15 * 9 * 6, arrayReadBytes: 0 };
    expect(computeCost('conv', depthwise, CHIP)).toEqual(cost);
  });

  test('the vector unit does one element per lane', () => {
    const image = { outH: 2, outW: 3, outC: 5, rows: 2, cols: 3 };
    expect(computeCost('map', image, CHIP).cycles).toBe(Math.ceil(30 / 4));
    expect(computeCost('pool', { ...image, kernelH: 2, kernelW: 2 }, CHIP).cycles).toBe(30);
    expect(computeCost('softmax', image, CHIP).cycles).toBe(Math.ceil(90 / 4));
    expect(computeCost('permute', { count2: 3, count3: 7 }, CHIP).cycles).toBe(Math.ceil(21 / 4));
  });
});

describe('the DRAM interface', () => {
  // 8 cycles from page to page, or 48 / 8 from bank to bank; a turn of 64 B takes 16 cycles and costs 4.
  const pages = { pageBytes: 256, banks: 8, rowCycleCycles: 48, activateCycles: 8 };
  const chip = { ...CHIP, dram: { ...CHIP.dram, ...pages, turnaroundCycles: 4, turnaroundBytes: 64 } };
  const dram = new DramInterface(chip);

  test('long runs take their bursts, scattered ones as long as their pages take to open', () => {
    expect(dram.cycles({ bursts: 1000, pages: 32 })).toBe(2000);
    expect(dram.cycles({ bursts: 32, pages: 32 })).toBe(32 * 8);
    const slowBanks = new DramInterface({ ...chip, dram: { ...chip.dram, banks: 2 } });
    expect(slowBanks.cycles({ bursts: 1, pages: 1 })).toBe(24);
  });

  test('a chip that says nothing of pages and turns has neither', () => {
    const plain = new DramInterface(CHIP);
    expect(plain.cycles({ bursts: 3, pages: 3 })).toBe(6);
    expect(plain.sharedEfficiency).toBe(1);
    expect(dram.sharedEfficiency).toBe(16 / 20);
  });

  test('whole bursts that hold a run are counted, and the pages that it opens', () => {
    const bench = (period: string) => {
      const loaded = load({ period, inputShape: [0x1000] });
      const { manifest } = loaded;
      const paged = { ...manifest, chip: { ...manifest.chip, dram: { ...manifest.chip.dram, ...pages } } };
      return simulate({ ...loaded, manifest: paged }, { timingOnly: true });
    };
    const cyclesOf = (offset: number, bytes: number, rows: number, pitch: number) => {
      const rowFields = `dramRowPitch=${pitch} dramPixelPitch=1 sram=0:${bytes}:1%0 rows=${rows} cols=${bytes}`;
      const period = `loadRows dramBase=${INPUT + offset} ${rowFields} imageH=${rows} imageW=${bytes} pixelBytes=1`;
      const result = bench(period);
      return result.busyCycles.dram - (result.bytesByClass.code - 1) / 4;
    };
    expect(cyclesOf(0, 8, 16, 64)).toBeCloseTo(16 * 2, -0.5); // four rows in a page
    expect(cyclesOf(4, 8, 16, 64)).toBeCloseTo(16 * 4, -0.5); // each run reaches into two bursts
    expect(cyclesOf(0, 8, 8, 256)).toBeCloseTo(8 * 8, -0.5); // a page for every row
  });
});

describe('units', () => {
  type Started = Work & { readonly queue: 0 | 1 | 2; readonly command: string };
  const transfer = (queue: 0 | 2, cycles: number, portBytes = 0, readyAt = 0) =>
    ({ queue, command: queue === 0 ? 'load' : 'store', readyAt, cycles, portBytes }) as const;
  const compute = (cycles: number, portBytes: number) =>
    ({ queue: 1, command: 'compute', unit: 'mac', readyAt: 0, cycles, portBytes }) as const;
  const ends = (chip: typeof CHIP, ...work: readonly Started[]): [string, number][] => {
    const units = new Units<string>(chip);
    for (const one of work) units.start(one.queue, one.command, one);
    const list: [string, number][] = [];
    for (let time = units.nextEvent(); time < Number.POSITIVE_INFINITY; time = units.nextEvent())
      for (const done of units.advance(time)) list.push([done, time]);
    return list;
  };

  test('a load and a store share the interface, and lose what turning costs', () => {
    expect(ends(CHIP, transfer(0, 100), transfer(2, 300))).toEqual([
      ['load', 200],
      ['store', 400],
    ]);
    const turning = { ...CHIP, dram: { ...CHIP.dram, turnaroundCycles: 4, turnaroundBytes: 64 } };
    expect(ends(turning, transfer(0, 100), transfer(2, 300))).toEqual([
      ['load', 250],
      ['store', 450],
    ]);
  });

  test('a transfer that is being set up leaves the interface to the other', () => {
    expect(ends(CHIP, transfer(0, 100, 0, 50), transfer(2, 50))).toEqual([
      ['store', 50],
      ['load', 150],
    ]);
  });

  test('transfers go through the SRAM ports first; computing has what is left of their 16 B a cycle', () => {
    // The load takes 4 B a cycle. The array wants 16, gets 12 for 100 cycles, and has 25 cycles to make up.
    expect(ends(CHIP, transfer(0, 100, 400), compute(200, 3200))).toEqual([
      ['load', 100],
      ['compute', 225],
    ]);
    expect(ends(CHIP, transfer(0, 100, 400), compute(200, 2400)).at(-1)).toEqual(['compute', 200]);
  });

  test('one channel loads or stores; with four, the next load is set up while one is at work', () => {
    const one = new Units<string>({ ...CHIP, dma: { channels: 1, setupCycles: 5 } });
    one.start(0, 'load', transfer(0, 10));
    expect([one.hasRoom(0), one.hasRoom(1), one.hasRoom(2)]).toEqual([false, true, false]);
    const four = { ...CHIP, dma: { channels: 4, setupCycles: 5 } };
    const units = new Units<string>(four);
    units.start(0, 'load', transfer(0, 10));
    expect(units.hasRoom(0)).toBe(true);
    const list = ends(four, transfer(0, 100, 0, 15), transfer(0, 10, 0, 15));
    expect(list.map(([, time]) => time)).toEqual([115, 125]);
  });
});

describe('the command processor', () => {
  const chip = { ...CHIP, commandFifoBytes: 32, commandCycles: 3 };

  test('a command is decoded when its code is there: latency, then 4 B a cycle', () => {
    const processor = new CommandProcessor(chip);
    processor.decode(16);
    expect(processor.time).toBe(10 + 4 + 3);
    processor.decode(0); // of a loop that the FIFO holds
    expect(processor.time).toBe(20);
  });

  test('the FIFO fills again while the processor waits, and no further than its room', () => {
    const processor = new CommandProcessor(chip);
    processor.decode(16);
    processor.waitUntil(1000);
    processor.decode(32); // 16 B of them had no room before the first command was decoded, at 17
    expect(processor.time).toBe(1003);
    processor.decode(32); // needs the room of the command before, from 1003 on
    expect(processor.time).toBe(1003 + 10 + 8 + 3);
  });
});

describe('queues', () => {
  test('a run of few bytes occupies the interface for a burst', () => {
    const period = `load dramBase=${INPUT} bytes=1 limit=16 signal=s0\nstore wait=s0 dramBase=${OUTPUT} bytes=1 limit=1`;
    const result = run({ period, inputShape: [1], outputShape: [1] });
    expect(result.busyCycles.dram).toBe(Math.ceil(2 + 2 + (result.bytesByClass.code - 1) / 4));
    expect(result.dramWriteBytes).toBe(1);
  });

  test('with more channels a row of loads hides what each waits for', () => {
    const loads = Array.from({ length: 8 }, (_, i) => `load dramBase=${INPUT} sramBase=${i * 80} bytes=80 limit=80`);
    const cyclesWith = (channels: number) => {
      const loaded = load({ period: loads.join('\n'), inputShape: [80], outputShape: [80] });
      const chip = { ...loaded.manifest.chip, dma: { channels, setupCycles: 5 } };
      return simulate({ ...loaded, manifest: { ...loaded.manifest, chip } }, { timingOnly: true }).cycles;
    };
    expect(cyclesWith(2) - cyclesWith(4)).toBe(7 * 15);
  });

  test('a gather waits for the load of its indices, however many channels there are', () => {
    const period = `load dramBase=${INPUT} bytes=16 limit=16
      gatherRows dramBase=${INPUT} entries=4 entryBytes=4 index=0:4:4%0 sram=0x100:4:4%0 imageH=2 rows=2 signal=s0
      store wait=s0 dramBase=${OUTPUT} sramBase=0x100 bytes=8 limit=8`;
    const loaded = load({ period, inputShape: [16], outputShape: [8] });
    const cyclesWith = (channels: number) => {
      const chip = { ...loaded.manifest.chip, dma: { channels, setupCycles: 5 } };
      const result = simulate({ ...loaded, manifest: { ...loaded.manifest, chip } }, { timingOnly: true });
      expect(result.faults).toEqual([]);
      return result.cycles;
    };
    expect(cyclesWith(8)).toBe(cyclesWith(2));
  });
});

test('code that is fetched: what the processor counts is what the report says', () => {
  const leaf: fc.Arbitrary<Command[]> = fc.constantFrom(
    [{ op: 'barrier', fields: {} }],
    [{ op: 'semaphore', fields: { index: 3, value: 300 } }],
    [{ op: 'load', fields: { dramBase: 100000, bytes: 1, limit: 77 } }],
  );
  const body = (depth: number): fc.Arbitrary<Command[]> =>
    fc
      .array(
        depth === 0
          ? leaf
          : fc.oneof(
              leaf,
              fc
                .tuple(fc.integer({ min: 1, max: 4 }), body(depth - 1))
                .map(([count, inner]) => [{ op: 'loop', fields: { count } }, ...inner, { op: 'endLoop', fields: {} }]),
            ),
        { maxLength: 4 },
      )
      .map((commands) => commands.flat());
  fc.assert(
    fc.property(body(4), fc.nat(60), (commands, fifoBytes) => {
      const period = [...commands, { op: 'endPeriod', fields: {} }];
      const stream = { prologue: [{ op: 'endPrologue', fields: {} }], period };
      const decoded = decodeProgram(encodeStream(stream));
      const sequencer = new Sequencer(codeLines('period', decoded.period, 0), fifoBytes);
      let bytes = 0;
      for (let issue = sequencer.next(); issue !== undefined; issue = sequencer.next()) bytes += issue.fetchedBytes;
      expect(bytes).toBe(fetchedPeriodBytes(stream, fifoBytes));
    }),
    { numRuns: 300 },
  );
});
