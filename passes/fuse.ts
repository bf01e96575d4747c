/**
 * Folds elementwise ops into the epilogue of the op that makes their operand, so that the intermediate tensors never exist.
 *
 *     %5 = conv2d(%0, ..)                              a layer's epilogue is what the machine has:
 *     %6 = lut(%5, %t)          becomes                    [activation] [add] [activation]
 *     %7 = add(%6, %2)          %8 = conv2d(%0, ..) |> lut(_, %t) |> add(_, %2) |> clamp 0..127
 *     %8 = clamp(%7) 0..127
 *
 * Only a value with a single reader is folded away. Of the two operands of an addition the one that is made later becomes
 * the anchor: the other one is complete by then, whatever happens. The layer takes the place of the last op folded
 * into it, where all its operands are known to exist; moving an op towards its only reader is always sound.
 *
 * The output is the last op's tensor with its storage, so a layer in front of a concat still writes its slice.
 */
import { anchorZeroPointOf, isQuantized, tensorOf } from '../src/ir/facts.js';
import { sameShape } from '../src/ir/shape.js';
import type { BinaryOp, EpilogueStage, Op, OpKind, Program, TensorId } from '../src/ir/types.js';
import type { Pass } from './pass.js';
import { countUses, draftOf, finish } from './rewrite.js';

export const fuse: Pass = {
  name: 'fuse',
  summary: 'Folds activations and residual additions into the layer that makes their operand.',
  requires: ['well-formed'],
  establishes: [],
  optional: true,
  run: fuseProgram,
};

/** Kinds whose machine instruction has an epilogue. Activations alone join them as a copy with a first stage. */
const ANCHORS: ReadonlySet<OpKind> = new Set<OpKind>([
  'conv2d',
  'dense',
  'maxPool',
  'avgPool',
  'sumPool',
  'add',
  'sub',
  'mul',
  'binary',
  'reduce',
  'layerNorm',
  'matmul',
  'gather',
  'broadcast',
  'softmax',
  'lrn',
  'upsample',
  'resize',
  'pad',
  'convert',
  'copy',
  'clamp',
  'lut',
  'unary',
]);

interface Fusion {
  readonly program: Program;
  readonly uses: ReadonlyMap<TensorId, number>;
  /** The ops so far; undefined where one was folded into a later place. */
  readonly placed: (Op | undefined)[];
  readonly placeOf: Map<TensorId, number>;
}

function fuseProgram(program: Program): Program {
  const fusion: Fusion = { program, uses: usesWithViews(program), placed: [], placeOf: new Map() };
  for (const op of program.ops) {
    const layer = fusedInto(op, fusion) ?? op;
    fusion.placeOf.set(layer.output, fusion.placed.length);
    fusion.placed.push(layer);
  }
  const ops = fusion.placed.filter((op) => op !== undefined);
  return ops.length === program.ops.length ? program : finish(draftOf(program), ops);
}

/** Readers of each tensor; a view of it counts as one. */
function usesWithViews(program: Program): Map<TensorId, number> {
  const uses = countUses(program);
  for (const { storage } of program.tensors.values()) {
    if (storage !== undefined) uses.set(storage.root, (uses.get(storage.root) ?? 0) + 1);
  }
  return uses;
}

/** The op's producer with the op as its last stage, taken from its place; or undefined if it stays a layer. */
function fusedInto(op: Op, fusion: Fusion): Op | undefined {
  if (op.epilogue.length > 0) return undefined;
  const [first, second] = op.inputs;
  if (first === undefined) return undefined;
  if (op.kind === 'add') {
    if (second === undefined || first === second) return undefined;
    const place = (id: TensorId): number => fusion.placeOf.get(id) ?? -1;
    const laterFirst = place(second) > place(first) ? [second, first] : [first, second];
    for (const value of laterFirst) {
      const layer = append(value, op.output, fusion, addStage(op, value, fusion.program));
      if (layer !== undefined) return layer;
    }
    return undefined;
  }
  const stage = activationStage(op, fusion.program);
  return stage === undefined ? undefined : append(first, op.output, fusion, stage);
}

