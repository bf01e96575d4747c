/** Which outputs of which layers need which others: never more than is true, so that what follows from it is a proof. */
import type { Layer, LayerOutput, Operand } from '../schedule/layer.js';

/** A layer's output read by another: what one of the consumer's values needs of it. */
export interface Link {
  readonly producer: number; // index of the layer
  readonly consumer: number;
  readonly rows: Taps;
  readonly columns: Taps;
  /** Every channel of the result depends on every channel of the operand. */
  readonly mixesChannels: boolean;
  /** The producer makes all the channels that this operand has. */
  readonly isWhole: boolean;
}

/** Positions floor(o * stride / scale) - pad + tap * dilation of `inputs` under position o of `outputs`. */
export interface Taps {
  readonly stride: number;
  readonly scale: number;
  readonly pad: number;
  readonly kernel: number;
  readonly dilation: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** All links between layers that this kind of reasoning can use; leaving one out makes a bound weaker, not wrong. */
function linksOf(layers: readonly Layer[]): Link[] {
  const writers = new Map<number, { producer: number; output: LayerOutput }[]>();
  const links: Link[] = [];
  layers.forEach((layer, index) => {
    // A copy makes no values: what reads it reads what the copied layer made.
    const made = layer.op.kind === 'copy' ? copiedLayers(writers, layer) : [index];
    if (layer.op.kind !== 'copy') {
      for (const operand of layer.operands) {
        for (const { producer, output } of writers.get(operand.root) ?? []) {
          const link = linkOf(output, producer, layer, index, operand);
          if (link !== undefined) links.push(link);
        }
      }
    }
    const list = writers.get(layer.output.root) ?? [];
    for (const producer of made) list.push({ producer, output: layer.output });
    writers.set(layer.output.root, list);
  });
  return links;
}

/** The layer whose whole output a copy takes, if there is one. */
function copiedLayers(
  writers: ReadonlyMap<number, readonly { readonly producer: number; readonly output: LayerOutput }[]>,
  copy: Layer,
): number[] {
  const [from] = copy.operands;
  if (from === undefined || copy.operands.length > 1) return [];
  return (writers.get(from.root) ?? []).flatMap(({ producer, output }) => (isAll(output, from) ? [producer] : []));
}

/** The operand is all of what was made, and nothing else. */
function isAll(made: LayerOutput, operand: Operand): boolean {
  return hasSamePixels(made, operand) && made.c === operand.c && made.offsetBytes === operand.offsetBytes;
}

function hasSamePixels(made: LayerOutput, operand: Operand): boolean {
  return (
    made.h === operand.h &&
    made.w === operand.w &&
    made.pixelPitchBytes === operand.pixelPitchBytes &&
    made.rowPitchBytes === operand.rowPitchBytes
  );
}

/** Kinds whose results need the inputs under their windows, each of them; of others nothing is said. */
const UNDERSTOOD: ReadonlySet<Layer['op']['kind']> = new Set([
  'conv2d',
  'dense',
  'maxPool',
  'avgPool',
  'sumPool',
  'add',
  'sub',
  'mul',
  'clamp',
  'unary',
  'lut',
  'convert',
  'upsample',
  'pad',
  'softmax',
  'lrn',
]);

function linkOf(
  made: LayerOutput,
  producer: number,
  layer: Layer,
  consumer: number,
  operand: Operand,
): Link | undefined {
  const { op, output } = layer;
  if (!UNDERSTOOD.has(op.kind)) return undefined;
  if (op.kind === 'pad' && (op.mode !== undefined || op.before[2] + op.after[2] > 0)) return undefined;
  const isMain = operand.role === 'main';
  const mixesChannels = isMain && (op.kind === 'dense' || (op.kind === 'conv2d' && op.groups === 1));
  if (isMain && op.kind === 'dense' && operand.h === 1 && operand.w === 1) {
    if (made.h * made.w * made.c !== operand.c || made.offsetBytes !== operand.offsetBytes) return undefined;
    const rows = allTaps(made.h, output.h);
    return { producer, consumer, rows, columns: allTaps(made.w, output.w), mixesChannels, isWhole: true };
  }
  if (!hasSamePixels(made, operand)) return undefined;
  const isWhole = isAll(made, operand);
  const lastByte = made.offsetBytes + made.c * made.elementBytes;
  const isInside =
    made.offsetBytes >= operand.offsetBytes && lastByte <= operand.offsetBytes + operand.c * operand.elementBytes;
  if (!isWhole && !(isInside && mixesChannels)) return undefined;
  const [rows, columns] = [tapsOf(layer, operand, 0), tapsOf(layer, operand, 1)];
  return { producer, consumer, rows, columns, mixesChannels, isWhole };
}

function allTaps(inputs: number, outputs: number): Taps {
  return { stride: 0, scale: 1, pad: 0, kernel: inputs, dilation: 1, inputs, outputs };
}

/** What of the operand lies under the outputs of a layer, along rows (0) or columns (1). */
export function tapsOf(layer: Layer, operand: Operand, axis: 0 | 1): Taps {
  const { op, output } = layer;
  const map = axis === 0 ? operand.rows : operand.columns;
  const hasWindow =
    operand.role === 'main' &&
    (op.kind === 'conv2d' || op.kind === 'maxPool' || op.kind === 'avgPool' || op.kind === 'sumPool');
  return {
    stride: map.stride,
    scale: map.scale,
    pad: map.pad,
    kernel: hasWindow ? op.window.kernel[axis] : 1,
    dilation: hasWindow ? op.window.dilation[axis] : 1,
    inputs: axis === 0 ? operand.h : operand.w,
    outputs: axis === 0 ? output.h : output.w,
  };
}

export function firstTap(taps: Taps, output: number): number {
  return Math.floor((output * taps.stride) / taps.scale) - taps.pad;
}

/** Half-open ranges of positions of one layer's output. */
export interface Region {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
  readonly allChannels: boolean;
}

/** Positions that the values in [start, end) need, all of them; undefined where they are no range. */
function needed(taps: Taps, [start, end]: readonly [number, number]): readonly [number, number] | undefined {
  let first = firstTap(taps, start);
  let stop = firstTap(taps, end - 1) + (taps.kernel - 1) * taps.dilation + 1;
  if (taps.dilation > 1) {
    // The middle tap alone: the others leave holes.
    if (taps.stride > 1) return undefined;
    first += (taps.kernel >> 1) * taps.dilation;
    stop = first + end - start;
  } else if (end - start > 1 && taps.scale === 1 && taps.stride > taps.kernel) return undefined;
  return clipped(first, stop, taps.inputs);
}

/** Positions of the output each of which needs one in [start, end) at least. */
function positionsNeeding(taps: Taps, [start, end]: readonly [number, number]): readonly [number, number] | undefined {
  if (taps.stride === 0) return [0, taps.outputs];
  if (taps.dilation > 1) {
    if (taps.stride > 1) return undefined;
    const shift = taps.pad - (taps.kernel >> 1) * taps.dilation;
    return clipped(start + shift, end + shift, taps.outputs);
  }
  if (taps.scale > 1) return clipped((start + taps.pad) * taps.scale, (end + taps.pad) * taps.scale, taps.outputs);
  const first = Math.ceil((start + taps.pad - taps.kernel + 1) / taps.stride);
  const stop = Math.floor((end - 1 + taps.pad) / taps.stride) + 1;
  return clipped(first, stop, taps.outputs);
}

function clipped(first: number, stop: number, limit: number): readonly [number, number] | undefined {
  const range = [Math.max(0, first), Math.min(stop, limit)] as const;
  return range[0] < range[1] ? range : undefined;
}

/** Of two regions that both hold, the one that says more. */
function better(a: Region | undefined, b: Region): Region {
  if (a === undefined) return b;
  if (a.allChannels !== b.allChannels) return a.allChannels ? a : b;
  const area = ({ rows, columns }: Region): number => (rows[1] - rows[0]) * (columns[1] - columns[0]);
  return area(a) >= area(b) ? a : b;
}

/** Links by the layer that they start from, and by the one that they lead into. */
export interface LinkTable {
  readonly from: readonly (readonly Link[])[];
  readonly into: readonly (readonly Link[])[];
}

export function linkTable(layers: readonly Layer[]): LinkTable {
  const from: Link[][] = layers.map(() => []);
  const into: Link[][] = layers.map(() => []);
  for (const link of linksOf(layers)) {
    from[link.producer]?.push(link);
    into[link.consumer]?.push(link);
  }
  return { from, into };
}

/** Per layer, outputs that exist once those of `start` exist, which layer `last` makes. */
export function neededBy(table: LinkTable, last: number, start: Region): (Region | undefined)[] {
  const regions: (Region | undefined)[] = new Array(table.into.length).fill(undefined);
  regions[last] = start;
  for (let index = last; index >= 0; index -= 1) {
    const region = regions[index];
    if (region === undefined) continue;
    for (const link of table.into[index] ?? []) {
      const part = neededThrough(link, region);
      if (part !== undefined) regions[link.producer] = better(regions[link.producer], part);
    }
  }
  return regions;
}

/** What a region of the consumer's outputs needs of the producer's. */
export function neededThrough(link: Link, region: Region): Region | undefined {
  const rows = needed(link.rows, region.rows);
  const columns = needed(link.columns, region.columns);
  if (rows === undefined || columns === undefined) return undefined;
  return { rows, columns, allChannels: link.mixesChannels || region.allChannels };
}

/** Per layer, outputs that do not exist while none of `start`'s does, which layer `first` makes. */
export function needing(table: LinkTable, first: number, start: Region): (Region | undefined)[] {
  const regions: (Region | undefined)[] = new Array(table.from.length).fill(undefined);
  regions[first] = start;
  for (let index = first; index < regions.length; index += 1) {
    const region = regions[index];
    if (region === undefined) continue;
    for (const link of table.from[index] ?? []) {
      const rows = positionsNeeding(link.rows, region.rows);
      const columns = positionsNeeding(link.columns, region.columns);
      if (rows === undefined || columns === undefined) continue;
      const allChannels = link.mixesChannels || (region.allChannels && link.isWhole);
      regions[link.consumer] = better(regions[link.consumer], { rows, columns, allChannels });
    }
  }
  return regions;
}
