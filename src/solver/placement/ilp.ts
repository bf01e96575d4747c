import { LinearModelBuilder, type LinearSolver, type LinearTerm } from '../linear/model.js';
import { evaluate, inPlaceOperand } from './evaluate.js';
import { type ItemEvents, itemEvents, type PlacementProblem, type ResidentRounding } from './problem.js';
import { fillResident } from './resident-fill.js';
import type { SearchResult } from './shortest-path.js';

/**
 * The placement as one ILP. Columns, with the item or step that they belong to:
 *
 *   y[t,c]   step t runs by its choice c                                            binary, one per step
 *   k[v,j]   item v is kept in SRAM from its event j to event j+1                   binary
 *   l[v,j]   item v is loaded whole just before its event j                         binary
 *   d[v]     item v has a DRAM copy;  s[v] it was produced in SRAM and copied       binary; continuous
 *   w[t,g]   share of step t's weights that is resident, per group g of choices     continuous
 *   h[t]     held weights of step t beyond the resident ones                        continuous
 *
 * Groups g collect choices that read the weights equally often: w[t,g] <= the sum of their y. Without the split, the saving
 * would be a product of two columns, and a big constant in its place would make the relaxation weak.
 *
 * Bytes are KiB in the matrix. The optimum of the relaxation is a bound for all plans that these choices can express.
 */
export interface PlacementModel {
  readonly model: LinearModelBuilder;
  readonly choiceColumns: readonly (readonly number[])[]; // per step, per choice; -1 where it can never fit
  readonly loadColumns: readonly ReadonlyMap<number, number>[]; // per item: reading step -> l column
  readonly capacityRows: readonly number[]; // per step
}

const KIB = 1024;

export function buildPlacementModel(problem: PlacementProblem): PlacementModel {
  const model = new LinearModelBuilder();
  const events = itemEvents(problem);
  const capacity: LinearTerm[][] = problem.steps.map(() => []);
  const resident: LinearTerm[] = [];
  const choiceColumns = problem.steps.map((step, t) => {
    const columns = step.choices.map((choice, c) => {
      const bytes = ownBytes(problem, events, t, c);
      if (bytes > problem.capacityBytes) return -1;
      const cost = (choice.trafficBytes + choice.weightPasses * step.weightBytes) / KIB;
      const column = model.column(`y_${t}_${c}`, cost, 1, true);
      capacity[t]?.push({ column, coefficient: bytes / KIB });
      return column;
    });
    model.row(
      `one_${t}`,
      columns.filter((c) => c >= 0).map((column) => ({ column, coefficient: 1 })),
      1,
      1,
    );
    addWeights(model, problem, t, columns, capacity, resident);
    return columns;
  });
  const loadColumns = problem.items.map((_, item) => addItem(model, problem, events, item, choiceColumns, capacity));
  const capacityRows = problem.steps.map((_, t) => {
    model.row(
      `sram_${t}`,
      [...(capacity[t] ?? []), ...resident],
      Number.NEGATIVE_INFINITY,
      problem.capacityBytes / KIB,
    );
    return model.rows.length - 1;
  });
  return { model, choiceColumns, loadColumns, capacityRows };
}

/** SRAM that a choice takes at its own step: workspace, operands and output in SRAM. */
function ownBytes(problem: PlacementProblem, events: readonly ItemEvents[], t: number, c: number): number {
  const step = problem.steps[t];
  const choice = step?.choices[c];
  if (step === undefined || choice === undefined) return Number.POSITIVE_INFINITY;
  let bytes = choice.workspaceBytes;
  step.uses.forEach((use, i) => {
    if (choice.usesFromSram[i] === true) bytes += problem.items[use.item]?.sramBytes ?? 0;
  });
  if (choice.toSram && inPlaceOperand(problem, choice, t, events) < 0)
    bytes += problem.items[step.output]?.sramBytes ?? 0;
  return bytes;
}

