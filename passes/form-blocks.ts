/**
 * Lists the depth-first blocks that a program could be cut into: runs of layers that flow by stripes of rows, with every
 * combination of homes of the tensors at their borders. Placement chooses among them, and among single layers.
 *
 * A run grows layer by layer until its rolling buffers alone outgrow the SRAM, or the rows keep no common rate.
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
  readonly plan: BlockPlan;
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

const MOST_LAYERS = 24;
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
      const borders = shape.roots.filter((root) => root.role !== 'internal');
      const leastBytes = planBlock(
        shape,
        { inSram: new Set(borders.map((root) => root.root)) },
        options.alignmentBytes,
        1,
        1,
      ).workspaceBytes;
      if (leastBytes > options.capacityBytes) break;
      if (borders.length > MOST_BORDERS) continue;
      for (let mask = 0; mask < 1 << borders.length; mask += 1) {
        const inSram = new Set(borders.flatMap((root, i) => ((mask & (1 << i)) === 0 ? [] : [root.root])));
        const plan = planBlock(shape, { inSram }, options.alignmentBytes, 1, 1);
        const candidate = candidateOf(shape, plan, borders, inSram, layers, options, (output, input) =>
          canOverwrite(shape, output, input),
        );
        if (leastRoom(candidate, facts) <= options.capacityBytes) candidates.push(candidate);
      }
    }
  }
  return candidates;
}

function candidateOf(
  shape: BlockShape,
  plan: BlockPlan,
  borders: readonly BlockRoot[],
  inSram: ReadonlySet<TensorId>,
  layers: readonly Layer[],
  options: FormOptions,
  mayOverwrite: (output: BlockRoot, input: BlockRoot) => boolean,
): BlockCandidate {
  const inputs = borders.filter((root) => root.role === 'input');
  const outputs = borders.filter((root) => root.role === 'output');
  const overwrites = new Map<TensorId, TensorId>();
  const taken = new Set<TensorId>(); // an input has room for one output
  for (const output of outputs) {
    const input = inputs.find(
      (candidate) =>
        inSram.has(candidate.root) &&
        inSram.has(output.root) &&
        !taken.has(candidate.root) &&
        mayOverwrite(output, candidate),
    );
    if (input === undefined) continue;
    taken.add(input.root);
    overwrites.set(output.root, input.root);
  }
  let heldWeightBytes = 0;
  let heldLayers = 0;
  for (let t = plan.first; t <= plan.last; t += 1) {
    const bytes = layers[t]?.weights.totalBytes ?? 0;
    heldWeightBytes += alignUp(bytes, options.alignmentBytes);
    if (bytes > 0) heldLayers += 1;
  }
  let trafficBytes = 0;
  for (const bytes of [...plan.inputReadBytes.values(), ...plan.outputWriteBytes.values()]) trafficBytes += bytes;
  return {
    plan,
    shape,
    inputs: inputs.map((root) => root.root),
    outputs: outputs.map((root) => root.root),
    inSram,
    overwrites,
    // A resident prefix may end off the alignment, which can cost the rest of its layer one more unit.
    workspaceBytes: plan.workspaceBytes + heldLayers * options.alignmentBytes,
    heldWeightBytes,
    trafficBytes,
  };
}

/** SRAM that the candidate cannot do without, were all its weights resident elsewhere. */
function leastRoom(candidate: BlockCandidate, facts: ReadonlyMap<TensorId, RootFacts>): number {
  let bytes = candidate.workspaceBytes;
  for (const root of candidate.inSram) {
    const fact = facts.get(root);
    if (fact !== undefined && !candidate.overwrites.has(root)) bytes += fact.h * fact.w * fact.c * fact.elementBytes;
  }
  return bytes;
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
