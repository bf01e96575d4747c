/** A compiled directory: all that a simulator, the reference interpreter and a reader need. */

import { periodTimeline } from '../backend/timeline.js';
import { commandMapText } from '../commands/command-map.js';
import { manifestText, sealManifest, sha256Hex } from '../commands/manifest.js';
import { printStream } from '../commands/print.js';
import { constantBytes, printProgram } from '../ir/print.js';
import type { Compiled } from './compile.js';
import { pagePlan } from './page-plan.js';
import { OPTIONS_FILE, optionsText } from './recorded-options.js';
import type { Report } from './report.js';
import { PAGE_FILE, reportPage } from './report-page.js';
import { formatReport } from './report-text.js';
import { writeFiles } from './write-files.js';

export function writeDirectory(directory: string, compiled: Compiled, report: Report): void {
  writeFiles(directory, directoryFiles(compiled, report));
}

/** By name. The manifest is the last, and written last: it holds the hashes of what must be there before it. */
export function directoryFiles(compiled: Compiled, report: Report): Map<string, string | Uint8Array> {
  const { emitted, imported, options } = compiled;
  const timeline = periodTimeline(emitted.programBytes, options.chip);
  const graph = { text: printProgram(imported), binary: constantBytes(imported) };
  const { manifestHash: _, ...unsealed } = emitted.manifest;
  const hashes = { ...unsealed.hashes, 'graph.ir': sha256Hex(graph.text), 'graph.bin': sha256Hex(graph.binary) };
  return new Map<string, string | Uint8Array>([
    ['program.bin', emitted.programBytes],
    ['dram.bin', emitted.dramImage],
    ['program.asm', printStream(emitted.stream)],
    ['program.map.json', commandMapText(emitted.stream, unsealed.hashes['program.bin'])],
    ['report.json', `${JSON.stringify(report, null, 2)}\n`],
    ['report.txt', formatReport(report)],
    [PAGE_FILE, reportPage(report, pagePlan(compiled, timeline))],
    [OPTIONS_FILE, optionsText(compiled.options)],
    ['graph.ir', graph.text],
    ['graph.bin', graph.binary],
    ['manifest.json', manifestText(sealManifest({ ...unsealed, hashes }))],
  ]);
}
