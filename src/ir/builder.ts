/** Makes a Program op by op. Used by the front ends and by tests; passes edit programs instead (passes/rewrite.ts). */
import type { Diagnostic, SourceLoc } from '../base/diagnostic.js';
import { SpillwayError } from '../base/diagnostic.js';
import type { OmitEach } from './facts.js';
import { elementCountOf, isQuantized, keepsQuantization, storedRange } from './facts.js';
import { dtypeOfData, formatShape, inferResult } from './shape.js';
import type {
  ConstantData,
  DType,
  EpilogueStage,
  Op,
  OpId,
  Program,
  Quantization,
  StateLink,
  Tensor,
  TensorId,
} from './types.js';

export interface InputSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly quant?: Quantization;
  readonly outsideAxes?: readonly number[];
  readonly outsideShape?: readonly number[];
  readonly loc?: SourceLoc;
}

export interface ConstantSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: ConstantData; // its type gives the dtype
  readonly quant?: Quantization;
  readonly loc?: SourceLoc;
}

/** An op as the caller states it; id and output come from the builder. */
export type OpSpec = OmitEach<Op, 'id' | 'output' | 'loc' | 'epilogue'> & {
  readonly loc?: SourceLoc;
  readonly epilogue?: readonly EpilogueStage[];
};

/** What inference cannot know about the result. */
export interface ResultSpec {
  readonly name?: string; // default: the op's name
  readonly shape?: readonly number[]; // slice and reshape need it; for other kinds it is checked
  readonly quant?: Quantization; // default: the input's where the kind keeps it
}

export interface BuilderOptions {
  /** How a wrong shape is reported; default a bug of ours. */
  readonly fault?: Pick<Diagnostic, 'code' | 'blame'>;
}

/** From 0 to 1 in 256 steps. */
const softmaxQuant = (dtype: DType): Quantization | undefined =>
  isQuantized(dtype) ? { scales: [1 / 256], zeroPoint: storedRange(dtype).lo } : undefined;

export class ProgramBuilder {
  private readonly tensors = new Map<TensorId, Tensor>();
  private readonly constants = new Map<TensorId, ConstantData>();
  private readonly ops: Op[] = [];
  readonly inputs: TensorId[] = [];
  private readonly outputs: TensorId[] = [];
  private readonly states: StateLink[] = [];
  private readonly fault: Pick<Diagnostic, 'code' | 'blame'>;

  /**
   * @param name the program's name, for people
   * @param source the file as the user named it; the place of everything that has no better one
   */
  constructor(
    private readonly name: string,
    private readonly source: string,
    options: BuilderOptions = {},
  ) {
    this.fault = options.fault ?? { code: 'SW9010', blame: 'bug' };
  }

  /** The tensor as it stands. @throws Error if the id is not from this builder */
  tensor(id: TensorId): Tensor {
    const tensor = this.tensors.get(id);
    if (tensor === undefined) throw new Error(`%${id} is not a tensor of this builder`);
    return tensor;
  }

  addInput(spec: InputSpec): TensorId {
    const id = this.addTensor(spec);
    this.inputs.push(id);
    return id;
  }

  /** @throws SpillwayError if the number of elements is not the shape's */
  addConstant(spec: ConstantSpec): TensorId {
    const { data, ...rest } = spec;
    if (data.length !== elementCountOf(spec.shape)) {
      const message = `constant '${spec.name}' ${formatShape(spec.shape)} has ${data.length} elements`;
      this.refuse([message], spec.loc);
    }
    const id = this.addTensor({ ...rest, dtype: dtypeOfData(data) });
    this.constants.set(id, data);
    return id;
  }

  /**
   * Appends an op and the tensor it makes. The shape is inferred; for quantised types the quantisation is the input's for kinds that
   * keep it, fixed for softmax, and `result.quant` for the others.
   *
   * @throws SpillwayError (the builder's fault) if operands do not go together
   */
  addOp(spec: OpSpec, result: ResultSpec = {}): TensorId {
    const inputs = spec.inputs.map((id) => this.tensor(id));
    const inferred = inferResult({ ...spec, epilogue: [] }, inputs, result.shape);
    if (!inferred.ok) return this.refuse(inferred.problems, spec.loc, spec.name);
    const declared = result.shape;
    if (declared !== undefined && declared.join() !== inferred.shape.join()) {
      const message = `result is ${formatShape(inferred.shape)}, not ${formatShape(declared)}`;
      return this.refuse([message], spec.loc, spec.name);
    }
    const inherited = keepsQuantization(spec.kind) ? inputs[0]?.quant : undefined;
    const fixed = spec.kind === 'softmax' ? softmaxQuant(inferred.dtype) : inherited;
    const quant = result.quant ?? fixed;
    const output = this.addTensor({
      name: result.name ?? spec.name,
      dtype: inferred.dtype,
      shape: inferred.shape,
      ...(quant === undefined ? {} : { quant }),
      ...(spec.loc === undefined ? {} : { loc: spec.loc }),
    });
    const id = this.ops.length as OpId;
    const loc = spec.loc ?? { file: this.source };
    this.ops.push({ ...spec, id, output, loc, epilogue: spec.epilogue ?? [] });
    return output;
  }

  /** Declares a model output; `outside` says how the caller of the model sees and calls it. */
  addOutput(id: TensorId, outside: Partial<Pick<Tensor, 'name' | 'outsideAxes' | 'outsideShape'>> = {}): void {
    this.tensors.set(id, { ...this.tensor(id), ...outside });
    this.outputs.push(id);
  }

  /** The input carries the output from frame to frame. @throws Error if they are no input and output of this builder */
  addState(input: TensorId, output: TensorId): void {
    const link = { input: this.inputs.indexOf(input), output: this.outputs.lastIndexOf(output) };
    if (link.input < 0 || link.output < 0) throw new Error(`%${input} from %${output} is no state`);
    this.states.push(link);
  }

  build(): Program {
    return {
      name: this.name,
      source: this.source,
      tensors: new Map(this.tensors),
      ops: [...this.ops],
      inputs: [...this.inputs],
      outputs: [...this.outputs],
      ...(this.states.length === 0 ? {} : { states: [...this.states] }),
      constants: new Map(this.constants),
    };
  }

  private addTensor(spec: InputSpec): TensorId {
    const id = this.tensors.size as TensorId;
    this.tensors.set(id, { ...spec, id, loc: spec.loc ?? { file: this.source } });
    return id;
  }

  private refuse(problems: readonly string[], loc: SourceLoc = { file: this.source }, what?: string): never {
    const prefix = what === undefined ? '' : `${what}: `;
    throw new SpillwayError(problems.map((problem) => ({ ...this.fault, message: prefix + problem, loc })));
  }
}
