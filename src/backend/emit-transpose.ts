/** Transpositions: by the vector unit within SRAM, by the DMA's strides on the way in or out. */
import type { FieldStep } from '../commands/types.js';
import { isContiguous, tensorOf } from '../ir/facts.js';
import type { Tensor } from '../ir/types.js';
import { dramAddressOf } from './dram-layout.js';
import { type Emitter, mask, step } from './emitter.js';
import { bufferOffset, type LayerContext, stayOffset } from './layer-views.js';

interface Dimension {
  readonly count: number;
  readonly inStride: number; // bytes
  readonly outStride: number; // bytes
}

export function emitTranspose(emitter: Emitter, context: LayerContext, preloads: number): void {
  const { layer, tiling } = context.scheduled;
  const { op, output } = layer;
  const operand = layer.operands[0];
  if (op.kind !== 'transpose' || operand === undefined) throw new Error(`${op.name} is not a transposition`);
  const program = context.schedule.program;
  const source = tensorOf(program, operand.tensor);
  const target = tensorOf(program, output.tensor);
  const dimensions = mergedDimensions(source, target, op.perm, output.elementBytes);
  const elementBytes = output.elementBytes;
  const fromSram = tiling.operandsFromSram[0] === true;
  const inSram = fromSram ? stayOffset(context, operand.root) + operand.offsetBytes : 0;
  const outSram = tiling.toSram ? stayOffset(context, output.root) + output.offsetBytes : 0;
  const inDram = dramAddressOf(context.schedule, context.layout, operand.tensor);
  const outDram = dramAddressOf(context.schedule, context.layout, output.tensor);
  const inFrame = step('dramBase', context.frameLevel, context.layout.frameStrideBytes.get(operand.root) ?? 0);
  const outFrame = step('dramBase', context.frameLevel, context.layout.frameStrideBytes.get(output.root) ?? 0);
  if (fromSram && tiling.toSram) {
    emitter.add('permute', {
      wait: preloads,
      inBase: inSram,
      outBase: outSram,
      elementBytes,
      ...strides(dimensions, 'in', 'out'),
    });
  } else if (fromSram) {
    emitter.barrier();
    emitter.add(
      'storeStrided',
      { dramBase: outDram, sramBase: inSram, elementBytes, ...dmaStrides(dimensions, 'out', 'in') },
      [outFrame],
    );
  } else if (tiling.toSram) {
    emitter.add(
      'loadStrided',
      { dramBase: inDram, sramBase: outSram, elementBytes, ...dmaStrides(dimensions, 'in', 'out') },
      [inFrame],
    );
  } else {
    emitThroughBuffer(emitter, context, dimensions, { inDram, outDram, inFrame, outFrame });
  }
}

interface Ends {
  readonly inDram: number;
  readonly outDram: number;
  readonly inFrame: FieldStep | undefined;
  readonly outFrame: FieldStep | undefined;
}

