import { type SourceLoc, SpillwayError } from '../../base/diagnostic.js';
import { ProgramBuilder } from '../../ir/builder.js';
import { elementCountOf, isQuantized } from '../../ir/facts.js';
import type { Program, TensorId } from '../../ir/types.js';
import { wellFormed } from '../../ir/verify.js';
import { type ProblemList, UnsupportedForm } from '../import-problems.js';
import { activationQuant, activationType } from './activation-type.js';
import { constantOf } from './constant.js';
import { type Importer, NodeContext, shapeOf, type Value } from './context.js';
import { folder } from './fold.js';
import { inlineGraphs } from './inline-graphs.js';
import { Loops } from './loops.js';
import { MAX_ELEMENTS, type TfliteGraph, type TfliteModel, type TfliteOperator, type TfliteTensor } from './model.js';
import { IMPORTERS } from './operators.js';
import { malformed } from './problems.js';
import { StateKeeper } from './state.js';
import { withVariables } from './variables.js';

/**
 * The first graph of a file as a program. Activations keep the file's shapes and its quantisation.
 *
 * @throws SpillwayError with all unsupported operators in one diagnostic, and everything else that was found
 */
export function importGraph(
  model: TfliteModel,
  name: string,
  problems: ProblemList,
  shapes: InputShapes = new Map(),
): Program {
  const graph = withVariables(model, inlineGraphs(model));
  refuseUnknown(graph, problems); // before any work
  const importer = new GraphImporter(model, graph, name, problems, shapes);
  importer.checkGivenShapes();
  importer.hintAtOpenShapes();
  importer.importInputs();
  for (const operator of graph.operators) importer.importOperator(operator);
  importer.exportOutputs();
  problems.throwIfAny();
  const program = importer.builder.build();
  // Quantisations that do not go together are in files only, so the last word is the verifier's.
  for (const problem of wellFormed(program).slice(0, 8)) problems.add({ ...problem, code: 'SW2107', blame: 'model' });
  problems.throwIfAny();
  return program;
}

function refuseUnknown(graph: TfliteGraph, problems: ProblemList): void {
  const unknown = graph.operators.filter(({ operator }) => !isKnown(operator));
  for (const { operator, index } of unknown) problems.addUnsupported(operator, `operator ${index}`);
  problems.throwIfAny();
}

const isKnown = (operator: string): boolean =>
  operator === 'WHILE' || IMPORTERS.has(operator) || folder(operator) !== undefined;

/** Shapes that the user gives, by the name of the input. */
export type InputShapes = ReadonlyMap<string, readonly number[]>;

/** Results of the types that the program has for those of the file. */
function checkType(declared: TfliteTensor, value: Value, builder: ProgramBuilder): void {
  const { type } = declared;
  const isComplex = value.kind === 'activation' && value.isComplex === true;
  if (isComplex !== (type === 'complex64')) throw new UnsupportedForm(`a result of ${type}`);
  if (isComplex) return;
  const expected = type === 'bool' ? 'float32' : type === 'int64' || type === 'int32' ? 'int32' : activationType(type);
  if (value.kind === 'constant' || builder.tensor(value.id).dtype === expected) return;
  throw new UnsupportedForm(`a result of ${type}`);
}

class GraphImporter {
  readonly builder: ProgramBuilder;
  private readonly values = new Map<number, Value>();
  private readonly states: StateKeeper;
  /** Results of operators that could not be imported: what reads them is not looked at. */
  private readonly poisoned = new Set<number>();
  /** The graph's, and those of the turns of loops. */
  private readonly tensors: TfliteTensor[];
  private readonly loops: Loops;

  constructor(
    private readonly model: TfliteModel,
    private readonly graph: TfliteGraph,
    name: string,
    private readonly problems: ProblemList,
    private readonly shapes: InputShapes,
  ) {
    this.builder = new ProgramBuilder(name, model.file, { fault: { code: 'SW2105', blame: 'unsupported' } });
    this.tensors = [...graph.tensors];
    this.loops = new Loops(model, this.tensors, {
      value: (index, operator) => this.value(index, operator),
      define: (index, value) => void this.values.set(index, value),
      importOperator: (operator) => {
        if (!isKnown(operator.operator)) throw new UnsupportedForm(`${operator.operator} in it`);
        this.importKnown(operator, IMPORTERS.get(operator.operator), folder(operator.operator));
      },
    });
    this.states = new StateKeeper(this.builder, this.tensors);
  }

