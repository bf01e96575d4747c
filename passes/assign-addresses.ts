/**
 * Gives every buffer its SRAM offset. Resident weights lie at the bottom for ever; above them the stays of tensors and the
 * workspace of each step are packed by the exact allocator, as lifetimes in steps.
 *
 *   SRAM ^  |    workspace of 1 |        |
 *        |  +---------+---------+        |
 *        |  | stay of %4        |        |
 *        |  +-------------------+--------+
 *        |  | resident weights           |
 *        +-----------------------------------> steps
 *
 * A layer that writes its output over an operand puts both stays into one buffer.
 */
import type { TensorId } from '../src/ir/types.js';
import {
  type Prefetch,
  ringLife,
  type Schedule,
  type ScheduledBlock,
  type ScheduledLayer,
  type ScheduledRoot,
  type Stay,
  tablesStart,
} from '../src/schedule/schedule.js';
import { alignUp, RESIDENT_ALIGNMENT_BYTES } from '../src/schedule/tiling.js';
import type { AllocationBuffer, AllocationProblem, AllocationResult } from '../src/solver/allocator/problem.js';
import { type TightWindow, tightWindows } from '../src/solver/allocator/window.js';
import type { Chip } from '../src/target/chip.js';
import { loadUnits } from './load-queue.js';
import { packOnce } from './pack-once.js';
import { withEarlierLoads } from './prefetch-room.js';

/** Buffers of a block that belong to one of its steps. */
const STEP_BUFFERS = ['held', 'chunks', 'sums'] as const;

/** The schedule with addresses, or the bytes by which the best packing exceeds the capacity and the steps where it does. */
export type AddressResult =
  | { readonly schedule: Schedule }
  | { readonly excessBytes: () => number; readonly windows: () => TightWindow[] };

/** @param isForTime loads may leave their place in the queue, which takes a little code */
export function assignAddresses(schedule: Schedule, nodeLimit: number, chip: Chip, isForTime: boolean): AddressResult {
  const base = alignUp(
    schedule.layers.reduce((total, scheduled) => total + alignUp(scheduled.residentBytes, RESIDENT_ALIGNMENT_BYTES), 0),
    schedule.alignmentBytes,
  );
  const chains = stayChains(schedule);
  const inParts = partsOfChains(schedule, chains);
  const buffers: AllocationBuffer[] = chains.flatMap(
    (chain) =>
      inParts.get(chain.id)?.buffers ?? [
        {
          id: chain.id,
          lower: chain.startStep,
          upper: chain.endStep,
          sizeBytes: chain.sizeBytes,
          alignmentBytes: schedule.alignmentBytes,
        },
      ],
  );
  schedule.layers.forEach((scheduled, t) => {
    for (const buffer of scheduled.workspace) {
      buffers.push({
        id: workspaceId(t, buffer.role),
        lower: buffer.role === 'tables' ? tablesStart(schedule, t) : t,
        upper: t + 1,
        sizeBytes: buffer.sizeBytes,
        alignmentBytes: schedule.alignmentBytes,
      });
    }
  });
  (schedule.weightRings ?? []).forEach((ring, index) => {
    const { first, last } = ringLife(ring);
    const window = { lower: first, upper: last + 1, alignmentBytes: schedule.alignmentBytes };
    buffers.push({ id: weightRingId(index), sizeBytes: ring.slots * ring.slotBytes, ...window });
  });
  for (const block of schedule.blocks) {
    const window = { lower: block.plan.first, upper: block.plan.last + 1, alignmentBytes: schedule.alignmentBytes };
    for (const ring of block.rings)
      buffers.push({ id: ringId(block, ring.root), sizeBytes: ring.sizeBytes, ...window });
    for (const role of STEP_BUFFERS)
      for (const { step, sizeBytes } of block[role])
        buffers.push({ id: workspaceId(step, role), sizeBytes, ...window });
  }
  const capacityBytes = schedule.capacityBytes - base;
  const result = packOnce({ capacityBytes, buffers }, nodeLimit);
  if (result.heightBytes > capacityBytes)
    return {
      excessBytes: () => leastExcess(capacityBytes, buffers, result.heightBytes, nodeLimit),
      windows: () => tightWindows({ capacityBytes, buffers }, Math.ceil(nodeLimit / 6)),
    };
  const ahead = packedAhead(schedule, chains, inParts, { capacityBytes, buffers }, nodeLimit, chip, isForTime);
  const taken = ahead?.packed ?? result;
  const offsetOf = (id: string): number => base + (taken.offsets.get(id) ?? 0);
  const stayOffsets = new Map<string, number>();
  for (const chain of chains) {
    const offset = inParts.has(chain.id) ? base + (inParts.get(chain.id)?.offsetBytes ?? 0) : offsetOf(chain.id);
    for (const member of chain.members) stayOffsets.set(member, offset);
  }
  const roots = new Map<TensorId, ScheduledRoot>();
  for (const [id, root] of schedule.roots) {
    const stays = root.stays.map(
      (stay): Stay => ({ ...stay, sramOffsetBytes: stayOffsets.get(stayId(id, stay)) ?? -1 }),
    );
    roots.set(id, { ...root, stays });
  }
  let residentOffsetBytes = 0;
  const layers = schedule.layers.map((scheduled, t): ScheduledLayer => {
    const offset = residentOffsetBytes;
    residentOffsetBytes += alignUp(scheduled.residentBytes, RESIDENT_ALIGNMENT_BYTES);
    const workspace = scheduled.workspace.map((buffer) => ({
      ...buffer,
      sramOffsetBytes: offsetOf(workspaceId(t, buffer.role)),
    }));
    return { ...scheduled, workspace, residentOffsetBytes: scheduled.residentBytes > 0 ? offset : -1 };
  });
  const ofSteps = <Buffer extends { readonly step: number }>(role: string, list: readonly Buffer[]) =>
    list.map((buffer) => ({ ...buffer, sramOffsetBytes: offsetOf(workspaceId(buffer.step, role)) }));
  const blocks = schedule.blocks.map(
    (block): ScheduledBlock => ({
      ...block,
      rings: block.rings.map((ring) => ({ ...ring, sramOffsetBytes: offsetOf(ringId(block, ring.root)) })),
      held: ofSteps('held', block.held),
      chunks: ofSteps('chunks', block.chunks),
      sums: ofSteps('sums', block.sums),
    }),
  );
  const weightRings = schedule.weightRings?.map((ring, index) => ({
    ...ring,
    sramOffsetBytes: offsetOf(weightRingId(index)),
  }));
  const allocation = {
    heightBytes: base + taken.heightBytes,
    loadBytes: base + taken.loadBytes,
    provenOptimal: taken.provenOptimal,
  };
  const prefetches = ahead?.prefetches ?? [];
  return {
    schedule: {
      ...schedule,
      layers,
      blocks,
      roots,
      allocation,
      prefetches,
      ...(weightRings === undefined ? {} : { weightRings }),
    },
  };
}