/** DRAM to DRAM: a slice of the output's rows at a time, transposed by the load. */
function emitThroughBuffer(
  emitter: Emitter,
  context: LayerContext,
  dimensions: readonly Dimension[],
  ends: Ends,
): void {
  const { layer } = context.scheduled;
  const { output } = layer;
  const elementBytes = output.elementBytes;
  const buffer = bufferOffset(context.scheduled, 'output');
  const rowBytes = output.w * output.c * elementBytes;
  const [outermost] = dimensions;
  const bySlice = outermost !== undefined && output.h > 1 && outermost.count % output.h === 0;
  if (!bySlice || outermost === undefined) {
    emitter.add(
      'loadStrided',
      {
        signal: mask('operandsReady'),
        dramBase: ends.inDram,
        sramBase: buffer,
        elementBytes,
        ...dmaStrides(dimensions, 'in', 'out'),
      },
      [ends.inFrame],
    );
    emitter.add(
      'store',
      {
        wait: mask('operandsReady'),
        dramBase: ends.outDram,
        sramBase: buffer,
        bytes: rowBytes * output.h,
        limit: rowBytes * output.h,
      },
      [ends.outFrame],
    );
    return;
  }
  const perSlice = outermost.count / output.h;
  const slice = [{ ...outermost, count: perSlice }, ...dimensions.slice(1)];
  emitter.setSemaphore('outputFree', 1);
  emitter.loop(output.h, (level) => {
    emitter.add(
      'loadStrided',
      {
        wait: mask('outputFree'),
        signal: mask('operandsReady'),
        dramBase: ends.inDram,
        sramBase: buffer,
        elementBytes,
        ...dmaStrides(slice, 'in', 'out'),
      },
      [step('dramBase', level, perSlice * outermost.inStride), ends.inFrame],
    );
    emitter.add(
      'store',
      {
        wait: mask('operandsReady'),
        signal: mask('outputFree'),
        dramBase: ends.outDram,
        sramBase: buffer,
        bytes: rowBytes,
        limit: rowBytes,
      },
      [step('dramBase', level, rowBytes), ends.outFrame],
    );
  });
}

/** Dimensions in the output's order, outermost first, neighbours merged where both sides run on. */
function mergedDimensions(source: Tensor, target: Tensor, perm: readonly number[], elementBytes: number): Dimension[] {
  if (!isContiguous(source) || !isContiguous(target))
    throw new Error(`transposition of ${source.name} into a slice with gaps`);
  const inStrides = naturalStrides(source.shape, elementBytes);
  const outStrides = naturalStrides(target.shape, elementBytes);
  const merged: Dimension[] = [];
  target.shape.forEach((count, i) => {
    if (count === 1) return;
    const dimension = { count, inStride: inStrides[perm[i] ?? 0] ?? 0, outStride: outStrides[i] ?? 0 };
    const last = merged[merged.length - 1];
    if (
      last !== undefined &&
      last.inStride === dimension.count * dimension.inStride &&
      last.outStride === dimension.count * dimension.outStride
    ) {
      merged[merged.length - 1] = { ...dimension, count: last.count * dimension.count };
    } else merged.push(dimension);
  });
  if (merged.length > 4)
    throw new Error(`transposition of ${source.name} has ${merged.length} dimensions; the machine has 4`);
  return merged.length === 0 ? [{ count: 1, inStride: elementBytes, outStride: elementBytes }] : merged;
}

function naturalStrides(shape: readonly number[], elementBytes: number): number[] {
  const strides: number[] = [];
  let stride = elementBytes;
  for (let i = shape.length - 1; i >= 0; i -= 1) {
    strides[i] = stride;
    stride *= shape[i] ?? 1;
  }
  return strides;
}

function strides(dimensions: readonly Dimension[], first: 'in' | 'out', second: 'in' | 'out'): Record<string, number> {
  return fieldsOf(dimensions, `${first}Stride`, `${second}Stride`, first, second);
}

function dmaStrides(dimensions: readonly Dimension[], dram: 'in' | 'out', sram: 'in' | 'out'): Record<string, number> {
  return fieldsOf(dimensions, 'dramStride', 'sramStride', dram, sram);
}

function fieldsOf(
  dimensions: readonly Dimension[],
  firstName: string,
  secondName: string,
  first: 'in' | 'out',
  second: 'in' | 'out',
): Record<string, number> {
  const fields: Record<string, number> = {};
  const pick = (dimension: Dimension, side: 'in' | 'out'): number =>
    side === 'in' ? dimension.inStride : dimension.outStride;
  const skipped = 4 - dimensions.length;
  dimensions.forEach((dimension, i) => {
    fields[`count${skipped + i}`] = dimension.count;
    fields[`${firstName}${skipped + i}`] = pick(dimension, first);
    fields[`${secondName}${skipped + i}`] = pick(dimension, second);
  });
  return fields;
}
