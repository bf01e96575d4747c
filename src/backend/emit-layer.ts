/**
 * The commands of one layer. Its loops are those drawn at the head of schedule/tiling.ts; each streamed operand has a ring
 * of rows, and semaphores let the queues run ahead of each other as far as the buffers allow.
 */
import { clippedRange, inputRange } from '../schedule/layer.js';
import {
  chunkCount,
  columnTiles,
  isStreaming,
  newRowsPerStripe,
  residentChannels,
  stripeCount,
} from '../schedule/tiling.js';
import { computeCommand } from './compute-command.js';
import { dramAddressOf } from './dram-layout.js';
import { emitTranspose } from './emit-transpose.js';
import { type Emitter, type Level, mask, step } from './emitter.js';
import {
  bufferOffset,
  type ColumnTile,
  type LayerContext,
  operandAt,
  operandColumns,
  operandView,
  outputView,
  type RecordRun,
  standingRecords,
  stayOffset,
  streamedPixelBytes,
  viewFields,
} from './layer-views.js';

/** Levels of the loops that are open around a command. */
export interface OpenLoops {
  readonly chunks: Level;
  readonly stripes: Level;
}

const NO_LOOPS: OpenLoops = { chunks: undefined, stripes: undefined };

export function emitLayer(emitter: Emitter, context: LayerContext): void {
  const { scheduled, schedule } = context;
  emitter.barrier();
  const preloads = emitPreloads(emitter, context);
  if (scheduled.layer.kind === 'transpose') emitTranspose(emitter, context, preloads);
  else if (isStreaming(scheduled.tiling)) emitStreaming(emitter, context, preloads);
  else emitInPlace(emitter, context, preloads);
  const root = schedule.roots.get(scheduled.layer.output.root);
  if (root?.isSpilled && root.lastWrite === context.step) {
    emitter.barrier();
    emitter.add(
      'store',
      {
        dramBase: context.layout.rootAddresses.get(root.root) ?? 0,
        sramBase: stayOffset(context, root.root),
        bytes: root.sizeBytes,
        limit: root.sizeBytes,
      },
      [frameStep(context, root.root)],
    );
  }
}

/** Whole operands that come back from DRAM, held weights, tables. @returns the wait that compute owes them, 0 for none */
function emitPreloads(emitter: Emitter, context: LayerContext): number {
  const { scheduled, layout, schedule } = context;
  const { weights } = scheduled.layer;
  const loads: { fields: Record<string, number>; steps: (ReturnType<typeof step> | undefined)[] }[] = [];
  for (const id of scheduled.reloads) {
    const bytes = schedule.roots.get(id)?.sizeBytes ?? 0;
    loads.push({
      fields: { dramBase: layout.rootAddresses.get(id) ?? 0, sramBase: stayOffset(context, id), bytes, limit: bytes },
      steps: [frameStep(context, id)],
    });
  }
  const weightAddress = layout.weightAddresses[context.step] ?? 0;
  const offset = scheduled.residentBytes;
  if (scheduled.tiling.weights === 'held' && offset < weights.totalBytes) {
    loads.push({
      fields: {
        dramBase: weightAddress,
        sramBase: bufferOffset(scheduled, 'held'),
        offset,
        bytes: weights.totalBytes - offset,
        limit: weights.totalBytes,
      },
      steps: [],
    });
  } else if (scheduled.tiling.weights === 'streamed' && offset === 0 && weights.headerBytes > 0) {
    loads.push({
      fields: {
        dramBase: weightAddress,
        sramBase: bufferOffset(scheduled, 'tables'),
        bytes: weights.headerBytes,
        limit: weights.headerBytes,
      },
      steps: [],
    });
  }
  loads.forEach((load, i) => {
    emitter.add('load', { ...load.fields, signal: i === loads.length - 1 ? mask('preloaded') : 0 }, load.steps);
  });
  return loads.length > 0 ? mask('preloaded') : 0;
}

