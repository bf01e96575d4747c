/**
 * Depth-first blocks: consecutive layers through which a stripe of rows flows before the next one starts. Tensors inside
 * exist only as rolling buffers of rows.
 *
 *   iteration      0      1      2      3              every layer makes h rows an iteration, in its own unit of rows;
 *   conv a      0..h   h..2h  2h..3h  ...              a is `ahead` of b by the rows that b's window needs below
 *   ring of a   |h + halo|
 *   conv b        .    0..h   h..2h   ...              (negative rows are clipped away: no code for the ramp)
 *
 * After iteration i a tensor's rows [0, ahead + (i + 1) * h) are made. A consumer with stride s, padding p and extent k needs
 * ahead(producer) >= (ahead(consumer) - 1) * s - p + k, so one walk from the last layer to the first gives all of them, and
 * with them the rows that each ring must hold, in closed form.
 */
import type { TensorId } from '../ir/types.js';
import { type AxisMap, asStreamed, clippedRange, isGathered, type Layer, type Operand } from './layer.js';
import { alignUp } from './tiling.js';

/** How a root tensor takes part in a block. */
export type RingRole = 'internal' | 'input' | 'output';

/** A rolling buffer: of a tensor inside, of an input streamed from DRAM, of an output streamed to DRAM. */
export interface BlockRing {
  readonly root: TensorId;
  readonly role: RingRole;
  readonly rows: number; // of the ring
  readonly rowBytes: number;
  readonly pixelBytes: number;
  readonly sizeBytes: number; // rounded up to the alignment
  readonly rowsPerIteration: number;
  readonly firstRow: number; // made or loaded in iteration 0; below zero while the pipeline fills
  readonly imageRows: number; // rows that are made or loaded in all
  /** For inputs: the one view through which the block reads, when there is only one; else the whole root moves. */
  readonly view: Operand | undefined;
}

export interface BlockLayerPlan {
  readonly step: number;
  readonly rowsPerIteration: number;
  readonly firstRow: number; // output rows [firstRow, firstRow + rowsPerIteration) in iteration 0
}

export interface BlockPlan {
  readonly first: number;
  readonly last: number; // steps, inclusive
  readonly iterations: number;
  readonly layers: readonly BlockLayerPlan[];
  readonly rings: readonly BlockRing[];
  readonly workspaceBytes: number; // of the rings
  readonly inputReadBytes: ReadonlyMap<TensorId, number>; // streamed
  readonly outputWriteBytes: ReadonlyMap<TensorId, number>; // streamed
}

/** A root as a block sees it: who writes and reads it inside, and whether anyone does outside. */
export interface BlockRoot {
  readonly root: TensorId;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly elementBytes: number;
  readonly writers: readonly number[]; // steps inside
  readonly readers: readonly { readonly step: number; readonly operand: Operand }[];
  readonly role: RingRole;
}

export interface BlockShape {
  readonly layers: readonly Layer[];
  readonly roots: readonly BlockRoot[];
  /** Rows an iteration of each layer's output and of each root, for stripes of least height. */
  readonly layerRows: ReadonlyMap<number, number>;
  readonly rootRows: ReadonlyMap<TensorId, number>;
  readonly layerAhead: ReadonlyMap<number, number>;
}

export interface RootFacts {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly elementBytes: number;
  readonly writers: readonly number[]; // steps, of the whole program
  readonly readers: readonly number[];
  readonly isPort: boolean; // a model input or output
}

/** Layers that can be cut into stripes of rows. */
export function canFlow(layer: Layer): boolean {
  if (layer.kind === 'transpose' || layer.output.h < 2) return false;
  return layer.operands.every((operand) => operand.h > 1 && operand.rows.extent < operand.h);
}

