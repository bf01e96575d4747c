/** The roofline: MACs for each byte of DRAM traffic against MACs a second, under the roofs of the chip. */
import * as Plot from '@observablehq/plot';
import type { PageDocuments } from './data.js';
import { h } from './element.js';
import { drawAtWidth, legend, type Section, section } from './figure.js';
import { exactBytes, fixed, integer, percent, tick } from './format.js';
import { connectShapes, type HoverText, indexInMark } from './hover.js';
import type { Selection } from './selection.js';

const HEIGHT = 380;
const MARKS = ['layer-dots', 'block-dots'] as const;

interface Dot {
  readonly name: string;
  readonly step: number | undefined; // undefined: a block
  readonly macs: number; // of a frame
  readonly bytes: number; // of a frame
  readonly macsPerSecond: number;
  readonly intensity: number; // MACs a byte; where there are no bytes, right of all others
}

export function roofline(documents: PageDocuments, selection: Selection): Section {
  const made = section(
    'roofline',
    'Roofline',
    'How many multiply-accumulates each byte of DRAM traffic serves, and how many are done a second (estimated from the plan). Left of the corner the DRAM limits a layer, right of it the MAC array does.',
  );
  const dots = dotsOf(documents);
  const without = documents.report.layers.filter(({ macs }) => macs === 0).length;
  const place = h('div', {
    class: 'plot clickable',
    role: 'img',
    'aria-label': 'Roofline of the layers; the table of layers has MACs, bytes and cycles.',
  });
  made.body.append(
    legend([
      { label: 'layer', colour: '--mac' },
      { label: 'layer without DRAM traffic (at the right edge)', colour: '--rolling' },
      { label: 'block as a whole', colour: '--dram' },
    ]),
    place,
    h(
      'p',
      { class: 'note' },
      without === 0
        ? ''
        : `${without} of ${documents.report.layers.length} layers have no multiply-accumulates and are not shown.`,
    ),
  );
  made.onShown = () => {
    if (dots.length > 0) drawAtWidth(place, (width) => draw(documents, dots, selection, width));
    else place.append('No layer has multiply-accumulates.');
  };
  return made;
}

function dotsOf({ report, plan }: PageDocuments): Dot[] {
  const { batch, layers, target } = report;
  const dot = (name: string, step: number | undefined, members: typeof layers): Dot => {
    const sum = (value: (layer: (typeof layers)[number]) => number): number =>
      members.reduce((total, one) => total + value(one), 0);
    const [macs, cycles] = [sum((one) => one.macs), sum((one) => one.cycles)];
    const bytes = sum((one) => one.readBytes + one.writeBytes) / batch;
    return {
      name,
      step,
      macs,
      bytes,
      macsPerSecond: (macs * target.clockHz) / Math.max(1, cycles),
      intensity: macs / bytes,
    };
  };
  const all = [
    ...layers.map((layer) => dot(layer.name, layer.step, [layer])),
    ...plan.blocks.map(({ first, last }, i) =>
      dot(`block ${i}, steps ${first} to ${last}`, undefined, layers.slice(first, last + 1)),
    ),
  ].filter(({ macs }) => macs > 0);
  const corner = (target.clockHz * target.macsPerCycle) / target.dramBytesPerSecond;
  const most = all.reduce(
    (max, { intensity }) => (Number.isFinite(intensity) ? Math.max(max, intensity) : max),
    corner * 4,
  );
  return all.map((one) => (Number.isFinite(one.intensity) ? one : { ...one, intensity: most * 2.5 }));
}

