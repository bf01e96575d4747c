/** What the import of one operator sees: its operands, its options, the results that the file declares, and the builder. */
import type { SourceLoc } from '../../base/diagnostic.js';
import type { OpSpec, ProgramBuilder, ResultSpec } from '../../ir/builder.js';
import { isQuantized, storedRange } from '../../ir/facts.js';
import type { DType, Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../onnx/problems.js';
import type { Constant } from './constant.js';
import { integersOf } from './constant.js';
import type { FlatTable } from './flat-table.js';
import type { TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';
import { type FusedActivation, fusedActivation, type TensorType } from './schema.js';

export type Value =
  | { readonly kind: 'activation'; readonly id: TensorId }
  | { readonly kind: 'constant'; readonly constant: Constant };

export const activation = (id: TensorId): Value => ({ kind: 'activation', id });

/** One operator in. Results by position; fewer than the operator has leave the others undefined. */
export type Importer = (node: NodeContext) => readonly Value[];

type Distribute<T> = T extends unknown ? Omit<T, 'name' | 'loc'> : never;

export class NodeContext {
  readonly operator: string;
  readonly loc: SourceLoc;

  constructor(
    readonly node: TfliteOperator,
    readonly builder: ProgramBuilder,
    readonly operands: readonly (Value | undefined)[],
    /** As the file declares them. */
    readonly results: readonly TfliteTensor[],
    /** Of the first result as people should see it. */
    readonly resultName: string,
  ) {
    this.operator = node.operator;
    this.loc = node.loc;
  }

  /** The operand as a tensor of the program; a constant becomes one, with its shape. */
  input(position: number): Tensor {
    const value = this.operand(position);
    return this.builder.tensor(value.kind === 'activation' ? value.id : this.embed(value.constant));
  }

  operand(position: number): Value {
    const value = this.operands[position];
    if (value !== undefined) return value;
    return malformed('SW2103', this.loc, `${this.operator} has no operand ${position}`);
  }

  has(position: number): boolean {
    return this.operands[position] !== undefined;
  }

  /** Shape of an operand of either kind. */
  shape(position: number): readonly number[] {
    const value = this.operand(position);
    return value.kind === 'activation' ? this.builder.tensor(value.id).shape : value.constant.shape;
  }

  /** An operand that has to be known now. */
  constant(position: number, what: string): Constant {
    const value = this.operand(position);
    return value.kind === 'constant' ? value.constant : unsupported(`${what} that are computed`);
  }

  integers(position: number, what: string): number[] {
    return integersOf(this.constant(position, what));
  }

  /** @throws SpillwayError SW2107 if the operator has no options, as all with options have that this is asked for */
  get options(): FlatTable {
    return this.node.options ?? malformed('SW2107', this.loc, `${this.operator} has no options`);
  }

  activationOption(field: number): FusedActivation {
    const code = this.node.options?.int8(field) ?? 0;
    return fusedActivation(code) ?? unsupported(`the fused activation ${code}`);
  }

  /** The first result, as the file declares it. */
  get result(): TfliteTensor {
    return this.results[0] ?? malformed('SW2103', this.loc, `${this.operator} has no result`);
  }

  resultQuant(position = 0): Quantization {
    const result = this.results[position] ?? this.result;
    return activationQuant(result, this.loc) ?? malformed('SW2109', this.loc, `'${result.name}' has no quantisation`);
  }

  emit(spec: Distribute<OpSpec>, result: ResultSpec = {}): TensorId {
    const name = result.name ?? this.resultName;
    return this.builder.addOp({ ...spec, name, loc: this.loc } as OpSpec, { ...result, name });
  }

  /** The same elements under another shape: a view that costs nothing. */
  reshape(id: TensorId, shape: readonly number[]): TensorId {
    const from = this.builder.tensor(id);
    if (from.shape.join() === shape.join()) return id;
    return this.emit({ kind: 'reshape', inputs: [id] }, { shape, name: `${from.name}:view` });
  }

  private embed(constant: Constant): TensorId {
    const data = constant.elements();
    if (data instanceof Float64Array)
      return unsupported(`the ${constant.type} constant '${constant.name}' as an operand`);
    const [scale] = constant.quantization?.scales ?? [];
    const quant =
      scale === undefined ? {} : { quant: { scales: [scale], zeroPoint: constant.quantization?.zeroPoints[0] ?? 0 } };
    return this.builder.addConstant({ name: constant.name, shape: constant.shape, data, ...quant, loc: this.loc });
  }
}

/** Types that activations can have, by their name in the file. */
export function activationType(type: TensorType): DType | undefined {
  return type === 'float32' || type === 'int8' || type === 'uint8' || type === 'int16' ? type : undefined;
}

/** One scale and zero point; undefined where the file gives none. @throws SpillwayError SW2109 if they are unusable */
export function activationQuant(tensor: TfliteTensor, loc: SourceLoc): Quantization | undefined {
  const { quantization, name, type } = tensor;
  const dtype = activationType(type);
  if (quantization === undefined || dtype === undefined || !isQuantized(dtype)) return undefined;
  const { lo, hi } = storedRange(dtype);
  const [scale = 0] = quantization.scales;
  const [zeroPoint = 0] = quantization.zeroPoints;
  if (quantization.scales.length !== 1 || !(scale > 0)) {
    malformed('SW2109', loc, `activation '${name}' has the scales ${quantization.scales.join(', ')}`);
  }
  if (!(zeroPoint >= lo && zeroPoint <= hi)) {
    malformed('SW2109', loc, `activation '${name}' has the zero point ${zeroPoint}, which is no ${type}`);
  }
  return { scales: [scale], zeroPoint };
}
