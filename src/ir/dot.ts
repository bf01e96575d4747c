/** The graph of a program for Graphviz: operators as boxes, tensors as arrows, model inputs and outputs as ovals. */
import { Graph } from '@dagrejs/graphlib';
import { activationInputs, isQuantized, tensorOf } from './facts.js';
import type { Program, Tensor, TensorId } from './types.js';

interface NodeLabel {
  readonly label: string;
  readonly shape: 'box' | 'oval';
}

/** @returns a directed multigraph: a tensor that is read twice has two edges */
export function graphOf(program: Program): Graph {
  const graph = new Graph({ directed: true, multigraph: true });
  const makers = new Map<TensorId, string>();
  const add = (name: string, label: NodeLabel): void => void graph.setNode(name, label);
  for (const id of program.inputs) {
    add(`input${id}`, { label: `input ${tensorOf(program, id).name}`, shape: 'oval' });
    makers.set(id, `input${id}`);
  }
  for (const op of program.ops) {
    add(`op${op.id}`, { label: `${op.name}\n${op.kind}`, shape: 'box' });
    makers.set(op.output, `op${op.id}`);
  }
  const connect = (id: TensorId, to: string, position: number): void => {
    const from = makers.get(id);
    if (from !== undefined) graph.setEdge(from, to, describeTensor(tensorOf(program, id)), `${id}.${position}`);
  };
  for (const op of program.ops) {
    activationInputs(op, program).forEach((id, position) => {
      connect(id, `op${op.id}`, position);
    });
  }
  program.outputs.forEach((id, position) => {
    add(`output${position}`, { label: `output ${tensorOf(program, id).name}`, shape: 'oval' });
    connect(id, `output${position}`, position);
  });
  return graph;
}

function describeTensor({ dtype, shape, quant }: Tensor): string {
  const scale = isQuantized(dtype) && quant !== undefined ? `\n${quant.scales[0]}, zero ${quant.zeroPoint}` : '';
  return `${dtype} ${shape.join('x')}${scale}`;
}

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

/** Graphviz text. */
export function formatDot(name: string, graph: Graph): string {
  const lines = [`digraph ${quoted(name)} {`, '  node [fontsize=10];', '  edge [fontsize=8];'];
  for (const node of graph.nodes()) {
    const { label, shape } = graph.node(node) as NodeLabel;
    lines.push(`  ${node} [shape=${shape}, label=${quoted(label)}];`);
  }
  for (const edge of graph.edges()) lines.push(`  ${edge.v} -> ${edge.w} [label=${quoted(String(graph.edge(edge)))}];`);
  return `${[...lines, '}'].join('\n')}\n`;
}
