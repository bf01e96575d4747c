/** DRAM bandwidth and MAC utilisation over time: simulated where there is a simulation, else estimated from the plan, and labelled so. */
import * as Plot from '@observablehq/plot';
import type { PageDocuments, PageSimulation, Report } from './data.js';
import { h } from './element.js';
import { drawAtWidth, legend, type Section, section } from './figure.js';
import { fixed, percent, seconds, tick } from './format.js';
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

export function time(documents: PageDocuments): Section {
  const { report, simulation } = documents;
  const bins = simulation === null ? estimatedBins(documents) : simulatedBins(report, simulation);
  const what =
    simulation === null
      ? 'Estimated from the plan, layer by layer of one frame; spillway simulate, run on this directory, times the commands themselves and puts what it counted here.'
      : `Simulated: ${seconds(simulation.cycles / report.target.clockHz)} a period, in bins of ${seconds(simulation.timeline.binCycles / report.target.clockHz)}. MACs busy ${percent(simulation.macUtilization)}, DRAM ${percent(simulation.dramUtilization)} of the period. The control code has no times of its own and is not drawn.`;
  const made = section('time', simulation === null ? 'Time (estimated)' : 'Time (simulated)', what);
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

/** A bin for each layer, or for each block: its layers run interleaved. */
function estimatedBins({ report, plan }: PageDocuments): Bin[] {
  const { clockHz, macsPerCycle } = report.target;
  const blockAt = new Map(plan.blocks.map((block) => [block.first, block]));
  const bins: Bin[] = [];
  let cycles = 0;
  for (let step = 0; step < report.layers.length; ) {
    const block = blockAt.get(step);
    const end = (block?.last ?? step) + 1;
    const layers = report.layers.slice(step, end);
    const sum = (value: (layer: Report['layers'][number]) => number): number =>
      layers.reduce((total, layer) => total + value(layer), 0);
    const taken = sum((layer) => layer.cycles);
    const lasts = taken / clockHz;
    if (taken > 0) {
      bins.push({
        from: cycles / clockHz,
        to: (cycles + taken) / clockHz,
        readBytes: sum((layer) => layer.readBytes) / report.batch / lasts,
        writeBytes: sum((layer) => layer.writeBytes) / report.batch / lasts,
        macShare: sum((layer) => layer.macs) / (taken * macsPerCycle),
        label:
          block === undefined
            ? (layers[0]?.name ?? '')
            : `block ${plan.blocks.indexOf(block)}, steps ${step} to ${end - 1}`,
      });
    }
    cycles += taken;
    step = end;
  }
  return bins;
}

function simulatedBins({ target }: Report, simulation: PageSimulation): Bin[] {
  const { cycles, timeline } = simulation;
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
  const plot = Plot.plot({
    ...axes(width, bins),
    y: { domain: [0, 1], label: null, ticks: 4, grid: true, tickFormat: (d: number) => `${Math.round(d * 100)} %` },
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
