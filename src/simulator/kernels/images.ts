/** The compute commands without weights. */
import {
  at,
  elementType,
  type ImageTask,
  imageTask,
  inputImage,
  isEmpty,
  lengthOf,
  pixelAddress,
  poolRowsTask,
  rescaleOf,
  viewOf,
  windowOf,
} from '../geometry.js';
import { elementsOf, type Memory } from '../memory.js';
import { type Neighbours, neighbours } from '../neighbours.js';
import type { Fields } from '../sequencer.js';
import { divideHalfAway, floatFromBits, limit, mbqm, nearestEven, timesScale } from './fixed-point.js';
import { expOfNegative, reciprocalOf, roundingDivide, timesHigh } from './fixed-point-functions.js';
import { BINARY_MODES, isOrderMode } from './functions.js';
import { floatField, forEachLine, type Line, makeLine, readLine, scaled, sumOfScaled } from './line.js';
import { runBinaryVector } from './simd/binary.js';
import { runMaxPoolVector } from './simd/max-pool.js';
import { readRepeated } from './vector.js';

export function runPool(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const { engine } = memory;
  if (engine !== undefined && runMaxPoolVector(engine, memory, task, fields)) return;
  const mode = at(fields, 'mode');
  const counts = new Float64Array(lengthOf(task.cols));
  forEachLine(memory, task, (row, line) => {
    line.fill(mode === 0 ? Number.NEGATIVE_INFINITY : 0);
    counts.fill(0);
    poolRow(memory, fields, task, row, line, counts, mode === 0);
    if (mode === 3) rescaleSums(fields, task, line, counts);
    else if (mode !== 0) average(fields, task, line, counts, mode === 2);
  });
}

/** Takes the largest, or adds up, over the taps inside the image in the order KH, KW. `counts` per column. */
function poolRow(
  memory: Memory,
  fields: Fields,
  task: ImageTask,
  row: number,
  line: Line,
  counts: Float64Array,
  isMaximum: boolean,
): void {
  const input = inputImage(fields);
  const window = windowOf(fields);
  const source = elementsOf(memory, task.dtype);
  const channels = lengthOf(task.channels);
  for (let kh = 0; kh < window.kernelH; kh++) {
    const inRow = row * window.strideH + kh * window.dilationH - window.padTop;
    if (inRow < 0 || inRow >= input.height) continue;
    for (let kw = 0; kw < window.kernelW; kw++) {
      for (let pixel = 0; pixel < counts.length; pixel++) {
        const inCol = (task.cols.lo + pixel) * window.strideW + kw * window.dilationW - window.padLeft;
        if (inCol < 0 || inCol >= input.width) continue;
        counts[pixel] = (counts[pixel] ?? 0) + 1;
        const from = pixelAddress(input.view, inRow, inCol) / task.elementBytes;
        const to = pixel * channels;
        if (isMaximum)
          for (let c = 0; c < channels; c++) line[to + c] = Math.max(line[to + c] ?? 0, source[from + c] ?? 0);
        else for (let c = 0; c < channels; c++) line[to + c] = (line[to + c] ?? 0) + (source[from + c] ?? 0);
      }
    }
  }
}

function average(fields: Fields, task: ImageTask, line: Line, counts: Float64Array, countsPadding: boolean): void {
  const { kernelH, kernelW } = windowOf(fields);
  const channels = lengthOf(task.channels);
  const zero = task.isFloat ? 0 : at(fields, 'inZero');
  for (let pixel = 0; pixel < counts.length; pixel++) {
    const inside = counts[pixel] ?? 0;
    const taps = countsPadding ? kernelH * kernelW : inside;
    const padding = (taps - inside) * zero;
    for (let i = pixel * channels; i < (pixel + 1) * channels; i++) {
      const sum = (line[i] ?? 0) + padding;
      line[i] = task.isFloat ? Math.fround(sum / taps) : limit(divideHalfAway(sum, taps), task.lo, task.hi);
    }
  }
}

