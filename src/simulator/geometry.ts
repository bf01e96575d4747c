/**
 * What a command is about, read from its fields and clipped: the part that checks accesses and the part that computes
 * both start from here.
 */
import { SEMAPHORES } from '../commands/instructions.js';
import { ACTIVATION_KINDS, BINARY_MODES, isOrderMode, REDUCE_MODES } from './kernels/functions.js';
import type { Fields } from './sequencer.js';
import { missingRegister, pixelIndex, type StripeRing, stripeRingOf } from './stripe-ring.js';

/** Half-open. */
export interface Range {
  readonly lo: number;
  readonly hi: number;
}

export interface View {
  readonly base: number;
  readonly rowPitch: number;
  readonly pixelPitch: number;
  readonly ring: number;
  /** A rolling buffer of stripes: rowPitch and ring then mean nothing. */
  readonly stripes: StripeRing | undefined;
}

export interface Activation {
  readonly kind: number;
  readonly lo: number;
  readonly hi: number;
}

export interface Rescale {
  readonly leftShift: number;
  readonly multiplierA: number;
  readonly shiftA: number;
  readonly multiplierB: number;
  readonly shiftB: number;
  readonly multiplierOut: number;
  readonly shiftOut: number;
}

export interface Epilogue {
  readonly first: Activation;
  readonly addMode: number;
  readonly add: View;
  readonly addZeroValue: number;
  readonly addZeroOther: number;
  readonly addZeroOut: number;
  readonly rescale: Rescale;
  readonly second: Activation;
}

export interface Window {
  readonly kernelH: number;
  readonly kernelW: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly dilationH: number;
  readonly dilationW: number;
}

/** A type of elements; lo and hi are those of integers. */
export interface ElementType {
  readonly isFloat: boolean;
  readonly bytes: number;
  readonly lo: number;
  readonly hi: number;
}

const ELEMENT_TYPES: readonly ElementType[] = [
  { isFloat: false, bytes: 1, lo: -128, hi: 127 },
  { isFloat: true, bytes: 4, lo: 0, hi: 0 },
  { isFloat: false, bytes: 1, lo: 0, hi: 255 },
  { isFloat: false, bytes: 2, lo: -32768, hi: 32767 },
  { isFloat: false, bytes: 4, lo: -(2 ** 31), hi: 2 ** 31 - 1 },
];

/** By the number that commands have for it. */
export function elementType(dtype: number): ElementType {
  const type = ELEMENT_TYPES[dtype];
  if (type === undefined) throw new Error(`dtype ${dtype} passed the check of its command`);
  return type;
}

/** Which part of its output a compute command makes. Ranges are clipped. */
export interface ImageRange {
  readonly isFloat: boolean;
  readonly elementBytes: number;
  readonly rows: Range;
  readonly cols: Range;
  readonly channels: Range;
}

/** The same, and where the output lies. */
export interface ImagePart extends ImageRange {
  readonly out: View;
}

/** Codes of int8 and uint8. */
const BYTE_TYPES: readonly number[] = [0, 2];

/** What all compute commands on images have in common. */
export interface ImageTask extends ImagePart {
  readonly dtype: number;
  readonly lo: number; // least and largest integer of the type
  readonly hi: number;
  readonly outZero: number;
  readonly epilogue: Epilogue;
}

export interface InputImage {
  readonly view: View;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly zero: number;
}

export function at(fields: Fields, name: string): number {
  return fields[name] ?? 0;
}

export function clip(start: number, length: number, limit: number): Range {
  const lo = Math.max(0, start);
  return { lo, hi: Math.max(lo, Math.min(limit, start + length)) };
}

export function lengthOf(range: Range): number {
  return range.hi - range.lo;
}

export interface ViewFields {
  readonly base: string;
  readonly rowPitch: string;
  readonly pixelPitch: string;
  readonly ring: string;
  readonly stripes: string;
}

const VIEW_FIELDS = new Map<string, ViewFields>();

