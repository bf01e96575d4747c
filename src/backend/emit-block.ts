/**
 * The commands of a depth-first block: one loop, in which every layer computes its next rows. Rows below zero and beyond the
 * image are clipped by the machine, so the ramps at both ends need no code. All layers run in the compute queue in order:
 * only the streamed borders, and weights that come in chunks, need semaphores. Tiles of columns are one such loop each; pieces of
 * columns are a loop inside it.
 */

import type { FieldStep } from '../commands/types.js';
import type { BlockLayerPlan } from '../schedule/block.js';
import type { ColumnAdvance } from '../schedule/block-pieces.js';
import type { BlockTile, ColumnRange } from '../schedule/block-tiles.js';
import type { ScheduledBlock, ScheduledRing } from '../schedule/schedule.js';
import { residentChannels } from '../schedule/tiling.js';
import { BLOCK_JOINS, blockAccesses } from './accesses.js';
import { type BlockCommandContext, blockComputeCommand, blockRingView, stripeRegister } from './block-compute.js';
import { dramAddressOf } from './dram-layout.js';
import { type Emitter, type FreeName, type Level, mask, step } from './emitter.js';
import { dramFrameStep, emitWholeRoot, forEachFrame } from './frames.js';
import { type LayerContext, type RecordRun, stayOffset, viewFields } from './layer-views.js';
import type { Access } from './phases.js';
import { blockConstants, emitPreloads, emitSpread, joinsBeside, spreadAccesses } from './preloads.js';

export function emitBlock(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const first = contextOf(block.plan.first);
  emitPreloads(emitter, first, block.reloads, blockConstants(block, contextOf));
  const accesses = [...blockAccesses(block, contextOf), ...spreadAccesses(first)];
  emitter.phase(accesses, joinsBeside(first, BLOCK_JOINS));
  describeStripes(emitter, block);
  forEachFrame(emitter, first, ({ frameLevel }) => {
    const framed = (step: number): LayerContext => ({ ...contextOf(step), frameLevel });
    block.plan.tiles.forEach((tile, i) => {
      if (i > 0) emitter.phase(accesses, BLOCK_JOINS);
      emitTile({ emitter, block, tile, contextOf: framed, rings: block.rings, start: 0, accesses });
    });
  });
  emitSpills(emitter, block, contextOf);
}

function describeStripes(emitter: Emitter, block: ScheduledBlock): void {
  for (const ring of block.rings)
    if (ring.stripes !== undefined) emitter.add('stripeRing', { index: stripeRegister(block, ring), ...ring.stripes });
}

/** One pass over the rows of a tile of columns. */
interface TileSite {
  readonly emitter: Emitter;
  readonly block: ScheduledBlock;
  readonly tile: BlockTile;
  readonly contextOf: (step: number) => LayerContext;
  readonly rings: readonly ScheduledRing[];
  readonly start: number; // first iteration
  readonly accesses: readonly Access[];
}

/** All iterations in one loop; where an output stays in SRAM with its first rows only, the others follow in a second one. */
function emitTile(site: TileSite): void {
  const { block, emitter } = site;
  const context = site.contextOf(block.plan.last);
  const tails = block.tails.map((tail) => ({
    tail,
    from: (tail.keptRows - tail.ring.firstRow) / tail.ring.rowsPerIteration,
  }));
  const starts = [...new Set([0, ...tails.map(({ from }) => from)])].sort((a, b) => a - b);
  starts.forEach((start, i) => {
    if (i > 0) emitter.phase(site.accesses, BLOCK_JOINS);
    const streamed = tails
      .filter(({ from }) => from <= start)
      .map(({ tail: { ring, keptRows } }): ScheduledRing => {
        const sramOffsetBytes = stayOffset(context, ring.root) + keptRows * ring.rowBytes;
        return { ...ring, sramOffsetBytes };
      });
    const end = starts[i + 1] ?? block.plan.iterations;
    emitIterations({ ...site, start, rings: [...site.rings, ...streamed] }, end - start);
  });
}

