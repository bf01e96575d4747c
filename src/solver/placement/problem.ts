import type { Eviction, OutputTail } from './evictions.js';

/**
 * The placement problem: what stays in SRAM, what goes to DRAM, and how each step runs, with no knowledge of the IR.
 *
 * Steps run in order. Each produces (a part of) one item, reads other items, and is carried out by exactly one of its
 * choices. An item is an activation tensor; between two of its events (writes and reads) it is kept in SRAM or it is not.
 *
 *   step          0        1        2        3
 *   item a      write             read     read
 *   in SRAM       |-----------------|                 kept until step 2, read there from SRAM
 *   DRAM copy     |==========================|        written at step 0 (a spill), streamed from DRAM at step 3
 *
 * All sizes that count against the SRAM are rounded up to its alignment by whoever makes the problem.
 */

export interface PlacementItem {
  readonly name: string;
  readonly sramBytes: number; // footprint in SRAM
  readonly dramBytes: number; // bytes moved by a whole spill or reload
  readonly startsInDram: boolean; // a model input
  readonly endsInDram: boolean; // a model output: a DRAM copy must exist at the end
}

export interface ItemUse {
  readonly item: number;
  /** The output may take the place of this operand when the operand's life ends here and both are in SRAM. */
  readonly inPlace: boolean;
}

/** One way to run a step, given where its operands are. */
export interface Choice {
  /** Per use: read from SRAM (true) or streamed from DRAM (false). */
  readonly usesFromSram: readonly boolean[];
  readonly toSram: boolean; // the output is written to SRAM, or streamed to DRAM
  readonly workspaceBytes: number; // tile buffers and weight chunks; not whole operands
  /** Weights loaded whole for the step; the resident share of them costs nothing again. */
  readonly heldWeightBytes: number;
  readonly weightPasses: number; // how often the weights that are not resident are read
  /** Whether a share of the step's weights may be resident: not where passes over the activations depend on what is streamed. */
  readonly residency: 'any' | 'none';
  readonly trafficBytes: number; // streamed reads and writes of activations, less rereadTableBytes
  /**
   * What weightPasses counts too often: tables in front of the weights are read once, not once a pass. A resident share begins
   * with the tables, and then the passes count right. Leaving that out makes a plan look better, never worse: bounds hold.
   */
  readonly rereadTableBytes?: number;
  /** Cycles that the way it runs adds to the step's computeCycles: narrow chunks, fills of the array; an estimate. 0 when absent. */
  readonly extraCycles?: number;
}

export interface PlacementStep {
  readonly name: string;
  readonly uses: readonly ItemUse[]; // distinct items
  readonly output: number; // item
  readonly outputDramBytes: number; // DRAM bytes of the part of the item that this step writes
  readonly weightBytes: number; // as moved
  readonly choices: readonly Choice[];
  /** The least that any machine-filling way to run the step computes for, of all frames; 0 when absent. */
  readonly computeCycles?: number;
}

/**
 * Consecutive steps run as one: what is between them never exists as a whole. Their weights are held (loaded when the span
 * starts) or resident, but for those of streamedSteps. Items that are neither used nor output by the span but by its steps are internal to it.
 */
export interface Span {
  readonly first: number;
  readonly last: number; // inclusive
  readonly uses: readonly { readonly item: number; readonly fromSram: boolean }[];
  readonly outputs: readonly {
    readonly item: number;
    readonly toSram: boolean;
    /** The input whose memory the output may take when the input's life ends here and both are in SRAM; -1 for none. */
    readonly over: number;
    /** Where the output is made in SRAM and its last rows may be streamed out meanwhile. */
    readonly tail?: OutputTail | undefined;
  }[];
  readonly workspaceBytes: number;
  readonly heldWeightBytes: number;
  readonly trafficBytes: number; // streamed reads and writes of activations, and the weights of streamedSteps
  /** Steps whose weights are streamed, all of them and as often as trafficBytes says: none is held or resident. */
  readonly streamedSteps?: readonly number[];
  readonly residency?: 'none'; // any when absent
  readonly extraCycles?: number; // see Choice
}

export interface PlacementProblem {
  readonly capacityBytes: number;
  readonly items: readonly PlacementItem[];
  readonly steps: readonly PlacementStep[];
  readonly spans: readonly Span[];
  /** Tensors may be out of SRAM in part; see evictions.ts. */
  readonly canEvict?: boolean;
  readonly alignmentBytes?: number; // of buffers in SRAM; 1 when absent
  readonly bytesPerCycle?: number; // of the DRAM interface; absent where time does not matter
  readonly isForTime?: boolean; // ways that compute less are kept, though others need less room for the same traffic
}

/** A decision. Everything else (what is kept, what is spilled) follows from it; see evaluate.ts. */
export interface Placement {
  /** Per step: index into its choices; ignored within a chosen span. */
  readonly choices: readonly number[];
  /** Indexes into the problem's spans, in order of steps; they do not overlap. */
  readonly spans: readonly number[];
  /** Items loaded whole into SRAM just before a step, by step (of a span, its first). */
  readonly reloads: readonly (readonly number[])[];
  /** Per step: bytes of its weights that are resident; at most weightBytes. */
  readonly residentBytes: readonly number[];
  readonly evictions?: readonly Eviction[];
}

