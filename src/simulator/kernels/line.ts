/**
 * One output row of a command on its way: values[pixel * channels + channel] for the clipped columns and channels.
 * Values of integer types are integers, float32 values are rounded to float32 after every stage.
 */
import { type Activation, at, type ImageTask, lengthOf, pixelAddress, type View } from '../geometry.js';
import { elementsOf, type Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { floatFromBits, limit, mbqm, nearestEven } from './fixed-point.js';
import { activationFunction } from './functions.js';

export type Line = Float64Array;

export function makeLine(task: ImageTask): Line {
  return new Float64Array(lengthOf(task.cols) * lengthOf(task.channels));
}

/** Reads the elements of a view at the positions of the task's columns and channels in `row`. */
export function readLine(memory: Memory, task: ImageTask, view: View, row: number, line: Line): void {
  const channels = lengthOf(task.channels);
  const source = elementsOf(memory, task.dtype);
  const unit = task.elementBytes;
  let to = 0;
  for (let x = task.cols.lo; x < task.cols.hi; x++) {
    const from = pixelAddress(view, row, x) / unit + task.channels.lo;
    for (let c = 0; c < channels; c++) line[to + c] = source[from + c] ?? 0;
    to += channels;
  }
}

/** Applies the epilogue to the anchor's results of a row and stores them. */
export function finishLine(memory: Memory, task: ImageTask, row: number, line: Line, other: Line): void {
  const { epilogue } = task;
  activate(memory, task, epilogue.first, line);
  if (epilogue.addMode !== 0) {
    readLine(memory, task, epilogue.add, row, other);
    if (task.isFloat) for (let i = 0; i < line.length; i++) line[i] = Math.fround((line[i] ?? 0) + (other[i] ?? 0));
    else if (epilogue.addMode > 2) addReal(task, line, other);
    else addIntegers(task, line, other);
  }
  activate(memory, task, epilogue.second, line);
  writeLine(memory, task, row, line);
}

function writeLine(memory: Memory, task: ImageTask, row: number, line: Line): void {
  const channels = lengthOf(task.channels);
  const target = elementsOf(memory, task.dtype);
  let from = 0;
  for (let x = task.cols.lo; x < task.cols.hi; x++) {
    const to = pixelAddress(task.out, row, x) / task.elementBytes + task.channels.lo;
    for (let c = 0; c < channels; c++) target[to + c] = line[from + c] ?? 0;
    from += channels;
  }
}

function activate(memory: Memory, task: ImageTask, activation: Activation, line: Line): void {
  if (activation.kind === 0) return;
  if (task.isFloat) activateFloat(activation, line);
  else if (activation.kind === 1) {
    const { lo, hi } = activation;
    for (let i = 0; i < line.length; i++) line[i] = Math.min(Math.max(line[i] ?? 0, lo), hi);
  } else {
    const first = activation.lo / task.elementBytes;
    const table = elementsOf(memory, task.dtype).subarray(first, first + task.hi - task.lo + 1);
    for (let i = 0; i < line.length; i++) line[i] = table[(line[i] ?? 0) - task.lo] ?? 0;
  }
}

function activateFloat(activation: Activation, line: Line): void {
  const alpha = floatFromBits(activation.lo);
  const beta = floatFromBits(activation.hi);
  const fn = activationFunction(activation.kind);
  if (fn === undefined) throw new Error(`activation ${activation.kind} passed the check of its command`);
  for (let i = 0; i < line.length; i++) line[i] = Math.fround(fn(line[i] ?? 0, alpha, beta));
}

/** Stage 2 on integers: the sum of `line` and `other` into `line`. */
function addIntegers(task: ImageTask, line: Line, other: Line): void {
  const { rescale: r, addMode, addZeroValue, addZeroOther, addZeroOut } = task.epilogue;
  const valueIsA = addMode === 1;
  const [shiftValue, shiftOther] = valueIsA ? [r.shiftA, r.shiftB] : [r.shiftB, r.shiftA];
  const [multiplierValue, multiplierOther] = valueIsA ? [r.multiplierA, r.multiplierB] : [r.multiplierB, r.multiplierA];
  const ofValue = scaled(task, addZeroValue, r.leftShift, multiplierValue, shiftValue);
  const ofOther = scaled(task, addZeroOther, r.leftShift, multiplierOther, shiftOther);
  for (let i = 0; i < line.length; i++) {
    const sum = (ofValue(line[i] ?? 0) + ofOther(other[i] ?? 0)) | 0;
    line[i] = limit(mbqm(sum, r.multiplierOut, r.shiftOut) + addZeroOut, task.lo, task.hi);
  }
}

function addReal(task: ImageTask, line: Line, other: Line): void {
  const { rescale, addMode } = task.epilogue;
  const [scaleA, scaleB] = [floatFromBits(rescale.multiplierA), floatFromBits(rescale.multiplierB)];
  const offset = floatFromBits(rescale.multiplierOut);
  const [a, b] = addMode === 3 ? [line, other] : [other, line];
  for (let i = 0; i < line.length; i++) {
    line[i] = limit(sumOfScaled(a[i] ?? 0, scaleA, b[i] ?? 0, scaleB, offset), task.lo, task.hi);
  }
}

/** Stored operands times their scales, and the offset, each step rounded to float32 once; to an integer. */
export function sumOfScaled(a: number, scaleA: number, b: number, scaleB: number, offset: number): number {
  return nearestEven(Math.fround(b * scaleB + Math.fround(a * scaleA + offset)));
}

/** mbqm((x - zero) << leftShift, multiplier, shift) of a stored x; from a table where there are only 256 of them. */
export function scaled(
  task: ImageTask,
  zero: number,
  leftShift: number,
  multiplier: number,
  shift: number,
): (x: number) => number {
  const scale = (x: number) => mbqm((x - zero) << leftShift, multiplier, shift);
  if (task.elementBytes > 1) return scale;
  const table = Int32Array.from({ length: 256 }, (_, index) => scale(index + task.lo));
  return (x) => table[x - task.lo] ?? 0;
}

/** Runs `compute` for every output row and finishes it. */
export function forEachLine(memory: Memory, task: ImageTask, compute: (row: number, line: Line) => void): void {
  const line = makeLine(task);
  const other = makeLine(task);
  for (let row = task.rows.lo; row < task.rows.hi; row++) {
    compute(row, line);
    finishLine(memory, task, row, line, other);
  }
}

/** A float parameter of a command. */
export function floatField(fields: Fields, name: string): number {
  return floatFromBits(at(fields, name));
}
