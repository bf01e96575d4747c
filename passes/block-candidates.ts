/** The candidates that a run of layers makes: each of its forms with every combination of homes of the tensors at its borders. */
import type { TensorId } from '../src/ir/types.js';
import { type BlockForm, type BlockPlan, LEAST_FORM, planBlock } from '../src/schedule/block.js';
import { rowsMadeAgain } from '../src/schedule/block-again.js';
import { columnFlow } from '../src/schedule/block-pieces.js';
import { type BlockRoot, type BlockShape, canOverwrite } from '../src/schedule/block-shape.js';
import { alignUp } from '../src/schedule/tiling.js';
import type { OutputTail } from '../src/solver/placement/evictions.js';
import { type FormOptions, formsOf, heldWeights } from './block-forms.js';
import { extraCyclesOf } from './grow-blocks.js';

/** A block with its homes. */
export interface BlockCandidate {
  readonly first: number;
  readonly last: number; // steps, inclusive
  readonly shape: BlockShape;
  readonly form: BlockForm;
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
  /** Outputs that may take the memory of an input. */
  readonly overwrites: ReadonlyMap<TensorId, TensorId>;
  /** Outputs in SRAM whose last rows may be streamed out while the block runs. */
  readonly tails: ReadonlyMap<TensorId, OutputTail>;
  readonly workspaceBytes: number;
  readonly heldWeightBytes: number; // all weights of the block that are not streamed, each layer's rounded up
  readonly trafficBytes: number; // of activations
  readonly streamedWeightBytes: number; // of one frame
  readonly extraCycles: number; // see solver/placement/problem.ts
}

/** Homes are tried in all combinations: more borders than this are too many for one block. */
const MOST_BORDERS = 5;
/** Of the SRAM, by a block part of whose outputs is streamed out. */
const MOST_WITH_TAILS = 1.25;

const NO_OVERWRITES: ReadonlyMap<TensorId, TensorId> = new Map();
const NO_TAILS: ReadonlyMap<TensorId, OutputTail> = new Map();

/** A tensor at the border of a block. */
interface Border {
  readonly root: BlockRoot;
  readonly wholeBytes: number;
  readonly mustBeInSram: boolean; // made at the end, by a layer that gathers rows
}

/** What all forms of a block have in common. */
interface Borders {
  readonly shape: BlockShape;
  readonly list: readonly Border[];
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
}

/** A block in one form: a ring is the same whatever the other homes are, so one plan knows them all. */
interface Formed {
  readonly borders: Borders;
  readonly form: BlockForm;
  readonly plan: BlockPlan;
  readonly ringBytes: readonly number[]; // by border: of its ring
  readonly trafficBytes: readonly number[]; // by border, when it is streamed
  readonly insideBytes: number; // of what is there whatever the homes are
  readonly held: { readonly bytes: number; readonly roundingBytes: number };
  readonly streamedWeightBytes: number;
  readonly kind: string; // forms that hold different weights are not compared
  readonly extraCycles: number;
  readonly overwritable: Map<number, boolean>; // by output and input: see mayOverwrite
  readonly tails: Map<number, ReadonlyMap<TensorId, OutputTail>>; // by the set of outputs that are made in SRAM
}

/** Adds a block's candidates to a list. @returns false where no form of it fits the SRAM, even with nothing but rings there */
export function addCandidates(shape: BlockShape, options: FormOptions, candidates: BlockCandidate[]): boolean {
  const { alignmentBytes, capacityBytes } = options;
  const least = planBlock(shape, LEAST_FORM, alignmentBytes);
  const borders = bordersOf(shape);
  const fitting: Formed[] = [];
  for (const form of formsOf(shape, least, options)) {
    const plan = form === LEAST_FORM ? least : planBlock(shape, form, alignmentBytes);
    const one = formed(borders, form, plan, options);
    if (one.insideBytes + one.held.bytes <= capacityBytes) fitting.push(one);
  }
  if (fitting.length === 0) return false;
  if (borders.list.length > MOST_BORDERS) return true;
  for (let mask = 0; mask < 1 << borders.list.length; mask += 1) {
    const inSram = new Set<TensorId>();
    borders.list.forEach(({ root }, i) => {
      if (isIn(mask, i)) inSram.add(root.root);
    });
    for (const draft of undominatedDrafts(fitting, mask, options)) candidates.push(candidateOf(draft, inSram, options));
  }
  return true;
}

const isIn = (mask: number, border: number): boolean => (mask & (1 << border)) !== 0;

