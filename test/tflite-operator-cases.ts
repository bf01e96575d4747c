/** Models of one operator, in the forms that files have them. */
import type { FileModel, FileOperator, FileTensor, OptionValue } from './tflite-builder.js';

export interface OperatorCase {
  readonly name: string;
  readonly model: FileModel;
}

let seed = 1;
/** Reproducible numbers in [0, 1). */
function random(): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >>> 8) / 2 ** 23;
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const floats = (shape: readonly number[], size = 1): Float32Array =>
  Float32Array.from({ length: count(shape) }, () => (random() * 2 - 1) * size);
const bytes = (shape: readonly number[]): Int8Array =>
  Int8Array.from({ length: count(shape) }, () => Math.floor(random() * 255) - 127);
const ubytes = (shape: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: count(shape) }, () => Math.floor(random() * 256));
const ints = (...values: number[]): Int32Array => Int32Array.from(values);

type Kind = 'int8' | 'uint8' | 'float32';

/** An activation; quantised ones with a scale and zero point of their own. */
function act(name: string, type: Kind, shape: readonly number[], scale = 0.05, zero = 3): FileTensor {
  if (type === 'float32') return { name, type, shape };
  return { name, type, shape, scales: [scale], zeroPoints: [type === 'uint8' ? zero + 128 : zero] };
}

function constant(name: string, type: Kind, shape: readonly number[], scale = 0.03, zero = -4): FileTensor {
  if (type === 'float32') return { name, type, shape, data: floats(shape) };
  if (type === 'int8') return { ...act(name, type, shape, scale, zero), data: bytes(shape) };
  return { ...act(name, type, shape, scale, zero), data: ubytes(shape) };
}

const int32 = (name: string, shape: readonly number[], ...values: number[]): FileTensor => ({
  name,
  type: 'int32',
  shape,
  data: ints(...values),
});

type Options = Readonly<Record<number, OptionValue>>;

interface Spec {
  readonly code: number;
  readonly optionsType?: number;
  readonly options?: Options;
  readonly version?: number;
  readonly custom?: string;
}

/** One operator of all the operands; those without data are inputs. */
function one(name: string, spec: Spec, operands: readonly FileTensor[], results: readonly FileTensor[]): OperatorCase {
  const tensors = [...operands, ...results];
  const outputs = results.map((_, i) => operands.length + i);
  const operator: FileOperator = { ...spec, inputs: operands.map((_, i) => i), outputs };
  const inputs = operands.flatMap((operand, i) => (operand.data === undefined ? [i] : []));
  return { name, model: { tensors, operators: [operator], inputs, outputs } };
}

const i8 = (value: number): OptionValue => ({ i8: value });
const i32 = (value: number): OptionValue => ({ i32: value });
const f32 = (value: number): OptionValue => ({ f32: value });

const KINDS: readonly Kind[] = ['int8', 'uint8', 'float32'];
const QUANTISED: readonly Kind[] = ['int8', 'uint8'];

/** Weights of a convolution, and a bias; int8 with a scale for each output channel. */
function weights(type: Kind, shape: readonly number[], axis: number): FileTensor[] {
  const channels = shape[axis] ?? 1;
  if (type === 'float32') return [constant('w', type, shape), constant('b', type, [channels])];
  const biasOf = (): FileTensor => ({
    ...int32('b', [channels], ...Array.from({ length: channels }, () => Math.floor(random() * 2000) - 1000)),
    scales: [0.05 * 0.01],
  });
  if (type === 'uint8')
    return [constant('w', type, shape, 0.01, 5), { ...biasOf(), scales: [Math.fround(0.05) * 0.01] }];
  const scales = Array.from({ length: channels }, () => 0.005 + random() * 0.01);
  const perChannel = { scales, zeroPoints: scales.map(() => 0), axis };
  return [
    { name: 'w', type, shape, data: bytes(shape), ...perChannel },
    { ...biasOf(), ...perChannel, axis: 0 },
  ];
}

