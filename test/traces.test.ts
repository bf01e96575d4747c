import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { DramTrace, type DramTraceFormat } from '../src/simulator/dram-trace.js';
import { type ObservedSections, simulate } from '../src/simulator/simulate.js';
import { spillway } from './cli-harness.js';
import { INPUT, load, OUTPUT } from './simulator-harness.js';

const scratch = mkdtempSync(join(tmpdir(), 'traces-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Access {
  readonly address: bigint;
  readonly isWrite: boolean;
  readonly cycle?: number;
}

/** As DRAMsim3's trace front end does: an address as hexadecimal, a word, a decimal time, whatever white space is between. */
function readAsDramsim3(text: string): Access[] {
  const words = text.trim().split(/\s+/);
  expect(words.length % 3).toBe(0);
  return Array.from({ length: words.length / 3 }, (_, i) => {
    const [address = '', kind = '', cycle = ''] = words.slice(3 * i, 3 * i + 3);
    expect(address).toMatch(/^(0[xX])?[0-9a-fA-F]{1,16}$/);
    expect(['READ', 'WRITE']).toContain(kind);
    expect(cycle).toMatch(/^\d+$/);
    return { address: BigInt(address), isWrite: kind === 'WRITE', cycle: Number(cycle) };
  });
}

/** As Ramulator 2's LoadStoreTrace does: two words a line, between single spaces; an empty line is an error. */
function readAsRamulator2(text: string): Access[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      const words = line.split(' ');
      expect(words).toHaveLength(2);
      const [kind = '', address = ''] = words;
      expect(['LD', 'ST']).toContain(kind);
      expect(address).toMatch(/^(0[xX][0-9a-fA-F]+|\d+)$/);
      expect(BigInt(address)).toBeLessThan(2n ** 63n);
      return { address: BigInt(address), isWrite: kind === 'ST' };
    });
}

function dramTrace(period: string, format: DramTraceFormat, prologue = '', observed: ObservedSections = 'period') {
  const loaded = load({ prologue, period, inputShape: [64], outputShape: [64], image: new Uint8Array(64) });
  let text = '';
  const trace = new DramTrace(format, 8, (more) => {
    text += more;
  });
  const result = simulate(loaded, { timingOnly: true, observer: trace, observed });
  trace.finish();
  expect(result.faults).toEqual([]);
  return { result, trace, text, lines: text.trimEnd().split('\n') };
}

