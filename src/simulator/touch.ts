/** Which bytes each command touches: reads first, then writes, as the machine is defined to. */
import type { Accesses } from './accesses.js';
import {
  at,
  clip,
  elementType,
  type ImagePart,
  type InputImage,
  illegalValue,
  imageRange,
  isEmpty,
  lengthOf,
  poolRowsTask,
  positionsUnder,
  type Range,
  type View,
  viewFields,
  viewOf,
  windowOf,
} from './geometry.js';
import { INT8_NUMBERS, int8Numbers } from './kernels/recurrent-int8.js';
import { neighbours } from './neighbours.js';
import { type Operand, operandOf } from './operand.js';
import type { CodeLine, Fields } from './sequencer.js';
import { isSameRing } from './stripe-ring.js';

/** Reports to `accesses` everything that the command touches. */
export function touch(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const op = line.instruction.name;
  const problem = problemOf(line, fields);
  if (problem !== undefined) {
    accesses.illegal(problem);
    return;
  }
  switch (op) {
    case 'loadRows':
    case 'storeRows':
      touchRows(accesses, line, fields);
      return;
    case 'gatherRows':
      touchGather(accesses, line, fields);
      return;
    case 'load':
    case 'store':
      touchLinear(accesses, line, fields);
      return;
    case 'loadStrided':
    case 'storeStrided':
      touchStrided(accesses, line, fields);
      return;
    case 'permute':
      touchPermute(accesses, line, fields);
      return;
    case 'conv':
      touchConv(accesses, line, fields);
      return;
    case 'poolRows':
      touchPoolRows(accesses, line, fields);
      return;
    case 'pool':
    case 'binary':
    case 'map':
    case 'resize':
    case 'pad':
    case 'select':
    case 'reduce':
    case 'layerNorm':
    case 'matmul':
    case 'recurrent':
    case 'softmax':
    case 'lrn':
      touchImages(accesses, line, fields, op);
      return;
    default:
      throw new Error(`command ${op} reached a queue`);
  }
}

/** Of a command whose steps move nothing but positions, what does not move is looked at once. */
function problemOf(line: CodeLine, fields: Fields): string | undefined {
  const { instruction, current, variables } = line;
  if (current.isLegal && variables.every(({ field, position }) => isLegalAt(position, at(fields, field))))
    return undefined;
  const problem = illegalValue(instruction.name, fields);
  current.isLegal = problem === undefined;
  return problem;
}

function isLegalAt(position: CodeLine['variables'][number]['position'], value: number): boolean {
  return position !== undefined && Number.isSafeInteger(value) && (value >= 0 || position.mayBeNegative);
}

/** A view moves when its base is stepped; a rolling buffer always does. */
function imageOperand(line: CodeLine, prefix: string, alignBytes: number, stream?: Operand['stream']): Operand {
  const operand = operandOf(line, prefix, line.stepped.has(viewFields(prefix).base), alignBytes);
  operand.stream = stream;
  return operand;
}

/** A table that was loaded. */
function constants(line: CodeLine, alignBytes: number): Operand {
  const operand = operandOf(line, 'table', false, alignBytes);
  operand.isConstant = true;
  return operand;
}

/** The command's view; one that is the same in every issue is put together once. */
function viewIn(line: CodeLine, fields: Fields, prefix: string): View {
  const { views } = line.current;
  const known = views.get(prefix);
  if (known !== undefined) return known;
  const view = viewOf(fields, prefix);
  if (!Object.values(viewFields(prefix)).some((name) => line.stepped.has(name))) views.set(prefix, view);
  return view;
}

/** The part that the command makes of its output. */
function partOf(line: CodeLine, fields: Fields): ImagePart {
  const { isFloat, elementBytes, rows, cols, channels } = imageRange(fields);
  return { isFloat, elementBytes, rows, cols, channels, out: viewIn(line, fields, 'out') };
}

function inputOf(line: CodeLine, fields: Fields): Omit<InputImage, 'zero'> {
  const [height, width, channels] = [at(fields, 'inH'), at(fields, 'inW'), at(fields, 'inC')];
  return { view: viewIn(line, fields, 'in'), height, width, channels };
}

