/**
 * Resource variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE), as the variable tensors that other operators carry state in.
 * CALL_ONCE names the graph that gives them their first values, of which only zeros are supported: states begin so.
 */
import { unsupported } from '../import-problems.js';
import type { Importer } from './context.js';
import { activation } from './context.js';
import type { TfliteGraph, TfliteModel, TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';

const CALL_ONCE = { graph: 0 } as const;
const VAR_HANDLE = { container: 0, sharedName: 1 } as const;

interface Variable {
  readonly name: string;
  readonly assigned: TfliteOperator[];
  /** The variable tensor that holds it, once it has been read. */
  tensor: number | undefined;
  /** The tensor with what it holds now. */
  now: number | undefined;
}

/**
 * The graph with a variable tensor for each variable that is read: the first READ_VARIABLE and the last ASSIGN_VARIABLE stay,
 * what is read later is what was assigned or read before.
 *
 * @throws SpillwayError SW2103 for a resource that no VAR_HANDLE makes
 */
export function withVariables(model: TfliteModel, graph: TfliteGraph): TfliteGraph {
  if (!graph.operators.some(({ operator }) => operator === 'VAR_HANDLE')) return graph;
  const variables = new Map<string, Variable>();
  const handles = new Map<number, Variable>(); // by resource tensor
  const tensors: TfliteTensor[] = [...graph.tensors];
  const same = new Map<number, number>();
  const operators: TfliteOperator[] = [];
  for (const given of graph.operators) {
    const operator = { ...given, inputs: given.inputs.map((index) => same.get(index) ?? index) };
    const [resource = -1, value = -1] = operator.inputs;
    const [result = -1] = operator.outputs;
    if (operator.operator === 'VAR_HANDLE') {
      const name = nameOf(operator);
      const variable = variables.get(name) ?? { name, assigned: [], tensor: undefined, now: undefined };
      variables.set(name, variable);
      handles.set(result, variable);
    } else if (operator.operator === 'READ_VARIABLE') {
      const variable = handles.get(resource) ?? noHandle(operator);
      if (variable.now !== undefined) same.set(result, variable.now);
      else {
        const read = tensors[result];
        if (read === undefined) throw new Error(`the graph has no tensor ${result}`);
        variable.tensor = tensors.length;
        variable.now = result;
        tensors.push({ ...read, name: variable.name, bytes: undefined, isVariable: true });
        operators.push({ ...operator, inputs: [variable.tensor] });
      }
    } else if (operator.operator === 'ASSIGN_VARIABLE') {
      const variable = handles.get(resource) ?? noHandle(operator);
      variable.now = value;
      variable.assigned.push(operator);
    } else operators.push(operator);
  }
  for (const { assigned, tensor } of variables.values()) {
    const last = assigned.at(-1);
    if (last !== undefined && tensor !== undefined) operators.push({ ...last, inputs: [tensor, last.inputs[1] ?? -1] });
  }
  const outputs = graph.outputs.map((index) => same.get(index) ?? index);
  return { ...graph, tensors, operators: operators.filter((operator) => !givesZeros(model, operator)), outputs };
}

function nameOf({ options }: TfliteOperator): string {
  return [options?.string(VAR_HANDLE.container), options?.string(VAR_HANDLE.sharedName)].filter(Boolean).join('/');
}

function noHandle({ operator, loc }: TfliteOperator): never {
  return malformed('SW2103', loc, `${operator} of a resource that no VAR_HANDLE makes`);
}

/** A CALL_ONCE of a graph that assigns nothing but zeros. Others stay, and are refused with everything else. */
function givesZeros(model: TfliteModel, { operator, options }: TfliteOperator): boolean {
  if (operator !== 'CALL_ONCE') return false;
  const graph = model.graphs[options?.int32(CALL_ONCE.graph) ?? 0];
  if (graph === undefined) return false;
  return graph.operators.every(({ operator: name, inputs: [, value = -1] }) => {
    if (name === 'VAR_HANDLE') return true;
    return name === 'ASSIGN_VARIABLE' && isZero(graph.tensors[value]);
  });
}

/** Stored zeros stand for real ones where the zero point is 0. */
function isZero(tensor: TfliteTensor | undefined): boolean {
  const [zero = 0] = tensor?.quantization?.zeroPoints ?? [];
  return tensor?.bytes !== undefined && zero === 0 && tensor.bytes.every((byte) => byte === 0);
}

export const callOnce: Importer = () => unsupported('first values of variables other than 0');

export const readVariable: Importer = (node) => [activation(node.state(0, node.result.shape))];

export const assignVariable: Importer = (node) => {
  node.keepState(0, node.input(1).id);
  return [];
};
