import { assertNever } from '../../base/assert-never.js';
import type { UnaryFunction } from '../../ir/types.js';

/** Real values from min to max, both included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export function unaryFunction(fn: UnaryFunction, alpha: number, beta: number): (x: number) => number {
  switch (fn) {
    case 'leakyRelu':
      return (x) => (x < 0 ? x * alpha : x);
    case 'sigmoid':
      return (x) => 1 / (1 + Math.exp(-x));
    case 'tanh':
      return (x) => Math.tanh(x);
    case 'hardSwish':
      return (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6;
    case 'hardSigmoid':
      return (x) => Math.min(Math.max(alpha * x + beta, 0), 1);
    case 'elu':
      return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
    case 'exp':
      return (x) => Math.exp(x);
    case 'sqrt':
      return (x) => Math.sqrt(x);
    case 'abs':
      return (x) => Math.abs(x);
    case 'neg':
      return (x) => -x;
    case 'floor':
      return (x) => Math.floor(x);
    case 'ceil':
      return (x) => Math.ceil(x);
    case 'round':
      return (x) => x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52; // halves to even
    case 'trunc':
      return (x) => Math.trunc(x);
    case 'sign':
      return (x) => Math.sign(x);
    case 'log':
      return (x) => Math.log(x);
    case 'erf':
      return errorFunction;
    case 'gelu':
      return (x) => (x / 2) * (1 + errorFunction(x / Math.SQRT2));
    case 'geluTanh':
      return (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 'sin':
      return (x) => Math.sin(x);
    case 'cos':
      return (x) => Math.cos(x);
    case 'rsqrt':
      return (x) => x ** -0.5;
    case 'reciprocal':
      return (x) => 1 / x;
    case 'softplus':
      return softplus;
    case 'softsign':
      return (x) => x / (1 + Math.abs(x));
    case 'silu':
      return (x) => x / (1 + Math.exp(-x));
    case 'mish':
      return (x) => x * Math.tanh(softplus(x));
    case 'square':
      return (x) => x ** 2;
    case 'selu':
      return (x) => beta * (x > 0 ? x : alpha * Math.expm1(x));
    case 'not':
      return (x) => (x === 0 ? 1 : 0);
    case 'power':
      return (x) => x ** alpha;
    case 'atan':
      return (x) => Math.atan(x);
    default:
      return assertNever(fn);
  }
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** By its Maclaurin series where that converges fast, by the continued fraction of its complement beyond. */
function errorFunction(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  if (magnitude < 2) {
    let sum = 0;
    let power = x;
    for (let n = 0; n < 40; n++) {
      sum += power / (2 * n + 1);
      power *= -(x * x) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (magnitude + fraction);
  return Math.sign(x) * (1 - Math.exp(-magnitude * magnitude) / (Math.sqrt(Math.PI) * (magnitude + fraction)));
}

/** What the function can return at all, where that is bounded: better than what one sample happened to reach. */
export function boundsOf(fn: UnaryFunction): Range | undefined {
  if (fn === 'sigmoid' || fn === 'hardSigmoid') return { min: 0, max: 1 };
  return fn === 'tanh' ? { min: -1, max: 1 } : undefined;
}
