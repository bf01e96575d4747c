import { type Evaluation, evaluate } from '../src/solver/placement/evaluate.js';
import {
  type Choice,
  executionsOf,
  itemEvents,
  type Placement,
  type PlacementItem,
  type PlacementProblem,
  type PlacementStep,
  type Span,
} from '../src/solver/placement/problem.js';
import { randomOf } from './program-arbitraries.js';

/** All sizes are multiples of this: large enough that bounds have intervals of resident bytes to halve. */
export const UNIT_BYTES = 1000;

type Random = () => number;

function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** A problem with everything in it that problems may have: parts of items, reads before they are whole, spans, in place. */
export function randomProblem(seed: number, size: { steps: number; capacityUnits: number }): PlacementProblem {
  const random = randomOf(seed);
  const items: PlacementItem[] = [];
  const addItem = (startsInDram: boolean): number => {
    const bytes = UNIT_BYTES * between(random, 1, 4);
    return (
      items.push({
        name: `i${items.length}`,
        sramBytes: bytes,
        dramBytes: bytes,
        startsInDram,
        endsInDram: random() < 0.15,
      }) - 1
    );
  };
  addItem(true);
  const steps: PlacementStep[] = [];
  for (let t = 0; t < size.steps; t += 1) {
    const readable = items.map((_, item) => item);
    const known = between(random, 0, items.length - 1);
    const isPart = t > 0 && random() < 0.2 && items[known]?.startsInDram === false;
    const output = isPart ? known : addItem(false);
    const wanted = new Set([between(random, Math.max(0, readable.length - 2), readable.length - 1)]);
    if (random() < 0.4) wanted.add(between(random, 0, readable.length - 1));
    wanted.delete(output);
    const uses = [...wanted].map((item) => ({ item, inPlace: random() < 0.4 }));
    const weightBytes = random() < 0.3 ? 0 : UNIT_BYTES * between(random, 1, 3);
    const outputDramBytes = items[output]?.dramBytes ?? 0;
    const step = { name: `s${t}`, uses, output, outputDramBytes, weightBytes };
    steps.push({ ...step, choices: randomChoices(random, step, items) });
  }
  const last = items.length - 1;
  const ended = items.map((item, index) => (index === last ? { ...item, endsInDram: true } : item));
  const problem = { capacityBytes: UNIT_BYTES * size.capacityUnits, items: ended, steps, spans: [] };
  return { ...problem, spans: randomSpans(random, problem) };
}

function randomChoices(
  random: Random,
  step: Omit<PlacementStep, 'choices'>,
  items: readonly PlacementItem[],
): Choice[] {
  const choices: Choice[] = [];
  const homes = 1 << (step.uses.length + 1);
  for (let mask = 0; mask < homes; mask += 1) {
    if (mask > 0 && random() < 0.25) continue;
    const usesFromSram = step.uses.map((_, i) => (mask & (2 << i)) !== 0);
    const toSram = (mask & 1) !== 0;
    let trafficBytes = toSram ? 0 : step.outputDramBytes;
    step.uses.forEach((use, i) => {
      if (usesFromSram[i] === false) trafficBytes += (items[use.item]?.dramBytes ?? 0) * between(random, 1, 2);
    });
    for (let option = 0; option < between(random, 1, 2); option += 1) {
      const isHeld = step.weightBytes > 0 && random() < 0.5;
      const weightPasses = isHeld ? 1 : between(random, 1, 3);
      const rereadTableBytes = step.weightBytes > 0 && random() < 0.5 ? (weightPasses - 1) * (UNIT_BYTES / 2) : 0;
      choices.push({
        usesFromSram,
        toSram,
        workspaceBytes: UNIT_BYTES * between(random, 0, 2),
        heldWeightBytes: isHeld ? step.weightBytes + (random() < 0.3 ? UNIT_BYTES / 2 : 0) : 0,
        weightPasses,
        residency: random() < 0.2 ? 'none' : 'any',
        trafficBytes: trafficBytes - rereadTableBytes,
        rereadTableBytes,
      });
    }
  }
  return choices;
}

function randomSpans(random: Random, problem: PlacementProblem): Span[] {
  const spans: Span[] = [];
  const events = itemEvents(problem);
  for (let first = 0; first < problem.steps.length; first += 1) {
    for (let last = first + 1; last < problem.steps.length; last += 1) {
      const inside = problem.steps.slice(first, last + 1);
      const used = new Set(inside.flatMap((step) => step.uses.map((use) => use.item)));
      const written = new Set(inside.map((step) => step.output));
      const uses = [...used].filter((item) => (events[item]?.firstWrite ?? -1) < first);
      const outputs = [...written].filter((item) => {
        const life = events[item];
        const outside = [...(life?.writes ?? []), ...(life?.reads ?? [])].some((t) => t < first || t > last);
        return outside || problem.items[item]?.endsInDram === true;
      });
      const borders = new Set([...uses, ...outputs]);
      for (let tries = 0; tries < 2; tries += 1) {
        const inSram = new Set([...borders].filter(() => random() < 0.5));
        let trafficBytes = 0;
        for (const item of borders) if (!inSram.has(item)) trafficBytes += problem.items[item]?.dramBytes ?? 0;
        spans.push({
          first,
          last,
          uses: uses.map((item) => ({ item, fromSram: inSram.has(item) })),
          outputs: outputs.map((item) => ({
            item,
            toSram: inSram.has(item),
            over: random() < 0.4 ? (uses.find((use) => inSram.has(use) && !written.has(use)) ?? -1) : -1,
          })),
          workspaceBytes: UNIT_BYTES * between(random, 0, 2),
          heldWeightBytes: inside.reduce((sum, step) => sum + step.weightBytes, 0),
          trafficBytes,
        });
      }
    }
  }
  return spans;
}

