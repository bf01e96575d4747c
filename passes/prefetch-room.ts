/**
 * When what is loaded as a whole (held weights, reloaded tensors) is loaded, and with it from when on it needs its place: as early as
 * the load queue comes to it, as long as everything that is live meanwhile still fits.
 *
 *   step           3      4      5
 *   buffer        | . . .|######|           loaded beside step 3, where step 3 leaves that much
 *
 * The queue loads in order, and a unit (a layer, or a block) whose operands are streamed keeps it until that unit computes. So the queue is
 * followed through the program, in about the time that everything takes (load-queue.ts), and weights of later units are
 *
 *   hoisted   to in front of such a unit, where the queue would have to wait for it to begin;
 *   spread    over the turns of its loop, a part in each, where it computes for longer than its own loads take.
 *
 * Nothing depends on it but time: where the buffers with longer lives cannot be packed, they are packed with shorter ones.
 */
import type { Prefetch } from '../src/schedule/schedule.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';
import type { LoadUnit, WholeLoad } from './load-queue.js';

export interface PrefetchOptions {
  readonly capacityBytes: number; // that what is live in a step may take up
  readonly bytesPerCycle: number; // of the DRAM interface
  readonly loadCycles: number; // of a transfer, beside its bytes
  readonly mostUnits: number; // that a load may be ahead of its own
  readonly isOutOfTurn: boolean; // loads may leave their place in the queue, which takes a little code
}

export interface EarlierLoads {
  readonly buffers: AllocationBuffer[]; // with the lives that fit
  readonly prefetches: Prefetch[]; // loads that leave their place in the queue
}

/** Units that the first filling of a ring may be ahead. */
const MOST_RING_UNITS = 1;
/** Of a loop, for a load to be spread over. */
const LEAST_TURNS = 4;
/** Of the time that a unit leaves to the queue: what it takes is not known exactly. */
const SPREAD_SHARE = 0.9;

/**
 * @param units of all steps, in order
 * @returns undefined where no buffer lives longer
 */
export function withEarlierLoads(
  buffers: readonly AllocationBuffer[],
  units: readonly LoadUnit[],
  options: PrefetchOptions,
): EarlierLoads | undefined {
  const queue = new LoadQueue(buffers, units, options);
  for (let u = 0; u < units.length; u += 1) queue.run(u);
  const { prefetches } = queue;
  const lowers = queue.latestLives();
  if (lowers.size === 0) return undefined;
  return {
    buffers: buffers.map((buffer) => ({ ...buffer, lower: lowers.get(buffer.id) ?? buffer.lower })),
    prefetches,
  };
}

/** What the queue does, in order. */
interface QueueEntry {
  readonly start: number;
  /** Of a load that is whole: streamed ones start when they do. */
  readonly load?: {
    readonly id: string;
    readonly owner: number; // unit that it is for
    readonly unit: number; // in whose turn it is
    readonly cycles: number;
  };
}

class LoadQueue {
  readonly prefetches: Prefetch[] = [];
  private readonly lowers = new Map<string, number>(); // first steps of the lives that get longer
  private readonly entries: QueueEntry[] = [];
  private readonly byId: ReadonlyMap<string, AllocationBuffer>;
  private readonly live: number[]; // bytes by step
  private readonly starts: number[] = []; // of computing, by unit that has been followed
  private readonly ends: number[] = [];
  private readonly issued = new Set<string>(); // loads out of their turn
  private freeAt = 0; // when the queue comes to its next load
  private floor = 0; // the unit that it has got to

  constructor(
    buffers: readonly AllocationBuffer[],
    private readonly units: readonly LoadUnit[],
    private readonly options: PrefetchOptions,
  ) {
    this.byId = new Map(buffers.map((buffer) => [buffer.id, buffer]));
    this.live = Array.from({ length: (units.at(-1)?.last ?? -1) + 1 }, () => 0);
    for (const buffer of buffers)
      for (let step = buffer.lower; step < buffer.upper; step += 1)
        if (isLive(buffer, step)) this.live[step] = (this.live[step] ?? 0) + alignedBytes(buffer);
  }

