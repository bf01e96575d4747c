import type { SearchControl } from '../src/solver/control.js';
import type { LinearSolver } from '../src/solver/linear/model.js';
import type { PackingCut } from '../src/solver/placement/cuts.js';
import type { ForcedHome } from '../src/solver/placement/forced.js';
import type { Chip } from '../src/target/chip.js';

export interface PlaceOptions {
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
  readonly batch: number; // frames of a group, which run together
  readonly groups: number; // of a period, one after the other
  readonly placement: 'ilp' | 'greedy' | 'none';
  readonly blocks: boolean; // form depth-first blocks
  readonly parts: boolean; // tensors may be in SRAM in part
  readonly pieces?: boolean; // false: no stripes in pieces of columns
  readonly resident?: boolean; // weights may stay in SRAM from period to period; true when absent
  readonly statesInSram?: boolean; // what the model carries over stays in SRAM; in DRAM when absent
  readonly forced?: ReadonlyMap<string, ForcedHome>; // by name of the tensor, or of the weights as weightsName has it
  readonly solver: LinearSolver;
  readonly gap: number; // relative, where the search may stop
  readonly timeLimitSeconds: number;
  /** Plans that could not be packed, for the ILP to avoid. */
  readonly cuts?: readonly PackingCut[];
  readonly chip: Chip;
  readonly control?: SearchControl; // of the ilp's search, in bytes of a group
  readonly cutoffBytes?: number; // only a plan with less traffic a period is of use
  /** Placed for time instead of traffic: the plan of this rank, 0 being the fastest in the model; ilp only. */
  readonly timedRank?: number;
}
