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
  for (const one of series) parts.push(headline(one, series.length > 1), pointTable(one), notes(one));
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

function pointTable({ points, batch }: SweepSeries): string {
  const frames = batch ?? 1;
  const done = points.filter(isDone);
  const unit: Unit = unitFor(done.reduce((most, { perFrameBytes }) => Math.max(most, perFrameBytes), 0));
  const column = (title: string, cell: (point: DonePoint) => string): Column<SweepPoint> => ({
    title,
    align: 'right',
    cell: (point) => (isDone(point) ? cell(point) : '-'),
  });
  const a = (bytes: number): string => inUnit(bytes / frames, unit);
  return formatTable<SweepPoint>(
    [
      { title: 'SRAM', align: 'right', cell: ({ sramBytes }) => sramSize(sramBytes) },
      { title: 'mm2', align: 'right', cell: ({ areaMm2 }) => areaMm2.toPrecision(3) },
      column(`${unit} a frame`, (point) => a(point.period.totalBytes)),
      column('weights', (point) => a(point.period.byClass.weights)),
      column('activations', (point) => a(point.period.byClass.activations)),
      column('compulsory', (point) => a(point.bound.compulsoryBytes)),
      column('gap', (point) => (point.bound.gap === null ? '-' : percent(point.bound.gap))),
      column('frames/s (est.)', (point) => point.timing.framesPerSecond.toPrecision(4)),
      { title: '', align: 'left', cell: remark },
    ],
    points,
  );
}

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

function notes({ points, objective, batch }: SweepSeries): string {
  const done = points.filter(isDone);
  const lines: string[] = [];
  const replaced = done.filter(({ smallerPlan }) => smallerPlan !== null);
  if (replaced.length > 0) {
    const what = objective === 'latency' ? 'took longer' : 'moved more';
    const worst = replaced.map((point) => {
      const own = (point.smallerPlan?.ownPerFrameBytes ?? 0) * (batch ?? 1);
      return own / Math.max(1, point.period.totalBytes) - 1;
    });
    const share = objective === 'latency' ? '' : ` (by up to ${percent(Math.max(...worst))})`;
    lines.push(
      `${replaced.length} of ${done.length} sizes take the plan of a smaller one, which runs there too: their own ${what}${share}`,
    );
  }
  if (done.some(({ isKnee }) => isKnee)) {
    lines.push('knee: behind it, more SRAM saves clearly less than before (Kneedle, on the logarithm of SRAM)');
  }
  return lines.map((line) => `${line}\n`).join('');
}
