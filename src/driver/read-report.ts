import { readCompiledJson } from './read-compiled-json.js';
import { type Report, reportSchema } from './report.js';

/**
 * The report.json of a directory that compile wrote.
 *
 * @throws SpillwayError SW8002 (blame input) when it cannot be read, SW8007 (blame input) when it is no report
 */
export function readReport(directory: string): Report {
  return readCompiledJson(directory, 'report.json', reportSchema, { code: 'SW8007', message: 'this is no report' });
}
