/**
 * The best order of a segment of ops: a shortest path over sets of finished ops. What is live depends on the set alone, not
 * on how it was reached, so of all ways to the same set only the cheapest is kept.
 *
 * Sets grow by one op per level. Where a level has more sets than the beam holds, the best are kept, and always the one that
 * the given order goes through, so that the result is never worse than that.
 */

export interface SegmentOp {
  readonly before: readonly number[]; // ops of the segment that come first
  readonly roots: readonly number[]; // all that it reads or writes, as indexes into roots, each once
}

export interface SegmentRoot {
  readonly sizeBytes: number;
  readonly isLiveBefore: boolean; // written before the segment
  readonly isLiveAfter: boolean; // needed after it
  readonly users: readonly number[]; // ops of the segment that read or write it
}

/** Ops are numbered in the given order, which is a sound one. */
export interface Segment {
  readonly ops: readonly SegmentOp[];
  readonly roots: readonly SegmentRoot[];
  readonly baseBytes: number; // live throughout without any op of the segment using it
}

export interface Found {
  readonly cost: number;
  readonly steps: readonly number[];
}

/** An order with the least largest sum of live bytes at any step; exact where the beam was wide enough. */
export function leastPeak(segment: Segment): Found {
  return search(segment, { add: (cost, stepBytes) => Math.max(cost, stepBytes), estimate: (cost) => cost });
}

/**
 * An order with the least sum of live bytes over its steps, none of them above the limit; its cost is Infinity if the beam
 * lost all such orders. The beam prefers sets that would be cheap if what is live now stayed so to the end.
 */
export function leastSum(segment: Segment, limitBytes: number): Found {
  return search(segment, {
    add: (sum, stepBytes) => (stepBytes > limitBytes ? Number.POSITIVE_INFINITY : sum + stepBytes),
    estimate: (sum, liveBytes, stepsLeft) => sum + liveBytes * stepsLeft,
  });
}

/** States expanded per segment: what bounds the time, whatever the graph is. Levels share what earlier ones left over. */
const MOST_STATES = 15_000;
const NARROWEST_BEAM = 4;

/** Of more ready ops than this, those that leave the fewest bytes are tried. */
const MOST_TRIED = 12;
/** Of more than this, only the first in the given order are looked at. */
const MOST_RANKED = 48;

interface State {
  readonly done: bigint; // set of finished ops
  readonly liveBytes: number;
  readonly cost: number;
  readonly last: number; // the op that made this state
  readonly from: State | undefined;
  /** Ascending. Known once the state is expanded, which most never are. */
  ready: readonly number[];
}

interface Masks {
  readonly bit: readonly bigint[];
  readonly before: readonly bigint[];
  readonly after: readonly (readonly number[])[];
  readonly users: readonly bigint[]; // by root
}

function masksOf(segment: Segment): Masks {
  const bit = segment.ops.map((_, i) => 1n << BigInt(i));
  const setOf = (ops: readonly number[]): bigint => ops.reduce((set, op) => set | (bit[op] ?? 0n), 0n);
  const after: number[][] = segment.ops.map(() => []);
  for (const [i, op] of segment.ops.entries()) for (const j of op.before) after[j]?.push(i);
  return {
    bit,
    before: segment.ops.map((op) => setOf(op.before)),
    after,
    users: segment.roots.map((root) => setOf(root.users)),
  };
}

interface Objective {
  readonly add: (cost: number, stepBytes: number) => number;
  /** What a state that costs this much may cost in the end; ranks states of a level, and decides nothing else. */
  readonly estimate: (cost: number, liveBytes: number, stepsLeft: number) => number;
}

function search(segment: Segment, objective: Objective): Found {
  const masks = masksOf(segment);
  const count = segment.ops.length;
  let statesLeft = MOST_STATES;
  let level: readonly State[] = [startState(segment, masks)];
  for (let step = 0; step < count; step++) {
    const next = new Map<bigint, State>();
    const givenSet = (1n << BigInt(step + 1)) - 1n;
    for (const state of level) {
      state.ready = readyAfter(state, masks);
      for (const op of choices(state, step, segment, masks)) {
        const made = advance(state, op, segment, masks, objective);
        const known = next.get(made.done);
        if (known === undefined || made.cost < known.cost) next.set(made.done, made);
      }
    }
    const beam = Math.max(NARROWEST_BEAM, Math.floor(statesLeft / (count - step)));
    const estimate = (state: State): number => objective.estimate(state.cost, state.liveBytes, count - step - 1);
    level = narrow([...next.values()], beam, givenSet, estimate);
    statesLeft -= level.length;
  }
  const [end] = level;
  if (end === undefined) throw new Error('an order search lost its last state');
  return { cost: end.cost, steps: stepsTo(end) };
}

