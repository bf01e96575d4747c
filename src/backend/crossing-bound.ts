/**
 * A bound sharper than the compulsory one. It is a proof for every schedule, in any order of layers, rows and pixels, that computes no
 * value twice, keeps unfinished sums in no fewer than 4 bytes, and ends a period before the next one begins.
 *
 * Take layers that sum over channels, the last of them j, and call them N. A weight begins when it is first multiplied by, and
 * finishes when its last product is made. One of two things holds:
 *
 * - At some moment a weight of a layer m of N has finished, and one of j has not begun. Then nearly the whole image exists of
 *   everything that m's input comes from, and nearly nothing of what comes from j's output. What was made before m and is read
 *   after j is alive, as a whole, at that moment; what of it does not fit beside the resident weights is written and read.
 * - Or else, when the first weight of N finishes, all of j's have begun and so, since j's inputs come through them, have those of
 *   all of N. None has finished before: what of them is not in SRAM at that moment is read once more.
 *
 * A network whose skip tensors span more weights than the SRAM holds pays for the one or for the other. Spans that share no
 * tensor and no weights add up.
 */
import type { Layer } from '../schedule/layer.js';
import {
  firstTap,
  type Link,
  type LinkTable,
  linkTable,
  neededBy,
  neededThrough,
  needing,
  type Region,
} from './dependence.js';

/** Pairs (i, j) that add up. */
const MOST_SPANS = 6;
/** Layers of a network of which all pairs are looked at; of a longer one, only those that are this near to each other. */
const MOST_LAYERS_APART = 150;
const PARTIAL_SUM_BYTES = 4;
/** Of a channel's record: bias and scale. */
const MOST_HEAD_BYTES = 9;

export interface CrossingBoundInput {
  readonly layers: readonly Layer[];
  /** Roots that are model outputs: they are written in any case, so that one not in SRAM costs its read alone. */
  readonly outputs: ReadonlySet<number>;
  readonly weightBytes: number; // stored, all layers
  readonly portBytes: number; // of a frame: input that is needed, output
  readonly batch: number;
  readonly sramBytes: number;
}

export interface CrossingBound {
  readonly boundBytes: number; // a period
  /** What counted most: activations made before `first` and read after `last`, and weights in between. */
  readonly span: CrossingSpan | undefined;
}

export interface CrossingSpan {
  readonly first: number; // layers, both included
  readonly last: number;
  readonly crossingBytes: number; // activations of a frame that are alive if no weight from first to last is read twice
  readonly weightBytes: number;
}

interface Crossing {
  readonly costBytes: number;
  readonly crossingBytes: number;
  readonly roots: readonly number[];
}

interface Span extends CrossingSpan {
  readonly costBytes: number; // to write and read all that crosses
  readonly roots: readonly number[];
  readonly members: readonly number[];
}

export function crossingBoundOf(input: CrossingBoundInput): CrossingBound {
  const search = new SpanSearch(input);
  const spans: Span[] = [];
  let boundBytes = leastTraffic(input, spans);
  while (spans.length < MOST_SPANS) {
    const next = search.best(spans, (more) => leastTraffic(input, [...spans, more]));
    if (next === undefined || next.boundBytes <= boundBytes) break;
    spans.push(next.span);
    boundBytes = next.boundBytes;
  }
  return { boundBytes, span: spans[0] };
}

/**
 * Over all sizes R of the resident weights: the weights beyond R, and for each span the cheaper way. Linear between the kinks. Of a
 * batch all frames cross together: a weight has finished when its last product of any frame is made.
 */