  /** Follows the queue through a unit. */
  run(u: number): void {
    const unit = this.units[u];
    if (unit === undefined) return;
    const { bytesPerCycle } = this.options;
    const own = unit.loads.filter(({ id }) => !this.issued.has(id));
    for (const load of own) this.load(u, load);
    const begin = Math.max(this.ends[u - 1] ?? 0, own.length > 0 ? this.freeAt : 0);
    this.starts.push(begin);
    for (const id of unit.rings) this.place(u, u, id, Math.max(this.floor, u - MOST_RING_UNITS));
    const streamedCycles = unit.streamedBytes / bytesPerCycle;
    const computed = begin + unit.computeCycles;
    if (unit.rounds > 0) this.hoist(u, begin);
    else if (unit.returnBytes > 0) this.hoist(u, computed);
    if (unit.rounds === 0) {
      this.ends.push(computed);
      this.freeAt += streamedCycles;
    } else {
      const busyFrom = Math.max(begin, this.freeAt);
      this.entries.push({ start: begin });
      const spreadCycles =
        unit.turns >= LEAST_TURNS ? this.spread(u, SPREAD_SHARE * (computed - busyFrom - streamedCycles)) : 0;
      const loaded = busyFrom + streamedCycles + spreadCycles;
      // What was loaded last is computed last.
      this.ends.push(Math.max(computed, loaded + unit.computeCycles / unit.rounds));
      // The last two rounds are loaded when the ones before are computed.
      this.freeAt = Math.max(loaded, begin + unit.computeCycles * Math.max(0, 1 - 2 / unit.rounds));
      this.floor = u;
    }
    if (unit.returnBytes > 0) {
      this.freeAt = Math.max(this.freeAt, this.ends[u] ?? 0) + unit.returnBytes / bytesPerCycle;
      this.floor = u + 1;
    }
  }

  /**
   * First steps of lives: the loads as late as keeps nothing waiting, and as much earlier again as they take, for what lives shorter is
   * easier to pack.
   */
  latestLives(): ReadonlyMap<string, number> {
    const lowers = new Map(this.lowers);
    let limit = Number.POSITIVE_INFINITY;
    for (const { start, load } of this.entries.toReversed()) {
      if (load === undefined) {
        limit = Math.min(limit, start);
        continue;
      }
      const { id, owner, unit, cycles } = load;
      limit = Math.min(limit, this.starts[owner] ?? limit) - cycles;
      const earliest = this.lowers.get(id);
      if (earliest === undefined) continue;
      let at = 0;
      while (at < unit && (this.ends[at] ?? 0) <= limit - cycles) at += 1;
      const lower = Math.max(earliest, this.units[at]?.first ?? 0);
      if (lower < (this.byId.get(id)?.lower ?? 0)) lowers.set(id, lower);
      else lowers.delete(id);
    }
    return lowers;
  }

  /** The next load in its turn, from the first unit on that is not over when the queue comes to it, and that leaves the room. */
  private load(u: number, { id, bytes }: WholeLoad): void {
    const at = this.place(u, u, id, this.nextUnit(u));
    const start = at < u ? (this.starts[at] ?? 0) : (this.ends[u - 1] ?? 0);
    this.enter(start, { id, owner: u, unit: u, cycles: this.cyclesOf(bytes) });
    this.floor = Math.max(this.floor, at);
  }

  private enter(from: number, load: NonNullable<QueueEntry['load']>): void {
    const start = Math.max(this.freeAt, from);
    this.entries.push({ start, load });
    this.freeAt = start + load.cycles;
  }

