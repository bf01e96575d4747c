/** sweep.csv: a line for each point, for a spreadsheet or a notebook. Numbers as in sweep.json. */
import type { DonePoint, Sweep, SweepPoint, SweepSeries } from './sweep-document.js';

type Cell = string | number | boolean | null;

/** What is known of every point. */
const PLACE: readonly (readonly [string, (series: SweepSeries, point: SweepPoint) => Cell])[] = [
  ['target', ({ target }) => target.name],
  ['objective', ({ objective }) => objective],
  ['batch', ({ batch }) => batch],
  ['sramBytes', (_, { sramBytes }) => sramBytes],
  ['areaMm2', (_, { areaMm2 }) => areaMm2],
  ['status', (_, { status }) => status],
  ['leastSramBytes', (_, point) => (point.status === 'does-not-fit' ? point.leastSramBytes : null)],
];

/** Empty where a point is not done. */
const MEASURED: readonly (readonly [string, (point: DonePoint) => Cell])[] = [
  ['perFrameBytes', ({ perFrameBytes }) => perFrameBytes],
  ['framesPerSecond', ({ timing }) => timing.framesPerSecond],
  ['periodBytes', ({ period }) => period.totalBytes],
  ['periodReadBytes', ({ period }) => period.readBytes],
  ['periodWriteBytes', ({ period }) => period.writeBytes],
  ['weightsBytes', ({ period }) => period.byClass.weights],
  ['activationsBytes', ({ period }) => period.byClass.activations],
  ['inputBytes', ({ period }) => period.byClass.input],
  ['outputBytes', ({ period }) => period.byClass.output],
  ['codeBytes', ({ period }) => period.byClass.code],
  ['prologueBytes', ({ prologue }) => prologue.readBytes],
  ['peakSramBytes', ({ sram }) => sram.peakBytes],
  ['residentWeightBytes', ({ sram }) => sram.residentWeightBytes],
  ['compulsoryBytes', ({ bound }) => bound.compulsoryBytes],
  ['crossingBytes', ({ bound }) => bound.crossingBytes],
  ['solverBytes', ({ bound }) => bound.solverBytes],
  ['gap', ({ bound }) => bound.gap],
  ['cycles', ({ timing }) => timing.cycles],
  ['computeFloorCycles', ({ timing }) => timing.floors.computeCycles],
  ['compulsoryFloorCycles', ({ timing }) => timing.floors.compulsoryCycles],
  ['macUtilization', ({ timing }) => timing.macUtilization],
  ['dramUtilization', ({ timing }) => timing.dramUtilization],
  ['dramPicojoules', ({ energy }) => energy.dramPicojoules],
  ['sramPicojoules', ({ energy }) => energy.sramPicojoules],
  ['macPicojoules', ({ energy }) => energy.macPicojoules],
  ['totalPicojoules', ({ energy }) => energy.totalPicojoules],
  ['solverStatus', ({ solver }) => solver.status],
  ['isKnee', ({ isKnee }) => isKnee],
  ['planOfSramBytes', ({ sramBytes, smallerPlan }) => smallerPlan?.sramBytes ?? sramBytes],
];

/** RFC 4180. */
export function sweepCsv({ model, series }: Sweep): string {
  const params = [...new Set(series.flatMap((one) => [...Object.keys(one.params), ...Object.keys(one.shapes)]))];
  const head = ['model', ...params, ...PLACE.map(([name]) => name), ...MEASURED.map(([name]) => name)];
  const lines = series.flatMap((one) =>
    one.points.map((point) => [
      model.name,
      ...params.map((name) => one.params[name] ?? one.shapes[name]?.join('x') ?? null),
      ...PLACE.map(([, cell]) => cell(one, point)),
      ...MEASURED.map(([, cell]) => (point.status === 'done' ? cell(point) : null)),
    ]),
  );
  return [head, ...lines].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('');
}

function quoted(cell: Cell): string {
  const text = cell === null ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