  /** @throws SpillwayError SW2106 (usage) for shapes of what is no input, or of another rank */
  checkGivenShapes(): void {
    const inputs = this.graph.inputs.map((index) => this.tensor(index));
    for (const [name, shape] of this.shapes) {
      const input = inputs.find((tensor) => tensor.name === name);
      if (input?.shape.length === shape.length) continue;
      const message =
        input === undefined
          ? `--input names '${name}', which is no input of the model`
          : `--input gives '${name}' the shape ${shape.join('x')}, the model has ${input.shape.join('x')}`;
      const hint = `the inputs are ${inputs.map((tensor) => tensor.name).join(', ')}`;
      this.problems.add({ code: 'SW2106', blame: 'usage', message, loc: { file: this.model.file, node: name }, hint });
    }
    this.problems.throwIfAny();
  }

  /** Operators that cannot be in the shapes of the file may be in others. */
  hintAtOpenShapes(): void {
    const inputs = this.graph.inputs.map((index) => this.tensor(index));
    const open = inputs.find(({ signature, name }) => signature.some((extent) => extent < 0) && !this.shapes.has(name));
    if (open === undefined) return;
    const { name, shape, signature } = open;
    const example = `--input ${name}=${signature.map((extent) => (extent < 0 ? 'N' : extent)).join('x')}`;
    const taken = `input '${name}' has open dimensions, taken as ${shape.join('x')}`;
    this.problems.setHint(`${taken}; say what they are, as in ${example}`);
  }

  importInputs(): void {
    const read = new Set(this.graph.operators.flatMap(({ inputs }) => inputs));
    for (const index of this.graph.inputs) {
      const tensor = this.tensor(index);
      const loc = { file: this.model.file, node: tensor.name };
      if (this.values.has(index)) malformed('SW2103', loc, `'${tensor.name}' is an input twice`);
      if (!read.has(index) && !this.graph.outputs.includes(index)) continue; // the network does not depend on it
      const id = this.importInput(tensor, loc);
      if (id === undefined) this.poisoned.add(index);
      else this.values.set(index, { kind: 'activation', id });
    }
  }

  private importInput(tensor: TfliteTensor, loc: SourceLoc): TensorId | undefined {
    const { name, type } = tensor;
    const shape = this.shapes.get(name) ?? tensor.shape;
    const dtype =
      type === 'bool'
        ? 'uint8'
        : type === 'int64'
          ? 'int32'
          : (activationType(type) ?? (type === 'int32' ? type : undefined));
    if (dtype === undefined) {
      const message = `input '${name}' is ${type}; float32, int8, uint8, int16, int32, int64 and bool are supported`;
      this.problems.add({ code: 'SW2108', blame: 'unsupported', message, loc });
      return undefined;
    }
    if (elementCountOf(shape) === 0) malformed('SW2107', loc, `input '${name}' [${shape.join(', ')}] is empty`);
    // Bytes without a quantisation stand for themselves.
    const quant = activationQuant(tensor, loc) ?? (isQuantized(dtype) ? { scales: [1], zeroPoint: 0 } : undefined);
    const id = this.builder.addInput({ name, dtype, shape, loc, ...(quant === undefined ? {} : { quant }) });
    if (type !== 'bool') return id;
    return this.builder.addOp({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [id], name, loc });
  }

  importOperator(operator: TfliteOperator): void {
    const run = IMPORTERS.get(operator.operator);
    const fold = folder(operator.operator);
    if (!isKnown(operator.operator)) return;
    const isPoisoned = operator.inputs.some((index) => this.poisoned.has(index));
    const imported = !isPoisoned && this.guarded(operator, () => this.importKnown(operator, run, fold));
    if (!imported) for (const index of operator.outputs) this.poisoned.add(index);
  }

  private importKnown(operator: TfliteOperator, run: Importer | undefined, fold: Importer | undefined): void {
    if (operator.operator === 'WHILE') {
      this.loops.run(operator);
      return;
    }
    const operands = operator.inputs.map((index) => (this.isLeftOut(index) ? undefined : this.value(index, operator)));
    const results = operator.outputs.map((index) => this.tensor(index));
    const isConstant = operands.every((operand) => operand === undefined || operand.kind === 'constant');
    const chosen = isConstant && fold !== undefined ? fold : run;
    if (chosen === undefined) throw new UnsupportedForm('of activations');
    const values = chosen(
      new NodeContext(operator, this.builder, operands, results, this.resultName(operator), this.states),
    );
    operator.outputs.forEach((index, position) => {
      const value = values[position];
      if (value === undefined) {
        this.poisonUnlessRead(index, position);
        return;
      }
      if (this.values.has(index)) {
        malformed('SW2103', operator.loc, `tensor '${this.tensor(index).name}' is made twice`);
      }
      this.checkResult(operator, index, value);
      this.values.set(index, value);
    });
  }

  /** Optional operands, and variable tensors, which their operator asks for by itself. */
  private isLeftOut(index: number): boolean {
    return index < 0 || (this.tensor(index).isVariable && !this.values.has(index));
  }