/** What runs as one: a step by its choice, or a span. */
export interface Execution {
  readonly first: number;
  readonly last: number; // inclusive
  readonly span: number; // index, or -1
  readonly choice: number; // index, or -1
  readonly uses: readonly { readonly item: number; readonly fromSram: boolean }[];
  readonly outputs: readonly {
    readonly item: number;
    readonly toSram: boolean;
    readonly over: number;
    readonly tail?: OutputTail | undefined; // see Span
  }[];
  readonly workspaceBytes: number;
  readonly heldWeightBytes: number;
  readonly weightPasses: number;
  readonly residency: 'any' | 'none';
  readonly trafficBytes: number;
  readonly rereadTableBytes?: number; // see Choice
  readonly streamedSteps?: readonly number[]; // see Span
  readonly extraCycles?: number; // see Choice
}

/** Weights of the execution that may be resident, and are read weightPasses times otherwise. */
export function ownWeightBytes(
  problem: PlacementProblem,
  execution: Pick<Execution, 'first' | 'last' | 'streamedSteps'>,
): number {
  let bytes = 0;
  for (let t = execution.first; t <= execution.last; t += 1)
    if (execution.streamedSteps?.includes(t) !== true) bytes += problem.steps[t]?.weightBytes ?? 0;
  return bytes;
}

const NO_STEPS: readonly number[] = [];

export function spanExecution(span: Span, index: number): Execution {
  // Field by field: there are a hundred thousand of them, and copying a whole object takes many times as long.
  return {
    first: span.first,
    last: span.last,
    span: index,
    choice: -1,
    uses: span.uses,
    outputs: span.outputs,
    workspaceBytes: span.workspaceBytes,
    heldWeightBytes: span.heldWeightBytes,
    weightPasses: 1,
    residency: span.residency ?? 'any',
    trafficBytes: span.trafficBytes,
    rereadTableBytes: 0,
    streamedSteps: span.streamedSteps ?? NO_STEPS,
    extraCycles: span.extraCycles ?? 0,
  };
}

/** The executions of a placement in order; steps without a valid choice are left out. */
export function executionsOf(problem: PlacementProblem, placement: Pick<Placement, 'choices' | 'spans'>): Execution[] {
  const spanAt = new Map(placement.spans.map((index) => [problem.spans[index]?.first ?? -1, index]));
  const list: Execution[] = [];
  for (let t = 0; t < problem.steps.length; t += 1) {
    const index = spanAt.get(t);
    const span = index === undefined ? undefined : problem.spans[index];
    if (span !== undefined && index !== undefined) {
      list.push(spanExecution(span, index));
      t = span.last;
    } else {
      const execution = stepExecution(problem, t, placement.choices[t] ?? -1);
      if (execution !== undefined) list.push(execution);
    }
  }
  return list;
}

export function stepExecution(problem: PlacementProblem, t: number, index: number): Execution | undefined {
  const step = problem.steps[t];
  const choice = step?.choices[index];
  if (step === undefined || choice === undefined) return undefined;
  const over = step.uses.find((use, i) => use.inPlace && choice.usesFromSram[i] === true)?.item ?? -1;
  return {
    first: t,
    last: t,
    span: -1,
    choice: index,
    uses: step.uses.map((use, i) => ({ item: use.item, fromSram: choice.usesFromSram[i] === true })),
    outputs: [{ item: step.output, toSram: choice.toSram, over: choice.toSram ? over : -1 }],
    workspaceBytes: choice.workspaceBytes,
    heldWeightBytes: choice.heldWeightBytes,
    weightPasses: choice.weightPasses,
    residency: choice.residency,
    trafficBytes: choice.trafficBytes,
    rereadTableBytes: choice.rereadTableBytes ?? 0,
    streamedSteps: NO_STEPS,
    extraCycles: choice.extraCycles ?? 0,
  };
}

/** The input whose memory the execution's output takes over, or -1: it must die here, be in SRAM, and be of the same size. */
export function overwrittenItem(
  problem: PlacementProblem,
  events: readonly ItemEvents[],
  execution: Execution,
  output: Execution['outputs'][number],
): number {
  if (!output.toSram || output.over < 0) return -1;
  const life = events[output.over];
  const isFromSram = execution.uses.some((use) => use.item === output.over && use.fromSram);
  const dies =
    life !== undefined &&
    (life.reads[life.reads.length - 1] ?? -1) <= execution.last &&
    life.lastWrite < execution.first;
  const isOnlyWriter = events[output.item]?.writes.length === 1;
  const isSameSize = problem.items[output.over]?.sramBytes === problem.items[output.item]?.sramBytes;
  return isFromSram && dies && isOnlyWriter && isSameSize ? output.over : -1;
}

/** First and last writes and the reads of an item, in steps. A model input is written before step 0: firstWrite = -1. */
export interface ItemEvents {
  readonly firstWrite: number;
  readonly lastWrite: number;
  readonly writes: readonly number[];
  readonly reads: readonly number[];
}

/** Cost: linear in the sizes of the steps. */
export function itemEvents(problem: PlacementProblem): ItemEvents[] {
  const writes: number[][] = problem.items.map((item) => (item.startsInDram ? [-1] : []));
  const reads: number[][] = problem.items.map(() => []);
  problem.steps.forEach((step, t) => {
    for (const use of step.uses) reads[use.item]?.push(t);
    writes[step.output]?.push(t);
  });
  return problem.items.map((_, item) => {
    const w = writes[item] ?? [];
    return { firstWrite: w[0] ?? -1, lastWrite: w[w.length - 1] ?? -1, writes: w, reads: reads[item] ?? [] };
  });
}

/** The largest share of step t's weights of at most that many bytes that can be resident: cut at output channels. */
export type ResidentRounding = (t: number, bytes: number) => number;
