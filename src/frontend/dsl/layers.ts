import type { UnaryFunction } from '../../ir/types.js';
import type * as builder from './builder.js';
import type { NativeCall } from './native.js';
import {
  axisOption,
  booleanOption,
  integerOption,
  nameOption,
  numberOption,
  type Options,
  pairOption,
  readOptions,
  tensorArgument,
  WINDOW_OPTIONS,
  windowOption,
} from './options.js';
import type { RecordedSpec, Recording, WeightSpec } from './recording.js';
import { describe, isObject, type TensorValue, type Value } from './values.js';

/** What a function of 'spillway/model' does when the model file calls it. */
export type Layer = (recording: Recording, call: NativeCall, args: readonly Value[]) => TensorValue;

export type LayerName = Exclude<keyof typeof builder, 'model'>;

const LARGEST_FLOAT32 = 3.4028234663852886e38;

const clampSpec = (lo: number, hi: number): RecordedSpec => ({ kind: 'clamp', lo, hi });
const unarySpec = (fn: UnaryFunction, alpha = 0, beta = 0): RecordedSpec => ({ kind: 'unary', fn, alpha, beta });

interface Activation {
  readonly spec: (alpha: number | undefined) => RecordedSpec;
  /** Of the weights before it; see seededWeightQuant. */
  readonly gain: number;
}

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['relu', { spec: () => clampSpec(0, LARGEST_FLOAT32), gain: 2 }],
  ['relu6', { spec: () => clampSpec(0, 6), gain: 2 }],
  ['leakyRelu', { spec: (alpha = 0.01) => unarySpec('leakyRelu', alpha), gain: 2 }],
  ['elu', { spec: (alpha = 1) => unarySpec('elu', alpha), gain: 2 }],
  ['sigmoid', { spec: () => unarySpec('sigmoid'), gain: 1 }],
  ['tanh', { spec: () => unarySpec('tanh'), gain: 1 }],
  ['hardSwish', { spec: () => unarySpec('hardSwish'), gain: 2 }],
  // Slope and offset of PyTorch's hardsigmoid.
  ['hardSigmoid', { spec: () => unarySpec('hardSigmoid', 1 / 6, 0.5), gain: 1 }],
]);

const ACTIVATION_OPTIONS = ['activation', 'alpha'] as const;

/** The activation that the options ask for, if any. */
function activationOption(options: Options): { readonly name: string; readonly activation: Activation } | undefined {
  const name = options.fields.get('activation') ?? 'none';
  if (name === 'none') return undefined;
  const activation = typeof name === 'string' ? ACTIVATIONS.get(name) : undefined;
  if (typeof name === 'string' && activation !== undefined) return { name, activation };
  const { call } = options;
  const hint = `activations: none, ${[...ACTIVATIONS.keys()].join(', ')}`;
  return call.machine.fail('SW1010', `${describe(name)} is no activation of ${call.name}`, call.site, hint);
}

function alphaOption(options: Options): number | undefined {
  return options.fields.has('alpha') ? numberOption(options, 'alpha') : undefined;
}

/** The layer, followed by the activation of its options. */
function addActivated(
  recording: Recording,
  options: Options,
  kindName: string,
  inputs: readonly TensorValue[],
  spec: RecordedSpec,
  weights?: Omit<WeightSpec, 'gain'>,
): TensorValue {
  const { call } = options;
  const wanted = activationOption(options);
  const base = { call, spec, kindName, name: nameOption(options), inputs };
  const gain = wanted?.activation.gain ?? 1;
  const result = recording.addOp(weights === undefined ? base : { ...base, weights: { ...weights, gain } });
  if (wanted === undefined) return result;
  const name = `${result.name}.${wanted.name}`;
  const activation = wanted.activation.spec(alphaOption(options));
  return recording.addOp({ call, spec: activation, kindName: wanted.name, name, inputs: [result] });
}

function input(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const options = readOptions(call, args[0], ['height', 'width', 'channels', 'name'], true);
  const channels = integerOption(options, 'channels');
  const isImage = options.fields.has('height') || options.fields.has('width');
  const shape = isImage
    ? [1, integerOption(options, 'height'), integerOption(options, 'width'), channels]
    : [1, channels];
  return recording.addInput(call, nameOption(options), shape);
}

const CONV_OPTIONS = [...WINDOW_OPTIONS, 'bias', ...ACTIVATION_OPTIONS, 'name'];