/** Units that a load may be ahead, further ones first: what lives longer is harder to pack. */
const UNITS_AHEAD = [64, 3, 1];

/** The buffers packed with room for loads that run ahead, as far ahead as it can be; undefined where none of it can be. */
function packedAhead(
  schedule: Schedule,
  chains: readonly StayChain[],
  inParts: ReadonlyMap<string, ChainInParts>,
  { capacityBytes, buffers }: AllocationProblem,
  nodeLimit: number,
  chip: Chip,
  isOutOfTurn: boolean,
): { readonly packed: AllocationResult; readonly prefetches: readonly Prefetch[] } | undefined {
  const units = loadUnits(
    schedule,
    {
      workspace: workspaceId,
      ring: ringId,
      weights: weightRingId,
      reloaded: (root, startStep) => {
        const id = stayId(root, { startStep });
        return inParts.has(id) || !chains.some((chain) => chain.id === id) ? undefined : id;
      },
    },
    chip,
  );
  const bytesPerCycle = chip.dram.bytesPerSecond / chip.clockHz;
  const loadCycles = chip.dma.setupCycles + chip.dram.latencyCycles;
  const limits = { capacityBytes, bytesPerCycle, loadCycles, isOutOfTurn };
  for (const mostUnits of UNITS_AHEAD) {
    const early = withEarlierLoads(buffers, units, { ...limits, mostUnits });
    if (early === undefined) return undefined;
    const packed = packOnce({ capacityBytes, buffers: early.buffers }, nodeLimit);
    if (packed.heightBytes <= capacityBytes) return { packed, prefetches: early.prefetches };
  }
  return undefined;
}

/**
 * By how little the capacity is missed: a tight target is often just beyond what can be packed, while the best arrangement that
 * the search met on the way is far from it. So slightly larger memories are tried, in growing steps.
 */
function leastExcess(
  capacityBytes: number,
  buffers: readonly AllocationBuffer[],
  heightBytes: number,
  nodeLimit: number,
): number {
  for (const share of [0.0005, 0.002, 0.008, 0.03]) {
    const relaxed = Math.ceil(capacityBytes * (1 + share));
    if (relaxed >= heightBytes) break;
    const result = packOnce({ capacityBytes: relaxed, buffers }, nodeLimit);
    if (result.heightBytes <= relaxed) return result.heightBytes - capacityBytes;
  }
  return heightBytes - capacityBytes;
}

interface StayChain {
  readonly id: string;
  readonly members: string[];
  startStep: number;
  endStep: number;
  readonly sizeBytes: number;
}

