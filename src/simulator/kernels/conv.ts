import {
  at,
  type ImageTask,
  type InputImage,
  imageTask,
  inputImage,
  isEmpty,
  lengthOf,
  pixelAddress,
  type Window,
  windowOf,
} from '../geometry.js';
import { elementsOf, type Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { limit, mbqm, mbqm64, mbqmOnce, mbqmOnce64, timesScale } from './fixed-point.js';
import { finishLine, type Line, makeLine } from './line.js';
import { runGroupVector } from './simd/conv.js';
import { runDepthwiseVector } from './simd/depthwise.js';

/** Elements of gathered input that are worked on at once: they should stay in the cache. */
const PATCH_ELEMENTS = 1 << 17;

/** Weights that are unpacked at once; the input is gathered again for the channels that are left. */
const WEIGHT_ELEMENTS = 1 << 23;

/** What is in the records of the task's channels beside the weights. */
interface Records {
  readonly biases: Float64Array;
  readonly multipliers: Int32Array;
  readonly shifts: Int32Array;
  readonly scales: Float32Array | undefined; // in place of both
}

/** A conv command, taken apart. */
export interface ConvWork {
  readonly memory: Memory;
  readonly task: ImageTask;
  readonly input: InputImage;
  readonly window: Window;
  readonly groupIn: number; // input channels of a group
  readonly taps: number; // KH * KW * groupIn
  readonly headBytes: number; // of a record, before its weights
  readonly roundsOnce: boolean;
  readonly recordForm: number;
  readonly weightDtype: number;
  readonly weightZero: number;
  /** SRAM address of the record that channel 0 would have. */
  readonly recordBase: number;
}

/** The conv command: every group as a matrix product of gathered input windows and weight records. */
export function runConv(memory: Memory, fields: Fields): void {
  const task = imageTask(fields);
  if (isEmpty(task)) return;
  const input = inputImage(fields);
  const window = windowOf(fields);
  const groups = at(fields, 'groups');
  const groupIn = input.channels / groups;
  const groupOut = at(fields, 'outC') / groups;
  const taps = window.kernelH * window.kernelW * groupIn;
  const headBytes = task.isFloat ? 4 : at(fields, 'recordForm') === 1 ? 9 : 8;
  const recordBase = at(fields, 'records') - at(fields, 'ch0') * (headBytes + taps * (task.isFloat ? 4 : 1));
  const weightDtype = task.isFloat ? task.dtype : at(fields, 'weightDtype');
  const weightZero = task.isFloat ? 0 : at(fields, 'weightZero');
  const work = {
    memory,
    task,
    input,
    window,
    groupIn,
    taps,
    headBytes,
    roundsOnce: !task.isFloat && at(fields, 'rounding') === 1,
    recordForm: task.isFloat ? 0 : at(fields, 'recordForm'),
    weightDtype,
    weightZero,
    recordBase,
  };
  const engine = task.elementBytes === 1 ? memory.engine : undefined;
  if (groupIn === 1 && groupOut === 1) {
    if (engine === undefined || !runDepthwiseVector(engine, work)) runDepthwise(work);
    return;
  }
  for (let first = task.channels.lo; first < task.channels.hi; ) {
    const group = Math.floor(first / groupOut);
    const end = Math.min(task.channels.hi, (group + 1) * groupOut);
    const part = { ...work, task: { ...task, channels: { lo: first, hi: end } } };
    if (engine === undefined || !runGroupVector(engine, part, group)) runGroup(part, group);
    first = end;
  }
}

function runGroup(work: ConvWork, group: number): void {
  const { task } = work;
  const atOnce = Math.max(4, Math.floor(WEIGHT_ELEMENTS / work.taps));
  for (let lo = task.channels.lo; lo < task.channels.hi; lo += atOnce) {
    const channels = { lo, hi: Math.min(task.channels.hi, lo + atOnce) };
    runChannels({ ...work, task: { ...task, channels } }, group);
  }
}

function recordSize({ headBytes, taps, task }: ConvWork): number {
  return headBytes + taps * (task.isFloat ? 4 : 1);
}

function unpackRecords(work: ConvWork): Records {
  const { memory, task, recordBase, headBytes, recordForm } = work;
  const count = lengthOf(task.channels);
  const biases = new Float64Array(count);
  const multipliers = new Int32Array(count);
  const shifts = new Int32Array(count);
  const scales = recordForm === 2 ? new Float32Array(count) : undefined;
  const size = recordSize(work);
  for (let c = 0; c < count; c++) {
    const address = recordBase + (task.channels.lo + c) * size;
    if (task.isFloat) {
      biases[c] = memory.view.getFloat32(address, true);
      continue;
    }
    biases[c] = memory.view.getInt32(address, true);
    if (scales !== undefined) {
      scales[c] = memory.view.getFloat32(address + 4, true);
      continue;
    }
    const packed = memory.view.getInt32(address + 4, true);
    if (headBytes === 9) {
      multipliers[c] = packed;
      shifts[c] = memory.view.getInt8(address + 8);
      continue;
    }
    multipliers[c] = (packed & 0xffffff) * 128;
    shifts[c] = packed >> 24;
  }
  return { biases, multipliers, shifts, scales };
}

/** The weights of the task's channels, a row of taps each. */
function unpackWeights(work: ConvWork, weights: Float64Array): void {
  const { memory, task, taps, recordBase, headBytes, weightDtype, weightZero } = work;
  const size = recordSize(work);
  const source = elementsOf(memory, weightDtype);
  const count = lengthOf(task.channels);
  for (let c = 0; c < count; c++) {
    const from = (recordBase + (task.channels.lo + c) * size + headBytes) / (task.isFloat ? 4 : 1);
    for (let k = 0; k < taps; k++) weights[c * taps + k] = (source[from + k] ?? 0) - weightZero;
  }
}

/** How many output rows are gathered at once. */
function rowsAtOnce({ task, taps }: ConvWork): number {
  return Math.max(1, Math.min(lengthOf(task.rows), Math.floor(PATCH_ELEMENTS / (lengthOf(task.cols) * taps))));
}

/** Sums of int16 go beyond 32 bits; in doubles they are exact, and those of 8 bits become int32 when they are scaled. */
function runChannels(work: ConvWork, group: number): void {
  const { task, taps } = work;
  const records = unpackRecords(work);
  const columns = lengthOf(task.cols);
  const channels = lengthOf(task.channels);
  const atOnce = rowsAtOnce(work);
  // Pairs of pixels are multiplied together, so there is room for one more.
  const patches = new Float64Array((atOnce * columns + 1) * taps);
  const sums = new Float64Array((atOnce * columns + 1) * channels);
  const weights = new Float64Array(channels * taps);
  unpackWeights(work, weights);
  const other = makeLine(task);
  for (let row = task.rows.lo; row < task.rows.hi; row += atOnce) {
    const rows = Math.min(atOnce, task.rows.hi - row);
    patches.fill(0);
    for (let r = 0; r < rows; r++) gatherRow(work, group, row + r, patches, r * columns * taps, taps);
    multiply(patches, weights, sums, rows * columns, taps, channels);
    for (let r = 0; r < rows; r++) {
      const line = sums.subarray(r * columns * channels, (r + 1) * columns * channels);
      scaleLine(work, records, line);
      finishLine(work.memory, task, row + r, line, other);
    }
  }
}

/** From this many elements on, copying them as a block is faster than one by one. */
const BLOCK_ELEMENTS = 32;

/** The windows of one output row, one after the other: taps in the order KH, KW, C; taps in the padding are 0. */
function gatherRow(
  work: ConvWork,
  group: number,
  row: number,
  patches: Float64Array,
  start: number,
  rowElements: number, // from a window to the next
): void {
  const { task, input, window, groupIn } = work;
  const columns = lengthOf(task.cols);
  const span = (columns - 1) * window.strideW + (window.kernelW - 1) * window.dilationW + 1;
  const strip = new Float64Array(span * groupIn);
  // Without dilation, the taps of a window in one row lie side by side.
  const runs = window.dilationW === 1 || window.kernelW === 1 ? 1 : window.kernelW;
  const runElements = (window.kernelW / runs) * groupIn;
  for (let kh = 0; kh < window.kernelH; kh++) {
    const inRow = row * window.strideH + kh * window.dilationH - window.padTop;
    if (inRow < 0 || inRow >= input.height) continue;
    readStrip(work, group, inRow, span, strip);
    for (let run = 0; run < runs; run++) {
      let to = start + kh * window.kernelW * groupIn + run * runElements;
      let from = run * window.dilationW * groupIn;
      for (let x = 0; x < columns; x++) {
        if (runElements >= BLOCK_ELEMENTS) patches.set(strip.subarray(from, from + runElements), to);
        else for (let k = 0; k < runElements; k++) patches[to + k] = strip[from + k] ?? 0;
        to += rowElements;
        from += window.strideW * groupIn;
      }
    }
  }
}

/** The part of an input row under the windows of an output row, less the zero point; 0 beyond the image. */
function readStrip(work: ConvWork, group: number, inRow: number, span: number, strip: Float64Array): void {
  const { memory, task, input, window, groupIn } = work;
  const { view, zero } = input;
  const source = elementsOf(memory, task.dtype);
  const unit = task.elementBytes;
  const first = task.cols.lo * window.strideW - window.padLeft;
  const from = Math.max(0, -first);
  const end = Math.min(span, input.width - first);
  strip.fill(0, 0, from * groupIn);
  strip.fill(0, Math.max(0, end) * groupIn);
  for (let x = from; x < end; x++) {
    const at = pixelAddress(view, inRow, first + x) / unit + group * groupIn;
    const to = x * groupIn;
    for (let c = 0; c < groupIn; c++) strip[to + c] = (source[at + c] ?? 0) - zero;
  }
}

/**
 * sums[pixel * channels + channel] = patch . weights in double precision, added up in the order of the taps. Padding
 * adds products with 0, which change no sum. Two pixels by four channels keep eight sums in registers.
 */
function multiply(
  patches: Float64Array,
  weights: Float64Array,
  sums: Float64Array,
  pixels: number,
  taps: number,
  channels: number,
): void {
  let c = 0;
  for (; c + 4 <= channels; c += 4) {
    const w0 = c * taps;
    const w1 = w0 + taps;
    const w2 = w1 + taps;
    const w3 = w2 + taps;
    for (let p = 0; p < pixels; p += 2) {
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      const x0 = p * taps;
      const x1 = x0 + taps;
      for (let k = 0; k < taps; k++) {
        const u = patches[x0 + k] ?? 0;
        const v = patches[x1 + k] ?? 0;
        let w = weights[w0 + k] ?? 0;
        a0 += u * w;
        b0 += v * w;
        w = weights[w1 + k] ?? 0;
        a1 += u * w;
        b1 += v * w;
        w = weights[w2 + k] ?? 0;
        a2 += u * w;
        b2 += v * w;
        w = weights[w3 + k] ?? 0;
        a3 += u * w;
        b3 += v * w;
      }
      const o = p * channels + c;
      sums[o] = a0;
      sums[o + 1] = a1;
      sums[o + 2] = a2;
      sums[o + 3] = a3;
      sums[o + channels] = b0;
      sums[o + channels + 1] = b1;
      sums[o + channels + 2] = b2;
      sums[o + channels + 3] = b3;
    }
  }
  for (; c < channels; c++) {
    const w0 = c * taps;
    for (let p = 0; p < pixels; p++) {
      const x0 = p * taps;
      let sum = 0;
      for (let k = 0; k < taps; k++) sum += (patches[x0 + k] ?? 0) * (weights[w0 + k] ?? 0);
      sums[p * channels + c] = sum;
    }
  }
}

/** Sums become results: bias, then rescaling (integers) or rounding (float32). */
function scaleLine({ task, roundsOnce }: ConvWork, records: Records, line: Line): void {
  const rescale8 = roundsOnce ? mbqmOnce : mbqm;
  const rescale16 = roundsOnce ? mbqmOnce64 : mbqm64;
  const channels = lengthOf(task.channels);
  const pixels = lengthOf(task.cols);
  const { biases, multipliers, shifts, scales } = records;
  for (let c = 0; c < channels; c++) {
    const bias = biases[c] ?? 0;
    const multiplier = multipliers[c] ?? 0;
    const shift = shifts[c] ?? 0;
    const real = scales?.[c];
    const scale = (sum: number) => {
      if (real !== undefined) return timesScale(sum | 0, real);
      return task.elementBytes > 1 ? rescale16(sum, multiplier, shift) : rescale8(sum | 0, multiplier, shift);
    };
    let at = c;
    for (let p = 0; p < pixels; p++) {
      const sum = (line[at] ?? 0) + bias;
      line[at] = task.isFloat ? Math.fround(sum) : limit(scale(sum) + task.outZero, task.lo, task.hi);
      at += channels;
    }
  }
}

/** One input channel for each output channel: taps are added up channel by channel, along the pixels as they lie. */
function runDepthwise(work: ConvWork): void {
  const { memory, task, input, window, taps } = work;
  const records = unpackRecords(work);
  const channels = lengthOf(task.channels);
  // weights[tap * channels + channel], so that the innermost loop runs along channels.
  const weights = new Float64Array(channels * taps);
  unpackWeights(work, weights);
  const byTap = new Float64Array(taps * channels);
  for (let c = 0; c < channels; c++) {
    for (let k = 0; k < taps; k++) byTap[k * channels + c] = weights[c * taps + k] ?? 0;
  }
  const [line, other] = [makeLine(task), makeLine(task)];
  const inputRow = new Float64Array(input.width * channels);
  for (let row = task.rows.lo; row < task.rows.hi; row++) {
    line.fill(0);
    for (let kh = 0; kh < window.kernelH; kh++) {
      const inRow = row * window.strideH + kh * window.dilationH - window.padTop;
      if (inRow < 0 || inRow >= input.height) continue;
      readInputRow(work, inRow, inputRow);
      for (let kw = 0; kw < window.kernelW; kw++) {
        addTap(work, inputRow, byTap, kh * window.kernelW + kw, kw * window.dilationW - window.padLeft, line);
      }
    }
    scaleLine(work, records, line);
    finishLine(memory, task, row, line, other);
  }
}

/** The columns of an input row that depthwise windows can reach, less the zero point: row[column * channels + channel]. */
function readInputRow({ memory, task, input, window }: ConvWork, inRow: number, row: Float64Array): void {
  const source = elementsOf(memory, task.dtype);
  const unit = task.elementBytes;
  const channels = lengthOf(task.channels);
  const first = Math.max(0, task.cols.lo * window.strideW - window.padLeft);
  const reach = (window.kernelW - 1) * window.dilationW - window.padLeft;
  const end = Math.min(input.width, (task.cols.hi - 1) * window.strideW + reach + 1);
  const { zero } = input;
  for (let x = first; x < end; x++) {
    const from = pixelAddress(input.view, inRow, x) / unit + task.channels.lo;
    const to = x * channels;
    for (let c = 0; c < channels; c++) row[to + c] = (source[from + c] ?? 0) - zero;
  }
}

/** Adds the products of one tap to a row of sums; `shift` is the tap's column less that of the window's pixel. */
function addTap(work: ConvWork, row: Float64Array, byTap: Float64Array, tap: number, shift: number, line: Line): void {
  const { task, input, window } = work;
  const channels = lengthOf(task.channels);
  const weights = tap * channels;
  let to = 0;
  for (let x = task.cols.lo; x < task.cols.hi; x++, to += channels) {
    const inCol = x * window.strideW + shift;
    if (inCol < 0 || inCol >= input.width) continue;
    const from = inCol * channels;
    for (let c = 0; c < channels; c++)
      line[to + c] = (line[to + c] ?? 0) + (row[from + c] ?? 0) * (byTap[weights + c] ?? 0);
  }
}