function conv2d(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['channels', 'groups', ...CONV_OPTIONS], true);
  const window = windowOption(options, x, 'one');
  const channels = integerOption(options, 'channels');
  const groups = integerOption(options, 'groups', 1);
  const inputChannels = x.shape[3] ?? 0;
  if (inputChannels % groups !== 0 || channels % groups !== 0) {
    const message = `${groups} groups do not divide ${inputChannels} input and ${channels} output channels`;
    return call.machine.fail('SW1011', `conv2d over ${describe(x)}: ${message}`, call.site);
  }
  const shape = [channels, ...window.kernel, inputChannels / groups];
  const weights = { shape, bias: booleanOption(options, 'bias', true) };
  return addActivated(recording, options, 'conv', [x], { kind: 'conv2d', window, groups }, weights);
}

function depthwiseConv2d(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['multiplier', ...CONV_OPTIONS], true);
  const window = windowOption(options, x, 'one');
  const groups = x.shape[3] ?? 0;
  const shape = [groups * integerOption(options, 'multiplier', 1), ...window.kernel, 1];
  const weights = { shape, bias: booleanOption(options, 'bias', true) };
  return addActivated(recording, options, 'dwconv', [x], { kind: 'conv2d', window, groups }, weights);
}

function dense(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['channels', 'bias', ...ACTIVATION_OPTIONS, 'name'], true);
  if (x.shape.length !== 2) {
    const hint = 'make it one with flatten(x)';
    call.machine.fail('SW1011', `dense takes a vector [1, K], not ${describe(x)}`, call.site, hint);
  }
  const shape = [integerOption(options, 'channels'), x.shape[1] ?? 0];
  const weights = { shape, bias: booleanOption(options, 'bias', true) };
  return addActivated(recording, options, 'dense', [x], { kind: 'dense' }, weights);
}

const pool =
  (kind: 'maxPool' | 'avgPool'): Layer =>
  (recording, call, args) => {
    const x = tensorArgument(call, args[0], 'the input');
    const known = kind === 'avgPool' ? ['countIncludePad'] : [];
    const options = readOptions(call, args[1], [...WINDOW_OPTIONS, ...known, 'name'], true);
    const window = windowOption(options, x, 'kernel');
    const spec: RecordedSpec = { kind, window, countIncludePad: booleanOption(options, 'countIncludePad', false) };
    return recording.addOp({ call, spec, kindName: kind.toLowerCase(), name: nameOption(options), inputs: [x] });
  };

function globalAvgPool(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['name'], false);
  if (x.shape.length !== 4) {
    const hint = 'images have the shape [1, H, W, C]';
    call.machine.fail('SW1011', `globalAvgPool takes an image, not ${describe(x)}`, call.site, hint);
  }
  const kernel = [x.shape[1] ?? 0, x.shape[2] ?? 0] as const;
  const pad = { top: 0, left: 0, bottom: 0, right: 0 };
  const window = { kernel, stride: [1, 1] as const, dilation: [1, 1] as const, pad };
  const spec: RecordedSpec = { kind: 'avgPool', window, countIncludePad: false };
  return recording.addOp({ call, spec, kindName: 'avgpool', name: nameOption(options), inputs: [x] });
}

const binary =
  (kind: 'add' | 'sub' | 'mul'): Layer =>
  (recording, call, args) => {
    const a = tensorArgument(call, args[0], 'the first operand');
    const b = tensorArgument(call, args[1], 'the second operand');
    const options = readOptions(call, args[2], [...ACTIVATION_OPTIONS, 'name'], false);
    return addActivated(recording, options, kind, [a, b], { kind });
  };

function concat(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const [list] = args;
  const items = isObject(list) && list.kind === 'list' ? list.items : [];
  const inputs = items.map((item, index) => tensorArgument(call, item, `element ${index}`));
  const [first] = inputs;
  if (first === undefined) {
    return call.machine.fail('SW1010', `concat takes a list of tensors, not ${describe(list)}`, call.site);
  }
  const options = readOptions(call, args[1], ['axis', 'name'], false);
  const axis = axisOption(options, first);
  return recording.addOp({
    call,
    spec: { kind: 'concat', axis },
    kindName: 'concat',
    name: nameOption(options),
    inputs,
  });
}

