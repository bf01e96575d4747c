/**
 * The reference: executes a program op by op, exactly as docs/numerics.md says, on whole tensors. It knows nothing of
 * tiles, blocks or addresses and shares no code with the passes or the simulator, whose results are held against its own.
 */
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { elementCount, operandsOf, rootOf, tensorOf } from '../ir/facts.js';
import { dtypeOfData } from '../ir/shape.js';
import type { Program, Tensor, TensorId } from '../ir/types.js';
import { Memory } from './memory.js';
import type { Elements } from './movement.js';
import { runOp } from './run-op.js';

export interface InterpretOptions {
  /** Called with the result of every op, in order. The array must not be changed or kept. */
  readonly onTensor?: (tensor: Tensor, data: Elements) => void;
  /** Tensors that are returned besides the outputs. */
  readonly keep?: ReadonlySet<TensorId>;
}

/**
 * @param inputs the elements of every model input, in storage order
 * @returns the elements of every model output and of every tensor in `keep`, in storage order
 * @throws SpillwayError SW5201 if an input is missing, has the wrong length or the wrong type
 */
export function interpret(
  program: Program,
  inputs: ReadonlyMap<TensorId, Elements>,
  options: InterpretOptions = {},
): Map<TensorId, Elements> {
  checkInputs(program, inputs);
  const memory = new Memory(program);
  const wanted = new Set([...program.outputs, ...(options.keep ?? [])]);
  const deaths = deathsByStep(program, wanted);
  for (const id of program.inputs) {
    const data = inputs.get(id);
    if (data !== undefined) memory.write(id, data);
  }
  for (const [step, op] of program.ops.entries()) {
    const result = runOp(op, { program, read: (id) => memory.read(id) });
    memory.write(op.output, result);
    options.onTensor?.(tensorOf(program, op.output), result);
    for (const root of deaths.get(step) ?? []) memory.free(root);
  }
  const results = new Map<TensorId, Elements>();
  for (const id of wanted) results.set(id, memory.read(id));
  return results;
}

/** By step: the roots that are not read after it. */
function deathsByStep(program: Program, wanted: ReadonlySet<TensorId>): Map<number, TensorId[]> {
  const lastSteps = new Map<TensorId, number>();
  const root = (id: TensorId): TensorId => rootOf(tensorOf(program, id));
  for (const [step, op] of program.ops.entries()) {
    for (const id of [...operandsOf(op), op.output]) lastSteps.set(root(id), step);
  }
  for (const id of wanted) lastSteps.delete(root(id));
  const deaths = new Map<number, TensorId[]>();
  for (const [id, step] of lastSteps) deaths.set(step, [...(deaths.get(step) ?? []), id]);
  return deaths;
}

function checkInputs(program: Program, inputs: ReadonlyMap<TensorId, Elements>): void {
  const problems: Diagnostic[] = [];
  for (const id of program.inputs) {
    const tensor = tensorOf(program, id);
    const data = inputs.get(id);
    const expected = `${elementCount(tensor)} ${tensor.dtype} elements for input '${tensor.name}'`;
    const given = data === undefined ? 'none' : `${data.length} of ${data.constructor.name}`;
    if (data !== undefined && dtypeOfData(data) === tensor.dtype && data.length === elementCount(tensor)) continue;
    problems.push({
      code: 'SW5201',
      blame: 'input',
      message: `expected ${expected}, got ${given}`,
      loc: tensor.loc,
    });
  }
  if (problems.length > 0) throw new SpillwayError(problems);
}
