/** The dataflow graph of a program: a node per op, an edge from every op that makes a tensor to every op that reads it. */
import { alg, Graph } from '@dagrejs/graphlib';
import { activationInputs, operandsOf, rootOf, tensorOf } from './facts.js';
import type { Op, OpId, Program, Tensor, TensorId } from './types.js';

/** Nodes are named by op ids as printed, `@3`, in execution order. */
export interface DataflowGraph {
  readonly graph: Graph;
  readonly ops: ReadonlyMap<string, Op>;
  /** What flows along each edge, by `edgeKey`. */
  readonly flows: ReadonlyMap<string, readonly TensorId[]>;
}

/** A root that is written slice by slice has edges from all of its writers. */
export function dataflowGraph(program: Program): DataflowGraph {
  const graph = new Graph({ directed: true });
  const writers = new Map<TensorId, Op[]>();
  for (const op of program.ops) {
    graph.setNode(nodeOf(op));
    const root = rootOf(tensorOf(program, op.output));
    writers.set(root, [...(writers.get(root) ?? []), op]);
  }
  const flows = new Map<string, TensorId[]>();
  for (const op of program.ops) {
    for (const id of new Set(activationInputs(op, program))) {
      for (const writer of writers.get(rootOf(tensorOf(program, id))) ?? []) {
        graph.setEdge(nodeOf(writer), nodeOf(op));
        const key = edgeKey(nodeOf(writer), nodeOf(op));
        flows.set(key, [...(flows.get(key) ?? []), id]);
      }
    }
  }
  return { graph, ops: new Map(program.ops.map((op) => [nodeOf(op), op])), flows };
}

const nodeOf = (op: Pick<Op, 'id'>): string => `@${op.id}`;

const edgeKey = (from: string, to: string): string => `${from} ${to}`;

const opsAt = ({ ops }: DataflowGraph, nodes: readonly string[]): Op[] => nodes.flatMap((node) => ops.get(node) ?? []);

/** The ops whose results the op reads. */
export function producersIn(flow: DataflowGraph, op: Pick<Op, 'id'>): Op[] {
  return opsAt(flow, flow.graph.predecessors(nodeOf(op)) ?? []);
}

export function consumersIn(flow: DataflowGraph, op: Pick<Op, 'id'>): Op[] {
  return opsAt(flow, flow.graph.successors(nodeOf(op)) ?? []);
}

/** Sets of ops that depend on each other in a circle; empty for a program that can run. */
export function cyclesOf(flow: DataflowGraph): OpId[][] {
  return alg.findCycles(flow.graph).map((nodes) => opsAt(flow, nodes).map((op) => op.id));
}

/** An order in which every op comes after those it reads from. @throws Error if there is a cycle */
export function topologicalOrder(flow: DataflowGraph): Op[] {
  return opsAt(flow, alg.topsort(flow.graph));
}

/** Parts of the program that share no activations, each in execution order. */
export function componentsOf(flow: DataflowGraph): Op[][] {
  const place = new Map([...flow.ops.keys()].map((node, index) => [node, index]));
  const byPlace = (a: string, b: string): number => (place.get(a) ?? 0) - (place.get(b) ?? 0);
  return alg.components(flow.graph).map((nodes) => opsAt(flow, nodes.sort(byPlace)));
}

const quote = (text: string): string => JSON.stringify(text);

const describe = (tensor: Tensor): string => `${tensor.dtype}[${tensor.shape.join(',')}]`;

/** The program as DOT text for Graphviz: ops as boxes, model inputs and outputs as ellipses, shapes on the edges. */
export function toDot(program: Program): string {
  const { graph, flows } = dataflowGraph(program);
  const lines = [`digraph ${quote(program.name)} {`, '  node [shape=box];'];
  const terminal = (id: TensorId, prefix: string): string => {
    const tensor = tensorOf(program, id);
    return `  ${quote(`${prefix}%${id}`)} [shape=ellipse, label=${quote(`${tensor.name}\n${describe(tensor)}`)}];`;
  };
  const flow = (from: string, to: string, id: TensorId): string =>
    `  ${quote(from)} -> ${quote(to)} [label=${quote(describe(tensorOf(program, id)))}];`;
  for (const id of program.inputs) lines.push(terminal(id, 'in'));
  for (const id of program.outputs) lines.push(terminal(id, 'out'));
  for (const op of program.ops) lines.push(`  ${quote(nodeOf(op))} [label=${quote(`${op.name}\n${op.kind}`)}];`);
  for (const { v, w } of graph.edges()) for (const id of flows.get(edgeKey(v, w)) ?? []) lines.push(flow(v, w, id));
  const rootId = (id: TensorId): TensorId => rootOf(tensorOf(program, id));
  for (const op of program.ops) {
    for (const id of new Set(operandsOf(op))) {
      if (program.inputs.includes(rootId(id))) lines.push(flow(`in%${rootId(id)}`, nodeOf(op), id));
    }
    for (const id of program.outputs) {
      if (rootId(id) === rootId(op.output)) lines.push(flow(nodeOf(op), `out%${id}`, id));
    }
  }
  return `${lines.join('\n')}\n}\n`;
}
