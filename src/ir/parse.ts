/** Reads the text form that print.ts writes; the grammar is at the head of that file. */
import { assertNever } from '../base/assert-never.js';
import type { Diagnostic, SourceLoc } from '../base/diagnostic.js';
import { SpillwayError } from '../base/diagnostic.js';
import { elementCountOf } from './facts.js';
import { ScanError, Scanner } from './scanner.js';
import type {
  BinaryRescale,
  ConstantData,
  ConvertOp,
  DType,
  EpilogueStage,
  FixedPointSoftmax,
  Op,
  OpId,
  OpKind,
  PadOp,
  PoolOp,
  Program,
  RealRescale,
  ResizeCoordinates,
  ResizeOp,
  StateLink,
  StorageSlice,
  SumRescale,
  Tensor,
  TensorId,
  UnaryFunction,
  Window2d,
} from './types.js';
import { BINARY_FUNCTIONS, DTYPE_BYTES, RECURRENT_CELLS, REDUCTIONS, UNARY_FUNCTIONS } from './types.js';

/** More than this and the file is something else. */
const MAX_DIAGNOSTICS = 20;

interface Draft {
  readonly file: string;
  readonly binary: Uint8Array | undefined;
  name: string;
  source: string;
  readonly tensors: Map<TensorId, Tensor>;
  readonly constants: Map<TensorId, ConstantData>;
  readonly ops: Op[];
  readonly opIds: Set<OpId>;
  inputs: TensorId[];
  outputs: TensorId[];
  states: StateLink[];
}

/**
 * Checks the grammar only, not whether the program makes sense (verify.ts does).
 *
 * @param binary the companion binary; without it every constant is an empty array
 * @param file name for diagnostics, and the source of a text that names none
 * @throws SpillwayError SW4101 (grammar), SW4102 (an id defined twice), SW4103 (data outside the binary), with
 *   line and column; all of them up to a limit
 */
export function parseProgram(text: string, binary?: Uint8Array, file = 'graph.ir'): Program {
  const draft: Draft = {
    file,
    binary,
    name: 'program',
    source: file,
    tensors: new Map(),
    constants: new Map(),
    ops: [],
    opIds: new Set(),
    inputs: [],
    outputs: [],
    states: [],
  };
  const diagnostics: Diagnostic[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const diagnostic = parseLine(line, index + 1, draft);
    if (diagnostic !== undefined) diagnostics.push(diagnostic);
    if (diagnostics.length >= MAX_DIAGNOSTICS) break;
  }
  if (diagnostics.length > 0) throw new SpillwayError(diagnostics);
  const { name, source, tensors, ops, inputs, outputs, states, constants } = draft;
  return { name, source, tensors, ops, inputs, outputs, ...(states.length === 0 ? {} : { states }), constants };
}

class CodedError extends ScanError {
  constructor(
    readonly code: Diagnostic['code'],
    message: string,
    column: number,
  ) {
    super(message, column);
  }
}

function parseLine(line: string, lineNumber: number, draft: Draft): Diagnostic | undefined {
  const scanner = new Scanner(line);
  try {
    parseStatement(scanner, draft);
    scanner.expectEnd();
    return undefined;
  } catch (error) {
    if (!(error instanceof ScanError)) throw error;
    const code = error instanceof CodedError ? error.code : 'SW4101';
    const loc = { file: draft.file, line: lineNumber, column: error.column };
    return { code, blame: 'input', message: error.message, loc };
  }
}

function parseStatement(s: Scanner, draft: Draft): void {
  if (s.accept('@')) parseOp(s, draft);
  else if (s.acceptWord('tensor')) parseTensor(s, draft, false);
  else if (s.acceptWord('const')) parseTensor(s, draft, true);
  else if (s.acceptWord('inputs')) {
    draft.inputs = s.atEnd() ? [] : s.list(',', () => tensorId(s));
  } else if (s.acceptWord('outputs')) {
    draft.outputs = s.atEnd() ? [] : s.list(',', () => tensorId(s));
  } else if (s.acceptWord('states')) {
    draft.states = s.list(',', () => {
      const input = s.count('a position among the inputs');
      s.expectWord('from');
      return { input, output: s.count('a position among the outputs') };
    });
  } else if (s.acceptWord('program')) {
    draft.name = s.name('a name');
    s.expectWord('source');
    draft.source = s.name('a file name');
  } else {
    s.fail("'program', 'tensor', 'const', 'inputs', 'outputs', 'states', or '@' and an op");
  }
}

