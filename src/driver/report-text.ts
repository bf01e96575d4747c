/** The report for people: what `compile` prints, what report.txt holds, and the rows of `compare`. */
import type { LayerReport, Report, TensorReport } from './report.js';
import { binarySize, type Column, decimalSize, formatTable, inUnit, percent, short, unitFor } from './table.js';

const UNITS_NOTE = 'MB are 1e6 bytes, kB 1e3; MiB are 2^20.';

/** What was compiled, in a line or two. */
function headline(report: Report): string {
  const { model, target, batch } = report;
  const groups = report.groupFrames === batch ? '' : `, ${report.groupFrames} at once`;
  const frames = batch === 1 ? '1 frame a period' : `${batch} frames a period${groups}`;
  return [
    `${model.name} (${model.source}), ${model.dtype}, ${frames}`,
    `  ${model.layers} layers, ${short(model.macs)}MAC a frame; weights ${decimalSize(model.weightBytes)}, activations ${decimalSize(model.activationBytes)}, the largest ${decimalSize(model.largestActivationBytes)}`,
    `${target.name}: ${binarySize(target.sramBytes)} of SRAM, ${(target.dramBytesPerSecond / 1e9).toFixed(1)} GB/s of DRAM bandwidth, ${target.macsPerCycle} MACs at ${(target.clockHz / 1e6).toFixed(0)} MHz`,
    '',
  ].join('\n');
}

interface ClassRow {
  readonly name: string;
  readonly bytes: number;
}

/** DRAM bytes of a period by class, with the totals and the bounds. */
function trafficSection(report: Report): string {
  const { byClass } = report.period;
  const rows: ClassRow[] = [
    { name: 'weights', bytes: byClass.weights },
    { name: 'activations', bytes: byClass.activations },
    { name: 'model input', bytes: byClass.input },
    { name: 'model output', bytes: byClass.output },
    { name: 'control code', bytes: byClass.code },
    { name: 'total', bytes: report.period.totalBytes },
  ];
  const unit = unitFor(report.period.totalBytes);
  const table = formatTable<ClassRow>(
    [
      { title: 'DRAM traffic a period', align: 'left', cell: (row) => row.name },
      { title: 'bytes', align: 'right', cell: (row) => String(row.bytes) },
      { title: unit, align: 'right', cell: (row) => inUnit(row.bytes, unit) },
      { title: `${unit} a frame`, align: 'right', cell: (row) => inUnit(row.bytes / report.batch, unit) },
    ],
    rows,
  );
  return `${table}${boundLines(report)}`;
}

function boundLines(report: Report): string {
  const { bound, period, prologue } = report;
  const lines = [
    `${period.readBytes} B read, ${period.writeBytes} B written; ${prologue.readBytes} B more are read once, by the prologue`,
    `compulsory bound ${decimalSize(bound.compulsoryBytes)}: input, output, and weights beyond the SRAM${
      bound.ratioToCompulsory === null ? '' : `; this is ${bound.ratioToCompulsory.toFixed(3)} times it`
    }`,
  ];
  if (bound.crossing !== null) {
    const { first, last, activationBytes, weightBytes } = bound.crossing;
    const where = first === last ? first : `${first} to ${last}`;
    lines.push(
      `crossing bound ${decimalSize(bound.crossingBytes)}, for every schedule that computes no value twice: while the ${decimalSize(weightBytes)} of weights of ${where} are used, ${decimalSize(activationBytes)} of activations wait`,
    );
  }
  if (bound.solverBytes !== null && bound.gap !== null) {
    lines.push(
      `solver bound ${decimalSize(bound.solverBytes)} for plans of this kind with layers in this order (${report.solver.order}), code included; gap ${percent(bound.gap)} (${report.solver.name}: ${report.solver.status}, ${report.solver.variables} variables, ${report.solver.constraints} constraints)`,
    );
  } else {
    const why =
      report.placement === 'ilp'
        ? 'this plan is none of those that it is for'
        : `placement '${report.placement}' solves nothing`;
    lines.push(`solver bound: none, because ${why}`);
  }
  return `${lines.join('\n')}\n`;
}

