/**
 * What a `.model.ts` file imports from 'spillway/model'. A model file is never run: Spillway evaluates it over its syntax
 * tree (translate-*.ts), so these are types alone, and importing this module at run time gives nothing.
 *
 * Shapes are [1, H, W, C] for images and [1, C] for vectors: the batch is a matter of the schedule, not of the model.
 */

declare const brand: unique symbol;

/** A value that flows through the network. */
export interface Tensor {
  readonly [brand]: 'Tensor';
  readonly name: string;
  /** [1, H, W, C] or [1, C] */
  readonly shape: readonly number[];
  /** Images only. */
  readonly height: number;
  /** Images only. */
  readonly width: number;
  /** The last extent of the shape. */
  readonly channels: number;
}

export type ActivationName =
  | 'none'
  | 'relu'
  | 'relu6'
  | 'leakyRelu'
  | 'sigmoid'
  | 'tanh'
  | 'hardSwish'
  | 'hardSigmoid'
  | 'elu';

export interface NameOption {
  /** Unique in the model; seeds the weights. Default: the kind and a number, `conv3`. */
  readonly name?: string;
}

export interface ActivationOptions {
  /** Applied to the result, as a layer named `<name>.<activation>`. Default: none. */
  readonly activation?: ActivationName;
  /** Slope of leakyRelu for negative values (default 0.01) or alpha of elu (default 1). */
  readonly alpha?: number;
}

/** One number for both axes, or [rows, columns]. */
export type Pair = number | readonly [number, number];

/**
 * 'same': the output has ceil(input / stride) rows and columns, what is odd goes to the bottom and the right (as in
 * TensorFlow); 'valid': none; a number: on all four sides; a list: [top, left, bottom, right].
 */
export type Padding = 'same' | 'valid' | number | readonly [number, number, number, number];

export interface WindowOptions {
  readonly kernel: Pair;
  /** Default: 1 for convolutions, the kernel for pools. */
  readonly stride?: Pair;
  /** Default 'valid'. */
  readonly pad?: Padding;
  /** Default 1. */
  readonly dilation?: Pair;
}

export interface WeightOptions {
  /** False: the bias is zero. Default true. */
  readonly bias?: boolean;
}

export interface Conv2dOptions extends WindowOptions, WeightOptions, ActivationOptions, NameOption {
  /** Output channels. */
  readonly channels: number;
  /** Default 1; divides the input and the output channels. */
  readonly groups?: number;
}

export interface DepthwiseConv2dOptions extends WindowOptions, WeightOptions, ActivationOptions, NameOption {
  /** Output channels per input channel. Default 1. */
  readonly multiplier?: number;
}

export interface DenseOptions extends WeightOptions, ActivationOptions, NameOption {
  /** Outputs. */
  readonly channels: number;
}

export interface AvgPoolOptions extends WindowOptions, NameOption {
  /** True: padding counts as zeros in the mean. Default false. */
  readonly countIncludePad?: boolean;
}