function convolutions(): OperatorCase[] {
  const SAME = 0;
  const VALID = 1;
  return KINDS.flatMap((type) => {
    const x = act('x', type, [1, 9, 7, 4]);
    const conv = (name: string, padding: number, stride: number, dilation: number, activation: number, y: number[]) =>
      one(
        `CONV_2D ${type} ${name}`,
        {
          code: 3,
          optionsType: 1,
          options: {
            0: i8(padding),
            1: i32(stride),
            2: i32(stride),
            3: i8(activation),
            4: i32(dilation),
            5: i32(dilation),
          },
          version: type === 'int8' ? 3 : 1,
        },
        [x, ...weights(type, [6, 3, 3, 4], 0)],
        [act('y', type, y, 0.09, -7)],
      );
    const depthwise = (name: string, multiplier: number, stride: number, activation: number, y: number[]) =>
      one(
        `DEPTHWISE_CONV_2D ${type} ${name}`,
        {
          code: 4,
          optionsType: 2,
          options: {
            0: i8(SAME),
            1: i32(stride),
            2: i32(stride),
            3: i32(multiplier),
            4: i8(activation),
            5: i32(1),
            6: i32(1),
          },
          version: type === 'int8' ? 3 : 1,
        },
        [x, ...weights(type, [1, 3, 3, 4 * multiplier], 3)],
        [act('y', type, y, 0.09, -7)],
      );
    const dense = (name: string, shape: number[], y: number[], keep: number) =>
      one(
        `FULLY_CONNECTED ${type} ${name}`,
        {
          code: 9,
          optionsType: 8,
          options: { 0: i8(1), 2: i8(keep) },
          version: type === 'int8' ? 4 : keep === 1 ? 5 : 1,
        },
        [
          act('x', type, shape),
          type === 'int8' ? constant('w', type, [5, 12], 0.01, 0) : (weights(type, [5, 12], 0)[0] as FileTensor),
          { ...(weights(type === 'int8' ? 'uint8' : type, [5, 12], 0)[1] as FileTensor) },
        ],
        [act('y', type, y, 0.09, -7)],
      );
    return [
      conv('same, stride 2', SAME, 2, 1, 0, [1, 5, 4, 6]),
      conv('valid, relu6', VALID, 1, 1, 3, [1, 7, 5, 6]),
      conv('dilated, relu', SAME, 1, 2, 1, [1, 9, 7, 6]),
      depthwise('relu6', 1, 1, 3, [1, 9, 7, 4]),
      depthwise('two for each, stride 2', 2, 2, 0, [1, 5, 4, 8]),
      dense('one row', [1, 12], [1, 5], 0),
      dense('rows', [3, 12], [3, 5], 0),
      dense('kept axes', [1, 2, 3, 12], [1, 2, 3, 5], 1),
    ];
  });
}

function binaries(): OperatorCase[] {
  const CODES = { ADD: [0, 11], SUB: [41, 28], MUL: [18, 21] } as const;
  return KINDS.flatMap((type) =>
    (Object.keys(CODES) as (keyof typeof CODES)[]).flatMap((name) => {
      const [code, optionsType] = CODES[name];
      const spec = { code, optionsType, options: { 0: i8(0) }, version: type === 'int8' ? 2 : 1 };
      const a = act('a', type, [1, 5, 6, 3], 0.07);
      const y = act('y', type, [1, 5, 6, 3], 0.11, 9);
      return [
        one(`${name} ${type}`, spec, [a, act('b', type, [1, 5, 6, 3], 0.02, -20)], [y]),
        one(`${name} ${type}, relu6`, { ...spec, options: { 0: i8(3) } }, [a, act('b', type, [1, 5, 6, 3], 0.02)], [y]),
        one(`${name} ${type}, a scalar`, spec, [a, constant('b', type, [1])], [y]),
        one(`${name} ${type}, scalar first`, spec, [constant('b', type, [1]), a], [y]),
        ...(type === 'float32' || name === 'MUL'
          ? [one(`${name} ${type}, one for each channel`, spec, [a, constant('b', type, [3])], [y])]
          : []),
      ];
    }),
  );
}

function activations(): OperatorCase[] {
  const shape = [1, 16, 16, 1];
  const codes: [string, number, Spec][] = [
    ['RELU', 0.04, { code: 19 }],
    ['RELU6', 0.04, { code: 21 }],
    ['RELU_N1_TO_1', 0.02, { code: 20 }],
    ['LEAKY_RELU', 0.06, { code: 98, optionsType: 75, options: { 0: f32(0.3) } }],
    ['HARD_SWISH', 0.06, { code: 117, optionsType: 91 }],
  ];
  const cases = KINDS.flatMap((type) =>
    codes.flatMap(([name, scale, spec]) => {
      const version = type === 'int8' && (spec.code === 19 || spec.code === 21 || spec.code === 98) ? 2 : 1;
      return [0.05, 0.011].map((inScale) =>
        one(
          `${name} ${type} of ${inScale}`,
          { ...spec, version },
          [act('x', type, shape, inScale, 10)],
          [act('y', type, shape, scale, -30)],
        ),
      );
    }),
  );
  const fixed = KINDS.flatMap((type) =>
    [0.05, 0.011, 0.3].flatMap((inScale) => {
      const version = type === 'int8' ? 2 : 1;
      const x = act('x', type, [1, 16, 16], inScale, 10);
      return [
        one(`LOGISTIC ${type} of ${inScale}`, { code: 14, version }, [x], [act('y', type, [1, 16, 16], 1 / 256, -128)]),
        one(`TANH ${type} of ${inScale}`, { code: 28, version }, [x], [act('y', type, [1, 16, 16], 1 / 128, 0)]),
        one(
          `SOFTMAX ${type} of ${inScale}`,
          { code: 25, optionsType: 9, options: { 0: f32(1) }, version },
          [x],
          [act('y', type, [1, 16, 16], 1 / 256, -128)],
        ),
      ];
    }),
  );
  const x = act('x', 'float32', [1, 4, 4, 3]);
  const prelu = one(
    'PRELU float32',
    { code: 54 },
    [x, constant('slopes', 'float32', [1, 1, 3])],
    [act('y', 'float32', [1, 4, 4, 3])],
  );
  return [...cases, ...fixed, prelu];
}

