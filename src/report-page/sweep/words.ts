/** What a point says when the pointer is on it. */
import { decimalBytes, exactBytes, fixed, joules, percent } from '../format.js';
import type { HoverText } from '../hover.js';
import { type DonePoint, isDone, nameOf, type Place } from './data.js';

/** `4 MiB`, `1.189 MiB`, `1216 B`. */
export function sramText(bytes: number): string {
  if (bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(3)} MiB`;
  if (bytes % 2 ** 10 === 0) return `${bytes / 2 ** 10} KiB`;
  return `${bytes} B`;
}

export function areaText(mm2: number): string {
  return `${mm2 >= 100 ? mm2.toFixed(0) : mm2.toPrecision(3)} mm\u00b2`;
}

export function hoverOf({ series, point }: Place): HoverText {
  const title = `${nameOf(series)}: ${sramText(point.sramBytes)}, ${areaText(point.areaMm2)}`;
  if (!isDone(point)) return { title, lines: [remarkOf(point), ...(point.status === 'failed' ? [point.message] : [])] };
  const frames = series.batch ?? 1;
  const { byClass } = point.period;
  return {
    title,
    lines: [
      `${exactBytes(point.perFrameBytes)} a frame${frames > 1 ? ` (${exactBytes(point.period.totalBytes)} for ${frames} frames)` : ''}`,
      `weights ${decimalBytes(byClass.weights / frames)}, activations ${decimalBytes(byClass.activations / frames)}, code ${decimalBytes(byClass.code / frames)}`,
      `compulsory bound ${decimalBytes(point.bound.compulsoryBytes / frames)}${point.bound.gap === null ? '' : `; gap to the solver bound ${percent(point.bound.gap)}`}`,
      `${fixed(point.timing.framesPerSecond)} frames a second (predicted); MACs busy ${percent(point.timing.macUtilization)}, DRAM ${percent(point.timing.dramUtilization)}`,
      `${joules(point.energy.totalPicojoules / frames)} a frame`,
      remarkOf(point),
      ownText(point, frames),
    ].filter((line) => line !== ''),
  };
}

export function remarkOf(point: Place['point']): string {
  switch (point.status) {
    case 'does-not-fit':
      return point.leastSramBytes === null
        ? 'does not fit'
        : `does not fit: the least SRAM is ${exactBytes(point.leastSramBytes)}`;
    case 'failed':
      return 'failed';
    case 'done':
      return [point.isKnee ? 'knee' : '', planText(point)].filter((part) => part !== '').join('; ');
  }
}

const planText = ({ smallerPlan }: DonePoint): string =>
  smallerPlan === null ? '' : `plan of ${sramText(smallerPlan.sramBytes)}`;

function ownText({ smallerPlan }: DonePoint, frames: number): string {
  if (smallerPlan === null) return '';
  return `its own plan moves ${exactBytes(smallerPlan.ownPerFrameBytes)} a frame, at ${fixed(smallerPlan.ownFramesPerSecond)} frames a second, with ${joules(smallerPlan.ownPicojoules / frames)}`;
}

const UNITS = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const;

/** Powers of two between two sizes, as many as there is room for. */
export function sramTicks(low: number, high: number, width: number): number[] {
  const [first, last] = [Math.ceil(Math.log2(low) - 1e-9), Math.floor(Math.log2(high) + 1e-9)];
  const step = Math.max(1, Math.ceil((last - first + 1) / (width / 90)));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += step) ticks.push(2 ** power);
  return ticks.length > 0 ? ticks : [low];
}

/** Bytes along an axis: `25 MB`, without digits that say nothing. */
export function axisBytes(bytes: number): string {
  const [unit, scale] = UNITS.find(([, least]) => bytes >= least) ?? (['B', 1] as const);
  return `${Number((bytes / scale).toPrecision(4))} ${unit}`;
}
