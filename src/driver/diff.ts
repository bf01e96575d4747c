/** Two reports side by side: what was compiled differently, what moved, which blocks changed, what was gained and lost. */
import type { LayerReport, Report, TensorReport } from './report.js';

/** `before` and `after` are undefined where there is no such thing. */
export interface Change<Value> {
  readonly before: Value;
  readonly after: Value;
}

export interface Delta extends Change<number> {
  readonly name: string;
  readonly delta: number;
}

export interface TensorDiff {
  readonly name: string;
  readonly class: TensorReport['class'];
  readonly home: Change<TensorReport['home'] | null>;
  readonly trafficBytes: Change<number>; // read and written, of a frame
  readonly deltaBytes: number;
  readonly why: Change<string | null>;
}

export interface LayerDiff {
  readonly name: string;
  readonly runs: Change<string | null>; // how; null where there is no such layer
  readonly trafficBytes: Change<number>; // of a frame
  readonly cycles: Change<number>; // of a frame, estimated
}

/** Layers by name. A block is the same when it has the same layers. */
export interface BlockDiff {
  readonly layers: readonly string[];
  readonly runs: Change<string | null>; // how; null where there is no such block
}

export interface ReportDiff {
  readonly schema: 'spillway-diff/1';
  readonly settings: readonly ({ readonly name: string } & Change<string>)[]; // those that differ
  readonly totals: readonly Delta[]; // bytes of a frame, cycles of a frame, bytes of SRAM; all of them
  readonly tensors: readonly TensorDiff[]; // those that differ, the largest change of traffic first
  readonly layers: readonly LayerDiff[]; // those that run differently or take another time, in order
  readonly blocks: readonly BlockDiff[]; // those that differ
}

export function diffReports(before: Report, after: Report): ReportDiff {
  return {
    schema: 'spillway-diff/1',
    settings: settingsThatDiffer(before, after),
    totals: totals(before, after),
    tensors: tensorDiffs(before, after),
    layers: layerDiffs(before, after),
    blocks: blockDiffs(before, after),
  };
}

function settingsThatDiffer(before: Report, after: Report): ReportDiff['settings'] {
  const settings = ({ model, target, batch, groupFrames, objective, placement, solver }: Report) => ({
    model: model.name,
    dtype: model.dtype,
    target: target.name,
    'SRAM bytes': String(target.sramBytes),
    'DRAM bytes a second': String(target.dramBytesPerSecond),
    batch: String(batch),
    'frames of a group': String(groupFrames),
    objective,
    placement,
    'order of the layers': solver.order,
  });
  const [one, other] = [settings(before), settings(after)];
  return (Object.keys(one) as (keyof typeof one)[]).flatMap((name) =>
    one[name] === other[name] ? [] : [{ name, before: one[name], after: other[name] }],
  );
}

const CLASSES = ['weights', 'activations', 'input', 'output', 'code'] as const;

/** Per frame, so that batches compare. */
function totals(before: Report, after: Report): Delta[] {
  const row = (name: string, value: (report: Report) => number): Delta => {
    const [one, other] = [value(before), value(after)];
    return { name, before: one, after: other, delta: other - one };
  };
  const perFrame = (bytes: (report: Report) => number) => (report: Report) => bytes(report) / report.batch;
  return [
    row(
      'traffic',
      perFrame(({ period }) => period.totalBytes),
    ),
    ...CLASSES.map((name) =>
      row(
        name,
        perFrame(({ period }) => period.byClass[name]),
      ),
    ),
    row(
      'compulsory bound',
      perFrame(({ bound }) => bound.compulsoryBytes),
    ),
    row('prologue', ({ prologue }) => prologue.readBytes),
    row('peak SRAM', ({ sram }) => sram.peakBytes),
    row('resident weights', ({ sram }) => sram.residentWeightBytes),
    row(
      'cycles',
      perFrame(({ timing }) => timing.cycles),
    ),
  ];
}

