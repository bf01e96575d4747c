/** The fields of compute commands that follow from the operator alone: windows, zero points, epilogues. */
import { anchorZeroPointOf, sizeBytes, tensorOf } from '../ir/facts.js';
import type {
  BinaryRescale,
  ConvertOp,
  DType,
  EpilogueStage,
  MatMulOp,
  Op,
  Program,
  RealRescale,
  SumPoolOp,
  TensorId,
  UnaryFunction,
  Window2d,
} from '../ir/types.js';
import { isReal, UNARY_FUNCTIONS } from '../ir/types.js';

export type Fields = Record<string, number>;

/** Activation kinds of the instruction table: functions begin at 3. */
const unaryKind = (fn: UnaryFunction): number => 3 + UNARY_FUNCTIONS.indexOf(fn);

/** As the instruction table numbers the types. */
export const DTYPE_CODE: Readonly<Record<DType, number>> = {
  int8: 0,
  float32: 1,
  uint8: 2,
  int16: 3,
  int32: 4,
};

export function dtypeCode(dtype: DType): number {
  return DTYPE_CODE[dtype];
}

/** The extra fields of a `map` that changes the type or the quantisation. */
export function conversionFields(program: Program, op: ConvertOp): Fields {
  const input = tensorOf(program, op.inputs[0] ?? op.output);
  const output = tensorOf(program, op.output);
  const inDtype = input.dtype === output.dtype ? 0 : 1 + dtypeCode(input.dtype);
  if (op.multiplier !== 0) return { inDtype, multiplier: op.multiplier, shift: op.shift };
  if (input.dtype === 'int32' || output.dtype === 'int32') return { inDtype };
  const { quant } = input.dtype === 'float32' ? output : input;
  const rounding: Fields = op.rounding === undefined ? {} : { rounding: 1 };
  return { inDtype, scale: floatBits(quant?.scales[0] ?? 1), ...rounding };
}

/** The fields of a sum pool's rescaling. */
export function sumFields(op: SumPoolOp): Fields {
  if (op.scale !== undefined) return { form: 1, multiplier: floatBits(op.scale) };
  const zeros: Fields = op.offset === undefined ? {} : { inZero: 0, outZero: op.offset };
  return { multiplier: op.multiplier, shift: op.shift, ...zeros };
}

/** The fields of integer matrix products. */
export function productFields(program: Program, op: MatMulOp): Fields {
  const { rescale } = op;
  if (rescale === undefined) return {};
  const zeros = {
    aZero: zeroPointOf(program, op.inputs[0]),
    bZero: zeroPointOf(program, op.inputs[1]),
    outZero: anchorZeroPointOf(op, program),
  };
  if (rescale.scale !== undefined) return { ...zeros, form: 1, multiplier: floatBits(rescale.scale) };
  const form = rescale.rounding === 'once' ? 2 : 0;
  return { ...zeros, form, multiplier: rescale.multiplier, shift: rescale.shift };
}

const FLOAT_BITS = new DataView(new ArrayBuffer(4));

/** IEEE single bit pattern, unsigned. */
export function floatBits(value: number): number {
  FLOAT_BITS.setFloat32(0, value);
  return FLOAT_BITS.getUint32(0);
}

export function windowFields(window: Window2d): Fields {
  return {
    kernelH: window.kernel[0],
    kernelW: window.kernel[1],
    strideH: window.stride[0],
    strideW: window.stride[1],
    padTop: window.pad.top,
    padLeft: window.pad.left,
    dilationH: window.dilation[0],
    dilationW: window.dilation[1],
  };
}

export function zeroPointOf(program: Program, id: TensorId | undefined): number {
  return id === undefined ? 0 : (tensorOf(program, id).quant?.zeroPoint ?? 0);
}

export function zeroFields(program: Program, op: Op): Fields {
  return { inZero: zeroPointOf(program, op.inputs[0]), outZero: anchorZeroPointOf(op, program) };
}

export function rescaleFields(rescale: BinaryRescale | RealRescale | undefined): Fields {
  if (rescale === undefined) return {};
  if (isReal(rescale)) {
    return {
      form: 1,
      multiplierA: floatBits(rescale.scaleA),
      multiplierB: floatBits(rescale.scaleB),
      multiplierOut: floatBits(rescale.offset),
    };
  }
  const { leftShift, multiplierA, shiftA, multiplierB, shiftB, multiplierOut, shiftOut } = rescale;
  return { leftShift, multiplierA, shiftA, multiplierB, shiftB, multiplierOut, shiftOut };
}

/**
 * Puts the stages of a layer into the machine's three slots: activation, addition, activation. An operator that is itself an
 * activation takes the first.
 *
 * @param tableAddress SRAM address of the layer's tables, in the order of `tablesOf`
 */
export function epilogueFields(program: Program, op: Op, isFloat: boolean, tableAddress: number): Fields {
  const fields: Fields = {};
  // The operator's own table comes first; a `lut` operator takes it as its first stage.
  const ownTable = op.kind === 'softmax' || op.kind === 'lrn' ? op.inputs[1] : undefined;
  let table = tableAddress + (ownTable === undefined ? 0 : sizeBytes(tensorOf(program, ownTable)));
  let slot: 'act1' | 'act2' = 'act1';
  const put = (kind: number, lo: number, hi: number): void => {
    if (fields[slot] !== undefined) {
      if (slot === 'act2') throw new Error(`${op.name} has more activations than the machine has slots`);
      slot = 'act2';
    }
    fields[slot] = kind;
    fields[`${slot}Lo`] = lo;
    fields[`${slot}Hi`] = hi;
  };
  const clamp = (lo: number, hi: number): void => (isFloat ? put(1, floatBits(lo), floatBits(hi)) : put(1, lo, hi));
  const lookUp = (id: TensorId | undefined): void => {
    put(2, table, 0);
    table += id === undefined ? 0 : sizeBytes(tensorOf(program, id));
  };
  if (op.kind === 'clamp') clamp(op.lo, op.hi);
  if (op.kind === 'lut') lookUp(op.inputs[1]);
  if (op.kind === 'unary') put(unaryKind(op.fn), floatBits(op.alpha), floatBits(op.beta));
  for (const stage of op.epilogue) {
    if (stage.kind === 'add') {
      if (slot === 'act2' || fields.addMode !== undefined) throw new Error(`${op.name} adds after its last slot`);
      Object.assign(fields, additionFields(program, stage));
      slot = 'act2';
    } else if (stage.kind === 'clamp') clamp(stage.lo, stage.hi);
    else if (stage.kind === 'lut') lookUp(stage.table);
    else put(unaryKind(stage.fn), floatBits(stage.alpha), floatBits(stage.beta));
  }
  return fields;
}

function additionFields(program: Program, stage: Extract<EpilogueStage, { kind: 'add' }>): Fields {
  const isRealStage = stage.rescale !== undefined && isReal(stage.rescale);
  const { form: _, ...own } = rescaleFields(stage.rescale);
  const rescale = Object.entries(own).map(([name, value]) => [`add${name[0]?.toUpperCase()}${name.slice(1)}`, value]);
  return {
    addMode: (stage.valueIs === 'a' ? 1 : 2) + (isRealStage ? 2 : 0),
    addZeroValue: stage.valueZeroPoint,
    addZeroOther: zeroPointOf(program, stage.operand),
    addZeroOut: stage.resultZeroPoint,
    ...Object.fromEntries(rescale),
  };
}
