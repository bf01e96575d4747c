/**
 * Ranges of activations from a seeded sample run in float.
 *
 * A full-size run would cost more than the whole compile (YOLOv3 at 1440 x 1440: 390 GMAC), so the graph is run on a
 * fraction of the image: rows and columns of every image shrink by one factor, chosen so that the longer side of the
 * input is at most 64 pixels and the run at most 0.2 GMAC. Channels stay whole, and so do vectors. Since an extent is
 * a function of the full extent, additions and concatenations still fit. A tensor that is needed larger than it was
 * sampled repeats itself, axis by axis; so does an image under the padding of a window: on a map of one or two pixels
 * most taps would be padding, and the ranges far smaller than those inside a real image. A network that fits the
 * budget at its own size is run exactly, zero padding included.
 *
 * The arithmetic is float64 in any order: a range does not need the last bit. Deterministic: one seed, no clock.
 */
import { assertNever } from '../../base/assert-never.js';
import { elementCountOf, isFloatOp, tensorOf } from '../../ir/facts.js';
import type { LrnOp, Op, Program, TensorId } from '../../ir/types.js';
import { type Range, unaryFunction } from './real-functions.js';
import { realConstant } from './real-weights.js';
import { concatSamples, gathered, padSample, repeated, type Sample } from './sample.js';
import { planSampleShapes, type SampleShapes } from './sample-shapes.js';
import { sampleConvolution, sampleDense, samplePool } from './sample-windows.js';

const SEED = 0x5eed;

/** Smallest and largest value of every activation; inputs are uniform over [-1, 1]. */
export function sampleRanges(program: Program): Map<TensorId, Range> {
  const shapes = planSampleShapes(program);
  const samples = new Map<TensorId, Sample>();
  const ranges = new Map<TensorId, Range>();
  let state = SEED;
  for (const id of program.inputs) {
    const shape = shapes.get(id) ?? [];
    const data = Float64Array.from({ length: elementCountOf(shape) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0; // Numerical Recipes' generator; good enough for ranges
      return state / 2 ** 31;
    });
    samples.set(id, { shape, data });
    ranges.set(id, { min: -1, max: 1 });
  }
  const lastReader = lastReaders(program);
  const operand = (id: TensorId): Sample => samples.get(id) ?? constantSample(program, id);
  for (const op of program.ops) {
    const sample = runSample(op, program, shapes, operand);
    samples.set(op.output, sample);
    ranges.set(op.output, rangeOf(sample.data));
    for (const id of op.inputs) if (lastReader.get(id) === op) samples.delete(id);
  }
  return ranges;
}

function lastReaders(program: Program): Map<TensorId, Op> {
  const readers = new Map<TensorId, Op>();
  for (const op of program.ops) for (const id of op.inputs) readers.set(id, op);
  return readers;
}

function constantSample(program: Program, id: TensorId): Sample {
  return { shape: tensorOf(program, id).shape, data: new Float64Array(realConstant(program, id)) };
}

/** Values that are not finite say nothing about a useful range. */
export function rangeOf(data: Float64Array | Float32Array): Range {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (value < min && value > Number.NEGATIVE_INFINITY) min = value;
    if (value > max && value < Number.POSITIVE_INFINITY) max = value;
  }
  return min <= max ? { min, max } : { min: 0, max: 0 };
}