/** Names are put together once: every command asks for some. */
export function viewFields(prefix: string): ViewFields {
  const known = VIEW_FIELDS.get(prefix);
  if (known !== undefined) return known;
  const [base, rowPitch] = [`${prefix}Base`, `${prefix}RowPitch`];
  const names = {
    base,
    rowPitch,
    pixelPitch: `${prefix}PixelPitch`,
    ring: `${prefix}Ring`,
    stripes: `${prefix}Stripes`,
  };
  VIEW_FIELDS.set(prefix, names);
  return names;
}

export function viewOf(fields: Fields, prefix: string): View {
  const { base, rowPitch, pixelPitch, ring } = viewFields(prefix);
  return {
    base: at(fields, base),
    rowPitch: at(fields, rowPitch),
    pixelPitch: at(fields, pixelPitch),
    ring: at(fields, ring),
    stripes: stripeRingOf(fields, prefix),
  };
}

export function windowOf(fields: Fields): Window {
  return {
    kernelH: at(fields, 'kernelH'),
    kernelW: at(fields, 'kernelW'),
    strideH: at(fields, 'strideH'),
    strideW: at(fields, 'strideW'),
    padTop: at(fields, 'padTop'),
    padLeft: at(fields, 'padLeft'),
    dilationH: at(fields, 'dilationH'),
    dilationW: at(fields, 'dilationW'),
  };
}

export function rescaleOf(fields: Fields, prefix: '' | 'add'): Rescale {
  const name = (field: string) => (prefix === '' ? field : `add${field[0]?.toUpperCase()}${field.slice(1)}`);
  return {
    leftShift: at(fields, name('leftShift')),
    multiplierA: at(fields, name('multiplierA')),
    shiftA: at(fields, name('shiftA')),
    multiplierB: at(fields, name('multiplierB')),
    shiftB: at(fields, name('shiftB')),
    multiplierOut: at(fields, name('multiplierOut')),
    shiftOut: at(fields, name('shiftOut')),
  };
}

/** Instructions without a channel range (all but conv) work on all channels of the output. */
export function imageRange(fields: Fields): ImageRange {
  const { isFloat, bytes } = elementType(at(fields, 'dtype'));
  const outC = at(fields, 'outC');
  const hasChannelRange = fields.ch0 !== undefined;
  return {
    isFloat,
    elementBytes: bytes,
    rows: clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'outH')),
    cols: clip(at(fields, 'col0'), at(fields, 'cols'), at(fields, 'outW')),
    channels: hasChannelRange ? clip(at(fields, 'ch0'), at(fields, 'chs'), outC) : { lo: 0, hi: outC },
  };
}

export function imagePart(fields: Fields): ImagePart {
  return { ...imageRange(fields), out: viewOf(fields, 'out') };
}

export function imageTask(fields: Fields): ImageTask {
  const dtype = at(fields, 'dtype');
  const { lo, hi } = elementType(dtype);
  return {
    ...imagePart(fields),
    dtype,
    lo,
    hi,
    outZero: at(fields, 'outZero'),
    epilogue: {
      first: { kind: at(fields, 'act1'), lo: at(fields, 'act1Lo'), hi: at(fields, 'act1Hi') },
      addMode: at(fields, 'addMode'),
      add: viewOf(fields, 'add'),
      addZeroValue: at(fields, 'addZeroValue'),
      addZeroOther: at(fields, 'addZeroOther'),
      addZeroOut: at(fields, 'addZeroOut'),
      rescale: rescaleOf(fields, 'add'),
      second: { kind: at(fields, 'act2'), lo: at(fields, 'act2Lo'), hi: at(fields, 'act2Hi') },
    },
  };
}

/** poolRows: the input rows that it gathers, and the one pixel that it makes at the end. */
export function poolRowsTask(fields: Fields): { readonly gathered: Range; readonly pixel: ImageTask } {
  const only = { lo: 0, hi: 1 };
  return {
    gathered: clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'inH')),
    pixel: { ...imageTask(fields), rows: only, cols: only },
  };
}