export function runPoolRows(memory: Memory, fields: Fields): void {
  const { gathered, pixel } = poolRowsTask(fields);
  if (lengthOf(gathered) === 0 || isEmpty(pixel)) return;
  const input = inputImage(fields);
  const mode = at(fields, 'mode');
  const isMaximum = mode === 0;
  const first = at(fields, 'sums') / 4;
  const source = elementsOf(memory, pixel.dtype);
  const sums = memory.int32.slice(first, first + input.channels);
  if (gathered.lo === 0) sums.fill(isMaximum ? pixel.lo : 0);
  for (let row = gathered.lo; row < gathered.hi; row++) {
    for (let x = 0; x < input.width; x++) {
      const from = pixelAddress(input.view, row, x) / pixel.elementBytes;
      for (let c = 0; c < sums.length; c++) {
        const [sum, value] = [sums[c] ?? 0, source[from + c] ?? 0];
        sums[c] = isMaximum ? Math.max(sum, value) : sum + value;
      }
    }
  }
  if (gathered.hi < input.height) {
    memory.int32.set(sums, first);
    return;
  }
  const counts = Float64Array.of(input.height * input.width);
  forEachLine(memory, pixel, (_row, line) => {
    for (let c = 0; c < line.length; c++) line[c] = sums[c] ?? 0;
    if (mode === 3) rescaleSums(fields, pixel, line, counts);
    else if (!isMaximum) average(fields, pixel, line, counts, false);
  });
}

function rescaleSums(fields: Fields, task: ImageTask, line: Line, counts: Float64Array): void {
  const channels = lengthOf(task.channels);
  const [multiplier, shift, zero] = [at(fields, 'multiplier'), at(fields, 'shift'), at(fields, 'inZero')];
  const isReal = at(fields, 'form') === 1;
  const scale = floatFromBits(multiplier);
  for (let i = 0; i < line.length; i++) {
    const sum = (line[i] ?? 0) - zero * (counts[Math.floor(i / channels)] ?? 0);
    const scaled = isReal ? timesScale(sum, scale) : mbqm(sum, multiplier, shift);
    line[i] = limit(scaled + task.outZero, task.lo, task.hi);
  }
}

export function runBinary(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const { engine } = memory;
  if (engine !== undefined && runBinaryVector(engine, memory, task, fields)) return;
  const mode = at(fields, 'mode');
  const [a, b] = [viewOf(fields, 'a'), viewOf(fields, 'b')];
  const [aRepeat, bRepeat] = [at(fields, 'aRepeat'), at(fields, 'bRepeat')];
  const second = makeLine(task);
  const isStored = task.isFloat || isOrderMode(mode);
  const combine = isStored ? combineFloat : combineIntegers(task, fields);
  forEachLine(memory, task, (row, line) => {
    readRepeated(memory, task, a, row, aRepeat, line);
    readRepeated(memory, task, b, row, bRepeat, second);
    combine(mode, line, second);
  });
}

function combineFloat(mode: number, a: Line, b: Line): void {
  const combine = BINARY_MODES[mode];
  if (combine === undefined) throw new Error(`mode ${mode} passed the check of its command`);
  for (let i = 0; i < a.length; i++) {
    a[i] = Math.fround(combine(a[i] ?? 0, b[i] ?? 0));
  }
}

/** The result replaces a. */
function combineIntegers(task: ImageTask, fields: Fields): (mode: number, a: Line, b: Line) => void {
  const r = rescaleOf(fields, '');
  if (at(fields, 'form') === 1) return combineReal(task, fields);
  const [aZero, bZero, outZero] = [at(fields, 'aZero'), at(fields, 'bZero'), at(fields, 'outZero')];
  const ofA = scaled(task, aZero, r.leftShift, r.multiplierA, r.shiftA);
  const ofB = scaled(task, bZero, r.leftShift, r.multiplierB, r.shiftB);
  return (mode, a, b) => {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i] ?? 0, b[i] ?? 0];
      let value = (x - aZero) * (y - bZero);
      if (mode !== 2) value = (mode === 0 ? ofA(x) + ofB(y) : ofA(x) - ofB(y)) | 0;
      a[i] = limit(mbqm(value, r.multiplierOut, r.shiftOut) + outZero, task.lo, task.hi);
    }
  };
}

/** combineIntegers with scales in float32. */
function combineReal(task: ImageTask, fields: Fields): (mode: number, a: Line, b: Line) => void {
  const [aZero, bZero, outZero] = [at(fields, 'aZero'), at(fields, 'bZero'), at(fields, 'outZero')];
  const [scaleA, scaleB] = [floatField(fields, 'multiplierA'), floatField(fields, 'multiplierB')];
  const offset = floatField(fields, 'multiplierOut');
  return (mode, a, b) => {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i] ?? 0, b[i] ?? 0];
      const value =
        mode === 2
          ? nearestEven(Math.fround(Math.fround((x - aZero) * (y - bZero) * scaleA) + outZero))
          : sumOfScaled(x, scaleA, y, mode === 0 ? scaleB : -scaleB, offset);
      a[i] = limit(value, task.lo, task.hi);
    }
  };
}