function bordersOf(shape: BlockShape): Borders {
  const borders = shape.roots.filter(({ role }) => role !== 'internal');
  return {
    shape,
    list: borders.map((root) => ({
      root,
      wholeBytes: wholeBytesOf(root),
      mustBeInSram: root.writers.some((step) => shape.gathering.has(step)),
    })),
    inputs: borders.flatMap(({ role, root }) => (role === 'input' ? [root] : [])),
    outputs: borders.flatMap(({ role, root }) => (role === 'output' ? [root] : [])),
  };
}

const wholeBytesOf = ({ h, w, c, elementBytes }: BlockRoot): number => h * w * c * elementBytes;

function formed(borders: Borders, form: BlockForm, plan: BlockPlan, { alignmentBytes, chip }: FormOptions): Formed {
  const { shape, list } = borders;
  const ringBytes = list.map(({ root }) => plan.rings.find((ring) => ring.root === root.root)?.sizeBytes ?? 0);
  let insideBytes = plan.workspaceBytes;
  for (const bytes of ringBytes) insideBytes -= bytes;
  let streamedWeightBytes = 0;
  for (const bytes of plan.streamedWeightBytes.values()) streamedWeightBytes += bytes;
  return {
    borders,
    form,
    plan,
    ringBytes,
    trafficBytes: list.map(
      ({ root }) => plan.inputReadBytes.get(root.root) ?? plan.outputWriteBytes.get(root.root) ?? 0,
    ),
    insideBytes,
    held: heldWeights(shape, form, alignmentBytes),
    streamedWeightBytes,
    kind: [...form.streamed.keys()].join(),
    extraCycles: chip === undefined ? 0 : extraCyclesOf(plan, shape, chip),
    overwritable: new Map(),
    tails: new Map(),
  };
}

/** A candidate as far as others may beat it. */
interface Draft {
  readonly one: Formed;
  readonly mask: number;
  readonly overwrites: ReadonlyMap<TensorId, TensorId>;
  readonly workspaceBytes: number;
  readonly trafficBytes: number; // of activations
  readonly costBytes: number; // with streamed weights
  readonly sramBytes: number; // beside the borders that are in SRAM as a whole; what an output takes over is not counted again
}

/** For one combination of homes, the forms that no other beats in both SRAM and traffic. */
function undominatedDrafts(forms: readonly Formed[], mask: number, options: FormOptions): Draft[] {
  const drafts: Draft[] = [];
  for (const one of forms) {
    const draft = draftOf(one, mask, options);
    if (draft !== undefined) drafts.push(draft);
  }
  if (drafts.length < 2) return drafts;
  drafts.sort((a, b) => a.costBytes - b.costBytes || a.sramBytes - b.sramBytes);
  const leastBytes = new Map<string, number>();
  const leastOf = (kind: string): number => leastBytes.get(kind) ?? Number.POSITIVE_INFINITY;
  return drafts.filter(({ one: { kind }, sramBytes }) => {
    // What is resident of held weights takes no room twice: only with those that hold all weights are others compared too.
    if (sramBytes >= Math.min(leastOf(kind), leastOf(''))) return false;
    leastBytes.set(kind, sramBytes);
    return true;
  });
}

/** The block with the borders of the mask in SRAM; undefined when it cannot fit: its weights are there, resident or held. */
function draftOf(one: Formed, mask: number, options: FormOptions): Draft | undefined {
  const { held } = one;
  const { list } = one.borders;
  let workspaceBytes = one.insideBytes + held.roundingBytes;
  let trafficBytes = 0;
  let wholeBytes = 0;
  let mayBeTakenOverBytes = 0;
  for (let i = 0; i < list.length; i += 1) {
    const border = list[i] as Border;
    if (isIn(mask, i)) {
      wholeBytes += border.wholeBytes;
      if (border.root.role === 'output') mayBeTakenOverBytes += border.wholeBytes;
      continue;
    }
    if (border.mustBeInSram) return undefined;
    workspaceBytes += one.ringBytes[i] as number;
    trafficBytes += one.trafficBytes[i] as number;
  }
  const mostBytes = options.capacityBytes * MOST_WITH_TAILS;
  if (workspaceBytes + wholeBytes - mayBeTakenOverBytes + held.bytes > mostBytes) return undefined;
  const { overwrites, savedBytes } = overwritesOf(one, mask);
  const takenBytes = workspaceBytes + wholeBytes - savedBytes + held.bytes;
  if (takenBytes > options.capacityBytes) {
    if (takenBytes > mostBytes || tailsOf(one, mask, overwrites, options).size === 0) return undefined;
  }
  return {
    one,
    mask,
    overwrites,
    workspaceBytes,
    trafficBytes,
    costBytes: trafficBytes + one.streamedWeightBytes,
    sramBytes: workspaceBytes + held.bytes - savedBytes,
  };
}