function leastTraffic(input: CrossingBoundInput, spans: readonly Span[]): number {
  const { weightBytes, sramBytes, batch } = input;
  const most = Math.min(weightBytes, sramBytes);
  const again = (span: Span): number => Math.max(0, span.weightBytes - sramBytes);
  const kinks = [0, most];
  for (const span of spans) {
    const cost = batch * span.costBytes;
    kinks.push(sramBytes - cost / 2, sramBytes - (cost - again(span)) / 2);
  }
  let least = Number.POSITIVE_INFINITY;
  for (const kink of kinks) {
    const resident = Math.min(Math.max(0, kink), most);
    let bytes = weightBytes - resident;
    for (const span of spans) {
      bytes += Math.min(again(span), Math.max(0, batch * span.costBytes - 2 * (sramBytes - resident)));
    }
    least = Math.min(least, bytes);
  }
  return Math.ceil(least + batch * input.portBytes - 1e-6);
}

class SpanSearch {
  private readonly table: LinkTable;
  private readonly before = new Map<number, (Region | undefined)[]>();
  private readonly after = new Map<number, (Region | undefined)[]>();
  private readonly candidates: readonly number[]; // layers that sum over channels

  constructor(private readonly input: CrossingBoundInput) {
    this.table = linkTable(input.layers);
    this.candidates = input.layers.flatMap((layer, index) => (isMixing(layer) ? [index] : []));
  }

  /** The pair that raises the bound most beside those taken; what they counted is not counted again. */
  best(taken: readonly Span[], boundWith: (span: Span) => number): { span: Span; boundBytes: number } | undefined {
    const roots = new Set(taken.flatMap((span) => span.roots));
    const members = new Set(taken.flatMap((span) => span.members));
    let best: { span: Span; boundBytes: number } | undefined;
    for (const last of this.candidates) {
      if (members.has(last)) continue;
      const begun = this.begunWeights(last);
      const spanning: number[] = [];
      let weightBytes = 0;
      let least: Crossing | undefined;
      for (let first = last; first >= 0 && last - first <= MOST_LAYERS_APART; first -= 1) {
        const bytes = begun.get(first);
        if (bytes === undefined) continue;
        if (members.has(first)) break;
        spanning.push(first);
        weightBytes += bytes;
        const crossing = this.crossing(first, last, roots);
        if (crossing.costBytes === 0) break; // an earlier start crosses no more
        if (least === undefined || crossing.costBytes < least.costBytes) least = crossing;
        if (weightBytes <= this.input.sramBytes) continue;
        const span: Span = { first, last, weightBytes, members: [...spanning], ...least };
        const boundBytes = boundWith(span);
        if (best === undefined || boundBytes > best.boundBytes) best = { span, boundBytes };
        if (weightBytes - this.input.sramBytes >= this.input.batch * least.costBytes) break;
      }
    }
    return best;
  }

  /**
   * What exists once a weight of `first` has finished and is still to be read while one of `last` has not begun. Each tensor is
   * counted for one reader; of what a reader takes in, its unfinished sums may stand for all.
   */
  private crossing(first: number, last: number, without: ReadonlySet<number>): Crossing {
    const { layers, outputs } = this.input;
    const before = this.cached(this.before, first, () => this.existing(first));
    const after = this.cached(this.after, last, () => this.missing(last));
    const byReader = new Map<number, { bytes: number; costBytes: number }>();
    const roots: number[] = [];
    for (let producer = 0; producer < first; producer += 1) {
      const made = before[producer];
      const layer = layers[producer];
      if (made?.allChannels !== true || layer === undefined || without.has(layer.output.root)) continue;
      let most = { reader: -1, bytes: 0 };
      for (const link of this.table.from[producer] ?? []) {
        const bytes = this.unreadBytes(link, made, after);
        if (bytes > most.bytes) most = { reader: link.consumer, bytes };
      }
      if (most.bytes === 0) continue;
      const sum = byReader.get(most.reader) ?? { bytes: 0, costBytes: 0 };
      const costBytes = most.bytes * (outputs.has(layer.output.root) ? 1 : 2);
      byReader.set(most.reader, { bytes: sum.bytes + most.bytes, costBytes: sum.costBytes + costBytes });
      roots.push(layer.output.root);
    }
    let crossingBytes = 0;
    let costBytes = 0;
    for (const [reader, sum] of byReader) {
      const unfinished = sumBytes((layers[reader] as Layer).output, after[reader]);
      crossingBytes += Math.min(sum.bytes, unfinished);
      costBytes += Math.min(sum.costBytes, 2 * unfinished);
    }
    return { costBytes, crossingBytes, roots };
  }

