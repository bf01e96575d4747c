/**
 * Random programs for the compile fuzz: images of odd sizes, windows with every stride, dilation and padding, branches that
 * meet again, several inputs and outputs. Smaller in kinds than program-arbitraries.ts, wilder in shapes.
 */
import fc from 'fast-check';
import type { OpSpec, ResultSpec } from '../src/ir/builder.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import { elementCountOf } from '../src/ir/facts.js';
import {
  BINARY_FUNCTIONS,
  type DType,
  type Program,
  type Quantization,
  REDUCTIONS,
  type Tensor,
  type TensorId,
  type Window2d,
} from '../src/ir/types.js';
import { randomElements, randomOf } from './program-arbitraries.js';

const QUANTS: readonly Quantization[] = [
  { scales: [0.05], zeroPoint: 3 },
  { scales: [0.1], zeroPoint: -5 },
];

/** A random op: its kind, which tensors it reads (counted from the latest back), and free parameters. */
export type FuzzStep = readonly [kind: string, operand: number, other: number, a: number, b: number];

export interface FuzzProgram {
  readonly dtype: 'int8' | 'float32';
  readonly seed: number;
  readonly inputs: readonly (readonly [h: number, w: number, c: number])[];
  readonly steps: readonly FuzzStep[];
  readonly outputs: readonly number[];
}

type OmitName<T> = T extends unknown ? Omit<T, 'name'> : never;

const MAX_ELEMENTS = 6000;

class FuzzBuilder {
  readonly builder = new ProgramBuilder('fuzz', 'fuzz.model.ts');
  readonly pool: TensorId[] = [];
  private readonly random: () => number;
  /** Rescales integers by float32 numbers. */
  private readonly isReal: boolean;
  private count = 0;

  constructor(
    readonly dtype: DType,
    seed: number,
  ) {
    this.random = randomOf(seed);
    this.isReal = seed % 3 === 0;
  }

  input(shape: readonly number[]): void {
    const name = `in${this.pool.length}`;
    this.pool.push(this.builder.addInput({ name, dtype: this.dtype, shape: [...shape], ...this.quant(0) }));
  }

  quant(which: number): { quant?: Quantization } {
    const quant = QUANTS[which % QUANTS.length];
    return this.dtype === 'int8' && quant !== undefined ? { quant } : {};
  }

  /** Counted from the latest back, so that chains are common and shrinking keeps them. */
  pick(index: number, accept: (tensor: Tensor) => boolean = () => true): Tensor | undefined {
    const candidates = this.pool.map((id) => this.builder.tensor(id)).filter(accept);
    return candidates[candidates.length - 1 - (index % Math.max(1, candidates.length))];
  }

  constant(shape: number[], dtype: DType): TensorId {
    const data = randomElements({ shape, dtype }, this.random);
    return this.builder.addConstant({ name: `c${this.count++}`, shape, data });
  }

  /** A constant that is an operand like any other tensor, or what the pool has of that shape. */
  operand(shape: readonly number[], which: number): TensorId {
    const known = this.pick(which, (t) => t.shape.join() === shape.join());
    if (known !== undefined && which % 3 === 0) return known.id;
    const { dtype } = this;
    const data = randomElements({ shape, dtype }, this.random);
    return this.builder.addConstant({ name: `c${this.count++}`, shape, data, ...this.quant(which) });
  }

  /** Exponentials or powers, which are positive: a sum of them is never 0. */
  table(length: number): TensorId {
    const data = Int32Array.from({ length }, () => 1 + Math.floor(this.random() * 60_000));
    return this.builder.addConstant({ name: `t${this.count++}`, shape: [length], data });
  }

