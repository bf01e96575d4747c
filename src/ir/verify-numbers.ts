/** What docs/numerics.md asks of a well-formed program: quantisation, rescaling constants, epilogues. */
import type { Diagnostic } from '../base/diagnostic.js';
import { anchorZeroPointOf, keepsQuantization, tensorOf } from './facts.js';
import type { BinaryRescale, EpilogueStage, Op, Program, Quantization, Tensor } from './types.js';

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
    const own = output.dtype === 'int8' ? int8Problems(op, output, program) : [];
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
  if (tensor.dtype === 'int32' && !isConstant) return ['int32 is for constants only'];
  if (quant === undefined)
    return tensor.dtype === 'int8' && !isConstant ? ['an int8 activation has no quantisation'] : [];
  const problems: string[] = [];
  if (quant.scales.length === 0 || !quant.scales.every((s) => Number.isFinite(s) && s > 0)) {
    problems.push('scales must be positive and finite');
  }
  if (!isConstant && quant.scales.length !== 1)
    problems.push(`an activation has one scale, not ${quant.scales.length}`);
  if (!isStored(quant.zeroPoint)) problems.push(`zero point ${quant.zeroPoint} is not an int8`);
  return problems;
}

const isStored = (value: number): boolean => Number.isInteger(value) && value >= -128 && value <= 127;

function int8Problems(op: Op, output: Tensor, program: Program): string[] {
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
  if (op.kind === 'softmax' && anchorZero !== -128)
    problems.push(`zero point of softmax is ${anchorZero}, must be -128`);
  if (op.kind === 'unary') problems.push('unary is for float32 only');
  if (op.kind === 'clamp') problems.push(...limitProblems(op.lo, op.hi));
  if (op.kind === 'add' || op.kind === 'sub' || op.kind === 'mul') problems.push(...rescaleProblems(op.rescale));
  if (op.kind === 'conv2d' || op.kind === 'dense') problems.push(...requantProblems(op, program));
  return [...problems, ...stageProblems(op, anchorZero, output, program)];
}

const limitProblems = (lo: number, hi: number): string[] =>
  isStored(lo) && isStored(hi) && lo <= hi ? [] : [`limits ${lo}..${hi} are no int8 range`];

const isMultiplier = (m: number): boolean => m === 0 || (Number.isInteger(m) && m >= 2 ** 30 && m < 2 ** 31);
const isShift = (s: number): boolean => Number.isInteger(s) && s >= -31 && s <= 30;

function rescaleProblems(r: BinaryRescale | undefined): string[] {
  if (r === undefined) return ['an int8 binary operator has no rescaling'];
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

/** Multiplier and shift of every channel pack into four bytes: the multiplier's 7 low bits are zero. */
function requantProblems(op: Op, program: Program): string[] {
  const [, weightsId, , requantId] = op.inputs;
  const zero = weightsId === undefined ? 0 : (tensorOf(program, weightsId).quant?.zeroPoint ?? 0);
  const problems = zero === 0 ? [] : [`weights have the zero point ${zero}, must be 0`];
  const pairs = requantId === undefined ? undefined : program.constants.get(requantId);
  if (pairs === undefined) return problems;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const multiplier = pairs[i] ?? 0;
    const shift = pairs[i + 1] ?? 0;
    if (isMultiplier(multiplier) && multiplier % 128 === 0 && isShift(shift)) continue;
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
function stageProblems(op: Op, anchorZero: number, output: Tensor, program: Program): string[] {
  const problems: string[] = [];
  let zero = anchorZero;
  for (const stage of op.epilogue) {
    if (stage.kind === 'unary') problems.push('a unary stage is for float32 only');
    else if (stage.kind === 'clamp') problems.push(...limitProblems(stage.lo, stage.hi));
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
