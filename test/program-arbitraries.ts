/** Random small programs for property tests: every op kind, branches, slices, concatenations, several outputs. */
import fc from 'fast-check';
import type { OpSpec, ResultSpec } from '../src/ir/builder.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import { elementCountOf } from '../src/ir/facts.js';
import type { ConstantData, DType, Program, Quantization, Tensor, TensorId, Window2d } from '../src/ir/types.js';

/** A small deterministic generator (mulberry32), so that a shrunk case prints as a few integers. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Random elements of a tensor: all of int8, or reals between -2 and 2. */
export function randomElements(tensor: Pick<Tensor, 'dtype' | 'shape'>, random: () => number): ConstantData {
  const length = elementCountOf(tensor.shape);
  if (tensor.dtype === 'int8') return Int8Array.from({ length }, () => Math.floor(random() * 256) - 128);
  if (tensor.dtype === 'int32') return Int32Array.from({ length }, () => Math.floor(random() * 2000) - 1000);
  return Float32Array.from({ length }, () => random() * 4 - 2);
}

/** Few quantisations, so that tensors that go together are common. */
const QUANTS: readonly Quantization[] = [
  { scales: [0.05], zeroPoint: 3 },
  { scales: [0.1], zeroPoint: -5 },
];

/** One random decision: an op kind and what it needs to choose operands and parameters. */
type Step = readonly [kind: number, operand: number, other: number, parameter: number];

export interface ProgramOptions {
  readonly dtype?: DType;
  readonly maxOps?: number;
}

class RandomProgram {
  readonly builder = new ProgramBuilder('random', 'random.model.ts');
  readonly pool: TensorId[] = [];
  private readonly random: () => number;
  private count = 0;

  constructor(
    readonly dtype: DType,
    seed: number,
  ) {
    this.random = randomOf(seed);
    this.input([1, 4, 6, 4]);
    this.input([1, 4, 6, 4]);
  }

  private input(shape: number[]): void {
    const name = `in${this.pool.length}`;
    this.pool.push(this.builder.addInput({ name, dtype: this.dtype, shape, ...this.quant(0) }));
  }

  quant(which: number): { quant?: Quantization } {
    const quant = QUANTS[which % QUANTS.length];
    return this.dtype === 'int8' && quant !== undefined ? { quant } : {};
  }

  pick(index: number, accept: (tensor: Tensor) => boolean = () => true): Tensor | undefined {
    const candidates = this.pool.map((id) => this.builder.tensor(id)).filter(accept);
    return candidates[index % Math.max(1, candidates.length)];
  }

  constant(shape: number[], dtype: DType): TensorId {
    const data = randomElements({ shape, dtype }, this.random);
    return this.builder.addConstant({ name: `c${this.count++}`, shape, data });
  }

  /** int8 needs multipliers of 24 bits and shifts that leave something of the sum. */
  requant(channels: number): TensorId {
    const pairs = Array.from({ length: channels }, () => [
      2 ** 30 + Math.floor(this.random() * 2 ** 23) * 128,
      -6 - Math.floor(this.random() * 3),
    ]);
    return this.builder.addConstant({ name: 'rq', shape: [channels, 2], data: Int32Array.from(pairs.flat()) });
  }

  /** Weights, bias and requantisation of m outputs. */
  weights(shape: number[], m: number): TensorId[] {
    const isInteger = this.dtype === 'int8';
    const operands = [this.constant(shape, this.dtype), this.constant([m], isInteger ? 'int32' : 'float32')];
    return isInteger ? [...operands, this.requant(m)] : operands;
  }

  rounding(which: number): { rounding?: 'once' } {
    return this.dtype === 'int8' && which % 3 === 1 ? { rounding: 'once' } : {};
  }

  add(spec: OmitName<OpSpec>, result: ResultSpec = {}): void {
    const named = { ...spec, name: `${spec.kind}${this.count++}` };
    this.pool.push(this.builder.addOp(named, result));
  }

  rescale() {
    if (this.dtype !== 'int8') return {};
    const m = 2 ** 30 + 128 * Math.floor(this.random() * 1000);
    const rescale = { leftShift: 20, multiplierA: m, shiftA: 0, multiplierB: m + 128, shiftB: 0 };
    return { rescale: { ...rescale, multiplierOut: m, shiftOut: -19 } };
  }
}

type OmitName<T> = T extends unknown ? Omit<T, 'name'> : never;

const isImage = (tensor: Tensor): boolean => tensor.shape.length === 4 && tensor.shape[0] === 1;