  /** Weights, bias and, for int8, multipliers that keep a sum of `taps` random products mostly unclipped. */
  weights(shape: number[], m: number): TensorId[] {
    const isInteger = this.dtype === 'int8';
    const operands = [this.constant(shape, this.dtype), this.constant([m], isInteger ? 'int32' : 'float32')];
    if (!isInteger) return operands;
    const taps = elementCountOf(shape) / m;
    if (this.isReal) {
      const data = Float32Array.from({ length: m }, () => (0.5 + this.random()) / (60 * Math.sqrt(taps)));
      return [...operands, this.builder.addConstant({ name: `rq${this.count++}`, shape: [m], data })];
    }
    const shift = -Math.round(5.5 + Math.log2(taps) / 2);
    const pairs = Array.from({ length: m }, () => [2 ** 30 + Math.floor(this.random() * 2 ** 23) * 128, shift]);
    const data = Int32Array.from(pairs.flat());
    return [...operands, this.builder.addConstant({ name: `rq${this.count++}`, shape: [m, 2], data })];
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
    if (this.isReal) {
      const [scaleA = 1, scaleB = 1] = [0.5 + this.random(), 0.25 + this.random()].map(Math.fround);
      return { rescale: { scaleA, scaleB, offset: Math.fround(this.random() * 10 - 5) } };
    }
    const m = 2 ** 30 + 128 * Math.floor(this.random() * 1000);
    const rescale = { leftShift: 20, multiplierA: m, shiftA: 0, multiplierB: m + 128, shiftB: 0 };
    return { rescale: { ...rescale, multiplierOut: m, shiftOut: -19 } };
  }
}

const isImage = (tensor: Tensor): boolean => tensor.shape.length === 4 && tensor.shape[0] === 1;

/** Two numbers of 0..999 give kernel, stride, dilation and padding. */
function windowOf(a: number, b: number, pads: 'any' | 'small'): Window2d {
  const digit = (value: number, place: number, base: number): number => Math.floor(value / place) % base;
  const kh = 1 + digit(a, 1, 4);
  const kw = 1 + digit(a, 4, 3);
  const strides = [1, 1, 1, 2, 2, 3];
  const dilations = [1, 1, 1, 1, 2, 3];
  const limit = (k: number): number => (pads === 'any' ? k : Math.min(2, k));
  return {
    kernel: [kh, kw],
    stride: [strides[digit(a, 12, 6)] ?? 1, strides[digit(b, 1, 6)] ?? 1],
    dilation: [dilations[digit(b, 6, 6)] ?? 1, dilations[digit(b, 36, 6)] ?? 1],
    pad: {
      top: digit(a, 72, limit(kh)),
      bottom: digit(a, 216, limit(kh)),
      left: digit(b, 216, limit(kw)),
      right: digit(b, 500, limit(kw)),
    },
  };
}

function same(pads: boolean, window: Window2d): Window2d {
  if (!pads) return window;
  const { kernel, dilation } = window;
  const total = (axis: 0 | 1): number => (kernel[axis] - 1) * dilation[axis];
  const half = (axis: 0 | 1): number => Math.floor(total(axis) / 2);
  return {
    ...window,
    stride: [1, 1],
    pad: { top: half(0), bottom: total(0) - half(0), left: half(1), right: total(1) - half(1) },
  };
}

type Maker = (p: FuzzBuilder, operand: number, other: number, a: number, b: number) => void;

/** Tries an op; one whose operands do not go together is left out. */
function attempt(make: () => void): void {
  try {
    make();
  } catch {
    // Shapes that no operator takes are not what is tested here.
  }
}