function emitIterations(site: TileSite, count: number): void {
  const { emitter, block } = site;
  const inputs = site.rings.filter((ring) => ring.role === 'input');
  const outputs = site.rings.filter((ring) => ring.role === 'output');
  const operandsFree = inputs.length > 0 ? emitter.freeBuffers('operands', block.plan.form.depth) : undefined;
  const outputFree = outputs.length > 0 ? emitter.freeBuffers('output', 1) : undefined;
  const chunkFree = block.chunks.length > 0 ? emitter.freeBuffers('chunk', chunksAhead(block)) : undefined;
  const pieces = block.plan.pieces?.pieces ?? 1;
  const body = (level: Levels): void => {
    inputs.forEach((ring, i) => {
      const signal = mask(i === inputs.length - 1 ? 'operandsReady' : undefined);
      emitRingRows(site, 'loadRows', ring, level, mask(i === 0 ? operandsFree : undefined), signal);
    });
    const wait = mask(inputs.length > 0 ? 'operandsReady' : undefined);
    const signal = mask(operandsFree, outputs.length > 0 ? 'outputReady' : undefined);
    emitLayers(site, level, { wait, outputWait: mask(outputFree), signal, chunkFree });
    outputs.forEach((ring, i) => {
      const freed = mask(i === outputs.length - 1 ? outputFree : undefined);
      emitRingRows(site, 'storeRows', ring, level, mask(i === 0 ? 'outputReady' : undefined), freed);
    });
  };
  emitter.loop(count, (stripes) => {
    emitter.loop(pieces, (columns) => body({ stripes, columns }));
    emitSpread(emitter, site.contextOf(block.plan.first), stripes, count);
  });
}

/** The loops over stripes, and over the pieces of each. */
interface Levels {
  readonly stripes: Level;
  readonly columns: Level;
}

/**
 * Chunks of weights that may be in SRAM at once. Each layer begins every stripe in its first buffer: where the chunk before
 * is in that very buffer, the load waits for it.
 */
function chunksAhead({ chunks }: ScheduledBlock): 1 | 2 {
  const [only] = chunks;
  const returns = chunks.length === 1 && only !== undefined && only.chunks % 2 !== 0;
  return returns || chunks.some(({ buffers }) => buffers === 1) ? 1 : 2;
}

/** What the layers of a piece wait for, and what they raise when all are done. */
interface PieceSync {
  readonly wait: number;
  readonly outputWait: number; // of the first layer that writes what is stored: the ones before it run beside the last store
  readonly signal: number;
  readonly chunkFree: FreeName | undefined;
}

function emitLayers(site: TileSite, level: Levels, sync: PieceSync): void {
  const { emitter, block } = site;
  const last = block.plan.layers.length - 1;
  const stored = new Set(site.rings.flatMap(({ root, role }) => (role === 'output' ? [root] : [])));
  const firstStored = block.plan.layers.findIndex(({ step }) =>
    stored.has(site.contextOf(step).scheduled.layer.output.root),
  );
  const ofBlock = emitter.layer;
  block.plan.layers.forEach((plan, i) => {
    emitter.layer = site.contextOf(plan.step).scheduled.layer.op.name;
    const waits = (i === 0 ? sync.wait : 0) | (i === Math.max(0, firstStored) ? sync.outputWait : 0);
    const signals = i === last ? sync.signal : 0;
    if (block.chunks.some((chunks) => chunks.step === plan.step)) {
      emitter.idle('compute', waits, 0);
      emitStreamedLayer(site, plan, level, sync.chunkFree);
      emitter.idle('compute', 0, signals);
      return;
    }
    const runs = recordRuns(block, site.contextOf(plan.step));
    const list: readonly (RecordRun | undefined)[] = runs.length === 0 ? [undefined] : runs;
    list.forEach((run, j) => {
      const command = blockComputeCommand(commandContext(site, plan), run);
      const ends = { wait: j === 0 ? waits : 0, signal: j === list.length - 1 ? signals : 0 };
      emitter.add(command.op, { ...command.fields, ...ends }, [...layerSteps(block, plan, level), ...command.steps]);
    });
  });
  emitter.layer = ofBlock;
}

function layerSteps(
  { plan: { pieces } }: ScheduledBlock,
  plan: BlockLayerPlan,
  level: Levels,
): (FieldStep | undefined)[] {
  const rows = step('row0', level.stripes, plan.rowsPerIteration);
  const columns = pieces?.layers.get(plan.step);
  return columns === undefined ? [rows] : [rows, step('col0', level.columns, columns.perPiece)];
}

function commandContext(site: TileSite, plan: BlockLayerPlan): BlockCommandContext {
  const firstRow = plan.firstRow + site.start * plan.rowsPerIteration;
  const { block, rings, tile } = site;
  return { context: site.contextOf(plan.step), block, rings, tile, plan: { ...plan, firstRow } };
}

