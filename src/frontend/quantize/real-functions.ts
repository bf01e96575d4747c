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
    default:
      return assertNever(fn);
  }
}

/** What the function can return at all, where that is bounded: better than what one sample happened to reach. */
export function boundsOf(fn: UnaryFunction): Range | undefined {
  if (fn === 'sigmoid' || fn === 'hardSigmoid') return { min: 0, max: 1 };
  return fn === 'tanh' ? { min: -1, max: 1 } : undefined;
}
