/**
 * A float program as an int8 one: per-tensor activations, per-channel weights, int32 accumulation (docs/numerics.md).
 *
 * 1. A seeded sample run gives every activation its range (sample-run.ts).
 * 2. Tensors that must share a quantisation form groups, and each group gets one from its range (scale-groups.ts).
 * 3. Weights, biases and rescaling parameters follow from the scales; activation functions become tables.
 *
 * Tensors and operators keep their ids and names; new constants are named after their operator ('conv1.requant').
 */
import { assertNever } from '../../base/assert-never.js';
import { elementCountOf, isFloatOp, tensorOf } from '../../ir/facts.js';
import type {
  BinaryOp,
  ConstantData,
  Conv2dOp,
  DenseOp,
  LrnOp,
  LutOp,
  Op,
  OpId,
  Program,
  Quantization,
  SoftmaxOp,
  Tensor,
  TensorId,
  UnaryOp,
} from '../../ir/types.js';
import {
  activationQuantization,
  additionRescale,
  multiplicationRescale,
  quantizeValue,
  quantizeValues,
  scaleOf,
  withScale,
} from './parameters.js';
import { quantizeLayer, requantTable, rowMagnitudes } from './quantize-weights.js';
import { boundsOf, type Range, unaryFunction } from './real-functions.js';
import { constantOf, realConstant } from './real-weights.js';
import { rangeOf, sampleRanges } from './sample-run.js';
import { SOFTMAX_QUANT, scaleGroups } from './scale-groups.js';
import { lookUpTable, lrnSumShift, lrnTable, softmaxTable } from './tables.js';

/**
 * @param program float32 activations; weights float32, or int8 with scales
 * @returns a program whose activations are all int8. A program that has quantised activations already comes back as it is.
 */
export function quantizeProgram(program: Program): Program {
  const activations = [...program.inputs, ...program.ops.map((op) => op.output)];
  if (activations.some((id) => tensorOf(program, id).dtype !== 'float32')) return program;
  return new Quantizer(program).run();
}

/** The program under construction. */
class Quantizer {
  private readonly tensors = new Map<TensorId, Tensor>();
  private readonly constants = new Map<TensorId, ConstantData>();
  private readonly ops: Op[] = [];
  private readonly quants: Map<TensorId, Quantization>; // by activation
  private readonly rescaledSoftmax: ReadonlySet<TensorId>;
  private readonly magnitudes: ReadonlyMap<TensorId, Float64Array>; // by weights: largest of each row
  private nextTensor: number;
  private nextOp: number;

  constructor(private readonly program: Program) {
    this.magnitudes = weightMagnitudes(program);
    const { quants, rescaledSoftmax } = activationQuants(program, this.magnitudes);
    this.quants = quants;
    this.rescaledSoftmax = rescaledSoftmax;
    this.nextTensor = 1 + Math.max(-1, ...program.tensors.keys());
    this.nextOp = 1 + Math.max(-1, ...program.ops.map((op) => op.id));
  }

  run(): Program {
    const { program, tensors, constants } = this;
    for (const [id, quant] of this.quants) {
      if (program.constants.has(id)) continue;
      tensors.set(id, { ...tensorOf(program, id), dtype: 'int8', quant });
    }
    for (const op of program.ops) this.ops.push(...this.quantizeOp(op));
    return { ...program, tensors, constants, ops: this.ops };
  }

  private quantizeOp(op: Op): Op[] {
    if (isFloatOp(op)) throw new Error(`'${op.name}' (${op.kind}) has no form in integers`);
    switch (op.kind) {
      case 'conv2d':
      case 'dense':
        return [this.quantizeLayer(op)];
      case 'add':
      case 'sub':
      case 'mul':
        return [this.quantizeBinary(op)];
      case 'unary':
        return [this.quantizeUnary(op)];
      case 'softmax':
        return this.quantizeSoftmax(op);
      case 'lrn':
        return [this.quantizeLrn(op)];
      case 'clamp': {
        const quant = this.quantOf(op.output);
        return [{ ...op, lo: quantizeValue(op.lo, quant), hi: quantizeValue(op.hi, quant) }];
      }
      case 'pad':
        this.useOperand(op.inputs[0] ?? op.output);
        return [{ ...op, value: quantizeValue(op.value, this.quantOf(op.output)) }];
      case 'convert':
      case 'sumPool':
        throw new Error(`'${op.name}' (${op.kind}) in a float program`);
      case 'maxPool':
      case 'avgPool':
      case 'upsample':
      case 'resize':
      case 'concat':
      case 'slice':
      case 'reshape':
      case 'transpose':
      case 'copy':
      case 'lut':
        for (const id of op.inputs) this.useOperand(id);
        return [op];
      default:
        return assertNever(op);
    }
  }

