/** Which order of the layers, and how many frames at once: placement is made for each, and the plan that moves least is taken. */
import type { OrderVariant } from '../../passes/order-variants.js';
import { place } from '../../passes/place.js';
import type { PlaceOptions } from '../../passes/place-options.js';
import { forgetPosed } from '../../passes/pose-problem.js';
import { SpillwayError } from '../base/diagnostic.js';
import { layersOf } from '../schedule/layer.js';
import type { PlacementRecord, Schedule } from '../schedule/schedule.js';

/** A program in one order, its frames in groups of one size, and the placement where that has been made. */
export interface Way extends OrderVariant {
  readonly batch: number; // frames of a group
  readonly groups: number;
  readonly placed: Schedule | undefined;
  /** What the simpler placements would move: they take the first order, and all frames at once. */
  readonly simplerTrafficBytes: PlacementRecord['simplerTrafficBytes'];
}

/** Sizes of groups that are tried, the largest first; and groups of a period, whose code is there for each of them. */
const MOST_GROUP_SIZES = 5;
const MOST_GROUPS = 64;

/**
 * The best way; of equal ones the first. Only the ilp's plans are compared.
 *
 * @param options with all frames of the period in one group
 * @param stage told what is being tried
 * @throws SpillwayError SW3001 (target) when even the least tiling of some layer does not fit
 */
export function placeBestWay(
  programs: readonly OrderVariant[],
  options: PlaceOptions,
  stage: (name: string) => void,
): Way {
  const isSearched = options.placement === 'ilp';
  const frames = options.batch * options.groups;
  let best: (Way & { readonly placed: Schedule }) | undefined;
  for (const batch of isSearched ? groupSizes(frames) : [frames]) {
    const groups = frames / batch;
    if (best !== undefined && options.control?.isStopped()) break;
    if (best !== undefined && groups > 1) {
      const atLeast = groups * passingWeightBytes(best.program, options);
      if (atLeast >= best.placed.record.plannedTrafficBytes) break; // and so for smaller groups
    }
    for (const { program, order } of isSearched ? programs : programs.slice(0, 1)) {
      if (best !== undefined && options.control?.isStopped()) break;
      const cutoffBytes = best?.placed.record.plannedTrafficBytes;
      stage(
        best === undefined
          ? 'place'
          : groups === 1
            ? `place, layers ${order}`
            : `place, ${batch} frames at once, layers ${order}`,
      );
      const tried = { ...options, batch, groups, ...(cutoffBytes === undefined ? {} : { cutoffBytes }) };
      const placed = best === undefined ? place(program, tried) : placeIfItFits(program, tried);
      const isBetter =
        placed !== undefined && (cutoffBytes === undefined || placed.record.plannedTrafficBytes < cutoffBytes);
      const [loser, winner] = isBetter ? [best?.program, program] : [program, best?.program];
      // Simpler placements take the first order.
      if (loser !== undefined && loser !== winner && loser !== programs[0]?.program) forgetPosed(loser);
      if (!isBetter) continue;
      const simplerTrafficBytes = best === undefined ? placed.record.simplerTrafficBytes : best.simplerTrafficBytes;
      const record = recordOf({ order, simplerTrafficBytes }, placed);
      best = { program, order, batch, groups, simplerTrafficBytes, placed: { ...placed, record } };
    }
  }
  if (best === undefined) throw new Error('there is no order');
  return best;
}

/** The record of a placement, as part of a way. */
export function recordOf(
  { order, simplerTrafficBytes }: Pick<Way, 'order' | 'simplerTrafficBytes'>,
  { record }: Schedule,
): PlacementRecord {
  return { ...record, order, ...(simplerTrafficBytes === undefined ? {} : { simplerTrafficBytes }) };
}

/** Undefined where the capacity has been lowered below what the layers need. */
export function placeIfItFits(program: OrderVariant['program'], options: PlaceOptions): Schedule | undefined {
  try {
    return place(program, options);
  } catch (error) {
    if (error instanceof SpillwayError && error.diagnostics.every(({ code }) => code === 'SW3001')) return undefined;
    throw error;
  }
}

/** Divisors of the number of frames: all at once, the largest parts, and each on its own. */
function groupSizes(frames: number): number[] {
  const sizes: number[] = [];
  for (let groups = 1; groups <= Math.min(frames, MOST_GROUPS); groups += 1) {
    if (frames % groups === 0) sizes.push(frames / groups);
  }
  const last = sizes.at(-1);
  const most = sizes.slice(0, MOST_GROUP_SIZES);
  return last === undefined || most.includes(last) ? most : [...most.slice(0, -1), last];
}

/** Weights that every group has to read, whatever is resident, and in whatever order the layers are. */
function passingWeightBytes(program: OrderVariant['program'], { capacityBytes }: PlaceOptions): number {
  const bytes = layersOf(program).reduce((total, layer) => total + layer.weights.totalBytes, 0);
  return Math.max(0, bytes - capacityBytes);
}