/** A tensor whose rows are the rows of its root: a slice of channels, or the root itself. */
function isRowAligned(
  view: {
    readonly h: number;
    readonly w: number;
    readonly pixelPitchBytes: number;
    readonly rowPitchBytes: number;
    readonly offsetBytes: number;
  },
  root: RootFacts,
): boolean {
  const pixel = root.c * root.elementBytes;
  return (
    view.h === root.h &&
    view.w === root.w &&
    view.pixelPitchBytes === pixel &&
    view.rowPitchBytes === pixel * root.w &&
    view.offsetBytes < pixel
  );
}

/**
 * Rates, roles and row offsets of the layers [first, last], or undefined when they cannot flow together: rows that do not
 * keep a common rate, layers that share no tensor, views across rows.
 */
export function shapeBlock(
  all: readonly Layer[],
  facts: ReadonlyMap<TensorId, RootFacts>,
  first: number,
  last: number,
): BlockShape | undefined {
  const layers = all.slice(first, last + 1);
  const rates = ratesOf(layers);
  if (rates === undefined) return undefined;
  const roots: BlockRoot[] = [];
  const known = new Map<TensorId, { writers: number[]; readers: { step: number; operand: Operand }[] }>();
  const at = (root: TensorId): { writers: number[]; readers: { step: number; operand: Operand }[] } => {
    const entry = known.get(root) ?? { writers: [], readers: [] };
    known.set(root, entry);
    return entry;
  };
  for (const layer of layers) {
    for (const operand of layer.operands) {
      const root = facts.get(operand.root);
      if (root === undefined || !isRowAligned(operand, root)) return undefined;
      at(operand.root).readers.push({ step: layer.step, operand });
    }
    const root = facts.get(layer.output.root);
    if (root === undefined || !isRowAligned(layer.output, root)) return undefined;
    at(layer.output.root).writers.push(layer.step);
  }
  for (const [root, inside] of known) {
    const fact = facts.get(root);
    if (fact === undefined) return undefined;
    const hasOutsideWriters = fact.writers.some((step) => step < first || step > last);
    const hasOutsideReaders = fact.isPort || fact.readers.some((step) => step < first || step > last);
    if (inside.writers.length > 0 && hasOutsideWriters) return undefined; // partly written elsewhere
    const lastWriter = Math.max(-1, ...inside.writers);
    if (inside.readers.some((reader) => reader.step <= lastWriter)) return undefined; // read before it is complete
    const role: RingRole = inside.writers.length === 0 ? 'input' : hasOutsideReaders ? 'output' : 'internal';
    roots.push({ root, h: fact.h, w: fact.w, c: fact.c, elementBytes: fact.elementBytes, ...inside, role });
  }
  return { layers, roots, layerRows: rates.layerRows, rootRows: rates.rootRows, layerAhead: aheadOf(layers, roots) };
}

/** Least whole rows an iteration, or undefined when the layers keep no common rate. */
function ratesOf(
  layers: readonly Layer[],
): { layerRows: Map<number, number>; rootRows: Map<TensorId, number> } | undefined {
  // Rates are fractions with denominators of small primes: scaled integers stay exact.
  const scale = 5040 * 64;
  const rootRate = new Map<TensorId, number>();
  const layerRate = new Map<number, number>();
  for (const [index, layer] of layers.entries()) {
    let rate = index === 0 ? scale : undefined;
    for (const operand of layer.operands) {
      const input = rootRate.get(operand.root);
      if (input === undefined) continue;
      const implied = (input * operand.rows.scale) / operand.rows.stride;
      if (rate === undefined) rate = implied;
      else if (rate !== implied) return undefined;
    }
    rate ??= rootRate.get(layer.output.root);
    if (rate === undefined || !Number.isInteger(rate)) return undefined;
    for (const operand of layer.operands) {
      const implied = (rate * operand.rows.stride) / operand.rows.scale;
      const input = rootRate.get(operand.root);
      if (!Number.isInteger(implied) || (input !== undefined && input !== implied)) return undefined;
      rootRate.set(operand.root, implied);
    }
    const output = rootRate.get(layer.output.root);
    if (output !== undefined && output !== rate) return undefined;
    rootRate.set(layer.output.root, rate);
    layerRate.set(layer.step, rate);
  }
  let divisor = 0;
  for (const rate of [...rootRate.values(), ...layerRate.values()]) divisor = greatestCommonDivisor(divisor, rate);
  const scaled = <K>(rates: Map<K, number>): Map<K, number> =>
    new Map([...rates].map(([key, rate]) => [key, rate / divisor]));
  return { layerRows: scaled(layerRate), rootRows: scaled(rootRate) };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Rows that a consumer's input must be ahead, when the consumer itself is `ahead` of the block's end. */
function inputAhead(rows: AxisMap, ahead: number): number {
  if (rows.scale > 1) return Math.floor((ahead - 1) / rows.scale) + 1;
  return (ahead - 1) * rows.stride - rows.pad + rows.extent;
}

function aheadOf(layers: readonly Layer[], roots: readonly BlockRoot[]): Map<number, number> {
  const ahead = new Map<number, number>();
  const readersOf = new Map(roots.map((root) => [root.root, root.readers]));
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const layer = layers[i];
    if (layer === undefined) continue;
    let most = 0;
    for (const reader of readersOf.get(layer.output.root) ?? []) {
      if (reader.step <= layer.step) continue;
      most = Math.max(most, inputAhead(reader.operand.rows, ahead.get(reader.step) ?? 0));
    }
    ahead.set(layer.step, most);
  }
  return ahead;
}

