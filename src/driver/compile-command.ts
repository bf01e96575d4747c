/** `spillway compile`: a model and a chip in, a directory that the simulator runs out. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Observer } from '../../passes/pass.js';
import {
  addCompileOptions,
  type CompileFlags,
  oneOf,
  PLACEMENTS,
  type PlacementName,
  usageError,
} from './command-options.js';
import type { Compiled } from './compile.js';
import type { Report } from './report.js';

interface Flags extends CompileFlags {
  readonly output?: string;
  readonly placement: PlacementName;
  readonly json?: true;
  readonly listPasses?: true;
  readonly printIrAfter?: string;
  readonly stopAfter?: string;
}

const EXAMPLES = `
Writes program.bin, dram.bin, manifest.json (what a simulator needs), program.asm, report.json, report.txt, and
graph.ir with graph.bin (what the reference interpreter needs). Nothing is written when the compilation fails.

Examples:
  spillway compile examples/resnet50.model.ts --target chip-a -o out/resnet50
  spillway compile net.onnx --target chip-a --sram 512KiB --json > report.json
  spillway compile examples/yolov3.model.ts --target chip-b --param size=608 --batch 4 -o out/yolo
  spillway compile examples/tiny.model.ts --target chip-a --print-ir-after fuse --stop-after fuse

Exit codes: 0 done, 1 the input is at fault, 2 usage, 3 no schedule fits, 70 a bug of ours.
`;

export function registerCompile(program: Command): void {
  const command = program
    .command('compile')
    .summary('compile a model for a chip')
    .description('Decides for every byte of weights, activations and code where it is, and emits the command stream.')
    .argument('[model]', 'a .model.ts, .onnx or .tflite file')
    .option('-o, --output <dir>', 'where to write (default: out/<model>-<target>; nothing with --json alone)');
  addCompileOptions(command)
    .option('--placement <name>', 'none, greedy or ilp', oneOf('--placement', PLACEMENTS), 'ilp')
    .option('--json', 'print the report as one JSON document, and nothing else, on stdout')
    .option('--list-passes', 'list the passes and stop')
    .option('--print-ir-after <pass>', 'print the IR after a pass, or after all of them')
    .option('--stop-after <pass>', 'stop after a pass; nothing is scheduled or written')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string | undefined, flags: Flags) => {
      if (flags.listPasses) process.stdout.write(await listPasses());
      else if (model === undefined) throw usageError('the model file is missing', 'spillway compile MODEL --target T');
      else await runCompile(model, flags);
    });
}

async function runCompile(model: string, flags: Flags): Promise<void> {
  const { startProgress } = await import('./progress.js');
  const progress = startProgress();
  try {
    progress.stage('import');
    const { compileOptions, prepare } = await import('./prepare.js');
    const { compileProgram, optimise } = await import('./compile.js');
    const prepared = await prepare(model, flags);
    const options = compileOptions(prepared, flags, flags.placement);
    const observed = flags.printIrAfter === undefined ? {} : { observe: await printIr(flags.printIrAfter) };
    if (flags.stopAfter !== undefined) {
      optimise(prepared.program, { ...options, ...observed, stopAfter: flags.stopAfter });
      return;
    }
    const compiled = await compileProgram(prepared.program, {
      ...options,
      ...observed,
      onStage: (name) => progress.stage(name),
    });
    const { makeReport } = await import('./report.js');
    const report = makeReport(compiled, {
      chip: prepared.chip,
      objective: flags.objective,
      placement: flags.placement,
    });
    const directory = flags.output ?? (flags.json ? undefined : `out/${stem(model)}-${prepared.chip.name}`);
    if (directory !== undefined) await writeDirectory(directory, compiled, report);
    progress.done();
    await print(report, directory, flags.json === true);
  } finally {
    progress.done();
  }
}

/** `resnet50` of `examples/resnet50.model.ts`. */
function stem(path: string): string {
  return basename(path).replace(/\.(model\.ts|onnx|tflite)$/, '');
}

async function print(report: Report, directory: string | undefined, json: boolean): Promise<void> {
  if (json) {
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const { formatSummary } = await import('./report-text.js');
  process.stdout.write(`${formatSummary(report)}\nwritten to ${directory}\n`);
}

/** Dumps go to stderr: stdout belongs to the report. */
async function printIr(wanted: string): Promise<Observer> {
  const { printProgram } = await import('../ir/print.js');
  const { PIPELINE } = await import('../../passes/pipeline.js');
  const names = PIPELINE.map((pass) => pass.name);
  if (wanted !== 'all' && !names.includes(wanted)) {
    throw usageError(`no pass is called '${wanted}'`, `the passes are ${names.join(', ')}; or all`);
  }
  return (pass, _before, after) => {
    if (wanted !== 'all' && wanted !== pass.name) return;
    process.stderr.write(`# after ${pass.name}\n${printProgram(after)}\n`);
  };
}

/** For --list-passes, which needs no model. */
async function listPasses(): Promise<string> {
  const { PIPELINE } = await import('../../passes/pipeline.js');
  const width = PIPELINE.reduce((widest, pass) => Math.max(widest, pass.name.length), 0);
  const lines = PIPELINE.map(
    (pass) => `${pass.name.padEnd(width)}  ${pass.summary}${pass.optional ? ' (optional)' : ''}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The manifest is written last: it holds the hashes of what must be there before it. */
export async function writeDirectory(directory: string, compiled: Compiled, report: Report): Promise<void> {
  const { writeFiles } = await import('./write-files.js');
  const { printStream } = await import('../commands/print.js');
  const { manifestText, sealManifest, sha256Hex } = await import('../commands/manifest.js');
  const { constantBytes, printProgram } = await import('../ir/print.js');
  const { formatReport } = await import('./report-text.js');
  const { emitted, imported } = compiled;
  const graph = { text: printProgram(imported), binary: constantBytes(imported) };
  const { manifestHash: _, ...unsealed } = emitted.manifest;
  const hashes = { ...unsealed.hashes, 'graph.ir': sha256Hex(graph.text), 'graph.bin': sha256Hex(graph.binary) };
  writeFiles(
    directory,
    new Map<string, string | Uint8Array>([
      ['program.bin', emitted.programBytes],
      ['dram.bin', emitted.layout.image],
      ['program.asm', printStream(emitted.stream)],
      ['report.json', `${JSON.stringify(report, null, 2)}\n`],
      ['report.txt', formatReport(report)],
      ['graph.ir', graph.text],
      ['graph.bin', graph.binary],
      ['manifest.json', manifestText(sealManifest({ ...unsealed, hashes }))],
    ]),
  );
}