  /** Weights of later units in front of a unit's streamed loads, as many as are there before `limit`. */
  private hoist(u: number, limit: number): void {
    for (const { load, owner } of this.weightsAfter(u)) {
      const from = this.nextUnit(u);
      const start = Math.max(this.freeAt, this.starts[from] ?? 0);
      if (start + this.cyclesOf(load.bytes) > limit) return;
      const at = this.place(u, owner, load.id, from);
      if (at > u) return;
      this.issue(load, u, false);
      this.enter(this.starts[at] ?? 0, { id: load.id, owner, unit: u, cycles: this.cyclesOf(load.bytes) });
      this.floor = Math.max(this.floor, at);
    }
  }

  /** @returns the cycles of what is loaded along with a unit's own loads, in at most `cycles` */
  private spread(u: number, cycles: number): number {
    let spent = 0;
    for (const { load, owner } of this.weightsAfter(u)) {
      const { loadCycles, bytesPerCycle } = this.options;
      const more = this.cyclesOf(load.bytes) + (this.units[u]?.turns ?? 0) * loadCycles;
      if (spent + more > cycles || load.bytes < loadCycles * bytesPerCycle) break;
      // In a place that is free before: else the unit's own loads would wait for it.
      if (this.place(u, owner, load.id, Math.max(0, u - 1)) > u) break;
      this.issue(load, u, true);
      spent += more;
    }
    return spent;
  }

  private issue({ id, constants }: WholeLoad, u: number, isSpread: boolean): void {
    const unit = this.units[u];
    if (unit === undefined || constants === undefined) return;
    this.issued.add(id);
    this.prefetches.push({ ...constants, issuedAt: unit.first, isSpread });
  }

  /** Weights of later units that are still to be loaded, in order. */
  private *weightsAfter(u: number): Generator<{ readonly load: WholeLoad; readonly owner: number }> {
    if (!this.options.isOutOfTurn) return;
    const last = Math.min(this.units.length - 1, u + this.options.mostUnits);
    for (let owner = u + 1; owner <= last; owner += 1)
      for (const load of this.units[owner]?.loads ?? [])
        if (load.constants !== undefined && !this.issued.has(load.id)) yield { load, owner };
  }

  /** The unit, up to u, in which the queue comes to its next load. */
  private nextUnit(u: number): number {
    let from = Math.max(this.floor, u - this.options.mostUnits);
    while (from < u && (this.ends[from] ?? 0) <= this.freeAt) from += 1;
    return from;
  }

  private cyclesOf(bytes: number): number {
    return this.options.loadCycles + bytes / this.options.bytesPerCycle;
  }

  /**
   * The first unit from `from` on from which a buffer can be live up to its own life.
   *
   * @param u the last unit that is of use; the buffer is left as it is where it could only be live from a later one
   * @param owner the unit that the buffer is for
   */
  private place(u: number, owner: number, id: string, from: number): number {
    const buffer = this.byId.get(id);
    if (buffer === undefined) return owner;
    const bytes = alignedBytes(buffer);
    let at = owner;
    while (at > from && this.hasRoom(this.units[at - 1], bytes)) at -= 1;
    if (at > u) return at;
    const lower = this.units[at]?.first ?? buffer.lower;
    for (let step = lower; step < buffer.lower; step += 1) this.live[step] = (this.live[step] ?? 0) + bytes;
    if (lower < buffer.lower) this.lowers.set(id, lower);
    return at;
  }

  private hasRoom(unit: LoadUnit | undefined, bytes: number): boolean {
    if (unit === undefined) return false;
    for (let step = unit.first; step <= unit.last; step += 1)
      if ((this.live[step] ?? 0) + bytes > this.options.capacityBytes) return false;
    return true;
  }
}

function isLive({ lower, upper, gaps }: AllocationBuffer, step: number): boolean {
  return lower <= step && step < upper && !gaps?.some((gap) => gap.lower <= step && step < gap.upper);
}

function alignedBytes({ sizeBytes, alignmentBytes = 1 }: AllocationBuffer): number {
  return Math.ceil(sizeBytes / alignmentBytes) * alignmentBytes;
}
