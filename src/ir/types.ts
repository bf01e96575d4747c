import type { Brand } from '../base/brand.js';
import type { SourceLoc } from '../base/diagnostic.js';

export type TensorId = Brand<number, 'TensorId'>; // prints as %3
export type OpId = Brand<number, 'OpId'>; // prints as @3

export type DType = 'int8' | 'uint8' | 'int16' | 'int32' | 'float32';

export const DTYPE_BYTES: Readonly<Record<DType, number>> = { int8: 1, uint8: 1, int16: 2, int32: 4, float32: 4 };

/** Types whose elements stand for real numbers by a scale and a zero point. */
export type QuantizedDType = 'int8' | 'uint8' | 'int16';

export type ConstantData = Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array;

/**
 * real = scale * (stored - zeroPoint). One scale for an activation; for weights one scale, or one per output channel
 * (axis 0).
 */
export interface Quantization {
  readonly scales: readonly number[];
  readonly zeroPoint: number;
}

/**
 * Where the elements of a tensor lie inside another one (its root): set by `place-concat-slices` on tensors that are
 * written straight into a slice of a concatenation. Element (h, w, c) is at
 * offsetElements + h * rowPitchElements + w * pixelPitchElements + c of the root.
 */
export interface StorageSlice {
  readonly root: TensorId;
  readonly offsetElements: number;
  readonly rowPitchElements: number;
  readonly pixelPitchElements: number;
}

/**
 * Shapes are in storage order, outermost first, with N = 1 (a batch is a matter of the schedule):
 * images [1, H, W, C], sequences [1, L, C], vectors [1, C]. Convolution weights [M, KH, KW, C / groups], dense
 * weights [M, K].
 */
export interface Tensor {
  readonly id: TensorId;
  readonly name: string; // for people; never used as a key
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly quant?: Quantization;
  /**
   * For model inputs and outputs: axis order in which the outside sees the tensor. outside.shape[i] =
   * shape[outsideAxes[i]]; absent when the orders are equal. An ONNX image input (NCHW) has [0, 3, 1, 2].
   */
  readonly outsideAxes?: readonly number[];
  /** For model inputs and outputs whose outside shape differs by more than an axis order (e.g. 1xC for 1x1x1xC). */
  readonly outsideShape?: readonly number[];
  readonly storage?: StorageSlice;
  readonly loc: SourceLoc;
}

/** Functions of one number, in float only; quantisation turns the first eight into tables (`lut`). docs/numerics.md. */
export const UNARY_FUNCTIONS = [
  'leakyRelu',
  'sigmoid',
  'tanh',
  'hardSwish',
  'hardSigmoid',
  'elu',
  'exp',
  'sqrt',
  'abs',
  'neg',
  'floor',
  'ceil',
  'round',
  'trunc',
  'sign',
  'log',
  'erf',
  'gelu',
  'geluTanh',
  'sin',
  'cos',
  'rsqrt',
  'reciprocal',
  'softplus',
  'softsign',
  'silu',
  'mish',
  'square',
  'selu',
  'not',
  'power',
  'atan',
] as const;
export type UnaryFunction = (typeof UNARY_FUNCTIONS)[number];

/** Functions of two numbers beside add, sub and mul. Comparisons and logic give 1 or 0. docs/numerics.md. */
export const BINARY_FUNCTIONS = [
  'div',
  'pow',
  'max',
  'min',
  'mod',
  'equal',
  'less',
  'lessOrEqual',
  'greater',
  'greaterOrEqual',
  'and',
  'or',
  'xor',
  'prelu',
] as const;
export type BinaryFunction = (typeof BINARY_FUNCTIONS)[number];

/** What becomes of the channels of a pixel. argMax and argMin take the first of equals. */
export const REDUCTIONS = [
  'sum',
  'mean',
  'max',
  'min',
  'prod',
  'l1',
  'l2',
  'sumSquare',
  'logSumExp',
  'argMax',
  'argMin',
] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Fixed-point rescaling of an integer binary operator; docs/numerics.md, "add". */
export interface BinaryRescale {
  readonly leftShift: number;
  readonly multiplierA: number;
  readonly shiftA: number;
  readonly multiplierB: number;
  readonly shiftB: number;
  readonly multiplierOut: number;
  readonly shiftOut: number;
}

/**
 * The same in float32, as ONNX has it; docs/numerics.md, "Real rescaling". add and sub: a * scaleA + b * scaleB + offset,
 * zero points included in the offset; mul: the product of both less their zero points, times scaleA (scaleB, offset 0).
 */
export interface RealRescale {
  readonly scaleA: number;
  readonly scaleB: number;
  readonly offset: number;
}