function runSample(op: Op, program: Program, shapes: SampleShapes, operand: (id: TensorId) => Sample): Sample {
  if (isFloatOp(op)) throw new Error(`'${op.name}' (${op.kind}) has no form in integers`);
  const shape = shapes.get(op.output) ?? [];
  const input = (i: number): Sample => operand(op.inputs[i] ?? op.output);
  switch (op.kind) {
    case 'conv2d':
      return sampleConvolution(op, program, input(0), shape);
    case 'dense':
      return sampleDense(op, program, input(0), shape);
    case 'maxPool':
    case 'avgPool':
      return samplePool(op, program, input(0), shape);
    case 'add':
    case 'sub':
    case 'mul': {
      return { shape, data: binary(op.kind, repeated(input(0), shape).data, repeated(input(1), shape).data) };
    }
    case 'clamp':
      return { shape, data: clamp(input(0).data, op.lo, op.hi) };
    case 'unary':
      return { shape, data: input(0).data.map(unaryFunction(op.fn, op.alpha, op.beta)) };
    case 'softmax':
      return { shape, data: softmax(input(0)) };
    case 'lrn':
      return { shape, data: lrn(op, input(0)) };
    case 'upsample': {
      const [scaleH, scaleW] = op.scale;
      const x = input(0);
      return gathered(x, shape, [0, 1, 2, 3], (i, axis) => {
        return axis === 1 ? Math.floor(i / scaleH) : axis === 2 ? Math.floor(i / scaleW) : i;
      });
    }
    case 'resize': {
      // Every result lies between stored neighbours: the nearest ones have the range.
      const x = input(0);
      return gathered(x, shape, [0, 1, 2, 3], (i, axis) => Math.floor((i * (x.shape[axis] ?? 1)) / (shape[axis] ?? 1)));
    }
    case 'pad':
      return padSample(input(0), shape, op.value);
    case 'concat':
      return concatSamples(
        op.inputs.map((_, i) => input(i)),
        shape,
        op.axis,
      );
    case 'slice':
      return gathered(input(0), shape, [...shape.keys()], (i, axis) => (axis === op.axis ? i + op.start : i));
    case 'transpose':
      return gathered(input(0), shape, op.perm, (i) => i);
    case 'reshape':
      return reshape(op, program, input(0), shape);
    case 'copy':
      return input(0);
    case 'lut':
    case 'convert':
    case 'sumPool':
      throw new Error(`'${op.name}' (${op.kind}) in a float program`);
    default:
      return assertNever(op);
  }
}

function binary(kind: 'add' | 'sub' | 'mul', a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  const sign = kind === 'sub' ? -1 : 1;
  if (kind === 'mul') for (let i = 0; i < out.length; i++) out[i] = (a[i] as number) * (b[i] as number);
  else for (let i = 0; i < out.length; i++) out[i] = (a[i] as number) + sign * (b[i] as number);
  return out;
}

function clamp(x: Float64Array, lo: number, hi: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x[i] as number, lo), hi);
  return out;
}

/** Element i of the full result is element i of the full operand, whose sample repeats itself. */
function reshape(op: Op, program: Program, x: Sample, shape: readonly number[]): Sample {
  const fullIn = tensorOf(program, op.inputs[0] ?? op.output).shape;
  const fullOut = tensorOf(program, op.output).shape;
  // Where counts agree, every reduced axis is one that the reshape leaves alone, and the order is the same.
  if (elementCountOf(shape) === x.data.length) return { shape, data: x.data };
  const data = new Float64Array(elementCountOf(shape));
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let flat = 0;
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis] ?? 1;
      flat += (rest % extent) * stride;
      rest = Math.floor(rest / extent);
      stride *= fullOut[axis] ?? 1;
    }
    let from = 0;
    stride = 1;
    for (let axis = fullIn.length - 1; axis >= 0; axis--) {
      const extent = fullIn[axis] ?? 1;
      const sampled = x.shape[axis] ?? 1;
      from += ((flat % extent) % sampled) * stride;
      flat = Math.floor(flat / extent);
      stride *= sampled;
    }
    data[i] = x.data[from] as number;
  }
  return { shape, data };
}

function softmax(x: Sample): Float64Array {
  const length = x.shape.at(-1) ?? 1;
  const out = new Float64Array(x.data.length);
  for (let start = 0; start < out.length; start += length) {
    const row = x.data.subarray(start, start + length);
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const terms = row.map((v) => Math.exp(v - largest));
    const sum = terms.reduce((a, b) => a + b, 0);
    out.set(
      terms.map((v) => v / sum),
      start,
    );
  }
  return out;
}

function lrn(op: LrnOp, x: Sample): Float64Array {
  const channels = x.shape.at(-1) ?? 1;
  const before = Math.floor((op.size - 1) / 2);
  const after = Math.ceil((op.size - 1) / 2);
  return x.data.map((value, i) => {
    const c = i % channels;
    let squares = 0;
    for (let j = Math.max(0, c - before); j <= Math.min(channels - 1, c + after); j++) {
      squares += (x.data[i - c + j] as number) ** 2;
    }
    return value * (op.k + (op.alpha / op.size) * squares) ** -op.beta;
  });
}
