/** The compute command of a layer, for one tile of columns and one run of weight records. */
import type { FieldStep } from '../commands/types.js';
import { tensorOf } from '../ir/facts.js';
import { BINARY_FUNCTIONS, type Op, type Program, REDUCTIONS, type ResizeCoordinates } from '../ir/types.js';
import { type AxisMap, type Layer, type Operand, type OperandRole, recordForm } from '../schedule/layer.js';
import {
  conversionFields,
  dtypeCode,
  epilogueFields,
  type Fields,
  floatBits,
  productFields,
  rescaleFields,
  sumFields,
  windowFields,
  zeroFields,
  zeroPointOf,
} from './compute-fields.js';
import type { OpenLoops } from './emit-layer.js';
import { step } from './emitter.js';
import { sramFrameStep } from './frames.js';
import {
  type ColumnTile,
  type LayerContext,
  operandAt,
  operandView,
  outputView,
  type RecordRun,
  tableAddress,
  type View,
  viewFields,
} from './layer-views.js';

export interface ComputeCommand {
  readonly op: string;
  readonly fields: Fields;
  readonly steps: readonly (FieldStep | undefined)[];
}

/** Where a layer's images, tables and rows are for one compute command. */
export interface ComputeSite {
  readonly program: Program;
  readonly layer: Layer;
  /** The operand's image as the command reads it: gathered, where a DMA has done so. */
  operand(index: number): Operand;
  operandView(index: number): View;
  readonly outputView: View;
  readonly outputChannels: number;
  readonly tableAddress: number;
  readonly row0: number;
  readonly rows: number;
  readonly columns: ColumnTile;
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

/** Everything but waits, signals and the steps of the channels, for a layer by itself. */
export function computeCommand(
  context: LayerContext,
  tile: ColumnTile,
  run: RecordRun | undefined,
  loops: OpenLoops,
): ComputeCommand {
  const { layer, tiling } = context.scheduled;
  const { output } = layer;
  // In a pass over the rows the chunk is a convolution of its own: channel 0 is the chunk's first. Whole images in SRAM
  // are then addressed from that channel on.
  const isPass = tiling.outer === 'channels' && loops.chunks !== undefined;
  const passBytes = isPass ? tiling.chunkChannels * output.elementBytes : 0;
  const site: ComputeSite = {
    program: context.schedule.program,
    layer,
    operand: (index) => operandAt(context, index),
    operandView: (index) => operandView(context, index, tile),
    outputView: outputView(context, tile),
    outputChannels: isPass ? tiling.chunkChannels : output.c,
    tableAddress: tableAddress(context),
    row0: 0,
    rows: tiling.stripeRows,
    columns: tile,
  };
  const steps: (FieldStep | undefined)[] = [
    step('row0', loops.stripes, tiling.stripeRows),
    tiling.toSram ? step('outBase', loops.chunks, passBytes) : undefined,
  ];
  const residual = layer.operands.findIndex((operand) => operand.role === 'residual');
  if (residual >= 0 && tiling.operandsFromSram[residual] === true) steps.push(step('addBase', loops.chunks, passBytes));
  steps.push(...frameSteps(context, (_, i) => tiling.operandsFromSram[i] === true, tiling.toSram));
  return { ...commandAt(site, run), steps };
}

/** The view that each operand is to the command. */
function prefixesOf({ kind }: Layer): Readonly<Record<OperandRole, string>> {
  if (kind === 'gather') return { main: '', second: 'in', third: '', residual: 'add' };
  if (kind === 'select') return { main: 'in', second: 'a', third: 'b', residual: 'add' };
  const main = kind === 'binary' || kind === 'matmul' ? 'a' : 'in';
  return { main, second: 'b', third: '', residual: 'add' };
}

/** Extents of 1 that are repeated over the output's, as the instruction table masks them. */
function repeatMask({ h, w, c }: Operand, { output }: Layer): number {
  const isRepeated = (extent: number, outputs: number): boolean => extent === 1 && outputs > 1;
  return (isRepeated(h, output.h) ? 1 : 0) + (isRepeated(w, output.w) ? 2 : 0) + (isRepeated(c, output.c) ? 4 : 0);
}

/** Whole images in SRAM hold their frames one after the other. */
export function frameSteps(
  context: LayerContext,
  isWhole: (operand: Operand, index: number) => boolean,
  isOutputWhole: boolean,
): (FieldStep | undefined)[] {
  const { layer } = context.scheduled;
  const prefix = prefixesOf(layer);
  const steps = layer.operands.map((operand, i) =>
    isWhole(operand, i) && prefix[operand.role] !== ''
      ? sramFrameStep(context, operand.root, `${prefix[operand.role]}Base`)
      : undefined,
  );
  return [...steps, isOutputWhole ? sramFrameStep(context, layer.output.root, 'outBase') : undefined];
}

/** The command and its fields, but for waits, signals and steps. */
export function commandAt(site: ComputeSite, run: RecordRun | undefined): { op: string; fields: Fields } {
  const { layer, program } = site;
  const { op, output } = layer;
  const { dtype } = tensorOf(program, op.output);
  const isFloat = dtype === 'float32';
  const common: Fields = {
    dtype: dtypeCode(dtype),
    ...viewFields('out', site.outputView),
    outH: output.h,
    outW: output.w,
    outC: site.outputChannels,
    row0: site.row0,
    rows: site.rows,
    col0: site.columns.start,
    cols: site.columns.end - site.columns.start,
    ...epilogueFields(program, op, isFloat, site.tableAddress),
  };
  const residual = layer.operands.findIndex((operand) => operand.role === 'residual');
  if (residual >= 0) Object.assign(common, viewFields('add', site.operandView(residual)));
  const main = site.operand(0);
  const input: Fields = { ...viewFields('in', site.operandView(0)), inH: main.h, inW: main.w, inC: main.c };
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
          ...(isFloat ? {} : weightFields(program, op)),
          ...records,
        },
      };
    }
    case 'pool': {
      if (op.kind !== 'maxPool' && op.kind !== 'avgPool' && op.kind !== 'sumPool') break;
      const mode = op.kind === 'sumPool' ? 3 : op.kind === 'maxPool' ? 0 : op.countIncludePad ? 2 : 1;
      const scale = op.kind === 'sumPool' ? sumFields(op) : {};
      return {
        op: 'pool',
        fields: {
          ...input,
          ...common,
          mode,
          ...windowFields(op.window),
          ...gatheredStride(main.rows, main.columns),
          ...zeroFields(program, op),
          ...scale,
        },
      };
    }
    case 'binary': {
      if (op.kind !== 'add' && op.kind !== 'sub' && op.kind !== 'mul' && op.kind !== 'binary') break;
      const simple = ['add', 'sub', 'mul'].indexOf(op.kind);
      const mode = op.kind === 'binary' ? 3 + BINARY_FUNCTIONS.indexOf(op.fn) : simple;
      const rescale = op.kind === 'binary' ? {} : rescaleFields(op.rescale);
      const repeats = { aRepeat: repeatMask(main, layer), bRepeat: repeatMask(site.operand(1), layer) };
      const zeros = {
        aZero: zeroPointOf(program, op.inputs[0]),
        bZero: zeroPointOf(program, op.inputs[1]),
        outZero: zeroFields(program, op).outZero ?? 0,
      };
      const views = {
        ...viewFields('a', site.operandView(0)),
        ...viewFields('b', site.operandView(1)),
      };
      return { op: 'binary', fields: { ...views, ...common, mode, ...zeros, ...rescale, ...repeats } };
    }
    case 'map':
      return {
        op: 'map',
        fields: {
          ...input,
          ...common,
          ...(op.kind === 'broadcast' ? { inRepeat: repeatMask(main, layer) } : {}),
          scaleH: main.rows.scale,
          scaleW: main.columns.scale,
          ...zeroFields(program, op),
          ...(op.kind === 'convert' ? conversionFields(program, op) : {}),
        },
      };
    case 'resize': {
      if (op.kind !== 'resize') break;
      const coordinates = RESIZE_COORDINATES.indexOf(op.coordinates);
      return { op: 'resize', fields: { ...input, ...common, mode: op.mode === 'nearest' ? 0 : 1, coordinates } };
    }
    case 'pad': {
      if (op.kind !== 'pad') break;
      const [padTop, padLeft, padFront] = op.before;
      const value = isFloat ? floatBits(op.value) : op.value;
      const mode = op.mode === undefined ? 0 : op.mode === 'reflect' ? 1 : 2;
      return { op: 'pad', fields: { ...input, ...common, padTop, padLeft, padFront, value, mode } };
    }
    case 'softmax': {
      const fixed: Fields =
        op.kind === 'softmax' && op.fixedPoint !== undefined ? { ...op.fixedPoint } : { table: site.tableAddress };
      const real: Fields =
        op.kind === 'softmax' && op.realScale !== undefined
          ? { scale: floatBits(op.realScale), outZero: zeroFields(program, op).outZero ?? 0 }
          : {};
      return { op: 'softmax', fields: { ...viewFields('in', site.operandView(0)), ...common, ...fixed, ...real } };
    }
    case 'lrn': {
      if (op.kind !== 'lrn') break;
      const constants: Fields = isFloat
        ? { alpha: floatBits(op.alpha), beta: floatBits(op.beta), k: floatBits(op.k) }
        : { sumShift: op.sumShift };
      return {
        op: 'lrn',
        fields: {
          ...viewFields('in', site.operandView(0)),
          ...common,
          table: site.tableAddress,
          size: op.size,
          ...constants,
          ...zeroFields(program, op),
        },
      };
    }
    case 'select': {
      const repeats = {
        inRepeat: repeatMask(main, layer),
        aRepeat: repeatMask(site.operand(1), layer),
        bRepeat: repeatMask(site.operand(2), layer),
      };
      const [condition, a, b] = [0, 1, 2].map((index) => site.operandView(index));
      if (condition === undefined || a === undefined || b === undefined) break;
      const views = { ...viewFields('in', condition), ...viewFields('a', a), ...viewFields('b', b) };
      return { op: 'select', fields: { ...views, ...common, ...repeats } };
    }
    case 'reduce': {
      if (op.kind !== 'reduce') break;
      const inDtype = tensorOf(program, op.inputs[0] ?? op.output).dtype;
      const own = inDtype === dtype ? 0 : 1 + dtypeCode(inDtype);
      return {
        op: 'reduce',
        fields: { ...input, ...common, mode: REDUCTIONS.indexOf(op.fn), inDtype: own },
      };
    }
    case 'layerNorm': {
      if (op.kind !== 'layerNorm') break;
      return {
        op: 'layerNorm',
        fields: {
          ...viewFields('in', site.operandView(0)),
          ...common,
          table: site.tableAddress,
          epsilon: floatBits(op.epsilon),
          mode: op.isCentred ? 0 : 1,
        },
      };
    }
    case 'matmul': {
      if (op.kind !== 'matmul') break;
      const views = { ...viewFields('a', site.operandView(0)), ...viewFields('b', site.operandView(1)) };
      const bRepeat = repeatMask({ ...site.operand(1), w: 0, c: 0 }, layer);
      const own = { inC: main.c, mode: op.transposeB ? 1 : 0, bRepeat, ...productFields(program, op) };
      return { op: 'matmul', fields: { ...views, ...common, ...own } };
    }
    case 'gather': {
      const table = site.operand(1);
      const own: Fields = { ...viewFields('in', site.operandView(1)), inH: table.h, inW: table.w, inC: table.c };
      return { op: 'map', fields: { ...own, ...common, scaleH: 1, scaleW: 1, ...zeroFields(program, op) } };
    }
    case 'recurrent': {
      if (op.kind !== 'recurrent') break;
      const views = { ...viewFields('in', site.operandView(0)), ...viewFields('b', site.operandView(1)) };
      const mode = (op.cell === 'gru' ? 1 : 0) + (op.isReverse ? 2 : 0) + (op.resetsAfter ? 4 : 0);
      return {
        op: 'recurrent',
        fields: {
          ...views,
          ...common,
          inC: main.c,
          mode,
          hidden: op.hidden,
          table: site.tableAddress,
          clip: op.clip === 0 ? 0 : floatBits(op.clip),
        },
      };
    }
    case 'transpose':
      break;
  }
  throw new Error(`no compute command for ${op.kind} (${op.name})`);
}

const RESIZE_COORDINATES: readonly ResizeCoordinates[] = ['asymmetric', 'alignCorners', 'halfPixel'];

/** How the weight records of an integer layer are to be read. */
function weightFields(program: Program, op: Op): Fields {
  const once: Fields = (op.kind === 'conv2d' || op.kind === 'dense') && op.rounding === 'once' ? { rounding: 1 } : {};
  const weights = tensorOf(program, op.inputs[1] ?? op.output);
  return {
    recordForm: recordForm(program, op),
    weightDtype: dtypeCode(weights.dtype),
    weightZero: weights.quant?.zeroPoint ?? 0,
    ...once,
  };
}

/** What the DMA has gathered already is not skipped over again. */
function gatheredStride(rows: AxisMap, columns: AxisMap): Fields {
  return { strideH: rows.stride, strideW: columns.stride };
}
