/**
 * Which consecutive layers can run as one depth-first block, and at what rates: the rows that each layer and each tensor
 * advances by an iteration, and how far each layer is ahead of the end of the block. How much SRAM a block takes and what it
 * moves is in block.ts.
 */
import type { TensorId } from '../ir/types.js';
import type { RingRole } from './block.js';
import type { AxisMap, Layer, Operand } from './layer.js';

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
  /** Steps that pool a whole image into one pixel, some rows at a time. */
  readonly gathering: ReadonlySet<number>;
}

/** The layer of one of the block's steps. */
export function layerAt({ layers }: Pick<BlockShape, 'layers'>, step: number): Layer | undefined {
  return layers[step - (layers[0]?.step ?? 0)];
}

/** How one axis, rows or columns, flows through the layers of a block. */
export interface Flow {
  /** Least whole positions a step of each layer's output and of each root. */
  readonly layerRate: ReadonlyMap<number, number>;
  readonly rootRate: ReadonlyMap<TensorId, number>;
  /** How far each layer is ahead of the end of the block. */
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
  if (gathersRows(layer)) return true;
  if (
    layer.kind === 'transpose' ||
    layer.kind === 'matmul' ||
    layer.kind === 'gather' ||
    layer.kind === 'recurrent' ||
    layer.output.h < 2
  )
    return false;
  return layer.operands.every((operand) => operand.h > 1 && operand.rows.extent < operand.h);
}

/** Pools a whole image of 8-bit elements into one pixel: the machine does that some rows at a time (`poolRows`). */
export function gathersRows(layer: Layer): boolean {
  const { op, output, operands } = layer;
  const [image] = operands;
  if (image === undefined || operands.length > 1) return false;
  if (op.kind !== 'maxPool' && op.kind !== 'avgPool' && op.kind !== 'sumPool') return false;
  const { kernel, pad } = op.window;
  const isPadded = pad.top + pad.left + pad.bottom + pad.right > 0;
  const isWhole = kernel[0] === image.h && kernel[1] === image.w && output.h === 1 && output.w === 1;
  return isWhole && !isPadded && image.h > 1 && image.elementBytes === 1;
}

/** The layer as its rows flow: one that gathers takes each row of its input as a row of its own. */
export function asFlowing(layer: Layer): Layer {
  const [image] = layer.operands;
  if (image === undefined || !gathersRows(layer)) return layer;
  const rows: AxisMap = { stride: 1, scale: 1, pad: 0, extent: 1 };
  return { ...layer, operands: [{ ...image, rows }], output: { ...layer.output, h: image.h } };
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
 *
 * @param flowing all layers, asFlowing
 */
export function shapeBlock(
  all: readonly Layer[],
  flowing: readonly Layer[],
  facts: ReadonlyMap<TensorId, RootFacts>,
  first: number,
  last: number,
): BlockShape | undefined {
  const layers = flowing.slice(first, last + 1);
  const gathering = new Set(layers.filter((_, i) => all[first + i] !== layers[i]).map((layer) => layer.step));
  const rates = ratesOf(layers, 'rows');
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
    if (root === undefined) return undefined;
    if (!gathering.has(layer.step) && !isRowAligned(layer.output, root)) return undefined;
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
    if (inside.readers.length > 0 && inside.writers.some((step) => gathering.has(step))) return undefined; // only there at the end
    const role: RingRole = inside.writers.length === 0 ? 'input' : hasOutsideReaders ? 'output' : 'internal';
    roots.push({ root, h: fact.h, w: fact.w, c: fact.c, elementBytes: fact.elementBytes, ...inside, role });
  }
  return {
    layers,
    roots,
    layerRows: rates.layerRate,
    rootRows: rates.rootRate,
    layerAhead: aheadOf(layers, roots, 'rows'),
    gathering,
  };
}

/** Undefined when the layers keep no common rate. */
export function flowOf(
  layers: readonly Layer[],
  roots: readonly BlockRoot[],
  axis: 'rows' | 'columns',
): Flow | undefined {
  const rates = ratesOf(layers, axis);
  return rates === undefined ? undefined : { ...rates, layerAhead: aheadOf(layers, roots, axis) };
}

/** Least whole rows (or columns) a step, or undefined when the layers keep no common rate. */
function ratesOf(layers: readonly Layer[], axis: 'rows' | 'columns'): Omit<Flow, 'layerAhead'> | undefined {
  // Rates are fractions with denominators of small primes: scaled integers stay exact.
  const scale = 5040 * 64;
  const rootRate = new Map<TensorId, number>();
  const layerRate = new Map<number, number>();
  for (const [index, layer] of layers.entries()) {
    let rate = index === 0 ? scale : undefined;
    for (const operand of layer.operands) {
      const input = rootRate.get(operand.root);
      if (input === undefined) continue;
      const implied = (input * operand[axis].scale) / operand[axis].stride;
      if (rate === undefined) rate = implied;
      else if (rate !== implied) return undefined;
    }
    rate ??= rootRate.get(layer.output.root);
    if (rate === undefined || !Number.isInteger(rate)) return undefined;
    for (const operand of layer.operands) {
      const implied = (rate * operand[axis].stride) / operand[axis].scale;
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
  return { layerRate: scaled(layerRate), rootRate: scaled(rootRate) };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Positions that a consumer's input must be ahead, when the consumer itself is `ahead` of the block's end. */
export function inputAhead(map: AxisMap, ahead: number): number {
  if (map.scale > 1) return Math.floor((ahead - 1) / map.scale) + 1;
  return (ahead - 1) * map.stride - map.pad + map.extent;
}

function aheadOf(layers: readonly Layer[], roots: readonly BlockRoot[], axis: 'rows' | 'columns'): Map<number, number> {
  const ahead = new Map<number, number>();
  const readersOf = new Map(roots.map((root) => [root.root, root.readers]));
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const layer = layers[i];
    if (layer === undefined) continue;
    let most = 0;
    for (const reader of readersOf.get(layer.output.root) ?? []) {
      if (reader.step <= layer.step) continue;
      most = Math.max(most, inputAhead(reader.operand[axis], ahead.get(reader.step) ?? 0));
    }
    ahead.set(layer.step, most);
  }
  return ahead;
}

/**
 * Whether an output of the block may be written over an input, both in SRAM as a whole: no row is overwritten before its
 * last reader has run, and no column where stripes come in pieces.
 *
 * @param again rows above a stripe that layers make again, by step
 */
export function canOverwrite(
  shape: BlockShape,
  output: BlockRoot,
  input: BlockRoot,
  columns?: Flow,
  again?: ReadonlyMap<number, number>,
): boolean {
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
  const rows: Flow = { layerRate: shape.layerRows, rootRate: shape.rootRows, layerAhead: shape.layerAhead };
  const isBehind = (flow: Flow, step: number, map: AxisMap, more = 0): boolean =>
    map.scale === 1 &&
    map.stride === 1 &&
    (flow.layerAhead.get(step) ?? 0) - more - map.pad >= (flow.layerAhead.get(writer) ?? 0);
  const isSameRate = (flow: Flow): boolean => flow.rootRate.get(output.root) === flow.rootRate.get(input.root);
  if (!isSameRate(rows) || (columns !== undefined && !isSameRate(columns))) return false;
  return input.readers.every(({ step, operand }) => {
    if (step > writer || operand.rows.scale > 1) return false;
    if (step === writer) return operand.canBeOverwritten;
    const more = again?.get(step) ?? 0;
    return (
      isBehind(rows, step, operand.rows, more) && (columns === undefined || isBehind(columns, step, operand.columns))
    );
  });
}
