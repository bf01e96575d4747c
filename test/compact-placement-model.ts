import { LinearModelBuilder, type LinearTerm } from '../src/solver/linear/model.js';
import {
  type Execution,
  type ItemEvents,
  itemEvents,
  overwrittenItem,
  type PlacementProblem,
  type Span,
  stepExecution,
} from '../src/solver/placement/problem.js';

/**
 * A second formulation of placement, to hold the solver against: columns by item and step, with no graph of states. Where
 * several capacity rows meet in a span it counts too little, never too much: its relaxation is a bound.
 *
 *
 *   y[t,c]   step t runs by its choice c                                            binary, one per step
 *   k[v,j]   item v is kept in SRAM from its event j to event j+1                   binary
 *   l[v,j]   item v is loaded whole just before its event j                         binary
 *   d[v]     item v has a DRAM copy;  s[v] it was produced in SRAM and copied       binary; continuous
 *   w[t,g]   share of step t's weights that is resident, per group g of choices     continuous
 *   b[s]     the steps of span s run as one block; w[s] the resident share of its weights
 *
 * Groups g collect choices that read the weights equally often: w[t,g] <= the sum of their y. Without the split, the saving
 * would be a product of two columns, and a big constant in its place would make the relaxation weak.
 *
 * Bytes are KiB in the matrix. The optimum of the relaxation is a bound for all plans that these choices can express.
 */
export interface PlacementModel {
  readonly model: LinearModelBuilder;
  readonly choiceColumns: readonly (readonly number[])[]; // per step, per choice; -1 where it can never fit
  readonly spanColumns: readonly number[]; // per span; -1 where it can never fit or was left out
  readonly loadColumns: readonly ReadonlyMap<number, number>[]; // per item: reading step -> l column
  readonly capacityRows: readonly number[]; // per step
}

const KIB = 1024;

/** What is being put together: rows of capacity and covers grow term by term. */
interface Draft {
  readonly problem: PlacementProblem;
  readonly events: readonly ItemEvents[];
  readonly model: LinearModelBuilder;
  readonly capacity: LinearTerm[][];
  readonly cover: LinearTerm[][];
  readonly choiceColumns: number[][];
  readonly spanColumns: number[];
}

export function buildPlacementModel(
  problem: PlacementProblem,
  events: readonly ItemEvents[] = itemEvents(problem),
): PlacementModel {
  const model = new LinearModelBuilder();
  const draft: Draft = {
    problem,
    events,
    model,
    capacity: problem.steps.map(() => []),
    cover: problem.steps.map(() => []),
    choiceColumns: problem.steps.map(() => []),
    spanColumns: [],
  };
  problem.steps.forEach((_, t) => {
    addStep(draft, t);
  });
  for (const span of problem.spans) addSpan(draft, span);
  draft.cover.forEach((terms, t) => {
    model.row(`one_${t}`, terms, 1, 1);
  });
  const readers = spansByStep(problem);
  const loadColumns = problem.items.map((_, item) => addItem(draft, item, readers));
  const capacityRows = draft.capacity.map((terms, t) => {
    model.row(`sram_${t}`, terms, Number.NEGATIVE_INFINITY, problem.capacityBytes / KIB);
    return model.rows.length - 1;
  });
  return { model, choiceColumns: draft.choiceColumns, spanColumns: draft.spanColumns, loadColumns, capacityRows };
}

function addStep(draft: Draft, t: number): void {
  const { problem, model } = draft;
  const step = problem.steps[t];
  if (step === undefined) return;
  const groups = new Map<string, { columns: number[]; passes: number; held: boolean }>();
  step.choices.forEach((choice, c) => {
    const execution = stepExecution(problem, t, c);
    const bytes = execution === undefined ? Number.POSITIVE_INFINITY : ownBytes(draft, execution);
    if (bytes > problem.capacityBytes) {
      draft.choiceColumns[t]?.push(-1);
      return;
    }
    const column = model.column(
      `y_${t}_${c}`,
      (choice.trafficBytes + choice.weightPasses * step.weightBytes) / KIB,
      1,
      true,
    );
    draft.choiceColumns[t]?.push(column);
    draft.cover[t]?.push({ column, coefficient: 1 });
    draft.capacity[t]?.push({ column, coefficient: (bytes + choice.heldWeightBytes) / KIB });
    if (choice.residency === 'none' || step.weightBytes === 0) return;
    const held = choice.heldWeightBytes > 0;
    const key = `${choice.weightPasses}${held}`;
    const group = groups.get(key) ?? { columns: [], passes: choice.weightPasses, held };
    group.columns.push(column);
    groups.set(key, group);
  });
  for (const group of groups.values()) addResidents(draft, t, t, step.weightBytes, group);
}

