/**
 * The commands of one layer. Its loops are those drawn at the head of schedule/tiling.ts; each streamed operand has a ring
 * of rows, and semaphores let the queues run ahead of each other as far as the buffers allow.
 */

import { tensorOf } from '../ir/facts.js';
import { clippedRange, inputRange } from '../schedule/layer.js';
import { streamedChunks, weightRingAt } from '../schedule/schedule.js';
import { columnTiles, isStreaming, newRowsPerStripe, stripeCount } from '../schedule/tiling.js';
import { layerAccesses, layerJoins } from './accesses.js';
import { computeCommand } from './compute-command.js';
import { dramAddressOf } from './dram-layout.js';
import { emitTranspose } from './emit-transpose.js';
import { type Emitter, type FreeName, type Level, mask, step } from './emitter.js';
import { dramFrameStep, emitWholeRoot, forEachFrame, sramFrameStep } from './frames.js';
import {
  type ColumnTile,
  type LayerContext,
  operandAt,
  operandColumns,
  operandView,
  outputView,
  type RecordRun,
  standingRecords,
  streamedPixelBytes,
  viewFields,
} from './layer-views.js';
import { emitPreloads, emitSpread, joinsBeside, layerConstants, spreadAccesses } from './preloads.js';
import { type ChunkPlace, chunkRun, doubleBuffer, emitChunk, slotsOf } from './weight-chunks.js';

/** Levels of the loops that are open around a command. */
export interface OpenLoops {
  readonly chunks: Level;
  readonly stripes: Level;
}

const NO_PLACE = { pitchBytes: 0, modulusBytes: 0 };
const NO_LOOPS: OpenLoops = { chunks: undefined, stripes: undefined };

export function emitLayer(emitter: Emitter, context: LayerContext): void {
  const { scheduled, schedule } = context;
  emitPreloads(emitter, context, scheduled.reloads, layerConstants(context));
  emitter.phase([...layerAccesses(context), ...spreadAccesses(context)], joinsBeside(context, layerJoins(context)));
  if (scheduled.layer.kind === 'transpose') {
    forEachFrame(emitter, context, (framed) => emitTranspose(emitter, framed));
  } else if (isStreaming(scheduled.tiling)) {
    forEachFrame(emitter, context, (framed) => emitStreaming(emitter, framed));
  } else emitInPlace(emitter, context);
  const root = schedule.roots.get(scheduled.layer.output.root);
  if (root?.isSpilled && root.lastWrite === context.step) {
    emitWholeRoot(emitter, 'store', context, root.root);
  }
}

/** Everything in SRAM: one pass over the image, weights resident, held, or streamed in chunks. */
function emitInPlace(emitter: Emitter, context: LayerContext): void {
  const tile = { start: 0, end: context.scheduled.layer.output.w };
  const runs = standingRecords(context);
  const chunks = streamedChunks(context.scheduled);
  /** For all frames; what the queues wait for and signal is for all of them together. */
  const compute = (
    list: readonly RecordRun[],
    loops: OpenLoops,
    wait: number,
    signal: number,
    place: ChunkPlace | undefined,
  ): void => {
    if (context.schedule.batch === 1) {
      emitCompute(emitter, context, tile, list, loops, wait, signal, place);
      return;
    }
    emitter.idle('compute', wait, 0);
    emitter.loop(context.schedule.batch, (frameLevel) => {
      emitCompute(emitter, { ...context, frameLevel }, tile, list, loops, 0, 0, place);
    });
    emitter.idle('compute', 0, signal);
  };
  if (runs.length > 0 || chunks === 0) compute(runs, NO_LOOPS, 0, 0, undefined);
  if (chunks === 0) return;
  const emitChunks = (place: ChunkPlace, count: number, free: FreeName): void =>
    emitter.loop(count, (level) => {
      emitChunk(emitter, context, level, free, place);
      emitSpread(emitter, context, level, chunks);
      const loops = { chunks: level, stripes: undefined };
      compute([chunkRun(context, place)], loops, mask('chunkReady'), mask(free), place);
    });
  const through = weightRingAt(context.schedule, context.step);
  if (through === undefined) {
    emitChunks(doubleBuffer(context), chunks, emitter.freeBuffers('chunk', context.scheduled.tiling.depth));
    return;
  }
  const free = emitter.freeSlots(through.index, through.ring.slots);
  for (const { place, count } of slotsOf(context, through.ring, chunks)) emitChunks(place, count, free);
}

function emitStreaming(emitter: Emitter, context: LayerContext): void {
  const { layer, tiling } = context.scheduled;
  columnTiles(layer, tiling).forEach((tile, i) => {
    if (i > 0) emitter.phase(layerAccesses(context), layerJoins(context));
    const { depth } = tiling;
    const isLoading = streamedOperands(context).length > 0;
    const chunks = streamedChunks(context.scheduled);
    const free: FreeBuffers = {
      operands: isLoading ? emitter.freeBuffers('operands', depth) : undefined,
      output: tiling.toSram ? undefined : emitter.freeBuffers('output', depth),
      chunk: chunks > 0 ? emitter.freeBuffers('chunk', chunksAhead(context, chunks)) : undefined,
    };
    if (tiling.outer === 'channels' && chunks > 0) emitPasses(emitter, context, tile, chunks, free);
    else {
      emitFirstRows(emitter, context, tile, NO_LOOPS);
      emitStripes(emitter, context, tile, NO_LOOPS, chunks, free);
    }
  });
}

