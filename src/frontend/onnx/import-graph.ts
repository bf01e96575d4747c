import { SpillwayError } from '../../base/diagnostic.js';
import type { Program } from '../../ir/types.js';
import { type ProblemList, UnsupportedForm } from '../import-problems.js';
import type { AffineTable } from './affine.js';
import { importWhere } from './arithmetic.js';
import { attributesOf } from './attributes.js';
import { exportOutput, importInput, inputShapes } from './boundary.js';
import { ProgramBuilder } from './builder.js';
import { type Const, constOf, constOfTensor, elementCountOf, MAX_RANK, remembered } from './constant.js';
import { importEachImage } from './each-image.js';
import { canFold, foldNode, shapeConst } from './fold.js';
import { type OnnxGraph, type OnnxNode, readBranch } from './graph.js';
import { COMPOSED, IMPORTERS } from './operators.js';
import { malformed } from './problems.js';
import { type QuantizedType, quantizedType } from './quantization.js';
import { scaleChannels } from './scale-shift.js';
import { typeAttribute } from './shape-arguments.js';
import { type StatePairs, wrongNames } from './states.js';
import { unrolledLoop, unrolledScan } from './unroll.js';
import { type Attributes, floatView, indexView, type NodeContext, type Value } from './value.js';
import { dimsOf, type View } from './view.js';
import { INTEGER_TYPES, isWhole, makesWhole, wholeValue } from './whole-numbers.js';

/** Constants up to this many elements are kept once computed: shapes, biases, scales are read again and again. */
const SMALL_ELEMENTS = 4096;
/** Sum over all folded nodes; the largest known network folds a tenth of it. A hostile file could ask for hours. */
const MAX_FOLDED_ELEMENTS = 2 ** 31;
/** Activation larger than this: the shape is hostile. */
const MAX_ACTIVATION_ELEMENTS = 2 ** 32;
const MAX_BRANCH_DEPTH = 16;
/** Lazy constants are evaluated by recursion; a longer chain is evaluated piece by piece. */
const MAX_LAZY_DEPTH = 100;

/** Operators whose result is 1 or 0. */
const TRUTHS: ReadonlySet<string> = new Set([
  'Equal',
  'Less',
  'LessOrEqual',
  'Greater',
  'GreaterOrEqual',
  'And',
  'Or',
  'Xor',
  'Not',
  'IsNaN',
  'IsInf',
]);
const WITH_GRAPHS: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan']);
const SHAPES: ReadonlySet<string> = new Set(['Shape', 'Size']);
const MOVING: ReadonlySet<string> = new Set([
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'Transpose',
  'Slice',
  'Split',
  'Gather',
  'Expand',
  'Tile',
  'Identity',
]);

/** What the user says about a file. */
export interface OnnxOptions {
  /** Shapes of inputs with open dimensions, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Inputs that carry an output over from the frame before, by name. */
  readonly states?: StatePairs;
}

/** What stands for an output where a problem is told. */
const NO_NODE: OnnxNode = {
  name: '',
  operator: 'output',
  inputs: [],
  outputs: [],
  attributes: new Map(),
  captured: [],
  loc: { file: '' },
};

/** A value that could not be imported: what depends on it is skipped, and only checked for unknown operators. */
type Known = Value | 'poisoned';

/**
 * Imports a well-formed graph. One pass over the nodes checks everything and builds the program with its constants
 * unevaluated; only when nothing is wrong are the weights computed.
 * @throws SpillwayError with all unsupported operators in one diagnostic, and everything else that was found
 */
export function importGraph(
  graph: OnnxGraph,
  name: string,
  baseDir: string,
  problems: ProblemList,
  options: OnnxOptions,
): Program {
  const importer = new GraphImporter(graph, baseDir, problems, options);
  importer.importGivenValues();
  for (const node of graph.nodes) importer.importNode(node);
  importer.exportOutputs();
  problems.throwIfAny();
  return importer.builder.finish(name, graph.file, options.states);
}