function touchRows(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const rows = clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'imageH'));
  const cols = clip(at(fields, 'col0'), at(fields, 'cols'), at(fields, 'imageW'));
  const pixelBytes = at(fields, 'pixelBytes');
  const sram = () => {
    const isWrite = line.instruction.queue === 'load';
    const bytes = { lo: 0, hi: pixelBytes };
    accesses.sramImage(imageOperand(line, 'sram', 1), viewIn(line, fields, 'sram'), rows, cols, bytes, isWrite);
  };
  if (line.instruction.queue === 'store') sram();
  const pitches = [at(fields, 'dramRowPitch'), at(fields, 'dramPixelPitch')] as const;
  accesses.dramImage(at(fields, 'dramBase'), ...pitches, rows, cols, pixelBytes);
  if (line.instruction.queue === 'load') sram();
}

/** The bytes of the region that `load` and `store` move, after clipping. */
export function linearRange(fields: Fields): Range {
  return clip(at(fields, 'offset'), at(fields, 'bytes'), at(fields, 'limit'));
}

/** Which entries are read is a matter of the data: the table must be there as a whole, and the bytes are those of the rows. */
function touchGather(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const rows = clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'imageH'));
  if (lengthOf(rows) === 0) return;
  const cols = { lo: 0, hi: 1 };
  const entryBytes = at(fields, 'entryBytes');
  // Only this queue overwrites indices while it runs, and it works in order.
  const index = imageOperand(line, 'index', 4);
  index.isInPlace = true;
  accesses.sramImage(index, viewIn(line, fields, 'index'), rows, cols, { lo: 0, hi: 4 }, false);
  const base = at(fields, 'dramBase');
  accesses.dramEntries(base, base + at(fields, 'entries') * entryBytes, entryBytes, lengthOf(rows));
  const bytes = { lo: 0, hi: entryBytes };
  accesses.sramImage(imageOperand(line, 'sram', 1), viewIn(line, fields, 'sram'), rows, cols, bytes, true);
}

function touchLinear(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const { lo, hi } = linearRange(fields);
  if (hi <= lo) return;
  const origin = at(fields, 'sramBase') - at(fields, 'offset');
  const isMoving = line.stepped.has('sramBase') || line.stepped.has('offset');
  const operand = operandOf(line, 'sram', isMoving, 1);
  const isLoad = line.instruction.queue === 'load';
  const sram = () => accesses.sramBytes(operand, origin + lo, origin + hi, origin, isLoad);
  if (!isLoad) sram();
  accesses.dramBytes(at(fields, 'dramBase') + lo, at(fields, 'dramBase') + hi);
  if (isLoad) sram();
}

/** Elements along the four dimensions; 0 stands for 1. */
export function counts(fields: Fields): readonly [number, number, number, number] {
  const count = (d: number) => Math.max(1, at(fields, `count${d}`));
  return [count(0), count(1), count(2), count(3)];
}

export function strides(fields: Fields, prefix: string): readonly [number, number, number, number] {
  const stride = (d: number) => at(fields, `${prefix}Stride${d}`);
  return [stride(0), stride(1), stride(2), stride(3)];
}

/** Calls `run` with the start and bytes of every run of consecutive elements. */
function forEachRun(
  base: number,
  elementBytes: number,
  count: readonly [number, number, number, number],
  stride: readonly [number, number, number, number],
  run: (start: number, bytes: number) => void,
): void {
  const isDense = count[3] === 1 || stride[3] === elementBytes;
  const inner = isDense ? 1 : count[3];
  const bytes = isDense ? count[3] * elementBytes : elementBytes;
  for (let i = 0; i < count[0]; i++) {
    for (let j = 0; j < count[1]; j++) {
      for (let k = 0; k < count[2]; k++) {
        const start = base + i * stride[0] + j * stride[1] + k * stride[2];
        for (let l = 0; l < inner; l++) run(start + l * stride[3], bytes);
      }
    }
  }
}

function touchStrided(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const elementBytes = at(fields, 'elementBytes');
  const count = counts(fields);
  const isLoad = line.instruction.queue === 'load';
  const origin = at(fields, 'sramBase');
  const operand = operandOf(line, 'sram', line.stepped.has('sramBase'), 1);
  const sram = () =>
    forEachRun(origin, elementBytes, count, strides(fields, 'sram'), (start, bytes) =>
      accesses.sramBytes(operand, start, start + bytes, origin, isLoad),
    );
  if (!isLoad) sram();
  forEachRun(at(fields, 'dramBase'), elementBytes, count, strides(fields, 'dram'), (start, bytes) =>
    accesses.dramBytes(start, start + bytes),
  );
  if (isLoad) sram();
}