function tensorId(s: Scanner): TensorId {
  s.expect('%');
  return s.count('a tensor number') as TensorId;
}

function parseLoc(s: Scanner, source: string): SourceLoc {
  if (!s.acceptWord('at')) return { file: source };
  const file = s.isNext(':') || s.isNext('#') ? source : s.name('a file name');
  const position = s.accept(':') ? lineAndColumn(s) : {};
  return s.accept('#') ? { file, ...position, node: s.name('a node name') } : { file, ...position };
}

function lineAndColumn(s: Scanner): { line: number; column?: number } {
  const line = s.count('a line number');
  return s.accept(':') ? { line, column: s.count('a column number') } : { line };
}

// ---- tensors

const DTYPES: readonly DType[] = ['int8', 'uint8', 'int16', 'int32', 'float32'];

function dtype(s: Scanner): DType {
  const word = s.word('a type');
  const found = DTYPES.find((name) => name === word);
  return found ?? s.fail(`${DTYPES.join(', ')} as type`);
}

function bracketed(s: Scanner, what: string): number[] {
  s.expect('[');
  if (s.accept(']')) return [];
  const values = s.list(',', () => s.count(what));
  s.expect(']');
  return values;
}

function parseTensor(s: Scanner, draft: Draft, isConstant: boolean): void {
  const column = s.column;
  const id = tensorId(s);
  if (draft.tensors.has(id)) throw new CodedError('SW4102', `tensor %${id} is defined twice`, column);
  const name = s.name('a name');
  s.expect(':');
  const head = { id, name, dtype: dtype(s), shape: bracketed(s, 'an extent') };
  const facts: Partial<Pick<{ -readonly [K in keyof Tensor]: Tensor[K] }, OptionalOfTensor>> = {};
  if (s.acceptWord('scale')) {
    const scales = s.list(',', () => s.number('a scale'));
    s.expectWord('zero');
    facts.quant = { scales, zeroPoint: s.number('a zero point') };
  }
  if (s.acceptWord('outside-axes')) facts.outsideAxes = bracketed(s, 'an axis');
  if (s.acceptWord('outside-shape')) facts.outsideShape = bracketed(s, 'an extent');
  if (s.acceptWord('in')) facts.storage = parseStorage(s);
  if (isConstant) draft.constants.set(id, parseData(s, draft, head));
  draft.tensors.set(id, { ...head, ...facts, loc: parseLoc(s, draft.source) });
}

type OptionalOfTensor = 'quant' | 'outsideAxes' | 'outsideShape' | 'storage';

function parseStorage(s: Scanner): StorageSlice {
  const root = tensorId(s);
  s.expectWord('offset');
  const offsetElements = s.count('an offset');
  s.expectWord('pitch');
  const rowPitchElements = s.count('a row pitch');
  s.expect('x');
  return { root, offsetElements, rowPitchElements, pixelPitchElements: s.count('a pixel pitch') };
}

function parseData(s: Scanner, draft: Draft, tensor: { dtype: DType; shape: number[] }): ConstantData {
  if (!s.acceptWord('data')) return dataOf(tensor.dtype, new Uint8Array(0));
  s.expect('@');
  const column = s.column;
  const offsetBytes = s.count('a byte offset');
  if (draft.binary === undefined) return dataOf(tensor.dtype, new Uint8Array(0));
  const endBytes = offsetBytes + elementCountOf(tensor.shape) * DTYPE_BYTES[tensor.dtype];
  if (endBytes > draft.binary.byteLength) {
    const message = `data [${offsetBytes}, ${endBytes}) is not in the binary of ${draft.binary.byteLength} B`;
    throw new CodedError('SW4103', message, column);
  }
  return dataOf(tensor.dtype, draft.binary.subarray(offsetBytes, endBytes));
}