export function isReal(rescale: BinaryRescale | RealRescale): rescale is RealRescale {
  return 'scaleA' in rescale;
}

/**
 * What is applied, element by element and in this order, to the result of an anchor operator before it is stored.
 * Each stage means exactly what the operator of the same name means on its own, roundings included.
 * Only fusion makes these; imported graphs have none.
 */
export type EpilogueStage =
  | { readonly kind: 'clamp'; readonly lo: number; readonly hi: number }
  | { readonly kind: 'lut'; readonly table: TensorId; readonly resultZeroPoint: number }
  | { readonly kind: 'unary'; readonly fn: UnaryFunction; readonly alpha: number; readonly beta: number }
  | {
      readonly kind: 'add';
      readonly operand: TensorId;
      /** Which operand of the original add the anchor's value was. */
      readonly valueIs: 'a' | 'b';
      readonly rescale?: BinaryRescale | RealRescale;
      /** Zero point of the value before the addition, and of the sum. */
      readonly valueZeroPoint: number;
      readonly resultZeroPoint: number;
    };

export interface Window2d {
  readonly kernel: readonly [number, number]; // KH, KW, before dilation
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly pad: { readonly top: number; readonly left: number; readonly bottom: number; readonly right: number };
}

/** Of the rescaling of sums: mbqm rounds twice, mbqmOnce once; docs/numerics.md. Twice when absent. */
export type Rounding = 'once';

interface OpBase {
  readonly id: OpId;
  readonly name: string; // for people and reports
  readonly loc: SourceLoc;
  /** Operands by position; what stands where is said per kind below. Constants are operands too. */
  readonly inputs: readonly TensorId[];
  readonly output: TensorId;
  readonly epilogue: readonly EpilogueStage[];
  /** Zero point of the anchor's own result, before the epilogue (int8 only). Equals the output's when there is none. */
  readonly anchorZeroPoint?: number;
}

/**
 * inputs: x [1,H,W,C], weights [M,KH,KW,C/groups], bias [M] (int32 or float32), then for quantised types requant int32
 * [M,2], or float32 [M] where rescaling is real. Weights of a quantised x are int8 or uint8, with the zero point of their quantisation.
 */
export interface Conv2dOp extends OpBase {
  readonly kind: 'conv2d';
  readonly rounding?: Rounding; // in fixed point only
  readonly window: Window2d;
  readonly groups: number; // groups = C is a depthwise convolution
}
/** inputs: x [1,K], weights [M,K], bias [M], then for quantised types requant int32 [M,2] or float32 [M]. */
export interface DenseOp extends OpBase {
  readonly kind: 'dense';
  readonly rounding?: Rounding; // as conv2d
}
/** inputs: x [1,H,W,C]. Integer: same scale in and out. */
export interface PoolOp extends OpBase {
  readonly kind: 'maxPool' | 'avgPool';
  readonly window: Window2d;
  readonly countIncludePad: boolean; // avgPool only
}
/**
 * inputs: x [1,H,W,C], quantised. The sum of x - zeroPoint over the taps inside the image, times multiplier and shift: means
 * and sums whose result has a quantisation of its own.
 */
export interface SumPoolOp extends OpBase {
  readonly kind: 'sumPool';
  readonly window: Window2d;
  readonly multiplier: number; // in [0, 2^31); 0 where the scale is real
  readonly shift: number;
  readonly scale?: number; // float32: real rescaling
  /** The sum is of x as stored, and this is added in place of the result's zero point; may lie outside of its type. */
  readonly offset?: number;
}
/** inputs: a, b of the same shape, or images [1,H,W,C] in which an extent of 1 is repeated over that of the other. */
export interface BinaryOp extends OpBase {
  readonly kind: 'add' | 'sub' | 'mul';
  readonly rescale?: BinaryRescale | RealRescale; // integer only
}
/** inputs: a, b as of BinaryOp, float32; max and min also of one quantisation. */
export interface BinaryMathOp extends OpBase {
  readonly kind: 'binary';
  readonly fn: BinaryFunction;
}
/** inputs: condition, a, b: where the condition is not 0, a, else b. Extents of 1 are repeated as in BinaryOp. */
export interface SelectOp extends OpBase {
  readonly kind: 'select';
}
/** inputs: x [1,H,W,C]. Over the channels of each pixel, to [1,H,W,1]; argMax and argMin to int32. */
export interface ReduceOp extends OpBase {
  readonly kind: 'reduce';
  readonly fn: Reduction;
}
/** inputs: x [..,C], gamma [C], beta [C], float32 constants. Over the last axis; not centred: root mean square only. */
export interface LayerNormOp extends OpBase {
  readonly kind: 'layerNorm';
  readonly epsilon: number;
  readonly isCentred: boolean;
}
/**
 * inputs: a [1,B,M,K], b [1,B,K,N], or [1,B,N,K] with transposeB; [1,1,..] is repeated. Both may be activations. float32, or int8 or
 * uint8 throughout.
 */
