import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Access, handoversOf, type Phase, QUEUES, withHandovers } from '../src/backend/phases.js';
import type { Command } from '../src/commands/types.js';

const queue = fc.constantFrom(...QUEUES);
const access: fc.Arbitrary<Access> = fc
  .record({
    queue,
    memory: fc.constantFrom('sram' as const, 'dram' as const),
    start: fc.nat(20),
    bytes: fc.integer({ min: 1, max: 6 }),
    isWrite: fc.boolean(),
  })
  .map(({ bytes, ...rest }) => ({ ...rest, end: rest.start + bytes }));
const phase: fc.Arbitrary<Phase> = fc.record({
  at: fc.constant(0),
  accesses: fc.array(access, { maxLength: 4 }),
  isFenced: fc.integer({ max: 9 }).map((x) => x === 0),
  joins: fc.constantFrom([], [['load', 'compute'] as const], [['compute', 'store'] as const]),
});

/** A queue has commands in a phase where it touches something. */
const isActiveIn = (phases: readonly Phase[]) => (i: number, name: string) =>
  phases[i]?.accesses.some((one) => one.queue === name) ?? false;

/** Whether the end of phase i in queue p comes before the beginning of phase j in queue q, by all orders there are. */
function reachable(phases: readonly Phase[], handovers: ReturnType<typeof handoversOf>) {
  const isActive = isActiveIn(phases);
  const begin = (i: number, q: string): string => `${i} ${q} begins`;
  const end = (i: number, q: string): string => `${i} ${q} ends`;
  const next = new Map<string, string[]>();
  const edge = (from: string, to: string): unknown => next.set(from, [...(next.get(from) ?? []), to]);
  phases.forEach(({ joins, isFenced }, i) => {
    for (const q of QUEUES) {
      edge(begin(i, q), end(i, q));
      edge(end(i, q), begin(i + 1, q));
      if (isFenced && i > 0) for (const p of QUEUES) edge(end(i - 1, p), begin(i, q));
    }
    for (const [p, q] of joins) if (isActive(i, p) && isActive(i, q)) edge(end(i, p), end(i, q));
  });
  for (const { from, to, signal, wait } of handovers) edge(end(signal, from), begin(wait, to));
  return (i: number, p: string, j: number, q: string): boolean => {
    const seen = new Set<string>();
    const open = [end(i, p)];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (at === begin(j, q)) return true;
      if (seen.has(at)) continue;
      seen.add(at);
      open.push(...(next.get(at) ?? []));
    }
    return false;
  };
}

test('every two queues that touch the same bytes are ordered, each pair by signals in the order of the waits', () => {
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 12 }), (phases) => {
      const handovers = handoversOf(phases, isActiveIn(phases));
      const isBefore = reachable(phases, handovers);
      phases.forEach((later, j) => {
        phases.slice(0, j).forEach((earlier, i) => {
          for (const a of earlier.accesses)
            for (const b of later.accesses)
              if (
                a.queue !== b.queue &&
                a.memory === b.memory &&
                (a.isWrite || b.isWrite) &&
                a.start < b.end &&
                b.start < a.end
              )
                expect(isBefore(i, a.queue, j, b.queue)).toBe(true);
        });
      });
      for (const from of QUEUES)
        for (const to of QUEUES) {
          const list = handovers.filter((one) => one.from === from && one.to === to);
          list.slice(1).forEach((one, k) => {
            expect(one.signal).toBeGreaterThan(list[k]?.signal ?? -1);
            expect(one.wait).toBeGreaterThan(list[k]?.wait ?? -1);
          });
        }
      for (const { signal, wait } of handovers) expect(signal).toBeLessThan(wait);
    }),
    { numRuns: 500 },
  );
});

test('no handover can be left out', () => {
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 10 }), (phases) => {
      const handovers = handoversOf(phases, isActiveIn(phases));
      for (const one of handovers) {
        const isBefore = reachable(
          phases,
          handovers.filter((other) => other !== one),
        );
        // Only one that was asked for first and is implied by a later one of the same phase may go.
        const isImplied = isBefore(one.signal, one.from, one.wait, one.to);
        const isOfSharedPhase = handovers.some(
          (other) => other !== one && other.wait === one.wait && other.to === one.to,
        );
        expect(isImplied && !isOfSharedPhase).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});

test('waits and signals go onto commands outside of loops, and onto idle ones where there is none', () => {
  const writes: Access = { queue: 'load', memory: 'sram', start: 0, end: 8, isWrite: true };
  const reads: Access = { queue: 'compute', memory: 'sram', start: 0, end: 8, isWrite: false };
  const commands: Command[] = [
    { op: 'load', fields: {} },
    { op: 'loop', fields: { count: 2 } },
    { op: 'conv', fields: {} },
    { op: 'endLoop', fields: {} },
    { op: 'load', fields: { wait: 8 } },
  ];
  const phases: Phase[] = [
    { at: 0, accesses: [writes], isFenced: false, joins: [] },
    { at: 1, accesses: [reads], isFenced: false, joins: [] },
    { at: 4, accesses: [writes], isFenced: false, joins: [] },
  ];
  const ordered = withHandovers(commands, phases, {
    maskOf: (from) => (from === 'load' ? 1 : 2),
    queueOf: ({ op }) => (op === 'load' ? 'load' : op === 'conv' ? 'compute' : undefined),
    idle: (name, wait, signal) => ({ op: `idle ${name}`, fields: { wait, signal } }),
  });
  expect(ordered.map(({ op, fields }) => `${op} ${fields.wait ?? 0} ${fields.signal ?? 0}`)).toEqual([
    'load 0 1',
    'idle compute 1 0',
    'loop 0 0',
    'conv 0 0',
    'endLoop 0 0',
    'idle compute 0 2',
    'load 10 0',
  ]);
});
