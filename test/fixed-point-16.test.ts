/** Logistic and tanh of 16 bits: the interpreter's and the machine's, each number of them, and both near the real functions. */
import { expect, test } from '@jest/globals';
import { logistic16, tanh16 } from '../src/base/fixed-point-functions-16.js';
import { logisticOf, tanhOf } from '../src/simulator/kernels/fixed-point-functions-16.js';

const ALL = Array.from({ length: 65536 }, (_, i) => i - 32768);

/** Where they differ, at most five, and the largest distance to a real function. */
function compared(
  ours: (x: number) => number,
  machine: (x: number) => number,
  real: (x: number) => number,
): { readonly differences: number[]; readonly distance: number } {
  const differences = ALL.filter((x) => ours(x) !== machine(x)).slice(0, 5);
  const distance = ALL.reduce((most, x) => Math.max(most, Math.abs(ours(x) / 32768 - real(x))), 0);
  return { differences, distance };
}

test('logistic', () => {
  const { differences, distance } = compared(logistic16, logisticOf, (x) => 1 / (1 + Math.exp(-x / 4096)));
  expect(differences).toEqual([]);
  expect(distance).toBeLessThan(2 ** -12);
});

test.each([0, 1, 2, 3, 4, 5, 6])('tanh of %s bits before the point', (bits) => {
  const { differences, distance } = compared(
    (x) => tanh16(x, bits),
    (x) => tanhOf(x, bits),
    (x) => Math.tanh(x / 2 ** (15 - bits)),
  );
  expect(differences).toEqual([]);
  expect(distance).toBeLessThan(2 ** -11);
});