/** Outputs in SRAM that are written over an input there, and the bytes that this saves. */
function overwritesOf(
  one: Formed,
  mask: number,
): { readonly overwrites: ReadonlyMap<TensorId, TensorId>; readonly savedBytes: number } {
  // The next tile still reads the columns beside this one.
  if (one.form.tiles > 1) return { overwrites: NO_OVERWRITES, savedBytes: 0 };
  const { list } = one.borders;
  let overwrites: Map<TensorId, TensorId> | undefined;
  let taken = 0; // an input has room for one output
  let savedBytes = 0;
  for (let output = 0; output < list.length; output += 1) {
    if (!isIn(mask, output) || list[output]?.root.role !== 'output') continue;
    for (let input = 0; input < list.length; input += 1) {
      if (!isIn(mask, input) || isIn(taken, input) || !mayOverwrite(one, output, input)) continue;
      const [from, to] = [list[output] as Border, list[input] as Border];
      overwrites ??= new Map();
      overwrites.set(from.root.root, to.root.root);
      taken |= 1 << input;
      savedBytes += from.wholeBytes;
      break;
    }
  }
  return { overwrites: overwrites ?? NO_OVERWRITES, savedBytes };
}

/** Whether border `output` may be written over border `input`: asked for in many combinations of homes, found out once. */
function mayOverwrite(one: Formed, output: number, input: number): boolean {
  const { form, borders, overwritable } = one;
  const { shape, list } = borders;
  const key = output * list.length + input;
  const known = overwritable.get(key);
  if (known !== undefined) return known;
  const [from, to] = [list[output] as Border, list[input] as Border];
  const columns = form.pieces > 0 ? columnFlow(shape) : undefined;
  const again = form.again ? rowsMadeAgain(shape, form.multiple) : undefined;
  const may = to.root.role === 'input' && canOverwrite(shape, from.root, to.root, columns, again);
  overwritable.set(key, may);
  return may;
}

function candidateOf(draft: Draft, inSram: ReadonlySet<TensorId>, options: FormOptions): BlockCandidate {
  const { one, overwrites, workspaceBytes, trafficBytes } = draft;
  const { borders, form, plan, held } = one;
  return {
    first: plan.first,
    last: plan.last,
    shape: borders.shape,
    form: {
      inSram,
      multiple: form.multiple,
      depth: form.depth,
      tiles: form.tiles,
      pieces: form.pieces,
      again: form.again,
      streamed: form.streamed,
    },
    inputs: borders.inputs,
    outputs: borders.outputs,
    overwrites,
    tails: tailsOf(one, draft.mask, overwrites, options),
    workspaceBytes,
    heldWeightBytes: held.bytes,
    trafficBytes,
    streamedWeightBytes: one.streamedWeightBytes,
    extraCycles: one.extraCycles,
  };
}

function tailsOf(
  one: Formed,
  mask: number,
  overwrites: ReadonlyMap<TensorId, TensorId>,
  { canEvict, alignmentBytes }: FormOptions,
): ReadonlyMap<TensorId, OutputTail> {
  if (canEvict !== true || one.form.tiles > 1) return NO_TAILS;
  const { list } = one.borders;
  let made = 0;
  for (let i = 0; i < list.length; i += 1) {
    const { root } = list[i] as Border;
    if (root.role === 'output' && isIn(mask, i) && !overwrites.has(root.root)) made |= 1 << i;
  }
  const known = one.tails.get(made);
  if (known !== undefined) return known;
  const tails = new Map<TensorId, OutputTail>();
  list.forEach(({ root }, i) => {
    const tail = isIn(made, i) ? tailOf(one.plan, root, alignmentBytes) : undefined;
    if (tail !== undefined) tails.set(root.root, tail);
  });
  one.tails.set(made, tails);
  return tails;
}

function tailOf({ rings }: BlockPlan, root: BlockRoot, alignmentBytes: number): OutputTail | undefined {
  if (root.readers.length > 0 || root.writers.length > 1) return undefined;
  const ring = rings.find((candidate) => candidate.root === root.root);
  if (ring === undefined) return undefined;
  const { rowsPerIteration } = ring;
  const rowBytes = ring.imageColumns * ring.pixelBytes; // whole rows, also where they are made piece by piece
  const firstRows = ((ring.firstRow % rowsPerIteration) + rowsPerIteration) % rowsPerIteration;
  return {
    ringBytes: alignUp(Math.min(rowsPerIteration, ring.imageRows) * rowBytes, alignmentBytes),
    firstBytes: firstRows * rowBytes,
    stripeBytes: rowsPerIteration * rowBytes,
  };
}
