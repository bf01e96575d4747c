import type { SourceLoc } from '../../base/diagnostic.js';
import type { ProblemList } from '../import-problems.js';
import { toInteger } from './constant.js';
import { expandQuantized } from './expand-quantized.js';
import type {
  AttributeMessage,
  GraphMessage,
  ModelMessage,
  NodeMessage,
  TensorMessage,
  ValueInfoMessage,
} from './schema.js';

export interface OnnxNode {
  readonly name: string; // the node's name, or operator#index
  /** Operator with its domain unless that is the standard one: `com.microsoft::QLinearAdd`. */
  readonly operator: string;
  readonly inputs: readonly string[]; // '' for an optional input that is absent
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeMessage>;
  /** Values of this graph that graphs inside the node read. */
  readonly captured: readonly string[];
  readonly loc: SourceLoc;
}

/** A graph that is well formed: every value has one producer, and nodes come after what they read. */
export interface OnnxGraph {
  readonly name: string;
  readonly file: string;
  readonly opset: number;
  /** Only nodes that an output depends on, in the file's order where that is a valid one. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, TensorMessage>;
  readonly inputs: readonly ValueInfoMessage[]; // without those that are initializers
  readonly outputs: readonly string[];
  /** Element type of each output as the format numbers it; 0 where the file does not say. */
  readonly outputTypes: ReadonlyMap<string, number>;
  /** How often each value is read, being a graph output counted as one read. */
  readonly useCounts: ReadonlyMap<string, number>;
  /** The node that reads a value, for values that are read once, by a node. */
  readonly soleReaders: ReadonlyMap<string, OnnxNode>;
}

/** Checks the structure of a decoded file and orders its nodes. Problems are added to `problems`. */
export function readGraph(model: ModelMessage, message: GraphMessage, file: string, problems: ProblemList): OnnxGraph {
  return { ...structureOf(message, file, problems), opset: opsetOf(model) };
}

function structureOf(message: GraphMessage, file: string, problems: ProblemList): OnnxGraph {
  const initializers = new Map<string, TensorMessage>();
  for (const tensor of message.initializer ?? []) initializers.set(tensor.name ?? '', tensor);
  const inputs = (message.input ?? []).filter((input) => !initializers.has(input.name ?? ''));
  const all = expandQuantized((message.node ?? []).map((node, index) => readNode(node, index, file)));
  const outputs = (message.output ?? []).map((output) => output.name ?? '');
  const producers = findProducers(all, message, inputs, file, problems);
  if (outputs.length === 0) {
    problems.add({ code: 'SW2003', blame: 'model', message: 'the graph has no outputs', loc: { file } });
  }
  const nodes = orderNodes(all, outputs, producers, file, problems);
  const useCounts = countUses(nodes, outputs);
  return {
    name: message.name ?? '',
    file,
    opset: 1,
    nodes,
    initializers,
    inputs,
    outputs,
    outputTypes: new Map(
      (message.output ?? []).map((output) => [output.name ?? '', output.type?.tensorType?.elemType ?? 0]),
    ),
    useCounts,
    soleReaders: findSoleReaders(nodes, useCounts),
  };
}

function readNode(message: NodeMessage, index: number, file: string): OnnxNode {
  const domain = message.domain ?? '';
  const opType = message.opType ?? '';
  const operator = domain === '' || domain === 'ai.onnx' ? opType : `${domain}::${opType}`;
  const name = message.name === undefined || message.name === '' ? `${opType}#${index}` : message.name;
  const attributes = new Map((message.attribute ?? []).map((attribute) => [attribute.name ?? '', attribute]));
  return {
    name,
    operator,
    inputs: message.input ?? [],
    outputs: message.output ?? [],
    attributes,
    captured: capturedBy(message),
    loc: { file, node: name },
  };
}

function opsetOf(model: ModelMessage): number {
  for (const entry of model.opsetImport ?? []) {
    if ((entry.domain ?? '') === '' || entry.domain === 'ai.onnx') return toInteger(entry.version ?? 1);
  }
  return 1; // files older than the field
}

const dependenciesOf = (node: OnnxNode): readonly string[] =>
  node.captured.length === 0 ? node.inputs : [...node.inputs, ...node.captured];

