/** An edit of a Program in progress: passes change it here and take the new Program out at the end. */
import type { SourceLoc } from '../src/base/diagnostic.js';
import type { OmitEach } from '../src/ir/facts.js';
import { operandsOf } from '../src/ir/facts.js';
import type { ConstantData, CopyOp, EpilogueStage, Op, OpId, Program, Tensor, TensorId } from '../src/ir/types.js';

/** How many times each tensor is read: by ops, once per operand position, and once per place among the outputs. */
export function countUses(program: Pick<Program, 'ops' | 'outputs'>): Map<TensorId, number> {
  const uses = new Map<TensorId, number>();
  const count = (id: TensorId): void => {
    uses.set(id, (uses.get(id) ?? 0) + 1);
  };
  for (const op of program.ops) for (const id of operandsOf(op)) count(id);
  for (const id of program.outputs) count(id);
  return uses;
}

/** The op that makes each tensor; inputs, constants and roots written by slices have none. */
export function producersOf(program: Pick<Program, 'ops'>): Map<TensorId, Op> {
  return new Map(program.ops.map((op) => [op.output, op]));
}

/** The op with its operands renamed. */
export function withOperands(op: Op, rename: (id: TensorId) => TensorId): Op {
  if (operandsOf(op).every((id) => rename(id) === id)) return op;
  return { ...op, inputs: op.inputs.map(rename), epilogue: op.epilogue.map((stage) => renameStage(stage, rename)) };
}

function renameStage(stage: EpilogueStage, rename: (id: TensorId) => TensorId): EpilogueStage {
  if (stage.kind === 'add') return { ...stage, operand: rename(stage.operand) };
  if (stage.kind === 'lut') return { ...stage, table: rename(stage.table) };
  return stage;
}

/** Ids that the program does not use yet, in ascending order. */
export class FreshIds {
  private tensor = 0;
  private op = 0;

  constructor(program: Program) {
    for (const id of program.tensors.keys()) this.tensor = Math.max(this.tensor, id + 1);
    for (const { id } of program.ops) this.op = Math.max(this.op, id + 1);
  }

  tensorId(): TensorId {
    return this.tensor++ as TensorId;
  }

  opId(): OpId {
    return this.op++ as OpId;
  }
}

/** The parts of a Program that a pass edits, as copies of their own. */
export interface Draft {
  readonly program: Program;
  readonly tensors: Map<TensorId, Tensor>;
  readonly constants: Map<TensorId, ConstantData>;
  readonly fresh: FreshIds;
}

export function draftOf(program: Program): Draft {
  return {
    program,
    tensors: new Map(program.tensors),
    constants: new Map(program.constants),
    fresh: new FreshIds(program),
  };
}

/** A tensor like this one with a new id, filed in the draft; nothing of the model's outside remains on it. */
export function addTensorLike(draft: Draft, tensor: Tensor, change: Partial<OmitEach<Tensor, 'id'>>): Tensor {
  const { outsideAxes: _axes, outsideShape: _shape, storage: _storage, ...plain } = tensor;
  const made: Tensor = { ...plain, ...change, id: draft.fresh.tensorId() };
  draft.tensors.set(made.id, made);
  return made;
}

/** A copy of `from` into `to`, at the place in the model that asks for it. */
export function copyOp(draft: Draft, from: Tensor, to: TensorId, loc: SourceLoc): CopyOp {
  const id = draft.fresh.opId();
  return { id, kind: 'copy', name: `${from.name}.copy`, inputs: [from.id], output: to, epilogue: [], loc };
}

/** The program with these ops; tensors and constants that nothing mentions any more are dropped. */
export function finish(draft: Draft, ops: readonly Op[], outputs = draft.program.outputs): Program {
  const { program } = draft;
  const mentioned = new Set<TensorId>([...program.inputs, ...outputs]);
  for (const op of ops) {
    for (const id of operandsOf(op)) mentioned.add(id);
    mentioned.add(op.output);
  }
  for (const id of [...mentioned]) {
    const root = draft.tensors.get(id)?.storage?.root;
    if (root !== undefined) mentioned.add(root);
  }
  const kept = <T>(all: ReadonlyMap<TensorId, T>): Map<TensorId, T> =>
    new Map([...all].filter(([id]) => mentioned.has(id)));
  return { ...program, ops, outputs, tensors: kept(draft.tensors), constants: kept(draft.constants) };
}