class GraphImporter {
  readonly builder = new ProgramBuilder();
  private readonly values = new Map<string, Known>();
  private readonly affines: AffineTable = new Map();
  private readonly lazyDepths = new Map<Const, number>();
  /** Values of type bool. */
  private readonly truths = new Set<string>();
  private readonly inputViews = new Map<string, View>();
  private readonly truthValues = new WeakSet<Value>(); // those that have no name
  private foldedElements = 0;
  private graph: OnnxGraph; // that is being imported: the file's, or one inside a node
  private branchDepth = 0;
  private readonly baseDir: string;
  private readonly problems: ProblemList;

  private readonly options: OnnxOptions;

  constructor(graph: OnnxGraph, baseDir: string, problems: ProblemList, options: OnnxOptions) {
    this.options = options;
    this.graph = graph;
    this.baseDir = baseDir;
    this.problems = problems;
  }

  importGivenValues(): void {
    for (const message of wrongNames(this.graph, this.options.states ?? new Map())) {
      this.problems.add({ code: 'SW2011', blame: 'usage', message, loc: { file: this.graph.file } });
    }
    this.importInitializers();
    this.importInputs();
  }

  private importInitializers(): void {
    const { graph } = this;
    for (const [name, tensor] of graph.initializers) {
      if (this.usesOf(name) === 0) continue;
      const loc = { file: graph.file, node: name };
      this.guarded(() => {
        const constant = constOfTensor(tensor, `tensor '${name}'`, loc, this.baseDir);
        if (constant === undefined) {
          const message = `tensor '${name}' has the unsupported element type ${tensor.dataType ?? 0}`;
          this.problems.add({ code: 'SW2008', blame: 'unsupported', message, loc });
          return;
        }
        this.define(name, { kind: 'constant', constant: this.kept(constant, name) });
      });
    }
  }

  private importInputs(): void {
    const { graph } = this;
    const shapes = inputShapes(graph, this.options.shapes, this.problems);
    for (const info of graph.inputs) {
      const name = info.name ?? '';
      if (this.usesOf(name) === 0 && this.options.states?.has(name) !== true) continue; // nothing depends on it
      const value = importInput(info, graph, this.builder, this.problems, shapes);
      const isInteger = INTEGER_TYPES.has(info.type?.tensorType?.elemType ?? 0);
      if (value !== undefined) this.define(name, isInteger ? wholeValue(value) : value);
      if (value?.kind === 'activation') this.inputViews.set(name, value.view);
      if (info.type?.tensorType?.elemType === 9) this.truths.add(name);
    }
  }

  importNode(node: OnnxNode): void {
    const operands = node.inputs.map((name) => (name === '' ? undefined : (this.values.get(name) ?? 'poisoned')));
    const known = operands.filter((operand) => operand !== 'poisoned');
    const importable = IMPORTERS.has(node.operator) || WITH_GRAPHS.has(node.operator) || SHAPES.has(node.operator);
    if (!importable && !canFold(node.operator)) {
      this.problems.addUnsupported(node.operator, node.name);
      return;
    }
    if (known.length < operands.length) return; // poisoned
    this.guarded(() => this.importKnownNode(node, known), node);
  }

  private importKnownNode(node: OnnxNode, operands: readonly (Value | undefined)[]): void {
    if (node.operator === 'If') {
      this.importIf(node, operands[0]);
      return;
    }
    if (node.operator === 'Loop' || node.operator === 'Scan') {
      this.importUnrolled(node, operands);
      return;
    }
    const shapeOnly = this.shapeOfOperand(node, operands[0]);
    if (shapeOnly !== undefined) {
      this.define(node.outputs[0] ?? '', { kind: 'constant', constant: shapeOnly });
      return;
    }
    const constants = operands.flatMap((operand) => (operand?.kind === 'constant' ? [operand.constant] : []));
    const results = this.resultsOf(node, operands);
    const missing = node.outputs.findIndex((name, i) => i >= results.length && this.usesOf(name) > 0);
    if (missing >= 0) throw new UnsupportedForm(`output ${missing}`);
    for (const [i, value] of results.entries()) {
      const name = node.outputs[i] ?? '';
      if (value.kind === 'constant') this.defineFolded(node, name, value.constant, constants);
      else {
        this.checkSize(node, value);
        this.define(name, value);
      }
      if (this.truthValues.has(value)) this.truths.add(name);
    }
  }

