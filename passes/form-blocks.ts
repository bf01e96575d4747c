/**
 * Lists the depth-first blocks that a program could be cut into: runs of layers that flow by stripes of rows, in several
 * forms, with every combination of homes of the tensors at their borders. Placement chooses among them, and among single
 * layers.
 *
 *   form                          SRAM                              traffic
 *   rings of whole rows           all rows' width, all weights      borders once, weights once
 *   stripes in pieces of columns  the halo rows' width, a piece     borders once, weights once
 *   tiles of columns              a tile's width, all weights       halo columns of inputs again for each tile
 *   tall stripes, weights loaded  tall rings, chunks of the         those weights again for each stripe
 *     again for each of them        largest weights
 *
 * A run grows layer by layer until no form of it fits the SRAM, or the rows keep no common rate.
 */
import { imageShape, tensorOf } from '../src/ir/facts.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { DTYPE_BYTES } from '../src/ir/types.js';
import { type BlockForm, type BlockPlan, planBlock } from '../src/schedule/block.js';
import { rowsMadeAgain } from '../src/schedule/block-again.js';
import { columnFlow } from '../src/schedule/block-pieces.js';
import {
  type BlockRoot,
  type BlockShape,
  canFlow,
  canOverwrite,
  type RootFacts,
  shapeBlock,
} from '../src/schedule/block-shape.js';
import type { Layer } from '../src/schedule/layer.js';
import { alignUp } from '../src/schedule/tiling.js';
import type { OutputTail } from '../src/solver/placement/evictions.js';
import { type FormOptions, formsOf, heldWeights, MOST_LAYERS_STREAMED } from './block-forms.js';
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

const MOST_LAYERS = 48;
/** Homes are tried in all combinations: more borders than this are too many for one block. */
const MOST_BORDERS = 5;
/** Of the SRAM, by a block part of whose outputs is streamed out. */
const MOST_WITH_TAILS = 1.25;

export function formBlocks(program: Program, layers: readonly Layer[], options: FormOptions): BlockCandidate[] {
  const facts = rootFacts(program, layers);
  const candidates: BlockCandidate[] = [];
  for (let first = 0; first < layers.length; first += 1) {
    for (let last = first; last < Math.min(layers.length, first + MOST_LAYERS); last += 1) {
      const layer = layers[last];
      if (layer === undefined || !canFlow(layer)) break;
      if (last === first) continue;
      const shape = shapeBlock(layers, facts, first, last);
      if (shape === undefined) continue;
      const forms = formsOf(shape, options).map((form) => formed(shape, form, options));
      const fitting = forms.filter(({ insideBytes, held }) => insideBytes + held.bytes <= options.capacityBytes);
      if (fitting.length === 0) {
        if (last - first >= MOST_LAYERS_STREAMED) break;
        continue;
      }
      if ((fitting[0]?.borders.length ?? 0) > MOST_BORDERS) continue;
      candidates.push(...candidatesOf(fitting, options));
    }
  }
  return candidates;
}

/** A tensor at the border of a block: what it costs streamed, what it takes in SRAM. */
interface Border {
  readonly root: BlockRoot;
  readonly ringBytes: number;
  readonly trafficBytes: number;
  readonly wholeBytes: number;
  readonly mustBeInSram: boolean; // made at the end, by a layer that gathers rows
}

/** A block in one form: a ring is the same whatever the other homes are, so one plan knows them all. */
interface Formed {
  readonly shape: BlockShape;
  readonly form: BlockForm;
  readonly plan: BlockPlan;
  readonly borders: readonly Border[];
  readonly insideBytes: number; // of what is there whatever the homes are
  readonly held: { readonly bytes: number; readonly roundingBytes: number };
  readonly streamedWeightBytes: number;
  readonly extraCycles: number;
  readonly alignmentBytes: number;
}