function pools(): OperatorCase[] {
  return KINDS.flatMap((type) => {
    const x = act('x', type, [1, 7, 8, 3]);
    const version = type === 'int8' ? 2 : 1;
    const options = (kernel: number, stride: number, padding: number, activation: number): Options => ({
      0: i8(padding),
      1: i32(stride),
      2: i32(stride),
      3: i32(kernel),
      4: i32(kernel),
      5: i8(activation),
    });
    const pool = (name: string, code: number, o: Options, y: number[]) =>
      one(`${name} ${type}`, { code, optionsType: 5, options: o, version }, [x], [act('y', type, y)]);
    const mean = (name: string, axes: number[], keep: number, y: number[], scale: number) =>
      one(
        `MEAN ${type} ${name}`,
        { code: 40, optionsType: 27, options: { 0: i8(keep) }, version },
        [x, int32('axes', [axes.length], ...axes)],
        [act('y', type, y, scale)],
      );
    const means = [
      mean('of the image', [1, 2], 1, [1, 1, 1, 3], 0.04),
      mean('of the image, axes dropped', [1, 2], 0, [1, 3], 0.04),
      mean('of the image, same scale', [1, 2], 0, [1, 3], 0.05),
      mean('of columns', [2], 1, [1, 7, 1, 3], 0.04),
      mean('of channels', [3], 0, [1, 7, 8], 0.04),
    ];
    return [
      pool('AVERAGE_POOL_2D', 1, options(3, 2, 0, 0), [1, 4, 4, 3]),
      pool('AVERAGE_POOL_2D relu', 1, options(2, 2, 1, 1), [1, 3, 4, 3]),
      pool('MAX_POOL_2D', 17, options(3, 2, 0, 0), [1, 4, 4, 3]),
      pool('MAX_POOL_2D relu6', 17, options(2, 1, 1, 3), [1, 6, 7, 3]),
      ...means,
    ];
  });
}