/** The semaphores of the buffers that a layer has. */
interface FreeBuffers {
  readonly operands: FreeName | undefined;
  readonly output: FreeName | undefined;
  readonly chunk: FreeName | undefined;
}

/**
 * Chunks of weights that may be in SRAM at once. Every stripe begins again in the first buffer: where the stripe before ended
 * in that one, the load must wait for it.
 */
function chunksAhead(context: LayerContext, chunks: number): 1 | 2 {
  const { layer, tiling } = context.scheduled;
  const beginsAnew = stripeCount(layer, tiling) > 1 && chunks % tiling.depth !== 0;
  return tiling.outer === 'channels' || beginsAnew ? 1 : tiling.depth;
}

/** Chunks outside, stripes inside: every pass reads the operands again and makes some channels of the output. */
function emitPasses(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  chunks: number,
  free: FreeBuffers,
): void {
  const done = free.operands === undefined ? undefined : 'passDone';
  const stored = free.output === undefined ? undefined : 'passStored';
  if (done !== undefined) emitter.count(done);
  if (stored !== undefined) emitter.count(stored);
  emitter.loop(chunks, (level) => {
    emitChunk(emitter, context, level, free.chunk);
    emitter.idle('compute', mask('chunkReady', stored), 0);
    emitter.idle('load', mask(done), 0);
    const loops = { chunks: level, stripes: undefined };
    emitFirstRows(emitter, context, tile, loops);
    emitStripes(emitter, context, tile, loops, 0, free);
    emitter.idle('compute', 0, mask(free.chunk, done));
    emitter.idle('store', 0, mask(stored));
  });
}

/** @param innerChunks chunks of weights streamed again for every stripe; 0 when they are in SRAM already */
function emitStripes(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  loops: OpenLoops,
  innerChunks: number,
  free: FreeBuffers,
): void {
  const { layer, tiling } = context.scheduled;
  const streamed = streamedOperands(context);
  const wait = mask(free.operands === undefined ? undefined : 'operandsReady', free.output);
  const signal = mask(free.operands, free.output === undefined ? undefined : 'outputReady');
  emitter.loop(stripeCount(layer, tiling), (level) => {
    const inside = { ...loops, stripes: level };
    streamed.forEach((operand, i) => {
      emitNewRows(
        emitter,
        context,
        operand,
        tile,
        inside,
        mask(i === 0 ? free.operands : undefined),
        mask(i === streamed.length - 1 ? 'operandsReady' : undefined),
      );
    });
    emitSpread(emitter, context, level, stripeCount(layer, tiling));
    const runs =
      tiling.outer === 'channels' && streamedChunks(context.scheduled) > 0
        ? [chunkRun(context)]
        : standingRecords(context);
    if (innerChunks === 0) emitCompute(emitter, context, tile, runs, inside, wait, signal);
    else {
      if (runs.length > 0) emitCompute(emitter, context, tile, runs, inside, wait, 0);
      else emitter.idle('compute', wait, 0);
      emitter.loop(innerChunks, (chunkLevel) => {
        emitChunk(emitter, context, chunkLevel, free.chunk);
        emitCompute(
          emitter,
          context,
          tile,
          [chunkRun(context)],
          { chunks: chunkLevel, stripes: level },
          mask('chunkReady'),
          mask(free.chunk),
        );
      });
      emitter.idle('compute', 0, signal);
    }
    if (free.output !== undefined) emitStoreRows(emitter, context, tile, inside, free.output);
  });
}

function streamedOperands(context: LayerContext): number[] {
  return context.scheduled.layer.operands.flatMap((_, i) =>
    context.scheduled.tiling.operandsFromSram[i] === true ? [] : [i],
  );
}

/** One compute command for each run of records (one for layers without). */
function emitCompute(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  runs: readonly RecordRun[],
  loops: OpenLoops,
  wait: number,
  signal: number,
  place?: ChunkPlace,
): void {
  const list: readonly (RecordRun | undefined)[] = runs.length === 0 ? [undefined] : runs;
  list.forEach((run, i) => {
    const command = computeCommand(context, tile, run, loops);
    const isChunk = run !== undefined && loops.chunks !== undefined;
    const { pitchBytes, modulusBytes } = isChunk ? (place ?? doubleBuffer(context)) : NO_PLACE;
    emitter.add(
      command.op,
      { ...command.fields, wait: i === 0 ? wait : 0, signal: i === list.length - 1 ? signal : 0 },
      [
        ...command.steps,
        isChunk && context.scheduled.tiling.outer === 'rows' ? step('ch0', loops.chunks, run.count) : undefined,
        modulusBytes > pitchBytes ? step('records', loops.chunks, pitchBytes, modulusBytes) : undefined,
      ],
    );
  });
}