/** Everything in SRAM: one pass over the image, weights resident, held, or streamed in chunks. */
function emitInPlace(emitter: Emitter, context: LayerContext, preloads: number): void {
  const tile = { start: 0, end: context.scheduled.layer.output.w };
  const runs = standingRecords(context);
  const chunks = streamedChunks(context);
  if (chunks > 0) emitter.setSemaphore('chunkFree', context.scheduled.tiling.depth);
  let wait = preloads;
  if (runs.length > 0 || chunks === 0) {
    emitCompute(emitter, context, tile, runs, NO_LOOPS, wait, 0);
    wait = 0;
  }
  if (chunks === 0) return;
  emitter.idle('compute', wait, 0);
  emitter.loop(chunks, (level) => {
    emitChunk(emitter, context, level);
    const run = chunkRun(context);
    emitCompute(
      emitter,
      context,
      tile,
      [run],
      { chunks: level, stripes: undefined },
      mask('chunkReady'),
      mask('chunkFree'),
    );
  });
}

function emitStreaming(emitter: Emitter, context: LayerContext, preloads: number): void {
  const { layer, tiling } = context.scheduled;
  columnTiles(layer, tiling).forEach((tile, i) => {
    if (i > 0) emitter.barrier();
    const depth = tiling.depth;
    const isLoading = streamedOperands(context).length > 0;
    if (isLoading) emitter.setSemaphore('operandsFree', depth);
    if (!tiling.toSram) emitter.setSemaphore('outputFree', depth);
    const chunks = streamedChunks(context);
    if (chunks > 0) emitter.setSemaphore('chunkFree', tiling.outer === 'channels' ? 1 : depth);
    if (i === 0) emitter.idle('compute', preloads, 0);
    if (tiling.outer === 'channels' && chunks > 0) emitPasses(emitter, context, tile, chunks, isLoading);
    else {
      emitFirstRows(emitter, context, tile, NO_LOOPS);
      emitStripes(emitter, context, tile, NO_LOOPS, chunks);
    }
  });
}

/** Chunks outside, stripes inside: every pass reads the operands again and makes some channels of the output. */
function emitPasses(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  chunks: number,
  isLoading: boolean,
): void {
  const { tiling } = context.scheduled;
  if (isLoading) emitter.setSemaphore('passDone', 1);
  if (!tiling.toSram) emitter.setSemaphore('passStored', 1);
  emitter.loop(chunks, (level) => {
    emitChunk(emitter, context, level);
    emitter.idle('compute', mask('chunkReady', tiling.toSram ? undefined : 'passStored'), 0);
    if (isLoading) emitter.idle('load', mask('passDone'), 0);
    const loops = { chunks: level, stripes: undefined };
    emitFirstRows(emitter, context, tile, loops);
    emitStripes(emitter, context, tile, loops, 0);
    emitter.idle('compute', 0, mask('chunkFree', isLoading ? 'passDone' : undefined));
    if (!tiling.toSram) emitter.idle('store', 0, mask('passStored'));
  });
}

/** @param innerChunks chunks of weights streamed again for every stripe; 0 when they are in SRAM already */
function emitStripes(
  emitter: Emitter,
  context: LayerContext,
  tile: ColumnTile,
  loops: OpenLoops,
  innerChunks: number,
): void {
  const { layer, tiling } = context.scheduled;
  const streamed = streamedOperands(context);
  const wait = mask(streamed.length > 0 ? 'operandsReady' : undefined, tiling.toSram ? undefined : 'outputFree');
  const signal = mask(streamed.length > 0 ? 'operandsFree' : undefined, tiling.toSram ? undefined : 'outputReady');
  emitter.loop(stripeCount(layer, tiling), (level) => {
    const inside = { ...loops, stripes: level };
    streamed.forEach((operand, i) => {
      emitNewRows(
        emitter,
        context,
        operand,
        tile,
        inside,
        mask(i === 0 ? 'operandsFree' : undefined),
        mask(i === streamed.length - 1 ? 'operandsReady' : undefined),
      );
    });
    const runs =
      tiling.outer === 'channels' && streamedChunks(context) > 0 ? [chunkRun(context)] : standingRecords(context);
    if (innerChunks === 0) emitCompute(emitter, context, tile, runs, inside, wait, signal);
    else {
      if (runs.length > 0) emitCompute(emitter, context, tile, runs, inside, wait, 0);
      else emitter.idle('compute', wait, 0);
      emitter.loop(innerChunks, (chunkLevel) => {
        emitChunk(emitter, context, chunkLevel);
        emitCompute(
          emitter,
          context,
          tile,
          [chunkRun(context)],
          { chunks: chunkLevel, stripes: level },
          mask('chunkReady'),
          mask('chunkFree'),
        );
      });
      emitter.idle('compute', 0, signal);
    }
    if (!tiling.toSram) emitStoreRows(emitter, context, tile, inside);
  });
}

