/**
 * A layer as the machine runs it: one fused operator, seen as images of rows x columns x channels, with the geometry that
 * ties rows of its output to rows of each operand. Made from the IR once; tiling, placement and emission all read it.
 */
import { SpillwayError } from '../base/diagnostic.js';
import {
  type ImageShape,
  imageShape,
  isContiguous,
  isQuantized,
  rootOf,
  sizeBytes,
  storageOf,
  tensorOf,
  windowAxis,
  windowExtent,
} from '../ir/facts.js';
import type { Op, Program, TensorId } from '../ir/types.js';
import { DTYPE_BYTES } from '../ir/types.js';

/** Input positions under an output position o: [floor(o * stride / scale) - pad, ... + extent). */
export interface AxisMap {
  readonly stride: number;
  readonly scale: number; // upsampling factor; stride is 1 where it is not 1
  readonly pad: number;
  readonly extent: number; // taps, dilation included
}

export type OperandRole = 'main' | 'second' | 'third' | 'residual';

export interface Operand {
  readonly role: OperandRole;
  readonly tensor: TensorId;
  readonly root: TensorId;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly rows: AxisMap;
  readonly columns: AxisMap;
  readonly elementBytes: number;
  /** Where it lies in its root, in bytes. */
  readonly offsetBytes: number;
  readonly rowPitchBytes: number;
  readonly pixelPitchBytes: number;
  /** The output may be written over it: pixel for pixel (the machine reads a pixel before it writes it), of the output's size. */
  readonly canBeOverwritten: boolean;
}

export interface LayerOutput {
  readonly tensor: TensorId;
  readonly root: TensorId;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly elementBytes: number;
  readonly offsetBytes: number;
  readonly rowPitchBytes: number;
  readonly pixelPitchBytes: number;
}

/**
 * The constants of a layer as they lie in DRAM: tables first, then one record per output channel (bias, scale, weights). A
 * resident share is a prefix that ends after a whole record.
 */
export interface LayerWeights {
  readonly headerBytes: number;
  readonly channels: number; // 0: tables only
  readonly recordBytes: number;
  readonly totalBytes: number;
}

export type LayerKind =
  | 'conv'
  | 'pool'
  | 'binary'
  | 'select'
  | 'map'
  | 'resize'
  | 'pad'
  | 'softmax'
  | 'lrn'
  | 'reduce'
  | 'layerNorm'
  | 'matmul'
  | 'gather'
  | 'recurrent'
  | 'transpose';

export interface Layer {
  readonly step: number;
  readonly op: Op;
  readonly kind: LayerKind;
  readonly operands: readonly Operand[];
  readonly output: LayerOutput;
  readonly weights: LayerWeights;
}

const IDENTITY: AxisMap = { stride: 1, scale: 1, pad: 0, extent: 1 };

/** Every output position may read every input position. */
const allOf = (extent: number): AxisMap => ({ stride: 0, scale: 1, pad: 0, extent });

/** All layers of a program whose views have been resolved. @throws SpillwayError for what the machine cannot run */
export function layersOf(program: Program): Layer[] {
  return program.ops.map((op, step) => layerOf(program, op, step));
}

export function layerOf(program: Program, op: Op, step: number): Layer {
  const kind = kindOf(program, op);
  const output = outputOf(program, op);
  const operands: Operand[] = [];
  const add = (role: OperandRole, tensor: TensorId): void => {
    operands.push(operandOf(program, op, role, tensor, output));
  };
  const [first, second, third] = op.inputs;
  if (kind === 'gather' && first !== undefined && second !== undefined) {
    add('main', second);
    operands.push(tableOperand(program, op, first, output));
  } else if (first !== undefined) add('main', first);
  const hasSecond = kind === 'binary' || kind === 'matmul' || kind === 'select' || kind === 'recurrent';
  if (hasSecond && second !== undefined) add('second', second);
  if (kind === 'select' && third !== undefined) add('third', third);
  for (const stage of op.epilogue) if (stage.kind === 'add') add('residual', stage.operand);
  return { step, op, kind, operands: withoutSharedOverwrites(operands), output, weights: weightsOf(program, op) };
}

