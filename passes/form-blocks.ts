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
import { asFlowing, type BlockShape, canFlow, type RootFacts, shapeBlock } from '../src/schedule/block-shape.js';
import type { Layer } from '../src/schedule/layer.js';
import { addCandidates, type BlockCandidate } from './block-candidates.js';
import { type FormOptions, MOST_LAYERS_STREAMED } from './block-forms.js';
import { KnownRuns, OrderlessMemo } from './known-runs.js';

const MOST_LAYERS = 48;

/** What a run of layers makes. */
interface Formed {
  readonly candidates: readonly BlockCandidate[];
  readonly hasRoom: boolean;
}

/** By program and options: its blocks are asked for in several orders of its layers. */
const KNOWN = new OrderlessMemo(() => new KnownRuns<Formed>());

/** Cost: linear in the layers, times MOST_LAYERS, times forms and homes; runs that other orders have too cost nothing again. */
export function formBlocks(program: Program, layers: readonly Layer[], options: FormOptions): BlockCandidate[] {
  const { capacityBytes, alignmentBytes, canEvict, pieces, leastRoom, chip } = options;
  const known = KNOWN.of(program, JSON.stringify([capacityBytes, alignmentBytes, canEvict, pieces, leastRoom, chip]));
  const facts = rootFacts(program, layers);
  const flowing = layers.map(asFlowing);
  const candidates: BlockCandidate[] = [];
  for (let first = 0; first < layers.length; first += 1) {
    const runs = known.from(program.ops, first, MOST_LAYERS);
    for (let last = first; last < Math.min(layers.length, first + MOST_LAYERS); last += 1) {
      const layer = layers[last];
      if (layer === undefined || !canFlow(layer)) break;
      if (last === first) continue;
      const formed = runs[last - first] ?? formRun(shapeBlock(layers, flowing, facts, first, last), options);
      runs[last - first] = formed;
      for (const candidate of formed.candidates) candidates.push(candidate);
      if (!formed.hasRoom && last - first >= MOST_LAYERS_STREAMED) break;
    }
  }
  return candidates;
}

const CANNOT_FLOW: Formed = { candidates: [], hasRoom: true };

function formRun(shape: BlockShape | undefined, options: FormOptions): Formed {
  if (shape === undefined) return CANNOT_FLOW;
  const candidates: BlockCandidate[] = [];
  const hasRoom = addCandidates(shape, options, candidates);
  return { candidates, hasRoom };
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