function addWeights(
  model: LinearModelBuilder,
  problem: PlacementProblem,
  t: number,
  columns: readonly number[],
  capacity: LinearTerm[][],
  resident: LinearTerm[],
): void {
  const step = problem.steps[t];
  if (step === undefined || step.weightBytes === 0) return;
  const groups = new Map<string, number[]>();
  step.choices.forEach((choice, c) => {
    if ((columns[c] ?? -1) < 0) return;
    const key = choice.residency === 'all'
      ? 'all'
      : `${choice.weightPasses}${choice.heldWeightBytes > 0 ? 'held' : ''}`;
    groups.set(key, [...(groups.get(key) ?? []), c]);
  });
  for (const [key, members] of groups) {
    const passes = step.choices[members[0] ?? -1]?.weightPasses ?? 1;
    const saved = key === 'all' ? 0 : passes;
    const share = model.column(`w_${t}_${key}`, (-saved * step.weightBytes) / KIB, 1, false);
    resident.push({ column: share, coefficient: step.weightBytes / KIB });
    const ys = members.map((c) => ({ column: columns[c] ?? -1, coefficient: -1 }));
    model.row(
      `share_${t}_${key}`,
      [{ column: share, coefficient: 1 }, ...ys],
      key === 'all' ? 0 : Number.NEGATIVE_INFINITY,
      0,
    );
    const isHeld = (step.choices[members[0] ?? -1]?.heldWeightBytes ?? 0) > 0;
    if (!isHeld) continue;
    const held = model.column(`h_${t}`, 0, step.weightBytes / KIB, false);
    capacity[t]?.push({ column: held, coefficient: 1 });
    model.row(
      `held_${t}`,
      [
        { column: held, coefficient: 1 },
        { column: share, coefficient: step.weightBytes / KIB },
        ...members.map((c) => ({
          column: columns[c] ?? -1,
          coefficient: -(step.choices[c]?.heldWeightBytes ?? 0) / KIB,
        })),
      ],
      0,
      Number.POSITIVE_INFINITY,
    );
  }
}

/** The life of one item: what is kept between its events, loads, the DRAM copy. Returns its load columns by step. */
function addItem(
  model: LinearModelBuilder,
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  item: number,
  choiceColumns: readonly (readonly number[])[],
  capacity: LinearTerm[][],
): Map<number, number> {
  const loads = new Map<number, number>();
  const facts = problem.items[item];
  const life = events[item];
  if (facts === undefined || life === undefined) return loads;
  const size = facts.sramBytes / KIB;
  const producedBy = (t: number): LinearTerm[] => terms(problem, choiceColumns, t, (c) => c.toSram);
  const readFromSram = (t: number): LinearTerm[] => {
    const use = problem.steps[t]?.uses.findIndex((u) => u.item === item) ?? -1;
    return terms(problem, choiceColumns, t, (c) => c.usesFromSram[use] === true);
  };
  const produced = facts.startsInDram ? [] : producedBy(life.firstWrite);
  for (const t of life.writes.slice(1)) model.row(`same_${item}_${t}`, [...producedBy(t), ...negate(produced)], 0, 0);
  const copy = model.column(`d_${item}`, 0, 1, true);
  if (facts.endsInDram || facts.startsInDram) model.row(`copy_${item}`, [{ column: copy, coefficient: 1 }], 1, 1);
  if (!facts.startsInDram) {
    const spill = model.column(`s_${item}`, facts.dramBytes / KIB, 1, false);
    model.row(
      `spill_${item}`,
      [{ column: spill, coefficient: 1 }, { column: copy, coefficient: -1 }, ...negate(produced)],
      -1,
      Number.POSITIVE_INFINITY,
    );
    model.row(`home_${item}`, [{ column: copy, coefficient: 1 }, ...produced], 1, Number.POSITIVE_INFINITY);
  }
  const steps = [...new Set([...life.writes, ...life.reads])].sort((a, b) => a - b);
  let previous = -1; // k column of the segment that ends at the event
  steps.forEach((t, j) => {
    const isWrite = life.writes.includes(t);
    const isRead = life.reads.includes(t);
    const inSram = isWrite ? (t < 0 ? [] : producedBy(t)) : readFromSram(t);
    if (isRead && t <= life.lastWrite) model.row(`early_${item}_${t}`, [...readFromSram(t), ...negate(produced)], 0, 0);
    else if (isRead) {
      const load = model.column(`l_${item}_${t}`, facts.dramBytes / KIB, 1, true);
      loads.set(t, load);
      const kept = previous >= 0 ? [{ column: previous, coefficient: -1 }] : [];
      model.row(
        `avail_${item}_${t}`,
        [...readFromSram(t), { column: load, coefficient: -1 }, ...kept],
        Number.NEGATIVE_INFINITY,
        0,
      );
      model.row(
        `needl_${item}_${t}`,
        [
          { column: load, coefficient: 1 },
          { column: copy, coefficient: -1 },
        ],
        Number.NEGATIVE_INFINITY,
        0,
      );
      model.row(
        `needd_${item}_${t}`,
        [...readFromSram(t), { column: copy, coefficient: 1 }],
        1,
        Number.POSITIVE_INFINITY,
      );
    }
    const next = steps[j + 1];
    if (next === undefined || inSram.length === 0) {
      previous = -1;
      return;
    }
    const keep = model.column(`k_${item}_${j}`, 0, 1, true);
    const isOpen = t < life.lastWrite; // still being written: in SRAM throughout, or not at all
    model.row(
      `keep_${item}_${j}`,
      [{ column: keep, coefficient: 1 }, ...negate(isOpen ? produced : inSram)],
      isOpen ? 0 : Number.NEGATIVE_INFINITY,
      0,
    );
    for (let s = t + 1; s < next; s += 1) capacity[s]?.push({ column: keep, coefficient: size });
    previous = keep;
  });
  return loads;
}