function kindOf(program: Program, op: Op): LayerKind {
  switch (op.kind) {
    case 'conv2d':
    case 'dense':
      return 'conv';
    case 'maxPool':
    case 'avgPool':
    case 'sumPool':
      return 'pool';
    case 'add':
    case 'sub':
    case 'mul':
    case 'binary':
      return 'binary';
    case 'select':
    case 'reduce':
    case 'layerNorm':
    case 'matmul':
    case 'gather':
    case 'recurrent':
      return op.kind;
    case 'broadcast':
      return 'map';
    case 'clamp':
    case 'unary':
    case 'lut':
    case 'upsample':
    case 'convert':
    case 'copy':
      return 'map';
    case 'resize':
      return 'resize';
    case 'pad':
      return 'pad';
    case 'softmax':
      return 'softmax';
    case 'lrn':
      return 'lrn';
    case 'transpose':
      return 'transpose';
    default:
      throw new SpillwayError([
        {
          code: 'SW9101',
          blame: 'bug',
          message: `operator '${op.kind}' (${op.name}) of ${program.name} is a view and should have been resolved before layers are made`,
          loc: op.loc,
        },
      ]);
  }
}

function outputOf(program: Program, op: Op): LayerOutput {
  const tensor = tensorOf(program, op.output);
  const elementBytes = DTYPE_BYTES[tensor.dtype];
  const storage = storageOf(tensor);
  return {
    tensor: tensor.id,
    root: rootOf(tensor),
    ...imageShape(tensor),
    elementBytes,
    offsetBytes: storage.offsetElements * elementBytes,
    rowPitchBytes: storage.rowPitchElements * elementBytes,
    pixelPitchBytes: storage.pixelPitchElements * elementBytes,
  };
}

function operandOf(program: Program, op: Op, role: OperandRole, id: TensorId, output: LayerOutput): Operand {
  const tensor = tensorOf(program, id);
  const elementBytes = DTYPE_BYTES[tensor.dtype];
  const storage = storageOf(tensor);
  const shape = imageShape(tensor);
  const isPixelwise =
    role === 'residual' ||
    [
      'add',
      'sub',
      'mul',
      'binary',
      'select',
      'layerNorm',
      'clamp',
      'unary',
      'lut',
      'convert',
      'copy',
      'softmax',
      'lrn',
    ].includes(op.kind);
  const ownsRoot = tensor.storage === undefined && output.root === output.tensor;
  const isSameSize =
    shape.h === output.h && shape.w === output.w && shape.c === output.c && elementBytes === output.elementBytes;
  return {
    role,
    tensor: id,
    root: rootOf(tensor),
    ...shape,
    ...axesOfOperand(op, role, shape, output),
    elementBytes,
    offsetBytes: storage.offsetElements * elementBytes,
    rowPitchBytes: storage.rowPitchElements * elementBytes,
    pixelPitchBytes: storage.pixelPitchElements * elementBytes,
    canBeOverwritten: isPixelwise && ownsRoot && isSameSize && isContiguous(tensor),
  };
}

/** The rows of a table that are read, as an image of the output's size: the load queue gathers them from DRAM. */
function tableOperand(program: Program, op: Op, id: TensorId, output: LayerOutput): Operand {
  const table = operandOf(program, op, 'second', id, output);
  return { ...table, h: output.h, w: 1, rows: IDENTITY, columns: IDENTITY, canBeOverwritten: false };
}

function axesOfOperand(
  op: Op,
  role: OperandRole,
  shape: ImageShape,
  output: LayerOutput,
): { rows: AxisMap; columns: AxisMap } {
  if (role === 'residual') return { rows: IDENTITY, columns: IDENTITY };
  if (op.kind === 'matmul' && role === 'second') {
    return { rows: repeatedAxis(shape.h, output.h), columns: allOf(shape.w) };
  }
  if (op.kind === 'recurrent') return { rows: allOf(shape.h), columns: IDENTITY };
  if (canRepeat(op)) return { rows: repeatedAxis(shape.h, output.h), columns: repeatedAxis(shape.w, output.w) };
  return axesOf(op, shape);
}

/** Operators whose operands may have extents of 1 that are repeated. */
export function canRepeat({ kind }: Op): boolean {
  return ['add', 'sub', 'mul', 'binary', 'select', 'broadcast'].includes(kind);
}

/** One position for all outputs, or each its own. */
function repeatedAxis(extent: number, outputs: number): AxisMap {
  return extent === 1 && outputs > 1 ? allOf(1) : IDENTITY;
}

function axesOf(op: Op, input: ImageShape): { rows: AxisMap; columns: AxisMap } {
  switch (op.kind) {
    case 'conv2d':
    case 'maxPool':
    case 'avgPool':
    case 'sumPool': {
      const rows = windowAxis(op.window, 0);
      const columns = windowAxis(op.window, 1);
      return {
        rows: { stride: rows.stride, scale: 1, pad: rows.padBefore, extent: windowExtent(rows) },
        columns: { stride: columns.stride, scale: 1, pad: columns.padBefore, extent: windowExtent(columns) },
      };
    }
    case 'pad':
      if (op.mode !== undefined) return { rows: allOf(input.h), columns: allOf(input.w) };
      return { rows: { ...IDENTITY, pad: op.before[0] }, columns: { ...IDENTITY, pad: op.before[1] } };
    case 'resize':
      return { rows: allOf(input.h), columns: allOf(input.w) };
    case 'upsample':
      return { rows: { ...IDENTITY, scale: op.scale[0] }, columns: { ...IDENTITY, scale: op.scale[1] } };
    default:
      return { rows: IDENTITY, columns: IDENTITY };
  }
}