function touchPermute(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const elementBytes = at(fields, 'elementBytes');
  const count = counts(fields);
  for (const prefix of ['in', 'out']) {
    const base = at(fields, `${prefix}Base`);
    const operand = operandOf(line, prefix, false, 1);
    forEachRun(base, elementBytes, count, strides(fields, prefix), (start, bytes) =>
      accesses.sramBytes(operand, start, start + bytes, base, prefix === 'out'),
    );
  }
}

/** Bytes of one weight record; its layout is in the instruction table. */
export function recordBytes(fields: Fields, weights: number): number {
  if (at(fields, 'dtype') === 1) return 4 + 4 * weights;
  return (at(fields, 'recordForm') === 1 ? 9 : 8) + weights;
}

function touchConv(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const task = partOf(line, fields);
  if (isEmpty(task)) return;
  const input = inputOf(line, fields);
  const window = windowOf(fields);
  const groups = at(fields, 'groups');
  const groupIn = input.channels / groups;
  const groupOut = at(fields, 'outC') / groups;
  const channels = {
    lo: Math.floor(task.channels.lo / groupOut) * groupIn,
    hi: Math.ceil(task.channels.hi / groupOut) * groupIn,
  };
  const isOnArray = groups === 1 || groupIn > 1;
  touchWindowed(accesses, line, fields, task, channels, isOnArray ? 'input' : undefined);
  const bytes = recordBytes(fields, window.kernelH * window.kernelW * groupIn);
  const origin = at(fields, 'records') - at(fields, 'ch0') * bytes;
  const isMoving = line.stepped.has('records') || line.stepped.has('ch0');
  const records = operandOf(line, 'records', isMoving, task.isFloat ? 4 : 1);
  records.isConstant = true;
  if (isOnArray) records.stream = 'weights';
  accesses.sramBytes(records, origin + task.channels.lo * bytes, origin + task.channels.hi * bytes, origin, false);
  touchEpilogueAndOutput(accesses, line, fields, task);
}

/** The input of conv and pool. */
function touchWindowed(
  accesses: Accesses,
  line: CodeLine,
  fields: Fields,
  task: ImagePart,
  channels: Range,
  stream?: Operand['stream'],
): void {
  const input = inputOf(line, fields);
  const w = windowOf(fields);
  const rows = positionsUnder(task.rows, w.kernelH, w.strideH, w.dilationH, w.padTop, input.height);
  const cols = positionsUnder(task.cols, w.kernelW, w.strideW, w.dilationW, w.padLeft, input.width);
  const bytes = { lo: channels.lo * task.elementBytes, hi: channels.hi * task.elementBytes };
  const operand = imageOperand(line, 'in', task.elementBytes, stream);
  for (const r of rows) for (const c of cols) accesses.sramImage(operand, input.view, r, c, bytes, false);
}

function touchPoolRows(accesses: Accesses, line: CodeLine, fields: Fields): void {
  const { gathered, pixel } = poolRowsTask(fields);
  if (lengthOf(gathered) === 0 || pixel.channels.hi === 0) return;
  const input = inputOf(line, fields);
  const bytes = { lo: 0, hi: input.channels };
  accesses.sramImage(imageOperand(line, 'in', 1), input.view, gathered, { lo: 0, hi: input.width }, bytes, false);
  const sums = at(fields, 'sums');
  const isLast = gathered.hi === input.height;
  const operand = operandOf(line, 'sums', false, 4);
  operand.isInPlace = !isLast;
  const end = sums + 4 * input.channels;
  if (gathered.lo > 0) accesses.sramBytes(operand, sums, end, sums, false);
  if (isLast) touchEpilogueAndOutput(accesses, line, fields, pixel);
  else accesses.sramBytes(operand, sums, end, sums, true);
}

