/** What docs/numerics.md asks of a well-formed program: quantisation, rescaling constants, epilogues. */
import type { Diagnostic } from '../base/diagnostic.js';
import { anchorZeroPointOf, isQuantized, keepsQuantization, storedRange, tensorOf } from './facts.js';
import type {
  BinaryRescale,
  ConvertOp,
  EpilogueStage,
  FixedPointSoftmax,
  Op,
  Program,
  Quantization,
  QuantizedDType,
  RealRescale,
  SumRescale,
  Tensor,
} from './types.js';
import { isReal } from './types.js';

export function numberProblems(program: Program): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const tensor of program.tensors.values()) {
    for (const message of tensorProblems(tensor, program)) {
      found.push({
        code: 'SW9022',
        blame: 'bug',
        message: `%${tensor.id} ${tensor.name}: ${message}`,
        loc: tensor.loc,
      });
    }
  }
  for (const op of program.ops) {
    const output = tensorOf(program, op.output);
    const own = isQuantized(output.dtype) ? quantizedProblems(op, output, output.dtype, program) : [];
    for (const message of [...own, ...orderOfStages(op.epilogue)]) {
      found.push({ code: 'SW9022', blame: 'bug', message: `@${op.id} ${op.name}: ${message}`, loc: op.loc });
    }
  }
  return found;
}

export function sameQuantization(a: Quantization | undefined, b: Quantization | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.zeroPoint !== b.zeroPoint || a.scales.length !== b.scales.length) return false;
  return a.scales.every((scale, i) => scale === b.scales[i]);
}

function tensorProblems(tensor: Tensor, program: Program): string[] {
  const { quant } = tensor;
  const isConstant = program.constants.has(tensor.id);
  if (quant === undefined)
    return isQuantized(tensor.dtype) && !isConstant ? [`an ${tensor.dtype} activation has no quantisation`] : [];
  const problems: string[] = [];
  if (quant.scales.length === 0 || !quant.scales.every((s) => Number.isFinite(s) && s > 0)) {
    problems.push('scales must be positive and finite');
  }
  if (!isConstant && quant.scales.length !== 1)
    problems.push(`an activation has one scale, not ${quant.scales.length}`);
  if (isQuantized(tensor.dtype) && !isStored(quant.zeroPoint, tensor.dtype))
    problems.push(`zero point ${quant.zeroPoint} is not an ${tensor.dtype}`);
  return problems;
}

function isStored(value: number, dtype: QuantizedDType): boolean {
  const { lo, hi } = storedRange(dtype);
  return Number.isInteger(value) && value >= lo && value <= hi;
}

function quantizedProblems(op: Op, output: Tensor, dtype: QuantizedDType, program: Program): string[] {
  const problems: string[] = [];
  const inputs = op.inputs.map((id) => tensorOf(program, id));
  const [x] = inputs;
  const anchorZero = anchorZeroPointOf(op, program);
  if (keepsQuantization(op.kind) && x !== undefined) {
    if (anchorZero !== (x.quant?.zeroPoint ?? 0)) {
      problems.push(
        `${op.kind} keeps the zero point ${x.quant?.zeroPoint ?? 0} of its input, its own is ${anchorZero}`,
      );
    }
    const scaleKept = op.epilogue.every((stage) => stage.kind === 'clamp');
    if (scaleKept && !sameQuantization(x.quant, output.quant)) problems.push(`${op.kind} changes the quantisation`);
    if (op.kind === 'concat' && inputs.some((input) => !sameQuantization(input.quant, x.quant))) {
      problems.push('operands of concat differ in quantisation');
    }
  }
  const { lo } = storedRange(dtype);
  if (op.kind === 'softmax' && op.realScale !== undefined) {
    if (!isScale(op.realScale)) problems.push(`softmax with the scale ${op.realScale}`);
  } else if (op.kind === 'softmax' && anchorZero !== lo) {
    problems.push(`zero point of softmax is ${anchorZero}, must be ${lo}`);
  }
  if (op.kind === 'softmax' && op.fixedPoint !== undefined) problems.push(...softmaxProblems(op.fixedPoint));
  if (op.kind === 'pad' && !isStored(op.value, dtype)) problems.push(`padding ${op.value} is not an ${dtype}`);
  if (op.kind === 'convert') problems.push(...convertProblems(op, program));
  const isRealSum = op.kind === 'sumPool' && op.scale !== undefined;
  if (isRealSum && !(isScale(op.scale) && op.multiplier === 0)) problems.push(`scale ${op.scale} is out of range`);
  if (op.kind === 'sumPool' && !isRealSum && !(op.multiplier >= 0 && op.multiplier < 2 ** 31 && isShift(op.shift))) {
    problems.push(`rescaling ${op.multiplier}:${op.shift} is out of range`);
  }
  const offset = op.kind === 'sumPool' ? op.offset : undefined;
  if (offset !== undefined && (isRealSum || !(Number.isInteger(offset) && Math.abs(offset) < 2 ** 24))) {
    problems.push(`offset ${offset} is out of range`);
  }
  if (op.kind === 'matmul') problems.push(...sumRescaleProblems(op.rescale));
  if (op.kind === 'unary') problems.push('unary is for float32 only');
  if (op.kind === 'clamp') problems.push(...limitProblems(op.lo, op.hi, dtype));
  if (op.kind === 'add' || op.kind === 'sub' || op.kind === 'mul') problems.push(...rescaleProblems(op.rescale));
  if (op.kind === 'conv2d' || op.kind === 'dense') {
    problems.push(...requantProblems(op, program));
  }
  return [...problems, ...stageProblems(op, anchorZero, output, dtype, program)];
}