function formed(shape: BlockShape, form: BlockForm, { alignmentBytes, chip }: FormOptions): Formed {
  const plan = planBlock(shape, form, alignmentBytes);
  const borders = shape.roots.flatMap((root) => (root.role === 'internal' ? [] : [borderOf(shape, root, plan)]));
  const insideBytes = plan.workspaceBytes - borders.reduce((total, border) => total + border.ringBytes, 0);
  let streamedWeightBytes = 0;
  for (const bytes of plan.streamedWeightBytes.values()) streamedWeightBytes += bytes;
  return {
    shape,
    form,
    plan,
    borders,
    insideBytes,
    held: heldWeights(shape, form, alignmentBytes),
    streamedWeightBytes,
    extraCycles: chip === undefined ? 0 : extraCyclesOf(plan, shape, chip),
    alignmentBytes,
  };
}

function borderOf(shape: BlockShape, root: BlockRoot, streamed: BlockPlan): Border {
  return {
    root,
    ringBytes: streamed.rings.find((ring) => ring.root === root.root)?.sizeBytes ?? 0,
    trafficBytes: streamed.inputReadBytes.get(root.root) ?? streamed.outputWriteBytes.get(root.root) ?? 0,
    wholeBytes: root.h * root.w * root.c * root.elementBytes,
    mustBeInSram: root.writers.some((step) => shape.gathering.has(step)),
  };
}

/** For each combination of homes, the forms that no other beats in both SRAM and traffic. */
function candidatesOf(forms: readonly Formed[], options: FormOptions): BlockCandidate[] {
  const candidates: BlockCandidate[] = [];
  for (let mask = 0; mask < 1 << (forms[0]?.borders.length ?? 0); mask += 1) {
    const mine = forms.flatMap((one) => candidateOf(one, mask, options) ?? []);
    const leastBytes = new Map<string, number>();
    mine.sort((a, b) => costOf(a) - costOf(b) || sramOf(a) - sramOf(b));
    for (const candidate of mine) {
      // What is resident of held weights takes no room twice: forms that hold different weights are not compared.
      const kind = [...candidate.form.streamed.keys()].join();
      const bytes = sramOf(candidate);
      if (
        bytes >=
        Math.min(leastBytes.get(kind) ?? Number.POSITIVE_INFINITY, leastBytes.get('') ?? Number.POSITIVE_INFINITY)
      )
        continue;
      leastBytes.set(kind, bytes);
      candidates.push(candidate);
    }
  }
  return candidates;
}

const costOf = (candidate: BlockCandidate): number => candidate.trafficBytes + candidate.streamedWeightBytes;

/** Beside the borders that are in SRAM as a whole; what an output takes over is not counted again. */
function sramOf(candidate: BlockCandidate): number {
  let savedBytes = 0;
  for (const root of candidate.overwrites.keys()) {
    const output = candidate.shape.roots.find((one) => one.root === root);
    if (output !== undefined) savedBytes += output.h * output.w * output.c * output.elementBytes;
  }
  return candidate.workspaceBytes + candidate.heldWeightBytes - savedBytes;
}

