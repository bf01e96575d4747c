/** DRAM traffic: of the period beside its bounds, and layer by layer, by class. */
import * as Plot from '@observablehq/plot';
import { layerAt, type PageDocuments, type Report } from './data.js';
import { h } from './element.js';
import { CLASSES, drawAtWidth, legend, type Section, section } from './figure.js';
import { decimalBytes, exactBytes, percent, tick } from './format.js';
import { connectShapes, type HoverText, indexInMark } from './hover.js';
import type { Selection } from './selection.js';

const LAYERS_HEIGHT = 300;

interface Segment {
  readonly step: number;
  readonly className: string;
  readonly colour: string;
  readonly from: number;
  readonly to: number;
}

export function traffic(documents: PageDocuments, selection: Selection): Section {
  const { report } = documents;
  const made = section(
    'traffic',
    'DRAM traffic',
    'Every byte that crosses the DRAM interface in a period, the control code included; above it what no schedule can go below.',
  );
  const present = CLASSES.filter(({ name }) => report.period.byClass[name] > 0);
  const period = h('div', { class: 'plot', role: 'img', 'aria-label': periodInWords(report) });
  const layers = h('div', {
    class: 'plot clickable',
    role: 'img',
    'aria-label': 'Traffic of each layer by class; the table of layers has the numbers.',
  });
  made.body.append(
    legend(present),
    h('h3', {}, 'The period and its bounds'),
    period,
    h('h3', {}, 'Layer by layer'),
    layers,
    h(
      'p',
      { class: 'note' },
      'Black ticks: the share of the compulsory bound. The bound holds for the network as a whole; here its bytes of input and output stand where they move, and its bytes of weights are spread over the layers by the size of their weights. Control code belongs to no layer.',
    ),
  );
  made.onShown = () => {
    drawAtWidth(period, (width) => drawPeriod(report, width));
    drawAtWidth(layers, (width) => drawLayers(documents, selection, width));
  };
  return made;
}

interface Bound {
  readonly name: string;
  readonly bytes: number;
}

/** Equal ones are named together. */
function boundsOf({ bound }: Report): Bound[] {
  const bounds: Bound[] = [{ name: 'compulsory', bytes: bound.compulsoryBytes }];
  if (bound.crossingBytes > bound.compulsoryBytes) bounds.push({ name: 'crossing', bytes: bound.crossingBytes });
  if (bound.solverBytes !== null) bounds.push({ name: 'solver', bytes: bound.solverBytes });
  return bounds;
}

function periodInWords(report: Report): string {
  const classes = CLASSES.map(({ name, label }) => `${label} ${exactBytes(report.period.byClass[name])}`);
  const bounds = boundsOf(report).map(({ name, bytes }) => `${name} bound ${exactBytes(bytes)}`);
  return `Traffic of a period ${exactBytes(report.period.totalBytes)}: ${[...classes, ...bounds].join(', ')}`;
}

function drawPeriod(report: Report, width: number): Node {
  const { byClass, totalBytes } = report.period;
  let sum = 0;
  const segments = CLASSES.map(({ name, label, colour }) => {
    const from = sum;
    sum += byClass[name];
    return { row: 'moved', label, colour, from, to: sum, bytes: byClass[name] };
  });
  const bars = [
    ...segments,
    ...boundsOf(report).map(({ name, bytes }) => ({
      row: `${name} bound`,
      label: `${name} bound`,
      colour: '--bound',
      from: 0,
      to: bytes,
      bytes,
    })),
  ];
  const rows = [...new Set(bars.map(({ row }) => row))];
  const plot = Plot.plot({
    width,
    height: 34 + rows.length * 26,
    marginLeft: 120,
    marginRight: 90,
    marginBottom: 30,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      domain: [0, Math.max(totalBytes, ...bars.map(({ to }) => to))],
      label: null,
      tickFormat: (d: number) => tick(decimalBytes(d)),
      ticks: width / 140,
    },
    y: { domain: rows, label: null, padding: 0.25 },
    marks: [
      Plot.barX(bars, {
        className: 'period',
        x1: 'from',
        x2: 'to',
        y: 'row',
        fill: { value: bars.map(({ colour }) => `var(${colour})`), scale: null },
      }),
      Plot.text(
        rows.map((row) => ({ row, end: Math.max(...bars.filter((bar) => bar.row === row).map(({ to }) => to)) })),
        { x: 'end', y: 'row', text: ({ end }: { end: number }) => decimalBytes(end), textAnchor: 'start', dx: 6 },
      ),
    ],
  });
  connectShapes(plot, indexInMark('period'), (index) => {
    const bar = bars[index];
    if (bar === undefined) return undefined;
    const share = bar.row === 'moved' ? [`${percent(bar.bytes / Math.max(1, totalBytes))} of the traffic`] : [];
    return { title: bar.label, lines: [exactBytes(bar.bytes), ...share] };
  });
  return plot;
}

