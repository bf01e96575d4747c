/** The compute commands without weights. */
import {
  at,
  type ImageTask,
  imageTask,
  inputImage,
  isEmpty,
  lengthOf,
  poolRowsTask,
  rescaleOf,
  rowAddress,
  viewOf,
  windowOf,
} from '../geometry.js';
import type { Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { clamp8, divideHalfAway, mbqm } from './fixed-point.js';
import { floatField, forEachLine, type Line, makeLine, readLine, scaledTable } from './line.js';

export function runPool(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const mode = at(fields, 'mode');
  const counts = new Float64Array(lengthOf(task.cols));
  forEachLine(memory, task, (row, line) => {
    line.fill(mode === 0 ? Number.NEGATIVE_INFINITY : 0);
    counts.fill(0);
    poolRow(memory, fields, task, row, line, counts, mode === 0);
    if (mode !== 0) average(fields, task, line, counts, mode === 2);
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
  const source = task.isFloat ? memory.float32 : memory.int8;
  const channels = lengthOf(task.channels);
  for (let kh = 0; kh < window.kernelH; kh++) {
    const inRow = row * window.strideH + kh * window.dilationH - window.padTop;
    if (inRow < 0 || inRow >= input.height) continue;
    const rowStart = rowAddress(input.view, inRow);
    for (let kw = 0; kw < window.kernelW; kw++) {
      for (let pixel = 0; pixel < counts.length; pixel++) {
        const inCol = (task.cols.lo + pixel) * window.strideW + kw * window.dilationW - window.padLeft;
        if (inCol < 0 || inCol >= input.width) continue;
        counts[pixel] = (counts[pixel] ?? 0) + 1;
        const from = (rowStart + inCol * input.view.pixelPitch) / task.elementBytes;
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
      line[i] = task.isFloat ? Math.fround(sum / taps) : clamp8(divideHalfAway(sum, taps));
    }
  }
}

export function runPoolRows(memory: Memory, fields: Fields): void {
  const { gathered, pixel } = poolRowsTask(fields);
  if (lengthOf(gathered) === 0 || isEmpty(pixel)) return;
  const input = inputImage(fields);
  const isMaximum = at(fields, 'mode') === 0;
  const first = at(fields, 'sums') / 4;
  const sums = memory.int32.slice(first, first + input.channels);
  if (gathered.lo === 0) sums.fill(isMaximum ? -128 : 0);
  for (let row = gathered.lo; row < gathered.hi; row++) {
    for (let x = 0; x < input.width; x++) {
      const from = rowAddress(input.view, row) + x * input.view.pixelPitch;
      for (let c = 0; c < sums.length; c++) {
        const [sum, value] = [sums[c] ?? 0, memory.int8[from + c] ?? 0];
        sums[c] = isMaximum ? Math.max(sum, value) : sum + value;
      }
    }
  }
  if (gathered.hi < input.height) {
    memory.int32.set(sums, first);
    return;
  }
  const pixels = input.height * input.width;
  forEachLine(memory, pixel, (_row, line) => {
    for (let c = 0; c < line.length; c++)
      line[c] = isMaximum ? (sums[c] ?? 0) : clamp8(divideHalfAway(sums[c] ?? 0, pixels));
  });
}

export function runBinary(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const mode = at(fields, 'mode');
  const [a, b] = [viewOf(fields, 'a'), viewOf(fields, 'b')];
  const second = makeLine(task);
  const combine = task.isFloat ? combineFloat : combineInt8(fields);
  forEachLine(memory, task, (row, line) => {
    readLine(memory, task, a, row, line);
    readLine(memory, task, b, row, second);
    combine(mode, line, second);
  });
}

function combineFloat(mode: number, a: Line, b: Line): void {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    a[i] = Math.fround(mode === 0 ? x + y : mode === 1 ? x - y : x * y);
  }
}

/** The result replaces a. */
function combineInt8(fields: Fields): (mode: number, a: Line, b: Line) => void {
  const r = rescaleOf(fields, '');
  const [aZero, bZero, outZero] = [at(fields, 'aZero'), at(fields, 'bZero'), at(fields, 'outZero')];
  const tableA = scaledTable(aZero, r.leftShift, r.multiplierA, r.shiftA);
  const tableB = scaledTable(bZero, r.leftShift, r.multiplierB, r.shiftB);
  return (mode, a, b) => {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i] ?? 0, b[i] ?? 0];
      let value = (x - aZero) * (y - bZero);
      if (mode !== 2) {
        const [p, q] = [tableA[x + 128] ?? 0, tableB[y + 128] ?? 0];
        value = (mode === 0 ? p + q : p - q) | 0;
      }
      a[i] = clamp8(mbqm(value, r.multiplierOut, r.shiftOut) + outZero);
    }
  };
}

export function runMap(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const view = viewOf(fields, 'in');
  const [scaleH, scaleW] = [at(fields, 'scaleH'), at(fields, 'scaleW')];
  const source = task.isFloat ? memory.float32 : memory.int8;
  const channels = lengthOf(task.channels);
  forEachLine(memory, task, (row, line) => {
    const rowStart = rowAddress(view, Math.floor(row / scaleH));
    let to = 0;
    for (let x = task.cols.lo; x < task.cols.hi; x++, to += channels) {
      const from = (rowStart + Math.floor(x / scaleW) * view.pixelPitch) / task.elementBytes;
      for (let c = 0; c < channels; c++) line[to + c] = source[from + c] ?? 0;
    }
  });
}

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
  const table = task.isFloat ? new Int32Array(0) : tableAt(memory, fields, 256).slice();
  forEachLine(memory, task, (row, line) => {
    readLine(memory, task, view, row, line);
    for (let start = 0; start < line.length; start += channels) {
      const pixel = line.subarray(start, start + channels);
      if (task.isFloat) softmaxFloat(pixel);
      else softmaxInt8(pixel, table);
    }
  });
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

function softmaxInt8(values: Line, table: Int32Array): void {
  let largest = -128;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const e = table[Math.min(255, largest - (values[i] ?? 0))] ?? 0;
    values[i] = e;
    sum += e;
  }
  for (let i = 0; i < values.length; i++) {
    values[i] = clamp8(floorDivide((values[i] ?? 0) * 512 + sum, 2 * sum) - 128);
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
    return clamp8(divideHalfAway(value * factor, 65536) + task.outZero);
  };
}
