/**
 * Transpositions: by the vector unit within SRAM, by the DMA's strides on the way in or out. Both ends may be slices with
 * gaps. Dimensions beyond the four that a command has become hardware loops around it.
 */

import { SpillwayError } from '../base/diagnostic.js';
import type { FieldStep } from '../commands/types.js';
import { tensorOf } from '../ir/facts.js';
import { imageRowAxes, stridedViewOf } from '../ir/layout.js';
import { dramAddressOf } from './dram-layout.js';
import { type Emitter, type Level, mask, step } from './emitter.js';
import { sramFrameStep } from './frames.js';
import { bufferOffset, type LayerContext, stayOffset } from './layer-views.js';

/** A loop over elements: how many, and how far apart they are in the operand and in the output. */
interface Dimension {
  readonly count: number;
  readonly inStride: number; // bytes
  readonly outStride: number; // bytes
}

const COMMAND_DIMENSIONS = 4;
/** One loop level is the batch's. */
const LOOP_DIMENSIONS = 3;

export function emitTranspose(emitter: Emitter, context: LayerContext): void {
  const { layer, tiling } = context.scheduled;
  const { output } = layer;
  const operand = layer.operands[0];
  if (operand === undefined) throw new Error(`${layer.op.name} has no operand`);
  const { elementBytes } = output;
  const fromSram = tiling.operandsFromSram[0] === true;
  if (!fromSram && !tiling.toSram) {
    emitThroughBuffer(emitter, context);
    return;
  }
  const { outer, inner } = split(context, merged(axesOf(context)));
  const inSram = fromSram ? stayOffset(context, operand.root) + operand.offsetBytes : 0;
  const outSram = tiling.toSram ? stayOffset(context, output.root) + output.offsetBytes : 0;
  const ends = dramEnds(context);
  emitLoops(emitter, outer, (levels) => {
    if (fromSram && tiling.toSram) {
      emitter.add(
        'permute',
        { inBase: inSram, outBase: outSram, elementBytes, ...strideFields(inner, 'inStride', 'outStride') },
        [
          ...outer.map((dimension, i) => step('inBase', levels[i], dimension.inStride)),
          ...outer.map((dimension, i) => step('outBase', levels[i], dimension.outStride)),
          sramFrameStep(context, operand.root, 'inBase'),
          sramFrameStep(context, output.root, 'outBase'),
        ],
      );
      return;
    }
    const [dramBase, sramBase] = fromSram ? [ends.outDram, inSram] : [ends.inDram, outSram];
    const dram = fromSram ? 'outStride' : 'inStride';
    const sram = fromSram ? 'inStride' : 'outStride';
    emitter.add(
      fromSram ? 'storeStrided' : 'loadStrided',
      { dramBase, sramBase, elementBytes, ...dmaFields(inner, dram, sram) },
      [
        ...outer.map((dimension, i) => step('dramBase', levels[i], dimension[dram])),
        ...outer.map((dimension, i) => step('sramBase', levels[i], dimension[sram])),
        fromSram ? ends.outFrame : ends.inFrame,
        sramFrameStep(context, fromSram ? operand.root : output.root, 'sramBase'),
      ],
    );
  });
}

/** DRAM to DRAM: a row of the output at a time, transposed by the load. */
function emitThroughBuffer(emitter: Emitter, context: LayerContext): void {
  const { layer } = context.scheduled;
  const { output } = layer;
  const { elementBytes } = output;
  const axes = axesOf(context);
  const rowsEnd = imageRowAxes(axes.length);
  const rows = merged(axes.slice(0, rowsEnd));
  const within = axes.slice(rowsEnd);
  const toBuffer = merged(naturalOut(within, elementBytes));
  const fromBuffer = merged(naturalIn(within, elementBytes));
  if (toBuffer.length > COMMAND_DIMENSIONS || rows.length > LOOP_DIMENSIONS) throw tooManyDimensions(context);
  const buffer = bufferOffset(context.scheduled, 'output');
  const rowBytes = output.w * output.c * elementBytes;
  const ends = dramEnds(context);
  const free = 'turnedFree';
  emitter.count(free);
  emitLoops(emitter, rows, (levels) => {
    emitter.add(
      'loadStrided',
      {
        wait: mask(free),
        signal: mask('turnedReady'),
        dramBase: ends.inDram,
        sramBase: buffer,
        elementBytes,
        ...dmaFields(toBuffer, 'inStride', 'outStride'),
      },
      [...rows.map((row, i) => step('dramBase', levels[i], row.inStride)), ends.inFrame],
    );
    const isGapless = output.w === 1 || output.pixelPitchBytes === output.c * elementBytes;
    emitter.add(
      isGapless ? 'store' : 'storeStrided',
      {
        wait: mask('turnedReady'),
        signal: mask(free),
        dramBase: ends.outDram,
        sramBase: buffer,
        ...(isGapless
          ? { bytes: rowBytes, limit: rowBytes }
          : { elementBytes, ...dmaFields(fromBuffer, 'outStride', 'inStride') }),
      },
      [...rows.map((row, i) => step('dramBase', levels[i], row.outStride)), ends.outFrame],
    );
  });
}