const MAKERS: Readonly<Record<string, Maker>> = {
  conv: (p, operand, other, a, b) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const window = same(other % 3 === 0, windowOf(a, b, 'any'));
    const c = x.shape[3] ?? 1;
    const m = 1 + (other % 9);
    attempt(() =>
      p.add(
        {
          kind: 'conv2d',
          inputs: [x.id, ...p.weights([m, ...window.kernel, c], m)],
          window,
          groups: 1,
          ...p.rounding(m),
        },
        p.quant(other >> 1),
      ),
    );
  },
  grouped: (p, operand, other, a, b) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const window = same(other % 2 === 0, windowOf(a, b, 'any'));
    const c = x.shape[3] ?? 1;
    const groups = other % 3 > 0 || c % 2 !== 0 ? c : 2;
    const m = groups * (1 + (other % 2));
    attempt(() =>
      p.add(
        {
          kind: 'conv2d',
          inputs: [x.id, ...p.weights([m, ...window.kernel, c / groups], m)],
          window,
          groups,
          ...p.rounding(m),
        },
        p.quant(other >> 2),
      ),
    );
  },
  pool: (p, operand, other, a, b) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const window = same(other % 4 === 0, { ...windowOf(a, b, 'small'), dilation: [1, 1] });
    attempt(() =>
      p.add({
        kind: other % 2 === 0 ? 'maxPool' : 'avgPool',
        inputs: [x.id],
        window,
        countIncludePad: a % 2 === 0,
      }),
    );
  },
  globalPool: (p, operand) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const [, h = 1, w = 1] = x.shape;
    const pad = { top: 0, left: 0, bottom: 0, right: 0 };
    const window: Window2d = { kernel: [h, w], stride: [1, 1], dilation: [1, 1], pad };
    p.add({ kind: 'avgPool', inputs: [x.id], window, countIncludePad: false });
  },
  binary: (p, operand, other, a) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    const y = p.pick(other, (t) => t.shape.join() === x.shape.join() && (a % 8 === 0 || t.id !== x.id)) ?? x;
    const kind = (['add', 'add', 'add', 'sub', 'mul'] as const)[a % 5] ?? 'add';
    p.add({ kind, inputs: a % 2 === 0 ? [x.id, y.id] : [y.id, x.id], ...p.rescale() }, p.quant(a));
  },
  clamp: (p, operand, other) => {
    const x = p.pick(operand);
    if (x !== undefined) p.add({ kind: 'clamp', inputs: [x.id], lo: -20 - (other % 50), hi: 30 + (other % 60) });
  },
  activation: (p, operand, other) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    if (p.dtype === 'int8') p.add({ kind: 'lut', inputs: [x.id, p.constant([256], 'int8')] }, p.quant(other));
    else p.add({ kind: 'unary', inputs: [x.id], fn: 'leakyRelu', alpha: 0.1, beta: 0 });
  },
  softmax: (p, operand) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    p.add({ kind: 'softmax', inputs: [x.id, ...(p.dtype === 'int8' ? [p.table(256)] : [])] });
  },
  lrn: (p, operand, other) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const table = p.dtype === 'int8' ? [p.table(1024)] : [];
    const numbers = { size: 3, alpha: 0.0001, beta: 0.75, k: 1, sumShift: 8 };
    p.add({ kind: 'lrn', inputs: [x.id, ...table], ...numbers }, p.quant(other));
  },
  upsample: (p, operand, other) => {
    const x = p.pick(operand, (t) => isImage(t) && elementCountOf(t.shape) < MAX_ELEMENTS / 6);
    if (x !== undefined)
      p.add({ kind: 'upsample', inputs: [x.id], scale: [1 + (other % 3), 1 + (Math.floor(other / 3) % 3)] });
  },
  concat: (p, operand, other, a) => {
    const x = p.pick(operand, (t) => elementCountOf(t.shape) < MAX_ELEMENTS / 4);
    if (x === undefined) return;
    const axis = a % 3 > 0 ? x.shape.length - 1 : Math.floor(a / 3) % x.shape.length;
    const goes = (t: Tensor): boolean =>
      t.shape.length === x.shape.length &&
      t.shape.every((extent, i) => i === axis || extent === x.shape[i]) &&
      t.quant?.zeroPoint === x.quant?.zeroPoint &&
      t.quant?.scales[0] === x.quant?.scales[0] &&
      elementCountOf(t.shape) < MAX_ELEMENTS / 4;
    const operands = [x, p.pick(other, goes), p.pick(other + 1, goes)].flatMap((t) => t?.id ?? []);
    p.add({ kind: 'concat', inputs: operands.slice(0, 2 + (other % 2)), axis });
  },
  slice: (p, operand, other, a) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    const axis = a % x.shape.length;
    const extent = x.shape[axis] ?? 1;
    const start = other % extent;
    const size = 1 + ((other >> 3) % (extent - start));
    p.add({ kind: 'slice', inputs: [x.id], axis, start }, { shape: x.shape.with(axis, size) });
  },
  reshape: (p, operand, other) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    const count = elementCountOf(x.shape);
    const [, h = 1, w = 1, c = 1] = x.shape;
    const shapes = [
      [1, count],
      [1, count / 2, 2],
      [1, 1, count / 2, 2],
      [1, 2, 1, count / 2],
      [1, count, 1, 1],
      [1, w, h, c],
      [1, 2, h, w, c / 2],
    ].filter((shape) => shape.every((extent) => Number.isInteger(extent)) && elementCountOf(shape) === count);
    p.add({ kind: 'reshape', inputs: [x.id] }, { shape: shapes[other % shapes.length] ?? x.shape });
  },
  transpose: (p, operand, other) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    const perm = [...x.shape.keys()];
    for (let i = perm.length - 1, rest = other; i > 0; i--) {
      const j = rest % (i + 1);
      rest = Math.floor(rest / (i + 1));
      [perm[i], perm[j]] = [perm[j] ?? 0, perm[i] ?? 0];
    }
    p.add({ kind: 'transpose', inputs: [x.id], perm });
  },
  repeated: (p, operand, other, a) => {
    const x = p.pick(operand, isImage);
    if (x === undefined) return;
    const shape = x.shape.map((extent, axis) => (axis > 0 && (other >> axis) % 2 === 0 ? extent : 1));
    const y = p.operand(shape, other);
    const kind = (['add', 'mul', 'sub'] as const)[a % 3] ?? 'add';
    const inputs = a % 2 === 0 ? [x.id, y] : [y, x.id];
    if (p.dtype === 'int8' || a % 4 > 0) p.add({ kind, inputs, ...p.rescale() }, p.quant(a));
    else p.add({ kind: 'binary', fn: BINARY_FUNCTIONS[other % BINARY_FUNCTIONS.length] ?? 'max', inputs });
  },
  /** Real numbers of integers, and integers of those again, or the other way round; another scale than before. */
  converted: (p, operand, other, a) => {
    const x = p.pick(operand);
    if (x === undefined) return;
    const to = p.dtype === 'int8' ? 'float32' : 'int8';
    const plain = { kind: 'convert', multiplier: 0, shift: 0 } as const;
    const rounding = a % 2 === 0 ? ({ rounding: 'halfEven' } as const) : {};
    const quant = to === 'int8' ? { quant: QUANTS[other % QUANTS.length] as Quantization } : {};
    const between = p.builder.addOp({ ...plain, to, ...rounding, inputs: [x.id], name: `to${p.pool.length}` }, quant);
    p.add({ ...plain, to: p.dtype, ...(p.dtype === 'int8' ? rounding : {}), inputs: [between] }, p.quant(other));
  },
  recurrent: (p, operand, other, a) => {
    const x = p.pick(operand, isImage);
    if (x === undefined || p.dtype === 'int8') return;
    const [, h = 1, w = 1, c = 1] = x.shape;
    p.add({ kind: 'reshape', inputs: [x.id] }, { shape: [1, h * w, 1, c] });
    const steps = p.pool.at(-1);
    const cell = other % 2 === 0 ? ('lstm' as const) : ('gru' as const);
    const hidden = 1 + (a % 5);
    const [gates, size] = cell === 'lstm' ? [4, 2 * hidden] : [3, hidden];
    const table = p.constant([gates * hidden * (c + hidden + 2)], 'float32');
    const form = {
      cell,
      hidden,
      isReverse: a % 3 === 0,
      resetsAfter: cell === 'gru' && a % 2 === 0,
      clip: cell === 'lstm' && a % 4 === 0 ? 0.5 : 0,
    };
    if (steps === undefined) return;
    p.add({ kind: 'recurrent', inputs: [steps, p.operand([1, 1, 1, size], other), table], ...form });
  },
  gather: (p, _operand, other, a) => {
    const [entries, length, count] = [1 + (other % 7), 1 + (a % 9), 1 + (a % 13)];
    const data = Int32Array.from({ length: count }, (_, i) => ((other * 7 + i * 5) % (entries + 3)) - 1);
    const indices = p.builder.addConstant({ name: `i${p.pool.length}`, shape: [1, count, 1], data });
    p.add({ kind: 'gather', inputs: [p.operand([entries, length], 1), indices] });
  },
  broadcast: (p, operand, other, a) => {
    const x = p.pick(operand, (t) => isImage(t) && elementCountOf(t.shape) < MAX_ELEMENTS / 12);
    if (x === undefined) return;
    const axis = 1 + (a % 3);
    const start = other % (x.shape[axis] ?? 1);
    p.add({ kind: 'slice', inputs: [x.id], axis, start }, { shape: x.shape.with(axis, 1) });
    const cut = p.pool.at(-1);
    if (cut === undefined) return;
    const wide = p.builder.tensor(cut).shape.map((extent, i) => (i === axis ? 1 + (other % 5) : extent));
    p.add({ kind: 'broadcast', inputs: [cut] }, { shape: wide });
  },
  mirror: (p, operand, other, a) => {
    const x = p.pick(operand, (t) => isImage(t) && elementCountOf(t.shape) < MAX_ELEMENTS / 4);
    if (x === undefined) return;
    const [, h = 1, w = 1, c = 1] = x.shape;
    const amount = (value: number, extent: number): number => value % Math.min(4, extent);
    const before = [amount(a, h), amount(other, w), amount(a >> 2, c)] as const;
    const after = [amount(other >> 2, h), amount(a >> 4, w), amount(other >> 4, c)] as const;
    const mode = a % 2 === 0 ? ('reflect' as const) : ('edge' as const);
    p.add({ kind: 'pad', inputs: [x.id], before, after, value: 0, mode });
  },
  real: (p, operand, other, a) => {
    const x = p.pick(operand, isImage);
    if (x === undefined || p.dtype === 'int8') return;
    const [, , w = 1, c = 1] = x.shape;
    const kind = (['reduce', 'layerNorm', 'matmul', 'matmul', 'select', 'unary'] as const)[a % 6];
    if (kind === 'reduce') p.add({ kind, inputs: [x.id], fn: REDUCTIONS[other % 9] ?? 'sum' });
    else if (kind === 'layerNorm') {
      const inputs = [x.id, p.constant([c], 'float32'), p.constant([c], 'float32')];
      p.add({ kind, inputs, epsilon: 1e-5, isCentred: other % 3 > 0 });
    } else if (kind === 'matmul') {
      const transposeB = other % 2 === 0;
      const n = 1 + (other % 7);
      const batch = other % 3 === 0 ? 1 : (x.shape[1] ?? 1);
      const b = p.constant(transposeB ? [1, batch, n, c] : [1, batch, c, n], 'float32');
      p.add({ kind, inputs: [x.id, other % 5 === 0 && transposeB ? x.id : b], transposeB });
    } else if (kind === 'select') {
      const condition = p.constant(
        [1, 1, w, c].map((extent, i) => ((other >> i) % 2 === 0 ? extent : 1)),
        'float32',
      );
      p.add({ kind, inputs: [condition, x.id, p.operand(x.shape.with(3, 1), other)] });
    } else if (kind === 'unary') {
      const fn = (['erf', 'gelu', 'softplus', 'round', 'not', 'silu'] as const)[other % 6] ?? 'erf';
      p.add({ kind, inputs: [x.id], fn, alpha: 0, beta: 0 });
    }
  },
  dense: (p, operand, other) => {
    const x = p.pick(operand, (t) => t.shape.length === 2 && t.shape[0] === 1);
    if (x === undefined) return;
    const m = 1 + (other % 12);
    p.add({ kind: 'dense', inputs: [x.id, ...p.weights([m, x.shape[1] ?? 1], m)] }, p.quant(other));
  },
};

