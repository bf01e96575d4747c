/** `spillway explain`: why a tensor is where it is, and what would be if it were not. */
import type { Command } from 'commander';
import type { ForcedHome } from '../solver/placement/forced.js';
import { bytesFrom, usageError } from './command-options.js';
import type { Explanation } from './explain.js';
import type { PlacedBuffer } from './page-data.js';
import type { Report } from './report.js';
import type { Answer, Question } from './what-if.js';

const EXAMPLES = `
Reads report.json and report.html of DIR; --what-if solves again from graph.ir, graph.bin and options.json.

What-if questions, several of which are one:
  sram=12MiB     with another SRAM
  pin=TENSOR     the tensor stays in SRAM from its first use to its last
  spill=TENSOR   the tensor goes through DRAM

Examples:
  spillway explain out/resnet50 stage3.block0.add
  spillway explain out/yolov3 stage4.down.leakyRelu --what-if pin=stage4.down.leakyRelu
  spillway explain out/resnet50 'stem.conv (weights)' --what-if sram=12MiB --json
`;

interface Flags {
  readonly whatIf?: Question;
  readonly json?: true;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .summary('say why a tensor is in DRAM, and what if it were not')
    .description('Says where a tensor is and why, what keeping it in SRAM would cost, and what SRAM is worth there.')
    .argument('<dir>', 'a directory that compile wrote')
    .argument('<tensor>', 'a name of report.json; the weights of a layer are "LAYER (weights)"')
    .option('--what-if <question>', 'sram=BYTES, pin=TENSOR or spill=TENSOR; repeatable', addQuestion)
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, name: string, flags: Flags) => {
      const { readReport } = await import('./read-report.js');
      const { explain } = await import('./explain.js');
      const report = readReport(directory);
      const index = await tensorNamed(report, directory, name);
      const explanation = explain(report, await planOf(directory), index);
      if (explanation === undefined) throw new Error(`nothing is known of ${name}`);
      const answer = flags.whatIf === undefined ? undefined : await ask(directory, report, flags.whatIf);
      if (flags.json) {
        const whatIf =
          answer === undefined ? null : { tensor: tensorOf(answer, name), unmet: answer.unmet, diff: answer.diff };
        process.stdout.write(
          `${JSON.stringify({ schema: 'spillway-explanation/1', ...explanation, whatIf }, null, 2)}\n`,
        );
        return;
      }
      process.stdout.write(await format(report, explanation));
      if (answer !== undefined) process.stdout.write(`\n${await formatAnswer(answer, name)}`);
    });
}

function addQuestion(text: string, previous: Question = { forced: new Map() }): Question {
  const [, kind, value = ''] = /^(sram|pin|spill)=(.+)$/.exec(text) ?? [];
  if (kind === 'sram') return { ...previous, sramBytes: bytesFrom('--what-if sram')(value) };
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
  const { checkForced, solveAgain } = await import('./what-if.js');
  const { startProgress } = await import('./progress.js');
  checkForced(report, question);
  const progress = startProgress();
  try {
    return await solveAgain(directory, report, question, (stage) => progress.stage(stage));
  } finally {
    progress.done();
  }
}

function tensorOf({ report }: Answer, name: string) {
  return report.tensors.find((tensor) => tensor.name === name) ?? null;
}

async function format(report: Report, explanation: Explanation): Promise<string> {
  const { decimalSize } = await import('./table.js');
  const { tensor, life, madeAt, readAt, inSram, fullest, keeping, oneMiBBytes } = explanation;
  const step = (t: number): string => `${t} (${report.layers[t]?.name})`;
  const lines = [
    `${tensor.name}: ${tensor.class}, ${tensor.bytes} B, home ${tensor.home}`,
    `  ${tensor.why}`,
    `  ${tensor.readBytes} B read and ${tensor.writeBytes} B written a period`,
    ...(madeAt.length > 0 ? [`made at ${listed(madeAt.map(step))}`] : []),
    ...(readAt.length > 0 ? [`read at ${listed(readAt.map(step))}`] : []),
    '',
    inSram.length === 0 ? 'never in SRAM' : 'in SRAM:',
    ...inSram.map(
      (b) =>
        `  steps ${b.startStep} to ${b.endStep - 1}: ${b.sizeBytes} B at 0x${b.offsetBytes.toString(16)}, ${b.note}`,
    ),
    '',
    ...(life === null || fullest === null
      ? []
      : [
          `fullest step of its life (${life.first} to ${life.last}): ${step(fullest.step)}, ${fullest.sramBytes} of ${report.sram.capacityBytes} B in use, ${fullest.freeBytes} B free`,
          `  ${fullest.residentBytes} B of resident weights`,
          ...fullest.beside.map((b) => `  ${b.bytes} B ${b.name}: ${KINDS[b.kind]}`),
        ]),
  ];
  if (keeping !== null) {
    const { savedBytes, worthBytes } = keeping;
    lines.push(
      '',
      `kept in SRAM it would save at most ${decimalSize(savedBytes)} a frame; the SRAM that this takes is worth about ${decimalSize(worthBytes)} there, by the dual values of the relaxation: ${worthBytes >= savedBytes ? 'not less than it saves' : 'less than it saves, so that something else stands in the way: what fits at once, or the order of the layers'}`,
    );
  }
  lines.push(
    '',
    oneMiBBytes === null
      ? 'nothing is known of the value of SRAM: no integer program was solved for this plan'
      : `one MiB of SRAM more or less is worth about ${decimalSize(oneMiBBytes)} of traffic a frame, by the relaxation; --what-if sram=... solves again`,
  );
  return `${lines.join('\n')}\n`;
}

async function formatAnswer(answer: Answer, name: string): Promise<string> {
  const { formatDiff } = await import('./diff-command.js');
  const tensor = tensorOf(answer, name);
  const now =
    tensor === null
      ? []
      : [
          `${name} would be: home ${tensor.home}, ${tensor.readBytes} B read and ${tensor.writeBytes} B written a period`,
          `  ${tensor.why}`,
        ];
  const unmet = answer.unmet.map((one) => `${one} could not be where it was wanted: no plan was found`);
  return `${[...now, ...unmet].join('\n')}\n\n${await formatDiff(answer.diff, 'as compiled', 'what if')}`;
}

const KINDS: Readonly<Record<PlacedBuffer['kind'], string>> = {
  resident: 'resident',
  weights: 'passing through',
  tensor: 'a tensor',
  rolling: 'a rolling buffer',
  staging: 'rows on their way in or out',
  sums: 'running sums',
};

const MOST_LISTED = 6;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).join(', ');
  return names.length > MOST_LISTED ? `${shown} and ${names.length - MOST_LISTED} more` : shown;
}