export function inputImage(fields: Fields): InputImage {
  return {
    view: viewOf(fields, 'in'),
    height: at(fields, 'inH'),
    width: at(fields, 'inW'),
    channels: at(fields, 'inC'),
    zero: at(fields, 'inZero'),
  };
}

export function isEmpty(task: ImageRange): boolean {
  return lengthOf(task.rows) === 0 || lengthOf(task.cols) === 0 || lengthOf(task.channels) === 0;
}

/** Byte address of row r, column x, channel 0. */
export function pixelAddress(view: View, row: number, x: number): number {
  if (view.stripes !== undefined) return view.base + pixelIndex(view.stripes, row, x) * view.pixelPitch;
  return view.base + (view.ring === 0 ? row : row % view.ring) * view.rowPitch + x * view.pixelPitch;
}

/**
 * Input positions under the windows of output positions, inside [0, limit): exactly those, as disjoint ranges in
 * rising order. One range unless the stride leaves gaps.
 */
export function positionsUnder(
  outputs: Range,
  kernel: number,
  stride: number,
  dilation: number,
  pad: number,
  limit: number,
): Range[] {
  if (stride <= kernel && (dilation === 1 || kernel === 1)) {
    const lo = Math.max(0, outputs.lo * stride - pad);
    const hi = Math.min(limit, (outputs.hi - 1) * stride - pad + kernel);
    return hi > lo ? [{ lo, hi }] : [];
  }
  const ranges: { lo: number; hi: number }[] = [];
  const touched = new Set<number>();
  for (let output = outputs.lo; output < outputs.hi; output++) {
    for (let tap = 0; tap < kernel; tap++) {
      const position = output * stride + tap * dilation - pad;
      if (position >= 0 && position < limit) touched.add(position);
    }
  }
  for (const position of [...touched].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.hi === position) last.hi += 1;
    else ranges.push({ lo: position, hi: position + 1 });
  }
  return ranges;
}

