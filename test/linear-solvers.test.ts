import { expect, test } from '@jest/globals';
import { loadGlpk } from '../src/solver/linear/glpk.js';
import { loadHighs } from '../src/solver/linear/highs.js';
import { LinearModelBuilder } from '../src/solver/linear/model.js';

/** Many knapsacks at once, far from solved in a few iterations. */
function knapsacks(items: number, rows: number): LinearModelBuilder {
  const model = new LinearModelBuilder();
  let state = 12345;
  const random = (): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  for (let i = 0; i < items; i += 1) model.column(`x${i}`, -Math.floor(random() * 100 + 50), 1, true);
  for (let row = 0; row < rows; row += 1) {
    const terms = Array.from({ length: items }, (_, column) => ({
      column,
      coefficient: Math.floor(random() * 60 + 10),
    }));
    model.row(`r${row}`, terms, Number.NEGATIVE_INFINITY, 12 * items);
  }
  return model;
}

test('a limit of work strikes at the same place each time, whatever the clock says', async () => {
  const glpk = await loadGlpk();
  const model = knapsacks(60, 20);
  const options = { relax: false, gap: 0, timeLimitSeconds: 600, workLimit: 1000 };
  const first = glpk.solve(model, options);
  expect(first.status).toBe('feasible');
  expect(glpk.solve(model, options)).toEqual(first);
  // More work proves it, or finds better.
  const longer = glpk.solve(model, { ...options, workLimit: 1_000_000 });
  expect(longer.status).toBe('optimal');
  expect(longer.objective).toBeLessThanOrEqual(first.objective);
}, 60_000);

test('the real clock ends a search too, and is left as it was', async () => {
  const glpk = await loadGlpk();
  const { now } = Date;
  const answer = glpk.solve(knapsacks(60, 20), { relax: false, gap: 0, timeLimitSeconds: 0 });
  expect(['feasible', 'none']).toContain(answer.status);
  expect(Date.now).toBe(now);
});

test('both solvers agree on what the limit does not touch', async () => {
  const [glpk, highs] = [await loadGlpk(), await loadHighs()];
  const model = knapsacks(20, 5);
  const options = { relax: false, gap: 0, timeLimitSeconds: 60, workLimit: 1_000_000 };
  const [a, b] = [glpk.solve(model, options), highs.solve(model, options)];
  expect(a.status).toBe('optimal');
  expect(b.status).toBe('optimal');
  expect(a.objective).toBeCloseTo(b.objective, 6);
});

test('HiGHS stops at a number of nodes', async () => {
  const highs = await loadHighs();
  const options = { relax: false, gap: 0, timeLimitSeconds: 600, workLimit: 100 };
  const answer = highs.solve(knapsacks(40, 20), options);
  expect(answer.status).not.toBe('optimal');
}, 60_000);
