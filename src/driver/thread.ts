/** Threads that do one job of ours, and how what goes wrong in them comes out where they were started. */
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';

/** An exception as it crosses over: the class of an error is lost on the way, its diagnostics need not be. */
export type ThreadFailure =
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[]; readonly stack: string }
  | { readonly kind: 'broken'; readonly message: string; readonly stack: string };

/** A placement problem is hundreds of thousands of objects that all stay: with little room for young ones, each is copied twice. */
const YOUNG_GENERATION_MB = 96;

/** A thread that may take as much memory as the one that starts it. */
export function startThread(script: URL, workerData: unknown): Worker {
  const maxOldGenerationSizeMb = Math.floor(getHeapStatistics().heap_size_limit / 2 ** 20);
  const resourceLimits = { maxOldGenerationSizeMb, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
  return new Worker(script, { workerData, resourceLimits });
}

export function failureOf(error: unknown): ThreadFailure {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  if (error instanceof SpillwayError) return { kind: 'refused', diagnostics: error.diagnostics, stack };
  return { kind: 'broken', message: error instanceof Error ? error.message : String(error), stack };
}

/** The error that failureOf was given, with its stack. */
export function errorOf(failure: ThreadFailure): Error {
  const error = failure.kind === 'refused' ? new SpillwayError(failure.diagnostics) : new Error(failure.message);
  error.stack = failure.stack;
  return error;
}
