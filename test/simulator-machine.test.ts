import { describe, expect, test } from '@jest/globals';
import { fetchedPeriodBytes } from '../src/commands/fetch.js';
import { faultsOf, INPUT, load, OUTPUT, run, WORK } from './simulator-harness.js';

const IN = `dramBase=${INPUT}`;
const OUT = `dramBase=${OUTPUT}`;
const LOAD16 = `load ${IN} bytes=16 limit=16 signal=s0`;
const STORE16 = `store wait=s0 ${OUT} bytes=16 limit=16`;
const bytes16 = Int8Array.from({ length: 16 }, (_, i) => i * 3 - 20);
const given = new Map([['x', bytes16]]);

describe('moves', () => {
  test('a load and a store are counted, timed and carried out', () => {
    const result = run({ period: `${LOAD16}\n${STORE16}` }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
    const code = result.bytesByClass.code;
    expect(result.bytesByClass).toEqual({ weights: 0, activations: 0, input: 16, output: 16, code });
    expect([result.dramReadBytes, result.dramWriteBytes]).toEqual([16 + code, 16]);
    // Each transfer: 5 set-up + 10 latency + 16 B at 4 B a cycle. The load is issued when its code is there, 10 cycles of latency
    // after the beginning, and pays for the interface time of the code that was fetched so far: all but that of endPeriod.
    const [loadBytes = 0] = load({ period: `${LOAD16}\n${STORE16}` }).program.period.commandBytes;
    expect(result.busyCycles.load).toBe(Math.ceil(19 + (code - 1) / 4));
    expect(result.cycles).toBe(Math.ceil(10 + loadBytes / 4 + 19 + (code - 1) / 4 + 19));
  });

  test('the prologue is counted apart, with the file header', () => {
    const image = Uint8Array.from({ length: 16 }, (_, i) => i);
    const result = run({ prologue: 'load bytes=16 limit=16', period: `store ${OUT} bytes=16 limit=16`, image });
    expect(result.faults).toEqual([]);
    expect([...(result.outputs[0]?.data ?? [])]).toEqual([...image]);
    expect(result.dramReadBytes).toBe(result.bytesByClass.code);
    // Header, load (opcode, mask, two numbers), endPrologue.
    expect(result.prologueReadBytes).toBe(16 + 28 + 4 + 1);
  });

  test('linear ranges are clipped to the region', () => {
    const period = `load ${IN} offset=8 bytes=100 limit=16 sramBase=8 signal=s0
      load ${IN} bytes=8 limit=16 signal=s0
      load ${IN} offset=16 bytes=5 limit=16 sramBase=99999 signal=s0
      store wait=s0 ${OUT} bytes=0 limit=16
      store wait=s0 ${OUT} bytes=0 limit=16
      store wait=s0 ${OUT} bytes=16 limit=16`;
    const result = run({ period }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.bytesByClass.input).toBe(16);
    expect(result.outputs[0]?.data).toEqual(bytes16);
  });

  test('rows of an image go through a rolling buffer in a loop with steps', () => {
    // An image of 8 rows x 2 pixels; a ring of 4 rows; two rows an iteration; the last stripe is clipped by imageH.
    const image = 'rows=3 cols=2 imageH=8 imageW=2 pixelBytes=1';
    const view = 'sram=0x20:2:1%4';
    const period = `loop count=3
        loadRows ${IN} dramRowPitch=2 dramPixelPitch=1 ${view} row0=0{+3@0} ${image} signal=s0
        storeRows wait=s0 ${OUT} dramRowPitch=2 dramPixelPitch=1 ${view} row0=0{+3@0} ${image} signal=s1
        barrier
      endLoop`;
    const result = run({ period }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
    expect(result.commands).toBe(1 + 3 * 4 + 1);
  });

  /**
   * An image of 4 x 4 pixels in stripes of two rows, two columns at a time. Each stripe is stored with the last row of the one
   * above: that row has to live for the width of the image, the first row of a stripe only while its columns are at work.
   */
  const stripes = (shortColumns: number, longColumns: number) => {
    const image = 'imageH=4 imageW=4 pixelBytes=1 dramRowPitch=4 dramPixelPitch=1 cols=2 sram=0x20:0:1#7';
    return `stripeRing index=7 width=4 height=2 kept=1 shortColumns=${shortColumns} longColumns=${longColumns}
      semaphore index=1 value=1
      loop count=2
        loop count=2
          loadRows wait=s1 signal=s0 ${IN} ${image} row0=0{+2@0} rows=2 col0=0{+2@1}
          storeRows wait=s0 signal=s1 ${OUT} ${image} row0=-1{+2@0} rows=3 col0=0{+2@1}
        endLoop
      endLoop`;
  };

  test('columns of stripes go through a ring that keeps the last row of each', () => {
    const result = run({ period: stripes(2, 6) }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
  });

  test('a ring without a width holds a place for each row of a stripe; rows of other stripes are stale', () => {
    const period = (first: number, rows: number) =>
      stripes(2, 0)
        .replace('width=4 height=2 kept=1', 'height=3')
        .replaceAll('row0=0{+2@0} rows=2', 'row0=-1{+2@0} rows=3')
        .replace(/(storeRows .*)row0=-1\{\+2@0\} rows=3/, `$1row0=${first}{+2@0} rows=${rows}`);
    const result = run({ period: period(-1, 3) }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
    expect(faultsOf({ period: period(-2, 4) })).toContain('stale 5');
  });

  test('a ring of stripes that is a column too short, in either part, or that nothing has described', () => {
    expect(faultsOf({ period: stripes(2, 5) })).toContain('stale 5');
    expect(faultsOf({ period: stripes(1, 6) })).toContain('stale 5');
    expect(faultsOf({ period: stripes(2, 6).replace('index=7', 'index=8') })).toContain('illegal 4');
  });

  test('columns of a row, and pixels with gaps', () => {
    // 2 rows x 4 pixels x 2 bytes; columns 1 and 2 only come from the second load, whose base lies below the buffer.
    const common = 'dramRowPitch=8 dramPixelPitch=2 imageH=2 imageW=4 pixelBytes=2 rows=2';
    const period = `loadRows ${IN} ${common} sram=0x100:12:3 col0=0 cols=1 signal=s0
      loadRows ${IN} ${common} sram=0x100:12:3 col0=1 cols=9 signal=s0
      storeRows wait=s0 ${OUT} ${common} sram=0x100:12:3 cols=0
      storeRows wait=s0 ${OUT} ${common} sram=0x100:12:3 cols=4`;
    const result = run({ period }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
  });

  test('strided moves transpose on the way, and permute does in SRAM', () => {
    const transposed = Int8Array.from({ length: 16 }, (_, i) => bytes16[(i % 4) * 4 + (i >> 2)] ?? 0);
    const strided = `loadStrided ${IN} elementBytes=1 count2=4 count3=4 dramStride2=4 dramStride3=1 sramStride2=1 sramStride3=4 signal=s0`;
    const once = run({ period: `${strided}\n${STORE16}` }, { inputs: given });
    expect(once.faults).toEqual([]);
    expect(once.outputs[0]?.data).toEqual(transposed);
    const twice = `${strided}
      permute wait=s0 signal=s1 outBase=0x40 elementBytes=1 count2=4 count3=4 inStride2=4 inStride3=1 outStride2=1 outStride3=4
      store wait=s1 sramBase=0x40 ${OUT} bytes=16 limit=16`;
    expect(run({ period: twice }, { inputs: given }).outputs[0]?.data).toEqual(bytes16);
    const back = `${LOAD16}
      storeStrided wait=s0 ${OUT} elementBytes=1 count2=4 count3=4 sramStride2=4 sramStride3=1 dramStride2=1 dramStride3=4`;
    expect(run({ period: back }, { inputs: given }).outputs[0]?.data).toEqual(transposed);
  });
});

describe('loops and code', () => {
  const looped = (fifoBytes: number) => ({
    period: `loop count=10
        load ${IN} bytes=16 limit=16 signal=s0
        loop count=3
          store wait=s0 ${OUT} bytes=16 limit=16 signal=s1
          load wait=s1 ${IN} bytes=16 limit=16 signal=s0
        endLoop
        store wait=s0 ${OUT} bytes=16 limit=16
        barrier
      endLoop`,
    fifoBytes,
  });

  test.each([1, 10, 12, 18, 20, 30, 40, 4096])(
    'a FIFO of %d B: the bytes fetched are those of the report',
    (fifoBytes) => {
      const bench = looped(fifoBytes);
      const loaded = load(bench);
      const result = run(bench);
      expect(result.faults).toEqual([]);
      expect(result.bytesByClass.code).toBe(fetchedPeriodBytes(loaded.program.stream, fifoBytes));
    },
  );

  test('a small FIFO costs code traffic', () => {
    expect(run(looped(1)).bytesByClass.code).toBeGreaterThan(3 * run(looped(4096)).bytesByClass.code);
  });

  test('a modulus toggles between two buffers', () => {
    const period = `semaphore index=1 value=2
      loop count=4
        load wait=s1 signal=s0 ${IN} sramBase=0{+8@0%16} offset=0{+4@0} bytes=4 limit=16
        store wait=s0 signal=s1 ${OUT} sramBase=0{+8@0%16} offset=0{+4@0} bytes=4 limit=16
      endLoop`;
    const result = run({ period }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
  });

  test('the second period gives what the first gave', () => {
    const bench = { period: `${LOAD16}\n${STORE16}` };
    const [once, twice] = [run(bench), run(bench, { periods: 2 })];
    expect(twice).toEqual(once);
  });

  test('timing-only counts the same and moves nothing', () => {
    const bench = looped(4096);
    const [full, timing] = [run(bench), run(bench, { timingOnly: true })];
    expect(timing).toEqual({ ...full, outputs: [] });
  });
});

describe('faults', () => {
  test('reading what nothing has written: SRAM and DRAM, whole and half', () => {
    expect(faultsOf({ period: `store ${OUT} bytes=16 limit=16` })).toEqual(['unwritten 0']);
    const fromWork = `load dramBase=${WORK} bytes=16 limit=16 signal=s0\n${STORE16}`;
    expect(faultsOf({ period: fromWork })).toEqual(['unwritten 0']);
    const half = `load ${IN} bytes=15 limit=16 signal=s0\n${STORE16}`;
    const [fault] = run({ period: half }).faults;
    expect([fault?.kind, fault?.address, fault?.queue, fault?.memory]).toEqual(['unwritten', 15, 'store', 'SRAM']);
  });

  test('an output that is not written completely', () => {
    const short = `load ${IN} bytes=16 limit=16 signal=s0\nstore wait=s0 ${OUT} bytes=15 limit=16`;
    const [fault] = run({ period: short }).faults;
    expect([fault?.kind, fault?.region, fault?.op]).toEqual(['unwritten', 'y', 'endPeriod']);
  });

  test('races: read after write, write after read, write after write', () => {
    const unordered = `load ${IN} bytes=16 limit=16\nstore ${OUT} bytes=16 limit=16`;
    expect(faultsOf({ period: unordered })).toContain('race 1');
    // Either of the two that race may be the one that comes second in time.
    expect(faultsOf({ period: `${LOAD16}\n${STORE16}\nload ${IN} bytes=16 limit=16` })).toEqual(['race 1']);
    expect(faultsOf({ period: `${LOAD16}\n${STORE16}\nbarrier\nload ${IN} bytes=16 limit=16` })).toEqual([]);
    const spill = `${LOAD16}
      store wait=s0 dramBase=${WORK} bytes=16 limit=16 signal=s1
      load dramBase=${WORK} sramBase=64 bytes=16 limit=16 signal=s0
      store wait=s0 sramBase=64 ${OUT} bytes=16 limit=16`;
    expect(faultsOf({ period: spill }).some((fault) => fault.startsWith('race'))).toBe(true);
    expect(faultsOf({ period: spill.replace(`load dramBase=${WORK}`, `load wait=s1 dramBase=${WORK}`) })).toEqual([]);
    const copy =
      'map wait=s0 in=0:16:1 out=0x40:16:1 inH=1 inW=16 inC=1 outH=1 outW=16 outC=1 rows=1 cols=16 scaleH=1 scaleW=1';
    const bothWrite = `${LOAD16}\n${copy} signal=s1\nload ${IN} sramBase=0x40 bytes=16 limit=16 signal=s0
      store wait=s0+s1 sramBase=0x40 ${OUT} bytes=16 limit=16`;
    expect(faultsOf({ period: bothWrite })).toEqual(['race 1']);
  });

  test('a token orders only what came before it was raised', () => {
    // The store waits for the first load only; the second load overwrites while the store may be reading.
    const period = `${LOAD16}
      load ${IN} sramBase=8 offset=8 bytes=8 limit=16
      ${STORE16}`;
    const kinds = new Set(faultsOf({ period }));
    expect([...kinds].every((k) => k.startsWith('race'))).toBe(true);
    expect(kinds.size).toBeGreaterThan(0);
  });

  test('stale rows of a rolling buffer', () => {
    // The ring has 4 rows of 2; row 4 replaces row 0, which is read afterwards.
    const rows = (first: number, n: number) =>
      `sram=0:2:1%4 row0=${first} rows=${n} cols=2 imageH=8 imageW=2 pixelBytes=1`;
    const pitch = 'dramRowPitch=2 dramPixelPitch=1';
    const period = `loadRows ${IN} ${pitch} ${rows(0, 4)} signal=s0
      storeRows wait=s0 ${OUT} ${pitch} ${rows(0, 4)} signal=s1
      loadRows wait=s1 ${IN} ${pitch} ${rows(4, 4)} signal=s0
      storeRows wait=s0 ${OUT} ${pitch} ${rows(4, 4)} signal=s1`;
    expect(faultsOf({ period })).toEqual([]);
    const late = `${period}\nstoreRows wait=s1 ${OUT} ${pitch} ${rows(3, 1)}`;
    const [fault] = run({ period: late }).faults;
    expect([fault?.kind, fault?.command, fault?.address, fault?.region]).toEqual(['stale', 4, 6, 'x']);
  });

  test('a stale chunk of a double buffer', () => {
    // The third chunk goes to the buffer of the first, but the store looks into the other one.
    const period = (modulus: number) => `semaphore index=1 value=2
      loop count=4
        load wait=s1 signal=s0 ${IN} sramBase=0{+8@0%16} offset=0{+4@0} bytes=4 limit=16
        store wait=s0 signal=s1 ${OUT} sramBase=0{+8@0%${modulus}} offset=0{+4@0} bytes=4 limit=16
      endLoop`;
    expect(faultsOf({ period: period(16) })).toEqual([]);
    expect(faultsOf({ period: period(8) }).map((f) => f.split(' ')[0])).toContain('stale');
  });

  test('deadlock', () => {
    const [fault] = run({ period: `store wait=s3 ${OUT} bytes=16 limit=16` }).faults;
    expect([fault?.kind, fault?.command, fault?.message]).toEqual([
      'deadlock',
      0,
      'waits for semaphore 3, which nothing will raise',
    ]);
    const cycle = `load wait=s0 signal=s1 ${IN} bytes=16 limit=16\nstore wait=s1 signal=s0 ${OUT} bytes=16 limit=16`;
    expect(faultsOf({ period: cycle }).filter((f) => f.startsWith('deadlock'))).toEqual(['deadlock 0', 'deadlock 1']);
  });

  test('a signal that comes later in the text is no deadlock', () => {
    const period = `store wait=s0 ${OUT} bytes=16 limit=16\n${LOAD16}`;
    const result = run({ period }, { inputs: given });
    expect(result.faults).toEqual([]);
    expect(result.outputs[0]?.data).toEqual(bytes16);
  });

  test('out of range: SRAM, DRAM that belongs to nothing, constants and code', () => {
    expect(faultsOf({ period: `load ${IN} bytes=16 limit=16 sramBase=4090 signal=s0\n${STORE16}` })).toContain(
      'out-of-range 0',
    );
    expect(faultsOf({ period: `load dramBase=0xf000 bytes=16 limit=16 signal=s0\n${STORE16}` })).toContain(
      'out-of-range 0',
    );
    expect(faultsOf({ period: `load dramBase=0x40000 bytes=16 limit=16 signal=s0\n${STORE16}` })).toContain(
      'out-of-range 0',
    );
    const image = new Uint8Array(16);
    const overwrite = `${LOAD16}\nstore wait=s0 bytes=16 limit=16 signal=s0\n${STORE16}`;
    expect(faultsOf({ period: overwrite, image })).toEqual(['out-of-range 1']);
  });

  test('values that mean nothing, misaligned float32, overlap', () => {
    const image = 'inH=1 inW=4 inC=1 outH=1 outW=4 outC=1 rows=1 cols=4 scaleH=1 scaleW=1';
    const map = (text: string) =>
      `${LOAD16}\nmap wait=s0 signal=s1 ${text} ${image}\nstore wait=s1 ${OUT} bytes=16 limit=16`;
    expect(faultsOf({ period: map('in=0:4:1 out=0:4:1') })).toEqual([]);
    expect(faultsOf({ period: map('in=0:4:1 out=1:4:1') })).toContain('overlap 1');
    expect(faultsOf({ period: map('in=0:4:1 out=0:4:1 act1=11') })).toEqual(['illegal 1']);
    expect(faultsOf({ period: map('in=0:4:1 out=0:4:1 act1=3') })).toEqual(['illegal 1']);
    expect(faultsOf({ period: map('dtype=1 in=0:16:4 out=0x82:16:4') })).toContain('misaligned 1');
  });

  test('many faults are counted, a hundred kept, and the run stops', () => {
    const result = run({ period: `loop count=100000\nstore ${OUT} bytes=16 limit=16\nendLoop` });
    expect(result.faults).toHaveLength(100);
    expect(result.faultCount).toBe(1000);
  });
});
