/** Functions of real numbers as docs/numerics.md has them, in double precision: rounding is the caller's. */

type OneFunction = (x: number, alpha: number, beta: number) => number;

/** The error function of docs/numerics.md. */
function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const size = Math.abs(x);
  if (size >= 6) return Math.sign(x);
  const doubled = 2 * size;
  let t = size;
  let s = size;
  let n = 1;
  while (t > 1e-17 * s) {
    t = (t * doubled * size) / (2 * n + 1);
    s += t;
    n += 1;
  }
  const result = (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * s;
  return x < 0 ? -result : result;
}

function nearestEven(x: number): number {
  const below = Math.floor(x);
  if (x - below < 0.5) return below;
  return x - below > 0.5 || below % 2 !== 0 ? below + 1 : below;
}

const softplus = (x: number): number => (x > 20 ? x : Math.log1p(Math.exp(x)));

/** Activation kinds from 3 on, in the order of the instruction table. */
const FROM_THREE: readonly OneFunction[] = [
  (x, alpha) => (x < 0 ? x * alpha : x),
  (x) => 1 / (1 + Math.exp(-x)),
  (x) => Math.tanh(x),
  (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
  (x, alpha, beta) => Math.min(Math.max(alpha * x + beta, 0), 1),
  (x, alpha) => (x < 0 ? alpha * (Math.exp(x) - 1) : x),
  (x) => Math.exp(x),
  (x) => Math.sqrt(x),
  (x) => Math.abs(x),
  (x) => -x,
  (x) => Math.floor(x),
  (x) => Math.ceil(x),
  nearestEven,
  (x) => Math.trunc(x),
  (x) => Math.sign(x),
  (x) => Math.log(x),
  erf,
  (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  (x) => Math.sin(x),
  (x) => Math.cos(x),
  (x) => 1 / Math.sqrt(x),
  (x) => 1 / x,
  softplus,
  (x) => x / (1 + Math.abs(x)),
  (x) => x / (1 + Math.exp(-x)),
  (x) => x * Math.tanh(softplus(x)),
  (x) => x * x,
  (x, alpha, beta) => beta * (x > 0 ? x : alpha * (Math.exp(x) - 1)),
  (x) => (x === 0 ? 1 : 0),
  (x, alpha) => x ** alpha,
  (x) => Math.atan(x),
];

export const ACTIVATION_KINDS = 3 + FROM_THREE.length;

/** By activation kind; 0 and 2 are no functions. */
export function activationFunction(kind: number): OneFunction | undefined {
  if (kind === 1) return (x, lo, hi) => Math.min(Math.max(x, lo), hi);
  return FROM_THREE[kind - 3];
}

type TwoFunction = (a: number, b: number) => number;

/** Modes of `binary`, in the order of the instruction table. */
export const BINARY_MODES: readonly TwoFunction[] = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  (a, b) => a / b,
  (a, b) => a ** b,
  (a, b) => Math.max(a, b),
  (a, b) => Math.min(a, b),
  (a, b) => a - b * Math.floor(a / b),
  (a, b) => Number(a === b),
  (a, b) => Number(a < b),
  (a, b) => Number(a <= b),
  (a, b) => Number(a > b),
  (a, b) => Number(a >= b),
  (a, b) => Number(a !== 0 && b !== 0),
  (a, b) => Number(a !== 0 || b !== 0),
  (a, b) => Number((a !== 0) !== (b !== 0)),
  (a, b) => (a < 0 ? a * b : a),
];

/** Of these, those that integers have too: no rescaling, one quantisation. */
export const isOrderMode = (mode: number): boolean => mode === 5 || mode === 6;

type Reduction = (pixel: Float64Array) => number;

function total(pixel: Float64Array, of: (x: number) => number): number {
  let sum = 0;
  for (let i = 0; i < pixel.length; i++) sum += of(pixel[i] ?? 0);
  return sum;
}

function extreme(pixel: Float64Array, start: number, choose: (a: number, b: number) => number): number {
  let result = start;
  for (let i = 0; i < pixel.length; i++) result = choose(result, pixel[i] ?? 0);
  return result;
}

const largest = (pixel: Float64Array): number => extreme(pixel, Number.NEGATIVE_INFINITY, Math.max);

function position(pixel: Float64Array, isBetter: (a: number, b: number) => boolean): number {
  let best = 0;
  for (let i = 1; i < pixel.length; i++) if (isBetter(pixel[i] ?? 0, pixel[best] ?? 0)) best = i;
  return best;
}

/** Modes of `reduce`, in the order of the instruction table. */
export const REDUCE_MODES: readonly Reduction[] = [
  (pixel) => total(pixel, (x) => x),
  (pixel) => total(pixel, (x) => x) / pixel.length,
  largest,
  (pixel) => extreme(pixel, Number.POSITIVE_INFINITY, Math.min),
  (pixel) => extreme(pixel, 1, (a, b) => a * b),
  (pixel) => total(pixel, Math.abs),
  (pixel) => Math.sqrt(total(pixel, (x) => x * x)),
  (pixel) => total(pixel, (x) => x * x),
  (pixel) => {
    const top = largest(pixel);
    return Math.log(total(pixel, (x) => Math.exp(x - top))) + top;
  },
  (pixel) => position(pixel, (a, b) => a > b),
  (pixel) => position(pixel, (a, b) => a < b),
];