export interface MatMulOp extends OpBase {
  readonly kind: 'matmul';
  readonly transposeB: boolean;
  readonly rescale?: SumRescale; // integer only
}
/** Of sums of integer products: in fixed point, or by a float32 scale (multiplier and shift 0). */
export interface SumRescale {
  readonly multiplier: number; // in [2^30, 2^31), or 0
  readonly shift: number;
  readonly rounding?: Rounding; // in fixed point only
  readonly scale?: number; // real rescaling
}
/**
 * inputs: table [V,D], a constant or an activation, and int32 indices [1,N,1]; result [1,N,D]. Row i of the result is the row of the
 * table that index i names; negative ones count from the end, those outside are limited.
 */
export interface GatherOp extends OpBase {
  readonly kind: 'gather';
}
export const RECURRENT_CELLS = ['lstm', 'gru', 'lstmInt8'] as const;
export type RecurrentCell = (typeof RECURRENT_CELLS)[number];

/**
 * The numbers behind the biases of an lstmInt8 table: multiplier and shift of the sums over inputs and over h for the gates i, f, g, o,
 * then those of h, the zero point that is taken from it, that which is stored for 0, the cell's bits of fraction, and its largest size
 * as stored (0: no limit).
 */
export const RECURRENT_INT8 = {
  inputScales: 0,
  stateScales: 8,
  hiddenScale: 16,
  hiddenZero: 18,
  stateZero: 19,
  cellBits: 20,
  clip: 21,
  length: 22,
} as const;

/**
 * inputs: x [1,T,1,I], initial state [1,1,1,S], constant table float32 [G*H*(I+H+2)]; result [1,T,1,S], the state after each step
 * (row t, steps in reverse order where isReverse). lstm: S = 2H, h then c, gates i, f, g, o; gru: S = H, gates z, r, h. The table holds
 * rows of the inputs' weights for each gate, rows of the recurrent weights, the inputs' biases, the recurrent biases.
 *
 * lstmInt8 is TFLite's LSTM in integers: x int8, state int16 (h less its zero point, then c in 2^-cellBits), table int8: the rows of
 * weights, then int32s, little endian: the inputs' biases, and what RECURRENT_INT8 says.
 */
export interface RecurrentOp extends OpBase {
  readonly kind: 'recurrent';
  readonly cell: RecurrentCell;
  readonly hidden: number;
  readonly isReverse: boolean;
  /** gru: the reset gate applies after the product with the recurrent weights. */
  readonly resetsAfter: boolean;
  /** lstm: largest size of c, a float32; 0 for none. */
  readonly clip: number;
}
/** inputs: x [1,H,W,C] with extents of 1 that are repeated to those of the output. */
export interface BroadcastOp extends OpBase {
  readonly kind: 'broadcast';
}
/** inputs: x. clamp keeps the quantisation; lo and hi are in stored units for quantised types, real for float32. */
export interface ClampOp extends OpBase {
  readonly kind: 'clamp';
  readonly lo: number;
  readonly hi: number;
}
/** inputs: x. float32 only. */
export interface UnaryOp extends OpBase {
  readonly kind: 'unary';
  readonly fn: UnaryFunction;
  readonly alpha: number; // leakyRelu slope, elu alpha, hardSigmoid alpha; else 0
  readonly beta: number; // hardSigmoid beta; else 0
}
/** inputs: x quantised, table of the same type, [256] or of int16 [65536]; result = table[x - lowest stored value of the type]. */
export interface LutOp extends OpBase {
  readonly kind: 'lut';
}
/** Integer softmax in the fixed-point numbers of gemmlowp; docs/numerics.md, "softmax". */
export interface FixedPointSoftmax {
  readonly multiplier: number; // of a difference to the largest element, to 26 bits of fraction
  readonly leftShift: number;
  readonly leastDifference: number; // smaller differences count as 0
}
/**
 * inputs: x, then for quantised types without `fixedPoint` table int32 [256], or float32 [256] where there is a realScale. Over the last
 * axis.
 */
