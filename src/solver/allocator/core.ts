import { lowerByEjection } from './ejection.js';
import { type Arrangement, firstFit, widthSections } from './greedy.js';
import { type Instance, partOf, sectionLoads } from './instance.js';

/** The core: the fewest buffers that make up this much of the area (units x sections). */
const CORE_SHARE = 0.96;

/** Of the work: for the core, and for the trial of each of the two starts. */
const CORE_WORK_SHARE = 0.15;
const TRIAL_WORK_SHARE = 0.1;

export interface Lowered {
  readonly best: Arrangement;
  /** List entries visited. */
  readonly work: number;
}

/** Finds a low arrangement of an instance of its own: the heuristics and searches that suit its size. */
export type CoreSolver = (core: Instance, goalBytes: number, workLimit: number) => Lowered;

/**
 * Lowers an arrangement of thousands of buffers by local search, from the better of two starts: the given one, and one in
 * which the few buffers that make up most of the area, which are hard to place and few enough to be placed well, were arranged
 * among themselves first, and the many small ones then filled the holes.
 */
export function lowerFromCore(
  instance: Instance,
  given: Arrangement,
  goalBytes: number,
  workLimit: number,
  solveCore: CoreSolver,
): Lowered {
  const { start, work: coreWork } = startFromCore(instance, workLimit * CORE_WORK_SHARE, solveCore);
  let work = coreWork;
  let best = given;
  for (const one of [start, given]) {
    const trial = lowerByEjection(instance, one, goalBytes, workLimit * TRIAL_WORK_SHARE);
    work += trial.work;
    if (trial.best.heightBytes < best.heightBytes) best = trial.best;
    if (best.heightBytes <= goalBytes) return { best, work };
  }
  const last = lowerByEjection(instance, best, goalBytes, workLimit - work);
  return { best: last.best, work: work + last.work };
}

function startFromCore(
  instance: Instance,
  workLimit: number,
  solveCore: CoreSolver,
): { readonly start: Arrangement; readonly work: number } {
  const widths = widthSections(instance);
  const area = widths.map((width, b) => width * (instance.sizeUnits[b] ?? 0));
  const byArea = Array.from(area.keys()).sort((a, b) => (area[b] ?? 0) - (area[a] ?? 0) || a - b);
  let left = CORE_SHARE * area.reduce((sum, one) => sum + one, 0);
  const isCore = new Uint8Array(instance.count);
  for (const b of byArea) {
    if (left <= 0) break;
    left -= area[b] ?? 0;
    isCore[b] = 1;
  }
  // Fixed buffers stay what the others have to go around.
  const members = byArea.filter((b) => isCore[b] === 1 || (instance.fixedUnits[b] ?? -1) >= 0);
  const core = partOf(instance, members);
  const loadBytes = sectionLoads(core).reduce((most, units) => Math.max(most, units), 0) * instance.unitBytes;
  const { best, work } = solveCore(core, loadBytes, workLimit);
  const offsetUnits = new Map(members.map((b, index) => [b, best.offsetUnits[index] ?? 0]));
  const fromBelow = [...members].sort((a, b) => (offsetUnits.get(a) ?? 0) - (offsetUnits.get(b) ?? 0) || a - b);
  const order = [...fromBelow, ...byArea.filter((b) => !offsetUnits.has(b))];
  return { start: firstFit(instance, order), work };
}