function windowOf(parameter: number, maxKernel: number): Window2d {
  const kernel = 1 + (parameter % maxKernel);
  const stride = 1 + ((parameter >> 2) % 2);
  const pad = kernel > 1 ? (parameter >> 3) % 2 : 0;
  const pads = { top: pad, left: pad, bottom: pad, right: (parameter >> 4) % (kernel > 1 ? 2 : 1) };
  return { kernel: [kernel, Math.min(2, kernel)], stride: [stride, 1], dilation: [1, 1], pad: pads };
}

const fits = (tensor: Tensor, window: Window2d): boolean =>
  isImage(tensor) && (tensor.shape[1] ?? 0) >= window.kernel[0] && (tensor.shape[2] ?? 0) >= window.kernel[1];

const MAX_ELEMENTS = 2000;

/** What each random step may do; a step whose operands do not exist does nothing. */
const MAKERS: readonly ((p: RandomProgram, x: number, other: number, parameter: number) => void)[] = [
  function conv2d(p, index, other, parameter) {
    const window = windowOf(parameter, 3);
    const x = p.pick(index, (t) => fits(t, window));
    if (x === undefined) return;
    const c = x.shape[3] ?? 1;
    const groups = other % 3 === 0 ? c : 1;
    const m = groups === 1 ? 4 + (other % 2) * 2 : c;
    const inputs = [x.id, ...p.weights([m, ...window.kernel, c / groups], m)];
    p.add({ kind: 'conv2d', inputs, window, groups, ...p.rounding(parameter) }, p.quant(other));
  },
  function pool(p, index, other, parameter) {
    const window = windowOf(parameter, 3);
    const x = p.pick(index, (t) => fits(t, window));
    if (x === undefined) return;
    const kind = other % 2 === 0 ? 'maxPool' : 'avgPool';
    p.add({ kind, inputs: [x.id], window, countIncludePad: parameter % 2 === 0 });
  },
  function binary(p, index, other, parameter) {
    const a = p.pick(index);
    const b = p.pick(other, (t) => t.shape.join() === a?.shape.join());
    if (a === undefined || b === undefined) return;
    const kind = (['add', 'add', 'add', 'sub', 'mul'] as const)[parameter % 5] ?? 'add';
    p.add({ kind, inputs: [a.id, b.id], ...p.rescale() }, p.quant(parameter));
  },
  function clamp(p, index, other) {
    const x = p.pick(index);
    if (x === undefined) return;
    const [lo, hi] = other % 4 === 0 ? [-128, 127] : [-20 - (other % 50), 30 + (other % 60)];
    p.add({ kind: 'clamp', inputs: [x.id], lo, hi });
  },
  function activation(p, index, other) {
    const x = p.pick(index);
    if (x === undefined) return;
    if (p.dtype === 'int8') p.add({ kind: 'lut', inputs: [x.id, p.constant([256], 'int8')] }, p.quant(other));
    else p.add({ kind: 'unary', inputs: [x.id], fn: 'leakyRelu', alpha: 0.1, beta: 0 });
  },
  function softmaxOrLrn(p, index, other) {
    const x = p.pick(index, isImage);
    if (x === undefined) return;
    const table = (length: number): TensorId[] => (p.dtype === 'int8' ? [p.constant([length], 'int32')] : []);
    if (other % 2 === 0) p.add({ kind: 'softmax', inputs: [x.id, ...table(256)] });
    else {
      const numbers = { size: 3, alpha: 0.0001, beta: 0.75, k: 1, sumShift: 8 };
      p.add({ kind: 'lrn', inputs: [x.id, ...table(1024)], ...numbers }, p.quant(other));
    }
  },
  function upsample(p, index, other) {
    const x = p.pick(index, (t) => isImage(t) && elementCountOf(t.shape) < MAX_ELEMENTS / 4);
    if (x !== undefined) p.add({ kind: 'upsample', inputs: [x.id], scale: [1 + (other % 2), 1 + ((other >> 1) % 2)] });
  },
  function concat(p, index, other, parameter) {
    const x = p.pick(index);
    if (x === undefined || elementCountOf(x.shape) > MAX_ELEMENTS) return;
    const axis = parameter % x.shape.length;
    const goes = (t: Tensor): boolean =>
      t.shape.length === x.shape.length &&
      t.shape.every((extent, i) => i === axis || extent === x.shape[i]) &&
      t.quant?.zeroPoint === x.quant?.zeroPoint &&
      t.quant?.scales[0] === x.quant?.scales[0];
    const operands = [x, p.pick(other, goes), p.pick(other + 1, goes)].flatMap((t) => t?.id ?? []);
    p.add({ kind: 'concat', inputs: operands.slice(0, 1 + (other % 3)), axis });
  },
  function slice(p, index, other, parameter) {
    const x = p.pick(index);
    if (x === undefined) return;
    const axis = parameter % x.shape.length;
    const extent = x.shape[axis] ?? 1;
    const start = other % extent;
    const size = 1 + ((other >> 3) % (extent - start));
    p.add({ kind: 'slice', inputs: [x.id], axis, start }, { shape: x.shape.with(axis, size) });
  },
  function reshape(p, index, other) {
    const x = p.pick(index);
    if (x === undefined) return;
    const count = elementCountOf(x.shape);
    const [, h = 1, w = 1, c = 1] = x.shape;
    const half = count % 2 === 0 ? 2 : 1;
    const shapes = [
      [1, count],
      [1, count / half, half],
      [1, 1, count / half, half],
      [half, 1, count / half, 1],
      [1, half, 1, 1, count / half],
      isImage(x) && c % 2 === 0 ? [1, h, w, 2, c / 2] : x.shape,
    ];
    p.add({ kind: 'reshape', inputs: [x.id] }, { shape: shapes[other % shapes.length] ?? x.shape });
  },
  function transpose(p, index, other) {
    const x = p.pick(index);
    if (x === undefined) return;
    const perm = [...x.shape.keys()];
    for (let i = perm.length - 1, rest = other; i > 0; i--) {
      const j = rest % (i + 1);
      rest = Math.floor(rest / (i + 1));
      [perm[i], perm[j]] = [perm[j] ?? 0, perm[i] ?? 0];
    }
    p.add({ kind: 'transpose', inputs: [x.id], perm });
  },
  function dense(p, index, other) {
    const x = p.pick(index, (t) => t.shape.length === 2 && t.shape[0] === 1);
    if (x === undefined) return;
    const m = 3 + (other % 3);
    p.add(
      { kind: 'dense', inputs: [x.id, ...p.weights([m, x.shape[1] ?? 1], m)], ...p.rounding(other) },
      p.quant(other),
    );
  },
  function product(p, index, other) {
    const x = p.pick(index, (t) => isImage(t) && (t.shape[2] ?? 1) <= 8);
    if (x === undefined) return;
    const inputs = [x.id, x.id];
    const fixed = { multiplier: 2 ** 30 + 128 * other, shift: -7 - (other % 4), ...p.rounding(other) };
    const rescale = other % 3 === 0 ? { multiplier: 0, shift: 0, scale: Math.fround(0.001 * (1 + other)) } : fixed;
    p.add({ kind: 'matmul', inputs, transposeB: true, ...(p.dtype === 'int8' ? { rescale } : {}) }, p.quant(other));
  },
  function copy(p, index) {
    const x = p.pick(index);
    if (x !== undefined) p.add({ kind: 'copy', inputs: [x.id] });
  },
];