/** The block with the borders of the mask in SRAM; undefined when it cannot fit: its weights are there, resident or held. */
function candidateOf(one: Formed, mask: number, options: FormOptions): BlockCandidate | undefined {
  const { shape, plan, borders, held } = one;
  let workspaceBytes = one.insideBytes + held.roundingBytes;
  let trafficBytes = 0;
  let wholeBytes = 0;
  let mayBeTakenOverBytes = 0;
  const inSram = new Set<TensorId>();
  for (const [i, border] of borders.entries()) {
    if ((mask & (1 << i)) !== 0) {
      inSram.add(border.root.root);
      wholeBytes += border.wholeBytes;
      if (border.root.role === 'output') mayBeTakenOverBytes += border.wholeBytes;
      continue;
    }
    if (border.mustBeInSram) return undefined;
    workspaceBytes += border.ringBytes;
    trafficBytes += border.trafficBytes;
  }
  const mostBytes = options.capacityBytes * MOST_WITH_TAILS;
  if (workspaceBytes + wholeBytes - mayBeTakenOverBytes + held.bytes > mostBytes) return undefined;
  const inputs = borders.flatMap(({ root }) => (root.role === 'input' ? [root] : []));
  const outputs = borders.flatMap(({ root }) => (root.role === 'output' ? [root] : []));
  const columns = one.form.pieces > 0 ? columnFlow(shape) : undefined;
  const again = one.form.again ? rowsMadeAgain(shape, one.form.multiple) : undefined;
  const overwrites = new Map<TensorId, TensorId>();
  const taken = new Set<TensorId>(); // an input has room for one output
  for (const output of outputs) {
    // The next tile still reads the columns beside this one.
    if (!inSram.has(output.root) || one.form.tiles > 1) continue;
    const input = inputs.find(
      (candidate) =>
        inSram.has(candidate.root) &&
        !taken.has(candidate.root) &&
        canOverwrite(shape, output, candidate, columns, again),
    );
    if (input === undefined) continue;
    taken.add(input.root);
    overwrites.set(output.root, input.root);
    wholeBytes -= output.h * output.w * output.c * output.elementBytes;
  }
  const tails = options.canEvict === true ? tailsOf(one, inSram, overwrites) : new Map<TensorId, OutputTail>();
  const room = tails.size > 0 ? mostBytes : options.capacityBytes;
  if (workspaceBytes + wholeBytes + held.bytes > room) return undefined;
  return {
    first: plan.first,
    last: plan.last,
    shape,
    form: { ...one.form, inSram },
    inputs: inputs.map((root) => root.root),
    outputs: outputs.map((root) => root.root),
    overwrites,
    tails,
    workspaceBytes,
    heldWeightBytes: held.bytes,
    trafficBytes,
    streamedWeightBytes: one.streamedWeightBytes,
    extraCycles: one.extraCycles,
  };
}

function tailsOf(
  { shape, form, plan, alignmentBytes }: Formed,
  inSram: ReadonlySet<TensorId>,
  overwrites: ReadonlyMap<TensorId, TensorId>,
): Map<TensorId, OutputTail> {
  const tails = new Map<TensorId, OutputTail>();
  if (form.tiles > 1) return tails;
  for (const root of shape.roots) {
    const ring = plan.rings.find((candidate) => candidate.root === root.root);
    const isMadeHere = root.role === 'output' && inSram.has(root.root) && !overwrites.has(root.root);
    if (!isMadeHere || ring === undefined || root.readers.length > 0 || root.writers.length > 1) continue;
    const { rowsPerIteration } = ring;
    const rowBytes = ring.imageColumns * ring.pixelBytes; // whole rows, also where they are made piece by piece
    const firstRows = ((ring.firstRow % rowsPerIteration) + rowsPerIteration) % rowsPerIteration;
    tails.set(root.root, {
      ringBytes: alignUp(Math.min(rowsPerIteration, ring.imageRows) * rowBytes, alignmentBytes),
      firstBytes: firstRows * rowBytes,
      stripeBytes: rowsPerIteration * rowBytes,
    });
  }
  return tails;
}

function rootFacts(program: Program, layers: readonly Layer[]): Map<TensorId, RootFacts> {
  const facts = new Map<TensorId, RootFacts & { writers: number[]; readers: number[] }>();
  const ports = new Set([...program.inputs, ...program.outputs].map((id) => tensorOf(program, id).storage?.root ?? id));
  const at = (root: TensorId): { writers: number[]; readers: number[] } => {
    const known = facts.get(root);
    if (known !== undefined) return known;
    const tensor = tensorOf(program, root);
    const made = {
      ...imageShape(tensor),
      elementBytes: DTYPE_BYTES[tensor.dtype],
      writers: [],
      readers: [],
      isPort: ports.has(root),
    };
    facts.set(root, made);
    return made;
  };
  for (const layer of layers) {
    for (const operand of layer.operands) at(operand.root).readers.push(layer.step);
    at(layer.output.root).writers.push(layer.step);
  }
  return facts;
}
