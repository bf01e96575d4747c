/** Vector-unit commands of several operands, and those that look at a pixel's channels together. */
import {
  at,
  elementType,
  type ImageTask,
  imageTask,
  inputImage,
  isEmpty,
  lengthOf,
  pixelAddress,
  type View,
  viewOf,
} from '../geometry.js';
import { elementsOf, type Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { floatFromBits, limit, mbqm, mbqmOnce, timesScale } from './fixed-point.js';
import { REDUCE_MODES } from './functions.js';
import { floatField, forEachLine, type Line, makeLine } from './line.js';

/** Rows, columns and channels of which the operand has one that stands for all. */
const ROWS = 1;
const COLUMNS = 2;
const CHANNELS = 4;

/** Reads an operand at the task's positions in `row`, with what it has one of repeated. */
export function readRepeated(memory: Memory, task: ImageTask, view: View, row: number, mask: number, line: Line): void {
  const source = elementsOf(memory, task.dtype);
  const channels = lengthOf(task.channels);
  let to = 0;
  for (let x = task.cols.lo; x < task.cols.hi; x++) {
    const pixel = pixelAddress(view, (mask & ROWS) !== 0 ? 0 : row, (mask & COLUMNS) !== 0 ? 0 : x);
    const from = pixel / task.elementBytes;
    if ((mask & CHANNELS) !== 0) line.fill(source[from] ?? 0, to, to + channels);
    else for (let c = 0; c < channels; c++) line[to + c] = source[from + task.channels.lo + c] ?? 0;
    to += channels;
  }
}

export function runSelect(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const operands = (['in', 'a', 'b'] as const).map((prefix) => ({
    view: viewOf(fields, prefix),
    mask: at(fields, `${prefix}Repeat`),
    line: makeLine(task),
  }));
  forEachLine(memory, task, (row, line) => {
    for (const { view, mask, line: own } of operands) readRepeated(memory, task, view, row, mask, own);
    const [condition, a, b] = operands.map((operand) => operand.line);
    for (let i = 0; i < line.length; i++) line[i] = (condition?.[i] === 0 ? b?.[i] : a?.[i]) ?? 0;
  });
}

export function runReduce(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const input = inputImage(fields);
  const inDtype = at(fields, 'inDtype') === 0 ? task.dtype : at(fields, 'inDtype') - 1;
  const source = elementsOf(memory, inDtype);
  const { bytes } = elementType(inDtype);
  const reduction = REDUCE_MODES[at(fields, 'mode')];
  if (reduction === undefined) throw new Error('the mode passed the check of its command');
  const pixel = new Float64Array(input.channels);
  forEachLine(memory, task, (row, line) => {
    for (let x = task.cols.lo; x < task.cols.hi; x++) {
      const from = pixelAddress(input.view, row, x) / bytes;
      for (let c = 0; c < pixel.length; c++) pixel[c] = source[from + c] ?? 0;
      const value = reduction(pixel);
      line[x - task.cols.lo] = task.isFloat ? Math.fround(value) : value;
    }
  });
}

export function runLayerNorm(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const view = viewOf(fields, 'in');
  const channels = lengthOf(task.channels);
  const first = at(fields, 'table') / 4;
  const gamma = memory.float32.slice(first, first + channels);
  const beta = memory.float32.slice(first + channels, first + 2 * channels);
  const epsilon = floatField(fields, 'epsilon');
  const isCentred = at(fields, 'mode') === 0;
  forEachLine(memory, task, (row, line) => {
    for (let x = task.cols.lo; x < task.cols.hi; x++) {
      const from = pixelAddress(view, row, x) / 4;
      const to = (x - task.cols.lo) * channels;
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += memory.float32[from + c] ?? 0;
      const mean = isCentred ? sum / channels : 0;
      let squares = 0;
      for (let c = 0; c < channels; c++) squares += ((memory.float32[from + c] ?? 0) - mean) ** 2;
      const spread = Math.sqrt(squares / channels + epsilon);
      for (let c = 0; c < channels; c++) {
        const normal = ((memory.float32[from + c] ?? 0) - mean) / spread;
        line[to + c] = Math.fround(normal * (gamma[c] ?? 0) + (beta[c] ?? 0));
      }
    }
  });
}

/** What is stored of an integer sum. */
function sumOfProducts(fields: Fields, task: ImageTask): (sum: number) => number {
  const [form, multiplier, shift] = [at(fields, 'form'), at(fields, 'multiplier'), at(fields, 'shift')];
  const scale = floatFromBits(multiplier);
  const fixed = form === 2 ? mbqmOnce : mbqm;
  return (sum) => {
    const scaled = form === 1 ? timesScale(sum | 0, scale) : fixed(sum | 0, multiplier, shift);
    return limit(scaled + at(fields, 'outZero'), task.lo, task.hi);
  };
}

export function runMatMul(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const [a, b] = [viewOf(fields, 'a'), viewOf(fields, 'b')];
  const inner = at(fields, 'inC');
  const isTransposed = at(fields, 'mode') === 1;
  const isShared = (at(fields, 'bRepeat') & ROWS) !== 0;
  const columns = lengthOf(task.channels);
  const source = elementsOf(memory, task.dtype);
  const [aZero, bZero] = [at(fields, 'aZero'), at(fields, 'bZero')];
  const finish = task.isFloat ? Math.fround : sumOfProducts(fields, task);
  // b as [inner][columns], whichever way it lies.
  const matrix = new Float64Array(inner * columns);
  const vector = new Float64Array(inner);
  const sums = new Float64Array(columns);
  let loaded = -1;
  const load = (row: number): void => {
    if (loaded === row) return;
    loaded = row;
    const outer = isTransposed ? columns : inner;
    const length = isTransposed ? inner : columns;
    for (let i = 0; i < outer; i++) {
      const from = pixelAddress(b, row, i) / task.elementBytes;
      for (let j = 0; j < length; j++) {
        matrix[isTransposed ? j * columns + i : i * columns + j] = (source[from + j] ?? 0) - bZero;
      }
    }
  };
  forEachLine(memory, task, (row, line) => {
    load(isShared ? 0 : row);
    for (let x = task.cols.lo; x < task.cols.hi; x++) {
      const from = pixelAddress(a, row, x) / task.elementBytes;
      for (let k = 0; k < inner; k++) vector[k] = (source[from + k] ?? 0) - aZero;
      sums.fill(0);
      for (let k = 0; k < inner; k++) {
        const value = vector[k] ?? 0;
        const start = k * columns;
        for (let n = 0; n < columns; n++) sums[n] = (sums[n] ?? 0) + value * (matrix[start + n] ?? 0);
      }
      const to = (x - task.cols.lo) * columns;
      for (let n = 0; n < columns; n++) line[to + n] = finish(sums[n] ?? 0);
    }
  });
}