function startState(segment: Segment, masks: Masks): State {
  let liveBytes = segment.baseBytes;
  for (const root of segment.roots) if (root.isLiveBefore) liveBytes += root.sizeBytes;
  const ready = [...segment.ops.keys()].filter((op) => masks.before[op] === 0n);
  return { done: 0n, ready, liveBytes, cost: 0, last: -1, from: undefined };
}

/** Bytes that come alive with the op, and bytes that die after it. */
function changes(state: State, op: number, segment: Segment, masks: Masks): { born: number; dead: number } {
  const done = state.done | (masks.bit[op] ?? 0n);
  let born = 0;
  let dead = 0;
  for (const index of segment.ops[op]?.roots ?? []) {
    const root = segment.roots[index];
    const users = masks.users[index] ?? 0n;
    if (root === undefined) continue;
    if (!root.isLiveBefore && (users & state.done) === 0n) born += root.sizeBytes;
    if (!root.isLiveAfter && (users & ~done) === 0n) dead += root.sizeBytes;
  }
  return { born, dead };
}

function advance(state: State, op: number, segment: Segment, masks: Masks, objective: Objective): State {
  const { born, dead } = changes(state, op, segment, masks);
  const stepBytes = state.liveBytes + born;
  return {
    done: state.done | (masks.bit[op] ?? 0n),
    liveBytes: stepBytes - dead,
    cost: objective.add(state.cost, stepBytes),
    last: op,
    from: state,
    ready: [],
  };
}

/** Ops whose predecessors are all done: those of the state before, without its op, and what that op freed. */
function readyAfter({ from, last, done, ready }: State, masks: Masks): readonly number[] {
  if (from === undefined) return ready;
  const left = from.ready.filter((op) => op !== last);
  const freed = (masks.after[last] ?? []).filter((op) => ((masks.before[op] ?? 0n) & ~done) === 0n);
  return freed.length === 0 ? left : [...left, ...freed].sort((a, b) => a - b);
}

/** Ready ops to try from a state; the given order's next op is among them when it is ready. */
function choices(state: State, step: number, segment: Segment, masks: Masks): readonly number[] {
  if (state.ready.length <= MOST_TRIED) return state.ready;
  const grows = (op: number): number => {
    const { born, dead } = changes(state, op, segment, masks);
    return born - dead;
  };
  const candidates = state.ready.slice(0, MOST_RANKED);
  const ranked = candidates.map((op) => ({ op, bytes: grows(op) })).sort((a, b) => a.bytes - b.bytes || a.op - b.op);
  const tried = ranked.slice(0, MOST_TRIED).map(({ op }) => op);
  if (state.ready.includes(step) && !tried.includes(step)) tried.push(step);
  return tried;
}

/** The most promising states, ties in the order in which they were found; the given order's state is never dropped. */
function narrow(
  states: readonly State[],
  beam: number,
  givenSet: bigint,
  estimate: (state: State) => number,
): readonly State[] {
  if (states.length <= beam) return states;
  // Infinity - Infinity is NaN, which is falsy: states that are all too expensive are ranked by what is live.
  const ranked = states.toSorted((a, b) => estimate(a) - estimate(b) || a.liveBytes - b.liveBytes);
  const kept = ranked.slice(0, beam);
  const given = ranked.find((state) => state.done === givenSet);
  if (given !== undefined && !kept.includes(given)) kept.push(given);
  return kept;
}

function stepsTo(end: State): number[] {
  const steps: number[] = [];
  for (let state: State | undefined = end; state !== undefined && state.last >= 0; state = state.from) {
    steps.push(state.last);
  }
  return steps.reverse();
}