/** Operands are counted from the latest tensor back, so that chains are common and shrinking keeps them. */
function buildProgram(dtype: DType, seed: number, steps: readonly Step[], outputs: readonly number[]): Program {
  const p = new RandomProgram(dtype, seed);
  for (const [kind, operand, other, parameter] of steps) {
    MAKERS[kind % MAKERS.length]?.(p, p.pool.length - 1 - (operand % p.pool.length), other, parameter);
  }
  const last = p.pool.length - 1;
  for (const index of new Set([last, ...outputs.map((output) => output % p.pool.length)])) {
    const id = p.pool[index];
    if (id !== undefined) p.builder.addOutput(id);
  }
  return p.builder.build();
}

export function programArbitrary(options: ProgramOptions = {}): fc.Arbitrary<Program> {
  const operand = fc.oneof({ weight: 3, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(30) });
  const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(MAKERS.length - 1), operand, fc.nat(200), fc.nat(63));
  const steps = fc.array(step, { maxLength: options.maxOps ?? 12 });
  const outputs = fc.array(fc.nat(20), { maxLength: 2 });
  const dtype = options.dtype === undefined ? fc.constantFrom<DType>('int8', 'float32') : fc.constant(options.dtype);
  return fc
    .tuple(dtype, fc.integer(), steps, outputs)
    .map(([type, seed, list, outs]) => buildProgram(type, seed, list, outs));
}