function budgetSection(report: Report): string {
  const { budget, sram } = report;
  const rows = (['weights', 'activations', 'code'] as const).map((name) => ({ name, ...budget[name] }));
  const table = formatTable<(typeof rows)[number]>(
    [
      { title: 'budget', align: 'left', cell: (row) => row.name },
      { title: 'in SRAM (B)', align: 'right', cell: (row) => String(row.sramBytes) },
      { title: 'stored in DRAM (B)', align: 'right', cell: (row) => String(row.dramBytes) },
      { title: 'moved a period (B)', align: 'right', cell: (row) => String(row.periodBytes) },
    ],
    rows,
  );
  const used = percent(sram.peakBytes / sram.capacityBytes);
  const { heightBytes, loadBytes, provenOptimal } = sram.packing;
  const packed = provenOptimal ? 'proven optimal' : `${heightBytes - loadBytes} B above the live bytes`;
  return [
    `${table}in SRAM at the fullest step, ${budget.fullestStep}; code goes through the command FIFO, not through SRAM`,
    `SRAM: ${sram.peakBytes} of ${sram.capacityBytes} B used (${used}), ${sram.residentWeightBytes} B of them resident weights, at most ${sram.featureBytes} B features; packing ${packed}\n`,
  ].join('\n');
}

function timingLine(report: Report): string {
  const { timing } = report;
  const milliseconds = (timing.seconds * 1e3).toFixed(3);
  return `predicted time: ${timing.cycles} cycles, ${milliseconds} ms a period, ${timing.framesPerSecond.toFixed(1)} frames/s; MACs busy ${percent(timing.macUtilization)}, DRAM ${percent(timing.dramUtilization)}
  of it the layers alone, each in one command, take ${timing.floors.computeCycles}; the compulsory bytes alone ${timing.floors.compulsoryCycles}
${timeBoundLine(report)}${energyLine(report)}${plansTable(report)}`;
}

function timeBoundLine({ timing, solver }: Report): string {
  if (timing.bound === null) return '';
  const { cycles, gap, plannedCycles, status, variables, constraints } = timing.bound;
  const search = `${solver.name}: ${status}, ${variables} variables, ${constraints} constraints`;
  return `time bound ${cycles} cycles, in the model of placement, where the best plan takes ${plannedCycles} (${search}); gap of the predicted time ${percent(gap)}\n`;
}

function energyLine({ energy, batch }: Report): string {
  const { dramPicojoules, sramPicojoules, macPicojoules, totalPicojoules } = energy;
  const share = (part: number): string => percent(totalPicojoules === 0 ? 0 : part / totalPicojoules);
  const each = (totalPicojoules / batch / 1e6).toFixed(3);
  return `energy: ${each} uJ a frame; DRAM ${share(dramPicojoules)}, SRAM ${share(sramPicojoules)}, MACs ${share(macPicojoules)}\n`;
}

/** Where several plans were made: what each costs in everything that a plan can be chosen for. */
function plansTable({ plans, batch }: Report): string {
  if (plans.length < 2) return '';
  const table = formatTable<Report['plans'][number]>(
    [
      { title: 'plan', align: 'left', cell: ({ plan, isChosen }) => `${plan}${isChosen ? ' (chosen)' : ''}` },
      { title: 'MB a frame', align: 'right', cell: ({ bytes }) => (bytes / batch / 1e6).toFixed(3) },
      { title: 'cycles a frame', align: 'right', cell: ({ cycles }) => (cycles / batch).toFixed(0) },
      { title: 'uJ a frame', align: 'right', cell: ({ picojoules }) => (picojoules / batch / 1e6).toFixed(3) },
    ],
    plans,
  );
  return `\nPlans that were made for this one:\n\n${table}`;
}

/** What `compile` prints on stdout. */
export function formatSummary(report: Report): string {
  return [
    headline(report),
    `\nplacement ${report.placement}, objective ${report.objective}\n\n`,
    trafficSection(report),
    '\n',
    budgetSection(report),
    '\n',
    timingLine(report),
  ].join('');
}

