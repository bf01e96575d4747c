import type { Execution, ItemEvents, PlacementProblem } from './problem.js';

/**
 * Parts of tensors: while an execution runs that would not fit otherwise, the end of a tensor is out in DRAM.
 *
 *   passing item                        output of a span
 *   SRAM |xxxxxxxx|kept|xxxxxxxx|       SRAM           |kept + ring|xxxxxxxx|
 *        |xxxxxxxx|  ^ |xxxxxxxx|                      |rows       |xxxxxxxx|
 *             \-store-  -load-/                        \-streamed-  -load-/
 *
 * Its first bytes stay where they are. Only items without any other copy in DRAM are moved out in part, so each byte that is
 * out costs a write and a read. Not in batches, whose frames lie one after the other in SRAM.
 */
export interface Eviction {
  readonly first: number; // first step of the execution meanwhile
  readonly item: number;
  readonly keptBytes: number; // the first bytes of the item stay; of an output, whole stripes of rows
}

/** How the end of an output may be streamed out: in stripes of rows, through a ring behind those that are kept. */
export interface OutputTail {
  readonly ringBytes: number; // rounded up to the alignment
  readonly firstBytes: number; // of the rows of the first stripe that lie in the image; later stripes have stripeBytes
  readonly stripeBytes: number;
}

/** Bytes of SRAM that an eviction frees while it lasts. */
export function freedBytes(problem: PlacementProblem, eviction: Eviction, tail: OutputTail | undefined): number {
  const whole = problem.items[eviction.item]?.sramBytes ?? 0;
  const alignment = problem.alignmentBytes ?? 1;
  const kept = Math.ceil(eviction.keptBytes / alignment) * alignment + (tail?.ringBytes ?? 0);
  return Math.max(0, whole - kept);
}

/** Bytes that an eviction moves: out, and in again. */
export function evictionTraffic(problem: PlacementProblem, eviction: Eviction): number {
  return 2 * Math.max(0, (problem.items[eviction.item]?.dramBytes ?? 0) - eviction.keptBytes);
}

export function tailOf(execution: Execution, item: number): OutputTail | undefined {
  return execution.outputs.find((output) => output.item === item)?.tail;
}

/** Whether an item may be out in part while it is not touched: complete, and with no copy in DRAM anyway. */
export function canBeEvicted(problem: PlacementProblem, events: readonly ItemEvents[], item: number): boolean {
  const facts = problem.items[item];
  return (
    problem.canEvict === true &&
    facts !== undefined &&
    !facts.startsInDram &&
    !facts.endsInDram &&
    events[item] !== undefined
  );
}

/**
 * Evictions that free at least `wantedBytes` while an execution runs, the largest items first; undefined where there is not
 * that much to move out.
 *
 * @param passing items in SRAM that the execution does not touch, without a copy in DRAM
 */
export function evictionsFor(
  problem: PlacementProblem,
  execution: Execution,
  passing: readonly number[],
  wantedBytes: number,
): Eviction[] | undefined {
  const sizeOf = (item: number): number => problem.items[item]?.sramBytes ?? 0;
  const tails = execution.outputs.filter((output) => output.tail !== undefined).map((output) => output.item);
  const bySize = (a: number, b: number): number => sizeOf(b) - sizeOf(a) || a - b;
  const evictions: Eviction[] = [];
  let missing = wantedBytes;
  for (const item of [...[...passing].sort(bySize), ...tails.sort(bySize)]) {
    if (missing <= 0) break;
    const tail = tailOf(execution, item);
    const keptBytes =
      tail === undefined ? keptOfPassing(problem, item, missing) : keptOfOutput(sizeOf(item), tail, missing);
    if (keptBytes === undefined) continue;
    const eviction = { first: execution.first, item, keptBytes };
    evictions.push(eviction);
    missing -= freedBytes(problem, eviction, tail);
  }
  return missing <= 0 ? evictions : undefined;
}

function keptOfPassing(problem: PlacementProblem, item: number, missing: number): number | undefined {
  const alignment = problem.alignmentBytes ?? 1;
  const whole = problem.items[item]?.sramBytes ?? 0;
  const kept = Math.floor((whole - missing) / alignment) * alignment;
  return Math.max(alignment, kept); // a tensor that is out altogether has another home
}

/** The most whole stripes that leave that much room; undefined where not even the first may stay. */
function keptOfOutput(wholeBytes: number, tail: OutputTail, missing: number): number | undefined {
  const room = wholeBytes - tail.ringBytes - missing;
  const stripes = Math.max(0, Math.floor((room - tail.firstBytes) / tail.stripeBytes));
  const kept = tail.firstBytes + stripes * tail.stripeBytes;
  const least = tail.firstBytes > 0 ? tail.firstBytes : tail.stripeBytes;
  if (kept + tail.ringBytes >= wholeBytes) return undefined;
  return Math.max(least, kept);
}