export function runMap(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const view = viewOf(fields, 'in');
  const [scaleH, scaleW] = [at(fields, 'scaleH'), at(fields, 'scaleW')];
  const inDtype = at(fields, 'inDtype') === 0 ? task.dtype : at(fields, 'inDtype') - 1;
  const inType = elementType(inDtype);
  const source = elementsOf(memory, inDtype);
  const channels = lengthOf(task.channels);
  const convert = conversion(task, inDtype, fields);
  const repeat = at(fields, 'inRepeat');
  forEachLine(memory, task, (row, line) => {
    const inRow = (repeat & 1) !== 0 ? 0 : Math.floor(row / scaleH);
    let to = 0;
    for (let x = task.cols.lo; x < task.cols.hi; x++, to += channels) {
      const inCol = (repeat & 2) !== 0 ? 0 : Math.floor(x / scaleW);
      const from = pixelAddress(view, inRow, inCol) / inType.bytes;
      if ((repeat & 4) !== 0) line.fill(source[from] ?? 0, to, to + channels);
      else for (let c = 0; c < channels; c++) line[to + c] = source[from + c] ?? 0;
    }
    if (convert !== undefined) for (let i = 0; i < line.length; i++) line[i] = convert(line[i] ?? 0);
  });
}

const INT32 = 4;

/** From an element of the input to one of the output; undefined where it is the same. */
function conversion(task: ImageTask, inDtype: number, fields: Fields): ((x: number) => number) | undefined {
  const from = elementType(inDtype);
  const inZero = at(fields, 'inZero');
  const { lo, hi, outZero } = task;
  if (inDtype === task.dtype && at(fields, 'multiplier') === 0) return undefined;
  if (inDtype === INT32) return Math.fround;
  if (task.dtype === INT32) return (x) => (Number.isNaN(x) ? 0 : Math.trunc(limit(x, lo, hi)));
  const scale = floatFromBits(at(fields, 'scale'));
  if (task.isFloat) return (x) => Math.fround((x - inZero) * scale);
  if (from.isFloat) {
    const isHalfEven = at(fields, 'rounding') === 1;
    return (x) => {
      const quotient = Math.fround(x / scale);
      if (Number.isNaN(quotient)) return lo;
      const away = Math.sign(quotient) * Math.floor(Math.abs(quotient) + 0.5);
      // Beyond 2^40 the result is at a limit, however it is rounded.
      const isSmall = Math.abs(quotient) < 2 ** 40;
      const steps = isHalfEven && isSmall ? nearestEven(quotient) : away;
      return limit(steps + outZero, lo, hi);
    };
  }
  const [multiplier, shift] = [at(fields, 'multiplier'), at(fields, 'shift')];
  return multiplier === 0 ? undefined : (x) => limit(mbqm(x - inZero, multiplier, shift) + outZero, lo, hi);
}

export function runPad(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const input = inputImage(fields);
  const [top, left, front] = [at(fields, 'padTop'), at(fields, 'padLeft'), at(fields, 'padFront')];
  const value = task.isFloat ? floatField(fields, 'value') : at(fields, 'value');
  const source = elementsOf(memory, task.dtype);
  const channels = lengthOf(task.channels);
  const mode = at(fields, 'mode');
  if (mode !== 0) {
    runMirrored(memory, fields, task, mode);
    return;
  }
  forEachLine(memory, task, (row, line) => {
    line.fill(value);
    const inRow = row - top;
    if (inRow < 0 || inRow >= input.height) return;
    for (let x = task.cols.lo; x < task.cols.hi; x++) {
      const column = x - left;
      if (column < 0 || column >= input.width) continue;
      const from = pixelAddress(input.view, inRow, column) / task.elementBytes;
      const to = (x - task.cols.lo) * channels + front;
      for (let c = 0; c < input.channels; c++) line[to + c] = source[from + c] ?? 0;
    }
  });
}

