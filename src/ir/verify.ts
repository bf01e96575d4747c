/**
 * Proves that a Program is one: every id defined, operands before their readers, shapes and dtypes as the operators have
 * them. Quantisation and epilogues are in verify-numbers.ts, storage slices in verify-storage.ts. What it finds is a bug of
 * ours, or a graph.ir that somebody changed.
 */
import type { Diagnostic, SourceLoc } from '../base/diagnostic.js';
import { elementCount, epilogueOperands, operandsOf } from './facts.js';
import { cyclesOf, dataflowGraph } from './graph.js';
import { dtypeOfData, formatShape, inferResult, sameShape } from './shape.js';
import type { Op, OpId, Program, Tensor, TensorId } from './types.js';
import { numberProblems } from './verify-numbers.js';
import { storageProblems } from './verify-storage.js';

/** Everything that is wrong with the program; empty when it is well formed. Codes SW9020 to SW9024, blame 'bug'. */
export function wellFormed(program: Program): Diagnostic[] {
  const ids = idProblems(program);
  if (ids.length > 0) return ids; // every later check follows ids
  return [
    ...shapeProblems(program),
    ...constantProblems(program),
    ...numberProblems(program),
    ...storageProblems(program),
  ];
}

type Report = (loc: SourceLoc, message: string) => void;

function reporter(code: Diagnostic['code']): { readonly found: Diagnostic[]; readonly report: Report } {
  const found: Diagnostic[] = [];
  return { found, report: (loc, message) => found.push({ code, blame: 'bug', message, loc }) };
}

/** Ids, and what is defined when. Whether slices are written before they are read is verify-storage's matter. */
function idProblems(program: Program): Diagnostic[] {
  const { found, report } = reporter('SW9020');
  const here = { file: program.source };
  const produced = new Set<TensorId>();
  const opIds = new Set<OpId>();
  for (const [id, tensor] of program.tensors) {
    if (tensor.id !== id) report(tensor.loc, `tensor %${tensor.id} is filed under %${id}`);
    const root = tensor.storage?.root;
    if (root !== undefined && !program.tensors.has(root))
      report(tensor.loc, `%${id} lies in %${root}, which is no tensor`);
  }
  const known = (id: TensorId, what: string, loc: SourceLoc): void => {
    if (!program.tensors.has(id)) report(loc, `${what} %${id} is no tensor of the program`);
  };
  for (const id of program.inputs) known(id, 'model input', here);
  for (const id of program.outputs) known(id, 'model output', here);
  for (const id of program.constants.keys()) known(id, 'constant', here);
  for (const id of program.inputs) if (program.constants.has(id)) report(here, `model input %${id} is a constant`);
  if (new Set(program.inputs).size !== program.inputs.length) report(here, 'a model input is listed twice');
  for (const op of program.ops) {
    if (opIds.has(op.id)) report(op.loc, `two ops are called @${op.id}`);
    opIds.add(op.id);
    for (const id of operandsOf(op)) known(id, `operand of @${op.id} ${op.name},`, op.loc);
    known(op.output, `result of @${op.id} ${op.name},`, op.loc);
    const fed = program.constants.has(op.output) || program.inputs.includes(op.output);
    if (produced.has(op.output) || fed)
      report(op.loc, `@${op.id} ${op.name} makes %${op.output}, which is made already`);
    produced.add(op.output);
  }
  return found.length > 0 ? found : orderProblems(program);
}

/** Tensors that are not slices of another one: every operand made by an earlier op, every output made at all. */
function orderProblems(program: Program): Diagnostic[] {
  const { found, report } = reporter('SW9020');
  const cycles = (): string => {
    const [first] = cyclesOf(dataflowGraph(program));
    return first === undefined ? '' : `; @${first.toReversed().join(', @')} depend on each other in a circle`;
  };
  const defined = new Set<TensorId>([...program.inputs, ...program.constants.keys()]);
  const isWritten = writtenRoots(program);
  const ready = (id: TensorId): boolean => {
    const root = program.tensors.get(id)?.storage?.root ?? id;
    return defined.has(id) || defined.has(root) || isWritten.has(root);
  };
  for (const op of program.ops) {
    for (const id of operandsOf(op)) {
      if (!ready(id)) report(op.loc, `@${op.id} ${op.name} reads %${id}, which no earlier op makes${cycles()}`);
    }
    defined.add(op.output);
  }
  for (const id of program.outputs) {
    if (!ready(id)) report({ file: program.source }, `model output %${id} is never made`);
  }
  return found;
}