/** Rows by name; the second one of a name is `name (2)`. */
function byName<Row extends { readonly name: string }>(rows: readonly Row[]): Map<string, Row> {
  const named = new Map<string, Row>();
  const seen = new Map<string, number>();
  for (const row of rows) {
    const times = (seen.get(row.name) ?? 0) + 1;
    seen.set(row.name, times);
    named.set(times === 1 ? row.name : `${row.name} (${times})`, row);
  }
  return named;
}

/** What either has, in the order of the first, then of the second. */
function pairs<Row extends { readonly name: string }>(
  before: readonly Row[],
  after: readonly Row[],
): { readonly name: string; readonly one: Row | undefined; readonly other: Row | undefined }[] {
  const [ones, others] = [byName(before), byName(after)];
  const names = new Set([...ones.keys(), ...others.keys()]);
  return [...names].map((name) => ({ name, one: ones.get(name), other: others.get(name) }));
}

function tensorDiffs(before: Report, after: Report): TensorDiff[] {
  const traffic = (tensor: TensorReport | undefined, { batch }: Report): number =>
    tensor === undefined ? 0 : (tensor.readBytes + tensor.writeBytes) / batch;
  return pairs(before.tensors, after.tensors)
    .flatMap(({ name, one, other }): TensorDiff[] => {
      const bytes = { before: traffic(one, before), after: traffic(other, after) };
      const home = { before: one?.home ?? null, after: other?.home ?? null };
      const kind = one?.class ?? other?.class;
      if (kind === undefined || (bytes.before === bytes.after && home.before === home.after)) return [];
      return [
        {
          name,
          class: kind,
          home,
          trafficBytes: bytes,
          deltaBytes: bytes.after - bytes.before,
          why: { before: one?.why ?? null, after: other?.why ?? null },
        },
      ];
    })
    .sort((a, b) => Math.abs(b.deltaBytes) - Math.abs(a.deltaBytes) || (a.name < b.name ? -1 : 1));
}

function layerDiffs(before: Report, after: Report): LayerDiff[] {
  const traffic = (layer: LayerReport | undefined, { batch }: Report): number =>
    layer === undefined ? 0 : (layer.readBytes + layer.writeBytes) / batch;
  return pairs(before.layers, after.layers).flatMap(({ name, one, other }): LayerDiff[] => {
    const runs = { before: runsOf(one), after: runsOf(other) };
    const trafficBytes = { before: traffic(one, before), after: traffic(other, after) };
    const cycles = { before: one?.cycles ?? 0, after: other?.cycles ?? 0 };
    const isSame =
      runs.before === runs.after && trafficBytes.before === trafficBytes.after && cycles.before === cycles.after;
    return isSame ? [] : [{ name, runs, trafficBytes, cycles }];
  });
}

/** How a layer runs; the number of its block and its steps say nothing across plans. */
function runsOf(layer: LayerReport | undefined): string | null {
  return layer?.tiling.replace(/^block \d+ \(steps \d+ to \d+\)/, 'in a block') ?? null;
}

interface Block {
  readonly key: string;
  readonly layers: readonly string[];
  readonly runs: string;
}

function blocksOf({ layers }: Report): Block[] {
  const members = new Map<number, LayerReport[]>();
  for (const layer of layers) {
    if (layer.block !== null) members.set(layer.block, [...(members.get(layer.block) ?? []), layer]);
  }
  return [...members.values()].map((inside) => ({
    key: inside.map(({ name }) => name).join('\n'),
    layers: inside.map(({ name }) => name),
    runs: runsOf(inside.at(-1))?.replace(/^in a block, /, '') ?? '',
  }));
}

function blockDiffs(before: Report, after: Report): BlockDiff[] {
  const [ones, others] = [blocksOf(before), blocksOf(after)];
  const find = (blocks: readonly Block[], key: string) => blocks.find((block) => block.key === key);
  const kept = ones.map((block) => ({ block, other: find(others, block.key) }));
  return [
    ...kept.flatMap(({ block, other }): BlockDiff[] =>
      block.runs === other?.runs
        ? []
        : [{ layers: block.layers, runs: { before: block.runs, after: other?.runs ?? null } }],
    ),
    ...others
      .filter(({ key }) => find(ones, key) === undefined)
      .map(({ layers, runs }): BlockDiff => ({ layers, runs: { before: null, after: runs } })),
  ];
}
