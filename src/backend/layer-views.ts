/** Where the images and constants of one layer are while it runs: SRAM views, DRAM images, record addresses. */
import type { TensorId } from '../ir/types.js';
import { asStreamed, clippedRange, type Operand } from '../schedule/layer.js';
import type { Schedule, ScheduledLayer } from '../schedule/schedule.js';
import {
  channelsPerPass,
  residentChannels,
  ringRows,
  tileInputColumns,
  type WorkspaceBuffer,
} from '../schedule/tiling.js';
import type { Fields } from './compute-fields.js';
import type { DramLayout } from './dram-layout.js';

/** An image in SRAM as a command addresses it; see the head of commands/instructions.ts. */
export interface View {
  readonly base: number;
  readonly rowPitch: number;
  readonly pixelPitch: number;
  readonly ring: number;
  readonly stripes?: number; // register of the ring, where it is one of stripes
}

export function viewFields(prefix: string, view: View): Fields {
  return {
    [`${prefix}Base`]: view.base,
    [`${prefix}RowPitch`]: view.rowPitch,
    [`${prefix}PixelPitch`]: view.pixelPitch,
    [`${prefix}Ring`]: view.ring,
    ...(view.stripes === undefined ? {} : { [`${prefix}Stripes`]: view.stripes }),
  };
}

/** Output columns [start, end). */
export interface ColumnTile {
  readonly start: number;
  readonly end: number;
}

/** What the emission of one layer reads. */
export interface LayerContext {
  readonly schedule: Schedule;
  readonly layout: DramLayout;
  readonly scheduled: ScheduledLayer;
  readonly step: number;
  /** Level of the loop over the frames of a batch, which moves model inputs and outputs. */
  readonly frameLevel: number | undefined;
}

export function contextAt(schedule: Schedule, layout: DramLayout, step: number): LayerContext {
  const scheduled = schedule.layers[step];
  if (scheduled === undefined) throw new Error(`no step ${step}`);
  return { schedule, layout, scheduled, step, frameLevel: undefined };
}

export function bufferOffset(scheduled: ScheduledLayer, role: WorkspaceBuffer['role']): number {
  const buffer = scheduled.workspace.find((candidate) => candidate.role === role);
  if (buffer === undefined) throw new Error(`${scheduled.layer.op.name} has no buffer '${role}'`);
  return buffer.sramOffsetBytes;
}

/** SRAM offset of a root at a step. */
export function stayOffset(context: LayerContext, root: TensorId): number {
  const stay = context.schedule.roots
    .get(root)
    ?.stays.find((s) => s.startStep <= context.step && context.step < s.endStep);
  if (stay === undefined)
    throw new Error(`%${root} is not in SRAM at step ${context.step} (${context.scheduled.layer.op.name})`);
  return stay.sramOffsetBytes;
}

/** The operand as the commands see it: gathered when it is streamed. */
export function operandAt(context: LayerContext, index: number): Operand {
  const { layer, tiling } = context.scheduled;
  const operand = layer.operands[index];
  if (operand === undefined) throw new Error(`${layer.op.name} has no operand ${index}`);
  return tiling.operandsFromSram[index] === true ? operand : asStreamed(operand, layer.output);
}

const OPERAND_ROLES = ['operand0', 'operand1', 'operand2'] as const;

/** Operand columns that are in SRAM for a tile. */
export function operandColumns(context: LayerContext, index: number, tile: ColumnTile): ColumnTile {
  const operand = operandAt(context, index);
  return clippedRange(operand.columns, tile.start, tile.end, operand.w);
}

/** Bytes of a pixel of a streamed operand: a residual comes with the channels of one pass only. */
export function streamedPixelBytes(context: LayerContext, index: number): number {
  const operand = operandAt(context, index);
  const { layer, tiling } = context.scheduled;
  return (operand.role === 'residual' ? channelsPerPass(layer, tiling) : operand.c) * operand.elementBytes;
}

export function operandView(context: LayerContext, index: number, tile: ColumnTile): View {
  const { layer, tiling } = context.scheduled;
  const operand = operandAt(context, index);
  if (tiling.operandsFromSram[index] === true) {
    return {
      base: stayOffset(context, operand.root) + operand.offsetBytes,
      rowPitch: operand.rowPitchBytes,
      pixelPitch: operand.pixelPitchBytes,
      ring: 0,
    };
  }
  const pixelPitch = streamedPixelBytes(context, index);
  const columns = operandColumns(context, index, tile);
  return {
    base: bufferOffset(context.scheduled, OPERAND_ROLES[index] ?? 'operand2') - columns.start * pixelPitch,
    rowPitch: tileInputColumns(operand, layer, tiling) * pixelPitch,
    pixelPitch,
    ring: ringRows(operand, layer, tiling),
  };
}

export function outputView(context: LayerContext, tile: ColumnTile): View {
  const { layer, tiling } = context.scheduled;
  const { output } = layer;
  if (tiling.toSram) {
    return {
      base: stayOffset(context, output.root) + output.offsetBytes,
      rowPitch: output.rowPitchBytes,
      pixelPitch: output.pixelPitchBytes,
      ring: 0,
    };
  }
  const pixelPitch = channelsPerPass(layer, tiling) * output.elementBytes;
  return {
    base: bufferOffset(context.scheduled, 'output') - tile.start * pixelPitch,
    rowPitch: Math.min(output.w, tiling.tileColumns) * pixelPitch,
    pixelPitch,
    ring: Math.min(output.h, tiling.stripeRows * tiling.depth),
  };
}

/** SRAM address of the tables of the layer. */
export function tableAddress(context: LayerContext): number {
  const { scheduled } = context;
  if (scheduled.layer.weights.headerBytes === 0) return 0;
  if (scheduled.residentBytes > 0) return scheduled.residentOffsetBytes;
  return bufferOffset(scheduled, scheduled.tiling.weights === 'held' ? 'held' : 'tables');
}

/** Channels whose records lie one after another in SRAM: [start, start + count), the first at `address`. */
export interface RecordRun {
  readonly start: number;
  readonly count: number;
  readonly address: number;
}

/** The runs of records that are in SRAM for the whole layer: resident, held. */
export function standingRecords(context: LayerContext): RecordRun[] {
  const { scheduled } = context;
  const { weights } = scheduled.layer;
  if (weights.channels === 0) return [];
  const resident = residentChannels(scheduled.layer, scheduled.residentBytes);
  const runs: RecordRun[] = [];
  if (resident > 0)
    runs.push({ start: 0, count: resident, address: scheduled.residentOffsetBytes + weights.headerBytes });
  if (scheduled.tiling.weights === 'held' && resident < weights.channels) {
    const skipped = resident > 0 ? 0 : weights.headerBytes;
    runs.push({
      start: resident,
      count: weights.channels - resident,
      address: bufferOffset(scheduled, 'held') + skipped,
    });
  }
  return runs;
}
