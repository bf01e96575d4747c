/** The document that the page of a sweep carries, and what all its plots need of it. */
import type { DonePoint, Sweep, SweepPoint, SweepSeries } from '../../driver/sweep/sweep-document.js';

export type { DonePoint, Sweep, SweepPoint, SweepSeries } from '../../driver/sweep/sweep-document.js';

export const isDone = (point: SweepPoint): point is DonePoint => point.status === 'done';

export function readSweep(): Sweep {
  return JSON.parse(document.getElementById('sweep')?.textContent ?? 'null') as Sweep;
}

export function nameOf({ label, target }: SweepSeries): string {
  return label === '' ? target.name : label;
}

/** A point with the series that it is of. */
export interface Place {
  readonly series: SweepSeries;
  readonly at: number; // of the series
  readonly point: SweepPoint;
}

export function placesOf({ series }: Sweep): Place[] {
  return series.flatMap((one, at) => one.points.map((point) => ({ series: one, at, point })));
}

/** Okabe and Ito's palette, as variables of the style; symbols and dashes tell the series apart where colours come again. */
const COLOURS = ['--weights', '--output', '--input', '--staging', '--passing', '--tensor', '--code'] as const;
const SYMBOLS = ['circle', 'square', 'triangle', 'star', 'wye', 'diamond', 'cross'] as const;

export interface Look {
  readonly colour: string; // name of a style variable
  readonly symbol: (typeof SYMBOLS)[number];
}

export function lookOf(at: number): Look {
  const colour = COLOURS[at % COLOURS.length] ?? '--weights';
  const symbol = SYMBOLS[(at + Math.floor(at / COLOURS.length)) % SYMBOLS.length] ?? 'circle';
  return { colour, symbol };
}

/** Whether there is a curve to draw at all. */
export function hasCurves({ series }: Sweep): boolean {
  return series.some(({ points }) => points.length > 1);
}
