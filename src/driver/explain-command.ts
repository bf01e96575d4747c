/** `spillway explain`: why a plan is as it is, why a tensor is where it is, and what would be if it were not. */
import type { Command } from 'commander';
import type { ForcedHome } from '../solver/placement/forced.js';
import { bytesFrom, usageError } from './command-options.js';
import type { Report } from './report.js';
import type { Answer, Question } from './what-if.js';

const EXAMPLES = `
Reads report.json and report.html of DIR; --what-if solves again from graph.ir, graph.bin and options.json.

What-if questions, several of which are one:
  sram=12MiB     with another SRAM; sram=+1MiB and sram=-1MiB: with that much more or less
  pin=TENSOR     the tensor stays in SRAM from its first use to its last; weights stay from frame to frame
  spill=TENSOR   the tensor goes through DRAM; weights come in again every time that they are needed

Examples:
  spillway explain out/resnet50
  spillway explain out/resnet50 --what-if sram=+1MiB
  spillway explain out/resnet50 stage3.block0.add
  spillway explain out/yolov3 stage4.down.leakyRelu --what-if pin=stage4.down.leakyRelu
  spillway explain out/resnet50 'fc (weights)' --what-if 'pin=fc (weights)' --json
`;

interface Flags {
  readonly whatIf?: Question;
  readonly json?: true;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .summary('say why a tensor is in DRAM, and what if it were not')
    .description(
      'Says where a tensor is and why, what keeping it in SRAM would cost, and what SRAM is worth there. Without a tensor: where SRAM is tight, what more or less of it is worth, and what moves most.',
    )
    .argument('<dir>', 'a directory that compile wrote')
    .argument('[tensor]', 'a name of report.json; the weights of a layer are "LAYER (weights)"')
    .option('--what-if <question>', 'sram=BYTES, pin=TENSOR or spill=TENSOR; repeatable', addQuestion)
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, name: string | undefined, flags: Flags) => {
      const { readReport } = await import('./read-report.js');
      const report = readReport(directory);
      const explained =
        name === undefined
          ? await ofPlan(report)
          : await ofTensor(directory, report, await tensorNamed(report, directory, name));
      const answer = flags.whatIf === undefined ? undefined : await ask(directory, report, flags.whatIf);
      if (flags.json) {
        const whatIf =
          answer === undefined ? null : { tensor: tensorOf(answer, name), unmet: answer.unmet, diff: answer.diff };
        const document = { schema: 'spillway-explanation/1', ...explained.document, whatIf };
        process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
        return;
      }
      process.stdout.write(explained.text);
      if (answer === undefined) return;
      const { formatAnswer } = await import('./explain-text.js');
      process.stdout.write(`\n${await formatAnswer(answer, tensorOf(answer, name))}`);
    });
}

interface Explained {
  readonly document: object;
  readonly text: string;
}

async function ofPlan(report: Report): Promise<Explained> {
  const { explainPlan } = await import('./explain.js');
  const { formatPlan } = await import('./explain-text.js');
  const plan = explainPlan(report);
  return { document: { plan }, text: formatPlan(report, plan) };
}

async function ofTensor(directory: string, report: Report, index: number): Promise<Explained> {
  const { explain } = await import('./explain.js');
  const { formatTensor } = await import('./explain-text.js');
  const explanation = explain(report, await planOf(directory), index);
  if (explanation === undefined) throw new Error(`nothing is known of tensor ${index}`);
  return { document: explanation, text: formatTensor(report, explanation) };
}

function addQuestion(text: string, previous: Question = { forced: new Map() }): Question {
  const [, kind, value = ''] = /^(sram|pin|spill)=(.+)$/.exec(text) ?? [];
  if (kind === 'sram') {
    const bytes = bytesFrom('--what-if sram')(value.replace(/^[+-]/, ''));
    if (/^[+-]/.test(value)) return { ...previous, moreSramBytes: value.startsWith('-') ? -bytes : bytes };
    return { ...previous, sramBytes: bytes };
  }
  if (kind === undefined) throw usageError(`--what-if is '${text}'; it must be sram=BYTES, pin=TENSOR or spill=TENSOR`);
  const home: ForcedHome = kind === 'pin' ? 'sram' : 'dram';
  return { ...previous, forced: new Map([...previous.forced, [value, home]]) };
}

async function tensorNamed(report: Report, directory: string, name: string): Promise<number> {
  const index = report.tensors.findIndex((tensor) => tensor.name === name);
  if (index >= 0) return index;
  const { nearestName } = await import('../target/nearest-name.js');
  const nearest = nearestName(
    name,
    report.tensors.map((tensor) => tensor.name),
  );
  throw usageError(
    `${directory} has no tensor '${name}'`,
    nearest === undefined ? 'report.txt lists them' : `is it '${nearest}'?`,
  );
}

/** The plan is in the page. */
async function planOf(directory: string) {
  const { join } = await import('node:path');
  const { readInputFile } = await import('./read-file.js');
  const { PAGE_FILE, planOfPage } = await import('./report-page.js');
  const { SpillwayError } = await import('../base/diagnostic.js');
  const file = join(directory, PAGE_FILE);
  const plan = planOfPage(new TextDecoder().decode(readInputFile(file)));
  if (plan !== undefined) return plan;
  const message = 'this page holds no plan';
  throw new SpillwayError([
    { code: 'SW8007', blame: 'input', message, loc: { file }, hint: 'compile the model again with this version' },
  ]);
}

async function ask(directory: string, report: Report, question: Question): Promise<Answer> {
  const { askedOf, solveAgain } = await import('./what-if.js');
  const { startProgress } = await import('./progress.js');
  const progress = startProgress();
  try {
    return await solveAgain(askedOf(directory, report), question, (stage) => progress.stage(stage));
  } finally {
    progress.done();
  }
}

function tensorOf({ report }: Answer, name: string | undefined) {
  return report.tensors.find((tensor) => tensor.name === name) ?? null;
}
