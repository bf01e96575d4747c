/** What the traffic is made of: stacked by class against SRAM, for one series; or a bar for each series of a single point. */
import * as Plot from '@observablehq/plot';
import { h } from '../element.js';
import { CLASSES, drawAtWidth, legend, type Section, section } from '../figure.js';
import { decimalBytes } from '../format.js';
import { connectShapes, indexInMark } from '../hover.js';
import { hasCurves, isDone, nameOf, type Place, placesOf, type Sweep, type SweepSeries } from './data.js';
import { axisBytes, hoverOf, sramText, sramTicks } from './words.js';

export function classes(sweep: Sweep): Section {
  const made = section(
    'classes',
    'What it is made of',
    'Traffic a frame by class. The line across is the compulsory bound: input, output, and the weights beyond the SRAM.',
  );
  const place = h('div', {
    class: 'plot',
    role: 'img',
    'aria-label': 'Traffic by class; the table of points has the numbers.',
  });
  const drawable = sweep.series.flatMap((one, at) => (one.points.some(isDone) ? [{ one, at }] : []));
  let shown = drawable[0]?.at ?? 0;
  let redraw = (): void => {};
  if (hasCurves(sweep) && drawable.length > 1) {
    const select = h(
      'select',
      { 'aria-label': 'series' },
      ...drawable.map(({ one, at }) => h('option', { value: at }, nameOf(one))),
    );
    select.addEventListener('change', () => {
      shown = Number(select.value);
      redraw();
    });
    made.body.append(h('div', { class: 'tools' }, select));
  }
  made.body.append(legend([...CLASSES]), place);
  made.onShown = () => {
    redraw = drawAtWidth(place, (width) => {
      const series = sweep.series[shown];
      if (series === undefined) return h('p', {}, 'No point fits.');
      return hasCurves(sweep) ? drawOverSram(series, shown, width) : drawOverSeries(sweep, width);
    });
  };
  return made;
}

interface Segment extends Place {
  readonly row: string;
  readonly left: number;
  readonly right: number;
  readonly from: number;
  readonly to: number;
  readonly colour: string;
}

function segmentsOf(place: Place, row: string, left: number, right: number): Segment[] {
  const { point, series } = place;
  if (!isDone(point)) return [];
  const frames = series.batch ?? 1;
  let sum = 0;
  return CLASSES.map(({ name, colour }) => {
    const from = sum;
    sum += point.period.byClass[name] / frames;
    return { ...place, row, left, right, from, to: sum, colour: `var(${colour})` };
  });
}

const boundOf = ({ point, series }: Place): number =>
  isDone(point) ? point.bound.compulsoryBytes / (series.batch ?? 1) : 0;

/** A bar for each size, half way to its neighbours on the logarithmic axis. */
function drawOverSram(series: SweepSeries, at: number, width: number): Node {
  const sizes = series.points.map(({ sramBytes }) => Math.log2(sramBytes));
  const [low = 0, high = 1] = [sizes[0], sizes.at(-1)];
  const edge = (i: number): number => {
    const [a, b] = [sizes[i - 1], sizes[i]];
    if (a !== undefined && b !== undefined) return (a + b) / 2;
    const margin = (high - low) / Math.max(1, sizes.length - 1) / 2;
    return a === undefined ? low - margin : high + margin;
  };
  const places = series.points.map((point): Place => ({ series, at, point }));
  const segments = places.flatMap((place, i) => segmentsOf(place, '', edge(i), edge(i + 1)));
  const bounds = places.flatMap((place, i) =>
    isDone(place.point) ? [{ left: edge(i), right: edge(i + 1), bound: boundOf(place) }] : [],
  );
  const ticks = sramTicks(2 ** low, 2 ** high, width).map(Math.log2);
  const plot = Plot.plot({
    width,
    height: 320,
    marginLeft: 80,
    marginRight: 24,
    marginBottom: 40,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      domain: [edge(0), edge(sizes.length)],
      label: 'SRAM',
      labelAnchor: 'center',
      ticks,
      tickFormat: (d: number) => sramText(2 ** d),
    },
    y: { label: null, grid: true, ticks: 6, tickFormat: axisBytes },
    marks: [
      Plot.rect(segments, {
        className: 'stack',
        x1: 'left',
        x2: 'right',
        y1: 'from',
        y2: 'to',
        insetLeft: 0.5,
        insetRight: 0.5,
        fill: { value: segments.map(({ colour }) => colour), scale: null },
      }),
      Plot.link(bounds, { x1: 'left', x2: 'right', y1: 'bound', y2: 'bound', stroke: 'var(--roof)', strokeWidth: 2 }),
      Plot.ruleY([0]),
    ],
  });
  connectStack(plot, segments);
  return plot;
}

function drawOverSeries(sweep: Sweep, width: number): Node {
  const places = placesOf(sweep);
  const rowOf = ({ series, point }: Place): string => `${nameOf(series)} (${sramText(point.sramBytes)})`;
  const rows = places.map(rowOf);
  const segments = places.flatMap((place) => segmentsOf(place, rowOf(place), 0, 0));
  const ends = places.map((place) => ({
    row: rowOf(place),
    end: isDone(place.point) ? place.point.period.totalBytes / (place.series.batch ?? 1) : 0,
    text: isDone(place.point)
      ? decimalBytes(place.point.period.totalBytes / (place.series.batch ?? 1))
      : 'does not fit',
    bound: boundOf(place),
  }));
  const plot = Plot.plot({
    width,
    height: 50 + rows.length * 28,
    marginLeft: Math.min(width / 3, 20 + 7 * Math.max(...rows.map((row) => row.length))),
    marginRight: 90,
    marginBottom: 30,
    style: { background: 'transparent', fontSize: '12px' },
    x: { label: null, tickFormat: axisBytes, ticks: width / 140, grid: true },
    y: { domain: rows, label: null, padding: 0.25 },
    marks: [
      Plot.barX(segments, {
        className: 'stack',
        x1: 'from',
        x2: 'to',
        y: 'row',
        fill: { value: segments.map(({ colour }) => colour), scale: null },
      }),
      Plot.tickX(ends, { x: 'bound', y: 'row', stroke: 'var(--roof)', strokeWidth: 2 }),
      Plot.text(ends, { x: 'end', y: 'row', text: 'text', textAnchor: 'start', dx: 6 }),
    ],
  });
  connectStack(plot, segments);
  return plot;
}

function connectStack(plot: Element, segments: readonly Segment[]): void {
  connectShapes(plot, indexInMark('stack'), (index) => {
    const segment = segments[index];
    return segment === undefined ? undefined : hoverOf(segment);
  });
}