function streamedOperands(context: LayerContext): number[] {
  return context.scheduled.layer.operands.flatMap((_, i) =>
    context.scheduled.tiling.operandsFromSram[i] === true ? [] : [i],
  );
}

function streamedChunks(context: LayerContext): number {
  const { layer, tiling, residentBytes } = context.scheduled;
  return chunkCount(layer, tiling, residentChannels(layer, residentBytes));
}

function chunkBytes(context: LayerContext): number {
  const { layer, tiling } = context.scheduled;
  return tiling.chunkChannels * layer.weights.recordBytes;
}

/** Buffers of the chunk ring: passes over the rows hold one chunk at a time. */
function chunkModulus(context: LayerContext): number {
  return chunkBytes(context) * (context.scheduled.tiling.outer === 'channels' ? 1 : context.scheduled.tiling.depth);
}

function chunkRun(context: LayerContext): RecordRun {
  const { layer, tiling, residentBytes } = context.scheduled;
  return {
    start: residentChannels(layer, residentBytes),
    count: tiling.chunkChannels,
    address: bufferOffset(context.scheduled, 'chunk'),
  };
}

function emitChunk(emitter: Emitter, context: LayerContext, level: Level): void {
  const { layer, residentBytes } = context.scheduled;
  const bytes = chunkBytes(context);
  const first = residentBytes > 0 ? residentBytes : layer.weights.headerBytes;
  emitter.add(
    'load',
    {
      wait: mask('chunkFree'),
      signal: mask('chunkReady'),
      dramBase: context.layout.weightAddresses[context.step] ?? 0,
      sramBase: bufferOffset(context.scheduled, 'chunk'),
      offset: first,
      bytes,
      limit: layer.weights.totalBytes,
    },
    [
      step('offset', level, bytes),
      chunkModulus(context) > bytes ? step('sramBase', level, bytes, chunkModulus(context)) : undefined,
    ],
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
): void {
  const bytes = chunkBytes(context);
  const isRing = chunkModulus(context) > bytes;
  const list: readonly (RecordRun | undefined)[] = runs.length === 0 ? [undefined] : runs;
  list.forEach((run, i) => {
    const command = computeCommand(context, tile, run, loops);
    const isChunk = run !== undefined && loops.chunks !== undefined;
    emitter.add(
      command.op,
      { ...command.fields, wait: i === 0 ? wait : 0, signal: i === list.length - 1 ? signal : 0 },
      [
        ...command.steps,
        isChunk && context.scheduled.tiling.outer === 'rows' ? step('ch0', loops.chunks, run.count) : undefined,
        isChunk && isRing ? step('records', loops.chunks, bytes, chunkModulus(context)) : undefined,
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
      frameStep(context, operand.root),
    ],
  );
}

function emitStoreRows(emitter: Emitter, context: LayerContext, tile: ColumnTile, loops: OpenLoops): void {
  const { layer, tiling } = context.scheduled;
  const { output } = layer;
  const view = outputView(context, tile);
  emitter.add(
    'storeRows',
    {
      wait: mask('outputReady'),
      signal: mask('outputFree'),
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
      frameStep(context, output.root),
    ],
  );
}

/** Model inputs and outputs lie frame after frame. */
export function frameStep(context: LayerContext, root: Parameters<typeof stayOffset>[1]): ReturnType<typeof step> {
  return step('dramBase', context.frameLevel, context.layout.frameStrideBytes.get(root) ?? 0);
}
