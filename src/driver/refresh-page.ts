import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import type { Manifest } from '../commands/manifest.js';
import type { SimulationResult } from '../simulator/simulate.js';
import type { PageSimulation } from './page-data.js';
import { PAGE_FILE, withSimulation } from './report-page.js';
import { writeOneFile } from './write-one-file.js';

/**
 * Puts what a simulation counted into the report.html beside the program, where there is one.
 *
 * @returns why it was left as it is: the page is another program's, or cannot be written; undefined when all is well
 */
export function refreshPage(directory: string, manifest: Manifest, result: SimulationResult): string | undefined {
  const file = join(directory, PAGE_FILE);
  if (!existsSync(file)) return undefined;
  const page = withSimulation(
    readFileSync(file, 'utf8'),
    manifest.hashes['program.bin'],
    pageSimulation(manifest, result),
  );
  if (page === undefined) return `${file} is not the page of this program, and was left as it is`;
  try {
    writeOneFile(file, page);
    return undefined;
  } catch (error) {
    if (error instanceof SpillwayError) return `${file} ${error.diagnostics[0]?.message}, and still shows the estimate`;
    throw error;
  }
}

function pageSimulation({ batch }: Manifest, result: SimulationResult): PageSimulation {
  return {
    cycles: Math.ceil(result.cycles),
    framesPerSecond: result.seconds === 0 ? 0 : batch / result.seconds,
    macUtilization: result.macUtilization,
    dramUtilization: result.dramUtilization,
    totalBytes: result.dramReadBytes + result.dramWriteBytes,
    timeline: result.timeline,
  };
}
