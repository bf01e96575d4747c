/** `spillway compare`: the same model and chip under every placement, beside the bounds. */
import type { Command } from 'commander';
import { addCompileOptions, type CompileFlags, PLACEMENTS } from './command-options.js';
import type { Report } from './report.js';

interface Flags extends CompileFlags {
  readonly json?: true;
}

const EXAMPLES = `
none    everything at home in DRAM; each layer moves its operands once or more
greedy  keeps what saves most bytes per byte and step that it takes
ilp     the integer program, with its bound

Examples:
  spillway compare examples/resnet50.model.ts --target chip-a
  spillway compare examples/resnet50.model.ts --target chip-a,chip-b,chip-c
  spillway compare examples/mobilenet-v2.model.ts --target targets/chip-1m.json --json
`;

export function registerCompare(program: Command): void {
  const command = program
    .command('compare')
    .summary('compare placements: none, greedy, ilp')
    .description(
      'Compiles the model with each placement and shows their DRAM traffic beside the bounds, their speed and their energy; for one target or several, with commas.',
    )
    .argument('<model>', 'a .model.ts, .onnx or .tflite file');
  addCompileOptions(command)
    .option('--json', 'print { "rows": [report, ...] } and nothing else on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, flags: Flags) => {
      const rows: Report[] = [];
      for (const target of flags.target === undefined ? [undefined] : flags.target.split(','))
        rows.push(...(await compareReports(model, target === undefined ? flags : { ...flags, target })));
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ rows }, null, 2)}\n`);
        return;
      }
      const { formatComparison } = await import('./report-text.js');
      const texts = Array.from({ length: rows.length / PLACEMENTS.length }, (_, i) =>
        formatComparison(rows.slice(i * PLACEMENTS.length, (i + 1) * PLACEMENTS.length)),
      );
      process.stdout.write(texts.join('\n'));
    });
}

async function compareReports(model: string, flags: CompileFlags): Promise<Report[]> {
  const { startProgress } = await import('./progress.js');
  const { compileOptions, prepare } = await import('./prepare.js');
  const { compileProgram } = await import('./compile.js');
  const { makeReport } = await import('./report.js');
  const progress = startProgress();
  try {
    progress.stage('import');
    const prepared = await prepare(model, flags);
    if (prepared.note !== undefined) process.stderr.write(`${model}: ${prepared.note}\n`);
    const rows: Report[] = [];
    for (const placement of PLACEMENTS) {
      const options = compileOptions(prepared, flags, placement);
      const onStage = (name: string): void => progress.stage(`${placement}: ${name}`);
      const compiled = await compileProgram(prepared.program, { ...options, onStage });
      rows.push(makeReport(compiled));
    }
    return rows;
  } finally {
    progress.done();
  }
}