/** A view of the bytes where their alignment allows one, else a copy. */
function dataOf(type: DType, bytes: Uint8Array): ConstantData {
  const aligned = bytes.byteOffset % DTYPE_BYTES[type] === 0 ? bytes : bytes.slice();
  const length = bytes.byteLength / DTYPE_BYTES[type];
  const { buffer, byteOffset } = aligned;
  switch (type) {
    case 'int8':
      return new Int8Array(buffer, byteOffset, length);
    case 'uint8':
      return new Uint8Array(buffer, byteOffset, length);
    case 'int16':
      return new Int16Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
    default:
      return assertNever(type);
  }
}

// ---- ops

function parseOp(s: Scanner, draft: Draft): void {
  const column = s.column;
  const id = s.count('an op number') as OpId;
  if (draft.opIds.has(id)) throw new CodedError('SW4102', `op @${id} is defined twice`, column);
  const name = s.name('a name');
  s.expect(':');
  const output = tensorId(s);
  s.expect('=');
  const kindColumn = s.column;
  const kind = s.word('an operator');
  s.expect('(');
  const inputs = s.isNext(')') ? [] : s.list(',', () => tensorId(s));
  s.expect(')');
  const body = parseBody(s, kind, kindColumn);
  const zero = s.acceptWord('zero') ? { anchorZeroPoint: s.number('a zero point') } : {};
  const epilogue: EpilogueStage[] = [];
  while (s.accept('|>')) epilogue.push(parseStage(s));
  draft.opIds.add(id);
  draft.ops.push({ id, name, output, inputs, ...body, ...zero, epilogue, loc: parseLoc(s, draft.source) });
}

type Body<T = Op> = T extends Op
  ? Omit<T, 'id' | 'name' | 'output' | 'inputs' | 'epilogue' | 'loc' | 'anchorZeroPoint'>
  : never;

const KINDS: Readonly<Record<OpKind, (s: Scanner, kind: OpKind) => Body>> = {
  conv2d: (s) => {
    const window = parseWindow(s);
    s.expectWord('groups');
    return { kind: 'conv2d', window, groups: s.count('a number of groups'), ...parseRounding(s) };
  },
  dense: (s) => ({ kind: 'dense', ...parseRounding(s) }),
  maxPool: (s) => parsePool(s, 'maxPool'),
  avgPool: (s) => parsePool(s, 'avgPool'),
  sumPool: (s) => {
    const window = parseWindow(s);
    if (s.acceptWord('real')) return { kind: 'sumPool', window, multiplier: 0, shift: 0, scale: s.number('a scale') };
    s.expectWord('by');
    const multiplier = s.integer('a multiplier');
    s.expect(':');
    const rescale = { multiplier, shift: s.integer('a shift') };
    const offset = s.acceptWord('offset') ? { offset: s.integer('an offset') } : {};
    return { kind: 'sumPool', window, ...rescale, ...offset };
  },
  add: (s) => ({ kind: 'add', ...parseRescale(s) }),
  sub: (s) => ({ kind: 'sub', ...parseRescale(s) }),
  mul: (s) => ({ kind: 'mul', ...parseRescale(s) }),
  binary: (s) => ({ kind: 'binary', fn: oneOf(s, BINARY_FUNCTIONS) }),
  select: () => ({ kind: 'select' }),
  reduce: (s) => ({ kind: 'reduce', fn: oneOf(s, REDUCTIONS) }),
  layerNorm: (s) => {
    const isCentred = !s.acceptWord('rms');
    return { kind: 'layerNorm', isCentred, epsilon: labelled(s, 'epsilon') };
  },
  matmul: (s) => ({ kind: 'matmul', transposeB: s.acceptWord('transposed'), ...parseSumRescale(s) }),
  gather: () => ({ kind: 'gather' }),
  recurrent: (s) => {
    const cell = oneOf(s, RECURRENT_CELLS);
    const hidden = labelled(s, 'hidden');
    const isReverse = s.acceptWord('reverse');
    const resetsAfter = s.acceptWord('resets-after');
    const clip = s.acceptWord('clip') ? s.number('a limit') : 0;
    return { kind: 'recurrent', cell, hidden, isReverse, resetsAfter, clip };
  },
  broadcast: () => ({ kind: 'broadcast' }),
  clamp: (s) => ({ kind: 'clamp', ...parseLimits(s) }),
  unary: (s) => ({ kind: 'unary', ...parseUnary(s) }),
  lut: () => ({ kind: 'lut' }),
  softmax: (s) => ({ kind: 'softmax', ...parseFixedPoint(s) }),
  resize: parseResize,
  pad: parsePad,
  convert: parseConvert,
  lrn: (s) => {
    const size = labelled(s, 'size');
    const alpha = labelled(s, 'alpha');
    const beta = labelled(s, 'beta');
    const k = labelled(s, 'k');
    return { kind: 'lrn', size, alpha, beta, k, sumShift: labelled(s, 'sum-shift') };
  },
  upsample: (s) => {
    s.expectWord('scale');
    return { kind: 'upsample', scale: pair(s) };
  },
  concat: (s) => ({ kind: 'concat', axis: labelled(s, 'axis') }),
  slice: (s) => ({ kind: 'slice', axis: labelled(s, 'axis'), start: labelled(s, 'start') }),
  reshape: () => ({ kind: 'reshape' }),
  transpose: (s) => {
    s.expectWord('perm');
    return { kind: 'transpose', perm: bracketed(s, 'an axis') };
  },
  copy: () => ({ kind: 'copy' }),
};

