/** Inputs that carry an output over from the frame before: what `--state` names, and what looks as if it should be named. */
import { unsupported } from '../import-problems.js';
import type { Origin, ProgramBuilder } from './builder.js';
import type { OnnxGraph } from './graph.js';
import { align, type View } from './view.js';

/** Input to output, by name, as the user gives them. */
export type StatePairs = ReadonlyMap<string, string>;

/** The next value of a state, stored as its input is: only then can one take the other's place. */
export function storedLike(builder: ProgramBuilder, like: View, view: View, origin: Origin): View['tensor'] {
  const [from, to] = [builder.typeOf(like.tensor).dtype, builder.typeOf(view.tensor).dtype];
  if (from !== to) unsupported(`a state of ${from} whose next value is ${to}`);
  const whole = align(like, view) === undefined ? builder.materialise(view, view.axes.flat(), origin) : view;
  const alignment = align(like, whole);
  if (alignment === undefined) throw new Error('storage in the order of the model nests with any other');
  const stored = builder.materialise(alignment.b, alignment.orderOfB, origin);
  return builder.asShape(stored.tensor, builder.shapeOf(like.tensor), origin);
}

/** Problems of names: pairs that name no input, or no output. */
export function wrongNames(graph: OnnxGraph, states: StatePairs): string[] {
  const inputs = graph.inputs.map(({ name }) => name ?? '');
  return [...states].flatMap(([input, output]) => [
    ...(inputs.includes(input)
      ? []
      : [`--state names '${input}', which is no input; the inputs are ${inputs.join(', ')}`]),
    ...(graph.outputs.includes(output)
      ? []
      : [`--state names '${output}', which is no output; the outputs are ${graph.outputs.join(', ')}`]),
  ]);
}
