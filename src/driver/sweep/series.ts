/** From the answers of single points to curves: sorted, never worse with more SRAM, with their knees. */
import { modelStem } from '../model-stem.js';
import type { Objective } from '../objective-names.js';
import { kneesOf } from './knees.js';
import type { Measured, Outcome, PointTask } from './point.js';
import { type DonePoint, isDone, type Sweep, type SweepPoint, type SweepSeries } from './sweep-document.js';

/** What came of a point; a text where a fault of ours kept it from being done. */
export type Finished = Outcome | string;

/** @param finished one for each task */
export function sweepOf(model: string, tasks: readonly PointTask[], finished: readonly Finished[]): Sweep {
  const groups = new Map<string, { task: PointTask; outcome: Finished }[]>();
  for (const [i, task] of tasks.entries()) {
    const key = JSON.stringify([
      [...task.variant.params],
      [...task.variant.shapes],
      task.batch,
      task.chip.name,
      { ...task.chip, sram: { ...task.chip.sram, bytes: 0 } },
      task.objective,
    ]);
    const outcome = finished[i];
    if (outcome === undefined) continue;
    groups.set(key, [...(groups.get(key) ?? []), { task, outcome }]);
  }
  const unlabelled = [...groups.values()].map(seriesOf);
  const series = unlabelled.map((one) => ({ ...one, label: labelOf(one, unlabelled) }));
  const options = tasks[0]?.options;
  if (options === undefined) throw new Error('a sweep without points');
  const name = series.find((one) => one.model !== null)?.model?.name;
  return {
    schema: 'spillway-sweep/1',
    model: { name: name ?? modelStem(model), source: model },
    options: { ...options, disabledPasses: [...options.disabledPasses] },
    series,
  };
}

function seriesOf(entries: readonly { readonly task: PointTask; readonly outcome: Finished }[]): SweepSeries {
  const [head] = entries;
  if (head === undefined) throw new Error('a series without points');
  const { task } = head;
  const { chip } = task;
  const outcomes = entries.flatMap(({ outcome }) => (typeof outcome === 'string' ? [] : [outcome]));
  const points = entries
    .map(({ task: { chip }, outcome }) => pointOf(chip.sram.bytes, chip.sram.areaMm2PerMiB, outcome))
    .sort((a, b) => a.sramBytes - b.sramBytes);
  return {
    label: '',
    params: Object.fromEntries(task.variant.params),
    shapes: Object.fromEntries([...task.variant.shapes].map(([name, shape]) => [name, [...shape]])),
    states: Object.fromEntries(task.variant.states),
    batch: outcomes[0]?.batch ?? task.batch ?? null,
    objective: task.objective,
    target: {
      name: chip.name,
      dramBytesPerSecond: chip.dram.bytesPerSecond,
      clockHz: chip.clockHz,
      macsPerCycle: chip.mac.rows * chip.mac.columns,
      areaMm2PerMiB: chip.sram.areaMm2PerMiB,
    },
    model: outcomes.flatMap((outcome) => (outcome.status === 'done' ? [outcome.model] : []))[0] ?? null,
    points: withKnees(neverWorse(points, task.objective)),
  };
}

function pointOf(sramBytes: number, areaMm2PerMiB: number, outcome: Finished): SweepPoint {
  const place = { sramBytes, areaMm2: Number(((sramBytes / 2 ** 20) * areaMm2PerMiB).toPrecision(6)) };
  if (typeof outcome === 'string') return { ...place, status: 'failed', message: outcome };
  if (outcome.status === 'does-not-fit') {
    const { leastSramBytes, message } = outcome;
    return { ...place, status: 'does-not-fit', leastSramBytes, message };
  }
  return { ...place, status: 'done', ...outcome.measured, isKnee: false, smallerPlan: null };
}

/**
 * A plan for less SRAM is one for more: its addresses are all below the smaller limit. So where a larger size came out worse, by what
 * was to be minimised, it takes the plan of the best smaller one.
 */
function neverWorse(points: readonly SweepPoint[], objective: Objective): SweepPoint[] {
  const costOf = ({ energy, period, timing }: Measured): number =>
    objective === 'traffic' ? period.totalBytes : objective === 'energy' ? energy.totalPicojoules : timing.cycles;
  let best: DonePoint | undefined; // with its own plan
  return points.map((point) => {
    if (!isDone(point)) return point;
    if (best === undefined || costOf(point) <= costOf(best)) {
      best = point;
      return point;
    }
    return withPlanOf(point, best);
  });
}

function withPlanOf(point: DonePoint, smaller: DonePoint): DonePoint {
  const { compulsoryBytes, crossingBytes, solverBytes } = point.bound;
  const { totalBytes, byClass } = smaller.period;
  // Solver bounds have the code of their program in them. What was proven here is about the plans that were looked at here: one that
  // moves less is none of them.
  const bytes = solverBytes === null ? null : solverBytes - point.period.byClass.code + byClass.code;
  const proven = bytes !== null && bytes <= totalBytes ? bytes : null;
  return {
    ...smaller,
    sramBytes: point.sramBytes,
    areaMm2: point.areaMm2,
    sram: { ...smaller.sram, capacityBytes: point.sramBytes },
    bound: {
      compulsoryBytes,
      crossingBytes,
      solverBytes: proven,
      gap: proven === null ? null : (totalBytes - proven) / Math.max(1, totalBytes),
      ratioToCompulsory: compulsoryBytes > 0 ? totalBytes / compulsoryBytes : null,
    },
    solver: { ...smaller.solver, status: 'incumbent' },
    smallerPlan: {
      sramBytes: smaller.sramBytes,
      ownPerFrameBytes: point.perFrameBytes,
      ownFramesPerSecond: point.timing.framesPerSecond,
      ownPicojoules: point.energy.totalPicojoules,
    },
  };
}

/** On the curve of traffic against the logarithm of SRAM, which is how it is drawn. */
function withKnees(points: readonly SweepPoint[]): SweepPoint[] {
  const done = points.filter(isDone);
  const curve = done.map(({ sramBytes, perFrameBytes }) => ({ x: Math.log2(sramBytes), y: perFrameBytes }));
  const knees = new Set(kneesOf(curve).map((i) => done[i]));
  return points.map((point) => (isDone(point) && knees.has(point) ? { ...point, isKnee: true } : point));
}

/** `size 416, batch 10, chip-a`: what differs between the series. */
function labelOf(one: SweepSeries, all: readonly SweepSeries[]): string {
  const differs = (of: (series: SweepSeries) => unknown): boolean =>
    new Set(all.map((other) => JSON.stringify(of(other)))).size > 1;
  const parts: string[] = [];
  for (const [name, value] of Object.entries(one.params)) {
    if (differs((other) => other.params[name])) parts.push(`${name} ${value}`);
  }
  for (const [name, shape] of Object.entries(one.shapes)) {
    if (differs((other) => other.shapes[name])) parts.push(`${name} ${shape.join('x')}`);
  }
  if (differs(({ batch }) => batch)) parts.push(`batch ${one.batch ?? '?'}`);
  if (differs(({ target }) => target)) parts.push(one.target.name);
  if (differs(({ objective }) => objective)) parts.push(one.objective);
  return parts.join(', ');
}