const isKind = (word: string): word is OpKind => Object.hasOwn(KINDS, word);

function parseBody(s: Scanner, kind: string, column: number): Body {
  if (!isKind(kind)) throw new ScanError(`no operator is called '${kind}'`, column);
  return KINDS[kind](s, kind);
}

function labelled(s: Scanner, word: string): number {
  s.expectWord(word);
  return s.number(word);
}

function pair(s: Scanner): [number, number] {
  const first = s.count('a whole number');
  s.expect('x');
  return [first, s.count('a whole number')];
}

function parseWindow(s: Scanner): Window2d {
  s.expectWord('kernel');
  const kernel = pair(s);
  s.expectWord('stride');
  const stride = pair(s);
  s.expectWord('pad');
  const column = s.column;
  const [top, left, bottom, right, ...more] = s.list(',', () => s.count('rows or columns of padding'));
  if (top === undefined || left === undefined || bottom === undefined || right === undefined || more.length > 0) {
    throw new ScanError('padding is top,left,bottom,right', column);
  }
  const dilation: [number, number] = s.acceptWord('dilation') ? pair(s) : [1, 1];
  return { kernel, stride, dilation, pad: { top, left, bottom, right } };
}

function parsePool(s: Scanner, kind: PoolOp['kind']): Body<PoolOp> {
  const window = parseWindow(s);
  return { kind, window, countIncludePad: s.acceptWord('count-pad') };
}

function parseLimits(s: Scanner): { lo: number; hi: number } {
  const lo = s.number('a low limit');
  s.expect('..');
  return { lo, hi: s.number('a high limit') };
}

/** One of the words. */
function oneOf<Word extends string>(s: Scanner, words: readonly Word[]): Word {
  const column = s.column;
  const word = s.word('a function');
  const found = words.find((name) => name === word);
  if (found === undefined) throw new ScanError(`'${word}' is none of ${words.join(', ')}`, column);
  return found;
}

function parseUnary(s: Scanner): { fn: UnaryFunction; alpha: number; beta: number } {
  const fn = oneOf(s, UNARY_FUNCTIONS);
  const alpha = labelled(s, 'alpha');
  return { fn, alpha, beta: labelled(s, 'beta') };
}

function parseFixedPoint(s: Scanner): { fixedPoint?: FixedPointSoftmax; realScale?: number } {
  if (s.acceptWord('real')) return { realScale: s.number('a scale') };
  if (!s.acceptWord('by')) return {};
  const multiplier = s.integer('a multiplier');
  s.expect(':');
  const leftShift = s.integer('a shift');
  s.expectWord('least');
  return { fixedPoint: { multiplier, leftShift, leastDifference: s.integer('a difference') } };
}

const RESIZE_COORDINATES: readonly ResizeCoordinates[] = ['asymmetric', 'alignCorners', 'halfPixel'];

function parseResize(s: Scanner): Body<ResizeOp> {
  const mode = s.acceptWord('nearest') ? 'nearest' : 'bilinear';
  if (mode === 'bilinear') s.expectWord('bilinear');
  s.expectWord('size');
  const size = pair(s);
  const column = s.column;
  const word = s.word('how positions map');
  const coordinates = RESIZE_COORDINATES.find((name) => name === word);
  if (coordinates === undefined) throw new ScanError(`'${word}' is none of ${RESIZE_COORDINATES.join(', ')}`, column);
  return { kind: 'resize', mode, size, coordinates };
}