describe('DRAM requests', () => {
  const code = 0x40000;
  const copy = `load dramBase=${INPUT} bytes=64 limit=64 signal=s0\nstore wait=s0 dramBase=${OUTPUT} bytes=64 limit=64`;

  test('DRAMsim3: hexadecimal address, READ or WRITE, cycle; every burst once, in the order of cycles', () => {
    const { result, trace, text, lines } = dramTrace(copy, 'dramsim3');
    expect(readAsDramsim3(text)).toHaveLength(lines.length);
    const parsed = lines.map((line) => /^0x([0-9A-F]+) (READ|WRITE) (\d+)$/.exec(line)?.slice(1) ?? []);
    const addresses = parsed.map(([hex = '']) => Number.parseInt(hex, 16));
    const bursts = (base: number) => Array.from({ length: 8 }, (_, i) => base + 8 * i);
    const reads = parsed.flatMap(([, kind], i) => (kind === 'READ' ? [addresses[i] ?? 0] : []));
    expect(reads.filter((address) => address < code)).toEqual(bursts(INPUT));
    expect(parsed.flatMap(([, kind], i) => (kind === 'WRITE' ? [addresses[i]] : []))).toEqual(bursts(OUTPUT));
    const cycles = parsed.map(([, , cycle]) => Number(cycle));
    expect(cycles).toEqual([...cycles].sort((a, b) => a - b));
    expect(cycles.at(-1)).toBeLessThanOrEqual(result.cycles);
    // Code comes in bursts that hold other bytes too: the file header and the prologue.
    const codeBursts = reads.filter((address) => address >= code).length;
    expect(trace.requests).toEqual({ prologue: 0, period: lines.length });
    expect(lines).toHaveLength(result.dramBursts + codeBursts);
    expect(result.dramBursts * 8).toBe(result.dramReadBytes + result.dramWriteBytes - result.bytesByClass.code);
    expect(codeBursts * 8 - result.bytesByClass.code).toBeLessThan(16);
  });

  test('Ramulator 2: LD or ST and an address, and nothing else', () => {
    const { lines, trace, text } = dramTrace(copy, 'ramulator2');
    expect(readAsRamulator2(text)).toHaveLength(lines.length);
    expect(lines.filter((line) => !/^(LD|ST) 0x[0-9A-F]+$/.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('ST'))).toHaveLength(8);
    expect(lines).toHaveLength(trace.requests.period);
  });

  test('the prologue, when it is asked for: before the period, which asks for the same', () => {
    const prologue = 'load dramBase=0 bytes=64 limit=64 sramBase=1024';
    const [alone, both, first] = (['period', 'both', 'prologue'] as const).map((observed) =>
      dramTrace(copy, 'dramsim3', prologue, observed),
    );
    if (alone === undefined || both === undefined || first === undefined) throw new Error('no trace');
    const { requests } = both.trace;
    expect(both.lines).toHaveLength(requests.prologue + requests.period);
    expect(alone.trace.requests).toEqual({ prologue: 0, period: requests.period });
    expect(first.trace.requests).toEqual({ prologue: requests.prologue, period: 0 });
    const { prologueReadBytes, prologueCycles, dramReadBytes, dramWriteBytes } = both.result;
    // The end of its code lies in a burst with the code of the period.
    expect(requests.prologue * 8 - prologueReadBytes).toBeGreaterThanOrEqual(0);
    expect(requests.prologue * 8 - prologueReadBytes).toBeLessThan(8);
    expect(requests.period * 8 - dramReadBytes - dramWriteBytes).toBeLessThan(16);
    const accesses = readAsDramsim3(both.text);
    const weights = accesses.slice(0, requests.prologue).filter(({ address }) => address < 64n);
    expect(weights.map(({ address }) => Number(address))).toEqual([0, 8, 16, 24, 32, 40, 48, 56]);
    const cycles = accesses.map(({ cycle = 0 }) => cycle);
    expect(cycles).toEqual([...cycles].sort((a, b) => a - b));
    const shifted = readAsDramsim3(alone.text).map(({ cycle = 0, ...rest }) => ({
      ...rest,
      cycle: cycle + prologueCycles,
    }));
    expect(accesses.slice(requests.prologue)).toEqual(shifted);
    expect(readAsDramsim3(first.text)).toEqual(accesses.slice(0, requests.prologue));
  });

  test('runs that end inside a burst: no burst twice in a row, and as many as are counted', () => {
    const rows = 'dramRowPitch=12 dramPixelPitch=1 sram=0:5:1%0 rows=4 cols=5 imageH=4 imageW=5 pixelBytes=1';
    const { result, lines } = dramTrace(`loadRows dramBase=${INPUT} ${rows}\n${copy}`, 'ramulator2');
    const hex = (offset: number) => `LD 0x${(INPUT + offset).toString(16).toUpperCase()}`;
    // Rows at 0..5, 12..17, 24..29, 36..41: bursts 0, 8 and 16, 24, 32 and 40.
    expect(lines.filter((line) => !line.includes('0x4')).slice(0, 6)).toEqual([0, 8, 16, 24, 32, 40].map(hex));
    expect(result.dramBursts).toBe(6 + 16);
  });
});

const event = z.discriminatedUnion('ph', [
  z.strictObject({
    ph: z.literal('M'),
    name: z.enum(['process_name', 'thread_name', 'thread_sort_index']),
    pid: z.int(),
    tid: z.int().optional(),
    args: z.record(z.string(), z.union([z.string(), z.number()])),
  }),
  z.strictObject({
    ph: z.literal('X'),
    name: z.string().min(1),
    cat: z.enum(['load', 'compute', 'store']),
    pid: z.int(),
    tid: z.int().min(1).max(3),
    ts: z.number().nonnegative(),
    dur: z.number().nonnegative(),
    args: z.strictObject({
      op: z.string(),
      section: z.enum(['prologue', 'period']),
      command: z.int(),
      commands: z.int().positive(),
      bytes: z.int(),
      macs: z.int(),
      cycles: z.number(),
    }),
  }),
  z.strictObject({
    ph: z.literal('C'),
    name: z.enum(['DRAM bytes per second', 'MACs per cycle', 'SRAM occupied bytes']),
    pid: z.int(),
    ts: z.number().nonnegative(),
    args: z.record(z.string(), z.number().nonnegative()),
  }),
]);
const document = z.strictObject({ displayTimeUnit: z.literal('ns'), traceEvents: z.array(event) });

