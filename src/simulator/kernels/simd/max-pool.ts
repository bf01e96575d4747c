/** The pool command in mode 0 on 8-bit types: the largest of 16 channels at once. */
import { at, type ImageTask, inputImage, lengthOf, windowOf } from '../../geometry.js';
import type { Memory } from '../../memory.js';
import type { Fields } from '../../sequencer.js';
import type { Engine } from './engine.js';
import { pixelRuns } from './pixel-runs.js';
import { Room } from './room.js';
import { isOrdinary, makeStage } from './stage.js';

/** @returns false, with nothing done, when the plain kernel has to do it */
export function runMaxPoolVector(engine: Engine, memory: Memory, task: ImageTask, fields: Fields): boolean {
  const { first, second, addMode } = task.epilogue;
  if (task.elementBytes !== 1 || at(fields, 'mode') !== 0 || addMode !== 0) return false;
  if (![first, second].every((one) => isOrdinary(task, one))) return false;
  const input = inputImage(fields);
  const { kernelH, kernelW, strideH, strideW, dilationH, dilationW, padTop, padLeft } = windowOf(fields);
  const channels = lengthOf(task.channels);
  const room = new Room(engine);
  const stage = makeStage(memory, engine, room, task, [first, second]);
  const line = room.take(lengthOf(task.cols) * channels);
  if (room.isExceeded) return false;
  // A window without any pixel of the image has no largest one: what it gives is the plain kernel's matter.
  const hasPixel = (position: number, kernel: number, stride: number, dilation: number, pad: number, limit: number) =>
    Array.from({ length: kernel }, (_, k) => position * stride + k * dilation - pad).some((i) => i >= 0 && i < limit);
  for (let row = task.rows.lo; row < task.rows.hi; row++) {
    if (!hasPixel(row, kernelH, strideH, dilationH, padTop, input.height)) return false;
  }
  for (let x = task.cols.lo; x < task.cols.hi; x++) {
    if (!hasPixel(x, kernelW, strideW, dilationW, padLeft, input.width)) return false;
  }
  const isUnsigned = task.dtype === 2 ? 1 : 0;
  const flip = task.lo < 0 ? 0x80 : 0;
  const { lo, hi } = task.cols;
  for (let row = task.rows.lo; row < task.rows.hi; row++) {
    engine.bytes.fill(task.lo, line, line + (hi - lo) * channels);
    for (let kh = 0; kh < kernelH; kh++) {
      const inRow = row * strideH + kh * dilationH - padTop;
      if (inRow < 0 || inRow >= input.height) continue;
      for (let kw = 0; kw < kernelW; kw++) {
        const shift = kw * dilationW - padLeft;
        const [from, end] = outputsIn(lo, hi, strideW, shift, 0, input.width);
        if (end <= from) continue;
        const start = from * strideW + shift;
        for (const run of pixelRuns(input.view, inRow, start, (end - 1) * strideW + shift + 1)) {
          const [x, last] = outputsIn(from, end, strideW, shift, start + run.first, start + run.first + run.pixels);
          if (last <= x) continue;
          const pixel = run.address + (x * strideW + shift - start - run.first) * run.pitch;
          const to = line + (x - lo) * channels;
          engine.maximum(pixel, to, last - x, run.pitch * strideW, channels, channels, isUnsigned);
        }
      }
    }
    engine.limitBytes(line, (hi - lo) * channels, stage.lo, stage.hi, isUnsigned);
    if (stage.table !== 0) engine.lookUp(line, hi - lo, channels, channels, stage.table, flip);
    for (const run of pixelRuns(task.out, row, lo, hi)) {
      for (let i = 0; i < run.pixels; i++) {
        const source = line + (run.first + i) * channels;
        engine.bytes.copyWithin(run.address + i * run.pitch, source, source + channels);
      }
    }
  }
  return true;
}

/** Of outputs [lo, hi), those whose input column x * stride + shift lies in [from, end). */
function outputsIn(lo: number, hi: number, stride: number, shift: number, from: number, end: number): [number, number] {
  return [Math.max(lo, Math.ceil((from - shift) / stride)), Math.min(hi, Math.floor((end - 1 - shift) / stride) + 1)];
}