function touchImages(accesses: Accesses, line: CodeLine, fields: Fields, op: string): void {
  const task = partOf(line, fields);
  if (isEmpty(task)) return;
  const bytes = { lo: 0, hi: task.channels.hi * task.elementBytes };
  const table = constants(line, 4);
  if (op === 'pool') touchWindowed(accesses, line, fields, task, task.channels);
  else if (op === 'resize') touchResized(accesses, line, fields, task, bytes);
  else if (op === 'pad') touchPadded(accesses, line, fields, task);
  else if (op === 'map') {
    const first = { lo: 0, hi: 1 };
    const rows = (at(fields, 'inRepeat') & 1) !== 0 ? first : scaled(task.rows, at(fields, 'scaleH'));
    const cols = (at(fields, 'inRepeat') & 2) !== 0 ? first : scaled(task.cols, at(fields, 'scaleW'));
    const view = viewIn(line, fields, 'in');
    const repeat = at(fields, 'inRepeat');
    const isCopy = at(fields, 'scaleH') === 1 && at(fields, 'scaleW') === 1 && repeat === 0;
    const inDtype = at(fields, 'inDtype');
    const inBytes = inDtype === 0 ? task.elementBytes : elementType(inDtype - 1).bytes;
    const operand = imageOperand(line, 'in', inBytes);
    const isInPlace = isCopy && inBytes === task.elementBytes && isSameView(view, task.out);
    const channels = (repeat & 4) !== 0 ? 1 : task.channels.hi;
    operand.isInPlace = isInPlace;
    accesses.sramImage(operand, view, rows, cols, { lo: 0, hi: channels * inBytes }, false);
  } else if (op === 'binary') {
    for (const prefix of ['a', 'b']) touchRepeated(accesses, line, fields, task, prefix);
  } else if (op === 'select') {
    for (const prefix of ['in', 'a', 'b']) touchRepeated(accesses, line, fields, task, prefix);
  } else if (op === 'reduce') touchReduced(accesses, line, fields, task);
  else if (op === 'recurrent') touchRecurrent(accesses, line, fields, task);
  else if (op === 'matmul') touchProduct(accesses, line, fields, task);
  else touchPixels(accesses, line, 'in', viewIn(line, fields, 'in'), task.rows, task.cols, bytes, task, true);
  const hasTable = op === 'softmax' && at(fields, 'multiplier') === 0;
  const tableEntries = hasTable ? 256 : op === 'lrn' ? 1024 : 0;
  const tableBase = at(fields, 'table');
  if (op === 'layerNorm') {
    const end = tableBase + 8 * lengthOf(task.channels);
    accesses.sramBytes(table, tableBase, end, tableBase, false);
  }
  if (!task.isFloat) accesses.sramBytes(table, tableBase, tableBase + 4 * tableEntries, tableBase, false);
  touchEpilogueAndOutput(accesses, line, fields, task);
}

/** What an operand has one of is read once. */
function touchRepeated(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart, prefix: string): void {
  const mask = at(fields, `${prefix}Repeat`);
  const first = { lo: 0, hi: 1 };
  const rows = (mask & 1) === 0 ? task.rows : first;
  const cols = (mask & 2) === 0 ? task.cols : first;
  const channels = (mask & 4) === 0 ? task.channels.hi : 1;
  const bytes = { lo: 0, hi: channels * task.elementBytes };
  touchPixels(accesses, line, prefix, viewIn(line, fields, prefix), rows, cols, bytes, task, mask === 0);
}

function touchReduced(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart): void {
  const inDtype = at(fields, 'inDtype');
  const unit = inDtype === 0 ? task.elementBytes : elementType(inDtype - 1).bytes;
  const bytes = { lo: 0, hi: at(fields, 'inC') * unit };
  accesses.sramImage(imageOperand(line, 'in', unit), viewIn(line, fields, 'in'), task.rows, task.cols, bytes, false);
}

function touchRecurrent(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart): void {
  const [inputs, hidden] = [at(fields, 'inC'), at(fields, 'hidden')];
  const isFloat = at(fields, 'dtype') === 1;
  const read = (prefix: string, rows: Range, elements: number, elementBytes: number): void => {
    const bytes = { lo: 0, hi: elementBytes * elements };
    const operand = imageOperand(line, prefix, elementBytes, 'input');
    accesses.sramImage(operand, viewIn(line, fields, prefix), rows, { lo: 0, hi: 1 }, bytes, false);
  };
  read('in', task.rows, inputs, isFloat ? 4 : 1);
  read('b', { lo: 0, hi: 1 }, at(fields, 'outC'), isFloat ? 4 : 2);
  const table = at(fields, 'table');
  const gates = at(fields, 'mode') % 2 === 0 ? 4 : 3;
  const end = isFloat
    ? table + 4 * gates * hidden * (inputs + hidden + 2)
    : int8Numbers(table, inputs, hidden) + 4 * (4 * hidden + INT8_NUMBERS);
  const operand = constants(line, 4);
  operand.stream = 'weights';
  accesses.sramBytes(operand, table, end, table, false);
}