/** Of the compulsory bound, the bytes that stand for each layer. */
export function compulsoryShares({ bound, layers, model, target }: Report): number[] {
  const weightBytes = Math.max(0, model.weightBytes - target.sramBytes);
  const portBytes = bound.compulsoryBytes - weightBytes;
  const moved = layers.reduce((total, { byClass }) => total + byClass.input + byClass.output, 0);
  return layers.map(
    ({ byClass, weightBytes: own }) =>
      (weightBytes * own) / Math.max(1, model.weightBytes) +
      (portBytes * (byClass.input + byClass.output)) / Math.max(1, moved),
  );
}

function drawLayers(documents: PageDocuments, selection: Selection, width: number): Node {
  const { report } = documents;
  const segments = report.layers.flatMap(({ byClass, step }): Segment[] => {
    let sum = 0;
    return CLASSES.flatMap(({ name, colour }) => {
      const bytes = name === 'code' ? 0 : byClass[name];
      const from = sum;
      sum += bytes;
      return bytes === 0 ? [] : [{ step, className: name, colour, from, to: sum }];
    });
  });
  const shares = compulsoryShares(report);
  const plot = Plot.plot({
    width,
    height: LAYERS_HEIGHT,
    marginLeft: 72,
    marginRight: 16,
    marginBottom: 36,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      domain: [0, report.layers.length],
      label: 'step, in the order of execution',
      ticks: width / 70,
      tickFormat: (d: number) => (Number.isInteger(d) ? String(d) : ''),
    },
    y: { label: null, tickFormat: (d: number) => tick(decimalBytes(d)), ticks: 6, grid: true },
    marks: [
      Plot.rect(segments, {
        className: 'layers',
        x1: 'step',
        x2: ({ step }: Segment) => step + 1,
        y1: 'from',
        y2: 'to',
        insetLeft: 0.5,
        insetRight: 0.5,
        fill: { value: segments.map(({ colour }) => `var(${colour})`), scale: null },
      }),
      Plot.link(shares, {
        x1: (_: number, step: number) => step + 0.1,
        x2: (_: number, step: number) => step + 0.9,
        y1: (d: number) => d,
        y2: (d: number) => d,
        stroke: 'currentColor',
        strokeWidth: 2,
        strokeOpacity: (d: number) => (d > 0 ? 1 : 0),
      }),
      Plot.ruleY([0]),
    ],
  });
  connectShapes(
    plot,
    indexInMark('layers'),
    (index) => layerTraffic(documents, segments[index]?.step, shares),
    (index) => selection.select({ kind: 'layer', index: segments[index]?.step ?? 0 }),
  );
  return plot;
}

function layerTraffic(
  documents: PageDocuments,
  step: number | undefined,
  shares: readonly number[],
): HoverText | undefined {
  const layer = step === undefined ? undefined : layerAt(documents, step);
  if (step === undefined || layer === undefined) return undefined;
  const classes = CLASSES.flatMap(({ name, label }) => {
    const bytes = name === 'code' ? 0 : layer.byClass[name];
    return bytes === 0 ? [] : [`${label}: ${exactBytes(bytes)}`];
  });
  return {
    title: `${step}: ${layer.name}`,
    lines: [...classes, `share of the compulsory bound: about ${decimalBytes(shares[step] ?? 0)}`, layer.tiling],
  };
}