function slice(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['start', 'length', 'axis', 'name'], true);
  const axis = axisOption(options, x);
  const spec: RecordedSpec = { kind: 'slice', axis, start: integerOption(options, 'start', undefined, 0) };
  const shape = x.shape.with(axis, integerOption(options, 'length'));
  return recording.addOp({ call, spec, kindName: 'slice', name: nameOption(options), inputs: [x], shape });
}

function upsample(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const options = readOptions(call, args[1], ['scale', 'name'], false);
  const spec: RecordedSpec = { kind: 'upsample', scale: pairOption(options, 'scale', [2, 2]) };
  return recording.addOp({ call, spec, kindName: 'upsample', name: nameOption(options), inputs: [x] });
}

function reshape(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const [, list] = args;
  const items = isObject(list) && list.kind === 'list' ? list.items : [];
  const shape = items.map((extent) => (typeof extent === 'number' && Number.isInteger(extent) ? extent : 0));
  if (shape[0] !== 1 || shape.some((extent) => extent < 1) || shape.length > 5) {
    const hint = 'a list of at most five integers of at least 1, the first of them 1';
    return call.machine.fail('SW1010', `${describe(list)} is no shape for reshape`, call.site, hint);
  }
  return addReshape(recording, readOptions(call, args[2], ['name'], false), x, shape, 'reshape');
}

function flatten(recording: Recording, call: NativeCall, args: readonly Value[]): TensorValue {
  const x = tensorArgument(call, args[0], 'the input');
  const shape = [1, x.shape.reduce((product, extent) => product * extent, 1)];
  return addReshape(recording, readOptions(call, args[1], ['name'], false), x, shape, 'flatten');
}

function addReshape(
  recording: Recording,
  options: Options,
  x: TensorValue,
  shape: readonly number[],
  kindName: string,
): TensorValue {
  const { call } = options;
  return recording.addOp({ call, spec: { kind: 'reshape' }, kindName, name: nameOption(options), inputs: [x], shape });
}

/** Layers of one operand without a window: activations, softmax, lrn. */
const pointwise =
  (kindName: string, known: readonly string[], specOf: (options: Options) => RecordedSpec): Layer =>
  (recording, call, args) => {
    const x = tensorArgument(call, args[0], 'the input');
    const options = readOptions(call, args[1], [...known, 'name'], false);
    return recording.addOp({ call, spec: specOf(options), kindName, name: nameOption(options), inputs: [x] });
  };

const activation = (name: string, known: readonly string[] = []): Layer =>
  pointwise(name, known, (options) => {
    const found = ACTIVATIONS.get(name);
    if (found === undefined) throw new Error(`no activation ${name}`);
    return found.spec(alphaOption(options));
  });

function clampOf(options: Options): RecordedSpec {
  const [lo, hi] = [numberOption(options, 'lo'), numberOption(options, 'hi')];
  if (lo <= hi) return clampSpec(lo, hi);
  const { call } = options;
  return call.machine.fail('SW1010', `clamp: lo ${lo} is above hi ${hi}`, call.site);
}

function lrnOf(options: Options): RecordedSpec {
  const [alpha, beta] = [numberOption(options, 'alpha', 1e-4), numberOption(options, 'beta', 0.75)];
  return {
    kind: 'lrn',
    size: integerOption(options, 'size'),
    alpha,
    beta,
    k: numberOption(options, 'k', 1),
    sumShift: 0,
  };
}

export const LAYERS: Readonly<Record<LayerName, Layer>> = {
  input,
  conv2d,
  depthwiseConv2d,
  dense,
  maxPool: pool('maxPool'),
  avgPool: pool('avgPool'),
  globalAvgPool,
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  concat,
  slice,
  upsample,
  reshape,
  flatten,
  relu: activation('relu'),
  relu6: activation('relu6'),
  leakyRelu: activation('leakyRelu', ['alpha']),
  elu: activation('elu', ['alpha']),
  sigmoid: activation('sigmoid'),
  tanh: activation('tanh'),
  hardSwish: activation('hardSwish'),
  hardSigmoid: activation('hardSigmoid'),
  clamp: pointwise('clamp', ['lo', 'hi'], clampOf),
  softmax: pointwise('softmax', [], () => ({ kind: 'softmax' })),
  lrn: pointwise('lrn', ['size', 'alpha', 'beta', 'k'], lrnOf),
};
