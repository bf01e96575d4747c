/**
 * Ends the program with a copy of every state into a tensor of its own, which takes the place of what the next period reads.
 *
 *     states 1 from 1                 %7 is both read by others and the state's next value
 *     outputs %5, %7                  outputs %5, %9
 *                                     @4 %9 = copy(%7)      after all that reads the state, and in no block
 *
 * So a state has one place, in DRAM or in SRAM, and is overwritten when nothing reads it any more. Runs behind the pass that orders
 * the layers: the copies stay last.
 */
import { tensorOf } from '../src/ir/facts.js';
import type { Op, Program, TensorId } from '../src/ir/types.js';
import { addTensorLike, copyOp, draftOf, finish } from './rewrite.js';

export function carryStates(program: Program): Program {
  const { states } = program;
  if (states === undefined || states.length === 0) return program;
  const draft = draftOf(program);
  const copies: Op[] = [];
  const outputs = [...program.outputs];
  for (const { output } of states) {
    const next = outputs[output];
    if (next === undefined) continue;
    const tensor = tensorOf(program, next);
    const { id } = addTensorLike(draft, tensor, {
      ...(tensor.outsideAxes === undefined ? {} : { outsideAxes: tensor.outsideAxes }),
      ...(tensor.outsideShape === undefined ? {} : { outsideShape: tensor.outsideShape }),
    });
    copies.push(copyOp(draft, tensor, id, tensor.loc));
    outputs[output] = id;
  }
  return finish(draft, [...program.ops, ...copies], outputs);
}

/** Where each state is read, and where its next value is written. */
export function statesOf(program: Program): { readonly input: TensorId; readonly output: TensorId }[] {
  return (program.states ?? []).flatMap(({ input, output }) => {
    const [from, to] = [program.inputs[input], program.outputs[output]];
    return from === undefined || to === undefined ? [] : [{ input: from, output: to }];
  });
}
