/**
 * Moves activations in front of what only moves data, to where the layer is that can absorb them.
 *
 *     %3 = concat(%1, %2)                  %5 = clamp(%1)
 *     %4 = clamp(%3) 0..127     becomes    %6 = clamp(%2)
 *                                          %4 = concat(%5, %6)
 *
 * Elementwise functions commute with concat, reshape and transpose. Only where the activation is the sole reader; an operand
 * of the concat that has to be copied carries the activation in its copy, so nothing is ever computed twice.
 */
import { tensorOf } from '../src/ir/facts.js';
import type {
  ClampOp,
  ConcatOp,
  LutOp,
  Op,
  Program,
  ReshapeOp,
  TensorId,
  TransposeOp,
  UnaryOp,
} from '../src/ir/types.js';
import type { Pass } from './pass.js';
import type { Draft } from './rewrite.js';
import { addTensorLike, countUses, draftOf, finish } from './rewrite.js';

export const hoistActivations: Pass = {
  name: 'hoist-activations',
  summary: 'Moves activations in front of concatenations, reshapes and transposes.',
  requires: ['well-formed'],
  establishes: [],
  optional: true,
  run(program) {
    // Each round moves every movable activation by one op, and none ever moves down: at most as many rounds as ops.
    let current = program;
    for (;;) {
      const next = hoistOnce(current);
      if (next === current) return current;
      current = next;
    }
  },
};

type Activation = ClampOp | UnaryOp | LutOp;
type Movement = ConcatOp | ReshapeOp | TransposeOp;

const isActivation = (op: Op): op is Activation => op.kind === 'clamp' || op.kind === 'unary' || op.kind === 'lut';
const isMovement = (op: Op | undefined): op is Movement =>
  op?.kind === 'concat' || op?.kind === 'reshape' || op?.kind === 'transpose';

function hoistOnce(program: Program): Program {
  const draft = draftOf(program);
  const uses = countUses(program);
  const movements = new Map<TensorId, Movement>();
  const replaced = new Map<Op, readonly Op[]>();
  for (const op of program.ops) {
    const [x] = op.inputs;
    const movement = x === undefined ? undefined : movements.get(x);
    if (isActivation(op) && op.epilogue.length === 0 && movement !== undefined && uses.get(movement.output) === 1) {
      replaced.set(movement, []);
      replaced.set(op, hoisted(op, movement, draft));
    } else if (isMovement(op) && op.inputs.some((id) => !program.constants.has(id))) movements.set(op.output, op);
  }
  if (replaced.size === 0) return program;
  return finish(
    draft,
    program.ops.flatMap((op) => replaced.get(op) ?? [op]),
  );
}

/** The activation of every operand, then the movement of the results. */
function hoisted(op: Activation, movement: Movement, draft: Draft): Op[] {
  const { quant } = tensorOf(draft, op.output);
  const activations = movement.inputs.map((id, i): Op => {
    const operand = tensorOf(draft, id);
    const made = addTensorLike(draft, operand, {
      name: `${operand.name}.${op.kind}`,
      loc: op.loc,
      ...(quant === undefined ? {} : { quant }),
    });
    const opId = i === 0 ? op.id : draft.fresh.opId();
    return { ...op, id: opId, inputs: op.inputs.with(0, id), output: made.id };
  });
  return [...activations, { ...movement, inputs: activations.map(({ output }) => output), output: op.output }];
}