/** A border made of the image itself: mirrored at its edges (mode 1), or its edges (mode 2). */
function runMirrored(memory: Memory, fields: Fields, task: ImageTask, mode: number): void {
  const input = inputImage(fields);
  const source = elementsOf(memory, task.dtype);
  const inside = (position: number, extent: number): number => {
    if (mode === 2 || extent === 1) return limit(position, 0, extent - 1);
    let folded = position;
    while (folded < 0 || folded >= extent) folded = folded < 0 ? -folded : 2 * (extent - 1) - folded;
    return folded;
  };
  const channels = lengthOf(task.channels);
  forEachLine(memory, task, (row, line) => {
    const inRow = inside(row - at(fields, 'padTop'), input.height);
    for (let x = task.cols.lo; x < task.cols.hi; x++) {
      const inCol = inside(x - at(fields, 'padLeft'), input.width);
      const from = pixelAddress(input.view, inRow, inCol) / task.elementBytes;
      const to = (x - task.cols.lo) * channels;
      for (let c = 0; c < channels; c++) {
        line[to + c] = source[from + inside(c - at(fields, 'padFront'), input.channels)] ?? 0;
      }
    }
  });
}

export function runResize(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const input = inputImage(fields);
  const channels = lengthOf(task.channels);
  const source = elementsOf(memory, task.dtype);
  const mix = task.isFloat || task.dtype === 2 ? mixReals(!task.isFloat) : mixIntegers;
  const isNearest = at(fields, 'mode') === 0;
  const columns: Neighbours[] = [];
  for (let x = task.cols.lo; x < task.cols.hi; x++) {
    columns.push(neighbours(fields, x, input.width, at(fields, 'outW'), task.dtype));
  }
  forEachLine(memory, task, (row, line) => {
    const rows = neighbours(fields, row, input.height, at(fields, 'outH'), task.dtype);
    const near = (r: number, x: number) => pixelAddress(input.view, r, x) / task.elementBytes;
    columns.forEach((column, i) => {
      const [aboveLeft, aboveRight] = [near(rows.lower, column.lower), near(rows.lower, column.upper)];
      const [belowLeft, belowRight] = [near(rows.upper, column.lower), near(rows.upper, column.upper)];
      for (let c = 0; c < channels; c++) {
        line[i * channels + c] = isNearest
          ? (source[aboveLeft + c] ?? 0)
          : mix(
              source[aboveLeft + c] ?? 0,
              source[belowLeft + c] ?? 0,
              source[aboveRight + c] ?? 0,
              source[belowRight + c] ?? 0,
              rows.weight,
              column.weight,
            );
      }
    });
  });
}

type Mix = (a: number, b: number, c: number, d: number, rowWeight: number, columnWeight: number) => number;

/** a above left, b below left, c above right, d below right; weights in 1024ths. */
const mixIntegers: Mix = (a, b, c, d, rowWeight, columnWeight) => {
  const [rowRest, columnRest] = [1024 - rowWeight, 1024 - columnWeight];
  const sum =
    a * rowRest * columnRest + b * rowWeight * columnRest + c * rowRest * columnWeight + d * rowWeight * columnWeight;
  const half = sum > 0 ? 524288 : -524288;
  return Math.trunc((sum + half) / 1048576);
};

const mixReals =
  (isInteger: boolean): Mix =>
  (a, b, c, d, rowWeight, columnWeight) => {
    const single = Math.fround;
    const rowRest = single(1 - rowWeight);
    const columnRest = single(1 - columnWeight);
    const parts = [
      single(a * single(rowRest * columnRest)),
      single(c * single(rowRest * columnWeight)),
      single(b * single(rowWeight * columnRest)),
      single(d * single(rowWeight * columnWeight)),
    ];
    const sum = parts.reduce((total, part) => single(total + part));
    return isInteger ? Math.trunc(single(sum + 0.5)) : sum;
  };

/** int32 [entries] at an address that is a multiple of four. */
function tableAt(memory: Memory, fields: Fields, entries: number): Int32Array {
  const start = at(fields, 'table') / 4;
  return memory.int32.subarray(start, start + entries);
}

export function runSoftmax(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const view = viewOf(fields, 'in');
  const channels = lengthOf(task.channels);
  const softmax = softmaxOf(memory, task, fields);
  forEachLine(memory, task, (row, line) => {
    readLine(memory, task, view, row, line);
    for (let start = 0; start < line.length; start += channels) {
      softmax(line.subarray(start, start + channels));
    }
  });
}

/** What replaces the elements of a pixel by their softmax. */
function softmaxOf(memory: Memory, task: ImageTask, fields: Fields): (pixel: Line) => void {
  if (task.isFloat) return softmaxFloat;
  if (at(fields, 'multiplier') !== 0) return (pixel) => softmaxFixed(pixel, task, fields);
  const scale = floatFromBits(at(fields, 'scale'));
  if (scale !== 0) {
    const first = at(fields, 'table') / 4;
    const exponentials = memory.float32.slice(first, first + 256);
    return (pixel) => softmaxByScale(pixel, exponentials, scale, task);
  }
  const table = tableAt(memory, fields, 256).slice();
  return (pixel) => softmaxByTable(pixel, table, task);
}