export function buildFuzzProgram(spec: FuzzProgram): Program {
  const p = new FuzzBuilder(spec.dtype, spec.seed);
  for (const [h, w, c] of spec.inputs) p.input([1, h, w, c]);
  for (const [kind, operand, other, a, b] of spec.steps) MAKERS[kind]?.(p, operand, other, a, b);
  const last = p.pool.length - 1;
  for (const index of new Set([last, ...spec.outputs.map((output) => output % p.pool.length)])) {
    const id = p.pool[index];
    if (id !== undefined) p.builder.addOutput(id);
  }
  return p.builder.build();
}

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<string> };

const KINDS: readonly Weighted[] = [
  { weight: 8, arbitrary: fc.constant('conv') },
  { weight: 3, arbitrary: fc.constant('grouped') },
  { weight: 3, arbitrary: fc.constant('pool') },
  { weight: 4, arbitrary: fc.constant('binary') },
  { weight: 2, arbitrary: fc.constantFrom('upsample', 'concat') },
  { weight: 4, arbitrary: fc.constantFrom('repeated', 'broadcast', 'mirror', 'real', 'real', 'gather', 'recurrent') },
  { weight: 1, arbitrary: fc.constant('converted') },
  { weight: 3, arbitrary: fc.constantFrom('clamp', 'activation', 'softmax', 'lrn', 'globalPool') },
  { weight: 2, arbitrary: fc.constantFrom('slice', 'reshape', 'transpose', 'dense', 'concat') },
];