  private quantizeLayer(op: Conv2dOp | DenseOp): Op {
    const { program } = this;
    const [x, weightsId, biasId] = op.inputs;
    if (x === undefined || weightsId === undefined || biasId === undefined) {
      throw new Error(`'${op.name}' has no weights or no bias`);
    }
    const inputScale = scaleOf(this.useOperand(x));
    const weights = tensorOf(program, weightsId);
    const real = constantOf(program, weightsId);
    const magnitudes = this.magnitudes.get(weightsId) ?? new Float64Array();
    const layer = quantizeLayer(real, weights.quant, magnitudes, realConstant(program, biasId), inputScale);
    const requant = requantTable(layer.scales, inputScale, scaleOf(this.quantOf(op.output)));
    const bias = tensorOf(program, biasId).name;
    const inputs = [
      x,
      this.storeWeights(weights, layer.weights),
      this.addConstant(bias, [layer.bias.length], layer.bias, op),
      this.addConstant(`${op.name}.requant`, [layer.bias.length, 2], requant, op),
    ];
    return { ...op, inputs };
  }

  /** Weights keep their id, unless two layers share them and came to different integers. */
  private storeWeights(tensor: Tensor, data: Int8Array): TensorId {
    const known = this.constants.get(tensor.id);
    const { quant: _quant, ...rest } = tensor;
    const same = known === data || (known !== undefined && equalBytes(known, data));
    const id = known === undefined || same ? tensor.id : this.newTensorId();
    if (!same) this.constants.set(id, data);
    if (!same) this.tensors.set(id, { ...rest, id, dtype: 'int8' });
    return id;
  }

  private quantizeBinary(op: BinaryOp): Op {
    const [a, b] = op.inputs;
    if (a === undefined || b === undefined) throw new Error(`'${op.name}' has no operands`);
    const scales = [this.useOperand(a), this.useOperand(b), this.quantOf(op.output)].map(scaleOf);
    const [scaleA = 1, scaleB = 1, scaleOut = 1] = scales;
    const rescale = op.kind === 'mul' ? multiplicationRescale : additionRescale;
    return { ...op, rescale: rescale(scaleA, scaleB, scaleOut) };
  }

  private quantizeUnary(op: UnaryOp): Op {
    const f = unaryFunction(op.fn, op.alpha, op.beta);
    return this.tableOp(op, op.id, op.inputs[0] ?? op.output, op.output, f);
  }

  /** A look-up that computes f from one activation to another, named and placed after `origin`. */
  private tableOp(origin: Op, id: OpId, from: TensorId, to: TensorId, f: (x: number) => number): LutOp {
    const data = lookUpTable(f, this.quantOf(from), this.quantOf(to));
    const table = this.addConstant(`${origin.name}.table`, [256], data, origin);
    return { kind: 'lut', id, name: origin.name, loc: origin.loc, inputs: [from, table], output: to, epilogue: [] };
  }

  private quantizeSoftmax(op: SoftmaxOp): Op[] {
    const x = op.inputs[0] ?? op.output;
    const data = softmaxTable(scaleOf(this.useOperand(x)));
    const table = this.addConstant(`${op.name}.exp`, [256], data, op);
    const inputs = [x, table];
    if (!this.rescaledSoftmax.has(op.output)) return [{ ...op, inputs }];
    const own = this.newTensorId();
    const { outsideAxes: _axes, outsideShape: _shape, ...result } = tensorOf(this.program, op.output);
    this.tensors.set(own, { ...result, id: own, name: `${result.name}.own`, dtype: 'int8', quant: SOFTMAX_QUANT });
    this.quants.set(own, SOFTMAX_QUANT);
    const rescale = this.tableOp(op, this.nextOp++ as OpId, own, op.output, (v) => v);
    return [
      { ...op, inputs, output: own },
      { ...rescale, name: `${op.name}.rescale` },
    ];
  }

  private quantizeLrn(op: LrnOp): Op {
    const x = op.inputs[0] ?? op.output;
    const input = this.useOperand(x);
    const channels = tensorOf(this.program, x).shape.at(-1) ?? 1;
    const sumShift = lrnSumShift(op.size, channels, input.zeroPoint);
    const data = lrnTable(op, sumShift, scaleOf(input), scaleOf(this.quantOf(op.output)));
    return { ...op, sumShift, inputs: [x, this.addConstant(`${op.name}.table`, [1024], data, op)] };
  }

  private quantOf(id: TensorId): Quantization {
    const quant = this.quants.get(id);
    if (quant === undefined) throw new Error(`%${id} has no quantisation`);
    return quant;
  }

  /** The quantisation of an operand; a constant one is quantised with it when it is first used. */
  private useOperand(id: TensorId): Quantization {
    const quant = this.quantOf(id);
    if (this.program.constants.has(id) && !this.constants.has(id)) {
      this.constants.set(id, quantizeValues(realConstant(this.program, id), quant));
      this.tensors.set(id, { ...tensorOf(this.program, id), dtype: 'int8', quant });
    }
    return quant;
  }

  private addConstant(name: string, shape: readonly number[], data: ConstantData, origin: Op): TensorId {
    const id = this.newTensorId();
    this.tensors.set(id, { id, name, dtype: data instanceof Int8Array ? 'int8' : 'int32', shape, loc: origin.loc });
    this.constants.set(id, data);
    return id;
  }