/** The rows above the first stripe's own: what later stripes find in the ring from the stripe before. */
function emitFirstRows(emitter: Emitter, context: LayerContext, tile: ColumnTile, loops: OpenLoops): void {
  for (const index of streamedOperands(context)) {
    const operand = operandAt(context, index);
    const before = operand.rows.scale > 1 ? 0 : inputRange(operand.rows, -1, 0).end;
    if (before <= 0) continue;
    emitLoadRows(emitter, context, index, tile, loops, { row0: 0, rows: before, rowsPerStripe: 0 }, 0, 0);
  }
}

function emitNewRows(
  emitter: Emitter,
  context: LayerContext,
  index: number,
  tile: ColumnTile,
  loops: OpenLoops,
  wait: number,
  signal: number,
): void {
  const operand = operandAt(context, index);
  const { tiling } = context.scheduled;
  const rows = newRowsPerStripe(operand, tiling);
  const end = inputRange(operand.rows, 0, tiling.stripeRows).end;
  emitLoadRows(emitter, context, index, tile, loops, { row0: end - rows, rows, rowsPerStripe: rows }, wait, signal);
}

interface RowSpan {
  readonly row0: number;
  readonly rows: number;
  readonly rowsPerStripe: number;
}

function emitLoadRows(
  emitter: Emitter,
  context: LayerContext,
  index: number,
  tile: ColumnTile,
  loops: OpenLoops,
  span: RowSpan,
  wait: number,
  signal: number,
): void {
  const { layer, tiling } = context.scheduled;
  const operand = operandAt(context, index);
  const columns = operandColumns(context, index, tile);
  const pixelBytes = streamedPixelBytes(context, index);
  const isSliced = operand.role === 'residual' && tiling.outer === 'channels';
  if (layer.kind === 'gather' && index === 1) {
    emitGatherRows(emitter, context, tile, loops, span, wait, signal);
    return;
  }
  emitter.add(
    'loadRows',
    {
      wait,
      signal,
      dramBase: dramAddressOf(context.schedule, context.layout, operand.tensor),
      dramRowPitch: operand.rowPitchBytes,
      dramPixelPitch: operand.pixelPitchBytes,
      ...viewFields('sram', operandView(context, index, tile)),
      imageH: clippedRange(operand.rows, 0, layer.output.h, operand.h).end,
      imageW: operand.w,
      pixelBytes,
      row0: span.row0,
      rows: span.rows,
      col0: columns.start,
      cols: columns.end - columns.start,
    },
    [
      step('row0', loops.stripes, span.rowsPerStripe),
      isSliced ? step('dramBase', loops.chunks, pixelBytes) : undefined,
      dramFrameStep(context, operand.root),
    ],
  );
}

/** The rows of the table that the indices name, which are in SRAM by then: the queue loads in order. */
function emitGatherRows(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  loops: OpenLoops,
  span: RowSpan,
  wait: number,
  signal: number,
): void {
  const { layer, tiling } = context.scheduled;
  const table = operandAt(context, 1);
  const indices = operandAt(context, 0);
  const { shape } = tensorOf(context.schedule.program, table.tensor);
  emitter.add(
    'gatherRows',
    {
      wait,
      signal,
      dramBase: dramAddressOf(context.schedule, context.layout, table.tensor),
      entries: shape[0] ?? 1,
      entryBytes: table.c * table.elementBytes,
      ...viewFields('index', operandView(context, 0, tile)),
      ...viewFields('sram', operandView(context, 1, tile)),
      imageH: layer.output.h,
      row0: span.row0,
      rows: span.rows,
    },
    [
      step('row0', loops.stripes, span.rowsPerStripe),
      dramFrameStep(context, table.root),
      tiling.operandsFromSram[0] === true ? sramFrameStep(context, indices.root, 'indexBase') : undefined,
    ],
  );
}

function emitStoreRows(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  loops: OpenLoops,
  free: FreeName,
): void {
  const { layer, tiling } = context.scheduled;
  const { output } = layer;
  const view = outputView(context, tile);
  emitter.add(
    'storeRows',
    {
      wait: mask('outputReady'),
      signal: mask(free),
      dramBase: dramAddressOf(context.schedule, context.layout, output.tensor),
      dramRowPitch: output.rowPitchBytes,
      dramPixelPitch: output.pixelPitchBytes,
      ...viewFields('sram', view),
      imageH: output.h,
      imageW: output.w,
      pixelBytes: view.pixelPitch,
      row0: 0,
      rows: tiling.stripeRows,
      col0: tile.start,
      cols: tile.end - tile.start,
    },
    [
      step('row0', loops.stripes, tiling.stripeRows),
      step('dramBase', loops.chunks, tiling.outer === 'channels' ? view.pixelPitch : 0),
      dramFrameStep(context, output.root),
    ],
  );
}