  private poisonUnlessRead(index: number, position: number): void {
    const { outputs, operators } = this.graph;
    const isRead = outputs.includes(index) || operators.some(({ inputs }) => inputs.includes(index));
    if (isRead) throw new UnsupportedForm(`its result ${position}`);
    this.poisoned.add(index);
  }

  /** What the file declares must be what the operator makes; a file without shapes (rank 0) declares nothing. */
  private checkResult(operator: TfliteOperator, index: number, value: Value): void {
    const declared = this.tensor(index);
    const shape = shapeOf(value, this.builder);
    const count = elementCountOf(shape);
    if (count === 0) malformed('SW2107', operator.loc, `the result '${declared.name}' is empty`);
    if (count > MAX_ELEMENTS) malformed('SW2110', operator.loc, `the result '${declared.name}' has ${count} elements`);
    checkType(declared, value, this.builder);
    // Other inputs than the file's make other results, and so do the turns of a loop.
    if (
      this.shapes.size > 0 ||
      this.loops.isRunning ||
      declared.shape.length === 0 ||
      elementCountOf(declared.shape) === count
    )
      return;
    const message = `'${declared.name}' is [${declared.shape.join(', ')}] in the file, and ${operator.operator} makes [${shape.join(', ')}]`;
    malformed('SW2107', operator.loc, message);
  }

  exportOutputs(): void {
    const seen = new Set<number>();
    const named = new Set(this.builder.inputs);
    for (const index of this.graph.outputs) {
      if (this.poisoned.has(index) || seen.has(index)) continue;
      seen.add(index);
      const tensor = this.tensor(index);
      const value = this.values.get(index);
      const loc = { file: this.model.file, node: tensor.name };
      if (value === undefined) malformed('SW2103', loc, `output '${tensor.name}' is never made`);
      if (value.kind === 'constant') {
        const message = `output '${tensor.name}' does not depend on the inputs`;
        this.problems.add({ code: 'SW2108', blame: 'unsupported', message, loc });
        continue;
      }
      if (value.block !== undefined) {
        this.problems.addUnsupported('SPACE_TO_BATCH_ND', `output '${tensor.name}'`, 'at the end of the model');
        continue;
      }
      if (value.isComplex === true) {
        this.problems.addUnsupported('RFFT2D', `output '${tensor.name}'`, 'complex numbers at the end of the model');
        continue;
      }
      // The order of axes that the outside sees may differ from the stored one, and then nothing is moved.
      const order = value.perm === undefined ? {} : { outsideAxes: value.perm };
      this.builder.addOutput(value.id, named.has(value.id) ? order : { ...order, name: tensor.name });
      named.add(value.id);
    }
    this.states.exportAll();
  }

  private value(index: number, operator: TfliteOperator): Value {
    const known = this.values.get(index);
    if (known !== undefined) return known;
    const tensor = this.tensor(index);
    // A constant of no elements, the shape of a scalar for one, has no data in the file.
    const bytes = tensor.bytes ?? (elementCountOf(tensor.shape) === 0 ? new Uint8Array() : undefined);
    if (bytes === undefined) {
      return malformed('SW2103', operator.loc, `reads '${tensor.name}', which no earlier operator makes`);
    }
    const constant = constantOf(tensor, bytes, operator.loc);
    const value: Value = { kind: 'constant', constant };
    this.values.set(index, value);
    return value;
  }

  /** Converters join the names of all that went into an operator; the first is enough, except where the outside sees it. */
  private resultName(operator: TfliteOperator): string {
    const [index] = operator.outputs;
    const name = index === undefined ? operator.operator : this.tensor(index).name;
    return index !== undefined && this.graph.outputs.includes(index) ? name : name.split(';')[0] || name;
  }

  private tensor(index: number): TfliteGraph['tensors'][number] {
    const tensor = this.tensors[index];
    if (tensor === undefined) throw new Error(`the graph has no tensor ${index}`);
    return tensor;
  }

  /** Turns what an import throws into problems, so that the rest of the graph is looked at as well. */
  private guarded(operator: TfliteOperator, run: () => void): boolean {
    const refuse = (reason: string): boolean => {
      this.problems.addUnsupported(operator.operator, `operator ${operator.index}`, reason);
      return false;
    };
    try {
      run();
      return true;
    } catch (error) {
      if (error instanceof UnsupportedForm) return refuse(error.message);
      if (!(error instanceof SpillwayError)) throw error;
      for (const diagnostic of error.diagnostics) {
        if (diagnostic.code === 'SW2105') refuse(diagnostic.message);
        else this.problems.add(diagnostic);
      }
      return false;
    }
  }
}