function terms(
  problem: PlacementProblem,
  choiceColumns: readonly (readonly number[])[],
  t: number,
  admits: (choice: PlacementProblem['steps'][number]['choices'][number]) => boolean,
): LinearTerm[] {
  const columns = choiceColumns[t] ?? [];
  const result: LinearTerm[] = [];
  problem.steps[t]?.choices.forEach((choice, c) => {
    const column = columns[c] ?? -1;
    if (column >= 0 && admits(choice)) result.push({ column, coefficient: 1 });
  });
  return result;
}

function negate(list: readonly LinearTerm[]): LinearTerm[] {
  return list.map((term) => ({ column: term.column, coefficient: -term.coefficient }));
}

/** What a solution of the model says, with the resident shares filled anew in whole bytes. */
export function readSolution(
  problem: PlacementProblem,
  built: PlacementModel,
  values: Float64Array,
  roundResident: ResidentRounding,
): SearchResult | undefined {
  const choices = built.choiceColumns.map((columns) => {
    let best = -1;
    columns.forEach((column, c) => {
      if (column >= 0 && (values[column] ?? 0) > 0.5) best = c;
    });
    return best;
  });
  if (choices.some((choice) => choice < 0)) return undefined;
  const reloads = problem.steps.map((step, t) =>
    step.uses.map((use, i) => {
      const column = built.loadColumns[use.item]?.get(t);
      return (
        column !== undefined && (values[column] ?? 0) > 0.5 && step.choices[choices[t] ?? -1]?.usesFromSram[i] === true
      );
    }),
  );
  const placement = fillResident(problem, choices, reloads, roundResident);
  const evaluation = evaluate(problem, placement);
  return evaluation.errors.length === 0 ? { placement, evaluation } : undefined;
}

export interface IlpOutcome {
  readonly best: SearchResult;
  readonly boundBytes: number; // of the relaxation: a proof for every plan that the choices can express
  readonly status: 'optimal' | 'time-limit' | 'incumbent';
  readonly seconds: number;
  readonly variables: number;
  readonly constraints: number;
  /** Per step: traffic saved by one more byte of SRAM there, from the relaxation's duals. */
  readonly sramValue: readonly number[];
}

