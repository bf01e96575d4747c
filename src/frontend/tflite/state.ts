/** Variable tensors: what operators carry from frame to frame. Each becomes an input and an output that belong together. */
import type { ProgramBuilder } from '../../ir/builder.js';
import { isQuantized } from '../../ir/facts.js';
import type { DType, Quantization, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { activationQuant, activationType } from './activation-type.js';
import type { TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';

interface State {
  readonly tensor: TfliteTensor;
  readonly input: TensorId;
  next: TensorId | undefined;
}

export class StateKeeper {
  private readonly states = new Map<number, State>();

  constructor(
    private readonly builder: ProgramBuilder,
    private readonly tensors: readonly TfliteTensor[],
  ) {}

  /**
   * What the operator finds in its variable operand.
   *
   * @param shape in which the program keeps it
   * @param dtype the file's where absent
   * @param given its quantisation; the file's where absent
   */
  read(
    operator: TfliteOperator,
    position: number,
    shape: readonly number[],
    dtype?: DType,
    given?: Quantization,
  ): TensorId {
    const index = operator.inputs[position] ?? -1;
    const tensor = this.tensors[index];
    if (tensor === undefined || !tensor.isVariable) {
      return malformed('SW2103', operator.loc, `operand ${position} is no variable tensor`);
    }
    if (this.states.has(index)) return unsupported('a variable tensor of two operators');
    const own = dtype ?? activationType(tensor.type) ?? unsupported(`a state of ${tensor.type}`);
    const quant = isQuantized(own) ? (given ?? activationQuant(tensor, operator.loc)) : undefined;
    const { name } = tensor;
    const input = this.builder.addInput({
      name,
      dtype: own,
      shape,
      loc: operator.loc,
      ...(quant === undefined ? {} : { quant }),
    });
    this.states.set(index, { tensor, input, next: undefined });
    return input;
  }

  /** The file's tensor with this index. */
  tensor(index: number): TfliteTensor | undefined {
    return this.tensors[index];
  }

  keep(operator: TfliteOperator, position: number, next: TensorId): void {
    const state = this.states.get(operator.inputs[position] ?? -1);
    if (state === undefined) throw new Error(`operand ${position} was never read as a state`);
    state.next = next;
  }

  /** After the model's own outputs. */
  exportAll(): void {
    for (const { tensor, input, next } of this.states.values()) {
      if (next === undefined) continue; // its operator was refused
      this.builder.addOutput(next, { name: `${tensor.name}:next` });
      this.builder.addState(input, next);
    }
  }
}