  private newTensorId(): TensorId {
    return this.nextTensor++ as TensorId;
  }
}

function equalBytes(a: ConstantData, b: Int8Array): boolean {
  if (!(a instanceof Int8Array) || a.length !== b.length) return false;
  return a.every((value, i) => value === b[i]);
}

interface ActivationQuants {
  readonly quants: Map<TensorId, Quantization>;
  readonly rescaledSoftmax: ReadonlySet<TensorId>;
}

/** The quantisation of every activation, and of every constant that stands where an activation could. */
function activationQuants(program: Program, magnitudes: ReadonlyMap<TensorId, Float64Array>): ActivationQuants {
  const ranges = sampleRanges(program);
  for (const op of program.ops) {
    if (op.kind !== 'unary') continue;
    const bounds = boundsOf(op.fn);
    if (bounds !== undefined) ranges.set(op.output, bounds);
  }
  for (const id of constantActivations(program)) ranges.set(id, constantRange(program, id));
  const groups = scaleGroups(program, ranges);
  const byGroup = new Map(groups.quants);
  widenForAccumulators(program, magnitudes, groups.groupOf, byGroup);
  const quants = new Map<TensorId, Quantization>();
  for (const id of ranges.keys()) {
    quants.set(id, byGroup.get(groups.groupOf(id)) ?? activationQuantization({ min: 0, max: 0 }));
  }
  return { quants, rescaledSoftmax: groups.rescaledSoftmax };
}

function constantActivations(program: Program): TensorId[] {
  const found: TensorId[] = [];
  for (const op of program.ops) {
    const operands = op.kind === 'conv2d' || op.kind === 'dense' ? op.inputs.slice(0, 1) : op.inputs;
    found.push(...operands.filter((id) => program.constants.has(id)));
  }
  return found;
}

function constantRange(program: Program, id: TensorId): Range {
  return rangeOf(realConstant(program, id));
}

/**
 * mbqm shifts its operand left when a result is finer than what it is computed from, and that must not wrap. Where the
 * sample run saw so narrow a result that the largest possible operand would, the result's scale is widened. It takes
 * values that cancel out in the sample: hardly ever, so a few rounds over the graph settle it.
 */
function widenForAccumulators(
  program: Program,
  magnitudes: ReadonlyMap<TensorId, Float64Array>,
  groupOf: (id: TensorId) => TensorId,
  byGroup: Map<TensorId, Quantization>,
): void {
  const scaleAt = (id: TensorId | undefined): number => {
    const quant = id === undefined ? undefined : byGroup.get(groupOf(id));
    return quant === undefined ? 0 : scaleOf(quant);
  };
  for (let round = 0; round < 4; round++) {
    let widened = false;
    for (const op of program.ops) {
      const result = byGroup.get(groupOf(op.output));
      const least = leastResultScale(op, program, magnitudes, scaleAt);
      if (result === undefined || result === SOFTMAX_QUANT || scaleOf(result) >= least) continue;
      byGroup.set(groupOf(op.output), withScale(result, Math.fround(least * 1.001)));
      widened = true;
    }
    if (!widened) return;
  }
}

/** Below this scale of the result an operand of mbqm could wrap; 0 for operators that do not rescale. */
function leastResultScale(
  op: Op,
  program: Program,
  magnitudes: ReadonlyMap<TensorId, Float64Array>,
  scaleAt: (id: TensorId | undefined) => number,
): number {
  const [a, b] = op.inputs;
  switch (op.kind) {
    case 'conv2d':
    case 'dense':
      return (scaleAt(a) * largestProductSum(program, magnitudes, op)) / 2 ** 29;
    case 'add':
    case 'sub':
      // The sum of two operands with 20 bits of fraction is below 2^28: it may be shifted by 2.
      return (2 * Math.max(scaleAt(a), scaleAt(b))) / 2 ** 21;
    case 'mul':
      return (scaleAt(a) * scaleAt(b)) / 2 ** 13; // products are below 2^16
    default:
      return 0;
  }
}

/** Bound on |sum (x - zx) * w| in units of the input's scale. */
function largestProductSum(
  program: Program,
  magnitudes: ReadonlyMap<TensorId, Float64Array>,
  op: Conv2dOp | DenseOp,
): number {
  const weightsId = op.inputs[1];
  if (weightsId === undefined) return 0;
  const taps = elementCountOf(tensorOf(program, weightsId).shape.slice(1));
  return 255 * taps * Math.max(0, ...(magnitudes.get(weightsId) ?? []));
}

function weightMagnitudes(program: Program): Map<TensorId, Float64Array> {
  const magnitudes = new Map<TensorId, Float64Array>();
  for (const op of program.ops) {
    const weightsId = op.inputs[1];
    if ((op.kind !== 'conv2d' && op.kind !== 'dense') || weightsId === undefined || magnitudes.has(weightsId)) continue;
    const { quant, shape } = tensorOf(program, weightsId);
    magnitudes.set(weightsId, rowMagnitudes(constantOf(program, weightsId), quant, shape[0] ?? 1));
  }
  return magnitudes;
}