/** An operand whose root is read by another operand too cannot be overwritten while that one is still read. */
function withoutSharedOverwrites(operands: readonly Operand[]): Operand[] {
  return operands.map((operand) => {
    const readers = operands.filter((other) => other.root === operand.root).length;
    return readers > 1 ? { ...operand, canBeOverwritten: false } : operand;
  });
}

function weightsOf(program: Program, op: Op): LayerWeights {
  let headerBytes = 0;
  for (const stage of op.epilogue) if (stage.kind === 'lut') headerBytes += sizeBytes(tensorOf(program, stage.table));
  const isInteger = isQuantized(tensorOf(program, op.inputs[0] ?? op.output).dtype);
  const isTabled = op.kind === 'softmax' || op.kind === 'lrn' || op.kind === 'lut';
  const own = op.kind === 'layerNorm' ? op.inputs.slice(1) : op.kind === 'recurrent' ? op.inputs.slice(2) : [];
  const tables = isTabled ? op.inputs.slice(1, 2) : own;
  for (const table of tables) headerBytes += sizeBytes(tensorOf(program, table));
  if (op.kind !== 'conv2d' && op.kind !== 'dense')
    return { headerBytes, channels: 0, recordBytes: 0, totalBytes: headerBytes };
  const weights = tensorOf(program, op.inputs[1] ?? op.output);
  const channels = weights.shape[0] ?? 0;
  const headBytes = isInteger ? 4 + scaleBytes(program, op) : 4;
  const recordBytes = headBytes + sizeBytes(weights) / Math.max(1, channels);
  return { headerBytes, channels, recordBytes, totalBytes: headerBytes + channels * recordBytes };
}

/**
 * Bytes of a channel's scale in its record: 4 where the multipliers have at most 24 significant bits, as those of quantised
 * imports do, else 5.
 */
export function scaleBytes(program: Program, op: Op): 4 | 5 {
  return recordForm(program, op) === 1 ? 5 : 4;
}

/** As the instruction table numbers them: 0 multipliers of 24 bits, 1 of 31 bits, 2 real scales. */
export function recordForm(program: Program, op: Op): 0 | 1 | 2 {
  const requant = program.constants.get(op.inputs[3] ?? op.output);
  if (requant instanceof Float32Array) return 2;
  if (requant === undefined) return 0;
  for (let i = 0; i < requant.length; i += 2) if ((requant[i] ?? 0) % 128 !== 0) return 1;
  return 0;
}

/** Half-open range of input positions under outputs [start, end), not clipped. */
export function inputRange(map: AxisMap, start: number, end: number): { start: number; end: number } {
  const first = Math.floor((start * map.stride) / map.scale) - map.pad;
  if (end <= start) return { start: first, end: first };
  return { start: first, end: Math.floor(((end - 1) * map.stride) / map.scale) - map.pad + map.extent };
}

/** inputRange clipped to [0, limit). */
export function clippedRange(map: AxisMap, start: number, end: number, limit: number): { start: number; end: number } {
  const range = inputRange(map, start, end);
  const first = Math.min(Math.max(0, range.start), limit);
  return { start: first, end: Math.max(first, Math.min(range.end, limit)) };
}

/**
 * A streamed operand under a 1x1 window with a stride is gathered by the DMA: only the pixels that are read move, and the
 * layer then runs with stride 1 on what arrived. Others are streamed as they are.
 */
export function isGathered(operand: Operand): boolean {
  const { rows, columns } = operand;
  return (
    rows.extent === 1 &&
    columns.extent === 1 &&
    rows.pad === 0 &&
    columns.pad === 0 &&
    rows.scale === 1 &&
    columns.scale === 1 &&
    (rows.stride > 1 || columns.stride > 1)
  );
}

/** The operand as it is when streamed: see isGathered. */
export function asStreamed(operand: Operand, output: LayerOutput): Operand {
  if (!isGathered(operand)) return operand;
  return {
    ...operand,
    h: output.h,
    w: output.w,
    rowPitchBytes: operand.rowPitchBytes * operand.rows.stride,
    pixelPitchBytes: operand.pixelPitchBytes * operand.columns.stride,
    rows: IDENTITY,
    columns: IDENTITY,
  };
}
