import type { SourceLoc } from '../../base/diagnostic.js';
import { type OpSpec, ProgramBuilder } from '../../ir/builder.js';
import { elementCountOf, type OmitEach } from '../../ir/facts.js';
import { formatShape, inferResult } from '../../ir/shape.js';
import type { Op, Program, TensorId } from '../../ir/types.js';
import type { NativeCall } from './native.js';
import type { TensorValue } from './values.js';
import { seededFloat32, seededInt8, seededWeightQuant } from './weights.js';

/** Limits of a graph, far above any network and far below what would exhaust the host. */
const LIMITS = {
  tensors: 20_000,
  /** Of one activation tensor. */
  tensorElements: 2 ** 30,
  /** Of all weights together. */
  weightElements: 2 ** 30,
} as const;

/** Biases are small beside activations, which the weights' scales keep near 1. */
const BIAS_LIMIT = 0.05;

/** What a convolution or a matrix product multiplies with; made when the graph is known to be sound. */
export interface WeightSpec {
  /** [M, KH, KW, C / groups] or [M, K] */
  readonly shape: readonly number[];
  readonly gain: number; // see seededWeightQuant
  readonly bias: boolean;
}

/** An op without what the recording adds. */
export type RecordedSpec = OmitEach<Op, 'id' | 'output' | 'inputs' | 'name' | 'loc' | 'epilogue' | 'anchorZeroPoint'>;

interface RecordedOp {
  readonly spec: RecordedSpec;
  readonly name: string;
  readonly loc: SourceLoc;
  readonly inputs: readonly TensorValue[];
  readonly weights: WeightSpec | undefined;
  readonly output: TensorValue;
}

interface RecordedInput {
  readonly tensor: TensorValue;
  readonly loc: SourceLoc;
}

export interface RecordRequest {
  readonly call: NativeCall;
  readonly spec: RecordedSpec;
  /** Prefix of the default name. */
  readonly kindName: string;
  readonly name: string | undefined;
  readonly inputs: readonly TensorValue[];
  readonly weights?: WeightSpec;
  /** reshape and slice: the result's shape. */
  readonly shape?: readonly number[];
}

/**
 * The ops of a model in the order of their builder calls. Shapes are inferred at each call, so that a mismatch is
 * reported at its line; weights are made at the end, and only for what an output depends on.
 */
export class Recording {
  private readonly ops: RecordedOp[] = [];
  private readonly inputs: RecordedInput[] = [];
  private readonly inputIndices = new Set<number>();
  private readonly names = new Map<string, SourceLoc>();
  private readonly numbers = new Map<string, number>();
  private tensorCount = 0;
  private weightElements = 0;

  addInput(call: NativeCall, name: string | undefined, shape: readonly number[]): TensorValue {
    const tensor = this.newTensor(call, this.claimName(call, name, 'input'), shape);
    this.inputs.push({ tensor, loc: call.site });
    this.inputIndices.add(tensor.index);
    return tensor;
  }

