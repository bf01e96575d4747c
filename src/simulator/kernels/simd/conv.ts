/** The conv command on 8-bit types with vector instructions; kernels/conv.ts says what it computes. */
import { lengthOf } from '../../geometry.js';
import type { ConvWork } from '../conv.js';
import type { Engine } from './engine.js';
import { makeFinish } from './finish.js';
import { decode, takeRecords } from './records.js';
import { Room } from './room.js';
import { readStrip, type Source } from './strips.js';

/** A part of the output, and where what it is computed from lies in the room for work. */
interface Tile {
  readonly row: number;
  readonly rows: number;
  readonly col: number;
  readonly cols: number;
}

interface Gathering {
  readonly work: ConvWork;
  readonly engine: Engine;
  readonly source: Source;
  readonly patches: number;
  readonly rowBytes: number; // of a window
  readonly strips: number;
  readonly stripBytes: number;
}

/**
 * The channels of the task, which are of one group.
 * @returns false, with nothing done, when the plain kernel has to do it
 */
export function runGroupVector(engine: Engine, work: ConvWork, group: number): boolean {
  const { memory, task, input, window, taps, headBytes, groupIn } = work;
  const channels = lengthOf(task.channels);
  const columns = lengthOf(task.cols);
  const room = new Room(engine);

  const records = takeRecords(room, work);
  const rowBytes = Math.ceil(taps / 8) * 16;
  const pixels = Math.max(4, Math.floor(engine.workBytes / rowBytes / 4) * 4);
  const cols = Math.min(columns, pixels);
  const rows = Math.min(lengthOf(task.rows), Math.max(1, Math.floor(pixels / columns)));
  const packed = room.take(8 * rowBytes);
  const pixelsPadded = Math.ceil((rows * cols) / 4) * 4;
  const sumBytes = Math.ceil(channels / 8) * 32; // of a pixel
  const patches = room.take(pixelsPadded * rowBytes);
  const sums = room.take(pixelsPadded * sumBytes);
  const stripRows = (rows - 1) * window.strideH + (window.kernelH - 1) * window.dilationH + 1;
  const span = (cols - 1) * window.strideW + (window.kernelW - 1) * window.dilationW + 1;
  const stripBytes = Math.ceil((span * groupIn) / 8) * 16;
  const strips = room.take(stripRows * stripBytes);
  const finish = makeFinish(memory, engine, room, task, cols);
  if (finish === undefined || room.isExceeded) return false;
  if (!decode(engine, work, records)) return false;

  if (taps % 8 !== 0) engine.bytes.fill(0, patches, patches + pixelsPadded * rowBytes);
  const source = { input, isUnsigned: task.dtype === 2, firstChannel: group * groupIn, channels: groupIn };
  const gathering = { work, engine, source, patches, rowBytes, strips, stripBytes };
  for (let row = task.rows.lo; row < task.rows.hi; row += rows) {
    for (let col = task.cols.lo; col < task.cols.hi; col += cols) {
      const tile = {
        row,
        rows: Math.min(rows, task.rows.hi - row),
        col,
        cols: Math.min(cols, task.cols.hi - col),
      };
      gather(gathering, tile);
      engine.multiply(
        patches,
        records.address + headBytes,
        sums,
        Math.ceil((tile.rows * tile.cols) / 4) * 4,
        channels,
        rowBytes,
        records.bytes,
        packed,
        work.weightZero,
        work.weightDtype === 2 ? 1 : 0,
        sumBytes,
      );
      for (let r = 0; r < tile.rows; r++) {
        const address = sums + r * tile.cols * sumBytes;
        finish.row(row + r, col, col + tile.cols, { address, bytes: sumBytes, records });
      }
    }
  }
  return true;
}

/** The windows of the tile's pixels as rows of int16: taps in the order KH, KW, C; taps in the padding are 0. */
function gather(gathering: Gathering, tile: Tile): void {
  const { work, engine, source, patches, rowBytes, strips, stripBytes } = gathering;
  const { window, groupIn } = work;
  const { kernelH, kernelW, strideH, strideW, dilationH, dilationW } = window;
  const firstColumn = tile.col * strideW - window.padLeft;
  const span = (tile.cols - 1) * strideW + (kernelW - 1) * dilationW + 1;
  // A window of one pixel that needs no rest is read to where it belongs.
  if (kernelH === 1 && kernelW === 1 && strideW === 1 && groupIn * 2 === rowBytes) {
    for (let r = 0; r < tile.rows; r++) {
      readStrip(
        engine,
        source,
        (tile.row + r) * strideH - window.padTop,
        firstColumn,
        span,
        patches + r * span * rowBytes,
      );
    }
    return;
  }
  // Without dilation, the taps of a window in one row lie side by side.
  const runs = dilationW === 1 || kernelW === 1 ? 1 : kernelW;
  const runBytes = (kernelW / runs) * groupIn * 2;
  const firstRow = tile.row * strideH - window.padTop;
  const isRead = new Uint8Array((tile.rows - 1) * strideH + (kernelH - 1) * dilationH + 1);
  for (let r = 0; r < tile.rows; r++) {
    for (let kh = 0; kh < kernelH; kh++) {
      const index = r * strideH + kh * dilationH;
      const strip = strips + index * stripBytes;
      if (isRead[index] === 0) readStrip(engine, source, firstRow + index, firstColumn, span, strip);
      isRead[index] = 1;
      for (let run = 0; run < runs; run++) {
        engine.copyRuns(
          strip + run * dilationW * groupIn * 2,
          patches + r * tile.cols * rowBytes + (kh * runs + run) * runBytes,
          tile.cols,
          strideW * groupIn * 2,
          rowBytes,
          runBytes,
        );
      }
    }
  }
}
