/** What the user sees, and the exit code, when a command ends in an exception. */
import { styleText } from 'node:util';
import { type Diagnostic, exitCodeFor, formatDiagnostic, formatLoc, SpillwayError } from '../base/diagnostic.js';
import { sourceExcerpt } from './source-excerpt.js';

/**
 * Prints the failure to stderr: diagnostics as they are; anything else is a bug of ours, in one line, with its stack only
 * where SPILLWAY_DEBUG=1 asks for it.
 *
 * @returns the exit code
 */
export function reportFailure(error: unknown): number {
  if (error instanceof SpillwayError) {
    process.stderr.write(`${error.diagnostics.map(present).join('\n')}\n`);
    if (process.env.SPILLWAY_DEBUG === '1') process.stderr.write(`${error.stack ?? ''}\n`);
    return exitCodeFor(error.diagnostics);
  }
  const message = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
  const text = present({
    code: 'SW9999',
    blame: 'bug',
    message: `this is a bug of ours, not of your input: ${message}`,
    loc: { file: 'spillway' },
    hint: 'please report it; SPILLWAY_DEBUG=1 shows where it happened',
  });
  process.stderr.write(`${text}\n`);
  if (process.env.SPILLWAY_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  return 70;
}

/** A diagnostic as it is, with the line of the source that it is about; in colours where the terminal has them. */
function present(diagnostic: Diagnostic): string {
  const [head = '', ...rest] = formatDiagnostic(diagnostic).split('\n');
  const excerpt = sourceExcerpt(diagnostic.loc);
  // Honours NO_COLOR and FORCE_COLOR.
  if (!process.stderr.isTTY || !process.stderr.hasColors()) {
    return [head, ...(excerpt === undefined ? [] : [excerpt]), ...rest].join('\n');
  }
  const place = formatLoc(diagnostic.loc);
  const tail = head.slice(place.length).replace(/SW\d+ \(\w+\)/, (code) => styleText('red', code));
  const lines = [styleText('bold', place) + tail];
  if (excerpt !== undefined) lines.push(excerpt.replace(/\^$/, styleText('green', '^')));
  return [...lines, ...rest.map((line) => line.replace('hint:', styleText('cyan', 'hint:')))].join('\n');
}
