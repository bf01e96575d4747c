/** A number against SRAM, a curve for each series. SRAM is on a logarithmic axis, with its area above. */
import * as Plot from '@observablehq/plot';
import { h } from '../element.js';
import { drawAtWidth, type Section, section } from '../figure.js';
import { joules, tick } from '../format.js';
import { connectShapes, indexInMark } from '../hover.js';
import { type DonePoint, hasCurves, isDone, lookOf, nameOf, type Place, placesOf, type Sweep } from './data.js';
import { areaText, axisBytes, hoverOf, sramText, sramTicks } from './words.js';

const HEIGHT = 400;
/** Rows of crosses, if the whole height were full of them. */
const CROSS_ROWS = 28;
/** Labels of knees at the same size are one, where they would lie on each other: this share of the height. */
const LABEL_SHARE = 0.06;

/** What a curve is of. */
export interface Quantity {
  readonly id: string;
  readonly title: string;
  readonly lead: string;
  readonly valueOf: (point: DonePoint, frames: number) => number;
  readonly text: (value: number) => string;
  /** What no schedule can go below. */
  readonly boundOf?: (point: DonePoint, frames: number) => number;
  readonly marksKnees: boolean;
  readonly marksMissing: boolean; // points that do not fit
}

export function curves(
  sweep: Sweep,
  quantity: Quantity,
  isShown: (at: number) => boolean,
): Section & { redraw(): void } {
  const made = section(quantity.id, quantity.title, quantity.lead);
  const place = h('div', {
    class: 'plot',
    role: 'img',
    'aria-label': `${quantity.title}; the table of points has the numbers.`,
  });
  made.body.append(place);
  let redraw = (): void => {};
  const onShown = (): void => {
    redraw = drawAtWidth(place, (width) => draw(sweep, quantity, isShown, width));
  };
  return { ...made, onShown, redraw: () => redraw() };
}

interface Dot extends Place {
  readonly sram: number;
  readonly value: number;
  readonly bound: number;
}

function draw(sweep: Sweep, quantity: Quantity, isShown: (at: number) => boolean, width: number): Node {
  const places = placesOf(sweep).filter(({ at }) => isShown(at));
  const dots = places.flatMap((one): Dot[] => {
    const { point, series } = one;
    if (!isDone(point)) return [];
    const frames = series.batch ?? 1;
    const bound = quantity.boundOf?.(point, frames) ?? 0;
    return [{ ...one, sram: point.sramBytes, value: quantity.valueOf(point, frames), bound }];
  });
  const missing = quantity.marksMissing ? places.filter(({ point }) => !isDone(point)) : [];
  const missingSeries = [...new Set(missing.map(({ at }) => at))];
  const sizes = placesOf(sweep).map(({ point }) => point.sramBytes);
  const [low, high] = [Math.min(...sizes), Math.max(...sizes)];
  const most = Math.max(1, ...dots.flatMap(({ value, bound }) => [value, bound]));
  const ticks = sramTicks(low, high, width);
  const density = commonDensity(sweep);
  const colourOf = ({ at }: Place): string => `var(${lookOf(at).colour})`;
  const knees = quantity.marksKnees ? dots.filter(({ point }) => isDone(point) && point.isKnee) : [];
  const plot = Plot.plot({
    width,
    height: HEIGHT,
    marginLeft: 80,
    marginRight: 24,
    marginTop: density === undefined ? 20 : 44,
    marginBottom: 44,
    style: { background: 'transparent', fontSize: '12px' },
    x: { type: 'log', base: 2, domain: low === high ? [low / 2, high * 2] : [low, high], label: null },
    y: { domain: [0, most * 1.05], label: null, grid: true, ticks: 6, tickFormat: quantity.text },
    marks: [
      Plot.axisX(ticks, {
        anchor: 'bottom',
        tickFormat: (d: number) => sramText(d),
        label: 'SRAM',
        labelAnchor: 'center',
      }),
      ...(density === undefined
        ? []
        : [
            Plot.axisX(ticks, {
              anchor: 'top',
              tickFormat: (d: number) => areaText((d / 2 ** 20) * density),
              label: null,
            }),
          ]),
      Plot.ruleY([0]),
      ...(quantity.boundOf === undefined || !hasCurves(sweep)
        ? []
        : [
            Plot.line(dots, {
              className: 'bounds',
              x: 'sram',
              y: 'bound',
              z: 'at',
              stroke: { value: dots.map(colourOf), scale: null },
              strokeWidth: 1.25,
              strokeDasharray: '2 4',
            }),
          ]),
      Plot.line(dots, {
        className: 'curves',
        x: 'sram',
        y: 'value',
        z: 'at',
        stroke: { value: dots.map(colourOf), scale: null },
        strokeWidth: 1.75,
      }),
      ...sweep.series.map((_, at) => {
        const { colour, symbol } = lookOf(at);
        return Plot.dot(
          dots.filter((dot) => dot.at === at),
          {
            className: 'points',
            x: 'sram',
            y: 'value',
            r: 3.5,
            symbol,
            fill: `var(${colour})`,
            stroke: 'var(--background)',
            strokeWidth: 0.75,
          },
        );
      }),
      Plot.dot(knees, {
        className: 'knees',
        x: 'sram',
        y: 'value',
        r: 9,
        fill: 'none',
        stroke: 'currentColor',
        strokeWidth: 1.75,
      }),
      Plot.text(labelled(knees, most), {
        x: 'sram',
        y: 'value',
        text: ({ sram }: Dot) => sramText(sram),
        textAnchor: 'start',
        dx: 10,
        dy: -12,
        stroke: 'var(--background)',
        fill: 'currentColor',
        fontWeight: 600,
      }),
      Plot.text(missing, {
        className: 'missing',
        x: ({ point }: Place) => point.sramBytes,
        // A row for each series, above each other.
        y: ({ at }: Place) => (most * (missingSeries.indexOf(at) + 0.6)) / CROSS_ROWS,
        text: () => '\u2715',
        fontSize: 12,
        fill: { value: missing.map(colourOf), scale: null },
      }),
      // What the pointer has to meet.
      Plot.dot(dots, { className: 'targets', x: 'sram', y: 'value', r: 9, fill: 'transparent' }),
    ],
  });
  const hover = (className: string, some: readonly Place[]): void => {
    const mark = plot.querySelector(`.${className}`);
    if (mark === null) return;
    connectShapes(mark, indexInMark(className), (index) => {
      const one = some[index];
      return one === undefined ? undefined : hoverOf(one);
    });
  };
  hover('targets', dots);
  hover('missing', missing);
  return plot;
}