  /** Bytes of `made` that results of the link's consumer need which do not exist. */
  private unreadBytes(link: Link, made: Region, after: readonly (Region | undefined)[]): number {
    const missing = after[link.consumer];
    if (missing?.allChannels !== true) return 0;
    const needed = neededThrough(link, missing);
    if (needed === undefined || link.consumer <= link.producer) return 0;
    const layer = this.input.layers[link.producer] as Layer;
    const { c, elementBytes } = layer.output;
    const bytes = overlap(made.rows, needed.rows) * overlap(made.columns, needed.columns) * c * elementBytes;
    return Math.floor(bytes * ownShare(layer));
  }

  /** What exists when some weight of the layer has finished: one channel of its input, wherever each of its taps has fallen. */
  private existing(index: number): (Region | undefined)[] {
    const regions: (Region | undefined)[] = new Array(this.input.layers.length).fill(undefined);
    for (const link of this.table.into[index] ?? []) {
      if (!link.mixesChannels) continue;
      const rows = everyTap(link.rows);
      const columns = everyTap(link.columns);
      if (rows === undefined || columns === undefined || !link.isWhole) continue;
      const part = neededBy(this.table, link.producer, { rows, columns, allChannels: false });
      part.forEach((region, at) => {
        if (region?.allChannels === true) regions[at] = region;
      });
    }
    return regions;
  }

  /** What does not exist while some weight of the layer has not begun: one channel of its output, wherever all taps fall into the image. */
  private missing(index: number): (Region | undefined)[] {
    const main = (this.table.into[index] ?? []).find((link) => link.mixesChannels);
    const rows = main === undefined ? undefined : fullWindows(main.rows);
    const columns = main === undefined ? undefined : fullWindows(main.columns);
    if (rows === undefined || columns === undefined) return [];
    return needing(this.table, index, { rows, columns, allChannels: false });
  }

  /** Per layer before `last` that leads to it, and `last` itself: bytes of weights that have begun when all of `last`'s have. */
  private begunWeights(last: number): Map<number, number> {
    const { layers } = this.input;
    const extents = new Map<number, readonly [number, number]>([[last, [1, 1]]]);
    const begun = new Map<number, number>();
    for (let index = last; index >= 0; index -= 1) {
      const extent = extents.get(index);
      const layer = layers[index];
      if (extent === undefined || layer === undefined) continue;
      for (const link of this.table.into[index] ?? []) {
        if (index === last ? !link.mixesChannels || !link.isWhole : !link.isWhole && !link.mixesChannels) continue;
        // Of the last layer, each weight has begun: each channel of its input has a value somewhere.
        const rows = index === last ? 1 : leastInputs(link.rows, extent[0]);
        const columns = index === last ? 1 : leastInputs(link.columns, extent[1]);
        const known = extents.get(link.producer) ?? [0, 0];
        if (rows * columns > known[0] * known[1]) extents.set(link.producer, [rows, columns]);
      }
      if (!isMixing(layer)) continue;
      const main = (this.table.into[index] ?? []).find((link) => link.mixesChannels);
      // Without biases and scales, which no product needs.
      const { totalBytes, headerBytes, channels } = layer.weights;
      const bytes = Math.max(0, totalBytes - headerBytes - channels * MOST_HEAD_BYTES);
      if (index === last) begun.set(index, bytes);
      else if (main !== undefined) {
        const share = leastTaps(main.rows, extent[0]) / main.rows.kernel;
        begun.set(index, Math.floor(bytes * share * (leastTaps(main.columns, extent[1]) / main.columns.kernel)));
      }
    }
    return begun;
  }

