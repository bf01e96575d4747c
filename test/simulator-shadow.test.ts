import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ShadowMemory, type StandingRead } from '../src/simulator/shadow-memory.js';
import { pixelIndex, roundPixels, stripeRuns } from '../src/simulator/stripe-ring.js';

const BYTES = 4096;

/** Three numbers for every byte, and the changes along an access, byte by byte. */
class PlainMemory {
  readonly writers = new Array<number>(BYTES).fill(0);
  readonly readers = [new Array<number>(BYTES).fill(0), new Array<number>(BYTES).fill(0)];

  read(start: number, end: number, reader: number, queue: number): string[] {
    const seen: string[] = [];
    let last = -1;
    for (let at = start; at < end; at++) {
      if (this.writers[at] !== last) seen.push(`writer ${this.writers[at]} at ${at}`);
      last = this.writers[at] ?? 0;
      const list = this.readers[queue];
      if (list !== undefined && reader !== 0) list[at] = reader;
    }
    return seen;
  }

  write(start: number, end: number, event: number): string[] {
    const seen: string[] = [];
    let last = [-1, 0, 0];
    for (let at = start; at < end; at++) {
      const now = [this.writers[at] ?? 0, this.readers[0]?.[at] ?? 0, this.readers[1]?.[at] ?? 0];
      if (now[0] !== last[0]) seen.push(`over ${now[0]} at ${at}`);
      if (now[1] !== last[1] || now[2] !== last[2]) seen.push(`read ${now[1]} ${now[2]} at ${at}`);
      last = now;
      this.writers[at] = event;
      for (const list of this.readers) list[at] = 0;
    }
    return seen;
  }
}

const unit = fc.constantFrom(1, 3, 16, 64, 256, 512);
const range = fc
  .tuple(fc.nat(63), fc.integer({ min: 1, max: 24 }), unit)
  .map(([first, count, size]) => ({ start: (first * size) % BYTES, count: count * size }))
  .map(({ start, count }) => ({ start, end: Math.min(BYTES, start + count) }));
const access = fc.record({
  kind: fc.constantFrom('read', 'silent', 'write', 'stand', 'again', 'again', 'settle'),
  range,
  queue: fc.constantFrom(0, 1),
});

test('what pages and units know is what is known of every byte, standing reads included', () => {
  fc.assert(
    fc.property(fc.array(access, { minLength: 1, maxLength: 60 }), (accesses) => {
      const [shadow, plain] = [new ShadowMemory(BYTES), new PlainMemory()];
      let seen: string[] = [];
      const witness = {
        sawWriter: (event: number, address: number) => void seen.push(`writer ${event} at ${address}`),
        overwrites: (event: number, address: number) => void seen.push(`over ${event} at ${address}`),
        overwritesRead: (a: number, b: number, address: number) => void seen.push(`read ${a} ${b} at ${address}`),
      };
      let standing: StandingRead | undefined;
      accesses.forEach(({ kind, range: { start, end }, queue }, index) => {
        const sequence = index + 1;
        seen = [];
        if (kind === 'write') {
          shadow.write(start, end, sequence, witness);
          expect(seen).toEqual(plain.write(start, end, sequence));
        } else if (kind === 'again') {
          if (standing?.isStanding !== true) return;
          standing.reader = sequence;
          plain.read(standing.start, standing.end, sequence, standing.isQueueB ? 1 : 0);
        } else if (kind === 'settle') {
          if (standing !== undefined) shadow.settle(standing);
        } else {
          const reader = kind === 'silent' ? 0 : sequence;
          shadow.read(start, end, reader, queue === 1, witness);
          expect(seen).toEqual(plain.read(start, end, reader, queue));
          if (kind !== 'stand') return;
          if (standing !== undefined) shadow.settle(standing);
          standing = { start, end, isQueueB: queue === 1, reader, isStanding: false };
          shadow.letStand(standing);
        }
      });
      seen = [];
      shadow.write(0, BYTES, 99, witness);
      expect(seen).toEqual(plain.write(0, BYTES, 99));
    }),
    { numRuns: 500 },
  );
});

test('runs of a rolling buffer of stripes are its pixels, each where pixelIndex says', () => {
  const size = fc.integer({ min: 1, max: 6 });
  const ring = fc
    .record({
      width: fc.nat(9),
      height: size,
      phase: fc.nat(5),
      keptOf: fc.nat(5),
      shortColumns: size,
      longColumns: size,
    })
    .map(({ keptOf, ...rest }) => ({ ...rest, kept: keptOf % (rest.height + 1) }));
  const span = fc.tuple(fc.nat(9), size).map(([lo, length]) => ({ lo, hi: lo + length }));
  fc.assert(
    fc.property(ring, span, span, (stripes, rows, cols) => {
      const found: string[] = [];
      const runs: number[] = [];
      const used = stripeRuns(stripes, rows, cols, runs);
      for (let at = 0; at < used; at += 3) {
        const [first = 0, pixels = 0, round = 0] = runs.slice(at);
        for (let i = 0; i < pixels; i++) found.push(`${first + i} ${round}`);
      }
      const expected: string[] = [];
      for (let row = rows.lo; row < rows.hi; row++)
        for (let x = cols.lo; x < cols.hi; x++)
          expected.push(`${pixelIndex(stripes, row, x)} ${roundPixels(stripes, row, x)}`);
      expect(found.sort()).toEqual(expected.sort());
    }),
    { numRuns: 500 },
  );
});
