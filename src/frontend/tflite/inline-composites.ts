/** STABLEHLO_COMPOSITE names a pattern, and a graph that spells it out: that graph takes its place. */
import type { TfliteGraph, TfliteModel, TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';

const COMPOSITE = { graph: 1 } as const;
const MAX_DEPTH = 8;
export const MAX_OPERATORS = 1 << 16;

/**
 * The first graph of the model without composites.
 *
 * @throws SpillwayError SW2103 if a graph calls itself or its operands do not go with those of its caller; SW2110 if the result
 * is too large
 */
export function inlineComposites(model: TfliteModel): TfliteGraph {
  const [main] = model.graphs;
  if (main === undefined) return malformed('SW2102', { file: model.file }, 'the file holds no graph');
  const tensors = [...main.tensors];
  const operators: TfliteOperator[] = [];
  append(model, main, (index) => index, { tensors, operators }, 0);
  return { ...main, tensors, operators };
}

interface Target {
  readonly tensors: TfliteTensor[];
  readonly operators: TfliteOperator[];
}

/** @param place of the graph's tensor among the target's */
function append(
  model: TfliteModel,
  graph: TfliteGraph,
  place: (index: number) => number,
  to: Target,
  depth: number,
): void {
  for (const operator of graph.operators) {
    if (to.operators.length >= MAX_OPERATORS) {
      malformed('SW2110', operator.loc, `the graph has more than ${MAX_OPERATORS} operators`);
    }
    const at = (index: number): number => (index < 0 ? index : place(index));
    const moved = { ...operator, inputs: operator.inputs.map(at), outputs: operator.outputs.map(at) };
    const inner = operator.operator === 'STABLEHLO_COMPOSITE' ? decomposition(model, operator) : undefined;
    if (inner === undefined) to.operators.push({ ...moved, index: depth === 0 ? operator.index : to.operators.length });
    else if (depth >= MAX_DEPTH) malformed('SW2103', operator.loc, `composites lie ${MAX_DEPTH} deep in one another`);
    else appendComposite(model, inner, moved, to, depth + 1);
  }
}

function decomposition(model: TfliteModel, { options2, loc }: TfliteOperator): TfliteGraph | undefined {
  const index = options2?.int32(COMPOSITE.graph);
  if (index === undefined) return undefined;
  const graph = index > 0 ? model.graphs[index] : undefined;
  return graph ?? malformed('SW2103', loc, `a composite is spelled out in graph ${index} of ${model.graphs.length}`);
}

function appendComposite(
  model: TfliteModel,
  graph: TfliteGraph,
  caller: TfliteOperator,
  to: Target,
  depth: number,
): void {
  const { inputs, outputs, loc } = caller;
  if (graph.inputs.length !== inputs.length || graph.outputs.length !== outputs.length) {
    const own = `${graph.inputs.length} inputs and ${graph.outputs.length} outputs`;
    malformed(
      'SW2103',
      loc,
      `a composite of ${inputs.length} operands and ${outputs.length} results is a graph of ${own}`,
    );
  }
  const places = new Map<number, number>();
  for (const [i, index] of graph.inputs.entries()) places.set(index, inputs[i] ?? -1);
  for (const [i, index] of graph.outputs.entries()) {
    if (places.has(index)) malformed('SW2103', loc, 'a composite hands an operand back, or one result twice');
    places.set(index, outputs[i] ?? -1);
  }
  if (to.tensors.length + graph.tensors.length > 2 ** 20) malformed('SW2110', loc, 'composites have too many tensors');
  for (const [index, tensor] of graph.tensors.entries()) {
    if (places.has(index)) continue;
    places.set(index, to.tensors.length);
    to.tensors.push(tensor);
  }
  append(model, graph, (index) => places.get(index) ?? -1, to, depth);
}