/** A block's column counts all its weights at its own steps; resident ones count everywhere else only. */
function addSpan(draft: Draft, span: Span): void {
  const { problem, model } = draft;
  const execution = { ...span, span: 0, choice: -1, weightPasses: 1, residency: 'any' as const };
  const bytes = ownBytes(draft, execution);
  let weightBytes = 0;
  for (let t = span.first; t <= span.last; t += 1) weightBytes += problem.steps[t]?.weightBytes ?? 0;
  if (bytes > problem.capacityBytes) {
    draft.spanColumns.push(-1);
    return;
  }
  const column = model.column(`b_${span.first}_${span.last}`, (span.trafficBytes + weightBytes) / KIB, 1, true);
  draft.spanColumns.push(column);
  for (let t = span.first; t <= span.last; t += 1) {
    draft.cover[t]?.push({ column, coefficient: 1 });
    draft.capacity[t]?.push({ column, coefficient: (workspaceAt(draft, span, t) + span.heldWeightBytes) / KIB });
  }
  if (weightBytes > 0)
    addResidents(draft, span.first, span.last, weightBytes, { columns: [column], passes: 1, held: true });
}

/**
 * The bytes of weights of steps [first, last] that are resident while one of `columns` is chosen: at most all of them, only then.
 * Held weights are counted by the choice itself at its own steps, so there the resident ones are not counted again.
 */
function addResidents(
  draft: Draft,
  first: number,
  last: number,
  weightBytes: number,
  group: { columns: readonly number[]; passes: number; held: boolean },
): void {
  const { model, capacity } = draft;
  const share = model.column(`w_${first}_${last}`, (-group.passes * weightBytes) / KIB, 1, false);
  model.row(
    `share_${first}_${last}`,
    [{ column: share, coefficient: 1 }, ...group.columns.map((column) => ({ column, coefficient: -1 }))],
    Number.NEGATIVE_INFINITY,
    0,
  );
  capacity.forEach((terms, t) => {
    const isOwn = group.held && t >= first && t <= last;
    if (!isOwn) terms.push({ column: share, coefficient: weightBytes / KIB });
  });
}

/** SRAM that an execution takes itself: workspace, operands and outputs in SRAM; held weights apart. */
function ownBytes(draft: Draft, execution: Execution): number {
  const { problem, events } = draft;
  let bytes = execution.workspaceBytes;
  for (const use of execution.uses) if (use.fromSram) bytes += problem.items[use.item]?.sramBytes ?? 0;
  for (const output of execution.outputs) {
    if (output.toSram && overwrittenItem(problem, events, execution, output) < 0)
      bytes += problem.items[output.item]?.sramBytes ?? 0;
  }
  return bytes;
}

/**
 * What a span takes at one of its steps, less what the k columns of its items count there already: an input before its first
 * read inside and after its last when it lives on, an output after its write. Never more than the span really takes, so
 * that the relaxation stays a bound.
 */
function workspaceAt(draft: Draft, span: Span, t: number): number {
  const { problem, events } = draft;
  let bytes = span.workspaceBytes;
  const execution = { ...span, span: 0, choice: -1, weightPasses: 1, residency: 'any' as const };
  const takenAt = new Map(
    span.outputs.map((output) => [
      overwrittenItem(problem, events, execution, output),
      events[output.item]?.firstWrite ?? -1,
    ]),
  );
  for (const use of span.uses) {
    const life = events[use.item];
    if (!use.fromSram || life === undefined || t > (takenAt.get(use.item) ?? t)) continue;
    const inside = life.reads.filter((read) => read >= span.first && read <= span.last);
    const isAtRead = inside.includes(t);
    const diesBefore = (life.reads[life.reads.length - 1] ?? -1) < t;
    if (isAtRead || diesBefore) bytes += problem.items[use.item]?.sramBytes ?? 0;
  }
  for (const output of span.outputs) {
    const life = events[output.item];
    if (!output.toSram || life === undefined || overwrittenItem(problem, events, execution, output) >= 0) continue;
    if (t <= life.firstWrite || life.writes.includes(t)) bytes += problem.items[output.item]?.sramBytes ?? 0;
  }
  return bytes;
}