/** Why the values of a command mean nothing; undefined when they do. Float parameters are bit patterns and always do. */
export function illegalValue(op: string, fields: Fields): string | undefined {
  for (const [name, value] of Object.entries(fields)) {
    if (!Number.isSafeInteger(value)) return `${name} = ${value} is beyond 2^53`;
    if (value < 0 && MUST_NOT_BE_NEGATIVE.has(name)) return `${name} = ${value} is negative`;
  }
  const unknown = missingRegister(fields, VIEWS);
  if (unknown !== undefined) return unknown;
  const limit = (name: string, most: number) =>
    at(fields, name) > most || at(fields, name) < 0 ? `${name} = ${at(fields, name)} has no meaning` : undefined;
  const least = (name: string) => (at(fields, name) < 1 ? `${name} = ${at(fields, name)} is below 1` : undefined);
  const common =
    limit('wait', 2 ** SEMAPHORES - 1) ??
    limit('signal', 2 ** SEMAPHORES - 1) ??
    limit('dtype', ELEMENT_TYPES.length - 1) ??
    limit('addMode', 4) ??
    activationProblem(fields, 'act1') ??
    activationProblem(fields, 'act2');
  if (common !== undefined) return common;
  if (op === 'conv' || op === 'pool') {
    for (const name of ['kernelH', 'kernelW', 'strideH', 'strideW']) {
      const problem = least(name);
      if (problem !== undefined) return problem;
    }
    if (at(fields, 'kernelH') > 1 && at(fields, 'dilationH') < 1) return 'dilationH is 0 with several kernel rows';
    if (at(fields, 'kernelW') > 1 && at(fields, 'dilationW') < 1) return 'dilationW is 0 with several kernel columns';
  }
  if (op === 'conv')
    return (
      least('groups') ?? limit('recordForm', 2) ?? limit('rounding', 1) ?? weightProblem(fields) ?? groupProblem(fields)
    );
  if (op === 'pool') return limit('mode', 3) ?? limit('form', 1) ?? sumProblem(fields) ?? sameChannels(fields);
  if (op === 'poolRows') {
    return (
      limit('mode', 3) ??
      limit('form', 1) ??
      sumProblem(fields) ??
      noSums(fields) ??
      limit('addMode', 0) ??
      onePixel(fields)
    );
  }
  if (op === 'gatherRows') return least('entries') ?? least('entryBytes');
  if (op === 'binary') {
    return (
      limit('mode', BINARY_MODES.length - 1) ??
      limit('form', 1) ??
      limit('aRepeat', 7) ??
      limit('bRepeat', 7) ??
      binaryProblem(fields)
    );
  }
  if (op === 'select') {
    const isFloat = at(fields, 'dtype') === 1 ? undefined : 'select exists for float32 only';
    return limit('inRepeat', 7) ?? limit('aRepeat', 7) ?? limit('bRepeat', 7) ?? isFloat;
  }
  if (op === 'reduce') {
    const one = at(fields, 'outC') === 1 ? undefined : 'reduce makes one channel';
    return limit('mode', REDUCE_MODES.length - 1) ?? limit('inDtype', ELEMENT_TYPES.length) ?? least('inC') ?? one;
  }
  if (op === 'layerNorm' || op === 'matmul') {
    return (
      limit('mode', 1) ??
      limit('bRepeat', 1) ??
      (at(fields, 'dtype') === 1 || (op === 'matmul' && BYTE_TYPES.includes(at(fields, 'dtype')))
        ? undefined
        : `${op} exists for float32${op === 'matmul' ? ', int8 and uint8' : ''} only`) ??
      (op === 'matmul' ? limit('form', 2) : undefined)
    );
  }
  if (op === 'recurrent') return recurrentProblem(fields) ?? limit('mode', 7) ?? least('hidden');
  if (op === 'pad') return limit('mode', 2) ?? noEmptyInput(fields);
  if (op === 'map') {
    return (
      least('scaleH') ??
      least('scaleW') ??
      limit('inDtype', ELEMENT_TYPES.length) ??
      limit('rounding', 1) ??
      limit('inRepeat', 7) ??
      (at(fields, 'inRepeat') >= 4 ? undefined : sameChannels(fields))
    );
  }
  if (op === 'resize')
    return limit('mode', 1) ?? limit('coordinates', 2) ?? noEmptyInput(fields) ?? sameChannels(fields);
  if (op === 'softmax') return softmaxProblem(fields);
  if (op === 'lrn') return least('size');
  return undefined;
}

/**
 * Whether this field is one that illegalValue looks at for itself alone: while its value is a whole number, and not negative
 * where `mayBeNegative` says so, the rules for the other fields need not be asked again when it changes.
 */
export function positionField(op: string, field: string): { readonly mayBeNegative: boolean } | undefined {
  if (!POSITIONS.has(field) || op === 'recurrent') return undefined;
  return { mayBeNegative: !MUST_NOT_BE_NEGATIVE.has(field) };
}

const POSITIONS = new Set(
  ['row0', 'rows', 'col0', 'cols', 'ch0', 'chs', 'offset', 'bytes', 'dramBase', 'sramBase', 'inBase', 'outBase'].concat(
    ['aBase', 'bBase', 'addBase', 'records', 'table', 'sums'],
  ),
);

/** Prefixes of all views there are. */
const VIEWS = ['sram', 'in', 'out', 'a', 'b', 'add'];

const MUST_NOT_BE_NEGATIVE = new Set(
  [
    'rows',
    'cols',
    'chs',
    'bytes',
    'offset',
    'limit',
    'pixelBytes',
    'entries',
    'entryBytes',
    'elementBytes',
    'wait',
    'signal',
    'imageH',
    'imageW',
  ].concat(
    ['inH', 'inW', 'inC', 'outH', 'outW', 'outC', 'inRing', 'outRing', 'aRing', 'bRing', 'addRing', 'sramRing'],
    ['inRowPitch', 'outRowPitch', 'inPixelPitch', 'outPixelPitch', 'count0', 'count1', 'count2', 'count3'],
  ),
);