/** Layers that flow by stripes of rows, so that blocks pay. */
const FLOWING: readonly Weighted[] = [
  { weight: 6, arbitrary: fc.constant('conv') },
  { weight: 3, arbitrary: fc.constant('grouped') },
  { weight: 1, arbitrary: fc.constant('pool') },
  { weight: 3, arbitrary: fc.constant('binary') },
  { weight: 2, arbitrary: fc.constantFrom('upsample', 'concat', 'activation', 'lrn', 'clamp') },
];

function stepArbitrary(kinds: readonly Weighted[], other: fc.Arbitrary<number>): fc.Arbitrary<FuzzStep> {
  const operand = fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat(2) },
    { weight: 1, arbitrary: fc.nat(20) },
  );
  return fc.tuple(fc.oneof(...kinds), operand, other, fc.nat(999), fc.nat(999));
}

export function fuzzProgram(maxSteps: number): fc.Arbitrary<FuzzProgram> {
  const common = {
    dtype: fc.constantFrom('int8' as const, 'int8' as const, 'float32' as const),
    seed: fc.nat(1000),
    outputs: fc.array(fc.nat(20), { maxLength: 2 }),
  };
  const steps = (step: fc.Arbitrary<FuzzStep>): fc.Arbitrary<FuzzStep[]> =>
    fc.array(step, { minLength: 1, maxLength: maxSteps, size: 'max' });
  const extent = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 4, max: 17 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
  );
  const input = fc.tuple(extent, extent, fc.integer({ min: 1, max: 6 }));
  const any = fc.record({
    ...common,
    inputs: fc.oneof(
      { weight: 3, arbitrary: fc.tuple(input) },
      { weight: 1, arbitrary: fc.array(input, { minLength: 2, maxLength: 2 }) },
      { weight: 1, arbitrary: fc.tuple(input).map(([x]) => [x, x]) },
    ),
    steps: steps(stepArbitrary(KINDS, fc.nat(200))),
  });
  const tall = fc.tuple(
    fc.integer({ min: 9, max: 30 }),
    fc.integer({ min: 3, max: 12 }),
    fc.integer({ min: 2, max: 8 }),
  );
  const flowing = fc.record({
    ...common,
    inputs: fc.tuple(tall),
    // Mostly windows that keep the rows: see `same` in the makers.
    steps: steps(
      stepArbitrary(
        FLOWING,
        fc.oneof({ weight: 3, arbitrary: fc.nat(15).map((n) => n * 12) }, { weight: 1, arbitrary: fc.nat(200) }),
      ),
    ),
  });
  return fc.oneof({ weight: 3, arbitrary: any }, { weight: 3, arbitrary: flowing });
}
