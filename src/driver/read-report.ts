import { join } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import { readInputFile } from './read-file.js';
import { type Report, reportSchema } from './report.js';

/**
 * The report.json of a directory that compile wrote.
 *
 * @throws SpillwayError SW8002 (blame input) when it cannot be read, SW8007 (blame input) when it is no report
 */
export function readReport(directory: string): Report {
  const file = join(directory, 'report.json');
  const text = new TextDecoder().decode(readInputFile(file));
  const fail = (message: string): never => {
    throw new SpillwayError([
      { code: 'SW8007', blame: 'input', message, loc: { file }, hint: 'compile the model again with this version' },
    ]);
  };
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return fail('this is no JSON');
  }
  const parsed = reportSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return fail(`this is no report of this version of Spillway: ${issue?.path.join('.')}: ${issue?.message}`);
}