  /** If: the branch that a constant condition takes; else both, and a choice between their results. */
  private importIf(node: OnnxNode, condition: Value | undefined): void {
    const branch = (name: string): readonly Known[] => this.importBranch(node, name);
    if (condition?.kind === 'constant') {
      const results = branch((condition.constant.elements()[0] ?? 0) !== 0 ? 'then_branch' : 'else_branch');
      results.forEach((value, i) => {
        if (value !== 'poisoned') this.define(node.outputs[i] ?? '', value);
      });
      return;
    }
    const [taken, other] = [branch('then_branch'), branch('else_branch')];
    if (condition === undefined) return;
    node.outputs.forEach((output, i) => {
      const [a, b] = [taken[i], other[i]];
      if (a === undefined || b === undefined || a === 'poisoned' || b === 'poisoned') return;
      const choice = { ...node, operator: 'Where', inputs: [node.inputs[0] ?? '', '', ''], outputs: [output] };
      const [value] = importWhere(this.context(choice, [condition, a, b]));
      if (value !== undefined) this.define(output, value);
    });
  }

  /** Loop and Scan of a constant number of turns: the graph inside, once for each. */
  private importUnrolled(node: OnnxNode, operands: readonly (Value | undefined)[]): void {
    const turn = (given: readonly Value[]): readonly Value[] | undefined => {
      const results = this.importBranch(node, 'body', given);
      const known = results.filter((value) => value !== 'poisoned');
      return known.length === results.length ? known : undefined;
    };
    const unroll = node.operator === 'Loop' ? unrolledLoop : unrolledScan;
    unroll(this.context(node, operands), turn)?.forEach((value, i) => {
      this.define(node.outputs[i] ?? '', value);
    });
  }

  /** Results of a graph inside the node, in the values of this one; `given` are its inputs. */
  private importBranch(node: OnnxNode, attribute: string, given: readonly Value[] = []): readonly Known[] {
    const message = node.attributes.get(attribute)?.g;
    if (message === undefined || message === null) {
      malformed('SW2007', node.loc, `${node.operator} without ${attribute}`);
    }
    if (this.branchDepth > MAX_BRANCH_DEPTH) {
      malformed('SW2010', node.loc, `graphs inside ${node.operator}, ${MAX_BRANCH_DEPTH} deep`);
    }
    if ((message.input ?? []).length !== given.length) {
      const counts = `${(message.input ?? []).length} inputs for ${given.length} values`;
      malformed('SW2007', node.loc, `${node.operator}: the graph inside has ${counts}`);
    }
    const outer = this.graph;
    const graph = readBranch(message, node.captured, outer, this.problems);
    const useCounts = new Map([...outer.useCounts, ...graph.useCounts]);
    // What is read outside of the branch as well is read more than once.
    for (const name of node.captured) useCounts.set(name, 2 + (outer.useCounts.get(name) ?? 0));
    this.graph = { ...graph, useCounts, soleReaders: graph.soleReaders };
    this.branchDepth += 1;
    try {
      (message.input ?? []).forEach(({ name }, i) => {
        const value = given[i];
        if (value !== undefined) this.define(name ?? '', value);
      });
      this.importInitializers();
      for (const inner of graph.nodes) this.importNode(inner);
      return graph.outputs.map((name) => this.values.get(name) ?? 'poisoned');
    } finally {
      this.graph = outer;
      this.branchDepth -= 1;
    }
  }