function dramEnds(context: LayerContext) {
  const { layer } = context.scheduled;
  const { schedule, layout, frameLevel } = context;
  const input = layer.operands[0] ?? layer.output;
  const frame = (root: typeof input.root): FieldStep | undefined =>
    step('dramBase', frameLevel, layout.frameStrideBytes.get(root) ?? 0);
  return {
    inDram: dramAddressOf(schedule, layout, input.tensor),
    outDram: dramAddressOf(schedule, layout, layer.output.tensor),
    inFrame: frame(input.root),
    outFrame: frame(layer.output.root),
  };
}

/** Opens a loop for each dimension, the first outermost. */
function emitLoops(
  emitter: Emitter,
  dimensions: readonly Dimension[],
  body: (levels: readonly Level[]) => void,
  levels: readonly Level[] = [],
): void {
  const [first, ...rest] = dimensions;
  if (first === undefined) body(levels);
  else emitter.loop(first.count, (level) => emitLoops(emitter, rest, body, [...levels, level]));
}

/** One dimension per axis of the output, outermost first. */
function axesOf(context: LayerContext): Dimension[] {
  const { op, output, operands } = context.scheduled.layer;
  const { program } = context.schedule;
  if (op.kind !== 'transpose') throw new Error(`${op.name} is not a transposition`);
  const source = stridedViewOf(tensorOf(program, operands[0]?.tensor ?? output.tensor));
  const target = stridedViewOf(tensorOf(program, output.tensor));
  return target.shape.map((count, axis) => ({
    count,
    inStride: (source.strides[op.perm[axis] ?? 0] ?? 0) * output.elementBytes,
    outStride: (target.strides[axis] ?? 0) * output.elementBytes,
  }));
}

/** The same elements packed without gaps at the output's end. */
function naturalOut(axes: readonly Dimension[], elementBytes: number): Dimension[] {
  let stride = elementBytes;
  return axes
    .toReversed()
    .map((axis) => {
      const packed = { ...axis, outStride: stride };
      stride *= axis.count;
      return packed;
    })
    .toReversed();
}

/** From packed elements to where the output has them. */
function naturalIn(axes: readonly Dimension[], elementBytes: number): Dimension[] {
  return naturalOut(axes, elementBytes).map((packed, i) => ({
    count: packed.count,
    inStride: packed.outStride,
    outStride: axes[i]?.outStride ?? 0,
  }));
}

/** Neighbours are one dimension where both ends run on; those of extent 1 are none. */
function merged(axes: readonly Dimension[]): Dimension[] {
  const list: Dimension[] = [];
  for (const axis of axes) {
    if (axis.count === 1) continue;
    const last = list[list.length - 1];
    const runsOn =
      last !== undefined &&
      last.inStride === axis.count * axis.inStride &&
      last.outStride === axis.count * axis.outStride;
    if (runsOn) list[list.length - 1] = { ...axis, count: last.count * axis.count };
    else list.push(axis);
  }
  return list;
}

/** The innermost dimensions are the command's, the others are loops. */
function split(context: LayerContext, dimensions: readonly Dimension[]) {
  const loops = Math.max(0, dimensions.length - COMMAND_DIMENSIONS);
  if (loops > LOOP_DIMENSIONS) throw tooManyDimensions(context);
  return { outer: dimensions.slice(0, loops), inner: dimensions.slice(loops) };
}

function tooManyDimensions(context: LayerContext): SpillwayError {
  const { op } = context.scheduled.layer;
  return new SpillwayError([
    {
      code: 'SW3004',
      blame: 'unsupported',
      message: `the transposition '${op.name}' permutes more dimensions than the machine's commands and loops have`,
      loc: op.loc,
      hint: 'split it into two transpositions',
    },
  ]);
}

type Side = 'inStride' | 'outStride';

function strideFields(dimensions: readonly Dimension[], first: Side, second: Side): Record<string, number> {
  return fieldsOf(dimensions, [first, first], [second, second]);
}

function dmaFields(dimensions: readonly Dimension[], dram: Side, sram: Side): Record<string, number> {
  return fieldsOf(dimensions, ['dramStride', dram], ['sramStride', sram]);
}

/** Innermost dimension last: fields 3, 2, ... */
function fieldsOf(
  dimensions: readonly Dimension[],
  [firstName, first]: readonly [string, Side],
  [secondName, second]: readonly [string, Side],
): Record<string, number> {
  const fields: Record<string, number> = {};
  const skipped = COMMAND_DIMENSIONS - dimensions.length;
  dimensions.forEach((dimension, i) => {
    fields[`count${skipped + i}`] = dimension.count;
    fields[`${firstName}${skipped + i}`] = dimension[first];
    fields[`${secondName}${skipped + i}`] = dimension[second];
  });
  return fields;
}
