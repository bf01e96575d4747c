/** What `spillway explain` prints. */
import { formatDiff } from './diff-command.js';
import type { Explanation, Margin, PlanExplanation } from './explain.js';
import type { PlacedBuffer } from './page-data.js';
import type { Report, TensorReport } from './report.js';
import { binarySize, decimalSize, formatTable } from './table.js';
import type { Answer } from './what-if.js';

export function formatPlan(report: Report, { margin, tight, costly }: PlanExplanation): string {
  const { bound, model, perFrameBytes, sram, target } = report;
  const lines = [
    `${model.name} on ${target.name}: ${decimalSize(perFrameBytes)} of DRAM traffic a frame, compulsory ${decimalSize(bound.compulsoryBytes / report.batch)}; ${sram.capacityBytes} B of SRAM`,
    '',
    ...marginLines(margin),
  ];
  if (tight.length > 0) {
    const table = formatTable(
      [
        { title: 'step', align: 'right', cell: ({ step }) => String(step) },
        { title: 'layer', align: 'left', cell: ({ name }) => name },
        { title: 'SRAM B', align: 'right', cell: ({ sramBytes }) => String(sramBytes) },
        { title: 'free B', align: 'right', cell: ({ freeBytes }) => String(freeBytes) },
        { title: 'saved B for a byte', align: 'right', cell: ({ sramValue }) => sramValue.toFixed(3) },
      ],
      tight,
    );
    lines.push('', 'where SRAM is worth something (dual values of the relaxation, bytes a frame):', table.trimEnd());
  }
  const most = formatTable(
    [
      { title: 'tensor', align: 'left', cell: ({ name }) => name },
      { title: 'class', align: 'left', cell: (row) => row.class },
      { title: 'home', align: 'left', cell: ({ home }) => home },
      { title: 'bytes', align: 'right', cell: ({ bytes }) => String(bytes) },
      { title: 'moved B a frame', align: 'right', cell: ({ trafficBytes }) => String(trafficBytes) },
    ],
    costly,
  );
  lines.push('', 'what moves most; spillway explain DIR TENSOR says why:', most.trimEnd());
  return `${lines.join('\n')}\n`;
}

/** What more or less SRAM is worth. */
function marginLines(margin: Margin | null): string[] {
  const again = '--what-if sram=+1MiB and sram=-1MiB solve again';
  if (margin === null) return [`no step has a dual value: no integer program was needed for this plan; ${again}`];
  const { bytes, moreSavesBytes, lessCostsBytes } = margin;
  return [
    `${binarySize(bytes)} more SRAM would save at most ${decimalSize(moreSavesBytes)} of traffic a frame, and ${binarySize(bytes)} less would cost at least ${decimalSize(lessCostsBytes)}, by the relaxation; ${again}`,
  ];
}

export function formatTensor(report: Report, explanation: Explanation): string {
  const { tensor, life, madeAt, readAt, inSram, fullest, keeping, margin } = explanation;
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
  lines.push('', ...marginLines(margin));
  return `${lines.join('\n')}\n`;
}

/** @param tensor the one that was asked about, as it would be */
export async function formatAnswer(answer: Answer, tensor: TensorReport | null): Promise<string> {
  const now =
    tensor === null
      ? []
      : [
          `${tensor.name} would be: home ${tensor.home}, ${tensor.readBytes} B read and ${tensor.writeBytes} B written a period`,
          `  ${tensor.why}`,
        ];
  const unmet = answer.unmet.map((one) => `${one} could not be where it was wanted: no plan was found`);
  const head = [...now, ...unmet].map((line) => `${line}\n`).join('');
  return `${head === '' ? '' : `${head}\n`}${await formatDiff(answer.diff, 'as compiled', 'what if')}`;
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