  exportOutputs(): void {
    for (const name of this.graph.outputs) {
      const value = this.values.get(name);
      if (value === undefined || value === 'poisoned') continue; // its cause is among the problems
      const origin = { name, loc: { file: this.graph.file, node: name } };
      const elemType = this.graph.outputTypes.get(name) ?? 0;
      const state = this.stateBecoming(name);
      const node = { ...NO_NODE, name, loc: origin.loc };
      this.guarded(() => exportOutput(name, value, this.builder, this.problems, origin, elemType, state), node);
    }
  }

  /** The state that an output is the next value of, as it came in. */
  private stateBecoming(output: string): View | undefined {
    const [input] = [...(this.options.states ?? [])].find(([, next]) => next === output) ?? [];
    return input === undefined ? undefined : this.inputViews.get(input);
  }

  private context(node: OnnxNode, operands: readonly (Value | undefined)[]): NodeContext {
    const ctx: NodeContext = {
      node,
      origin: { name: node.name, loc: node.loc },
      opset: this.graph.opset,
      builder: this.builder,
      affines: this.affines,
      operands,
      usesOfOutput: (position) => this.usesOf(node.outputs[position] ?? ''),
      resultType: (position = 0) => this.resultType(node.outputs[position] ?? '', 0),
      usesOfOperand: (position) => this.usesOf(node.inputs[position] ?? ''),
      floatView: (position) => floatView(ctx, position),
      indexView: (position) => indexView(ctx, position),
      isWhole: (position) => isWhole(operands[position]),
      isTruth: (position) => this.isTruth(node.inputs[position] ?? '', operands[position]),
      apply: (operator, given, attributes) => this.apply(ctx, operator, given, attributes ?? {}),
      scaleChannels: (view, gamma, beta) => scaleChannels(ctx, view, gamma, beta),
    };
    return ctx;
  }

  private isTruth(name: string, value: Value | undefined): boolean {
    return this.truths.has(name) || (value !== undefined && this.truthValues.has(value));
  }

  /** See NodeContext. */
  private apply(
    ctx: NodeContext,
    operator: string,
    operands: readonly (Value | undefined)[],
    attributes: Attributes,
  ): Value {
    const node: OnnxNode = {
      ...ctx.node,
      operator,
      inputs: operands.map((operand, i) => (operand === undefined ? '' : `${ctx.node.name}:${operator}:${i}`)),
      outputs: [`${ctx.node.outputs[0] ?? ctx.node.name}:${operator}`],
      attributes: attributesOf(attributes),
      captured: [],
    };
    const [result] = this.resultsOf(node, operands);
    if (result === undefined) throw new Error(`${operator} has no result`);
    this.checkSize(node, result);
    return result;
  }

  /** What a node makes of its operands: constants of constants, else operators. */
  private resultsOf(node: OnnxNode, operands: readonly (Value | undefined)[]): readonly Value[] {
    const given = operands.filter((operand) => operand !== undefined);
    const allConstant = given.every((operand) => operand.kind === 'constant');
    if (allConstant && canFold(node.operator)) {
      const constants = operands.map((operand) => (operand?.kind === 'constant' ? operand.constant : undefined));
      return foldNode(node, constants, this.baseDir).map((constant) => ({ kind: 'constant', constant }));
    }
    const run = IMPORTERS.get(node.operator);
    if (run === undefined || (allConstant && !COMPOSED.has(node.operator))) {
      throw new UnsupportedForm(allConstant ? 'of constants only' : 'of activations');
    }
    const results = importEachImage(this.context(node, operands), run);
    const isTruth =
      TRUTHS.has(node.operator) ||
      (node.operator === 'Cast' && typeAttribute(node, 'to') === 9) ||
      (MOVING.has(node.operator) && this.isTruth(node.inputs[0] ?? '', operands[0]));
    const kept = isTruth || !makesWhole(node, given) ? results : results.map(wholeValue);
    if (isTruth) for (const value of kept) this.truthValues.add(value);
    return kept;
  }