/** Exponentials in Q0.31, their sum in Q12.19. */
function softmaxFixed(values: Line, task: ImageTask, fields: Fields): void {
  const factor = 2 ** at(fields, 'leftShift');
  const [multiplier, least] = [at(fields, 'multiplier'), at(fields, 'leastDifference')];
  let largest = task.lo;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  const exponentials = new Float64Array(values.length).fill(-1);
  for (let i = 0; i < values.length; i++) {
    const difference = (values[i] ?? 0) - largest;
    if (difference < least) continue;
    const e = expOfNegative(timesHigh(difference * factor, multiplier));
    exponentials[i] = e;
    sum += roundingDivide(e, 12);
  }
  const [inverse, bits] = reciprocalOf(sum, 12);
  for (let i = 0; i < values.length; i++) {
    const e = exponentials[i] ?? -1;
    const steps = e < 0 ? 0 : roundingDivide(timesHigh(inverse, e), bits + 31 - 8);
    values[i] = limit(task.lo + steps, task.lo, task.hi);
  }
}

function softmaxFloat(values: Line): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const e = Math.exp((values[i] ?? 0) - largest);
    values[i] = e;
    sum += e;
  }
  for (let i = 0; i < values.length; i++) values[i] = Math.fround((values[i] ?? 0) / sum);
}

/** In float32, every step rounded. */
function softmaxByScale(values: Line, exponentials: Float32Array, scale: number, task: ImageTask): void {
  let largest = task.lo;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (const value of values) sum = Math.fround(sum + (exponentials[largest - value] ?? 0));
  for (let i = 0; i < values.length; i++) {
    const share = Math.fround(Math.fround((exponentials[largest - (values[i] ?? 0)] ?? 0) * scale) / sum);
    const steps = Number.isFinite(share) ? nearestEven(share) : 0;
    values[i] = limit(steps + task.outZero, task.lo, task.hi);
  }
}

function softmaxByTable(values: Line, table: Int32Array, task: ImageTask): void {
  let largest = task.lo;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const e = table[Math.min(255, largest - (values[i] ?? 0))] ?? 0;
    values[i] = e;
    sum += e;
  }
  for (let i = 0; i < values.length; i++) {
    values[i] = limit(floorDivide((values[i] ?? 0) * 512 + sum, 2 * sum) + task.lo, task.lo, task.hi);
  }
}

/** floor(a / b), exact for 0 <= a < 2^53 and 0 < b: the quotient of doubles may be rounded up to an integer. */
function floorDivide(a: number, b: number): number {
  if (b === 0) return 0;
  return (a - (a % b)) / b;
}

export function runLrn(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const view = viewOf(fields, 'in');
  const channels = lengthOf(task.channels);
  const table = task.isFloat ? new Int32Array(0) : tableAt(memory, fields, 1024).slice();
  const before = Math.floor((at(fields, 'size') - 1) / 2);
  const after = Math.ceil((at(fields, 'size') - 1) / 2);
  const zero = task.isFloat ? 0 : at(fields, 'inZero');
  const source = makeLine(task);
  const scale = lrnScale(task, fields, table);
  forEachLine(memory, task, (row, line) => {
    readLine(memory, task, view, row, source);
    for (let start = 0; start < source.length; start += channels) {
      for (let c = 0; c < channels; c++) {
        let squares = 0;
        const last = Math.min(channels - 1, c + after);
        for (let j = Math.max(0, c - before); j <= last; j++) squares += ((source[start + j] ?? 0) - zero) ** 2;
        line[start + c] = scale((source[start + c] ?? 0) - zero, squares);
      }
    }
  });
}

/** The result for a value less its zero point, and the sum of squares around it. */
function lrnScale(task: ImageTask, fields: Fields, table: Int32Array): (value: number, squares: number) => number {
  if (task.isFloat) {
    const [alpha, beta, k] = [floatField(fields, 'alpha'), floatField(fields, 'beta'), floatField(fields, 'k')];
    const size = at(fields, 'size');
    return (value, squares) => Math.fround(value * (k + (alpha / size) * squares) ** -beta);
  }
  const divisor = 2 ** at(fields, 'sumShift');
  return (value, squares) => {
    const factor = table[Math.min(1023, Math.floor(squares / divisor))] ?? 0;
    return limit(divideHalfAway(value * factor, 65536) + task.outZero, task.lo, task.hi);
  };
}