function draw({ report }: PageDocuments, dots: readonly Dot[], selection: Selection, width: number): Node {
  const { clockHz, macsPerCycle, dramBytesPerSecond } = report.target;
  const peak = clockHz * macsPerCycle;
  const corner = peak / dramBytesPerSecond;
  const extent = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const [left, right] = extent([...dots.map(({ intensity }) => intensity), corner / 4]);
  const [low] = extent([...dots.map(({ macsPerSecond }) => macsPerSecond), peak / 100]);
  const x: [number, number] = [left / 1.5, right * 1.5];
  const roof = [
    { x: x[0], y: x[0] * dramBytesPerSecond },
    { x: corner, y: peak },
    { x: x[1], y: peak },
  ];
  const colour = ({ step, bytes }: Dot): string =>
    step === undefined ? 'var(--dram)' : bytes === 0 ? 'var(--rolling)' : 'var(--mac)';
  const layers = dots.filter(({ step }) => step !== undefined);
  const blocks = dots.filter(({ step }) => step === undefined);
  const plot = Plot.plot({
    width,
    height: HEIGHT,
    marginLeft: 84,
    marginRight: 16,
    marginBottom: 40,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      type: 'log',
      domain: x,
      label: 'MACs for each byte of DRAM traffic',
      ticks: width / 120,
      tickFormat: (d: number) => powerLabel(d),
    },
    y: {
      type: 'log',
      domain: [Math.min(low, x[0] * dramBytesPerSecond) / 1.5, peak * 1.8],
      label: null,
      ticks: 6,
      tickFormat: (d: number) => (powerLabel(d) === '' ? '' : tick(tick(macRate(d)))),
      grid: true,
    },
    marks: [
      Plot.line(roof, { x: 'x', y: 'y', stroke: 'var(--roof)', strokeWidth: 1.75, clip: true }),
      Plot.text([{ x: x[1], y: peak }], {
        x: 'x',
        y: 'y',
        text: () => `${fixed(peak / 1e12)} TMAC/s`,
        textAnchor: 'end',
        dy: -8,
        dx: -4,
      }),
      Plot.text([{ x: Math.sqrt(x[0] * corner), y: Math.sqrt(x[0] * corner) * dramBytesPerSecond }], {
        x: 'x',
        y: 'y',
        text: () => `${fixed(dramBytesPerSecond / 1e9)} GB/s`,
        textAnchor: 'end',
        dx: -8,
        dy: -6,
      }),
      ...[layers, blocks].map((some, i) =>
        Plot.dot(some, {
          className: MARKS[i] ?? '',
          x: 'intensity',
          y: 'macsPerSecond',
          r: i === 0 ? 4.5 : 6,
          symbol: i === 0 ? 'circle' : 'diamond',
          fill: { value: some.map(colour), scale: null },
          stroke: 'currentColor',
          strokeWidth: 0.6,
          fillOpacity: 0.85,
        }),
      ),
    ],
  });
  const textOf = (dot: Dot | undefined): HoverText | undefined =>
    dot === undefined
      ? undefined
      : {
          title: dot.step === undefined ? dot.name : `${dot.step}: ${dot.name}`,
          lines: [
            dot.bytes === 0
              ? 'no DRAM traffic of its own'
              : `${fixed(dot.macs / dot.bytes)} MACs a byte: ${exactBytes(dot.bytes)} a frame`,
            `${macRate(dot.macsPerSecond)}, ${percent(dot.macsPerSecond / peak)} of the array (estimated)`,
          ],
        };
  [layers, blocks].forEach((some, i) => {
    connectShapes(
      plot.querySelector(`.${MARKS[i]}`) ?? plot,
      indexInMark(MARKS[i] ?? ''),
      (index) => textOf(some[index]),
      (index) => {
        const step = some[index]?.step;
        if (step !== undefined) selection.select({ kind: 'layer', index: step });
      },
    );
  });
  return plot;
}

/** Labels at powers of ten only. */
function powerLabel(value: number): string {
  const power = Math.log10(value);
  if (Math.abs(power - Math.round(power)) > 1e-6) return '';
  return integer(value);
}

function macRate(macsPerSecond: number): string {
  if (macsPerSecond >= 1e12) return `${fixed(macsPerSecond / 1e12)} TMAC/s`;
  if (macsPerSecond >= 1e9) return `${fixed(macsPerSecond / 1e9)} GMAC/s`;
  return `${fixed(macsPerSecond / 1e6)} MMAC/s`;
}
