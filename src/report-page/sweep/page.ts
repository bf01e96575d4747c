/** sweep.html: builds the page from the document in it. */
import { h } from '../element.js';
import { opening, type Section } from '../figure.js';
import { count, decimalBytes, fixed, percent } from '../format.js';
import { classes } from './classes.js';
import { curves, ENERGY, SPEED, seriesSwitches, TRAFFIC } from './curves.js';
import { type DonePoint, hasCurves, isDone, nameOf, placesOf, readSweep, type Sweep } from './data.js';
import { pointsTable } from './points-table.js';
import { areaText, sramText } from './words.js';

const sweep = readSweep();
const shown = new Set(sweep.series.map((_, at) => at));
const isShown = (at: number): boolean => shown.has(at);
const hasEnergy = placesOf(sweep).some(({ point }) => isDone(point) && point.energy.totalPicojoules > 0);
const quantities = [
  { name: 'Traffic', quantity: TRAFFIC },
  { name: 'Speed', quantity: SPEED },
  ...(hasEnergy ? [{ name: 'Energy', quantity: ENERGY }] : []),
];
const plots = quantities.map(({ quantity }) => curves(sweep, quantity, isShown));
const sections: readonly { readonly id: string; readonly name: string; readonly section: Section }[] = [
  ...(hasCurves(sweep)
    ? quantities.flatMap(({ name, quantity: { id } }, i) => {
        const section = plots[i];
        return section === undefined ? [] : [{ id, name, section }];
      })
    : []),
  { id: 'classes', name: 'Classes', section: classes(sweep) },
  { id: 'points', name: 'Points', section: pointsTable(sweep) },
];

if (sweep.series.length > 1) {
  const redraw = (): void => {
    for (const plot of plots) plot.redraw();
  };
  plots[0]?.body.prepend(seriesSwitches(sweep, shown, redraw));
}
document
  .getElementById('page')
  ?.append(
    ...opening(headline(sweep), sections),
    h('main', { id: 'content' }, ...sections.map(({ section }) => section.element)),
  );
for (const { section } of sections) section.onShown?.();
document.documentElement.dataset.ready = String(Math.round(performance.now()));

function headline(sweep: Sweep): HTMLElement {
  const { model, options, series } = sweep;
  const facts = series.find((one) => one.model !== null)?.model;
  const size = facts
    ? `${count(facts.layers, 'layer')}, ${macsText(facts.macs)} a frame, ${decimalBytes(facts.weightBytes)} of weights`
    : 'no point fits';
  const all = placesOf(sweep);
  const missing = all.filter(({ point }) => !isDone(point)).length;
  return h(
    'header',
    {},
    h('h1', {}, `${model.name}: what SRAM buys`),
    h(
      'p',
      { class: 'subtitle' },
      `${model.source}, ${options.dtype}: ${size}${series.length > 1 ? ' (the first series)' : ''}. ${count(all.length, 'point')}${missing > 0 ? `, of which ${missing} do not fit` : ''}. Placement ${options.placement}, solver ${options.solver}.`,
    ),
    h('dl', { class: 'cards' }, ...kneeCards(sweep)),
  );
}

function macsText(macs: number): string {
  return macs >= 1e8 ? `${fixed(macs / 1e9)} GMAC` : `${fixed(macs / 1e6)} MMAC`;
}

/** More of them would be a table, and that is there. */
const MOST_CARDS = 8;

/** The knees, which are what one looks for. */
function kneeCards({ series }: Sweep): HTMLElement[] {
  const cards = series.flatMap((one) => {
    const done = one.points.filter(isDone);
    const frames = one.batch ?? 1;
    const [first] = done;
    const about = (point: DonePoint): string => {
      const saved = first === undefined ? 0 : 1 - point.period.totalBytes / first.period.totalBytes;
      const against = saved > 0 && first ? `, ${percent(saved)} less than at ${sramText(first.sramBytes)}` : '';
      return `${decimalBytes(point.period.totalBytes / frames)} a frame${against}; ${fixed(point.timing.framesPerSecond)} frames a second; ${areaText(point.areaMm2)}`;
    };
    return done
      .filter(({ isKnee }) => isKnee)
      .map((point) =>
        h(
          'div',
          { class: 'card' },
          h('dt', {}, `Knee${series.length > 1 ? `: ${nameOf(one)}` : ''}`),
          h('dd', { class: 'value' }, sramText(point.sramBytes)),
          h('dd', { class: 'exact' }, about(point)),
        ),
      );
  });
  return cards.length > MOST_CARDS ? [] : cards;
}
