/**
 * One spelling per meaning, so that every later pattern is written once:
 * - what does nothing goes: reshape, transpose, slice, concat, pool or upsample that is the identity, clamps that limit
 *   nothing, copies, ops that nobody reads;
 * - chains become one op: reshape of reshape, transpose of transpose, slice of slice, clamp of clamp;
 * - a transpose that moves only axes of extent 1 is a reshape;
 * - a border that stands for zero around what a convolution reads is the convolution's own padding.
 *
 * Repeated until nothing changes; every step removes an op, makes a transpose a reshape, or takes a convolution off a pad, so it ends.
 */
import { isQuantized, operandsOf, storedRange, tensorOf, windowAxis, windowExtent } from '../src/ir/facts.js';
import { sameShape } from '../src/ir/shape.js';
import type { ClampOp, Conv2dOp, DType, Op, PadOp, Program, SliceOp, TensorId, TransposeOp } from '../src/ir/types.js';
import type { Pass } from './pass.js';
import { countUses, draftOf, finish, withOperands } from './rewrite.js';

export const canonicalise: Pass = {
  name: 'canonicalise',
  summary: 'Drops what does nothing and merges chains of views and limits.',
  requires: ['well-formed'],
  establishes: [],
  optional: true,
  run(program) {
    let current = program;
    for (;;) {
      const next = dropUnread(dropIdentities(simplify(current)));
      if (next === current) return current;
      current = next;
    }
  },
};

interface Context {
  readonly program: Program;
  readonly uses: ReadonlyMap<TensorId, number>;
  readonly made: ReadonlyMap<TensorId, Op>; // ops so far, as simplified, by result
}

/** Rewrites op by op, each seeing its producers already rewritten. */
function simplify(program: Program): Program {
  const made = new Map<TensorId, Op>();
  const context: Context = { program, uses: countUses(program), made };
  let changed = false;
  const ops = program.ops.map((op) => {
    const simpler = op.epilogue.length > 0 ? op : simplifyOp(op, context);
    changed ||= simpler !== op;
    made.set(op.output, simpler);
    return simpler;
  });
  return changed ? { ...program, ops } : program;
}

function simplifyOp(op: Op, context: Context): Op {
  const [x] = op.inputs;
  const producer = x === undefined ? undefined : context.made.get(x);
  if (op.kind === 'transpose') return simplifyTranspose(op, producer, context);
  if (producer === undefined || producer.epilogue.length > 0) return op;
  if (op.kind === 'reshape' && producer.kind === 'reshape') return { ...op, inputs: producer.inputs };
  if (op.kind === 'conv2d' && producer.kind === 'pad') return padsItself(op, producer, context.program);
  if (op.kind === 'slice' && producer.kind === 'slice' && producer.axis === op.axis) return sliceOfSlice(op, producer);
  if (op.kind === 'clamp' && producer.kind === 'clamp' && context.uses.get(producer.output) === 1) {
    return clampOfClamp(op, producer);
  }
  return op;
}

/** Taps in the padding contribute nothing, as elements of real value 0 do. */
function padsItself(op: Conv2dOp, border: PadOp, program: Program): Op {
  const [x, ...weights] = op.inputs;
  const [from] = border.inputs;
  if (x === undefined || from === undefined || border.mode !== undefined) return op;
  if (border.before[2] > 0 || border.after[2] > 0) return op;
  if (border.value !== (tensorOf(program, x).quant?.zeroPoint ?? 0)) return op;
  const { pad } = op.window;
  const wider = {
    top: pad.top + border.before[0],
    left: pad.left + border.before[1],
    bottom: pad.bottom + border.after[0],
    right: pad.right + border.after[1],
  };
  // A window must not lie in the padding alone: nothing else makes such convolutions.
  const [rows, columns] = ([0, 1] as const).map((axis) => windowExtent(windowAxis(op.window, axis)) - 1);
  const fits = Math.max(wider.top, wider.bottom) <= (rows ?? 0) && Math.max(wider.left, wider.right) <= (columns ?? 0);
  return fits ? { ...op, inputs: [from, ...weights], window: { ...op.window, pad: wider } } : op;
}

const sliceOfSlice = (op: SliceOp, inner: SliceOp): Op => ({
  ...op,
  inputs: inner.inputs,
  start: op.start + inner.start,
});

/** clamp is monotone, so the outer one applied to the inner one's limits gives the limits of both. */
function clampOfClamp(op: ClampOp, inner: ClampOp): Op {
  const limit = (v: number): number => Math.min(Math.max(v, op.lo), op.hi);
  return { ...op, inputs: inner.inputs, lo: limit(inner.lo), hi: limit(inner.hi) };
}

