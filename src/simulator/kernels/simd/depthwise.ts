/** The conv command with one input channel for each output channel: eight channels at once. */
import { lengthOf } from '../../geometry.js';
import { elementsOf } from '../../memory.js';
import type { ConvWork } from '../conv.js';
import type { Engine } from './engine.js';
import { makeFinish } from './finish.js';
import { decode, takeRecords } from './records.js';
import { Room } from './room.js';
import { readStrip } from './strips.js';

/** @returns false, with nothing done, when the plain kernel has to do it */
export function runDepthwiseVector(engine: Engine, work: ConvWork): boolean {
  const { memory, task, input, window, taps } = work;
  const { strideH, strideW, kernelH, kernelW, dilationH, dilationW } = window;
  const channels = lengthOf(task.channels);
  const columns = lengthOf(task.cols);
  const room = new Room(engine);

  const records = takeRecords(room, work);
  const weights = room.take(taps * channels * 2 + 16); // int16 [taps, channels]
  const offsets = room.take(taps * 4);
  const sumBytes = Math.ceil(channels / 8) * 32;
  const sums = room.take(columns * sumBytes);
  const span = (columns - 1) * strideW + (kernelW - 1) * dilationW + 1;
  const stripBytes = span * channels * 2;
  const windowRows = (kernelH - 1) * dilationH + 1;
  const more = Math.floor((Math.floor(engine.workBytes / stripBytes) - windowRows) / strideH);
  const rows = Math.min(lengthOf(task.rows), Math.max(1, 1 + more));
  // The last vector of a pixel reads beyond it.
  const strips = room.take(((rows - 1) * strideH + windowRows) * stripBytes + 16);
  const finish = makeFinish(memory, engine, room, task, columns);
  if (finish === undefined || room.isExceeded || !decode(engine, work, records)) return false;

  writeWeights(engine, work, records.address, records.bytes, weights);
  const tapOffsets = new Int32Array(engine.memory.buffer, offsets, taps);
  for (let tap = 0; tap < taps; tap++) {
    const [kh, kw] = [Math.floor(tap / kernelW), tap % kernelW];
    tapOffsets[tap] = kh * dilationH * stripBytes + kw * dilationW * channels * 2;
  }
  const source = { input, isUnsigned: task.dtype === 2, firstChannel: task.channels.lo, channels };
  const firstColumn = task.cols.lo * strideW - window.padLeft;
  for (let row = task.rows.lo; row < task.rows.hi; row += rows) {
    const count = Math.min(rows, task.rows.hi - row);
    const firstRow = row * strideH - window.padTop;
    const isRead = new Uint8Array((count - 1) * strideH + windowRows);
    for (let r = 0; r < count; r++) {
      for (let kh = 0; kh < kernelH; kh++) {
        const index = r * strideH + kh * dilationH;
        if (isRead[index] === 1) continue;
        readStrip(engine, source, firstRow + index, firstColumn, span, strips + index * stripBytes);
        isRead[index] = 1;
      }
    }
    for (let r = 0; r < count; r++) {
      const x = strips + r * strideH * stripBytes;
      engine.depthwise(x, offsets, weights, sums, columns, channels, taps, strideW * channels * 2, sumBytes);
      finish.row(row + r, task.cols.lo, task.cols.hi, { address: sums, bytes: sumBytes, records });
    }
  }
  return true;
}

/** From records of channels to rows of taps. */
function writeWeights(engine: Engine, work: ConvWork, records: number, recordBytes: number, to: number): void {
  const { memory, task, taps, headBytes, weightDtype, weightZero } = work;
  const channels = lengthOf(task.channels);
  const source = elementsOf(memory, weightDtype);
  const byTap = new Int16Array(engine.memory.buffer, to, taps * channels);
  for (let c = 0; c < channels; c++) {
    const from = records + c * recordBytes + headBytes;
    for (let tap = 0; tap < taps; tap++) byTap[tap * channels + c] = (source[from + tap] ?? 0) - weightZero;
  }
}