function movements(): OperatorCase[] {
  return KINDS.flatMap((type) => {
    const version = type === 'int8' ? 2 : 1;
    const x = act('x', type, [1, 5, 6, 4]);
    const y = (shape: number[]) => act('y', type, shape);
    const move = (name: string, spec: Spec, operands: FileTensor[], shape: number[]) =>
      one(`${name} ${type}`, { version, ...spec }, [x, ...operands], [y(shape)]);
    const resize = (name: string, code: number, optionsType: number, options: Options, size: [number, number]) =>
      move(name, { code, optionsType, options, version: 3 }, [int32('size', [2], ...size)], [1, ...size, 4]);
    const strided = (name: string, b: number[], e: number[], s: number[], shrink: number, shape: number[]) =>
      move(
        `STRIDED_SLICE ${name}`,
        { code: 45, optionsType: 32, options: { 0: i32(0), 1: i32(0), 4: i32(shrink) } },
        [int32('begin', [4], ...b), int32('end', [4], ...e), int32('strides', [4], ...s)],
        shape,
      );
    const other = act('z', type, [1, 5, 6, 2]);
    const concat = one(
      `CONCATENATION ${type}`,
      { code: 2, optionsType: 10, options: { 0: i32(-1), 1: i8(0) }, version },
      [x, other],
      [y([1, 5, 6, 6])],
    );
    return [
      move('RESHAPE', { code: 22, version: 1 }, [int32('shape', [2], 1, -1)], [1, 120]),
      move('PAD', { code: 34, version: 2 }, [int32('p', [4, 2], 0, 0, 1, 2, 0, 3, 0, 0)], [1, 8, 9, 4]),
      move('PAD of channels', { code: 34, version: 2 }, [int32('p', [4, 2], 0, 0, 0, 0, 0, 0, 1, 2)], [1, 5, 6, 7]),
      move(
        'MIRROR_PAD reflect',
        { code: 100, optionsType: 77, options: { 0: i8(0) } },
        [int32('p', [4, 2], 0, 0, 1, 2, 2, 1, 0, 0)],
        [1, 8, 9, 4],
      ),
      move(
        'MIRROR_PAD symmetric',
        { code: 100, optionsType: 77, options: { 0: i8(1) } },
        [int32('p', [4, 2], 0, 0, 1, 2, 2, 1, 0, 0)],
        [1, 8, 9, 4],
      ),
      concat,
      move('SLICE', { code: 65 }, [int32('b', [4], 0, 1, 2, 1), int32('s', [4], 1, 3, -1, 2)], [1, 3, 4, 2]),
      strided('every second', [0, 0, 0, 0], [1, 5, 6, 4], [1, 2, 2, 1], 0, [1, 3, 3, 4]),
      strided('dropped axis', [0, 2, 0, 1], [1, 3, 6, 3], [1, 1, 1, 1], 2, [1, 6, 2]),
      strided('from the end', [0, -3, 1, 0], [1, 5, -1, 4], [1, 1, 3, 2], 0, [1, 3, 2, 2]),
      move('TRANSPOSE', { code: 39 }, [int32('perm', [4], 0, 3, 1, 2)], [1, 4, 5, 6]),
      move('DEPTH_TO_SPACE', { code: 5, optionsType: 94, options: { 0: i32(2) } }, [], [1, 10, 12, 1]),
      one(
        `SPACE_TO_DEPTH ${type}`,
        { code: 26, optionsType: 19, options: { 0: i32(2) }, version },
        [act('x', type, [1, 6, 4, 3])],
        [y([1, 3, 2, 12])],
      ),
      resize('RESIZE_BILINEAR', 23, 15, { 2: i8(0), 3: i8(0) }, [8, 13]),
      resize('RESIZE_BILINEAR corners', 23, 15, { 2: i8(1), 3: i8(0) }, [9, 11]),
      resize('RESIZE_BILINEAR half pixels', 23, 15, { 2: i8(0), 3: i8(1) }, [3, 9]),
      resize('RESIZE_NEAREST', 97, 74, { 0: i8(0), 1: i8(0) }, [8, 13]),
      resize('RESIZE_NEAREST corners', 97, 74, { 0: i8(1), 1: i8(0) }, [9, 11]),
      resize('RESIZE_NEAREST half pixels', 97, 74, { 0: i8(0), 1: i8(1) }, [3, 9]),
      one(
        `SPLIT ${type}`,
        { code: 49, optionsType: 35, options: { 0: i32(2) }, version },
        [int32('axis', [], 3), x],
        [
          { ...y([1, 5, 6, 2]), name: 'y0' },
          { ...y([1, 5, 6, 2]), name: 'y1' },
        ],
      ),
      one(
        `PACK ${type}`,
        { code: 83, optionsType: 59, options: { 0: i32(2), 1: i32(1) }, version },
        [act('a', type, [5, 3]), act('b', type, [5, 3])],
        [y([5, 2, 3])],
      ),
      one(
        `UNPACK ${type}`,
        { code: 88, optionsType: 64, options: { 0: i32(2), 1: i32(1) }, version },
        [act('a', type, [5, 2, 3])],
        [
          { ...y([5, 3]), name: 'y0' },
          { ...y([5, 3]), name: 'y1' },
        ],
      ),
    ];
  });
}

function conversions(): OperatorCase[] {
  const shape = [1, 16, 16, 1];
  const quantize = { code: 114, optionsType: 89, version: 2 };
  const rescaled = one(
    'CONCATENATION uint8, rescaled',
    { code: 2, optionsType: 10, options: { 0: i32(3), 1: i8(0) } },
    [act('a', 'uint8', [1, 5, 6, 2], 0.05), act('b', 'uint8', [1, 5, 6, 3], 0.031, -9)],
    [act('y', 'uint8', [1, 5, 6, 5], 0.05, 11)],
  );
  return [
    ...QUANTISED.map((type) =>
      one(`QUANTIZE to ${type}`, quantize, [act('x', 'float32', shape)], [act('y', type, shape, 0.011)]),
    ),
    ...QUANTISED.map((type) =>
      one(`DEQUANTIZE ${type}`, { code: 6, version: 2 }, [act('x', type, shape)], [act('y', 'float32', shape)]),
    ),
    one('QUANTIZE int8 to uint8', quantize, [act('x', 'int8', shape, 0.05)], [act('y', 'uint8', shape, 0.05, 3)]),
    one('QUANTIZE uint8 to int8', quantize, [act('x', 'uint8', shape, 0.05)], [act('y', 'int8', shape, 0.031, -20)]),
    one('QUANTIZE int8 to int8', quantize, [act('x', 'int8', shape, 0.05)], [act('y', 'int8', shape, 0.09, 7)]),
    rescaled,
  ];
}

export const OPERATOR_CASES: readonly OperatorCase[] = [
  ...convolutions(),
  ...binaries(),
  ...activations(),
  ...pools(),
  ...movements(),
  ...conversions(),
];