const LAYER_COLUMNS: readonly Column<LayerReport>[] = [
  { title: 'step', align: 'right', cell: (row) => String(row.step) },
  { title: 'layer', align: 'left', cell: (row) => row.name },
  { title: 'kind', align: 'left', cell: (row) => row.kind },
  { title: 'output', align: 'right', cell: (row) => row.outputShape.join('x') },
  { title: 'MACs', align: 'right', cell: (row) => short(row.macs) },
  { title: 'read B', align: 'right', cell: (row) => String(row.readBytes) },
  { title: 'written B', align: 'right', cell: (row) => String(row.writeBytes) },
  { title: 'of it weights', align: 'right', cell: (row) => String(row.byClass.weights) },
  { title: 'resident', align: 'right', cell: residentCell },
  { title: 'SRAM B', align: 'right', cell: (row) => String(row.sramBytes) },
  { title: 'cycles', align: 'right', cell: (row) => String(row.cycles) },
  { title: 'how it runs', align: 'left', cell: (row) => row.tiling },
];

function residentCell(row: LayerReport): string {
  return row.weightBytes === 0 ? '-' : `${Math.floor((100 * row.residentBytes) / row.weightBytes)} %`;
}

const TENSOR_COLUMNS: readonly Column<TensorReport>[] = [
  { title: 'tensor', align: 'left', cell: (row) => row.name },
  { title: 'class', align: 'left', cell: (row) => row.class },
  { title: 'bytes', align: 'right', cell: (row) => String(row.bytes) },
  { title: 'home', align: 'left', cell: (row) => row.home },
  { title: 'read B', align: 'right', cell: (row) => String(row.readBytes) },
  { title: 'written B', align: 'right', cell: (row) => String(row.writeBytes) },
  { title: 'why', align: 'left', cell: (row) => row.why },
];

/** report.txt: the summary and a row per layer and per tensor. */
export function formatReport(report: Report): string {
  return [
    formatSummary(report),
    `${UNITS_NOTE}\n\nLayers, in the order in which they run. Bytes are those of a period, cycles those of a frame.\n\n`,
    formatTable(LAYER_COLUMNS, report.layers),
    '\nTensors. home says where the tensor is between the steps that write and read it.\n\n',
    formatTable(TENSOR_COLUMNS, report.tensors),
  ].join('');
}

/** What `compare` prints: a row per placement, the bounds below. */
export function formatComparison(reports: readonly Report[]): string {
  const [first] = reports;
  if (first === undefined) return '';
  const best = reports[reports.length - 1] ?? first;
  const unit = unitFor(first.period.totalBytes / first.batch);
  const cell = (pick: (report: Report) => number) => (row: Report) => inUnit(pick(row) / row.batch, unit);
  const table = formatTable<Report>(
    [
      { title: `${unit} a frame`, align: 'left', cell: (row) => row.placement },
      { title: 'weights', align: 'right', cell: cell((row) => row.period.byClass.weights) },
      { title: 'activations', align: 'right', cell: cell((row) => row.period.byClass.activations) },
      { title: 'input', align: 'right', cell: cell((row) => row.period.byClass.input) },
      { title: 'output', align: 'right', cell: cell((row) => row.period.byClass.output) },
      { title: 'code', align: 'right', cell: cell((row) => row.period.byClass.code) },
      { title: 'total', align: 'right', cell: cell((row) => row.period.totalBytes) },
      { title: 'x bound', align: 'right', cell: (row) => row.bound.ratioToCompulsory?.toFixed(3) ?? '-' },
      { title: 'gap', align: 'right', cell: (row) => (row.bound.gap === null ? '-' : percent(row.bound.gap)) },
      { title: 'SRAM peak B', align: 'right', cell: (row) => String(row.sram.peakBytes) },
      { title: 'frames/s', align: 'right', cell: (row) => row.timing.framesPerSecond.toFixed(1) },
      { title: 'MACs busy', align: 'right', cell: (row) => percent(row.timing.macUtilization) },
      { title: 'DRAM busy', align: 'right', cell: (row) => percent(row.timing.dramUtilization) },
      { title: 'uJ a frame', align: 'right', cell: (row) => (row.energy.totalPicojoules / row.batch / 1e6).toFixed(3) },
    ],
    reports,
  );
  const { bound, batch } = best;
  const solver =
    bound.solverBytes === null ? '' : `solver bound      ${inUnit(bound.solverBytes / batch, unit)} ${unit} a frame\n`;
  return `${headline(first)}\n${table}compulsory bound  ${inUnit(bound.compulsoryBytes / batch, unit)} ${unit} a frame\n${solver}`;
}