/** Without those that would be written over another. */
function labelled(knees: readonly Dot[], most: number): Dot[] {
  const kept: Dot[] = [];
  for (const knee of knees) {
    const isTaken = kept.some(
      ({ sram, value }) => sram === knee.sram && Math.abs(value - knee.value) < most * LABEL_SHARE,
    );
    if (!isTaken) kept.push(knee);
  }
  return kept;
}

/** Area for a MiB, where all chips have the same. */
function commonDensity({ series }: Sweep): number | undefined {
  const all = new Set(series.map(({ target }) => target.areaMm2PerMiB));
  return all.size === 1 ? series[0]?.target.areaMm2PerMiB : undefined;
}

/** Series with their looks; a click hides or shows one. */
export function seriesSwitches(sweep: Sweep, shown: Set<number>, onChange: () => void): HTMLElement {
  return h(
    'ul',
    { class: 'legend', 'aria-label': 'series' },
    ...sweep.series.map((one, at) => {
      const box = h('input', { type: 'checkbox', checked: true });
      box.addEventListener('change', () => {
        if (box.checked) shown.add(at);
        else shown.delete(at);
        onChange();
      });
      const { colour, symbol } = lookOf(at);
      const swatch = Plot.plot({
        width: 16,
        height: 14,
        margin: 0,
        axis: null,
        x: { domain: [0, 1] },
        y: { domain: [0, 1] },
        marks: [Plot.dot([0], { x: 0.5, y: 0.5, r: 4.5, symbol, fill: `var(${colour})` })],
      });
      swatch.setAttribute('aria-hidden', 'true');
      return h('li', {}, h('label', { class: 'series' }, box, h('span', {}, swatch), nameOf(one)));
    }),
  );
}

export const TRAFFIC: Quantity = {
  id: 'traffic',
  title: 'DRAM traffic a frame',
  lead: 'Every byte that crosses the DRAM interface, control code included, divided by the frames of a period. Dotted: the compulsory bound, below which no schedule can go. Circles: knees, behind which more SRAM saves clearly less than before. Crosses: does not fit.',
  valueOf: (point, frames) => point.period.totalBytes / frames,
  boundOf: (point, frames) => point.bound.compulsoryBytes / frames,
  text: axisBytes,
  marksKnees: true,
  marksMissing: true,
};

export const SPEED: Quantity = {
  id: 'speed',
  title: 'Frames per second',
  lead: 'Predicted from the commands of the period. Fewer bytes are mostly, and not always, less time: a plan that saves traffic can run in more and smaller pieces.',
  valueOf: (point) => point.timing.framesPerSecond,
  text: (value) => (value >= 1000 ? `${(value / 1000).toPrecision(3)} k` : String(Number(value.toPrecision(3)))),
  marksKnees: false,
  marksMissing: false,
};

export const ENERGY: Quantity = {
  id: 'energy',
  title: 'Energy a frame',
  lead: "Predicted: the chip file's picojoules for each byte of DRAM, each byte through the SRAM ports, and each multiply-accumulate. What an SRAM takes by being larger is not in it.",
  valueOf: (point, frames) => point.energy.totalPicojoules / frames,
  text: (value) => tick(joules(value)),
  marksKnees: false,
  marksMissing: false,
};