/**
 * Solves the relaxation for the bound; then, unless the incumbent is within the gap already, fixes the choices whose reduced
 * cost proves that they are in no better plan, adds the incumbent as a cut-off, and lets the solver search what is left.
 *
 * @param timeLimitSeconds for the search; the relaxation is always solved to its end
 */
export function solvePlacementIlp(
  problem: PlacementProblem,
  incumbent: SearchResult,
  roundResident: ResidentRounding,
  solver: LinearSolver,
  options: { readonly gap: number; readonly timeLimitSeconds: number },
): IlpOutcome {
  const started = process.hrtime.bigint();
  const seconds = (): number => Number(process.hrtime.bigint() - started) / 1e9;
  const built = buildPlacementModel(problem);
  const relaxed = solver.solve(built.model, { relax: true, gap: 0, timeLimitSeconds: 600 });
  const size = { variables: built.model.columns.length, constraints: built.model.rows.length };
  const sramValue = built.capacityRows.map((row) => Math.max(0, -(relaxed.rowDuals[row] ?? 0)));
  if (relaxed.status !== 'optimal') {
    return { best: incumbent, boundBytes: 0, status: 'incumbent', seconds: seconds(), ...size, sramValue };
  }
  const boundBytes = Math.floor(relaxed.objective * KIB - 1e-3);
  const incumbentBytes = incumbent.evaluation.trafficBytes;
  if (incumbentBytes - boundBytes <= options.gap * incumbentBytes) {
    return { best: incumbent, boundBytes, status: 'optimal', seconds: seconds(), ...size, sramValue };
  }
  const reduced = fixByReducedCost(built, relaxed.rowDuals, relaxed.objective, incumbentBytes / KIB);
  const answer = solver.solve(reduced, { relax: false, gap: options.gap, timeLimitSeconds: options.timeLimitSeconds });
  let best = incumbent;
  if (answer.status === 'optimal' || answer.status === 'feasible') {
    const found = readSolution(problem, built, answer.values, roundResident);
    if (found !== undefined && found.evaluation.trafficBytes < incumbentBytes) best = found;
  }
  const finished = answer.status === 'optimal' || answer.status === 'infeasible';
  // Finished: nothing is better by more than the gap, or by the cut-off's one KiB. Else the relaxation is what is proven.
  const proven = Math.min(best.evaluation.trafficBytes * (1 - options.gap), incumbentBytes - KIB);
  return {
    best,
    boundBytes: finished ? Math.max(boundBytes, Math.floor(proven)) : boundBytes,
    status: finished ? 'optimal' : 'time-limit',
    seconds: seconds(),
    ...size,
    sramValue,
  };
}

/** The model with the columns fixed at zero whose reduced cost alone exceeds what the incumbent leaves, and a cut-off row. */
function fixByReducedCost(
  built: PlacementModel,
  rowDuals: Float64Array,
  relaxedObjective: number,
  incumbentObjective: number,
): LinearModelBuilder {
  const { model } = built;
  const reducedCost = Float64Array.from(model.columns, (column) => column.cost);
  model.rows.forEach((row, i) => {
    const dual = rowDuals[i] ?? 0;
    if (dual !== 0)
      for (const term of row.terms)
        reducedCost[term.column] = (reducedCost[term.column] ?? 0) - dual * term.coefficient;
  });
  const slack = incumbentObjective - relaxedObjective;
  const result = new LinearModelBuilder();
  model.columns.forEach((column, i) => {
    const isOut = column.integer && (reducedCost[i] ?? 0) > slack + 1e-6;
    result.columns.push(isOut ? { ...column, upper: 0 } : column);
  });
  for (const row of model.rows) result.rows.push(row);
  result.row(
    'cutoff',
    model.columns.flatMap((column, i) => (column.cost === 0 ? [] : [{ column: i, coefficient: column.cost }])),
    Number.NEGATIVE_INFINITY,
    incumbentObjective - 1,
  );
  return result;
}