/** Spans by the steps that they cover. */
function spansByStep(problem: PlacementProblem): readonly (readonly number[])[] {
  const list: number[][] = problem.steps.map(() => []);
  problem.spans.forEach((span, index) => {
    for (let t = span.first; t <= span.last; t += 1) list[t]?.push(index);
  });
  return list;
}

/** The life of one item: what is kept between its events, loads, the DRAM copy. Returns its load columns by step. */
function addItem(draft: Draft, item: number, spansAt: readonly (readonly number[])[]): Map<number, number> {
  const { model, problem, events, capacity } = draft;
  const loads = new Map<number, number>();
  const facts = problem.items[item];
  const life = events[item];
  if (facts === undefined || life === undefined) return loads;
  const size = facts.sramBytes / KIB;
  const producedBy = (t: number): LinearTerm[] => [
    ...choiceTerms(draft, t, (c) => c.toSram),
    ...spanTerms(draft, spansAt[t] ?? [], (span) =>
      span.outputs.some((output) => output.item === item && output.toSram),
    ),
  ];
  const readFromSram = (t: number): LinearTerm[] => {
    const use = problem.steps[t]?.uses.findIndex((u) => u.item === item) ?? -1;
    const reads = (span: Span): boolean => span.uses.some((u) => u.item === item && u.fromSram);
    return [
      ...choiceTerms(draft, t, (c) => c.usesFromSram[use] === true),
      ...spanTerms(draft, spansAt[t] ?? [], reads),
    ];
  };
  /** Spans that make the item and read it at t: for those it is in no home. */
  const within = (t: number): LinearTerm[] =>
    spanTerms(
      draft,
      spansAt[t] ?? [],
      (span) => !span.uses.some((u) => u.item === item) && span.first <= life.firstWrite && life.firstWrite <= t,
    );
  /** Spans in which the item lives and dies. */
  const internal = spanTerms(
    draft,
    spansAt[Math.max(0, life.firstWrite)] ?? [],
    (span) => !span.uses.some((u) => u.item === item) && !span.outputs.some((o) => o.item === item),
  );
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
    model.row(
      `home_${item}`,
      [{ column: copy, coefficient: 1 }, ...produced, ...internal],
      1,
      Number.POSITIVE_INFINITY,
    );
  }
  const steps = [...new Set([...life.writes, ...life.reads])].sort((a, b) => a - b);
  let previous = -1; // k column of the segment that ends at the event
  steps.forEach((t, j) => {
    const isWrite = life.writes.includes(t);
    const isRead = life.reads.includes(t);
    const inSram = isWrite
      ? t < 0
        ? []
        : producedBy(t)
      : [...readFromSram(t), ...within(t).filter((term) => produced.some((p) => p.column === term.column))];
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
        [...readFromSram(t), ...within(t), { column: copy, coefficient: 1 }],
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

function spanTerms(draft: Draft, indexes: readonly number[], admits: (span: Span) => boolean): LinearTerm[] {
  const terms: LinearTerm[] = [];
  for (const index of indexes) {
    const span = draft.problem.spans[index];
    const column = draft.spanColumns[index] ?? -1;
    if (span !== undefined && column >= 0 && admits(span)) terms.push({ column, coefficient: 1 });
  }
  return terms;
}

function choiceTerms(
  draft: Draft,
  t: number,
  admits: (choice: PlacementProblem['steps'][number]['choices'][number]) => boolean,
): LinearTerm[] {
  const columns = draft.choiceColumns[t] ?? [];
  const result: LinearTerm[] = [];
  draft.problem.steps[t]?.choices.forEach((choice, c) => {
    const column = columns[c] ?? -1;
    if (column >= 0 && admits(choice)) result.push({ column, coefficient: 1 });
  });
  return result;
}

function negate(list: readonly LinearTerm[]): LinearTerm[] {
  return list.map((term) => ({ column: term.column, coefficient: -term.coefficient }));
}