  /** See NodeContext. */
  private resultType(name: string, depth: number): QuantizedType | undefined {
    const reader = this.usesOf(name) === 1 ? this.graph.soleReaders.get(name) : undefined;
    if (reader === undefined || depth > 3) return undefined;
    if (reader.operator === 'Relu' || reader.operator === 'Clip') {
      return this.resultType(reader.outputs[0] ?? '', depth + 1);
    }
    if (reader.operator !== 'QuantizeLinear' || reader.inputs[0] !== name) return undefined;
    const constant = (position: number): Const | undefined => {
      const value = this.values.get(reader.inputs[position] ?? '');
      return value === undefined || value === 'poisoned' || value.kind !== 'constant' ? undefined : value.constant;
    };
    const [scale, zero] = [constant(1), constant(2)];
    if (scale?.elementCount !== 1 || ((reader.inputs[2] ?? '') !== '' && zero?.elementCount !== 1)) return undefined;
    const dtype = zero?.dtype ?? 'uint8';
    return dtype === 'int8' || dtype === 'uint8' ? quantizedType(reader, scale, zero, dtype) : undefined;
  }

  /** Shape and Size of an activation are constants: every dimension is known. */
  private shapeOfOperand(node: OnnxNode, operand: Value | undefined): Const | undefined {
    if (!SHAPES.has(node.operator) || operand?.kind !== 'activation') return undefined;
    if (operand.pad !== undefined) throw new UnsupportedForm('of a padded image');
    const dims = dimsOf(operand.view);
    return node.operator === 'Size' ? constOf('int64', [], [elementCountOf(dims)]) : shapeConst(node, dims);
  }

  private defineFolded(node: OnnxNode, name: string, constant: Const, sources: readonly Const[]): void {
    this.foldedElements += constant.elementCount;
    if (this.foldedElements > MAX_FOLDED_ELEMENTS) {
      malformed(
        'SW2010',
        node.loc,
        `constants of more than ${MAX_FOLDED_ELEMENTS} elements in all are computed by the graph`,
      );
    }
    let depth = 1 + sources.reduce((deepest, source) => Math.max(deepest, this.lazyDepths.get(source) ?? 0), 0);
    let kept = this.kept(constant, name);
    if (depth > MAX_LAZY_DEPTH) {
      kept = remembered(constant);
      kept.elements();
      depth = 0;
    }
    this.lazyDepths.set(kept, depth);
    this.define(name, { kind: 'constant', constant: kept });
  }

  private kept(constant: Const, name: string): Const {
    return this.usesOf(name) > 1 || constant.elementCount <= SMALL_ELEMENTS ? remembered(constant) : constant;
  }

  private checkSize(node: OnnxNode, value: Value): void {
    if (value.kind !== 'activation') return;
    const elements = elementCountOf(dimsOf(value.view));
    if (elements < 1) malformed('SW2007', node.loc, `the result of ${node.operator} is empty`);
    if (elements > MAX_ACTIVATION_ELEMENTS || value.view.axes.length > MAX_RANK) {
      malformed(
        'SW2010',
        node.loc,
        `the result of ${node.operator} has ${elements} elements in ${value.view.axes.length} dimensions`,
      );
    }
  }

  private define(name: string, value: Value): void {
    if (name !== '') this.values.set(name, value);
  }

  private usesOf(name: string): number {
    return name === '' ? 0 : (this.graph.useCounts.get(name) ?? 0);
  }

  /** Turns what a node's import throws into problems, so that the rest of the graph is looked at as well. */
  private guarded(run: () => void, node?: OnnxNode): void {
    try {
      run();
    } catch (error) {
      if (error instanceof UnsupportedForm && node !== undefined) {
        this.problems.addUnsupported(node.operator, node.name, error.message);
      } else if (error instanceof SpillwayError) {
        for (const diagnostic of error.diagnostics) this.problems.add(diagnostic);
      } else throw error;
    }
  }
}
