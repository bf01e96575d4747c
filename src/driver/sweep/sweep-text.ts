/** The sweep for a terminal: a table for each series. */
import {
  binarySize,
  type Column,
  decimalSize,
  formatTable,
  inUnit,
  percent,
  short,
  type Unit,
  unitFor,
} from '../table.js';
import { type DonePoint, isDone, type Sweep, type SweepPoint, type SweepSeries } from './sweep-document.js';

export function formatSweep(sweep: Sweep): string {
  const { model, options, series } = sweep;
  const parts = [`${model.name} (${model.source}), ${options.dtype}, placement ${options.placement}\n`];
  if (series.length > 1 && series.every(({ points }) => points.length === 1)) parts.push(singlesTable(series));
  else for (const one of series) parts.push(headline(one, series.length > 1), pointTable(one), notes(one));
  return parts.join('\n');
}

function headline({ label, model, batch, target, objective }: SweepSeries, isOneOfSeveral: boolean): string {
  const frames = batch === 1 ? '1 frame a period' : `${batch ?? '?'} frames a period`;
  const machine = `${target.name}: ${(target.dramBytesPerSecond / 1e9).toFixed(1)} GB/s of DRAM bandwidth, ${target.macsPerCycle} MACs at ${(target.clockHz / 1e6).toFixed(0)} MHz, ${target.areaMm2PerMiB} mm2 of SRAM a MiB`;
  const facts =
    model === null
      ? ''
      : `${model.layers} layers, ${short(model.macs)}MAC a frame; weights ${decimalSize(model.weightBytes)}, the largest activation ${decimalSize(model.largestActivationBytes)}; `;
  const lines = [`${facts}${frames}, objective ${objective}`, machine];
  return `${(isOneOfSeveral ? [label, ...lines.map((line) => `  ${line}`)] : lines).join('\n')}\n`;
}

/** A point with the frames of its period. */
interface Row {
  readonly label: string;
  readonly frames: number;
  readonly point: SweepPoint;
}

const rowsOf = ({ label, batch, points }: SweepSeries): Row[] =>
  points.map((point) => ({ label, frames: batch ?? 1, point }));

function pointTable(series: SweepSeries): string {
  const rows = rowsOf(series);
  return formatTable(columnsFor(rows), rows);
}

/** Where every series has one point, a line for each. */
function singlesTable(series: readonly SweepSeries[]): string {
  const rows = series.flatMap(rowsOf);
  return formatTable([{ title: '', align: 'left', cell: ({ label }) => label }, ...columnsFor(rows)], rows);
}

function columnsFor(rows: readonly Row[]): Column<Row>[] {
  const most = rows.reduce((max, { point }) => Math.max(max, isDone(point) ? point.perFrameBytes : 0), 0);
  const unit: Unit = unitFor(most);
  const column = (title: string, cell: (point: DonePoint, a: (bytes: number) => string) => string): Column<Row> => ({
    title,
    align: 'right',
    cell: ({ point, frames }) => (isDone(point) ? cell(point, (bytes) => inUnit(bytes / frames, unit)) : '-'),
  });
  const columns: Column<Row>[] = [
    { title: 'SRAM', align: 'right', cell: ({ point }) => sramSize(point.sramBytes) },
    { title: 'mm2', align: 'right', cell: ({ point }) => areaText(point.areaMm2) },
    column(`${unit} a frame`, ({ period }, a) => a(period.totalBytes)),
    column('weights', ({ period }, a) => a(period.byClass.weights)),
    column('activations', ({ period }, a) => a(period.byClass.activations)),
    column('compulsory', ({ bound }, a) => a(bound.compulsoryBytes)),
    column('gap', ({ bound }) => (bound.gap === null ? '-' : percent(bound.gap))),
    column('frames/s (est.)', ({ timing }) => fourDigits(timing.framesPerSecond)),
    {
      title: 'uJ a frame',
      align: 'right',
      cell: ({ point, frames }) => (isDone(point) ? fourDigits(point.energy.totalPicojoules / frames / 1e6) : '-'),
    },
  ];
  if (rows.every(({ point }) => remark(point) === '')) return columns;
  return [...columns, { title: '', align: 'left', cell: ({ point }) => remark(point) }];
}

/** Four digits, and all of those before the point: no powers of ten. */
const fourDigits = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(4));

const areaText = (mm2: number): string => (mm2 >= 100 ? mm2.toFixed(0) : mm2.toPrecision(3));

/** `1.189 MiB` for what is no round number. */
export function sramSize(bytes: number): string {
  const exact = binarySize(bytes);
  if (bytes < 2 ** 20 || exact.endsWith('MiB')) return exact;
  return `${(bytes / 2 ** 20).toFixed(3)} MiB`;
}

function remark(point: SweepPoint): string {
  switch (point.status) {
    case 'does-not-fit':
      return point.leastSramBytes === null
        ? 'does not fit'
        : `does not fit: the least SRAM is ${point.leastSramBytes} B`;
    case 'failed':
      return 'failed';
    case 'done': {
      const { isKnee, smallerPlan } = point;
      const parts = isKnee ? ['knee'] : [];
      if (smallerPlan !== null) parts.push(`plan of ${sramSize(smallerPlan.sramBytes)}`);
      return parts.join('; ');
    }
  }
}

function notes({ points, objective }: SweepSeries): string {
  const done = points.filter(isDone);
  const lines: string[] = [];
  const replaced = done.filter(({ smallerPlan }) => smallerPlan !== null);
  if (replaced.length > 0) {
    const what = objective === 'traffic' ? 'moved more' : objective === 'energy' ? 'took more energy' : 'took longer';
    const more = replaced.map(({ perFrameBytes, smallerPlan }) => (smallerPlan?.ownPerFrameBytes ?? 0) - perFrameBytes);
    const most = objective !== 'traffic' ? '' : ` (by up to ${Math.max(...more)} B a frame)`;
    lines.push(
      `${replaced.length} of ${done.length} sizes take the plan of a smaller one, which runs there too: their own ${what}${most}`,
    );
  }
  if (done.some(({ isKnee }) => isKnee)) {
    lines.push('knee: behind it, more SRAM saves clearly less than before (Kneedle, on the logarithm of SRAM)');
  }
  return lines.map((line) => `${line}\n`).join('');
}
