/**
 * What follows from one op or one tensor alone: operands, sizes, work, the image view of any shape, and the rows of input
 * that lie under rows of output.
 */
import { assertNever } from '../base/assert-never.js';
import type {
  DType,
  EpilogueStage,
  FloatOp,
  Op,
  OpKind,
  Program,
  QuantizedDType,
  RecurrentCell,
  StorageSlice,
  Tensor,
  TensorId,
  Window2d,
} from './types.js';
import { DTYPE_BYTES } from './types.js';

/** `Omit` that keeps a union a union. */
export type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** The tensor with this id. @throws Error (a bug of ours) if the program has none; a well-formed one always has. */
export function tensorOf(program: Pick<Program, 'tensors'>, id: TensorId): Tensor {
  const tensor = program.tensors.get(id);
  if (tensor === undefined) throw new Error(`program has no tensor %${id}`);
  return tensor;
}

/** Tensors that the stages read: tables and the other operands of additions, in stage order. */
export function epilogueOperands(epilogue: readonly EpilogueStage[]): TensorId[] {
  const operands: TensorId[] = [];
  for (const stage of epilogue) {
    if (stage.kind === 'add') operands.push(stage.operand);
    else if (stage.kind === 'lut') operands.push(stage.table);
  }
  return operands;
}

/** Everything the op reads: its inputs by position, then its epilogue's operands. A tensor read twice is there twice. */
export function operandsOf(op: Pick<Op, 'inputs' | 'epilogue'>): TensorId[] {
  return [...op.inputs, ...epilogueOperands(op.epilogue)];
}

/** The operands that are not constants: what has to be computed or fed before the op can run. */
export function activationInputs(op: Pick<Op, 'inputs' | 'epilogue'>, program: Program): TensorId[] {
  return operandsOf(op).filter((id) => !program.constants.has(id));
}

export function constantInputs(op: Pick<Op, 'inputs' | 'epilogue'>, program: Program): TensorId[] {
  return operandsOf(op).filter((id) => program.constants.has(id));
}

export function isQuantized(dtype: DType): dtype is QuantizedDType {
  return dtype === 'int8' || dtype === 'uint8' || dtype === 'int16';
}

/** Lowest and highest element of the type. */
export function storedRange(dtype: QuantizedDType): { readonly lo: number; readonly hi: number } {
  switch (dtype) {
    case 'int8':
      return { lo: -128, hi: 127 };
    case 'uint8':
      return { lo: 0, hi: 255 };
    case 'int16':
      return { lo: -32768, hi: 32767 };
    default:
      return assertNever(dtype);
  }
}

const FLOAT_KINDS: Readonly<Record<FloatOp['kind'], true>> = {
  binary: true,
  select: true,
  reduce: true,
  layerNorm: true,
  matmul: true,
  gather: true,
  recurrent: true,
  broadcast: true,
};

/** One of the operators that quantisation has no integers for; holds for ops without their place in a program, too. */
export function isFloatOp<Some extends Pick<Op, 'kind'>>(op: Some): op is Extract<Some, { kind: FloatOp['kind'] }> {
  return op.kind in FLOAT_KINDS;
}

/** Product of the extents; 1 for a scalar. */
export function elementCountOf(shape: readonly number[]): number {
  let count = 1;
  for (const extent of shape) count *= extent;
  return count;
}

export function elementCount(tensor: Pick<Tensor, 'shape'>): number {
  return elementCountOf(tensor.shape);
}

/** Bytes of the elements alone, without any gap between them. */
export function sizeBytes(tensor: Pick<Tensor, 'shape' | 'dtype'>): number {
  return elementCount(tensor) * DTYPE_BYTES[tensor.dtype];
}

