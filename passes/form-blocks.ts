/**
 * Lists the depth-first blocks that a program could be cut into: runs of layers that flow by stripes of rows, with every
 * combination of homes of the tensors at their borders. Placement chooses among them, and among single layers.
 *
 * A run grows layer by layer until its rolling buffers and weights alone outgrow the SRAM, or the rows keep no common rate.
 */
import { imageShape, tensorOf } from '../src/ir/facts.js';
import type { Program, TensorId } from '../src/ir/types.js';
import { DTYPE_BYTES } from '../src/ir/types.js';
import {
  type BlockPlan,
  type BlockRoot,
  type BlockShape,
  canFlow,
  canOverwrite,
  planBlock,
  type RootFacts,
  shapeBlock,
} from '../src/schedule/block.js';
import type { Layer } from '../src/schedule/layer.js';
import { alignUp } from '../src/schedule/tiling.js';

/** A block with its homes. */
export interface BlockCandidate {
  readonly first: number;
  readonly last: number; // steps, inclusive
  readonly shape: BlockShape;
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
  readonly inSram: ReadonlySet<TensorId>;
  /** Outputs that may take the memory of an input. */
  readonly overwrites: ReadonlyMap<TensorId, TensorId>;
  readonly workspaceBytes: number;
  readonly heldWeightBytes: number; // all weights of the block, each layer's rounded up
  readonly trafficBytes: number;
}

export interface FormOptions {
  readonly capacityBytes: number;
  readonly alignmentBytes: number;
}

const MOST_LAYERS = 48;
/** Homes are tried in all combinations: more borders than this are too many for one block. */
const MOST_BORDERS = 5;

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
      // A ring is the same whatever the other homes are: one plan with all borders streamed knows them all.
      const streamed = planBlock(shape, { inSram: new Set() }, options.alignmentBytes, 1, 1);
      const borders = shape.roots.flatMap((root) => (root.role === 'internal' ? [] : [borderOf(root, streamed)]));
      const inside = streamed.workspaceBytes - borders.reduce((total, border) => total + border.ringBytes, 0);
      const common = { first, last, shape, ...heldWeights(shape, options.alignmentBytes) };
      if (inside + common.heldWeightBytes > options.capacityBytes) break;
      if (borders.length > MOST_BORDERS) continue;
      for (let mask = 0; mask < 1 << borders.length; mask += 1) {
        const candidate = candidateOf(common, borders, mask, inside, options);
        if (candidate !== undefined) candidates.push(candidate);
      }
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
}

function borderOf(root: BlockRoot, streamed: BlockPlan): Border {
  return {
    root,
    ringBytes: streamed.rings.find((ring) => ring.root === root.root)?.sizeBytes ?? 0,
    trafficBytes: streamed.inputReadBytes.get(root.root) ?? streamed.outputWriteBytes.get(root.root) ?? 0,
    wholeBytes: root.h * root.w * root.c * root.elementBytes,
  };
}

/** All weights of the block, each layer's rounded up, and what rounding its resident prefix may cost. */
function heldWeights(shape: BlockShape, alignmentBytes: number): { heldWeightBytes: number; roundingBytes: number } {
  let heldWeightBytes = 0;
  let roundingBytes = 0;
  for (const layer of shape.layers) {
    const bytes = layer.weights.totalBytes;
    heldWeightBytes += alignUp(bytes, alignmentBytes);
    if (bytes > 0) roundingBytes += alignmentBytes;
  }
  return { heldWeightBytes, roundingBytes };
}

interface Common {
  readonly first: number;
  readonly last: number;
  readonly shape: BlockShape;
  readonly heldWeightBytes: number;
  readonly roundingBytes: number;
}

/** The block with the borders of the mask in SRAM; undefined when it cannot fit: its weights are there, resident or held. */
function candidateOf(
  common: Common,
  borders: readonly Border[],
  mask: number,
  insideBytes: number,
  options: FormOptions,
): BlockCandidate | undefined {
  const { shape, roundingBytes, ...rest } = common;
  let workspaceBytes = insideBytes + roundingBytes;
  let trafficBytes = 0;
  let wholeBytes = 0;
  const inSram = new Set<TensorId>();
  borders.forEach((border, i) => {
    if ((mask & (1 << i)) !== 0) {
      inSram.add(border.root.root);
      wholeBytes += border.wholeBytes;
      return;
    }
    workspaceBytes += border.ringBytes;
    trafficBytes += border.trafficBytes;
  });
  const inputs = borders.flatMap(({ root }) => (root.role === 'input' ? [root] : []));
  const outputs = borders.flatMap(({ root }) => (root.role === 'output' ? [root] : []));
  const overwrites = new Map<TensorId, TensorId>();
  const taken = new Set<TensorId>(); // an input has room for one output
  for (const output of outputs) {
    if (!inSram.has(output.root)) continue;
    const input = inputs.find(
      (candidate) => inSram.has(candidate.root) && !taken.has(candidate.root) && canOverwrite(shape, output, candidate),
    );
    if (input === undefined) continue;
    taken.add(input.root);
    overwrites.set(output.root, input.root);
    wholeBytes -= output.h * output.w * output.c * output.elementBytes;
  }
  if (workspaceBytes + wholeBytes + common.heldWeightBytes > options.capacityBytes) return undefined;
  return {
    ...rest,
    shape,
    inputs: inputs.map((root) => root.root),
    outputs: outputs.map((root) => root.root),
    inSram,
    overwrites,
    workspaceBytes,
    trafficBytes,
  };
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