/** Rows of the root that must be there at once: from the oldest that a reader still needs to the newest made. */
function ringRowsFor(root: BlockRoot, shape: BlockShape, rootAhead: number, rows: number): number {
  let most = rows;
  for (const { step, operand } of root.readers) {
    const ahead = shape.layerAhead.get(step) ?? 0;
    const oldest =
      operand.rows.scale > 1 ? Math.floor(ahead / operand.rows.scale) : ahead * operand.rows.stride - operand.rows.pad;
    most = Math.max(most, rootAhead + rows - oldest);
  }
  return Math.min(most, root.h);
}

export interface BlockHomes {
  /** Roots that are not internal: in SRAM as a whole, or streamed. */
  readonly inSram: ReadonlySet<TensorId>;
}

/**
 * The block with given homes of its boundary tensors.
 *
 * @param multiple stripes of that many times the least height
 * @param depth buffers of streamed inputs: 2 lets loads run an iteration ahead
 */
export function planBlock(
  shape: BlockShape,
  homes: BlockHomes,
  alignmentBytes: number,
  multiple: number,
  depth: 1 | 2,
): BlockPlan {
  const { layers } = shape;
  const first = layers[0]?.step ?? 0;
  const last = layers[layers.length - 1]?.step ?? 0;
  const rowsOf = (step: number): number => (shape.layerRows.get(step) ?? 1) * multiple;
  const pending: {
    root: BlockRoot;
    ahead: number;
    rows: number;
    view: Operand | undefined;
    gathered: Operand | undefined;
  }[] = [];
  let shift = 0;
  let iterations = 0;
  for (const layer of layers) {
    const ahead = shape.layerAhead.get(layer.step) ?? 0;
    shift = Math.max(shift, Math.ceil(ahead / rowsOf(layer.step)));
    iterations = Math.max(iterations, Math.ceil((layer.output.h - ahead) / rowsOf(layer.step)));
  }
  for (const root of shape.roots) {
    if (root.role !== 'internal' && homes.inSram.has(root.root)) continue;
    const [reader] = root.readers;
    const view = root.role === 'input' && root.readers.length === 1 ? reader?.operand : undefined;
    const consumer = reader === undefined ? undefined : layers.find((layer) => layer.step === reader.step);
    const gathered =
      view !== undefined && consumer !== undefined && isGathered(view) ? asStreamed(view, consumer.output) : undefined;
    let ahead = 0;
    let rows = (shape.rootRows.get(root.root) ?? 1) * multiple;
    if (gathered !== undefined && consumer !== undefined) {
      ahead = shape.layerAhead.get(consumer.step) ?? 0;
      rows = rowsOf(consumer.step);
    } else if (root.role === 'input') {
      for (const { step, operand } of root.readers)
        ahead = Math.max(ahead, inputAhead(operand.rows, shape.layerAhead.get(step) ?? 0));
    } else for (const step of root.writers) ahead = Math.max(ahead, shape.layerAhead.get(step) ?? 0);
    shift = Math.max(shift, Math.ceil(ahead / rows));
    pending.push({ root, ahead, rows, view, gathered });
  }
  iterations += shift;
  const inputReadBytes = new Map<TensorId, number>();
  const outputWriteBytes = new Map<TensorId, number>();
  const rings = pending.map(({ root, ahead, rows, view, gathered }): BlockRing => {
    const pixelBytes = (view === undefined ? root.c : view.c) * root.elementBytes;
    const width = gathered === undefined ? root.w : gathered.w;
    const needed = neededRows(root, layers, gathered);
    const kept = gathered === undefined ? ringRowsFor(root, shape, ahead, rows) : rows;
    const wanted = root.role === 'input' && depth === 2 ? kept + rows : kept;
    const ringRows = Math.min(wanted, Math.max(needed, 1));
    if (root.role === 'input') inputReadBytes.set(root.root, needed * width * pixelBytes);
    if (root.role === 'output') outputWriteBytes.set(root.root, root.h * root.w * root.c * root.elementBytes);
    return {
      root: root.root,
      role: root.role,
      rows: ringRows,
      rowBytes: width * pixelBytes,
      pixelBytes,
      sizeBytes: alignUp(ringRows * width * pixelBytes, alignmentBytes),
      rowsPerIteration: rows,
      firstRow: ahead - shift * rows,
      imageRows: needed,
      view: gathered ?? view,
    };
  });
  return {
    first,
    last,
    iterations,
    layers: layers.map((layer) => ({
      step: layer.step,
      rowsPerIteration: rowsOf(layer.step),
      firstRow: (shape.layerAhead.get(layer.step) ?? 0) - shift * rowsOf(layer.step),
    })),
    rings,
    workspaceBytes: rings.reduce((total, ring) => total + ring.sizeBytes, 0),
    inputReadBytes,
    outputWriteBytes,
  };
}

