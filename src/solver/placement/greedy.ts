import { evaluate, type SearchResult } from './evaluate.js';
import { itemEvents, type Placement, type PlacementProblem, type ResidentRounding } from './problem.js';
import { fillResident } from './resident-fill.js';

/** Everything at home in DRAM, nothing resident: each step takes its cheapest choice that fits. */
export function placeNone(problem: PlacementProblem): SearchResult | undefined {
  const choices = problem.steps.map((step) =>
    cheapest(
      step.choices,
      step.weightBytes,
      problem.capacityBytes,
      (choice) => !choice.toSram && choice.usesFromSram.every((s) => !s),
    ),
  );
  if (choices.some((choice) => choice < 0)) return undefined;
  const placement: Placement = {
    choices,
    spans: [],
    reloads: problem.steps.map(() => []),
    residentBytes: problem.steps.map(() => 0),
  };
  return { placement, evaluation: evaluate(problem, placement) };
}

/**
 * The greedy placement: starting from everything in DRAM, keep what saves most traffic per byte and step held.
 *
 * Candidates are the stays of items between two neighbouring events (a write and the next read, or two reads) and the weights
 * of each step (held for all steps). Each round-trip that a stay saves is its gain; gain / (bytes x steps) is its rank.
 * A candidate is taken when every step still has a choice that fits; then the steps pick their cheapest
 * fitting choices and what room is left is filled with resident weights. This is what a careful engineer would write
 * before reaching for a solver.
 */
export function placeGreedy(problem: PlacementProblem, roundResident: ResidentRounding): SearchResult | undefined {
  const none = placeNone(problem);
  if (none === undefined) return undefined;
  let best = none;
  const consider = (placement: Placement | undefined): void => {
    if (placement === undefined) return;
    const evaluation = evaluate(problem, placement);
    if (evaluation.errors.length === 0 && evaluation.trafficBytes < best.evaluation.trafficBytes)
      best = { placement, evaluation };
  };
  consider(fillResident(problem, none.placement, roundResident));
  const stays = rankedStays(problem);
  const kept = new Set<string>();
  const ledger = new SramLedger(problem);
  for (const stay of stays) {
    if (!ledger.tryKeep(stay)) continue;
    for (const key of stay.keys) kept.add(key);
  }
  const settled = settle(problem, kept, ledger);
  if (settled !== undefined) consider(fillResident(problem, settled, roundResident));
  return best;
}

interface Stay {
  readonly item: number;
  readonly startStep: number;
  readonly endStep: number; // half-open: includes the reading step
  readonly keys: readonly string[]; // `${item}@${readStep}` of the read served, and of the writes
  readonly gainBytes: number;
}

function rankedStays(problem: PlacementProblem): Stay[] {
  const stays: Stay[] = [];
  itemEvents(problem).forEach((life, item) => {
    const facts = problem.items[item];
    if (facts === undefined || facts.startsInDram || life.reads.length === 0) return;
    // A produced item is kept from its first write to its last read, or to an earlier read. The more reads, the more saved.
    life.reads.forEach((read, i) => {
      if (read <= life.lastWrite && i < life.reads.length - 1) return;
      const savesWrite = i === life.reads.length - 1 && !facts.endsInDram;
      const gainBytes = facts.dramBytes * (i + 1 + (savesWrite ? 1 : 0));
      stays.push({
        item,
        startStep: life.firstWrite,
        endStep: read + 1,
        keys: life.reads.slice(0, i + 1).map((t) => `${item}@${t}`),
        gainBytes,
      });
    });
  });
  const rank = (stay: Stay): number =>
    stay.gainBytes / ((problem.items[stay.item]?.sramBytes ?? 1) * (stay.endStep - stay.startStep));
  return stays.sort(
    (a, b) => rank(b) - rank(a) || b.gainBytes - a.gainBytes || a.startStep - b.startStep || a.item - b.item,
  );
}

/** What is kept so far, and whether every step can still run in the room that is left. */
class SramLedger {
  readonly keptUntil: number[];
  private readonly problem: PlacementProblem;
  private readonly events;

  constructor(problem: PlacementProblem) {
    this.problem = problem;
    this.events = itemEvents(problem);
    this.keptUntil = problem.items.map(() => -1);
  }

  tryKeep(stay: Stay): boolean {
    const before = this.keptUntil[stay.item] ?? -1;
    if (stay.endStep <= before) return false;
    this.keptUntil[stay.item] = stay.endStep;
    for (let t = stay.startStep; t < stay.endStep; t += 1) {
      if (this.choiceAt(t) < 0) {
        this.keptUntil[stay.item] = before;
        return false;
      }
    }
    return true;
  }

  isInSram(item: number, t: number): boolean {
    const start = this.events[item]?.firstWrite ?? -1;
    return (this.keptUntil[item] ?? -1) > t && start >= 0 && start <= t;
  }

  /** The cheapest choice of step t that agrees with what is kept and fits, or -1. */
  choiceAt(t: number): number {
    const step = this.problem.steps[t];
    if (step === undefined) return -1;
    let passing = 0;
    const touched = new Set([...step.uses.map((u) => u.item), step.output]);
    this.problem.items.forEach((item, i) => {
      if (this.isInSram(i, t)) passing += item.sramBytes;
    });
    const shares = step.uses.some((use) => {
      const life = this.events[use.item];
      const sameSize = this.problem.items[use.item]?.sramBytes === this.problem.items[step.output]?.sramBytes;
      return (
        use.inPlace &&
        sameSize &&
        this.isInSram(use.item, t) &&
        this.isInSram(step.output, t) &&
        life?.reads[life.reads.length - 1] === t &&
        this.events[step.output]?.writes.length === 1 &&
        touched.has(use.item)
      );
    });
    if (shares) passing -= this.problem.items[step.output]?.sramBytes ?? 0;
    return cheapest(step.choices, step.weightBytes, this.problem.capacityBytes - passing, (choice) => {
      if (choice.toSram !== this.isInSram(step.output, t)) return false;
      return step.uses.every((use, i) => choice.usesFromSram[i] === this.isInSram(use.item, t));
    });
  }
}

function settle(
  problem: PlacementProblem,
  kept: ReadonlySet<string>,
  ledger: SramLedger,
): Omit<Placement, 'residentBytes'> | undefined {
  if (kept.size === 0) return undefined;
  const choices = problem.steps.map((_, t) => ledger.choiceAt(t));
  if (choices.some((choice) => choice < 0)) return undefined;
  return { choices, spans: [], reloads: problem.steps.map(() => []) };
}

function cheapest(
  choices: PlacementProblem['steps'][number]['choices'],
  weightBytes: number,
  roomBytes: number,
  admits: (choice: PlacementProblem['steps'][number]['choices'][number]) => boolean,
): number {
  let best = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  choices.forEach((choice, i) => {
    if (!admits(choice) || choice.workspaceBytes + choice.heldWeightBytes > roomBytes) return;
    const cost = choice.trafficBytes + choice.weightPasses * weightBytes;
    if (cost < bestCost) {
      best = i;
      bestCost = cost;
    }
  });
  return best;
}
