/** A line on stderr that says what is being done: only on a terminal, and only when it takes more than two seconds. */

const PATIENCE_MILLISECONDS = 2000;
const REFRESH_MILLISECONDS = 200;

export interface Progress {
  stage(name: string): void;
  /** The best plan so far and what is proven, in the unit that is minimised. */
  plan(best: number, bound: number): void;
  done(): void;
}

/**
 * A thread that computes without pause gives timers no turn: its line is written when a stage begins. Where another thread
 * computes, the seconds run on.
 */
export function startProgress(): Progress {
  if (!process.stderr.isTTY) return { stage: () => {}, plan: () => {}, done: () => {} };
  const started = performance.now();
  let [stage, plan, isShown, isDone] = ['', '', false, false];
  const show = (): void => {
    const passed = performance.now() - started;
    if (isDone || passed < PATIENCE_MILLISECONDS || stage === '') return;
    isShown = true;
    const line = `${(passed / 1000).toFixed(0)} s  ${stage} ...${plan}`;
    // One line, or it could not be taken back.
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  };
  const timer = setInterval(show, REFRESH_MILLISECONDS);
  timer.unref();
  return {
    stage(name) {
      [stage, plan] = [name, ''];
      show();
    },
    plan(best, bound) {
      const gap = best > 0 ? Math.max(0, (best - bound) / best) : 0;
      plan = `  best ${short(best)}, bound ${short(bound)}, gap ${(100 * gap).toFixed(2)} %`;
    },
    done() {
      isDone = true;
      clearInterval(timer);
      if (isShown) process.stderr.write('\r\x1b[K');
      isShown = false;
    },
  };
}

/** Four digits and a prefix. */
function short(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(4)} ${unit}`;
  }
  return value.toFixed(0);
}
