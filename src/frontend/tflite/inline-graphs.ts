/**
 * Operators that call other graphs of the file: those graphs take their place. STABLEHLO_COMPOSITE names a pattern and a graph
 * that spells it out. IF calls one of two graphs: where its condition is a constant, only that one is left; else both are, and
 * a SELECT_V2 for each result chooses.
 */
import type { TfliteGraph, TfliteModel, TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';

const COMPOSITE = { graph: 1 } as const;
const IF = { thenGraph: 0, elseGraph: 1 } as const;
const MAX_DEPTH = 8;
export const MAX_OPERATORS = 1 << 16;
const MAX_TENSORS = 2 ** 20;

/**
 * The first graph of the model with the others in it.
 *
 * @throws SpillwayError SW2103 if a graph calls itself or its operands do not go with those of its caller; SW2110 if the result
 * is too large
 */
export function inlineGraphs(model: TfliteModel): TfliteGraph {
  const [main] = model.graphs;
  if (main === undefined) return malformed('SW2102', { file: model.file }, 'the file holds no graph');
  const to: Target = { tensors: [...main.tensors], operators: [], same: new Map(), calls: 0 };
  append(model, main, (index) => index, to, 0);
  const { tensors, operators, same } = to;
  return { ...main, tensors, operators, outputs: main.outputs.map((index) => same.get(index) ?? index) };
}

interface Target {
  readonly tensors: TfliteTensor[];
  readonly operators: TfliteOperator[];
  /** Results that are another tensor and not computed from it. */
  readonly same: Map<number, number>;
  /** So that graphs that hold nothing but calls come to an end. */
  calls: number;
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
    const inputs = operator.inputs.map((index) => (index < 0 ? index : sameAs(to, place(index))));
    const moved = { ...operator, inputs, outputs: operator.outputs.map(place) };
    const inner = operator.operator === 'STABLEHLO_COMPOSITE' ? decomposition(model, operator) : undefined;
    const branches = operator.operator === 'IF' ? branchesOf(model, operator) : undefined;
    if (inner === undefined && branches === undefined) push(to, moved, depth);
    else if (depth >= MAX_DEPTH) malformed('SW2103', operator.loc, `graphs call each other ${MAX_DEPTH} deep`);
    else if (inner !== undefined) appendComposite(model, inner, moved, to, depth + 1);
    else if (branches !== undefined) appendBranches(model, branches, moved, to, depth + 1);
  }
}

/**
 * The operators of a graph that an operator calls, with its inputs where `inputs` says and all its other tensors added.
 *
 * @param tensors of the caller; those of the graph are appended
 * @throws SpillwayError as inlineGraphs
 */
export function calledGraph(
  model: TfliteModel,
  index: number,
  tensors: TfliteTensor[],
  inputs: readonly number[],
  caller: TfliteOperator,
): { readonly operators: readonly TfliteOperator[]; readonly outputs: readonly number[] } {
  const graph = graphCalled(model, index, caller);
  if (graph.inputs.length !== inputs.length) {
    malformed('SW2103', caller.loc, `${inputs.length} operands call a graph of ${graph.inputs.length} inputs`);
  }
  const to: Target = { tensors, operators: [], same: new Map(), calls: 0 };
  const places = placesOfInputs(graph, inputs);
  appendCalled(model, graph, places, caller, to, 1);
  return { operators: to.operators, outputs: graph.outputs.map((output) => sameAs(to, places.get(output) ?? -1)) };
}

function graphCalled(model: TfliteModel, index: number, { loc }: TfliteOperator): TfliteGraph {
  const graph = index > 0 ? model.graphs[index] : undefined;
  return graph ?? malformed('SW2103', loc, `it calls graph ${index} of ${model.graphs.length}`);
}

function sameAs({ same }: Target, index: number): number {
  return same.get(index) ?? index;
}

/** Operators keep their numbers, so that diagnostics name them as a viewer of the file does; those of other graphs get new ones. */
function push(to: Target, operator: TfliteOperator, depth: number): void {
  to.operators.push(depth === 0 ? operator : { ...operator, index: to.operators.length });
}