/** The rows of a that become rows of the product, and all of b that goes with them. */
function touchProduct(
  accesses: Accesses,
  line: CodeLine,
  fields: Fields,
  task: ImagePart & { readonly elementBytes: number },
): void {
  const inner = at(fields, 'inC');
  const columns = lengthOf(task.channels);
  const isTransposed = at(fields, 'mode') === 1;
  const size = task.elementBytes;
  accesses.sramImage(
    imageOperand(line, 'a', size, 'input'),
    viewIn(line, fields, 'a'),
    task.rows,
    task.cols,
    { lo: 0, hi: inner * size },
    false,
  );
  const rows = (at(fields, 'bRepeat') & 1) === 0 ? task.rows : { lo: 0, hi: 1 };
  const width = { lo: 0, hi: isTransposed ? columns : inner };
  const bytes = { lo: 0, hi: (isTransposed ? inner : columns) * size };
  accesses.sramImage(imageOperand(line, 'b', size, 'weights'), viewIn(line, fields, 'b'), rows, width, bytes, false);
}

/** The rows and columns from the first neighbour to the last. */
function touchResized(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart, bytes: Range): void {
  const { view, height, width } = inputOf(line, fields);
  const rows = neighbourRange(task.rows, fields, height, at(fields, 'outH'));
  const cols = neighbourRange(task.cols, fields, width, at(fields, 'outW'));
  accesses.sramImage(imageOperand(line, 'in', task.elementBytes), view, rows, cols, bytes, false);
}

function neighbourRange(outputs: Range, fields: Fields, length: number, outLength: number): Range {
  const first = neighbours(fields, outputs.lo, length, outLength, at(fields, 'dtype'));
  const last = neighbours(fields, outputs.hi - 1, length, outLength, at(fields, 'dtype'));
  return { lo: first.lower, hi: last.upper + 1 };
}

/** The part of the input that is not cut off at the command's rows and columns. */
function touchPadded(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart): void {
  const { view, height, width, channels } = inputOf(line, fields);
  if (at(fields, 'mode') !== 0) {
    const all = { lo: 0, hi: channels * task.elementBytes };
    const operand = imageOperand(line, 'in', task.elementBytes);
    accesses.sramImage(operand, view, { lo: 0, hi: height }, { lo: 0, hi: width }, all, false);
    return;
  }
  const [top, left] = [at(fields, 'padTop'), at(fields, 'padLeft')];
  const rows = clip(task.rows.lo - top, task.rows.hi - task.rows.lo, height);
  const cols = clip(task.cols.lo - left, task.cols.hi - task.cols.lo, width);
  const bytes = { lo: 0, hi: channels * task.elementBytes };
  accesses.sramImage(imageOperand(line, 'in', task.elementBytes), view, rows, cols, bytes, false);
}

/** An operand that is read at the positions where the output is written; it may be the output's own memory. */
function touchPixels(
  accesses: Accesses,
  line: CodeLine,
  prefix: string,
  view: View,
  rows: Range,
  cols: Range,
  bytes: Range,
  task: ImagePart,
  mayBeInPlace: boolean,
): void {
  const operand = imageOperand(line, prefix, task.elementBytes);
  operand.isInPlace = mayBeInPlace && isSameView(view, task.out);
  accesses.sramImage(operand, view, rows, cols, bytes, false);
}

function isSameView(a: View, b: View): boolean {
  if (a.base !== b.base || a.pixelPitch !== b.pixelPitch || !isSameRing(a.stripes, b.stripes)) return false;
  return a.stripes !== undefined || (a.rowPitch === b.rowPitch && a.ring === b.ring);
}

/** Input positions of nearest-neighbour upsampling. */
function scaled(range: Range, scale: number): Range {
  return { lo: Math.floor(range.lo / scale), hi: Math.floor((range.hi - 1) / scale) + 1 };
}

function touchEpilogueAndOutput(accesses: Accesses, line: CodeLine, fields: Fields, task: ImagePart): void {
  const { rows, cols, channels, elementBytes } = task;
  const bytes = { lo: channels.lo * elementBytes, hi: channels.hi * elementBytes };
  for (const stage of ['act1', 'act2']) {
    if (at(fields, stage) !== 2) continue;
    const lo = at(fields, `${stage}Lo`);
    const tableBytes = elementBytes * 256 ** elementBytes;
    accesses.sramBytes(constants(line, elementBytes), lo, lo + tableBytes, lo, false);
  }
  if (at(fields, 'addMode') !== 0)
    touchPixels(accesses, line, 'add', viewIn(line, fields, 'add'), rows, cols, bytes, task, true);
  accesses.sramImage(imageOperand(line, 'out', elementBytes), task.out, rows, cols, bytes, true);
}