function parseSumRescale(s: Scanner): { rescale?: SumRescale } {
  if (s.acceptWord('real')) return { rescale: { multiplier: 0, shift: 0, scale: s.number('a scale') } };
  if (!s.acceptWord('by')) return {};
  const multiplier = s.integer('a multiplier');
  s.expect(':');
  return { rescale: { multiplier, shift: s.integer('a shift'), ...parseRounding(s) } };
}

function parseRounding(s: Scanner): { rounding?: 'once' } {
  return s.acceptWord('once') ? { rounding: 'once' } : {};
}

function parsePad(s: Scanner): Body<PadOp> {
  const counts = (word: string): [number, number, number] => {
    s.expectWord(word);
    const column = s.column;
    const [rows, columns, channels, ...more] = s.list(',', () => s.count('rows, columns or channels of padding'));
    if (rows === undefined || columns === undefined || channels === undefined || more.length > 0) {
      throw new ScanError('padding is rows,columns,channels', column);
    }
    return [rows, columns, channels];
  };
  const before = counts('before');
  const after = counts('after');
  if (s.acceptWord('reflect')) return { kind: 'pad', before, after, value: 0, mode: 'reflect' };
  if (s.acceptWord('edge')) return { kind: 'pad', before, after, value: 0, mode: 'edge' };
  return { kind: 'pad', before, after, value: labelled(s, 'value') };
}

function parseConvert(s: Scanner): Body<ConvertOp> {
  s.expectWord('to');
  const to = dtype(s);
  if (s.acceptWord('half-even')) return { kind: 'convert', to, multiplier: 0, shift: 0, rounding: 'halfEven' };
  if (!s.acceptWord('by')) return { kind: 'convert', to, multiplier: 0, shift: 0 };
  const multiplier = s.integer('a multiplier');
  s.expect(':');
  return { kind: 'convert', to, multiplier, shift: s.integer('a shift') };
}

function parseRescale(s: Scanner): { rescale?: BinaryRescale | RealRescale } {
  if (!s.acceptWord('rescale')) return {};
  if (s.acceptWord('real')) {
    const scaleA = labelled(s, 'a');
    const scaleB = labelled(s, 'b');
    return { rescale: { scaleA, scaleB, offset: labelled(s, 'offset') } };
  }
  const leftShift = labelled(s, 'left');
  const factor = (word: string): [number, number] => {
    s.expectWord(word);
    const multiplier = s.integer('a multiplier');
    s.expect(':');
    return [multiplier, s.integer('a shift')];
  };
  const [multiplierA, shiftA] = factor('a');
  const [multiplierB, shiftB] = factor('b');
  const [multiplierOut, shiftOut] = factor('out');
  return { rescale: { leftShift, multiplierA, shiftA, multiplierB, shiftB, multiplierOut, shiftOut } };
}

function parseStage(s: Scanner): EpilogueStage {
  if (s.acceptWord('clamp')) return { kind: 'clamp', ...parseLimits(s) };
  if (s.acceptWord('unary')) return { kind: 'unary', ...parseUnary(s) };
  if (s.acceptWord('lut')) {
    s.expect('(_,');
    const table = tensorId(s);
    s.expect(')');
    s.expectWord('zero');
    return { kind: 'lut', table, resultZeroPoint: s.number('a zero point') };
  }
  if (!s.acceptWord('add')) return s.fail("a stage: 'clamp', 'lut', 'unary' or 'add'");
  s.expect('(');
  const valueIs = s.accept('_') ? 'a' : 'b';
  if (valueIs === 'a') s.expect(',');
  const operand = tensorId(s);
  if (valueIs === 'b') s.expect(', _');
  s.expect(')');
  s.expectWord('zero');
  const valueZeroPoint = s.number('a zero point');
  s.expect('->');
  const resultZeroPoint = s.number('a zero point');
  return { kind: 'add', operand, valueIs, valueZeroPoint, resultZeroPoint, ...parseRescale(s) };
}
