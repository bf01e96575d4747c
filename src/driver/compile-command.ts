/** `spillway compile`: a model and a chip in, a directory that the simulator runs out. */
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
import type { CompileOutcome } from './compile-task.js';
import type { Report } from './report.js';

interface Flags extends CompileFlags {
  readonly output?: string;
  readonly placement: PlacementName;
  readonly json?: true;
  readonly listPasses?: true;
  readonly printIrAfter?: string;
  readonly stopAfter?: string;
  readonly watch?: true;
}

const EXAMPLES = `
Writes program.bin, dram.bin, manifest.json (what a simulator needs), program.asm, program.map.json (commands of which
layer), report.json, report.txt, report.html (to open in a browser), options.json, and graph.ir with graph.bin (what the
reference interpreter needs). Nothing is written when the compilation fails.

Examples:
  spillway compile examples/resnet50.model.ts --target chip-a -o out/resnet50
  spillway compile net.onnx --target chip-a --input images=1x3x640x640 --objective latency
  spillway compile keyword.onnx --target chip-1m --state h0=hn -o out/keyword
  spillway compile net.onnx --target chip-a --sram 512KiB --json > report.json
  spillway compile examples/yolov3.model.ts --target chip-b --param size=608 --batch 4 -o out/yolo
  spillway compile examples/tiny.model.ts --target chip-a --print-ir-after fuse --stop-after fuse

Ctrl-C during the search for a placement ends it with the best plan so far, and the report says so; a second one gives up.

Exit codes: 0 done, 1 the input is at fault, 2 usage, 3 no schedule fits, 70 a bug of ours, 130 interrupted without a plan.
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
    .option('--watch', 'compile again whenever the model or the chip file changes, until Ctrl-C')
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
  if (flags.watch) return watchAndCompile(model, flags);
  const { Interrupted, startCompile } = await import('./compile-in-thread.js');
  try {
    const outcome =
      flags.printIrAfter === undefined
        ? await startCompile({ model, flags }).outcome
        : await compileHere(model, flags, flags.printIrAfter);
    if (outcome !== undefined) await print(outcome.report, outcome.directory, flags.json === true);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write('interrupted: nothing was written\n');
    process.exitCode = 130;
  }
}

/** Compiles, and again after each change; what is still under way then is given up. Ends with the process. */
async function watchAndCompile(model: string, flags: Flags): Promise<void> {
  if (flags.json || flags.printIrAfter !== undefined || flags.stopAfter !== undefined) {
    throw usageError('--watch writes a directory; it goes with none of --json, --print-ir-after and --stop-after');
  }
  const { Interrupted, startCompile } = await import('./compile-in-thread.js');
  const { watchFiles } = await import('./watch.js');
  const { reportFailure } = await import('./failure.js');
  const isChipFile = flags.target !== undefined && /[\\/]|\.json$/.test(flags.target);
  let running = startCompile({ model, flags }, false);
  const finish = async (): Promise<void> => {
    const mine = running;
    try {
      const outcome = await mine.outcome;
      if (outcome !== undefined) await print(outcome.report, outcome.directory, false);
    } catch (error) {
      if (error instanceof Interrupted) return;
      reportFailure(error);
    }
    if (mine === running) process.stderr.write('watching for changes; Ctrl-C ends\n');
  };
  watchFiles([model, ...(isChipFile ? [flags.target] : [])], (name) => {
    const before = running;
    void before.abandon().then(() => {
      if (before !== running) return;
      process.stderr.write(`\n${name} has changed\n`);
      running = startCompile({ model, flags }, false);
      void finish();
    });
  });
  await finish();
}

/** In this thread: what is printed after a pass has to stand where it belongs. */
async function compileHere(model: string, flags: Flags, printAfter: string): Promise<CompileOutcome | undefined> {
  const { runCompileTask } = await import('./compile-task.js');
  return runCompileTask({ model, flags }, { observe: await printIr(printAfter) });
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
