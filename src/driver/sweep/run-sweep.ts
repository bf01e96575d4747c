/** The whole story of a sweep: points, threads, what is kept, and what is written and shown in the end. */

import { availableParallelism } from 'node:os';
import { modelStem } from '../model-stem.js';
import { startProgress } from '../progress.js';
import { writeFiles } from '../write-files.js';
import { Estimate } from './estimate.js';
import { type SweepFlags, sweepTasks } from './plan.js';
import type { PointTask } from './point.js';
import { runPool } from './pool.js';
import { type Finished, sweepOf } from './series.js';
import { compilerFingerprint, openStore, storePoint } from './store.js';
import { sweepCsv } from './sweep-csv.js';
import { isDone, type Sweep } from './sweep-document.js';
import { sweepPage } from './sweep-page.js';
import { formatSweep } from './sweep-text.js';

/** 128 + the number of the signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** @throws SpillwayError for what is wrong with the input; nothing but finished points is written then */
export async function runSweep(model: string, flags: SweepFlags): Promise<void> {
  const tasks = sweepTasks(model, flags);
  const directory = flags.output ?? (flags.json ? undefined : `out/${modelStem(model)}-sweep`);
  if (directory !== undefined) openStore(directory);
  const stop = new AbortController();
  let exitCode: number | undefined;
  const listeners = Object.entries(SIGNALS).map(([signal, code]) => {
    const listener = (): void => {
      exitCode = code;
      stop.abort();
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  const finished = await finishTasks(tasks, flags, directory, stop.signal);
  for (const forget of listeners) forget();
  if (exitCode !== undefined) {
    process.exitCode = exitCode;
    const done = finished.filter((one) => one !== undefined).length;
    const kept = directory === undefined ? '' : ` and are in ${directory}, and the same command goes on from there`;
    process.stderr.write(`interrupted: ${done} of ${tasks.length} points were done${kept}\n`);
    return;
  }
  const outcomes = finished.map((one) => one ?? 'was not done');
  const sweep = sweepOf(model, tasks, outcomes);
  if (directory !== undefined) writeSweep(directory, sweep);
  if (flags.json) process.stdout.write(`${JSON.stringify(sweep, null, 2)}\n`);
  else process.stdout.write(`${formatSweep(sweep)}\nwritten to ${directory}\n`);
  process.exitCode = exitCodeOf(sweep);
}

async function finishTasks(
  tasks: readonly PointTask[],
  flags: SweepFlags,
  directory: string | undefined,
  stop: AbortSignal,
): Promise<(Finished | undefined)[]> {
  const jobs = Math.min(flags.jobs ?? availableParallelism(), tasks.length);
  const progress = startProgress();
  const estimate = new Estimate(
    tasks.map(({ variant }) => variant),
    jobs,
  );
  const finished: (Finished | undefined)[] = tasks.map(() => undefined);
  const notes = new Set<string>();
  progress.stage(estimate.text());
  try {
    await runPool(
      tasks,
      jobs,
      { compilerHash: compilerFingerprint(), directory },
      {
        answer(index, { key, outcome, isStored, note }, seconds) {
          finished[index] = outcome;
          if (directory !== undefined && !isStored) storePoint(directory, key, outcome);
          if (note !== undefined) notes.add(`${tasks[index]?.variant.model}: ${note}\n`);
          progress.stage(estimate.done(index, isStored ? undefined : seconds));
        },
        failure(index, message, stack) {
          finished[index] = message;
          const bytes = tasks[index]?.chip.sram.bytes;
          notes.add(`this is a bug of ours, not of your input: the point with ${bytes} B of SRAM failed: ${message}\n`);
          if (process.env.SPILLWAY_DEBUG === '1') notes.add(`${stack}\n`);
          progress.stage(estimate.done(index, undefined));
        },
      },
      stop,
    );
  } finally {
    progress.done();
    for (const note of notes) process.stderr.write(note);
  }
  return finished;
}

function writeSweep(directory: string, sweep: Sweep): void {
  writeFiles(
    directory,
    new Map([
      ['sweep.csv', sweepCsv(sweep)],
      ['sweep.html', sweepPage(sweep)],
      ['sweep.json', `${JSON.stringify(sweep, null, 2)}\n`],
    ]),
  );
}

function exitCodeOf({ series }: Sweep): number {
  const points = series.flatMap((one) => one.points);
  if (points.some(({ status }) => status === 'failed')) return 70;
  return points.some(isDone) ? 0 : 3;
}