/** The layer's rows of one iteration, chunk of weights by chunk. */
function emitStreamedLayer(site: TileSite, plan: BlockLayerPlan, level: Levels, chunkFree: FreeName | undefined): void {
  const { emitter, block } = site;
  const chunks = block.chunks.find((candidate) => candidate.step === plan.step);
  if (chunks === undefined) throw new Error(`step ${plan.step} does not stream its weights`);
  const { scheduled, layout } = site.contextOf(plan.step);
  const { chunkBytes, chunkChannels, tableBytes } = chunks;
  const address = chunks.sramOffsetBytes + tableBytes;
  const modulus = chunkBytes * chunks.buffers;
  emitter.loop(chunks.chunks, (chunkLevel) => {
    emitter.add(
      'load',
      {
        wait: mask(chunkFree),
        signal: mask('chunkReady'),
        dramBase: layout.weightAddresses[plan.step] ?? 0,
        sramBase: address,
        offset: tableBytes,
        bytes: chunkBytes,
        limit: scheduled.layer.weights.totalBytes,
      },
      [step('offset', chunkLevel, chunkBytes), step('sramBase', chunkLevel, chunkBytes, modulus)],
    );
    const command = blockComputeCommand(commandContext(site, plan), { start: 0, count: chunkChannels, address });
    emitter.add(command.op, { ...command.fields, wait: mask('chunkReady'), signal: mask(chunkFree) }, [
      ...layerSteps(block, plan, level),
      ...command.steps,
      step('ch0', chunkLevel, chunkChannels),
      step('records', chunkLevel, chunkBytes, modulus),
    ]);
  });
}

/** Runs of weight records of a layer: the resident prefix, and what is held. */
function recordRuns(block: ScheduledBlock, context: LayerContext): RecordRun[] {
  const { scheduled } = context;
  const { weights } = scheduled.layer;
  if (weights.channels === 0) return [];
  const resident = residentChannels(scheduled.layer, scheduled.residentBytes);
  const runs: RecordRun[] = [];
  if (resident > 0)
    runs.push({ start: 0, count: resident, address: scheduled.residentOffsetBytes + weights.headerBytes });
  if (resident < weights.channels) {
    const held = block.held.find((candidate) => candidate.step === context.step);
    if (held === undefined) throw new Error(`step ${context.step} has no held weights`);
    runs.push({
      start: resident,
      count: weights.channels - resident,
      address: held.sramOffsetBytes + (resident > 0 ? 0 : weights.headerBytes),
    });
  }
  return runs;
}

function emitRingRows(
  site: TileSite,
  op: 'loadRows' | 'storeRows',
  ring: ScheduledRing,
  level: Levels,
  wait: number,
  signal: number,
): void {
  const { emitter, block, tile } = site;
  const context = site.contextOf(block.plan.first);
  const { schedule, layout } = context;
  const view = ring.view;
  const whole: ColumnRange = { start: 0, end: ring.imageColumns };
  const piece = ringPiece(block, ring);
  const columns =
    piece === undefined
      ? ((op === 'loadRows' ? tile.rootColumns : tile.storedColumns).get(ring.root) ?? whole)
      : { start: piece.first, end: piece.first + piece.perPiece };
  const dramBase =
    view === undefined ? (layout.rootAddresses.get(ring.root) ?? 0) : dramAddressOf(schedule, layout, view.tensor);
  emitter.add(
    op,
    {
      wait,
      signal,
      dramBase,
      dramRowPitch: view === undefined ? ring.imageColumns * ring.pixelBytes : view.rowPitchBytes,
      dramPixelPitch: view === undefined ? ring.pixelBytes : view.pixelPitchBytes,
      ...viewFields('sram', blockRingView(block, ring, tile)),
      imageH: ring.imageRows,
      imageW: ring.imageColumns,
      pixelBytes: ring.pixelBytes,
      row0: ring.firstRow + site.start * ring.rowsPerIteration,
      rows: ring.rowsPerIteration,
      col0: columns.start,
      cols: columns.end - columns.start,
    },
    [
      step('row0', level.stripes, ring.rowsPerIteration),
      step('col0', level.columns, piece?.perPiece ?? 0),
      dramFrameStep(context, ring.root),
    ],
  );
}

/** Columns of a ring in a piece. The tail of an output has no ring of its own in the plan: its columns are its layer's. */
function ringPiece({ plan, shape }: ScheduledBlock, { root }: ScheduledRing): ColumnAdvance | undefined {
  const [writer] = shape.roots.find((one) => one.root === root)?.writers ?? [];
  return plan.pieces?.roots.get(root) ?? plan.pieces?.layers.get(writer ?? -1);
}

/** Outputs that were produced in SRAM and have a DRAM copy too. */
function emitSpills(emitter: Emitter, block: ScheduledBlock, contextOf: (step: number) => LayerContext): void {
  const { schedule } = contextOf(block.plan.first);
  for (const root of schedule.roots.values()) {
    if (!root.isSpilled || root.lastWrite < block.plan.first || root.lastWrite > block.plan.last) continue;
    emitWholeRoot(emitter, 'store', contextOf(root.lastWrite), root.root);
  }
}