/** Rows that are made, or that any reader needs. */
function neededRows(root: BlockRoot, layers: readonly Layer[], gathered: Operand | undefined): number {
  if (root.role !== 'input') return root.h;
  if (gathered !== undefined) return gathered.h;
  let most = 0;
  for (const { step, operand } of root.readers) {
    const layer = layers.find((candidate) => candidate.step === step);
    if (layer !== undefined) most = Math.max(most, clippedRange(operand.rows, 0, layer.output.h, root.h).end);
  }
  return most;
}

/**
 * Whether an output of the block may be written over an input, both in SRAM as a whole: no row is overwritten before its
 * last reader has run.
 */
export function canOverwrite(shape: BlockShape, output: BlockRoot, input: BlockRoot): boolean {
  const [writer] = output.writers;
  if (writer === undefined || output.writers.length !== 1 || input.role !== 'input' || output.role !== 'output')
    return false;
  if (
    output.h !== input.h ||
    output.w !== input.w ||
    output.c !== input.c ||
    output.elementBytes !== input.elementBytes
  )
    return false;
  if (output.readers.length > 0) return false;
  // Equal heights do not mean equal rates: a stride under much padding, an upsampling before a wide window.
  if (shape.rootRows.get(output.root) !== shape.rootRows.get(input.root)) return false;
  const writerAhead = shape.layerAhead.get(writer) ?? 0;
  return input.readers.every(({ step, operand }) => {
    if (step > writer || operand.rows.scale > 1) return false;
    if (step === writer) return operand.canBeOverwritten;
    const ahead = shape.layerAhead.get(step) ?? 0;
    return ahead * operand.rows.stride - operand.rows.pad >= writerAhead && operand.rows.stride === 1;
  });
}
