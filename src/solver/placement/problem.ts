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
  /**
   * How much of the step's weights may be resident: all must be; any share; or none, where the number of passes over the
   * activations depends on how many weights are streamed.
   */
  readonly residency: 'all' | 'any' | 'none';
  readonly trafficBytes: number; // streamed reads and writes of activations
}

export interface PlacementStep {
  readonly name: string;
  readonly uses: readonly ItemUse[]; // distinct items
  readonly output: number; // item
  readonly outputDramBytes: number; // DRAM bytes of the part of the item that this step writes
  readonly weightBytes: number; // as moved
  readonly choices: readonly Choice[];
}

export interface PlacementProblem {
  readonly capacityBytes: number;
  readonly items: readonly PlacementItem[];
  readonly steps: readonly PlacementStep[];
}

/** A decision. Everything else (what is kept, what is spilled) follows from it; see evaluate.ts. */
export interface Placement {
  readonly choices: readonly number[]; // per step: index into its choices
  /** Per step, per use: loaded whole into SRAM just before the step. Only with usesFromSram. */
  readonly reloads: readonly (readonly boolean[])[];
  /** Per step: bytes of its weights that are resident; at most weightBytes. */
  readonly residentBytes: readonly number[];
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
