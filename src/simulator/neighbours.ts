/** Which input positions a resize reads; docs/numerics.md, "resize". */
import { at } from './geometry.js';
import type { Fields } from './sequencer.js';

/** Two neighbours, and the weight of the upper one: a float32, or in 1024ths for int8 and int16. */
export interface Neighbours {
  readonly lower: number;
  readonly upper: number;
  readonly weight: number;
}

const ALIGN_CORNERS = 1;
const HALF_PIXEL = 2;

/** Of output position o along one axis. */
export function neighbours(fields: Fields, o: number, length: number, outLength: number, dtype: number): Neighbours {
  const coordinates = at(fields, 'coordinates');
  if (at(fields, 'mode') === 0) {
    const index = nearestIndex(coordinates, o, length, outLength);
    return { lower: index, upper: index, weight: 0 };
  }
  const isInteger = dtype === 0 || dtype === 3;
  return isInteger ? integer(coordinates, o, length, outLength) : real(coordinates, o, length, outLength);
}

function ratio(coordinates: number, length: number, outLength: number): number {
  const isAligned = coordinates === ALIGN_CORNERS && outLength > 1;
  return Math.fround(isAligned ? (length - 1) / (outLength - 1) : length / outLength);
}

function nearestIndex(coordinates: number, o: number, length: number, outLength: number): number {
  const position = (coordinates === HALF_PIXEL ? o + 0.5 : o) * ratio(coordinates, length, outLength);
  const single = Math.fround(position);
  const index = coordinates === ALIGN_CORNERS ? Math.floor(single + 0.5) : Math.floor(single);
  return Math.min(length - 1, index);
}

function real(coordinates: number, o: number, length: number, outLength: number): Neighbours {
  const scale = ratio(coordinates, length, outLength);
  const scaled = Math.fround((coordinates === HALF_PIXEL ? o + 0.5 : o) * scale);
  const position = coordinates === HALF_PIXEL ? Math.fround(scaled - 0.5) : scaled;
  const floor = Math.max(0, Math.floor(position));
  const lower = Math.min(floor, length - 1);
  return { lower, upper: Math.min(Math.ceil(position), length - 1), weight: Math.fround(position - floor) };
}

function integer(coordinates: number, o: number, length: number, outLength: number): Neighbours {
  const isAligned = coordinates === ALIGN_CORNERS && outLength > 1;
  const [from, to] = isAligned ? [length - 1, outLength - 1] : [length, outLength];
  const scale = Math.trunc((from * 1024 + Math.trunc(to / 2)) / to);
  const position = o * scale + (coordinates === HALF_PIXEL ? Math.trunc(scale / 2) - 512 : 0);
  const floor = Math.max(0, Math.trunc(position / 1024));
  const upper = Math.min(Math.trunc((position + 1023) / 1024), length - 1);
  return { lower: Math.min(floor, length - 1), upper, weight: position - floor * 1024 };
}