/** Many branches of one input, alive together, then added up one by one. */
export function wideProblem(branches: number): PlacementProblem {
  const items: PlacementItem[] = [];
  const steps: PlacementStep[] = [];
  const addItem = (bytes: number, startsInDram: boolean, endsInDram: boolean): number =>
    items.push({ name: `i${items.length}`, sramBytes: bytes, dramBytes: bytes, startsInDram, endsInDram }) - 1;
  const addStep = (uses: readonly number[], bytes: number, isLast: boolean): number => {
    const output = addItem(bytes, false, isLast);
    const choices: Choice[] = [];
    for (let mask = 0; mask < 2 << uses.length; mask += 1) {
      const usesFromSram = uses.map((_, i) => (mask & (2 << i)) !== 0);
      const toSram = (mask & 1) !== 0;
      let trafficBytes = toSram ? 0 : bytes;
      uses.forEach((item, i) => {
        if (usesFromSram[i] === false) trafficBytes += items[item]?.dramBytes ?? 0;
      });
      const how = { usesFromSram, toSram, workspaceBytes: 100, residency: 'any', trafficBytes } as const;
      choices.push({ ...how, heldWeightBytes: 0, weightPasses: 2 }, { ...how, heldWeightBytes: 900, weightPasses: 1 });
    }
    const all = uses.map((item) => ({ item, inPlace: false }));
    steps.push({ name: `s${steps.length}`, uses: all, output, outputDramBytes: bytes, weightBytes: 900, choices });
    return output;
  };
  const input = addItem(1000, true, false);
  const parts = Array.from({ length: branches }, (_, branch) => addStep([input], 500 + 37 * branch, false));
  parts.reduce((sum, part, branch) => addStep([sum, part], 400, branch === branches - 1));
  return { capacityBytes: 6000, items, steps, spans: [] };
}

/**
 * The least traffic of any placement that the referee accepts, with resident bytes in whole units; Infinity for none.
 */
export function leastTraffic(problem: PlacementProblem): number {
  let best = Number.POSITIVE_INFINITY;
  eachPlacement(
    problem,
    (_, { trafficBytes }) => {
      best = Math.min(best, trafficBytes);
    },
    ({ trafficBytes, executions }) => {
      let most = 0;
      for (const { first, last, weightPasses } of executions)
        for (let t = first; t <= last; t += 1) most += weightPasses * (problem.steps[t]?.weightBytes ?? 0);
      return trafficBytes - most < best;
    },
  );
  return best;
}

/**
 * Every placement that the referee accepts, with resident bytes in whole units: every cover of the steps, every set of reloads, and
 * every resident share. What is visited changes afterwards.
 *
 * @param isWanted asked without resident weights, before the shares are gone through
 */
export function eachPlacement(
  problem: PlacementProblem,
  visit: (placement: Placement, evaluation: Evaluation) => void,
  isWanted: (evaluation: Evaluation) => boolean = () => true,
): void {
  const events = itemEvents(problem);
  const choices = problem.steps.map(() => -1);
  const spans: number[] = [];
  const reloads = problem.steps.map((): number[] => []);
  const residentBytes = problem.steps.map(() => 0);
  const placement = { choices, spans, reloads, residentBytes };
  const withResidents = (t: number): void => {
    if (t === problem.steps.length) {
      const evaluation = evaluate(problem, placement, events);
      if (evaluation.errors.length === 0) visit(placement, evaluation);
      return;
    }
    for (let bytes = 0; bytes <= (problem.steps[t]?.weightBytes ?? 0); bytes += UNIT_BYTES) {
      residentBytes[t] = bytes;
      withResidents(t + 1);
    }
    residentBytes[t] = 0;
  };
  const withReloads = (sets: readonly { step: number; items: readonly number[] }[], index: number): void => {
    const set = sets[index];
    if (set === undefined) {
      const evaluation = evaluate(problem, placement, events);
      if (evaluation.errors.some((error) => !error.startsWith('peak of'))) return;
      if (isWanted(evaluation)) withResidents(0);
      return;
    }
    for (let mask = 0; mask < 1 << set.items.length; mask += 1) {
      reloads[set.step] = set.items.filter((_, i) => (mask & (1 << i)) !== 0);
      withReloads(sets, index + 1);
    }
    reloads[set.step] = [];
  };
  const cover = (t: number): void => {
    if (t === problem.steps.length) {
      const sets = executionsOf(problem, placement).map((execution) => ({
        step: execution.first,
        items: execution.uses.filter((use) => use.fromSram).map((use) => use.item),
      }));
      withReloads(sets, 0);
      return;
    }
    problem.steps[t]?.choices.forEach((_, choice) => {
      choices[t] = choice;
      cover(t + 1);
    });
    choices[t] = -1;
    problem.spans.forEach((span, index) => {
      if (span.first !== t) return;
      spans.push(index);
      cover(span.last + 1);
      spans.pop();
    });
  };
  cover(0);
}
