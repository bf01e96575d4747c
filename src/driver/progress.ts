/** A line on stderr that says what is being done: only on a terminal, and only when it takes more than two seconds. */

const PATIENCE_MILLISECONDS = 2000;

export interface Progress {
  stage(name: string): void;
  done(): void;
}

export function startProgress(): Progress {
  if (!process.stderr.isTTY) return { stage: () => {}, done: () => {} };
  const started = performance.now();
  let shown = false;
  return {
    // Stages run without giving the event loop a turn, so the time is looked at when one begins.
    stage(name) {
      if (performance.now() - started < PATIENCE_MILLISECONDS) return;
      shown = true;
      process.stderr.write(`\r\x1b[K${name} ...`);
    },
    done() {
      if (shown) process.stderr.write('\r\x1b[K');
    },
  };
}
