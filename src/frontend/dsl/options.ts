import type { Window2d } from '../../ir/types.js';
import type { NativeCall } from './native.js';
import { describe, isObject, type TensorValue, type Value } from './values.js';

/** Options of one builder call, checked against the names that the function knows. */
export interface Options {
  readonly call: NativeCall;
  readonly fields: ReadonlyMap<string, Value>;
}

/** Names of layers, inputs and outputs: they end up in reports and in names of files. */
export const NAME = /^\w[\w.+-]{0,119}$/;

/** Extents and factors above this are typing errors, and would only cost time. */
const LARGEST_EXTENT = 1 << 20;
const LARGEST_KERNEL = 4096;

function wrong(options: Options, key: string, needed: string, value: Value): never {
  const { call } = options;
  return call.machine.fail('SW1010', `${key} of ${call.name} must be ${needed}, not ${describe(value)}`, call.site);
}

/** @throws SpillwayError (SW1010) when the value is no object or has a field that is not known */
export function readOptions(call: NativeCall, value: Value, known: readonly string[], required: boolean): Options {
  if (value === undefined && !required) return { call, fields: new Map() };
  const hint = `options of ${call.name}: ${known.join(', ')}`;
  if (!isObject(value) || value.kind !== 'record') {
    return call.machine.fail(
      'SW1010',
      `${call.name} takes an object with options, not ${describe(value)}`,
      call.site,
      hint,
    );
  }
  const unknown = [...value.fields.keys()].filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const names = unknown.map((key) => `'${key}'`).join(', ');
    call.machine.fail('SW1010', `${call.name} has no option ${names}`, call.site, hint);
  }
  return { call, fields: value.fields };
}

export function tensorArgument(call: NativeCall, value: Value, which: string): TensorValue {
  if (isObject(value) && value.kind === 'tensor') return value;
  return call.machine.fail('SW1010', `${which} of ${call.name} must be a tensor, not ${describe(value)}`, call.site);
}

export function integerOption(options: Options, key: string, otherwise?: number, least = 1): number {
  const value = options.fields.get(key) ?? otherwise;
  return isInteger(value, least) ? value : wrong(options, key, `an integer of at least ${least}`, value);
}

export function numberOption(options: Options, key: string, otherwise?: number): number {
  const value = options.fields.get(key) ?? otherwise;
  return typeof value === 'number' && Number.isFinite(value) ? value : wrong(options, key, 'a finite number', value);
}

export function booleanOption(options: Options, key: string, otherwise: boolean): boolean {
  const value = options.fields.get(key) ?? otherwise;
  return typeof value === 'boolean' ? value : wrong(options, key, 'true or false', value);
}

export function nameOption(options: Options): string | undefined {
  const value = options.fields.get('name');
  if (value === undefined) return undefined;
  if (typeof value === 'string' && NAME.test(value)) return value;
  return wrong(options, 'name', 'a letter or digit, then letters, digits and . + - _, at most 120 of them', value);
}

function isInteger(value: Value, least: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= LARGEST_EXTENT;
}

/** A number for both axes or [rows, columns]. */
export function pairOption(
  options: Options,
  key: string,
  otherwise?: readonly [number, number],
): readonly [number, number] {
  const value = options.fields.get(key);
  if (value === undefined && otherwise !== undefined) return otherwise;
  if (isInteger(value, 1)) return [value, value];
  const [rows, columns] = isObject(value) && value.kind === 'list' && value.items.length === 2 ? value.items : [];
  if (isInteger(rows, 1) && isInteger(columns, 1)) return [rows, columns];
  return wrong(options, key, 'an integer of at least 1, or [rows, columns]', value);
}

export const WINDOW_OPTIONS = ['kernel', 'stride', 'pad', 'dilation'] as const;

/** kernel, stride, pad and dilation over an image [1, H, W, C]. */
export function windowOption(options: Options, x: TensorValue, defaultStride: 'one' | 'kernel'): Window2d {
  const kernel = pairOption(options, 'kernel');
  const stride = pairOption(options, 'stride', defaultStride === 'one' ? [1, 1] : kernel);
  const dilation = pairOption(options, 'dilation', [1, 1]);
  const { call } = options;
  if (Math.max(...kernel) > LARGEST_KERNEL) wrong(options, 'kernel', `at most ${LARGEST_KERNEL}`, Math.max(...kernel));
  if (x.shape.length !== 4) {
    const hint = 'images have the shape [1, H, W, C]';
    call.machine.fail('SW1011', `${call.name} takes an image, not ${describe(x)}`, call.site, hint);
  }
  const pad = padOption(options, x, { kernel, stride, dilation });
  // Shape inference looks for windows that lie in the padding alone, tap by tap.
  call.machine.charge(Math.floor((kernel[0] * pad.top + kernel[1] * pad.left) / 64), call.site);
  return { kernel, stride, dilation, pad };
}

function padOption(options: Options, x: TensorValue, window: Omit<Window2d, 'pad'>): Window2d['pad'] {
  const value = options.fields.get('pad') ?? 'valid';
  if (value === 'valid') return { top: 0, left: 0, bottom: 0, right: 0 };
  if (value === 'same') {
    const [top, bottom] = samePadding(x.shape[1] ?? 0, window, 0);
    const [left, right] = samePadding(x.shape[2] ?? 0, window, 1);
    return { top, left, bottom, right };
  }
  if (isInteger(value, 0)) return { top: value, left: value, bottom: value, right: value };
  const [top, left, bottom, right] =
    isObject(value) && value.kind === 'list' && value.items.length === 4 ? value.items : [];
  if (isInteger(top, 0) && isInteger(left, 0) && isInteger(bottom, 0) && isInteger(right, 0)) {
    return { top, left, bottom, right };
  }
  return wrong(options, 'pad', "'same', 'valid', an integer of at least 0, or [top, left, bottom, right]", value);
}

/** Source: TensorFlow, padding SAME: output ceil(input / stride), what is odd after the image. */
function samePadding(input: number, window: Omit<Window2d, 'pad'>, axis: 0 | 1): readonly [number, number] {
  const extent = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
  const total = Math.max(0, (Math.ceil(input / window.stride[axis]) - 1) * window.stride[axis] + extent - input);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** An axis of the tensor; negative ones count from the end. Default the last. */
export function axisOption(options: Options, x: TensorValue): number {
  const value = options.fields.get('axis') ?? -1;
  const axis = typeof value === 'number' && value < 0 ? value + x.shape.length : value;
  if (isInteger(axis, 0) && axis < x.shape.length) return axis;
  return wrong(options, 'axis', `an axis of ${describe(x)}`, value);
}