export interface ImageInput extends NameOption {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface VectorInput extends NameOption {
  readonly channels: number;
}

/** An input of the model: an image, or a vector where height and width are left out. */
export declare function input(options: ImageInput | VectorInput): Tensor;

/** Convolution with bias. Weights [channels, KH, KW, C / groups] come from a generator seeded with model and op name. */
export declare function conv2d(x: Tensor, options: Conv2dOptions): Tensor;
/** Convolution of each channel by itself. */
export declare function depthwiseConv2d(x: Tensor, options: DepthwiseConv2dOptions): Tensor;
/** Matrix product of a vector [1, K]; an image is made one by `flatten`. */
export declare function dense(x: Tensor, options: DenseOptions): Tensor;

export declare function maxPool(x: Tensor, options: WindowOptions & NameOption): Tensor;
export declare function avgPool(x: Tensor, options: AvgPoolOptions): Tensor;
/** Mean over the whole image: [1, 1, 1, C]. */
export declare function globalAvgPool(x: Tensor, options?: NameOption): Tensor;

/** Element by element; both shapes must be equal. */
export declare function add(a: Tensor, b: Tensor, options?: ActivationOptions & NameOption): Tensor;
export declare function sub(a: Tensor, b: Tensor, options?: ActivationOptions & NameOption): Tensor;
export declare function mul(a: Tensor, b: Tensor, options?: ActivationOptions & NameOption): Tensor;

/** Joins along an axis of the shape; default the last, channels. */
export declare function concat(tensors: readonly Tensor[], options?: { readonly axis?: number } & NameOption): Tensor;
/** Elements [start, start + length) along an axis; default the last, channels. */
export declare function slice(
  x: Tensor,
  options: { readonly start: number; readonly length: number; readonly axis?: number } & NameOption,
): Tensor;
/** Nearest neighbour, by whole factors. Default scale 2. */
export declare function upsample(x: Tensor, options?: { readonly scale?: Pair } & NameOption): Tensor;
/** The same elements in the same order (H, W, C) under another shape. */
export declare function reshape(x: Tensor, shape: readonly number[], options?: NameOption): Tensor;
/** To a vector [1, H * W * C]. */
export declare function flatten(x: Tensor, options?: NameOption): Tensor;

export declare function relu(x: Tensor, options?: NameOption): Tensor;
export declare function relu6(x: Tensor, options?: NameOption): Tensor;
/** min(max(x, lo), hi) */
export declare function clamp(x: Tensor, options: { readonly lo: number; readonly hi: number } & NameOption): Tensor;
export declare function leakyRelu(x: Tensor, options?: { readonly alpha?: number } & NameOption): Tensor;
export declare function elu(x: Tensor, options?: { readonly alpha?: number } & NameOption): Tensor;
export declare function sigmoid(x: Tensor, options?: NameOption): Tensor;
export declare function tanh(x: Tensor, options?: NameOption): Tensor;
export declare function hardSwish(x: Tensor, options?: NameOption): Tensor;
export declare function hardSigmoid(x: Tensor, options?: NameOption): Tensor;
/** Over the last axis. */
export declare function softmax(x: Tensor, options?: NameOption): Tensor;
/** Local response normalisation across `size` channels. Defaults alpha 1e-4, beta 0.75, k 1. */
export declare function lrn(
  x: Tensor,
  options: { readonly size: number; readonly alpha?: number; readonly beta?: number; readonly k?: number } & NameOption,
): Tensor;

export type ParamValue = number | string | boolean;

/** A parameter with its limits. */
export interface ParamSpec<T extends ParamValue = ParamValue> {
  readonly default: T;
  /** Numbers only: the least and the greatest value. */
  readonly min?: number;
  readonly max?: number;
  /** Numbers only: the value must be a multiple of this. */
  readonly multipleOf?: number;
  /** The only values allowed. */
  readonly oneOf?: readonly T[];
}

export type Params = Readonly<Record<string, ParamValue | ParamSpec>>;

type Widen<T> = T extends number ? number : T extends string ? string : T extends boolean ? boolean : never;

/** What `build` gets: every parameter with the value of `--param`, or its default. */
export type ParamValues<P extends Params> = {
  readonly [K in keyof P]: P[K] extends { readonly default: infer T } ? Widen<T> : Widen<P[K]>;
};

/** The outputs: one, several, or several with names. */
export type Outputs = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

export interface Model {
  readonly [brand]: 'Model';
}

/**
 * The default export of a model file.
 *
 * `--param k=v` sets parameters. One named `batch` is the default number of frames per period; it is no part of the
 * graph, which always describes one frame.
 */
export declare function model<const P extends Params = Record<never, ParamValue>>(definition: {
  readonly name: string;
  readonly params?: P;
  readonly build: (params: ParamValues<P>) => Outputs;
}): Model;