/** Roots that are written slice by slice; verify-storage has the order of their writers and readers. */
function writtenRoots(program: Program): Set<TensorId> {
  const roots = new Set<TensorId>();
  for (const op of program.ops) {
    const root = program.tensors.get(op.output)?.storage?.root;
    if (root !== undefined) roots.add(root);
  }
  return roots;
}

function tensorsOf(program: Program, ids: readonly TensorId[]): Tensor[] {
  return ids.flatMap((id) => program.tensors.get(id) ?? []);
}

/** Operands that have to be constants, by position. */
function constantPositions(op: Op): readonly number[] {
  switch (op.kind) {
    case 'conv2d':
    case 'dense':
      return [1, 2, 3];
    case 'lut':
    case 'softmax':
    case 'lrn':
      return [1];
    default:
      return [];
  }
}

function shapeProblems(program: Program): Diagnostic[] {
  const { found, report } = reporter('SW9021');
  for (const tensor of program.tensors.values()) {
    const whole = tensor.shape.every((extent) => Number.isInteger(extent) && extent >= 1);
    if (!whole) report(tensor.loc, `%${tensor.id} has the shape ${formatShape(tensor.shape)}`);
    const axes = tensor.outsideAxes;
    if (
      axes !== undefined &&
      !sameShape(
        [...axes].sort((a, b) => a - b),
        [...tensor.shape.keys()],
      )
    ) {
      report(tensor.loc, `%${tensor.id} has outside axes [${axes.join(', ')}] for ${formatShape(tensor.shape)}`);
    }
  }
  for (const { input, output } of program.states ?? []) {
    const [from, to] = [program.outputs[output], program.inputs[input]];
    const [made, kept] = tensorsOf(
      program,
      [from, to].filter((id) => id !== undefined),
    );
    const fits =
      made !== undefined && kept !== undefined && made.dtype === kept.dtype && sameShape(made.shape, kept.shape);
    if (!fits)
      report({ file: program.source }, `state ${input} from ${output} is no input and output of one type and shape`);
  }
  for (const op of program.ops) {
    const [result] = tensorsOf(program, [op.output]);
    if (result === undefined) continue;
    const where = `@${op.id} ${op.name}`;
    const inferred = inferResult(op, tensorsOf(program, op.inputs), result.shape);
    if (!inferred.ok) for (const problem of inferred.problems) report(op.loc, `${where}: ${problem}`);
    else if (!sameShape(inferred.shape, result.shape) || inferred.dtype !== result.dtype) {
      const made = `${inferred.dtype} ${formatShape(inferred.shape)}`;
      report(op.loc, `${where} makes ${made}, %${result.id} is ${result.dtype} ${formatShape(result.shape)}`);
    }
    for (const position of constantPositions(op)) {
      const id = op.inputs[position];
      if (id !== undefined && !program.constants.has(id)) report(op.loc, `${where}: operand %${id} must be a constant`);
    }
    for (const operand of tensorsOf(program, epilogueOperands(op.epilogue))) {
      const isTable = program.constants.has(operand.id) && sameShape(operand.shape, [256]);
      if (operand.dtype !== result.dtype || !(isTable || sameShape(operand.shape, result.shape))) {
        report(op.loc, `${where}: epilogue operand %${operand.id} is ${operand.dtype} ${formatShape(operand.shape)}`);
      }
    }
  }
  return found;
}

function constantProblems(program: Program): Diagnostic[] {
  const { found, report } = reporter('SW9021');
  for (const [id, data] of program.constants) {
    const tensor = program.tensors.get(id);
    if (tensor === undefined) continue;
    if (dtypeOfData(data) !== tensor.dtype) report(tensor.loc, `constant %${id} is ${tensor.dtype}, its data are not`);
    if (data.length !== 0 && data.length !== elementCount(tensor)) {
      report(tensor.loc, `constant %${id} ${formatShape(tensor.shape)} has ${data.length} elements`);
    }
    if (tensor.storage !== undefined) report(tensor.loc, `constant %${id} lies in another tensor`);
  }
  return found;
}
