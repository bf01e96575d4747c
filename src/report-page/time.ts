/** DRAM bandwidth and MAC utilisation over time: simulated where there is a simulation, else predicted, and labelled so. */
import * as Plot from '@observablehq/plot';
import type { PageDocuments, Report, TimeBins } from './data.js';
import { h } from './element.js';
import { drawAtWidth, legend, type Section, section } from './figure.js';
import { fixed, integer, percent, seconds, tick } from './format.js';
import { connectShapes, indexInMark } from './hover.js';

const HEIGHT = 170;

interface Bin {
  readonly from: number; // seconds
  readonly to: number;
  readonly readBytes: number; // a second
  readonly writeBytes: number;
  readonly macShare: number;
  readonly label: string;
}

export function time({ report, plan, simulation }: PageDocuments): Section {
  const { timing, target } = report;
  const shown = simulation ?? { ...timing, timeline: plan.timeline };
  const bins = binsOf(report, shown.cycles, shown.timeline);
  const origin =
    simulation === null
      ? 'Predicted by the compiler, which takes each command of the period through the queues of the machine; spillway simulate, run on this directory, executes them and puts what it counted here'
      : `Simulated; the compiler had predicted ${integer(timing.cycles)} cycles`;
  const what = `${origin}: ${integer(shown.cycles)} cycles, ${seconds(shown.cycles / target.clockHz)} a period, in bins of ${seconds(shown.timeline.binCycles / target.clockHz)}. MACs busy ${percent(shown.macUtilization)}, DRAM ${percent(shown.dramUtilization)} of the period. The control code has no times of its own and is not drawn.`;
  const made = section('time', `Time (${simulation === null ? 'predicted' : 'simulated'})`, what);
  const bandwidth = h('div', {
    class: 'plot',
    role: 'img',
    'aria-label': 'DRAM bandwidth over time, read and written, below the limit of the chip',
  });
  const macs = h('div', {
    class: 'plot',
    role: 'img',
    'aria-label': 'Share of the MAC array that is at work, over time',
  });
  made.body.append(
    h('h3', {}, 'DRAM bandwidth'),
    legend([
      { label: 'read', colour: '--dram' },
      { label: 'written', colour: '--activations' },
    ]),
    bandwidth,
    h('h3', {}, 'MAC utilisation'),
    macs,
  );
  made.onShown = () => {
    drawAtWidth(bandwidth, (width) => drawBandwidth(report, bins, width));
    drawAtWidth(macs, (width) => drawMacs(bins, width));
  };
  return made;
}

function binsOf({ target }: Report, cycles: number, timeline: TimeBins): Bin[] {
  const { binCycles } = timeline;
  return timeline.dramReadBytes.map((read, i): Bin => {
    const taken = Math.max(1, Math.min(binCycles, cycles - i * binCycles));
    const lasts = taken / target.clockHz;
    return {
      from: (i * binCycles) / target.clockHz,
      to: (i * binCycles + taken) / target.clockHz,
      readBytes: read / lasts,
      writeBytes: (timeline.dramWriteBytes[i] ?? 0) / lasts,
      macShare: (timeline.macs[i] ?? 0) / (taken * target.macsPerCycle),
      label: `bin ${i}`,
    };
  });
}

const axes = (width: number, bins: readonly Bin[]) => {
  const end = bins.at(-1)?.to ?? 1;
  return {
    width,
    height: HEIGHT,
    marginLeft: 72,
    marginRight: 16,
    marginBottom: 36,
    style: { background: 'transparent', fontSize: '12px' },
    x: {
      domain: [0, end],
      label: 'time',
      ticks: width / 90,
      tickFormat: (d: number) => (d === 0 ? '0' : tick(seconds(d))),
    },
  };
};

function drawBandwidth(report: Report, bins: readonly Bin[], width: number): Node {
  const roof = report.target.dramBytesPerSecond;
  const both = bins.flatMap((bin) => [
    { bin, from: 0, to: bin.readBytes, colour: 'var(--dram)' },
    { bin, from: bin.readBytes, to: bin.readBytes + bin.writeBytes, colour: 'var(--activations)' },
  ]);
  const plot = Plot.plot({
    ...axes(width, bins),
    y: {
      domain: [0, Math.max(roof * 1.2, ...both.map(({ to }) => to))],
      label: null,
      ticks: 4,
      grid: true,
      tickFormat: (d: number) => `${d / 1e9} GB/s`,
    },
    marks: [
      Plot.rect(both, {
        className: 'bandwidth',
        x1: ({ bin }: { bin: Bin }) => bin.from,
        x2: ({ bin }: { bin: Bin }) => bin.to,
        y1: 'from',
        y2: 'to',
        fill: { value: both.map(({ colour }) => colour), scale: null },
      }),
      Plot.ruleY([roof], { stroke: 'var(--roof)', strokeDasharray: '6 3' }),
      Plot.text([roof], {
        y: (d: number) => d,
        frameAnchor: 'right',
        dy: -8,
        text: () => `the chip's ${fixed(roof / 1e9)} GB/s`,
        stroke: 'var(--background)',
        fill: 'currentColor',
      }),
      Plot.ruleY([0]),
    ],
  });
  connectShapes(plot, indexInMark('bandwidth'), (index) => binText(both[index]?.bin));
  return plot;
}

function drawMacs(bins: readonly Bin[], width: number): Node {
  // Of a network that hardly ever fills the array, what there is to see is far below the full scale.
  const most = bins.reduce((top, { macShare }) => Math.max(top, macShare), 0);
  const top = most > 0.3 || most === 0 ? 1 : most * 1.2;
  const plot = Plot.plot({
    ...axes(width, bins),
    y: { domain: [0, top], label: null, ticks: 4, grid: true, tickFormat: (d: number) => tick(percent(d)) },
    marks: [
      Plot.rect(bins, {
        className: 'macs',
        x1: 'from',
        x2: 'to',
        y1: 0,
        y2: (bin: Bin) => Math.min(1, bin.macShare),
        fill: 'var(--mac)',
      }),
      Plot.ruleY([0]),
    ],
  });
  connectShapes(plot, indexInMark('macs'), (index) => binText(bins[index]));
  return plot;
}

function binText(bin: Bin | undefined) {
  if (bin === undefined) return undefined;
  return {
    title: bin.label,
    lines: [
      `${seconds(bin.from)} to ${seconds(bin.to)}`,
      `read ${fixed(bin.readBytes / 1e9)} GB/s, written ${fixed(bin.writeBytes / 1e9)} GB/s`,
      `MACs busy ${percent(bin.macShare)}`,
    ],
  };
}