export interface SoftmaxOp extends OpBase {
  readonly kind: 'softmax';
  readonly fixedPoint?: FixedPointSoftmax;
  /** Steps of the result in 1, a float32: integers by way of real numbers, as ONNX has it; docs/numerics.md, "softmax". */
  readonly realScale?: number;
}
/** inputs: x [1,H,W,C], then for int8 table int32 [1024]. Across channels. */
export interface LrnOp extends OpBase {
  readonly kind: 'lrn';
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
  readonly sumShift: number; // int8 only: table index = sum of squares >> sumShift
}
/** inputs: x [1,H,W,C]; output [1,H*scale[0],W*scale[1],C], nearest neighbour, floor(i / scale). */
export interface UpsampleOp extends OpBase {
  readonly kind: 'upsample';
  readonly scale: readonly [number, number];
}
/**
 * How a position o of the output maps to the input; docs/numerics.md, "resize".
 * asymmetric: o * in / out. alignCorners: o * (in - 1) / (out - 1). halfPixel: (o + 0.5) * in / out - 0.5.
 */
export type ResizeCoordinates = 'asymmetric' | 'alignCorners' | 'halfPixel';
/** inputs: x [1,H,W,C]; output [1,size[0],size[1],C]. Same quantisation in and out. */
export interface ResizeOp extends OpBase {
  readonly kind: 'resize';
  readonly mode: 'nearest' | 'bilinear';
  readonly size: readonly [number, number];
  readonly coordinates: ResizeCoordinates;
}
/** inputs: x [1,H,W,C]. `before` and `after` are rows, columns and channels of `value` (as stored) around it. */
export interface PadOp extends OpBase {
  readonly kind: 'pad';
  readonly before: readonly [number, number, number];
  readonly after: readonly [number, number, number];
  readonly value: number; // 0 where the border repeats the image
  /** reflect: the image mirrored at its edge, which is not repeated; edge: its last element. */
  readonly mode?: 'reflect' | 'edge';
}
/**
 * inputs: x. To another type or quantisation: float32 to quantised and back by the scale of the quantised side, quantised to
 * quantised by multiplier and shift (both 0 in the other cases).
 */
export interface ConvertOp extends OpBase {
  readonly kind: 'convert';
  readonly to: DType;
  readonly rounding?: 'halfEven'; // of float32 to quantised; halves away from zero when absent
  readonly multiplier: number;
  readonly shift: number;
}
/** inputs: any number of tensors; integer: all of one quantisation. */
export interface ConcatOp extends OpBase {
  readonly kind: 'concat';
  readonly axis: number;
}
/** inputs: x. Elements [start, start + size) along the axis, where size is the output's. */
export interface SliceOp extends OpBase {
  readonly kind: 'slice';
  readonly axis: number;
  readonly start: number;
}
/** inputs: x. Same elements in the same storage order, another shape. A view: costs nothing. */
export interface ReshapeOp extends OpBase {
  readonly kind: 'reshape';
}
/** inputs: x. output.shape[i] = x.shape[perm[i]]. */
export interface TransposeOp extends OpBase {
  readonly kind: 'transpose';
  readonly perm: readonly number[];
}
/** inputs: x. The identity, materialised: canonicalisation inserts it where a concatenation needs a copy. */
export interface CopyOp extends OpBase {
  readonly kind: 'copy';
}

export type Op =
  | Conv2dOp
  | DenseOp
  | PoolOp
  | SumPoolOp
  | BinaryOp
  | FloatOp
  | ClampOp
  | UnaryOp
  | LutOp
  | SoftmaxOp
  | LrnOp
  | UpsampleOp
  | ResizeOp
  | PadOp
  | ConvertOp
  | ConcatOp
  | SliceOp
  | ReshapeOp
  | TransposeOp
  | CopyOp;

/** Operators that quantisation has no integers for. */
export type FloatOp =
  | BinaryMathOp
  | SelectOp
  | ReduceOp
  | LayerNormOp
  | MatMulOp
  | GatherOp
  | RecurrentOp
  | BroadcastOp;

export type OpKind = Op['kind'];

/**
 * What a model carries from frame to frame: the input holds what the output held at the end of the frame before, and at first
 * real zeros. Both are positions in the program's lists, which passes keep.
 */
export interface StateLink {
  readonly input: number;
  readonly output: number;
}

/**
 * A dataflow graph in execution order, and what the passes have found out about it. Never mutated: a pass returns a
 * new Program that shares what it did not change.
 */
export interface Program {
  readonly name: string;
  readonly source: string; // the file as the user named it
  readonly tensors: ReadonlyMap<TensorId, Tensor>;
  readonly ops: readonly Op[]; // every operand is a model input, a constant, or the output of an earlier op
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
  readonly states?: readonly StateLink[];
  /** Tensors that are constants, with their elements. A program parsed without its binary has empty arrays here. */
  readonly constants: ReadonlyMap<TensorId, ConstantData>;
}