/** Names that graphs in attributes read and do not define themselves. */
function capturedBy(message: NodeMessage): string[] {
  const captured = new Set<string>();
  for (const { g } of message.attribute ?? []) {
    if (g === undefined || g === null) continue;
    const own = new Set<string>([
      ...(g.input ?? []).map(({ name }) => name ?? ''),
      ...(g.initializer ?? []).map(({ name }) => name ?? ''),
      ...(g.node ?? []).flatMap((node) => node.output ?? []),
    ]);
    const read = [
      ...(g.node ?? []).flatMap((node) => [...(node.input ?? []), ...capturedBy(node)]),
      ...(g.output ?? []).map(({ name }) => name ?? ''),
    ];
    for (const name of read) if (name !== '' && !own.has(name)) captured.add(name);
  }
  return [...captured];
}

/** A graph inside a node, in order, with the values that it reads from outside taken as given. */
export function readBranch(
  message: GraphMessage,
  captured: readonly string[],
  outer: OnnxGraph,
  problems: ProblemList,
): OnnxGraph {
  const given = captured.map((name) => ({ name }));
  const graph = structureOf({ ...message, input: [...(message.input ?? []), ...given] }, outer.file, problems);
  return { ...graph, opset: outer.opset };
}

type Producer = OnnxNode | 'given';

function findProducers(
  nodes: readonly OnnxNode[],
  message: GraphMessage,
  inputs: readonly ValueInfoMessage[],
  file: string,
  problems: ProblemList,
): Map<string, Producer> {
  const producers = new Map<string, Producer>();
  const define = (name: string, producer: Producer, loc: SourceLoc): void => {
    if (producers.has(name)) {
      problems.add({ code: 'SW2003', blame: 'model', message: `value '${name}' is defined more than once`, loc });
    } else producers.set(name, producer);
  };
  for (const tensor of message.initializer ?? []) define(tensor.name ?? '', 'given', { file });
  for (const input of inputs) define(input.name ?? '', 'given', { file });
  for (const node of nodes) {
    for (const output of node.outputs) if (output !== '') define(output, node, node.loc);
  }
  return producers;
}

/**
 * Nodes that the outputs depend on, each after what it reads; iterative, since a chain may be as long as the file likes.
 * A node in state 'open' that is reached again closes a cycle.
 */
function orderNodes(
  nodes: readonly OnnxNode[],
  outputs: readonly string[],
  producers: ReadonlyMap<string, Producer>,
  file: string,
  problems: ProblemList,
): OnnxNode[] {
  const needed = reachableFrom(outputs, producers, file, problems);
  const state = new Map<OnnxNode, 'open' | 'done'>();
  const ordered: OnnxNode[] = [];
  for (const start of nodes) {
    if (!needed.has(start) || state.has(start)) continue;
    const stack: { node: OnnxNode; next: number }[] = [{ node: start, next: 0 }];
    state.set(start, 'open');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const name = dependenciesOf(top.node)[top.next++];
      if (name === undefined) {
        state.set(top.node, 'done');
        ordered.push(top.node);
        stack.pop();
        continue;
      }
      const producer = producers.get(name);
      if (producer === undefined || producer === 'given' || state.get(producer) === 'done') continue;
      if (state.get(producer) === 'open') {
        const message = `value '${name}' depends on itself: the graph has a cycle`;
        problems.add({ code: 'SW2003', blame: 'model', message, loc: producer.loc });
        return [];
      }
      state.set(producer, 'open');
      stack.push({ node: producer, next: 0 });
    }
  }
  return ordered;
}

function reachableFrom(
  outputs: readonly string[],
  producers: ReadonlyMap<string, Producer>,
  file: string,
  problems: ProblemList,
): Set<OnnxNode> {
  const needed = new Set<OnnxNode>();
  const missing = new Set<string>();
  const pending: { name: string; loc: SourceLoc }[] = outputs.map((name) => ({ name, loc: { file } }));
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const producer = producers.get(item.name);
    if (producer === undefined && !missing.has(item.name)) {
      missing.add(item.name);
      const message = `value '${item.name}' is used and defined nowhere`;
      problems.add({ code: 'SW2003', blame: 'model', message, loc: item.loc });
    }
    if (producer === undefined || producer === 'given' || needed.has(producer)) continue;
    needed.add(producer);
    for (const name of dependenciesOf(producer)) if (name !== '') pending.push({ name, loc: producer.loc });
  }
  return needed;
}

function findSoleReaders(nodes: readonly OnnxNode[], useCounts: ReadonlyMap<string, number>): Map<string, OnnxNode> {
  const readers = new Map<string, OnnxNode>();
  for (const node of nodes) for (const name of node.inputs) if (useCounts.get(name) === 1) readers.set(name, node);
  return readers;
}

function countUses(nodes: readonly OnnxNode[], outputs: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of [...outputs, ...nodes.flatMap(dependenciesOf)]) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
