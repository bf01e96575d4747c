/** The first lines: what it costs, how far that is from the best possible, how fast it is, how full the SRAM gets. */
import type { PageDocuments, PageSimulation, Report } from './data.js';
import { h } from './element.js';
import { count, decimalBytes, exactBytes, fixed, integer, joules, macs, percent, seconds } from './format.js';

interface Card {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly exact: string;
  readonly meter?: number; // share
}

export function headline(documents: PageDocuments): HTMLElement {
  const { report } = documents;
  const { model, target, solver } = report;
  const frames = count(report.batch, 'frame');
  return h(
    'header',
    {},
    h('h1', {}, `${model.name} on ${target.name}`),
    h(
      'p',
      { class: 'subtitle' },
      `${model.source}, ${model.dtype}: ${count(model.layers, 'layer')}, ${macs(model.macs)} a frame, ${decimalBytes(model.weightBytes)} of weights, largest activation ${decimalBytes(model.largestActivationBytes)}. ${frames} a period. Placement ${report.placement}, objective ${report.objective}, solver ${solver.name}: ${solver.status} in ${fixed(solver.seconds)} s.`,
    ),
    h('dl', { class: 'cards' }, ...cards(documents).map(cardElement)),
  );
}

function cards({ report, simulation }: PageDocuments): Card[] {
  const { bound, sram, timing, target } = report;
  const perFrame = report.batch > 1 ? ` for ${report.batch} frames` : '';
  const solverCard: Card =
    bound.gap === null || bound.solverBytes === null
      ? { id: 'gap', label: 'Gap to solver bound', value: 'none', exact: 'nothing was proven for this plan' }
      : {
          id: 'gap',
          label: 'Gap to solver bound',
          value: percent(bound.gap),
          exact: `bound ${exactBytes(bound.solverBytes)}`,
        };
  const speed: Card =
    simulation === null
      ? {
          id: 'speed',
          label: 'Frames/s (predicted)',
          value: fixed(timing.framesPerSecond),
          exact: `${integer(timing.cycles)} cycles, ${seconds(timing.seconds)} a period`,
        }
      : {
          id: 'speed',
          label: 'Frames/s (simulated)',
          value: fixed(simulation.framesPerSecond),
          exact: `${integer(simulation.cycles)} cycles; predicted ${integer(timing.cycles)}`,
        };
  return [
    {
      id: 'traffic',
      label: 'DRAM traffic a frame',
      value: decimalBytes(report.perFrameBytes),
      exact: `${exactBytes(report.period.totalBytes)} a period${perFrame}`,
    },
    {
      id: 'bound',
      label: 'Compulsory bound',
      value: decimalBytes(bound.compulsoryBytes),
      exact: `${exactBytes(bound.compulsoryBytes)}${bound.ratioToCompulsory === null ? '' : `; this is ${fixed(bound.ratioToCompulsory)} times it`}`,
    },
    solverCard,
    speed,
    {
      id: 'busy',
      label: `MACs busy (${simulation === null ? 'predicted' : 'simulated'})`,
      value: percent(simulation?.macUtilization ?? timing.macUtilization),
      exact: `DRAM ${percent(simulation?.dramUtilization ?? timing.dramUtilization)}`,
    },
    floorCard(report, simulation),
    energyCard(report),
    {
      id: 'sram',
      label: 'Peak SRAM',
      value: percent(sram.peakBytes / target.sramBytes),
      exact: `${exactBytes(sram.peakBytes)} of ${exactBytes(sram.capacityBytes)}`,
      meter: sram.peakBytes / sram.capacityBytes,
    },
  ];
}

/** How far the time is from the two that nothing on this machine beats. */
function floorCard({ timing }: Report, simulation: PageSimulation | null): Card {
  const { computeCycles, compulsoryCycles } = timing.floors;
  const { bound } = timing;
  const cycles = simulation?.cycles ?? timing.cycles;
  const times = (floor: number): string => (floor === 0 ? 'none' : `${fixed(cycles / floor)} \u00d7`);
  const most = Math.max(computeCycles, compulsoryCycles);
  const proven = bound === null ? '' : `; bound of placement for time ${integer(bound.cycles)}: ${times(bound.cycles)}`;
  return {
    id: 'floors',
    label: `Time over its floor (${simulation === null ? 'predicted' : 'simulated'})`,
    value: times(most),
    exact: `layers alone ${integer(computeCycles)} cycles: ${times(computeCycles)}; compulsory bytes alone ${integer(compulsoryCycles)}: ${times(compulsoryCycles)}${proven}`,
  };
}

function energyCard({ batch, energy }: Report): Card {
  const { dramPicojoules, sramPicojoules, macPicojoules, totalPicojoules } = energy;
  const share = (part: number): string => percent(totalPicojoules === 0 ? 0 : part / totalPicojoules);
  return {
    id: 'energy',
    label: 'Energy a frame (predicted)',
    value: joules(totalPicojoules / batch),
    exact: `DRAM ${share(dramPicojoules)}, SRAM ${share(sramPicojoules)}, MACs ${share(macPicojoules)}`,
  };
}

function cardElement({ id, label, value, exact, meter }: Card): HTMLElement {
  return h(
    'div',
    { class: 'card', 'data-card': id },
    h('dt', {}, label),
    h('dd', { class: 'value' }, value),
    h('dd', { class: 'exact' }, exact),
    meter === undefined
      ? undefined
      : h('dd', { class: 'meter', 'aria-hidden': 'true' }, h('span', { style: `width: ${100 * meter}%` })),
  );
}
