/** The forms of a block that are worth a try: see form-blocks.ts for what each of them costs. */
import { type BlockForm, type BlockPlan, LEAST_FORM } from '../src/schedule/block.js';
import { rowsMadeAgain } from '../src/schedule/block-again.js';
import { columnFlow } from '../src/schedule/block-pieces.js';
import type { BlockShape } from '../src/schedule/block-shape.js';
import { canTile } from '../src/schedule/block-tiles.js';
import { alignUp } from '../src/schedule/tiling.js';
import type { Chip } from '../src/target/chip.js';
import { chunkChannelsFor } from './tile.js';

export interface FormOptions {
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
  readonly chip?: Chip;
  readonly canEvict?: boolean; // tensors may be in SRAM in part
  readonly pieces?: boolean; // false: stripes of whole rows only
  readonly leastRoom?: boolean; // list what takes the least SRAM, however much there is
}

/** Weights are loaded again for each stripe only in short blocks, and only the largest of them. */
export const MOST_LAYERS_STREAMED = 6;
const MOST_STREAMED = 3;
/** Stripes that are tried there. */
const STREAMED_STRIPES = [2, 3, 4, 6, 8, 12];
const TILE_COUNTS = [2, 4, 8, 16];
/** Stripes that are tried where rows are made again: the taller, the fewer of them. */
const AGAIN_MULTIPLES = [1, 2, 4, 8];

/**
 * The forms worth a try: whole rows always, others where the rings or the weights take much of the SRAM. Pieces are listed in
 * the least width only: what room is left makes them wider (grow-tiles.ts).
 *
 * @param least the block in LEAST_FORM, which is the first of them
 */
export function formsOf(shape: BlockShape, least: BlockPlan, options: FormOptions): BlockForm[] {
  const forms = [LEAST_FORM];
  const held = heldWeights(shape, LEAST_FORM, options.alignmentBytes);
  const isTight = options.leastRoom === true || least.workspaceBytes * 8 > options.capacityBytes - held.bytes;
  if (options.pieces !== false && isTight && columnFlow(shape) !== undefined) forms.push(...pieceForms(shape));
  if (least.workspaceBytes * 8 > options.capacityBytes && canTile(shape)) {
    const narrowest = Math.min(...shape.layers.map(({ output }) => output.w));
    for (const tiles of TILE_COUNTS) if (tiles * 4 <= narrowest) forms.push({ ...LEAST_FORM, tiles });
  }
  return [...forms, ...streamedForms(shape, least, options)];
}

/** In the least pieces: halo rows kept; those of cheap layers made again, in stripes low or tall. */
function pieceForms(shape: BlockShape): BlockForm[] {
  const kept = { ...LEAST_FORM, pieces: 1 };
  const again = AGAIN_MULTIPLES.filter((multiple) => rowsMadeAgain(shape, multiple).size > 0);
  return [kept, ...again.map((multiple) => ({ ...kept, multiple, again: true }))];
}

/** The largest weights loaded again for each of a few tall stripes. */
function streamedForms(shape: BlockShape, least: BlockPlan, options: FormOptions): BlockForm[] {
  if (shape.layers.length > MOST_LAYERS_STREAMED) return [];
  const bySize = shape.layers
    .filter(({ weights }) => weights.channels > 0 && weights.totalBytes * 16 > options.capacityBytes)
    .sort((a, b) => b.weights.totalBytes - a.weights.totalBytes || a.step - b.step);
  const forms: BlockForm[] = [];
  for (let count = 1; count <= Math.min(MOST_STREAMED, bySize.length); count += 1) {
    const streamed = new Map(bySize.slice(0, count).map((layer) => [layer.step, chunkChannelsFor(layer, options)]));
    let before = Number.POSITIVE_INFINITY;
    for (const stripes of STREAMED_STRIPES) {
      const multiple = Math.max(1, Math.ceil(least.iterations / stripes));
      if (multiple < before) forms.push({ ...LEAST_FORM, multiple, streamed });
      before = multiple;
    }
  }
  return forms;
}

/** All weights of the block that are not streamed, each layer's rounded up, and what rounding its resident prefix may cost. */
export function heldWeights(
  shape: BlockShape,
  form: BlockForm,
  alignmentBytes: number,
): { readonly bytes: number; readonly roundingBytes: number } {
  let bytes = 0;
  let roundingBytes = 0;
  for (const { step, weights } of shape.layers) {
    if (form.streamed.has(step)) continue;
    bytes += alignUp(weights.totalBytes, alignmentBytes);
    if (weights.totalBytes > 0) roundingBytes += alignmentBytes;
  }
  return { bytes, roundingBytes };
}
