/** The compute command of a layer, for one tile of columns and one run of weight records. */
import type { FieldStep } from '../commands/types.js';
import type { AxisMap } from '../schedule/layer.js';
import {
  epilogueFields,
  type Fields,
  floatBits,
  rescaleFields,
  windowFields,
  zeroFields,
  zeroPointOf,
} from './compute-fields.js';
import type { OpenLoops } from './emit-layer.js';
import { step } from './emitter.js';
import {
  type ColumnTile,
  type LayerContext,
  operandAt,
  operandView,
  outputView,
  type RecordRun,
  tableAddress,
  viewFields,
} from './layer-views.js';

export interface ComputeCommand {
  readonly op: string;
  readonly fields: Fields;
  readonly steps: readonly (FieldStep | undefined)[];
}

const UNIT_WINDOW = {
  kernelH: 1,
  kernelW: 1,
  strideH: 1,
  strideW: 1,
  padTop: 0,
  padLeft: 0,
  dilationH: 1,
  dilationW: 1,
};

/** Everything but waits, signals and the steps of the channels. */
export function computeCommand(
  context: LayerContext,
  tile: ColumnTile,
  run: RecordRun | undefined,
  loops: OpenLoops,
): ComputeCommand {
  const { layer, tiling } = context.scheduled;
  const { op, output } = layer;
  const program = context.schedule.program;
  const isFloat = output.elementBytes === 4;
  // In a pass over the rows the chunk is a convolution of its own: channel 0 is the chunk's first. Whole images in SRAM
  // are then addressed from that channel on.
  const isPass = tiling.outer === 'channels' && loops.chunks !== undefined;
  const passBytes = isPass ? tiling.chunkChannels * output.elementBytes : 0;
  const common: Fields = {
    dtype: isFloat ? 1 : 0,
    ...viewFields('out', outputView(context, tile)),
    outH: output.h,
    outW: output.w,
    outC: isPass ? tiling.chunkChannels : output.c,
    row0: 0,
    rows: tiling.stripeRows,
    col0: tile.start,
    cols: tile.end - tile.start,
    ...epilogueFields(program, op, isFloat, tableAddress(context)),
  };
  const steps: (FieldStep | undefined)[] = [
    step('row0', loops.stripes, tiling.stripeRows),
    tiling.toSram ? step('outBase', loops.chunks, passBytes) : undefined,
  ];
  const residual = layer.operands.findIndex((operand) => operand.role === 'residual');
  if (residual >= 0) {
    Object.assign(common, viewFields('add', operandView(context, residual, tile)));
    if (tiling.operandsFromSram[residual] === true) steps.push(step('addBase', loops.chunks, passBytes));
  }
  return { ...ownFields(context, tile, run, common), steps };
}

function ownFields(
  context: LayerContext,
  tile: ColumnTile,
  run: RecordRun | undefined,
  common: Fields,
): { op: string; fields: Fields } {
  const { layer } = context.scheduled;
  const { op } = layer;
  const program = context.schedule.program;
  const main = operandAt(context, 0);
  const input: Fields = { ...viewFields('in', operandView(context, 0, tile)), inH: main.h, inW: main.w, inC: main.c };
  switch (layer.kind) {
    case 'conv': {
      const window =
        op.kind === 'conv2d' ? { ...windowFields(op.window), ...gatheredStride(main.rows, main.columns) } : UNIT_WINDOW;
      const records: Fields = run === undefined ? {} : { ch0: run.start, chs: run.count, records: run.address };
      return {
        op: 'conv',
        fields: {
          ...input,
          ...common,
          ...window,
          groups: op.kind === 'conv2d' ? op.groups : 1,
          ...zeroFields(program, op),
          ...records,
        },
      };
    }
    case 'pool': {
      if (op.kind !== 'maxPool' && op.kind !== 'avgPool') break;
      const mode = op.kind === 'maxPool' ? 0 : op.countIncludePad ? 2 : 1;
      return {
        op: 'pool',
        fields: {
          ...input,
          ...common,
          mode,
          ...windowFields(op.window),
          ...gatheredStride(main.rows, main.columns),
          ...zeroFields(program, op),
        },
      };
    }
    case 'binary': {
      if (op.kind !== 'add' && op.kind !== 'sub' && op.kind !== 'mul') break;
      const mode = op.kind === 'add' ? 0 : op.kind === 'sub' ? 1 : 2;
      const zeros = {
        aZero: zeroPointOf(program, op.inputs[0]),
        bZero: zeroPointOf(program, op.inputs[1]),
        outZero: zeroFields(program, op).outZero ?? 0,
      };
      const views = {
        ...viewFields('a', operandView(context, 0, tile)),
        ...viewFields('b', operandView(context, 1, tile)),
      };
      return { op: 'binary', fields: { ...views, ...common, mode, ...zeros, ...rescaleFields(op.rescale) } };
    }
    case 'map':
      return {
        op: 'map',
        fields: {
          ...input,
          ...common,
          scaleH: main.rows.scale,
          scaleW: main.columns.scale,
          ...zeroFields(program, op),
        },
      };
    case 'softmax':
      return {
        op: 'softmax',
        fields: { ...viewFields('in', operandView(context, 0, tile)), ...common, table: tableAddress(context) },
      };
    case 'lrn': {
      if (op.kind !== 'lrn') break;
      const isFloat = layer.output.elementBytes === 4;
      const constants: Fields = isFloat
        ? { alpha: floatBits(op.alpha), beta: floatBits(op.beta), k: floatBits(op.k) }
        : { sumShift: op.sumShift };
      return {
        op: 'lrn',
        fields: {
          ...viewFields('in', operandView(context, 0, tile)),
          ...common,
          table: tableAddress(context),
          size: op.size,
          ...constants,
          ...zeroFields(program, op),
        },
      };
    }
    case 'transpose':
      break;
  }
  throw new Error(`no compute command for ${op.kind} (${op.name})`);
}

/** What the DMA has gathered already is not skipped over again. */
function gatheredStride(rows: AxisMap, columns: AxisMap): Fields {
  return { strideH: rows.stride, strideW: columns.stride };
}