function activationStage(op: Op, program: Program): EpilogueStage | undefined {
  if (op.kind === 'clamp') return { kind: 'clamp', lo: op.lo, hi: op.hi };
  if (op.kind === 'unary') return { kind: 'unary', fn: op.fn, alpha: op.alpha, beta: op.beta };
  const table = op.inputs[1];
  if (op.kind !== 'lut' || table === undefined) return undefined;
  return { kind: 'lut', table, resultZeroPoint: zeroPointOf(op.output, program) };
}

const zeroPointOf = (id: TensorId, program: Program): number => tensorOf(program, id).quant?.zeroPoint ?? 0;

/** undefined where the other operand is a constant: the machine adds images, and images are activations. */
function addStage(op: BinaryOp, value: TensorId, program: Program): EpilogueStage | undefined {
  const [a, b] = op.inputs;
  const operand = a === value ? b : a;
  if (operand === undefined || program.constants.has(operand)) return undefined;
  const shapeOf = (id: TensorId): readonly number[] => tensorOf(program, id).shape;
  if (!sameShape(shapeOf(operand), shapeOf(op.output)) || !sameShape(shapeOf(value), shapeOf(op.output)))
    return undefined;
  return {
    kind: 'add',
    operand,
    valueIs: a === value ? 'a' : 'b',
    valueZeroPoint: zeroPointOf(value, program),
    resultZeroPoint: zeroPointOf(op.output, program),
    ...(op.rescale === undefined ? {} : { rescale: op.rescale }),
  };
}

/** The layer that makes `value`, with one more stage and another output. It loses its place. */
function append(value: TensorId, output: TensorId, fusion: Fusion, stage: EpilogueStage | undefined): Op | undefined {
  const place = fusion.placeOf.get(value);
  const maker = place === undefined ? undefined : fusion.placed[place];
  if (stage === undefined || place === undefined || maker === undefined) return undefined;
  if (fusion.uses.get(value) !== 1 || tensorOf(fusion.program, value).storage !== undefined) return undefined;
  const anchor = asAnchor(maker, fusion.program);
  if (anchor === undefined || !hasRoom(anchor.epilogue, stage)) return undefined;
  if (losesScale(anchor, stage, fusion.program)) return undefined;
  fusion.placed[place] = undefined;
  const isInteger = isQuantized(tensorOf(fusion.program, value).dtype);
  const zero = isInteger ? { anchorZeroPoint: anchorZeroPointOf(anchor, fusion.program) } : {};
  return { ...anchor, ...zero, epilogue: [...anchor.epilogue, stage], output };
}

/** An activation that is a layer of its own is a copy with that activation as first stage. */
function asAnchor(op: Op, program: Program): Op | undefined {
  if (!ANCHORS.has(op.kind)) return undefined;
  const stage = activationStage(op, program);
  const [x] = op.inputs;
  if (stage === undefined || x === undefined) return op;
  const { id, name, loc, output } = op;
  const zero = isQuantized(tensorOf(program, x).dtype) ? { anchorZeroPoint: zeroPointOf(x, program) } : {};
  return { id, name, loc, output, kind: 'copy', inputs: [x], ...zero, epilogue: [stage, ...op.epilogue] };
}

/** What makes integers of real numbers does so by the scale of its result, which must go on being that one. */
function losesScale(anchor: Op, stage: EpilogueStage, program: Program): boolean {
  if (anchor.kind !== 'convert' || stage.kind === 'clamp' || stage.kind === 'unary') return false;
  return isQuantized(anchor.to) && anchor.inputs.some((id) => tensorOf(program, id).dtype === 'float32');
}

/** [activation] [add] [activation]; two activations without an addition take both places. */
function hasRoom(epilogue: readonly EpilogueStage[], stage: EpilogueStage): boolean {
  const add = epilogue.findIndex((s) => s.kind === 'add');
  if (stage.kind === 'add') return add < 0 && epilogue.length <= 1;
  return add < 0 ? epilogue.length <= 1 : epilogue.length === add + 1;
}
