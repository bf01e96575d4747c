/** Windows, mel weights and Fourier transforms: constants, and products with constant matrices. */
import { unsupported } from '../import-problems.js';
import { intAttribute, normaliseAxis } from './attributes.js';
import { lazyConst } from './constant.js';
import {
  constantOperand,
  type NodeContext,
  reals,
  requiredConstant,
  settled,
  type Value,
  valueDims,
  wholes,
} from './value.js';

type Composition = (ctx: NodeContext) => readonly Value[];

const MOST_SAMPLES = 4096;

const matrix = (rows: number, columns: number, at: (row: number, column: number) => number): Value => ({
  kind: 'constant',
  constant: lazyConst('float32', [rows, columns], () => {
    const elements = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) elements[row * columns + column] = at(row, column);
    }
    return elements;
  }),
});

/** Sums of cosines. Coefficients: of the constant, of one period, of two. */
const cosineWindow =
  (coefficients: readonly number[]): Composition =>
  (ctx) => {
    const size = requiredConstant(ctx, 0).elements()[0] ?? 0;
    if (!(size >= 1 && size <= 2 ** 20)) unsupported(`a window of ${size}`);
    const span = intAttribute(ctx.node, 'periodic', 1) !== 0 ? size : size - 1;
    const at = (n: number): number =>
      coefficients.reduce((sum, a, k) => sum + (k % 2 === 0 ? a : -a) * Math.cos((2 * Math.PI * k * n) / span), 0);
    return [reals(Array.from({ length: size }, (_, n) => at(n)))];
  };

/** Triangles over the bins of a spectrum, evenly spaced in mel. */
function melWeights(ctx: NodeContext): Value[] {
  const number = (position: number): number => requiredConstant(ctx, position).elements()[0] ?? 0;
  const [bands, length, rate, low, high] = [number(0), number(1), number(2), number(3), number(4)];
  const bins = Math.floor(length / 2) + 1;
  if (!(bands >= 1 && bands <= 4096 && bins >= 1 && bins <= 2 ** 16)) unsupported(`${bands} bands of ${bins} bins`);
  const toMel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const [first, last] = [toMel(low), toMel(high)];
  const edges = Array.from({ length: bands + 2 }, (_, i) => {
    const mel = (i * (last - first)) / (bands + 2) + first;
    return Math.floor(((length + 1) * 700 * (10 ** (mel / 2595) - 1)) / rate);
  });
  return [
    matrix(bins, bands, (bin, band) => {
      const [lower = 0, centre = 0, upper = 0] = edges.slice(band, band + 3);
      if (lower === centre) {
        if (bin === centre) return 1;
      } else if (bin >= lower && bin <= centre) return (bin - lower) / (centre - lower);
      return upper > centre && bin >= centre && bin < upper ? (upper - bin) / (upper - centre) : 0;
    }),
  ];
}

/** DFT along an axis of [..., 1] or [..., 2] (real and imaginary part): a product with cosines and sines. */
function discreteFourier(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const x = settled(ctx, 0);
  const dims = valueDims(x);
  const rank = dims.length;
  const given = ctx.opset >= 20 ? constantOperand(ctx, 2)?.elements()[0] : undefined;
  const usual = ctx.opset >= 20 ? -2 : 1;
  const axis = normaliseAxis(node, given ?? intAttribute(node, 'axis', usual), rank);
  const parts = dims[rank - 1] ?? 1;
  if (rank < 2 || axis === rank - 1 || (parts !== 1 && parts !== 2)) unsupported(`of [${dims.join(', ')}]`);
  const size = dims[axis] ?? 1;
  const length = constantOperand(ctx, 1)?.elements()[0] ?? size;
  const isInverse = intAttribute(node, 'inverse', 0) !== 0;
  const bins = intAttribute(node, 'onesided', 0) !== 0 ? Math.floor(length / 2) + 1 : length;
  if (isInverse && bins !== length) unsupported('an inverse of one side');
  if (!(length >= 1 && length <= MOST_SAMPLES)) unsupported(`a length of ${length}, at most ${MOST_SAMPLES}`);
  const used = Math.min(size, length);
  const scale = isInverse ? 1 / length : 1;
  // Samples (t, part) to bins (k, part), as one matrix: the last two axes of a part-last tensor are one.
  const transform = matrix(used * parts, bins * 2, (row, column) => {
    const [t, from] = [Math.floor(row / parts), row % parts];
    const [k, to] = [Math.floor(column / 2), column % 2];
    const angle = ((isInverse ? 2 : -2) * Math.PI * ((t * k) % length)) / length;
    if (from === to) return scale * Math.cos(angle);
    return scale * (to === 1 ? Math.sin(angle) : -Math.sin(angle));
  });
  const cut = size === used ? x : ctx.apply('Slice', [x, wholes([0]), wholes([used]), wholes([axis])]);
  const order = dims.map((_, i) => i).filter((i) => i !== axis && i !== rank - 1);
  const perm = [...order, axis, rank - 1];
  const outer = order.map((i) => dims[i] ?? 1);
  const front = ctx.apply('Reshape', [ctx.apply('Transpose', [cut], { perm }), wholes([...outer, used * parts])]);
  const product = ctx.apply('MatMul', [front, transform]);
  const whole = ctx.apply('Reshape', [product, wholes([...outer, bins, 2])]);
  const back = dims.map((_, i) => perm.indexOf(i));
  return [ctx.apply('Transpose', [whole], { perm: back })];
}

/** STFT of a real signal: a convolution whose channels are the bins, cosines and sines times the window. */
function shortTimeFourier(ctx: NodeContext): Value[] {
  const { node } = ctx;
  const signal = settled(ctx, 0);
  const [batch = 1, samples = 1, parts = 1] = valueDims(signal);
  if (parts !== 1) unsupported('a complex signal');
  const step = requiredConstant(ctx, 1).elements()[0] ?? 1;
  const window = constantOperand(ctx, 2);
  const length = constantOperand(ctx, 3)?.elements()[0] ?? window?.elementCount ?? 0;
  if (!(length >= 1 && length <= MOST_SAMPLES && length <= samples && step >= 1)) {
    unsupported(`frames of ${length} in ${samples} samples`);
  }
  const bins = intAttribute(node, 'onesided', 1) !== 0 ? Math.floor(length / 2) + 1 : length;
  const weights = matrix(bins * 2, length, (row, t) => {
    const angle = (-2 * Math.PI * ((t * (row % bins)) % length)) / length;
    return (window?.elements()[t] ?? 1) * (row < bins ? Math.cos(angle) : Math.sin(angle));
  });
  const channels = ctx.apply('Reshape', [weights, wholes([bins * 2, 1, length])]);
  const flat = ctx.apply('Reshape', [signal, wholes([batch, 1, samples])]);
  const frames = ctx.apply('Conv', [flat, channels], { strides: [step] });
  const count = valueDims(frames)[2] ?? 1;
  const apart = ctx.apply('Reshape', [frames, wholes([batch, 2, bins, count])]);
  return [ctx.apply('Transpose', [apart], { perm: [0, 3, 2, 1] })];
}

export const SPECTRA: readonly (readonly [string, Composition])[] = [
  ['HannWindow', cosineWindow([0.5, 0.5])],
  ['HammingWindow', cosineWindow([25 / 46, 21 / 46])],
  ['BlackmanWindow', cosineWindow([0.42, 0.5, 0.08])],
  ['MelWeightMatrix', melWeights],
  ['DFT', discreteFourier],
  ['STFT', shortTimeFourier],
];