const limitProblems = (lo: number, hi: number, dtype: QuantizedDType): string[] =>
  isStored(lo, dtype) && isStored(hi, dtype) && lo <= hi ? [] : [`limits ${lo}..${hi} are no ${dtype} range`];

function softmaxProblems({ multiplier, leftShift, leastDifference }: FixedPointSoftmax): string[] {
  const isScale = isMultiplier(multiplier) && Number.isInteger(leftShift) && leftShift >= 0 && leftShift <= 30;
  const problems = isScale ? [] : [`softmax scales by ${multiplier}:${leftShift}`];
  if (!Number.isInteger(leastDifference) || leastDifference > 0) problems.push(`least difference ${leastDifference}`);
  return problems;
}

/** Between two quantised types there is a multiplier; from float32 the scale of the result is it. */
function convertProblems(op: ConvertOp, program: Program): string[] {
  const isRescaling = op.inputs.every((id) => isQuantized(tensorOf(program, id).dtype));
  if (!isRescaling) return op.multiplier === 0 && op.shift === 0 ? [] : ['a conversion of float32 has no multiplier'];
  if (op.multiplier !== 0 && isMultiplier(op.multiplier) && isShift(op.shift)) return [];
  return [`conversion by ${op.multiplier}:${op.shift} is out of range`];
}

const isMultiplier = (m: number): boolean => m === 0 || (Number.isInteger(m) && m >= 2 ** 30 && m < 2 ** 31);
const isShift = (s: number): boolean => Number.isInteger(s) && s >= -31 && s <= 30;

const isScale = (s: number): boolean => Number.isFinite(s) && Math.fround(s) === s && s > 0;

function rescaleProblems(r: BinaryRescale | RealRescale | undefined): string[] {
  if (r === undefined) return ['a binary operator of a quantised type has no rescaling'];
  if (isReal(r)) {
    const isFloat = [r.scaleA, r.scaleB, r.offset].every((s) => Number.isFinite(s) && Math.fround(s) === s);
    return isFloat ? [] : [`rescaling ${r.scaleA}, ${r.scaleB}, ${r.offset} is not of finite float32`];
  }
  const pairs: [number, number][] = [
    [r.multiplierA, r.shiftA],
    [r.multiplierB, r.shiftB],
    [r.multiplierOut, r.shiftOut],
  ];
  const bad = pairs.filter(([multiplier, shift]) => !isMultiplier(multiplier) || !isShift(shift));
  const problems = bad.map(([multiplier, shift]) => `rescaling ${multiplier}:${shift} is out of range`);
  if (!Number.isInteger(r.leftShift) || r.leftShift < 0 || r.leftShift > 30) problems.push(`left shift ${r.leftShift}`);
  return problems;
}

function sumRescaleProblems(rescale: SumRescale | undefined): string[] {
  if (rescale === undefined) return ['integer sums have no rescaling'];
  const { multiplier, shift, scale } = rescale;
  const isValid = scale === undefined ? isMultiplier(multiplier) && isShift(shift) : isScale(scale) && multiplier === 0;
  return isValid ? [] : [`rescaling ${multiplier}:${shift}, ${scale} is out of range`];
}

function requantProblems(op: Op, program: Program): string[] {
  const [, weightsId, , requantId] = op.inputs;
  const weights = weightsId === undefined ? undefined : tensorOf(program, weightsId).dtype;
  const problems = weights === 'int8' || weights === 'uint8' ? [] : [`weights are ${weights}`];
  const pairs = requantId === undefined ? undefined : program.constants.get(requantId);
  if (pairs === undefined) return problems;
  if (pairs instanceof Float32Array) {
    const bad = pairs.findIndex((scale) => !Number.isFinite(scale) || scale < 0);
    return bad < 0 ? problems : [...problems, `the scale ${pairs[bad]} of channel ${bad} is out of range`];
  }
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const multiplier = pairs[i] ?? 0;
    const shift = pairs[i + 1] ?? 0;
    if (isMultiplier(multiplier) && isShift(shift)) continue;
    return [...problems, `requantisation ${multiplier}:${shift} of channel ${i / 2} is out of range`];
  }
  return problems;
}

/** The machine's order: [activation] [add] [activation]. */
function orderOfStages(epilogue: readonly EpilogueStage[]): string[] {
  const shape = epilogue.map((stage) => (stage.kind === 'add' ? '+' : 'f')).join('');
  return /^f?\+?f?$/.test(shape) ? [] : [`the epilogue ${shape} has more than [activation] [add] [activation]`];
}

/** Zero points handed from stage to stage must fit, and end at the output's. */
function stageProblems(op: Op, anchorZero: number, output: Tensor, dtype: QuantizedDType, program: Program): string[] {
  const problems: string[] = [];
  let zero = anchorZero;
  for (const stage of op.epilogue) {
    if (stage.kind === 'unary') problems.push('a unary stage is for float32 only');
    else if (stage.kind === 'clamp') problems.push(...limitProblems(stage.lo, stage.hi, dtype));
    else {
      if (stage.kind === 'add') {
        if (stage.valueZeroPoint !== zero)
          problems.push(`stage add takes zero point ${stage.valueZeroPoint}, gets ${zero}`);
        if (tensorOf(program, stage.operand).quant === undefined)
          problems.push(`%${stage.operand} has no quantisation`);
        problems.push(...rescaleProblems(stage.rescale));
      }
      zero = stage.resultZeroPoint;
    }
  }
  const stored = output.quant?.zeroPoint ?? 0;
  if (zero !== stored) problems.push(`the result has zero point ${zero}, %${output.id} has ${stored}`);
  return problems;
}
