/** Every point with its numbers: for the keyboard, for print, and for whoever wants them exactly. */
import { type Section, section } from '../figure.js';
import { binaryBytes, decimalBytes, fixed, joules, percent } from '../format.js';
import { type Column, sortedTable } from '../table.js';
import { type DonePoint, isDone, nameOf, type Place, placesOf, type Sweep } from './data.js';
import { remarkOf, sramText } from './words.js';

export function pointsTable(sweep: Sweep): Section {
  const made = section('points', 'Points', 'All points, as in sweep.json and sweep.csv. Bytes are of one frame.');
  const rows = placesOf(sweep);
  const number = (
    label: string,
    value: (point: DonePoint, frames: number) => number,
    text: (value: number) => string,
  ): Column<Place> => {
    const numberOf = ({ point, series }: Place): number => (isDone(point) ? value(point, series.batch ?? 1) : -1);
    return { label, value: numberOf, text: (row) => (numberOf(row) < 0 ? '-' : text(numberOf(row))) };
  };
  const columns: Column<Place>[] = [
    ...(sweep.series.length > 1 ? [{ label: 'series', value: ({ series }: Place) => nameOf(series) }] : []),
    { label: 'SRAM', value: ({ point }) => point.sramBytes, text: ({ point }) => sramText(point.sramBytes) },
    { label: 'mm\u00b2', value: ({ point }) => point.areaMm2, text: ({ point }) => point.areaMm2.toPrecision(3) },
    ...(rows.some(({ point }) => remarkOf(point) !== '')
      ? [{ label: 'remark', value: ({ point }: Place) => remarkOf(point) }]
      : []),
    number('traffic', ({ period }, frames) => period.totalBytes / frames, decimalBytes),
    number('weights', ({ period }, frames) => period.byClass.weights / frames, decimalBytes),
    number('activations', ({ period }, frames) => period.byClass.activations / frames, decimalBytes),
    number('compulsory', ({ bound }, frames) => bound.compulsoryBytes / frames, decimalBytes),
    number('gap', ({ bound }) => bound.gap ?? -1, percent),
    number('frames/s (est.)', ({ timing }) => timing.framesPerSecond, fixed),
    number('energy', ({ energy }, frames) => energy.totalPicojoules / frames, joules),
    number('peak SRAM', ({ sram }) => sram.peakBytes, binaryBytes),
  ];
  const table = sortedTable({ label: 'points', rows, columns, onOpen: () => {} });
  made.body.append(table.element);
  return made;
}