function activationProblem(fields: Fields, name: string): string | undefined {
  const kind = at(fields, name);
  if (kind === 0 || kind === 1) return undefined;
  const { isFloat, bytes } = elementType(at(fields, 'dtype'));
  if (kind === 2) return bytes <= 2 ? undefined : `${name} is a table, which only types of one or two bytes have`;
  if (kind < 0 || kind >= ACTIVATION_KINDS) return `${name} = ${kind} has no meaning`;
  return isFloat ? undefined : `${name} = ${kind} exists for float32 only`;
}

function binaryProblem(fields: Fields): string | undefined {
  const [mode, dtype] = [at(fields, 'mode'), at(fields, 'dtype')];
  if (mode < 3 || dtype === 1 || isOrderMode(mode)) return undefined;
  return `mode = ${mode} exists for float32 only`;
}

function recurrentProblem(fields: Fields): string | undefined {
  const size = at(fields, 'hidden') * (at(fields, 'mode') % 2 === 0 ? 2 : 1);
  const isInteger = at(fields, 'dtype') === 3;
  if (at(fields, 'dtype') !== 1 && !isInteger) return 'recurrent exists for float32 and int16 only';
  if (isInteger && ![0, 2].includes(at(fields, 'mode'))) return `mode = ${at(fields, 'mode')} exists for float32 only`;
  if (at(fields, 'outW') !== 1 || at(fields, 'outC') !== size)
    return `a state of ${size} elements is stored in ${at(fields, 'outC')}`;
  const isWhole = at(fields, 'row0') === 0 && at(fields, 'rows') >= at(fields, 'outH');
  return isWhole ? undefined : 'recurrent must run over all its steps';
}

function weightProblem(fields: Fields): string | undefined {
  const type = at(fields, 'weightDtype');
  return type === 0 || type === 2 ? undefined : `weightDtype = ${type} has no meaning`;
}

function sumProblem(fields: Fields): string | undefined {
  if (at(fields, 'mode') !== 3 || at(fields, 'dtype') !== 1) return undefined;
  return 'mode 3 exists for integers only';
}

function noSums(fields: Fields): string | undefined {
  if (at(fields, 'mode') === 2) return 'mode = 2 has no meaning';
  return elementType(at(fields, 'dtype')).bytes === 1 ? undefined : 'poolRows exists for int8 and uint8 only';
}

function softmaxProblem(fields: Fields): string | undefined {
  const dtype = at(fields, 'dtype');
  if (dtype === 3) return 'softmax does not exist for int16';
  if (at(fields, 'leftShift') > 30) return `leftShift = ${at(fields, 'leftShift')} has no meaning`;
  if (dtype === 1 && at(fields, 'scale') !== 0) return 'a scale exists for integers only';
  return dtype === 1 && at(fields, 'multiplier') !== 0 ? 'a multiplier exists for integers only' : undefined;
}

function noEmptyInput(fields: Fields): string | undefined {
  return at(fields, 'inH') > 0 && at(fields, 'inW') > 0 ? undefined : 'the input has no pixels';
}

function groupProblem(fields: Fields): string | undefined {
  const groups = at(fields, 'groups');
  if (at(fields, 'inC') % groups === 0 && at(fields, 'outC') % groups === 0) return undefined;
  return `${groups} groups do not divide ${at(fields, 'inC')} input and ${at(fields, 'outC')} output channels`;
}

function onePixel(fields: Fields): string | undefined {
  if (at(fields, 'outH') !== 1 || at(fields, 'outW') !== 1)
    return `the output has ${at(fields, 'outH')} x ${at(fields, 'outW')} pixels instead of one`;
  return sameChannels(fields);
}

function sameChannels(fields: Fields): string | undefined {
  if (at(fields, 'inC') === at(fields, 'outC')) return undefined;
  return `${at(fields, 'inC')} input channels become ${at(fields, 'outC')}`;
}
