import { assertNever } from '../../base/assert-never.js';
import type { UnaryFunction } from '../../ir/types.js';

/** The function on one real number, for tables of quantised elements. */
export function realFunction(fn: UnaryFunction, alpha: number, beta: number): (x: number) => number {
  switch (fn) {
    case 'leakyRelu':
      return (x) => (x < 0 ? alpha * x : x);
    case 'sigmoid':
      return (x) => 1 / (1 + Math.exp(-x));
    case 'tanh':
      return Math.tanh;
    case 'hardSwish':
      return (x) => (x * Math.min(6, Math.max(0, x + 3))) / 6;
    case 'hardSigmoid':
      return (x) => Math.min(1, Math.max(0, alpha * x + beta));
    case 'elu':
      return (x) => (x < 0 ? alpha * (Math.exp(x) - 1) : x);
    case 'exp':
      return Math.exp;
    case 'sqrt':
      return Math.sqrt;
    default:
      return assertNever(fn);
  }
}
