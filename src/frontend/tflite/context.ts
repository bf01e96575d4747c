/** What the import of one operator sees: its operands, its options, the results that the file declares, and the builder. */
import type { SourceLoc } from '../../base/diagnostic.js';
import type { OpSpec, ProgramBuilder, ResultSpec } from '../../ir/builder.js';
import type { DType, Quantization, Tensor, TensorId } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { activationQuant } from './activation-type.js';
import type { Constant } from './constant.js';
import { integersOf } from './constant.js';
import type { FlatTable } from './flat-table.js';
import type { TfliteOperator, TfliteTensor } from './model.js';
import { isIdentity, permuted } from './permutation.js';
import { malformed } from './problems.js';
import { type FusedActivation, fusedActivation } from './schema.js';
import type { StateKeeper } from './state.js';

/**
 * What a tensor of the file is. An activation may be a transposition that nothing has needed yet: axis i of the file's tensor
 * is axis perm[i] of the program's. Converters put transpositions around many operators that do not care about order.
 */
export type Value =
  | {
      readonly kind: 'activation';
      readonly id: TensorId;
      readonly perm?: readonly number[];
      /** The file sees the image cut into blocks, one image for each place in a block; see batches-of-space.ts. */
      readonly block?: readonly [number, number];
      /** The last axis holds all real parts, then all imaginary ones; see complex.ts. */
      readonly isComplex?: true;
    }
  | { readonly kind: 'constant'; readonly constant: Constant };

export const activation = (id: TensorId): Extract<Value, { kind: 'activation' }> => ({ kind: 'activation', id });

/** One operator in. Results by position; an undefined one is refused if anything reads it. */
export type Importer = (node: NodeContext) => readonly (Value | undefined)[];

type Distribute<T> = T extends unknown ? Omit<T, 'name' | 'loc'> : never;

/** A tensor of the program and the order of axes in which the file sees it. */
export interface Ordered {
  readonly tensor: Tensor;
  readonly perm: readonly number[] | undefined;
}

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
    private readonly states: StateKeeper,
  ) {
    this.operator = node.operator;
    this.loc = node.loc;
  }

  /** The operand as a tensor of the program in the file's order of axes; a constant becomes one, with its shape. */
  input(position: number): Tensor {
    const { tensor, perm } = this.ordered(position);
    return perm === undefined ? tensor : this.builder.tensor(permuted(this, tensor, perm));
  }

  /** The same without moving anything: for operators that treat every element alone. */
  ordered(position: number): Ordered {
    const value = this.operand(position);
    if (value.kind === 'constant') return { tensor: this.builder.tensor(this.embed(value.constant)), perm: undefined };
    if (value.block !== undefined) return unsupported('of images in blocks');
    if (value.isComplex === true) return unsupported('of complex numbers');
    const perm = value.perm === undefined || isIdentity(value.perm) ? undefined : value.perm;
    return { tensor: this.builder.tensor(value.id), perm };
  }

  /** An operand of complex numbers. */
  complex(position: number): TensorId {
    const value = this.operand(position);
    return value.kind === 'activation' && value.isComplex === true ? value.id : unsupported('of real numbers');
  }

  /** The quantisation that the file declares for a number inside the operator; undefined where it has none. */
  intermediateQuant(position: number): Quantization | undefined {
    const tensor = this.states.tensor(this.node.intermediates[position] ?? -1);
    return tensor === undefined ? undefined : activationQuant(tensor, this.loc);
  }

  /** That of a variable operand. */
  stateQuant(position: number): Quantization {
    const tensor = this.states.tensor(this.node.inputs[position] ?? -1);
    const quant = tensor === undefined ? undefined : activationQuant(tensor, this.loc);
    return quant ?? malformed('SW2109', this.loc, `operand ${position} of ${this.operator} has no quantisation`);
  }

  /** What a variable operand holds, as an input of the program; see StateKeeper. */
  state(position: number, shape: readonly number[], dtype?: DType, quant?: Quantization): TensorId {
    return this.states.read(this.node, position, shape, dtype, quant);
  }

  /** What a variable operand will hold in the next frame. */
  keepState(position: number, next: TensorId): void {
    this.states.keep(this.node, position, next);
  }

  /** The tensor with its axes in another order, moved. */
  permute(tensor: Tensor, perm: readonly number[]): TensorId {
    return permuted(this, tensor, perm);
  }

  operand(position: number): Value {
    const value = this.operands[position];
    if (value !== undefined) return value;
    return malformed('SW2103', this.loc, `${this.operator} has no operand ${position}`);
  }

  has(position: number): boolean {
    return this.operands[position] !== undefined;
  }

  /** Shape of an operand of either kind, as the file sees it. */
  shape(position: number): readonly number[] {
    return shapeOf(this.operand(position), this.builder);
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

  /** A constant as a tensor of the program. */
  embed(constant: Constant): TensorId {
    const { name, shape, type, quantization } = constant;
    const elements = constant.elements();
    const data = elements instanceof Float64Array ? Int32Array.from(elements) : elements;
    if (data !== elements && !data.every((value, i) => value === elements[i])) {
      return unsupported(`the ${type} constant '${name}', beyond 32 bits`);
    }
    const [scale] = quantization?.scales ?? [];
    const quant =
      scale === undefined ? {} : { quant: { scales: [scale], zeroPoint: quantization?.zeroPoints[0] ?? 0 } };
    return this.builder.addConstant({ name, shape, data, ...quant, loc: this.loc });
  }
}

export function shapeOf(value: Value, builder: ProgramBuilder): readonly number[] {
  if (value.kind === 'constant') return value.constant.shape;
  const { shape } = builder.tensor(value.id);
  if (value.isComplex === true) return shape.with(shape.length - 1, (shape.at(-1) ?? 2) / 2);
  if (value.block !== undefined) {
    const [bh, bw] = value.block;
    const [, h = 1, w = 1, c = 1] = shape;
    return [bh * bw, h / bh, w / bw, c];
  }
  return value.perm === undefined ? shape : value.perm.map((axis) => shape[axis] ?? 1);
}
