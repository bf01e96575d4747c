/**
 * How large every tensor of the sample run is (sample-run.ts). The run is made on a fraction of the image, so that
 * its cost does not depend on the size that the model is compiled for.
 */
import { elementCountOf, macsOf, tensorOf } from '../../ir/facts.js';
import type { Op, Program, TensorId } from '../../ir/types.js';

/** Shapes of the sample run, by tensor; constants have their own. Never larger than the tensor along any axis. */
export type SampleShapes = ReadonlyMap<TensorId, readonly number[]>;

/** Candidates for the longer side of the sampled image, in pixels; the largest that the budget allows is taken. */
const SIDES = [64, 48, 40, 32, 24, 16, 8];
const BUDGET_MACS = 200e6;

/** A reshape may need its elements in full (a dense layer reads all of them), but not those of a detector's head. */
const RESHAPE_ELEMENTS = 1 << 16;

export function planSampleShapes(program: Program): SampleShapes {
  const longest = Math.max(1, ...program.inputs.flatMap((id) => imageSides(tensorOf(program, id).shape)));
  let shapes: SampleShapes = new Map();
  for (const side of SIDES) {
    shapes = shapesAt(program, Math.min(1, side / longest));
    if (sampleMacs(program, shapes) <= BUDGET_MACS) break;
  }
  return shapes;
}

const imageSides = (shape: readonly number[]): number[] => (shape.length === 4 ? shape.slice(1, 3) : []);

function sampleMacs(program: Program, shapes: SampleShapes): number {
  let macs = 0;
  for (const op of program.ops) {
    const full = macsOf(op, program);
    if (full === 0) continue;
    const outputs = elementCountOf(tensorOf(program, op.output).shape);
    macs += (full / outputs) * elementCountOf(shapes.get(op.output) ?? []);
  }
  return macs;
}

function shapesAt(program: Program, fraction: number): SampleShapes {
  const shapes = new Map<TensorId, readonly number[]>();
  for (const id of program.constants.keys()) shapes.set(id, tensorOf(program, id).shape);
  for (const id of program.inputs) shapes.set(id, reducedImage(tensorOf(program, id).shape, fraction));
  for (const op of program.ops) shapes.set(op.output, shapeOfResult(op, program, shapes, fraction));
  return shapes;
}

/** [1, H, W, C] with rows and columns scaled down; other shapes as they are. */
function reducedImage(shape: readonly number[], fraction: number): readonly number[] {
  if (shape.length !== 4) return shape;
  return shape.map((extent, axis) => (axis === 1 || axis === 2 ? Math.ceil(extent * fraction) : extent));
}

function shapeOfResult(op: Op, program: Program, shapes: SampleShapes, fraction: number): readonly number[] {
  const full = tensorOf(program, op.output).shape;
  const inputs = op.inputs.map((id) => shapes.get(id) ?? []);
  const activations = inputs.filter((_, i) => !program.constants.has(op.inputs[i] ?? op.output));
  const [x = full] = activations.length > 0 ? activations : inputs;
  switch (op.kind) {
    case 'conv2d':
    case 'maxPool':
    case 'avgPool':
    case 'upsample':
    case 'resize':
    case 'pad':
      return reducedImage(full, fraction);
    case 'dense':
      return full;
    case 'add':
    case 'sub':
    case 'mul':
      return largestPerAxis(activations.length > 0 ? activations : inputs, full.length);
    case 'concat': {
      const common = largestPerAxis(inputs, full.length);
      const along = inputs.reduce((sum, shape) => sum + (shape[op.axis] ?? 0), 0);
      return common.with(op.axis, along);
    }
    case 'slice': {
      const extent = x[op.axis] ?? 1;
      return x.with(op.axis, Math.min(full[op.axis] ?? 1, extent));
    }
    case 'transpose':
      return op.perm.map((axis) => x[axis] ?? 1);
    case 'reshape':
      return reshapedSample(tensorOf(program, op.inputs[0] ?? op.output).shape, x, full);
    default:
      return x;
  }
}

function largestPerAxis(shapes: readonly (readonly number[])[], axes: number): number[] {
  return Array.from({ length: axes }, (_, axis) => Math.max(...shapes.map((shape) => shape[axis] ?? 1)));
}

/**
 * Axes that the reshape leaves alone keep their sampled extent, those that it splits or merges become full, and the
 * largest shrink again while the sample is too large.
 *
 * @param from full shape of the operand, `sampled` its sampled shape
 * @param to full shape of the result
 */
function reshapedSample(from: readonly number[], sampled: readonly number[], to: readonly number[]): number[] {
  const result = [...to];
  let i = 0;
  let j = 0;
  while (i < from.length && j < to.length) {
    const [startI, startJ] = [i, j];
    let a = from[i++] ?? 1;
    let b = to[j++] ?? 1;
    while (a !== b && i <= from.length && j <= to.length) {
      if (a < b) a *= from[i++] ?? 1;
      else b *= to[j++] ?? 1;
    }
    if (i - startI === 1 && j - startJ === 1) result[startJ] = sampled[startI] ?? 1;
  }
  while (elementCountOf(result) > RESHAPE_ELEMENTS) {
    const widest = result.indexOf(Math.max(...result));
    result[widest] = Math.ceil((result[widest] ?? 1) / 2);
  }
  return result;
}