  private cached<T>(map: Map<number, T>, key: number, make: () => T): T {
    let value = map.get(key);
    if (value === undefined) {
      value = make();
      map.set(key, value);
    }
    return value;
  }
}

function isMixing(layer: Layer): boolean {
  return layer.op.kind === 'dense' || (layer.op.kind === 'conv2d' && layer.op.groups === 1);
}

/** Unfinished sums of all results that do not exist. */
function sumBytes({ c }: Layer['output'], missing: Region | undefined): number {
  if (missing === undefined) return 0;
  const pixels = (missing.rows[1] - missing.rows[0]) * (missing.columns[1] - missing.columns[0]);
  return pixels * c * PARTIAL_SUM_BYTES;
}

/** A layer that only moves, repeats or maps single values may be read through: what it is made from can wait in its place. */
function ownShare(layer: Layer): number {
  if (layer.kind !== 'map' && layer.kind !== 'pad' && layer.kind !== 'resize') return 1;
  const { h, w, c, elementBytes } = layer.output;
  const from = layer.operands.reduce(
    (sum, operand) => sum + operand.h * operand.w * operand.c * operand.elementBytes,
    0,
  );
  return Math.min(1, from / (h * w * c * elementBytes));
}

function overlap(a: readonly [number, number], b: readonly [number, number]): number {
  return Math.max(0, Math.min(a[1], b[1]) - Math.max(a[0], b[0]));
}

/** Inputs that each tap falls on for some output; undefined with strides, where taps fall on different ones. */
function everyTap({
  stride,
  pad,
  kernel,
  dilation,
  inputs,
  outputs,
  scale,
}: Link['rows']): [number, number] | undefined {
  if (stride === 0) return inputs === 1 ? [0, 1] : undefined; // a weight of a flattened layer meets one pixel
  if (stride !== 1 || scale !== 1) return undefined;
  const start = Math.max(0, (kernel - 1) * dilation - pad);
  const end = Math.min(inputs, outputs - pad);
  return start < end ? [start, end] : undefined;
}

/** Outputs whose windows lie inside the image. */
function fullWindows(taps: Link['rows']): [number, number] | undefined {
  if (taps.stride === 0) return [0, taps.outputs];
  const start = Math.ceil(taps.pad / taps.stride);
  const end = Math.floor((taps.inputs - 1 - (taps.kernel - 1) * taps.dilation + taps.pad) / taps.stride) + 1;
  return start < end ? [start, Math.min(end, taps.outputs)] : undefined;
}

/** Fewest inputs, as a range, under `extent` outputs in a row, wherever they lie. */
function leastInputs(taps: Link['rows'], extent: number): number {
  if (taps.stride === 0) return taps.inputs;
  if (taps.dilation > 1 || taps.stride > taps.kernel) return 1;
  let least = taps.inputs;
  for (let o = 0; o + extent <= taps.outputs; o += 1) {
    const start = Math.max(0, firstTap(taps, o));
    const end = Math.min(taps.inputs, firstTap(taps, o + extent - 1) + taps.kernel);
    least = Math.min(least, Math.max(0, end - start));
  }
  return least;
}

/** Fewest taps that fall into the image for one of `extent` outputs in a row at least, wherever they lie. */
function leastTaps(taps: Link['rows'], extent: number): number {
  if (taps.stride === 0) return taps.kernel;
  let least = taps.kernel;
  const lastFirst = Math.max(0, taps.outputs - extent);
  // Without dilation the borders have fewest; with it, taps may jump over the image anywhere.
  const step = taps.dilation > 1 ? 1 : Math.max(1, lastFirst);
  for (let first = 0; first <= lastFirst; first += step) {
    let count = 0;
    for (let tap = 0; tap < taps.kernel; tap += 1) {
      for (let o = first; o < Math.min(taps.outputs, first + extent); o += 1) {
        const at = firstTap(taps, o) + tap * taps.dilation;
        if (at < 0 || at >= taps.inputs) continue;
        count += 1;
        break;
      }
    }
    least = Math.min(least, count);
  }
  return least;
}