/** Stays that share memory because an output is written over an operand, each chain one buffer. */
function stayChains(schedule: Schedule): StayChain[] {
  const chains: StayChain[] = [];
  const chainOf = new Map<string, StayChain>();
  const all = [...schedule.roots.values()].flatMap((root) => root.stays.map((stay) => ({ root, stay })));
  // What is reloaded at a step comes before what is produced there, which may be written over it.
  const rank = (stay: Stay): number => (stay.origin === 'reloaded' ? 0 : 1);
  all.sort((a, b) => a.stay.startStep - b.stay.startStep || rank(a.stay) - rank(b.stay) || a.root.root - b.root.root);
  for (const { root, stay } of all) {
    const id = stayId(root.root, stay);
    const over = stay.origin === 'produced' ? root.overwrites : undefined;
    const previous =
      over === undefined
        ? undefined
        : schedule.roots.get(over)?.stays.find((s) => s.startStep <= stay.startStep && stay.startStep < s.endStep);
    const chain = over === undefined || previous === undefined ? undefined : chainOf.get(stayId(over, previous));
    if (chain === undefined) {
      const made: StayChain = {
        id,
        members: [id],
        startStep: stay.startStep,
        endStep: stay.endStep,
        sizeBytes: root.frameStrideBytes * schedule.batch,
      };
      chains.push(made);
      chainOf.set(id, made);
    } else {
      chain.members.push(id);
      chain.endStep = Math.max(chain.endStep, stay.endStep);
      chainOf.set(id, chain);
    }
  }
  return chains;
}

/** A chain of which parts are out of SRAM at times: where it lies, and its buffers. */
interface ChainInParts {
  readonly offsetBytes: number;
  readonly buffers: readonly AllocationBuffer[];
}

/**
 * Chains that are in SRAM in part at times are cut where what is kept ends, and their pieces lie right behind each other: their
 * places are given, from the lowest free one up, so that what they leave free joins the room above them.
 *
 *   offset ^        +--------+          +-------
 *          |        | others |          | piece 2     piece 2 has a gap while its bytes are in DRAM
 *          | +------+--------+----------+-------
 *          | |            piece 1
 *          +-+---------------------------------> steps
 */
function partsOfChains(schedule: Schedule, chains: readonly StayChain[]): Map<string, ChainInParts> {
  const parts = new Map<string, ChainInParts>();
  const placed: { readonly chain: StayChain; readonly offsetBytes: number }[] = [];
  for (const chain of chains) {
    const out = evictionsOf(schedule, chain);
    if (out.length === 0) continue;
    const meets = placed.filter(
      (other) => other.chain.startStep < chain.endStep && chain.startStep < other.chain.endStep,
    );
    const offsetBytes = meets.reduce((end, other) => Math.max(end, other.offsetBytes + other.chain.sizeBytes), 0);
    placed.push({ chain, offsetBytes });
    const cuts = [...new Set([0, ...out.map(({ keptBytes }) => keptBytes), chain.sizeBytes])].sort((a, b) => a - b);
    const buffers = cuts.slice(0, -1).map((from, i): AllocationBuffer => {
      const gaps = out.filter(({ keptBytes }) => keptBytes <= from);
      return {
        id: `${chain.id}+${from}`,
        lower: chain.startStep,
        upper: chain.endStep,
        sizeBytes: (cuts[i + 1] ?? from) - from,
        gaps: gaps.map(({ first, last }) => ({ lower: first, upper: last + 1 })),
        fixedOffsetBytes: offsetBytes + from,
      };
    });
    parts.set(chain.id, { offsetBytes, buffers });
  }
  return parts;
}

/** When a chain is in SRAM in part, and how many bytes are claimed then: rounded up, with the ring of a tail. */
function evictionsOf(
  schedule: Schedule,
  chain: StayChain,
): { readonly first: number; readonly last: number; readonly keptBytes: number }[] {
  return schedule.evictions.flatMap(({ first, last, root, keptBytes }) => {
    const isMember = chain.members.some((member) => member.startsWith(`%${root}@`));
    if (!isMember || first < chain.startStep || last >= chain.endStep) return [];
    const tail = schedule.blocks.find((b) => b.plan.first === first)?.tails.find((t) => t.ring.root === root);
    const claimed = alignUp(keptBytes, schedule.alignmentBytes) + (tail?.ring.sizeBytes ?? 0);
    return [{ first, last, keptBytes: Math.min(chain.sizeBytes, claimed) }];
  });
}

function stayId(root: TensorId, stay: { readonly startStep: number }): string {
  return `%${root}@${stay.startStep}`;
}

function ringId(block: ScheduledBlock, root: TensorId): string {
  return `${block.plan.first}.%${root}`;
}

function weightRingId(index: number): string {
  return `weights.${index}`;
}

function workspaceId(t: number, role: string): string {
  return `${t}.${role}`;
}
