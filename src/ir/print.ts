/**
 * The readable form of a Program: graph.ir, dumps around passes, golden tests. parse.ts is the exact inverse.
 *
 *     program tiny source tiny.model.ts
 *     tensor %0 image: int8[1,8,8,3] scale 0.0078125 zero 0 outside-axes [0,3,1,2]
 *     const %1 weights: int8[16,3,3,3] data @0
 *     ...
 *     inputs %0
 *     outputs %5
 *     states 1 from 1                      input 1 carries output 1 from frame to frame; left out without any
 *     @0 conv1: %5 = conv2d(%0, %1, %2, %3) kernel 3x3 stride 1x1 pad 1,1,1,1 groups 1 |> clamp 0..127 at :12:5
 *
 * One tensor or op a line. A line that begins with # is a comment. `data @n` is the byte offset of a constant's elements
 * in the companion binary (graph.bin, little endian, every constant on a multiple of 4 bytes); it is left out where the
 * program has no elements at hand. `at` gives the place; a place in the program's source is written without the file,
 * and one that is just the source is left out. Numbers are the shortest that read back as the same double.
 */
import { assertNever } from '../base/assert-never.js';
import type { SourceLoc } from '../base/diagnostic.js';
import { elementCount, sizeBytes } from './facts.js';
import type {
  BinaryRescale,
  ConstantData,
  EpilogueStage,
  FixedPointSoftmax,
  Op,
  PoolOp,
  Program,
  RealRescale,
  SumRescale,
  Tensor,
  TensorId,
  Window2d,
} from './types.js';
import { isReal } from './types.js';

/** Every constant begins on a multiple of this in the companion binary: the widest element. */
export const CONSTANT_ALIGNMENT_BYTES = 4;

/** Names of these characters are written bare, others as JSON strings. */
export const BARE_NAME = /[A-Za-z0-9_][A-Za-z0-9_./-]*/y;

export function printProgram(program: Program): string {
  const offsets = constantOffsets(program).offsetBytes;
  const lines = [`program ${printName(program.name)} source ${printName(program.source)}`];
  for (const tensor of program.tensors.values()) {
    const data = program.constants.get(tensor.id);
    lines.push(printTensor(tensor, program.source, data, offsets.get(tensor.id) ?? 0));
  }
  lines.push(printIds('inputs', program.inputs), printIds('outputs', program.outputs));
  const links = (program.states ?? []).map(({ input, output }) => `${input} from ${output}`);
  if (links.length > 0) lines.push(`states ${links.join(', ')}`);
  for (const op of program.ops) lines.push(printOp(op, program.source));
  return `${lines.join('\n')}\n`;
}

/** The elements of all constants, as `data @offset` of the text addresses them. */
export function constantBytes(program: Program): Uint8Array {
  const { offsetBytes, totalBytes } = constantOffsets(program);
  const bytes = new Uint8Array(totalBytes);
  for (const [id, data] of program.constants) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offsetBytes.get(id) ?? 0);
  }
  return bytes;
}

interface ConstantOffsets {
  readonly offsetBytes: ReadonlyMap<TensorId, number>;
  readonly totalBytes: number;
}

/** Constants lie in the order of the tensors. */
function constantOffsets(program: Program): ConstantOffsets {
  const offsetBytes = new Map<TensorId, number>();
  let end = 0;
  for (const tensor of program.tensors.values()) {
    if (!program.constants.has(tensor.id)) continue;
    const start = Math.ceil(end / CONSTANT_ALIGNMENT_BYTES) * CONSTANT_ALIGNMENT_BYTES;
    offsetBytes.set(tensor.id, start);
    end = start + sizeBytes(tensor);
  }
  return { offsetBytes, totalBytes: end };
}

export function printName(name: string): string {
  BARE_NAME.lastIndex = 0;
  const match = BARE_NAME.exec(name);
  return match !== null && match[0].length === name.length ? name : JSON.stringify(name);
}

/** The shortest text that reads back as the same double; keeps the sign of zero. */
const printNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const printList = (values: readonly number[]): string => values.map(printNumber).join(',');