function decomposition(model: TfliteModel, { options2, loc }: TfliteOperator): TfliteGraph | undefined {
  const index = options2?.int32(COMPOSITE.graph);
  if (index === undefined) return undefined;
  const graph = index > 0 ? model.graphs[index] : undefined;
  return graph ?? malformed('SW2103', loc, `a composite is spelled out in graph ${index} of ${model.graphs.length}`);
}

function branchesOf(model: TfliteModel, { options, loc }: TfliteOperator): [TfliteGraph, TfliteGraph] | undefined {
  if (options === undefined) return undefined;
  const branch = (field: number): TfliteGraph => {
    const index = options.int32(field);
    const graph = index > 0 ? model.graphs[index] : undefined;
    return graph ?? malformed('SW2103', loc, `a branch is graph ${index} of ${model.graphs.length}`);
  };
  return [branch(IF.thenGraph), branch(IF.elseGraph)];
}

function checkCall(graph: TfliteGraph, inputs: readonly number[], { outputs, operator, loc }: TfliteOperator): void {
  if (graph.inputs.length === inputs.length && graph.outputs.length === outputs.length) return;
  const own = `${graph.inputs.length} inputs and ${graph.outputs.length} outputs`;
  const message = `${operator} of ${inputs.length} operands and ${outputs.length} results calls a graph of ${own}`;
  malformed('SW2103', loc, message);
}

/** Adds the tensors that have no place yet, and the operators. */
function appendCalled(
  model: TfliteModel,
  graph: TfliteGraph,
  places: Map<number, number>,
  { loc }: TfliteOperator,
  to: Target,
  depth: number,
): void {
  to.calls++;
  if (to.tensors.length + graph.tensors.length > MAX_TENSORS || to.calls > MAX_OPERATORS) {
    malformed('SW2110', loc, `its graphs, put where they are called, make ${to.calls} calls and too many tensors`);
  }
  for (const [index, tensor] of graph.tensors.entries()) {
    if (places.has(index)) continue;
    places.set(index, to.tensors.length);
    to.tensors.push(tensor);
  }
  append(model, graph, (index) => places.get(index) ?? -1, to, depth);
}

function placesOfInputs(graph: TfliteGraph, inputs: readonly number[]): Map<number, number> {
  return new Map(graph.inputs.map((index, i) => [index, inputs[i] ?? -1]));
}

function appendComposite(
  model: TfliteModel,
  graph: TfliteGraph,
  caller: TfliteOperator,
  to: Target,
  depth: number,
): void {
  checkCall(graph, caller.inputs, caller);
  const places = placesOfInputs(graph, caller.inputs);
  for (const [i, index] of graph.outputs.entries()) {
    if (places.has(index)) malformed('SW2103', caller.loc, 'a composite hands an operand back, or one result twice');
    places.set(index, caller.outputs[i] ?? -1);
  }
  appendCalled(model, graph, places, caller, to, depth);
}

function appendBranches(
  model: TfliteModel,
  branches: readonly [TfliteGraph, TfliteGraph],
  caller: TfliteOperator,
  to: Target,
  depth: number,
): void {
  const [condition = -1, ...inputs] = caller.inputs;
  const known = to.tensors[condition]?.bytes;
  const taken = known === undefined ? undefined : branches[known[0] === 0 ? 1 : 0];
  const results = (taken === undefined ? branches : [taken]).map((graph) => {
    checkCall(graph, inputs, caller);
    const places = placesOfInputs(graph, inputs);
    appendCalled(model, graph, places, caller, to, depth);
    return graph.outputs.map((index) => sameAs(to, places.get(index) ?? -1));
  });
  const [first = [], second = first] = results;
  const node = { ...caller, options: undefined, options2: undefined, intermediates: [] };
  for (const [i, output] of caller.outputs.entries()) {
    const [whenTrue = -1, whenFalse = -1] = [first[i], second[i]];
    if (whenTrue === whenFalse) to.same.set(output, whenTrue);
    else
      push(to, { ...node, operator: 'SELECT_V2', inputs: [condition, whenTrue, whenFalse], outputs: [output] }, depth);
  }
}