describe('the command line', () => {
  const BOTH = ['--trace-sections', 'both'];
  const [directory, trace, requests] = [join(scratch, 'tiny'), join(scratch, 'trace.json'), join(scratch, 'tiny.trc')];
  interface Traced {
    readonly requests: number;
    readonly paddingBytes: number;
  }
  let run: {
    totalBytes: number;
    prologueReadBytes: number;
    byClass: { code: number };
    dramTrace: { format: string; burstBytes: number; prologue: Traced; period: Traced };
  };

  beforeAll(() => {
    expect(spillway('compile', 'examples/tiny.model.ts', '--target', 'chip-a', '-o', directory).code).toBe(0);
    const done = spillway('simulate', directory, '--json', '--trace', trace, '--dram-trace', requests, ...BOTH);
    expect(done.code).toBe(0);
    run = JSON.parse(done.stdout);
  });

  test('a Chrome trace: slices carry layers, bytes and MACs, and those of a queue do not overlap', () => {
    const { traceEvents } = document.parse(JSON.parse(readFileSync(trace, 'utf8')));
    const slices = traceEvents.flatMap((one) => (one.ph === 'X' ? [one] : []));
    const ofPeriod = slices.filter(({ args }) => args.section === 'period');
    const bytes = ofPeriod.reduce((sum, { args }) => sum + args.bytes, 0);
    expect(bytes).toBe(run.totalBytes - run.byClass.code);
    for (const tid of [1, 2, 3]) {
      const ends = slices.filter((slice) => slice.tid === tid).map(({ ts, dur }) => [ts, ts + dur] as const);
      for (const [i, [start]] of ends.entries()) expect(start).toBeGreaterThanOrEqual((ends[i - 1]?.[1] ?? 0) - 0.002);
    }
    const layers = new Set(slices.map((slice) => slice.name));
    const report = z
      .object({ layers: z.array(z.object({ name: z.string() })) })
      .parse(JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8')));
    const names = report.layers.map(({ name }) => name);
    const blocks = [...layers].filter((name) => name.includes(' .. ')).flatMap((name) => name.split(' .. '));
    for (const name of blocks) expect(names).toContain(name);
    expect(names.filter((name) => layers.has(name)).length).toBeGreaterThan(2);
    const counters = traceEvents.flatMap((one) => (one.ph === 'C' ? [one] : []));
    const occupied = counters.filter(({ name }) => name === 'SRAM occupied bytes').map(({ args }) => args.bytes ?? 0);
    expect(Math.max(...occupied)).toBeGreaterThan(0);
    expect(Math.max(...occupied)).toBeLessThanOrEqual(8 * 2 ** 20);
  });

  test('the DRAM trace: requests are the bytes of the report and what fills their bursts', () => {
    const { prologue, period, ...rest } = run.dramTrace;
    expect(rest).toMatchObject({ format: 'dramsim3', burstBytes: 64 });
    expect(readAsDramsim3(readFileSync(requests, 'utf8'))).toHaveLength(prologue.requests + period.requests);
    expect(period.requests * 64).toBe(run.totalBytes + period.paddingBytes);
    expect(prologue.requests * 64).toBe(run.prologueReadBytes + prologue.paddingBytes);
    const alone = join(scratch, 'period.trc');
    expect(spillway('simulate', directory, '--timing-only', '--dram-trace', alone).code).toBe(0);
    expect(readAsDramsim3(readFileSync(alone, 'utf8'))).toHaveLength(period.requests);
    expect(readdirSync(scratch).filter((file) => file.endsWith('.partial'))).toEqual([]);
  });

  test('disasm --hex prints the bytes of the program for $readmemh', () => {
    const { stdout } = spillway('disasm', directory, '--hex');
    const words = stdout
      .replaceAll(/\/\/.*/g, '')
      .trim()
      .split(/\s+/);
    const bytes = [...readFileSync(join(directory, 'program.bin'))];
    expect(words.every((word) => /^[0-9a-f]{2}$/.test(word))).toBe(true);
    expect(words.map((word) => Number.parseInt(word, 16))).toEqual(bytes);
  });

  test('a trace that cannot be written ends with one diagnostic', () => {
    const done = spillway('simulate', directory, '--timing-only', '--trace', join(scratch, 'missing', 'x.json'));
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('SW8005');
    const alone = spillway('simulate', directory, '--dram-format', 'ramulator2');
    expect(alone.code).toBe(2);
    expect(spillway('simulate', directory, '--trace-sections', 'period').code).toBe(2);
  });
});
