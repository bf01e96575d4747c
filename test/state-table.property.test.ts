/** The table of states at a cut, held against a map of strings; and spans that their own steps match, held against the definition. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { undominatedSpans } from '../src/solver/placement/dominance.js';
import { itemEvents, type PlacementProblem, type Span } from '../src/solver/placement/problem.js';
import { StateTable } from '../src/solver/placement/state-table.js';
import { randomProblem } from './placement-problems.js';

const homesOf = (count: number) => fc.array(fc.constantFrom(0, 1, 2), { minLength: count, maxLength: count });
const states = fc
  .constantFrom(1, 3, 12, 30)
  .chain((count) => fc.array(homesOf(count), { minLength: 1, maxLength: 200 }));
const setOf = (digits: readonly number[], wanted: number): number =>
  digits.reduce((set, digit, position) => (digit === wanted ? set | (1 << position) : set), 0);
const keyOf = (digits: readonly number[]): number =>
  digits.reduce((key, digit, position) => key + digit * 3 ** position, 0);

test('a state has one node, and states are sorted by their homes', () => {
  fc.assert(
    fc.property(states, (list) => {
      const table = new StateTable();
      const nodes = new Map<number, number>();
      for (const digits of [...list, ...list]) {
        const fresh = nodes.size;
        const node = table.nodeOf(setOf(digits, 1), setOf(digits, 2), fresh);
        if (!nodes.has(keyOf(digits))) nodes.set(keyOf(digits), fresh);
        expect(node).toBe(nodes.get(keyOf(digits)));
      }
      const wanted = [...nodes].sort(([a], [b]) => b - a).map(([, node]) => node);
      expect([...table.sorted()].map((state) => table.node[state])).toEqual(wanted);
    }),
    { numRuns: 100 },
  );
});

/** From the definition: every step by its choice of least room with the span's homes, all else in SRAM. */
function isMatched(problem: PlacementProblem, span: Span): boolean {
  const events = itemEvents(problem);
  const bytesOf = (item: number): number => problem.items[item]?.sramBytes ?? 0;
  const steps = problem.steps.slice(span.first, span.last + 1);
  const isRead = (item: number): boolean => span.uses.some((use) => use.item === item);
  const inSram = (item: number): boolean =>
    span.uses.find((use) => use.item === item)?.fromSram ??
    span.outputs.find((output) => output.item === item)?.toSram ??
    true;
  const borders = [
    ...span.uses.filter(({ fromSram }) => fromSram),
    ...span.outputs.filter(({ toSram, over }) => toSram && over < 0),
  ];
  const taken = span.workspaceBytes + borders.reduce((sum, { item }) => sum + bytesOf(item), 0);
  if (taken > problem.capacityBytes) return false;
  let traffic = (span.streamedSteps ?? []).reduce((sum, t) => sum + (problem.steps[t]?.weightBytes ?? 0), 0);
  const items = new Set([
    ...span.uses.map(({ item }) => item).filter(inSram),
    ...steps.map(({ output }) => output).filter((item) => span.outputs.find((o) => o.item === item)?.toSram ?? true),
  ]);
  for (const [i, step] of steps.entries()) {
    const t = span.first + i;
    const toSram = span.outputs.find((output) => output.item === step.output)?.toSram ?? true;
    const ways = step.choices
      .filter((choice) => choice.weightPasses <= 1 && choice.toSram === toSram)
      .filter((choice) =>
        step.uses.every((use, u) => {
          const border = span.uses.find(({ item }) => item === use.item);
          return choice.usesFromSram[u] === (border?.fromSram ?? true);
        }),
      )
      .map(({ workspaceBytes, heldWeightBytes, trafficBytes }) => ({
        bytes: workspaceBytes + heldWeightBytes,
        trafficBytes,
      }));
    const [least] = ways.sort((a, b) => a.bytes - b.bytes);
    if (least === undefined) return false;
    const live = [...items].filter((item) => {
      const { firstWrite = 0, lastWrite = 0, reads = [] } = events[item] ?? {};
      return isRead(item) || (firstWrite <= t && Math.max(lastWrite, ...reads) >= t);
    });
    if (least.bytes + live.reduce((sum, item) => sum + bytesOf(item), 0) > taken) return false;
    traffic += least.trafficBytes;
  }
  return traffic <= span.trafficBytes;
}

test('spans that their own steps match are left out, and no others', () => {
  const counts = { left: 0, dropped: 0 };
  const wrong: { seed: number; span: number }[] = [];
  for (let seed = 0; seed < 1200; seed += 1) {
    const problem = randomProblem(seed, { steps: 5, capacityUnits: 14 });
    const left = new Set(undominatedSpans(problem));
    counts.left += left.size;
    counts.dropped += problem.spans.length - left.size;
    problem.spans.forEach((span, index) => {
      if (left.has(span) === isMatched(problem, span)) wrong.push({ seed, span: index });
    });
  }
  expect(wrong).toEqual([]);
  expect(counts.left).toBeGreaterThan(400);
  expect(counts.dropped).toBeGreaterThan(8);
});
