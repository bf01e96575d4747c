/** What the user sees, and the exit code, when a command ends in an exception. */
import { exitCodeFor, formatDiagnostic, SpillwayError } from '../base/diagnostic.js';

/**
 * Prints the failure to stderr: diagnostics as they are; anything else is a bug of ours, in one line, with its stack only
 * where SPILLWAY_DEBUG=1 asks for it.
 *
 * @returns the exit code
 */
export function reportFailure(error: unknown): number {
  if (error instanceof SpillwayError) {
    process.stderr.write(`${error.diagnostics.map(formatDiagnostic).join('\n')}\n`);
    if (process.env.SPILLWAY_DEBUG === '1') process.stderr.write(`${error.stack ?? ''}\n`);
    return exitCodeFor(error.diagnostics);
  }
  const message = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
  const text = formatDiagnostic({
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