  /** @throws SpillwayError at the call: SW1011 when shapes do not go together, SW1006 over a limit */
  addOp(request: RecordRequest): TensorValue {
    const { call, spec, inputs, weights } = request;
    call.machine.charge(inputs.length, call.site);
    const name = this.claimName(call, request.name, request.kindName);
    if (weights !== undefined) this.chargeWeights(call, name, weights);
    const operands = [
      ...inputs.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const })),
      ...(weights === undefined ? [] : weightOperands(name, weights)),
    ];
    const inferred = inferResult({ ...spec, inputs: [], epilogue: [] }, operands, request.shape);
    if (!inferred.ok) return call.machine.fail('SW1011', `${call.name}: ${inferred.problems.join('; ')}`, call.site);
    const output = this.newTensor(call, name, inferred.shape);
    this.ops.push({ spec, name, loc: call.site, inputs, weights, output });
    return output;
  }

  /**
   * The float program: what the outputs depend on, in the order it was built.
   *
   * @param outputs with the name of the tensor, or undefined to keep the op's
   * @returns the program, and the inputs that no output depends on
   */
  finish(
    name: string,
    source: string,
    outputs: readonly { readonly tensor: TensorValue; readonly name: string | undefined }[],
  ): { readonly program: Program; readonly unusedInputs: readonly RecordedInput[] } {
    const live = this.liveTensors(outputs.map((output) => output.tensor));
    const builder = new ProgramBuilder(name, source);
    const ids = new Map<number, TensorId>();
    for (const { tensor, loc } of this.inputs) {
      ids.set(tensor.index, builder.addInput({ name: tensor.name, dtype: 'float32', shape: tensor.shape, loc }));
    }
    const outputNames = new Map(outputs.map((output) => [output.tensor.index, output.name]));
    for (const op of this.ops) {
      if (!live.has(op.output.index)) continue;
      const inputs = op.inputs.map((tensor) => idOf(ids, tensor));
      if (op.weights !== undefined) inputs.push(...addWeights(builder, `${name}/${op.name}`, op, op.weights));
      const spec: OpSpec = { ...op.spec, name: op.name, loc: op.loc, inputs };
      const result = { name: outputNames.get(op.output.index) ?? op.name, shape: op.output.shape };
      ids.set(op.output.index, builder.addOp(spec, result));
    }
    for (const { tensor } of outputs) builder.addOutput(idOf(ids, tensor));
    return { program: builder.build(), unusedInputs: this.inputs.filter(({ tensor }) => !live.has(tensor.index)) };
  }

  isInput(tensor: TensorValue): boolean {
    return this.inputIndices.has(tensor.index);
  }

  private liveTensors(outputs: readonly TensorValue[]): Set<number> {
    const live = new Set(outputs.map((tensor) => tensor.index));
    for (const op of this.ops.toReversed()) {
      if (live.has(op.output.index)) for (const input of op.inputs) live.add(input.index);
    }
    return live;
  }

  private newTensor(call: NativeCall, name: string, shape: readonly number[]): TensorValue {
    const elements = elementCountOf(shape);
    if (elements > LIMITS.tensorElements) {
      const limit = `over the limit of ${LIMITS.tensorElements}`;
      call.machine.fail('SW1006', `${name} ${formatShape(shape)} has ${elements} elements, ${limit}`, call.site);
    }
    if (this.tensorCount >= LIMITS.tensors) {
      call.machine.fail('SW1006', `the model has more than ${LIMITS.tensors} layers`, call.site);
    }
    call.machine.charge(Math.max(...shape) >> 4, call.site); // shape inference looks at each row and column of a pool
    const tensor: TensorValue = { kind: 'tensor', index: this.tensorCount, name, shape };
    this.tensorCount += 1;
    return tensor;
  }

  private chargeWeights(call: NativeCall, name: string, weights: WeightSpec): void {
    this.weightElements += elementCountOf(weights.shape);
    if (this.weightElements <= LIMITS.weightElements) return;
    const limit = `over the limit of ${LIMITS.weightElements}`;
    call.machine.fail(
      'SW1006',
      `with ${name} ${formatShape(weights.shape)} the weights are ${limit} elements`,
      call.site,
    );
  }

  private claimName(call: NativeCall, wanted: string | undefined, kindName: string): string {
    if (wanted === undefined) return this.numberedName(call, kindName);
    const taken = this.names.get(wanted);
    if (taken !== undefined) {
      const place = taken.line === undefined ? '' : ` by the call at line ${taken.line}`;
      const hint = 'names are unique: let a helper take a prefix and put it before its names';
      call.machine.fail('SW1010', `the name '${wanted}' is taken${place}`, call.site, hint);
    }
    this.names.set(wanted, call.site);
    return wanted;
  }

  private numberedName(call: NativeCall, kindName: string): string {
    const prefix = /\d$/.test(kindName) ? `${kindName}_` : kindName; // relu6_1, not relu61
    let number = this.numbers.get(kindName) ?? 0;
    do number += 1;
    while (this.names.has(`${prefix}${number}`));
    this.numbers.set(kindName, number);
    this.names.set(`${prefix}${number}`, call.site);
    return `${prefix}${number}`;
  }
}

function idOf(ids: ReadonlyMap<number, TensorId>, tensor: TensorValue): TensorId {
  const id = ids.get(tensor.index);
  if (id === undefined) throw new Error(`the tensor '${tensor.name}' was not recorded`);
  return id;
}

function weightOperands(name: string, weights: WeightSpec) {
  const [outputChannels = 0] = weights.shape;
  return [
    { name: `${name}.weights`, shape: weights.shape, dtype: 'float32' as const },
    { name: `${name}.bias`, shape: [outputChannels], dtype: 'float32' as const },
  ];
}

function addWeights(builder: ProgramBuilder, seed: string, op: RecordedOp, weights: WeightSpec): TensorId[] {
  const [outputChannels = 0, ...inner] = weights.shape;
  const fanIn = elementCountOf(inner);
  const bias = seededFloat32(`${seed}/bias`, outputChannels, weights.bias ? BIAS_LIMIT : 0);
  return [
    builder.addConstant({
      name: `${op.name}.weights`,
      shape: weights.shape,
      data: seededInt8(`${seed}/weights`, outputChannels * fanIn),
      quant: seededWeightQuant(`${seed}/scales`, outputChannels, fanIn, weights.gain),
      loc: op.loc,
    }),
    builder.addConstant({ name: `${op.name}.bias`, shape: [outputChannels], data: bias, loc: op.loc }),
  ];
}
