import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeProgram } from '../src/commands/decode.js';
import { encodeStream } from '../src/commands/encode.js';
import { fetchedPeriodBytes } from '../src/commands/fetch.js';
import type { Command } from '../src/commands/types.js';
import { codeLines, Sequencer } from '../src/simulator/sequencer.js';
import { computeCost } from '../src/simulator/timing.js';
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
    expect(computeCost('conv', conv, CHIP)).toEqual({ cycles: 15 * 9 * 3 * 2 + 8, macs: 15 * 9 * 9 * 6 });
  });

  test('only what is left after clipping is computed', () => {
    expect(computeCost('conv', { ...conv, row0: 2 }, CHIP).macs).toBe(5 * 9 * 9 * 6);
    expect(computeCost('conv', { ...conv, row0: 3 }, CHIP)).toEqual({ cycles: 0, macs: 0 });
  });

  test('groups do not share the array; depthwise goes over the lanes', () => {
    expect(computeCost('conv', { ...conv, groups: 3 }, CHIP).cycles).toBe(15 * 9 * 3 * 1 * 1 + 8);
    const depthwise = { ...conv, inC: 6, groups: 6 };
    expect(computeCost('conv', depthwise, CHIP)).toEqual({ cycles: Math.ceil((15 * 9 * 6) / 4), macs: 15 * 9 * 6 });
  });

  test('the vector unit does one element per lane', () => {
    const image = { outH: 2, outW: 3, outC: 5, rows: 2, cols: 3 };
    expect(computeCost('map', image, CHIP).cycles).toBe(Math.ceil(30 / 4));
    expect(computeCost('pool', { ...image, kernelH: 2, kernelW: 2 }, CHIP).cycles).toBe(30);
    expect(computeCost('softmax', image, CHIP).cycles).toBe(Math.ceil(90 / 4));
    expect(computeCost('permute', { count2: 3, count3: 7 }, CHIP).cycles).toBe(Math.ceil(21 / 4));
  });
});

describe('queues', () => {
  const load80 = (sram: number) => `load dramBase=${INPUT} sramBase=${sram} bytes=80 limit=80`;
  const store80 = (sram: number) => `store dramBase=${OUTPUT} sramBase=${sram} bytes=80 limit=80`;

  test('set-up and latency overlap between queues, bytes do not', () => {
    const period = `${load80(0)} signal=s0\n${store80(0)} wait=s0\n${load80(100)}`;
    const result = run({ period, inputShape: [80], outputShape: [80] });
    expect(result.faults).toEqual([]);
    // The first load ends at 15 + 20. Then both are set up at once; one of them waits for the other's 20 cycles.
    expect(result.cycles).toBe(35 + 15 + 20 + 20);
  });

  test('a run of few bytes occupies the interface for a burst', () => {
    const period = `load dramBase=${INPUT} bytes=1 limit=16 signal=s0\nstore wait=s0 dramBase=${OUTPUT} bytes=1 limit=1`;
    const result = run({ period, inputShape: [1], outputShape: [1] });
    expect(result.cycles).toBe(2 * (15 + 2));
    expect(result.dramWriteBytes).toBe(1);
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