const printIds = (word: string, ids: readonly TensorId[]): string =>
  ids.length === 0 ? word : `${word} ${ids.map((id) => `%${id}`).join(', ')}`;

/** ` at file:line:column#node`, or nothing where it would say no more than the source. */
function printLoc(loc: SourceLoc, source: string): string {
  const line = loc.line === undefined ? '' : `:${loc.line}${loc.column === undefined ? '' : `:${loc.column}`}`;
  const node = loc.node === undefined ? '' : `#${printName(loc.node)}`;
  const file = loc.file === source ? '' : printName(loc.file);
  return file === '' && line === '' && node === '' ? '' : ` at ${file}${line}${node}`;
}

function printTensor(tensor: Tensor, source: string, data: ConstantData | undefined, offsetBytes: number): string {
  const word = data === undefined ? 'tensor' : 'const';
  let line = `${word} %${tensor.id} ${printName(tensor.name)}: ${tensor.dtype}[${printList(tensor.shape)}]`;
  const { quant, storage } = tensor;
  if (quant !== undefined) line += ` scale ${printList(quant.scales)} zero ${printNumber(quant.zeroPoint)}`;
  if (tensor.outsideAxes !== undefined) line += ` outside-axes [${printList(tensor.outsideAxes)}]`;
  if (tensor.outsideShape !== undefined) line += ` outside-shape [${printList(tensor.outsideShape)}]`;
  if (storage !== undefined) {
    line += ` in %${storage.root} offset ${storage.offsetElements}`;
    line += ` pitch ${storage.rowPitchElements}x${storage.pixelPitchElements}`;
  }
  if (data !== undefined && data.length === elementCount(tensor)) line += ` data @${offsetBytes}`;
  return line + printLoc(tensor.loc, source);
}

/** One op as a line; also for messages and dumps. */
export function printOp(op: Op, source = ''): string {
  const operands = op.inputs.map((id) => `%${id}`).join(', ');
  let line = `@${op.id} ${printName(op.name)}: %${op.output} = ${op.kind}(${operands})`;
  const attributes = printAttributes(op);
  if (attributes !== '') line += ` ${attributes}`;
  if (op.anchorZeroPoint !== undefined) line += ` zero ${printNumber(op.anchorZeroPoint)}`;
  for (const stage of op.epilogue) line += ` |> ${printStage(stage)}`;
  return line + printLoc(op.loc, source);
}

function printAttributes(op: Op): string {
  switch (op.kind) {
    case 'conv2d':
      return `${printWindow(op.window)} groups ${op.groups}${op.rounding === undefined ? '' : ' once'}`;
    case 'dense':
      return op.rounding ?? '';
    case 'maxPool':
    case 'avgPool':
      return printPool(op);
    case 'sumPool':
      return [
        printWindow(op.window),
        op.scale === undefined ? `by ${op.multiplier}:${op.shift}` : `real ${op.scale}`,
        ...(op.offset === undefined ? [] : [`offset ${op.offset}`]),
      ].join(' ');
    case 'add':
    case 'sub':
    case 'mul':
      return op.rescale === undefined ? '' : printRescale(op.rescale);
    case 'binary':
    case 'reduce':
      return op.fn;
    case 'layerNorm':
      return `${op.isCentred ? '' : 'rms '}epsilon ${printNumber(op.epsilon)}`;
    case 'recurrent': {
      const flags = `${op.isReverse ? ' reverse' : ''}${op.resetsAfter ? ' resets-after' : ''}`;
      return `${op.cell} hidden ${op.hidden}${flags}${op.clip === 0 ? '' : ` clip ${printNumber(op.clip)}`}`;
    }
    case 'matmul':
      return [op.transposeB ? 'transposed' : '', printSumRescale(op.rescale)].filter((part) => part !== '').join(' ');
    case 'clamp':
      return printLimits(op.lo, op.hi);
    case 'unary':
      return printUnary(op);
    case 'lrn': {
      const { size, alpha, beta, k, sumShift } = op;
      const numbers = `alpha ${printNumber(alpha)} beta ${printNumber(beta)} k ${printNumber(k)}`;
      return `size ${size} ${numbers} sum-shift ${printNumber(sumShift)}`;
    }
    case 'upsample':
      return `scale ${op.scale.join('x')}`;
    case 'resize':
      return `${op.mode} size ${op.size.join('x')} ${op.coordinates}`;
    case 'pad':
      return `before ${op.before.join(',')} after ${op.after.join(',')} ${op.mode ?? `value ${printNumber(op.value)}`}`;
    case 'convert':
      if (op.rounding !== undefined) return `to ${op.to} half-even`;
      return `to ${op.to}${op.multiplier === 0 ? '' : ` by ${op.multiplier}:${op.shift}`}`;
    case 'softmax':
      if (op.realScale !== undefined) return `real ${op.realScale}`;
      return op.fixedPoint === undefined ? '' : printFixedPoint(op.fixedPoint);
    case 'concat':
      return `axis ${op.axis}`;
    case 'slice':
      return `axis ${op.axis} start ${op.start}`;
    case 'transpose':
      return `perm [${printList(op.perm)}]`;
    case 'select':
    case 'broadcast':
    case 'gather':
    case 'lut':
    case 'reshape':
    case 'copy':
      return '';
    default:
      return assertNever(op);
  }
}

