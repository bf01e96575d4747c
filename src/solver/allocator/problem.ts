/**
 * An allocation problem and its answer: buffers with lifetimes, to be given offsets in one memory of fixed size so that
 * no two buffers that are live at the same time share a byte.
 *
 *   offset
 *     ^   +-----------+
 *     |   |     b     |+----+      lifetimes are half-open: d may start at the step at which b ends,
 *     |   +-----------+|  d |      and then reuse its bytes
 *     | +-----++------++----+
 *     | |  a  ||     c      |
 *     +-+-----++------------+--> time
 */

/** Time [lower, upper). */
export interface Window {
  readonly lower: number;
  readonly upper: number;
}

export interface AllocationBuffer {
  readonly id: string;
  /** Live during [lower, upper), except in the gaps. */
  readonly lower: number;
  readonly upper: number;
  readonly sizeBytes: number;
  /** The offset is a multiple of this; 1 when absent. */
  readonly alignmentBytes?: number;
  /** Windows of the lifetime in which the buffer holds nothing, and its bytes may serve others. */
  readonly gaps?: readonly Window[];
  /** The offset is given (resident weights), and only the others may be arranged around it. */
  readonly fixedOffsetBytes?: number;
  /** An offset to try first: an earlier answer to nearly the same problem. Never changes what is feasible. */
  readonly hintOffsetBytes?: number;
}

export interface AllocationProblem {
  readonly capacityBytes: number;
  readonly buffers: readonly AllocationBuffer[];
}

export interface AllocationOptions {
  /** Look for the least height; without it, any height within the capacity will do. */
  readonly minimize?: boolean;
  /** Most nodes of the exact search, all attempts together. Counted, not timed: the answer is the same everywhere. */
  readonly nodeLimit?: number;
}

/**
 * - `optimal`: fits, and no arrangement is lower;
 * - `fits`: fits; a lower one may exist;
 * - `infeasible`: proven not to fit; `conflict` names buffers that cannot live together;
 * - `budget`: the node limit was reached before an arrangement that fits, or a proof, was found.
 */
export type AllocationStatus = 'fits' | 'optimal' | 'infeasible' | 'budget';

export interface AllocationResult {
  readonly status: AllocationStatus;
  /**
   * The best arrangement found, by id. Free of overlaps whatever the status, but higher than the capacity when the status
   * is `infeasible` or `budget`; empty only where fixed buffers contradict each other.
   */
  readonly offsets: ReadonlyMap<string, number>;
  /** Highest byte used, plus one, of `offsets`. */
  readonly heightBytes: number;
  /** Largest sum of live bytes: no arrangement is lower. */
  readonly loadBytes: number;
  /** The best proven lower bound of the height: at least the load. */
  readonly boundBytes: number;
  readonly provenOptimal: boolean;
  /** Nodes of the exact search, and of the local search what takes as long; 0 when a simple heuristic was enough. */
  readonly nodes: number;
  /** When infeasible: ids of a small set that cannot live together within the capacity. */
  readonly conflict?: readonly string[];
}