function simplifyTranspose(op: TransposeOp, producer: Op | undefined, { program, uses }: Context): Op {
  const [x] = op.inputs;
  if (x === undefined) return op;
  if (producer?.kind === 'transpose' && producer.epilogue.length === 0) {
    const perm = op.perm.map((axis) => producer.perm[axis] ?? axis);
    const isIdentity = perm.every((axis, i) => axis === i);
    // A transpose read elsewhere too is computed anyway, and reading its result may be cheaper than reading its operand.
    if (isIdentity || uses.get(x) === 1) return { ...op, perm, inputs: producer.inputs };
  }
  const { shape } = tensorOf(program, x);
  const moved = op.perm.filter((axis) => shape[axis] !== 1);
  if (!moved.every((axis, i) => i === 0 || axis > (moved[i - 1] ?? 0))) return op;
  const { id, name, loc, output, epilogue } = op;
  return { id, name, loc, output, epilogue, kind: 'reshape', inputs: [x] };
}

/** True if the op stores exactly what it reads. */
function isIdentity(op: Op, program: Program): boolean {
  const [x] = op.inputs;
  if (x === undefined || op.epilogue.length > 0) return false;
  const input = tensorOf(program, x);
  const sameImage = sameShape(input.shape, tensorOf(program, op.output).shape);
  switch (op.kind) {
    case 'reshape':
    case 'slice':
      return sameImage;
    case 'copy':
      return true;
    case 'transpose':
      return op.perm.every((axis, i) => axis === i);
    case 'concat':
      return op.inputs.length === 1;
    case 'upsample':
      return op.scale[0] === 1 && op.scale[1] === 1;
    case 'maxPool':
    case 'avgPool':
      return sameImage && op.window.kernel[0] === 1 && op.window.kernel[1] === 1 && op.window.pad.top === 0;
    case 'clamp':
      return limitsNothing(op, input.dtype);
    default:
      return false;
  }
}

function limitsNothing(op: ClampOp, dtype: DType): boolean {
  const { lo, hi } = isQuantized(dtype) ? storedRange(dtype) : { lo: -MAX_FLOAT, hi: MAX_FLOAT };
  return op.lo <= lo && op.hi >= hi;
}

const MAX_FLOAT = 3.4028234663852886e38; // the largest finite float32

/**
 * Readers of an identity's result read its operand. Where the result is a model output, the operand's maker writes the output
 * instead; where that is impossible (a model input, or an output itself), the identity stays as a reshape, which
 * costs nothing unless resolve-views finds that a copy is needed.
 */
function dropIdentities(program: Program): Program {
  const rename = new Map<TensorId, TensorId>();
  const final = (id: TensorId): TensorId => {
    const next = rename.get(id);
    return next === undefined ? id : final(next);
  };
  const makers = new Set(program.ops.map((op) => op.output));
  const outputs = new Set(program.outputs);
  const ops: Op[] = [];
  let changed = false;
  for (const op of program.ops) {
    const [x] = op.inputs;
    if (x === undefined || !isIdentity(op, program)) {
      ops.push(op);
      continue;
    }
    const operand = final(x);
    if (!outputs.has(op.output)) rename.set(op.output, operand);
    else if (makers.has(operand) && !outputs.has(operand)) {
      rename.set(operand, op.output);
      outputs.add(op.output);
    } else {
      const { id, name, loc, output, epilogue } = op;
      ops.push(op.kind === 'reshape' ? op : { id, name, loc, output, epilogue, kind: 'reshape', inputs: [x] });
      changed ||= op.kind !== 'reshape';
      continue;
    }
    changed = true;
  }
  if (!changed) return program;
  const renamed = ops.map((op) => ({ ...withOperands(op, final), output: final(op.output) }));
  return finish(draftOf(program), renamed);
}

/** Drops ops whose result nobody needs, and what only they needed. */
function dropUnread(program: Program): Program {
  const needed = new Set<TensorId>(program.outputs);
  const kept: Op[] = [];
  for (const op of program.ops.toReversed()) {
    if (!isNeeded(op.output, needed, program)) continue;
    kept.push(op);
    for (const id of operandsOf(op)) {
      needed.add(id);
      const root = tensorOf(program, id).storage?.root;
      if (root !== undefined) needed.add(root);
    }
  }
  return kept.length === program.ops.length ? program : finish(draftOf(program), kept.reverse());
}

function isNeeded(output: TensorId, needed: ReadonlySet<TensorId>, program: Program): boolean {
  const root = tensorOf(program, output).storage?.root;
  return needed.has(output) || (root !== undefined && needed.has(root));
}