/** Padding is top, left, bottom, right. */
function printWindow(window: Window2d): string {
  const { kernel, stride, dilation, pad } = window;
  const dilated = dilation[0] === 1 && dilation[1] === 1 ? '' : ` dilation ${dilation.join('x')}`;
  const pads = printList([pad.top, pad.left, pad.bottom, pad.right]);
  return `kernel ${kernel.join('x')} stride ${stride.join('x')} pad ${pads}${dilated}`;
}

const printPool = (op: PoolOp): string => `${printWindow(op.window)}${op.countIncludePad ? ' count-pad' : ''}`;

const printLimits = (lo: number, hi: number): string => `${printNumber(lo)}..${printNumber(hi)}`;

const printUnary = (op: { readonly fn: string; readonly alpha: number; readonly beta: number }): string =>
  `${op.fn} alpha ${printNumber(op.alpha)} beta ${printNumber(op.beta)}`;

const printFixedPoint = (f: FixedPointSoftmax): string =>
  `by ${f.multiplier}:${f.leftShift} least ${f.leastDifference}`;

/** Each pair is multiplier:shift. */
function printRescale(r: BinaryRescale | RealRescale): string {
  if (isReal(r))
    return `rescale real a ${printNumber(r.scaleA)} b ${printNumber(r.scaleB)} offset ${printNumber(r.offset)}`;
  const a = `a ${r.multiplierA}:${r.shiftA}`;
  const b = `b ${r.multiplierB}:${r.shiftB}`;
  return `rescale left ${r.leftShift} ${a} ${b} out ${r.multiplierOut}:${r.shiftOut}`;
}

/** In an addition the value that flows through is written `_`: `add(_, %3)` when it is operand a. */
function printStage(stage: EpilogueStage): string {
  switch (stage.kind) {
    case 'clamp':
      return `clamp ${printLimits(stage.lo, stage.hi)}`;
    case 'lut':
      return `lut(_, %${stage.table}) zero ${printNumber(stage.resultZeroPoint)}`;
    case 'unary':
      return `unary ${printUnary(stage)}`;
    case 'add': {
      const operands = stage.valueIs === 'a' ? `_, %${stage.operand}` : `%${stage.operand}, _`;
      const zeros = `zero ${printNumber(stage.valueZeroPoint)}->${printNumber(stage.resultZeroPoint)}`;
      return `add(${operands}) ${zeros}${stage.rescale === undefined ? '' : ` ${printRescale(stage.rescale)}`}`;
    }
    default:
      return assertNever(stage);
  }
}

function printSumRescale(rescale: SumRescale | undefined): string {
  if (rescale === undefined) return '';
  if (rescale.scale !== undefined) return `real ${printNumber(rescale.scale)}`;
  return `by ${rescale.multiplier}:${rescale.shift}${rescale.rounding === 'once' ? ' once' : ''}`;
}