export interface ImageShape {
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/**
 * A tensor as the machine sees it: rows of pixels of channels.
 * [1,H,W,C] is H x W x C, [1,L,C] is L x 1 x C, [1,C] and [C] are 1 x 1 x C, [1,H,W,G,C] is H x W x (G*C). A first extent
 * other than 1 multiplies the rows.
 */
export function imageShapeOf(shape: readonly number[]): ImageShape {
  const [a = 1, b = 1, c = 1] = shape;
  if (shape.length <= 1) return { h: 1, w: 1, c: a };
  if (shape.length === 2) return { h: a, w: 1, c: b };
  if (shape.length === 3) return { h: a * b, w: 1, c };
  return { h: a * b, w: c, c: elementCountOf(shape.slice(3)) };
}

export function imageShape(tensor: Pick<Tensor, 'shape'>): ImageShape {
  return imageShapeOf(tensor.shape);
}

/** Where the tensor's elements lie: its slice of another tensor, or itself from element 0 on without gaps. */
export function storageOf(tensor: Tensor): StorageSlice {
  if (tensor.storage !== undefined) return tensor.storage;
  const { w, c } = imageShape(tensor);
  return { root: tensor.id, offsetElements: 0, rowPitchElements: w * c, pixelPitchElements: c };
}

/** The tensor whose bytes these are: the one at the end of the storage, or the tensor itself. */
export function rootOf(tensor: Tensor): TensorId {
  return tensor.storage?.root ?? tensor.id;
}

/** True if there are no gaps between the elements, wherever they start. */
export function isContiguous(tensor: Tensor): boolean {
  const { h, w, c } = imageShape(tensor);
  const { rowPitchElements, pixelPitchElements } = storageOf(tensor);
  return (w === 1 || pixelPitchElements === c) && (h === 1 || rowPitchElements === w * c);
}

/** Gates of a cell: of an LSTM i, f, g, o; of a GRU z, r, h. */
export function gateCount(cell: RecurrentCell): 3 | 4 {
  return cell === 'gru' ? 3 : 4;
}

/** Multiply-accumulates of the anchor; 0 for everything that is not a convolution or a matrix product. */
export function macsOf(op: Op, program: Pick<Program, 'tensors'>): number {
  if (op.kind === 'matmul') {
    const [a] = op.inputs;
    return (
      elementCount(tensorOf(program, op.output)) * (a === undefined ? 0 : (tensorOf(program, a).shape.at(-1) ?? 0))
    );
  }
  if (op.kind === 'recurrent') {
    const [, steps = 1, , inputs = 1] = tensorOf(program, op.inputs[0] ?? op.output).shape;
    return steps * gateCount(op.cell) * op.hidden * (inputs + op.hidden);
  }
  if (op.kind !== 'conv2d' && op.kind !== 'dense') return 0;
  const [, weightsId] = op.inputs;
  if (weightsId === undefined) return 0;
  const weights = tensorOf(program, weightsId);
  const outputs = elementCount(tensorOf(program, op.output));
  return outputs * elementCountOf(weights.shape.slice(1));
}

/** Zero point of the anchor's own result, before the epilogue; 0 for float32. */
export function anchorZeroPointOf(op: Op, program: Pick<Program, 'tensors'>): number {
  return op.anchorZeroPoint ?? tensorOf(program, op.output).quant?.zeroPoint ?? 0;
}

/** Kinds whose result has the quantisation of their input, whatever it is. */
export function keepsQuantization(kind: OpKind): boolean {
  switch (kind) {
    case 'maxPool':
    case 'avgPool':
    case 'clamp':
    case 'binary':
    case 'select':
    case 'broadcast':
    case 'gather':
    case 'upsample':
    case 'resize':
    case 'pad':
    case 'concat':
    case 'slice':
    case 'reshape':
    case 'transpose':
    case 'copy':
      return true;
    case 'conv2d':
    case 'dense':
    case 'add':
    case 'sub':
    case 'mul':
    case 'unary':
    case 'lut':
    case 'sumPool':
    case 'convert':
    case 'softmax':
    case 'lrn':
    case 'reduce':
    case 'layerNorm':
    case 'matmul':
    case 'recurrent':
      return false;
    default:
      return assertNever(kind);
  }
}

/** Half-open: rows [start, end). */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** One axis of a window. */
export interface WindowAxis {
  readonly kernel: number; // before dilation
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
}

/** @param axis 0 for rows (H), 1 for columns (W) */
export function windowAxis(window: Window2d, axis: 0 | 1): WindowAxis {
  return {
    kernel: window.kernel[axis],
    stride: window.stride[axis],
    dilation: window.dilation[axis],
    padBefore: axis === 0 ? window.pad.top : window.pad.left,
  };
}

/** Rows from the first tap of a window to one past its last. */
export function windowExtent(axis: Pick<WindowAxis, 'kernel' | 'dilation'>): number {
  return (axis.kernel - 1) * axis.dilation + 1;
}

/**
 * Input rows under the windows of output rows [start, end), padding included: the range can begin below 0 and end beyond
 * the image. An empty range of outputs needs an empty range of inputs.
 */
export function rowsUnderWindows(axis: WindowAxis, outputs: RowRange): RowRange {
  const start = outputs.start * axis.stride - axis.padBefore;
  if (outputs.end <= outputs.start) return { start, end: start };
  return { start, end: (outputs.end - 1) * axis.stride - axis.padBefore + windowExtent(axis) };
}

/** The part of the range inside [0, limit); empty ranges keep start === end. */
export function clipRows(range: RowRange, limit: number): RowRange {
  const start = Math.min(Math.max(range.start, 0), limit);
  return { start, end: Math.max(start, Math.min(range.end, limit)) };
}

/**
 * Rows of inputs[0] that the op reads for output rows [start, end) of its image view, not clipped to the image.
 * Operators that mix rows (dense, transpose) and those that are not row by row (concat, slice, reshape) need all of it.
 *
 * @param inputRows rows of the input's image view
 */
export function inputRowsFor(op: Op, outputs: RowRange, inputRows: number): RowRange {
  switch (op.kind) {
    case 'conv2d':
    case 'maxPool':
    case 'avgPool':
    case 'sumPool':
      return rowsUnderWindows(windowAxis(op.window, 0), outputs);
    case 'upsample': {
      const [scale] = op.scale;
      const start = Math.floor(outputs.start / scale);
      return { start, end: outputs.end <= outputs.start ? start : Math.floor((outputs.end - 1) / scale) + 1 };
    }
    case 'add':
    case 'sub':
    case 'mul':
    case 'clamp':
    case 'unary':
    case 'lut':
    case 'convert':
    case 'softmax':
    case 'lrn':
    case 'copy':
    case 'reduce':
    case 'layerNorm':
    case 'matmul':
      return outputs;
    case 'binary':
    case 'select':
    case 'broadcast':
      return inputRows === 1 ? { start: 0, end: 1 } : outputs;
    case 'pad':
      if (op.mode !== undefined) return { start: 0, end: inputRows };
      return { start: outputs.start - op.before[0], end: outputs.end - op.before[0] };
    case 'resize':
    case 'gather':
    case 'recurrent':
    case 'dense':
    case 'transpose':
    case 'concat':
    case 'slice':
    case 'reshape':
      return { start: 0, end: inputRows };
    default:
      return assertNever(op);
  }
}
